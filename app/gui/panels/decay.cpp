#include <QComboBox>
#include <QFontDatabase>
#include <QHBoxLayout>
#include <QLabel>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <bit>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/panels/half_life_plot.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/retention.h"
#include "app/gui/panels/token_window.h"

namespace klp::gui {

namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kWaterfall = 512;  // tokens

// Room for so many tokens: 32, 48, 64, 96 ... so that a picture moves only when it must.
int64_t stepped(int64_t tokens) {
    int64_t room = 32;
    while (room < tokens) room += std::has_single_bit(static_cast<uint64_t>(room)) ? room / 2 : room / 3;
    return room;
}

class DecayPanel final : public Panel {
public:
    DecayPanel(Session& session, const PanelInfo& info);
    Interest interest() const override {
        Interest i;
        i.sites[static_cast<int>(Site::log_decay)] = true;
        return i;
    }
    TableData table() const override;

protected:
    void refresh() override;

private:
    enum View { mean, layers, heads, waterfall };
    View view() const { return static_cast<View>(view_->currentIndex()); }
    Gate gate() const { return static_cast<Gate>(gate_->currentIndex()); }
    // Where a cell is; `head` -1: the mean of all.
    struct Place {
        int layer = 0, head = 0, channel = 0;
        int64_t token = -1;
    };
    Place place(int row, int column) const;
    float log_decay(const Place& at) const;
    QString said(const Place& at) const;
    QString why_nothing() const;
    void show_map(std::span<const float> readings);
    void show_waterfall();
    void show_counts(std::span<const float> readings);
    void show_retention();
    void show_line();
    bool relabels(const QString& key) { return std::exchange(labels_, key) != key; }
    void begin();  // another model

    QComboBox *view_, *gate_, *below_;
    HeadPicker* picker_;
    HeatMap* map_;
    Figure* line_;
    QLabel* form_;
    QStackedWidget* plots_;
    HalfLifePlot* plot_;
    LineChart* left_;  // what is left of the pinned token
    QString plot_line_;
    Retention retention_;
    TokenWindow window_{kWaterfall};
    std::optional<KdaHead> window_head_;
    const RunCard* card_ = nullptr;
    KdaHead at_;
    int64_t token_ = -1;  // whose gates are shown
    bool view_chosen_ = false;
    int columns_ = 0;  // of the waterfall
    QString labels_;   // what the map's labels say
};

DecayPanel::DecayPanel(Session& session, const PanelInfo& info)
    : Panel(session, info),
      view_(new QComboBox(this)),
      gate_(new QComboBox(this)),
      below_(new QComboBox(body())),
      picker_(new HeadPicker(session, "Decay", this)),
      map_(new HeatMap(body())),
      line_(new Figure(body(), false, 2)),
      form_(new QLabel(body())),
      plots_(new QStackedWidget(body())),
      plot_(new HalfLifePlot(plots_)),
      left_(new LineChart(plots_)) {
    view_->addItems({"Layer × channel, mean of heads", "Layer × channel, one head", "Head × channel", "Last 512 tokens, one head"});
    view_->setCurrentIndex(layers);
    view_->setAccessibleName("Decay, view");
    view_->setToolTip("Rows × columns of the map. The mean is that of g over a layer's heads: the geometric mean of α.");
    gate_->addItems({"Half-life", "α", "log decay g"});
    gate_->setAccessibleName("Decay, value");
    gate_->setToolTip(
        "Half-life: ln 2 / −g, in tokens. α = e<sup>g</sup>: what is left of a channel after one token. "
        "g: log decay, in nats a token. All scales are fixed. Source: the gates the engine used for this token.");
    controls()->addWidget(view_);
    controls()->addWidget(gate_);
    controls()->addWidget(picker_);
    controls()->addStretch(1);

    auto* layout = new QVBoxLayout(body());
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(map_, 3);
    line_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    layout->addWidget(line_);
    auto* head = new QHBoxLayout;
    below_->addItems({"Half-lives", "What is left of the pinned token"});
    below_->setAccessibleName("Decay, plot");
    below_->setToolTip(
        "Half-lives: how many channels have which, at the token shown. What is left: the product of α over the tokens after the pinned one, "
        "for one head. Decay only; what later tokens overwrite is not in it.");
    head->addWidget(below_);
    form_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    form_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    form_->setForegroundRole(QPalette::PlaceholderText);
    head->addWidget(form_, 1);
    layout->addLayout(head);
    plots_->addWidget(plot_);
    plots_->addWidget(left_);
    plots_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    layout->addWidget(plots_, 1);

    map_->setAccessibleName("Decay map");
    map_->describe = [this](int row, int column, float) {
        if (this->session.trace().shape().size() == 0) return QString();
        return said(place(row, column)).replace('\n', ", ").simplified();
    };
    connect(view_, &QComboBox::activated, this, [this] {
        view_chosen_ = true;
        refresh_soon();
    });
    connect(gate_, &QComboBox::activated, this, &DecayPanel::refresh_soon);
    connect(below_, &QComboBox::activated, this, [this](int i) {
        plots_->setCurrentIndex(i);
        refresh_soon();
    });
    connect(left_, &LineChart::hovered, this, [this](double x) {
        const auto& points = retention_.points();
        plot_line_.clear();
        if (!std::isnan(x) && points.size() > 1) {
            const auto& p = points[static_cast<size_t>(std::clamp<int64_t>(std::llround(x) - points[0].position, 0, static_cast<int64_t>(points.size()) - 1))];
            const auto share = [](float v) { return QString::fromStdString(percent_text(double(v))); };
            plot_line_ = QString("%1, %2 later: %3\nleft: %4 (mean of channels), %5 (slowest tenth), %6 (channel %7)")
                             .arg(token_name(this->session, points[0].position), QString::fromStdString(plural(p.position - points[0].position, "token")),
                                  token_name(this->session, p.position), share(p.mean), share(p.slowest), share(p.chosen))
                             .arg(this->session.selection().channel());
        }
        show_line();
    });
    connect(map_, &HeatMap::hovered, this, [this](int row, int column) {
        if (view() == waterfall) this->session.selection().hover(row < 0 ? -1 : place(row, column).token);
        show_line();
    });
    connect(map_, &HeatMap::clicked, this, [this](int row, int column) {
        const Place at = place(row, column);
        Selection& selected = this->session.selection();
        selected.set_channel(at.layer, at.head < 0 ? selected.head() : at.head, at.channel);
        if (view() == waterfall) selected.set_token(at.token);
    });
    plot_->on_hover = [this](const QString& text) {
        plot_line_ = text;
        show_line();
    };
    connect(&session, &Session::card_changed, this, &DecayPanel::begin);
    begin();
}

void DecayPanel::begin() {
    card_ = session.card();
    window_head_.reset();
    token_ = -1;
    labels_.clear();
    map_->set_values(0, 0, {});
    plot_->forget();
    left_->drop_series(0);
    picker_->sync();
    form_->clear();
    if (!card_ || session.trace().shape().layers(Site::log_decay).empty()) return;
    // Until somebody chooses: every head where all fit, else the layers of one.
    const TraceShape& shape = session.trace().shape();
    if (!view_chosen_) view_->setCurrentIndex(shape.layers(Site::log_decay).size() * static_cast<size_t>(shape.kda_heads) <= 48 ? heads : layers);
    const GateForm form = gate_form(card_->config);
    form_->setText("Gate: " + form.name);
    form_->setToolTip(form.formula + "<br>From config.json" + (card_->config.gate_lower_bound == 0 ? "." : ": linear_attn_config, gate_lower_bound."));
}

QString DecayPanel::why_nothing() const {
    if (!session.card()) return "Load a model, and this map shows how fast each channel of its memory forgets.";
    if (session.trace().shape().layers(Site::log_decay).empty()) return "This model has no KDA layers: nothing in it decays.";
    const int64_t token = session.current_token();
    if (token < 0 && !session.live()) return "Play the recording: each token brings a new set of gates.";
    if (token < 0) return "Send a message: each token brings a new set of gates.";
    if (!session.live()) return QString("This recording holds no gates of %1.").arg(token_name(session, token));
    return session.why_missing(tr("The gates of %1").arg(token_name(session, token)));
}

DecayPanel::Place DecayPanel::place(int row, int column) const {
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const auto layer = [&](int i) { return kda[static_cast<size_t>(std::clamp(i, 0, static_cast<int>(kda.size()) - 1))]; };
    switch (view()) {
        case mean:
            return {layer(row), -1, column, token_};
        case layers:
            return {layer(row), at_.head, column, token_};
        case heads:
            return {layer(row / shape.kda_heads), row % shape.kda_heads, column, token_};
        default:
            return {at_.layer, at_.head, row, window_.first() + column};
    }
}

float DecayPanel::log_decay(const Place& at) const {
    const TraceShape& shape = session.trace().shape();
    const auto values = shape.of(Site::log_decay, at.layer, session.trace().readings(at.token));
    if (values.empty()) return kUnknown;
    const auto of_head = [&](int head) { return values[static_cast<size_t>(head * shape.key_dim + at.channel)]; };
    if (at.head >= 0) return of_head(at.head);
    double sum = 0;
    for (int h = 0; h < shape.kda_heads; ++h) sum += of_head(h);
    return static_cast<float>(sum / shape.kda_heads);
}

// Two lines; numbers stand at the same place whatever they are.
QString DecayPanel::said(const Place& at) const {
    const float g = log_decay(at), tokens = half_life(g);
    const QString head = at.head < 0 ? QString("mean") : QString::number(at.head);
    return QString("layer %1 · head %2 · channel %3 · %4\nhalf-life %5 tokens %6 α %7  g %8")
        .arg(at.layer, 2)
        .arg(head, at.head < 0 ? 4 : 2)
        .arg(at.channel, 3)
        .arg(token_name(session, at.token))
        .arg(half_life_text(tokens), 8)
        .arg(std::isnan(g) ? QString() : '(' + band_of(tokens) + ')', -12)
        .arg(alpha_text(g), 9)
        .arg(log_decay_text(g));
}

void DecayPanel::show_line() {
    if (map_->rows() == 0) return line_->setText({});
    if (!plot_line_.isEmpty()) return line_->setText(plot_line_);
    const QPoint cell = map_->hovered_cell();
    if (cell.x() >= 0) return line_->setText(said(place(cell.y(), cell.x())));
    const int channel = std::clamp(session.selection().channel(), 0, session.trace().shape().key_dim - 1);
    line_->setText(said({at_.layer, view() == mean ? -1 : at_.head, channel, token_}));
}

void DecayPanel::refresh() {
    picker_->sync();
    const bool held = frozen() || session.frozen();
    if (!held || token_ < 0 || session.selection().token() != Selection::kNewest) token_ = session.current_token();
    const auto head = kda_head(session);
    const auto readings = session.trace().readings(token_);
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const bool known = head && !readings.empty() && std::any_of(kda.begin(), kda.end(), [&](int layer) {
                           const auto gates = shape.of(Site::log_decay, layer, readings);
                           return !std::all_of(gates.begin(), gates.end(), [](float g) { return std::isnan(g); });
                       });
    if (!known) {
        map_->set_empty(why_nothing());
        map_->set_values(0, 0, {});
        plot_->set_counts({}, {}, {}, {});
        left_->drop_series(0);
        return show_line();
    }
    at_ = *head;
    map_->set_scale(scale_of(gate()));
    if (view() == waterfall)
        show_waterfall();
    else
        show_map(readings);

    if (plots_->currentIndex() == 0)
        show_counts(readings);
    else
        show_retention();
    show_line();
}

void DecayPanel::show_counts(std::span<const float> readings) {
    const TraceShape& shape = session.trace().shape();
    HalfLifeCounts all, one;
    for (int layer : shape.layers(Site::log_decay)) all.add(shape.of(Site::log_decay, layer, readings));
    const auto k = static_cast<size_t>(shape.key_dim);
    one.add(shape.of(Site::log_decay, at_.layer, readings).subspan(static_cast<size_t>(at_.head) * k, k));
    plot_->set_counts(all, one,
                      QString("%1 channels at %2, median %3 tokens; line: layer %4, head %5")
                          .arg(QString::fromStdString(grouped(all.total)), token_name(session, token_), half_life_text(all.median()))
                          .arg(at_.layer)
                          .arg(at_.head),
                      QString("of layer %1, head %2:").arg(at_.layer).arg(at_.head));
}

void DecayPanel::show_retention() {
    const Selection& selected = session.selection();
    left_->set_empty("Pin a token (a click on it in the chat, the timeline or the waterfall) to see how long it lasts.");
    if (selected.token() == Selection::kNewest) return left_->drop_series(0);
    const int channel = std::clamp(selected.channel(), 0, session.trace().shape().key_dim - 1);
    if (!(frozen() || session.frozen()) || retention_.points().empty()) retention_.follow(session.trace(), selected.token(), at_, channel);
    const auto& points = retention_.points();
    const int64_t wide = stepped(static_cast<int64_t>(points.size()));
    const auto first = static_cast<double>(points[0].position);
    left_->set_axes({"token", false, first, first + static_cast<double>(wide)}, {"left", false, 0, 1});
    const auto line = [&](int index, const QString& name, const QColor& colour, float Retention::Point::*value, bool dashed) {
        QList<QPointF> all;
        all.reserve(static_cast<qsizetype>(points.size()));
        for (const auto& p : points) all.append({static_cast<double>(p.position), double(p.*value)});
        left_->set_series(index, name, colour, thinned(all), dashed);
    };
    line(0, QString("layer %1, head %2, mean of channels").arg(at_.layer).arg(at_.head), theme().hybrid, &Retention::Point::mean, false);
    line(1, "slowest tenth", theme().series[3], &Retention::Point::slowest, false);
    line(2, QString("channel %1").arg(channel), theme().accent, &Retention::Point::chosen, true);
}

void DecayPanel::show_map(std::span<const float> readings) {
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const int heads_of = shape.kda_heads, channels = shape.key_dim;
    const int channel = std::clamp(session.selection().channel(), 0, channels - 1);
    const int chosen_layer = static_cast<int>(std::lower_bound(kda.begin(), kda.end(), at_.layer) - kda.begin());
    const Gate what = gate();
    std::vector<float> values;
    const auto number = [](int i) { return QString::number(i); };
    if (view() == heads) {
        values.reserve(kda.size() * static_cast<size_t>(heads_of * channels));
        for (int layer : kda)
            for (float g : shape.of(Site::log_decay, layer, readings)) values.push_back(shown(what, g));
        std::vector<int> groups;
        for (size_t i = 1; i < kda.size(); ++i) groups.push_back(static_cast<int>(i) * heads_of);
        const bool few = kda.size() * static_cast<size_t>(heads_of) <= 24;  // else a label a layer
        const auto label = [kda, heads_of, few](int row) {
            const QString layer = QString::number(kda[static_cast<size_t>(row / heads_of)]);
            return few ? QString("%1 · %2").arg(layer).arg(row % heads_of) : row % heads_of == heads_of / 2 ? layer : QString();
        };
        if (relabels("heads")) map_->set_labels(label, number, few ? "layer · head" : QString("layer, each of %1 heads").arg(heads_of), "channel");
        map_->set_groups(std::move(groups));
        map_->set_values(static_cast<int>(kda.size()) * heads_of, channels, std::move(values));
        return map_->set_chosen(chosen_layer * heads_of + at_.head, channel);
    }
    for (int layer : kda) {
        const auto all = shape.of(Site::log_decay, layer, readings);
        for (int c = 0; c < channels; ++c) {
            if (view() == layers) {
                values.push_back(shown(what, all[static_cast<size_t>(at_.head * channels + c)]));
                continue;
            }
            double sum = 0;
            for (int h = 0; h < heads_of; ++h) sum += all[static_cast<size_t>(h * channels + c)];
            values.push_back(shown(what, static_cast<float>(sum / heads_of)));
        }
    }
    if (relabels(QString("%1 %2").arg(view()).arg(at_.head)))
        map_->set_labels([kda](int row) { return QString::number(kda[static_cast<size_t>(row)]); }, number, "layer",
                         view() == layers ? QString("channel of head %1").arg(at_.head) : QString("channel, mean of %1 heads").arg(heads_of));
    map_->set_groups({});
    map_->set_values(static_cast<int>(kda.size()), channels, std::move(values));
    map_->set_chosen(chosen_layer, channel);
}

void DecayPanel::show_waterfall() {
    const TraceShape& shape = session.trace().shape();
    const int channels = shape.key_dim;
    if (window_head_ != at_) {
        window_head_ = at_;
        const auto from = static_cast<size_t>(shape.offset(Site::log_decay, at_.layer) + at_.head * channels);
        window_.begin(channels, [from](std::span<const float> readings, std::span<float> row) {
            std::copy_n(readings.begin() + static_cast<int64_t>(from), row.size(), row.begin());
        });
    }
    if (window_.size() == 0 || !(frozen() || session.frozen())) window_.follow(session.trace());
    columns_ = static_cast<int>(stepped(window_.size()));
    const Gate what = gate();
    std::vector<float> values(static_cast<size_t>(channels) * static_cast<size_t>(columns_), HeatMap::kBlank);
    for (int64_t p = window_.first(); p < window_.end(); ++p) {
        const auto row = window_.row(p);
        for (size_t c = 0; c < row.size(); ++c) values[c * static_cast<size_t>(columns_) + static_cast<size_t>(p - window_.first())] = shown(what, row[c]);
    }
    const int64_t first = window_.first(), end = window_.end(), step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(columns_)) / 8);
    if (relabels(QString("waterfall %1 %2 %3 %4 %5").arg(at_.layer).arg(at_.head).arg(columns_).arg(first).arg((end - 1) / step)))
        map_->set_labels(
            [](int i) { return QString::number(i); },
            [first, step, end](int i) { return (first + i) % step == 0 && first + i < end ? QString::fromStdString(grouped(first + i)) : QString(); },
            "channel", QString("token, oldest left: layer %1, head %2").arg(at_.layer).arg(at_.head));
    map_->set_groups({});
    map_->set_values(channels, columns_, std::move(values));
    const bool inside = token_ >= window_.first() && token_ < window_.end();
    map_->set_chosen(inside ? std::clamp(session.selection().channel(), 0, channels - 1) : -1, inside ? static_cast<int>(token_ - window_.first()) : -1);
}

TableData DecayPanel::table() const {
    TableData data;
    data.columns = {"token", "layer", "head", "channel", "g", "α", "half-life (tokens)"};
    const int columns = view() == waterfall ? static_cast<int>(window_.size()) : map_->columns();
    for (int row = 0; row < map_->rows(); ++row)
        for (int column = 0; column < columns; ++column) {
            const Place at = place(row, column);
            const float g = log_decay(at);
            if (std::isnan(g)) {
                data.rows.push_back({qlonglong{at.token}, at.layer, at.head < 0 ? QVariant("mean") : QVariant(at.head), at.channel, "n/a", "n/a", "n/a"});
                continue;
            }
            data.rows.push_back({qlonglong{at.token}, at.layer, at.head < 0 ? QVariant("mean") : QVariant(at.head), at.channel, double(g), std::exp(double(g)),
                                 std::isinf(half_life(g)) ? QVariant("∞") : QVariant(double(half_life(g)))});
        }
    return data;
}

}  // namespace

Panel* make_decay_panel(Session& session, const PanelInfo& info) { return new DecayPanel(session, info); }

}  // namespace klp::gui
