// What everybody looks at: one token, layer, head, channel, expert. Panels show it and change it; hovering is kept apart from choosing.
#pragma once

#include <QObject>
#include <cstdint>
#include <utility>

namespace klp::gui {

class Selection : public QObject {
    Q_OBJECT
public:
    using QObject::QObject;
    static constexpr int64_t kNewest = -1;  // follow the newest token

    int64_t token() const { return token_; }      // position, or kNewest
    int64_t hovered() const { return hovered_; }  // position, or -1
    int layer() const { return layer_; }
    int head() const { return head_; }
    int channel() const { return channel_; }
    int expert() const { return expert_; }
    std::pair<int64_t, int64_t> range() const { return range_; }  // positions [first, last), empty where equal

    void set_token(int64_t position) { set(token_, position); }
    void set_layer(int layer) { set(layer_, layer); }
    void set_head(int layer, int head) { layer_ = layer, head_ = head, emit changed(); }
    void set_channel(int layer, int head, int channel) { layer_ = layer, head_ = head, channel_ = channel, emit changed(); }
    void set_expert(int layer, int expert) { layer_ = layer, expert_ = expert, emit changed(); }
    void set_range(int64_t first, int64_t last) {
        if (range_ != std::pair(first, last)) range_ = {first, last}, emit changed();
    }
    void hover(int64_t position) {
        if (hovered_ != position) hovered_ = position, emit hover_changed();
    }
    // Keeps what is chosen inside a model's layers and heads.
    void clamp(int layers, int heads, int channels);

signals:
    void changed();
    void hover_changed();

private:
    template <class T>
    void set(T& member, T value) {
        if (member != value) member = value, emit changed();
    }
    int64_t token_ = kNewest, hovered_ = -1;
    int layer_ = 0, head_ = 0, channel_ = 0, expert_ = 0;
    std::pair<int64_t, int64_t> range_{0, 0};
};

}  // namespace klp::gui
