// A run: whatever makes tokens for the screens. The engine on its thread (live_run.h), a recording (replay_run.h) and a script for tests (scripted_run.h) all
// speak these commands and events, so nothing that draws knows which one it has.
//
// Neither side waits for the other: commands are posted, events are drained by whoever draws, 30 to 60 times a second.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/model/compare.h"
#include "core/model/generate.h"
#include "core/model/left.h"
#include "core/model/life.h"
#include "core/model/probe.h"
#include "core/model/readers.h"
#include "core/model/rules.h"
#include "core/model/snapshot_pool.h"
#include "core/model/trace.h"
#include "core/studies/race.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace klp {

// What a loaded (or recorded) model is. Immutable once published.
struct RunCard {
    std::string name, folder, weights;  // "demo", where it lies, "bf16": the type most bytes are stored in
    DeviceInfo device;
    ModelConfig config;
    TraceShape shape;
    std::shared_ptr<const Tokenizer> tokenizer;  // in a replay one that only knows the ids that occur, and encodes nothing
    int64_t context = 0;                         // tokens a sequence may hold
    int64_t weight_bytes = 0, active_bytes = 0;  // all, and what one decoded token reads
    int cache_value_bytes = 2;
    int64_t load_ns = 0;
    uint64_t identity = 0;             // of the model's files (Model::identity); 0: nobody knows
    std::string memory_plan;           // of a GPU: what was planned before anything was taken; of a CPU what to expect where the weights do not fit
    std::function<DeviceLoad()> load;  // of a GPU, now; any thread. Empty for the CPU and in a replay
    Sampling sampling;                 // what the model's generation_config.json suggests
    int64_t predict = 2048;
    TwinKind twin = TwinKind::computed;  // what a race would run against
    std::string recorded;                // "" when live, else date and machine of the recording
};

struct Span {  // of positions, [first, last)
    int64_t first = 0, last = 0;
    bool operator==(const Span&) const = default;
};

// What visible panels need; the rest is neither computed nor copied.
struct Interest {
    bool sites[kSites] = {};
    int top = 0;                               // most probable candidates of each token
    std::optional<std::pair<int, int>> state;  // layer, head whose matrix is pictured
    int pictures = 15;                         // of it a second, at most
    bool operator==(const Interest&) const = default;
};

// --- Commands: what screens ask for ------------------------------------------------------------------------------------

// One message of a line of talk, as the chat template will write it. `ids`: the tokens of an answer as they were made, so that its memory can be found again;
// without them the text is encoded. `open`: an answer that is not finished, to be gone on with.
struct Part {
    std::string role, text;
    std::vector<int32_t> ids;
    bool open = false;
    std::vector<ToolCall> tool_calls = {};  // of an answer without ids; those with them spell their calls. Not recorded
    int32_t closing = -1;                   // the token that ended an answer with ids, where it is not the usual end of a turn. Not recorded
};

struct LoadModel {
    std::string model, device = "auto";
    int threads = 0;
    int64_t context = 0;                         // 0: the model's own limit
    int64_t snapshot_budget = int64_t{1} << 30;  // bytes
    std::string states;                          // folder of states on disk (state_store.h); "": none
    bool kimi_template = false;                  // talk in Kimi's format even where the model's file names another
    bool thinks = true;                          // a model that can think before it answers does
};
struct UnloadModel {};
// Answers the line: its last part is a message, or an open answer to go on with. `answer` comes back in every event about it.
struct MakeAnswer {
    int answer = 0;
    std::vector<Part> line;
    Sampling sampling;
    int64_t predict = 2048;
    bool roll = false;                      // where the context is full, its oldest tokens make room
    std::string keep_as = {};               // whose end the state behind the answer is, on disk; "": nobody's
    InterventionsPtr hands = {};            // under which the line is fed and the answer is made; null: none
    std::shared_ptr<Stepper> stepper = {};  // made in step with others of this program (LiveRun::in_step); null: with nobody
};
struct GoTo {  // the memory of this line, without an answer: a rewind
    std::vector<Part> line;
    InterventionsPtr hands = {};
};
struct AskCost {  // of going there now
    int request = 0;
    std::vector<Part> line;
    InterventionsPtr hands = {};
};
struct SetSnapshotBudget {
    int64_t bytes = 0;
};
struct SetStateBudget {  // of states on disk, for all programs that use the folder
    int64_t bytes = 0;
};
// The hybrid and its full-attention twin, in turn on the same tokens, up to `context` tokens.
struct StartRace {
    int64_t context = 4096;
};
// Which past tokens a head reads at `position` of the current sequence: softmax weights of an MLA layer, implicit weights of a KDA layer. It costs feeding
// tokens again, so a probe that is under way gives way to the next command (but AskCost and the budgets) without a word.
struct ProbeAttention {
    int layer = 0, head = -1;       // -1: every head, a picture of each
    int64_t position = 0;           // one that is not fed yet: the newest
    int64_t window = kProbeWindow;  // tokens back, of a KDA layer
};
// The state of a head after the token at `position` of the current sequence, fed again from the nearest snapshot; it gives way as ProbeAttention does. The
// answer is a StatePicture of the past: an empty one where there are more than kProbeWindow tokens to feed, in a replay the nearest one that was recorded.
struct ProbeState {
    int layer = 0, head = 0;
    int64_t position = 0;
};
// Feeds tokens of the current sequence again, for what was not kept when they were fed: Readings, and Considered of those that answers made; those one by one,
// as they were made, so that the numbers are the same. It gives way to everything else, other probes too, and ends with Retraced.
struct Retrace {
    Span tokens;
    std::vector<Span> answers;
    Interest what;
};
// What the state of a head behind the token at `position` still answers to the keys of all tokens before it and, with a `token`, what giving its key the value of
// token `with` (-1: none, erasing it) will do to them; with `cut` it is done, on a copy, and measured. It gives way as ProbeAttention does.
struct ProbeReadable {
    int layer = 0, head = 0;
    int64_t position = 0;
    int64_t token = -1, with = -1;
    bool cut = false;
};
// What becomes of a token in every memory (life.h), up to the newest of the current sequence. `answers`: what was made, where its probability is told. It gives
// way likewise.
struct ProbeLife {
    int64_t token = 0;
    int layer = -1;  // -1: all
    std::vector<Span> answers;
};
// The line's last part, an answer, under two lists of hands: how far what the model would say in the place of each of its tokens is apart. It gives way as
// Retrace does, and ends with Compared.
struct Compare {
    int request = 0;
    std::vector<Part> line;
    InterventionsPtr before, now;
};
// Of what every head reads at `position` of the current sequence, the share that `token` wrote (readers.h). It gives way likewise.
struct ProbeReaders {
    int64_t token = 0;
    int64_t position = -1;  // -1, or one that is not fed yet: the newest
};
// What is left of every token in the state of a head behind the token at `position` (left.h). It gives way likewise.
struct ProbeLeft {
    int layer = 0, head = 0;
    int64_t position = 0;
};
// What the state of a head behind the token at `position` would be under other rules of updating it (rules.h). It gives way likewise.
struct ProbeRules {
    int layer = 0, head = 0;
    int64_t position = 0;
};
// Lines between machines number them: a new one comes last.
using Command = std::variant<LoadModel, UnloadModel, MakeAnswer, GoTo, AskCost, SetSnapshotBudget, SetStateBudget, StartRace, ProbeAttention, ProbeState,
                             Retrace, ProbeReadable, ProbeLife, Compare, ProbeReaders, ProbeLeft, ProbeRules>;

// --- Events: what happened ---------------------------------------------------------------------------------------------

enum class Phase : uint8_t { empty, loading, ready, prefill, decoding, racing, probing };

struct Loading {
    std::string what;
    double fraction = 0;
};
struct Loaded {
    std::shared_ptr<const RunCard> card;
};
struct Unloaded {};
// An answer begins: what it answers, so that a recording can show the talk it belongs to.
struct AnswerBegun {
    int answer = -1;
    std::vector<Part> line;
    Sampling sampling;
    InterventionsPtr hands = {};
};
// A command that could not be done. `answer` >= 0: that answer ends here, what was said of it stays.
struct Trouble {
    Error error;
    std::string advice;  // what to do, one sentence or ""
    int answer = -1;
    bool passing = false;  // it is tried again, and what goes on is not over. Neither recorded nor told over a wire
};
struct PhaseChanged {
    Phase phase{};
    int64_t done = 0, total = 0;  // tokens of a prefill
};
// The sequence now holds `first` tokens of before and then these, which were fed and not made.
struct PromptFed {
    int64_t first = 0;
    std::vector<int32_t> ids;
    std::vector<Span> answers = {};  // which of them an answer had made before
    InterventionsPtr hands = {};     // under which they were fed, and what follows is made
};
struct TokenMade {
    int answer = -1;
    int64_t position = 0;
    int32_t id = 0;
    std::string text;  // its bytes; may be half a character; "" for control tokens
    int64_t nanoseconds = 0;
    float probability = 0, entropy = 0;  // of the model's own distribution; nats
    int rank = 0;                        // 0: the most probable
    std::vector<Candidate> top;
    MemoryUse memory;
};
// Values of one fed token, laid out as RunCard::shape says.
struct Readings {
    int64_t position = 0;
    std::vector<float> values;
};
struct AnswerDone {
    int answer = -1;
    Generation::End end{};
    bool closed = true;  // the end of the turn was fed
    int64_t tokens = 0, prompt_tokens = 0;
    int64_t prefill_ns = 0, first_token_ns = 0, decode_ns = 0;
    SnapshotPool::Move move;  // what standing at the line's beginning cost
    PhaseTimes phases;        // of decoding
    uint64_t seed = 0;
    MemoryUse memory;
    int32_t closing = -1;  // the token that ended it, where it is not the usual end of a turn
};
struct Moved {  // after GoTo
    SnapshotPool::Move move;
    int64_t position = 0;
    MemoryUse memory;
};
struct CostKnown {
    int request = 0;
    SnapshotPool::Move move;
};
struct SnapshotsKept {
    int64_t count = 0, bytes = 0, budget = 0;
    std::vector<int64_t> along = {};  // tokens of those on the sequence's line, ascending. Not recorded
};
struct StatePicture {
    int layer = 0, head = 0;
    int64_t position = 0;       // tokens fed when it was taken
    int rows = 0, columns = 0;  // V, K
    std::vector<float> values;  // V-first
    bool past = false;          // the answer to ProbeState; not recorded
};
struct RaceDone {
    TwinKind twin{};
    std::string why;  // it ended before its context, or ""
};
struct AttentionPicture {
    int layer = 0, head = 0;
    int64_t position = 0;   // of the reading token
    int64_t first = 0;      // of the earliest weight
    bool implicit = false;  // of a KDA head: the unrolled delta rule, signed, not summing to one
    std::vector<float> weights;
    std::vector<float> decay_only;  // implicit: as if no later write had removed anything
    float before = 0;               // implicit: what comes from before `first`, as a share of the output's length
};
struct EventsDropped {
    int64_t readings = 0;
};
// Recordings number them: a new one comes last.
// What watching took of the last answer's time: gathering readings and candidates, on the engine's thread.
struct TelemetryCost {
    double share = 0;  // 0 .. 1
};
// The cache holds the newest tokens of the sequence only: so many of its oldest were dropped. The states have seen all. Told when it changes.
struct CacheRolled {
    int64_t dropped = 0;
};
struct StatesKept : StateStore::Kept {};  // on disk
// What an answer's token was chosen among, found again by Retrace.
struct Considered {
    int64_t position = 0;
    float probability = 0, entropy = 0;
    int rank = 0;
    std::vector<Candidate> top;
};
struct Retraced {
    enum class End : uint8_t { whole, gave_way, stopped, failed } end{};
    Span tokens;  // as asked
};
struct ReadablePicture : HeadReadable {};
struct LifePicture : FactLife {};
struct ReadersPicture : Readers {};
struct LeftPicture : LeftNow {};
struct RulesPicture : RulesNow {};
struct Compared {
    int request = 0;
    Retraced::End end{};                  // but for `whole` there is nothing else
    std::vector<TokenApart> tokens = {};  // of the answer, and of what closed it
    StatesApart states = {};
};
using Event = std::variant<Loading, Loaded, Unloaded, Trouble, PhaseChanged, PromptFed, TokenMade, Readings, AnswerDone, Moved, CostKnown, SnapshotsKept,
                           StatePicture, RacePoint, RaceDone, AttentionPicture, EventsDropped, AnswerBegun, TelemetryCost, CacheRolled, StatesKept, Considered,
                           Retraced, ReadablePicture, LifePicture, Compared, ReadersPicture, LeftPicture, RulesPicture>;

class Run {
public:
    virtual ~Run() = default;
    virtual void post(Command command) = 0;
    virtual void cancel() = 0;  // what is going on: within one token, or one chunk of a prompt
    virtual void watch(const Interest& interest) = 0;
    // Moves out what happened since the last call, in order.
    virtual std::vector<Event> drain() = 0;
};

}  // namespace klp
