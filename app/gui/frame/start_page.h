// The first thing a person sees: doors, the models on this disk, and what this machine can run. No network before it is asked for.
#pragma once

#include <QFrame>
#include <QWidget>
#include <functional>
#include <vector>

#include "app/gui/frame/shelf.h"
#include "app/machine.h"

class QBoxLayout;
class QPushButton;

namespace klp::gui {

struct RecordingInfo {
    QString file, title, about;
};

// A card with a title, a text and a button: beside them, or below where there is little room.
class Door : public QFrame {
    Q_OBJECT
public:
    Door(const QString& title, const QString& text, const QString& button, QWidget* parent);
    QPushButton* button() const { return button_; }
    void set_more(const std::vector<QWidget*>& buttons);  // of the kind, below the text; those before are gone
    void set_text(const QString& text);
    QSize minimumSizeHint() const override { return {160, QFrame::minimumSizeHint().height()}; }  // narrower than it is while all stands beside each other

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    QBoxLayout *row_, *below_;
    QLabel* text_;
    QPushButton* button_;
};

class StartPage : public QWidget {
    Q_OBJECT
public:
    StartPage(const Machine& machine, const std::vector<RecordingInfo>& recordings, QWidget* parent = nullptr);
    Shelf& shelf() { return *shelf_; }
    QPushButton* first() const;                                         // the first thing to do
    void set_recordings(const std::vector<RecordingInfo>& recordings);  // the first is the one to begin with

signals:
    void recording_asked(const QString& file);
    void tour_asked();
    void embedded_asked();
    void folder_asked();
    void gguf_asked();
    void model_asked(const QString& path);
    void pull_asked();

private:
    QWidget* card_of(const Machine& machine);
    Door *watch_, *talk_;
    std::vector<RecordingInfo> recordings_;
    Shelf* shelf_;
};

}  // namespace klp::gui
