// The rooms a model is built from: token mixers (KDA, MLA) and channel mixers (dense SwiGLU, MoE).
// A new mixer is one file in layers/ and one line in layer.cpp's table; its memory is described as data, so that sequences, snapshots, forks and pictures need
// not know its kind.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/files/config.h"
#include "core/files/weights.h"
#include "core/model/telemetry.h"
#include "kernels/backend.h"
#include "kernels/gradients.h"

namespace klp {

// What one layer remembers of one sequence.
struct StateSpec {
    struct Fixed {         // f32, zero at the start, of constant size
        std::string name;  // "S", "conv"
        std::vector<int64_t> shape;
        int64_t values() const {
            int64_t n = 1;
            for (int64_t d : shape) n *= d;
            return n;
        }
    };
    std::vector<Fixed> fixed;
    int64_t row_bytes = 0;  // of one append-only row a token (the MLA cache); 0: none
};

// One layer's memory of one sequence. Pages are append-only and shared between forks; a page that another fork also holds is copied before it is written.
struct LayerState {
    std::vector<Buffer> fixed;                   // in the order of StateSpec::fixed
    std::vector<std::shared_ptr<Buffer>> pages;  // kMlaPage rows each
    std::vector<std::byte*> rows;                // where each page lies, as the op takes them; gathered anew for each token this is 0.3 ms of 27 layers at 1M

    void add_page(std::shared_ptr<Buffer> page) {
        rows.push_back(page->as());
        pages.push_back(std::move(page));
    }
};

inline std::span<const float> floats_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

// Temporary memory of one forward pass: taken in order, all given back at the end of a frame.
class Scratch {
public:
    struct Mark {
        size_t block, used;
    };
    explicit Scratch(Backend& on) : on_(on) {}
    Out<2> rows(int64_t rows, int64_t columns);
    float* floats(int64_t n);
    void reset();  // everything taken is free again; blocks are merged so that the next pass fits into one
    // The same, and memory stays as it is; a pass of more rows than any before takes it anew, so that what a pass holds does not depend on those before it.
    void start(int64_t rows);
    Mark mark() const { return at_; }
    void rewind(Mark to);  // everything taken since is free again, and memory stays as it is
    void rewind() { rewind({0, 0}); }
    int64_t bytes() const;

    // Everything taken, block behind block, on its way to the host; place(): where a pointer's floats stand in it.
    std::unique_ptr<Download> download_later() const;
    int64_t place(const float* taken) const;

private:
    Backend& on_;
    std::vector<Buffer> blocks_;
    Mark at_{0, 0};
    int64_t most_rows_ = 0;
};

// What hands on a sequence's memory change in one layer (interventions.h), in the device's memory; null: nothing.
struct LayerHands {
    const float* gate = nullptr;    // kda  [H, K] factors of g
    const float* beta = nullptr;    // kda  [H]    of beta
    const float* read = nullptr;    // kda, mla  [H] of what was read
    const float* choice = nullptr;  // moe  [E]    in the place of the router's bias
    bool operator==(const LayerHands&) const = default;
};

// Consecutive rows of one sequence in a batch.
struct Segment {
    int64_t first = 0, count = 0;       // rows
    int64_t past = 0;                   // tokens the sequence was fed before
    int64_t cached = 0;                 // and those of them that append-only rows still hold, the newest
    LayerState* states = nullptr;       // one for each layer
    const LayerHands* hands = nullptr;  // likewise; null: nobody touches it

    LayerHands hands_of(int layer) const { return hands ? hands[layer] : LayerHands{}; }
};

// What a layer may use during one forward pass; passed, never kept.
struct Step {
    Backend& on;
    Scratch& scratch;
    Scratch& readings;   // what taps are written to, apart from the rest so that one download brings all of them
    Tap* tap = nullptr;  // who watches; may be nobody
    std::span<const Segment> segments;
    int layer = 0;
    int64_t tokens = 0;  // rows of all segments

    bool wants(Site site) const { return tap && tap->wants(site, layer); }
    // Room for one row of `width` values a token if somebody watches this site of this layer, else nullptr; handed to the tap when the layer is done.
    float* watch(Site site, int64_t width);
    // The same for rows that the layer holds anyway until it is done.
    void show(Site site, Out<2> rows) {
        if (wants(site)) watched.push_back({site, layer, rows.data, rows.dim[1], false});
    }
    // Hands what was watched to the tap; called by the model. `downloaded`: the readings, where they were asked for already.
    void publish();
    void publish(std::span<const float> downloaded);
    // What heads have read, [tokens, H V], times what hands say.
    void weigh(Out<2> y, int H) const;

    struct Watched {
        Site site;
        int layer;
        float* values;
        int64_t width;
        bool reading;  // lies in `readings`
    };
    std::vector<Watched> watched = {};
};

// Where the derivative by each weight of a model is added up, found by where the weight lies (core/learn/learner.h).
class GradientsOf {
public:
    virtual ~GradientsOf() = default;
    virtual float* of(const void* weight) const = 0;  // of null, null
};

// What a layer may use on the way back, over rows of tokens that began with an empty memory.
struct BackStep {
    Backend& on;
    Gradients& back;
    Scratch& scratch;
    const GradientsOf& to;
    std::span<const RowsOf> rows;
    int64_t tokens = 0;  // of all rows
    float excess = 0;    // KdaBack

    SwiGluBack of(const SwiGlu& w) const { return {to.of(w.gate.data), to.of(w.up.data), to.of(w.down.data)}; }
    // dx (+)= the derivative by x of y = W norm(x), and dW += where they are wanted.
    void linear(In<2> x, const Norm& norm, std::span<const Weight> w, In<2> dy, Out<2> dx, bool dw) const;
};

class TokenMixer {
public:
    virtual ~TokenMixer() = default;
    virtual std::string_view kind() const = 0;  // "kda", "mla": the table's name
    virtual StateSpec state() const = 0;
    virtual void forward(In<2> x, Out<2> y, Step& step) const = 0;  // y += Mixer(RMSNorm(x)); y may be x
    // x as it was in front of the layer; d: the derivative of a loss by what came out, becomes that by x.
    virtual void backward(In<2> x, Out<2> d, BackStep& step) const = 0;
};
class FeedForward {
public:
    virtual ~FeedForward() = default;
    virtual std::string_view kind() const = 0;                             // "dense", "moe"
    virtual void forward(In<2> x, Out<2> y, Step& step) const = 0;         // y += FFN(RMSNorm(x)); y may be x
    virtual void backward(In<2> x, Out<2> d, BackStep& step) const = 0;    // as TokenMixer's
    virtual std::vector<float> choice_bias(Backend&) const { return {}; }  // moe: [E], what steers the choice of experts
};

// A tensor of a model as its ops read it; those of one joined vector lie and are listed one behind the other.
struct Parameter {
    std::string name;
    std::vector<int64_t> shape;
    DType type = DType::f32;
    std::byte* data = nullptr;
    int64_t values() const {
        int64_t n = 1;
        for (int64_t d : shape) n *= d;
        return n;
    }
};

// Fetches the tensors of one checkpoint: shapes checked, matrices adopted by the device, vectors turned to f32.
// Vectors and gates are small and are read: what is no finite number in them is an error. The first thing that is wrong is kept as the sentence to show, and
// everything after it comes back empty.
struct Loader {
    std::shared_ptr<Backend> on;
    std::shared_ptr<const WeightSource> source;
    const ModelConfig& config;
    DType cache_type = DType::f32;  // of the MLA cache

    Weight matrix(const std::string& name, int64_t out, int64_t in);
    // The same for the matrix of a gate: where a sigmoid or e^x follows, an infinity would not be seen in what the model says, so it is looked for here.
    Weight gate(const std::string& name, int64_t out, int64_t in);
    const float* vector(const std::string& name, const std::vector<int64_t>& shape);  // any stored type, as f32
    const float* joined(const std::vector<TensorSpec>& tensors);                      // one behind the other
    const float* product(const std::vector<TensorSpec>& tensors);                     // of vectors, value by value; nobody may change it
    void fail(std::string message);
    void check(const std::string& name, const std::vector<int64_t>& shape, const Weight& w);

    std::vector<Buffer> keep = {};                 // what the device made of the weights
    std::vector<Parameter>* parameters = nullptr;  // all that is fetched, where somebody wants to change it
    int64_t bytes = 0;                             // of everything fetched, as stored
    int64_t active = 0;                            // what one decoded token reads of that: vectors as f32; a layer takes off what most tokens pass by
    std::string error = {};

private:
    bool append(const TensorSpec& tensor, std::vector<float>& to);  // its values, behind those that are there; false: an error was said
    const float* kept(const std::vector<float>& values);
};

std::unique_ptr<TokenMixer> make_mixer(const std::string& kind, int layer, Loader& load);
std::unique_ptr<FeedForward> make_ffn(int layer, Loader& load);

}  // namespace klp
