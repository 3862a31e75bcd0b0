// The table of mixers, the arena of temporary memory, and the loader that layers fetch their weights with.
#include "core/model/layer.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/files/values.h"
#include "core/model/layers.h"

namespace klp {

namespace {

struct MixerRow {
    const char* kind;
    std::unique_ptr<TokenMixer> (*make)(int layer, Loader& load);
};
constexpr MixerRow kMixers[] = {
    {"kda", make_kda},
    {"mla", make_mla},
    {"gated_deltanet", make_gated_deltanet},
    {"full_attention", make_full_attention},
};

}  // namespace

std::unique_ptr<TokenMixer> make_mixer(const std::string& kind, int layer, Loader& load) {
    for (const MixerRow& row : kMixers)
        if (kind == row.kind) return row.make(layer, load);
    load.fail("layer " + std::to_string(layer) + ": no mixer is called '" + kind + "'");
    return nullptr;
}

std::string_view name(Site site) {
    switch (site) {
        case Site::log_decay:
            return "kda.log_decay";
        case Site::beta:
            return "kda.beta";
        case Site::state_norm:
            return "kda.state_norm";
        case Site::update_norm:
            return "kda.update_norm";
        case Site::log_sum_exp:
            return "mla.log_sum_exp";
        case Site::picks:
            return "moe.picks";
        case Site::pick_weights:
            return "moe.pick_weights";
        case Site::projections:
            return "mixer.projections";
    }
    return "";
}

// --- Scratch --------------------------------------------------------------------------------------------------------

float* Scratch::floats(int64_t n) {
    constexpr size_t kAlign = 256;
    const size_t bytes = (static_cast<size_t>(n) * sizeof(float) + kAlign - 1) / kAlign * kAlign;
    while (at_.block < blocks_.size() && at_.used + bytes > blocks_[at_.block].bytes()) ++at_.block, at_.used = 0;
    if (at_.block == blocks_.size()) blocks_.push_back(on_.allocate(std::max<size_t>(bytes, 1 << 20)));
    float* at = reinterpret_cast<float*>(blocks_[at_.block].as<std::byte>() + at_.used);
    at_.used += bytes;
    return at;
}

Out<2> Scratch::rows(int64_t rows, int64_t columns) { return {floats(rows * columns), {rows, columns}}; }

void Scratch::reset() {
    if (blocks_.size() > 1) {
        const auto total = static_cast<size_t>(bytes());
        blocks_.clear();
        blocks_.push_back(on_.allocate(total));
    }
    rewind();
}

void Scratch::start(int64_t rows) {
    if (rows > most_rows_) blocks_.clear(), most_rows_ = rows;
    rewind();
}

void Scratch::rewind(Mark to) {
    at_ = to;
#if KLP_POISON
    if (!on_.info().whole_passes)  // the CPU's memory: sanitizer builds have no other but that of a simulated GPU, whose passes may be under way
        for (size_t b = to.block; b < blocks_.size(); ++b) {
            const size_t kept = b == to.block ? to.used : 0;
            std::memset(blocks_[b].as<std::byte>() + kept, 0xff, blocks_[b].bytes() - kept);
        }
#endif
}

std::unique_ptr<Download> Scratch::download_later() const {
    std::vector<std::span<const std::byte>> parts;
    for (size_t b = 0; b < blocks_.size() && b <= at_.block; ++b) parts.emplace_back(blocks_[b].as(), b < at_.block ? blocks_[b].bytes() : at_.used);
    return on_.download_later(parts);
}

int64_t Scratch::place(const float* taken) const {
    int64_t before = 0;
    for (const Buffer& block : blocks_) {
        const auto floats = static_cast<int64_t>(block.bytes() / sizeof(float));
        if (taken >= block.as<float>() && taken < block.as<float>() + floats) return before + (taken - block.as<float>());
        before += floats;
    }
    KLP_CHECK(!"memory that was not taken from here");
    return -1;
}

int64_t Scratch::bytes() const {
    int64_t total = 0;
    for (const Buffer& block : blocks_) total += static_cast<int64_t>(block.bytes());
    return total;
}

// --- Loader ---------------------------------------------------------------------------------------------------------

void Loader::fail(std::string message) {
    if (error.empty()) error = std::move(message);
}

Weight Loader::matrix(const std::string& name, int64_t out, int64_t in) {
    if (!error.empty()) return {};
    if (const auto drawn = source->drawn(name, {out, in})) {
        bytes += drawn->shape.bytes(), active += drawn->shape.bytes();
        return on->draw(drawn->shape, drawn->random, keep);
    }
    auto found = source->find(name, {out, in});
    if (!found) return fail(found.error().message), Weight{};
    bytes += found->bytes(), active += found->bytes();
    const Weight w = on->adopt(*found, keep);
    if (parameters) parameters->push_back({name, {out, in}, w.type, const_cast<std::byte*>(w.data)});
    return w;
}

Weight Loader::gate(const std::string& name, int64_t out, int64_t in) {
    if (!error.empty()) return {};
    if (!source->drawn(name, {out, in}))
        if (const auto found = source->find(name, {out, in})) check(name, {out, in}, *found);
    return matrix(name, out, in);
}

void Loader::check(const std::string& name, const std::vector<int64_t>& shape, const Weight& w) {
    OddValues odd = odd_values(w.type, w.data, w.out * w.in);
    if (odd.count == 0) return;
    odd.tensor = name, odd.shape = shape;
    fail(source->path() + ": " + text(odd));
}

bool Loader::append(const TensorSpec& tensor, std::vector<float>& to) {
    if (!error.empty()) return false;
    const auto found = source->find(tensor.name, tensor.shape);
    if (!found) return fail(found.error().message), false;
    check(tensor.name, tensor.shape, *found);
    bytes += found->bytes();
    const size_t start = to.size();
    to.resize(start + static_cast<size_t>(found->out * found->in));
    decode(found->type, found->data, found->out * found->in, to.data() + start);
    return true;
}

const float* Loader::kept(const std::vector<float>& values) {
    active += static_cast<int64_t>(values.size() * sizeof(float));
    keep.push_back(on->allocate(values.size() * sizeof(float)));
    on->upload(keep.back().as(), values.data(), values.size() * sizeof(float));
    return keep.back().as<float>();
}

const float* Loader::joined(const std::vector<TensorSpec>& tensors) {
    std::vector<float> values;
    for (const TensorSpec& tensor : tensors)
        if (!append(tensor, values)) return nullptr;
    const float* const all = kept(values);
    std::byte* at = keep.back().as();
    for (const TensorSpec& tensor : tensors) {
        if (!parameters) break;
        parameters->push_back({tensor.name, tensor.shape, DType::f32, at});
        at += parameters->back().values() * static_cast<int64_t>(sizeof(float));
    }
    return all;
}

const float* Loader::product(const std::vector<TensorSpec>& tensors) {
    std::vector<float> values, factor;
    for (const TensorSpec& tensor : tensors) {
        factor.clear();
        if (!append(tensor, factor)) return nullptr;
        if (values.empty()) values.assign(factor.size(), 1);
        for (size_t i = 0; i < values.size(); ++i) values[i] *= factor[i];
    }
    return kept(values);
}

const float* Loader::vector(const std::string& name, const std::vector<int64_t>& shape) { return joined({{name, shape}}); }

void BackStep::linear(In<2> x, const Norm& norm, std::span<const Weight> w, In<2> dy, Out<2> dx, bool dw) const {
    std::vector<float*> sums;
    for (const Weight& one : w) sums.push_back(dw ? to.of(one.data) : nullptr);
    back.linear_back({.x = x, .norm = norm, .w = w, .dy = dy, .dx = dx, .dw = sums, .dnorm = to.of(norm.weight)});
}

// --- Step -----------------------------------------------------------------------------------------------------------

float* Step::watch(Site site, int64_t width) {
    if (!wants(site)) return nullptr;
    watched.push_back({site, layer, readings.floats(tokens * width), width, true});
    return watched.back().values;
}

void Step::weigh(Out<2> y, int H) const {
    for (const Segment& s : segments)
        if (const float* factor = s.hands_of(layer).read; factor && s.count > 0)
            on.scale_heads({.factor = factor, .H = H, .y = {y.row(s.first), {s.count, y.dim[1]}}});
}

void Step::publish() {
    if (watched.empty()) return;
    const auto all = readings.download_later();
    publish(floats_of(all->wait()));
    readings.rewind();
}

void Step::publish(std::span<const float> downloaded) {
    std::vector<float> shown;
    for (const Watched& w : watched) {
        std::span<const float> rows;
        if (w.reading) {
            rows = downloaded.subspan(static_cast<size_t>(readings.place(w.values)), static_cast<size_t>(tokens * w.width));
        } else {
            shown.resize(static_cast<size_t>(tokens * w.width));
            on.download(shown.data(), w.values, shown.size() * sizeof(float));
            rows = shown;
        }
        if (w.site == Site::picks) {  // the op writes expert numbers as int32
            shown.resize(rows.size());
            std::transform(rows.begin(), rows.end(), shown.begin(), [](float v) { return static_cast<float>(std::bit_cast<int32_t>(v)); });
            rows = shown;
        }
        for (size_t s = 0; s < segments.size(); ++s)
            for (int64_t t = 0; t < segments[s].count; ++t)
                tap->take({.site = w.site,
                           .layer = w.layer,
                           .sequence = static_cast<int>(s),
                           .position = segments[s].past + t,
                           .values = {rows.data() + (segments[s].first + t) * w.width, static_cast<size_t>(w.width)}});
    }
    watched.clear();
}

}  // namespace klp
