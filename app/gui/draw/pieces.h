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

}  // namespace klp::gui
