// Every operation from one-line formulas in float64, token by token: the tests' truth, kept for ever. Slow on purpose.
// Names and shapes are those of ops.h; matrices are row-major. Weights are exact (dequantised) and x is never rounded.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/gradients.h"
#include "kernels/ops.h"

namespace klp {

std::shared_ptr<Backend> make_naive_backend();  // the formulas below as a device: float64 inside an op, f32 at its seams

namespace naive {

using Numbers = std::vector<double>;

double sigmoid(double z);
double silu(double z);
double softplus(double z);  // log(1 + e^z), z itself above 20

// x as a product with a weight of blocks sees it (top of ops.h): whole numbers in [-127, 127], and a scale for each 32 of them. x.size() is a multiple of 32.
struct Quantised {
    std::vector<int> values;
    std::vector<float> scales;
};
Quantised quantised(std::span<const float> x);

Numbers dense(const Weight& w);                              // [out, in] as numbers
Numbers matvec(const Weight& w, std::span<const double> x);  // [out]
Numbers rms_norm(std::span<const double> x, const Norm& norm);
Numbers l2_norm(std::span<const double> x, double eps = 1e-6);
double dot(std::span<const double> a, std::span<const double> b);

// Pre-SiLU output of one channel: the window and the taps are both oldest first.
double short_conv(std::span<const double> window, const float* taps);
// g of ops.h for one channel.
double log_decay(double f, double A_log, double dt_bias, double lower_bound);
// One token of one head (report, eq. 1). S is [V, K]; q (already scaled) and k [K]; v [V]; g [K]. Returns o [V]; u [V] too, where asked for. Plain: u = beta v.
Numbers delta_rule(std::span<double> S, std::span<const double> q, std::span<const double> k, std::span<const double> v, std::span<const double> g, double beta,
                   Numbers* u = nullptr, bool plain = false);

// Diagonal plus low rank (report, section 6.2), one token of one head: S_t = (Diag(e^g) - a b^T) S_{t-1} + k v^T, o = S_t^T q. What b reads has not decayed yet.
// Shapes as above; k and v are written as they are. KDA is k = beta k, a = beta k, b = e^g k (its own k on the right). T: float or double.
template <class T>
std::vector<T> dplr(std::span<T> S, std::span<const T> q, std::span<const T> k, std::span<const T> v, std::span<const T> g, std::span<const T> a,
                    std::span<const T> b);
// RWKV-7 (arXiv 2503.14456, section 4), one token of one head: S_t = S_{t-1} (Diag(w) - r^T (a r)) + v^T k, o = S_t q^T with S [V, K], w = exp(-e^-0.5 sigmoid(d)) and
// r = removal / |removal|: what r reads is taken from S again where a, the rate of each channel in (0, 1), says so. k is the key that replaces it.
template <class T>
std::vector<T> rwkv7(std::span<T> S, std::span<const T> q, std::span<const T> k, std::span<const T> v, std::span<const T> d, std::span<const T> a,
                     std::span<const T> removal);

// Rotates (x_i, x_{i + n/2}), or where neighbours are paired (x_2i, x_{2i+1}), by position * theta^(-2i/n).
void rotate(std::span<double> x, int64_t position, double theta, bool adjacent = false);

struct Picks {
    std::vector<int> experts;  // best first
    Numbers weights;
};
Picks route(const Router& router, std::span<const double> n);
// silu(gate) up of one channel; limit 0: none.
double glu(double gate, double up, double limit);
double situ(double gate, double up, double b, double l);                                               // of one channel, ops.h
Numbers mix(std::span<const Numbers> v, std::span<const double> w, double eps, Numbers* p = nullptr);  // of one token; p: the weights, where asked for
Numbers swiglu(const SwiGlu& w, std::span<const double> n);

// The backward ops and steps of gradients.h (naive_gradients.cpp): the truth of those.
void linear_back(const LinearBack& a);
void kda_back(const KdaBack& a);
void mla_back(const MlaBack& a);
void ffn_back(const FfnBack& a);
void moe_back(const MoeBack& a);
void embed_back(const EmbedBack& a);
void cross_entropy(CrossEntropy& a);
void adamw(const AdamW& a);
void muon(const Muon& a);

}  // namespace naive
}  // namespace klp
