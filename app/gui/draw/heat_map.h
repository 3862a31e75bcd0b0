// A grid of numbers as colours: one QImage in the pixels of the screen, with labels, a legend, a cell under the cursor and a chosen cell. Values that are not
// numbers are hatched, kBlank is not drawn at all. Where cells are smaller than a pixel the largest magnitude of those below it is drawn, so that colouring
// costs no more than the values and the pixels there are.
#pragma once

#include <QImage>
#include <QPixmap>
#include <QWidget>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "app/gui/draw/drawn.h"

namespace klp::gui {

struct HeatScale {
    enum class Kind { sequential, diverging } kind = Kind::sequential;
    float low = 0, high = 1;                       // diverging: symmetric around 0, high counts
    bool log = false;                              // sequential only; low > 0
    QString unit;                                  // stands at the legend
    std::vector<std::pair<float, QString>> ticks;  // of the legend, ascending; empty: low and high
    std::vector<QString> bands;                    // names between the ticks, one more than ticks; drawn where they all fit
    bool operator==(const HeatScale&) const = default;
};

class HeatMap : public QWidget, public Drawn {
    Q_OBJECT
public:
    static constexpr float kBlank = std::numeric_limits<float>::lowest();  // no cell here
    explicit HeatMap(QWidget* parent = nullptr);

    void set_values(int rows, int columns, std::vector<float> values);  // row-major
    void set_scale(HeatScale scale);
    const HeatScale& scale() const { return scale_; }
    // Labels of single rows and columns; as many are drawn as fit. Empty functions: none.
    void set_labels(std::function<QString(int)> row, std::function<QString(int)> column, QString rows_are = {}, QString columns_are = {});
    void set_groups(std::vector<int> first_rows);  // a line is drawn above each of these rows
    // Bars above and beside: the root mean square of each column and row, full at a third of the magnitude that the scale ends at.
    void set_marginals(bool on);
    void set_chosen(int row, int column);      // -1: none; a whole column where only the row is -1
    void set_dots(std::vector<QPoint> cells);  // x column, y row: a dot in each of these
    void set_empty(const QString& sentence);   // shown while there are no values
    void set_square(bool on);                  // cells as high as wide

    int rows() const { return rows_; }
    int columns() const { return columns_; }
    float value(int row, int column) const { return values_[static_cast<size_t>(row) * static_cast<size_t>(columns_) + static_cast<size_t>(column)]; }
    // Says what a cell is, for tooltips and screen readers: "layer 1, head 2, channel 17: half-life 533 tokens".
    std::function<QString(int row, int column, float value)> describe;

    QPoint chosen_cell() const { return chosen_; }    // x column, y row; -1: none
    QPoint hovered_cell() const { return hover_; }    // x column, y row; -1, -1: none
    QSize pictured() const { return image_.size(); }  // pixels that were coloured last

    QSize minimumSizeHint() const override { return {160, 80}; }
    QSize sizeHint() const override { return {480, 240}; }
    void draw(QPainter& p) override;

signals:
    void hovered(int row, int column);  // -1, -1 when left
    void clicked(int row, int column);  // also Enter on the cell of the keyboard

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void arrange();  // finds grid and legend
    void colour(double ratio);
    void changed(bool layout);
    std::vector<std::pair<float, QString>> ticks() const;
    QPoint cell_at(QPointF position) const;
    QRectF rect_of(int row, int column) const;
    void point_at(int row, int column);
    double place(float value) const;  // 0 .. 1 along the colours
    void frame(QPainter& p, QPoint cell, const QColor& colour, double wide) const;
    void draw_cells(QPainter& p) const;
    void draw_chosen(QPainter& p) const;
    void draw_marginals(QPainter& p) const;
    void draw_words(QPainter& p);
    void draw_labels(QPainter& p) const;
    void draw_legend(QPainter& p) const;

    int rows_ = 0, columns_ = 0;
    std::vector<float> values_;
    HeatScale scale_;
    std::function<QString(int)> row_label_, column_label_;
    QString rows_are_, columns_are_, empty_;
    std::vector<int> groups_;
    QPoint chosen_{-1, -1}, hover_{-1, -1};  // x column, y row
    std::vector<QPoint> dots_;
    bool square_ = false, marginals_ = false;

    bool unarranged_ = true, stale_ = true;
    QRect grid_, legend_;
    bool bands_fit_ = false;
    std::vector<QString> row_texts_, column_texts_;
    QImage image_;
    QPixmap words_;  // labels and legend, which change less often than values
};

}  // namespace klp::gui
