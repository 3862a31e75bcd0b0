#include "app/gui/session/selection.h"

#include <algorithm>

namespace klp::gui {

void Selection::clamp(int layers, int heads, int channels) {
    layer_ = std::clamp(layer_, 0, std::max(0, layers - 1));
    head_ = std::clamp(head_, 0, std::max(0, heads - 1));
    channel_ = std::clamp(channel_, 0, std::max(0, channels - 1));
    emit changed();
}

}  // namespace klp::gui
