// What was not kept when it was fed comes back: from the file beside the chat, or from feeding the tokens again while the model rests. So a lens that is opened,
// a chat, a branch or a model has its picture, and none has to say that something is not known.
#pragma once

#include <QString>
#include <optional>
#include <set>

#include "app/gui/session/trace_store.h"

namespace klp::gui {

class Session;

// Everything of every token is kept, whatever is in sight, where that hardly costs anything: where a row of readings and candidates, which is written, copied
// and told, has at most a hundredth of the bytes that a token reads anyway, and where the share of memory (trace_budget) holds so many tokens. Of other models
// what is in sight is kept, and the newest TraceStore::kLookedAt tokens are fed again for a lens that is opened later.
inline constexpr int64_t kKeptCopies = 3, kKeptTokens = 4096;
bool keeps_everything(const RunCard& card, int64_t tokens_that_fit);

inline constexpr int kCandidates = 12;  // of each token

class Recall {
public:
    Recall(Session& session, TraceStore& trace) : session_(session), trace_(trace) {}

    // The chat whose line the engine stands at from now on; "": one that is not written.
    void set_file(const std::string& file);
    void take(const Retraced& event);
    void keep();                                        // what is known of the line, beside the chat
    void look();                                        // once a drain: whether something is missing
    void begin();                                       // another model
    void set_aside() { asked_.reset(), looked_ = -1; }  // what was asked for will not be told
    void ask_anew() { given_up_ = false; }              // something has changed
    enum class Now { nothing, working, waiting, stopped };
    Now now() const;  // of what is missing: it is being fed, will be when the model rests, or was stopped
    void wait_for_files() { files_.wait(); }

private:
    std::optional<Span> missing() const;
    void read_file();

    Session& session_;
    TraceStore& trace_;
    TraceFiles files_;
    std::string file_;
    std::set<std::string> read_;  // files of this model
    std::map<std::string, TraceStore::Stored> stored_;
    std::optional<Span> asked_;
    bool given_up_ = false, keeps_later_ = false;
    int64_t looked_ = -1;  // history of the trace when nothing was missing
    Interest looked_for_;
};

}  // namespace klp::gui
