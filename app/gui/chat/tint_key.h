// What the tint of the words means: its number, a ramp with its ends, and what has no colour.
#pragma once

#include <QWidget>

#include "app/gui/chat/tint.h"

class QLabel;

namespace klp::gui {

class TintKey : public QWidget {
    Q_OBJECT
public:
    TintKey(Tints& tints, QWidget* parent);
    QString said() const;

private:
    void refresh();
    Tints& tints_;
    QLabel* text_;
    QWidget* ramp_;
};

}  // namespace klp::gui
