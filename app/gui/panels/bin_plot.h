// A plot of bins of which one is under the cursor.
#pragma once

#include <QMouseEvent>
#include <QPainter>
#include <QWidget>
#include <functional>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

class BinPlot : public QWidget, public Drawn {
public:
    explicit BinPlot(QWidget* parent) : QWidget(parent) { setMouseTracking(true); }
    std::function<void(const QString&)> on_hover;  // what stands under the cursor; empty when left

protected:
    virtual int bin_at(QPointF point) const = 0;  // -1: none
    virtual QString said(int bin) const = 0;      // on one line
    int hovered() const { return hover_; }
    void forget_hover() { hover_ = -1; }
    void paintEvent(QPaintEvent*) override {
        QPainter p(this);
        draw(p);
    }
    void mouseMoveEvent(QMouseEvent* event) override { hover(bin_at(event->position())); }
    void leaveEvent(QEvent*) override { hover(-1); }

private:
    void hover(int bin) {
        if (bin == hover_) return;
        hover_ = bin;
        update();
        if (on_hover) on_hover(bin < 0 ? QString() : said(bin));
    }
    int hover_ = -1;
};

}  // namespace klp::gui
