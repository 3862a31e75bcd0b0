// What a model recalls over distance, on chats it was never trained on. Every answer is made greedily by the engine, token by token.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/model/interventions.h"
#include "core/model/model.h"
#include "core/text/chat_template.h"

namespace klp {

struct RecallTask {
    std::string name;
    int size = 0;      // pairs or items; 0: there is nothing to count
    bool far = false;  // asked at every distance, with other talk between
    std::vector<Message> before;
    std::vector<std::pair<std::string, std::string>> ask;  // question, what the answer must hold
};
// Chats and texts that a model was never trained on.
struct RecallData {
    std::vector<RecallTask> tasks;
    std::vector<std::vector<Message>> talk, chats;
    std::vector<std::string> text, stories;
};

// tasks.jsonl, talk.jsonl, text.jsonl, stories.jsonl, chats.jsonl; an Error names file and line.
Result<RecallData> read_recall(const std::filesystem::path& folder);

// Where a text says these words, in any case, not as parts of longer ones; ascending. None where there are no words.
std::vector<size_t> places_of(const std::string& text, const std::string& words);
// Whether an answer says them.
bool holds(const std::string& answer, const std::string& words);

// Other talk behind a fact, in front of the question about it: exchanges of RecallData::talk, from another place on for each `turn`, so that not every task meets
// the same.
class OtherTalk {
public:
    OtherTalk(const Tokenizer& tokenizer, const RecallData& data, size_t turn) : tokenizer_(tokenizer), data_(data), next_(turn * 17) {}
    // At least so many tokens, and hardly more as long as there are exchanges that short.
    Result<std::vector<int32_t>> more(int64_t tokens);

private:
    const Tokenizer& tokenizer_;
    const RecallData& data_;
    size_t next_, passed_ = 0;  // exchanges in a row that were too long
};
// The message that hides a needle's fact, so many tokens of text behind it.
std::string hiding_text(const Tokenizer& tokenizer, const RecallData& data, const RecallTask& task, size_t turn, int64_t distance);
// All that is said before a task's questions, as tokens: its facts, and so many tokens behind them.
Result<std::vector<int32_t>> told(const Tokenizer& tokenizer, const RecallData& data, const RecallTask& task, size_t turn, int64_t distance);

struct Score {
    int right = 0, asked = 0;
    double share() const { return asked ? double(right) / asked : NAN; }
};
struct Perplexity {
    double nats = 0;
    int64_t tokens = 0;
    double value() const { return tokens ? std::exp(nats / double(tokens)) : NAN; }
};
struct Recall {
    std::map<std::pair<std::string, int64_t>, Score> far;    // task, distance in tokens
    std::map<std::pair<std::string, int64_t>, Score> sizes;  // task, pairs or items
    Perplexity stories, chats;
};

struct RecallOptions {
    int items = 20;                  // of each task and size, at most
    std::vector<int64_t> distances;  // tokens between fact and question, ascending
    int64_t rows = 0;                // of a cache that rolls; 0: one that keeps everything
    InterventionsPtr hands = {};     // under which everything is fed; by position in each chat
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(int64_t done, int64_t total)> on_progress;
};
Result<Recall> measure_recall(std::shared_ptr<const Model> model, const Tokenizer& tokenizer, const RecallData& data, const RecallOptions& options);

}  // namespace klp
