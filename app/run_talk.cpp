#include "app/run_talk.h"

#include <utility>

#include "core/model/generate.h"

namespace klp {

RunTalk::RunTalk(const Terminal& terminal, const RunCard& card, bool questions)
    : terminal_(terminal), questions_(questions), wrap_(terminal.canvas.width), tokenizer_(card.tokenizer) {}

void RunTalk::take(const Event& event, bool stats) {
    if (const auto* begun = std::get_if<AnswerBegun>(&event)) {
        if (questions_ && !begun->line.empty()) show((any_ ? "\n> " : "> ") + begun->line.back().text + "\n");
        if (begun->hands && !std::exchange(told_hands_, true))
            for (const Intervention& one : *begun->hands) note("under hands: " + in_words(one));
        any_ = true, reader_.emplace(*tokenizer_), calls_ = 0;
    } else if (const auto* made = std::get_if<TokenMade>(&event); made && reader_) {
        show(reader_->push(made->id, made->text));
        show_calls();
    } else if (const auto* done = std::get_if<AnswerDone>(&event)) {
        end_line();
        if (!stats) return;
        note(plural(done->tokens, "token") + ", " + short_number(tokens_per_second(done->tokens, done->decode_ns)) + " tokens/s, first token after " +
             duration_text(double(done->first_token_ns)) + ", prompt " + plural(done->prompt_tokens, "token") +
             (done->end == Generation::End::stop_token ? "" : "; stopped: " + std::string(name(done->end))) + ", seed " + std::to_string(done->seed) +
             (dropped_ > 0 ? "; the oldest " + plural(dropped_, "token") + " dropped" : ""));
    } else if (const auto* rolled = std::get_if<CacheRolled>(&event)) {
        dropped_ = rolled->dropped;
    }
}

void RunTalk::end_line() {
    if (reader_) show(reader_->finish());
    show_calls();
    reader_.reset();
    put(wrap_.finish());
    if (open_) put("\n");
    open_ = false;
}

void RunTalk::show_calls() {
    for (; reader_ && calls_ < reader_->calls().size(); ++calls_) show(call_text(reader_->calls()[calls_]));
}

void RunTalk::show(const std::string& text) {
    if (text.empty()) return;
    put(terminal_.output ? wrap_.push(harmless(text)) : text);
    open_ = text.back() != '\n';
}

}  // namespace klp
