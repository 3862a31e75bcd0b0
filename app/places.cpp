#include "app/places.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <system_error>
#include <utility>

#include "app/format.h"
#include "core/files/resources.h"
#include "core/runs/chat.h"
#include "core/system.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr const char* kEnding = ".jsonl";

Result<fs::path> file_of(const std::string& name) {
    const bool good = !name.empty() && name[0] != '.' && name.size() < 100 &&
                      std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == '/' || c == 0x7F; });
    if (!good) return fail(Error::usage, "'" + one_line(name) + "' cannot be a snapshot's name: it is a file's, without a slash or a dot in front");
    const fs::path data = data_folder();
    if (data.empty()) return fail(Error::failure, "there is no folder for snapshots: neither XDG_DATA_HOME nor HOME is set");
    return data / "places" / (name + kEnding);
}

// The tokens of an answer's turn are opening, ids, and what ends it.
std::vector<int32_t> ids_of(const std::vector<int32_t>& turn, const TurnTokens& frame) {
    const bool closed = !turn.empty() && std::find(frame.stop.begin(), frame.stop.end(), turn.back()) != frame.stop.end();
    if (turn.size() < frame.opening.size() + closed) return {};
    return {turn.begin() + static_cast<int64_t>(frame.opening.size()), turn.end() - closed};
}

}  // namespace

Result<void> save_place(Session& session, const std::string& name) {
    const auto file = file_of(name);
    if (!file) return tl::unexpected(file.error());
    const Conversation& talk = session.talk;
    const auto frame = turn_tokens(*session.engine.checkpoint.tokenizer, session.engine.config());
    if (!frame) return tl::unexpected(frame.error());
    std::error_code error;
    fs::create_directories(file->parent_path(), error);
    if (error) return fail(Error::failure, file->parent_path().string() + ": " + error.message());
    const fs::path part = fs::path(*file) += "." + std::to_string(::getpid()) + ".part";
    fs::remove(part, error);
    {
        Chat chat(part);
        ChatInfo info;
        info.tools = talk.tools();
        const std::vector<int> line = talk.line(talk.tip());
        for (int i : line) {
            const Conversation::Node& n = talk.node(i);
            if (n.role == "system" && i == line.front()) {
                info.system = n.text;
                continue;
            }
            if (info.title.empty() && n.role == "user") info.title = clipped(one_line(n.text), 60);
            ChatMessage message{.parent = chat.tip(), .role = n.role, .text = n.text, .time = std::time(nullptr)};
            if (n.role == "assistant") message.ids = ids_of(n.tokens, *frame), message.model = session.engine.name;
            chat.add(std::move(message));
        }
        chat.set_info(info);
        auto saved = chat.save(false);
        if (!saved) {
            fs::remove(part, error);
            return tl::unexpected(saved.error());
        }
    }
    fs::rename(part, *file, error);
    if (error) return fail(Error::failure, file->string() + ": " + error.message());
    if (StateStore* states = session.states()) {
        const SnapshotPtr& kept = talk.node(talk.tip()).memory;
        states->keep(kept ? kept : talk.sequence().snapshot(), *session.engine.model, "terminal/" + name);
    }
    return {};
}

Result<Reached> load_place(Session& session, const std::string& name) {
    const int64_t begin = now_ns();
    const auto file = file_of(name);
    if (!file) return tl::unexpected(file.error());
    Reached out;
    auto chat = Chat::open(*file, out.note);
    if (!chat) return tl::unexpected(chat.error());
    const Tokenizer& tokenizer = *session.engine.checkpoint.tokenizer;
    const auto frame = turn_tokens(tokenizer, session.engine.config());
    if (!frame) return tl::unexpected(frame.error());

    std::vector<Conversation::Said> line;
    const auto add = [&](const std::string& role, const std::string& text) -> Result<void> {
        auto ids = encode_message(tokenizer, {.role = role, .content = text});
        if (!ids) return tl::unexpected(ids.error());
        line.push_back({role, text, std::move(*ids)});
        return {};
    };
    if (const ChatInfo& info = (*chat)->info(); !info.system.empty() || !info.tools.empty()) {
        std::vector<Message> first;
        if (!info.system.empty()) first.push_back({.role = "system", .content = info.system});
        auto ids = encode(tokenizer, {.messages = first, .tools_json = info.tools, .add_generation_prompt = false});
        if (!ids) return tl::unexpected(ids.error());
        line.push_back({"system", info.system, std::move(*ids)});
        session.talk.set_tools(info.tools);
    }
    for (int id : (*chat)->line()) {
        const ChatMessage& m = (*chat)->message(id);
        if (m.role != "assistant") {
            if (auto added = add(m.role, m.text); !added) return tl::unexpected(added.error());
            continue;
        }
        std::vector<int32_t> tokens = frame->opening;
        const bool own = m.model == session.engine.name && read_answer(tokenizer, m.ids).text == m.text;  // else another model's ids
        const std::vector<int32_t> ids = own ? m.ids : tokenizer.encode(m.text);
        tokens.insert(tokens.end(), ids.begin(), ids.end());
        if (frame->end >= 0) tokens.push_back(frame->end);
        line.push_back({m.role, m.text, std::move(tokens)});
    }
    if (line.empty()) return fail(Error::failure, file->string() + " holds no messages");

    std::vector<int32_t> target;
    for (const auto& said : line) target.insert(target.end(), said.tokens.begin(), said.tokens.end());
    SnapshotPtr memory;
    int64_t bytes = 0;
    if (StateStore* states = session.states()) {
        const Sequence& like = session.talk.sequence();
        const auto found = states->nearest(like, target);
        if (found && found->tokens == static_cast<int64_t>(target.size())) {
            auto read = states->read(*found, like, target);
            if (read)
                memory = std::move(*read), bytes = found->bytes;
            else
                out.note = read.error().message;
        }
    }
    out.from_file = memory != nullptr;
    auto move = session.talk.adopt(line, std::move(memory), session.ws, &g_interrupted);
    if (!move) return tl::unexpected(move.error());
    out.move = *move;
    if (out.from_file) out.move.restored_bytes = bytes;
    out.move.nanoseconds = now_ns() - begin;
    return out;
}

std::vector<std::string> place_names() {
    std::vector<std::string> names;
    std::error_code none;
    for (fs::directory_iterator it(data_folder() / "places", none), end; !none && it != end; it.increment(none))
        if (it->path().extension() == kEnding) names.push_back(it->path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace klp
