#include "app/gui/frame/lab_form.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QRegularExpression>
#include <QSpinBox>
#include <QVBoxLayout>
#include <array>

#include "app/gui/draw/language.h"
#include "app/gui/draw/text.h"

namespace klp::gui {

namespace {

struct TaskRow {
    TaskKind kind;
    const char *name, *about, *items;  // items: what it has so many of
    int length, vocabulary, count;     // to begin with: a minute on two cores
};
constexpr std::array<TaskRow, 4> kTasks = {
    {{TaskKind::stack, QT_TR_NOOP("Stacks"), QT_TR_NOOP("What lies on top of which of several stacks, pushed and popped in any order"), QT_TR_NOOP("Stacks"),
      48, 32, 4},
     {TaskKind::mqar, QT_TR_NOOP("Keys and values"), QT_TR_NOOP("Pairs of key and value, then the value of each key is asked (MQAR)"), QT_TR_NOOP("Pairs"), 64,
      64, 8},
     {TaskKind::palindrome, QT_TR_NOOP("Palindrome"), QT_TR_NOOP("What was read, backwards"), nullptr, 32, 32, 8},
     {TaskKind::copy, QT_TR_NOOP("Copy"), QT_TR_NOOP("What was read, as it was"), nullptr, 32, 32, 8}}};

struct MixerRow {
    const char *id, *name;
    bool on;
};
constexpr MixerRow kMixers[] = {{"kda", QT_TR_NOOP("KDA"), true},
                                {"gdn", QT_TR_NOOP("Gated DeltaNet"), false},
                                {"deltanet", QT_TR_NOOP("DeltaNet: no decay"), true},
                                {"gla", QT_TR_NOOP("GLA: plain writing"), false},
                                {"mamba2", QT_TR_NOOP("Decay per head, plain writing"), true},
                                {"linear_attention", QT_TR_NOOP("Linear attention"), true},
                                {"mla", QT_TR_NOOP("Softmax attention"), false},
                                {"mla+nope", QT_TR_NOOP("Softmax attention without positions"), false},
                                {"kda+swish", QT_TR_NOOP("KDA, swish as output gate"), false},
                                {"kda+no-gate", QT_TR_NOOP("KDA, no output gate"), false},
                                {"kda+no-conv", QT_TR_NOOP("KDA, no short convolution"), false},
                                {"kda+1:1", QT_TR_NOOP("KDA and attention 1:1"), false},
                                {"kda+1:1+rope", QT_TR_NOOP("KDA and attention with positions 1:1"), false}};
constexpr int kFirstSwitch = 7;  // of kMixers: what follows differs from a rule above

}  // namespace

LabForm::LabForm(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2, 2, 8, 2);
    form_ = new QFormLayout;
    form_->setRowWrapPolicy(QFormLayout::DontWrapRows);
    column->addLayout(form_);
    const auto row = [&](const char* name, const QString& label, QWidget* field) {
        field->setObjectName(name);
        field->setAccessibleName(label);
        form_->addRow(label, field);
    };
    task_ = new QComboBox(this);
    for (const TaskRow& t : kTasks) {
        task_->addItem(tr(t.name));
        task_->setItemData(task_->count() - 1, tr(t.about), Qt::ToolTipRole);
    }
    row("lab-task", tr("Task"), task_);
    const auto number = [&](const char* name, const QString& label, int least, int most, int value, int step = 1) {
        auto* box = new QSpinBox(this);
        box->setRange(least, most);
        box->setSingleStep(step);
        box->setButtonSymbols(QAbstractSpinBox::NoButtons);
        box->setValue(value);
        row(name, label, box);
        connect(box, &QSpinBox::valueChanged, this, &LabForm::changed);
        return box;
    };
    length_ = number("lab-length", tr("Tokens of a row"), 2, 1 << 16, 48, 16);
    items_ = number("lab-items", tr("Stacks"), 1, 1 << 12, 4);
    vocabulary_ = number("lab-vocabulary", tr("Different tokens"), 2, 10000, 32, 16);
    layers_ = number("lab-layers", tr("Layers"), 1, 64, 2);
    heads_ = number("lab-heads", tr("Heads"), 1, 64, 2);
    width_ = number("lab-width", tr("Width"), 4, 4096, 32, 16);
    steps_ = number("lab-steps", tr("Steps"), 1, 1'000'000, 300, 100);
    seed_ = number("lab-seed", tr("Seed"), 1, 1'000'000, 1);
    search_ = new QCheckBox(tr("Try three learning rates first"), this);
    search_->setObjectName("lab-search");
    search_->setChecked(true);
    search_->setToolTip(tr("Each mixer gets the rate that a short search finds for it; without that a comparison is of rates"));
    column->addWidget(search_);
    connect(search_, &QCheckBox::toggled, this, &LabForm::changed);
    const auto heading = [&](const QString& text) {
        auto* label = new QLabel(text, this);
        label->setForegroundRole(QPalette::PlaceholderText);
        label->setWordWrap(true);
        column->addSpacing(4);
        column->addWidget(label);
    };
    heading(tr("Who learns"));
    int n = 0;
    for (const MixerRow& m : kMixers) {
        if (n++ == kFirstSwitch) heading(tr("With something left out, or otherwise"));
        auto* box = new QCheckBox(tr(m.name), this);
        box->setObjectName(QString("mixer-") + m.id);
        box->setToolTip(m.id);
        box->setChecked(m.on);
        column->addWidget(box);
        mixers_.push_back(box);
        connect(box, &QCheckBox::toggled, this, &LabForm::changed);
    }
    others_ = new QLineEdit(this);
    others_->setObjectName("lab-others");
    others_->setPlaceholderText(tr("such as %1").arg("gdn+no-conv, kda+3:1"));
    others_->setAccessibleName(tr("Others, by their names"));
    others_->setToolTip(
        tr("A rule, and behind + what is otherwise: swish, no-gate, no-conv, 3:1 (three layers with a state for one of attention), rope, nope"));
    column->addWidget(others_);
    connect(others_, &QLineEdit::textChanged, this, &LabForm::changed);
    column->addStretch(1);
    connect(task_, &QComboBox::currentIndexChanged, this, &LabForm::choose_task);
}

TaskKind LabForm::kind() const { return kTasks[static_cast<size_t>(task_->currentIndex())].kind; }

void LabForm::choose_task() {
    const TaskRow& t = kTasks[static_cast<size_t>(task_->currentIndex())];
    length_->setValue(t.length), vocabulary_->setValue(t.vocabulary), items_->setValue(t.count);
    form_->setRowVisible(items_, t.items != nullptr);
    if (auto* label = qobject_cast<QLabel*>(form_->labelForField(items_)); label && t.items) {
        label->setText(tr(t.items));
        items_->setAccessibleName(tr(t.items));
    }
    task_->setToolTip(tr(t.about));
    emit changed();
}

LabSpec LabForm::spec() const {
    LabSpec s;
    s.task = {.kind = kind(), .length = length_->value(), .vocabulary = vocabulary_->value(), .items = items_->value()};
    for (size_t i = 0; i < mixers_.size(); ++i)
        if (mixers_[i]->isChecked()) s.mixers.emplace_back(kMixers[i].id);
    for (const QString& name : others_->text().split(QRegularExpression("[,\\s]+"), Qt::SkipEmptyParts)) s.mixers.push_back(name.toStdString());
    s.layers = layers_->value(), s.heads = heads_->value(), s.width = width_->value();
    s.steps = steps_->value(), s.seed = static_cast<uint64_t>(seed_->value());
    if (!search_->isChecked()) s.rates = {s.rates[s.rates.size() / 2]};
    pace(s);
    return s;
}

QString LabForm::task_text(const Task& t) {
    const QString row = Language::tr("rows of %1").arg(tokens_text(row_tokens(t)));
    for (const TaskRow& known : kTasks) {
        if (known.kind != t.kind) continue;
        return known.items ? QString("%1: %2, %3").arg(tr(known.name)).arg(t.items).arg(row) : QString("%1, %2").arg(tr(known.name), row);
    }
    return row;
}

}  // namespace klp::gui
