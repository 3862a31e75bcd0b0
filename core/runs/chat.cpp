#include "core/runs/chat.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/files/disk.h"
#include "core/files/json.h"
#include "core/model/generate.h"
#include "core/text/chat_template.h"
#include "core/text/tool_calls.h"
#include "core/text/utf8.h"

namespace klp {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kChatVersion = 2, kBeforeHands = 1;  // a file is of version 2 from its first list of hands on
constexpr int64_t kLargestFile = int64_t{1} << 30;

std::string line_of(const json& record) { return record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

json to_json(const Sampling& s) {
    return {{"temperature", s.temperature},     {"top_k", s.top_k}, {"top_p", s.top_p}, {"min_p", s.min_p}, {"repeat_penalty", s.repeat_penalty},
            {"repeat_window", s.repeat_window}, {"seed", s.seed}};
}
json to_json(const ChatInfo& i) {
    json out = {{"title", i.title}, {"system", i.system}, {"preset", i.preset}, {"predict", i.predict}, {"random_seed", i.random_seed}};
    if (i.sampling) out["sampling"] = to_json(*i.sampling);
    if (!i.tools.empty()) out["tools"] = i.tools;
    if (i.on_full != OnFull::stop) out["on_full"] = name(i.on_full);
    if (!i.folder.empty()) out["folder"] = i.folder;
    if (i.removed) out["removed"] = true;
    return out;
}
json to_json(const AnswerStats& s) {
    return {{"tokens", s.tokens},
            {"prompt_tokens", s.prompt_tokens},
            {"prefill_ns", s.prefill_ns},
            {"first_token_ns", s.first_token_ns},
            {"decode_ns", s.decode_ns},
            {"seed", s.seed},
            {"end", s.end},
            {"memory_bytes", s.memory_bytes},
            {"closing", s.closing}};
}
json to_json(const std::vector<ToolCall>& calls) {
    json out = json::array();
    for (const ToolCall& call : calls) out.push_back({{"id", call.id}, {"arguments", call.arguments}});
    return out;
}
// Where a list stands among those of a file, from 1 on; 0: it is none.
int place_in(const std::vector<InterventionsPtr>& all, const InterventionsPtr& list) {
    const auto same = [&](const InterventionsPtr& one) { return one && list && (one == list || *one == *list); };
    const auto at = std::find_if(all.begin(), all.end(), same);
    return at == all.end() ? 0 : static_cast<int>(at - all.begin()) + 1;
}
json to_json(const ChatMessage& m, int hands) {
    json out = {{"id", m.id}, {"parent", m.parent}, {"role", m.role}, {"text", m.text}, {"time", m.time}};
    if (!m.ids.empty()) out["ids"] = m.ids;
    if (!m.calls.empty()) out["calls"] = to_json(m.calls);
    if (!m.call_id.empty()) out["call_id"] = m.call_id;
    if (m.open) out["open"] = true;
    if (m.alone) out["alone"] = true;
    if (!m.model.empty()) out["model"] = m.model;
    if (m.stats) out["stats"] = to_json(*m.stats);
    if (hands > 0) out["hands"] = hands;
    if (m.beside > 0) out["beside"] = m.beside;
    return out;
}

template <class T>
T whole_or(const json& value, T otherwise) {  // where it is too large for a T
    if (value.is_number_unsigned()) return std::in_range<T>(value.template get<uint64_t>()) ? static_cast<T>(value.template get<uint64_t>()) : otherwise;
    return std::in_range<T>(value.template get<int64_t>()) ? static_cast<T>(value.template get<int64_t>()) : otherwise;
}

// A field of a record where it has the right kind; whatever else stands there is as good as absent.
template <class T>
void get(const json& from, const char* key, T& into) {
    const auto at = from.find(key);
    if (at == from.end()) return;
    if constexpr (std::is_same_v<T, std::string>) {
        if (at->is_string()) into = at->template get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
        if (at->is_boolean()) into = at->template get<bool>();
    } else if constexpr (std::is_same_v<T, std::vector<int32_t>>) {
        if (!at->is_array()) return;
        into.clear();
        for (const json& v : *at)
            if (v.is_number_integer()) into.push_back(whole_or(v, int32_t{-1}));
    } else if constexpr (std::is_floating_point_v<T>) {
        if (at->is_number()) into = at->template get<T>();
    } else {
        if (at->is_number_integer()) into = whole_or(*at, into);
    }
}

bool is_role(const std::string& role) { return role == "user" || role == "assistant" || role == "tool" || role == "system" || role == "summary"; }

Sampling read_sampling(const json& j) {
    Sampling s;
    get(j, "temperature", s.temperature), get(j, "top_k", s.top_k), get(j, "top_p", s.top_p), get(j, "min_p", s.min_p);
    get(j, "repeat_penalty", s.repeat_penalty), get(j, "repeat_window", s.repeat_window), get(j, "seed", s.seed);
    return within_range(s);
}
ChatInfo read_info(const json& j) {
    ChatInfo i;
    get(j, "title", i.title), get(j, "system", i.system), get(j, "preset", i.preset), get(j, "predict", i.predict), get(j, "tools", i.tools);
    get(j, "random_seed", i.random_seed), get(j, "removed", i.removed), get(j, "folder", i.folder);
    std::string way;
    get(j, "on_full", way);
    if (const auto known = on_full_named(way)) i.on_full = *known;
    if (const auto at = j.find("sampling"); at != j.end() && at->is_object()) i.sampling = read_sampling(*at);
    return i;
}
AnswerStats read_stats(const json& j) {
    AnswerStats s;
    get(j, "tokens", s.tokens), get(j, "prompt_tokens", s.prompt_tokens), get(j, "prefill_ns", s.prefill_ns), get(j, "first_token_ns", s.first_token_ns);
    get(j, "decode_ns", s.decode_ns), get(j, "seed", s.seed), get(j, "end", s.end), get(j, "memory_bytes", s.memory_bytes), get(j, "closing", s.closing);
    return s;
}
std::vector<ToolCall> read_calls(const json& j) {
    std::vector<ToolCall> calls;
    for (const json& call : j) {
        if (!call.is_object()) continue;
        get(call, "id", calls.emplace_back().id), get(call, "arguments", calls.back().arguments);
    }
    return calls;
}
ChatMessage read_message(const json& j) {
    ChatMessage m;
    get(j, "id", m.id), get(j, "parent", m.parent), get(j, "role", m.role), get(j, "text", m.text), get(j, "ids", m.ids), get(j, "open", m.open),
        get(j, "alone", m.alone);
    get(j, "time", m.time), get(j, "model", m.model), get(j, "call_id", m.call_id), get(j, "beside", m.beside);
    m.beside = std::clamp(m.beside, 0, std::max(0, m.id - 1));
    if (const auto at = j.find("calls"); at != j.end() && at->is_array()) m.calls = read_calls(*at);
    if (const auto at = j.find("stats"); at != j.end() && at->is_object()) m.stats = read_stats(*at);
    return m;
}

InterventionsPtr at_number(const std::vector<InterventionsPtr>& all, const json& message) {
    int number = 0;
    get(message, "hands", number);
    return number > 0 && number <= static_cast<int>(all.size()) ? all[static_cast<size_t>(number) - 1] : nullptr;
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
}

fs::path new_name(const fs::path& folder) {
    static std::mt19937_64 random(std::random_device{}());
    std::error_code none;
    for (;;) {
        char name[64];
        const std::time_t now = std::time(nullptr);
        std::tm parts{};
        localtime_r(&now, &parts);
        const size_t n = std::strftime(name, sizeof name, "%Y%m%d-%H%M%S-", &parts);
        std::snprintf(name + n, sizeof name - n, "%06x.jsonl", static_cast<unsigned>(random() & 0xffffff));
        if (!fs::exists(folder / name, none)) return folder / name;
    }
}

}  // namespace

Chat::Chat(fs::path file) : file_(std::move(file)) { pending_ = line_of({{"klp", "chat"}, {"version", kBeforeHands}}); }

bool ChatMessage::operator==(const ChatMessage& o) const {
    const auto all = [](const ChatMessage& m) {
        return std::tie(m.id, m.parent, m.role, m.text, m.ids, m.calls, m.call_id, m.open, m.alone, m.removed, m.time, m.model, m.stats, m.beside);
    };
    return all(*this) == all(o) && same_until(hands.get(), o.hands.get(), Intervention::kAlways);
}

Chat::~Chat() {
    if (fd_ >= 0) close(fd_);
}

Result<std::unique_ptr<Chat>> Chat::open(const fs::path& file, std::string& note) {
    auto text = read_text(file, kLargestFile);
    if (!text) return fail(Error::failure, text.error().message);
    auto chat = std::make_unique<Chat>(file);
    chat->pending_.clear();
    chat->on_disk_ = static_cast<int64_t>(text->size());
    chat->torn_ = !text->empty() && text->back() != '\n';
    int number = 0, lost = 0;
    for (size_t at = 0; at < text->size(); ++number) {
        const size_t end = std::min(text->find('\n', at), text->size());
        const std::string_view line(text->data() + at, end - at);
        at = end + 1;
        if (line.empty()) continue;
        if (!chat->take(line)) ++lost;
        if (number == 0 && lost > 0) return fail(Error::failure, file.string() + " is not a chat: its first line cannot be read");
    }
    if (lost > 0)
        note = file.string() + ": " + (lost == 1 ? "one line" : std::to_string(lost) + " lines") + " could not be read, as after a crash; " +
               (chat->count() == 1 ? "the one whole message is" : "all " + std::to_string(chat->count()) + " whole messages are") + " here";
    else if (chat->version_ > kChatVersion)
        note = file.string() + " was written by a newer version; what this one does not know stays in the file and is not shown";
    return chat;
}

bool Chat::take(std::string_view line) {
    const auto record = parse_json(line, "");
    if (!record || !record->is_object()) return false;
    const auto object = [&](const char* key) -> const json* {
        const auto at = record->find(key);
        return at != record->end() && at->is_object() ? &*at : nullptr;
    };
    const auto number = [&](const char* key) {
        int id = 0;
        get(*record, key, id);
        return id;
    };
    if (record->contains("klp")) {
        get(*record, "version", version_);
    } else if (const json* info = object("info")) {
        info_ = read_info(*info);
    } else if (const json* said = object("message")) {
        ChatMessage m = read_message(*said);
        m.hands = at_number(hands_, *said);
        // Numbers count up and a parent stands before its children; a file where that is not so was not written by us.
        if (m.id != count() + 1 || m.parent < 0 || m.parent >= m.id || !is_role(m.role)) return false;
        if (m.role == "assistant" && !m.stats && said->find("open") == said->end()) m.open = false;
        tip_ = m.id;
        messages_.push_back(std::move(m));
        visited_.push_back(++visits_);
    } else if (const json* piece = object("more")) {
        ChatMessage m = read_message(*piece);
        if (!known(m.id)) return false;
        at(m.id).text += m.text;
        at(m.id).ids.insert(at(m.id).ids.end(), m.ids.begin(), m.ids.end());
    } else if (const json* called = object("calls")) {
        ChatMessage m = read_message(*called);
        if (!known(m.id)) return false;
        at(m.id).calls = std::move(m.calls);
    } else if (const json* ended = object("end")) {
        int id = 0;
        get(*ended, "id", id);
        if (!known(id)) return false;
        at(id).open = false;
        get(*ended, "open", at(id).open);
        if (const auto stats = ended->find("stats"); stats != ended->end() && stats->is_object()) at(id).stats = read_stats(*stats);
    } else if (const auto list = record->find("hands"); list != record->end()) {
        auto hands = read_interventions(list->dump(), "");
        hands_.push_back(hands ? std::make_shared<const Interventions>(std::move(*hands)) : nullptr);
        return hands.has_value();
    } else if (record->contains("remove")) {
        if (!known(number("remove"))) return false;
        at(number("remove")).removed = true;
    } else if (record->contains("restore")) {
        if (!known(number("restore"))) return false;
        at(number("restore")).removed = false;
    } else if (record->contains("stand")) {
        if (number("stand") != 0 && !known(number("stand"))) return false;
        tip_ = number("stand");
        if (tip_ > 0) visited_[static_cast<size_t>(tip_) - 1] = ++visits_;
    }
    return true;
}

Result<std::unique_ptr<Chat>> Chat::import_json(const std::string& text, const std::string& name, fs::path file) {
    const auto parsed = parse_json(text, name);
    if (!parsed) return fail(Error::failure, parsed.error().message);
    auto chat = std::make_unique<Chat>(std::move(file));
    const auto tree = parsed->is_object() ? parsed->find("tree") : parsed->end();
    if (parsed->is_object() && tree != parsed->end() && tree->is_array()) {
        if (const auto info = parsed->find("info"); info != parsed->end() && info->is_object()) chat->info_ = read_info(*info);
        if (const auto lists = parsed->find("hands"); lists != parsed->end() && lists->is_array())
            for (const json& list : *lists) {
                auto hands = read_interventions(list.dump(), name + ": hands[" + std::to_string(chat->hands_.size()) + "]");
                if (!hands) return fail(Error::failure, hands.error().message);
                chat->hands_.push_back(std::make_shared<const Interventions>(std::move(*hands)));
            }
        for (const json& node : *tree) {
            ChatMessage m = node.is_object() ? read_message(node) : ChatMessage{};
            if (node.is_object()) m.hands = at_number(chat->hands_, node);
            const std::string place = name + ": tree[" + std::to_string(chat->count()) + "]";
            if (m.id != chat->count() + 1 || m.parent < 0 || m.parent >= m.id)
                return fail(Error::failure, place + " is not a message that follows those before it");
            if (!is_role(m.role)) return fail(Error::failure, place + ".role is " + in_quotes(m.role) + ", which no message of a chat has");
            get(node, "removed", m.removed);
            chat->messages_.push_back(std::move(m));
            chat->visited_.push_back(++chat->visits_);
        }
        int tip = chat->count();
        get(*parsed, "stand", tip);
        chat->tip_ = tip >= 0 && tip <= chat->count() ? tip : chat->count();
    } else {
        auto prompt = parse_chat(text, name);
        if (!prompt) return tl::unexpected(prompt.error());
        auto tools = tool_declaration(prompt->tools_json, name + ": tools");
        if (!tools) return tl::unexpected(tools.error());
        chat->info_.tools = std::move(*tools);
        size_t number = 0;
        for (const Message& m : prompt->messages) {
            const std::string place = name + ": messages[" + std::to_string(number++) + "]";
            if (!is_role(m.role) || m.role == "summary")
                return fail(Error::failure, place + ".role is " + in_quotes(m.role) + ", and may be system, user, assistant or tool");
            const auto calls = m.role == "tool" ? chat->open_calls(chat->tip()) : std::vector<ToolCall>();
            if (m.role == "tool" && std::none_of(calls.begin(), calls.end(), [&](const ToolCall& call) { return call.id == m.tool_call_id; }))
                return fail(Error::failure, place + ".tool_call_id is " + in_quotes(m.tool_call_id) + ", and no call before it that is open has this id");
            if (m.role == "system" && chat->count() == 0 && chat->info_.system.empty())
                chat->info_.system = m.content;
            else
                chat->add({.parent = chat->tip(), .role = m.role, .text = m.content, .calls = m.tool_calls, .call_id = m.tool_call_id});
        }
    }
    chat->pending_ = chat->whole();
    return chat;
}

void Chat::set_info(const ChatInfo& info) {
    info_ = info;
    put("info", to_json(info_));
}

void Chat::stand(int id) {
    if (id == tip_) return;
    tip_ = id;
    if (id > 0) visited_[static_cast<size_t>(id) - 1] = ++visits_;
    put("stand", id);
}

std::vector<int> Chat::line(int id) const {
    std::vector<int> ids;
    for (; id > 0; id = message(id).parent) ids.push_back(id);
    std::reverse(ids.begin(), ids.end());
    return ids;
}

Chat::Told Chat::told(int id) const {
    Told out{info_.system, line(id)};
    const auto sum = std::find_if(out.ids.rbegin(), out.ids.rend(), [&](int i) { return message(i).role == "summary"; });
    if (sum == out.ids.rend()) return out;
    out.system = with_summary(info_.system, message(*sum).text);
    std::vector<int> kept;
    if (!message(*sum).alone) kept = last_exchange(message(*sum).parent);
    kept.insert(kept.end(), sum.base(), out.ids.end());
    out.ids = std::move(kept);
    return out;
}

InterventionsPtr Chat::hands(int id) const {
    for (; id > 0; id = message(id).parent)
        if (const ChatMessage& m = message(id); m.role == "assistant" || m.role == "summary") return m.hands;
    return nullptr;
}

std::vector<int> Chat::last_exchange(int id) const {
    std::vector<int> ids;
    for (; id > 0 && message(id).role != "summary"; id = message(id).parent) {
        ids.insert(ids.begin(), id);
        if (message(id).role == "user") break;
    }
    return ids;
}

std::vector<int> Chat::children(int id) const {
    std::vector<int> ids;
    for (const ChatMessage& m : messages_)
        if (m.parent == id && !m.removed) ids.push_back(m.id);
    return ids;
}

std::vector<int> Chat::ends() const {
    std::vector<char> shown(messages_.size() + 1, 1), inner(messages_.size() + 1, 0);
    for (const ChatMessage& m : messages_) {
        const bool here = shown[static_cast<size_t>(m.parent)] && !m.removed;
        shown[static_cast<size_t>(m.id)] = here;
        if (here) inner[static_cast<size_t>(m.parent)] = 1;
    }
    std::vector<int> ids;
    for (const ChatMessage& m : messages_)
        if (shown[static_cast<size_t>(m.id)] && !inner[static_cast<size_t>(m.id)]) ids.push_back(m.id);
    return ids;
}

int Chat::newest_below(int id) const {
    std::vector<int> last(messages_.size() + 1, 0);  // the last visit at or below each
    for (int i = count(); i > 0; --i) {
        const ChatMessage& m = message(i);
        const auto here = static_cast<size_t>(i);
        last[here] = m.removed ? 0 : std::max(last[here], visited_[here - 1]);
        if (!m.removed) last[static_cast<size_t>(m.parent)] = std::max(last[static_cast<size_t>(m.parent)], last[here]);
    }
    for (;;) {
        const std::vector<int> next = children(id);
        if (next.empty()) return id;
        id = *std::max_element(next.begin(), next.end(), [&](int a, int b) { return last[static_cast<size_t>(a)] < last[static_cast<size_t>(b)]; });
    }
}

int Chat::messages_below(int id) const {
    std::vector<char> below(messages_.size() + 1, 0);
    int n = 0;
    for (const ChatMessage& m : messages_) {
        below[static_cast<size_t>(m.id)] = !m.removed && (m.id == id || (m.id > id && below[static_cast<size_t>(m.parent)]));
        n += below[static_cast<size_t>(m.id)];
    }
    return n;
}

int64_t Chat::time() const { return messages_.empty() ? 0 : messages_.back().time; }

int Chat::add(ChatMessage m) {
    m.id = count() + 1;
    m.text = repair_utf8(m.text);
    if (m.hands && m.hands->empty()) m.hands.reset();
    const int number = number_of(m.hands);
    put("message", to_json(m, number));
    messages_.push_back(std::move(m));
    visited_.push_back(++visits_);
    return tip_ = count();
}

void Chat::more(int id, std::string_view text, std::span<const int32_t> ids) {
    if (text.empty() && ids.empty()) return;
    if (growing_ != id) put_growth();
    growing_ = id;
    at(id).text += text, grown_text_ += text;
    at(id).ids.insert(at(id).ids.end(), ids.begin(), ids.end());
    grown_ids_.insert(grown_ids_.end(), ids.begin(), ids.end());
}

void Chat::put_growth() {
    if (growing_ == 0) return;
    const std::string line = line_of({{"more", {{"id", growing_}, {"text", grown_text_}, {"ids", grown_ids_}}}});
    growing_ = 0, grown_text_.clear(), grown_ids_.clear();
    pending_ += line;
}

void Chat::put(const char* key, json value) {
    put_growth();
    pending_ += line_of({{key, std::move(value)}});
}

void Chat::end(int id, bool open, const AnswerStats& stats) {
    at(id).open = open;
    at(id).stats = stats;
    put("end", {{"id", id}, {"open", open}, {"stats", to_json(stats)}});
}

void Chat::set_calls(int id, std::vector<ToolCall> calls) {
    put("calls", {{"id", id}, {"calls", to_json(calls)}});
    at(id).calls = std::move(calls);
}

std::vector<ToolCall> Chat::open_calls(int id) const {
    std::vector<std::string> returned;
    for (; id > 0 && message(id).role == "tool"; id = message(id).parent) returned.push_back(message(id).call_id);
    std::vector<ToolCall> calls;
    if (id > 0 && message(id).role == "assistant") calls = message(id).calls;
    std::erase_if(calls, [&](const ToolCall& call) { return std::find(returned.begin(), returned.end(), call.id) != returned.end(); });
    return calls;
}

void Chat::remove(int id) {
    at(id).removed = true;
    put("remove", id);
    const std::vector<int> here = line();
    if (std::find(here.begin(), here.end(), id) != here.end()) stand(newest_below(message(id).parent));
}

void Chat::restore(int id) {
    at(id).removed = false;
    put("restore", id);
}

int Chat::number_of(const InterventionsPtr& hands) {
    if (!hands) return 0;
    const int known = place_in(hands_, hands);
    if (known > 0) return known;
    if (hands_.empty()) pending_ += line_of({{"klp", "chat"}, {"version", kChatVersion}});
    put("hands", klp::to_json(*hands));
    hands_.push_back(hands);
    return static_cast<int>(hands_.size());
}

std::string Chat::whole() const {
    std::string out = line_of({{"klp", "chat"}, {"version", hands_.empty() ? kBeforeHands : kChatVersion}}) + line_of({{"info", to_json(info_)}});
    for (const InterventionsPtr& list : hands_) out += line_of({{"hands", list ? klp::to_json(*list) : json::array()}});
    for (const ChatMessage& m : messages_) {
        out += line_of({{"message", to_json(m, place_in(hands_, m.hands))}});
        if (m.removed) out += line_of({{"remove", m.id}});
    }
    return out + line_of({{"stand", tip_}});
}

// Opens and locks. The name is taken by somebody else, or somebody went on with it since it was read: a copy.
Result<void> Chat::open_file(std::string& note) {
    const bool is_new = on_disk_ == 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
        fd_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd_ < 0) return fail(Error::failure, file_.string() + ": " + std::strerror(errno));
        struct stat st {};
        if (flock(fd_, LOCK_EX | LOCK_NB) == 0 && fstat(fd_, &st) == 0 && st.st_size == on_disk_) {
            if (is_new || attempt > 0) sync_folder(file_.parent_path());
            return {};
        }
        close(fd_);
        fd_ = -1;
        note = "another window goes on with " + file_.filename().string() + ", so this one goes on with a copy";
        file_ = new_name(file_.parent_path());
        if (!info_.title.empty()) info_.title += " (copy)";
        pending_ = whole();
        on_disk_ = 0, torn_ = false;
    }
    return fail(Error::failure, file_.string() + " cannot be locked");
}

Result<std::string> Chat::save(bool sync) {
    std::string note;
    put_growth();
    if (in_memory()) {
        pending_.clear();
        return note;
    }
    if (messages_.empty() && on_disk_ == 0) return note;
    if (pending_.empty() && !(sync && fd_ >= 0)) return note;
    if (fd_ < 0) {
        if (auto opened = open_file(note); !opened) return tl::unexpected(opened.error());
    }
    if (torn_ && !pending_.empty()) pending_.insert(0, "\n"), torn_ = false;
    if (!write_all(fd_, pending_)) {
        const std::string why = std::strerror(errno);
        if (ftruncate(fd_, on_disk_) != 0) {  // half a record may stand there now: begin behind it
            struct stat st {};
            if (fstat(fd_, &st) == 0) on_disk_ = st.st_size, torn_ = true;
        }
        return fail(Error::failure, file_.string() + ": " + why);
    }
    on_disk_ += static_cast<int64_t>(pending_.size());
    pending_.clear();
    if (sync && fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS) return fail(Error::failure, file_.string() + ": " + std::strerror(errno));
    return note;
}

Result<void> Chat::move_to(const fs::path& file) {
    std::error_code error;
    fs::rename(file_, file, error);
    if (error) return fail(Error::failure, file.string() + ": " + error.message());
    file_ = file;
    return {};
}

bool Chat::lies_there() const {
    struct stat mine {
    }, there{};
    return fd_ >= 0 && fstat(fd_, &mine) == 0 && ::stat(file_.c_str(), &there) == 0 && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

std::string Chat::export_json() const {
    json messages = json::array(), tree = json::array();
    if (!info_.system.empty()) messages.push_back({{"role", "system"}, {"content", info_.system}});
    for (int id : line()) {
        const ChatMessage& m = message(id);
        messages.push_back({{"role", m.role == "summary" ? "system" : m.role}, {"content", m.text}});
        if (!m.call_id.empty()) messages.back()["tool_call_id"] = m.call_id;
        if (!m.calls.empty()) messages.back()["tool_calls"] = json(openai_json(m.calls));
    }
    for (const ChatMessage& m : messages_) {
        tree.push_back(to_json(m, place_in(hands_, m.hands)));
        if (m.removed) tree.back()["removed"] = true;
    }
    json all = {{"klp", "chat"}, {"version", hands_.empty() ? kBeforeHands : kChatVersion}, {"info", to_json(info_)}, {"messages", messages}, {"tree", tree},
                {"stand", tip_}};
    for (const InterventionsPtr& list : hands_) all["hands"].push_back(list ? klp::to_json(*list) : json::array());
    if (!info_.tools.empty()) all["tools"] = json::parse(info_.tools, nullptr, /*allow_exceptions=*/false);
    return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string Chat::export_markdown() const {
    std::string out = "# " + (info_.title.empty() ? "Chat" : info_.title) + "\n";
    if (!info_.system.empty()) out += "\n## System\n\n" + info_.system + "\n";
    for (int id : line()) {
        const ChatMessage& m = message(id);
        out += "\n## " +
               (m.role == "user"        ? std::string("You")
                : m.role == "assistant" ? (m.model.empty() ? "Assistant" : m.model)
                : m.role == "summary"   ? "Summary"
                                        : m.role) +
               "\n\n" + m.text;
        for (const Intervention& one : m.hands ? *m.hands : Interventions()) out += "\n\n*" + in_words(one) + "*";
        for (const ToolCall& call : m.calls) out += "\n\nCalls `" + call.id + "`:\n\n```json\n" + call.arguments + "\n```\n";
        if (out.back() != '\n') out += '\n';
        if (m.stats && m.stats->tokens > 0) {
            char line[160];
            if (m.stats->decode_ns > 0)
                std::snprintf(line, sizeof line, "\n*%lld tokens, %.1f tokens/s, seed %llu%s*\n", static_cast<long long>(m.stats->tokens),
                              tokens_per_second(m.stats->tokens, m.stats->decode_ns), static_cast<unsigned long long>(m.stats->seed),
                              m.open ? ", unfinished" : "");
            else
                std::snprintf(line, sizeof line, "\n*%lld tokens, seed %llu%s*\n", static_cast<long long>(m.stats->tokens),
                              static_cast<unsigned long long>(m.stats->seed), m.open ? ", unfinished" : "");
            out += line;
        }
    }
    return out;
}

Result<ChatFolder> ChatFolder::open(const fs::path& folder) {
    ChatFolder out;
    out.folder_ = folder;
    if (auto made = make_folder(folder); !made) return tl::unexpected(made.error());
    out.lock_ = ::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (out.lock_ >= 0) out.alone_ = flock(out.lock_, LOCK_EX | LOCK_NB) == 0;
    return out;
}

ChatFolder::ChatFolder(ChatFolder&& other) noexcept : folder_(std::move(other.folder_)), lock_(std::exchange(other.lock_, -1)), alone_(other.alone_) {}

ChatFolder::~ChatFolder() {
    if (lock_ >= 0) close(lock_);
}

std::vector<fs::path> ChatFolder::files() const {
    std::vector<std::pair<fs::file_time_type, fs::path>> found;
    std::error_code none;
    for (fs::directory_iterator it(folder_, none), end; !none && it != end; it.increment(none))
        if (it->path().extension() == ".jsonl") found.emplace_back(it->last_write_time(none), it->path());
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a > b; });
    std::vector<fs::path> files;
    for (auto& [_, file] : found) files.push_back(std::move(file));
    return files;
}

fs::path ChatFolder::new_file() const { return new_name(folder_); }

}  // namespace klp
