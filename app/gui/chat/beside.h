// What an answer under hands is shown beside: the answer that stood before, the words that are others in each, and how far the two are apart, token by token.
#pragma once

#include <QList>
#include <QString>
#include <QWidget>
#include <utility>

#include "app/gui/chat/chats.h"

class QLabel;
class QPushButton;

namespace klp::gui {

class ProseBox;
class Tints;

using Places = QList<std::pair<int, int>>;  // where words stand in a text, and how long they are
// The words of each that are not in the other, in order (the longest common subsequence; of very long texts, from the first that differs to the last).
std::pair<Places, Places> words_apart(const QString& before, const QString& now);
int words_in(const QString& text);

// The answer that stood before, as plain text.
class BeforeBox final : public QWidget {
    Q_OBJECT
public:
    BeforeBox(Chats& chats, int id, QWidget* parent);
    QString text() const;
    void mark(const Places& words);
    void tint(const Tints& tints, int id);  // as its card: `id` is the answer under hands
    int height_for(int width);
    static int title_height(const QWidget& in);

private:
    Chats& chats_;
    const int id_;
    QPushButton* title_;  // goes there
    ProseBox* prose_;
};

// One bar a token of the answer that stood before: KL divergence. And what it comes to, in words.
class ApartBars final : public QWidget {
    Q_OBJECT
public:
    ApartBars(Chats& chats, int id, QWidget* parent);
    void take(const Compared* known, int words, int all_words);  // null: not known yet
    int height_for(int width) const;
    QString said() const;

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QRect grid() const;
    int token_at(int x) const;  // of the answer; -1: none
    QString of_token(int token) const;
    QString word(int token) const;
    Chats& chats_;
    const int before_;  // the answer
    std::vector<TokenApart> tokens_;
    QLabel* said_;
    QString whole_;  // of all tokens; of one while the mouse is on it
    double most_ = 0;
};

}  // namespace klp::gui
