// Code in a message.
#pragma once

#include <QFrame>
#include <utility>
#include <vector>

#include "app/gui/chat/tint_text.h"

class QLabel;
class QPlainTextEdit;
class QToolButton;

namespace klp::gui {

class CodeColours;

// Code in a frame of its own, with its language and a button that copies it.
class CodeBox : public QFrame {
    Q_OBJECT
public:
    CodeBox(const QString& language, QWidget* parent);
    void set_text(const QString& code);  // appends where it can
    QString text() const { return text_; }
    int height_for(int width);
    void tint(const std::vector<std::pair<TintRun, QColor>>& under);

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

}  // namespace klp::gui
