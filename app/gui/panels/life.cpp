#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/reader_list.h"
#include "app/gui/panels/words.h"

namespace klp::gui {

namespace {

constexpr double kSaid = 0.01;  // a probability from which on an answer may be said to have used the fact

QString share_text(float v) { return local(percent_text(double{v})); }
QString weight_text(float v) { return local(fixed(double{v}, 3)); }

class LifePanel final : public Panel {
public:
    LifePanel(Session& session, const PanelInfo& info) : Panel(session, info), picker_(new HeadPicker(session, tr("Life"), this)) {
        controls()->addWidget(picker_);
        for (const bool cache : {false, true}) {
            QToolButton*& button = cache ? cache_reader_ : state_reader_;
            button = new QToolButton(this);
            button->setAutoRaise(true);
            button->setAccessibleName(cache ? tr("Life, the cache head that reads it most") : tr("Life, the state head that reads it most"));
            button->setToolTip(tr("Choose this head, in all lenses"));
            button->hide();
            controls()->addWidget(button);
            connect(button, &QToolButton::clicked, this, [this, cache] {
                if (const HeadLife* head = strongest(cache, moment())) this->session.selection().set_head(head->layer, head->head);
            });
        }
        who_ = new QToolButton(this);
        who_->setText(tr("Who reads it"));
        who_->setCheckable(true);
        who_->setToolTip(tr("All heads, ranked by how much of what they read is this word's"));
        controls()->addWidget(who_);
        at_name_ = new QLabel(tr("at token"), this);
        at_ = new QSpinBox(this);
        at_->setAccessibleName(tr("Life, the token that reads"));
        at_->setKeyboardTracking(false);
        at_->setButtonSymbols(QAbstractSpinBox::NoButtons);
        controls()->addWidget(at_name_);
        controls()->addWidget(at_);
        controls()->addStretch(1);

        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        empty_ = new QLabel(body());
        empty_->setAlignment(Qt::AlignCenter);
        empty_->setWordWrap(true);
        empty_->setForegroundRole(QPalette::PlaceholderText);
        column->addWidget(empty_, 1);
        picture_ = new QWidget(body());
        column->addWidget(picture_, 1);
        auto* grid = new QGridLayout(picture_);
        grid->setContentsMargins(0, 0, 0, 0);
        grid->setHorizontalSpacing(10), grid->setVerticalSpacing(2);
        const QString names[] = {tr("Left by decay alone"), tr("Left by decay and overwriting"), tr("Weight of its row in the caches"),
                                 tr("Probability in the answers")};
        for (int i = 0; i < kCharts; ++i) {
            auto* name = new QLabel(names[i], picture_);
            name->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
            auto* chart = charts_[i] = new LineChart(picture_);
            chart->setAccessibleName(names[i]);
            grid->addWidget(name, i / 2 * 2, i % 2);
            grid->addWidget(chart, i / 2 * 2 + 1, i % 2);
            grid->setRowStretch(i / 2 * 2 + 1, i < 2 ? 4 : 3), grid->setColumnStretch(i % 2, 1);
            connect(chart, &LineChart::hovered, this, [this](double x) {
                hovered_ = std::isnan(x) || life_.heads.empty() ? -1 : std::clamp<int64_t>(std::llround(x), life_.token, life_.last);
                this->session.selection().hover(hovered_);
                show_line();
            });
        }
        line_ = new Figure(picture_, false, 2);
        grid->addWidget(line_, 4, 0, 1, 2);
        readers_ = new ReaderList(session, body());
        column->addWidget(readers_, 1);

        connect(who_, &QToolButton::toggled, this, [this] {
            given_up_ = false, drawn_ = Drawn::stale;
            refresh_soon();
        });
        connect(at_, &QSpinBox::valueChanged, this, [this](int token) {
            reader_ = token == at_->maximum() ? -1 : token;
            given_up_ = false;
            refresh_soon();
        });
        connect(&session, &Session::readers_pictured, this, qOverload<const ReadersPicture&>(&LifePanel::take));
        connect(&session, &Session::life_pictured, this, qOverload<const LifePicture&>(&LifePanel::take));
        connect(&session, &Session::card_changed, this, [this] { forget(), picker_->sync(); });
        connect(&session, &Session::prompt_fed, this, [this](const PromptFed& e) {
            if (e.first <= life_.last) asked_.reset(), answered_ = false;
            if (e.first <= known_.position) asked_readers_.reset();
            if (e.first <= reader_) reader_ = -1;
            if (e.first <= std::max(life_.token, known_.token)) forget();
        });
        connect(&session, &Session::troubled, this, [this](const Trouble& t) {
            if (pending_ && t.answer < 0) given_up_ = true;
        });
        connect(&session, &Session::phase_changed, this, [this] {
            if (this->session.phase().phase == Phase::ready) end_of_probe();
        });
        connect(&session, &Session::engine_rested, this, [this] {  // while what it made is shown slowly
            if (this->session.held_back() > 0) end_of_probe(), refresh_soon();
        });
        connect(&session.selection(), &Selection::changed, this, [this] { given_up_ = false, drawn_ = Drawn::stale; });
        picker_->sync();
    }

    TableData table() const override {
        if (who_->isChecked()) return ReaderList::table(known_);
        TableData data{{"layer", "head", "memory", "position", "token", "decay alone (share)", "decay and overwriting (share)", "read (weight)"}, {}};
        for (const HeadLife* head : shown(false)) add_rows(data, *head);
        for (const HeadLife* head : shown(true)) add_rows(data, *head);
        return data;
    }

protected:
    void refresh() override {
        picker_->setVisible(kda_head(session).has_value());
        if (session.looks_back() && !held() && pinned() != known_token() && known_token() >= 0) forget();
        choose_reader();
        if (who_->isChecked())
            ask_readers();
        else
            ask();
        const QString why = why_nothing();
        empty_->setVisible(!why.isEmpty());
        picture_->setVisible(why.isEmpty() && !who_->isChecked()), readers_->setVisible(why.isEmpty() && who_->isChecked());
        empty_->setText(why);
        // What stands is drawn once, however many tokens are made meanwhile.
        if (std::exchange(drawn_, theme().dark ? Drawn::dark : Drawn::light) == drawn_) return;
        draw();
        show_line();
    }

    QString in_words() const override {
        if (who_->isChecked()) return readers_in_words();
        if (life_.heads.empty()) return why_nothing();
        words::Life said{.token = token_name(session, life_.token), .back = life_.last - life_.token};
        const HeadLife* keeps = nullptr;
        for (const HeadLife& head : life_.heads)
            if (!head.cache && (!keeps || head.left.back() > keeps->left.back())) keeps = &head;
        if (keeps) said.state = {keeps->layer, keeps->head}, said.left = keeps->left.back(), said.decay = keeps->decay.back();
        if (const auto peak = most_probable(); peak && peak->second >= kSaid) said.probability = peak->second;
        QString text = words::of(said);
        if (life_.last - life_.token + 1 >= kLifeWindow) text = sentences({text, tr("It is followed over %1, no further.").arg(tokens_text(kLifeWindow))});
        if (session.looks_back() && !answered_ && session.busy() && session.phase().phase != Phase::probing && !session.engine_rests())
            text = sentences({text, tr("It is followed further when the model rests.")});
        return text;
    }

    std::vector<KeyItem> key() const override {
        if (who_->isChecked()) {
            if (known_.heads.empty()) return {};
            return {{KeyItem::fill, theme().hybrid, tr("of a state")},
                    {KeyItem::fill, theme().twin, tr("of a cache")},
                    {KeyItem::frame, theme().hybrid, tr("below 0: it takes away")}};
        }
        if (life_.heads.empty()) return {};
        return {{KeyItem::line, theme().series[0], tr("one line a head: layer.head")}, {KeyItem::line, theme().hybrid, tr("probability")}};
    }

    Caption caption() const override {
        if (who_->isChecked()) return {tr("who reads a token"), {token_name(session, known_.token), tr("at %1").arg(token_name(session, known_.position))}};
        return {tr("what is left of a token"), {token_name(session, life_.token)}};
    }
    QString why_no_picture() const override { return why_nothing(); }

private:
    static constexpr int kCharts = 4;
    struct Place {
        int64_t token = -1, size = 0, history = 0;
        bool operator==(const Place&) const = default;
    };
    int64_t pinned() const {
        const int64_t token = session.selection().token();
        return token != Selection::kNewest && token < session.trace().size() ? token : -1;
    }
    void forget() {
        life_ = {}, known_ = {};
        drawn_ = Drawn::stale;
        asked_.reset(), asked_readers_.reset();
        reader_ = -1;
        answered_ = given_up_ = false;
    }
    void end_of_probe() {
        if (std::exchange(pending_, false) && !answered_) asked_.reset(), asked_readers_.reset();  // it gave way, and is asked for again
    }
    bool rests() const { return session.phase().phase == Phase::ready || session.phase().phase == Phase::probing || session.engine_rests(); }

    // In the pauses only: a life costs feeding the tokens behind it again.
    void ask() {
        const Place place{pinned(), session.trace().size(), session.trace().history()};
        if (!session.looks_back() || held() || place.token < 0 || pending_ || given_up_ || !rests() || asked_ == place) return;
        asked_ = place, answered_ = false, pending_ = true;
        ProbeLife what{.token = place.token};
        for (int64_t p = place.token + 1; p < place.size; ++p) {
            if (!session.trace().row(p).made) continue;
            if (what.answers.empty() || what.answers.back().last != p) what.answers.push_back({p, p});
            ++what.answers.back().last;
        }
        session.post(what);
    }
    void take(const LifePicture& picture) {
        if (held() || (session.looks_back() && (!asked_ || asked_->token != picture.token))) return;
        life_ = picture, answered_ = true, drawn_ = Drawn::stale;
        refresh_soon();
    }

    void take(const ReadersPicture& picture) {
        if (held() || (session.looks_back() && (!asked_readers_ || asked_readers_->first.token != picture.token))) return;
        known_ = picture, answered_ = true, drawn_ = Drawn::stale;
        refresh_soon();
    }
    int64_t known_token() const { return !known_.heads.empty() ? known_.token : !life_.heads.empty() ? life_.token : -1; }
    // The box of the token that reads: from the pinned one to the newest, which it follows until another is chosen.
    void choose_reader() {
        const bool on = who_->isChecked() && session.looks_back() && pinned() >= 0;
        at_name_->setVisible(on), at_->setVisible(on);
        for (QToolButton* button : {state_reader_, cache_reader_})
            if (who_->isChecked()) button->hide();
        if (!on) return;
        const QSignalBlocker quiet(at_);
        const auto newest = static_cast<int>(session.trace().size() - 1);
        at_->setRange(static_cast<int>(pinned()), newest);
        at_->setValue(reader_ < 0 ? newest : static_cast<int>(reader_));
    }
    void ask_readers() {
        const Place place{pinned(), session.trace().size(), session.trace().history()};
        const std::pair wanted(place, reader_);
        if (!session.looks_back()) {  // what was captured
            if (place.token < 0 || asked_readers_ == wanted || held()) return;
            asked_readers_ = wanted;
            return session.post(ProbeReaders{.token = place.token});
        }
        if (held() || place.token < 0 || pending_ || given_up_ || !rests() || asked_readers_ == wanted) return;
        asked_readers_ = wanted, answered_ = false, pending_ = true;
        session.post(ProbeReaders{place.token, reader_});
    }
    QString readers_in_words() const {
        if (known_.heads.empty()) return why_nothing();
        const HeadShare& most = known_.heads[0];
        words::Reads said{.token = token_name(session, known_.token), .at = token_name(session, known_.position)};
        said.head = {most.layer, most.head}, said.cache = most.cache, said.share = most.share, said.heads = static_cast<int>(known_.heads.size());
        for (const HeadShare& one : known_.heads) said.halves += one.share >= 0.5f;
        return words::of(said);
    }

    QString why_nothing() const {
        if (!session.card()) return tr("Load a model and tell it something: this lens shows what becomes of a word in each of its memories.");
        if (who_->isChecked() ? !known_.heads.empty() : !life_.heads.empty()) return {};
        if (!session.looks_back() && who_->isChecked())
            return tr("This recording does not hold who reads a token: it takes the model to see it. Leave the replay to look at any token.");
        if (!session.looks_back()) return tr("This recording holds no token's life: it takes the model to follow one. Leave the replay to look at any token.");
        if (pinned() < 0) return tr("Pin a word (a click on it in the chat or the timeline) to see what becomes of it.");
        if (session.phase().phase == Phase::probing)
            return tr("Feeding the past again to look at it: %1 of %2 tokens.")
                .arg(local(grouped(session.phase().done)), local(grouped(session.phase().total)));
        if (given_up_) return tr("Stopped. Choose a token to look at.");
        return rests() ? tr("Looking…") : tr("Shown when the model rests: a look at the past costs feeding it again.");
    }

    // The heads of the chosen layer of a kind, or of the only one there is.
    std::vector<const HeadLife*> shown(bool cache) const {
        const int layer = cache ? session.selection().cache().layer : session.selection().state().layer;
        std::vector<const HeadLife*> heads;
        for (const HeadLife& head : life_.heads)
            if (head.cache == cache && head.layer == layer) heads.push_back(&head);
        return heads;
    }
    bool chosen(const HeadLife& head) const { return Head{head.layer, head.head} == (head.cache ? session.selection().cache() : session.selection().state()); }
    QColor colour(const HeadLife& head, bool many) const {
        return many ? chosen(head) ? theme().accent : theme().muted : theme().series[static_cast<size_t>(head.head)];
    }
    std::optional<std::pair<int64_t, float>> most_probable() const {
        const auto& all = life_.probability;
        const auto most = std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        return most == all.end() ? std::nullopt : std::optional(*most);
    }
    // When it was used: in front of the token where it was most probable, else now.
    int64_t moment() const {
        const auto peak = most_probable();
        return peak && peak->second >= kSaid ? std::max(life_.token, peak->first - 1) : life_.last;
    }
    const HeadLife* strongest(bool cache, int64_t at) const {
        const HeadLife* most = nullptr;
        const auto weight = [&](const HeadLife& head) { return std::abs(head.read[static_cast<size_t>(at - life_.token)]); };
        for (const HeadLife& head : life_.heads)
            if (head.cache == cache && (!most || weight(head) > weight(*most))) most = &head;
        return most;
    }

    void draw_lines(LineChart& chart, const std::vector<const HeadLife*>& heads, std::vector<float> HeadLife::*values, double low, double high) {
        if (heads.empty()) return chart.drop_series(0);
        const auto first = static_cast<double>(life_.token), last = static_cast<double>(std::max(life_.last, life_.token + 1));
        chart.set_axes({&chart == charts_[2] ? tr("token") : QString(), false, first, last, LineChart::Unit::count}, {{}, false, low, high});
        const bool many = heads.size() > theme().series.size();
        int index = 0;
        for (const bool front : {false, true})  // the chosen one last, above the others
            for (const HeadLife* head : heads) {
                if (chosen(*head) != front) continue;
                QList<QPointF> points;
                for (size_t i = 0; i < (head->*values).size(); ++i) points.append({first + static_cast<double>(i), double{(head->*values)[i]}});
                chart.set_series(index++, QString("%1.%2").arg(head->layer).arg(head->head), colour(*head, many), thinned(points));
            }
        chart.drop_series(index);
    }
    void draw() {
        if (who_->isChecked()) return readers_->show_readers(known_);
        const auto states = shown(false), caches = shown(true);
        // Fixed from 0 to 1; where later writes wrote against it the line goes below, in quarters.
        double low = 0, weight = 0.05;
        for (const HeadLife* head : states)
            for (const float v : head->left) low = std::min(low, std::floor(double{v} * 4) / 4);
        for (const HeadLife* head : caches)
            for (size_t i = 1; i < head->read.size(); ++i) weight = std::max(weight, std::ceil(double{head->read[i]} * 20) / 20);
        draw_lines(*charts_[0], states, &HeadLife::decay, low, 1);
        draw_lines(*charts_[1], states, &HeadLife::left, low, 1);
        draw_lines(*charts_[2], caches, &HeadLife::read, 0, std::min(1.0, weight));
        QList<QPointF> points;
        for (const auto& [position, p] : life_.probability) points.append({static_cast<double>(position), double{p}});
        charts_[3]->set_axes(
            {tr("token"), false, static_cast<double>(life_.token), static_cast<double>(std::max(life_.last, life_.token + 1)), LineChart::Unit::count},
            {{}, false, 0, 1});
        if (points.isEmpty()) {
            charts_[3]->drop_series(0);
            charts_[3]->set_empty(tr("Ask for it: no answer was made since."));
        } else {
            charts_[3]->set_series(0, tr("probability"), theme().hybrid, thinned(points));
        }
        for (const bool cache : {false, true}) {
            QToolButton* button = cache ? cache_reader_ : state_reader_;
            const HeadLife* head = life_.heads.empty() ? nullptr : strongest(cache, moment());
            button->setVisible(head);
            if (head) button->setText((cache ? tr("Read most by cache %1.%2") : tr("Read most by state %1.%2")).arg(head->layer).arg(head->head));
        }
    }
    void show_line() {
        if (life_.heads.empty()) return line_->setText({});
        const int64_t at = hovered_ >= life_.token && hovered_ <= life_.last ? hovered_ : life_.last;
        const auto i = static_cast<size_t>(at - life_.token);
        QString text = tr("%1, %2 later: %3").arg(token_name(session, life_.token), tokens_text(at - life_.token), token_name(session, at)) + "\n";
        QStringList parts;
        for (const HeadLife& head : life_.heads)
            if (chosen(head) && !head.cache)
                parts << tr("state %1.%2: left %3, by decay alone %4, read with %5")
                             .arg(head.layer)
                             .arg(head.head)
                             .arg(share_text(head.left[i]), share_text(head.decay[i]), weight_text(head.read[i]));
        for (const HeadLife& head : life_.heads)
            if (chosen(head) && head.cache) parts << tr("cache %1.%2: %3").arg(head.layer).arg(head.head).arg(share_text(head.read[i]));
        for (const auto& [position, p] : life_.probability)
            if (position == at) parts << tr("probability %1").arg(share_text(p));
        line_->setText(text + parts.join(" · "));
    }
    void add_rows(TableData& data, const HeadLife& head) const {
        for (size_t i = 0; i < head.read.size(); ++i) {
            const int64_t position = life_.token + static_cast<int64_t>(i);
            data.rows.push_back({head.layer, head.head, head.cache ? "cache" : "state", qlonglong(position), token_name(session, position),
                                 head.cache ? NAN : double{head.decay[i]}, head.cache ? NAN : double{head.left[i]}, double{head.read[i]}});
        }
    }

    HeadPicker* picker_;
    QToolButton *state_reader_ = nullptr, *cache_reader_ = nullptr;
    QLabel* empty_ = nullptr;
    QWidget* picture_ = nullptr;
    LineChart* charts_[kCharts] = {};
    Figure* line_ = nullptr;
    LifePicture life_;  // without heads: nothing is known
    QToolButton* who_ = nullptr;
    QLabel* at_name_ = nullptr;
    QSpinBox* at_ = nullptr;
    ReaderList* readers_ = nullptr;
    ReadersPicture known_;  // likewise
    int64_t reader_ = -1;   // -1: the newest
    std::optional<std::pair<Place, int64_t>> asked_readers_;
    std::optional<Place> asked_;
    enum class Drawn { stale, dark, light } drawn_ = Drawn::stale;
    bool answered_ = false, pending_ = false, given_up_ = false;
    int64_t hovered_ = -1;
};

}  // namespace

Panel* make_life_panel(Session& session, const PanelInfo& info) { return new LifePanel(session, info); }

}  // namespace klp::gui
