#include "app/gui/panels/hands_strip.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/session/hand_words.h"

namespace klp::gui {

namespace {

using HandWhat = Intervention::What;

constexpr int kOctave = 4;                  // steps of the dial
constexpr int kDialFrom = -3, kDialTo = 3;  // octaves: half-lives times 1/8 to 8
constexpr int kMostWriting = 1;             // β above 2 makes a delta rule diverge, and its own goes up to 1

bool is_dial(HandTool tool) { return tool == HandTool::half_lives || tool == HandTool::writing; }
bool lasts(HandTool tool) { return tool != HandTool::empty && tool != HandTool::hide; }
float factor_of(int step) { return static_cast<float>(std::exp2(static_cast<double>(step) / kOctave)); }

QString tool_name_of(HandTool tool) {
    switch (tool) {
        case HandTool::half_lives:
            return HandsStrip::tr("half-lives times");
        case HandTool::writing:
            return HandsStrip::tr("writing strength β times");
        case HandTool::no_writing:
            return HandsStrip::tr("no writing");
        case HandTool::no_reading:
            return HandsStrip::tr("no reading of the state");
        case HandTool::empty:
            return HandsStrip::tr("empty the state");
        case HandTool::hide:
            return HandsStrip::tr("hide tokens from the caches");
        case HandTool::no_cache:
            return HandsStrip::tr("no reading of the cache");
        case HandTool::silence:
            return HandsStrip::tr("silence the expert");
    }
    return {};
}

}  // namespace

HandsStrip::HandsStrip(Session& session, const QString& lens, std::vector<HandTool> tools, QWidget* parent)
    : QWidget(parent),
      session_(session),
      tools_(std::move(tools)),
      tool_(new QComboBox(this)),
      reach_(new QComboBox(this)),
      dial_(new QSlider(Qt::Horizontal, this)),
      amount_(new QLabel(this)),
      least_(new QLabel(this)),
      most_(new QLabel(this)),
      will_(new QLabel(this)),
      now_(new QLabel(this)),
      whole_(new QCheckBox(tr("from the first token"), this)),
      apply_(new QPushButton(tr("Answer again so"), this)),
      undo_(new QPushButton(tr("Undo"), this)),
      json_(new QToolButton(this)) {
    setObjectName("hands");
    setAccessibleName(tr("%1, hands on the memory").arg(lens));
    for (const HandTool tool : tools_) tool_->addItem(tool_name_of(tool));
    tool_->setAccessibleName(tr("%1, what is changed").arg(lens));
    reach_->setAccessibleName(tr("%1, of which part").arg(lens));
    dial_->setAccessibleName(tr("%1, dial").arg(lens));
    dial_->setSingleStep(1), dial_->setPageStep(kOctave);
    dial_->setMinimumWidth(90);
    dial_->setToolTip(tr("Four steps are twice as much; × 1 changes nothing"));
    amount_->setMinimumWidth(amount_->fontMetrics().horizontalAdvance("× 0,125 "));
    whole_->setAccessibleName(tr("%1, the whole conversation under it").arg(lens));
    whole_->setToolTip(tr("The whole conversation is read again under it; else it begins with the last question"));
    apply_->setAccessibleName(tr("%1, answer again under this hand").arg(lens));
    apply_->setToolTip(tr("The last question is answered again, from the same memory and with the same seed, on a branch of its own; this answer stays"));
    undo_->setAccessibleName(tr("%1, undo the last hand").arg(lens));
    undo_->setToolTip(tr("Back to the answer that this one was laid beside; nothing is lost"));
    json_->setText(tr("Copy as JSON"));
    json_->setAccessibleName(tr("%1, copy the hands in force as JSON").arg(lens));
    json_->setToolTip(tr("What is in force, as klp chat, run and logits take it with --intervene, and klp serve as \"intervene\""));
    for (QLabel* end : {least_, most_}) end->setForegroundRole(QPalette::PlaceholderText);
    for (QLabel* said : {will_, now_}) {
        said->setWordWrap(true);
        said->setTextFormat(Qt::PlainText);
        said->setForegroundRole(QPalette::PlaceholderText);
        said->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    }
    will_->setObjectName("hand-wanted"), now_->setObjectName("hands-now");
    tool_->setObjectName("hand-tool"), reach_->setObjectName("hand-reach"), dial_->setObjectName("hand-dial"), whole_->setObjectName("hand-whole");
    apply_->setObjectName("hand-apply"), undo_->setObjectName("hand-undo"), json_->setObjectName("hand-json");

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 2, 0, 2);
    column->setSpacing(3);
    auto* what = new QHBoxLayout;
    what->addWidget(tool_);
    what->addWidget(reach_);
    what->addStretch(1);
    what->addWidget(apply_);
    column->addLayout(what);
    auto* how = new QHBoxLayout;
    how->setSpacing(8);
    how->addWidget(least_);
    how->addWidget(dial_, 2);
    how->addWidget(most_);
    how->addWidget(amount_);
    how->addWidget(whole_);
    how->addWidget(will_, 3);
    column->addLayout(how);
    auto* force = new QHBoxLayout;
    force->addWidget(now_, 1);
    force->addWidget(undo_);
    force->addWidget(json_);
    column->addLayout(force);

    connect(tool_, &QComboBox::currentIndexChanged, this, &HandsStrip::choose_tool);
    connect(reach_, &QComboBox::currentIndexChanged, this, &HandsStrip::sync);
    connect(dial_, &QSlider::valueChanged, this, &HandsStrip::sync);
    connect(apply_, &QPushButton::clicked, this, [this] {
        QString why;
        if (auto one = wanted(why)) session_.ask_hand(*one, whole_->isChecked() && lasts(tool()));
    });
    connect(undo_, &QPushButton::clicked, this, [this] { session_.ask_undo_hand(); });
    connect(json_, &QToolButton::clicked, this, [this] {
        const InterventionsPtr& list = session_.hands().list;
        QGuiApplication::clipboard()->setText(QString::fromStdString((list ? to_json(*list) : nlohmann::json::array()).dump(1) + "\n"));
        session_.say(tr("What is in force is on the clipboard"), {}, false);
    });
    connect(&session, &Session::hands_changed, this, &HandsStrip::sync);
    connect(&session, &Session::card_changed, this, &HandsStrip::sync);
    connect(&session.selection(), &Selection::changed, this, &HandsStrip::sync);
    choose_tool();
}

HandTool HandsStrip::tool() const { return tools_[static_cast<size_t>(std::max(0, tool_->currentIndex()))]; }
HandsStrip::Reach HandsStrip::reach() const { return static_cast<Reach>(reach_->currentData().toInt()); }

void HandsStrip::choose_tool() {
    const HandTool now = tool();
    const QSignalBlocker quiet(reach_), still(dial_);
    const Reach before = reach_->count() > 0 ? reach() : head;
    reach_->clear();
    if (now == HandTool::half_lives) reach_->addItem(tr("the channel"), channel);
    reach_->addItem(tr("the head"), head);
    reach_->addItem(tr("the layer"), layer);
    reach_->addItem(now == HandTool::no_cache ? tr("all caches") : tr("all states"), all);
    reach_->setCurrentIndex(std::max(0, reach_->findData(before)));
    dial_->setRange(kDialFrom * kOctave, (now == HandTool::writing ? kMostWriting : kDialTo) * kOctave);
    if (dial_->value() == 0) dial_->setValue(kOctave);
    reach_->setVisible(now != HandTool::hide && now != HandTool::silence);
    least_->setText(times_text(factor_of(dial_->minimum()))), most_->setText(times_text(factor_of(dial_->maximum())));
    for (QWidget* w : std::initializer_list<QWidget*>{least_, dial_, most_, amount_}) w->setVisible(is_dial(now));
    whole_->setVisible(lasts(now));
    sync();
}

std::optional<Intervention> HandsStrip::wanted(QString& why) const {
    const Selection& selected = session_.selection();
    const TraceShape& shape = session_.trace().shape();
    Intervention one;
    if (tool() == HandTool::hide) {
        one.what = HandWhat::hide;
        one.from = INT64_MAX;  // behind them; who does it knows where
        if (selected.ranged())
            one.tokens = selected.range();
        else if (selected.token() != Selection::kNewest)
            one.tokens = {selected.token(), selected.token() + 1};
        else
            return why = tr("Choose a token, or a stretch of them in the timeline, to hide it from the caches."), std::nullopt;
        return one;
    }
    if (tool() == HandTool::silence) {
        one.what = HandWhat::silence;
        if (shape.layers(Site::picks).empty()) return why = tr("This model has no experts."), std::nullopt;
        const auto& layers = shape.layers(Site::picks);
        if (std::find(layers.begin(), layers.end(), selected.layer()) == layers.end())
            return why = tr("Click an expert in the map to choose it."), std::nullopt;
        one.layers = {selected.layer()}, one.experts = {selected.expert()};
        return one;
    }
    const bool cache = tool() == HandTool::no_cache;
    const auto& layers = shape.layers(cache ? Site::log_sum_exp : Site::log_decay);
    if (layers.empty()) return why = cache ? tr("This model has no latent cache.") : tr("This model has no states."), std::nullopt;
    const Head at = cache ? selected.cache() : selected.state();
    if (reach() == all)
        one.layers = {layers.begin(), layers.end()};
    else
        one.layers = {at.layer};
    if (reach() <= head) one.heads = {at.head};
    if (reach() == channel) one.channels = {selected.channel()};
    switch (tool()) {
        case HandTool::half_lives:
            one.what = HandWhat::gates, one.amount = factor_of(dial_->value());
            break;
        case HandTool::writing:
            one.what = HandWhat::beta, one.amount = factor_of(dial_->value());
            break;
        case HandTool::no_writing:
            one.what = HandWhat::beta, one.amount = 0;
            break;
        case HandTool::empty:
            one.what = HandWhat::empty;
            break;
        default:
            one.what = HandWhat::read, one.amount = 0;
    }
    if (reach() == all && !cache && one.what != HandWhat::read) one.layers.clear();  // every layer that has one
    return one;
}

void HandsStrip::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    sync();
}

void HandsStrip::sync() {
    if (!isVisibleTo(parentWidget()) && !isVisible()) return;
    amount_->setText(tr("× %1").arg(times_text(factor_of(dial_->value()))));
    dial_->setAccessibleDescription(amount_->text());
    const Session::HandsNow& now = session_.hands();
    QString why = now.why_not;
    const auto one = wanted(why);
    if (!now.why_not.isEmpty()) why = now.why_not;
    const QString will = one ? hand_words(*one, /*when=*/false) : QString();
    will_->setText(why.isEmpty() ? will : why);
    apply_->setEnabled(one && now.why_not.isEmpty());
    now_->setText(now.list ? tr("In force: %1").arg(hands_words(now.list.get()).replace('\n', "; ")) : tr("Nothing is changed on this branch."));
    undo_->setEnabled(now.undo);
    json_->setEnabled(now.list != nullptr);
}

}  // namespace klp::gui
