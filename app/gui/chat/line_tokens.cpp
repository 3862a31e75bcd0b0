#include "app/gui/chat/line_tokens.h"

#include <algorithm>
#include <optional>

#include "core/text/thoughts.h"
#include "core/text/tool_calls.h"

namespace klp::gui {

void LineTokens::set_tokenizer(std::shared_ptr<const Tokenizer> tokenizer) {
    tokenizer_ = std::move(tokenizer);
    sound_.clear(), counted_.clear();
}

// Ids of another model, or of a text that was changed, are not sent: the engine encodes the text instead.
bool LineTokens::sound(const Chat& chat, const ChatMessage& m) const {
    if (!tokenizer_) return true;
    auto& [size, ok] = sound_[{&chat, m.id}];
    if (size != m.ids.size() || size == 0) {
        const ReadAnswer read = read_answer(*tokenizer_, m.ids, m.text);
        ok = has_all(*tokenizer_, m.ids) && read.text == m.text && read.calls == m.calls, size = m.ids.size();
    }
    return ok;
}

int64_t LineTokens::of_text(const std::string& message) const {
    if (!tokenizer_) return -1;
    const auto ids = encode_message(*tokenizer_, {.role = "user", .content = message});
    return ids ? static_cast<int64_t>(ids->size()) : -1;
}

int64_t LineTokens::of_message(const Chat& chat, int id) const {
    if (!tokenizer_) return -1;
    const ChatMessage& m = chat.message(id);
    if (m.role == "assistant") {
        const auto marker = answer_opening(*tokenizer_, m.text);
        const int64_t opening = marker ? static_cast<int64_t>(marker->size()) : 0;
        if (sound(chat, m)) return opening + static_cast<int64_t>(m.ids.size()) + 1;
        auto [at, is_new] = counted_.try_emplace({&chat, id}, 0);
        if (is_new) {
            const auto ids = encode_message(*tokenizer_, {.role = m.role, .content = m.text, .tool_calls = m.calls});
            at->second = ids ? static_cast<int64_t>(ids->size()) : 0;
        }
        return at->second;
    }
    auto [at, is_new] = counted_.try_emplace({&chat, id}, 0);
    if (is_new) {
        const auto ids = encode_message(*tokenizer_, {.role = m.role, .content = m.text, .tool_call_id = m.call_id});
        at->second = ids ? static_cast<int64_t>(ids->size()) : 0;
    }
    return at->second;
}

int64_t LineTokens::of_front(const Chat& chat, const std::string& system) const {
    const auto ids = encode_front(*tokenizer_, chat.info().tools, system);
    return ids ? static_cast<int64_t>(ids->size()) : 0;
}

int64_t LineTokens::of_front(const Chat& chat) const { return tokenizer_ ? of_front(chat, chat.info().system) : -1; }

int64_t LineTokens::of_told(const Chat& chat, const Chat::Told& told) const {
    int64_t n = of_front(chat, told.system);
    for (int id : told.ids) n += of_message(chat, id) - (n == 0 ? tokens_between(*tokenizer_) : 0);
    const auto marker = generation_prompt(*tokenizer_);
    return n + (marker ? static_cast<int64_t>(marker->size()) : 0);
}

int64_t LineTokens::of_opening() const {
    if (!tokenizer_) return 0;
    const auto marker = generation_prompt(*tokenizer_);
    return marker ? static_cast<int64_t>(marker->size()) : 0;
}

int64_t LineTokens::of_line(const Chat& chat) const {
    return tokenizer_ && generation_prompt(*tokenizer_) ? of_told(chat, chat.told(chat.tip())) : -1;  // a server's writes no turns
}

std::vector<std::pair<int, int64_t>> LineTokens::positions(const Chat& chat) const {
    std::vector<std::pair<int, int64_t>> all;
    if (!tokenizer_) return all;
    const Chat::Told told = chat.told(chat.tip());
    int64_t at = of_front(chat, told.system);
    for (int id : told.ids) all.emplace_back(id, at), at += of_message(chat, id) - (at == 0 ? tokens_between(*tokenizer_) : 0);
    return all;
}

int64_t LineTokens::first_position(const Chat& chat, int id) const {
    const std::vector<int> line = chat.line();
    Chat::Told told = chat.told(chat.tip());
    const auto here = std::find(told.ids.begin(), told.ids.end(), id);
    if (here == told.ids.end() && std::find(line.begin(), line.end(), id) != line.end()) return -1;  // summed up: not in the sequence any more
    if (const auto at = first_.find({&chat, id}); at != first_.end()) return at->second;
    if (!tokenizer_ || !generation_prompt(*tokenizer_) || chat.message(id).role != "assistant") return -1;
    if (here == told.ids.end()) return of_told(chat, chat.told(chat.message(id).parent));  // of another branch
    told.ids.erase(here, told.ids.end());
    return of_told(chat, told);
}

LineTokens::Place LineTokens::place_of(const Chat& chat, int64_t position) const {
    for (int id : chat.told(chat.tip()).ids) {
        const ChatMessage& m = chat.message(id);
        if (m.role != "assistant") continue;
        const int64_t first = first_position(chat, id);
        if (first < 0 || position < first || position > first + static_cast<int64_t>(m.ids.size())) continue;
        // The engine may stand on another line.
        const int64_t token = position - first, last = std::min(token, static_cast<int64_t>(m.ids.size()) - 1);
        if (last >= 0 && (first + last >= trace_.size() || trace_.row(first + last).id != m.ids[static_cast<size_t>(last)])) return {};
        return {id, token};
    }
    return {};
}

std::vector<int64_t> LineTokens::offsets(const Chat& chat, int id) const {
    const ChatMessage& m = chat.message(id);
    std::vector<int64_t> offsets{0};
    const int64_t first = first_position(chat, id);
    std::optional<AnswerReader> reader;
    if (tokenizer_ && generation_prompt(*tokenizer_)) reader.emplace(*tokenizer_, m.text.starts_with(kThinkBegin));  // a server's words are none of it
    for (size_t i = 0; i < m.ids.size(); ++i) {
        int64_t size = 0;
        if (reader) {
            size = reader->shown(m.ids[i]);
            reader->push(m.ids[i]);
        } else {
            const int64_t at = first + static_cast<int64_t>(i);
            if (first < 0 || at >= trace_.size()) return {};
            size = static_cast<int64_t>(trace_.row(at).text.size());
        }
        offsets.push_back(offsets.back() + size);
    }
    if (offsets.back() > static_cast<int64_t>(m.text.size())) return {};  // bytes that are no characters were replaced
    return offsets;
}

}  // namespace klp::gui
