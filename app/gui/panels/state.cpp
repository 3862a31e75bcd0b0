#include <QLabel>
#include <QVBoxLayout>

#include "app/gui/panels.h"

namespace klp::gui {

namespace {

class StatePanel final : public Panel {
public:
    using Panel::Panel;
    TableData table() const override { return {}; }

protected:
    void refresh() override {}
};

}  // namespace

Panel* make_state_panel(Session& session, const PanelInfo& info) { return new StatePanel(session, info); }

}  // namespace klp::gui
