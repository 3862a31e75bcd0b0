// Widgets whose picture can be drawn anywhere: on the screen, into a file of vectors, twice as large.
#pragma once

#include <QWidget>

class QPainter;

namespace klp::gui {

class Drawn {
public:
    virtual ~Drawn() = default;
    // Lines and text in the widget's own size, from the origin on, and of a map one pixel a cell; without what only the mouse and the keyboard see. The painter
    // has the widget's font, and as background the colour of what is drawn on.
    virtual void draw(QPainter& p) = 0;
    virtual int drawn_height(int height) const { return height; }  // of the widget's height, what is used
};

// What a person is told to do is no part of a figure.
inline void leave_out(QWidget* widget) { widget->setProperty("left-out", true); }
inline bool left_out(const QWidget* widget) { return widget->property("left-out").toBool(); }

}  // namespace klp::gui
