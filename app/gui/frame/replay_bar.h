// The controls of a replay: play, step, speed, and a slider over all its tokens. To be shown while replaying() only.
#pragma once

#include <QWidget>

#include "app/gui/session/session.h"
#include "core/runs/replay_run.h"

class QComboBox;
class QLabel;
class QSlider;
class QToolButton;

namespace klp::gui {

class ReplayBar : public QWidget {
    Q_OBJECT
public:
    explicit ReplayBar(Session& session, QWidget* parent = nullptr);

    // Plays this file from now on instead of whatever ran. What is wrong with the file is said where everything is said.
    bool open(const QString& file);
    // An answer once more, from `recording`, at this pace; the engine stands behind it, and is there again when it is left.
    void play_again(std::shared_ptr<const Recording> recording, int pace);
    // Back to the engine; with the model that was loaded before, if one was and it is wanted.
    void leave(bool load_again);
    bool again() const { return again_; }  // it plays an answer of the engine's
    bool replaying() const { return replay() != nullptr; }
    ReplayRun* replay() const { return dynamic_cast<ReplayRun*>(&session_.run()); }

    QWidget* play_button() const;
    QWidget* leave_button() const;

    void play_or_pause();
    void step(int64_t tokens);
    void change_speed(int by);  // one place up or down the list

signals:
    void replaying_changed(bool on);
    void another_asked();  // that can be read

protected:
    void changeEvent(QEvent* event) override;

private:
    void begin();  // with the run that is there
    void come_back();
    void refresh();
    void show_sign(bool playing);
    Session& session_;
    QToolButton *play_, *back_, *forward_, *loop_, *leave_;
    QSlider* slider_;
    QComboBox* speed_;
    QLabel *title_, *where_;
    QString model_before_;
    bool again_ = false;
    std::optional<bool> shown_;  // that it plays
};

}  // namespace klp::gui
