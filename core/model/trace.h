// One token as screens and recordings know it: what it was, what it cost, and the readings of every layer while it was fed.
#pragma once

#include <string>
#include <vector>

#include "core/files/config.h"
#include "core/model/sequence.h"
#include "core/model/telemetry.h"

namespace klp {

// Where each reading stands in a row of floats, one row a token: for every site that is kept, its layers in order, [layers][width].
class TraceShape {
public:
    TraceShape() = default;
    explicit TraceShape(const ModelConfig& config);

    const std::vector<int>& layers(Site site) const;  // that have this site, ascending: KDA layers, MLA layers or MoE layers
    int width(Site site) const;                       // values of one layer: H gates, H, top_k ...
    int64_t size() const { return size_; }            // floats of a row
    bool has(Site site, int layer) const { return offset(site, layer) >= 0; }
    // -1: the layer has no such site
    int64_t offset(Site site, int layer) const;
    // One layer's values in a row; empty where the layer has none, or the row is empty.
    std::span<const float> of(Site site, int layer, std::span<const float> row) const;

    int kda_heads = 0, key_dim = 0, value_dim = 0, mla_heads = 0, num_experts = 0, top_k = 0;
    int gates = 0;  // of a head: one for each channel of its keys, or one for all

private:
    std::vector<int> kda_, mla_, moe_;
    std::vector<int> rank_;  // of a layer among those of its kind
    std::vector<bool> is_kda_, is_moe_;
    int64_t start_[kSites] = {}, size_ = 0;
};

// Gathers readings into rows. Belongs to the engine's thread; a row is ready once its pass is over.
class Tracer final : public Tap {
public:
    explicit Tracer(const ModelConfig& config) : shape(config) {}

    const TraceShape shape;
    // Sites that are asked for; what nobody wants is neither computed nor kept and reads NaN.
    void want(Site site, bool on) { wanted_[static_cast<int>(site)] = on; }
    // Of a pass longer than this only the last rows are kept: a long prompt's readings would cost more than they show.
    static constexpr int64_t kRowsOfAPass = 512;

    bool wants(Site site, int layer) const override { return static_cast<int>(site) < kSites && wanted_[static_cast<int>(site)] && shape.has(site, layer); }
    void take(const Reading& reading) override;

    struct Row {
        int64_t position = 0;
        std::vector<float> values;
    };
    // The rows since the last call, in order of position.
    std::vector<Row> finish();
    void trim();           // to the last kRowsOfAPass
    int64_t spent_ns = 0;  // in take(), since whoever reads it set it to 0; from every kTimed-th, for looking at the clock takes as long as a reading

private:
    static constexpr int64_t kTimed = 17;
    bool wanted_[kSites] = {};
    std::vector<Row> rows_;
    int64_t taken_ = 0;
};

}  // namespace klp
