#include "core/learn/task_words.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/text/chat_form.h"
#include "core/text/vocabulary.h"

namespace klp {

namespace {

void append_utf8(std::string& out, uint32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | c >> 6), out += static_cast<char>(0x80 | (c & 63));
    } else {
        out += static_cast<char>(0xE0 | c >> 12), out += static_cast<char>(0x80 | (c >> 6 & 63)), out += static_cast<char>(0x80 | (c & 63));
    }
}

struct Letters {
    uint32_t first, count;
};
constexpr Letters kSmall{'a', 26}, kCapital{'A', 26}, kGreek{0x3B1, 17}, kCyrillic{0x430, 32}, kCapitalGreek{0x391, 17}, kCapitalCyrillic{0x410, 32};
constexpr Letters kHangul{0xAC00, 11172};  // as many as are ever asked for
constexpr std::array kAllLetters = {kSmall, kCapital, kGreek, kCyrillic, kCapitalGreek, kCapitalCyrillic, kHangul};
constexpr std::array kKeys = {kSmall, kGreek, kCyrillic}, kValues = {kCapital, kCapitalGreek, kCapitalCyrillic};

template <size_t N>
std::string letter(const std::array<Letters, N>& of, int64_t n) {
    std::string out;
    for (const Letters& letters : of) {
        if (n < letters.count) {
            append_utf8(out, letters.first + static_cast<uint32_t>(n));
            break;
        }
        n -= letters.count;
    }
    return out;
}

}  // namespace

std::string task_word(const Task& task, int32_t id) {
    if (id < 0 || id >= task.vocabulary) return "";
    const bool stack = task.kind == TaskKind::stack;
    if (!stack && id == 0) return "|";
    if (stack && id < 2) return id == 0 ? "+" : "-";
    if (stack && id < 2 + task.items) {
        if (task.items <= 10) return std::string(1, static_cast<char>('0' + id - 2));
        return letter(kAllLetters, id - 2);  // then letters are stacks first
    }
    const int64_t n = id - 1 - (stack ? 1 + (task.items <= 10 ? task.items : 0) : 0), items = task.vocabulary - 1, keys = items / 2;
    constexpr int64_t kMost = 26 + 17 + 32;
    if (task.kind == TaskKind::mqar && items - keys <= kMost) return n < keys ? letter(kKeys, n) : letter(kValues, n - keys);
    return letter(kAllLetters, n);
}

std::string task_words(const Task& task, std::span<const int32_t> ids) {
    std::string out;
    for (const int32_t id : ids) out += task_word(task, id);
    return out;
}

NamedTexts task_files(const Task& task, int vocabulary) {
    std::vector<std::string> tokens;
    std::set<std::string> known;
    size_t bytes = 0;
    const auto add = [&](const std::string& token) {
        if (known.insert(token).second) tokens.push_back(token), bytes += token.size();
    };
    for (int32_t id = 0; id < task.vocabulary; ++id) add(task_word(task, id));
    if (known.contains("") || static_cast<int>(tokens.size()) < task.vocabulary) return {};  // more than there are letters
    // Rows of the embedding that no word of the task has: characters that nobody types.
    for (int32_t id = task.vocabulary; id < vocabulary; ++id) add("\x01" + std::to_string(id));
    for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));  // what is typed beside the words
    for (int32_t id = 0; id < task.vocabulary; ++id)                                      // two bytes of three, which merge on the way
        if (const std::string word = task_word(task, id); word.size() == 3) add(word.substr(0, 2));
    TokenizerFiles files;
    files.vocabulary.reserve(tokens.size(), bytes);
    for (size_t id = 0; id < tokens.size(); ++id) {
        const size_t start = files.vocabulary.arena().size();
        files.vocabulary.arena() += tokens[id];
        files.vocabulary.add(static_cast<int32_t>(id), start);
    }
    files.specials.emplace(kTaskMark, static_cast<int32_t>(tokens.size()));
    auto texts = tokenizer_files(files, "the task's words");
    if (!texts) return {};
    const int64_t answer = task.kind == TaskKind::palindrome || task.kind == TaskKind::copy ? task.length / 2 : 1;
    const nlohmann::ordered_json generation = {{"do_sample", false}, {"max_new_tokens", answer}};
    texts->emplace_back("generation_config.json", generation.dump(2) + "\n");
    return std::move(*texts);
}

std::string task_question(const Task& task, uint64_t seed) {
    const Batch row = make_batch(task, 1, seed, 0);
    const auto asked = std::find_if(row.targets.begin(), row.targets.end(), [](int32_t target) { return target >= 0; });
    return task_words(task, std::span(row.ids).first(static_cast<size_t>(asked - row.targets.begin()) + 1));
}

}  // namespace klp
