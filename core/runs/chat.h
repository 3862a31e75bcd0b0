// One chat on disk: a tree of messages in a file that only grows, one JSON record a line. Nothing that was said is ever taken out; what is removed is marked
// so.
//
//   {"klp": "chat", "version": 1}                                                     the first line
//   {"info": {"title": ..., "system": ..., "sampling": {...}}}                        the newest one holds
//   {"hands": [{"what": "gates", "amount": 2}]}                                       a list of interventions.h; the first is number 1
//   {"message": {"id": 3, "parent": 2, "role": "assistant", "open": true, ...}}       an answer's text may follow in pieces
//   {"more": {"id": 3, "text": " and", "ids": [411]}}
//   {"end": {"id": 3, "open": false, "stats": {...}}}
//   {"calls": {"id": 3, "calls": [{"id": "functions.ping:0", "arguments": "{}"}]}}    of tools
//   {"remove": 3} {"restore": 3} {"stand": 2}                                         a branch hidden or shown; the message one stands at
//
// A process may be killed at any moment: a torn last line is left out, and an answer without an end is an open one. Records of newer versions are passed over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/model/interventions.h"
#include "core/model/sampler.h"
#include "core/runs/on_full.h"
#include "core/text/chat_template.h"
#include "kernels/backend.h"

namespace klp {

struct AnswerStats {
    int64_t tokens = 0, prompt_tokens = 0;  // made; fed before them
    int64_t prefill_ns = 0, first_token_ns = 0, decode_ns = 0;
    uint64_t seed = 0;
    std::string end;           // "stop_token", "budget", "context", "cancelled", "error"
    int64_t memory_bytes = 0;  // of the sequence behind it
    int32_t closing = -1;      // the token that ended it, where it is not the usual end of a turn
    bool operator==(const AnswerStats&) const = default;
};

struct ChatMessage {
    int id = 0, parent = 0;            // 0: the beginning
    std::string role, text;            // "summary": the model's own of what stands before it, from which the talk goes on
    std::vector<int32_t> ids;          // of an answer, as they were made
    std::vector<ToolCall> calls = {};  // of tools, in an answer
    std::string call_id = {};          // of a "tool" message: the call that returned this text
    bool open = false;                 // an answer that may be gone on with
    bool alone = false;                // a summary without the last exchange before it (exchange_stays() in on_full.h)
    bool removed = false;              // with everything below it
    int64_t time = 0;                  // seconds since 1970
    std::string model;                 // that made it
    std::optional<AnswerStats> stats;
    InterventionsPtr hands = {};  // of an answer or a summary: what is changed of the memory, in it and in what follows
    int beside = 0;               // the answer that they were laid on to make this one; 0: none
    bool operator==(const ChatMessage& other) const;
};

struct ChatInfo {
    std::string title, system, preset;
    std::string folder;                // of the list, where it is kept; "": in none
    std::string tools;                 // their declaration (chat_template.h)
    std::optional<Sampling> sampling;  // none: what the model suggests
    int64_t predict = 0;               // tokens of an answer at most; 0: what the model suggests
    bool random_seed = true;           // another one for each answer
    OnFull on_full = OnFull::stop;
    bool removed = false;  // the whole chat
};

class Chat {
public:
    // A new chat. The file is made with the first message; an empty path keeps everything in memory.
    explicit Chat(std::filesystem::path file = {});
    ~Chat();
    Chat(const Chat&) = delete;
    // What was lost of a torn file, or not understood of a newer one, is one sentence in `note`.
    static Result<std::unique_ptr<Chat>> open(const std::filesystem::path& file, std::string& note);
    // A file of export_json(), or any JSON with OpenAI's "messages", as a new chat that will lie in `file`. `name` stands in errors.
    static Result<std::unique_ptr<Chat>> import_json(const std::string& text, const std::string& name, std::filesystem::path file);

    const ChatInfo& info() const { return info_; }
    void set_info(const ChatInfo& info);
    // By number: message(id).id == id.
    int count() const { return static_cast<int>(messages_.size()); }
    const ChatMessage& message(int id) const { return messages_[static_cast<size_t>(id) - 1]; }
    int tip() const { return tip_; }  // the message one stands at, 0 at the beginning
    void stand(int id);
    std::vector<int> line() const { return line(tip_); }
    std::vector<int> line(int id) const;  // ids from the beginning to this message
    // What the model is told of it: behind a summary only that, as part of the system prompt, and, unless it stands alone, the last exchange before it.
    struct Told {
        std::string system;
        std::vector<int> ids;
    };
    Told told(int id) const;
    InterventionsPtr hands(int id) const;          // under which what follows this message is fed
    std::vector<int> last_exchange(int id) const;  // up to this message, from its question on; none where a summary stands there
    std::vector<int> children(int id) const;       // that are shown, oldest first
    std::vector<int> ends() const;                 // of all branches, oldest first
    int newest_below(int id) const;                // the end of the branch that goes on from it and was stood at last; itself when nothing follows
    int messages_below(int id) const;              // with it
    int64_t time() const;                          // of the newest message, 0 without one

    int add(ChatMessage message);  // gets its id; one stands at it then
    void more(int id, std::string_view text, std::span<const int32_t> ids);
    void end(int id, bool open, const AnswerStats& stats);
    void set_calls(int id, std::vector<ToolCall> calls);
    // Calls of the newest answer of the line that nothing was returned to yet; none where somebody has spoken since.
    std::vector<ToolCall> open_calls(int tip) const;
    void remove(int id);  // with everything below; standing there, one goes to its parent
    void restore(int id);

    // Writes what is new; `sync` waits until the disk has it. On an Error (a full or read-only disk) everything stays in memory and the next call tries again.
    // A file that another program writes to is left to it and the chat goes on in a copy: the value is that sentence, or "".
    Result<std::string> save(bool sync);
    const std::filesystem::path& file() const { return file_; }
    Result<void> move_to(const std::filesystem::path& file);  // what was saved gets this name, and the place of what has it
    bool lies_there() const;                                  // the file of this name is still the one that is written to
    bool in_memory() const { return file_.empty(); }
    size_t unsaved_bytes() const { return pending_.size(); }

    std::string export_json() const;      // one object: the line as OpenAI's "messages", and the tree
    std::string export_markdown() const;  // the line

private:
    bool take(std::string_view line);  // a record; false: it cannot be read
    ChatMessage& at(int id) { return messages_[static_cast<size_t>(id) - 1]; }
    bool known(int id) const { return id > 0 && id <= count(); }
    void put(const char* key, nlohmann::json value);
    void put_growth();
    std::string whole() const;
    int number_of(const InterventionsPtr& hands);  // in the file, where they are written once; 0: none
    Result<void> open_file(std::string& note);

    std::filesystem::path file_;
    int fd_ = -1;          // open for appending, and locked
    int64_t on_disk_ = 0;  // bytes that were read or written
    bool torn_ = false;    // the file ends within a line
    std::string pending_;  // records that the file lacks
    int growing_ = 0;      // an answer whose newest pieces are no record yet
    std::string grown_text_;
    std::vector<int32_t> grown_ids_;
    ChatInfo info_;
    std::vector<ChatMessage> messages_;
    std::vector<InterventionsPtr> hands_;  // as they are numbered in the file
    std::vector<int> visited_;             // of each message, when one stood at or below it last
    int visits_ = 0;
    int tip_ = 0, version_ = 1;
};

// Where the chats of one person lie. Holds a lock, so that a second program knows that it is not alone.
class ChatFolder {
public:
    // Makes the folder. An Error (read-only, no room) names it; the chats then live in memory.
    static Result<ChatFolder> open(const std::filesystem::path& folder);
    ChatFolder(ChatFolder&& other) noexcept;
    ~ChatFolder();
    bool alone() const { return alone_; }
    std::vector<std::filesystem::path> files() const;  // the newest first
    std::filesystem::path new_file() const;            // a name that is not taken

private:
    ChatFolder() = default;
    std::filesystem::path folder_;
    int lock_ = -1;
    bool alone_ = true;
};

}  // namespace klp
