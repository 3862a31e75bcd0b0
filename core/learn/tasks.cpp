#include "core/learn/tasks.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "core/files/json.h"
#include "core/learn/dice.h"

namespace klp {

namespace {

constexpr std::string_view kTaskNames[] = {"palindrome", "mqar", "stack", "copy"};

// Ids that steer. What is left of the vocabulary are items; of mqar, keys are the first half of them and values the second.
constexpr int32_t kSeparator = 0, kPush = 0, kPop = 1;
int first_item(const Task& t) { return t.kind == TaskKind::stack ? 2 + t.items : 1; }
int64_t items(const Task& t) { return t.vocabulary - first_item(t); }

// One row's tokens and what each is asked to be followed by.
struct Row {
    std::vector<int32_t>& ids;
    std::vector<int32_t>& targets;
    void say(int32_t id) { ids.push_back(id), targets.push_back(-1); }
    void ask(int32_t answer) { targets.back() = answer; }  // by the token that was said last
};

void recite(const Task& t, Dice& dice, Row row) {
    const int64_t n = t.length / 2;
    std::vector<int32_t> read;
    for (int64_t i = 0; i < n; ++i) row.say(read.emplace_back(static_cast<int32_t>(first_item(t) + dice.below(items(t)))));
    if (t.kind == TaskKind::palindrome) std::reverse(read.begin(), read.end());
    row.say(kSeparator);
    for (int64_t i = 0; i < n; ++i) {
        row.ask(read[static_cast<size_t>(i)]);
        if (i + 1 < n) row.say(read[static_cast<size_t>(i)]);
    }
}

// All keys are asked for, in one order after another, as long as there is room.
void recall(const Task& t, Dice& dice, Row row) {
    const auto keys = items(t) / 2;
    std::vector<int32_t> key(static_cast<size_t>(keys));
    std::iota(key.begin(), key.end(), static_cast<int32_t>(first_item(t)));
    dice.shuffle(key);
    std::vector<std::pair<int32_t, int32_t>> pairs;
    for (int i = 0; i < t.items; ++i) {
        const auto& [k, v] = pairs.emplace_back(key[static_cast<size_t>(i)], static_cast<int32_t>(first_item(t) + keys + dice.below(items(t) - keys)));
        row.say(k), row.say(v);
    }
    row.say(kSeparator);
    int64_t left = (t.length - 2 * t.items - 1) / 2;
    while (left > 0) {
        dice.shuffle(pairs);
        for (auto at = pairs.begin(); at != pairs.end() && left > 0; ++at, --left) {
            row.say(at->first);
            row.ask(at->second);
            row.say(at->second);
        }
    }
}

// Push or pop with equal chances; an empty stack is pushed to. The last triple is a pop wherever anything is left to pop, so that no row is without a question.
void stacks(const Task& t, Dice& dice, Row row) {
    std::vector<std::vector<int32_t>> all(static_cast<size_t>(t.items));
    int64_t held = 0;
    for (int64_t left = t.length / 3; left > 0; --left) {
        auto which = static_cast<size_t>(dice.below(t.items));
        const bool must = left == 1 && held > 0;
        while (must && all[which].empty()) which = (which + 1) % all.size();
        std::vector<int32_t>& stack = all[which];
        const bool pop = must || (!stack.empty() && dice.below(2) == 0);
        row.say(pop ? kPop : kPush);
        row.say(static_cast<int32_t>(2 + which));
        if (pop) {
            row.ask(stack.back());
            row.say(stack.back());
            stack.pop_back(), --held;
        } else {
            row.say(stack.emplace_back(static_cast<int32_t>(first_item(t) + dice.below(items(t))))), ++held;
        }
    }
}

}  // namespace

std::string_view name(TaskKind kind) { return kTaskNames[static_cast<size_t>(kind)]; }

Result<TaskKind> task_named(const std::string& text, const std::string& said) {
    const auto at = std::find(std::begin(kTaskNames), std::end(kTaskNames), text);
    if (at == std::end(kTaskNames)) return fail(Error::usage, said + " " + in_quotes(text) + " is none of palindrome, mqar, stack, copy");
    return static_cast<TaskKind>(at - std::begin(kTaskNames));
}

Result<void> check(const Task& t, const std::string& said) {
    const std::string what = said + " (" + std::string(name(t.kind)) + ")";
    const auto number = [](int64_t n) { return std::to_string(n); };
    const bool named = t.kind == TaskKind::mqar || t.kind == TaskKind::stack;
    if (named && t.items < 1)
        return fail(Error::usage, what + " has " + number(t.items) + (t.kind == TaskKind::mqar ? " pairs" : " stacks") + "; one at least");
    const int64_t least = t.kind == TaskKind::mqar ? 2 * int64_t{t.items} + 3 : t.kind == TaskKind::stack ? 6 : 2;
    if (t.length < least)
        return fail(Error::usage, what + " does not fit into a row of " + number(t.length) + " tokens" +
                                      (t.kind == TaskKind::mqar ? " with " + number(t.items) + " pairs" : "") + "; it takes " + number(least));
    const int64_t tokens = t.kind == TaskKind::mqar ? 1 + 2 * int64_t{t.items} : t.kind == TaskKind::stack ? 3 + int64_t{t.items} : 2;
    if (t.vocabulary < tokens)
        return fail(Error::usage, what + " needs " + number(tokens) + " different tokens at least, and its vocabulary has " + number(t.vocabulary));
    return {};
}

int64_t row_tokens(const Task& t) {
    if (t.kind == TaskKind::stack) return t.length / 3 * 3;
    return t.kind == TaskKind::mqar ? 2 * t.items + 1 + (t.length - 2 * t.items - 1) / 2 * 2 : t.length / 2 * 2;
}

Batch make_batch(const Task& task, int64_t rows, uint64_t seed, uint64_t place) {
    Batch batch;
    for (int64_t r = 0; r < rows; ++r) {
        Dice dice(seed, {place, static_cast<uint64_t>(r)});
        const size_t before = batch.ids.size();
        const auto make = task.kind == TaskKind::mqar ? recall : task.kind == TaskKind::stack ? stacks : recite;
        make(task, dice, {batch.ids, batch.targets});
        batch.lengths.push_back(static_cast<int64_t>(batch.ids.size() - before));
    }
    return batch;
}

Answers answers(const Batch& batch, std::span<const int32_t> chosen) {
    KLP_CHECK(chosen.size() == batch.targets.size());
    Answers all;
    size_t at = 0;
    for (const int64_t length : batch.lengths) {
        bool whole = true;
        for (const size_t end = at + static_cast<size_t>(length); at < end; ++at) {
            if (batch.targets[at] < 0) continue;
            const bool right = chosen[at] == batch.targets[at];
            ++all.asked, all.right += right, whole &= right;
        }
        ++all.rows, all.whole += whole;
    }
    return all;
}

}  // namespace klp
