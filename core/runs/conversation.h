// A conversation: a tree of messages over one sequence. Nothing is destroyed: undo, regenerate and rewind leave the old line as a branch that one can go back
// to.
//
// The sequence always stands at the end of the tip's line. Frozen states at the ends of turns, within a budget of bytes, are what going back starts from;
// what lies between the nearest of them and the target is replayed, and every move says what it cost.
#pragma once

#include "core/model/compare.h"
#include "core/model/generate.h"
#include "core/runs/on_full.h"
#include "core/text/chat_template.h"

namespace klp {

class Conversation {
public:
    struct Node {
        int parent = -1;
        std::string role, text;         // the root has neither; calls of tools are in the tokens alone
        std::vector<int32_t> tokens;    // as fed, control tokens included
        int64_t end = 0;                // the sequence's position behind it
        SnapshotPtr memory;             // at `end`; may be dropped for the budget
        bool pinned = false;            // never dropped (a named snapshot)
        InterventionsPtr touched = {};  // under which it was fed
    };
    struct Branch {
        int number = 0;  // for people; never used twice
        int tip = 0;
        bool kept = false;  // forked off on purpose: stays even while it says nothing of its own
    };
    struct Move {  // what going somewhere cost, or would cost
        int64_t restored_bytes = 0;
        int64_t replayed = 0;  // tokens
        int64_t nanoseconds = 0;
    };
    struct Answer {
        Generation generation;
        int64_t prompt_tokens = 0;  // fed before the first token, of all passes
        int64_t prefill_ns = 0, first_token_ns = 0;
        bool closed = true;  // the end of the turn was fed; false only where the context is full
    };

    // Fails where the tokenizer lacks the template's control tokens.
    static Result<Conversation> begin(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer, int64_t context = 0,
                                      int64_t snapshot_budget = int64_t{1} << 30);

    // A message and its answer. A message that does not fit, or one that is interrupted before its first token, leaves everything as it was; but what was read
    // of it is kept, so that the same message goes on from there. So do the moves below.
    Result<Answer> ask(const std::string& text, Workspace& ws, GenerateOptions options) {
        return ask(std::vector<Message>{{.role = "user", .content = text}}, ws, std::move(options));
    }
    // The same of several at once, such as what the tools that an answer called have returned.
    Result<Answer> ask(const std::vector<Message>& messages, Workspace& ws, GenerateOptions options);
    // Another answer to the last message, on a branch of its own.
    Result<Answer> regenerate(Workspace& ws, GenerateOptions options);

    // The last question again under more interventions, on a branch of its own: `from` becomes the position where that question begins, or 0 where the whole
    // line is to be told under it. What is asked from there on is under it too, and undoing is going back to the branch. An Error, where the model has none of
    // what it names, leaves everything as it was.
    Result<Answer> touch(Interventions what, bool whole_line, Workspace& ws, GenerateOptions options);
    Result<Answer> touch(Intervention what, bool whole_line, Workspace& ws, GenerateOptions options) {
        return touch(Interventions{std::move(what)}, whole_line, ws, std::move(options));
    }
    // How far an answer and what the model would say in its place now, under the hands that lie on this line, are apart. The talk stays where it stands.
    // `progress` hears of what is read again for it.
    Result<Apart> apart(int answer, Workspace& ws, const std::atomic<bool>* cancel,
                        const std::function<void(int64_t done, int64_t total)>& progress = {}) const;
    // For a talk that has not begun; rewinding to its beginning forgets them.
    Result<void> begin_touched(InterventionsPtr all);
    const InterventionsPtr& touched() const { return sequence_.touched(); }
    // The state of a KDA layer, or of one of its heads, at a node whose memory is kept; an Error where it is not, or where the layer has none.
    Result<std::vector<float>> state_at(int node, int layer, std::optional<int> head) const;
    int64_t last_question() const;  // the position where it begins; -1: there is none

    // Each of these moves the tip. `turn` counts questions with their answers, 0 is the beginning.
    using Cancel = const std::atomic<bool>*;
    Result<Move> rewind(int turn, Workspace& ws, Cancel cancel);
    Result<Move> restart(Workspace& ws) { return go_to(0, ws, nullptr); }
    Result<Move> go_to_branch(int number, Workspace& ws, Cancel cancel);
    Result<Move> go_to(int node, Workspace& ws, Cancel cancel);
    int fork();  // a new branch that starts here; its number
    void pin();  // the tip keeps its memory for good
    // What happens when the context is full. An Error: this model cannot. `on_summary` hears of each that is made.
    struct Summary {
        std::string text;
        int branch = 0;  // where the talk stays as it was
    };
    Result<void> set_on_full(OnFull way, std::function<void(const Summary&)> on_summary = {});
    OnFull on_full() const { return on_full_; }
    // Begins a new line with these messages, whose tokens are as fed, and stands at its end; `memory`, if there is one, is that of all of them.
    struct Said {
        std::string role, text;
        std::vector<int32_t> tokens;
    };
    Result<Move> adopt(const std::vector<Said>& line, SnapshotPtr memory, Workspace& ws, Cancel cancel, InterventionsPtr touched = {});
    // For conversations that begin from now on; the current one keeps the system prompt it began with.
    void set_system(std::string text) { system_ = std::move(text); }
    void set_tools(std::string declaration) { tools_ = std::move(declaration); }  // of tool_declaration(); likewise

    const std::string& system() const { return system_; }
    const std::string& tools() const { return tools_; }
    int tip() const { return tip_; }
    int turn() const { return turn_of(tip_); }
    int turn_of(int node) const;
    const Node& node(int i) const { return nodes_[static_cast<size_t>(i)]; }
    std::vector<int> line(int node) const;  // from the first message to this one
    const std::vector<Branch>& branches() const { return branches_; }
    int branch() const { return branches_[current_].number; }
    Move cost(int node) const;       // of going there now
    int64_t snapshot_bytes() const;  // of all frozen states
    // What helps after the error of the last question or move; how it is done, the caller knows.
    enum class Remedy { none, same_again, make_room };  // what was read is kept; the context is full
    Remedy remedy() const { return remedy_; }
    const Sequence& sequence() const { return sequence_; }

private:
    Conversation(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer, int64_t context, int64_t budget);
    Result<Answer> answer(std::vector<int32_t> prompt, Workspace& ws, GenerateOptions& options);
    Result<void> sum_up(Workspace& ws, Cancel cancel);
    Result<Move> seek(int node, Workspace& ws, Cancel cancel);
    // Feeds what follows; how many tokens of it had to be fed.
    Result<int64_t> read(std::span<const int32_t> tokens, Workspace& ws, Cancel cancel);
    bool alike(int ancestor, const Interventions* touched) const;
    int question_of(int answer) const;  // the question that began its turn; 0: there is none
    int start_of(int node) const;       // the nearest node on its line whose memory is at hand: the tip itself, a frozen one or the root
    int append(int parent, std::string role, std::string text, std::vector<int32_t> tokens);
    bool on_line(int ancestor, int node) const;
    bool covered(const Branch& branch) const;  // another branch says all that it says
    void open_line(int tip);
    void keep_within_budget();

    std::shared_ptr<const Tokenizer> tokenizer_;
    Sequence sequence_;
    int64_t budget_;
    std::string system_, tools_;
    TurnTokens turn_;
    SnapshotPtr half_read_;  // where a reading was interrupted last
    Remedy remedy_ = Remedy::none;
    OnFull on_full_ = OnFull::stop;
    std::function<void(const Summary&)> on_summary_;
    std::vector<Node> nodes_{Node{}};
    int tip_ = 0;
    std::vector<Branch> branches_{{1, 0, false}};
    size_t current_ = 0;
    int last_number_ = 1;
};

}  // namespace klp
