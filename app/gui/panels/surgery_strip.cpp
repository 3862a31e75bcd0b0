#include "app/gui/panels/surgery_strip.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/head_picker.h"

namespace klp::gui {

namespace {

QString signed_number(double v) { return std::isnan(v) ? Language::tr("n/a") : local(fixed(v, 2)); }

}  // namespace

SurgeryStrip::SurgeryStrip(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      other_(new QLineEdit(this)),
      overwrite_(new QPushButton(tr("Overwrite"), this)),
      erase_(new QPushButton(tr("Erase"), this)),
      map_(new HeatMap(this)) {
    other_->setPlaceholderText(tr("with the value of …"));
    other_->setAccessibleName(tr("Surgery, the word whose value it gets"));
    other_->setToolTip(tr("A word that was said before the last question, or the number of a token. The last place where it stands is meant."));
    other_->setMinimumWidth(fontMetrics().horizontalAdvance(other_->placeholderText()) + 24);
    overwrite_->setAccessibleName(tr("Surgery, overwrite"));
    overwrite_->setToolTip(
        tr("S ← S + (v′ − S k) kᵀ before the last question: the pinned token's key reads the other's value. The question is answered again."));
    erase_->setAccessibleName(tr("Surgery, erase"));
    erase_->setToolTip(tr("The same with v′ = 0: nothing is read with its key any more. The question is answered again."));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(3);
    auto* row = new QHBoxLayout;
    for (QWidget* w : std::initializer_list<QWidget*>{overwrite_, other_, erase_}) row->addWidget(w);
    row->addStretch(1);
    layout->addLayout(row);
    layout->addWidget(map_, 1);

    map_->setAccessibleName(tr("Surgery, what each token's key reads and hears"));
    map_->setMinimumHeight(84);
    map_->set_scale({.kind = HeatScale::Kind::diverging, .high = 1, .ticks = {{-1.f, "−1"}, {0.f, "0"}, {1.f, "1"}}});
    map_->describe = [this](int r, int c, float) { return cell_text(r, c); };
    connect(map_, &HeatMap::hovered, this, [this](int, int c) { session_.selection().hover(c < 0 || shown_.cosine.empty() ? -1 : shown_.first + c); });
    connect(map_, &HeatMap::clicked, this, [this](int, int c) { session_.selection().set_token(shown_.first + c); });
    connect(other_, &QLineEdit::textChanged, this, [this] { given_up_ = false, refresh(false); });
    connect(other_, &QLineEdit::returnPressed, this, [this] {
        if (overwrite_->isEnabled()) cut(false);
    });
    connect(overwrite_, &QPushButton::clicked, this, [this] { cut(false); });
    connect(erase_, &QPushButton::clicked, this, [this] { cut(true); });
    connect(&session, &Session::readable_pictured, this, &SurgeryStrip::take);
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

void SurgeryStrip::forget() {
    shown_ = {};
    asked_.reset(), answered_.reset();
    pending_ = given_up_ = false;
    map_->set_values(0, 0, {});
}

// By its number, or the last token in front of the last question whose text this is.
int64_t SurgeryStrip::other() const {
    const QString text = other_->text().trimmed();
    const int64_t before = session_.hands().question;
    if (text.isEmpty() || before <= 0) return -1;
    bool number = false;
    if (const qlonglong position = text.toLongLong(&number); number) return position >= 0 && position < before ? position : -1;
    for (int64_t p = std::min(before, session_.trace().size()) - 1; p >= 0; --p) {
        const TokenRow& row = session_.trace().row(p);
        std::string bytes = row.text;
        if (bytes.empty() && session_.card() && session_.card()->tokenizer) bytes = session_.card()->tokenizer->bytes(row.id);
        if (QString::fromStdString(repair_utf8(bytes)).trimmed() == text) return p;
    }
    return -1;
}

// In front of the last question where the pinned token was told before it, for there an edit is made; else of the newest token.
std::optional<SurgeryStrip::Place> SurgeryStrip::wanted() const {
    const auto head = kda_head(session_);
    const int64_t size = session_.trace().size();
    if (!head || size == 0) return {};
    const Session::HandsNow& hands = session_.hands();
    const int64_t token = session_.selection().token(), pinned = token != Selection::kNewest && token < size ? token : -1;
    Place place{*head, size - 1, pinned, pinned >= 0 ? other() : -1, false, hands.list};
    if (pinned < 0 || hands.question <= pinned || hands.question > size) return place;
    place.position = hands.question - 1;
    // What was cut there is measured.
    for (const Intervention& one : hands.list ? *hands.list : Interventions())
        if (one.what == Intervention::What::edit && one.from == hands.question && one.layers == std::vector{head->layer} &&
            one.heads == std::vector{head->head})
            place.cut = true;
    return place;
}

void SurgeryStrip::ask() {
    const auto place = wanted();
    if (!place || !session_.looks_back() || pending_ || given_up_ || answered_ == place || asked_ == place) return;
    if (session_.phase().phase != Phase::ready && session_.phase().phase != Phase::probing && !session_.engine_rests()) return;
    asked_ = place, pending_ = true;
    session_.post(ProbeReadable{place->head.layer, place->head.head, place->position, place->token, place->with, place->cut});
}

void SurgeryStrip::take(const ReadablePicture& picture) {
    if (session_.looks_back()) {
        if (!asked_ || asked_->head != Head{picture.layer, picture.head} || asked_->token != picture.token || asked_->with != picture.with) return;
        answered_ = asked_;
    }
    shown_ = picture;
    draw();
    if (isVisible()) refresh(false);
}

void SurgeryStrip::cut(bool erase) {
    if (answered_ != wanted() || shown_.key.empty()) return;
    std::vector<double> key(shown_.key.begin(), shown_.key.end()), value(shown_.value.begin(), shown_.value.end());
    if (erase) value.clear();
    session_.ask_hand(edit_of(shown_.layer, shown_.head, key, value), false);
}

QString SurgeryStrip::why_nothing() const {
    if (!shown_.cosine.empty()) return {};
    if (!session_.card() || session_.trace().size() == 0)
        return tr("Send a message, then pin a word: what the state still answers for it, and for all others.");
    if (!session_.looks_back()) return tr("This recording holds no look at what this state can still read.");
    if (given_up_) return tr("Stopped. Choose a token to look at.");
    return session_.busy() && !session_.engine_rests() && session_.phase().phase != Phase::probing
               ? tr("Shown when the model rests: a look at the past costs feeding it again.")
               : tr("Looking…");
}

QString SurgeryStrip::in_words() const {
    if (shown_.cosine.empty()) return {};
    if (shown_.token < 0) return tr("Pin a word to read it, overwrite it or erase it in this state.");
    const auto at = static_cast<size_t>(shown_.token - shown_.first);
    const QString reads =
        tr("is read with a cosine of %1, at %2 of its length").arg(signed_number(double{shown_.cosine[at]}), signed_number(double{shown_.ratio[at]}));
    const QString name = token_name(session_, shown_.token);
    if (session_.hands().question <= shown_.token) return sentences({tr("Now %1 %2.").arg(name, reads), tr("Ask something behind it, and it can be cut.")});
    const auto heard = [&](size_t t) { return t == at ? -1.f : std::abs(shown_.predicted[t]); };
    size_t most = at == 0 && shown_.predicted.size() > 1 ? 1 : 0;
    for (size_t t = 0; t < shown_.predicted.size(); ++t)
        if (heard(t) > heard(most)) most = t;
    const auto share = [&](float v) { return local(percent_text(double{v} / std::max(1e-30, double{shown_.change}))); };
    const QString ear = token_name(session_, shown_.first + static_cast<int64_t>(most));
    return sentences(
        {tr("Before the last question %1 %2.").arg(name, reads),
         shown_.measured.empty()
             ? tr("A cut would be heard most by %1: %2 of it.").arg(ear, share(shown_.predicted[most]))
             : tr("The cut was heard most by %1: %2 of it predicted, %3 measured.").arg(ear, share(shown_.predicted[most]), share(shown_.measured[most]))});
}

QString SurgeryStrip::cell_text(int row, int column) const {
    const auto t = static_cast<size_t>(column);
    if (column < 0 || t >= shown_.cosine.size()) return {};
    const QString name = token_name(session_, shown_.first + column);
    if (row == 0)
        return tr("%1: what its key reads has a cosine of %2 with what was written, and %3 times its length")
            .arg(name, signed_number(double{shown_.cosine[t]}), signed_number(double{shown_.ratio[t]}));
    const std::vector<float>& heard = row == 1 ? shown_.predicted : shown_.measured;
    if (t >= heard.size()) return tr("%1: not measured yet").arg(name);
    return (row == 1 ? tr("%1: hears %2 of the change, by its key") : tr("%1: heard %2 of the change, measured"))
        .arg(name, local(percent_text(double{heard[t]} / std::max(1e-30, double{shown_.change}))));
}

void SurgeryStrip::draw() {
    const auto n = static_cast<int>(shown_.cosine.size());
    const int rows = shown_.predicted.empty() ? 1 : 3;
    std::vector<float> values(static_cast<size_t>(rows * n), NAN);
    for (int t = 0; t < n; ++t) {
        const auto at = static_cast<size_t>(t);
        values[at] = shown_.cosine[at];
        if (rows == 1) continue;
        const float by = std::max(1e-30f, shown_.change);
        values[static_cast<size_t>(n) + at] = shown_.predicted[at] / by;
        if (!shown_.measured.empty()) values[static_cast<size_t>(2 * n) + at] = shown_.measured[at] / by;
    }
    map_->set_labels([](int r) { return r == 0   ? tr("can be read")
                                        : r == 1 ? tr("would hear it")
                                                 : tr("heard it"); },
                     [this](int c) { return QString::number(shown_.first + c); }, {}, tr("token"));
    map_->set_values(rows, n, std::move(values));
    map_->set_chosen(-1, shown_.token < 0 ? -1 : static_cast<int>(shown_.token - shown_.first));
}

void SurgeryStrip::refresh(bool still) {
    if (!still) ask();
    map_->set_empty(why_nothing());
    const Session::HandsNow& hands = session_.hands();
    const bool ready =
        answered_ && answered_ == wanted() && !shown_.key.empty() && shown_.token >= 0 && hands.question > shown_.token && hands.why_not.isEmpty();
    overwrite_->setEnabled(ready && shown_.with >= 0);
    erase_->setEnabled(ready);
    other_->setEnabled(session_.card() && session_.looks_back());
}

TableData SurgeryStrip::table() const {
    TableData data{
        {"position", "token", "cosine (no unit)", "length (share of what was written)", "would hear (share of the change)", "heard (share of the change)"}, {}};
    for (size_t t = 0; t < shown_.cosine.size(); ++t) {
        const auto share = [&](const std::vector<float>& v) { return v.empty() ? NAN : double{v[t]} / std::max(1e-30, double{shown_.change}); };
        const int64_t position = shown_.first + static_cast<int64_t>(t);
        data.rows.push_back({qlonglong(position), token_name(session_, position), double{shown_.cosine[t]}, double{shown_.ratio[t]}, share(shown_.predicted),
                             share(shown_.measured)});
    }
    return data;
}

}  // namespace klp::gui
