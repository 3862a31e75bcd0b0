#include "app/gui/chat/chats.h"

#include <QDir>
#include <QFile>
#include <QRandomGenerator>
#include <QSaveFile>
#include <QSettings>
#include <QStandardPaths>
#include <ctime>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "core/runs/served_run.h"
#include "core/text/utf8.h"

namespace klp::gui {

namespace {

constexpr int kSaveEvery = 1000;       // ms, of an answer that grows
constexpr int64_t kCheapReplay = 512;  // tokens the engine replays unasked when another branch is opened: one chunk,
constexpr double kCheapTime = 2e9;     // or as many as it reads in so many nanoseconds, where that is known from prompts of
constexpr int64_t kTelling = 64;       // so many tokens at least
constexpr int64_t kLargestImport = int64_t{256} << 20;
const char* const kStarters = "Precise";  // the preset of starters: what they show is what the best tokens say; the chats behind them are free again

QString text(const std::string& s) { return QString::fromStdString(s); }

QString title_of(const QString& message) {
    QString line = message.trimmed().section('\n', 0, 0).simplified();
    if (line.size() > 60) line = line.left(57).trimmed() + "…";
    return line;
}

// Of an answer that is gone on with.
AnswerReader read_so_far(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
    AnswerReader reader(tokenizer);
    for (int32_t id : ids) (void)reader.push(id);
    return reader;
}

}  // namespace

QString Chats::default_folder() { return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + "/klp/chats"; }

Chats::Chats(Session& session, const QString& folder, QObject* parent) : QObject(parent), session_(session), tokens_(session.trace()) {
    if (!folder.isEmpty()) load(folder);
    if (chats_.empty()) chats_.push_back(fresh());
    current_ = chats_.front().get();
    save_timer_.setInterval(kSaveEvery);
    connect(&save_timer_, &QTimer::timeout, this, [this] {
        if (running_.chat) save(*running_.chat, false);
    });
    connect(&session, &Session::card_changed, this, &Chats::take_card);
    connect(&session, &Session::phase_changed, this, [this] {
        const bool loaded = std::exchange(was_loading_, loading()) && !loading();
        emit state_changed();
        do_later(loaded);
    });
    connect(&session, &Session::token_made, this, [this](const TokenMade& e) { take(e); });
    connect(&session, &Session::answer_done, this, [this](const AnswerDone& e) { take(e); });
    connect(&session, &Session::troubled, this, [this](const Trouble& e) { take(e); });
    connect(&session, &Session::event_seen, this, [this](const Event& e) {
        if (const auto* begun = std::get_if<AnswerBegun>(&e)) take(*begun);
    });
    connect(&session, &Session::drained, this, [this] {
        if (std::exchange(running_.grew, false) && running_.chat == current_) emit grew();
    });
    connect(&session, &Session::cost_known, this, [this](const CostKnown& e) {
        if (e.request != follow_request_) return emit cost_known(e.request, e.move);
        follow_request_ = 0;
        if (e.move.replayed <= cheap_replay() && can_answer() && current_->tip() > 0)
            post(*current_, GoTo{parts(*current_, current_->tip(), current_->message(current_->tip()).open)});
    });
    const auto look = [this] { session_.set_elsewhere(elsewhere()); };
    for (const auto& changed : {&Chats::line_changed, &Chats::state_changed}) connect(this, changed, this, look);
    connect(&session, &Session::prompt_fed, this, look);
    connect(&session, &Session::fork_asked, this, [this](qint64 position, qint32 id) { fork_with(position, id); });
    take_card();
}

Chats::~Chats() {
    if (running_.chat) running_.chat->end(running_.message, true, broken_off("closed"));
    for (const auto& chat : chats_) (void)chat->save(true);
}

// --- Where chats lie --------------------------------------------------------------------------------------------------------

void Chats::load(const QString& folder) {
    auto opened = ChatFolder::open(folder.toStdString());
    if (!opened) return QTimer::singleShot(0, this, [this, why = opened.error().message] { say_disk(why); });
    folder_.emplace(std::move(*opened));
    QStringList notes;
    for (const auto& file : folder_->files()) {
        std::string note;
        auto chat = Chat::open(file, note);
        if (!chat) note = chat.error().message;
        if (!note.empty()) notes << text(note);
        if (chat && !(*chat)->info().removed && (*chat)->count() > 0) chats_.push_back(std::move(*chat));
    }
    std::stable_sort(chats_.begin(), chats_.end(), [](const auto& a, const auto& b) { return a->time() > b->time(); });
    if (!folder_->alone())
        notes << tr("Another window of this program uses the same conversations (%1); a chat that both go on with goes on here in a copy").arg(folder);
    if (!notes.isEmpty())
        QTimer::singleShot(0, this, [this, notes] {  // when there is a window to say it
            session_.say(notes.size() == 1 ? notes[0] + "." : tr("%1 (and %2 more)").arg(notes[0]).arg(notes.size() - 1),
                         tr("Nothing was changed or thrown away."), false);
        });
}

std::unique_ptr<Chat> Chats::fresh() const {
    auto chat = std::make_unique<Chat>(folder_ ? folder_->new_file() : std::filesystem::path());
    if (current_ && !recorded() && current_ != starter_) {  // it goes on with the settings of the chat before, not with its words
        ChatInfo info;
        info.preset = current_->info().preset, info.sampling = current_->info().sampling;
        info.predict = current_->info().predict, info.random_seed = current_->info().random_seed;
        chat->set_info(info);
    }
    return chat;
}

void Chats::say_disk(const std::string& what) {
    if (std::exchange(disk_said_, true)) return;
    session_.say({tr("What is said is kept in memory only: %1.").arg(text(what)),
                  tr("Make room or make the folder writable; all of it is written with the next message."), true, [this] { return disk_said_; }});
}

void Chats::save(Chat& chat, bool sync) {
    auto saved = chat.save(sync);
    if (!saved) return say_disk(saved.error().message);
    disk_said_ = false;
    if (!saved->empty()) {
        session_.say(text(*saved) + ".", tr("Both are in the list."), false);
        emit list_changed();
        emit info_changed();
    }
}

Chat* Chats::find(const Chat* chat) const {
    for (const auto& c : chats_)
        if (c.get() == chat) return c.get();
    return nullptr;
}

// --- What a person does -------------------------------------------------------------------------------------------------------

void Chats::set_current(Chat* chat) {
    current_ = chat;
    emit line_changed();
    emit info_changed();
    emit list_changed();
    emit state_changed();
    follow();
}

void Chats::new_chat() {
    turns_.clear();
    if (recorded()) emit replay_left();
    if (recorded()) return (void)ready();
    for (const auto& chat : chats_)  // an empty one is as good
        if (chat->count() == 0) return set_current(chat.get());
    chats_.insert(chats_.begin(), fresh());
    set_current(chats_.front().get());
}

void Chats::open(const Chat* chat) {
    if (recorded()) emit replay_left();
    if (recorded()) return (void)ready();
    if (chat == current_) return;
    if (Chat* found = find(chat)) set_current(found);
}

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

int Chats::put(const QString& message) {
    Chat& chat = *current_;
    if (chat.info().title.empty()) {
        ChatInfo info = chat.info();
        info.title = title_of(message).toStdString();
        chat.set_info(info);
        emit info_changed();
    }
    return chat.add({.parent = chat.tip(), .role = "user", .text = message.toStdString(), .time = std::time(nullptr)});
}

bool Chats::send(const QString& message) {
    if (message.trimmed().isEmpty()) return false;
    if (const bool model_missing = !recorded() && !answering() && !later_ && (loading() || (!session_.card() && !device_failed_)); model_missing) {
        const int id = put(message);
        save(*current_, false);
        emit line_changed();
        emit list_changed();
        ready([this, id, chat = current_] {
            if (current_ == chat && chat->tip() == id) answer(id);
        });
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
    answer(put(message));
    return true;
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

void Chats::answer(int parent, std::optional<Sampling> sampling) { make(question(parts(*current_, parent, false), sampling), "assistant", parent); }

// With the chat's settings. Its end is kept on disk, under the name of its file.
MakeAnswer Chats::question(std::vector<Part> line, std::optional<Sampling> sampling) {
    Settings s = settings();
    if (sampling) s.sampling = *sampling;
    MakeAnswer ask{.line = std::move(line), .sampling = s.sampling, .predict = s.predict, .roll = on_full() == OnFull::roll};
    if (s.random_seed) ask.sampling.seed = QRandomGenerator::global()->generate();
    if (!current_->in_memory()) ask.keep_as = current_->file().stem().string();
    return ask;
}

void Chats::make(MakeAnswer ask, const char* role, int parent, bool alone) {
    Chat& chat = *current_;
    ask.answer = ++answers_;
    running_ = {.answer = ask.answer, .chat = &chat};
    running_.message = chat.add({.parent = parent, .role = role, .open = true, .alone = alone, .time = std::time(nullptr), .model = session_.card()->name});
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
    if (way == OnFull::roll) return m.role == "assistant" ? go_on(tip) : answer(tip);
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
                   .roll = can_roll()};
    int64_t tokens = tokens_.of_front(*current_);
    for (int id : current_->last_exchange(current_->tip())) tokens += tokens_.of_message(*current_, id);
    make(std::move(ask), "summary", current_->tip(), !exchange_stays(tokens, session_.card()->context));
}

void Chats::grow(Chat& chat, int id) {
    MakeAnswer ask = question(parts(chat, id, true));
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
    answer(m.role == "assistant" ? m.parent : id);
}

// A whole answer that was made greedily is made so again: by this model, after the same messages.
bool Chats::says_the_same(int id) const {
    const ChatMessage& m = current_->message(id);
    return m.role == "assistant" && !m.open && !m.ids.empty() && settings().sampling.temperature <= 0 && session_.card() && m.model == session_.card()->name;
}

void Chats::vary(int id) {
    if (!ready()) return;
    const ChatMessage& m = current_->message(id);
    answer(m.role == "assistant" ? m.parent : id, Sampling{.temperature = 0.9f, .min_p = 0.05f});
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
        if (const Tokenizer* tokenizer = tokens_.tokenizer()) edited.ids = tokenizer->encode(edited.text);
        edited.stats = AnswerStats{.tokens = static_cast<int64_t>(edited.ids.size()), .end = "edited"};
        grow(*current_, current_->add(std::move(edited)));
        return true;
    }
    answer(current_->add({.parent = current_->message(id).parent, .role = "user", .text = message.toStdString(), .time = std::time(nullptr)}));
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

void Chats::fork(int id) {
    if (recorded()) return (void)ready();
    auto chat = fresh();
    ChatInfo info = current_->info();
    info.title = (info.title.empty() ? tr("Fork") : tr("%1 (fork)").arg(text(info.title))).toStdString();
    chat->set_info(info);
    for (int i : current_->line(id)) {
        ChatMessage m = current_->message(i);
        m.parent = chat->tip();
        chat->add(std::move(m));
    }
    save(*chat, true);
    chats_.insert(chats_.begin(), std::move(chat));
    set_current(chats_.front().get());
}

void Chats::rewind(int id) {
    if (recorded() || (answering() && running_.chat == current_)) return (void)ready();
    current_->stand(id);
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    if (can_answer()) post(*current_, GoTo{parts(*current_, id, false)});
}

std::pair<std::string, std::vector<int32_t>> Chats::beginning(int id, int64_t tokens) const {
    const ChatMessage& m = current_->message(id);
    std::vector<int32_t> ids(m.ids.begin(), m.ids.begin() + std::clamp<int64_t>(tokens, 0, static_cast<int64_t>(m.ids.size())));
    const Tokenizer* tokenizer = served_card(session_.card()) ? nullptr : tokens_.tokenizer();  // a server's words are none of it
    if (tokenizer) return {read_answer(*tokenizer, ids).text, ids};
    std::string said;
    const int64_t first = first_position(id);
    for (int64_t i = 0; first >= 0 && i < static_cast<int64_t>(ids.size()) && first + i < session_.trace().size(); ++i)
        said += session_.trace().row(first + i).text;
    return {repair_utf8(said), ids};
}

void Chats::rewind_to_token(int id, int64_t tokens) {
    if (recorded() || (answering() && running_.chat == current_)) return (void)ready();
    const ChatMessage& m = current_->message(id);
    if (tokens >= static_cast<int64_t>(m.ids.size())) return rewind(id);
    if (tokens <= 0) return rewind(m.parent);
    auto [said, ids] = beginning(id, tokens);
    ChatMessage cut{
        .parent = m.parent, .role = "assistant", .text = std::move(said), .ids = std::move(ids), .open = true, .time = std::time(nullptr), .model = m.model};
    cut.stats = AnswerStats{.tokens = tokens, .seed = m.stats ? m.stats->seed : 0, .end = "rewound"};
    const int made = current_->add(std::move(cut));
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    if (can_answer()) post(*current_, GoTo{parts(*current_, made, true)});
}

void Chats::fork_with(int64_t position, int32_t id) {
    if (!ready()) return;
    const LineTokens::Place place = place_of(position);
    if (place.id == 0) return session_.say(tr("This token was fed, not made by the model: there was nothing to choose."), "", false);
    auto [said, ids] = beginning(place.id, place.token);
    ids.push_back(id);
    const Tokenizer* tokenizer = tokens_.tokenizer();
    const bool ends = tokenizer && tokenizer->is_special(id);
    if (ends)
        ids.pop_back();
    else if (const ServedCard* served = served_card(session_.card()))
        said += served->words->bytes(id);
    else if (tokenizer)
        said = read_answer(*tokenizer, ids).text;
    const ChatMessage& m = current_->message(place.id);
    ChatMessage branch{
        .parent = m.parent, .role = "assistant", .text = std::move(said), .ids = std::move(ids), .open = !ends, .time = std::time(nullptr), .model = m.model};
    branch.stats = AnswerStats{.tokens = static_cast<int64_t>(branch.ids.size()), .end = ends ? "stop_token" : "chosen"};
    const int made = current_->add(std::move(branch));
    if (!ends) return grow(*current_, made);
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    follow();
}

bool Chats::can_undo() const { return !recorded() && current_->tip() > 0 && answered_message() == 0; }

void Chats::undo_turn() {
    if (!can_undo()) return;
    int id = current_->tip();
    while (id > 0 && current_->message(id).role != "user") id = current_->message(id).parent;
    if (id == 0) return;
    const QString said = text(current_->message(id).text);
    rewind(current_->message(id).parent);
    emit text_kept(said);
    session_.say({tr("The last turn is undone; it stays as a branch."),
                  {},
                  false,
                  [this, chat = current_, tip = current_->tip()] { return current_ == chat && chat->tip() == tip && chat->newest_below(tip) != tip; },
                  {{tr("Go ahead"), [this] { go_ahead(); }}}});
}

void Chats::go_ahead() {
    const int end = current_->newest_below(current_->tip());
    if (end != current_->tip()) choose(end);
}

void Chats::choose(int id) {
    if (answering() && running_.chat == current_) return (void)ready();
    current_->stand(current_->newest_below(id));
    if (!recorded()) save(*current_, false);
    emit line_changed();
    emit list_changed();
    follow();
}

void Chats::remove(int id) {
    if (recorded() || (answering() && running_.chat == current_)) return (void)ready();
    const int n = current_->messages_below(id);
    current_->remove(id);
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    session_.say({Language::tr("%Ln message(s) (is|are) hidden.", nullptr, n),
                  {},
                  false,
                  [this, id, chat = current_] { return current_ == chat && chat->message(id).removed; },
                  {{tr("Bring back"), [this, id] { restore(id); }}}});
    follow();
}

void Chats::restore(int id) {
    current_->restore(id);
    current_->stand(current_->newest_below(id));
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    follow();
}

void Chats::rename(const Chat* which, const QString& title) {
    Chat* chat = find(which);
    if (!chat || title.trimmed().isEmpty()) return;
    ChatInfo info = chat->info();
    info.title = title.simplified().toStdString();
    chat->set_info(info);
    save(*chat, false);
    emit list_changed();
    emit info_changed();
}

void Chats::remove_chat(const Chat* which) {
    if (which == running_.chat) return (void)ready();
    const auto at = std::find_if(chats_.begin(), chats_.end(), [&](const auto& c) { return c.get() == which; });
    if (at == chats_.end()) return;
    ChatInfo info = (*at)->info();
    info.removed = true;
    (*at)->set_info(info);
    save(**at, false);
    removed_.push_back(std::move(*at));
    chats_.erase(at);
    if (chats_.empty()) chats_.push_back(fresh());
    if (current_ == which)
        set_current(chats_.front().get());
    else
        emit list_changed();
    session_.say({tr("“%1” is hidden; its file stays.").arg(text(info.title)),
                  {},
                  false,
                  [this, which] { return std::any_of(removed_.begin(), removed_.end(), [&](const auto& c) { return c.get() == which; }); },
                  {{tr("Bring back"), [this, which] { restore_chat(which); }}}});
}

bool Chats::can_restore() const {
    if (recorded()) return false;
    if (!removed_.empty()) return true;
    return hidden_message() > 0;
}

// The newest one that was taken away and said something: answers that never began are taken away too.
int Chats::hidden_message() const {
    for (int id = current_->count(); id > 0; --id)
        if (const ChatMessage& m = current_->message(id); m.removed && !(m.text.empty() && m.ids.empty())) return id;
    return 0;
}

void Chats::restore_chat(const Chat* which) {
    auto at = std::find_if(removed_.begin(), removed_.end(), [&](const auto& c) { return c.get() == which; });
    if (!which && !removed_.empty()) at = removed_.end() - 1;
    if (at == removed_.end()) {  // then a branch of this chat
        if (const int id = which ? 0 : hidden_message()) restore(id);
        return;
    }
    ChatInfo info = (*at)->info();
    info.removed = false;
    (*at)->set_info(info);
    save(**at, false);
    chats_.insert(chats_.begin(), std::move(*at));
    removed_.erase(at);
    if (!recorded()) set_current(chats_.front().get());
}

int Chats::ask_cost(int id, int64_t tokens) {
    if (!can_answer() || id == 0) return 0;
    std::vector<Part> line = parts(*current_, id, tokens >= 0);
    if (tokens >= 0) {
        auto [said, ids] = beginning(id, tokens);
        line.back().text = said, line.back().ids = ids, line.back().open = true;
    }
    session_.post(AskCost{++requests_, std::move(line)});
    return requests_;
}

QString Chats::cost_text(const SnapshotPool::Move& move) {
    if (move.restored_bytes == 0 && move.replayed == 0) return tr("costs nothing: the memory stands there");
    QStringList parts;
    if (move.restored_bytes > 0) parts << tr("restore %1").arg(local(bytes_text(move.restored_bytes)));
    if (move.replayed > 0) parts << tr("replay %1").arg(tokens_text(move.replayed));
    return parts.join(" + ");
}

void Chats::set_system(const QString& system) {
    if (recorded() || system.toStdString() == current_->info().system) return;
    ChatInfo info = current_->info();
    info.system = system.toStdString();
    current_->set_info(info);
    save(*current_, false);
    emit info_changed();
}

QString Chats::set_tools(const QString& json) {
    if (recorded()) return {};
    auto tools = tool_declaration(json.trimmed().toStdString());
    if (!tools) return text(tools.error().message);
    if (*tools == current_->info().tools) return {};
    ChatInfo info = current_->info();
    info.tools = std::move(*tools);
    current_->set_info(info);
    save(*current_, false);
    emit info_changed();
    return {};
}

void Chats::return_call(const QString& id, const QString& message) {
    const std::vector<ToolCall> calls = open_calls();
    const auto open = std::find_if(calls.begin(), calls.end(), [&](const ToolCall& call) { return text(call.id) == id; });
    if (open == calls.end() || !ready()) return;
    const int made = current_->add({.parent = current_->tip(), .role = "tool", .text = message.toStdString(), .call_id = open->id, .time = std::time(nullptr)});
    if (calls.size() == 1) return answer(made);
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    emit state_changed();
}

Chats::Settings Chats::settings() const {
    const ChatInfo& info = current_->info();
    Settings s{.preset = text(info.preset), .random_seed = info.random_seed};
    const RunCard* card = session_.card();
    s.sampling = info.sampling ? *info.sampling : card ? card->sampling : Sampling{};
    s.predict = info.predict > 0 ? info.predict : card ? card->predict : s.predict;
    return s;
}

void Chats::set_settings(const Settings& settings) {
    if (recorded()) return;
    ChatInfo info = current_->info();
    info.preset = settings.preset.toStdString();
    info.sampling = settings.sampling;
    info.predict = settings.predict;
    info.random_seed = settings.random_seed;
    if (settings.preset.isEmpty() && settings.random_seed) info.sampling.reset(), info.predict = 0;  // whatever the model suggests, of the next one too
    current_->set_info(info);
    save(*current_, false);
    emit info_changed();
}

QString Chats::export_to(const QString& file) const {
    QSaveFile out(file);
    const std::string all = file.endsWith(".json", Qt::CaseInsensitive) ? current_->export_json() : current_->export_markdown();
    if (!out.open(QIODevice::WriteOnly) || out.write(all.data(), static_cast<qint64>(all.size())) < 0 || !out.commit()) return file + ": " + out.errorString();
    return {};
}

QString Chats::import_from(const QString& file) {
    QFile in(file);
    if (!in.open(QIODevice::ReadOnly)) return file + ": " + in.errorString();
    if (in.size() > kLargestImport)
        return tr("%1 has %2, more than the %3 a chat may have").arg(file, local(bytes_text(in.size())), local(bytes_text(kLargestImport)));
    auto chat = Chat::import_json(in.readAll().toStdString(), file.toStdString(), folder_ ? folder_->new_file() : std::filesystem::path());
    if (!chat) return text(chat.error().message);
    if ((*chat)->info().title.empty()) {
        ChatInfo info = (*chat)->info();
        const QString first = (*chat)->count() > 0 ? title_of(text((*chat)->message(1).text)) : QString();
        info.title = (first.isEmpty() ? tr("Imported") : first).toStdString();
        (*chat)->set_info(info);
    }
    save(**chat, true);
    chats_.insert(chats_.begin(), std::move(*chat));
    if (!recorded())
        set_current(chats_.front().get());
    else
        emit list_changed();
    return {};
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

int64_t Chats::told_tokens() const {
    if (session_.live() && session_.trace().size() > 0 && current_->tip() > 0 && !elsewhere())
        return session_.trace().size() - std::min(session_.rolled(), session_.trace().size());
    const int64_t line = line_tokens();
    return line < 0 ? line : line - tokens_.of_opening();
}

bool Chats::elsewhere() const {
    if (!session_.live() || recorded() || session_.trace().size() == 0) return false;
    if (running_.chat) return running_.chat != current_;
    const std::vector<int> told = current_->told(current_->tip()).ids;
    for (auto id = told.rbegin(); id != told.rend(); ++id) {
        const ChatMessage& m = current_->message(*id);
        if (m.role != "assistant" || m.ids.empty()) continue;
        const int64_t first = first_position(*id);
        return first >= 0 && tokens_.place_of(*current_, first).id != *id;
    }
    return false;
}

int64_t Chats::cheap_replay() const { return std::max(kCheapReplay, prefill_ns_ > 0 ? static_cast<int64_t>(kCheapTime / prefill_ns_) : 0); }

void Chats::follow() {
    if (!session_.live() || answering() || recorded()) return;  // while a model loads, too: it is asked when it is there
    if (current_->tip() == 0) {                                 // nothing was said here, so nothing is remembered
        if (session_.trace().size() > 0) post(*current_, GoTo{parts(*current_, 0, false)});
        return;
    }
    session_.post(AskCost{follow_request_ = ++requests_, parts(*current_, current_->tip(), current_->message(current_->tip()).open)});
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
    running_.message = goes_on ? chat->tip() : chat->add({.parent = chat->tip(), .role = "assistant", .open = true, .model = session_.card()->name});
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
