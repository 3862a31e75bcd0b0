#include "core/learn/data.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <system_error>

#include "core/files/json.h"
#include "core/learn/dice.h"
#include "core/text/chat_form.h"
#include "kernels/cpu/pool.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kFileLimit = int64_t{1} << 36;

// A document or a line of a file, before it is read.
struct Unread {
    std::string_view text;
    int64_t line = 1;
};

std::string_view line_at(std::string_view text, size_t at) {
    std::string_view line = text.substr(at, text.find('\n', at) - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

// Lines, but empty ones.
std::vector<Unread> lines_of(std::string_view text) {
    std::vector<Unread> parts;
    int64_t number = 1;
    for (size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size()) + 1, ++number)
        if (const auto line = trimmed(line_at(text, at)); !line.empty()) parts.push_back({line, number});
    return parts;
}

std::vector<Unread> documents_of(std::string_view text) {
    constexpr std::string_view kBetween = "<|endoftext|>";
    bool marked = false;
    for (size_t at = text.find(kBetween); at != text.npos && !marked; at = text.find(kBetween, at + 1))
        marked = (at == 0 || text[at - 1] == '\n') && line_at(text, at) == kBetween;
    std::vector<Unread> parts;
    size_t begin = 0, blank = 0;  // lines of nothing before this one
    int64_t number = 1, first = 1;
    const auto end_at = [&](size_t end) {
        const std::string_view all = text.substr(begin, end - begin), document = trimmed(all);
        if (!document.empty()) parts.push_back({document, first + std::count(all.begin(), all.begin() + (document.data() - all.data()), '\n')});
    };
    for (size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size()) + 1, ++number) {
        const std::string_view line = line_at(text, at);
        if (marked ? line == kBetween : blank >= 2 && !trimmed(line).empty()) {
            end_at(at);
            begin = marked ? std::min(text.find('\n', at), text.size() - 1) + 1 : at;
            first = marked ? number + 1 : number;
        }
        blank = trimmed(line).empty() ? blank + 1 : 0;
    }
    end_at(text.size());
    return parts;
}

// What a line or a document comes to.
class Encoder {
public:
    Encoder(const Tokenizer& tokenizer, const ModelConfig& config) : tokenizer_(tokenizer), config_(config) {
        if (config.bos_token_id >= 0) begin_ = config.bos_token_id;
        end_ = tokenizer.special("[EOS]");
        if (!end_ && !config.eos_token_ids.empty()) end_ = config.eos_token_ids.front();
    }

    // [BOS] text [EOS], where the vocabulary has them, so that its first token is learned, too, and that it ends.
    Result<void> document(std::string_view text, const std::string& where, std::vector<int32_t>& out) const {
        if (begin_) out.push_back(~*begin_);
        const std::vector<int32_t> ids = tokenizer_.encode(text);
        out.insert(out.end(), ids.begin(), ids.end());
        if (end_) out.push_back(*end_);
        return in_vocabulary(ids, where);
    }

    Result<void> line(std::string_view text, const std::string& where, std::vector<int32_t>& out) const {
        bool all = false;
        std::vector<std::optional<bool>> learn;
        if (text.find("\"ids\"") != text.npos || text.find("\"learn\"") != text.npos || text.find("\"loss\"") != text.npos) {  // most lines have none of these
            const auto json = parse_json(text, where);
            if (!json) return fail(Error::failure, json.error().message);
            if (json->is_object() && json->contains("ids")) return given(*json, where, out);
            if (auto read = wishes(*json, where, all, learn); !read) return read;
        }
        const auto chat = parse_chat(std::string(text), where);
        if (!chat) return tl::unexpected(chat.error());
        return messages(*chat, all, learn, where, out);
    }

private:
    Result<void> wishes(const nlohmann::json& json, const std::string& where, bool& all, std::vector<std::optional<bool>>& learn) const {
        const auto wrong = [&](const std::string& what) { return fail(Error::failure, where + ": " + what); };
        if (!json.is_object()) return {};  // parse_chat says it
        if (const auto loss = json.find("loss"); loss != json.end()) {
            if (*loss != "all" && *loss != "assistant") return wrong("loss is neither \"all\" nor \"assistant\"");
            all = *loss == "all";
        }
        const auto messages = json.find("messages");
        if (messages == json.end() || !messages->is_array()) return {};
        for (const auto& message : *messages) {
            learn.emplace_back();
            if (!message.is_object() || !message.contains("learn")) continue;
            if (!message["learn"].is_boolean()) return wrong("messages[" + std::to_string(learn.size() - 1) + "].learn is neither true nor false");
            learn.back() = message["learn"].get<bool>();
        }
        return {};
    }

    Result<void> messages(const ChatPrompt& chat, bool all, const std::vector<std::optional<bool>>& learn, const std::string& where,
                          std::vector<int32_t>& out) const {
        const auto in_line = [&](const Error& error) { return fail(error.kind, where + ": " + error.message); };
        const size_t before = out.size();
        const auto tools = tool_declaration(chat.tools_json, where + ": tools");
        if (!tools) return tl::unexpected(tools.error());
        const bool system = !chat.messages.empty() && chat.messages[0].role == "system" && chat.messages[0].name.empty() && chat.messages[0].images.empty() &&
                            !chat.messages[0].content.empty();
        const auto front = encode_front(tokenizer_, *tools, system ? chat.messages[0].content : "");
        if (!front) return in_line(front.error());
        for (const int32_t id : *front) out.push_back(all ? id : ~id);
        for (size_t i = system; i < chat.messages.size(); ++i) {
            const Message& message = chat.messages[i];
            const auto ids = encode_message(tokenizer_, message, i == 0 && front->empty());
            if (!ids) return in_line(ids.error());
            const bool answer = message.role == "assistant", learned = all || (i < learn.size() && learn[i] ? *learn[i] : answer);
            size_t opening = 0;  // of an answer what the program writes
            if (answer && !all) {
                const auto opened = answer_opening(tokenizer_, message.content);
                if (!opened) return in_line(opened.error());
                while (opening < std::min(ids->size(), opened->size()) && (*ids)[opening] == (*opened)[opening]) ++opening;
            }
            for (size_t k = 0; k < ids->size(); ++k) out.push_back(learned && k >= opening ? (*ids)[k] : ~(*ids)[k]);
        }
        return in_vocabulary(std::span(out).subspan(before), where);
    }

    Result<void> given(const nlohmann::json& json, const std::string& where, std::vector<int32_t>& out) const {
        const auto wrong = [&](const std::string& what) { return fail(Error::failure, where + ": " + what); };
        const auto& ids = json["ids"];
        if (!ids.is_array()) return wrong("ids is not a list");
        const size_t before = out.size();
        for (size_t i = 0; i < ids.size(); ++i) {
            if (!ids[i].is_number_integer() || ids[i] < 0 || ids[i] >= config_.vocab_size)
                return wrong("ids[" + std::to_string(i) + "] is " + ids[i].dump() + ", and the model has rows for 0 to " +
                             std::to_string(config_.vocab_size - 1));
            out.push_back(ids[i].get<int32_t>());
        }
        const auto learn = json.find("learn");
        if (learn == json.end()) return {};
        if (!learn->is_array()) return wrong("learn is not a list of stretches");
        for (size_t i = before; i < out.size(); ++i) out[i] = ~out[i];
        for (const auto& stretch : *learn) {
            const bool sound = stretch.is_array() && stretch.size() == 2 && stretch[0].is_number_unsigned() && stretch[1].is_number_unsigned() &&
                               stretch[0] <= stretch[1] && stretch[1] <= ids.size();
            if (!sound) return wrong("learn has " + stretch.dump() + ", which is no stretch [from, to] of its " + std::to_string(ids.size()) + " ids");
            for (size_t i = stretch[0]; i < stretch[1]; ++i)
                if (int32_t& id = out[before + i]; id < 0) id = ~id;
        }
        return {};
    }

    Result<void> in_vocabulary(std::span<const int32_t> ids, const std::string& where) const {
        for (const int32_t marked : ids) {
            const int32_t id = marked < 0 ? ~marked : marked;
            if (id >= config_.vocab_size)
                return fail(Error::failure, where + ": " + in_quotes(tokenizer_.bytes(id)) + " is token " + std::to_string(id) +
                                                " of the tokenizer, and the model has rows for 0 to " + std::to_string(config_.vocab_size - 1));
        }
        return {};
    }

    const Tokenizer& tokenizer_;
    const ModelConfig& config_;
    std::optional<int32_t> begin_, end_;
};

Result<Source> begun(const fs::path& file) {
    Source source{.name = file.stem().string(), .file = file.string(), .text = file.extension() == ".txt"};
    for (const auto& [ending, program] : {std::pair(".xz", "unxz"), std::pair(".gz", "gunzip"), std::pair(".zst", "unzstd"), std::pair(".bz2", "bunzip2")})
        if (file.extension() == ending) return fail(Error::usage, source.file + " is compressed: " + program + " it first");
    if (!source.text && file.extension() != ".jsonl")
        return fail(Error::usage, source.file + " ends neither in .txt (documents) nor in .jsonl (a chat a line)");
    return source;
}

// All of a file, by all threads: in pieces that each thread takes as it comes, put together in their order.
Result<void> encode_parts(const std::vector<Unread>& parts, const Encoder& encoder, Pool& pool, const DataOptions& options, int64_t read, int64_t total,
                          Source& source) {
    constexpr int64_t kPiece = 64;
    struct Piece {
        std::vector<int32_t> tokens;
        std::vector<int64_t> sizes;
        std::optional<Error> error;
    };
    std::vector<Piece> pieces(parts.size() / kPiece + 1);
    std::atomic<int64_t> done = read;
    std::atomic<int64_t> wrong = INT64_MAX;  // the first part that is, of those that were looked at
    pool.run(static_cast<int64_t>(parts.size()), kPiece, 0, [&](int thread, int64_t first, int64_t last) {
        Piece& piece = pieces[static_cast<size_t>(first / kPiece)];
        for (int64_t i = first; i < last && i < wrong && !(options.cancel && *options.cancel); ++i) {
            const Unread& part = parts[static_cast<size_t>(i)];
            const std::string where = source.file + ":" + std::to_string(part.line);
            const size_t before = piece.tokens.size();
            const auto made = source.text ? encoder.document(part.text, where, piece.tokens) : encoder.line(part.text, where, piece.tokens);
            if (!made) {
                piece.error = made.error();
                for (int64_t before_it = wrong; i < before_it && !wrong.compare_exchange_weak(before_it, i);) continue;
            }
            piece.sizes.push_back(static_cast<int64_t>(piece.tokens.size() - before));
            done += static_cast<int64_t>(part.text.size());
        }
        if (thread == 0 && options.progress) options.progress(done, total);
    });
    if (options.cancel && *options.cancel) return fail(Error::interrupted, "interrupted while " + source.file + " was read; nothing was written");
    size_t tokens = 0, at = 0;
    for (const Piece& piece : pieces) {
        if (piece.error) return tl::unexpected(*piece.error);
        tokens += piece.tokens.size();
    }
    source.tokens.reserve(tokens);
    for (Piece& piece : pieces) {
        auto first = static_cast<int64_t>(source.tokens.size());
        source.tokens.insert(source.tokens.end(), piece.tokens.begin(), piece.tokens.end());
        piece.tokens = {};
        for (const int64_t size : piece.sizes) {
            const Source::Document document{first, size};
            const auto learned = std::span(source.tokens).subspan(static_cast<size_t>(first), static_cast<size_t>(size));
            const bool held = options.hold_out > 0 && mix(hash_of(parts[at++].text)) % static_cast<uint64_t>(options.hold_out) == 0;
            first += size;
            if (size < 2 || std::none_of(learned.begin() + 1, learned.end(), [](int32_t id) { return id >= 0; }))
                ++source.empty;
            else
                (held ? source.held_out : source.documents).push_back(document);
        }
    }
    return {};
}

}  // namespace

int64_t Data::tokens() const {
    int64_t n = 0;
    for (const Source& source : sources)
        for (const Source::Document& document : source.documents) n += document.size - 1;
    return n;
}

Result<Data> read_data(const std::vector<fs::path>& files, const Tokenizer& tokenizer, const ModelConfig& config, const DataOptions& options) {
    Data data;
    std::map<std::string, std::string> known;
    int64_t total = 0, read = 0;
    for (const fs::path& file : files) {
        auto source = begun(file);
        if (!source) return tl::unexpected(source.error());
        const auto [at, fresh] = known.emplace(source->name, source->file);
        if (!fresh) return fail(Error::usage, at->second + " and " + source->file + " have one name, by which a plan calls them: give one of them another");
        std::error_code none;
        if (const auto size = fs::file_size(file, none); !none) total += static_cast<int64_t>(size);
        data.sources.push_back(std::move(*source));
    }
    const Encoder encoder(tokenizer, config);
    Pool pool(options.threads);
    data.identity = hash_of("hold out 1 of " + std::to_string(options.hold_out));
    for (Source& source : data.sources) {
        const auto text = read_text(source.file, kFileLimit);
        if (!text) return fail(Error::failure, text.error().message);
        if (auto made = encode_parts(source.text ? documents_of(*text) : lines_of(*text), encoder, pool, options, read, total, source); !made)
            return tl::unexpected(made.error());
        read += static_cast<int64_t>(text->size());
        if (source.documents.empty() && source.held_out.empty())
            return fail(Error::failure, source.file + (source.empty > 0 ? " has nothing to learn: no assistant says anything in it" : " is empty"));
        if (source.documents.empty())
            return fail(Error::failure,
                        source.file + ": all of its documents (" + std::to_string(source.held_out.size()) + ") are held out; --hold-out 0 learns from all");
        data.identity = hash_of(source.name, data.identity);
        data.identity = hash_of({reinterpret_cast<const char*>(source.tokens.data()), source.tokens.size() * sizeof(int32_t)}, data.identity);
        for (const Source::Document& document : source.documents) data.identity = mix(data.identity ^ static_cast<uint64_t>(document.first));
    }
    return data;
}

}  // namespace klp
