// What the engine is asked, when it can be, and what it says.
#include "app/gui/chat/chats.h"

#include <QRandomGenerator>
#include <ctime>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "core/runs/live_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {

constexpr int64_t kCheapReplay = 512;     // tokens the engine replays unasked when another branch is opened: one chunk,
constexpr double kCheapTime = 2e9;        // or as many as it reads in so many nanoseconds, where that is known from prompts of
constexpr int64_t kTelling = 64;          // so many tokens at least
const char* const kStarters = "Precise";  // the preset of starters: what they show is what the best tokens say; the chats behind them are free again
QString text(const std::string& s) { return QString::fromStdString(s); }
// Of an answer that is gone on with.
AnswerReader read_so_far(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
    AnswerReader reader(tokenizer);
    for (int32_t id : ids) (void)reader.push(id);
    return reader;
}

}  // namespace

// Whether the model can be asked. Where there is none, one is asked for, and `later` is done when it is there; what else stands in the way is said.
bool Chats::ready(std::function<void()> later) {
    if (recorded()) {
        const bool again = session_.aside();
        session_.say({again ? tr("An answer is being played again: what you asked for needs the conversation as it stands now.")
                            : tr("This is a recording: nothing can be said to it."),
                      {},
                      false,
                      [this] { return recorded(); },
                      {{again ? tr("Back to now") : tr("Leave the replay"), [this] { emit replay_left(); }}}});
    } else if (answering()) {
        session_.say({tr("An answer is being made."), {}, false, [this] { return answering(); }, {{tr("Stop it"), [this] { stop(); }}}});
    } else if (!session_.card() && device_failed_) {
        session_.say({tr("No model is loaded, so nobody can answer."), {}, false, [this] { return !session_.card() && !loading(); }});
    } else if (later_) {
        session_.say({tr("The model is still loading; what you asked for before is done first."), {}, false, [this] { return later_ != nullptr; }});
    } else if (!session_.card() || loading()) {
        later_ = std::move(later);
        if (later_ && !loading()) emit model_asked();
        emit state_changed();
    } else {
        return true;
    }
    return false;
}

void Chats::do_later(bool loaded) {
    if (!later_ || loading() || (!loaded && !session_.live())) return;
    const auto go = std::exchange(later_, {});
    if (can_answer())
        go();
    else
        emit state_changed();
}

bool Chats::send(const QString& message) {
    if (message.trimmed().isEmpty()) return false;
    if (const bool model_missing = !recorded() && !answering() && !later_ && (loading() || (!session_.card() && !device_failed_)); model_missing) {
        const int id = put(message);
        save(*current_, false);
        emit line_changed();
        emit list_changed();
        ready([this, id, chat = current_] {
            if (current_ == chat && chat->tip() == id) answer(id, chat->hands(id));
        });
        return true;
    }
    if (beside_ && !answering() && beside_->answering()) {  // it is sent when both rest
        turns_.prepend(message);
        return true;
    }
    if (!ready()) return false;
    const Chat& chat = *current_;
    const bool said = chat.tip() > 0 && chat.message(chat.tip()).role == "assistant";
    if (said && on_full() == OnFull::summarise && wants_summary(line_tokens(), tokens_of(message), settings().predict, session_.card()->context)) {
        waiting_ = message;
        sum_up();
        return true;
    }
    const int id = put(message);
    meet();
    answer(id, chat.hands(id));
    if (!beside_ || !beside_->stepper_) return true;
    beside_->seed_ = running_.before.seed;
    if (!beside_->send(message)) beside_->stepper_.reset(), beside_->seed_.reset();
    return true;
}

void Chats::set_beside(Chats* other) {
    if (beside_) beside_->disconnect(this);
    beside_ = other;
    if (beside_)
        connect(beside_, &Chats::state_changed, this, [this] {
            emit state_changed();
            go_on_in_step();
        });
    emit state_changed();
}

void Chats::go_on_in_step() {
    if (turns_.isEmpty() || !both_rest() || !can_answer()) return;
    const QString next = turns_.takeFirst();
    if (!send(next)) turns_.clear();
}

void Chats::meet() {
    auto* run = beside_ && beside_->can_answer() ? dynamic_cast<LiveRun*>(&session_.run()) : nullptr;
    if (!run) return;
    const auto seats = run->in_step(2);
    stepper_ = seats[0], beside_->stepper_ = seats[1];
    beside_->set_settings(settings());
}

void Chats::begin_as(const Chat& from, int tip, bool with_hands) {
    auto chat = std::make_unique<Chat>();
    ChatInfo info = from.info();
    info.folder.clear();
    chat->set_info(info);
    for (const int id : from.line(tip)) {
        ChatMessage m = from.message(id);
        m.parent = chat->tip(), m.beside = 0;
        if (!with_hands) m.hands = nullptr;
        chat->add(std::move(m));
    }
    chats_.insert(chats_.begin(), std::move(chat));
    set_current(chats_.front().get());
}

bool Chats::send_all(const QStringList& turns, const QString& system, const QString& title) {
    if (turns.isEmpty() || !ready()) return false;
    new_chat();
    starter_ = current_;
    ChatInfo info = current_->info();
    info.title = title.toStdString(), info.system = system.toStdString();
    info.preset = kStarters, info.sampling = Sampling{.temperature = 0};
    current_->set_info(info);
    emit info_changed();
    turns_ = turns;
    return send(turns_.takeFirst());
}

void Chats::answer(int parent, InterventionsPtr hands, std::optional<Sampling> sampling) {
    make(question(parts(*current_, parent, false), std::move(hands), sampling), "assistant", parent);
}

void Chats::go_to(int id, bool open) { post(*current_, GoTo{parts(*current_, id, open), current_->hands(id)}); }

// With the chat's settings. Its end is kept on disk, under the name of its file.
MakeAnswer Chats::question(std::vector<Part> line, InterventionsPtr hands, std::optional<Sampling> sampling) {
    Settings s = settings();
    if (sampling) s.sampling = *sampling;
    MakeAnswer ask{.line = std::move(line), .sampling = s.sampling, .predict = s.predict, .roll = on_full() == OnFull::roll};
    if (!served_card(session_.card())) ask.hands = std::move(hands);  // nobody's hands reach into a server
    if (s.random_seed) ask.sampling.seed = QRandomGenerator::global()->generate();
    if (seed_) ask.sampling.seed = *std::exchange(seed_, std::nullopt);
    ask.stepper = std::exchange(stepper_, nullptr);
    if (!current_->in_memory()) ask.keep_as = current_->file().stem().string();
    return ask;
}

void Chats::make(MakeAnswer ask, const char* role, int parent, bool alone, int beside) {
    Chat& chat = *current_;
    ask.answer = ++answers_;
    running_ = {.answer = ask.answer, .chat = &chat};
    ChatMessage made{.parent = parent, .role = role, .open = true, .alone = alone, .time = std::time(nullptr), .model = session_.card()->name};
    made.beside = beside;
    made.hands = made.role == "summary" ? standing(ask.hands.get()) : ask.hands;
    running_.message = chat.add(std::move(made));
    running_.before.seed = ask.sampling.seed;
    save(chat, false);
    save_timer_.start();
    const auto here = std::find_if(chats_.begin(), chats_.end(), [&](const auto& c) { return c.get() == &chat; });
    std::rotate(chats_.begin(), here, here + 1);
    emit line_changed();
    emit list_changed();
    emit state_changed();
    post(chat, std::move(ask));
}

bool Chats::can_roll() const { return session_.card() && session_.card()->config.mla_use_nope; }

bool Chats::full() const {
    if (!can_answer() || current_->tip() == 0 || on_full() != OnFull::stop) return false;
    const ChatMessage& m = current_->message(current_->tip());
    return (m.role == "assistant" && m.stats && m.stats->end == "context") || line_tokens() >= session_.card()->context;
}

void Chats::set_on_full(OnFull way) {
    if (way == on_full()) return;
    if (recorded()) {
        ready();
        return emit info_changed();
    }
    if (way == OnFull::roll && session_.card() && !can_roll())
        return session_.say(tr("This model's context cannot roll on: its attention rotates keys by their positions."), tr("Let it sum the talk up instead."),
                            false);
    const bool was_full = full();
    ChatInfo info = current_->info();
    info.on_full = way;
    current_->set_info(info);
    save(*current_, false);
    emit info_changed();
    emit state_changed();
    if (!was_full) return;
    const int tip = current_->tip();
    const ChatMessage m = current_->message(tip);
    if (way == OnFull::roll) return m.role == "assistant" ? go_on(tip) : answer(tip, current_->hands(tip));
    if (m.role == "user") {
        if (m.parent == 0)
            return session_.say(tr("There is nothing to sum up yet: the message alone does not fit."), tr("Shorten it, or let the context roll on."), false);
        current_->stand(m.parent), waiting_ = text(m.text);
    }
    sum_up();
}

// The question is asked aside and stands in no message; what the model says to it is one.
void Chats::sum_up() {
    MakeAnswer ask{.line = ask_for_summary(parts(*current_, current_->tip(), false), can_roll()),
                   .sampling = {.temperature = 0},
                   .predict = summary_tokens(session_.card()->context),
                   .roll = can_roll(),
                   .hands = current_->hands(current_->tip())};
    int64_t tokens = tokens_.of_front(*current_);
    for (int id : current_->last_exchange(current_->tip())) tokens += tokens_.of_message(*current_, id);
    make(std::move(ask), "summary", current_->tip(), !exchange_stays(tokens, session_.card()->context));
}

void Chats::grow(Chat& chat, int id) {
    MakeAnswer ask = question(parts(chat, id, true), chat.hands(id));
    ask.answer = ++answers_;
    running_ = {.answer = ask.answer, .chat = &chat, .message = id, .before = chat.message(id).stats.value_or(AnswerStats{})};
    running_.before.seed = ask.sampling.seed;
    chat.stand(id);
    save(chat, false);
    save_timer_.start();
    emit line_changed();
    emit list_changed();
    emit state_changed();
    post(chat, std::move(ask));
}

void Chats::stop() {
    turns_.clear();
    session_.stop();
    if (beside_) beside_->stop();
}

void Chats::regenerate(int id) {
    if (!ready([this, id, chat = current_] {
            if (current_ == chat) regenerate(id);
        }))
        return;
    const ChatMessage& m = current_->message(id);
    if (m.role == "summary") return session_.say(tr("A summary is not answered."), tr("Send a message."), false);
    if (says_the_same(id))
        return session_.say({tr("With these settings the model says the same again: it always takes the most probable token."),
                             {},
                             false,
                             [this, id, chat = current_, tip = current_->tip()] { return current_ == chat && chat->tip() == tip && says_the_same(id); },
                             {{tr("Vary this once"), [this, id] { vary(id); }}}});
    answer(m.role == "assistant" ? m.parent : id, current_->hands(id));
}

// A whole answer that was made greedily is made so again: by this model, after the same messages.
bool Chats::says_the_same(int id) const {
    const ChatMessage& m = current_->message(id);
    return m.role == "assistant" && !m.open && !m.ids.empty() && settings().sampling.temperature <= 0 && session_.card() && m.model == session_.card()->name;
}

void Chats::vary(int id) {
    if (!ready()) return;
    const ChatMessage& m = current_->message(id);
    answer(m.role == "assistant" ? m.parent : id, current_->hands(id), Sampling{.temperature = 0.9f, .min_p = 0.05f});
}

bool Chats::edit(int id, const QString& message) {
    if (message.trimmed().isEmpty()) return false;
    const bool waited = waits_for_model();
    if (!ready([this, id, message, chat = current_] {
            if (current_ == chat) edit(id, message);
        }))
        return !waited && waits_for_model();
    if (const ChatMessage& m = current_->message(id); m.role == "assistant") {
        ChatMessage edited{.parent = m.parent, .role = "assistant", .text = message.toStdString(), .open = true, .time = std::time(nullptr), .model = m.model};
        edited.hands = m.hands;
        if (const Tokenizer* tokenizer = tokens_.tokenizer()) edited.ids = encode_answer(*tokenizer, edited.text);
        edited.stats = AnswerStats{.tokens = static_cast<int64_t>(edited.ids.size()), .end = "edited"};
        grow(*current_, current_->add(std::move(edited)));
        return true;
    }
    const int asked = current_->add({.parent = current_->message(id).parent, .role = "user", .text = message.toStdString(), .time = std::time(nullptr)});
    answer(asked, current_->hands(asked));
    return true;
}

void Chats::go_on(int id) {
    if (!ready([this, id, chat = current_] {
            if (current_ == chat) go_on(id);
        }))
        return;
    const ChatMessage m = current_->message(id);
    if (m.role != "assistant") return regenerate(id);
    // What was answered to stays as it was: a copy goes on.
    if (!current_->children(id).empty()) {
        ChatMessage copy = m;
        copy.open = true, copy.time = std::time(nullptr);
        id = current_->add(std::move(copy));
    }
    grow(*current_, id);
}

int Chats::ask_cost(int id, int64_t tokens) {
    if (!can_answer() || id == 0) return 0;
    std::vector<Part> line = parts(*current_, id, tokens >= 0);
    if (tokens >= 0) {
        auto [said, ids] = beginning(id, tokens);
        line.back().text = said, line.back().ids = ids, line.back().open = true;
    }
    session_.post(AskCost{++requests_, std::move(line), current_->hands(id)});
    return requests_;
}

QString Chats::cost_text(const SnapshotPool::Move& move) {
    if (move.restored_bytes == 0 && move.replayed == 0) return tr("costs nothing: the memory stands there");
    QStringList parts;
    if (move.restored_bytes > 0) parts << tr("restore %1").arg(local(bytes_text(move.restored_bytes)));
    if (move.replayed > 0) parts << tr("replay %1").arg(tokens_text(move.replayed));
    return parts.join(" + ");
}

// --- Lines and their tokens -----------------------------------------------------------------------------------------------------

std::vector<Part> Chats::parts(const Chat& chat, int tip, bool open) const {
    std::vector<Part> line;
    if (!chat.info().tools.empty()) line.push_back({std::string(kToolsRole), chat.info().tools, {}, false});
    const Chat::Told told = chat.told(tip);
    if (!told.system.empty()) line.push_back({"system", told.system, {}, false});
    for (int id : told.ids) {
        const ChatMessage& m = chat.message(id);
        Part part{m.role, m.role == "tool" ? tool_return(m.call_id, m.text) : m.text, {}, open && id == tip, m.calls};
        if (m.role == "assistant" && tokens_.sound(chat, m)) part.ids = m.ids, part.closing = m.stats ? m.stats->closing : -1;
        line.push_back(std::move(part));
    }
    return line;
}

void Chats::post(const Chat& chat, Command command) {
    session_.set_trace_file(chat.in_memory() ? std::string() : std::filesystem::path(chat.file()).replace_extension(".klptrace").string());
    session_.post(std::move(command));
}

int64_t Chats::cheap_replay() const { return std::max(kCheapReplay, prefill_ns_ > 0 ? static_cast<int64_t>(kCheapTime / prefill_ns_) : 0); }

void Chats::follow() {
    if (!session_.live() || answering() || recorded()) return;  // while a model loads, too: it is asked when it is there
    if (current_->tip() == 0) {                                 // nothing was said here, so nothing is remembered
        if (session_.trace().size() > 0) go_to(0, false);
        return;
    }
    const int tip = current_->tip();
    session_.post(AskCost{follow_request_ = ++requests_, parts(*current_, tip, current_->message(tip).open), current_->hands(tip)});
}

// --- What the engine says ---------------------------------------------------------------------------------------------------

void Chats::take_card() {
    const RunCard* card = session_.card();
    const bool replay = card && !card->recorded.empty();
    if (replay && recorded()) {  // it begins again, or another one does
        running_ = {};
        auto chat = std::make_unique<Chat>();
        chat->set_info({.title = current_->info().title});
        recorded_.swap(chat);
        current_ = recorded_.get();
        emit line_changed();
        emit list_changed();
    } else if (running_.chat) {  // whoever made the answer is gone
        finish(true, broken_off("error"));
    }
    comparing_ = 0, compared_asked_.clear();  // whoever was asked is gone
    tokens_.set_tokenizer(card ? card->tokenizer : nullptr);
    const bool was_again = std::exchange(again_, session_.aside());
    if (!again_ && !was_again) tokens_.forget_positions();  // else the engine stands where it stood
    if (session_.live()) device_failed_ = false, last_model_ = text(card->folder);
    if (replay && !recorded()) {
        before_recording_ = current_;
        recorded_ = std::make_unique<Chat>();
        recorded_->set_info({.title = (recording_title_.isEmpty() ? tr("Recording: %1").arg(text(card->recorded)) : recording_title_).toStdString()});
        set_current(recorded_.get());
    } else if (!replay && recorded()) {
        set_current(find(before_recording_) ? before_recording_ : chats_.front().get());
        recorded_.reset();
    } else {
        emit state_changed();
        emit info_changed();
        if (card) follow();
    }
    do_later(false);
}

void Chats::take(const AnswerBegun& e) {
    if (!recorded()) return;
    // A recording tells the whole line each time; going back in it begins the line anew.
    auto chat = std::make_unique<Chat>();
    ChatInfo info = recorded_->info();
    for (const Part& p : e.line) {
        if (p.role == "system")
            info.system = p.text;
        else
            chat->add({.parent = chat->tip(),
                       .role = p.role,
                       .text = p.text,
                       .ids = p.ids,
                       .open = p.open,
                       .model = p.role == "assistant" ? session_.card()->name : ""});
    }
    chat->set_info(info);
    running_ = {.answer = e.answer, .chat = chat.get(), .before = {.seed = e.sampling.seed}};
    const bool goes_on = chat->tip() > 0 && chat->message(chat->tip()).open;
    running_.message =
        goes_on ? chat->tip() : chat->add({.parent = chat->tip(), .role = "assistant", .open = true, .model = session_.card()->name, .hands = e.hands});
    tokens_.forget_positions(recorded_.get());
    recorded_ = std::move(chat);
    set_current(recorded_.get());
}

void Chats::take(const TokenMade& e) {
    if (!running_.chat || e.answer != running_.answer) return;
    if (running_.chat->message(running_.message).ids.empty()) tokens_.came(*running_.chat, running_.message, e.position);
    if (!running_.reader && tokens_.tokenizer()) running_.reader = read_so_far(*tokens_.tokenizer(), running_.chat->message(running_.message).ids);
    running_.chat->more(running_.message, running_.reader ? running_.reader->push(e.id, e.text) : running_.text.push(e.text), {&e.id, 1});
    running_.grew = true;
}

void Chats::take(const AnswerDone& e) {
    if (e.prompt_tokens >= kTelling) prefill_ns_ = static_cast<double>(e.prefill_ns) / static_cast<double>(e.prompt_tokens);
    if (!running_.chat || e.answer != running_.answer) return;
    AnswerStats stats = running_.before;
    const bool first = stats.tokens == 0;                                  // else it was gone on with
    const bool timed = e.decode_ns > 0 && (first || stats.decode_ns > 0);  // else nobody knows the time of some of its tokens
    stats.tokens += e.tokens, stats.decode_ns = timed ? stats.decode_ns + e.decode_ns : 0, stats.seed = e.seed, stats.memory_bytes = e.memory.total(),
                              stats.closing = e.closing;
    if (first) stats.prompt_tokens = e.prompt_tokens, stats.prefill_ns = e.prefill_ns, stats.first_token_ns = e.first_token_ns;
    static const char* const kEnds[] = {"stop_token", "budget", "context", "cancelled"};
    stats.end = kEnds[static_cast<int>(e.end)];
    const bool summary = running_.chat->message(running_.message).role == "summary";
    finish(summary ? e.end == Generation::End::cancelled : e.end != Generation::End::stop_token, stats);
    if (!turns_.isEmpty() && can_answer() && e.end != Generation::End::cancelled) {
        const QString next = turns_.takeFirst();
        if (!send(next)) turns_.clear();
    }
}

void Chats::take(const Trouble& e) {
    if (e.error.kind == Error::device && session_.live()) device_failed_ = true;
    if (!running_.chat || e.answer != running_.answer) {
        if (e.error.kind == Error::device) emit state_changed();
        return;
    }
    turns_.clear();
    finish(true, broken_off(e.error.kind != Error::interrupted ? "error" : recorded() ? "" : "cancelled"));
}

// Of an answer whose end nobody told: all its tokens, and no time, for that of the part before is not the whole's.
AnswerStats Chats::broken_off(const char* end) const {
    AnswerStats stats = running_.before;
    const auto tokens = static_cast<int64_t>(running_.chat->message(running_.message).ids.size());
    if (tokens != stats.tokens) stats.tokens = tokens, stats.decode_ns = 0;
    stats.end = end;
    return stats;
}

// The answer ends here. One that has no text, because the prompt was interrupted or refused, is taken out again and the message stays to be answered.
void Chats::finish(bool open, AnswerStats stats) {
    Running done = std::exchange(running_, {});
    save_timer_.stop();
    done.chat->more(done.message, done.reader ? done.reader->finish() : done.text.finish(), {});
    if (done.reader && !done.reader->calls().empty()) done.chat->set_calls(done.message, done.reader->calls());
    done.chat->end(done.message, open, stats);
    if (done.chat == recorded_.get()) {
        emit grew();
        emit message_changed(done.message);
        emit state_changed();
        return;
    }
    const ChatMessage& m = done.chat->message(done.message);
    const QString waiting = std::exchange(waiting_, {});
    const bool summary = m.role == "summary";
    const bool empty = summary ? open : m.text.empty() && m.ids.empty() && open;  // of half a summary nothing can go on
    if (empty) done.chat->remove(done.message);
    save(*done.chat, true);
    if (done.chat == current_) {
        if (empty)
            emit line_changed();
        else
            emit grew(), emit message_changed(done.message);
    }
    emit list_changed();
    emit state_changed();
    if (!summary && done.chat != current_ && turns_.isEmpty()) follow();  // somebody looks at another chat
    if (!summary) return;
    if (empty || done.chat != current_ || (!waiting.isEmpty() && !send(waiting))) {
        if (!waiting.isEmpty()) emit text_kept(waiting);
    } else if (waiting.isEmpty()) {
        follow();
    }
}

}  // namespace klp::gui
