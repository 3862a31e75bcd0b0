// How the next token is chosen: named presets and each setting, in a small window that opens from a button.
#pragma once

#include <QToolButton>

#include "app/gui/chat/chats.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace klp::gui {

struct Preset {
    QString name;
    Sampling sampling;
    int64_t predict = 0;  // tokens of an answer, of an own preset
    bool own = false;     // of this person, kept in the settings
};
std::vector<Preset> presets();
void keep_preset(const Preset& preset);
void forget_preset(const QString& name);

// What these settings do, in a sentence or two.
QString in_words(const Sampling& sampling);

// Shows the preset's name, and the settings when pressed.
class SamplingButton : public QToolButton {
    Q_OBJECT
public:
    // `label` stands before the preset's name.
    explicit SamplingButton(Chats& chats, const QString& label = {}, QWidget* parent = nullptr);

    void show_settings();

private:
    void refresh();
    void apply(const QString& preset);
    Chats& chats_;
    QString label_;
    QFrame* popup_;
    QComboBox* preset_;
    QDoubleSpinBox *temperature_, *top_p_, *min_p_, *penalty_;
    QSpinBox *top_k_, *seed_, *length_;
    QCheckBox *random_, *thinks_;
    QToolButton *keep_, *forget_;
    QLineEdit* name_;
    QLabel* words_;
    bool filling_ = false;
};

}  // namespace klp::gui
