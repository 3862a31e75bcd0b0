// A sequence's memory: made from what each layer says it needs, copied where it is of constant size, shared where it only grows.
#include "core/model/sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace klp {

namespace {

// Through the host where the memory is another device's.
Buffer copy_of(Backend& on, const Buffer& from, size_t bytes) {
    Buffer to = on.allocate(from.bytes());
    if (from.owner() == &on) {
        on.copy(to.as(), from.as(), bytes);
    } else {
        std::vector<std::byte> host(bytes);
        from.owner()->download(host.data(), from.as(), bytes);
        on.upload(to.as(), host.data(), bytes);
    }
    return to;
}

std::vector<LayerState> copy_of(Backend& on, const std::vector<LayerState>& layers) {
    std::vector<LayerState> copies(layers.size());
    for (size_t i = 0; i < layers.size(); ++i) {
        for (const Buffer& fixed : layers[i].fixed) copies[i].fixed.push_back(copy_of(on, fixed, fixed.bytes()));
        for (const auto& page : layers[i].pages) copies[i].add_page(page->owner() == &on ? page : std::make_shared<Buffer>(copy_of(on, *page, page->bytes())));
    }
    return copies;
}

bool hides(const Interventions* all) {
    return all && std::any_of(all->begin(), all->end(), [](const Intervention& one) { return one.what == Intervention::What::hide; });
}

// S <- S + amount k (v - S^T k)^T, k of length 1; no value: v = 0. S: [V, K].
void edit(std::vector<float>& S, const std::vector<float>& key, const std::vector<float>& value, float amount) {
    const size_t K = key.size(), V = S.size() / K;
    double length = 0;
    for (float x : key) length += double{x} * x;
    length = std::sqrt(length);
    for (size_t v = 0; v < V; ++v) {
        double read = 0;
        for (size_t i = 0; i < K; ++i) read += S[v * K + i] * (key[i] / length);
        const double change = amount * ((value.empty() ? 0 : value[v]) - read);
        for (size_t i = 0; i < K; ++i) S[v * K + i] = static_cast<float>(S[v * K + i] + change * (key[i] / length));
    }
}

int64_t fixed_bytes(const std::vector<LayerState>& layers) {
    int64_t total = 0;
    for (const LayerState& layer : layers)
        for (const Buffer& fixed : layer.fixed) total += static_cast<int64_t>(fixed.bytes());
    return total;
}

}  // namespace

int64_t Snapshot::bytes() const { return fixed_bytes(layers_) + static_cast<int64_t>(tokens_.size() * sizeof(int32_t)); }

Sequence::Sequence(std::shared_ptr<const Model> model, int64_t context) : model_(std::move(model)) {
    const int64_t limit = model_->config().model_max_length;
    context_ = context > 0 ? std::min(context, limit) : limit;
    reset();
}

void Sequence::reset() {
    Backend& on = model_->backend();
    layers_.clear();
    tokens_.clear();
    dropped_ = 0;
    hidden_.clear();
    hands_.reset();
    for (int i = 0; i < model_->config().num_hidden_layers; ++i) {
        LayerState layer;
        for (const StateSpec::Fixed& spec : model_->mixer(i).state().fixed) {
            const size_t bytes = static_cast<size_t>(spec.values()) * sizeof(float);
            layer.fixed.push_back(on.allocate(bytes));
            on.zero(layer.fixed.back().as(), bytes);
        }
        layers_.push_back(std::move(layer));
    }
}

Result<void> Sequence::set_rolling(bool on) {
    if (on && !model_->config().mla_use_nope)
        return fail(Error::failure, "a full context of this model cannot roll on: its attention rotates keys by their positions (RoPE)");
    if (on && hides(touched_.get())) return fail(Error::failure, "a context whose tokens are hidden cannot roll on; undo that first");
    rolls_ = on;
    return {};
}

// A page, which costs nothing; of a small context a quarter, whose rows behind are moved up.
int64_t Sequence::step() const { return context_ >= 4 * kMlaPage ? kMlaPage : std::max<int64_t>(1, context_ / 4); }

int64_t Sequence::dropped_at(int64_t position) const {
    const int64_t over = std::max<int64_t>(0, position - context_);
    return (over + step() - 1) / step() * step();
}

int64_t Sequence::room() const { return rolls_ ? std::numeric_limits<int64_t>::max() : context_ - rows(); }

int64_t Sequence::pass_room() const {
    const int64_t left = context_ - rows(), room = rolls_ && left == 0 ? step() : left;
    return touched_ ? std::min(room, next_edge(*touched_, position()) - position()) : room;
}

// --- Hands --------------------------------------------------------------------------------------------------------------

Result<void> Sequence::touch(InterventionsPtr what) {
    if (what && what->empty()) what.reset();
    if (what)
        if (auto has = check(*what, model_->config()); !has) return has;
    if (rolls_ && hides(what.get())) return fail(Error::usage, "'hide': a context that rolls on drops the oldest rows itself; let it stop when it is full");
    if (!same_until(touched_.get(), what.get(), position())) reset();
    touched_ = std::move(what);
    hands_.reset();
    return {};
}

bool Sequence::edge_here() const {
    return touched_ &&
           std::any_of(touched_->begin(), touched_->end(), [this](const Intervention& one) { return one.from == position() || one.to == position(); });
}

void Sequence::lay_hands() {
    if (!touched_) return;
    for (const Intervention& one : *touched_)
        if (one.once() && one.from == position()) one.what == Intervention::What::hide ? hide(one) : change(one);
    if (!hands_ || position() < hands_->since || position() >= hands_->until) hands_ = hands_at(*touched_, *model_, position());
}

std::vector<float> Sequence::state_under_hands(int layer, std::string_view name, std::optional<int> of) const {
    if (!edge_here()) return state(layer, name, of);
    Sequence aside = fork();
    aside.lay_hands();
    return aside.state(layer, name, of);
}

void Sequence::change(const Intervention& what) {
    Backend& on = model_->backend();
    const ModelConfig& c = model_->config();
    const int64_t K = c.kda_key_dim, V = c.kda_value_dim, of_head = K * V;
    for (const int layer : c.state_layers()) {
        if (!what.layers.empty() && std::find(what.layers.begin(), what.layers.end(), layer) == what.layers.end()) continue;
        float* const S = layers_[static_cast<size_t>(layer)].fixed[0].as<float>();
        for (int h = 0, nth = 0; h < c.kda_heads; ++h) {
            if (!what.heads.empty() && std::find(what.heads.begin(), what.heads.end(), h) == what.heads.end()) continue;
            float* const at = S + h * of_head;
            const auto bytes = static_cast<size_t>(of_head) * sizeof(float);
            if (what.what == Intervention::What::empty && what.channels.empty()) {
                on.zero(at, bytes);
            } else if (what.what == Intervention::What::put) {
                on.upload(at, what.state.data() + nth * of_head, bytes);
            } else {
                std::vector<float> values(static_cast<size_t>(of_head));
                on.download(values.data(), at, bytes);
                if (what.what == Intervention::What::empty)
                    for (int64_t v = 0; v < V; ++v)
                        for (const int i : what.channels) values[static_cast<size_t>(v * K + i)] = 0;
                else
                    edit(values, what.key, what.value, what.amount);
                on.upload(at, values.data(), bytes);
            }
            ++nth;
        }
    }
}

void Sequence::hide(const Intervention& what) {
    const auto gone = [&](int64_t token) { return std::binary_search(hidden_.begin(), hidden_.end(), token); };
    std::vector<int64_t> more;
    for (int64_t t = std::max(what.tokens.first, dropped_); t < what.tokens.second; ++t)
        if (!gone(t)) more.push_back(t);
    if (more.empty()) return;
    std::vector<std::pair<int64_t, int64_t>> kept;  // rows as they stand now
    int64_t row = 0;
    for (int64_t t = dropped_; t < position(); ++t) {
        if (gone(t)) continue;
        if (!std::binary_search(more.begin(), more.end(), t)) {
            if (!kept.empty() && kept.back().second == row)
                ++kept.back().second;
            else
                kept.emplace_back(row, row + 1);
        }
        ++row;
    }
    for (size_t i = 0; i < layers_.size(); ++i) keep_rows(static_cast<int>(i), kept);
    hidden_.insert(hidden_.end(), more.begin(), more.end());
    std::sort(hidden_.begin(), hidden_.end());
}

void Sequence::keep_rows(int layer, std::span<const std::pair<int64_t, int64_t>> kept) {
    Backend& on = model_->backend();
    const int64_t row_bytes = model_->mixer(layer).state().row_bytes;
    if (row_bytes == 0) return;
    LayerState& mine = layers_[static_cast<size_t>(layer)];
    LayerState moved;  // pages that forks share stay as they are
    int64_t at = 0;
    for (const auto& [first, last] : kept)
        for (int64_t from = first; from < last;) {
            const int64_t rows = std::min({last - from, kMlaPage - at % kMlaPage, kMlaPage - from % kMlaPage});
            if (at % kMlaPage == 0) moved.add_page(std::make_shared<Buffer>(on.allocate(static_cast<size_t>(kMlaPage * row_bytes))));
            on.copy(moved.rows.back() + at % kMlaPage * row_bytes, mine.rows[static_cast<size_t>(from / kMlaPage)] + from % kMlaPage * row_bytes,
                    static_cast<size_t>(rows * row_bytes));
            at += rows, from += rows;
        }
    mine.pages = std::move(moved.pages), mine.rows = std::move(moved.rows);
}

void Sequence::drop() {
    const int64_t n = step(), left = rows() - n;
    for (size_t i = 0; i < layers_.size(); ++i) {
        const int64_t row_bytes = model_->mixer(static_cast<int>(i)).state().row_bytes;
        if (row_bytes == 0) continue;
        LayerState& mine = layers_[i];
        if (n % kMlaPage == 0) {
            mine.pages.erase(mine.pages.begin(), mine.pages.begin() + n / kMlaPage);
            mine.rows.erase(mine.rows.begin(), mine.rows.begin() + n / kMlaPage);
            continue;
        }
        const std::pair<int64_t, int64_t> rest{n, n + left};
        keep_rows(static_cast<int>(i), {&rest, 1});
    }
    dropped_ += n;
}

void Sequence::reserve(int64_t tokens) {
    if (tokens == 0) return;
    lay_hands();
    if (rolls_ && rows() == context_) drop();
    KLP_CHECK(!rolls_ || rows() + tokens <= context_);                                // a pass ends where rows are dropped
    KLP_CHECK(!touched_ || position() + tokens <= next_edge(*touched_, position()));  // and where hands begin or end
    Backend& on = model_->backend();
    const int64_t used = rows() % kMlaPage;  // of the last page
    const auto pages = static_cast<size_t>((rows() + tokens + kMlaPage - 1) / kMlaPage);
    for (size_t i = 0; i < layers_.size(); ++i) {
        const auto row_bytes = static_cast<size_t>(model_->mixer(static_cast<int>(i)).state().row_bytes);
        if (row_bytes == 0) continue;
        LayerState& mine = layers_[i];
        // A fork or a snapshot may hold the page that the next row goes to: what it holds must not change.
        if (used > 0 && mine.pages.back().use_count() > 1) {
            mine.pages.back() = std::make_shared<Buffer>(copy_of(on, *mine.pages.back(), static_cast<size_t>(used) * row_bytes));
            mine.rows.back() = mine.pages.back()->as();
        }
        while (mine.pages.size() < pages) mine.add_page(std::make_shared<Buffer>(on.allocate(kMlaPage * row_bytes)));
    }
}

Result<void> Sequence::has_room(int64_t tokens) const {
    if (tokens <= room()) return {};
    return fail(Error::failure,
                std::to_string(tokens) + " more tokens do not fit: " + std::to_string(rows()) + " of the context's " + std::to_string(context_) + " are used");
}

Result<void> Sequence::feed(std::span<const int32_t> tokens, Workspace& ws, const std::atomic<bool>* cancel, const Choice* choice) {
    auto last = launch(tokens, ws, cancel, choice);
    if (!last) return tl::unexpected(last.error());
    model_->finish(**last);
    if (tokens.empty()) return {};
    if (choice) return ws.picked[0].id >= 0 ? Result<void>() : no_number(position());
    return check_logits(ws.logits, model_->config().vocab_size, position());
}

PassPtr Sequence::follow(const Pass& before, Workspace& ws, const Choice& choice) {
    KLP_CHECK(room() > 0 && before.picks[0].sequence == this && before.picks[0].position == position());
    const Feed next{.sequence = this, .tokens = {&kUnknown, 1}, .choice = &choice, .follows = before.picks[0].pick};
    return model_->launch({&next, 1}, ws);
}

Result<PassPtr> Sequence::launch(std::span<const int32_t> tokens, Workspace& ws, const std::atomic<bool>* cancel, const Choice* choice) {
    const int vocabulary = model_->config().vocab_size;
    for (size_t i = 0; i < tokens.size(); ++i)
        if (tokens[i] < 0 || tokens[i] >= vocabulary)
            return fail(Error::failure,
                        "token " + std::to_string(i) + " has id " + std::to_string(tokens[i]) + ", outside the vocabulary of " + std::to_string(vocabulary));
    const auto n = static_cast<int64_t>(tokens.size());
    if (auto room = has_room(n); !room) return tl::unexpected(room.error());
    const int64_t pass = ws.tap ? kPrefillChunk : model_->pass_tokens();
    for (int64_t at = 0;;) {
        if (n > 0 && cancel && *cancel)
            return fail(Error::interrupted, "interrupted after " + std::to_string(at) + " of " + std::to_string(n) + " prompt tokens");
        if (n > 1 && ws.on_pass) ws.on_pass(at, n);
        const int64_t count = std::min({pass, n - at, pass_room()});
        const bool last = at + count >= n;
        const Feed chunk{this, tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(count)), last ? choice : nullptr, !last};
        at += count;
        if (last) return model_->launch({&chunk, 1}, ws);
        model_->forward({&chunk, 1}, ws);
    }
}

Result<void> Sequence::fill(int64_t tokens, uint64_t seed) {
    if (auto room = has_room(tokens); !room) return room;
    KLP_CHECK(!rolls_);
    reserve(tokens);
    Backend& on = model_->backend();
    const int64_t first = rows(), last = first + tokens;
    for (size_t i = 0; i < layers_.size() && tokens > 0; ++i) {
        const StateSpec spec = model_->mixer(static_cast<int>(i)).state();
        const auto random = [&](int64_t what, float deviation) { return Random{mix(mix(seed + i) + static_cast<uint64_t>(what)), deviation * std::sqrt(3.f)}; };
        // Latents are normalised; a state's values are about a tenth of the values that went in.
        for (size_t j = 0; j < spec.fixed.size(); ++j)
            on.fill(layers_[i].fixed[j].as(), DType::f32, spec.fixed[j].values(), random(-1 - static_cast<int64_t>(j), spec.fixed[j].name == "S" ? 0.1f : 1.f));
        const DType type = model_->cache_type();
        const int64_t width = spec.row_bytes / info(type).bytes;
        for (int64_t at = first; at < last && width > 0;) {
            const int64_t page = at / kMlaPage, rows = std::min(last - at, kMlaPage - at % kMlaPage);
            on.fill(layers_[i].rows[static_cast<size_t>(page)] + at % kMlaPage * spec.row_bytes, type, rows * width, random(page, 1));
            at += rows;
        }
    }
    tokens_.resize(tokens_.size() + static_cast<size_t>(tokens));
    return {};
}

SnapshotPtr Sequence::snapshot() const { return std::make_shared<const Snapshot>(copy_of(model_->backend(), layers_), tokens_, dropped_, touched_, hidden_); }

void Sequence::restore(const Snapshot& snapshot) {
    layers_ = copy_of(model_->backend(), snapshot.layers());
    tokens_ = snapshot.tokens();
    dropped_ = snapshot.dropped();
    hidden_ = snapshot.hidden();
    hands_.reset();
}

Sequence Sequence::fork() const {
    Sequence twin(model_, context_);
    twin.layers_ = copy_of(model_->backend(), layers_);
    twin.tokens_ = tokens_;
    twin.dropped_ = dropped_;
    twin.rolls_ = rolls_;
    twin.touched_ = touched_, twin.hidden_ = hidden_;
    return twin;
}

MemoryUse Sequence::memory() const {
    MemoryUse use;
    for (size_t i = 0; i < layers_.size(); ++i) {
        const StateSpec spec = model_->mixer(static_cast<int>(i)).state();
        for (size_t j = 0; j < spec.fixed.size(); ++j)
            (spec.fixed[j].name == "conv" ? use.conv : use.state) += static_cast<int64_t>(layers_[i].fixed[j].bytes());
        use.cache += static_cast<int64_t>(layers_[i].pages.size()) * kMlaPage * spec.row_bytes;
    }
    return use;
}

std::vector<float> Sequence::state(int layer, std::string_view name, std::optional<int> of) const {
    const StateSpec spec = model_->mixer(layer).state();
    for (size_t j = 0; j < spec.fixed.size(); ++j) {
        if (spec.fixed[j].name != name) continue;
        const int64_t all = spec.fixed[j].values(), n = of ? all / spec.fixed[j].shape[0] : all;
        std::vector<float> values(static_cast<size_t>(n));
        const float* from = layers_[static_cast<size_t>(layer)].fixed[j].as<float>() + (of ? *of * n : 0);
        model_->backend().download(values.data(), from, values.size() * sizeof(float));
        return values;
    }
    return {};
}

std::vector<float> Sequence::cache(int layer, int64_t first, int64_t count) const {
    const auto row_bytes = static_cast<size_t>(model_->mixer(layer).state().row_bytes);
    if (row_bytes == 0) return {};
    const DType type = model_->cache_type();
    const int64_t width = static_cast<int64_t>(row_bytes) / info(type).bytes * info(type).block;
    std::vector<float> values(static_cast<size_t>(count * width));
    std::vector<std::byte> rows;
    for (int64_t at = first; at < first + count;) {
        const int64_t n = std::min(first + count - at, kMlaPage - at % kMlaPage);
        rows.resize(static_cast<size_t>(n) * row_bytes);
        const std::byte* page = layers_[static_cast<size_t>(layer)].rows[static_cast<size_t>(at / kMlaPage)];
        model_->backend().download(rows.data(), page + static_cast<size_t>(at % kMlaPage) * row_bytes, rows.size());
        decode(type, rows.data(), n * width, values.data() + (at - first) * width);
        at += n;
    }
    return values;
}

}  // namespace klp
