// Hands on the memory, below the controls of a lens: what would be changed of what is selected, a dial, and what is in force on the branch in sight. Each change
// answers the last question again on a branch of its own; who keeps the conversation does it (Session::ask_hand).
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "app/gui/session/session.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QSlider;
class QToolButton;

namespace klp::gui {

enum class HandTool { half_lives, writing, no_writing, no_reading, empty, hide, no_cache, silence };

class HandsStrip final : public QWidget {
    Q_OBJECT
public:
    // `lens`: its title, for screen readers.
    HandsStrip(Session& session, const QString& lens, std::vector<HandTool> tools, QWidget* parent);
    // What Apply would do, where the selection says enough; else `why` says what is missing. Its first token is set by who does it.
    std::optional<Intervention> wanted(QString& why) const;

protected:
    void showEvent(QShowEvent* event) override;

private:
    enum Reach { channel, head, layer, all };
    HandTool tool() const;
    Reach reach() const;
    void choose_tool();
    void sync();
    Session& session_;
    const std::vector<HandTool> tools_;
    QComboBox *tool_, *reach_;
    QSlider* dial_;
    QLabel *amount_, *least_, *most_, *will_, *now_;
    QCheckBox* whole_;
    QPushButton *apply_, *undo_;
    QToolButton* json_;
};

}  // namespace klp::gui
