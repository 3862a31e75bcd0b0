// What a pass on a GPU is given (kernels/cuda/stream.h), in the simulation: whatever its size, it is there when the kernels behind it run.
#include "kernels/cuda/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>

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

void end_of_shared(int32_t bytes, int32_t* to) {
    auto* const last = static_cast<unsigned char*>(simt::shared()) + bytes - 1;
    *last = 7;
    *to += *last;
}

// A kernel that a graph holds with much shared memory may be launched with less in between: what it may have stays the most.
TEST_F(Given, SharedMemoryThatWasAllowedOnceStaysSo) {
    auto* const total = reinterpret_cast<int32_t*>(sums);
    stream.zero(total, sizeof(int32_t));
    const auto launch = [&](int32_t bytes) { stream.launch("end", end_of_shared, {.threads = 1, .shared = static_cast<size_t>(bytes)}, bytes, total); };
    for (int pass = 0; pass < 4; ++pass) {
        stream.begin();
        launch(148 << 10), launch(66 << 10);
        stream.end();
        launch(49 << 10);
    }
    int32_t got = 0;
    check(cudaMemcpyAsync(&got, total, sizeof got, cudaMemcpyDeviceToHost, stream.handle()), "the total");
    stream.wait();
    EXPECT_EQ(got, 4 * 3 * 7);
}

// Launches outside a pass come from whatever thread, whose device is the first one.
TEST(Threads, LaunchOnTheStreamsDevice) {
    Stream stream(1);
    auto* const at = static_cast<int64_t*>(stream.take(sizeof(int64_t), "a value"));
    std::thread([&] {
        stream.zero(at, sizeof(int64_t));
        const int64_t values[] = {3, 4};
        stream.launch("sum", sum_kernel, {.threads = 1}, Sum{stream.give(std::span<const int64_t>(values)), 2}, at);
    }).join();
    int64_t got = 0;
    check(cudaMemcpyAsync(&got, at, sizeof got, cudaMemcpyDeviceToHost, stream.handle()), "the value");
    stream.wait();
    EXPECT_EQ(got, 7);
    stream.give_back(at);
}

// A silent mismatch from pass to pass would cost a launch by the host for each kernel of every token.
TEST_F(Given, PassesAreCounted) {
    for (int pass = 0; pass < 5; ++pass) {
        stream.begin();
        op(10, pass);
        stream.end();
        check_sums();
    }
    EXPECT_EQ(stream.passes().eager, 1);
    EXPECT_EQ(stream.passes().captured, 1);
    EXPECT_EQ(stream.passes().replayed, 3);
}

TEST(Times, OfEveryLaunchAreWrittenByNameWhereTheyAreAskedFor) {
    testing::internal::CaptureStderr();
    setenv("KLP_TIMES", "1", 1);
    {
        Stream stream(0);
        unsetenv("KLP_TIMES");
        auto* const at = static_cast<int64_t*>(stream.take(sizeof(int64_t), "a value"));
        const int64_t values[] = {3, 4};
        for (int pass = 0; pass < 3; ++pass) {
            stream.begin();
            stream.zero(at, sizeof(int64_t));
            for (int i = 0; i < 1500; ++i) stream.launch("sum", sum_kernel, {.threads = 1}, Sum{stream.give(std::span<const int64_t>(values)), 2}, at);
            stream.end();
        }
        EXPECT_EQ(stream.passes().eager, 3);
        stream.give_back(at);
    }
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_THAT(text, testing::ContainsRegex("sum +4500 "));
    EXPECT_THAT(text, testing::ContainsRegex("a memset +3 "));
}

}  // namespace
}  // namespace klp::cuda
