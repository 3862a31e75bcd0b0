// The conversations: what was said, on which branch, where it is kept, and what the engine is asked to do about it. Knows no widget.
#pragma once

#include <QStringList>
#include <QTimer>

#include <map>
#include <set>
#include <utility>

#include "app/gui/chat/line_tokens.h"
#include "app/gui/session/session.h"
#include "core/runs/chat.h"
#include "core/text/tool_calls.h"

namespace klp::gui {

class Chats : public QObject {
    Q_OBJECT
public:
    // Chats lie in `folder`; "" keeps them in memory.
    explicit Chats(Session& session, const QString& folder = {}, QObject* parent = nullptr);
    ~Chats() override;
    static QString default_folder();

    Session& session() { return session_; }
    const Session& session() const { return session_; }
    const std::vector<std::unique_ptr<Chat>>& all() const { return chats_; }  // the newest first; removed ones are not among them
    const Chat& chat() const { return *current_; }
    bool recorded() const { return current_ == recorded_.get(); }  // it shows a recording: there is nothing to say to it
    bool answering() const { return running_.chat != nullptr; }
    bool both_rest() const { return !answering() && !(beside_ && beside_->answering()); }
    int answered_message() const { return running_.chat == current_ ? running_.message : 0; }  // of the current chat, growing now; 0: none
    bool loading() const { return session_.phase().phase == Phase::loading; }
    bool can_answer() const { return session_.live() && !loading() && !answering() && !recorded(); }
    bool waits_for_model() const { return later_ != nullptr; }  // what was asked for is done when there is one

    void new_chat();
    void open(const Chat* chat);
    // False: it cannot be sent now, and the sentence why was said. Without a model one is asked for, and the message is answered when it is there.
    bool send(const QString& text);
    bool send_all(const QStringList& turns, const QString& system, const QString& title);  // one after the other, in a new chat, with the best tokens
    void stop();
    // Whoever stands beside this one hears every message too, and both answers are made in step (in_step.h), with the same settings and seed; null: nobody. It
    // outlives that.
    void set_beside(Chats* other);
    Chats* beside() const { return beside_; }
    // In memory, and stood at: a copy of a line, with the hands that it was told under, or without.
    void begin_as(const Chat& from, int tip, bool with_hands);
    void regenerate(int id);  // an answer, or a message without one; where it would say the same again, that is said
    void vary(int id);        // the same with tokens drawn by chance, this once
    // On a branch of its own: a message of a person is answered anew, an answer is gone on with. False as with send().
    bool edit(int id, const QString& text);
    void go_on(int id);                            // an unfinished answer
    void fork(int id);                             // a new chat that begins with the line to here
    void rewind(int id);                           // stands here; what follows stays as a branch
    void rewind_to_token(int id, int64_t tokens);  // so many tokens of an answer, as an unfinished answer of its own
    // Hands on the memory (interventions.h): the last question answered again under one more, from the same memory and with the same seed, on a branch of its
    // own. It begins with that question, or where `whole_line` with the first token; hidden tokens go behind the last of them. What is in its way is said.
    void lay_hand(Intervention what, bool whole_line);
    void undo_hand();  // back to the answer that the newest was laid on
    Session::HandsNow hands_now() const;
    // How far an answer under hands is from the one it stands beside; null: not known yet, and asked for where it can be (message_changed says when).
    // `itself`: judged at its own words, and not at those of the other.
    const Compared* compared(int id, bool itself = false);
    // What happens when the context is full, in this chat. Said where the talk has ended for want of it, it goes on.
    OnFull on_full() const { return current_->info().on_full; }
    void set_on_full(OnFull way);
    bool full() const;      // it has ended so
    bool can_roll() const;  // the model's attention knows no positions
    void undo_turn();
    bool can_undo() const;
    void go_ahead();      // to the end of the branch that goes on from here
    void choose(int id);  // the branch through this message that was stood at last
    void remove(int id);
    void restore(int id);
    void rename(const Chat* chat, const QString& title);
    QStringList folders() const;                                  // that chats lie in, by name
    void put_in_folder(const Chat* chat, const QString& folder);  // "": in none
    void rename_folder(const QString& from, const QString& to);   // "": its chats lie in none then
    void remove_chat(const Chat* chat);
    bool can_restore() const;
    void restore_chat(const Chat* chat = nullptr);  // null: the one removed last, or else a branch of this one

    // What going to a message would cost: cost_known comes with the number that this gives, 0 where nobody can say.
    int ask_cost(int id, int64_t tokens = -1);
    static QString cost_text(const SnapshotPool::Move& move);

    void set_system(const QString& text);
    QString set_tools(const QString& json);  // that the model may call; an error names what is wrong, "" is success
    void return_call(const QString& id, const QString& text);
    std::vector<ToolCall> open_calls() const { return current_->open_calls(current_->tip()); }
    struct Settings {
        QString preset;
        Sampling sampling;
        int64_t predict = 2048;
        bool random_seed = true;
    };
    Settings settings() const;  // of the current chat, with the model's own where it has none
    void set_settings(const Settings& settings);

    // Errors name the file; "" is success.
    QString export_to(const QString& file) const;  // .json: all branches; else the line as Markdown
    QString import_from(const QString& file);

    // Of the current chat; -1: nobody knows.
    int64_t line_tokens() const { return tokens_.of_line(*current_); }  // with the answer's opening that a send would add to
    int64_t told_tokens() const;                                        // without it: those that the engine holds, or would hold
    int64_t tokens_of(const QString& text) const { return tokens_.of_text(text.toStdString()); }
    LineTokens::Place place_of(int64_t position) const { return tokens_.place_of(*current_, position); }
    int64_t first_position(int id) const { return tokens_.first_position(*current_, id); }
    std::vector<std::pair<int, int64_t>> message_positions() const { return tokens_.positions(*current_); }
    std::vector<Part> line_before(int id) const { return parts(*current_, current_->message(id).parent, false); }  // what it answers
    void ask_to_play(int id) { emit play_asked(id); }                                                              // an answer once more
    std::vector<int64_t> token_offsets(int id) const { return tokens_.offsets(*current_, id); }

    bool device_failed() const { return device_failed_; }                    // since a model was loaded last
    std::optional<QString> last_model() const { return last_model_; }        // its folder
    void name_recording(const QString& title) { recording_title_ = title; }  // the one that is shown next

signals:
    void list_changed();           // chats or branches came, went, were renamed
    void line_changed();           // other messages than before, or another chat
    void grew();                   // the answer that is being made, once a tick
    void message_changed(int id);  // its end, its figures
    void state_changed();          // what can be done now
    void info_changed();           // title, system prompt, settings
    void cost_known(int request, const klp::SnapshotPool::Move& move);
    void text_kept(const QString& text);  // of an undone turn or of a message that could not be sent: the composer has it again
    void model_asked();                   // somebody is to load one: the last one, or the embedded one
    void play_asked(int id);
    void replay_left();  // and the engine is to be there again

private:
    struct Running {
        int answer = -1;
        Chat* chat = nullptr;
        int message = 0;
        Utf8Stream text;
        std::optional<AnswerReader> reader;  // in its place where there is a tokenizer
        AnswerStats before;                  // of what is gone on with
        bool grew = false;
    };
    Chat* find(const Chat* chat) const;
    void set_current(Chat* chat);
    std::unique_ptr<Chat> fresh() const;
    void load(const QString& folder);
    void save(Chat& chat, bool sync);
    void say_disk(const std::string& what);
    bool ready(std::function<void()> later = {});
    void do_later(bool loaded);
    int hidden_message() const;
    void meet();                      // the answer that is asked for next, and the other's
    void go_on_in_step();             // what was kept until the other rests
    int put(const QString& message);  // of a person, at the end of the line
    AnswerStats broken_off(const char* end) const;
    void answer(int parent, InterventionsPtr hands, std::optional<Sampling> sampling = {});  // a new message below it
    void go_to(int id, bool open);                                                           // the engine, to this message's end
    bool says_the_same(int id) const;
    void sum_up();  // the line, in a message of its own
    MakeAnswer question(std::vector<Part> line, InterventionsPtr hands, std::optional<Sampling> sampling = {});
    void make(MakeAnswer ask, const char* role, int parent, bool alone = false, int beside = 0);
    void grow(Chat& chat, int id);
    void finish(bool open, AnswerStats stats);
    void follow();                                 // the engine goes where we are, if that is cheap
    bool elsewhere() const;                        // the engine stands at other messages than those of this line
    void post(const Chat& chat, Command command);  // that makes the engine stand at a line of this chat
    int64_t cheap_replay() const;                  // tokens
    std::vector<Part> parts(const Chat& chat, int tip, bool open) const;
    void take_card();
    void take(const TokenMade& event);
    void take(const AnswerDone& event);
    void take(const Trouble& event);
    void take(const AnswerBegun& event);  // of a recording
    void take(const Compared& event);
    void fork_with(int64_t position, int32_t id);
    std::pair<std::string, std::vector<int32_t>> beginning(int id, int64_t tokens) const;

    Session& session_;
    std::optional<ChatFolder> folder_;
    std::vector<std::unique_ptr<Chat>> chats_, removed_;
    std::unique_ptr<Chat> recorded_;
    Chat *current_ = nullptr, *before_recording_ = nullptr;
    Running running_;
    QStringList turns_;
    Chats* beside_ = nullptr;
    std::shared_ptr<Stepper> stepper_;  // of the answer that is asked for next
    std::optional<uint64_t> seed_;      // likewise
    QString waiting_;                   // a message that is sent when the talk is summed up
    QTimer save_timer_;
    int answers_ = 0, requests_ = 0, follow_request_ = 0;
    std::function<void()> later_;    // when there is a model
    const Chat* starter_ = nullptr;  // its settings are its own
    QString recording_title_;
    bool again_ = false;     // what is shown as recorded is an answer of before_recording_
    double prefill_ns_ = 0;  // of a token, in the last prompt that was long enough to tell; 0: not known
    bool disk_said_ = false;
    struct Judged {  // an answer under hands, at its own words or at those of the other
        const Chat* chat = nullptr;
        int id = 0;
        bool itself = false;
        auto operator<=>(const Judged&) const = default;
    };
    std::map<Judged, Compared> compared_;
    std::set<Judged> compared_asked_;
    std::set<std::pair<const Chat*, int>> laid_here_;
    Judged compared_of_;
    int comparing_ = 0;  // the request that is under way; 0: none
    bool device_failed_ = false, was_loading_ = false;
    std::optional<QString> last_model_;
    LineTokens tokens_;
};

}  // namespace klp::gui
