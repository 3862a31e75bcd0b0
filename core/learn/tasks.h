// Tasks that are made, not read: sequences whose answers only a memory can give (report, section 5.1). A function of seed and step alone.
//
//   palindrome   5 3 8 <sep> 8 3 5              what was read, backwards
//   copy         5 3 8 <sep> 5 3 8              what was read, as it was
//   mqar         k1 v1 k2 v2 <sep> k2 v2 k1 v1  multi-query associative recall: the value of each key that is asked
//   stack        <push> s1 5 <push> s2 3 <pop> s1 5   what lies on top of which of many stacks
//
// Targets stand where an answer is asked for and nowhere else; an answer is fed like every token, so the next one is asked as if all before it had been right.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/learn/batch.h"
#include "kernels/backend.h"

namespace klp {

enum class TaskKind { palindrome, mqar, stack, copy };
std::string_view name(TaskKind kind);

struct Task {
    TaskKind kind = TaskKind::mqar;
    int64_t length = 64;  // tokens of a row, at most; what does not come out even is left out
    int vocabulary = 64;  // ids 0 .. vocabulary - 1, those that steer (separator, push, pop, names of stacks) first
    int items = 8;        // pairs of mqar, stacks of stack; nothing to the others, whose items fill half of the row
};

// An Error where a row has no room for a question, or the vocabulary none for its tokens. `said` stands in front of it.
Result<void> check(const Task& task, const std::string& said = "the task");
Result<TaskKind> task_named(const std::string& text, const std::string& said);

int64_t row_tokens(const Task& task);  // of a row

// `rows` rows of this seed and place (of a step, say); the task is sound.
Batch make_batch(const Task& task, int64_t rows, uint64_t seed, uint64_t place);

// How many of the asked tokens are these (`chosen`, one for each token of the batch), and in how many rows all of them.
struct Answers {
    int64_t right = 0, asked = 0;
    int64_t whole = 0, rows = 0;
    double share() const { return asked > 0 ? static_cast<double>(right) / static_cast<double>(asked) : 0; }
};
Answers answers(const Batch& batch, std::span<const int32_t> chosen);

}  // namespace klp
