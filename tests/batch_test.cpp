// Many answers at once: each is what it would be alone, whoever comes and goes beside it.
#include "core/serve/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "tests/checkpoints.h"

namespace klp {
namespace {

using testing::HasSubstr;

class BatchTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto backend = make_backend("cpu", 2);
        ASSERT_TRUE(backend) << backend.error().message;
        ModelConfig config = shape("tiny");
        config.vocab_size = 200;
        config.eos_token_ids.clear();
        auto model = Model::load(*backend, config, synthetic_weights(config, DType::f32, 5));
        ASSERT_TRUE(model) << model.error().message;
        model_ = *model;
    }
    static std::vector<int32_t> prompt(int n, int seed) {
        std::vector<int32_t> ids;
        for (int i = 0; i < n; ++i) ids.push_back((i * i * 31 + seed * 17 + i) % 200);
        return ids;
    }
    struct Answer {
        std::vector<int32_t> told;
        Result<Generation> how = Generation{};
        int64_t cached = 0;
    };
    // Submits, and gives what will have come of it.
    std::future<Answer> ask(Batch& batch, BatchRequest request, Batch::Job* job = nullptr) {
        auto answer = std::make_shared<Answer>();
        auto promise = std::make_shared<std::promise<Answer>>();
        auto inner = request.on_token;
        request.on_token = [answer, inner](const TokenEvent& e) {
            answer->told.push_back(e.id);
            return !inner || inner(e);
        };
        request.on_end = [answer, promise](const Result<Generation>& how, int64_t cached) {
            answer->how = how, answer->cached = cached;
            promise->set_value(*answer);
        };
        auto future = promise->get_future();
        auto submitted = batch.submit(std::move(request));
        EXPECT_TRUE(submitted) << submitted.error().message;
        if (job && submitted) *job = *submitted;
        return future;
    }
    // While no batch runs: a device belongs to one thread.
    std::vector<int32_t> alone(const BatchRequest& request) {
        Sequence sequence(model_);
        EXPECT_TRUE(sequence.touch(request.hands));
        Workspace ws(model_->backend());
        GenerateOptions options{.sampling = request.sampling, .budget = request.budget, .stop = request.stop};
        const auto made = generate(sequence, request.prompt, ws, options);
        EXPECT_TRUE(made);
        return made->tokens;
    }
    std::shared_ptr<const Model> model_;
};

TEST_F(BatchTest, EachAnswerIsWhatItIsAlone) {
    std::vector<BatchRequest> requests;
    std::vector<std::vector<int32_t>> right;
    std::vector<std::future<Answer>> coming;
    for (int i = 0; i < 12; ++i) {  // more than run at once; prompts from one token to several passes
        BatchRequest r{.prompt = prompt(i == 7 ? 700 : 1 + i * 13, i), .budget = 5 + i * 3};
        r.sampling =
            i % 3 == 0 ? Sampling{.temperature = 0} : Sampling{.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .repeat_penalty = 1.1f, .seed = uint64_t(i)};
        requests.push_back(r), right.push_back(alone(r));
    }
    Batch batch(model_, {.parallel = 5});
    for (const BatchRequest& r : requests) coming.push_back(ask(batch, r));
    for (size_t i = 0; i < coming.size(); ++i) {
        const Answer got = coming[i].get();
        ASSERT_TRUE(got.how) << got.how.error().message;
        EXPECT_EQ(got.how->end, Generation::End::budget);
        EXPECT_EQ(got.how->tokens, right[i]) << i;
        EXPECT_EQ(got.told, got.how->tokens) << i;
        EXPECT_EQ(got.how->prompt_tokens, static_cast<int64_t>(requests[i].prompt.size()));
    }
    const BatchFigures f = batch.figures();
    EXPECT_EQ(f.finished, 12);
    EXPECT_EQ(f.running + f.waiting, 0);
    int64_t generated = 0;
    for (const BatchRequest& r : requests) generated += r.budget;
    EXPECT_EQ(f.generated_tokens, generated);
    EXPECT_LT(f.passes, generated);
}

TEST_F(BatchTest, HandsOnOneMemoryAreOnNoOther) {
    using What = Intervention::What;
    const auto list = [](Intervention one) { return std::make_shared<const Interventions>(Interventions{std::move(one)}); };
    const std::vector<InterventionsPtr> all = {nullptr,
                                               list({.what = What::gates, .from = 20, .amount = 0.1f}),
                                               list({.what = What::read, .layers = {1}, .amount = 0}),
                                               list({.what = What::empty, .from = 33}),
                                               list({.what = What::hide, .from = 50, .tokens = {3, 20}}),
                                               nullptr};
    std::vector<BatchRequest> requests;
    std::vector<std::vector<int32_t>> right;
    for (size_t i = 0; i < all.size(); ++i) {
        requests.push_back({.prompt = prompt(60, 3), .marks = {40}, .sampling = {.temperature = 0.9f, .seed = 4}, .budget = 12, .hands = all[i]});
        right.push_back(alone(requests.back()));
    }
    for (size_t i = 1; i + 1 < all.size(); ++i) EXPECT_NE(right[i], right[0]) << i;
    Batch batch(model_);
    for (int round = 0; round < 2; ++round) {  // the second from snapshots, each from one that fits
        std::vector<std::future<Answer>> coming;
        for (const BatchRequest& r : requests) coming.push_back(ask(batch, r));
        for (size_t i = 0; i < coming.size(); ++i) {
            const Answer got = coming[i].get();
            ASSERT_TRUE(got.how);
            EXPECT_EQ(got.told, right[i]) << i;
            if (round > 0) EXPECT_EQ(got.cached, 40) << i;
        }
    }
    BatchRequest wrong{.prompt = prompt(5, 1), .hands = list({.what = What::gates, .layers = {99}})};
    const auto refused = batch.submit(wrong);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("no layer 99"));
}

TEST_F(BatchTest, ABeginningThatWasSeenIsNotFedAgain) {
    auto batch = std::make_unique<Batch>(model_);
    BatchRequest first{.prompt = prompt(90, 1), .marks = {40, 80}, .sampling = {.temperature = 0}, .budget = 8};
    const Answer whole = ask(*batch, first).get();
    EXPECT_EQ(whole.cached, 0);
    const Answer again = ask(*batch, first).get();
    EXPECT_EQ(again.cached, 80);
    EXPECT_EQ(again.how->tokens, whole.how->tokens);
    BatchRequest other = first;  // another talk with the same system prompt
    for (size_t i = 40; i < 90; ++i) other.prompt[i] = static_cast<int32_t>((i * 7) % 200);
    const Answer shared = ask(*batch, other).get();
    EXPECT_EQ(shared.cached, 40);

    // The next question of a talk begins with the answer, if it was ended by its own stop.
    BatchRequest stops = first;
    stops.stop = {whole.how->tokens[4]};
    const Answer ended = ask(*batch, stops).get();
    ASSERT_EQ(ended.how->end, Generation::End::stop_token);
    BatchRequest next = first;
    next.prompt.insert(next.prompt.end(), ended.how->tokens.begin(), ended.how->tokens.end());
    next.prompt.insert(next.prompt.end(), {stops.stop[0], 9, 8, 7});
    const Answer on = ask(*batch, next).get();
    EXPECT_EQ(on.cached, static_cast<int64_t>(90 + ended.how->tokens.size()));
    EXPECT_EQ(batch->figures().cached_tokens, 80 + 40 + 80 + on.cached);
    batch.reset();
    EXPECT_EQ(shared.how->tokens, alone(other));
    EXPECT_EQ(on.how->tokens, alone(next));
}

TEST_F(BatchTest, OneThatIsBrokenOffLeavesTheOthersAlone) {
    const BatchRequest slow{.prompt = prompt(20, 3), .sampling = {.temperature = 0}, .budget = 400};
    const std::vector<int32_t> right = alone(slow);
    Batch batch(model_, {.parallel = 3});
    Batch::Job job;
    std::promise<void> begun;
    BatchRequest dropped{.prompt = prompt(30, 4), .sampling = {.temperature = 0}, .budget = 1 << 20};
    int count = 0;
    dropped.on_token = [&](const TokenEvent&) {
        if (++count == 3) begun.set_value();
        return true;
    };
    auto broken = ask(batch, dropped, &job);
    auto kept = ask(batch, slow);
    begun.get_future().wait();
    *job = true;
    const Answer gone = broken.get();
    ASSERT_TRUE(gone.how);
    EXPECT_EQ(gone.how->end, Generation::End::cancelled);
    EXPECT_EQ(kept.get().how->tokens, right);
    BatchRequest refusing{.prompt = prompt(10, 5), .sampling = {.temperature = 0}, .budget = 50};
    refusing.on_token = [n = 0](const TokenEvent&) mutable { return ++n < 4; };
    const Answer enough = ask(batch, refusing).get();
    EXPECT_EQ(enough.how->end, Generation::End::cancelled);
    EXPECT_EQ(enough.told.size(), 4u);
    EXPECT_EQ(batch.figures().broken_off, 2);
}

TEST_F(BatchTest, WhatCannotBeAnsweredIsRefused) {
    Batch batch(model_, {.parallel = 1, .waiting = 1, .context = 64});
    const auto refusal = [&](BatchRequest request) {
        const auto job = batch.submit(std::move(request));
        return job ? std::string() : job.error().message;
    };
    EXPECT_THAT(refusal({}), HasSubstr("no tokens"));
    EXPECT_THAT(refusal({.prompt = {1, 200}}), HasSubstr("the id 200, outside the vocabulary of 200"));
    EXPECT_THAT(refusal({.prompt = {-1}}), HasSubstr("the id -1"));
    EXPECT_THAT(refusal({.prompt = prompt(64, 1)}), HasSubstr("64 tokens, and the context holds 64"));
    const Answer full = ask(batch, {.prompt = prompt(60, 1), .sampling = {.temperature = 0}, .budget = 100}).get();
    EXPECT_EQ(full.how->end, Generation::End::context);
    EXPECT_EQ(full.how->tokens.size(), 5u);  // the last one was picked and has no room

    Batch::Job one, two;
    std::promise<void> begun;
    BatchRequest endless{.prompt = {1}, .sampling = {.temperature = 0}, .budget = 40};
    endless.on_token = [&, n = 0](const TokenEvent&) mutable {
        if (++n == 1) begun.get_future().wait();
        return true;
    };
    auto a = ask(batch, endless, &one), b = ask(batch, {.prompt = {2}, .budget = 1}, &two);
    const auto third = batch.submit({.prompt = {3}});
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, Error::device);
    EXPECT_THAT(third.error().message, HasSubstr("waiting already"));
    begun.set_value();
    EXPECT_TRUE(a.get().how && b.get().how);
}

TEST_F(BatchTest, WhoLeavesBreaksOffWhatRunsAndWhatWaits) {
    std::future<Answer> a, b;
    {
        Batch batch(model_, {.parallel = 1});
        a = ask(batch, {.prompt = prompt(5, 1), .sampling = {.temperature = 0}, .budget = 1 << 20});
        b = ask(batch, {.prompt = prompt(5, 2), .budget = 1 << 20});
    }
    EXPECT_EQ(a.get().how->end, Generation::End::cancelled);
    EXPECT_EQ(b.get().how->end, Generation::End::cancelled);
}

}  // namespace
}  // namespace klp
