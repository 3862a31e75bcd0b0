#include "app/gui/chat/sampling.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QSettings>
#include <cmath>
#include <cstring>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"
#include "core/text/chat_form.h"

namespace klp::gui {

namespace {

// Names of presets as chats keep them, and as they are shown.
const char* const kModels = QT_TRANSLATE_NOOP("klp", "Model's own");
const char* const kChanged = " (changed)";
constexpr const char* kOurs[] = {QT_TRANSLATE_NOOP("klp", "Precise"), QT_TRANSLATE_NOOP("klp", "Balanced"), QT_TRANSLATE_NOOP("klp", "Creative")};

QString edited(const QString& name) { return name + kChanged; }
QString shown(const QString& name) {
    if (name.endsWith(kChanged)) return Language::tr("%1 (changed)").arg(shown(name.chopped(static_cast<qsizetype>(std::strlen(kChanged)))));
    const bool ours = name == kModels || std::any_of(std::begin(kOurs), std::end(kOurs), [&](const char* each) { return name == each; });
    return ours ? Language::tr(name.toUtf8()) : name;
}

// The words of a model here that can think before it answers; null where there is none. That of an engine elsewhere does as that engine was told.
const Tokenizer* thinking_words(const Session& session) {
    const RunCard* card = session.card();
    if (!card || !card->tokenizer || !session.live() || served_card(card) || !remote_at(*card).empty()) return nullptr;
    return chat_form(*card->tokenizer).thinking.empty() ? nullptr : card->tokenizer.get();
}

}  // namespace

std::vector<Preset> presets() {
    std::vector<Preset> all = {
        {kOurs[0], {.temperature = 0}}, {kOurs[1], {.temperature = 0.7f, .top_p = 0.9f}}, {kOurs[2], {.temperature = 1.1f, .min_p = 0.05f}}};
    QSettings settings;
    const int n = settings.beginReadArray("presets");
    for (int i = 0; i < n; ++i) {
        settings.setArrayIndex(i);
        Preset p{settings.value("name").toString(), {}, settings.value("length", 2048).toLongLong(), true};
        p.sampling.temperature = settings.value("temperature", 0.7).toFloat(), p.sampling.top_k = settings.value("top_k", 0).toInt();
        p.sampling.top_p = settings.value("top_p", 1).toFloat(), p.sampling.min_p = settings.value("min_p", 0).toFloat();
        p.sampling.repeat_penalty = settings.value("repeat_penalty", 1).toFloat();
        if (!p.name.isEmpty()) all.push_back(p);
    }
    return all;
}

namespace {
void write_own(const std::vector<Preset>& all) {
    QSettings settings;
    settings.remove("presets");
    settings.beginWriteArray("presets");
    int i = 0;
    for (const Preset& p : all) {
        if (!p.own) continue;
        settings.setArrayIndex(i++);
        settings.setValue("name", p.name), settings.setValue("length", static_cast<qlonglong>(p.predict));
        settings.setValue("temperature", double(p.sampling.temperature)), settings.setValue("top_k", p.sampling.top_k);
        settings.setValue("top_p", double(p.sampling.top_p)), settings.setValue("min_p", double(p.sampling.min_p));
        settings.setValue("repeat_penalty", double(p.sampling.repeat_penalty));
    }
    settings.endArray();
}
}  // namespace

void keep_preset(const Preset& preset) {
    std::vector<Preset> all = presets();
    std::erase_if(all, [&](const Preset& p) { return p.own && p.name == preset.name; });
    all.push_back(preset);
    all.back().own = true;
    write_own(all);
}

void forget_preset(const QString& name) {
    std::vector<Preset> all = presets();
    std::erase_if(all, [&](const Preset& p) { return p.own && p.name == name; });
    write_own(all);
}

QString in_words(const Sampling& s) {
    const auto tr = [](const char* text) { return SamplingButton::tr(text); };
    QString said;
    if (s.temperature <= 0) {
        said = tr("Always the most probable token: the same conversation gets the same answer.");
    } else {
        said = s.temperature < 0.95f   ? tr("Each token is drawn by chance, probable ones more often than the model alone would.")
               : s.temperature < 1.05f ? tr("Each token is drawn by chance, as often as the model finds it probable.")
                                       : tr("Each token is drawn by chance, and improbable ones get more of it than the model gives them.");
        QStringList cuts;
        if (s.top_k > 0) cuts << tr("the %1 most probable").arg(s.top_k);
        if (s.top_p < 1) cuts << tr("the most probable that together make %1").arg(local(percent_text(double(s.top_p))));
        if (s.min_p > 0)
            cuts << tr("those at least %1 as probable as the best").arg(local(QString::number(100 * double(s.min_p), 'g', 3).toStdString() + " %"));
        if (!cuts.isEmpty()) said = sentences({said, tr("Only %1 take part.").arg(cuts.join(tr(", of them ")))});
    }
    if (s.repeat_penalty > 1) said = sentences({said, tr("Tokens of the last 64 are held back.")});
    return said;
}

SamplingButton::SamplingButton(Chats& chats, const QString& label, QWidget* parent) : QToolButton(parent), chats_(chats), label_(label) {
    setObjectName("sampling");
    setToolTip(tr("How the next token is chosen: temperature, cuts, seed, length of an answer"));
    popup_ = new QFrame(this, Qt::Popup);
    popup_->setObjectName("sampling-popup");
    popup_->setStyleSheet("QFrame#sampling-popup { background: palette(window); border: 1px solid palette(mid); }");
    popup_->setAccessibleName(tr("Sampling settings"));
    auto* form = new QFormLayout(popup_);
    form->setContentsMargins(14, 12, 14, 12);
    preset_ = new QComboBox(popup_);
    preset_->setAccessibleName(tr("Preset"));
    preset_->setMinimumContentsLength(24);
    form->addRow(tr("Preset"), preset_);
    words_ = new QLabel(popup_);
    words_->setObjectName("in-words");
    words_->setWordWrap(true);
    words_->setForegroundRole(QPalette::PlaceholderText);
    words_->setMinimumWidth(fontMetrics().averageCharWidth() * 46);
    form->addRow(words_);
    const auto real = [&](const QString& label, double top, double step, const QString& tip) {
        auto* box = new QDoubleSpinBox(popup_);
        box->setRange(0, top);
        box->setSingleStep(step);
        box->setDecimals(2);
        box->setButtonSymbols(QAbstractSpinBox::NoButtons);
        box->setAccessibleName(label);
        box->setToolTip(tip);
        form->addRow(label, box);
        connect(box, &QDoubleSpinBox::valueChanged, this, [this] { apply({}); });
        return box;
    };
    const auto whole = [&](const QString& label, int low, int top, const QString& tip) {
        auto* box = new QSpinBox(popup_);
        box->setRange(low, top);
        box->setGroupSeparatorShown(true);
        box->setButtonSymbols(QAbstractSpinBox::NoButtons);
        box->setAccessibleName(label);
        box->setToolTip(tip);
        form->addRow(label, box);
        connect(box, &QSpinBox::valueChanged, this, [this] { apply({}); });
        return box;
    };
    temperature_ = real(tr("Temperature"), 5, 0.05, tr("0: always the most probable token; 1: the model's own distribution; more: flatter"));
    temperature_->setSpecialValueText(tr("0 (greedy)"));
    top_k_ = whole(tr("Top-k"), 0, 200'000, tr("Only the k most probable tokens"));
    top_k_->setSpecialValueText(tr("off"));
    top_p_ = real(tr("Top-p"), 1, 0.05, tr("Only the most probable tokens that together reach this probability; 1: all"));
    min_p_ = real(tr("Min-p"), 1, 0.01, tr("Only tokens at least this share as probable as the best; 0: all"));
    penalty_ = real(tr("Repeat penalty"), 3, 0.05, tr("Makes tokens of the last 64 less probable; 1: none"));
    length_ = whole(tr("Answer length"), 1, 1'000'000, tr("Tokens of an answer at most"));
    random_ = new QCheckBox(tr("another for each answer"), popup_);
    random_->setAccessibleName(tr("Random seed"));
    form->addRow(tr("Seed"), random_);
    connect(random_, &QCheckBox::toggled, this, [this](bool on) {
        seed_->setEnabled(!on);
        apply(chats_.settings().preset.isEmpty() ? kModels : chats_.settings().preset);
    });
    seed_ = new QSpinBox(popup_);
    seed_->setRange(0, 2'000'000'000);
    seed_->setButtonSymbols(QAbstractSpinBox::NoButtons);
    seed_->setAccessibleName(tr("Seed"));
    seed_->setToolTip(tr("The same seed, settings and conversation give the same answer"));
    form->addRow("", seed_);
    connect(seed_, &QSpinBox::valueChanged, this, [this] { apply(chats_.settings().preset.isEmpty() ? kModels : chats_.settings().preset); });
    thinks_ = new QCheckBox(tr("thinks before it answers"), popup_);
    thinks_->setObjectName("thinks");
    thinks_->setAccessibleName(tr("Thinking"));
    thinks_->setToolTip(tr("Whether the model is asked to think first; its thoughts are folded, and in the menu of its message"));
    form->addRow(tr("Thinking"), thinks_);
    connect(thinks_, &QCheckBox::toggled, this, [this](bool on) {
        if (filling_) return;
        QSettings().setValue("thinks", on);
        refresh();
    });
    auto* row = new QHBoxLayout;
    name_ = new QLineEdit(popup_);
    name_->setPlaceholderText(tr("Name of a new preset"));
    name_->setMinimumWidth(fontMetrics().horizontalAdvance(name_->placeholderText()) + 24);
    name_->setAccessibleName(tr("Name of a new preset"));
    keep_ = new QToolButton(popup_);
    keep_->setText(tr("Save"));
    keep_->setAccessibleName(tr("Save as a preset"));
    keep_->setEnabled(false);
    forget_ = new QToolButton(popup_);
    forget_->setText(tr("Delete"));
    forget_->setAccessibleName(tr("Delete this preset"));
    row->addWidget(name_, 1);
    row->addWidget(keep_);
    row->addWidget(forget_);
    form->addRow(row);
    connect(name_, &QLineEdit::textChanged, this, [this](const QString& s) { keep_->setEnabled(!s.trimmed().isEmpty()); });
    const auto keep = [this] {
        const QString name = name_->text().simplified();
        if (name.isEmpty() || name == kModels) return;
        const Chats::Settings s = chats_.settings();
        keep_preset({name, s.sampling, s.predict, true});
        name_->clear();
        apply(name);
    };
    connect(keep_, &QToolButton::clicked, this, keep);
    connect(name_, &QLineEdit::returnPressed, this, keep);
    connect(forget_, &QToolButton::clicked, this, [this] {
        forget_preset(chats_.settings().preset);
        apply(kModels);
    });
    connect(preset_, &QComboBox::activated, this, [this](int at) {
        if (!filling_) apply(preset_->itemData(at).toString());
    });
    connect(this, &QToolButton::clicked, this, &SamplingButton::show_settings);
    connect(&chats_, &Chats::info_changed, this, &SamplingButton::refresh);
    refresh();
}

// Of a preset's name, or of what the boxes say where it is "".
void SamplingButton::apply(const QString& name) {
    if (filling_) return;
    Chats::Settings s = chats_.settings();
    const uint64_t seed = static_cast<uint64_t>(seed_->value());
    bool found = false;
    for (const Preset& p : presets())
        if (p.name == name) s.sampling = p.sampling, s.predict = p.own ? p.predict : s.predict, found = true;
    if (name == kModels) {
        const RunCard* card = chats_.session().card();
        s.sampling = card ? card->sampling : Sampling{}, s.predict = card ? card->predict : 2048;
    } else if (!found) {
        s.sampling.temperature = static_cast<float>(temperature_->value()), s.sampling.top_k = top_k_->value();
        s.sampling.top_p = static_cast<float>(top_p_->value()), s.sampling.min_p = static_cast<float>(min_p_->value());
        s.sampling.repeat_penalty = static_cast<float>(penalty_->value()), s.predict = length_->value();
    }
    s.preset = name == kModels                    ? QString()
               : found || name.endsWith(kChanged) ? name
               : s.preset.endsWith(kChanged)      ? s.preset
                                                  : edited(s.preset.isEmpty() ? QString(kModels) : s.preset);
    s.sampling.seed = seed;
    s.random_seed = random_->isChecked();
    chats_.set_settings(s);
}

void SamplingButton::refresh() {
    const Chats::Settings s = chats_.settings();
    filling_ = true;
    preset_->clear();
    preset_->addItem(shown(kModels), kModels);
    bool own = false;
    for (const Preset& p : presets()) {
        preset_->addItem(shown(p.name), p.name);
        own = own || (p.own && p.name == s.preset);
    }
    const QString name = s.preset.isEmpty() ? QString(kModels) : s.preset;
    if (preset_->findData(name) < 0) preset_->addItem(shown(name), name);
    preset_->setCurrentIndex(preset_->findData(name));
    forget_->setEnabled(own);
    temperature_->setValue(double(s.sampling.temperature)), top_k_->setValue(s.sampling.top_k), top_p_->setValue(double(s.sampling.top_p));
    min_p_->setValue(double(s.sampling.min_p)), penalty_->setValue(double(s.sampling.repeat_penalty));
    length_->setValue(static_cast<int>(std::min<int64_t>(s.predict, 1'000'000)));
    random_->setChecked(s.random_seed);
    seed_->setEnabled(!s.random_seed);
    seed_->setValue(static_cast<int>(std::min<uint64_t>(s.sampling.seed, 2'000'000'000)));
    const Tokenizer* const words = thinking_words(chats_.session());
    if (words) words->set_thinking(QSettings().value("thinks", true).toBool());
    static_cast<QFormLayout*>(popup_->layout())->setRowVisible(thinks_, words != nullptr);
    thinks_->setChecked(words && words->thinks());
    thinks_->setEnabled(!chats_.answering());
    words_->setText(in_words(s.sampling));
    setText(label_ + shown(name) + "  ▾");
    setAccessibleName(tr("Sampling: %1").arg(shown(name)));
    setEnabled(!chats_.recorded());
    filling_ = false;
}

void SamplingButton::show_settings() {
    refresh();
    popup_->adjustSize();
    const QPoint above = mapToGlobal(QPoint(0, -popup_->height() - 4)), below = mapToGlobal(QPoint(0, height() + 4));
    popup_->move(above.y() > 40 ? above : below);
    popup_->show();
    preset_->setFocus();
}

}  // namespace klp::gui
