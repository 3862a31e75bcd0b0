// What stands above the picture of every lens: what it shows in one sentence, and what its colours, bars and lines mean.
#pragma once

#include <QColor>
#include <QTextLayout>
#include <QWidget>
#include <array>
#include <vector>

#include "app/gui/draw/drawn.h"
#include "app/gui/panels/glossary.h"

namespace klp::gui {

// A sentence that may change many times a second: it paints itself and only ever grows, to three lines at the most, so that nothing around it is laid out anew.
// Words of the glossary are underlined, and explained under the mouse.
class Sentence : public QWidget {
public:
    explicit Sentence(QWidget* parent);
    void set(const QString& text);
    const QString& text() const { return text_; }
    QSize sizeHint() const override { return {320, lines_ * fontMetrics().height() + 2}; }
    QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool event(QEvent* event) override;

private:
    void place(bool grow);
    QString text_;
    std::vector<TermPlace> terms_;
    QTextLayout layout_;
    int lines_ = 1;
    bool cut_ = false;  // not all of it fits
};

struct KeyItem {
    enum Shape { fill, frame, line, dashed, hatched, dot, area, ramp, word } shape = fill;
    QColor colour;
    QString text;
    const std::array<QRgb, 256>* colours = nullptr;  // of a ramp
};

// The key: a sample and a word for each of them, in as many lines as it takes.
class Key : public QWidget, public Drawn {
public:
    explicit Key(QWidget* parent);
    void set(std::vector<KeyItem> items);
    const std::vector<KeyItem>& items() const { return items_; }
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override { return layout_for(width, nullptr); }
    QSize sizeHint() const override { return {320, heightForWidth(width() > 50 ? width() : 320)}; }
    QSize minimumSizeHint() const override { return {80, fontMetrics().height()}; }
    void draw(QPainter& p) override { draw(p, width()); }
    void draw(QPainter& p, int width) const;

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    int layout_for(int width, std::vector<QRect>* places) const;
    int sample(const KeyItem& item) const;
    std::vector<KeyItem> items_;
};

}  // namespace klp::gui
