#include "app/gui/frame/recorder.h"

#include <QDateTime>
#include <QDir>
#include <QStandardPaths>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "core/files/resources.h"
#include "core/system.h"

namespace klp::gui {

namespace {

constexpr int64_t kProbed = 32768;               // tokens; beyond, looking at the past costs more than the answer
constexpr int64_t kPictured = int64_t{2} << 20;  // bytes of states a second

QString text(const std::string& s) { return QString::fromStdString(s); }

}  // namespace

Recorder::Recorder(Session& session, QObject* parent) : QObject(parent), session_(session) {
    connect(&session, &Session::event_seen, this, &Recorder::take);
    connect(&session, &Session::drained, this, [this] {
        if (!file_) return;
        if (auto done = file_->flush(); !done) {
            file_.reset();
            session_.set_interest(this, {});
            session_.say(text(done.error().message), tr("What was recorded before is kept."));
        }
        emit changed();
    });
    connect(&session, &Session::card_changed, this, &Recorder::stop);
    connect(&session.selection(), &Selection::changed, this, [this] {
        if (file_) watch();
    });
}

QString Recorder::folder() { return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) + "/klp/recordings"; }

void Recorder::watch() {
    const RunCard& card = *session_.card();
    Interest all;
    for (bool& site : all.sites) site = true;
    all.top = kCandidates;
    const Head at = session_.selection().state();
    if (!card.shape.layers(Site::beta).empty()) all.state = {at.layer, at.head};
    all.pictures = static_cast<int>(std::max<int64_t>(all.pictures, kPictured / std::max(1, 4 * card.shape.key_dim * card.shape.value_dim)));
    session_.set_interest(this, all);
}

void Recorder::start() {
    if (file_ || !session_.live()) return;
    const QDateTime now = QDateTime::currentDateTime();
    if (!QDir().mkpath(folder()))
        return session_.say(tr("Cannot record: %1 cannot be made.").arg(folder()), tr("Make room, or set XDG_DATA_HOME to a folder that can be written."));
    const QString name = folder() + "/" + now.toString("yyyy-MM-dd HH-mm-ss") + ".klprun";
    const auto card = session_.trace().shared_card();
    auto made = RecordingWriter::create(
        name.toStdString(), {text(card->name).toStdString() + ", " + now.toString("yyyy-MM-dd HH:mm").toStdString(), "", date_text(now.toSecsSinceEpoch()),
                             "klp-gui " KLP_VERSION, "Text and numbers made by the model named here; use them as its licence allows.", card});
    if (!made) return session_.say(tr("Cannot record: %1").arg(text(made.error().message)), "");
    file_.emplace(std::move(*made));
    begin_ = now_ns(), tokens_ = 0;
    watch();
    write_what_was();
    emit changed();
}

void Recorder::write_what_was() {
    const TraceStore& trace = session_.trace();
    int64_t open = trace.size();  // where an answer begins that is being made
    if (session_.busy() && begun_)
        while (open > 0 && trace.row(open - 1).made && trace.row(open - 1).answer == begun_->answer) --open;
    PromptFed fed;
    for (int64_t p = 0; p < open; ++p) fed.ids.push_back(trace.row(p).id);
    if (!fed.ids.empty()) (void)file_->append(fed, 0);
    if (session_.busy() && begun_) (void)file_->append(*begun_, 0);
    for (int64_t p = 0; p < trace.size(); ++p) {
        const TokenRow& row = trace.row(p);
        if (p >= open) {
            TokenMade made{.answer = row.answer,
                           .position = p,
                           .id = row.id,
                           .text = row.text,
                           .nanoseconds = static_cast<int64_t>(row.nanoseconds),
                           .probability = row.probability};
            made.top = trace.top(p);
            if (!made.top.empty()) made.entropy = row.entropy, made.rank = row.rank;
            made.memory = session_.memory();
            (void)file_->append(made, 0);
        }
        if (const auto values = trace.readings(p); !values.empty()) (void)file_->append(Readings{p, {values.begin(), values.end()}}, 0);
    }
}

void Recorder::take(const Event& event) {
    if (const auto* begun = std::get_if<AnswerBegun>(&event)) begun_ = *begun;
    if (const auto* picture = std::get_if<StatePicture>(&event); !file_ || (picture && picture->past)) return;
    tokens_ += std::holds_alternative<TokenMade>(event);
    (void)file_->append(event, now_ns() - begin_);  // a failure is said at the next flush
    // A replay has no model to ask what was read, so it is asked behind every answer.
    if (std::holds_alternative<AnswerBegun>(event)) probes_.clear();
    if (const int64_t n = session_.trace().size(); std::holds_alternative<AnswerDone>(event) && n > 2 && n < kProbed) {
        const TraceShape& shape = session_.trace().shape();
        const Selection& at = session_.selection();
        probes_.clear();
        // What was read when the word before the full stop was chosen.
        if (!shape.layers(Site::beta).empty()) probes_.push_back({at.state().layer, -1, std::max<int64_t>(0, n - 4)});
        if (!shape.layers(Site::log_sum_exp).empty()) probes_.push_back({at.cache().layer, -1, std::max<int64_t>(0, n - 4)});
    }
    if (const auto* phase = std::get_if<PhaseChanged>(&event); phase && phase->phase == Phase::ready) look_back();
}

void Recorder::look_back() {
    if (probes_.empty()) return;
    const ProbeAttention probe = probes_.back();
    probes_.pop_back();
    session_.post(probe);
}

void Recorder::stop() {
    if (!file_) return;
    const auto done = file_->flush();
    const QString name = text(file_->path().string());
    const int64_t bytes = file_->bytes();
    file_.reset();
    probes_.clear();
    session_.set_interest(this, {});
    if (!done)
        session_.say(text(done.error().message), tr("What was recorded before is kept."));
    else
        session_.say({tr("Recorded %1, %2: %3").arg(tokens_text(tokens_), local(bytes_text(bytes)), name), {}, false, {}, {{tr("Watch it"), [this, name] {
                                                                                                                                emit watch_asked(name);
                                                                                                                            }}}});
    emit changed();
}

std::vector<RecordingInfo> list_recordings() {
    std::vector<RecordingInfo> all;
    const auto add = [&](const QFileInfo& file) {
        const auto header = Recording::peek(file.absoluteFilePath().toStdString());
        if (header) all.push_back({file.absoluteFilePath(), text(header->title), text(header->about)});
    };
    if (const auto shipped = find_resource("recordings"); shipped && QDir(text(shipped->string())) != QDir(Recorder::folder()))
        for (const QFileInfo& file : QDir(text(shipped->string())).entryInfoList({"*.klprun"}, QDir::Files, QDir::Name)) add(file);
    const QDir own(Recorder::folder());
    for (const QFileInfo& file : own.entryInfoList({"*.klprun"}, QDir::Files, QDir::Time).mid(0, 20)) add(file);
    return all;
}

}  // namespace klp::gui
