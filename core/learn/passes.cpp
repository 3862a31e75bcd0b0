// The forward pass of the engine, layer by layer with what goes into each one kept, and the same layers backwards.
#include "core/learn/passes.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace klp {

namespace {
constexpr int64_t kPassTokens = 512;  // that go through the layers together: what they make stays in the second- and third-level caches
}

Passes::Passes(std::shared_ptr<const Model> model, std::shared_ptr<Backend> on)
    : model_(std::move(model)), on_(std::move(on)), back_(on_->gradients()), scratch_(*on_), readings_(*on_) {}

Passes::Figures Passes::run(const Batch& batch, std::span<const size_t> rows, const Learn* learn) {
    std::vector<size_t> starts{0};
    for (const int64_t n : batch.lengths) starts.push_back(starts.back() + static_cast<size_t>(n));
    Figures all;
    for (size_t i = 0; i < rows.size() && std::isfinite(all.loss);) {
        std::vector<int64_t> lengths;
        std::vector<int32_t> ids, targets;
        for (; i < rows.size(); ++i) {
            const auto first = static_cast<ptrdiff_t>(starts[rows[i]]), last = static_cast<ptrdiff_t>(starts[rows[i] + 1]);
            if (!ids.empty() && static_cast<int64_t>(ids.size()) + last - first > kPassTokens) break;
            lengths.push_back(last - first);
            ids.insert(ids.end(), batch.ids.begin() + first, batch.ids.begin() + last);
            targets.insert(targets.end(), batch.targets.begin() + first, batch.targets.begin() + last);
        }
        const Figures some = pass(lengths, ids, targets, learn);
        all.loss += some.loss, all.right += some.right;
    }
    return all;
}

Passes::Figures Passes::pass(std::span<const int64_t> lengths, std::span<const int32_t> ids, std::span<const int32_t> targets, const Learn* learn) {
    const ModelConfig& config = model_->config();
    const auto T = static_cast<int64_t>(ids.size()), D = int64_t{config.hidden_size};
    std::vector<Segment> segments;
    std::vector<RowsOf> rows;
    for (size_t r = 0, first = 0; r < lengths.size(); first += static_cast<size_t>(lengths[r]), ++r) {
        rows.push_back({static_cast<int64_t>(first), lengths[r]});
        segments.push_back({.first = static_cast<int64_t>(first), .count = lengths[r], .states = empty_memory(r, lengths[r])});
    }
    scratch_.start(T);
    Step step{.on = *on_, .scratch = scratch_, .readings = readings_, .segments = segments};
    step.tokens = T;
    const int layers = config.num_hidden_layers;
    // What goes into each mixer and each feed-forward, and into the head.
    kept_.take(*on_, (learn ? 2 * layers + 1 : 1) * T * D);
    const auto kept = [&](int i) { return Out<2>{kept_.data() + i * T * D, {T, D}}; };
    const auto follow = [&](int i) {
        if (learn) std::copy_n(kept(i).data, T * D, kept(i + 1).data);
        return kept(learn ? i + 1 : 0);
    };
    on_->embed({.ids = ids, .table = model_->embedding(), .x = kept(0)});
    for (int i = 0; i < layers; ++i) {
        step.layer = i;
        scratch_.rewind();
        const Out<2> x = follow(2 * i);
        model_->mixer(i).forward(x, x, step);
        const Out<2> m = follow(2 * i + 1);
        model_->ffn(i).forward(m, m, step);
    }
    scratch_.rewind();
    CrossEntropy head{
        .x = kept(learn ? 2 * layers : 0), .norm = model_->final_norm(), .head = model_->head(), .targets = targets, .weight = learn ? learn->weight : 0};
    if (learn) {
        d_.take(*on_, T * D);
        head.dx = {d_.data(), {T, D}}, head.dhead = learn->to.of(model_->head().data), head.dnorm = learn->to.of(model_->final_norm().weight);
    }
    back_->cross_entropy(head);
    if (!learn) return {head.loss, head.right};
    const Out<2> d{d_.data(), {T, D}};
    BackStep way{.on = *on_, .back = *back_, .scratch = scratch_, .to = learn->to, .rows = rows, .tokens = T, .excess = learn->excess};
    for (int i = layers - 1; i >= 0; --i) {
        scratch_.rewind();
        model_->ffn(i).backward(kept(2 * i + 1), d, way);
        scratch_.rewind();
        model_->mixer(i).backward(kept(2 * i), d, way);
    }
    back_->embed_back({.ids = ids, .dx = d, .dtable = learn->to.of(model_->embedding().data)});
    return {head.loss, head.right};
}

// Of row r of a pass: states of zeros, and pages enough.
LayerState* Passes::empty_memory(size_t r, int64_t tokens) {
    const int layers = model_->config().num_hidden_layers;
    while (memory_.size() <= r) memory_.emplace_back(static_cast<size_t>(layers));
    for (int i = 0; i < layers; ++i) {
        LayerState& layer = memory_[r][static_cast<size_t>(i)];
        const StateSpec spec = model_->mixer(i).state();
        for (size_t f = 0; f < spec.fixed.size(); ++f) {
            const size_t bytes = static_cast<size_t>(spec.fixed[f].values()) * sizeof(float);
            if (layer.fixed.size() <= f) layer.fixed.push_back(on_->allocate(bytes));
            on_->zero(layer.fixed[f].as(), bytes);
        }
        while (spec.row_bytes > 0 && static_cast<int64_t>(layer.pages.size()) * kMlaPage < tokens)
            layer.add_page(std::make_shared<Buffer>(on_->allocate(static_cast<size_t>(kMlaPage * spec.row_bytes))));
    }
    return memory_[r].data();
}

}  // namespace klp
