#include "app/gui/session/recall.h"

#include "app/gui/session/session.h"

namespace klp::gui {

bool keeps_everything(const RunCard& card, int64_t tokens_that_fit) {
    const int64_t row = card.shape.size() * static_cast<int64_t>(sizeof(float)) + kCandidates * static_cast<int64_t>(sizeof(Candidate));
    return row * kKeptCopies * 100 <= card.active_bytes && tokens_that_fit >= kKeptTokens;
}

void Recall::begin() {
    read_.clear(), stored_.clear();
    asked_.reset();
    given_up_ = keeps_later_ = false, looked_ = -1;
    read_file();
}

void Recall::set_file(const std::string& file) {
    given_up_ = false;
    if (std::exchange(file_, file) != file) read_file();
}

void Recall::read_file() {
    if (!session_.live() || session_.card()->identity == 0 || file_.empty() || !read_.insert(file_).second) return;
    files_.read(file_, trace_.shared_card());
}

void Recall::take(const Retraced& event) {
    if (!asked_ || *asked_ != event.tokens) return;
    const Span was = *std::exchange(asked_, std::nullopt);
    if (event.end == Retraced::End::gave_way) return;
    // What is missing after it was fed will be missing again.
    given_up_ = event.end != Retraced::End::whole || missing() == was;
    if (!missing()) keep();
}

void Recall::keep() {
    if (!session_.live() || session_.card()->identity == 0 || file_.empty()) return;
    if (keeps_later_ = files_.reading(); keeps_later_) return;  // what the file has already is not known yet
    for (TracePiece& piece : trace_.pieces(stored_[file_])) files_.keep(file_, trace_.shared_card(), std::move(piece));
}

std::optional<Span> Recall::missing() const { return trace_.missing(session_.wanted(), session_.keeps_all()); }

void Recall::look() {
    for (TraceFiles::Answer& answer : files_.drain()) {
        if (!answer.note.empty()) session_.log(QString::fromStdString(answer.note) + ".");
        if (!session_.live() || answer.model != session_.card()->identity) continue;
        std::optional<int64_t> first;
        TraceStore::Stored& stored = stored_[answer.file.string()];
        for (TracePiece& piece : answer.pieces) {
            uint64_t behind = piece.before;
            for (const TokenTrace& t : piece.tokens) behind = hash_behind(behind, t.id), stored[behind] |= !t.readings.empty();
            if (const auto told = trace_.recall(std::move(piece))) first = std::min(first.value_or(*told), *told);
        }
        if (first) session_.tell_recalled(*first);
    }
    if (keeps_later_) keep();
    if (!session_.live() || asked_ || given_up_ || session_.phase().phase != Phase::ready || files_.reading()) return;
    if (looked_ == trace_.history() + trace_.size() && looked_for_ == session_.wanted()) return;
    const auto stretch = missing();
    if (!stretch) {
        looked_ = trace_.history() + trace_.size(), looked_for_ = session_.wanted();
        return;
    }
    asked_ = stretch;
    Retrace again{*stretch, {}, session_.wanted()};
    for (int64_t p = std::max<int64_t>(0, stretch->first - 1); p <= std::min(stretch->last, trace_.size() - 1); ++p) {
        if (!trace_.row(p).made) continue;
        if (!again.answers.empty() && again.answers.back().last == p)
            ++again.answers.back().last;
        else
            again.answers.push_back({p, p + 1});
    }
    session_.run().post(std::move(again));
}

Recall::Now Recall::now() const {
    if (!session_.live()) return Now::nothing;
    if (asked_ || files_.reading()) return Now::working;
    if (given_up_) return Now::stopped;
    if (session_.busy() && session_.phase().phase != Phase::probing) return Now::waiting;
    return missing() ? Now::working : Now::nothing;
}

}  // namespace klp::gui
