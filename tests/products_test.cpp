// The thread pool, and products on every device, against exact float64.
//
// Bounds, with u = 2^-24: a sum of n products in f32 is off by at most (n + 4) u sum |w x| in any order. Rounding x to bf16 moves each product by at most 2^-9
// of itself; rounding it to int8 moves each x of a group by at most half a step, amax / 254 (and 1e-4 of that for the step's own rounding).
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <thread>

#include "tests/bounds.h"
#include "tests/devices.h"

namespace klp {
namespace {

using namespace test;
using naive::Numbers;
using testing::ElementsAre;

// --- the pool -------------------------------------------------------------------------------------------------------------------------------

TEST(Pool, EachPieceIsDoneOnceAndAllBeforeRunReturns) {
    for (int threads : {1, 2, 3, 5, 16}) {
        Pool pool(threads);
        const int rounds = threads > 4 ? 100 : 2000;
        std::vector<int> pieces(64), before(64);  // ordinary numbers: a piece sees what the run before it wrote, whoever did it
        for (int round = 1; round <= rounds; ++round) {
            const int64_t n = round % 65;
            const int taking_part = round % (threads + 1);
            std::atomic<bool> strangers{false};
            pool.run(n, 3, taking_part, [&](int thread, int64_t first, int64_t last) {
                if (thread < 0 || thread >= (taking_part ? taking_part : threads)) strangers = true;
                for (int64_t i = first; i < last; ++i) ++pieces[static_cast<size_t>(i)];
            });
            pool.run(n, 5, taking_part, [&](int, int64_t first, int64_t last) {
                for (int64_t i = first; i < last; ++i) before[static_cast<size_t>(i)] += pieces[static_cast<size_t>(n - 1 - i)];
            });
            ASSERT_FALSE(strangers);
            for (int64_t i = 0; i < n; ++i) {
                ASSERT_EQ(pieces[static_cast<size_t>(i)], 1) << i;
                ASSERT_EQ(before[static_cast<size_t>(i)], 1) << i;
            }
            std::fill(pieces.begin(), pieces.end(), 0);
            std::fill(before.begin(), before.end(), 0);
        }
    }
}

TEST(Pool, ThreadsThatFellAsleepComeBack) {
    Pool pool(3);
    for (int i = 0; i < 5; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        for (std::atomic<bool> helped{false}; !helped;) {  // nobody has to, but sooner or later they do
            pool.run(30, 1, 0, [&](int thread, int64_t, int64_t) {
                if (thread > 0) helped = true;
                std::this_thread::sleep_for(std::chrono::microseconds(100));
            });
        }
    }
}

// --- functions ------------------------------------------------------------------------------------------------------------------------------

TEST(Functions, ExpIsWithinTwoUlpEverywhere) {
    for (Isa isa : supported_isas()) {
        Floats x, y;
        for (int i = -110'000; i < 95'000; i += 7) x.push_back(static_cast<float>(i) * 1e-3f);
        for (float special : {0.f, -0.f, 1e-30f, -1e-7f, INFINITY, -INFINITY, 88.72283f, -87.33655f, -103.97f}) x.push_back(special);
        y.resize(x.size());
        products_of(isa).exp(x.data(), static_cast<int64_t>(x.size()), y.data());
        for (size_t i = 0; i < x.size(); ++i) {
            const double truth = std::exp(double{x[i]});
            if (truth > std::numeric_limits<float>::max()) {
                EXPECT_EQ(y[i], INFINITY) << x[i];
            } else {
                EXPECT_NEAR(y[i], truth, 2 * 0x1p-23 * truth + 0x1p-149) << x[i];  // a subnormal may be off by its last bit
            }
        }
        const float nan = kNaN;
        products_of(isa).exp(&nan, 1, y.data());
        EXPECT_TRUE(std::isnan(y[0]));
    }
}

TEST(Functions, NormSwiGluAndSoftmaxFollowTheirFormulas) {
    for (Isa isa : supported_isas()) {
        const Products& p = products_of(isa);
        for (int64_t n : {1, 3, 16, 33, 100}) {
            const Floats x = normal(n, 1, 3), w = normal(n, 2);
            Floats y(n, kNaN);
            p.rms_norm(x.data(), w.data(), 1e-5f, n, y.data());
            const Numbers norm = naive::rms_norm(Numbers(x.begin(), x.end()), {w.data(), 1e-5f});
            for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(y[i], norm[i], (n + 6) * kU * std::abs(norm[i]));
            for (const float limit : {0.f, 0.7f}) {
                p.swiglu(x.data(), w.data(), 0.5f, limit, n, y.data());
                for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(y[i], 0.5 * naive::glu(x[i], w[i], limit), 10 * kU * std::abs(x[i] * w[i]));
            }
            p.softmax(x.data(), n, y.data());
            double sum = 0, top = *std::max_element(x.begin(), x.end());
            for (float v : x) sum += std::exp(v - top);
            for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(y[i], std::exp(x[i] - top) / sum, (n + 40) * kU * y[i]);  // x - top is rounded too: |x - top| < 32
        }
    }
}

// --- products -------------------------------------------------------------------------------------------------------------------------------

// A matrix whose last byte is the last one that may be read: a page that nobody may touch follows.
class AtTheEdge {
public:
    AtTheEdge(const Floats& values, int64_t out, int64_t in, DType type) : weight{nullptr, type, out, in} {
        const int64_t page = 4096, bytes = weight.bytes();
        size_ = static_cast<size_t>((bytes + page - 1) / page * page + page);
        map_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        KLP_CHECK(map_ != MAP_FAILED);
        auto* data = static_cast<std::byte*>(map_) + size_ - page - bytes;
        store(values, weight, data);
        KLP_CHECK(mprotect(static_cast<std::byte*>(map_) + size_ - page, page, PROT_NONE) == 0);
        weight.data = data;
    }
    ~AtTheEdge() { munmap(map_, size_); }
    AtTheEdge(const AtTheEdge&) = delete;
    Weight weight;

private:
    void* map_;
    size_t size_;
};

class OnEveryDevice : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(Linear, OnEveryDevice, testing::ValuesIn(devices()), [](const auto& info) { return info.param.name; });

TEST_P(OnEveryDevice, IsTheSumOfProductsForEveryTypeAndShape) {
    const auto device = GetParam().make();
    const bool simulated = GetParam().name.starts_with("simulated");
    for (const DTypeInfo& type : dtypes().first(5)) {  // the others: below
        for (int64_t in : {1, 5, 32, 96, 100, 288, 1056}) {
            if (in % type.block) continue;
            for (int64_t out : {1, 7, 33, 70}) {
                if (simulated && out == 33) continue;
                const AtTheEdge w(normal(out * in, 2), out, in, type.type);
                const Floats x = normal(65 * in, 1);
                std::vector<Bounded> truth;
                for (int64_t t = 0; t < 65; ++t) truth.push_back(bounded_product(w.weight, exact(x.data() + t * in, in)));
                for (int64_t T : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 64, 65}) {
                    if (in > 300 && T != 3 && T != 17) continue;
                    if (simulated && T != 1 && T != 3 && T != 8 && T != 9 && T != 17 && T != 65) continue;
                    Floats y(T * out + 1, kNaN);
                    device->linear({.x = {x.data(), {T, in}}, .w = {&w.weight, 1}, .y = {y.data(), {T, out}}});
                    double worst = 0;
                    for (int64_t i = 0; i < T * out; ++i) {
                        const Bounded& row = truth[i / out];
                        const double off = std::abs(y[i] - row.value[i % out]) / row.error[i % out];
                        worst = std::isnan(off) ? off : std::max(worst, off);
                    }
                    EXPECT_LE(worst, 1) << type.name << " [" << out << ", " << in << "] T " << T;
                    EXPECT_TRUE(std::isnan(y.back()));
                }
            }
        }
    }
}

// Rows of which each has a single 1: a product with them is x as it was rounded.
struct Ones {
    std::vector<std::byte> bytes;
    Weight w;
    Ones(DType type, int64_t n) : w{nullptr, type, n, n} {
        bytes.resize(w.bytes());
        w.data = bytes.data();
        for (int64_t r = 0; r < n; ++r)
            for (int64_t g = 0; g < n / 32; ++g) {
                std::byte* block = bytes.data() + r * w.row_bytes() + g * info(type).bytes;
                block[1] = std::byte{0x3c};  // the scale 1 as a half
                const int64_t i = r - g * 32;
                const bool here = i >= 0 && i < 32;
                if (type == DType::q4_0) std::fill_n(block + 2, 16, std::byte{0x88});
                if (here && type == DType::q8_0) block[2 + i] = std::byte{1};
                if (here && type == DType::q4_0) block[2 + i % 16] = std::byte(i < 16 ? 0x89 : 0x98);
            }
    }
};

// Groups whose values are ties, or become ones when their product with 127 / amax is rounded: a build that fuses the product with the rounding behind it, or
// divides by the scale, takes their other neighbour.
Floats ties(int64_t n, uint64_t seed) {
    std::mt19937_64 bits(seed);
    Floats x(static_cast<size_t>(n));
    for (int64_t g = 0; g < n; g += 32) {
        const bool whole = bits() % 4 == 0;
        const float amax = whole ? std::ldexp(127.f, static_cast<int>(bits() % 20) - 10) : 1 + static_cast<float>(bits() % 0xffffff) * 0x1p-24f,
                    factor = 127 / amax;
        for (int64_t i = g; i < g + 32; ++i) {
            const double half = static_cast<double>(bits() % 126) + 0.5;
            float v = static_cast<float>(half / factor);
            for (int step = 0; step < 4 && (v * factor != static_cast<float>(half) || double{v} * factor == half) && !whole; ++step) v = std::nextafter(v, 2.f);
            x[static_cast<size_t>(i)] = bits() % 2 ? v : -v;
        }
        x[static_cast<size_t>(g + static_cast<int64_t>(bits() % 32))] = bits() % 2 ? amax : -amax;
    }
    return x;
}

TEST_P(OnEveryDevice, RoundsXToTheSameInt8ForAnyNumberOfRows) {
    const auto device = GetParam().make();
    const bool gpu = GetParam().name.find("gpu") != std::string::npos;
    constexpr int64_t n = 288;
    for (DType type : {DType::q8_0, DType::q4_0}) {
        const Ones ones(type, n);
        for (int64_t T = 1; T <= 70; ++T) {
            if (gpu && T > 8) break;  // beyond, x becomes bf16
            const Floats x = ties(T * n, static_cast<uint64_t>(T));
            const naive::Quantised truth = naive::quantised(x);
            Floats y(static_cast<size_t>(T * n), kNaN);
            device->linear({.x = {x.data(), {T, n}}, .w = {&ones.w, 1}, .y = {y.data(), {T, n}}});
            int wrong = 0;
            for (size_t i = 0; i < y.size(); ++i) wrong += y[i] != static_cast<float>(truth.values[i]) * truth.scales[i / 32];
            EXPECT_EQ(wrong, 0) << info(type).name << " T " << T;
        }
    }
}

// One number that is none spoils its own row and nothing else, in a group of any values and whatever its bits are.
TEST_P(OnEveryDevice, NoNumberStaysNoNumber) {
    const auto device = GetParam().make();
    constexpr int64_t out = 5;
    for (const DTypeInfo& type : dtypes()) {
        const int64_t in = std::max(96, type.block);
        const Matrix w(normal(out * in, 1), out, in, type.type);
        for (const uint32_t bits : {0x7fc00000u, 0xffffffffu, 0x7fffffffu, 0x7f800001u, 0x7f800000u, 0xff800000u})
            for (int64_t T : {1, 3, 20}) {
                Floats x = normal(T * in, 2), y(static_cast<size_t>(T * out));
                x[static_cast<size_t>((T - 1) * in + 40)] = std::bit_cast<float>(bits);
                device->linear({.x = {x.data(), {T, in}}, .w = {&w.w, 1}, .y = {y.data(), {T, out}}});
                for (int64_t i = 0; i < T * out; ++i)
                    EXPECT_EQ(std::isfinite(y[static_cast<size_t>(i)]), i < (T - 1) * out) << type.name << " T " << T << " bits " << std::hex << bits;
            }
    }
}

// Beyond what is rounded, and that is checked above, instruction sets and numbers of rows differ by the order of f32 sums alone: also where rows have few
// blocks, and where the last one's bytes are the last that may be read.
TEST(Linear, DiffersBetweenInstructionSetsByTheOrderOfItsSumsAlone) {
    constexpr int64_t kTokens = 70;
    for (const DTypeInfo& type : dtypes()) {
        if (form(type.type) == DType::f32) continue;
        for (const auto& [in, out] : {std::pair<int64_t, int64_t>{416, 33}, {32, 7}, {288, 70}, {256, 7}, {768, 33}, {2304, 5}}) {
            if (in % type.block || (type.block == 32 && in == 768)) continue;
            const AtTheEdge w(normal(out * in, 1), out, in, type.type);
            const naive::Numbers dense = naive::dense(w.weight);
            const Floats x = ties(kTokens * in, 2);
            const naive::Quantised q = naive::quantised(x);
            std::vector<double> truth, size;
            for (int64_t i = 0; i < kTokens * out; ++i) {
                truth.push_back(0), size.push_back(0);
                for (int64_t j = 0; j < in; ++j) {
                    const auto at = static_cast<size_t>(i / out * in + j);
                    const double seen =
                        type.type == DType::bf16 ? double{bf16_to_float(float_to_bf16(x[at]))} : double{static_cast<float>(q.values[at])} * q.scales[at / 32];
                    const double product = dense[static_cast<size_t>(i % out * in + j)] * seen;
                    truth.back() += product, size.back() += std::abs(product);
                }
            }
            for (Isa isa : supported_isas()) {
                const auto device = cpu(isa);
                for (int64_t T : {1, 2, 3, 4, 5, 8, 9, 16, 17, 33, 70}) {
                    Floats y(static_cast<size_t>(T * out + 1), kNaN);
                    device->linear({.x = {x.data(), {T, in}}, .w = {&w.weight, 1}, .y = {y.data(), {T, out}}});
                    double worst = 0;
                    for (size_t i = 0; i + 1 < y.size(); ++i) {
                        const double off = std::abs(y[i] - truth[i]) / (static_cast<double>(in + 4) * kU * size[i]);
                        worst = std::isnan(off) ? off : std::max(worst, off);
                    }
                    EXPECT_LE(worst, 1) << name(isa) << " " << type.name << " [" << out << ", " << in << "] T " << T;
                    EXPECT_TRUE(std::isnan(y.back()));
                }
            }
        }
    }
}

TEST_P(OnEveryDevice, NormalisesInFrontAddsBehindAndStacksWeightsOfDifferentTypes) {
    constexpr int64_t in = 96;
    const Matrix a(normal(40 * in, 1), 40, in, DType::bf16), b(normal(3 * in, 2), 3, in, DType::f32), c(normal(17 * in, 3), 17, in, DType::q8_0),
        d(normal(5 * in, 4), 5, in, DType::q4_0), e(normal(9 * in, 8), 9, in, DType::q5_1), f(normal(6 * in, 9), 6, in, DType::mxfp4);
    const Weight w[] = {a.w, b.w, c.w, d.w, e.w, f.w};
    constexpr int64_t out = 40 + 3 + 17 + 5 + 9 + 6;
    const Floats scale = normal(in, 5, 0.2f, 1);
    for (int64_t T : {1, 6, 40}) {
        const Floats x = normal(T * in, 6), before = normal(T * out, 7);
        Floats y = before;
        GetParam().make()->linear({.x = {x.data(), {T, in}}, .norm = {scale.data(), 1e-5f}, .w = w, .y = {y.data(), {T, out}}, .add = true});
        for (int64_t t = 0; t < T; ++t) {
            Bounded n = exact(x.data() + t * in, in);
            n.value = naive::rms_norm(n.value, {scale.data(), 1e-5f});
            for (int64_t i = 0; i < in; ++i) n.error[i] = (in + 6) * kU * std::abs(n.value[i]);
            int64_t column = 0;
            for (const Weight& each : w) {
                const Bounded truth = bounded_product(each, n);
                for (int64_t r = 0; r < each.out; ++r, ++column) {
                    const double want = truth.value[r] + before[t * out + column];
                    EXPECT_NEAR(y[t * out + column], want, truth.error[r] + 2 * kU * std::abs(want)) << "T " << T << " column " << column;
                }
            }
        }
    }
}

// Some columns of rows into some columns of others, which keep what else they hold.
TEST_P(OnEveryDevice, TakesAndGivesColumnsOfWiderRows) {
    constexpr int64_t in = 64, x_step = 101, y_step = 77;
    const Floats scale = normal(in, 5, 0.2f, 1);
    const auto device = GetParam().make();
    for (const DType type : {DType::f32, DType::bf16, DType::q8_0})
        for (const Norm& norm : {Norm{}, Norm{scale.data(), 1e-5f}})
            for (const bool add : {false, true})
                for (const int64_t T : {1, 6, 40}) {
                    const Matrix a(normal(40 * in, 1), 40, in, type), b(normal(3 * in, 2), 3, in, type);
                    const Weight w[] = {a.w, b.w};
                    const Floats wide = normal(T * x_step, 6), before = normal(T * y_step, 7);
                    Floats x, close;
                    for (int64_t t = 0; t < T; ++t) {
                        x.insert(x.end(), wide.begin() + t * x_step + 9, wide.begin() + t * x_step + 9 + in);
                        close.insert(close.end(), before.begin() + t * y_step + 11, before.begin() + t * y_step + 11 + 43);
                    }
                    device->linear({.x = {x.data(), {T, in}}, .norm = norm, .w = w, .y = {close.data(), {T, 43}}, .add = add});
                    Floats y = before;
                    device->linear({.x = {wide.data() + 9, {T, in}},
                                    .norm = norm,
                                    .w = w,
                                    .y = {y.data() + 11, {T, 43}},
                                    .add = add,
                                    .x_stride = x_step,
                                    .y_stride = y_step});
                    for (int64_t t = 0; t < T; ++t)
                        for (int64_t i = 0; i < y_step; ++i)
                            ASSERT_EQ(y[t * y_step + i], i >= 11 && i < 54 ? close[t * 43 + i - 11] : before[t * y_step + i]) << info(type).name << " T " << T;
                }
}

TEST(Linear, GivesTheSameBitsWithAnyNumberOfThreads) {
    constexpr int64_t in = 256, out = 777;
    for (const DTypeInfo& type : dtypes()) {
        const Matrix w(normal(out * in, 1), out, in, type.type);
        for (Isa isa : supported_isas()) {
            for (int64_t T : {1, 3, 50}) {
                const Floats x = normal(T * in, 2), scale(in, 1);
                Floats first;
                for (int threads : {1, 2, 3, 5}) {
                    Floats y(T * out, kNaN);
                    cpu(isa, threads)->linear({.x = {x.data(), {T, in}}, .norm = {scale.data(), 1e-5f}, .w = {&w.w, 1}, .y = {y.data(), {T, out}}});
                    if (threads == 1) first = y;
                    EXPECT_TRUE(identical(y, first)) << name(isa) << " " << type.name << " T " << T << " threads " << threads;
                }
            }
        }
    }
}

TEST(Products, AnyTokensAndRowsOfAProductCanBeDoneAloneGatheredAndScattered) {
    constexpr int64_t out = 37, T = 40;
    for (Isa isa : supported_isas()) {
        const Products& p = products_of(isa);
        for (const DTypeInfo& type : dtypes()) {
            const int64_t in = std::max(64, type.block);
            const Matrix w(normal(out * in, 1), out, in, type.type);
            const Floats x = normal(T * in, 2);
            const auto memory = [&] {
                return std::unique_ptr<void, void (*)(void*)>(std::aligned_alloc(64, (p.prepared_bytes(type.type, T, in) + 63) / 64 * 64), std::free);
            };
            const auto whole = memory(), parts = memory();
            Floats y(T * out, kNaN), z(2 * T * out, kNaN);
            p.prepare({.type = type.type, .x = x.data(), .stride = in, .in = in, .T = T, .last = T, .prepared = whole.get()});
            p.multiply({.type = type.type, .w = w.w.data, .rows = out, .in = in, .x = whole.get(), .T = T, .last = T, .y = y.data(), .stride = out});

            // The same tokens from a table in reverse, in two parts, to every second row; rows of the weight in two parts.
            Floats reversed(T * in);
            std::vector<int32_t> from(T), to(T);
            for (int64_t t = 0; t < T; ++t) {
                std::copy_n(x.data() + t * in, in, reversed.data() + (T - 1 - t) * in);
                from[t] = static_cast<int32_t>(T - 1 - t);
                to[t] = static_cast<int32_t>(2 * t);
            }
            for (int64_t first = 0; first < T; first += 32) {
                const int64_t last = std::min(T, first + 32);
                p.prepare({.type = type.type,
                           .x = reversed.data(),
                           .stride = in,
                           .index = from.data() + first,
                           .in = in,
                           .T = T,
                           .first = first,
                           .last = last,
                           .prepared = parts.get()});
                for (int64_t row : {0, 20}) {
                    p.multiply({.type = type.type,
                                .w = w.w.row(row),
                                .rows = row ? out - row : 20,
                                .in = in,
                                .x = parts.get(),
                                .T = T,
                                .first = first,
                                .last = last,
                                .y = z.data() + row,
                                .stride = out,
                                .index = to.data()});
                }
            }
            for (int64_t t = 0; t < T; ++t) {
                EXPECT_EQ(0, std::memcmp(y.data() + t * out, z.data() + 2 * t * out, out * sizeof(float))) << name(isa) << " " << type.name << " token " << t;
                EXPECT_TRUE(std::isnan(z[(2 * t + 1) * out]));
            }
        }
    }
}

// A decoded token has the same bits alone and among others. (A CPU's vectors hold several rows.)
class OnEveryGpu : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(Linear, OnEveryGpu, testing::ValuesIn(gpus()), [](const auto& info) { return info.param.name; });

TEST_P(OnEveryGpu, ARowsBitsDoNotDependOnTheFewBesideIt) {
    const auto device = GetParam().make();
    constexpr int64_t out = 43;
    for (const DTypeInfo& type : dtypes()) {
        const int64_t in = type.block > 32 ? 512 : 416;
        const Floats x = normal(8 * in, 1), scale = normal(in, 2);
        const Matrix w(normal(out * in, 3), out, in, type.type);
        Floats all(8 * out);
        const auto linear = [&](const Floats& rows, Floats& y) {
            const auto T = static_cast<int64_t>(rows.size()) / in;
            device->linear({.x = {rows.data(), {T, in}}, .norm = {scale.data(), 1e-5f}, .w = {&w.w, 1}, .y = {y.data(), {T, out}}});
        };
        linear(x, all);
        for (int64_t t = 0; t < 8; ++t) {
            Floats one(out);
            linear(Floats(x.begin() + t * in, x.begin() + (t + 1) * in), one);
            EXPECT_TRUE(identical(one, Floats(all.begin() + t * out, all.begin() + (t + 1) * out))) << type.name << " row " << t;
        }
    }
}

// Blocks that lie in a GPU's memory as in the file. Few rows of x are rounded to int8 and nothing else is, so that answers differ by the order of sums alone;
// of many, both sides are rounded to bf16.
TEST_P(OnEveryGpu, BlocksAreMultipliedAsTheFileHasThem) {
    const auto device = GetParam().make();
    constexpr int64_t kTokens = 33;
    for (const DTypeInfo& type : dtypes().subspan(5))
        for (const auto& [in, out] : {std::pair<int64_t, int64_t>{32, 7}, {288, 70}, {256, 7}, {1280, 17}}) {
            if (in % type.block || (type.block == 32 && in == 1280)) continue;
            const AtTheEdge w(normal(out * in, 1), out, in, type.type);
            const naive::Numbers dense = naive::dense(w.weight);
            const Floats x = ties(kTokens * in, 2);
            const naive::Quantised q = naive::quantised(x);
            for (const int64_t T : {1, 3, 8, 9, 33}) {
                Floats y(static_cast<size_t>(T * out + 1), kNaN);
                device->linear({.x = {x.data(), {T, in}}, .w = {&w.weight, 1}, .y = {y.data(), {T, out}}});
                double worst = 0;
                for (int64_t i = 0; i < T * out; ++i) {
                    double truth = 0, size = 0;
                    for (int64_t j = 0; j < in; ++j) {
                        const auto at = static_cast<size_t>(i / out * in + j);
                        const double seen = T > 8 ? double{x[at]} : double{static_cast<float>(q.values[at])} * q.scales[at / 32];
                        const double product = dense[static_cast<size_t>(i % out * in + j)] * seen;
                        truth += product, size += std::abs(product);
                    }
                    const double off = std::abs(y[static_cast<size_t>(i)] - truth) / (static_cast<double>(in + 4) * kU * size + (T > 8 ? 0x1.01p-8 * size : 0));
                    worst = std::isnan(off) ? off : std::max(worst, off);
                }
                EXPECT_LE(worst, 1) << type.name << " [" << out << ", " << in << "] T " << T;
                EXPECT_TRUE(std::isnan(y.back()));
            }
        }
}

// One value that is no number, wherever it stands and whatever its bits are, is seen in every result that it belongs to, and in no other.
TEST_P(OnEveryDevice, WhatIsNoNumberIsNotLost) {
    const auto device = GetParam().make();
    const bool simulated = GetParam().name.starts_with("simulated");
    constexpr int64_t out = 5;
    const float odd[] = {kNaN,
                         -kNaN,
                         std::bit_cast<float>(0x7fffffffu),
                         std::bit_cast<float>(0xffffffffu),
                         std::bit_cast<float>(0x7f800001u),
                         std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity()};
    for (const DTypeInfo& type : dtypes()) {
        const int64_t in = std::max(96, type.block);
        const Matrix w(normal(out * in, 3), out, in, type.type);
        for (const int64_t T : {1, 3, 9, 40, 70}) {
            if (simulated && T == 70) continue;  // the same kernel
            for (size_t n = 0; n < std::size(odd); ++n) {
                Floats x = normal(T * in, 1), y(T * out);
                const int64_t row = T / 2, at = static_cast<int64_t>(n * 31 % in);
                x[row * in + at] = odd[n];
                device->linear({.x = {x.data(), {T, in}}, .w = {&w.w, 1}, .y = {y.data(), {T, out}}});
                for (int64_t i = 0; i < T * out; ++i)
                    ASSERT_EQ(std::isfinite(y[i]), i / out != row)
                        << type.name << ", " << T << " rows, value " << n << " at " << at << ": y[" << i << "] = " << y[i];
            }
        }
    }
}

TEST_P(OnEveryDevice, EmbeddingsAreRowsOfTheTable) {
    for (const DTypeInfo& type : dtypes()) {
        const int64_t D = std::max(64, type.block);
        const Matrix table(normal(7 * D, 1), 7, D, type.type);
        const std::vector<int32_t> ids{6, 0, 6, 3};
        Floats x(4 * D, kNaN);
        GetParam().make()->embed({.ids = ids, .table = table.w, .x = {x.data(), {4, D}}});
        const Numbers dense = naive::dense(table.w);
        for (int t = 0; t < 4; ++t) {
            for (int64_t i = 0; i < D; ++i) EXPECT_EQ(x[t * D + i], dense[ids[t] * D + i]);
        }
    }
}

}  // namespace
}  // namespace klp
