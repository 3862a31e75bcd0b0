// A talk with a model that another program serves (klp --url): what the one-shot mode and the REPL share. There is no engine here, so a talk is its messages:
// a tree of them, and every answer is asked for with its whole line.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/chat.h"
#include "app/remote.h"
#include "core/serve/client.h"

namespace klp {

class ServedTalk {
public:
    struct Node {
        int parent = -1;
        std::string role, text, reasoning;
        std::vector<ToolCall> calls = {};  // of an answer
        std::string call_id = {};          // of what a tool has returned
        int64_t tokens = -1;               // of the line to its end, as the server counts; -1: not told
        std::vector<int32_t> ids = {};     // of an answer of an engine elsewhere, and the token that ended it where that is not the usual one
        int32_t closing = -1;
    };
    struct Branch {
        int number = 0, tip = 0;
        bool kept = false;  // forked off on purpose
    };
    int add(int parent, Node node);
    int tip() const { return branches_[current_].tip; }
    int turn() const { return turn_of(tip()); }
    int turn_of(int node) const;      // questions on the line
    int question_of(int node) const;  // the nearest message of a person at or above it; 0: there is none
    const Node& node(int i) const { return nodes_[static_cast<size_t>(i)]; }
    std::vector<int> line(int node) const;
    std::vector<Message> messages(int node, const std::string& system) const;
    // The tip moves on along its branch; anywhere else a branch begins, unless one ends there.
    void go_on(int node) { branches_[current_].tip = node; }
    void go_to(int node);
    bool go_to_branch(int number);
    int fork();
    int branch() const { return branches_[current_].number; }
    const std::vector<Branch>& branches() const { return branches_; }

private:
    bool above(int one, int other) const;  // `one` is on the line of `other`
    void tidy();
    std::vector<Node> nodes_{Node{}};
    std::vector<Branch> branches_{{1, 0}};
    size_t current_ = 0;
    int last_number_ = 1;
};

struct ServedSession {
    static Result<std::unique_ptr<ServedSession>> open(const ChatOptions& options, Terminal& terminal);
    explicit ServedSession(Terminal& of) : terminal(of) {}

    // Each writes the answer as it comes. One that broke off after it began is kept in the talk; its trouble is in the reply.
    Result<ServedReply> ask(const std::string& text, bool stream);
    Result<ServedReply> regenerate(bool stream);
    std::vector<ToolCall> waiting_calls() const;
    Result<std::optional<ServedReply>> return_call(const std::string& id, const std::string& text, bool stream);
    std::string cost_of(const ServedReply& reply) const;
    std::optional<SequenceBytes> memory(bool twin) const;  // of the line, computed; nothing where nobody knows the shape or the tokens

    Terminal& terminal;
    Server server;
    ServedModel model;
    std::optional<ModelConfig> shape;
    ServedTalk talk;
    ServedSampling sampling;
    std::optional<int64_t> predict;
    std::string system, tools;
    uint64_t answers = 0;
    std::optional<ServedReply> last;
    std::map<std::string, std::string> returned;  // of the calls of the tip, by id
    std::unique_ptr<RemoteTalk> engine;           // elsewhere, whose inside is seen; null: a server of the API
    int watched = -1;                             // node of the answer that it has watched
    bool quit = false;

private:
    Result<ServedReply> speak(int tip, bool stream);
    MakeAnswer asked_of_engine(int tip) const;
};

int served_chat(const ChatOptions& options, Terminal& terminal);  // -p and the REPL
void run_served_command(ServedSession& session, const std::string& line);
std::vector<std::string> served_completions(const ServedSession& session, std::string_view before);
void show_served_outcome(ServedSession& session, const Result<ServedReply>& reply);
std::string finish_name(const std::string& finish);  // "stop" as the engine's answers have it
// What a server says of itself (klp info --url).
struct InfoOptions;
int served_info(const InfoOptions& options, Terminal& terminal);

}  // namespace klp
