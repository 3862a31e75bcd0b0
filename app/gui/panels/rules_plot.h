// One state as several rules of updating it leave it, side by side: each a column of its matrix, its norm by token and how well tokens are read back.
#pragma once

#include <QWidget>
#include <cstdint>
#include <limits>
#include <vector>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

struct RuleColumn {
    QString name, gate, writing;  // "DeltaNet", "no gate", "delta rule"
    bool own = false;             // the model's
    int rows = 0, columns = 0;
    std::vector<float> matrix;                                                                                 // [rows, columns]
    std::vector<float> norm;                                                                                   // by token
    double pinned = std::numeric_limits<double>::quiet_NaN(), all = std::numeric_limits<double>::quiet_NaN();  // cosines; NaN: nothing is pinned, or read
};

class RulesPlot : public QWidget, public Drawn {
    Q_OBJECT
public:
    explicit RulesPlot(QWidget* parent);
    // Norms from token `first` on. `range`: where the colours of all matrices end.
    void set_columns(std::vector<RuleColumn> columns, float range, int64_t first, int64_t pinned);
    void set_empty(const QString& sentence);  // shown while there are none
    const std::vector<RuleColumn>& columns() const { return columns_; }
    QRectF norm_place(int column) const;

    QSize minimumSizeHint() const override { return {280, 200}; }
    QSize sizeHint() const override { return {560, 420}; }
    void draw(QPainter& p) override;

signals:
    void hovered(qint64 position);  // -1 when left
    void clicked(qint64 position);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Places {
        QRectF words, matrix, norm, bars;
    };
    Places places(int column) const;
    int64_t token_at(QPointF point) const;
    double height_of(float norm) const;  // 0 .. 1, on a log scale
    void draw_norm(QPainter& p, const RuleColumn& column, const QRectF& place) const;
    void draw_bar(QPainter& p, const QString& name, double value, bool own, QRectF place) const;
    QFont small() const;

    std::vector<RuleColumn> columns_;
    std::vector<QImage> images_;
    QString empty_;
    float range_ = 1, lowest_ = 1, highest_ = 1;
    int64_t first_ = 0, pinned_ = -1, hover_ = -1;
    bool dark_ = true;
};

}  // namespace klp::gui
