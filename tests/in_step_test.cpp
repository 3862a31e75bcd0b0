// Answers made in step: what each says is what it says alone, whoever is beside it, leaves or is stopped.
#include "core/serve/in_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/model/checkpoint.h"
#include "core/model/trace.h"
#include "kernels/cpu/isa.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"

namespace klp {
namespace {

using Ids = std::vector<int32_t>;
using What = Intervention::What;

std::vector<std::string> devices() {
    std::vector<std::string> all{"naive", "simulated_gpu"};
    for (const Isa isa : supported_isas()) all.emplace_back("cpu_" + std::string(name(isa)));
    return all;
}

// An answer, and what was told of it.
struct Said {
    Ids tokens;
    Generation::End end{};
    std::vector<int64_t> nanoseconds;
    std::vector<Tracer::Row> rows;
    std::optional<Error> wrong;
};
struct Asked {
    std::shared_ptr<const Model> model;
    Ids prompt;
    Sampling sampling;
    int64_t budget = 16;
    InterventionsPtr hands = {};
    Ids stop = {};
    int64_t context = 0;
    std::atomic<bool>* cancel = nullptr;
    std::function<bool(int64_t made)> on_token = {};
};

Said answer(const Asked& asked, Stepper* stepper, Turns* turns) {
    Said said;
    const auto hold = turns ? std::unique_lock(*turns) : std::unique_lock<Turns>();
    Sequence sequence(asked.model, asked.context);
    if (auto laid = sequence.touch(asked.hands); !laid) return said.wrong = laid.error(), said;
    Workspace ws(asked.model->backend());
    Tracer tracer(asked.model->config());
    tracer.want(Site::update_norm, true), tracer.want(Site::log_sum_exp, true);
    ws.tap = &tracer;
    GenerateOptions options{.sampling = asked.sampling, .budget = asked.budget, .stop = asked.stop, .cancel = asked.cancel};
    options.stepper = stepper;
    options.on_token = [&](const TokenEvent& token) {
        said.nanoseconds.push_back(token.nanoseconds);
        for (auto& row : tracer.finish()) said.rows.push_back(std::move(row));
        return !asked.on_token || asked.on_token(static_cast<int64_t>(said.nanoseconds.size()));
    };
    auto made = generate(sequence, asked.prompt, ws, options);
    if (!made) return said.wrong = made.error(), said;
    said.tokens = made->tokens, said.end = made->end;
    EXPECT_EQ(sequence.position(), static_cast<int64_t>(asked.prompt.size() + said.tokens.size()) + (said.end == Generation::End::stop_token) -
                                       (said.end == Generation::End::context))
        << "all is remembered";
    return said;
}
std::vector<Said> together(const std::vector<Asked>& all) {
    const auto turns = std::make_shared<Turns>();
    const auto seats = in_step(static_cast<int>(all.size()), turns);
    std::vector<Said> said(all.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < all.size(); ++i) threads.emplace_back([&, i] { said[i] = answer(all[i], seats[i].get(), turns.get()); });
    for (auto& thread : threads) thread.join();
    return said;
}

class InStep : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (GetParam() == "simulated_gpu") on = cuda_on_cpu::make_backend(0, "");
        if (GetParam() == "naive") on = *make_backend("naive", 2);
        for (const Isa isa : supported_isas())
            if (GetParam() == "cpu_" + std::string(name(isa))) on = test::cpu(isa);
        const ModelConfig c = shape("tiny-spec");
        model = *Model::load(on, c, synthetic_weights(c, DType::f32, 3));
        twin = *model->attention_twin();
    }
    Ids words(int64_t n, unsigned seed) const {
        std::mt19937 random(seed);
        Ids out;
        for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<int32_t>(random() % static_cast<unsigned>(model->config().vocab_size)));
        return out;
    }
    std::shared_ptr<Backend> on;
    std::shared_ptr<const Model> model, twin;
};
INSTANTIATE_TEST_SUITE_P(Every, InStep, testing::ValuesIn(devices()), [](const auto& info) { return info.param; });

TEST_P(InStep, EachSaysWhatItSaysAlone) {
    const auto slow = std::make_shared<const Interventions>(
        Interventions{{.what = What::gates, .from = 5, .amount = 8}, {.what = What::read, .layers = {1}, .from = 20, .amount = 0}});
    const std::vector<std::vector<Asked>> tables{
        {{.model = model, .prompt = words(12, 1), .sampling = {.temperature = 0}},
         {.model = model, .prompt = words(12, 1), .sampling = {.temperature = 0}, .hands = slow}},
        {{.model = model, .prompt = words(3, 2), .sampling = {.temperature = 0.9f, .seed = 7}, .budget = 9},
         {.model = model, .prompt = words(70, 3), .sampling = {.temperature = 0.9f, .top_k = 40, .seed = 8}, .budget = 18}},
        {{.model = model, .prompt = words(12, 4), .sampling = {.temperature = 0.7f, .seed = 5}},
         {.model = twin, .prompt = words(12, 4), .sampling = {.temperature = 0.7f, .seed = 5}}},
        {{.model = model, .prompt = words(5, 6), .sampling = {.temperature = 0}},
         {.model = twin, .prompt = words(6, 7), .sampling = {.temperature = 0}, .budget = 4},
         {.model = model, .prompt = words(7, 8), .sampling = {.temperature = 0}, .budget = 20}},
        {{.model = model, .prompt = words(5, 9), .sampling = {.temperature = 0}, .context = 12},
         {.model = model, .prompt = words(5, 9), .sampling = {.temperature = 0}}}};
    const size_t tried = GetParam() == "simulated_gpu" ? 3 : tables.size();  // it takes its time
    for (size_t n = 0; n < tried; ++n) {
        const std::vector<Said> all = together(tables[n]);
        for (size_t i = 0; i < all.size(); ++i) {
            const Said alone = answer(tables[n][i], nullptr, nullptr);
            ASSERT_FALSE(all[i].wrong) << all[i].wrong->message;
            EXPECT_EQ(all[i].tokens, alone.tokens) << "side " << i << " of " << n;
            EXPECT_EQ(all[i].end, alone.end);
            ASSERT_EQ(all[i].rows.size(), alone.rows.size());
            for (size_t row = 0; row < alone.rows.size(); ++row) {  // its own readings, and not the other's
                EXPECT_EQ(all[i].rows[row].position, alone.rows[row].position);
                for (size_t v = 0; v < alone.rows[row].values.size(); ++v) {
                    const double of_it = double{alone.rows[row].values[v]}, beside = double{all[i].rows[row].values[v]};
                    EXPECT_TRUE(std::isnan(of_it) ? std::isnan(beside) : std::abs(of_it - beside) < 1e-4 * (1 + std::abs(of_it))) << of_it << " " << beside;
                }
            }
        }
        EXPECT_EQ(all[0].tokens == all[1].tokens, false) << "what differs does not run into the other";
        // One pass for both of one model: it took them the same time, to the nanosecond, from the second token on.
        for (size_t t = 1; n < 2 && t < std::min(all[0].nanoseconds.size(), all[1].nanoseconds.size()); ++t)
            EXPECT_EQ(all[0].nanoseconds[t], all[1].nanoseconds[t]) << t;
    }
}

TEST_P(InStep, WhoIsStoppedOrEndsLeavesTheOtherToGoOn) {
    const Asked plain{.model = model, .prompt = words(8, 1), .sampling = {.temperature = 0}, .budget = 12};
    const Said alone = answer(plain, nullptr, nullptr);
    ASSERT_EQ(alone.tokens.size(), 12u);
    // By its own stop token.
    Asked ends = plain;
    ends.stop = {alone.tokens[5]};
    const auto first = static_cast<size_t>(std::find(alone.tokens.begin(), alone.tokens.end(), alone.tokens[5]) - alone.tokens.begin());
    std::vector<Said> both = together({ends, plain});
    EXPECT_EQ(both[0].end, Generation::End::stop_token);
    EXPECT_EQ(both[0].tokens.size(), first);
    EXPECT_EQ(both[1].tokens, alone.tokens);
    // By a cancel.
    std::atomic<bool> cancel = false;
    Asked stops = plain;
    stops.cancel = &cancel;
    stops.on_token = [&](int64_t made) { return cancel = made >= 4, true; };
    both = together({plain, stops});
    EXPECT_EQ(both[0].tokens, alone.tokens);
    EXPECT_EQ(both[1].end, Generation::End::cancelled);
    EXPECT_EQ(both[1].tokens, Ids(alone.tokens.begin(), alone.tokens.begin() + 4));
    // By one that never begins.
    const auto turns = std::make_shared<Turns>();
    auto seats = in_step(2, turns);
    seats[1].reset();
    EXPECT_EQ(answer(plain, seats[0].get(), turns.get()).tokens, alone.tokens);
    // By one that cannot.
    Asked full = plain;
    full.context = 4;
    both = together({full, plain});
    EXPECT_TRUE(both[0].wrong);
    EXPECT_EQ(both[1].tokens, alone.tokens);
}

// Whoever waits for one that takes its time can be stopped.
TEST(InStepWaits, UntilItIsCancelled) {
    const ModelConfig c = shape("tiny-spec");
    const auto model = *Model::load(*make_backend("cpu", 1), c, synthetic_weights(c, DType::f32, 3));
    const auto turns = std::make_shared<Turns>();
    auto seats = in_step(2, turns);  // the second never steps and does not leave
    std::atomic<bool> cancel = false;
    std::atomic<int> made = 0;
    Asked asked{.model = model, .prompt = {1, 2, 3}, .sampling = {.temperature = 0}, .budget = 9, .cancel = &cancel};
    asked.on_token = [&](int64_t n) { return made = static_cast<int>(n), true; };
    Said said;
    std::thread waits([&] { said = answer(asked, seats[0].get(), turns.get()); });
    while (made == 0) std::this_thread::yield();
    {
        const std::unique_lock turn(*turns);  // it is let go meanwhile
        cancel = true;
    }
    waits.join();
    EXPECT_EQ(said.end, Generation::End::cancelled);
    EXPECT_EQ(said.tokens.size(), 1u);
}

}  // namespace
}  // namespace klp
