// The timeline with its head line: what is under the cursor, zoom, and the choice of colours.
#pragma once

#include <QWidget>

class QComboBox;

namespace klp::gui {

class Figure;
class Session;
class TimelineView;

class Timeline : public QWidget {
    Q_OBJECT
public:
    explicit Timeline(Session& session, QWidget* parent = nullptr);
    TimelineView* view() const { return view_; }

private:
    void refresh();
    Session& session_;
    TimelineView* view_;
    Figure* where_;
    QComboBox* tint_;
};

}  // namespace klp::gui
