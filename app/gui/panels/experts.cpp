#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/expert_load.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/words.h"

namespace klp::gui {

namespace {

QString times(float load) { return std::isnan(load) ? Language::tr("n/a") : local(fixed(load, 2)) + "×"; }

class ExpertsPanel final : public Panel {
public:
    ExpertsPanel(Session& session, const PanelInfo& info) : Panel(session, info) {
        ask_ = new QLabel(tr("load over the last"), this);
        controls()->addWidget(ask_);
        window_ = new QComboBox(this);
        window_->setAccessibleName(tr("Tokens that are counted"));
        for (int n : {32, 128, 512}) window_->addItem(tokens_text(n), n);
        window_->addItem(tr("all kept (at most %1)").arg(local(grouped(ExpertLoad::kKept))), qlonglong(ExpertLoad::kKept));
        window_->setCurrentIndex(1);
        ask_->setBuddy(window_);
        connect(window_, &QComboBox::activated, this, [this] { refresh_soon(); });
        controls()->addWidget(window_);
        controls()->addStretch(1);
        add_hands({HandTool::silence});

        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        map_ = new HeatMap(body());
        map_->setAccessibleName(tr("Load by layer and expert, in units of an even share"));
        map_->set_scale({HeatScale::Kind::sequential,
                         0,
                         4,
                         false,
                         tr("× even share"),
                         {{0.f, "0"}, {1.f, tr("1 = even")}, {2.f, "2"}, {3.f, "3"}, {4.f, tr("4 or more")}},
                         {}});
        map_->describe = [this](int row, int expert, float load) {
            return tr("layer %1, expert %2: %3 an even share, %4 by %5")
                .arg(load_.layer(row))
                .arg(expert)
                .arg(times(load), Language::tr("%Ln pick(s)", nullptr, load_.picks(row, expert)), tokens_text(load_.tokens()));
        };
        connect(map_, &HeatMap::clicked, this, [this](int row, int expert) { this->session.selection().set_expert(load_.layer(row), expert); });
        column->addWidget(map_, 3);
        picks_ = new Figure(body(), false, 2);
        column->addWidget(picks_);
        uneven_ = new LineChart(body());
        uneven_->setAccessibleName(tr("Imbalance by layer"));
        column->addWidget(uneven_, 1);

        const auto begin = [this] {
            load_.begin(this->session.trace().shape());
            for (QWidget* w : std::initializer_list<QWidget*>{ask_, window_, picks_}) w->setVisible(load_.layers() > 0);
        };
        connect(&session, &Session::card_changed, this, begin);
        begin();
    }

    Interest interest() const override {
        Interest i;
        i.sites[static_cast<int>(Site::picks)] = i.sites[static_cast<int>(Site::pick_weights)] = true;
        return i;
    }

    TableData table() const override {
        TableData t{{"layer", "expert", "picks (tokens)", "load (times an even share)", "weight for the selected token (share)",
                     "layer: busiest / mean (ratio)", "layer: standard deviation / mean (ratio)"},
                    {}};
        const auto chosen = picked();
        for (int r = 0; r < load_.layers(); ++r) {
            const ExpertLoad::Imbalance im = load_.imbalance(r);
            for (int e = 0; e < load_.experts(); ++e) {
                const auto at = std::find_if(chosen.begin(), chosen.end(), [&](const Pick& p) { return p.row == r && p.expert == e; });
                t.rows.push_back({load_.layer(r), e, qlonglong(load_.picks(r, e)), double(load_.load(r, e)),
                                  at == chosen.end() ? QVariant(QString()) : QVariant(double(at->weight)), double(im.peak), double(im.variation)});
            }
        }
        return t;
    }

protected:
    void refresh() override {
        load_.follow(session.trace());
        const Selection& selected = session.selection();
        if (selected.ranged())
            load_.count(selected.range());
        else
            load_.count(window_->currentData().toLongLong());
        window_->setEnabled(!selected.ranged());
        const int rows = load_.layers(), experts = load_.experts();
        const bool some = load_.tokens() > 0;
        map_->set_empty(why_nothing());
        uneven_->setVisible(some && rows > 1);
        if (!some) {
            map_->set_values(0, 0, {});
            picks_->setText({});
            return;
        }
        std::vector<float> values;
        for (int r = 0; r < rows; ++r)
            for (int e = 0; e < experts; ++e) values.push_back(load_.load(r, e));
        if (map_->rows() != rows || map_->columns() != experts)
            map_->set_labels([this](int r) { return QString::number(load_.layer(r)); }, [](int e) { return QString::number(e); }, tr("layer"), tr("expert"));
        map_->set_values(rows, experts, std::move(values));
        draw_picks();
        draw_imbalance(rows);
    }

    bool takes_range() const override { return true; }
    QString in_words() const override {
        if (load_.tokens() == 0 || load_.layers() == 0) return {};
        words::Experts w{
            .tokens = load_.tokens(), .layer = load_.layer(0), .experts = load_.layers() * load_.experts(), .chosen = session.selection().ranged()};
        for (int r = 0; r < load_.layers(); ++r) {
            const ExpertLoad::Imbalance im = load_.imbalance(r);
            w.unused += im.unused;
            if (double(im.peak) > w.times) w.times = double(im.peak), w.layer = load_.layer(r), w.busiest = im.busiest;
        }
        return words::of(w);
    }
    std::vector<KeyItem> key() const override {
        if (load_.tokens() == 0) return {};
        return {{KeyItem::ramp, {}, tr("picked never … four times an even share"), &sequential_map()},
                {KeyItem::dot, {}, tr("picks of the chosen token")},
                {KeyItem::frame, theme().accent, tr("chosen expert")}};
    }
    Caption caption() const override {
        const QString counted = tokens_text(load_.tokens());
        return {
            session.selection().ranged() ? tr("load of each expert over the %1 chosen").arg(counted) : tr("load of each expert over the last %1").arg(counted),
            {tr("picks of %1").arg(token_name(session, session.current_token()))}};
    }
    QString why_no_picture() const override { return load_.tokens() > 0 ? QString() : why_nothing(); }

private:
    QString why_nothing() const {
        return !session.card()               ? tr("Load a model to see which experts its tokens meet.")
               : load_.layers() == 0         ? tr("This model has no experts: every feed-forward layer is dense.")
               : session.trace().size() == 0 ? tr("Send a message: every token picks its experts.")
               : session.live()              ? session.why_missing(tr("The picks"))
                                             : tr("This recording holds no picks.");
    }
    struct Pick {
        int row = 0, expert = 0;
        float weight = 0;
    };
    // Of the selected token, or the newest.
    std::vector<Pick> picked() const {
        std::vector<Pick> out;
        const TraceShape& shape = session.trace().shape();
        const auto readings = session.current_readings();
        for (int r = 0; r < load_.layers(); ++r) {
            const auto experts = shape.of(Site::picks, load_.layer(r), readings), weights = shape.of(Site::pick_weights, load_.layer(r), readings);
            for (size_t i = 0; i < experts.size(); ++i)
                if (!std::isnan(experts[i])) out.push_back({r, static_cast<int>(experts[i]), weights[i]});
        }
        return out;
    }

    void draw_picks() {
        const auto chosen = picked();
        std::vector<QPoint> dots;
        for (const Pick& p : chosen) dots.push_back({p.expert, p.row});
        map_->set_dots(std::move(dots));
        const int64_t at = session.current_token();
        QString text;
        if (chosen.empty()) {
            text = at >= 0 ? tr("Token %1: its picks were not read.").arg(local(grouped(at))) : QString();
        } else {
            text = tr("Dots: the picks of token %1 “%2”").arg(local(grouped(at)), visible_token(session.trace().row(at).text));
            // One layer in words: the selected one where it has experts.
            const int layer = session.selection().layer();
            int row = 0;
            for (int r = 0; r < load_.layers(); ++r)
                if (load_.layer(r) == layer) row = r;
            QStringList words;
            for (const Pick& p : chosen)
                if (p.row == row) words << QString("%1 (%2)").arg(p.expert).arg(local(percent_text(p.weight / sum_of(chosen, row))));
            text += "\n" + tr("Layer %1: %2").arg(load_.layer(row)).arg(words.join(", "));
        }
        picks_->setText(text);
        const int layer = session.selection().layer();
        int row = -1;
        for (int r = 0; r < load_.layers(); ++r)
            if (load_.layer(r) == layer) row = r;
        map_->set_chosen(row, row >= 0 ? session.selection().expert() : -1);
    }
    static float sum_of(const std::vector<Pick>& picks, int row) {
        float sum = 0;
        for (const Pick& p : picks)
            if (p.row == row) sum += p.weight;
        return std::max(sum, 1e-9f);
    }

    void draw_imbalance(int rows) {
        const Theme& t = theme();
        QList<QPointF> peak, variation;
        float highest = 2;
        for (int r = 0; r < rows; ++r) {
            const ExpertLoad::Imbalance im = load_.imbalance(r);
            peak << QPointF(load_.layer(r), double(im.peak)), variation << QPointF(load_.layer(r), double(im.variation));
            highest = std::max(highest, im.peak);
        }
        uneven_->set_axes({tr("layer"), false, double(load_.layer(0)), double(load_.layer(rows - 1)), LineChart::Unit::count},
                          {tr("imbalance"), false, 0, std::ceil(double(highest))});
        uneven_->set_series(0, tr("busiest / mean (even: 1)"), t.series[4], peak);
        uneven_->set_series(1, tr("deviation / mean (even: 0)"), t.series[3], variation);
    }

    ExpertLoad load_;
    QLabel* ask_ = nullptr;
    QComboBox* window_ = nullptr;
    HeatMap* map_ = nullptr;
    LineChart* uneven_ = nullptr;
    Figure* picks_ = nullptr;
};

}  // namespace

Panel* make_experts_panel(Session& session, const PanelInfo& info) { return new ExpertsPanel(session, info); }

}  // namespace klp::gui
