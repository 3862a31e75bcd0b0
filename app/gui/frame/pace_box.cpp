#include "app/gui/frame/pace_box.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QSignalBlocker>
#include <QToolButton>
#include <algorithm>
#include <iterator>

namespace klp::gui {

namespace {

constexpr int kPaces[] = {Valve::kStep, 3, 10, 30, Valve::kFull};  // slow to fast

int place_of(int pace) { return static_cast<int>(std::find(std::begin(kPaces), std::end(kPaces), pace) - std::begin(kPaces)); }

}  // namespace

PaceBox::PaceBox(Session& session, QWidget* parent) : QWidget(parent), session_(session), paces_(new QComboBox(this)), next_(new QToolButton(this)) {
    setObjectName("pace-box");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    paces_->setObjectName("pace");
    paces_->setAccessibleName(tr("Pace: how fast tokens are shown"));
    paces_->setToolTip(
        tr("How fast tokens are shown: chat, lenses and timeline move together. The model works on at its own speed, and every time shown is a token's own "
           "(F8 pauses, Ctrl+F9 faster, Ctrl+Shift+F9 slower)"));
    for (int pace : kPaces) paces_->addItem(pace == Valve::kStep ? tr("Step by step") : pace == Valve::kFull ? tr("Full speed") : tr("%1 tokens/s").arg(pace));
    paces_->setCurrentIndex(place_of(session.pace()));
    connect(paces_, &QComboBox::currentIndexChanged, this, [this](int i) { session_.set_pace(kPaces[i]); });
    row->addWidget(paces_);
    next_->setObjectName("next-token");
    next_->setText(tr("Next token"));
    next_->setAccessibleName(tr("Show the next token"));
    next_->setToolTip(tr("Show the next token (F9)"));
    connect(next_, &QToolButton::clicked, this, &PaceBox::step);
    row->addWidget(next_);
    connect(&session, &Session::pace_changed, this, &PaceBox::refresh);
    connect(&session, &Session::phase_changed, this, &PaceBox::refresh);
    connect(&session, &Session::card_changed, this, &PaceBox::refresh);
    refresh();
}

bool PaceBox::useful() const {
    const Phase phase = session_.phase().phase;
    return session_.live() && (phase == Phase::prefill || phase == Phase::decoding || session_.held_back() > 0);
}

void PaceBox::pause_or_go() { session_.set_pace(session_.pace() == Valve::kStep ? before_ : Valve::kStep); }

void PaceBox::step() {
    session_.set_pace(Valve::kStep);
    session_.step();
}

void PaceBox::change(int by) { session_.set_pace(kPaces[std::clamp(place_of(session_.pace()) + by, 0, static_cast<int>(std::size(kPaces)) - 1)]); }

void PaceBox::refresh() {
    if (session_.pace() != Valve::kStep) before_ = session_.pace();
    const QSignalBlocker quiet(paces_);
    paces_->setCurrentIndex(place_of(session_.pace()));
    const bool replay = session_.card() && !session_.live();  // which has a speed of its own
    paces_->setVisible(!replay);
    next_->setVisible(!replay && session_.pace() == Valve::kStep && useful());
}

}  // namespace klp::gui
