// Small multiples: a state's norm as a line and the update's norm as an area, over the last tokens, for each head or layer on one common scale.
#pragma once

#include <QWidget>

#include <cstdint>
#include <utility>
#include <vector>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

struct NormSeries {
    QString name;
    std::vector<float> state, update;  // one value a token; NaN where unknown
};

class NormPlots : public QWidget, public Drawn {
    Q_OBJECT
public:
    explicit NormPlots(QWidget* parent);
    // Tokens from `first` on. The scale grows in steps and never shrinks by itself, unless `rescale`.
    void set_series(std::vector<NormSeries> series, int64_t first, int chosen, int64_t chosen_token, bool rescale);
    void set_empty(const QString& sentence);
    const std::vector<NormSeries>& series() const { return series_; }
    float top() const { return top_; }

    QSize minimumSizeHint() const override { return {160, 90}; }
    QSize sizeHint() const override { return {420, 160}; }
    void draw(QPainter& p) override;

signals:
    void hovered(int series, qint64 position);  // -1, -1 when left
    void clicked(int series, qint64 position);  // also Enter

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    int across() const;
    QRectF plot(int index) const;
    std::pair<int, int64_t> at(QPointF point) const;
    int64_t tokens() const { return series_.empty() ? 0 : static_cast<int64_t>(series_[0].state.size()); }
    void point_at(int series, int64_t position);

    std::vector<NormSeries> series_;
    QString empty_;
    int64_t first_ = 0, chosen_token_ = -1, hover_token_ = -1;
    int chosen_ = -1, hover_ = -1;
    float top_ = 0;
};

}  // namespace klp::gui
