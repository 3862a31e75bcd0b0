// Where a message is written: as tall as its text, with its tokens counted, and a button that sends or stops.
#pragma once

#include <QPlainTextEdit>

#include "app/gui/chat/chats.h"

class QHBoxLayout;
class QLabel;
class QPushButton;
class QToolButton;

namespace klp::gui {

class ComposerText : public QPlainTextEdit {
    Q_OBJECT
public:
    explicit ComposerText(QWidget* parent);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

signals:
    void send_asked();
    void edit_last_asked();  // Up in an empty composer
    void given_up();         // Esc
    void file_dropped(const QString& file);
    void pasted(const QString& text);  // more than a person writes

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool canInsertFromMimeData(const QMimeData* source) const override;
    void insertFromMimeData(const QMimeData* source) override;
};

class Composer : public QFrame {
    Q_OBJECT
public:
    explicit Composer(Chats& chats, QWidget* parent = nullptr);
    QHBoxLayout* tools() const { return tools_; }  // at the left of the row below the text
    ComposerText& text() { return *text_; }
    void set_text(const QString& text);
    void edit(int id);  // a message of the current chat; 0: a new one again
    int editing() const { return editing_; }
    void send();
    void attach(const QString& file);
    void attach(const QString& name, const QString& text);
    QString message() const;  // with what is attached

protected:
    void paintEvent(QPaintEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void refresh();
    void count();
    void take_line();
    void show_chips();

    Chats& chats_;
    ComposerText* text_;
    QHBoxLayout* tools_;
    QWidget *editing_bar_, *chips_;
    struct Attachment {
        QString name, text;
    };
    std::vector<Attachment> attached_;
    QLabel *editing_label_, *count_;
    QPushButton* send_;
    QTimer count_timer_;
    int editing_ = 0;
    QString kept_;      // what stood here before an edit began
    QString returned_;  // of a turn that was undone: it goes again when the turn comes back
};

}  // namespace klp::gui
