#include "app/places.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <system_error>
#include <tuple>
#include <utility>

#include "app/format.h"
#include "core/files/disk.h"
#include "core/files/resources.h"
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

// Says of an answer's node what its message holds: the tokens of its turn are opening, ids, and what ends it.
void spell(ChatMessage& message, const std::vector<int32_t>& turn, const TurnTokens& frame) {
    const bool closed = !turn.empty() && std::find(frame.stop.begin(), frame.stop.end(), turn.back()) != frame.stop.end();
    if (turn.size() < frame.opening.size() + closed) return;
    message.ids.assign(turn.begin() + static_cast<int64_t>(frame.opening.size()), turn.end() - closed);
    if (closed && turn.back() != frame.end) message.stats = AnswerStats{.closing = turn.back()};
}

}  // namespace

Result<void> KeptTalk::keep(Session& session, const std::string& name) {
    const auto file = file_of(name);
    if (!file) return tl::unexpected(file.error());
    const Conversation& talk = session.talk;
    const auto frame = turn_tokens(*session.engine.checkpoint.tokenizer, session.engine.config());
    if (!frame) return tl::unexpected(frame.error());
    if (chat_ && !chat_->lies_there()) chat_.reset();
    const bool fresh = !chat_;
    std::error_code none;
    if (fresh) {
        if (auto made = make_folder(file->parent_path()); !made) return made;
        const fs::path part = fs::path(*file) += "." + std::to_string(::getpid()) + ".part";
        fs::remove(part, none);
        chat_ = std::make_unique<Chat>(part);
        messages_.clear();
    }
    ChatInfo info = chat_->info();
    info.tools = talk.tools(), info.system.clear(), info.title.clear();
    const std::vector<int> line = talk.line(talk.tip());
    int at = 0;
    for (int i : line) {
        const Conversation::Node& n = talk.node(i);
        if (n.role == "system" && i == line.front()) {
            info.system = n.text;
            continue;
        }
        if (info.title.empty() && n.role == "user") info.title = clipped(one_line(n.text), 60);
        if (const auto known = messages_.find(i); known != messages_.end()) {
            at = known->second;
            continue;
        }
        ChatMessage message{.parent = at, .role = n.role, .text = n.text, .time = std::time(nullptr)};
        if (n.role == "assistant") spell(message, n.tokens, *frame), message.model = session.engine.name, message.hands = n.touched;
        at = messages_[i] = chat_->add(std::move(message));
    }
    chat_->stand(at);
    const ChatInfo& before = chat_->info();
    if (fresh || std::tie(info.tools, info.system, info.title) != std::tie(before.tools, before.system, before.title)) chat_->set_info(info);
    Result<void> kept;
    if (auto saved = chat_->save(false); !saved) kept = tl::unexpected(saved.error());
    if (fresh && kept) kept = chat_->move_to(*file);
    if (!kept) {
        std::string& sentence = kept.error().message;
        if (const std::string part = chat_->file().string(); fresh && sentence.starts_with(part)) sentence.replace(0, part.size(), file->string());
        if (fresh) fs::remove(chat_->file(), none), chat_.reset();
        return kept;
    }
    if (StateStore* states = session.states()) {
        const SnapshotPtr& frozen = talk.node(talk.tip()).memory;
        states->keep(frozen ? frozen : talk.sequence().snapshot(), *session.engine.model, "terminal/" + name);
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
        auto ids = encode_message(tokenizer, {.role = role, .content = text}, line.empty());
        if (!ids) return tl::unexpected(ids.error());
        line.push_back({role, text, std::move(*ids)});
        return {};
    };
    const ChatInfo& info = (*chat)->info();
    auto front = encode_front(tokenizer, info.tools, info.system);
    if (!front) return tl::unexpected(front.error());
    if (!front->empty()) {
        line.push_back({"system", info.system, std::move(*front)});
        session.talk.set_tools(info.tools);
    }
    for (int id : (*chat)->line()) {
        const ChatMessage& m = (*chat)->message(id);
        if (m.role != "assistant") {
            if (auto added = add(m.role, m.text); !added) return tl::unexpected(added.error());
            continue;
        }
        auto opening = answer_opening(tokenizer, m.text);
        if (!opening) return tl::unexpected(opening.error());
        std::vector<int32_t> tokens = std::move(*opening);
        const bool own =
            m.model == session.engine.name && has_all(tokenizer, m.ids) && read_answer(tokenizer, m.ids, m.text).text == m.text;  // else another model's ids
        const std::vector<int32_t> ids = own ? m.ids : encode_answer(tokenizer, m.text);
        tokens.insert(tokens.end(), ids.begin(), ids.end());
        const int32_t closing = own && m.stats ? m.stats->closing : -1;
        const bool known = std::find(frame->stop.begin(), frame->stop.end(), closing) != frame->stop.end();
        if (known || frame->end >= 0) tokens.push_back(known ? closing : frame->end);
        line.push_back({m.role, m.text, std::move(tokens)});
    }
    if (line.empty()) return fail(Error::failure, out.note.empty() ? file->string() + " holds no messages" : out.note);

    const InterventionsPtr hands = (*chat)->hands((*chat)->tip());
    Sequence like(session.engine.model, session.talk.sequence().context());  // as the talk will be
    (void)like.set_rolling(session.talk.sequence().rolls());
    if (auto fits = like.touch(hands); !fits) return fail(fits.error().kind, file->string() + ": " + fits.error().message);
    std::vector<int32_t> target;
    for (const auto& said : line) target.insert(target.end(), said.tokens.begin(), said.tokens.end());
    SnapshotPtr memory;
    int64_t bytes = 0;
    if (StateStore* states = session.states()) {
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
    auto move = session.talk.adopt(line, std::move(memory), session.ws, &g_interrupted, hands);
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
