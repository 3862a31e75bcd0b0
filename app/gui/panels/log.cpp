#include <QLabel>
#include <QVBoxLayout>

#include "app/gui/panels.h"

namespace klp::gui {

namespace {

class LogPanel final : public Panel {
public:
    using Panel::Panel;
    TableData table() const override { return {}; }

protected:
    void refresh() override {}
};

}  // namespace

Panel* make_log_panel(Session& session, const PanelInfo& info) { return new LogPanel(session, info); }

}  // namespace klp::gui
