// What a pass on a GPU is given (kernels/cuda/stream.h), in the simulation: whatever its size, it is there when the kernels behind it run.
#include "kernels/cuda/stream.h"

#include <gtest/gtest.h>

namespace klp::cuda {
namespace {

struct Sum {
    const int64_t* values;
    int64_t n;
};
void sum_kernel(Sum a, int64_t* to) {
    *to = 0;
    for (int64_t i = 0; i < a.n; ++i) *to += a.values[i];
}

class Given : public testing::Test {
protected:
    static constexpr int64_t kMost = 4096;
    Stream stream{0};
    int64_t* const sums = static_cast<int64_t*>(stream.take(kMost * sizeof(int64_t), "sums"));
    int64_t next = 0;
    std::vector<int64_t> expected;

    ~Given() override { stream.give_back(sums); }

    // Three values as an op gives them, and behind them the launches that read them.
    void op(int64_t n, int64_t value) {
        std::vector<Sum> given;
        for (int i = 0; i < 3; ++i) {
            const std::vector<int64_t> values(static_cast<size_t>(n), value + i);
            given.push_back({stream.give(std::span<const int64_t>(values)), n});
        }
        for (int i = 0; i < 3; ++i) {
            ASSERT_LT(next, kMost);
            stream.launch("sum", sum_kernel, {.threads = 1}, given[static_cast<size_t>(i)], sums + next++);
            expected.push_back(n * (value + i));
        }
    }
    // Of the launches so far, which then begin anew.
    void check_sums() {
        std::vector<int64_t> got(expected.size());
        check(cudaMemcpyAsync(got.data(), sums, got.size() * sizeof(int64_t), cudaMemcpyDeviceToHost, stream.handle()), "sums");
        stream.wait();
        EXPECT_EQ(got, expected);
        next = 0, expected.clear();
    }
};

// Tables of 128 KiB, 15 MiB of them, between small values; first run as it is, then made a graph, then replayed.
TEST_F(Given, StaysAsItIsUntilThePassEnds) {
    for (int64_t pass = 0; pass < 4; ++pass) {
        stream.begin();
        for (int64_t layer = 0; layer < 40; ++layer) {
            op(16384, 1000 * pass + layer);
            op(3, -layer);
        }
        stream.end();
        check_sums();
    }
}

TEST_F(Given, MayBeLargerThanABlock) {
    for (int64_t pass = 0; pass < 3; ++pass) {
        stream.begin();
        op(10, pass);
        op(1'000'000, pass + 7);  // 8 MB each
        op(10, pass + 3);
        stream.end();
        check_sums();
        op(1'000'000, pass);  // outside a pass
        stream.fresh();
        op(10, pass);
        check_sums();
    }
}

TEST_F(Given, OutsideAPassStaysAsItIsUntilTheNextOp) {
    for (int64_t i = 0; i < 60; ++i) {
        stream.fresh();
        op(i % 7 == 0 ? 262'000 : 16384, i);
    }
    check_sums();
}

TEST_F(Given, OutlivesADownloadInTheMiddle) {
    for (int64_t pass = 0; pass < 3; ++pass) {
        const std::vector<int64_t> values(1000, pass);
        stream.begin();
        const int64_t* const before = stream.give(std::span<const int64_t>(values));
        op(16384, 5);
        stream.flush();
        op(16384, 9);
        stream.launch("sum", sum_kernel, {.threads = 1}, Sum{before, 1000}, sums + next++);
        expected.push_back(1000 * pass);
        stream.end();
        check_sums();
    }
}

// Or a pass would never equal the one before.
TEST_F(Given, LiesWhereItLayInThePassBefore) {
    std::vector<std::vector<const int64_t*>> places;
    for (int64_t pass = 0; pass < 4; ++pass) {
        auto& at = places.emplace_back();
        stream.begin();
        for (const int64_t n : {100, 400'000, 700'000, 30, 500'000}) {
            const std::vector<int64_t> values(static_cast<size_t>(n), pass);
            at.push_back(stream.give(std::span<const int64_t>(values)));
        }
        stream.end();
        EXPECT_EQ(at, places[0]) << "pass " << pass;
        stream.fresh();
        op(100'000, pass);  // something else in between
        check_sums();
    }
}

}  // namespace
}  // namespace klp::cuda
