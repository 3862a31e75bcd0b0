// The tokens of what was said: how many a message takes, and where those of an answer stand in the sequence. -1: nobody knows.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/gui/session/trace_store.h"
#include "core/runs/chat.h"
#include "core/text/tokenizer.h"

namespace klp::gui {

class LineTokens {
public:
    // `trace`: the sequence that the engine stands at, which may be another line's.
    explicit LineTokens(const TraceStore& trace) : trace_(trace) {}
    void set_tokenizer(std::shared_ptr<const Tokenizer> tokenizer);  // null: none is loaded
    const Tokenizer* tokenizer() const { return tokenizer_.get(); }
    bool sound(const Chat& chat, const ChatMessage& m) const;  // its ids spell its text

    int64_t of_text(const std::string& text) const;                          // as a message with its frame
    int64_t of_message(const Chat& chat, int id) const;                      // with its frame
    int64_t of_front(const Chat& chat) const;                                // of what stands in front of the talk: tools and system prompt
    int64_t of_opening() const;                                              // of an answer
    int64_t of_line(const Chat& chat) const;                                 // of the branch that is stood at, and of the next answer's opening
    int64_t first_position(const Chat& chat, int id) const;                  // of an answer's first token
    std::vector<std::pair<int, int64_t>> positions(const Chat& chat) const;  // of the messages told to the model, where each begins; empty where nobody knows
    void came(const Chat& chat, int id, int64_t position) { first_[{&chat, id}] = position; }  // it began there
    void forget_positions() { first_.clear(); }
    void forget_positions(const Chat* of) {
        std::erase_if(first_, [of](const auto& one) { return one.first.first == of; });
    }
    // Where an answer's tokens stand in the sequence. `id` 0: not a token of an answer on this line.
    struct Place {
        int id = 0;
        int64_t token = 0;
    };
    Place place_of(const Chat& chat, int64_t position) const;
    // Bytes of the answer's text before each of its tokens, and all; empty where nobody knows.
    std::vector<int64_t> offsets(const Chat& chat, int id) const;

private:
    int64_t of_front(const Chat& chat, const std::string& system) const;
    int64_t of_told(const Chat& chat, const Chat::Told& told) const;  // and of an answer's opening
    const TraceStore& trace_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    using Key = std::pair<const Chat*, int>;
    mutable std::map<Key, std::pair<size_t, bool>> sound_;  // of an answer with so many ids: do they spell its text
    mutable std::map<Key, int64_t> counted_;                // tokens of a message with its frame
    std::map<Key, int64_t> first_;                          // positions of answers' first tokens, as they came
};

}  // namespace klp::gui
