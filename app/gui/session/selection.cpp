#include "app/gui/session/selection.h"

#include <algorithm>

namespace klp::gui {

bool Selection::keeps_cache(int layer) const { return std::binary_search(room_.mla.begin(), room_.mla.end(), layer); }

void Selection::look_at(int layer) {
    layer_ = layer;
    if (keeps_cache(layer))
        cache_.layer = layer;
    else if (room_.kda.empty() || std::binary_search(room_.kda.begin(), room_.kda.end(), layer))
        state_.layer = layer;
}

void Selection::set_layer(int layer) {
    look_at(layer);
    emit changed();
}

void Selection::set_head(int layer, int head) {
    look_at(layer);
    (keeps_cache(layer) ? cache_ : state_).head = head;
    emit changed();
}

void Selection::set_channel(int layer, int head, int channel) {
    channel_ = channel;
    set_head(layer, head);
}

void Selection::set_expert(int layer, int expert) {
    expert_ = expert;
    set_layer(layer);
}

void Selection::fit(Room room) {
    room_ = std::move(room);
    const auto fit = [](Head& at, const std::vector<int>& layers, int heads) {
        if (!std::binary_search(layers.begin(), layers.end(), at.layer)) at.layer = layers.empty() ? 0 : layers[0];
        at.head = std::clamp(at.head, 0, std::max(0, heads - 1));
    };
    layer_ = std::clamp(layer_, 0, std::max(0, room_.layers - 1));
    fit(state_, room_.kda, room_.kda_heads);
    fit(cache_, room_.mla, room_.mla_heads);
    channel_ = std::clamp(channel_, 0, std::max(0, room_.channels - 1));
    emit changed();
}

}  // namespace klp::gui
