// Text and chats as tokens to learn from. Two kinds of files:
//
//   .txt     documents: between lines that are <|endoftext|>, where there are such; else between two or more empty lines. Everything is learned
//   .jsonl   a chat a line, {"messages": [{"role": "user", "content": "Hello"}, ...]}, written as the tokenizer's chat template writes it. What the assistant says
//            is learned, and the end of its turn; not so a message with "learn": false, and everything in a line with "loss": "all".
//            Or ids: {"ids": [5, 3, 8], "learn": [[1, 3]]}, where "learn" lists stretches [from, to); without it everything is learned
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/files/config.h"
#include "core/text/tokenizer.h"

namespace klp {

// A file's documents.
struct Source {
    std::string name;  // of the file without its ending: what plans call it
    std::string file;  // for messages
    bool text = false;
    std::vector<int32_t> tokens;  // of all documents, one behind the other; ~id: it is not learned
    struct Document {
        int64_t first = 0, size = 0;
    };
    std::vector<Document> documents, held_out;
    int64_t empty = 0;  // in which nothing is learned; they are left out
};

struct Data {
    std::vector<Source> sources;
    uint64_t identity = 0;   // of all documents and which are held out
    int64_t tokens() const;  // that are not held out
};

struct DataOptions {
    int64_t hold_out = 20;  // of so many documents one is never learned from, chosen by its text alone; 0: all are learned
    int threads = 0;        // 0: all cores; what is read does not depend on it
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(int64_t done, int64_t total)> progress;  // bytes; may be empty
};

// An Error names file and line: a torn line, an id that the model has no row for, a file in which nothing is learned, two files of one name.
Result<Data> read_data(const std::vector<std::filesystem::path>& files, const Tokenizer& tokenizer, const ModelConfig& config, const DataOptions& options = {});

}  // namespace klp
