#include "core/runs/conversation.h"

#include <algorithm>
#include <optional>

#include "core/system.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

// From so many tokens on, a message is fed apart from the answer's marker, so that regenerating can start behind it; below, replaying it costs less than the
// extra pass.
constexpr size_t kLongMessage = 256;

}  // namespace

Conversation::Conversation(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer, int64_t context, int64_t budget)
    : tokenizer_(std::move(tokenizer)), sequence_(std::move(model), context), budget_(budget) {}

Result<Conversation> Conversation::begin(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer, int64_t context,
                                         int64_t snapshot_budget) {
    Conversation c(std::move(model), std::move(tokenizer), context, snapshot_budget);
    auto turn = turn_tokens(*c.tokenizer_, c.sequence_.model().config());
    if (!turn) return tl::unexpected(turn.error());
    c.turn_ = std::move(*turn);
    return c;
}

Result<Conversation::Answer> Conversation::ask(const std::vector<Message>& messages, Workspace& ws, GenerateOptions options) {
    remedy_ = Remedy::none;
    const auto first = tip_ == 0 ? encode_front(*tokenizer_, tools_, system_) : Result<std::vector<int32_t>>();
    const bool begins = tip_ == 0 && first && first->empty();  // nothing stands before the messages
    const auto message = encode(*tokenizer_, {.messages = messages, .tools_json = "", .add_generation_prompt = false, .begins = false, .first = begins});
    for (const Result<std::vector<int32_t>>* ids : {&first, &message})
        if (!*ids) return tl::unexpected(ids->error());
    const std::vector<int32_t>& opening = *first;

    const int64_t needed = static_cast<int64_t>(opening.size() + message->size() + turn_.opening.size()), limit = sequence_.context();
    if (on_full_ == OnFull::summarise && turn() > 0 && wants_summary(sequence_.position(), needed, options.budget, limit)) {
        if (auto done = sum_up(ws, options.cancel); !done) return tl::unexpected(done.error());
    }
    const int base = tip_;
    const int64_t used = sequence_.rows();
    if (needed > sequence_.room()) {
        remedy_ = Remedy::make_room;
        const std::string have =
            used > 0 ? std::to_string(limit - used) + " of the context's " + std::to_string(limit) + " are left" : "the context holds " + std::to_string(limit);
        return fail(Error::failure, "the message needs " + std::to_string(needed) + " tokens and " + have);
    }

    const SnapshotPtr back = nodes_[static_cast<size_t>(base)].memory ? nodes_[static_cast<size_t>(base)].memory : sequence_.snapshot();
    std::vector<int32_t> prompt = opening;
    prompt.insert(prompt.end(), message->begin(), message->end());
    SnapshotPtr behind_message;
    int64_t fed_apart = 0, apart_ns = 0;
    if (prompt.size() >= kLongMessage) {
        const int64_t start = now_ns();
        auto fed = read(prompt, ws, options.cancel);
        if (!fed) {
            sequence_.restore(*back);
            return tl::unexpected(fed.error());
        }
        apart_ns = now_ns() - start;
        fed_apart = *fed;
        behind_message = sequence_.snapshot();
        prompt.clear();
    }
    prompt.insert(prompt.end(), turn_.opening.begin(), turn_.opening.end());

    // The tree gets its nodes only when there is an answer to hang below them.
    const size_t nodes_before = nodes_.size();
    int parent = base;
    if (!opening.empty()) parent = append(base, "system", system_, opening);
    for (const Message& m : messages) tip_ = parent = append(parent, m.role, m.content, *encode_message(*tokenizer_, m, begins && &m == messages.data()));
    nodes_.back().memory = behind_message;
    auto result = answer(std::move(prompt), ws, options);
    if (!result) {
        if (result.error().kind == Error::interrupted && behind_message) {
            half_read_ = behind_message, remedy_ = Remedy::same_again;
            result = fail(Error::interrupted, "interrupted after the whole message");
        }
        sequence_.restore(*back);
        nodes_.resize(nodes_before);
        tip_ = base;
        return result;
    }
    result->prompt_tokens += fed_apart;
    result->prefill_ns += apart_ns;
    result->first_token_ns += apart_ns;
    return result;
}

Result<int64_t> Conversation::read(std::span<const int32_t> tokens, Workspace& ws, Cancel cancel) {
    const std::vector<int32_t> before = sequence_.tokens();
    const auto start = static_cast<int64_t>(before.size()), n = static_cast<int64_t>(tokens.size());
    if (half_read_) {
        const std::vector<int32_t>& half = half_read_->tokens();
        const int64_t more = half_read_->position() - start;
        if (more > 0 && more <= n && same_until(half_read_->touched(), sequence_.touched().get(), half_read_->position()) &&
            std::equal(before.begin(), before.end(), half.begin()) && std::equal(half.begin() + start, half.end(), tokens.begin()))
            sequence_.restore(*half_read_);
    }
    const int64_t from = sequence_.position() - start;
    if (from == n) return 0;
    if (auto fed = sequence_.feed(tokens.subspan(static_cast<size_t>(from)), ws, cancel, &kGreedy); !fed) {
        if (fed.error().kind != Error::interrupted) return tl::unexpected(fed.error());
        const int64_t at = sequence_.position() - start;
        if (at > from) half_read_ = sequence_.snapshot();
        if (at > 0) remedy_ = Remedy::same_again;
        return fail(Error::interrupted, "interrupted after " + std::to_string(at) + " of " + std::to_string(n) + " tokens");
    }
    half_read_.reset();
    return n - from;
}

// The tip is the message to answer; `prompt` is what of it is not fed yet, with the answer's marker.
Result<Conversation::Answer> Conversation::answer(std::vector<int32_t> prompt, Workspace& ws, GenerateOptions& options) {
    if (options.stop.empty()) options.stop = turn_.stop;
    Answer out;
    auto generated = generate(sequence_, prompt, ws, options);
    if (!generated) return tl::unexpected(generated.error());
    out.generation = std::move(*generated);
    const Generation& g = out.generation;
    if (g.end == Generation::End::cancelled && g.tokens.empty()) {
        return fail(Error::interrupted, "interrupted after " + std::to_string(g.prompt_tokens) + " of " + std::to_string(prompt.size()) + " tokens");
    }
    out.prompt_tokens = g.prompt_tokens, out.prefill_ns = g.prefill_ns, out.first_token_ns = g.first_token_ns;
    if (g.end != Generation::End::stop_token) {  // close the turn, so that the next one finds what training has shown: ... <|im_end|><|im_user|>
        out.closed = turn_.end >= 0 && sequence_.room() > 0 && sequence_.feed({&turn_.end, 1}, ws, nullptr, &kGreedy).has_value();
    }
    const auto& all = sequence_.tokens();
    std::vector<int32_t> said(all.begin() + nodes_[static_cast<size_t>(tip_)].end, all.end());
    tip_ = append(tip_, "assistant", read_answer(*tokenizer_, g.tokens).text, std::move(said));
    nodes_.back().memory = sequence_.snapshot();
    branches_[current_].tip = tip_;
    keep_within_budget();
    return out;
}

Result<void> Conversation::set_on_full(OnFull way, std::function<void(const Summary&)> on_summary) {
    if (auto set = sequence_.set_rolling(way == OnFull::roll); !set) return set;
    on_full_ = way, on_summary_ = std::move(on_summary);
    return {};
}

// Asked aside, so that the talk itself never holds the question. Where the model can, that copy rolls, and has room however full the context is.
Result<void> Conversation::sum_up(Workspace& ws, Cancel cancel) {
    const std::vector<int> all = line(tip_);
    const int answer_node = tip_, left = branch();
    const int question = question_of(answer_node);
    Sequence aside = sequence_.fork();
    if (!aside.set_rolling(true)) {
        if (auto moved = seek(std::max(0, node(question).parent), ws, cancel); !moved) return tl::unexpected(moved.error());
        aside = sequence_.fork();
        if (auto back = seek(answer_node, ws, nullptr); !back) return tl::unexpected(back.error());
    }
    auto ask = encode_message(*tokenizer_, {.role = "user", .content = kAskForSummary});
    if (!ask) return tl::unexpected(ask.error());
    ask->insert(ask->end(), turn_.opening.begin(), turn_.opening.end());
    GenerateOptions how{.sampling = {.temperature = 0}, .budget = summary_tokens(aside.context()), .stop = turn_.stop, .cancel = cancel};
    auto summed = generate(aside, *ask, ws, how);
    if (!summed) return tl::unexpected(summed.error());
    if (summed->end == Generation::End::cancelled) return fail(Error::interrupted, "interrupted while summing up");
    const std::string summary = tokenizer_->decode(summed->tokens);

    const auto opening = [&](const std::string& system) { return encode_front(*tokenizer_, tools_, system); };
    const std::string before = node(all[0]).role == "system" ? node(all[0]).text : "", system = with_summary(before, summary);
    auto first = opening(system), own = opening(without_summary(before));
    for (const auto* ids : {&first, &own})
        if (!*ids) return tl::unexpected(ids->error());
    std::vector<Said> next{{"system", system, std::move(*first)}};
    for (int i : all)
        if (i >= question) next.push_back({node(i).role, node(i).text, node(i).tokens});
    std::vector<int32_t>& last = next.back().tokens;  // one that the context cut off is closed
    if (turn_.end >= 0 && std::find(turn_.stop.begin(), turn_.stop.end(), last.back()) == turn_.stop.end()) last.push_back(turn_.end);
    auto tokens = static_cast<int64_t>(own->size());
    for (size_t i = 1; i < next.size(); ++i) tokens += static_cast<int64_t>(next[i].tokens.size());
    if (!exchange_stays(tokens, sequence_.context())) next.resize(1);
    if (auto moved = adopt(next, nullptr, ws, cancel, standing(touched().get())); !moved) return tl::unexpected(moved.error());
    if (on_summary_) on_summary_({summary, left});
    return {};
}

Result<Conversation::Move> Conversation::adopt(const std::vector<Said>& line, SnapshotPtr memory, Workspace& ws, Cancel cancel, InterventionsPtr touched) {
    const size_t before = nodes_.size();
    int node = 0;
    for (const Said& said : line) node = append(node, said.role, said.text, said.tokens), nodes_.back().touched = touched;
    nodes_.back().memory = std::move(memory);
    auto moved = go_to(node, ws, cancel);
    if (!moved) nodes_.resize(before);
    return moved;
}

Result<Conversation::Answer> Conversation::regenerate(Workspace& ws, GenerateOptions options) {
    remedy_ = Remedy::none;
    const int old = tip_;
    if (node(old).role != "assistant") return fail(Error::failure, "there is no answer to regenerate yet");
    const int question = node(old).parent;
    auto moved = go_to(question, ws, options.cancel);
    if (!moved) return tl::unexpected(moved.error());
    auto result = answer(turn_.opening, ws, options);
    if (!result) {  // back to the old answer
        if (auto back = go_to(old, ws, nullptr); !back) return tl::unexpected(back.error());
        return result;
    }
    result->prompt_tokens += moved->replayed;
    result->prefill_ns += moved->nanoseconds;
    result->first_token_ns += moved->nanoseconds;
    return result;
}

// The last exchange may hold calls of tools and what they returned.
int Conversation::question_of(int answer) const {
    int question = node(answer).parent;
    while (question > 0 && node(question).parent > 0 && node(question).role != "user") question = node(question).parent;
    return std::max(0, question);
}

int64_t Conversation::last_question() const {
    const int question = node(tip_).role == "assistant" ? question_of(tip_) : 0;
    return question > 0 ? node(node(question).parent).end : -1;
}

Result<Apart> Conversation::apart(int answer, Workspace& ws, Cancel cancel, const std::function<void(int64_t, int64_t)>& progress) const {
    const int question = node(answer).parent;
    const int64_t last_fed = node(question).end + static_cast<int64_t>(turn_.opening.size()) - 1;  // before each is asked for the answer's first token
    std::vector<int32_t> all;
    for (const int i : line(answer)) all.insert(all.end(), node(i).tokens.begin(), node(i).tokens.end());
    std::optional<Sequence> both[2];
    for (const int i : {0, 1}) {
        Sequence& one = both[i].emplace(sequence_.fork());
        one.reset();
        if (auto laid = one.touch(i ? touched() : node(answer).touched); !laid) return tl::unexpected(laid.error());
        for (int at = question; at > 0 && one.position() == 0; at = node(at).parent) {
            const SnapshotPtr& memory = node(at).memory;
            if (memory && memory->dropped() == one.dropped_at(node(at).end) && same_until(memory->touched(), one.touched().get(), node(at).end))
                one.restore(*memory);
        }
    }
    const int64_t total = 2 * last_fed - both[0]->position() - both[1]->position();
    for (auto& one : both)
        while (one->position() < last_fed) {
            if (progress) progress(total - 2 * last_fed + both[0]->position() + both[1]->position(), total);
            const int64_t count = std::min(one->model().pass_tokens(), last_fed - one->position());
            const auto next = std::span<const int32_t>(all).subspan(static_cast<size_t>(one->position()), static_cast<size_t>(count));
            if (auto fed = one->feed(next, ws, cancel, &kGreedy); !fed) return tl::unexpected(fed.error());
        }
    return tell_apart(*both[0], *both[1], std::span<const int32_t>(all).subspan(static_cast<size_t>(last_fed)), ws, cancel);
}

Result<std::vector<float>> Conversation::state_at(int i, int layer, std::optional<int> head) const {
    const ModelConfig& c = sequence_.model().config();
    if (layer < 0 || layer >= c.num_hidden_layers || !c.has_state(layer) || (head && (*head < 0 || *head >= c.kda_heads)))
        return fail(Error::usage, "the model has no state of layer " + std::to_string(layer) + (head ? ", head " + std::to_string(*head) : ""));
    if (!node(i).memory) return fail(Error::failure, "the memory of that place is not kept any more");
    Sequence aside(sequence_.model_ptr(), sequence_.context());
    aside.restore(*node(i).memory);
    return aside.state(layer, "S", head);
}

Result<void> Conversation::begin_touched(InterventionsPtr all) {
    KLP_CHECK(tip_ == 0);
    auto laid = sequence_.touch(std::move(all));
    if (laid) nodes_[0].touched = sequence_.touched();
    return laid;
}

Result<Conversation::Answer> Conversation::touch(Interventions what, bool whole_line, Workspace& ws, GenerateOptions options) {
    remedy_ = Remedy::none;
    const int old = tip_;
    if (last_question() < 0) return fail(Error::usage, "there is no answer yet to compare with; ask something first");
    Interventions all = touched() ? *touched() : Interventions();
    for (Intervention& one : what) {
        one.from = whole_line && !one.once() ? 0 : last_question();
        all.push_back(std::move(one));
    }
    if (auto fits = check(all, sequence_.model().config()); !fits) return tl::unexpected(fits.error());
    if (sequence_.rolls() && std::any_of(all.begin(), all.end(), [](const Intervention& one) { return one.what == Intervention::What::hide; }))
        return fail(Error::usage, "'hide': a context that rolls on drops the oldest rows itself; /full stop first");
    const auto list = std::make_shared<const Interventions>(std::move(all));

    // The messages once more: those before are under the old list, and stay as they are.
    const size_t before = nodes_.size();
    const std::vector<int> old_line = line(old);
    const int question = question_of(old);
    int parent = whole_line ? 0 : node(question).parent;
    for (const int i : old_line) {
        if (i == old || (!whole_line && i < question)) continue;
        const Node copy = node(i);
        parent = append(parent, copy.role, copy.text, copy.tokens);
        nodes_.back().touched = list;
    }
    auto moved = seek(parent, ws, options.cancel);
    if (!moved) {
        nodes_.resize(before);
        return tl::unexpected(moved.error());
    }
    const size_t left = current_;
    branches_.push_back({++last_number_, tip_, false});
    current_ = branches_.size() - 1;
    auto result = answer(turn_.opening, ws, options);
    if (!result) {
        branches_.pop_back(), --last_number_;
        current_ = left;
        auto back = seek(old, ws, nullptr);
        nodes_.resize(before);
        return tl::unexpected(back ? result.error() : back.error());
    }
    result->prompt_tokens += moved->replayed;
    result->prefill_ns += moved->nanoseconds;
    result->first_token_ns += moved->nanoseconds;
    return result;
}

Result<Conversation::Move> Conversation::rewind(int turn, Workspace& ws, Cancel cancel) {
    remedy_ = Remedy::none;
    if (turn < 0 || turn > this->turn()) {
        return fail(Error::failure, "there is no turn " + std::to_string(turn) + ": the line has " + std::to_string(this->turn()));
    }
    int target = 0;
    for (int i : line(tip_)) {
        if (turn > 0 && node(i).role == "assistant" && turn_of(i) == turn) target = i;
    }
    return go_to(target, ws, cancel);
}

Result<Conversation::Move> Conversation::go_to_branch(int number, Workspace& ws, Cancel cancel) {
    remedy_ = Remedy::none;
    for (const Branch& branch : branches_) {
        if (branch.number == number) return go_to(branch.tip, ws, cancel);
    }
    return fail(Error::failure, "there is no branch " + std::to_string(number));
}

Result<Conversation::Move> Conversation::go_to(int target, Workspace& ws, Cancel cancel) {
    auto moved = seek(target, ws, cancel);
    if (moved) open_line(target);
    return moved;
}

Result<Conversation::Move> Conversation::seek(int target, Workspace& ws, Cancel cancel) {
    remedy_ = Remedy::none;
    Move move = cost(target);
    const int64_t begin = now_ns();
    const int start = start_of(target);
    const InterventionsPtr touched_before = sequence_.touched();
    const bool other_hands = touched_before != node(target).touched;
    if (start != tip_ || move.replayed > 0 || other_hands) {
        const SnapshotPtr back = node(tip_).memory ? node(tip_).memory : sequence_.snapshot();
        if (auto laid = sequence_.touch(node(target).touched); !laid) return tl::unexpected(laid.error());
        if (start != tip_) {
            if (node(start).memory)
                sequence_.restore(*node(start).memory);
            else
                sequence_.reset();
        }
        std::vector<int32_t> between;
        for (int i : line(target)) {
            if (i > start) between.insert(between.end(), node(i).tokens.begin(), node(i).tokens.end());
        }
        if (!between.empty()) {
            auto fed = read(between, ws, cancel);
            if (!fed) {
                if (auto laid = sequence_.touch(touched_before); !laid) return tl::unexpected(laid.error());
                sequence_.restore(*back);
                return tl::unexpected(fed.error());
            }
            move.replayed = *fed;
        }
    }
    tip_ = target;
    move.nanoseconds = now_ns() - begin;
    return move;
}

// Whether up to the end of this node, and with what is at hand of it, all was fed as under these.
bool Conversation::alike(int i, const Interventions* touched) const {
    if (i == tip_) return same_until(sequence_.touched().get(), touched, node(i).end);
    return node(i).memory && same_until(node(i).memory->touched(), touched, node(i).end);
}

int Conversation::start_of(int target) const {
    for (int i = target; i > 0; i = node(i).parent)
        if (alike(i, node(target).touched.get())) return i;
    return 0;
}

Conversation::Move Conversation::cost(int target) const {
    const int start = start_of(target);
    Move move;
    move.replayed = node(target).end - node(start).end;
    if (start != tip_ && node(start).memory) move.restored_bytes = node(start).memory->bytes();
    return move;
}

int Conversation::append(int parent, std::string role, std::string text, std::vector<int32_t> tokens) {
    const int64_t end = node(parent).end + static_cast<int64_t>(tokens.size());
    nodes_.push_back({parent, std::move(role), std::move(text), std::move(tokens), end, nullptr, false, sequence_.touched()});
    return static_cast<int>(nodes_.size()) - 1;
}

int Conversation::turn_of(int i) const {
    int turns = 0;
    for (; i > 0; i = node(i).parent) turns += node(i).role == "assistant";
    return turns;
}

std::vector<int> Conversation::line(int i) const {
    std::vector<int> nodes;
    for (; i > 0; i = node(i).parent) nodes.push_back(i);
    std::reverse(nodes.begin(), nodes.end());
    return nodes;
}

bool Conversation::on_line(int ancestor, int i) const {
    while (i > ancestor) i = node(i).parent;  // a node's number is larger than its parent's
    return i == ancestor;
}

bool Conversation::covered(const Branch& branch) const {
    return !branch.kept && std::any_of(branches_.begin(), branches_.end(),
                                       [&](const Branch& other) { return other.number != branch.number && on_line(branch.tip, other.tip); });
}

void Conversation::open_line(int tip) {
    if (branches_[current_].tip == tip) return;
    const int leaving = branches_[current_].number;
    const auto ends_there = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.tip == tip; });
    if (ends_there != branches_.end()) {
        current_ = static_cast<size_t>(ends_there - branches_.begin());
    } else if (covered(branches_[current_])) {
        branches_[current_].tip = tip;  // it says nothing of its own: take it along
        return;
    } else {
        branches_.push_back({++last_number_, tip, false});
        current_ = branches_.size() - 1;
    }
    const int arrived = branches_[current_].number;
    std::erase_if(branches_, [&](const Branch& b) { return b.number == leaving && covered(b); });
    current_ = static_cast<size_t>(std::find_if(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.number == arrived; }) - branches_.begin());
}

int Conversation::fork() {
    branches_[current_].kept = true;
    branches_.push_back({++last_number_, tip_, false});
    current_ = branches_.size() - 1;
    return last_number_;
}

void Conversation::pin() {
    Node& here = nodes_[static_cast<size_t>(tip_)];
    if (!here.memory) here.memory = sequence_.snapshot();
    here.pinned = true;
}

int64_t Conversation::snapshot_bytes() const {
    int64_t total = 0;
    for (const Node& n : nodes_) total += n.memory ? n.memory->bytes() : 0;
    return total + (half_read_ ? half_read_->bytes() : 0);
}

// Oldest first, the ends of branches last; the tip's own and pinned ones stay.
void Conversation::keep_within_budget() {
    int64_t total = snapshot_bytes();
    for (const bool ends_too : {false, true}) {
        for (size_t i = 1; i < nodes_.size() && total > budget_; ++i) {
            Node& n = nodes_[i];
            const bool ends = std::any_of(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.tip == static_cast<int>(i); });
            if (!n.memory || n.pinned || static_cast<int>(i) == tip_ || (ends && !ends_too)) continue;
            total -= n.memory->bytes();
            n.memory = nullptr;
        }
    }
}

}  // namespace klp
