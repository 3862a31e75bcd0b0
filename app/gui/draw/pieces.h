// Small widgets that several places are made of.
#pragma once

#include <QLabel>

namespace klp::gui {

// A page that scrolls up and down inside `parent`, which it fills.
QWidget* scrolling_page(QWidget* parent);
// Figures in rich text that can be selected; `name` is what a screen reader says.
QLabel* figures(QWidget* parent, const QString& name);
// A remark in the muted colour, over as many lines as it takes.
QLabel* remark(QWidget* parent);
// A window never larger than the screen it is on, nor beside it.
void fit_screen(QWidget& window);
// The same a moment after it is shown, when the frame around it is known.
void fit_screen_soon(QWidget& window);

}  // namespace klp::gui
