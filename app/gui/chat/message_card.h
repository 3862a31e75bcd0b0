// One message: who said it, the text as it comes, what it cost, and what can be done from here. Lays itself out for a width; the list puts it in its place.
#pragma once

#include <QFrame>
#include <QTextBrowser>

#include "app/gui/chat/chats.h"
#include "app/gui/chat/markdown.h"

class QLabel;
class QMenu;
class QPlainTextEdit;
class QToolButton;

namespace klp::gui {

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

signals:
    void word_clicked(const QString& word, int n);

protected:
    QVariant loadResource(int type, const QUrl& name) override;
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
};

// Code in a frame of its own, with its language and a button that copies it.
class CodeBox : public QFrame {
    Q_OBJECT
public:
    CodeBox(const QString& language, QWidget* parent);
    void set_text(const QString& code);  // appends where it can
    QString text() const { return text_; }
    int height_for(int width);

protected:
    void changeEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    QLabel* language_;
    QToolButton* copy_;
    QPlainTextEdit* edit_;
    CodeColours* colours_;
    QString text_;
};

class MessageCard : public QFrame {
    Q_OBJECT
public:
    MessageCard(Chats& chats, int id, QWidget* parent);
    int id() const { return id_; }
    void take_text();                // what was added to the message since the last call
    void take_figures();             // footer, branches, what can be done
    int lay_out(int width);          // places everything, gives the height
    void mark_token(int64_t token);  // of the answer, shown; -1: none

signals:
    void edit_asked(int id);
    void height_changed();

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Segment {
        ProseBox* prose = nullptr;
        CodeBox* code = nullptr;
    };
    QToolButton* button(const QString& text, const QString& tip, std::function<void()> what);
    ProseBox& prose();
    void put(const Block& block, bool closed);
    void show_menu(const QPoint& at);
    void fill_menu(QMenu& menu);
    void word_clicked(size_t segment, const QString& word, int n);
    QString footer_text() const;
    QString plain_text() const;

    Chats& chats_;
    int id_;
    bool user_;
    BlockReader reader_;
    qsizetype taken_ = 0;  // bytes of the message's text
    bool finished_ = false, code_open_ = false;
    std::vector<Segment> segments_;
    QLabel *role_, *footer_;
    std::vector<QToolButton*> buttons_;
    QToolButton *rewind_ = nullptr, *go_on_ = nullptr, *more_ = nullptr, *before_ = nullptr, *behind_ = nullptr;
    QLabel* siblings_ = nullptr;
    int cost_request_ = 0;
    std::vector<int> branches_;
};

}  // namespace klp::gui
