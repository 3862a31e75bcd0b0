#include <QLabel>
#include <QVBoxLayout>

#include "app/gui/panels.h"

namespace klp::gui {

namespace {

class ExpertsPanel final : public Panel {
public:
    using Panel::Panel;
    TableData table() const override { return {}; }

protected:
    void refresh() override {}
};

}  // namespace

Panel* make_experts_panel(Session& session, const PanelInfo& info) { return new ExpertsPanel(session, info); }

}  // namespace klp::gui
