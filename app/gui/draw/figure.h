// Text that changes many times a second: it paints itself and only ever grows, so that nothing around it is laid out anew, as a QLabel would make it.
#pragma once

#include <QEvent>
#include <QPainter>
#include <QWidget>

#include <algorithm>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

class Figure : public QWidget, public Drawn {
public:
    // `grows`: as wide as its longest text so far; else as wide as there is room, with dots where it does not fit.
    explicit Figure(QWidget* parent, bool grows = true, int lines = 1) : QWidget(parent), grows_(grows), lines_(lines) {
        setSizePolicy(grows ? QSizePolicy::Fixed : QSizePolicy::Expanding, QSizePolicy::Fixed);
        setFixedHeight(high());
    }
    void setText(const QString& text) {
        if (text == text_) return;
        text_ = text;
        if (grows_ && fontMetrics().horizontalAdvance(text) > width()) setFixedWidth(fontMetrics().horizontalAdvance(text));
        setAccessibleDescription(text);
        update();
    }
    const QString& text() const { return text_; }
    QSize sizeHint() const override { return {grows_ ? width() : 120, high()}; }

    void draw(QPainter& p) override {
        p.setPen(palette().color(foregroundRole()));
        const QStringList lines = text_.split('\n');
        for (int i = 0; i < std::min<int>(lines_, static_cast<int>(lines.size())); ++i)
            p.drawText(QRect(0, i * fontMetrics().height() + 1, width(), fontMetrics().height()), Qt::AlignLeft | Qt::AlignVCenter,
                       fontMetrics().elidedText(lines[i], Qt::ElideRight, width() + 1));
    }
    int drawn_height(int) const override {  // without the lines that it only keeps free
        return std::min<int>(lines_, static_cast<int>(text_.count('\n')) + (text_.isEmpty() ? 0 : 1)) * fontMetrics().height() + 2;
    }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter p(this);
        draw(p);
    }
    void changeEvent(QEvent* event) override {
        QWidget::changeEvent(event);
        if (event->type() != QEvent::FontChange) return;
        setFixedHeight(high());
        if (grows_) setFixedWidth(std::max(1, fontMetrics().horizontalAdvance(text_)));
    }

private:
    int high() const { return lines_ * fontMetrics().height() + 2; }
    QString text_;
    bool grows_;
    int lines_;
};

}  // namespace klp::gui
