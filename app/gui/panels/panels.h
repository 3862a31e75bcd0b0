// The makers of every lens, each in a file of its own.
#pragma once

#include "app/gui/panels/panel.h"

namespace klp::gui {

Panel* make_decay_panel(Session& session, const PanelInfo& info);
Panel* make_state_panel(Session& session, const PanelInfo& info);
Panel* make_memory_panel(Session& session, const PanelInfo& info);
Panel* make_race_panel(Session& session, const PanelInfo& info);
Panel* make_experts_panel(Session& session, const PanelInfo& info);
Panel* make_logits_panel(Session& session, const PanelInfo& info);
Panel* make_attention_panel(Session& session, const PanelInfo& info);
Panel* make_life_panel(Session& session, const PanelInfo& info);
Panel* make_log_panel(Session& session, const PanelInfo& info);
Panel* make_map_panel(Session& session, const PanelInfo& info);

}  // namespace klp::gui
