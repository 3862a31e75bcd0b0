#include <algorithm>
#include <chrono>
#include <new>

#include "core/runs/live_loaded.h"
#include "core/studies/race.h"
#include "core/system.h"
#include "core/text/chat_template.h"

namespace klp {

namespace {

constexpr int64_t kMostReadingsWaiting = 4096;  // of a screen that does not draw; text is never dropped
constexpr std::chrono::seconds kSettled(1);     // without a command, until the ends of talks are written

const size_t kRetrace = Command(Retrace{}).index(), kCompare = Command(Compare{}).index();

bool probes(const Command& command) {
    return std::holds_alternative<ProbeAttention>(command) || std::holds_alternative<ProbeState>(command) || std::holds_alternative<ProbeReadable>(command) ||
           std::holds_alternative<ProbeLife>(command) || std::holds_alternative<ProbeReaders>(command) || std::holds_alternative<ProbeLeft>(command) ||
           std::holds_alternative<ProbeRules>(command) || command.index() == kRetrace || command.index() == kCompare;
}
bool is_aside(const Command& command) {  // it asks for nothing that takes time
    return std::holds_alternative<AskCost>(command) || std::holds_alternative<SetSnapshotBudget>(command) || std::holds_alternative<SetStateBudget>(command);
}
// Whether a probe of this kind that is under way gives way to it. Not to a probe of the other kind: two lenses that ask again would keep each other from
// ending. A retrace, which nobody waits for, gives way to both.
bool hurries(const Command& command, size_t probe) {
    if (probes(command)) return command.index() == probe || probe == kRetrace;
    return !is_aside(command);
}

bool on_gpu(const RunCard& card) { return card.device.name.starts_with("cuda"); }

// A trained twin is mapped from its files; the mixers of a synthetic one are made in memory.
int64_t bytes_of_twin(const RunCard& card) { return card.twin == TwinKind::trained ? 0 : twin_mixer_bytes(card.config, card.cache_value_bytes); }

Result<std::shared_ptr<const Model>> twin_that_fits(const Model& model, const RunCard& card) {
    const int64_t bytes = bytes_of_twin(card), free = system_memory().available;
    if (!on_gpu(card) && free >= 0 && bytes > free / 4 * 3)
        return fail(Error::device,
                    "the twin's own weights take " + std::to_string(bytes >> 20) + " MiB and " + std::to_string(free >> 20) + " MiB of memory are free");
    return model.attention_twin(card.folder);
}

}  // namespace

LiveRun::LiveRun(Opener open, std::shared_ptr<Turns> turns)
    : open_(std::move(open)), turns_(turns ? std::move(turns) : std::make_shared<Turns>()), thread_([this](std::stop_token stop) { loop(stop); }) {}

LiveRun::~LiveRun() {
    thread_.request_stop();
    cancel();
    thread_.join();
}

void LiveRun::post(Command command) {
    const std::lock_guard lock(mutex_);
    if (probing_ && hurries(command, *probing_)) cancel_ = true;
    commands_.push_back(std::move(command));
    ++posted_;
    wake_.notify_one();
}

void LiveRun::cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_until_ = posted_;
    cancel_ = true;
}

void LiveRun::watch(const Interest& interest) {
    const std::lock_guard lock(mutex_);
    if (interest.state && interest.state != interest_.state) {
        look_ = true;
        wake_.notify_one();
    }
    interest_ = interest;
}

std::vector<Event> LiveRun::drain() {
    const std::lock_guard lock(mutex_);
    waiting_readings_ = 0;
    if (dropped_ > 0) events_.push_back(EventsDropped{std::exchange(dropped_, 0)});
    return std::exchange(events_, {});
}

void LiveRun::tell(Event event) {
    const std::lock_guard lock(mutex_);
    if (std::holds_alternative<Readings>(event) && ++waiting_readings_ > kMostReadingsWaiting) {
        ++dropped_;
        return;
    }
    events_.push_back(std::move(event));
}

void LiveRun::fail(Error error, std::string advice, int answer) { tell(Trouble{std::move(error), std::move(advice), answer}); }

void LiveRun::loop(std::stop_token stop) {
    while (!stop.stop_requested()) {
        std::optional<Command> command;
        {
            std::unique_lock lock(mutex_);
            const auto due = [&] { return look_ || !commands_.empty(); };
            const bool settles = at_ && !at_->ends.empty();
            if (!(settles ? wake_.wait_for(lock, stop, kSettled, due) : wake_.wait(lock, stop, due))) {
                if (stop.stop_requested()) break;
                lock.unlock();
                keep_ends();
                continue;
            }
            if (commands_.empty()) {
                look_ = false;
            } else {
                command = std::move(commands_.front());
                commands_.pop_front();
                probing_ = probes(*command) ? std::optional(command->index()) : std::nullopt;
                cancel_ = ++begun_ <= cancelled_until_ ||
                          (probing_ && std::any_of(commands_.begin(), commands_.end(), [&](const Command& next) { return hurries(next, *probing_); }));
            }
        }
        const auto* answer = command ? std::get_if<MakeAnswer>(&*command) : nullptr;
        const std::unique_lock turn(*turns_);
        try {
            if (at_ && command && command->index() != kRetrace && !is_aside(*command)) at_->again.reset();
            if (command) {
                std::visit([&](const auto& c) { handle(c); }, *command);
            } else if (at_ && at_->sequence.position() > 0) {  // another head is looked at while nothing goes on
                pictured_ = 0;
                picture_state();
            }
        } catch (const std::exception& e) {
            // What the sequence holds is not known any more; what was said is on the screen and in the file.
            const bool memory = dynamic_cast<const std::bad_alloc*>(&e) != nullptr;
            fail({Error::device, memory ? "there is no memory left" : e.what()}, "The text is kept. Load the model again, on the CPU if the GPU failed.",
                 answer ? answer->answer : -1);
            at_.reset();
            share();
            tell(Unloaded{});
        }
        if (command || !at_) tell(PhaseChanged{at_ ? Phase::ready : Phase::empty});
    }
    const std::unique_lock turn(*turns_);
    keep_ends();
    at_.reset();  // here, where its memory was taken
}

void LiveRun::keep_ends() try {
    if (!at_) return;
    for (const auto& [owner, frozen] : std::exchange(at_->ends, {})) at_->states->keep(frozen, *at_->model, owner);
} catch (const std::exception&) {  // a device that fails says so when it is used next; a state that is not kept is replayed
}

void LiveRun::share() {
    const std::lock_guard lock(shared_->mutex);
    shared_->card = at_ ? at_->card : nullptr;
    shared_->model = at_ ? at_->model : nullptr;
    shared_->pool = at_ ? at_->shared_pool : nullptr;
}

std::unique_ptr<LiveRun> LiveRun::beside(bool twin) {
    auto other = std::make_unique<LiveRun>(
        [shared = shared_, twin](const LoadModel&, const LoadOptions&) -> Result<OpenedModel> {
            std::shared_ptr<const RunCard> card;
            std::shared_ptr<const Model> model;
            {
                const std::lock_guard lock(shared->mutex);
                card = shared->card, model = shared->model.lock();
            }
            if (!model) return klp::fail(Error::usage, "no model is loaded that another run could be beside");
            if (!twin) return OpenedModel{card, model};
            auto full = twin_that_fits(*model, *card);
            if (!full) return tl::unexpected(full.error());
            auto of_twin = std::make_shared<RunCard>(*card);
            of_twin->name += " (" + std::string(label((*full)->twin().value_or(TwinKind::synthetic))) + ")";
            of_twin->config = (*full)->config(), of_twin->shape = TraceShape((*full)->config()), of_twin->identity = (*full)->identity();
            of_twin->context = std::min(of_twin->context, (*full)->config().model_max_length);
            of_twin->weight_bytes = (*full)->weight_bytes(), of_twin->active_bytes = (*full)->active_weight_bytes();
            return OpenedModel{std::move(of_twin), std::move(*full)};
        },
        turns_);
    other->lender_ = shared_;
    return other;
}

bool LiveRun::ready(int answer) {
    if (at_) return true;
    fail({Error::usage, "no model is loaded"}, "Load one first.", answer);
    return false;
}

// The model that runs stays until the new one is there. Where both do not fit, it makes room.
void LiveRun::handle(const LoadModel& c) {
    keep_ends();
    tell(PhaseChanged{Phase::loading});
    tell(Loading{c.model, 0});
    LoadOptions options;
    options.cancel = &cancel_;
    options.progress = [&](double fraction) { tell(Loading{c.model, fraction}); };
    auto opened = open_beside(c, options);
    if (!opened) return fail(opened.error());
    if (!opened->card->tokenizer) return fail({Error::model, opened->card->folder + " " + std::string(kNoTokenizer)});
    auto turn = turn_tokens(*opened->card->tokenizer, opened->card->config);
    if (!turn) return fail(turn.error());

    if (at_) unload();
    std::shared_ptr<SnapshotPool> frozen;  // of a run beside this one: what was said there is known here
    if (lender_) {
        const std::lock_guard lock(lender_->mutex);
        if (lender_->model.lock() == opened->model) frozen = lender_->pool.lock();
    }
    if (!frozen) frozen = std::make_shared<SnapshotPool>(c.snapshot_budget);
    at_ = std::make_unique<Loaded>(std::move(*opened), std::move(frozen));
    at_->turn = std::move(*turn);
    if (!c.states.empty()) {
        auto states = StateStore::open(c.states, [this](const StateStore::Kept& kept) { tell(StatesKept{kept}); });
        if (states)
            at_->states = std::move(*states), at_->pool.look_in(at_->states.get());
        else
            fail({Error::failure, "states of talks are not kept on disk: " + states.error().message});
    }
    share();
    tell(klp::Loaded{at_->card});
    say_snapshots();
    say_states();
}

Result<OpenedModel> LiveRun::open_beside(const LoadModel& c, const LoadOptions& options) {
    if (at_) try {
            auto opened = open_(c, options);
            if (opened || opened.error().kind != Error::device) return opened;
        } catch (const std::bad_alloc&) {
        } catch (const DeviceError&) {
        }
    if (at_) unload();
    return open_(c, options);
}

void LiveRun::unload() {
    at_.reset();
    share();
    tell(Unloaded{});
}

void LiveRun::handle(const UnloadModel&) {
    keep_ends();
    unload();
}

PromptFed LiveRun::Line::fed(int64_t first, int64_t last) const {
    PromptFed e{first, {tokens.begin() + first, tokens.begin() + last}, {}, hands};
    for (const Span& a : answers)
        if (const Span part{std::max(a.first, first), std::min(a.last, last)}; part.first < part.last) e.answers.push_back(part);
    return e;
}

Result<LiveRun::Line> LiveRun::tokens_of(const std::vector<Part>& line, bool marker) const {
    const Tokenizer& tokenizer = *at_->card->tokenizer;
    Line all;
    const auto append = [&](const std::vector<int32_t>& ids) { all.tokens.insert(all.tokens.end(), ids.begin(), ids.end()); };
    size_t begin = 0;  // of the messages
    std::string tools, system;
    for (; begin < line.size() && (line[begin].role == kToolsRole || line[begin].role == "system"); ++begin)
        (line[begin].role == "system" ? system : tools) = line[begin].text;
    auto front = encode_front(tokenizer, tools, system);
    if (!front) return tl::unexpected(front.error());
    append(*front);
    for (const Part& part : std::span(line).subspan(begin)) {
        if (part.role == "assistant" && (part.tool_calls.empty() || !part.ids.empty())) {
            auto opening = answer_opening(tokenizer, part.text);
            if (!opening) return tl::unexpected(opening.error());
            append(*opening);
            const auto first = static_cast<int64_t>(all.tokens.size());
            append(part.ids.empty() ? encode_answer(tokenizer, part.text) : part.ids);
            all.answers.push_back({first, static_cast<int64_t>(all.tokens.size())});
            const std::vector<int32_t>& stop = at_->turn.stop;
            const bool known = !part.ids.empty() && std::find(stop.begin(), stop.end(), part.closing) != stop.end();
            if (!part.open && at_->turn.end >= 0) all.tokens.push_back(known ? part.closing : at_->turn.end);
            continue;
        }
        auto ids = encode_message(tokenizer, {.role = part.role, .content = part.text, .tool_calls = part.tool_calls}, all.tokens.empty());
        if (!ids) return tl::unexpected(ids.error());
        append(*ids);
    }
    if (marker && !(line.back().role == "assistant" && line.back().open)) {
        auto opening = generation_prompt(tokenizer);  // which may ask for thoughts now, or not
        if (!opening) return tl::unexpected(opening.error());
        all.opening = opening->size();
        append(*opening);
    }
    return all;
}

Result<LiveRun::Stood> LiveRun::lay(const InterventionsPtr& hands, bool roll) {
    Sequence& sequence = at_->sequence;
    Stood before{sequence.tokens(), sequence.touched(), sequence.rolls(), {}};
    if (hands)
        if (auto has = check(*hands, at_->card->config); !has) return tl::unexpected(has.error());
    if (!same_until(before.hands.get(), hands.get(), sequence.position())) before.memory = at_->pool.keep(sequence);
    (void)sequence.set_rolling(false);
    auto laid = sequence.touch(hands);
    if (laid) laid = sequence.set_rolling(roll);
    if (laid) return before;
    take_back(before);
    return tl::unexpected(laid.error());
}

void LiveRun::take_back(const Stood& before) {
    Sequence& sequence = at_->sequence;
    (void)sequence.set_rolling(false);
    (void)sequence.touch(before.hands);
    (void)sequence.set_rolling(before.rolls);
    if (before.memory) sequence.restore(*before.memory);
}

Result<SnapshotPool::Move> LiveRun::stand(const Line& line, size_t length, const Stood& stood) {
    Sequence& sequence = at_->sequence;
    const std::vector<int32_t>& before = stood.tokens;
    const std::span<const int32_t> target = std::span(line.tokens).first(length);
    auto move = at_->pool.go(
        sequence, target, at_->ws, &cancel_,
        [&](int64_t done, int64_t total) {
            tell(PhaseChanged{Phase::prefill, done, total});
            if (done > 0) at_->tracer.trim();
        },
        true);
    if (!move) {
        at_->tracer.finish();
        take_back(stood);
        return move;
    }
    const int64_t same = std::min(std::mismatch(before.begin(), before.end(), target.begin(), target.end()).second - target.begin(),
                                  alike_until(stood.hands.get(), line.hands.get()));
    if (same < static_cast<int64_t>(before.size()) || same < static_cast<int64_t>(length)) tell(line.fed(same, static_cast<int64_t>(length)));
    publish_readings();
    say_rolled(/*again=*/true);
    if (!move->note.empty()) fail({Error::failure, move->note});
    return move;
}

int LiveRun::capture_what_is_watched() {
    const std::lock_guard lock(mutex_);
    for (int s = 0; s < kSites; ++s) at_->tracer.want(static_cast<Site>(s), interest_.sites[s]);
    return interest_.top;
}

void LiveRun::publish_readings() {
    for (Tracer::Row& row : at_->tracer.finish()) tell(Readings{row.position, std::move(row.values)});
}

void LiveRun::picture_state() {
    std::optional<std::pair<int, int>> wanted;
    int64_t every = 0;  // ns
    {
        const std::lock_guard lock(mutex_);
        wanted = interest_.state;
        every = 1'000'000'000 / std::max(1, interest_.pictures);
    }
    if (!wanted || now_ns() - pictured_ < every) return;
    picture_state(at_->sequence, wanted->first, wanted->second, false);
}

void LiveRun::picture_state(const Sequence& sequence, int layer, int head, bool past) {
    const TraceShape& shape = at_->card->shape;
    if (!shape.has(Site::beta, layer) || head < 0 || head >= shape.kda_heads) return;
    if (!past) pictured_ = now_ns();
    tell(StatePicture{layer, head, sequence.position(), shape.value_dim, shape.key_dim, sequence.state(layer, "S", head), past});
}

void LiveRun::say_rolled(bool again) {
    const int64_t dropped = at_->sequence.dropped(), told = std::exchange(at_->told_dropped, dropped);
    if (dropped != told || (again && dropped > 0)) tell(CacheRolled{dropped});
}

void LiveRun::say_states() {
    if (at_ && at_->states) tell(StatesKept{at_->states->kept()});
}

void LiveRun::say_snapshots() { tell(SnapshotsKept{at_->pool.count(), at_->pool.bytes(), at_->pool.budget(), at_->pool.along(at_->sequence)}); }

void LiveRun::handle(const MakeAnswer& c) {
    if (!ready(c.answer)) return;
    Sequence& sequence = at_->sequence;
    const auto end_here = [&](Error error, std::string advice = "") { fail(std::move(error), std::move(advice), c.answer); };
    if (c.line.empty()) return end_here({Error::usage, "there is nothing to answer"});
    auto target = tokens_of(c.line, true);
    if (!target) return end_here(target.error());
    target->hands = c.hands;
    const std::span<const int32_t> line(target->tokens);
    if (const auto n = static_cast<int64_t>(line.size()); n >= sequence.context() && !c.roll) {
        return end_here({Error::failure, "the conversation needs " + std::to_string(n) + " tokens and the context holds " + std::to_string(sequence.context())},
                        "Rewind or begin a new chat.");
    }
    const auto stood = lay(c.hands, c.roll);
    if (!stood) return end_here(stood.error(), c.hands ? "" : "Let the model sum the talk up, or begin a new chat.");
    tell(AnswerBegun{c.answer, c.line, c.sampling, c.hands});
    const bool goes_on = c.line.back().role == "assistant" && c.line.back().open;
    const size_t tail = goes_on ? 1 : std::max<size_t>(1, target->opening);  // left for generate()
    int top = capture_what_is_watched();
    auto move = stand(*target, line.size() - tail, *stood);
    if (!move) return end_here(move.error());
    if (!goes_on) at_->pool.keep(sequence);
    const int64_t begin = static_cast<int64_t>(line.size());  // of the answer
    tell(target->fed(sequence.position(), begin));
    tell(PhaseChanged{Phase::decoding});

    const Tokenizer& tokenizer = *at_->card->tokenizer;
    GenerateOptions options;
    options.sampling = c.sampling;
    options.budget = c.predict;
    options.stop = at_->turn.stop;
    options.cancel = &cancel_;
    options.candidates = &top;
    options.stepper = c.stepper.get();
    int64_t spent = 0;  // here, ns
    at_->tracer.spent_ns = 0;
    options.on_token = [&](const TokenEvent& token) {
        const int64_t begun = now_ns();
        publish_readings();
        picture_state();
        say_rolled();
        top = capture_what_is_watched();
        TokenMade made{.answer = c.answer, .position = token.position, .id = token.id, .nanoseconds = token.nanoseconds, .probability = token.probability};
        if (!tokenizer.is_special(token.id)) made.text = std::string(tokenizer.bytes(token.id));
        made.entropy = token.entropy, made.rank = token.rank, made.top.assign(token.top.begin(), token.top.end());
        made.memory = sequence.memory();
        tell(std::move(made));
        spent += now_ns() - begun;
        return true;
    };
    auto generated = generate(sequence, line.last(tail), at_->ws, options);
    if (!generated) return end_here(generated.error());
    const int64_t told = begin + static_cast<int64_t>(generated->tokens.size());
    AnswerDone done{.answer = c.answer, .end = generated->end, .tokens = static_cast<int64_t>(generated->tokens.size()), .seed = c.sampling.seed};
    if (generated->end != Generation::End::stop_token) {  // close the turn, so that the next one finds what training has shown
        done.closed = at_->turn.end >= 0 && sequence.room() > 0 && sequence.feed({&at_->turn.end, 1}, at_->ws, nullptr, &kGreedy).has_value();
    }
    if (const std::span<const int32_t> all(sequence.tokens()); static_cast<int64_t>(all.size()) > told) {
        tell(PromptFed{told, {all.begin() + told, all.end()}, {}, c.hands});  // what closed the turn
        if (all.back() != at_->turn.end) done.closing = all.back();
    }
    publish_readings();
    pictured_ = 0;  // the last state is always shown
    picture_state();
    done.prompt_tokens = move->replayed + generated->prompt_tokens;
    done.prefill_ns = move->nanoseconds + generated->prefill_ns;
    done.first_token_ns = move->nanoseconds + generated->first_token_ns;
    done.decode_ns = generated->decode_ns;
    done.move = *move;
    done.phases = generated->decode_phases;
    done.memory = sequence.memory();
    if (done.decode_ns > 0) tell(TelemetryCost{std::min(1.0, double(spent + at_->tracer.spent_ns) / double(done.decode_ns))});
    say_rolled();
    tell(done);
    const SnapshotPtr end = at_->pool.keep(sequence);
    if (at_->states && !c.keep_as.empty()) at_->ends[c.keep_as] = end;
    say_snapshots();
}

void LiveRun::handle(const GoTo& c) {
    if (!ready()) return;
    auto target = tokens_of(c.line, false);
    if (!target) return fail(target.error());
    target->hands = c.hands;
    capture_what_is_watched();
    auto stood = lay(c.hands, true);  // a line that is longer than the context was told with it
    if (!stood) stood = lay(c.hands, false);
    if (!stood) return fail(stood.error());
    auto move = stand(*target, target->tokens.size(), *stood);
    if (!move) return fail(move.error());
    tell(Moved{*move, at_->sequence.position(), at_->sequence.memory()});
    say_snapshots();
    pictured_ = 0;
    picture_state();
}

void LiveRun::handle(const AskCost& c) {
    if (!ready()) return;
    auto target = tokens_of(c.line, false);
    if (!target) return fail(target.error());
    if (same_until(at_->sequence.touched().get(), c.hands.get(), Intervention::kAlways))
        return tell(CostKnown{c.request, at_->pool.cost(at_->sequence, target->tokens)});
    Sequence other(at_->model, at_->sequence.context());
    if (auto laid = other.touch(c.hands); !laid) return fail(laid.error());
    (void)other.set_rolling(rolls());
    tell(CostKnown{c.request, at_->pool.cost(other, target->tokens)});
}

void LiveRun::handle(const SetSnapshotBudget& c) {
    if (!at_) return;
    at_->pool.set_budget(c.bytes);
    say_snapshots();
}

void LiveRun::handle(const SetStateBudget& c) {
    if (!at_ || !at_->states) return;
    if (auto set = at_->states->set_budget(c.bytes); !set) fail(set.error());
    say_states();
}

void LiveRun::handle(const StartRace& c) {
    if (!ready()) return;
    const RunCard& card = *at_->card;
    int64_t context = std::min(c.context, card.context);
    tell(PhaseChanged{Phase::racing, 0, context});
    const bool cpu = !on_gpu(card);
    if (!at_->twin) {
        auto twin = twin_that_fits(*at_->model, card);
        if (!twin) return fail(twin.error(), twin.error().kind == Error::device ? "Close other programs, or race a smaller model." : "");
        at_->twin = *twin;
        at_->twin_bytes = bytes_of_twin(card);
    }
    context = std::min(context, at_->twin->config().model_max_length);
    RaceOptions options;
    options.cancel = &cancel_;
    options.on_point = [&](const RacePoint& point) { tell(point); };
    options.on_progress = [&](int64_t done, int64_t total) { tell(PhaseChanged{Phase::racing, done, total}); };
    if (!cpu) options.available = [&] { return at_->model->backend().free_bytes(); };
    auto end = race(at_->model, at_->twin, race_tokens(at_->sequence.tokens(), context, card.config.vocab_size), options);
    const TwinKind kind = at_->twin->twin().value_or(TwinKind::synthetic);
    if (at_->twin_bytes > system_memory().available / 4) at_->twin.reset();
    if (!end) return fail(end.error());
    tell(RaceDone{kind, *end});
}

}  // namespace klp
