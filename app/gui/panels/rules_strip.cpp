#include "app/gui/panels/rules_strip.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <utility>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/state_math.h"

namespace klp::gui {

namespace {

QString figures(double v) { return std::isnan(v) ? Language::tr("n/a") : local(fixed(v, 2)); }

}  // namespace

RulesStrip::RulesStrip(Session& session, QWidget* parent) : QWidget(parent), session_(session), plot_(new RulesPlot(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(plot_);
    connect(plot_, &RulesPlot::hovered, this, [this](qint64 token) { session_.selection().hover(token); });
    connect(plot_, &RulesPlot::clicked, this, [this](qint64 token) { session_.selection().set_token(token); });
    connect(&session, &Session::rules_pictured, this, &RulesStrip::take);
    connect(&session, &Session::prompt_fed, this, [this](const PromptFed& e) {
        if (e.first <= shown_.position) answered_.reset();
    });
    connect(&session, &Session::troubled, this, [this](const Trouble& t) {
        if (pending_ && t.answer < 0) given_up_ = true;
    });
    connect(&session, &Session::phase_changed, this, [this] {
        if (session_.phase().phase == Phase::ready && std::exchange(pending_, false) && answered_ != asked_) asked_.reset();  // it gave way
    });
    connect(&session.selection(), &Selection::changed, this, [this] { given_up_ = false; });
}

void RulesStrip::forget() {
    shown_ = {};
    asked_.reset(), answered_.reset();
    pending_ = given_up_ = false;
    draw();
}

std::optional<RulesStrip::Place> RulesStrip::wanted() const {
    const auto head = kda_head(session_);
    const int64_t size = session_.trace().size();
    if (!head || size == 0) return {};
    return Place{*head, size - 1, session_.hands().list};
}

void RulesStrip::take(const RulesPicture& picture) {
    if (session_.looks_back()) {
        if (!asked_ || asked_->head != Head{picture.layer, picture.head}) return;
        answered_ = asked_;
    }
    shown_ = picture;
    draw();
    if (isVisible()) refresh(false);
}

void RulesStrip::refresh(bool still) {
    const auto place = wanted();
    const bool rests = session_.phase().phase == Phase::ready || session_.phase().phase == Phase::probing || session_.engine_rests();
    if (!still && place && session_.looks_back() && rests && !pending_ && !given_up_ && answered_ != place && asked_ != place) {
        asked_ = place, pending_ = true;
        session_.post(ProbeRules{place->head.layer, place->head.head, place->position});
    }
    const bool other = !still && place && !empty() && head() != place->head;
    if (other) shown_ = {};  // of another head nothing is left standing
    plot_->set_empty(why_nothing());
    if (other || (!empty() && pinned() != drawn_pinned_)) draw();
}

QString RulesStrip::why_nothing() const {
    if (!empty()) return {};
    if (!session_.card() || session_.trace().size() == 0) return tr("Send a message: then its tokens are written again, by other rules.");
    if (!session_.looks_back()) return tr("This recording holds no look at this state under other rules.");
    if (given_up_) return tr("Stopped. Choose a token to look at.");
    return session_.busy() && !session_.engine_rests() && session_.phase().phase != Phase::probing
               ? tr("Shown when the model rests: a look at the past costs feeding it again.")
               : tr("Looking…");
}

std::vector<size_t> RulesStrip::rules() const {
    std::vector<size_t> all;
    for (size_t i = 0; i < shown_.rules.size(); ++i)
        if (shown_.own != Rule::gated_deltanet || i != static_cast<size_t>(Rule::kda)) all.push_back(i);
    return all;
}

QString RulesStrip::name_of(size_t rule) const {
    if (rule == static_cast<size_t>(Rule::linear)) return tr("linear attention");
    return text_of(kRules[rule].name);
}

int64_t RulesStrip::pinned() const {
    const int64_t token = session_.selection().token();
    return token != Selection::kNewest && token >= shown_.first && token <= shown_.position ? token : -1;
}

double RulesStrip::cosine(size_t rule, bool of_pinned) const {
    const std::vector<float>& all = shown_.rules[rule].readable.cosine;
    if (of_pinned) return pinned() < 0 ? NAN : double{all[static_cast<size_t>(pinned() - shown_.first)]};
    double sum = 0;
    int64_t count = 0;
    for (const float c : all)
        if (!std::isnan(c)) sum += double{c}, ++count;
    return count > 0 ? sum / static_cast<double>(count) : NAN;
}

void RulesStrip::draw() {
    plot_->set_empty(why_nothing());
    drawn_pinned_ = pinned();
    std::vector<RuleColumn> columns;
    for (const size_t i : rules()) {
        const UnderRule& one = shown_.rules[i];
        const RuleInfo& rule = kRules[i];
        const bool single = rule.gate == RuleInfo::Gate::one || (rule.gate == RuleInfo::Gate::each && shown_.own == Rule::gated_deltanet);
        columns.push_back({.name = i == static_cast<size_t>(Rule::linear) ? tr("Linear attention") : name_of(i),
                           .gate = rule.gate == RuleInfo::Gate::none ? tr("no gate")
                                   : single                          ? tr("one gate a head")
                                                                     : tr("a gate a channel"),
                           .writing = rule.delta ? tr("delta rule") : tr("plain writing"),
                           .own = i == static_cast<size_t>(shown_.own),
                           .rows = one.state.V,
                           .columns = one.state.K,
                           .matrix = one.state.S,
                           .norm = one.norm,
                           .pinned = cosine(i, true),
                           .all = cosine(i, false)});
    }
    const float range = empty() ? 1 : round_range(shown_.rules[static_cast<size_t>(shown_.own)].state.S);
    plot_->set_columns(std::move(columns), range > 0 ? range : 1, shown_.first, pinned());
}

QString RulesStrip::in_words() const {
    if (empty()) return {};
    const auto own = static_cast<size_t>(shown_.own);
    const bool one = pinned() >= 0;
    QStringList others;
    size_t largest = own;
    for (const size_t i : rules()) {
        if (i != own) others << QString("%1 %2").arg(name_of(i), figures(cosine(i, one)));
        if (shown_.rules[i].norm.back() > shown_.rules[largest].norm.back()) largest = i;
    }
    const QString of = one ? token_name(session_, pinned()) : tokens_text(shown_.position + 1 - shown_.first);
    QStringList said{(one ? tr("Cosine of %1 read back: %2 by its own rule, %3; %4.") : tr("Mean cosine of %1 read back: %2 by their own rule, %3; %4."))
                         .arg(of, figures(cosine(own, one)), name_of(own), others.join(", "))};
    const double mine = double{shown_.rules[own].norm.back()};
    if (largest != own && mine > 0)
        said << tr("By %1 the state would be %2 times as large.").arg(name_of(largest), local(short_number(double{shown_.rules[largest].norm.back()} / mine)));
    return sentences(said);
}

TableData RulesStrip::table() const {
    TableData data{{"rule", "position", "token", "cosine (no unit)", "length (share of what was written)", "norm (no unit)"}, {}};
    for (const size_t i : rules()) {
        const UnderRule& one = shown_.rules[i];
        for (size_t t = 0; t < one.norm.size(); ++t) {
            const int64_t position = shown_.first + static_cast<int64_t>(t);
            data.rows.push_back({name_of(i), qlonglong(position), token_name(session_, position), double{one.readable.cosine[t]}, double{one.readable.ratio[t]},
                                 double{one.norm[t]}});
        }
    }
    return data;
}

}  // namespace klp::gui
