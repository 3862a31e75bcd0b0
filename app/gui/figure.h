// A line of text that changes many times a second: it paints itself and only ever grows, so that nothing around it is laid out anew, as a QLabel would make it.
#pragma once

#include <QPainter>
#include <QWidget>

namespace klp::gui {

class Figure : public QWidget {
public:
    // `grows`: as wide as its longest text so far; else as wide as there is room, with dots where it does not fit.
    explicit Figure(QWidget* parent, bool grows = true) : QWidget(parent), grows_(grows) {
        setSizePolicy(grows ? QSizePolicy::Fixed : QSizePolicy::Expanding, QSizePolicy::Fixed);
        setFixedHeight(fontMetrics().height() + 2);
    }
    void setText(const QString& text) {
        if (text == text_) return;
        text_ = text;
        if (grows_ && fontMetrics().horizontalAdvance(text) > width()) setFixedWidth(fontMetrics().horizontalAdvance(text));
        setAccessibleDescription(text);
        update();
    }
    const QString& text() const { return text_; }
    QSize sizeHint() const override { return {grows_ ? width() : 120, fontMetrics().height() + 2}; }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter p(this);
        p.setPen(palette().color(foregroundRole()));
        p.drawText(rect(), Qt::AlignLeft | Qt::AlignVCenter, fontMetrics().elidedText(text_, Qt::ElideRight, width() + 1));
    }

private:
    QString text_;
    bool grows_;
};

}  // namespace klp::gui
