// The questions and answers of a run on stdout, as their events come.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/format.h"
#include "app/terminal.h"
#include "core/runs/run.h"
#include "core/text/tool_calls.h"

namespace klp {

class RunTalk {
public:
    RunTalk(const Terminal& terminal, const RunCard& card, bool questions);
    void take(const Event& event, bool stats);  // stats: speed on stderr, behind each answer
    void end_line();

private:
    void show_calls();
    void show(const std::string& text);
    const Terminal& terminal_;
    bool questions_, any_ = false, open_ = false, told_hands_ = false;
    int64_t dropped_ = 0;
    WordWrap wrap_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::optional<AnswerReader> reader_;
    size_t calls_ = 0;  // shown
};

}  // namespace klp
