#include "app/gui/session/trace_store.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace klp::gui {

namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr size_t kCandidatesKept = 20'000;  // tokens

float quantile(std::vector<float>& values, double q) {
    if (values.empty()) return kUnknown;
    const auto at = values.begin() + static_cast<int64_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

}  // namespace

void TraceStore::begin(std::shared_ptr<const RunCard> card) {
    card_ = std::move(card);
    shape_ = card_ ? card_->shape : TraceShape();
    rows_.clear(), frames_.clear(), candidates_.clear();
    newest_ = -1;
}

void TraceStore::fed(const PromptFed& event) {
    const auto first = static_cast<size_t>(std::clamp<int64_t>(event.first, 0, size()));
    rows_.resize(first);
    while (!frames_.empty() && frames_.back().position >= event.first) frames_.pop_back();
    while (!candidates_.empty() && candidates_.back().first >= event.first) candidates_.pop_back();
    newest_ = frames_.empty() ? -1 : frames_.back().position;
    for (int32_t id : event.ids) {
        TokenRow row;
        row.id = id;
        if (card_ && card_->tokenizer) row.text = std::string(card_->tokenizer->bytes(id));
        row.nanoseconds = row.probability = row.entropy = row.state_norm = row.state_norm_p95 = row.update_norm = row.mean_log_decay = kUnknown;
        rows_.push_back(std::move(row));
    }
}

void TraceStore::made(const TokenMade& event) {
    if (event.position < 0 || event.position > size()) return;  // a screen that began in the middle
    rows_.resize(static_cast<size_t>(event.position));
    TokenRow row;
    row.id = event.id, row.made = true, row.answer = event.answer, row.text = event.text;
    row.nanoseconds = static_cast<float>(event.nanoseconds), row.probability = event.probability;
    row.entropy = event.top.empty() ? kUnknown : event.entropy, row.rank = event.top.empty() ? -1 : event.rank;
    row.state_norm = row.state_norm_p95 = row.update_norm = row.mean_log_decay = kUnknown;
    rows_.push_back(std::move(row));
    if (!event.top.empty()) {
        candidates_.emplace_back(event.position, event.top);
        if (candidates_.size() > kCandidatesKept) candidates_.pop_front();
    }
}

void TraceStore::read(Readings&& event) {
    if (event.position < 0) return;
    if (event.position < size()) summarise(rows_[static_cast<size_t>(event.position)], event.values);
    auto at = frames_.end();
    while (at != frames_.begin() && std::prev(at)->position >= event.position) --at;
    if (at != frames_.end() && at->position == event.position)
        at->values = std::move(event.values);
    else
        frames_.insert(at, Frame{event.position, std::move(event.values)});
    thin();
    newest_ = frames_.back().position;
}

void TraceStore::thin() {
    const int64_t each = shape_.size() * 4 + 64;
    const auto most = static_cast<size_t>(std::max<int64_t>(16, budget_ / each));
    while (frames_.size() > most) frames_.pop_front();
}

std::span<const float> TraceStore::readings(int64_t position) const {
    const auto at = std::lower_bound(frames_.begin(), frames_.end(), position, [](const Frame& f, int64_t p) { return f.position < p; });
    if (at == frames_.end() || at->position != position) return {};
    return at->values;
}

const std::vector<Candidate>& TraceStore::top(int64_t position) const {
    static const std::vector<Candidate> none;
    const auto at = std::lower_bound(candidates_.begin(), candidates_.end(), position, [](const auto& c, int64_t p) { return c.first < p; });
    return at == candidates_.end() || at->first != position ? none : at->second;
}

void TraceStore::summarise(TokenRow& row, std::span<const float> values) {
    const auto gather = [&](Site site) -> std::vector<float>& {
        scratch_.clear();
        for (int layer : shape_.layers(site))
            for (float v : shape_.of(site, layer, values))
                if (!std::isnan(v)) scratch_.push_back(v);
        return scratch_;
    };
    row.state_norm = quantile(gather(Site::state_norm), 0.5);
    row.state_norm_p95 = quantile(scratch_, 0.95);
    row.update_norm = quantile(gather(Site::update_norm), 0.5);
    // Hundreds of channels a token: summed where they lie. A layer is captured whole or not at all.
    double sum = 0;
    int64_t count = 0;
    for (int layer : shape_.layers(Site::log_decay)) {
        const auto decays = shape_.of(Site::log_decay, layer, values);
        if (decays.empty() || std::isnan(decays[0])) continue;
        float part = 0;
        for (float v : decays) part += v;
        sum += part, count += static_cast<int64_t>(decays.size());
    }
    row.mean_log_decay = count == 0 ? kUnknown : static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace klp::gui
