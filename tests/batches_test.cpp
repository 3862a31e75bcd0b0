// In which order a model learns: tasks that are made, plans, and the batch of every step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "tests/learning.h"

namespace klp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// --- Tasks ------------------------------------------------------------------------------------------------------------

// What a row asks and answers by the task's own law, said here a second time: token by token, with nothing of what made it.
std::vector<int32_t> lawful_targets(const Task& task, std::span<const int32_t> ids) {
    std::vector<int32_t> targets(ids.size(), -1);
    if (task.kind == TaskKind::palindrome || task.kind == TaskKind::copy) {
        const auto separator = static_cast<size_t>(std::find(ids.begin(), ids.end(), 0) - ids.begin());
        for (size_t i = separator; i < ids.size(); ++i) targets[i] = task.kind == TaskKind::copy ? ids[i - separator] : ids[2 * separator - 1 - i];
    } else if (task.kind == TaskKind::mqar) {
        std::map<int32_t, int32_t> told;
        size_t i = 0;
        for (; ids[i] != 0; i += 2) EXPECT_TRUE(told.emplace(ids[i], ids[i + 1]).second) << "a key twice";
        EXPECT_EQ(told.size(), static_cast<size_t>(task.items));
        for (++i; i < ids.size(); i += 2) targets[i] = told.at(ids[i]);
    } else {
        std::map<int32_t, std::vector<int32_t>> stacks;
        for (size_t i = 0; i + 2 < ids.size(); i += 3) {
            std::vector<int32_t>& stack = stacks[ids[i + 1]];
            EXPECT_TRUE(ids[i + 1] >= 2 && ids[i + 1] < 2 + task.items);
            if (ids[i] == 0) {
                stack.push_back(ids[i + 2]);
            } else {
                EXPECT_EQ(ids[i], 1);
                EXPECT_FALSE(stack.empty()) << "popped from nothing";
                if (stack.empty()) continue;
                targets[i + 1] = stack.back();
                stack.pop_back();
            }
        }
    }
    return targets;
}

TEST(TrainingTasks, KeepTheirLaws) {
    for (const TaskKind kind : {TaskKind::palindrome, TaskKind::mqar, TaskKind::stack, TaskKind::copy}) {
        for (const int64_t length : {19, 64, 257}) {
            const Task task{.kind = kind, .length = length, .vocabulary = 40, .items = kind == TaskKind::stack ? 5 : 8};
            ASSERT_TRUE(check(task)) << check(task).error().message;
            const Batch batch = make_batch(task, 20, 3, 7);
            ASSERT_EQ(batch.lengths.size(), 20U);
            size_t at = 0;
            std::set<int32_t> asked;
            for (const int64_t row : batch.lengths) {
                EXPECT_EQ(row, row_tokens(task));
                EXPECT_LE(row, length);
                EXPECT_GE(row, length - 2);
                const std::span<const int32_t> ids(batch.ids.data() + at, static_cast<size_t>(row)),
                    targets(batch.targets.data() + at, static_cast<size_t>(row));
                EXPECT_EQ(std::vector<int32_t>(targets.begin(), targets.end()), lawful_targets(task, ids)) << name(kind) << " " << length;
                EXPECT_TRUE(std::any_of(targets.begin(), targets.end(), [](int32_t t) { return t >= 0; })) << "every row asks something";
                for (size_t i = 0; i < ids.size(); ++i) {
                    EXPECT_TRUE(ids[i] >= 0 && ids[i] < task.vocabulary);
                    if (targets[i] >= 0) asked.insert(targets[i]);
                    if (targets[i] >= 0 && i + 1 < ids.size()) {
                        EXPECT_EQ(ids[i + 1], targets[i]) << "the answer is fed next";
                    }
                }
                at += static_cast<size_t>(row);
            }
            EXPECT_GT(asked.size(), 10U) << "answers vary";
            EXPECT_EQ(batch.ids, make_batch(task, 20, 3, 7).ids);
            EXPECT_NE(batch.ids, make_batch(task, 20, 4, 7).ids) << "another seed";
            EXPECT_NE(batch.ids, make_batch(task, 20, 3, 8).ids) << "another place";
            const Batch few = make_batch(task, 3, 3, 7);
            EXPECT_TRUE(std::equal(few.ids.begin(), few.ids.end(), batch.ids.begin())) << "a row does not depend on how many there are";
        }
    }
}

TEST(TrainingTasks, AnswersAreCounted) {
    const Batch batch{.lengths = {3, 2}, .ids = {1, 2, 3, 4, 5}, .targets = {-1, 7, 8, -1, 9}};
    const std::vector<int32_t> chosen{0, 7, 1, 0, 9};
    const Answers got = answers(batch, chosen);
    EXPECT_EQ(got.right, 2);
    EXPECT_EQ(got.asked, 3);
    EXPECT_EQ(got.whole, 1);
    EXPECT_EQ(got.rows, 2);
}

TEST(TrainingTasks, WhatDoesNotFitIsSaid) {
    const auto said = [](const Task& task) {
        const auto sound = check(task, "it");
        return sound ? "" : sound.error().message;
    };
    EXPECT_EQ(said({.kind = TaskKind::mqar, .length = 19, .vocabulary = 17, .items = 8}), "");
    EXPECT_THAT(said({.kind = TaskKind::mqar, .length = 18, .vocabulary = 17, .items = 8}),
                AllOf(HasSubstr("row of 18 tokens with 8 pairs"), HasSubstr("takes 19")));
    EXPECT_THAT(said({.kind = TaskKind::mqar, .length = 19, .vocabulary = 16, .items = 8}), HasSubstr("needs 17 different tokens"));
    EXPECT_THAT(said({.kind = TaskKind::stack, .length = 64, .vocabulary = 6, .items = 4}), HasSubstr("needs 7"));
    EXPECT_THAT(said({.kind = TaskKind::stack, .length = 5}), HasSubstr("takes 6"));
    EXPECT_THAT(said({.kind = TaskKind::copy, .length = 1}), HasSubstr("takes 2"));
    EXPECT_THAT(said({.kind = TaskKind::mqar, .items = 0}), HasSubstr("one at least"));
}

// --- Plans ------------------------------------------------------------------------------------------------------------

constexpr const char* kPlan = R"({"about": "both", "muon": 0.01, "balance": 0.001, "stages": [
    {"name": "short", "tokens": 1000, "batch": 200, "sources": {"a": 2, "b": 1}, "lengths": {"64": 3, "16": 1}, "rate": [0.5, 1], "warmup": 4},
    {"name": "long", "tokens": 2000, "sources": {"a": 1, "made": {"task": "mqar", "pairs": 4, "vocabulary": 20, "weight": 3}}, "longest": 100, "rate": 0.5, "begin": 0.4}]})";

TEST(TrainingPlan, IsReadAndSaidAgain) {
    const auto plan = parse_plan(kPlan, "plan.json");
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->tokens(), 3000);
    EXPECT_EQ(plan->muon, 0.01);
    EXPECT_EQ(plan->stages[0].lengths, (std::vector<std::pair<int64_t, double>>{{16, 1}, {64, 3}}));
    EXPECT_EQ(plan->stages[0].longest, 64);
    EXPECT_EQ(plan->stages[1].from, 0.5);
    EXPECT_EQ(plan->stages[1].to, 0.5);
    ASSERT_TRUE(plan->stages[1].parts[1].task);
    EXPECT_EQ(plan->stages[1].parts[1].task->items, 4);
    const auto again = parse_plan(plan_text(*plan), "again");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(plan_text(*again), plan_text(*plan));
}

TEST(TrainingPlan, WhatIsWrongIsNamedByItsField) {
    const std::string one = R"("name": "x", "tokens": 10, "sources": {"a": 1})";
    const auto stage = [](const std::string& fields) { return R"({"stages": [{)" + fields + "}]}"; };
    const std::pair<std::string, std::string> plans[] = {
        {"[]", "p: it is not a plan"},
        {"{", "p"},
        {"{}", "p: stages is missing"},
        {R"({"stages": []})", "p: stages is empty"},
        {R"({"stages": {}})", "p: stages is an object where a list belongs"},
        {R"({"stages": [3]})", "p: stages[0] is 3 where an object belongs"},
        {R"({"rates": 1, "stages": []})", "p: rates is no field of a plan"},
        {R"({"muon": "x", "stages": []})", "p: muon is 'x' where a number belongs"},
        {R"({"muon": -1, "stages": []})", "p: muon is -1, which is not in"},
        {stage(R"("tokens": 10)"), "p: stages[0].sources is missing"},
        {stage(R"("sources": {"a": 1})"), "p: stages[0].tokens is missing"},
        {stage(R"("tokens": 0, "sources": {"a": 1})"), "p: stages[0].tokens is 0"},
        {stage(one + R"(, "token": 3)"), "p: stages[0].token is no field of a plan"},
        {stage(one + R"(, "batch": 1.5)"), "p: stages[0].batch is 1.5 where a whole number belongs"},
        {stage(one + R"(, "rate": [1])"), "p: stages[0].rate is neither"},
        {stage(one + R"(, "rate": [1, "a"])"), "p: stages[0].rate[1] is 'a'"},
        {stage(one + R"(, "begin": 2)"), "p: stages[0].begin is 2"},
        {stage(one + R"(, "lengths": {"x": 1})"), "p: stages[0].lengths has 'x'"},
        {stage(one + R"(, "lengths": {"0": 1})"), "p: stages[0].lengths has '0'"},
        {stage(one + R"(, "lengths": {"8": 0})"), "p: stages[0].lengths has no share above 0"},
        {stage(one + R"(, "lengths": {"8": 1}, "longest": 9)"), "p: stages[0].longest says again"},
        {stage(R"("tokens": 10, "sources": {"a": 0})"), "p: stages[0].sources has none"},
        {stage(R"("tokens": 10, "sources": {"a": "x"})"), "p: stages[0].sources.a is 'x'"},
        {stage(R"("tokens": 10, "sources": {"a": {"task": "riddle"}})"), "p: stages[0].sources.a.task 'riddle' is none of palindrome"},
        {stage(R"("tokens": 10, "sources": {"a": {"task": "copy", "pairs": 3}})"), "p: stages[0].sources.a.pairs is nothing that copy has"},
        {stage(R"("tokens": 10, "sources": {"a": {"task": "mqar", "pair": 3}})"), "p: stages[0].sources.a.pair is no field"},
    };
    for (const auto& [text, said] : plans) {
        const auto plan = parse_plan(text, "p");
        ASSERT_FALSE(plan) << text;
        EXPECT_EQ(plan.error().kind, Error::usage);
        if (said == "p: it is not a plan")
            EXPECT_THAT(plan.error().message, HasSubstr("is not a plan")) << text;
        else
            EXPECT_THAT(plan.error().message, ::testing::StartsWith(said)) << text;
    }
    const auto fits = [&](const std::string& fields) {
        const auto sound = check(*parse_plan(stage(fields), "p"), config(), "p");
        return sound ? "" : sound.error().message;
    };
    EXPECT_THAT(fits(one + R"(, "longest": 40000)"), AllOf(HasSubstr("p: stages[0].longest has rows of 40000"), HasSubstr("32768")));
    EXPECT_THAT(fits(one + R"(, "lengths": {"40000": 1})"), HasSubstr("p: stages[0].lengths has rows of 40000"));
    EXPECT_THAT(fits(R"("tokens": 10, "sources": {"a": {"task": "copy", "vocabulary": 300}})"), HasSubstr("sources.a.vocabulary is 300"));
    EXPECT_THAT(fits(R"("tokens": 10, "longest": 16, "sources": {"a": {"task": "mqar", "pairs": 8}})"), HasSubstr("does not fit into a row of 16 tokens"));
}

// --- Batches ----------------------------------------------------------------------------------------------------------

TEST(TrainingBatches, AnyStepAtAnyTimeIsTheSame) {
    const auto data = two_sources();
    const auto batches = Batches::lay_out(data, plan_of(kPlan), config(), 1), again = Batches::lay_out(data, plan_of(kPlan), config(), 1),
               other = Batches::lay_out(data, plan_of(kPlan), config(), 2);
    ASSERT_TRUE(batches) << batches.error().message;
    ASSERT_GT(batches->steps(), 5);
    bool same = true;
    for (int64_t step = batches->steps() - 1; step >= 0; --step) {  // backwards
        const Batch one = batches->batch(step), two = again->batch(step);
        EXPECT_EQ(one.ids, two.ids);
        EXPECT_EQ(one.targets, two.targets);
        EXPECT_EQ(one.lengths, two.lengths);
        EXPECT_EQ(std::accumulate(one.lengths.begin(), one.lengths.end(), int64_t{0}), static_cast<int64_t>(one.ids.size()));
        EXPECT_EQ(batches->tokens(step), static_cast<int64_t>(one.ids.size()));
        EXPECT_EQ(batches->tokens_before(step + 1), batches->tokens_before(step) + batches->tokens(step));
        same &= step < other->steps() && one.ids == other->batch(step).ids;
    }
    EXPECT_FALSE(same) << "another seed, other batches";
    EXPECT_GE(batches->tokens_before(batches->steps()), 3000);
}

TEST(TrainingBatches, EveryDocumentComesOnceBeforeAnyComesAgain) {
    const auto data = two_sources();
    Plan plan = default_plan({{"a", 1}}, {.tokens = 60'000, .batch = 300, .longest = 64});
    const auto batches = Batches::lay_out(data, plan, config(), 3);
    ASSERT_TRUE(batches) << batches.error().message;
    std::map<int32_t, int> seen;  // by the document's first token
    std::map<int, std::pair<int, int>> range_of;
    for (int64_t step = 0; step < batches->steps(); ++step) {
        const Batch batch = batches->batch(step);
        int64_t least = INT64_MAX, most = 0;
        size_t at = 0;
        for (const int64_t row : batch.lengths) {
            ++seen[batch.ids[at]];
            for (int64_t i = 0; i < row; ++i) ASSERT_EQ(batch.targets[at + static_cast<size_t>(i)], batch.ids[at] + i + 1);
            at += static_cast<size_t>(row), least = std::min(least, row), most = std::max(most, row);
        }
        EXPECT_TRUE(most <= 32 || least > 32) << "rows of one step are of similar length: " << least << " to " << most;
        EXPECT_NEAR(static_cast<double>(batches->tokens(step)), 300, 32) << "half of the longest row";
    }
    // Each range of lengths is gone through by itself, so within each the documents' counts differ by one at most.
    for (const bool longer : {false, true}) {
        int least = INT32_MAX, most = 0, documents = 0;
        for (const auto& document : data->sources[0].documents) {
            if ((document.size - 1 > 32) != longer) continue;
            const int count = seen[data->sources[0].tokens[static_cast<size_t>(document.first)]];
            least = std::min(least, count), most = std::max(most, count), ++documents;
        }
        EXPECT_GT(documents, 100);
        EXPECT_GE(least, 3);
        EXPECT_LE(most - least, 1) << "over both stages";
    }
}

TEST(TrainingBatches, SourcesAndLengthsHaveTheirShares) {
    const auto data = two_sources();
    const auto batches = Batches::lay_out(
        data, plan_of(R"({"stages": [{"tokens": 600000, "batch": 200, "sources": {"a": 1, "b": 3}, "lengths": {"16": 20, "32": 30, "64": 50}}]})"), config(),
        1);
    ASSERT_TRUE(batches) << batches.error().message;
    double of_b = 0, of_range[3] = {}, all = 0;
    for (int64_t step = 0; step < batches->steps(); ++step) {
        const Batch batch = batches->batch(step);
        size_t at = 0;
        for (const int64_t row : batch.lengths) {
            const auto n = static_cast<double>(row);
            all += n, of_b += batch.ids[at] >= 1'000'000 ? n : 0, of_range[row <= 16 ? 0 : row <= 32 ? 1 : 2] += n;
            at += static_cast<size_t>(row);
        }
    }
    // Only `a` has the shortest rows, so nearly all of it must come from there. 3,000 steps and about as many times six rows: a share's standard deviation is below 1 %.
    EXPECT_NEAR(of_b / all, 0.75, 0.03);
    EXPECT_NEAR(of_range[0] / all, 0.2, 0.03);
    EXPECT_NEAR(of_range[1] / all, 0.3, 0.03);
    EXPECT_NEAR(of_range[2] / all, 0.5, 0.03);
}

TEST(TrainingBatches, LongDocumentsAreCutAndNothingOfThemIsLost) {
    auto data = std::make_shared<Data>(Data{{numbered("text", {1000}, 0, true), numbered("chat", {1000}, 5000)}});
    const auto targets = [&](const char* source) {
        const auto batches = Batches::lay_out(
            data, plan_of(R"({"stages": [{"tokens": 999, "batch": 1000, "longest": 64, "sources": {")" + std::string(source) + "\": 1}}]}"), config(), 1);
        EXPECT_TRUE(batches) << batches.error().message;
        std::multiset<int32_t> all;
        for (int64_t step = 0; step < batches->steps(); ++step)
            for (const int32_t target : batches->batch(step).targets) all.insert(target);
        return all;
    };
    const auto text = targets("text");
    for (int32_t target = 1; target < 1000; ++target) EXPECT_TRUE(text.contains(target)) << target;
    const auto chat = targets("chat");
    EXPECT_EQ(*chat.rbegin(), 5064) << "a chat has no middle to begin with";
}

TEST(TrainingBatches, TheBeginningStandsInFrontOfSoManyChats) {
    const auto data = two_sources();
    const auto batches =
        Batches::lay_out(data, plan_of(R"({"stages": [{"tokens": 100000, "batch": 500, "longest": 64, "sources": {"a": 1}, "begin": 0.4}]})"), config(), 1);
    ASSERT_TRUE(batches) << batches.error().message;
    double begun = 0, rows = 0;
    for (int64_t step = 0; step < batches->steps(); ++step) {
        const Batch batch = batches->batch(step);
        EXPECT_EQ(batches->tokens(step), static_cast<int64_t>(batch.ids.size()));
        size_t at = 0;
        for (const int64_t row : batch.lengths) {
            EXPECT_LE(row, 64);
            // Document tokens follow each other; the beginning, which is also some document's token, does not.
            if (batch.ids[at] == kBegin && batch.targets[at] != kBegin + 1) {
                ++begun;
                EXPECT_EQ(batch.ids[at + 1], batch.targets[at]) << "the first token is learned there";
            }
            ++rows, at += static_cast<size_t>(row);
        }
    }
    EXPECT_NEAR(begun / rows, 0.4, 4 * std::sqrt(0.24 / rows)) << "four standard deviations";
}

TEST(TrainingBatches, RatesRiseStayAndFall) {
    const auto data = two_sources();
    const auto batches =
        Batches::lay_out(data, default_plan({{"a", 100}, {"b", 300}}, {.tokens = 40'000, .batch = 200, .longest = 64, .muon = 0.04}), config(), 1);
    ASSERT_TRUE(batches) << batches.error().message;
    EXPECT_DOUBLE_EQ(batches->plan().adamw, 0.008) << "the rates keep their proportion";
    EXPECT_DOUBLE_EQ(batches->rate(0), 1 / 20.0) << "a tenth of 200 steps";
    EXPECT_DOUBLE_EQ(batches->rate(30), 1);
    EXPECT_DOUBLE_EQ(batches->rates(30).muon, 0.04);
    const int64_t last = batches->steps() - 1;
    EXPECT_LT(batches->rate(last), 0.05);
    EXPECT_GT(batches->rate(last), 0);
    EXPECT_NEAR(batches->rate(last - 25), 0.5, 0.06) << "half way down the last quarter";
    EXPECT_DOUBLE_EQ(batches->rates(last).balance, batches->plan().balance * batches->rate(last));
}

TEST(TrainingBatches, WhatTheDataDoesNotHaveIsSaid) {
    const auto data = two_sources();
    const auto said = [&](const std::string& stage) {
        const auto batches = Batches::lay_out(data, plan_of(R"({"stages": [{"tokens": 100, )" + stage + "}]}"), config(), 1, "p");
        return batches ? "" : batches.error().message;
    };
    EXPECT_THAT(said(R"("sources": {"c": 1})"), HasSubstr("p: stages[0].sources has c, which is none of the data's: a, b"));
    EXPECT_THAT(said(R"("sources": {"b": 1}, "lengths": {"8": 1, "64": 1})"),
                HasSubstr("p: stages[0].lengths has 8, and none of its sources has rows of 1 to 8"));
    EXPECT_THAT(said(R"("sources": {"b": 1}, "lengths": {"128": 1, "64": 1, "256": 2})"), HasSubstr("rows of 65 to 128"));
}

}  // namespace
}  // namespace klp
