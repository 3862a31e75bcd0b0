// How fast tokens are shown, beside Stop: a list of paces, and a button for the next token where they come one by one.
#pragma once

#include <QWidget>

#include "app/gui/session/session.h"

class QComboBox;
class QToolButton;

namespace klp::gui {

class PaceBox : public QWidget {
    Q_OBJECT
public:
    explicit PaceBox(Session& session, QWidget* parent = nullptr);
    void pause_or_go();   // one by one, and back to the pace before
    void step();          // one token more; from another pace it pauses first
    void change(int by);  // one place up or down the list
    bool useful() const;  // something is being made or shown

private:
    void refresh();
    Session& session_;
    QComboBox* paces_;
    QToolButton* next_;
    int before_ = Valve::kFull;  // the pace that goes on after a pause
};

}  // namespace klp::gui
