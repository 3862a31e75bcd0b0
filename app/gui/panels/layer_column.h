// A model as a column: a row for each layer, from bottom to top, with what it mixes by, what follows, the weights that a token reads there and what it remembers.
#pragma once

#include <QWidget>
#include <vector>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

struct LayerRow {
    int layer = -1;  // -1: embedding or output head, which is no layer
    QString name, mixer, ffn, remembers;
    enum class Memory { none, state, cache } memory{};
    bool experts = false;
    double mixer_bytes = 0, ffn_bytes = 0;  // that a token reads
    QString reads;                          // the same as text
    QString about;                          // all of it in a sentence, for tooltips and screen readers
};

class LayerColumn : public QWidget, public Drawn {
    Q_OBJECT
public:
    explicit LayerColumn(QWidget* parent);
    void set_rows(std::vector<LayerRow> bottom_to_top);
    void set_chosen(int layer);
    void set_empty(const QString& sentence);
    const std::vector<LayerRow>& rows() const { return rows_; }
    int chosen() const { return chosen_; }
    QRectF place(size_t row) const;  // by its number from the bottom

    QSize minimumSizeHint() const override;
    QSize sizeHint() const override { return {560, minimumSizeHint().height()}; }
    void draw(QPainter& p) override;

signals:
    void clicked(int layer);  // also by Up and Down

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Columns {
        QRectF name, mixer, ffn, reads, remembers;
    };
    Columns columns(const QRectF& row) const;
    double row_height() const;
    int row_at(QPointF point) const;  // -1: none
    int least_height() const;         // of a row
    std::vector<LayerRow> rows_;
    QString empty_;
    int chosen_ = -1, hover_ = -1;  // layer; row
};

}  // namespace klp::gui
