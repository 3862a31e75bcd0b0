// One token followed through the memories of every layer while what comes behind it is fed again: what life.h and readers.h stand on.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/model/life.h"

namespace klp {

// What is wanted of some tokens of all layers, [tokens][width] each.
class FollowTap final : public Tap {
public:
    std::map<std::pair<Site, int>, std::vector<float>> values;
    explicit FollowTap(int layer) : layer_(layer) {}  // -1: all
    bool wants(Site site, int layer) const override {
        return (layer_ < 0 || layer == layer_) && (site == Site::projections || site == Site::log_decay || site == Site::beta || site == Site::log_sum_exp);
    }
    void take(const Reading& r) override {
        auto& to = values[{r.site, r.layer}];
        to.insert(to.end(), r.values.begin(), r.values.end());
    }

private:
    int layer_;
};

// Through one layer, some tokens at a time.
class LayerFollower {
public:
    virtual ~LayerFollower() = default;
    // The fact itself is the first token that is ever given; `sequence` holds all `count` tokens from `position` on.
    virtual Result<void> take(const FollowTap& tap, const Sequence& sequence, int64_t position, int64_t count) = 0;
    // Of what each head has read at the newest token, the part that the fact is (readers.h).
    virtual std::vector<double> shares(const Sequence& sequence) const = 0;
    std::vector<HeadLife> heads;
};

struct Following {
    Sequence sequence;  // behind the last token
    std::vector<std::unique_ptr<LayerFollower>> layers;
    std::vector<std::pair<int64_t, float>> probability;  // as FactLife has it
};
// From what.token to `end`. `curves`: every token's numbers are kept, else the last one's. Errors as follow_fact has them.
Result<Following> follow(std::shared_ptr<const Model> model, SnapshotPool& pool, const LifeRequest& what, int64_t end, bool curves,
                         const std::atomic<bool>* cancel, const SnapshotPool::Progress& progress);

}  // namespace klp
