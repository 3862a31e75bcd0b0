#include <QLabel>
#include <QVBoxLayout>

#include "app/gui/panels.h"

namespace klp::gui {

namespace {

class MemoryPanel final : public Panel {
public:
    using Panel::Panel;
    TableData table() const override { return {}; }

protected:
    void refresh() override {}
};

}  // namespace

Panel* make_memory_panel(Session& session, const PanelInfo& info) { return new MemoryPanel(session, info); }

}  // namespace klp::gui
