// The formulas of naive.h as a device: every op of ops.h token by token, float64 inside, f32 at the seams. `--device naive` and the tests' truth.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>

#include "kernels/naive.h"

namespace klp {
namespace {

using namespace naive;

Numbers numbers(const float* x, int64_t n) { return Numbers(x, x + n); }

float round_to(DType type, double value) {
    const auto f = static_cast<float>(value);
    return type == DType::bf16 ? bf16_to_float(float_to_bf16(f)) : f;
}

class NaiveBackend final : public Backend, public Gradients {
public:
    const DeviceInfo& info() const override { return info_; }

    void upload(void* device, const void* host, size_t bytes) override { std::memmove(device, host, bytes); }
    void download(void* host, const void* device, size_t bytes) override { std::memmove(host, device, bytes); }
    void copy(void* to, const void* from, size_t bytes) override { std::memmove(to, from, bytes); }
    void zero(void* device, size_t bytes) override { std::memset(device, 0, bytes); }
    Weight adopt(const Weight& host, std::vector<Buffer>&) override { return host; }

    void embed(const Embed& a) override {
        for (size_t t = 0; t < a.ids.size(); ++t) decode(a.table.type, a.table.row(a.id(t)), a.table.in, a.x.row(t));
    }

    void linear(const Linear& a) override {
        for (int64_t t = 0; t < a.x.dim[0]; ++t) {
            const Numbers n = rms_norm(numbers(a.x.data + t * a.x_step(), a.x.dim[1]), a.norm);
            float* y = a.y.data + t * a.y_step();
            for (const Weight& w : a.w)
                for (double value : matvec(w, n)) *y = static_cast<float>(value + (a.add ? *y : 0)), ++y;
        }
    }

    void ffn(const Ffn& a) override {
        for (int64_t t = 0; t < a.x.dim[0]; ++t) add(a.y.row(t), swiglu(a.w, rms_norm(numbers(a.x.row(t), a.x.dim[1]), a.norm)));
    }

    void moe(const Moe& a) override {
        for (int64_t t = 0; t < a.x.dim[0]; ++t) {
            const Numbers n = rms_norm(numbers(a.x.row(t), a.x.dim[1]), a.norm);
            const Picks picks = route(a.router, n);
            const Numbers z = a.z.data ? numbers(a.z.row(t), a.z.dim[1]) : n;
            Numbers y = a.shared.gate ? swiglu(a.shared, n) : Numbers(z.size());
            if (a.shared_gate)
                for (double& value : y) value *= sigmoid(dot(numbers(a.shared_gate, static_cast<int64_t>(n.size())), n));
            for (int i = 0; i < a.router.top_k; ++i) {
                const Numbers one = swiglu(a.experts[picks.experts[i]], z);
                for (size_t d = 0; d < y.size(); ++d) y[d] += picks.weights[i] * one[d];
                if (a.taps.picks) a.taps.picks[t * a.router.top_k + i] = picks.experts[i];
                if (a.taps.weights) a.taps.weights[t * a.router.top_k + i] = static_cast<float>(picks.weights[i]);
            }
            add(a.y.row(t), y);
        }
    }

    void mix(const Mix& a) override {
        const int64_t T = a.v.dim[1], D = a.v.dim[2];
        for (int64_t t = 0; t < T; ++t) {
            std::vector<Numbers> v;
            for (int64_t i = 0; i < a.v.dim[0]; ++i) v.push_back(numbers(a.v.data + (i * T + t) * D, D));
            const Numbers y = naive::mix(v, numbers(a.w, D), a.eps);
            std::copy(y.begin(), y.end(), a.y.row(t));
        }
    }

    void kda(const Kda& a) override {
        for (const KdaSegment& s : a.segments) kda_segment(a, s);
    }
    void mla(const Mla& a) override {
        for (const MlaSegment& s : a.segments) mla_segment(a, s);
    }
    void attention(const Attention& a) override {
        for (const AttentionSegment& s : a.segments) attention_segment(a, s);
    }
    void scale_heads(const ScaleHeads& a) override {
        for (int64_t t = 0; t < a.y.dim[0]; ++t)
            for (int64_t i = 0; i < a.y.dim[1]; ++i) a.y(t, i) *= a.factor[i / (a.y.dim[1] / a.H)];
    }

    void sample(const Sample& a) override {
        const int64_t n = a.logits.dim[0];
        const auto softmax = [&](const Numbers& scores, double temperature) {  // e^((s - max s) / temperature)
            Numbers w(scores.size());
            const double best = n > 0 ? *std::max_element(scores.begin(), scores.end()) : 0;
            for (size_t i = 0; i < w.size(); ++i) w[i] = scores[i] == best ? 1 : std::exp((scores[i] - best) / temperature);
            return w;
        };
        const auto ranked = [&](const Numbers& scores) {
            std::vector<int32_t> order(scores.size());
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(), [&](int32_t x, int32_t y) { return scores[x] > scores[y]; });
            return order;
        };
        const auto sum_of = [](const Numbers& w, std::span<const int32_t> ids) {
            double sum = 0;
            for (int32_t id : ids) sum += w[id];
            return sum;
        };
        std::fill_n(a.top, a.candidates, Candidate{-1, 0});
        *a.pick = {.id = -1, .probability = NAN, .entropy = NAN};
        const Numbers logits = numbers(a.logits.data, n);
        Numbers scores = logits;
        if (a.how.penalises())
            for (int32_t id : a.penalised())
                if (id >= 0 && id < n) scores[id] = logits[id] > 0 ? logits[id] / a.how.repeat_penalty : logits[id] * a.how.repeat_penalty;
        const bool none = std::any_of(scores.begin(), scores.end(), [](double s) { return std::isnan(s); });
        const bool finite = std::all_of(logits.begin(), logits.end(), [](double s) { return std::isfinite(s); });
        if (none || !finite || std::all_of(scores.begin(), scores.end(), [](double s) { return s == -INFINITY; })) return;

        std::vector<int32_t> kept = ranked(scores);
        const int32_t best = kept[0];
        if (!a.how.draws()) {
            kept.resize(1);
        } else {
            const Numbers w = softmax(scores, a.how.temperature);
            if (a.how.top_k > 0) kept.resize(std::min(kept.size(), static_cast<size_t>(a.how.top_k)));
            if (a.how.top_p < 1) {
                const double all = sum_of(w, kept);
                size_t fewest = 0;
                for (double sum = 0; fewest < 1 || (sum < a.how.top_p * all && fewest < kept.size());) sum += w[kept[fewest++]];
                kept.resize(fewest);
            }
            std::erase_if(kept, [&](int32_t id) { return id != best && (w[id] < a.how.min_p || w[id] == 0); });
            if (!a.how.ranks()) std::sort(kept.begin(), kept.end());
            const double all = sum_of(w, kept);
            size_t drawn = 0;
            for (double sum = 0; drawn < kept.size() && sum <= a.random * all;) sum += w[kept[drawn++]];
            kept = {kept[drawn - 1]};
        }
        a.pick->id = kept[0];

        const Numbers e = softmax(logits, 1);
        const std::vector<int32_t> order = ranked(logits);
        const double all = sum_of(e, order);
        double entropy = 0;
        for (double value : e) entropy -= value > 0 ? value / all * std::log(value / all) : 0;
        a.pick->probability = static_cast<float>(e[a.pick->id] / all), a.pick->entropy = static_cast<float>(entropy);
        a.pick->rank = static_cast<int32_t>(std::count_if(logits.begin(), logits.end(), [&](double z) { return z > logits[a.pick->id]; }));
        for (int i = 0; i < std::min<int>(a.candidates, static_cast<int>(n)); ++i)
            if (logits[order[i]] > -INFINITY) a.top[i] = {order[i], static_cast<float>(e[order[i]] / all)};
    }

    Gradients* gradients() override { return this; }
    void linear_back(const LinearBack& a) override { naive::linear_back(a); }
    void kda_back(const KdaBack& a) override { naive::kda_back(a); }
    void mla_back(const MlaBack& a) override { naive::mla_back(a); }
    void ffn_back(const FfnBack& a) override { naive::ffn_back(a); }
    void moe_back(const MoeBack& a) override { naive::moe_back(a); }
    void embed_back(const EmbedBack& a) override { naive::embed_back(a); }
    void cross_entropy(CrossEntropy& a) override { naive::cross_entropy(a); }
    void adamw(std::span<const AdamW> all) override {
        for (const AdamW& a : all) naive::adamw(a);
    }
    void muon(std::span<const Muon> all) override {
        for (const Muon& a : all) naive::muon(a);
    }
    double squares(std::span<const float> x) override {
        double total = 0;
        for (float v : x) total += double{v} * v;
        return total;
    }
    void add(std::span<const float> x, float* to) override {
        for (size_t i = 0; i < x.size(); ++i) to[i] += x[i];
    }
    void to_bf16(std::span<const float> x, void* out) override { encode(DType::bf16, x.data(), static_cast<int64_t>(x.size()), out); }

private:
    static void add(float* y, const Numbers& more) {
        for (size_t d = 0; d < more.size(); ++d) y[d] = static_cast<float>(y[d] + more[d]);
    }

    static void kda_segment(const Kda& a, const KdaSegment& s) {
        const int64_t H = a.H, K = a.K, V = a.V, C = a.C, conv = a.conv_width();
        Numbers state = numbers(s.state, H * V * K);
        Numbers raw = numbers(s.tail, (C - 1) * conv);  // every q^|k^|v^ row so far, from the tail on: row t is the oldest that token t sees
        for (int64_t t = 0; t < s.count; ++t) {
            const int64_t row = s.first + t;
            const float* x = a.x.row(row);
            raw.insert(raw.end(), x, x + conv);

            Numbers qkv(conv);
            for (int64_t c = 0; c < conv; ++c) {
                Numbers window(C);
                for (int64_t j = 0; j < C; ++j) window[j] = raw[(t + j) * conv + c];
                qkv[c] = silu(short_conv(window, a.conv + c * C));
            }
            const auto gate = [](const Weight& map, const Numbers& n) { return map ? matvec(map, n) : n; };
            const Numbers f = gate(a.f_b, numbers(x + conv, a.R_f)), z = gate(a.g_b, numbers(x + conv + a.R_f, a.R_g));
            const float* b = x + conv + a.R_f + a.R_g;

            for (int64_t h = 0; h < H; ++h) {
                const std::span all(qkv);
                const int64_t H_k = a.k_heads(), h_k = a.k_head(h);
                Numbers q = l2_norm(all.subspan(h_k * K, K));
                const Numbers k = l2_norm(all.subspan((H_k + h_k) * K, K));
                const auto v = all.subspan(2 * H_k * K + h * V, V);
                for (double& value : q) value /= std::sqrt(static_cast<double>(K));
                Numbers g(K), u;
                for (int64_t i = 0; i < K && !a.no_gate; ++i) {
                    const int64_t at = a.one_gate ? h : h * K + i;
                    g[i] = log_decay(f[at], a.A_log[h], a.dt_bias[at], a.lower_bound) * (s.gate ? s.gate[h * K + i] : 1);
                }
                const double beta = sigmoid(b[h]) * (s.beta ? s.beta[h] : 1);

                const auto S = std::span(state).subspan(h * V * K, V * K);
                const Numbers n = rms_norm(delta_rule(S, q, k, v, g, beta, &u, a.plain), a.o_norm);
                for (int64_t j = 0; j < V; ++j) a.y(row, h * V + j) = static_cast<float>(a.ungated ? n[j] : n[j] * (a.silu ? silu : sigmoid)(z[h * V + j]));

                if (a.taps.log_decay)
                    for (int64_t i = 0; i < K; ++i) a.taps.log_decay[(row * H + h) * K + i] = static_cast<float>(g[i]);
                if (a.taps.beta) a.taps.beta[row * H + h] = static_cast<float>(beta);
                if (a.taps.state_norm) a.taps.state_norm[row * H + h] = static_cast<float>(std::sqrt(dot(S, S)));
                if (a.taps.update_norm) a.taps.update_norm[row * H + h] = static_cast<float>(std::sqrt(dot(k, k) * dot(u, u)));
            }
        }
        std::copy(state.begin(), state.end(), s.state);
        std::copy(raw.end() - (C - 1) * conv, raw.end(), s.tail);
    }

    static void mla_segment(const Mla& a, const MlaSegment& s) {
        const int64_t H = a.H, width = a.nope + a.rope, row_values = a.cache_width(), total = s.past + s.count;
        const int64_t row_bytes = row_values / klp::info(a.cache_type).block * klp::info(a.cache_type).bytes;
        const auto cached = [&](int64_t token) { return s.pages[token / kMlaPage] + token % kMlaPage * row_bytes; };

        for (int64_t t = 0; t < s.count; ++t) {  // append c | k_r
            const float* x = a.x.row(s.first + t) + a.q_width();
            Numbers c = rms_norm(numbers(x, a.L), a.norm), k_r = numbers(x + a.L, a.rope);
            if (a.rope_theta != 0) rotate(k_r, s.past + t, a.rope_theta, a.rope_adjacent);
            c.insert(c.end(), k_r.begin(), k_r.end());
            std::vector<float> rounded;
            for (double value : c) rounded.push_back(round_to(a.cache_type, value));
            encode(a.cache_type, rounded.data(), row_values, cached(s.past + t));
        }

        std::vector<Numbers> kv(total), k_r(total);  // every cached token expanded: per head k_n | v
        for (int64_t n = 0; n < total; ++n) {
            std::vector<float> row(row_values);
            decode(a.cache_type, cached(n), row_values, row.data());
            kv[n] = matvec(a.kv_b, numbers(row.data(), a.L));
            k_r[n] = numbers(row.data() + a.L, a.rope);
        }

        for (int64_t t = 0; t < s.count; ++t)
            for (int64_t h = 0; h < H; ++h) {
                const float* x = a.x.row(s.first + t) + h * width;
                const Numbers q_n = numbers(x, a.nope);
                Numbers q_r = numbers(x + a.nope, a.rope);
                if (a.rope_theta != 0) rotate(q_r, s.past + t, a.rope_theta, a.rope_adjacent);

                Numbers p(s.past + t + 1);
                double top = -std::numeric_limits<double>::infinity();
                for (size_t n = 0; n < p.size(); ++n) {
                    p[n] = (dot(q_n, std::span(kv[n]).subspan(h * (a.nope + a.V), a.nope)) + dot(q_r, k_r[n])) * a.scale;
                    top = std::max(top, p[n]);
                }
                double sum = 0;
                for (double& value : p) sum += value = std::exp(value - top);
                Numbers o(a.V);
                for (size_t n = 0; n < p.size(); ++n)
                    for (int64_t j = 0; j < a.V; ++j) o[j] += p[n] / sum * kv[n][h * (a.nope + a.V) + a.nope + j];
                const float* z = a.x.row(s.first + t) + a.q_width() + a.cache_width();
                for (int64_t j = 0; j < a.V; ++j)
                    a.y(s.first + t, h * a.V + j) = static_cast<float>(a.gates ? o[j] * sigmoid(z[(h * a.V + j) / (H * a.V / a.gates)]) : o[j]);
                if (a.taps.log_sum_exp) a.taps.log_sum_exp[(s.first + t) * H + h] = static_cast<float>(top + std::log(sum));
            }
    }

    // A head's query or key as scores are made of it.
    static Numbers turned(const Attention& a, const Norm& norm, const float* x, int64_t position) {
        Numbers n = rms_norm(numbers(x, a.D), norm);
        if (a.rope_theta != 0) rotate(std::span(n).first(static_cast<size_t>(a.rotary)), position, a.rope_theta);
        return n;
    }

    static void attention_segment(const Attention& a, const AttentionSegment& s) {
        const int64_t D = a.D, row_values = a.cache_width(), row_bytes = row_values * klp::info(a.cache_type).bytes, group = a.H / a.H_kv;
        const auto cached = [&](int64_t token) { return s.pages[token / kMlaPage] + token % kMlaPage * row_bytes; };
        for (int64_t t = 0; t < s.count; ++t) {  // append k | v
            std::vector<float> row;
            for (int64_t h = 0; h < a.H_kv; ++h) {
                const float *k = a.x.row(s.first + t) + a.H * a.q_step() + h * D, *v = k + a.H_kv * D;
                for (double value : turned(a, a.k_norm, k, s.past + t)) row.push_back(round_to(a.cache_type, value));
                for (int64_t i = 0; i < D; ++i) row.push_back(round_to(a.cache_type, v[i]));
            }
            encode(a.cache_type, row.data(), row_values, cached(s.past + t));
        }
        std::vector<Numbers> rows;
        for (int64_t n = 0; n < s.past + s.count; ++n) {
            std::vector<float> row(static_cast<size_t>(row_values));
            decode(a.cache_type, cached(n), row_values, row.data());
            rows.emplace_back(row.begin(), row.end());
        }
        for (int64_t t = 0; t < s.count; ++t)
            for (int64_t h = 0; h < a.H; ++h) {
                const float* x = a.x.row(s.first + t) + h * a.q_step();
                const Numbers q = turned(a, a.q_norm, x, s.past + t);
                Numbers p(static_cast<size_t>(s.past + t + 1)), o(static_cast<size_t>(D));
                const auto key = [&](size_t n) { return std::span(rows[n]).subspan(static_cast<size_t>(h / group * 2 * D), static_cast<size_t>(2 * D)); };
                for (size_t n = 0; n < p.size(); ++n) p[n] = dot(q, key(n).first(static_cast<size_t>(D))) * a.scale;
                const double top = *std::max_element(p.begin(), p.end());
                double sum = 0;
                for (double& value : p) sum += value = std::exp(value - top);
                for (size_t n = 0; n < p.size(); ++n)
                    for (int64_t j = 0; j < D; ++j) o[static_cast<size_t>(j)] += p[n] / sum * key(n)[static_cast<size_t>(D + j)];
                for (int64_t j = 0; j < D; ++j) a.y(s.first + t, h * D + j) = static_cast<float>(o[static_cast<size_t>(j)] * (a.gated ? sigmoid(x[D + j]) : 1));
                if (a.taps.log_sum_exp) a.taps.log_sum_exp[(s.first + t) * a.H + h] = static_cast<float>(top + std::log(sum));
            }
    }

    void* take(size_t bytes) override {
        void* data = ::operator new (bytes, std::align_val_t{64}, std::nothrow);
        if (!data) throw DeviceError("out of memory: " + std::to_string(bytes) + " bytes for the naive device");
#ifdef KLP_POISON
        std::memset(data, 0xFF, bytes);
#endif
        return data;
    }
    void give_back(void* data, size_t) noexcept override { ::operator delete (data, std::align_val_t{64}); }

    DeviceInfo info_{"naive", "float64 formulas", "1 thread", "", 0};
};

}  // namespace

std::shared_ptr<Backend> make_naive_backend() { return std::make_shared<NaiveBackend>(); }

}  // namespace klp
