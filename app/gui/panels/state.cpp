#include <QComboBox>
#include <QElapsedTimer>
#include <QFontDatabase>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/norm_plots.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/rules_strip.h"
#include "app/gui/panels/spectrum_plot.h"
#include "app/gui/panels/surgery_strip.h"
#include "app/gui/panels/token_window.h"
#include "app/gui/panels/words.h"
#include "app/gui/session/range.h"

namespace klp::gui {

namespace {

constexpr int64_t kTokens = 512;     // of the norms
constexpr int kSpectrumEvery = 250;  // ms
constexpr int kSurgery = 2;          // of what stands below the matrix
constexpr int kOtherRules = 3;       // and what stands in its place
constexpr int kPatience = 300;       // ms a head's picture stays while the next head's is on its way

// A picture of one head, and the words for where it was taken: the tokens may be others later.
struct Held {
    Head head;
    int rows = 0, columns = 0;
    int64_t position = 0;  // tokens fed
    QString token, after;  // the last one's name; and as it is said: "after token 3 “cat”"
    std::vector<float> values;
    bool empty() const { return values.empty(); }
};

QString number(double v) {
    return std::isfinite(v) ? (v < 0 ? QString(QChar(0x2212)) : QString("+")) + local(QString::number(std::abs(v), 'g', 4).toStdString()) : Language::tr("n/a");
}

float median(std::span<const float> values, std::vector<float>& scratch) {
    scratch.clear();
    for (float v : values)
        if (!std::isnan(v)) scratch.push_back(v);
    if (scratch.empty()) return std::numeric_limits<float>::quiet_NaN();
    const auto middle = scratch.begin() + static_cast<int64_t>(scratch.size() / 2);
    std::nth_element(scratch.begin(), middle, scratch.end());
    return *middle;
}

class StatePanel final : public Panel {
public:
    StatePanel(Session& session, const PanelInfo& info);
    Interest interest() const override {
        Interest i;
        i.sites[static_cast<int>(Site::state_norm)] = i.sites[static_cast<int>(Site::update_norm)] = true;
        if (const auto head = kda_head(session)) i.state = {head->layer, head->head};
        return i;
    }
    TableData table() const override;

protected:
    void refresh() override;
    bool takes_range() const override { return true; }
    QString in_words() const override;
    std::vector<KeyItem> key() const override;
    Caption caption() const override;
    QString why_no_picture() const override;

private:
    enum Show { now, a, b, b_less_a, now_less_a };
    bool operates() const { return norms_of_->currentIndex() == kSurgery; }     // in the place of norms
    bool compares() const { return norms_of_->currentIndex() == kOtherRules; }  // rules, in the place of all
    void arrange();
    Show show() const { return static_cast<Show>(show_->currentIndex()); }
    bool difference() const { return show() == b_less_a || show() == now_less_a; }
    void take(const StatePicture& picture);
    struct Place {
        Head head;
        int64_t token = 0;
        bool operator==(const Place&) const = default;
    };
    std::optional<Place> pinned() const;  // a chosen token that the engine does not stand at
    void ask_past();
    const Held& current() const { return answered_ && answered_ == pinned() && !past_.empty() ? past_ : now_; }
    QString source() const;  // of the picture of a chosen token
    void hold(Held& into, QPushButton* button, const char* name);
    // What is to be shown; empty, and why.
    Held wanted(QString& why) const;
    void show_matrix();
    void show_spectrum();
    void show_norms();
    std::pair<int64_t, int64_t> shown_norms() const;  // positions
    void show_lines();
    void begin();

    QComboBox *show_, *norms_of_;
    HeadPicker* picker_;
    QPushButton *hold_a_, *hold_b_, *lock_, *back_;  // back_: to the head that A is of
    HeatMap* map_;
    SpectrumPlot* spectrum_;
    NormPlots* norms_;
    SurgeryStrip* surgery_;
    RulesStrip* rules_;
    Figure* line_;
    QString hover_line_;

    Held now_, past_, a_, b_, drawn_;
    std::optional<Place> asked_past_, answered_, drawn_for_;  // of past_
    bool stopped_ = false;                                    // what was asked
    float range_ = 0;                                         // of the colours
    std::pair<Head, bool> range_of_;                          // the head, and whether of a difference
    bool matrix_stale_ = true, spectrum_stale_ = true;
    QElapsedTimer spectrum_clock_, waiting_;
    QTimer spectrum_later_;
    std::optional<Head> asked_;
    TokenWindow window_{kTokens};
    std::optional<int> window_layer_;  // -1: all
    bool rescale_ = true;
};

StatePanel::StatePanel(Session& session, const PanelInfo& info)
    : Panel(session, info),
      show_(new QComboBox(this)),
      norms_of_(new QComboBox(body())),
      picker_(new HeadPicker(session, tr("State"), this)),
      hold_a_(new QPushButton(tr("Hold A"), this)),
      hold_b_(new QPushButton(tr("Hold B"), this)),
      lock_(new QPushButton(tr("Lock range"), this)),
      back_(new QPushButton(body())),
      map_(new HeatMap(body())),
      spectrum_(new SpectrumPlot(body())),
      norms_(new NormPlots(body())),
      surgery_(new SurgeryStrip(session, body())),
      rules_(new RulesStrip(session, body())),
      line_(new Figure(body(), false, 2)) {
    show_->addItems({tr("Now"), "A", "B", "B − A", tr("Now − A")});
    show_->setAccessibleName(tr("State, picture"));
    show_->setToolTip(tr("The state as it is now, or after the chosen token; one that was held; or the difference of two"));
    hold_a_->setToolTip(tr("Keep the state that Now shows as A"));
    hold_b_->setToolTip(tr("Keep the state that Now shows as B"));
    lock_->setCheckable(true);
    lock_->setToolTip(
        tr("Keep the range of the colours for all heads and pictures. Unlocked, a head's range only grows, in steps; "
           "it covers all but the largest half percent of the numbers."));
    controls()->addWidget(picker_);
    controls()->addWidget(show_);
    for (QPushButton* button : {hold_a_, hold_b_, lock_}) {
        button->setAccessibleName(tr("State, %1").arg(button->text().toLower()));
        controls()->addWidget(button);
    }
    controls()->addStretch(1);
    add_hands({HandTool::writing, HandTool::no_writing, HandTool::no_reading, HandTool::empty});

    auto* layout = new QVBoxLayout(body());
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    auto* above = new QHBoxLayout;
    above->setSpacing(10);
    above->addWidget(map_, 5);
    above->addWidget(spectrum_, 2);
    layout->addLayout(above, 5);
    layout->addWidget(back_, 0, Qt::AlignHCenter);
    back_->setAccessibleName(tr("State, the head that A is of"));
    back_->hide();
    connect(back_, &QPushButton::clicked, this, [this] { this->session.selection().set_head(a_.head.layer, a_.head.head); });
    line_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    layout->addWidget(line_);
    auto* head = new QHBoxLayout;
    norms_of_->addItems({tr("Norms of this layer's heads"), tr("Norms of all layers, median of heads"), tr("Surgery: what can be read, overwritten, erased"),
                         tr("Under other rules: the same tokens")});
    norms_of_->setAccessibleName(tr("State, norms of"));
    norms_of_->setToolTip(
        tr("Frobenius norms over the last 512 tokens. Line: |S|. Area: |ΔS|, what the token wrote. One common scale, which only grows. "
           "Source: the engine's readings; in a long prompt |S| is read at the last token of a chunk only."));
    head->addWidget(norms_of_);
    head->addStretch(1);
    layout->addLayout(head);
    layout->addWidget(norms_, 3);
    layout->addWidget(surgery_, 3);
    layout->addWidget(rules_, 8);

    map_->setAccessibleName(tr("State matrix"));
    map_->set_square(true);
    map_->set_marginals(true);
    map_->describe = [](int row, int column, float value) { return tr("value %1, key %2: %3").arg(row).arg(column).arg(number(double(value))); };
    connect(map_, &HeatMap::hovered, this, [this] { show_lines(); });
    connect(map_, &HeatMap::clicked, this, [this](int, int column) { this->session.selection().set_channel(drawn_.head.layer, drawn_.head.head, column); });
    spectrum_->on_hover = [this](const QString& text) {
        hover_line_ = text;
        show_lines();
    };
    connect(norms_, &NormPlots::hovered, this, [this](int index, qint64 position) {
        this->session.selection().hover(index < 0 ? -1 : position);
        hover_line_.clear();
        if (index >= 0 && index < static_cast<int>(norms_->series().size())) {
            const NormSeries& s = norms_->series()[static_cast<size_t>(index)];
            const auto at = static_cast<size_t>(std::clamp<int64_t>(position - window_.first(), 0, static_cast<int64_t>(s.state.size()) - 1));
            const auto text = [](float v, const QString& why) {
                return std::isnan(v) ? tr("n/a (%1)").arg(why) : local(QString::number(double(v), 'g', 4).toStdString());
            };
            hover_line_ = QString("%1 · %2\n|S| %3 · |ΔS| %4")
                              .arg(s.name, token_name(this->session, position), text(s.state[at], tr("read at the end of a chunk only")),
                                   text(s.update[at], tr("not read")));
        }
        show_lines();
    });
    connect(norms_, &NormPlots::clicked, this, [this](int index, qint64 position) {
        const auto& layers = this->session.trace().shape().layers(Site::state_norm);
        Selection& selected = this->session.selection();
        if (window_layer_ == -1)
            selected.set_layer(layers[static_cast<size_t>(index)]);
        else if (window_layer_)
            selected.set_head(*window_layer_, index);
        selected.set_token(position);
    });
    connect(show_, &QComboBox::activated, this, [this] {
        matrix_stale_ = true;
        refresh_soon();
    });
    connect(norms_of_, &QComboBox::activated, this, [this] {
        arrange();
        refresh_soon();
    });
    connect(&session, &Session::hands_changed, this, &StatePanel::refresh_soon);
    connect(hold_a_, &QPushButton::clicked, this, [this] { hold(a_, hold_a_, "A"); });
    connect(hold_b_, &QPushButton::clicked, this, [this] { hold(b_, hold_b_, "B"); });
    connect(lock_, &QPushButton::toggled, this, [this] {
        matrix_stale_ = true;
        refresh_soon();
    });
    connect(&session, &Session::state_pictured, this, &StatePanel::take);
    connect(&session, &Session::prompt_fed, this, [this](const PromptFed& e) {
        if (asked_past_ && asked_past_->token >= e.first) asked_past_.reset(), answered_.reset();
    });
    connect(&session, &Session::troubled, this, [this](const Trouble& t) {
        if (t.answer < 0 && asked_past_ && answered_ != asked_past_) answered_ = asked_past_, past_ = {}, stopped_ = true;
    });
    connect(&session, &Session::phase_changed, this, [this] {
        if (this->session.phase().phase == Phase::ready && answered_ != asked_past_) asked_past_.reset();  // it gave way, and is asked for again
    });
    connect(&session, &Session::engine_rested, this, [this] {  // while what it made is shown slowly
        if (this->session.held_back() > 0 && answered_ != asked_past_) asked_past_.reset(), refresh_soon();
    });
    connect(&session, &Session::card_changed, this, &StatePanel::begin);
    connect(&session.selection(), &Selection::changed, this, &StatePanel::interest_changed);
    spectrum_later_.setSingleShot(true);
    connect(&spectrum_later_, &QTimer::timeout, this, &StatePanel::refresh_soon);
    begin();
}

void StatePanel::begin() {
    now_ = past_ = a_ = b_ = drawn_ = {};
    asked_past_.reset(), answered_.reset();
    map_->set_values(0, 0, {});
    norms_->set_series({}, 0, -1, -1, true);
    asked_.reset(), window_layer_.reset();
    surgery_->forget(), rules_->forget();
    arrange();
    matrix_stale_ = rescale_ = true;
    range_ = 0;
    lock_->setChecked(false);
    picker_->sync();
    interest_changed();
}

void StatePanel::arrange() {
    const bool some = kda_head(session).has_value(), matrix = some && !compares(), norms = matrix && !operates();
    norms_of_->setVisible(some);
    for (QWidget* w : std::initializer_list<QWidget*>{show_, hold_a_, hold_b_, lock_, spectrum_}) w->setVisible(matrix);
    map_->setVisible(!some || matrix);                                                    // it says why there is nothing
    static_cast<QVBoxLayout*>(body()->layout())->setStretch(0, !some || matrix ? 5 : 0);  // a row of what is hidden would keep its place
    norms_->setVisible(norms), line_->setVisible(norms), surgery_->setVisible(some && operates()), rules_->setVisible(some && compares());
}

void StatePanel::take(const StatePicture& picture) {
    const Head head{picture.layer, picture.head};
    const QString token = token_name(session, picture.position - 1);
    const Held held_now{head, picture.rows, picture.columns, picture.position, token, tr("after %1").arg(token), picture.values};
    if (picture.past) {
        const auto place = pinned();
        if (!place || place->head != head || (session.live() && place->token + 1 != picture.position)) return;
        answered_ = asked_past_ = place;
        past_ = held_now;
        stopped_ = false;
    } else {
        if (!in_sight() || kda_head(session) != head || (held() && now_.head == head && !now_.empty())) return;
        now_ = held_now;
    }
    matrix_stale_ = true;
}

std::optional<StatePanel::Place> StatePanel::pinned() const {
    const auto head = kda_head(session);
    int64_t token = session.selection().token();
    const bool ahead = session.held_back() > 0 && session.engine_rests();  // it stands beyond what is shown
    if (ahead && token == Selection::kNewest) token = session.trace().size() - 1;
    if (!head || token == Selection::kNewest || token < 0 || token >= session.trace().size()) return {};
    if (now_.head == *head && now_.position == token + 1 && (ahead || !session.busy())) return {};
    return Place{*head, token};
}

void StatePanel::ask_past() {
    const auto place = pinned();
    if (!place || place == asked_past_ || held()) return;
    if (session.live() && session.busy() && session.phase().phase != Phase::probing && !session.engine_rests()) return;
    asked_past_ = place;
    session.post(ProbeState{place->head.layer, place->head.head, place->token});
}

QString StatePanel::source() const {
    const auto place = pinned();
    if (!place) return {};
    if (answered_ != place)
        return session.busy() && session.phase().phase != Phase::probing && !session.engine_rests()
                   ? tr("the chosen token's comes when the model rests: this is the newest")
                   : tr("looking back …");
    if (past_.empty())
        return stopped_         ? tr("stopped: this is the newest")
               : session.live() ? tr("more than %1 from any snapshot to the chosen one: this is the newest").arg(tokens_text(kProbeWindow))
                                : tr("no state this early was recorded: this is the newest");
    return session.live() ? tr("fed again from a snapshot") : past_.position == place->token + 1 ? tr("recorded") : tr("the nearest that was recorded");
}

void StatePanel::hold(Held& into, QPushButton* button, const char* name) {
    if (current().empty() || current().head != kda_head(session))
        return session.say(tr("There is no picture to hold yet"), tr("Send a message first: a state is pictured while tokens are made."), false);
    into = current();
    button->setToolTip(
        tr("%1 is layer %2, head %3, %4. Click to keep the state that Now shows instead.").arg(name).arg(into.head.layer).arg(into.head.head).arg(into.after));
    matrix_stale_ = true;
    refresh_soon();
}

Held StatePanel::wanted(QString& why) const {
    const auto head = kda_head(session);
    if (!session.card()) return why = tr("Load a model, and this shows what one of its heads remembers."), Held();
    if (!head) return why = tr("This model has no KDA layers: it keeps every token in caches and has no state to look at."), Held();
    const auto need = [&](const Held& held, const QString& name) {
        if (held.empty()) why = tr("Nothing is held as %1 yet: the button Hold %1 keeps the state that Now shows.").arg(name);
        return !held.empty();
    };
    const Held& current = this->current();
    const bool has_now = !current.empty() && (current.head == *head || waiting_.elapsed() < kPatience);
    const auto less = [&](const Held& x, const Held& y, const QString& x_is, const QString& y_is) {
        if (x.head != y.head) {
            why = tr("%1 is of layer %2, head %3, and %4 of layer %5, head %6: a difference needs two states of one head.")
                      .arg(x_is)
                      .arg(x.head.layer)
                      .arg(x.head.head)
                      .arg(y_is)
                      .arg(y.head.layer)
                      .arg(y.head.head);
            return Held();
        }
        Held d = x;
        for (size_t i = 0; i < d.values.size(); ++i) d.values[i] -= y.values[i];
        d.after = tr("after %1 less %2").arg(x.token, y.token);
        return d;
    };
    switch (show()) {
        case a:
            return need(a_, "A") ? a_ : Held();
        case b:
            return need(b_, "B") ? b_ : Held();
        case b_less_a:
            return need(a_, "A") && need(b_, "B") ? less(b_, a_, "B", "A") : Held();
        default:
            break;
    }
    if (!has_now) {
        const QString name = tr("layer %1, head %2").arg(head->layer).arg(head->head);
        why = pinned()         ? tr("The state of %1 is looked up: the tokens are fed again.").arg(name)
              : session.live() ? tr("The state of %1 comes with the next message.").arg(name)
                               : tr("This recording shows no state of %1 here.").arg(name);
        return {};
    }
    if (show() == now) return current;
    return need(a_, "A") ? less(current, a_, tr("The picture of now"), "A") : Held();
}

void StatePanel::refresh() {
    picker_->sync();
    if (const auto head = kda_head(session); asked_ != head) {
        asked_ = head;
        waiting_.start();
        matrix_stale_ = true;
        if (head && now_.head != *head) QTimer::singleShot(kPatience + 20, this, [this] { matrix_stale_ = true, refresh_soon(); });
    }
    ask_past();
    const auto place = pinned();
    if (std::exchange(drawn_for_, place) != place) matrix_stale_ = true;
    // What was drawn stays until the chosen token's state is there.
    if (matrix_stale_ && !(place && place == asked_past_ && place != answered_ && !drawn_.empty())) show_matrix();
    map_->set_chosen(-1, drawn_.empty() ? -1 : std::clamp(session.selection().channel(), 0, drawn_.columns - 1));
    show_spectrum();
    if (compares())
        rules_->refresh(held());
    else if (operates())
        surgery_->refresh(held());
    else
        show_norms();
    show_lines();
}

QString StatePanel::in_words() const {
    if (const auto head = kda_head(session); head && session.selection().ranged()) {
        const TraceStore& trace = session.trace();
        const RangeValues all = range_values(session.selection().range(), trace.size(), [&](int64_t p) {
            const auto norms = trace.shape().of(Site::state_norm, head->layer, trace.readings(p));
            return static_cast<size_t>(head->head) < norms.size() ? double(norms[static_cast<size_t>(head->head)]) : NAN;
        });
        if (all.count == 0) return tr("No norm is known of them.");
        return tr("Norm of the state of layer %1, head %2: mean %3, the largest %4 at token %5.")
            .arg(head->layer)
            .arg(head->head)
            .arg(local(short_number(all.mean)), local(short_number(all.most)), local(grouped(all.at)));
    }
    if (compares()) return rules_->in_words();
    if (operates())
        if (const QString text = surgery_->in_words(); !text.isEmpty()) return text;
    if (drawn_.empty() || spectrum_->spectrum().values.empty()) return {};
    const Spectrum& s = spectrum_->spectrum();
    words::State w{.layer = drawn_.head.layer,
                   .head = drawn_.head.head,
                   .rank = s.effective_rank,
                   .most = static_cast<int>(s.values.size()),
                   .wrote = NAN,
                   .token = token_name(session, drawn_.position - 1),
                   .instead_of = {},
                   .from = {},
                   .to = {}};
    const double size = norm(drawn_.values);
    if (difference()) {
        w.from = "A", w.to = show() == b_less_a ? QString("B") : tr("now");
        w.changed = size / std::max(norm(a_.values), 1e-30);
        return words::of(w);
    }
    const auto place = pinned();
    if (show() == now && place && !session.live() && drawn_.position != place->token + 1) w.instead_of = token_name(session, place->token);
    const auto updates = session.trace().shape().of(Site::update_norm, drawn_.head.layer, session.trace().readings(drawn_.position - 1));
    if (show() == now && static_cast<size_t>(drawn_.head.head) < updates.size() && size > 0)
        w.wrote = double(updates[static_cast<size_t>(drawn_.head.head)]) / size;
    return words::of(w);
}

std::vector<KeyItem> StatePanel::key() const {
    const Theme& t = theme();
    if (compares()) {
        if (rules_->empty()) return {};
        return {{KeyItem::ramp, {}, tr("negative … positive, in all as in its own"), &diverging_map(t.dark)},
                {KeyItem::fill, t.hybrid, tr("its own rule")},
                {KeyItem::line, t.text, tr("|S| by token, one log scale")},
                {KeyItem::fill, t.muted, tr("cosine of what is read with what was written")}};
    }
    if (drawn_.empty()) return {};
    std::vector<KeyItem> items{{KeyItem::ramp, {}, tr("negative … positive"), &diverging_map(t.dark)},
                               {KeyItem::fill, t.muted, tr("edge: mean size of a row or column")},
                               {KeyItem::frame, t.accent, operates() ? tr("chosen channel, pinned token") : tr("chosen channel")},
                               {KeyItem::fill, t.hybrid, tr("strength of a direction")}};
    if (operates()) return items;
    items.push_back({KeyItem::line, t.hybrid, tr("|S|")});
    items.push_back({KeyItem::area, t.hybrid, tr("what a token wrote, |ΔS|")});
    return items;
}

StatePanel::Caption StatePanel::caption() const {
    if (compares() && !rules_->empty())
        return {tr("one state as other rules would have written it"), {tr("layer %1, head %2").arg(rules_->head().layer).arg(rules_->head().head)}};
    const QString head = tr("layer %1, head %2").arg(drawn_.head.layer).arg(drawn_.head.head);
    const QString what = difference() ? tr("difference of two states of %1").arg(head) : tr("the state S of %1").arg(head);
    return {what, {difference() ? drawn_.after : token_name(session, drawn_.position - 1), tr("%1, channel %2").arg(head).arg(session.selection().channel())}};
}

QString StatePanel::why_no_picture() const {
    if (compares() && kda_head(session)) return rules_->why_nothing();
    QString why;
    if (drawn_.empty() && !wanted(why).empty()) why = tr("The state is not drawn yet.");
    return why;
}

void StatePanel::show_matrix() {
    matrix_stale_ = false;
    QString why;
    drawn_ = wanted(why);
    spectrum_stale_ = true;
    const bool other = show() == now_less_a && drawn_.empty() && !a_.empty() && kda_head(session) && a_.head != *kda_head(session);
    if (other) back_->setText(tr("Show layer %1, head %2, which A is of").arg(a_.head.layer).arg(a_.head.head));
    back_->setVisible(other && !compares());
    if (drawn_.empty()) {
        map_->set_empty(why);
        map_->set_values(0, 0, {});
        return;
    }
    if (!lock_->isChecked()) {
        if (range_of_ != std::pair(drawn_.head, difference())) range_ = 0;
        range_of_ = {drawn_.head, difference()};
        range_ = std::max(range_, round_range(drawn_.values));
    }
    HeatScale scale;
    scale.kind = HeatScale::Kind::diverging;
    scale.high = range_ > 0 ? range_ : 1;
    scale.unit = difference() ? "ΔS" : "S";
    map_->set_scale(scale);
    const auto label = [](int i) { return QString::number(i); };
    if (map_->rows() != drawn_.rows) map_->set_labels(label, label, tr("value"), tr("key"));
    map_->set_values(drawn_.rows, drawn_.columns, drawn_.values);
}

void StatePanel::show_spectrum() {
    if (!spectrum_stale_) return;
    if (drawn_.empty()) {
        spectrum_stale_ = false;
        return spectrum_->set_spectrum({});
    }
    if (spectrum_clock_.isValid() && spectrum_clock_.elapsed() < kSpectrumEvery) {
        if (!spectrum_later_.isActive()) spectrum_later_.start(kSpectrumEvery);
        return;
    }
    spectrum_clock_.start();
    spectrum_stale_ = false;
    spectrum_->set_spectrum(spectrum(drawn_.values, drawn_.rows, drawn_.columns));
}

// The last tokens, or those of the chosen range that are among them.
std::pair<int64_t, int64_t> StatePanel::shown_norms() const {
    const auto [first, last] = session.selection().range();
    const std::pair<int64_t, int64_t> shown{std::max(first, window_.first()), std::min(last, window_.end())};
    return session.selection().ranged() && shown.first < shown.second ? shown : std::pair(window_.first(), window_.end());
}

void StatePanel::show_norms() {
    const auto head = kda_head(session);
    if (!head) {
        norms_->set_empty({});
        return norms_->set_series({}, 0, -1, -1, true);
    }
    const TraceShape shape = session.trace().shape();
    const std::vector<int>& layers = shape.layers(Site::state_norm);
    const bool all = norms_of_->currentIndex() == 1;
    const int want = all ? -1 : head->layer;
    const int n = all ? static_cast<int>(layers.size()) : shape.kda_heads;
    if (window_layer_ != want) {
        window_layer_ = want;
        rescale_ = true;
        window_.begin(2 * n, [shape, layers, want, n, scratch = std::vector<float>()](std::span<const float> readings, std::span<float> row) mutable {
            for (int i = 0; i < n; ++i) {
                const auto states = shape.of(Site::state_norm, want < 0 ? layers[static_cast<size_t>(i)] : want, readings);
                const auto updates = shape.of(Site::update_norm, want < 0 ? layers[static_cast<size_t>(i)] : want, readings);
                const auto k = static_cast<size_t>(i);
                row[k] = want < 0 ? median(states, scratch) : states[k];
                row[k + static_cast<size_t>(n)] = want < 0 ? median(updates, scratch) : updates[k];
            }
        });
    }
    if (window_.size() == 0 || !held()) window_.follow(session.trace());
    std::vector<NormSeries> series(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
        NormSeries& s = series[static_cast<size_t>(i)];
        s.name = all ? tr("Layer %1").arg(layers[static_cast<size_t>(i)]) : tr("Head %1").arg(i);
        s.state.reserve(static_cast<size_t>(window_.size())), s.update.reserve(static_cast<size_t>(window_.size()));
    }
    const auto [first, end] = shown_norms();
    for (int64_t p = first; p < end; ++p) {
        const auto row = window_.row(p);
        for (size_t i = 0; i < series.size(); ++i) series[i].state.push_back(row[i]), series[i].update.push_back(row[i + series.size()]);
    }
    const QString missing = session.trace().size() > 0 ? session.why_missing(tr("The norms")) : QString();
    norms_->set_empty(missing.isEmpty() ? tr("The norms of each token come with the next message.") : missing);
    const int chosen = all ? static_cast<int>(std::lower_bound(layers.begin(), layers.end(), head->layer) - layers.begin()) : head->head;
    norms_->set_series(std::move(series), first, chosen, session.selection().token(), std::exchange(rescale_, false));
}

void StatePanel::show_lines() {
    if (!hover_line_.isEmpty()) return line_->setText(hover_line_);
    if (drawn_.empty()) return line_->setText({});
    const QPoint cell = map_->hovered_cell();
    const QString name = difference() ? "ΔS" : "S";
    QString text = tr("layer %1 · head %2 · |%3| %4 · %5")
                       .arg(drawn_.head.layer, 2)
                       .arg(drawn_.head.head, 2)
                       .arg(name)
                       .arg(local(QString::number(norm(drawn_.values), 'g', 4).toStdString()), -6)
                       .arg(drawn_.after) +
                   "\n";
    if (cell.x() >= 0) {
        text += tr("value %1 · key %2 · %3 %4").arg(cell.y(), 3).arg(cell.x(), 3).arg(name, number(double(map_->value(cell.y(), cell.x()))));
    } else {
        const auto beyond = std::count_if(drawn_.values.begin(), drawn_.values.end(), [this](float v) { return std::abs(v) > map_->scale().high; });
        text += (lock_->isChecked() ? tr("range ±%1 (locked), %2 beyond it") : tr("range ±%1, %2 beyond it"))
                    .arg(local(QString::number(double(map_->scale().high), 'g', 3).toStdString()), Language::tr("%Ln number(s)", nullptr, beyond));
        if (const QString from = source(); !from.isEmpty() && (show() == now || show() == now_less_a)) text += " · " + from;
    }
    line_->setText(text);
}

TableData StatePanel::table() const {
    if (compares()) return rules_->table();
    if (operates()) return surgery_->table();
    TableData data;
    data.columns = {"layer", "head", "value", "key", difference() ? "ΔS (no unit)" : "S (no unit)"};
    for (int row = 0; row < map_->rows(); ++row)
        for (int column = 0; column < map_->columns(); ++column)
            data.rows.push_back({drawn_.head.layer, drawn_.head.head, row, column, double(map_->value(row, column))});
    return data;
}

}  // namespace

Panel* make_state_panel(Session& session, const PanelInfo& info) { return new StatePanel(session, info); }

}  // namespace klp::gui
