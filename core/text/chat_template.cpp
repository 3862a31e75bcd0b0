#include "core/text/chat_template.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/files/json.h"
#include "core/text/chat_form.h"

namespace klp {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;  // keeps the keys' order

// --- JSON as Python's json.dumps(ensure_ascii=False) prints it, which is what the model has seen ------------------------

std::string python_float(double value) {
    // repr: the shortest digits that read back as the value, plain from 1e-4 up to 1e16, always with a point or an exponent.
    const double size = value < 0 ? -value : value;
    const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
    std::string text(buffer, end);
    if (plain && text.find('.') == text.npos) text += ".0";
    return text;
}

struct Separators {
    std::string_view item, key;
};
constexpr Separators kCompact{",", ":"}, kDefault{", ", ": "};

template <class Json>
void write_json(const Json& value, const Separators& separators, std::string& out) {  // no deeper than parse_json lets through
    if (value.is_object() || value.is_array()) {
        std::string_view separator;
        out += value.is_object() ? '{' : '[';
        for (const auto& item : value.items()) {
            out += separator;
            if (value.is_object()) (out += Json(item.key()).dump()) += separators.key;
            write_json(item.value(), separators, out);
            separator = separators.item;
        }
        out += value.is_object() ? '}' : ']';
    } else {
        out += value.is_number_float() ? python_float(value.template get<double>()) : value.dump();
    }
}

// --- The template -------------------------------------------------------------------------------------------------------

Result<Parts> parts_of(const ChatForm& form, const ChatPrompt& p, bool thinks) {
    Parts parts;
    const auto declared = tool_declaration(p.tools_json);
    if (!declared) return tl::unexpected(declared.error());
    size_t first = 0;
    const auto next = [&] {  // message
        if (!parts.empty() || (!p.begins && !p.first)) parts.text(form.between);
    };
    if (p.begins) {
        const bool system = !p.messages.empty() && p.messages[0].role == "system" && p.messages[0].name.empty() && p.messages[0].images.empty();
        if (auto made = form.front(parts, *declared, system ? p.messages[0].content : "", thinks); !made) return tl::unexpected(made.error());
        first = system && !p.messages[0].content.empty();
    }
    for (size_t i = first; i < p.messages.size(); ++i) next(), form.message(parts, p.messages[i]);
    if (p.add_generation_prompt) next(), form.opening(parts, thinks);
    return parts;
}

// A stretch that follows others.
Parts following(const ChatForm& form) {
    Parts parts;
    if (!form.between.empty()) parts.text(form.between);
    return parts;
}

// --- OpenAI's JSON ------------------------------------------------------------------------------------------------------

// A field of a request, known by its path; what is wrong with it is thrown here and caught in parse_chat.
struct Field {
    const ordered_json* value;  // nullptr: absent, which is as good as null
    std::string path;

    struct Wrong {
        std::string what;
    };
    [[noreturn]] void wrong(const std::string& what) const { throw Wrong{path + " " + what}; }
    bool empty() const { return !value || value->is_null(); }
    Field operator[](const char* key) const {
        if (empty() || !value->is_object()) wrong("is not an object");
        const auto at = value->find(key);
        return {at == value->end() ? nullptr : &*at, path.empty() ? key : path + "." + key};
    }
    std::vector<Field> items() const {
        std::vector<Field> fields;
        if (empty()) return fields;
        if (!value->is_array()) wrong("is not a list");
        for (const ordered_json& item : *value) fields.push_back({&item, path + "[" + std::to_string(fields.size()) + "]"});
        return fields;
    }
    std::string text() const {
        if (empty()) wrong("is missing");
        if (!value->is_string()) wrong("is not a text");
        return value->get<std::string>();
    }
    std::string text_or_nothing() const { return empty() ? "" : text(); }
};

Message read_message(const Field& field) {
    Message m{.role = field["role"].text(), .name = field["name"].text_or_nothing()};
    if (m.role.empty()) field["role"].wrong("is empty");
    const Field content = field["content"];
    if (content.empty() || content.value->is_string()) {
        m.content = content.text_or_nothing();
    } else {
        for (const Field& part : content.items()) {
            const std::string type = part["type"].text();
            if (type == "text")
                m.content += part["text"].text();
            else if (type == "image" || type == "image_url")
                m.images.push_back(m.content.size());
            else
                part["type"].wrong("is " + in_quotes(type) + ", neither text nor image");
        }
    }
    if (m.role == "tool") m.tool_call_id = field["tool_call_id"].text();
    for (const Field& call : field["tool_calls"].items()) {
        const Field arguments = call["function"]["arguments"];
        ToolCall made{.id = call["id"].text()};
        if (arguments.empty()) arguments.wrong("is missing");
        if (arguments.value->is_string())
            made.arguments = arguments.text();
        else
            write_json(*arguments.value, kDefault, made.arguments);
        m.tool_calls.push_back(std::move(made));
    }
    return m;
}

}  // namespace

Result<std::string> tool_declaration(const std::string& tools_json, const std::string& name_for_errors) {
    if (tools_json.empty()) return "";
    const auto tools = parse_json(tools_json, name_for_errors);  // plain json keeps keys sorted
    if (!tools) return fail(Error::failure, tools.error().message);
    if (!tools->is_array()) return fail(Error::failure, name_for_errors + " is not a JSON array");
    for (size_t i = 0; i < tools->size(); ++i) {
        const auto wrong = [&](const std::string& what) { return fail(Error::failure, name_for_errors + ": [" + std::to_string(i) + "]" + what); };
        const json& tool = (*tools)[i];
        if (!tool.is_object()) return wrong(" is not an object");
        const auto function = tool.find("function");
        if (function == tool.end() || !function->is_object()) return wrong(".function is not an object: a call needs its name");
        const auto name = function->find("name");
        if (name == function->end() || !name->is_string() || name->get_ref<const std::string&>().empty()) return wrong(".function.name is not a text");
    }
    if (tools->empty()) return "";
    std::string declaration;
    write_json(*tools, kCompact, declaration);
    return declaration;
}

std::string tool_return(std::string_view call_id, std::string_view text) { return std::string("## Return of ").append(call_id).append("\n").append(text); }

Result<std::string> render(const ChatPrompt& prompt, const ChatForm& form, bool thinks) {
    const auto parts = parts_of(form, prompt, thinks);
    if (!parts) return tl::unexpected(parts.error());
    return parts->spelled_out();
}
Result<std::string> render(const ChatPrompt& prompt) { return render(prompt, kimi_form(), false); }

Result<std::vector<int32_t>> encode(const Tokenizer& tokenizer, const ChatPrompt& prompt) {
    const auto parts = parts_of(chat_form(tokenizer), prompt, tokenizer.thinks());
    if (!parts) return tl::unexpected(parts.error());
    return parts->ids(tokenizer);
}

Result<std::vector<int32_t>> encode_front(const Tokenizer& tokenizer, const std::string& tools, const std::string& system) {
    Parts parts;
    if (auto made = chat_form(tokenizer).front(parts, tools, system, tokenizer.thinks()); !made) return tl::unexpected(made.error());
    return parts.ids(tokenizer);
}

int64_t tokens_between(const Tokenizer& tokenizer) { return static_cast<int64_t>(tokenizer.encode(chat_form(tokenizer).between).size()); }

Result<std::vector<int32_t>> encode_message(const Tokenizer& tokenizer, const Message& message, bool first) {
    const ChatForm& form = chat_form(tokenizer);
    Parts parts = first ? Parts() : following(form);
    form.message(parts, message);
    return parts.ids(tokenizer);
}

Result<std::vector<int32_t>> generation_prompt(const Tokenizer& tokenizer) {
    Parts parts = following(chat_form(tokenizer));
    chat_form(tokenizer).opening(parts, tokenizer.thinks());
    return parts.ids(tokenizer);
}

Result<std::vector<int32_t>> answer_opening(const Tokenizer& tokenizer, std::string_view text) {
    Parts parts = following(chat_form(tokenizer));
    chat_form(tokenizer).opening(parts, text.empty() ? tokenizer.thinks() : text.starts_with(kThinkBegin));
    return parts.ids(tokenizer);
}

std::vector<int32_t> encode_answer(const Tokenizer& tokenizer, std::string_view text) {
    Parts parts;
    chat_form(tokenizer).answer(parts, text);
    return parts.ids(tokenizer).value_or(std::vector<int32_t>());  // nothing in it must be in the vocabulary
}

Result<TurnTokens> turn_tokens(const Tokenizer& tokenizer, const ModelConfig& config) {
    auto opening = generation_prompt(tokenizer);
    if (!opening) return tl::unexpected(opening.error());
    TurnTokens turn{std::move(*opening), {config.eos_token_ids.begin(), config.eos_token_ids.end()}};
    std::vector<int32_t> ends = tokenizer.ends();
    const ChatForm& form = chat_form(tokenizer);
    for (const std::string_view name : form.ends)
        if (const auto id = tokenizer.special(name)) ends.push_back(*id);
    for (int32_t id : ends)
        if (id < config.vocab_size && std::find(turn.stop.begin(), turn.stop.end(), id) == turn.stop.end()) turn.stop.push_back(id);
    if (!form.ends.empty()) turn.end = tokenizer.special(form.ends[0]).value_or(turn.stop.empty() ? -1 : turn.stop[0]);
    return turn;
}

std::string unknown_template(std::string_view text, const ChatForm& form) {
    const auto missing = std::find_if(form.words.begin(), form.words.end(), [&](std::string_view word) { return text.find(word) == text.npos; });
    return missing == form.words.end() ? "" : "is not " + std::string(form.makers) + ": it never writes " + std::string(*missing);
}

Result<ChatPrompt> parse_chat(const std::string& json, const std::string& name_for_errors) {
    if (const auto sound = parse_json(json, name_for_errors); !sound) return fail(Error::failure, sound.error().message);
    const ordered_json chat = ordered_json::parse(json);  // again, for the order of keys
    try {
        if (chat.is_array()) {
            ChatPrompt prompt;
            for (const Field& message : Field{&chat, "messages"}.items()) prompt.messages.push_back(read_message(message));
            return prompt;
        }
        const Field root{&chat, ""};
        if (!chat.is_object()) throw Field::Wrong{"neither an object nor a list of messages"};
        if (root["messages"].empty()) root["messages"].wrong("is missing");
        ChatPrompt prompt;
        for (const Field& message : root["messages"].items()) prompt.messages.push_back(read_message(message));
        if (const Field tools = root["tools"]; !tools.items().empty()) prompt.tools_json = tools.value->dump();
        if (const Field wish = root["add_generation_prompt"]; !wish.empty()) {
            if (!wish.value->is_boolean()) wish.wrong("is neither true nor false");
            prompt.add_generation_prompt = wish.value->get<bool>();
        }
        return prompt;
    } catch (const Field::Wrong& wrong) {
        return fail(Error::failure, name_for_errors + ": " + wrong.what);
    }
}

}  // namespace klp
