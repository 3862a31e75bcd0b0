// A conversation on the screen: everything that the REPL, its slash commands and the one-shot mode share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/chat.h"
#include "app/progress.h"
#include "app/watch.h"
#include "core/model/state_store.h"
#include "core/runs/conversation.h"

namespace klp {

// The declaration of the tools in a file of OpenAI's JSON; "" for no file.
Result<std::string> read_tools(const std::string& file);
Result<InterventionsPtr> read_hands(const std::string& file);  // null: "", or an empty list
// A place on disk (places.h) that a talk has gone to.
struct Reached {
    Conversation::Move move;
    bool from_file = false;  // its state lay on disk: then the move's bytes are the file's
    std::string note;        // what was wrong with a state that was not used, a sentence
};

class KeptTalk;  // places.h
class SideTalk;  // side.h

struct Session {
    static Result<std::unique_ptr<Session>> open(const ChatOptions& options, Terminal& terminal);

    // Writes the answer as it comes and says afterwards what it cost. `how` is ask() or regenerate() with what it needs.
    using How = std::function<Result<Conversation::Answer>(const GenerateOptions&)>;
    Result<Conversation::Answer> speak(const How& how, bool stream);
    Result<Conversation::Answer> ask(const std::string& text, bool stream);
    // Calls of the last answer that nothing was returned to yet.
    std::vector<ToolCall> waiting_calls() const;
    // What a call has returned. Once all of them have, the model answers.
    Result<std::optional<Conversation::Answer>> return_call(const std::string& id, const std::string& text, bool stream);

    // "23 tokens, 1,204 tokens/s, ..." in as many lines as the window asks for.
    std::string cost_of(const Conversation::Answer& answer) const;
    // Bytes that this conversation holds, and that the all-MLA twin would hold at the same length, both in whole pages.
    MemoryUse memory() const { return talk.sequence().memory(); }
    SequenceBytes twin_memory() const;

    Result<void> set_on_full(OnFull way);
    StateStore* states();  // on disk; null, and said once, where there can be none
    void keep_end();       // for --continue

    Terminal& terminal;
    Engine engine;
    Conversation talk;
    Workspace ws;
    Watch watch;
    Sampling sampling;
    int64_t predict = 2048;  // tokens of an answer at most
    uint64_t seed_used = 0;  // of the newest answer
    uint64_t answers = 0;
    std::optional<Conversation::Answer> last;
    int watched = -1;                             // node of the newest answer: what `last` and `watch` are of
    std::map<std::string, std::string> returned;  // of the calls of the answer at node `called`, by id
    int called = -1;
    std::map<int, int> before_hands;   // nodes of answers under hands -> of the answers that they changed
    std::map<std::string, int> snaps;  // name -> node of the conversation
    std::string newest_snap;
    std::unique_ptr<SideTalk> side;        // hears every message too; null: nobody
    std::optional<Reached> reached;        // where it began
    std::optional<std::string> summed_up;  // before the newest answer
    std::string history;                   // where the lines typed are kept
    bool quit = false;
    std::optional<Progress> reading;  // of what is prefilled or replayed; reset by whoever is done

    Session(Terminal& terminal, Engine engine, Conversation talk);
    ~Session();

private:
    std::unique_ptr<KeptTalk> end_;
    std::unique_ptr<StateStore> states_;
    bool states_tried_ = false, end_trouble_said_ = false;
};

}  // namespace klp
