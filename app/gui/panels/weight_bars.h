// How much one head reads of each token, as bars.
#pragma once

#include <QWidget>
#include <functional>

#include "app/gui/draw/drawn.h"
#include "app/gui/panels/reads.h"
#include "app/gui/session/session.h"

namespace klp::gui {

// Bars over the positions of the context. A bar narrower than a pixel shows the strongest of the tokens below it.
class WeightBars final : public QWidget, public Drawn {
public:
    WeightBars(const Reads& reads, const Session& session, QWidget* parent);
    std::function<void(int64_t)> hovered, clicked;  // a position, or -1
    std::function<QString(int64_t)> describe;
    void set_tokens(int64_t n) { tokens_ = n, update(); }
    QSize sizeHint() const override { return {400, 84}; }
    void draw(QPainter& p) override;

protected:
    void paintEvent(QPaintEvent*) override;
    void mouseMoveEvent(QMouseEvent* event) override { hovered(at(event->position())); }
    void leaveEvent(QEvent*) override { hovered(-1); }
    void mousePressEvent(QMouseEvent* event) override;
    bool event(QEvent* event) override;

private:
    static constexpr int kRight = 46;  // pixels, for the scale
    QRect grid() const { return QRect(1, 1, std::max(10, width() - kRight - 2), std::max(10, height() - 3)); }
    double x_of(int64_t position) const { return grid().left() + double(grid().width()) * static_cast<double>(position) / static_cast<double>(tokens_); }
    int64_t position_at(int x) const { return static_cast<int64_t>(double(x - grid().left()) * static_cast<double>(tokens_) / grid().width()); }
    int64_t at(QPointF p) const;
    const Reads& reads_;
    const Session& session_;
    int64_t tokens_ = 0;
};

}  // namespace klp::gui
