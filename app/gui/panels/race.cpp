#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/words.h"
#include "app/gui/session/memory_model.h"

namespace klp::gui {

namespace {

QString speed(double ns) { return local(short_number(1e9 / ns)); }

class RacePanel final : public Panel {
public:
    RacePanel(Session& session, const PanelInfo& info) : Panel(session, info) {
        ask_ = new QLabel(tr("up to"), this);
        controls()->addWidget(ask_);
        context_ = new QComboBox(this);
        context_->setAccessibleName(tr("Context to race to"));
        ask_->setBuddy(context_);
        controls()->addWidget(context_);
        start_ = new QPushButton(tr("Start"), this);
        start_->setAccessibleName(tr("Start or stop the race"));
        connect(start_, &QPushButton::clicked, this, [this] {
            if (racing())
                this->session.cancel();
            else
                this->session.post(StartRace{asked()});
        });
        controls()->addWidget(start_);
        state_ = new QLabel(this);
        state_->setAccessibleName(tr("How far the race is"));
        state_->setWordWrap(true);
        controls()->addWidget(state_, 1);

        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        numbers_ = figures(body(), tr("Tokens a second at the longest context so far"));
        column->addWidget(numbers_);
        nothing_ = new QWidget(body());
        auto* middle = new QVBoxLayout(nothing_);
        middle->addStretch(1);
        why_ = remark(nothing_);
        why_->setAlignment(Qt::AlignCenter);
        middle->addWidget(why_);
        watch_ = new QPushButton(tr("Watch the recorded race"), nothing_);
        connect(watch_, &QPushButton::clicked, this, &Panel::recorded_race_asked);
        middle->addWidget(watch_, 0, Qt::AlignHCenter);
        middle->addStretch(2);
        column->addWidget(nothing_, 1);
        time_ = new LineChart(body());
        time_->setAccessibleName(tr("Time of a token by context"));
        column->addWidget(time_, 1);
        memory_ = new LineChart(body());
        memory_->setAccessibleName(tr("Memory by context"));
        column->addWidget(memory_, 1);
        note_ = remark(body());
        column->addWidget(note_);

        connect(&session, &Session::phase_changed, this, [this] {
            const bool on = racing();
            if (on && !was_racing_) begin();
            if (!on && was_racing_ && !ended_) end_ = tr("did not end"), ended_ = true;  // its trouble is told elsewhere
            was_racing_ = on;
            refresh_soon();
        });
        connect(&session, &Session::race_point, this, [this](const RacePoint& p) {
            if (ended_ || (!points_.empty() && p.context <= points_.back().context)) begin();  // of a replay, which has no phases
            points_.push_back(p);
        });
        connect(&session, &Session::race_done, this, [this](const RaceDone& done) { ended_ = true, kind_ = done.twin, end_ = text_of(done.why); });
        connect(&session, &Session::card_changed, this, [this] {
            points_.clear(), end_.clear();
            ended_ = false;
            kind_ = this->session.card() ? this->session.card()->twin : TwinKind::computed;
            fill();
        });
        fill();
    }

    TableData table() const override {
        const QString twin = QString(words::twin_in_english(kind_)) + (as_recorded() ? ", recorded" : "");
        TableData t{{"context (tokens)", "this model (ns a token, median)", "this model (ns a token, fastest)", "this model (ns a token, slowest)",
                     twin + " (ns a token, median)", twin + " (ns a token, fastest)", twin + " (ns a token, slowest)", "this model (tokens/s)",
                     twin + " (tokens/s)", "twin's time / this model's (ratio)", "this model (bytes)", twin + " (bytes)"},
                    {}};
        const auto known = [](const RacePoint::Spread& s, double ns) { return s.known() ? ns : std::numeric_limits<double>::quiet_NaN(); };
        for (const RacePoint& p : points_)
            t.rows.push_back({qlonglong(p.context), p.hybrid_ns, known(p.hybrid_spread, p.hybrid_spread.least), known(p.hybrid_spread, p.hybrid_spread.most),
                              p.twin_ns, known(p.twin_spread, p.twin_spread.least), known(p.twin_spread, p.twin_spread.most), 1e9 / p.hybrid_ns,
                              1e9 / p.twin_ns, p.twin_ns / p.hybrid_ns, qlonglong(p.hybrid.total()), qlonglong(p.twin.total())});
        return t;
    }

protected:
    void refresh() override {
        const RunCard* card = session.card();
        start_->setText(racing() ? tr("Stop") : tr("Start"));
        start_->setEnabled(racing() || (session.live() && !session.busy() && session.baseline().twin));
        context_->setEnabled(session.live() && !racing());
        for (QWidget* w : std::initializer_list<QWidget*>{ask_, context_, start_}) w->setVisible(session.live());
        draw_state(card);
        if (frozen() || session.frozen()) return;  // the race may be stopped all the same
        draw_numbers();
        draw_charts(card);
        draw_note(card);
    }

    QString in_words() const override {
        if (points_.empty() || !session.baseline().twin) return {};
        const RacePoint& p = points_.back();
        return words::of(words::Race{p.context, p.hybrid_ns, p.twin_ns, p.hybrid.total(), p.twin.total(), kind_});
    }
    Caption caption() const override {
        const QString what =
            session.baseline().twin ? tr("time and memory by context, beside the %1").arg(words::twin_name(kind_)) : tr("time and memory by context");
        return {what, {points_.empty() ? QString() : tr("up to %1").arg(tokens_text(points_.back().context))}};
    }
    QString why_no_picture() const override {
        if (!points_.empty()) return {};
        return session.live()   ? tr("There is no race yet: press Start.")
               : session.card() ? tr("This recording holds no race.")
                                : tr("Load a model to race it.");
    }

private:
    // How far: all of the model's context, or less.
    void fill() {
        context_->clear();
        if (!session.card()) return;
        const int64_t all = session.card()->context;
        for (int64_t n : {4096, 16384, 65536})
            if (n < all) context_->addItem(LineChart::tick_text(double(n), LineChart::Unit::tokens), qlonglong(n));
        context_->addItem(tr("all %1").arg(local(grouped(all))), qlonglong(all));
    }
    bool racing() const { return session.phase().phase == Phase::racing; }
    bool as_recorded() const { return !session.live() && kind_ != TwinKind::recorded; }
    QString twin_name() const { return (as_recorded() ? tr("%1, recorded") : QString("%1")).arg(words::twin_name(kind_)); }
    int64_t asked() const { return context_->currentData().toLongLong(); }
    void begin() {
        points_.clear(), end_.clear();
        ended_ = false;
        tokens_ = session.trace().size();
    }

    void draw_state(const RunCard* card) {
        QString text;
        if (!card)
            text.clear();
        else if (racing())
            text = session.phase().done == 0
                       ? tr("making the twin ready")
                       : tr("%1 of %2 tokens, both in turn").arg(local(grouped(session.phase().done)), local(grouped(session.phase().total)));
        else if (ended_)
            text = !end_.isEmpty() ? end_ : session.live() ? tr("done") : tr("recorded %1").arg(text_of(card->recorded));
        else if (!session.live())
            text.clear();
        else if (session.busy())
            text = tr("waits until the model is free");
        else if (!session.baseline().twin)
            text = tr("Nothing to race: no engine here runs multi-head attention. Compare with the twin (run bar) to race it.");
        if (state_->text() != text) state_->setText(text);
    }

    void draw_numbers() {
        const Theme& t = theme();
        QString html;
        if (!points_.empty()) {
            const RacePoint& p = points_.back();
            const double ratio = p.twin_ns / p.hybrid_ns, bytes = double(p.hybrid.total()) / double(std::max<int64_t>(1, p.twin.total()));
            const bool faster = ratio >= 1;
            const auto big = [&](const QColor& colour, const QString& number, const QString& name) {
                return QString(
                           "<td align='center'><span style='font-size:x-large; font-weight:600; color:%1'>%2</span> <span style='color:%1'>%5</span><br/>"
                           "<span style='color:%3'>%4</span></td>")
                    .arg(colour.name(), number, t.muted.name(), name, tr("tokens/s"));
            };
            html = "<table width='100%'><tr>" + big(t.hybrid, speed(p.hybrid_ns), tr("this model"));
            if (session.baseline().twin) {
                html += big(t.twin, speed(p.twin_ns), twin_name());
                html += QString("<td align='center'><span style='font-size:x-large; font-weight:600'>%1×</span> %2<br/><span style='color:%3'>%4</span></td>")
                            .arg(local(fixed(faster ? ratio : 1 / ratio, 2)), faster ? tr("as fast") : tr("as slow"), t.muted.name(),
                                 tr("and %1× the memory, at %2").arg(local(fixed(bytes, 2)), tokens_text(p.context)));
            }
            html += "</tr></table>";
        }
        if (html != shown_) numbers_->setText(shown_ = html);
        numbers_->setVisible(!html.isEmpty());
    }

    void draw_charts(const RunCard* card) {
        const Theme& t = theme();
        // Axes of nothing would be invented.
        nothing_->setVisible(points_.empty()), time_->setVisible(!points_.empty());
        watch_->setVisible(!session.live());
        why_->setText(session.live() ? tr("Press Start: both models decode the same tokens in turn, at growing contexts.")
                                     : sentences({card ? tr("This recording holds no race.") : tr("Load a model to race it against its full-attention twin."),
                                                  tr("A race that was recorded on another machine comes with this program.")}));
        memory_->setVisible(session.live() || !points_.empty());
        if (memory_->isHidden()) return;
        double last = double(std::max<int64_t>(256, racing() ? session.phase().total : asked()));
        if (!points_.empty()) last = std::max(last, double(points_.back().context));
        if (!racing() && ended_ && !points_.empty()) last = double(points_.back().context);
        const LineChart::Axis x{tr("tokens of context"), true, 64, std::max(128.0, last), LineChart::Unit::tokens};
        const bool now = session.live();
        const QString mine = now ? tr("this model") : tr("this model, recorded"), twin = twin_name();

        // One token that the machine was late with must not flatten the curves: its bar leaves the picture at twice the slowest median.
        double slowest = 0, longest = 0;
        const Baseline compared = session.baseline();
        QList<QPointF> a, b, a_bytes, b_bytes;
        std::vector<LineChart::Whisker> a_spread, b_spread;
        for (const RacePoint& p : points_) {
            slowest = std::max({slowest, p.hybrid_ns, compared.twin ? p.twin_ns : 0});
            const double x_of = double(p.context);
            longest = std::max({longest, p.hybrid_spread.most, compared.twin ? p.twin_spread.most : 0});
            if (p.hybrid_spread.known()) a_spread.push_back({x_of, p.hybrid_spread.least, p.hybrid_spread.most});
            if (p.twin_spread.known()) b_spread.push_back({x_of, p.twin_spread.least, p.twin_spread.most});
            a << QPointF(double(p.context), p.hybrid_ns), b << QPointF(double(p.context), p.twin_ns);
            a_bytes << QPointF(double(p.context), double(p.hybrid.total())), b_bytes << QPointF(double(p.context), double(p.twin.total()));
        }
        time_->set_axes(x, {longest > 0 ? tr("time of a token: median, fastest to slowest") : tr("time of a token, median"), false, 0,
                            slowest > 0 ? std::max(slowest * 1.15, std::min(longest * 1.05, slowest * 2)) : 1e6, LineChart::Unit::nanoseconds});
        time_->set_series(0, mine, t.hybrid, a, !now);
        time_->set_whiskers(0, std::move(a_spread));
        if (compared.twin)
            time_->set_series(1, twin, t.twin, b, !now), time_->set_whiskers(1, std::move(b_spread));
        else
            time_->drop_series(1);

        // What the shapes say, dashed, under what was measured.
        double most = 1024;
        int series = 0;
        for (const QPointF& p : a_bytes + b_bytes) most = std::max(most, p.y());
        if (card) {
            const MemoryModel bytes = memory_model(card->config, card->cache_value_bytes);
            const auto top = [&](const Growth& growth) { most = std::max(most, double(growth.fixed) + double(growth.token) * x.high); };
            top(bytes.mine);
            if (compared.twin) top(bytes.twin);
            if (compared.multi_head && !compared.twin) top(bytes.multi_head);
        }
        memory_->set_axes(x, {tr("memory of the conversation"), false, 0, most * 1.1, LineChart::Unit::bytes});  // first: points are placed by them
        std::vector<LineChart::Mark> marks;
        if (!points_.empty()) memory_->set_series(series++, mine, t.hybrid, a_bytes, !now);
        if (!points_.empty() && compared.twin) memory_->set_series(series++, twin, t.twin, b_bytes, !now);
        if (card) {
            const MemoryModel bytes = memory_model(card->config, card->cache_value_bytes);
            const auto line = [&](const Growth& growth, const QString& name, const QColor& colour) {
                QList<QPointF> points;
                for (int i = 0; i <= 64; ++i) {
                    const double n = x.low * std::pow(x.high / x.low, i / 64.0);
                    points << QPointF(n, double(growth.fixed) + double(growth.token) * n);
                }
                memory_->set_series(series++, name, faded(colour), points, true);
            };
            line(bytes.mine, tr("this model, computed"), t.hybrid);
            if (compared.twin) line(bytes.twin, words::twin_name(TwinKind::computed), t.twin);
            if (compared.multi_head && !compared.twin) line(bytes.multi_head, tr("multi-head attention, computed"), t.third);
            const int64_t c = compared.twin ? crossover(bytes.mine, bytes.twin) : compared.multi_head ? crossover(bytes.mine, bytes.multi_head) : -1;
            if (c >= 64 && double(c) < x.high)
                marks.push_back({double(c),
                                 (compared.twin ? tr("less memory than the same-shapes twin from %1") : tr("less memory from %1")).arg(local(grouped(c))),
                                 t.good});
        }
        memory_->drop_series(series);
        memory_->set_marks(std::move(marks));
    }
    static QColor faded(QColor c) {
        c.setAlphaF(0.55f);
        return c;
    }

    void draw_note(const RunCard* card) {
        QStringList said;
        if (card) {
            const int64_t n = points_.empty() ? session.trace().size() : tokens_;
            if (session.baseline().twin && kind_ == TwinKind::trained) said << tr("The trained twin was trained as full attention, with shapes of its own.");
            if (session.baseline().twin && kind_ == TwinKind::synthetic)
                said << tr(
                    "The twin has this model's weights but for its mixers, which are full attention with random weights: its times and bytes are real, its "
                    "words are not.");
            if (!session.live() && points_.empty()) said.clear();
            if (!session.live() && !points_.empty()) said << tr("Recorded: not measured on this machine now.");
            if (session.live())
                said << (points_.empty() ? (n > 0 ? tr("It will run on the %1 of this conversation, repeated.").arg(tokens_text(n))
                                                  : tr("It will run on random tokens, as there is no conversation yet."))
                                         : (n > 0 ? tr("It ran on the %1 that the conversation had then, repeated.").arg(tokens_text(n))
                                                  : tr("It ran on random tokens, as there was no conversation.")));
        }
        const QString text = sentences(said);
        if (note_->text() != text) note_->setText(text);
    }

    QComboBox* context_ = nullptr;
    QWidget* nothing_ = nullptr;  // in the place of charts, and what to do about it
    QPushButton *start_ = nullptr, *watch_ = nullptr;
    QLabel *ask_ = nullptr, *why_ = nullptr, *state_ = nullptr, *numbers_ = nullptr, *note_ = nullptr;
    LineChart *time_ = nullptr, *memory_ = nullptr;
    std::vector<RacePoint> points_;
    TwinKind kind_ = TwinKind::computed;
    QString end_, shown_;  // why it ended; what the numbers say
    bool ended_ = false, was_racing_ = false;
    int64_t tokens_ = 0;  // of the conversation, when it began
};

}  // namespace

Panel* make_race_panel(Session& session, const PanelInfo& info) { return new RacePanel(session, info); }

}  // namespace klp::gui
