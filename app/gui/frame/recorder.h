// Writes what the session hears into a recording: whatever the lenses need, so that a replay can show it all.
#pragma once

#include "app/gui/frame/start_page.h"
#include "app/gui/session/session.h"
#include "core/runs/recording.h"

namespace klp::gui {

class Recorder : public QObject {
    Q_OBJECT
public:
    explicit Recorder(Session& session, QObject* parent = nullptr);

    // Into a new file in folder(); what goes wrong is said where everything is said. What the sequence already holds goes in first.
    void start();
    void stop();
    bool recording() const { return file_.has_value(); }
    int64_t bytes() const { return file_ ? file_->bytes() : 0; }
    static QString folder();  // the user's recordings

signals:
    void changed();
    void watch_asked(const QString& file);  // what was just recorded

private:
    void take(const Event& event);
    void write_what_was();
    void watch();
    void look_back();  // at what both memories read, as the next thing the model does
    Session& session_;
    std::vector<ProbeAttention> probes_;  // that are to be asked for when the model rests
    std::optional<RecordingWriter> file_;
    std::optional<AnswerBegun> begun_;  // the last one
    int64_t begin_ = 0, tokens_ = 0;
};

// The shipped recordings and the user's own, the newest of these first; what cannot be read is left out.
std::vector<RecordingInfo> list_recordings();

}  // namespace klp::gui
