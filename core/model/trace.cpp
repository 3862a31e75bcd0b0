#include "core/model/trace.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/system.h"

namespace klp {

namespace {

constexpr Site kAll[kSites] = {Site::log_decay, Site::beta, Site::state_norm, Site::update_norm, Site::log_sum_exp, Site::picks, Site::pick_weights};

}  // namespace

TraceShape::TraceShape(const ModelConfig& c)
    : kda_heads(c.kda_heads),
      key_dim(c.kda_key_dim),
      value_dim(c.kda_value_dim),
      mla_heads(c.num_attention_heads),
      num_experts(c.num_experts),
      top_k(c.num_experts_per_token) {
    for (int i = 0; i < c.num_hidden_layers; ++i) {
        is_kda_.push_back(c.has_state(i));
        if (is_kda_.back()) gates = c.one_gate(i) ? 1 : c.kda_key_dim;
        is_moe_.push_back(c.is_moe(i));
        auto& mixers = is_kda_.back() ? kda_ : mla_;
        rank_.push_back(static_cast<int>(mixers.size()));
        mixers.push_back(i);
        if (is_moe_.back()) moe_.push_back(i);
    }
    for (Site site : kAll) {
        start_[static_cast<int>(site)] = size_;
        size_ += static_cast<int64_t>(layers(site).size()) * width(site);
    }
}

const std::vector<int>& TraceShape::layers(Site site) const {
    switch (site) {
        case Site::log_sum_exp:
            return mla_;
        case Site::picks:
        case Site::pick_weights:
            return moe_;
        default:
            return kda_;
    }
}

int TraceShape::width(Site site) const {
    switch (site) {
        case Site::log_decay:
            return kda_heads * gates;
        case Site::log_sum_exp:
            return mla_heads;
        case Site::picks:
        case Site::pick_weights:
            return top_k;
        default:
            return kda_heads;
    }
}

int64_t TraceShape::offset(Site site, int layer) const {
    if (static_cast<int>(site) >= kSites || layer < 0 || layer >= static_cast<int>(rank_.size())) return -1;
    const auto l = static_cast<size_t>(layer);
    int64_t rank = rank_[l];
    if (site == Site::picks || site == Site::pick_weights) {
        if (!is_moe_[l]) return -1;
        rank = std::lower_bound(moe_.begin(), moe_.end(), layer) - moe_.begin();
    } else if (is_kda_[l] == (site == Site::log_sum_exp)) {
        return -1;
    }
    return start_[static_cast<int>(site)] + rank * width(site);
}

std::span<const float> TraceShape::of(Site site, int layer, std::span<const float> row) const {
    const int64_t at = offset(site, layer);
    if (at < 0 || row.empty()) return {};
    return row.subspan(static_cast<size_t>(at), static_cast<size_t>(width(site)));
}

void Tracer::take(const Reading& r) {
    const int64_t at = shape.offset(r.site, r.layer);
    if (at < 0) return;
    const bool timed = ++taken_ % kTimed == 0;
    const int64_t begin = timed ? now_ns() : 0;
    auto row = rows_.end();
    if (!rows_.empty() && rows_.back().position == r.position)
        --row;
    else
        row = std::lower_bound(rows_.begin(), rows_.end(), r.position, [](const Row& a, int64_t p) { return a.position < p; });
    if (row == rows_.end() || row->position != r.position) {
        row = rows_.insert(row, {r.position, std::vector<float>(static_cast<size_t>(shape.size()), std::numeric_limits<float>::quiet_NaN())});
    }
    const auto to = row->values.begin() + at;
    if (r.site == Site::log_decay && shape.gates == 1)  // one for all channels, which it is told of
        for (int h = 0; h < shape.kda_heads; ++h) to[h] = r.values[static_cast<size_t>(h * shape.key_dim)];
    else
        std::copy(r.values.begin(), r.values.end(), to);
    if (timed) spent_ns += kTimed * (now_ns() - begin);
}

void Tracer::trim() {
    if (static_cast<int64_t>(rows_.size()) > kRowsOfAPass) rows_.erase(rows_.begin(), rows_.end() - kRowsOfAPass);
}

std::vector<Tracer::Row> Tracer::finish() {
    trim();
    return std::exchange(rows_, {});
}

}  // namespace klp
