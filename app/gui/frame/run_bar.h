// What runs and where: model and device with the reason, loading with a way out, what goes on now, and whether it is live.
#pragma once

#include <QWidget>

#include "app/gui/session/session.h"

class QHBoxLayout;
class QLabel;
class QProgressBar;
class QToolButton;

namespace klp::gui {

class Figure;
class PaceBox;

class RunBar : public QWidget {
    Q_OBJECT
public:
    explicit RunBar(Session& session, QWidget* parent = nullptr);
    PaceBox& pace() { return *pace_; }
    QHBoxLayout* extras() const { return extras_; }  // for controls of other rooms: presets, recording

signals:
    void open_asked();
    void open_gguf_asked();
    void embedded_asked();

protected:
    void changeEvent(QEvent* event) override;

private:
    void refresh();
    void say_phase();
    Session& session_;
    PaceBox* pace_ = nullptr;
    QToolButton* model_ = nullptr;
    Figure* device_ = nullptr;
    QLabel *phase_ = nullptr, *badge_ = nullptr;
    QProgressBar* progress_ = nullptr;
    QToolButton *stop_ = nullptr, *freeze_ = nullptr;
    QHBoxLayout* extras_ = nullptr;
};

}  // namespace klp::gui
