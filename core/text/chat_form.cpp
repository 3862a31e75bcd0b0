#include "core/text/chat_form.h"

#include <algorithm>

namespace klp {

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

Parts& Parts::control(std::string name) {
    all_.push_back({Kind::control, std::move(name)});
    return *this;
}

Parts& Parts::marker(std::string name) {
    all_.push_back({Kind::marker, std::move(name)});
    return *this;
}

Parts& Parts::text(std::string_view text) {
    if (all_.empty() || all_.back().kind != Kind::text) all_.push_back({Kind::text, ""});
    all_.back().text += text;
    return *this;
}

std::string Parts::spelled_out() const {
    std::string out;
    for (const Part& part : all_) out += part.text;
    return out;
}

Result<std::vector<int32_t>> Parts::ids(const Tokenizer& tokenizer) const {
    std::vector<int32_t> ids;
    std::string text;
    const auto end_text = [&] {
        const std::vector<int32_t> more = tokenizer.encode(text);
        ids.insert(ids.end(), more.begin(), more.end());
        text.clear();
    };
    for (const Part& part : all_) {
        const auto id = part.kind == Kind::text ? std::nullopt : tokenizer.special(part.text);
        if (part.kind == Kind::control && !id) return fail(Error::model, "the tokenizer has no token " + part.text + ", which the chat template needs here");
        if (!id) {
            text += part.text;
            continue;
        }
        end_text();
        ids.push_back(*id);
    }
    end_text();
    return ids;
}

namespace {

// --- Kimi -----------------------------------------------------------------------------------------------------------------

void kimi_content(Parts& to, const Message& m) {
    size_t begin = 0;
    for (size_t image : m.images) {
        const size_t at = std::clamp(image, begin, m.content.size());
        to.text(std::string_view(m.content).substr(begin, at - begin));
        to.control("<|media_start|>").text("image").control("<|media_content|>").control("<|media_pad|>").control("<|media_end|>");
        begin = at;
    }
    to.text(std::string_view(m.content).substr(begin));
}

void kimi_message(Parts& to, const Message& m) {
    to.control(m.role == "user" || m.role == "assistant" ? "<|im_" + m.role + "|>" : "<|im_system|>");
    to.text(m.name.empty() ? m.role : m.name).control("<|im_middle|>");
    if (m.role == "tool" && !m.tool_call_id.empty()) to.text(tool_return(m.tool_call_id, ""));
    kimi_content(to, m);
    if (m.role == "assistant" && !m.tool_calls.empty()) {
        to.control("<|tool_calls_section_begin|>");
        for (const ToolCall& call : m.tool_calls)
            to.control("<|tool_call_begin|>").text(call.id).control("<|tool_call_argument_begin|>").text(call.arguments).control("<|tool_call_end|>");
        to.control("<|tool_calls_section_end|>");
    }
    to.control("<|im_end|>");
}

Result<void> kimi_front(Parts& to, const std::string& tools, const std::string& system, bool) {
    if (!tools.empty()) kimi_message(to, {.role = std::string(kToolsRole), .content = tools});
    if (!system.empty()) kimi_message(to, {.role = "system", .content = system});
    return {};
}

void kimi_opening(Parts& to, bool) { to.control("<|im_assistant|>").text("assistant").control("<|im_middle|>"); }
void kimi_answer(Parts& to, std::string_view text) { to.text(text); }

constexpr std::string_view kKimiWords[] = {"<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>"};
constexpr std::string_view kKimiEnds[] = {"<|im_end|>", "[EOS]", "[EOT]"};

// --- Ling 3.0 -------------------------------------------------------------------------------------------------------------
//   <role>SYSTEM</role>Be brief.
//   detailed thinking on<|role_end|><role>HUMAN</role>hi<|role_end|><role>ASSISTANT</role>
//   <think>

Parts& ling_role(Parts& to, const char* role) { return to.marker("<role>").text(role).marker("</role>"); }

Result<void> ling_front(Parts& to, const std::string& tools, const std::string& system, bool thinks) {
    if (!tools.empty()) return fail(Error::failure, "tools are declared to Kimi's models only: how Ling calls them, this program does not read");
    ling_role(to, "SYSTEM").text(system);
    const bool said = system.find("detailed thinking on") != system.npos || system.find("detailed thinking off") != system.npos;
    if (!said) to.text(system.empty() ? "" : "\n").text(thinks ? "detailed thinking on" : "detailed thinking off");
    to.control("<|role_end|>");
    return {};
}

// What was thought, without the newlines at its ends, and what was said.
std::pair<std::string_view, std::string_view> thought_and_said(std::string_view text) {
    const size_t end = text.find(kThinkEnd);
    if (!text.starts_with(kThinkBegin) || end == text.npos) return {"", text};
    std::string_view thought = text.substr(kThinkBegin.size(), end - kThinkBegin.size());
    thought.remove_prefix(std::min(thought.find_first_not_of('\n'), thought.size()));
    thought.remove_suffix(thought.size() - std::min(thought.find_last_not_of('\n') + 1, thought.size()));
    return {thought, text.substr(end + kThinkEnd.size())};
}

void ling_message(Parts& to, const Message& m) {
    if (m.role == "user") {
        ling_role(to, "HUMAN").text(m.content);
    } else if (m.role == "assistant") {
        const auto [thought, said] = thought_and_said(m.content);
        ling_role(to, "ASSISTANT").text("\n").marker(std::string(kThinkBegin)).text(thought).marker(std::string(kThinkEnd)).text(said);
    } else if (m.role == "tool") {
        ling_role(to, "OBSERVATION").text("\n").marker("<tool_response>").text("\n" + m.content + "\n").marker("</tool_response>");
    } else {
        ling_role(to, "SYSTEM").text(m.content);
    }
    to.control("<|role_end|>");
}

void ling_opening(Parts& to, bool thinks) {
    ling_role(to, "ASSISTANT").text("\n").marker(std::string(kThinkBegin));
    if (!thinks) to.marker(std::string(kThinkEnd));
}

void ling_answer(Parts& to, std::string_view text) {
    if (!text.starts_with(kThinkBegin)) {
        to.text(text);
        return;
    }
    text.remove_prefix(kThinkBegin.size());
    const size_t end = text.find(kThinkEnd);
    to.text(text.substr(0, end));
    if (end != text.npos) to.marker(std::string(kThinkEnd)).text(text.substr(end + kThinkEnd.size()));  // else it was cut off in its thoughts
}

constexpr std::string_view kLingWords[] = {"<role>", "<|role_end|>", "detailed thinking"};
constexpr std::string_view kLingEnds[] = {"<|role_end|>", "<|endoftext|>"};

// --- Qwen -----------------------------------------------------------------------------------------------------------------
//   <|im_start|>system
//   Be brief.<|im_end|>
//   <|im_start|>user
//   hi<|im_end|>
//   <|im_start|>assistant
//   <think>
// What was thought stays in the talk, as the state has read it; the makers' template leaves it out of all answers but the last.

void qwen_turn(Parts& to, std::string_view role, std::string_view content) {
    to.control("<|im_start|>").text(role).text("\n").text(trimmed(content)).control("<|im_end|>");
}

Result<void> qwen_front(Parts& to, const std::string& tools, const std::string& system, bool) {
    if (!tools.empty()) return fail(Error::failure, "tools are declared to Kimi's models only: how Qwen calls them, this program does not read");
    if (!system.empty()) qwen_turn(to, "system", system);
    return {};
}

void qwen_opening(Parts& to, bool thinks) {
    to.control("<|im_start|>").text("assistant\n").marker(std::string(kThinkBegin)).text(thinks ? "\n" : "\n\n");
    if (!thinks) to.marker(std::string(kThinkEnd)).text("\n\n");
}

void qwen_answer(Parts& to, std::string_view text) {
    if (text.starts_with(kThinkBegin)) text.remove_prefix(kThinkBegin.size() + text.substr(kThinkBegin.size()).starts_with('\n'));
    const size_t end = text.find(kThinkEnd);
    to.text(text.substr(0, end));
    if (end != text.npos) to.marker(std::string(kThinkEnd)).text(text.substr(end + kThinkEnd.size()));
}

void qwen_message(Parts& to, const Message& m) {
    if (m.role == "assistant") {
        qwen_opening(to, m.content.starts_with(kThinkBegin));
        qwen_answer(to, m.content);
        to.control("<|im_end|>");
    } else if (m.role == "tool") {
        to.control("<|im_start|>").text("user\n").marker("<tool_response>").text("\n" + m.content + "\n").marker("</tool_response>").control("<|im_end|>");
    } else {
        qwen_turn(to, m.role, m.content);
    }
}

void plain_opening(Parts& to, bool) { to.control("<|im_start|>").text("assistant\n"); }

void plain_message(Parts& to, const Message& m) {
    if (m.role != "assistant") return qwen_message(to, m);
    plain_opening(to, false);
    to.text(m.content).control("<|im_end|>");
}

constexpr std::string_view kQwenWords[] = {"<|im_start|>", "<|im_end|>"};
constexpr std::string_view kQwenEnds[] = {"<|im_end|>", "<|endoftext|>"};

// --- Made tasks -----------------------------------------------------------------------------------------------------------

Result<void> task_front(Parts&, const std::string& tools, const std::string& system, bool) {
    if (!tools.empty() || !system.empty())
        return fail(Error::failure, "a model that learned a made task knows its words alone: no system prompt, and no tools");
    return {};
}
void task_message(Parts& to, const Message& m) { to.text(trimmed(m.content)); }
void task_opening(Parts&, bool) {}

constexpr ChatForm kForms[] = {
    {"Kimi's", "<|im_middle|>", kKimiWords, kKimiEnds, kimi_front, kimi_message, kimi_opening, kimi_answer, "", ""},
    {"Ling's", "<|role_end|>", kLingWords, kLingEnds, ling_front, ling_message, ling_opening, ling_answer, "", kThinkBegin},
    {"Qwen's", "<|im_start|>", kQwenWords, kQwenEnds, qwen_front, qwen_message, qwen_opening, qwen_answer, "\n", "<think>\n"},
    {"Qwen's", "<|im_start|>", kQwenWords, kQwenEnds, qwen_front, plain_message, plain_opening, kimi_answer, "\n", ""},
    {"of made tasks", kTaskMark, {}, {}, task_front, task_message, task_opening, kimi_answer, "", ""},
};

}  // namespace

std::span<const ChatForm> chat_forms() { return kForms; }
const ChatForm& kimi_form() { return kForms[0]; }

const ChatForm& chat_form(const Tokenizer& tokenizer) {
    for (const ChatForm& form : kForms)
        if (tokenizer.special(form.mark) && (form.thinking.empty() || tokenizer.writes_thoughts())) return form;
    return kForms[0];
}

}  // namespace klp
