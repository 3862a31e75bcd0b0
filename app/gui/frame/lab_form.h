// What a lab is asked: task, sizes, and who is to learn.
#pragma once

#include <QWidget>
#include <vector>

#include "core/learn/lab.h"

class QCheckBox;
class QComboBox;
class QFormLayout;
class QLineEdit;
class QSpinBox;

namespace klp::gui {

class LabForm : public QWidget {
    Q_OBJECT
public:
    explicit LabForm(QWidget* parent = nullptr);
    LabSpec spec() const;                        // check() says whether it can be
    static QString task_text(const Task& task);  // "4 stacks, rows of 48 tokens"

signals:
    void changed();

private:
    void choose_task();
    TaskKind kind() const;
    QFormLayout* form_;
    QComboBox* task_;
    QSpinBox *length_, *items_, *vocabulary_, *layers_, *heads_, *width_, *steps_, *seed_;
    QCheckBox* search_;
    std::vector<QCheckBox*> mixers_;
    QLineEdit* others_;
};

}  // namespace klp::gui
