#include "app/gui/chat/tint.h"

#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

constexpr double kMostSurprise = 4;  // nats: a probability of 2 %

QColor mixed(const QColor& ground, const QColor& hue, double part) {
    const auto f = static_cast<float>(part);
    return QColor::fromRgbF(ground.redF() + f * (hue.redF() - ground.redF()), ground.greenF() + f * (hue.greenF() - ground.greenF()),
                            ground.blueF() + f * (hue.blueF() - ground.blueF()));
}

double luminance(const QColor& c) {  // WCAG 2.1, relative luminance
    const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
    return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF());
}

QColor hue_of(Tint tint, const Theme& t) {
    switch (tint) {
        case Tint::surprise:
            return t.warn;
        case Tint::left:
            return t.accent;
        case Tint::apart:
            return t.bad;
        default:
            return t.hybrid;
    }
}

// 1, 2 or 5 times a power of ten, not below.
double round_up(double value) {
    if (!(value > 0)) return 1;
    const double ten = std::pow(10, std::floor(std::log10(value)));
    for (const double step : {1.0, 2.0, 5.0})
        if (value <= step * ten * 1.0000001) return step * ten;
    return 10 * ten;
}

QString tint_number(double v) { return local(short_number(v)); }

}  // namespace

double contrast(const QColor& a, const QColor& b) {
    const double x = luminance(a), y = luminance(b);
    return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

QColor tint_colour(Tint tint, double part, const Theme& theme, const QColor& ground) {
    const QColor hue = hue_of(tint, theme);
    double most = 0.85, too_much = 1;
    if (contrast(mixed(ground, hue, most), theme.text) < kReadable) {
        too_much = most, most = 0;
        for (int step = 0; step < 12; ++step) {
            const double middle = (most + too_much) / 2;
            (contrast(mixed(ground, hue, middle), theme.text) < kReadable ? too_much : most) = middle;
        }
    }
    return mixed(ground, hue, most * std::clamp(part, 0.0, 1.0));
}

Tints::Tints(Chats& chats, QObject* parent) : QObject(parent), chats_(chats), session_(chats.session()) {
    connect(&session_, &Session::drained, this, &Tints::drained);
    connect(&session_, &Session::recalled, this, [this] { drained(); });
    connect(&session_, &Session::left_pictured, this, [this](const LeftPicture& picture) {
        if (!asked_ || Head{picture.layer, picture.head} != asked_->head || picture.position + 1 != asked_->size) return;
        left_ = picture, answered_ = true;
        measure();
        emit changed();
    });
    connect(&session_, &Session::prompt_fed, this, [this](const PromptFed& e) {
        if (e.first <= left_.position) left_ = {}, asked_.reset();
    });
    connect(&session_, &Session::card_changed, this, [this] {
        left_ = {}, asked_.reset(), given_up_ = false;
        watch();
    });
    const auto rested = [this] {
        if (std::exchange(pending_, false) && !answered_) asked_.reset();  // it gave way
        ask();
        if (tint_ != Tint::none) measure(), emit changed();
    };
    connect(&session_, &Session::phase_changed, this, [this, rested] {
        if (session_.phase().phase == Phase::ready) rested();
    });
    connect(&session_, &Session::engine_rested, this, [this, rested] {
        if (session_.held_back() > 0) rested();
    });
    connect(&session_, &Session::troubled, this, [this](const Trouble& t) {
        if (pending_ && t.answer < 0) given_up_ = true;
    });
    connect(&session_.selection(), &Selection::changed, this, [this] {
        given_up_ = false;
        if (tint_ == Tint::left && Head{left_.layer, left_.head} != session_.selection().state()) left_ = {};
        ask();
        if (tint_ == Tint::left || tint_ == Tint::update_of_head) measure(), emit changed();
    });
    connect(&chats_, &Chats::line_changed, this, [this] { measure(); });
    connect(&chats_, &Chats::message_changed, this, [this] {
        if (tint_ == Tint::apart) measure(), emit changed();
    });
}

void Tints::choose(Tint tint) {
    if (std::exchange(tint_, tint) == tint) return;
    given_up_ = false, history_ = -1;
    watch();
    ask();
    measure();
    emit changed();
}

void Tints::watch() {
    Interest wanted;
    if (tint_ == Tint::surprise) wanted.top = 1;
    if (tint_ == Tint::update || tint_ == Tint::update_of_head) wanted.sites[static_cast<int>(Site::update_norm)] = true;
    session_.set_interest(this, wanted);
}

// In the pauses: it costs feeding tokens again.
void Tints::ask() {
    const RunCard* card = session_.card();
    const Head head = session_.selection().state();
    const Place place{head, session_.trace().size(), session_.trace().history()};
    const bool rests = session_.phase().phase == Phase::ready || session_.phase().phase == Phase::probing || session_.engine_rests();
    if (tint_ != Tint::left || !card || !card->shape.has(Site::beta, head.layer) || !session_.looks_back() || place.size == 0 || pending_ || given_up_ ||
        !rests || asked_ == place)
        return;
    asked_ = place, answered_ = false, pending_ = true;
    session_.post(ProbeLeft{head.layer, head.head, place.size - 1});
}

void Tints::drained() {
    if (tint_ == Tint::none) return;
    const TraceStore& trace = session_.trace();
    if (std::exchange(history_, trace.history()) != trace.history()) {
        measure();
        emit changed();
    } else if (trace.size() != size_) {
        if (tint_ == Tint::update || tint_ == Tint::update_of_head) {
            for (int64_t p = size_; p < trace.size(); ++p)
                if (const double v = value(p); v > top_) top_ = round_up(v), history_ = -1;  // all are others then
        }
        emit grew();
    }
    size_ = trace.size();
}

double Tints::value(int64_t position) const {
    const TraceStore& trace = session_.trace();
    const TokenRow& row = trace.row(position);
    switch (tint_) {
        case Tint::surprise:
            return row.made && row.probability > 0 ? -std::log(double{row.probability}) : NAN;
        case Tint::update:
            return double{row.update_norm};
        case Tint::update_of_head: {
            const Head head = session_.selection().state();
            const auto values = trace.shape().of(Site::update_norm, head.layer, trace.readings(position));
            return static_cast<size_t>(head.head) < values.size() ? double{values[static_cast<size_t>(head.head)]} : NAN;
        }
        case Tint::left:
            return !left_.left.empty() && position >= left_.first && position <= left_.position
                       ? double{left_.left[static_cast<size_t>(position - left_.first)]}
                       : NAN;
        default:
            return NAN;
    }
}

std::vector<TintedToken> Tints::tokens(int id) const {
    std::vector<TintedToken> out;
    if (tint_ == Tint::none) return out;
    const TraceStore& trace = session_.trace();
    const ChatMessage& m = chats_.chat().message(id);
    if (m.role == "assistant") {
        const std::vector<int64_t> offsets = chats_.token_offsets(id);
        const int64_t first = chats_.first_position(id);
        const Compared* apart = tint_ == Tint::apart ? chats_.compared(id, /*itself=*/true) : nullptr;
        for (size_t i = 0; i + 1 < offsets.size(); ++i) {
            TintedToken token{offsets[i], offsets[i + 1]};
            const int64_t p = first + static_cast<int64_t>(i);
            if (apart)
                token.value = i < apart->tokens.size() ? double{apart->tokens[i].divergence} : NAN;
            else if (tint_ != Tint::apart && first >= 0 && p < trace.size() && trace.row(p).id == m.ids[i])
                token.value = value(p);
            out.push_back(token);
        }
        return out;
    }
    // Of what a person wrote: its tokens stand in the sequence, within its frame.
    const auto positions = chats_.message_positions();
    const auto here = std::find_if(positions.begin(), positions.end(), [id](const auto& one) { return one.first == id; });
    if (here == positions.end()) return out;
    const int64_t last = std::min(trace.size(), here + 1 == positions.end() ? trace.size() : (here + 1)->second);
    const RunCard* card = session_.card();
    std::string all;
    for (int64_t p = here->second; p < last; ++p) {
        if (card && card->tokenizer && card->tokenizer->is_special(trace.row(p).id)) continue;
        const auto begin = static_cast<int64_t>(all.size());
        all += trace.row(p).text;
        out.push_back({begin, static_cast<int64_t>(all.size()), value(p)});
    }
    const size_t at = all.rfind(m.text);
    if (at == all.npos || m.text.empty()) return {};
    for (TintedToken& token : out) token.first -= static_cast<int64_t>(at), token.last -= static_cast<int64_t>(at);
    std::erase_if(out, [&](const TintedToken& token) { return token.last <= 0 || token.first >= static_cast<int64_t>(m.text.size()); });
    return out;
}

std::vector<TintedToken> Tints::before_tokens(int id) const {
    std::vector<TintedToken> out;
    const int before = chats_.chat().message(id).beside;
    const Compared* apart = tint_ == Tint::apart && before > 0 ? chats_.compared(id) : nullptr;
    if (!apart) return out;
    const std::vector<int64_t> offsets = chats_.token_offsets(before);
    for (size_t i = 0; i + 1 < offsets.size(); ++i)
        out.push_back({offsets[i], offsets[i + 1], i < apart->tokens.size() ? double{apart->tokens[i].divergence} : NAN});
    return out;
}

void Tints::measure() {
    known_ = all_ = 0, people_ = false;
    double most = 0;
    if (tint_ == Tint::none) return;
    for (const int id : chats_.chat().line()) {
        std::vector<TintedToken> mine = tokens(id);
        const bool made = chats_.chat().message(id).role == "assistant";
        for (const TintedToken& token : mine) {
            ++all_;
            if (std::isnan(token.value)) {
                people_ = people_ || !made;
                continue;
            }
            ++known_;
            most = std::max(most, token.value);
        }
        for (const TintedToken& token : before_tokens(id))
            if (!std::isnan(token.value)) most = std::max(most, token.value);
    }
    top_ = tint_ == Tint::surprise ? kMostSurprise : tint_ == Tint::left ? 1 : round_up(most);
}

QString Tints::said(double value) const {
    const Head head = session_.selection().state();
    switch (tint_) {
        case Tint::surprise:
            return tr("Surprise %1 nats: a probability of %2").arg(tint_number(value), local(percent_text(std::exp(-value))));
        case Tint::update:
            return tr("Update norm %1, median of all heads").arg(tint_number(value));
        case Tint::update_of_head:
            return tr("Update norm %1 in state %2.%3").arg(tint_number(value)).arg(head.layer).arg(head.head);
        case Tint::left:
            return tr("%1 of it is left in state %2.%3").arg(local(percent_text(value))).arg(left_.layer).arg(left_.head);
        case Tint::apart:
            return tr("KL divergence %1 nats").arg(tint_number(value));
        default:
            return {};
    }
}

QString Tints::title() const {
    const Head head = session_.selection().state();
    switch (tint_) {
        case Tint::surprise:
            return tr("Surprise: −log of each token's probability");
        case Tint::update:
            return tr("Update norm: how much each token wrote, median of all heads");
        case Tint::update_of_head:
            return tr("Update norm: how much each token wrote into state %1.%2").arg(head.layer).arg(head.head);
        case Tint::left:
            return tr("What is left of each token in state %1.%2, by decay and overwriting").arg(head.layer).arg(head.head);
        case Tint::apart:
            return tr("Difference from the other branch: KL divergence at each token");
        default:
            return {};
    }
}

QString Tints::range() const {
    if (tint_ == Tint::left) return tr("0 to 100 %");
    if (tint_ == Tint::surprise) return tr("0 to %1 nats (2 %) and more").arg(tint_number(top_));
    if (tint_ == Tint::apart) return tr("0 to %1 nats").arg(tint_number(top_));
    return tr("0 to %1").arg(tint_number(top_));
}

QString Tints::unknown() const {
    if (tint_ == Tint::none || all_ == 0 || known_ == all_) return {};
    const QString count =
        known_ == 0 ? tr("Not known of any word here") : Language::tr("Not known of %Ln of %1 token(s)", nullptr, all_ - known_).arg(local(grouped(all_)));
    const QString why = tint_ == Tint::apart && known_ == 0  ? tr("an answer under hands has another one beside it: open Hands in a lens")
                        : tint_ == Tint::surprise && people_ ? tr("what people wrote was not chosen by the model")
                        : tint_ == Tint::left && known_ > 0  ? tr("they were told since, or too far back; it is looked at when the model rests")
                        : !session_.card()                   ? tr("no model is loaded")
                                                             : tr("the model has not told, or stands at another line");
    return tr("%1: %2.").arg(count, why);
}

}  // namespace klp::gui
