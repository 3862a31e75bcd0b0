#include <QLabel>
#include <QVBoxLayout>

#include "app/gui/panels.h"

namespace klp::gui {

namespace {

class DecayPanel final : public Panel {
public:
    using Panel::Panel;
    TableData table() const override { return {}; }

protected:
    void refresh() override {}
};

}  // namespace

Panel* make_decay_panel(Session& session, const PanelInfo& info) { return new DecayPanel(session, info); }

}  // namespace klp::gui
