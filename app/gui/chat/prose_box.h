// The prose of a message: Markdown that grows at its end, and words that can be clicked.
#pragma once

#include <QTextBrowser>

#include <functional>
#include <utility>
#include <vector>

#include "app/gui/chat/tint_text.h"

namespace klp::gui {

// The n-th (from 0) place where `word` stands and is not part of a longer one; -1: nowhere. And how many of them begin before a place.
qsizetype find_word(const QString& in, const QString& word, int n);
int count_words(const QString& in, const QString& word, qsizetype before);

// Rendered prose. Grows at its end; looks nothing up; a link is shown before it is opened.
class ProseBox : public QTextBrowser {
    Q_OBJECT
public:
    explicit ProseBox(QWidget* parent);
    void set_plain(const QString& text);
    void add(const QString& markdown);   // a closed block, behind those before it
    void set_open(const QString& text);  // what comes of the next one
    bool empty() const { return document()->isEmpty(); }
    int height_for(int width);
    // The n-th (from 0) place where `word` stands, marked; "" marks nothing.
    void mark(const QString& word, int n);
    // Words by where they stand and how long they are, marked as others than elsewhere.
    void mark_words(const QList<std::pair<int, int>>& places);
    // Every place where a text stands, marked lightly, and the n-th more; gives that one's y, -1 without one.
    int find_all(const QString& text, int n);
    // Colours under stretches of the text, painted below it: nothing is laid out anew. `say`: what the mouse is told of one.
    struct Under {
        TintRun run;
        QColor colour;
        bool operator==(const Under&) const = default;
    };
    void tint(std::vector<Under> under, std::function<QString(double)> say);
    const std::vector<Under>& tinted() const { return under_; }

signals:
    void word_clicked(const QString& word, int n);

protected:
    QVariant loadResource(int type, const QUrl& name) override;
    void paintEvent(QPaintEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override { event->ignore(); }
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;

private:
    void settle();
    void ask_link(const QUrl& url);
    void tidy(int start, const QTextBlockFormat& first);
    int open_at_ = 0;  // where the open block begins in the document
    QString open_;
    QPoint pressed_;
    std::vector<Under> under_;
    std::function<QString(double)> say_;
    QList<ExtraSelection> changed_, marked_, found_;
};

}  // namespace klp::gui
