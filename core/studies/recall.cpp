#include "core/studies/recall.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/files/json.h"
#include "core/model/compare.h"
#include "core/model/generate.h"
#include "core/model/sequence.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

// Files of one JSON value a line, read into whatever `take` makes of them; the error names file and line.
Result<void> read_lines(const fs::path& file, const std::function<void(const nlohmann::json&)>& take) {
    constexpr int64_t kLimit = 1 << 26;
    auto text = read_text(file, kLimit);
    if (!text) return fail(Error::failure, text.error().message);
    int number = 0;
    for (size_t at = 0; at < text->size();) {
        const size_t end = std::min(text->find('\n', at), text->size());
        const std::string where = file.string() + ":" + std::to_string(++number);
        const auto line = std::string_view(*text).substr(at, end - at);
        at = end + 1;
        if (line.empty()) continue;
        auto json = parse_json(line, where);
        if (!json) return fail(Error::failure, json.error().message);
        try {
            take(*json);
        } catch (const nlohmann::json::exception&) {
            return fail(Error::failure, where + " is not what klp eval reads there");
        }
    }
    return {};
}

Message message(const std::string& role, const std::string& content) { return {.role = role, .content = content}; }

}  // namespace

Result<RecallData> read_recall(const fs::path& folder) {
    RecallData data;
    auto read = read_lines(folder / "tasks.jsonl", [&](const nlohmann::json& j) {
        RecallTask t{j.at("task"), j.value("size", 0), j.at("far"), {}, {}};
        for (const auto& m : j.at("before")) t.before.push_back(message(m.at("role"), m.at("content")));
        for (const auto& a : j.at("ask")) t.ask.emplace_back(a.at(0), a.at(1));
        if (t.name == "needle") (void)t.before.at(1);
        data.tasks.push_back(std::move(t));
    });
    if (read) read = read_lines(folder / "talk.jsonl", [&](const auto& j) { data.talk.push_back({message("user", j.at(0)), message("assistant", j.at(1))}); });
    if (read) read = read_lines(folder / "text.jsonl", [&](const auto& j) { data.text.push_back(j.template get<std::string>()); });
    if (read) read = read_lines(folder / "stories.jsonl", [&](const auto& j) { data.stories.push_back(j.template get<std::string>()); });
    if (read) {
        read = read_lines(folder / "chats.jsonl", [&](const auto& j) {
            data.chats.emplace_back();
            for (const auto& m : j) data.chats.back().push_back(message(m.at(0), m.at(1)));
        });
    }
    if (!read) return tl::unexpected(read.error());
    if (data.talk.empty() || data.text.empty()) return fail(Error::failure, folder.string() + ": talk.jsonl and text.jsonl must not be empty");
    return data;
}

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

// A talk that begins with these messages.
Result<std::vector<int32_t>> begun(const Tokenizer& tokenizer, std::vector<Message> messages) {
    return encode(tokenizer, {.messages = std::move(messages), .tools_json = "", .add_generation_prompt = false});
}

}  // namespace

std::vector<size_t> places_of(const std::string& text, const std::string& words) {
    const std::string said = lower(text), part = lower(words);
    const auto inside = [&](size_t i) { return i < said.size() && std::isalnum(static_cast<unsigned char>(said[i])); };
    std::vector<size_t> places;
    for (size_t at = part.empty() ? said.npos : said.find(part); at != said.npos; at = said.find(part, at + 1))
        if ((at == 0 || !inside(at - 1)) && !inside(at + part.size())) places.push_back(at);
    return places;
}

bool holds(const std::string& answer, const std::string& words) { return !places_of(answer, words).empty(); }

Result<std::vector<int32_t>> OtherTalk::more(int64_t tokens) {
    std::vector<int32_t> out;
    while (static_cast<int64_t>(out.size()) < tokens) {
        const auto& exchange = data_.talk[next_++ % data_.talk.size()];
        std::vector<int32_t> ids;
        for (const Message& m : exchange) {
            auto more = encode_message(tokenizer_, m);
            if (!more) return tl::unexpected(more.error());
            ids.insert(ids.end(), more->begin(), more->end());
        }
        constexpr int64_t kOver = 48;  // tokens at most that are more than asked for
        const bool fits = static_cast<int64_t>(out.size() + ids.size()) <= tokens + kOver;
        if (!fits && ++passed_ < data_.talk.size()) continue;
        passed_ = 0;
        out.insert(out.end(), ids.begin(), ids.end());
    }
    return out;
}

std::string hiding_text(const Tokenizer& tokenizer, const RecallData& data, const RecallTask& task, size_t turn, int64_t distance) {
    size_t next = turn * 37;
    const auto sentence = [&] { return data.text[next++ % data.text.size()]; };
    std::string text = "Here is a long text.";
    for (int i = 0; i < 3; ++i) text += " " + sentence();
    text += " " + task.before[0].content;
    std::string behind;
    for (int64_t tokens = 0; tokens < distance;) {
        behind += " " + sentence();
        tokens = static_cast<int64_t>(behind.size()) * 10 / 37;  // characters of a token, nearly; the exact count at the end
        if (tokens >= distance) tokens = static_cast<int64_t>(tokenizer.encode(behind).size());
    }
    return text + behind;
}

Result<std::vector<int32_t>> told(const Tokenizer& tokenizer, const RecallData& data, const RecallTask& task, size_t turn, int64_t distance) {
    const bool needle = task.name == "needle";
    std::vector<Message> before = task.before;
    if (needle) before[0] = message("user", hiding_text(tokenizer, data, task, turn, distance));
    auto out = begun(tokenizer, before);
    if (needle || !out) return out;
    auto talk = OtherTalk(tokenizer, data, turn).more(distance);
    if (talk) out->insert(out->end(), talk->begin(), talk->end());
    return talk ? std::move(out) : std::move(talk);
}

namespace {

// One model under examination.
class Examinee {
public:
    Examinee(std::shared_ptr<const Model> model, const Tokenizer& tokenizer, const RecallData& data, const RecallOptions& options)
        : model_(std::move(model)),
          tokenizer_(tokenizer),
          data_(data),
          rows_(options.rows),
          hands_(options.hands),
          cancel_(options.cancel),
          ws_(model_->backend()) {}

    Result<void> begin() {
        auto turn = turn_tokens(tokenizer_, model_->config());
        if (!turn) return tl::unexpected(turn.error());
        turn_ = std::move(*turn);
        if (turn_.opening.empty()) return fail(Error::usage, "this model learned a made task and cannot be asked in words");
        Sequence sequence(model_);
        auto fits = sequence.set_rolling(rows_ > 0);
        return fits ? sequence.touch(hands_) : fits;
    }

    // The task at each distance; `turn` says where in the talk to begin, so that not every task meets the same.
    Result<void> examine(const RecallTask& task, size_t turn, const std::vector<int64_t>& distances, Recall& out) {
        if (task.name == "needle") return examine_needle(task, turn, distances, out);
        Sequence sequence = fresh();
        if (auto fed = begin_with(sequence, task.before); !fed) return fed;
        if (task.size) {
            if (auto asked = ask(sequence, task, out.sizes[{task.name, task.size}]); !asked) return asked;
        }
        if (!task.far) return {};
        const int64_t start = sequence.position();
        OtherTalk talk(tokenizer_, data_, turn);
        for (const int64_t distance : distances) {
            auto ids = talk.more(distance - (sequence.position() - start));
            if (!ids) return tl::unexpected(ids.error());
            if (auto fed = sequence.feed(*ids, ws_, cancel_); !fed) return fed;
            if (auto asked = ask(sequence, task, out.far[{task.name, distance}]); !asked) return asked;
        }
        return {};
    }

    Result<void> read(const std::string& story, Perplexity& out) {
        std::vector<int32_t> ids = tokenizer_.encode(story);
        if (const auto bos = tokenizer_.special("[BOS]")) ids.insert(ids.begin(), *bos);
        if (const auto eos = tokenizer_.special("[EOS]")) ids.push_back(*eos);
        return measure(ids, std::vector<bool>(ids.size(), true), out);
    }
    // What the assistant says, given the rest.
    Result<void> read(const std::vector<Message>& chat, Perplexity& out) {
        const size_t said = !chat.empty() && chat[0].role == "system";  // in front of the others
        auto front = begun(tokenizer_, {chat.begin(), chat.begin() + static_cast<int64_t>(said)});
        if (!front) return tl::unexpected(front.error());
        std::vector<int32_t> ids = std::move(*front);
        std::vector<bool> counts(ids.size(), false);
        for (const Message& m : std::span(chat).subspan(said)) {
            auto more = encode_message(tokenizer_, m, ids.empty());
            if (!more) return tl::unexpected(more.error());
            ids.insert(ids.end(), more->begin(), more->end());
            counts.resize(counts.size() + std::min(turn_.opening.size(), more->size()), false);  // <|im_assistant|>assistant<|im_middle|>
            counts.resize(ids.size(), m.role == "assistant");
        }
        return measure(ids, counts, out);
    }

private:
    Sequence fresh() const {
        Sequence sequence(model_, rows_);
        (void)sequence.set_rolling(rows_ > 0);
        (void)sequence.touch(hands_);
        return sequence;
    }

    Result<void> begin_with(Sequence& sequence, std::vector<Message> messages) {
        auto ids = begun(tokenizer_, std::move(messages));
        if (!ids) return tl::unexpected(ids.error());
        return sequence.feed(*ids, ws_, cancel_);
    }

    Result<void> feed(Sequence& sequence, const Message& m) {
        auto ids = encode_message(tokenizer_, m, sequence.position() == 0);
        if (!ids) return tl::unexpected(ids.error());
        return sequence.feed(*ids, ws_, cancel_);
    }

    // Every question on a fork of its own: none knows of the others.
    Result<void> ask(const Sequence& at, const RecallTask& task, Score& score) {
        for (const auto& [question, wanted] : task.ask) {
            Sequence sequence = at.fork();
            if (auto fed = feed(sequence, message("user", question)); !fed) return fed;
            GenerateOptions how;
            how.sampling.temperature = 0;
            how.stop = turn_.stop;
            how.cancel = cancel_;
            how.budget = static_cast<int64_t>(tokenizer_.encode(wanted).size()) + 32;
            auto answer = generate(sequence, turn_.opening, ws_, how);
            if (!answer) return tl::unexpected(answer.error());
            if (answer->end == Generation::End::cancelled) return fail(Error::interrupted, "interrupted");
            score.right += holds(tokenizer_.decode(answer->tokens), wanted);
            ++score.asked;
        }
        return {};
    }

    // One message: a few sentences, the needle, and as much text as the distance says.
    Result<void> examine_needle(const RecallTask& task, size_t turn, const std::vector<int64_t>& distances, Recall& out) {
        for (const int64_t distance : distances) {
            Sequence sequence = fresh();
            const Message hiding = message("user", hiding_text(tokenizer_, data_, task, turn, distance));
            if (auto fed = begin_with(sequence, {hiding, task.before[1]}); !fed) return fed;
            if (auto asked = ask(sequence, task, out.far[{task.name, distance}]); !asked) return asked;
        }
        return {};
    }

    Result<void> measure(const std::vector<int32_t>& ids, const std::vector<bool>& counts, Perplexity& out) {
        Sequence sequence = fresh();
        if (static_cast<int64_t>(ids.size()) > sequence.room())
            return fail(Error::failure,
                        "a text of " + std::to_string(ids.size()) + " tokens does not fit in the context of " + std::to_string(sequence.context()));
        const auto vocabulary = static_cast<size_t>(model_->config().vocab_size);
        for (size_t at = 0, rows = 0; at + 1 < ids.size(); at += rows) {
            if (cancel_ && *cancel_) return fail(Error::interrupted, "interrupted");
            rows = std::min<size_t>({static_cast<size_t>(kPrefillChunk), ids.size() - 1 - at, static_cast<size_t>(sequence.pass_room())});
            const Feed feed{&sequence, std::span(ids).subspan(at, rows)};
            model_->forward({&feed, 1}, ws_, /*all_rows=*/true);
            if (auto numbers = check_logits(ws_.logits, model_->config().vocab_size, static_cast<int64_t>(at) + 1); !numbers) return numbers;
            for (size_t i = 0; i < rows; ++i) {
                if (!counts[at + i + 1]) continue;
                const auto row = std::span(ws_.logits).subspan(i * vocabulary, vocabulary);
                out.nats += log_sum_exp(row) - double{row[static_cast<size_t>(ids[at + i + 1])]};
                ++out.tokens;
            }
        }
        return {};
    }

    std::shared_ptr<const Model> model_;
    const Tokenizer& tokenizer_;
    const RecallData& data_;
    int64_t rows_;
    InterventionsPtr hands_;
    const std::atomic<bool>* cancel_;
    Workspace ws_;
    TurnTokens turn_;
};

}  // namespace

Result<Recall> measure_recall(std::shared_ptr<const Model> model, const Tokenizer& tokenizer, const RecallData& data, const RecallOptions& options) {
    Examinee examinee(std::move(model), tokenizer, data, options);
    Recall out;
    if (auto begun = examinee.begin(); !begun) return tl::unexpected(begun.error());
    std::map<std::pair<std::string, int>, int> taken;
    std::vector<std::pair<const RecallTask*, size_t>> tasks;  // and its number among those of its kind
    for (const RecallTask& task : data.tasks)
        if (const int number = taken[{task.name, task.size}]++; number < options.items) tasks.emplace_back(&task, static_cast<size_t>(number));
    const auto total = static_cast<int64_t>(tasks.size() + data.stories.size() + data.chats.size());
    int64_t at = 0;
    const auto say = [&] {
        if (options.on_progress) options.on_progress(at, total);
        ++at;
    };
    for (const auto& [task, number] : tasks) {
        say();
        if (auto done = examinee.examine(*task, number, options.distances, out); !done) return tl::unexpected(done.error());
    }
    for (const auto& story : data.stories) {
        say();
        if (auto done = examinee.read(story, out.stories); !done) return tl::unexpected(done.error());
    }
    for (const auto& chat : data.chats) {
        say();
        if (auto done = examinee.read(chat, out.chats); !done) return tl::unexpected(done.error());
    }
    return out;
}

}  // namespace klp
