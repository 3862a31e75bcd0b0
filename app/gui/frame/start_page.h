// The first thing a person sees: doors, the models on this disk, and what this machine can run. No network before it is asked for.
#pragma once

#include <QWidget>

#include <functional>

#include "app/gui/frame/shelf.h"
#include "app/machine.h"

namespace klp::gui {

struct RecordingInfo {
    QString file, title, about;
};

class StartPage : public QWidget {
    Q_OBJECT
public:
    StartPage(const Machine& machine, const std::vector<RecordingInfo>& recordings, QWidget* parent = nullptr);
    Shelf& shelf() { return *shelf_; }

signals:
    void recording_asked(const QString& file);
    void embedded_asked();
    void folder_asked();
    void gguf_asked();
    void model_asked(const QString& path);
    void pull_asked();

private:
    QWidget* door(const QString& title, const QString& text, const QString& button, bool primary, std::function<void()> go);
    QWidget* card_of(const Machine& machine);
    Shelf* shelf_;
};

}  // namespace klp::gui
