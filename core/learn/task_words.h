// The words of a made task, so that a model that learned one can be read and asked: a character an id. Those that steer are |, + and -, stacks are digits, and
// items are letters; of mqar keys are small letters and values capitals, where there are enough of them.
//
//   palindrome, copy   abc|cba, abc|abc        mqar   aXbY|bYaX        stack   +0a+1b-0a
#pragma once

#include <string>

#include "core/learn/run_folder.h"
#include "core/learn/tasks.h"

namespace klp {

// A character of UTF-8, "" beyond the task's vocabulary. Different ids have different ones.
std::string task_word(const Task& task, int32_t id);
// Tokens in a row, as they are written.
std::string task_words(const Task& task, std::span<const int32_t> ids);

// What stands beside the weights of a model with `vocabulary` rows of embeddings: a tokenizer of these words (whatever else is written has ids that the model
// refuses, so a talk with it is a row and nothing else: ChatForm, "of made tasks"), and how it answers: the likeliest token, as many as an answer has.
NamedTexts task_files(const Task& task, int vocabulary);

// A row that nobody learned from, up to where its first answer is asked for.
std::string task_question(const Task& task, uint64_t seed);

}  // namespace klp
