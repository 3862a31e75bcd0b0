// The timeline with its head line: what is under the cursor, zoom, and the choice of colours.
#pragma once

#include <QWidget>

class QComboBox;
class QToolButton;

namespace klp::gui {

class Chats;
class Figure;
class Session;
class TimelineView;

class Timeline : public QWidget {
    Q_OBJECT
public:
    explicit Timeline(Session& session, QWidget* parent = nullptr, const Chats* chats = nullptr);
    TimelineView* view() const { return view_; }

private:
    void refresh();
    Session& session_;
    TimelineView* view_;
    Figure* where_;
    QComboBox* tint_;
    QToolButton *to_range_ = nullptr, *no_range_ = nullptr;
};

}  // namespace klp::gui
