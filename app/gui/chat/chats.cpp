#include "app/gui/chat/chats.h"

#include <QFile>
#include <QSaveFile>
#include <QStandardPaths>
#include <ctime>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "core/runs/served_run.h"
#include "core/text/utf8.h"

namespace klp::gui {

namespace {

constexpr int kSaveEvery = 1000;  // ms, of an answer that grows
constexpr int64_t kLargestImport = int64_t{256} << 20;
QString text(const std::string& s) { return QString::fromStdString(s); }
QString title_of(const QString& message) {
    QString line = message.trimmed().section('\n', 0, 0).simplified();
    if (line.size() > 60) line = line.left(57).trimmed() + "…";
    return line;
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
        if (e.move.replayed <= cheap_replay() && can_answer() && current_->tip() > 0) go_to(current_->tip(), current_->message(current_->tip()).open);
    });
    connect(&session, &Session::compared, this, [this](const Compared& e) { take(e); });
    connect(&session, &Session::hand_asked, this, &Chats::lay_hand);
    connect(&session, &Session::undo_hand_asked, this, &Chats::undo_hand);
    const auto look = [this] {
        session_.set_elsewhere(elsewhere());
        session_.set_hands(hands_now());
    };
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
    if (can_answer()) go_to(id, false);
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
    cut.hands = m.hands;
    cut.stats = AnswerStats{.tokens = tokens, .seed = m.stats ? m.stats->seed : 0, .end = "rewound"};
    const int made = current_->add(std::move(cut));
    save(*current_, false);
    emit line_changed();
    emit list_changed();
    if (can_answer()) go_to(made, true);
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
    branch.hands = m.hands;
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

QStringList Chats::folders() const {
    QStringList out;
    for (const auto& chat : chats_)
        if (const QString folder = text(chat->info().folder); !folder.isEmpty() && !out.contains(folder)) out.push_back(folder);
    std::sort(out.begin(), out.end(), [](const QString& a, const QString& b) { return QString::localeAwareCompare(a, b) < 0; });
    return out;
}

void Chats::put_in_folder(const Chat* which, const QString& folder) {
    Chat* chat = find(which);
    if (!chat) return;
    ChatInfo info = chat->info();
    info.folder = folder.simplified().toStdString();
    chat->set_info(info);
    save(*chat, false);
    emit list_changed();
}

void Chats::rename_folder(const QString& from, const QString& to) {
    for (size_t i = 0; i < chats_.size(); ++i)  // each one tells the list
        if (text(chats_[i]->info().folder) == from) put_in_folder(chats_[i].get(), to);
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
    if (calls.size() == 1) return answer(made, current_->hands(made));
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

}  // namespace klp::gui
