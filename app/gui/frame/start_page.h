// The first thing a person sees: three doors, and what this machine can run. No dialog, no network.
#pragma once

#include <QWidget>

#include <functional>

#include "app/machine.h"

namespace klp::gui {

struct RecordingInfo {
    QString file, title, about;
};

class StartPage : public QWidget {
    Q_OBJECT
public:
    StartPage(const Machine& machine, const std::vector<RecordingInfo>& recordings, QWidget* parent = nullptr);

signals:
    void recording_asked(const QString& file);
    void embedded_asked();
    void folder_asked();

private:
    QWidget* door(const QString& title, const QString& text, const QString& button, bool primary, std::function<void()> go);
    QWidget* card_of(const Machine& machine);
};

}  // namespace klp::gui
