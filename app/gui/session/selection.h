// What everybody looks at: one token, layer, head, channel, expert. Panels show it and change it; hovering is kept apart from choosing.
//
// A head of a state and a head of a cache are two things: choosing one leaves the other where it is, so that every lens that shows a state shows the same one.
#pragma once

#include <QObject>
#include <cstdint>
#include <utility>
#include <vector>

namespace klp::gui {

struct Head {
    int layer = 0, head = 0;
    bool operator==(const Head&) const = default;
};

class Selection : public QObject {
    Q_OBJECT
public:
    using QObject::QObject;
    static constexpr int64_t kNewest = -1;  // follow the newest token

    int64_t token() const { return token_; }      // position, or kNewest
    int64_t hovered() const { return hovered_; }  // position, or -1
    int layer() const { return layer_; }          // that was looked at last, of whatever kind
    int head() const { return keeps_cache(layer_) ? cache_.head : state_.head; }
    Head state() const { return state_; }  // of a KDA layer: the last one that was looked at
    Head cache() const { return cache_; }  // of an MLA layer
    int channel() const { return channel_; }
    int expert() const { return expert_; }
    std::pair<int64_t, int64_t> range() const { return range_; }  // positions [first, last), empty where equal
    bool ranged() const { return range_.first < range_.second; }
    bool in_range(int64_t position) const { return position >= range_.first && position < range_.second; }  // no range: false

    void set_token(int64_t position) { set(token_, position); }
    void set_layer(int layer);
    void set_head(int layer, int head);
    void set_channel(int layer, int head, int channel);
    void set_expert(int layer, int expert);
    void set_range(int64_t first, int64_t last) {
        if (range_ != std::pair(first, last)) range_ = {first, last}, emit changed();
    }
    void hover(int64_t position) {
        if (hovered_ != position) hovered_ = position, emit hover_changed();
    }
    // What there is to look at. What is chosen stays where it fits.
    struct Room {
        int layers = 0;
        std::vector<int> kda, mla;  // which of them keep a state and which a cache, ascending
        int kda_heads = 0, mla_heads = 0, channels = 0;
    };
    void fit(Room room);
    int heads(int layer) const { return keeps_cache(layer) ? room_.mla_heads : room_.kda_heads; }

signals:
    void changed();
    void hover_changed();

private:
    template <class T>
    void set(T& member, T value) {
        if (member != value) member = value, emit changed();
    }
    bool keeps_cache(int layer) const;
    void look_at(int layer);
    Room room_;
    int64_t token_ = kNewest, hovered_ = -1;
    int layer_ = 0, channel_ = 0, expert_ = 0;
    Head state_, cache_;
    std::pair<int64_t, int64_t> range_{0, 0};
};

}  // namespace klp::gui
