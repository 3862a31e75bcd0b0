// Colours. A theme is a function of the palette, so a widget asks its own and follows when the palette changes.
#pragma once

#include <QApplication>
#include <QColor>
#include <QPalette>
#include <array>

namespace klp::gui {

struct Theme {
    bool dark = true;
    QColor window, panel, raised, border, grid, text, muted, accent;
    QColor hybrid, twin, third;  // one meaning everywhere: this model, its full-attention twin, plain multi-head attention
    QColor good, warn, bad;
    std::array<QColor, 6> series;  // told apart by colour-blind readers too, and never the only difference
};
const Theme& theme_of(const QPalette& palette);

enum class ThemeChoice { system, light, dark };
// Style, palette and font of the whole program. `system` follows the palette that the program was started with.
void apply_theme(QApplication& app, ThemeChoice choice);

// Everything that is written, so many times its usual size.
void set_zoom(double factor);

// 256 colours, perceptually even: lightness rises along `sequential`, and falls from the middle of `diverging` to both ends (rises in dark themes).
const std::array<QRgb, 256>& sequential_map();
const std::array<QRgb, 256>& diverging_map(bool dark);

}  // namespace klp::gui
