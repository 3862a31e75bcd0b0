#include <QComboBox>
#include <QFontDatabase>
#include <QHBoxLayout>
#include <QLabel>
#include <QStandardItemModel>
#include <QVBoxLayout>
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/panels/fed_decay.h"
#include "app/gui/panels/half_life_plot.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/token_window.h"
#include "app/gui/panels/words.h"

namespace klp::gui {

namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kWaterfall = 512;  // tokens
constexpr int kLeastMap = 170;       // pixels of height

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
    bool takes_range() const override { return true; }
    QString in_words() const override;
    std::vector<KeyItem> key() const override;
    Caption caption() const override;
    QString why_no_picture() const override { return map_->rows() == 0 ? why_nothing() : QString(); }

private:
    enum View { longest, layers, heads, waterfall };
    View view() const { return static_cast<View>(view_->currentIndex()); }
    Gate gate() const { return static_cast<Gate>(gate_->currentIndex()); }
    // Where a cell is; `head` -1: the one of all that keeps longest.
    struct Place {
        int layer = 0, head = 0, channel = 0;
        int64_t token = -1;
    };
    // One gate a head: then heads stand where channels do.
    bool one_gate() const { return session.trace().shape().gates == 1; }
    Place place(int row, int column) const;
    float log_decay(const Place& at) const;
    size_t index(int layer, int head, int channel) const;  // of a channel among all
    float fed(const Place& at) const;                      // its half-life over the tokens that were fed
    int64_t first_message() const;                         // the last position that was fed before the first answer; -1: none
    void follow_fed();
    bool over_range() const { return session.selection().ranged() && view() != waterfall && over_.tokens() > 0 && !over_.sums().empty(); }
    QString said(const Place& at) const;
    QString why_nothing() const;
    void show_map(std::span<const float> gates);
    void show_waterfall();
    void show_counts(std::span<const float> gates);
    void show_line();
    bool relabels(const QString& key) { return std::exchange(labels_, key) != key; }
    void begin();  // another model

    QComboBox *view_, *gate_;
    HeadPicker* picker_;
    HeatMap* map_;
    Figure* line_;
    QLabel* form_;
    HalfLifePlot* plot_;
    QString plot_line_;
    FedDecay over_;            // the chosen range
    FedDecay fed_, since_;     // until the token shown; and until now, behind the pinned token or the first message
    std::vector<float> mean_;  // log decay of each channel over what was fed
    QString since_what_;       // what `since_` began behind
    TokenWindow window_{kWaterfall};
    std::optional<Head> window_head_;
    const RunCard* card_ = nullptr;
    Head at_;
    int64_t token_ = -1;  // whose gates are shown
    bool view_chosen_ = false;
    int64_t shown_from_ = 0, shown_ = 0;  // tokens of the waterfall
    int columns_ = 0;                     // of it, with room for more
    QString labels_;                      // what the map's labels say
};

DecayPanel::DecayPanel(Session& session, const PanelInfo& info)
    : Panel(session, info),
      view_(new QComboBox(this)),
      gate_(new QComboBox(this)),
      picker_(new HeadPicker(session, tr("Decay"), this)),
      map_(new HeatMap(body())),
      line_(new Figure(body(), false, 3)),
      form_(new QLabel(body())),
      plot_(new HalfLifePlot(body())) {
    view_->addItems({tr("Layer × channel, longest of heads"), tr("Layer × channel, one head"), tr("Head × channel"), tr("Last 512 tokens, one head")});
    view_->setCurrentIndex(layers);
    view_->setAccessibleName(tr("Decay, view"));
    view_->setToolTip(tr("Rows × columns of the map. Longest of heads: of a layer's heads the one that keeps this channel longest."));
    gate_->addItems({tr("Half-life of the token"), "α", tr("log decay g"), tr("Half-life over what was fed")});
    gate_->setAccessibleName(tr("Decay, value"));
    gate_->setToolTip(tr(
        "Half-life of the token: ln 2 / −g, in tokens, as if this token's gate came again and again. α = e<sup>g</sup>: what is left of a channel after one "
        "token. g: log decay, in nats a token. Over what was fed: −n / log<sub>2</sub> ∏ α of all n tokens until this one. All scales are fixed. Source: the "
        "gates the engine used."));
    controls()->addWidget(view_);
    controls()->addWidget(gate_);
    controls()->addWidget(picker_);
    controls()->addStretch(1);
    add_hands({HandTool::half_lives});

    auto* layout = new QVBoxLayout(body());
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    map_->setMinimumHeight(kLeastMap);  // in a low window the rest is scrolled to
    layout->addWidget(map_, 3);
    line_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    layout->addWidget(line_);
    auto* head = new QHBoxLayout;
    form_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    form_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    form_->setForegroundRole(QPalette::PlaceholderText);
    head->addWidget(form_, 1);
    layout->addLayout(head);
    layout->addWidget(plot_, 1);

    map_->setAccessibleName(tr("Decay map"));
    map_->describe = [this](int row, int column, float) {
        if (this->session.trace().shape().size() == 0) return QString();
        return said(place(row, column)).replace('\n', ", ").simplified();
    };
    connect(view_, &QComboBox::activated, this, [this] {
        view_chosen_ = true;
        // A column of the last tokens is one token's.
        const bool one = view() == waterfall;
        static_cast<QStandardItemModel*>(gate_->model())->item(static_cast<int>(Gate::fed))->setEnabled(!one);
        if (one && gate() == Gate::fed) gate_->setCurrentIndex(static_cast<int>(Gate::half_life));
        refresh_soon();
    });
    connect(gate_, &QComboBox::activated, this, &DecayPanel::refresh_soon);
    connect(map_, &HeatMap::hovered, this, [this](int row, int column) {
        if (view() == waterfall) this->session.selection().hover(row < 0 ? -1 : place(row, column).token);
        show_line();
    });
    connect(map_, &HeatMap::clicked, this, [this](int row, int column) {
        const Place at = place(row, column);
        Selection& selected = this->session.selection();
        selected.set_channel(at.layer, at.head < 0 ? selected.state().head : at.head, at.channel);
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
    fed_ = since_ = {};
    window_head_.reset();
    token_ = -1;
    labels_.clear();
    map_->set_values(0, 0, {});
    plot_->forget();
    picker_->sync();
    form_->clear();
    const bool some = card_ && !session.trace().shape().layers(Site::log_decay).empty();
    for (QWidget* w : {view_, gate_}) w->setVisible(some);
    if (!card_ || session.trace().shape().layers(Site::log_decay).empty()) return;
    plot_->set_one_gate(one_gate());
    for (const View v : {longest, heads}) static_cast<QStandardItemModel*>(view_->model())->item(v)->setEnabled(!one_gate());
    view_->setItemText(layers, one_gate() ? tr("Layer × head") : tr("Layer × channel, one head"));
    view_->setItemText(waterfall, one_gate() ? tr("Last 512 tokens, one layer") : tr("Last 512 tokens, one head"));
    // Until somebody chooses: every head where all fit, else the layers of one.
    const TraceShape& shape = session.trace().shape();
    if (!view_chosen_) view_->setCurrentIndex(shape.layers(Site::log_decay).size() * static_cast<size_t>(shape.kda_heads) <= 48 ? heads : layers);
    if (one_gate() && view() != waterfall) view_->setCurrentIndex(layers);
    const GateForm form = gate_form(card_->config);
    form_->setText(tr("Gate: %1").arg(form.name));
    form_->setToolTip(
        form.formula + "<br>" +
        tr("From config.json: %1").arg(QString::fromUtf8(gate_fields(card_->config).data(), static_cast<qsizetype>(gate_fields(card_->config).size()))));
}

QString DecayPanel::why_nothing() const {
    if (!session.card()) return tr("Load a model, and this map shows how fast each channel of its memory forgets.");
    if (session.trace().shape().layers(Site::log_decay).empty()) return tr("This model has no KDA layers: nothing in it decays.");
    const int64_t token = session.current_token();
    if (token < 0 && !session.live()) return tr("Play the recording: each token brings a new set of gates.");
    if (token < 0) return tr("Send a message: each token brings a new set of gates.");
    if (!session.live()) return tr("This recording holds no gates of %1.").arg(token_name(session, token));
    return session.why_missing(tr("The gates of %1").arg(token_name(session, token)));
}

DecayPanel::Place DecayPanel::place(int row, int column) const {
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const auto layer = [&](int i) { return kda[static_cast<size_t>(std::clamp(i, 0, static_cast<int>(kda.size()) - 1))]; };
    if (one_gate()) return view() == waterfall ? Place{at_.layer, row, 0, shown_from_ + column} : Place{layer(row), column, 0, token_};
    switch (view()) {
        case longest:
            return {layer(row), -1, column, token_};
        case layers:
            return {layer(row), at_.head, column, token_};
        case heads:
            return {layer(row / shape.kda_heads), row % shape.kda_heads, column, token_};
        default:
            return {at_.layer, at_.head, row, shown_from_ + column};
    }
}

float DecayPanel::log_decay(const Place& at) const {
    const TraceShape& shape = session.trace().shape();
    if (over_range() && at.token == token_) {  // the mean of g, which is what the range left of a channel
        const auto mean = [&](int head) { return static_cast<float>(over_.sums()[index(at.layer, head, at.channel)] / static_cast<double>(over_.tokens())); };
        float most = mean(std::max(0, at.head));
        for (int h = 1; at.head < 0 && h < shape.kda_heads; ++h) most = std::max(most, mean(h));
        return most;
    }
    const auto values = shape.of(Site::log_decay, at.layer, session.trace().readings(at.token));
    if (values.empty()) return kUnknown;
    const auto of_head = [&](int head) { return values[static_cast<size_t>(head * shape.gates + at.channel)]; };
    if (at.head >= 0) return of_head(at.head);
    float most = of_head(0);
    for (int h = 1; h < shape.kda_heads; ++h) most = std::max(most, of_head(h));
    return most;
}

size_t DecayPanel::index(int layer, int head, int channel) const {
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const auto row = static_cast<size_t>(std::lower_bound(kda.begin(), kda.end(), layer) - kda.begin());
    return (row * static_cast<size_t>(shape.kda_heads) + static_cast<size_t>(head)) * static_cast<size_t>(shape.gates) + static_cast<size_t>(channel);
}

float DecayPanel::fed(const Place& at) const {
    if (at.token != token_ || fed_.end() != token_ + 1 || fed_.sums().empty()) return kUnknown;
    if (at.head >= 0) return fed_.half_life(index(at.layer, at.head, at.channel));
    float most = 0;
    for (int h = 0; h < session.trace().shape().kda_heads; ++h) most = std::max(most, fed_.half_life(index(at.layer, h, at.channel)));
    return most;
}

int64_t DecayPanel::first_message() const {
    const TraceStore& trace = session.trace();
    for (int64_t p = 0; p < trace.size(); ++p)
        if (trace.row(p).made) return p - 1;
    return -1;
}

// What the gates left, until the token shown and until now.
void DecayPanel::follow_fed() {
    const TraceStore& trace = session.trace();
    const int64_t pinned = session.selection().token();
    int64_t after = pinned;
    since_what_ = pinned >= 0 ? token_name(session, pinned) : QString();
    if (pinned == Selection::kNewest && (after = first_message()) >= 0) since_what_ = tr("your first message");
    bool whole = fed_.follow(trace, -1, token_);
    if (after >= 0) {
        whole = since_.follow(trace, after, trace.newest_readings()) && whole;
        // Where the gates of some tokens are not known, it begins behind those.
        if (since_.first() > after + 1 && since_.tokens() > 0) since_what_ = token_name(session, since_.first() - 1);
    }
    if (const auto [first, last] = session.selection().range(); first < last)
        whole = over_.follow(trace, first - 1, std::min(last - 1, trace.newest_readings())) && whole;
    if (!whole) refresh_soon();
}

QString DecayPanel::in_words() const {
    if (map_->rows() == 0) return {};
    const TraceShape& shape = session.trace().shape();
    if (over_range()) {
        HalfLifeCounts all;
        all.add(mean_);
        return tr("Over them the median half-life of %1 is %2 tokens.").arg(words::gates_text(all.total, one_gate()), half_life_text(all.median()));
    }
    const auto& kda = shape.layers(Site::log_decay);
    const auto in_layer = static_cast<size_t>(shape.width(Site::log_decay));
    if (since_what_.isEmpty()) {
        HalfLifeCounts all;
        for (int layer : kda) all.add(shape.of(Site::log_decay, layer, session.trace().readings(token_)));
        return words::of_gates(all.total, all.median(), token_name(session, token_), one_gate());
    }
    words::Decay d{.what = since_what_, .since = since_.tokens(), .channels = static_cast<int64_t>(since_.sums().size()), .by_layer = {}};
    double best = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < since_.sums().size(); ++i) {
        const double sum = since_.sums()[i];
        if (i % in_layer == 0) d.by_layer.push_back({kda[i / in_layer], 0});
        if (sum >= -std::numbers::ln2) ++d.kept, ++d.by_layer.back().second;
        if (sum > best) {
            best = sum;
            d.best_layer = d.by_layer.back().first, d.best_head = static_cast<int>(i % in_layer) / shape.gates;
        }
    }
    d.best = std::exp(best);
    d.one_gate = one_gate();
    return words::of(d);
}

std::vector<KeyItem> DecayPanel::key() const {
    if (map_->rows() == 0) return {};
    const Theme& t = theme();
    std::vector<KeyItem> items{{KeyItem::ramp, {}, gate() == Gate::alpha ? tr("α: forgets … keeps") : tr("forgets fast … keeps long"), &sequential_map()}};
    if (view() == waterfall) items.push_back({KeyItem::hatched, t.border, tr("not read")});
    items.push_back({KeyItem::frame, t.accent, one_gate() ? tr("chosen head") : tr("chosen channel")});
    if (!one_gate()) items.push_back({KeyItem::line, t.text, tr("chosen head")});
    items.push_back({KeyItem::dashed, t.text, tr("median")});
    return items;
}

DecayPanel::Caption DecayPanel::caption() const {
    const QString head = tr("layer %1, head %2").arg(at_.layer).arg(at_.head);
    const QString where = one_gate()          ? view() == waterfall ? tr("head × token, layer %1").arg(at_.layer) : tr("layer × head")
                                   : view() == longest ? tr("layer × channel, longest of heads")
                          : view() == layers  ? tr("layer × channel of head %1").arg(at_.head)
                          : view() == heads   ? tr("head × channel of every layer")
                                              : tr("channel × token, %1").arg(head);
    QString what = gate_->currentText();
    if (gate() == Gate::half_life || gate() == Gate::fed) what[0] = what[0].toLower();
    if (over_range()) {
        const QString chosen = tokens_text(over_.tokens());
        what = gate() == Gate::half_life || gate() == Gate::fed ? tr("half-life over the %1 chosen").arg(chosen)
                                                                : tr("%1, mean of the %2 chosen").arg(what, chosen);
    }
    return {what + ", " + where, {token_name(session, token_), one_gate() ? head : tr("%1, channel %2").arg(head).arg(session.selection().channel())}};
}

// Two lines; numbers stand at the same place whatever they are.
QString DecayPanel::said(const Place& at) const {
    const float g = log_decay(at), tokens = half_life(g);
    const QString head = at.head < 0 ? tr("longest") : QString::number(at.head);
    const float over = over_range() ? kUnknown : fed(at);
    const QString fed_line = std::isnan(over)
                                 ? QString()
                                 : '\n' + tr("over the %1 fed: half-life %2 tokens (%3)").arg(tokens_text(fed_.tokens()), half_life_text(over), band_of(over));
    const QString where = one_gate() ? tr("layer %1 · head %2").arg(at.layer, 2).arg(head, 2)
                                     : tr("layer %1 · head %2 · channel %3").arg(at.layer, 2).arg(head, at.head < 0 ? 4 : 2).arg(at.channel, 3);
    return tr("%1 · %2\nhalf-life %3 tokens %4 α %5  g %6")
               .arg(where)
               .arg(over_range() && at.token == token_ ? tr("mean of the %1 chosen").arg(tokens_text(over_.tokens())) : token_name(session, at.token))
               .arg(half_life_text(tokens), 8)
               .arg(std::isnan(g) ? QString() : '(' + band_of(tokens) + ')', -12)
               .arg(alpha_text(g), 9)
               .arg(log_decay_text(g)) +
           fed_line;
}

void DecayPanel::show_line() {
    if (map_->rows() == 0) return line_->setText({});
    if (!plot_line_.isEmpty()) return line_->setText(plot_line_);
    const QPoint cell = map_->hovered_cell();
    if (cell.x() >= 0) return line_->setText(said(place(cell.y(), cell.x())));
    const int channel = std::clamp(session.selection().channel(), 0, session.trace().shape().gates - 1);
    line_->setText(said({at_.layer, view() == longest ? -1 : at_.head, channel, token_}));
}

void DecayPanel::refresh() {
    picker_->sync();
    if (!held() || token_ < 0 || session.selection().token() != Selection::kNewest) token_ = session.current_token();
    const auto head = kda_head(session);
    const auto readings = session.trace().readings(token_);
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const bool known = head && !readings.empty() && std::any_of(kda.begin(), kda.end(), [&](int layer) {
                           const auto gates = shape.of(Site::log_decay, layer, readings);
                           return !std::all_of(gates.begin(), gates.end(), [](float g) { return std::isnan(g); });
                       });
    for (QWidget* w : std::initializer_list<QWidget*>{form_, plot_, line_}) w->setVisible(known);
    if (!known) {
        map_->set_empty(why_nothing());
        map_->set_values(0, 0, {});
        plot_->set_counts({}, {}, {}, {});
        return show_line();
    }
    at_ = *head;
    if (!held() || fed_.sums().empty()) follow_fed();
    map_->set_scale(scale_of(gate()));
    auto gates = readings.subspan(static_cast<size_t>(shape.offset(Site::log_decay, kda[0])), kda.size() * static_cast<size_t>(shape.width(Site::log_decay)));
    if (over_range()) {
        mean_.assign(gates.size(), kUnknown);
        for (size_t i = 0; i < mean_.size(); ++i) mean_[i] = static_cast<float>(over_.sums()[i] / static_cast<double>(over_.tokens()));
        gates = mean_;
    } else if (gate() == Gate::fed) {
        mean_.assign(gates.size(), kUnknown);
        if (fed_.end() == token_ + 1)
            for (size_t i = 0; i < mean_.size(); ++i) mean_[i] = static_cast<float>(fed_.sums()[i] / static_cast<double>(std::max<int64_t>(1, fed_.tokens())));
        gates = mean_;
    }
    if (view() == waterfall)
        show_waterfall();
    else
        show_map(gates);

    show_counts(gates);
    show_line();
}

void DecayPanel::show_counts(std::span<const float> gates) {
    HalfLifeCounts all, one;
    all.add(gates);
    one.add(gates.subspan(index(at_.layer, at_.head, 0), static_cast<size_t>(session.trace().shape().gates)));
    const QString when = over_range()          ? tr("over the %1 chosen").arg(tokens_text(over_.tokens()))
                         : gate() == Gate::fed ? tr("over %1").arg(tokens_text(fed_.tokens()))
                                               : tr("at %1").arg(token_name(session, token_));
    plot_->set_counts(all, one,
                      tr("%1 %2, median %3 tokens; line: layer %4, head %5")
                          .arg(words::gates_text(all.total, one_gate()), when, half_life_text(all.median()))
                          .arg(at_.layer)
                          .arg(at_.head),
                      tr("of layer %1, head %2:").arg(at_.layer).arg(at_.head));
}

// `gates`: log decay of all channels, as they lie in a row of readings.
void DecayPanel::show_map(std::span<const float> gates) {
    const TraceShape& shape = session.trace().shape();
    const auto& kda = shape.layers(Site::log_decay);
    const int heads_of = one_gate() ? 1 : shape.kda_heads, channels = one_gate() ? shape.kda_heads : shape.gates;
    const int channel = one_gate() ? at_.head : std::clamp(session.selection().channel(), 0, channels - 1);
    const int chosen_layer = static_cast<int>(std::lower_bound(kda.begin(), kda.end(), at_.layer) - kda.begin());
    const Gate what = gate();
    std::vector<float> values;
    const auto number = [](int i) { return QString::number(i); };
    if (view() == heads && !one_gate()) {
        values.reserve(kda.size() * static_cast<size_t>(heads_of * channels));
        for (float g : gates) values.push_back(shown(what, g));
        std::vector<int> groups;
        for (size_t i = 1; i < kda.size(); ++i) groups.push_back(static_cast<int>(i) * heads_of);
        const bool few = kda.size() * static_cast<size_t>(heads_of) <= 24;  // else a label a layer
        const auto label = [kda, heads_of, few](int row) {
            const QString layer = QString::number(kda[static_cast<size_t>(row / heads_of)]);
            return few ? QString("%1 · %2").arg(layer).arg(row % heads_of) : row % heads_of == heads_of / 2 ? layer : QString();
        };
        if (relabels("heads")) map_->set_labels(label, number, few ? tr("layer · head") : tr("layer, each of %1 heads").arg(heads_of), tr("channel"));
        map_->set_groups(std::move(groups));
        map_->set_values(static_cast<int>(kda.size()) * heads_of, channels, std::move(values));
        return map_->set_chosen(chosen_layer * heads_of + at_.head, channel);
    }
    for (int layer : kda) {
        for (int c = 0; c < channels; ++c) {
            float g = one_gate() ? gates[index(layer, c, 0)] : gates[index(layer, view() == layers ? at_.head : 0, c)];
            for (int h = 1; view() == longest && h < heads_of; ++h) g = std::max(g, gates[index(layer, h, c)]);
            values.push_back(shown(what, g));
        }
    }
    if (relabels(QString("%1 %2").arg(view()).arg(at_.head)))
        map_->set_labels([kda](int row) { return QString::number(kda[static_cast<size_t>(row)]); }, number, tr("layer"),
                         one_gate()         ? tr("head")
                         : view() == layers ? tr("channel of head %1").arg(at_.head)
                                            : tr("channel, of the head of %1 that keeps it longest").arg(heads_of));
    map_->set_groups({});
    map_->set_values(static_cast<int>(kda.size()), channels, std::move(values));
    map_->set_chosen(chosen_layer, channel);
}

void DecayPanel::show_waterfall() {
    const TraceShape& shape = session.trace().shape();
    const int channels = one_gate() ? shape.kda_heads : shape.gates;
    if (const Head shown{at_.layer, one_gate() ? 0 : at_.head}; window_head_ != shown) {
        window_head_ = shown;
        const auto from = static_cast<size_t>(shape.offset(Site::log_decay, at_.layer) + shown.head * channels);
        window_.begin(channels, [from](std::span<const float> readings, std::span<float> row) {
            std::copy_n(readings.begin() + static_cast<int64_t>(from), row.size(), row.begin());
        });
    }
    if (window_.size() == 0 || !held()) window_.follow(session.trace());
    auto [first, end] = std::pair(window_.first(), window_.end());
    if (const auto [from, to] = session.selection().range(); std::max(from, first) < std::min(to, end)) first = std::max(from, first), end = std::min(to, end);
    shown_from_ = first, shown_ = end - first;
    columns_ = static_cast<int>(stepped(end - first));
    const Gate what = gate();
    std::vector<float> values(static_cast<size_t>(channels) * static_cast<size_t>(columns_), HeatMap::kBlank);
    for (int64_t p = first; p < end; ++p) {
        const auto row = window_.row(p);
        for (size_t c = 0; c < row.size(); ++c) values[c * static_cast<size_t>(columns_) + static_cast<size_t>(p - first)] = shown(what, row[c]);
    }
    const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(columns_)) / 8);
    if (relabels(QString("waterfall %1 %2 %3 %4 %5").arg(at_.layer).arg(at_.head).arg(columns_).arg(first).arg((end - 1) / step)))
        map_->set_labels(
            [](int i) { return QString::number(i); },
            [first = first, step, end = end](int i) { return (first + i) % step == 0 && first + i < end ? local(grouped(first + i)) : QString(); },
            one_gate() ? tr("head") : tr("channel"),
            one_gate() ? tr("token, oldest left: layer %1").arg(at_.layer) : tr("token, oldest left: layer %1, head %2").arg(at_.layer).arg(at_.head));
    map_->set_groups({});
    map_->set_values(channels, columns_, std::move(values));
    const bool inside = token_ >= first && token_ < end;
    const int chosen = one_gate() ? at_.head : std::clamp(session.selection().channel(), 0, channels - 1);
    map_->set_chosen(inside ? chosen : -1, inside ? static_cast<int>(token_ - first) : -1);
}

TableData DecayPanel::table() const {
    TableData data;
    data.columns = {
        "token", "layer", "head", "channel", "g (nats a token)", "α (share left a token)", "half-life (tokens)", "half-life over what was fed (tokens)"};
    const int columns = view() == waterfall ? static_cast<int>(shown_) : map_->columns();
    for (int row = 0; row < map_->rows(); ++row)
        for (int column = 0; column < columns; ++column) {
            const Place at = place(row, column);
            const float g = log_decay(at);
            const auto [first, last] = session.selection().range();
            const bool mean = over_range() && at.token == token_;  // of them all, and no token's
            std::vector<QVariant> cells{mean ? QVariant(QString("%1–%2").arg(first).arg(last - 1)) : QVariant(qlonglong{at.token}), at.layer,
                                        at.head < 0 ? QVariant(QByteArray(QT_TR_NOOP("longest"))) : QVariant(at.head), at.channel};
            for (double v : {double(g), std::exp(double(g)), double(half_life(g)), double(fed(at))}) cells.push_back(v);
            data.rows.push_back(std::move(cells));
        }
    return data;
}

}  // namespace

Panel* make_decay_panel(Session& session, const PanelInfo& info) { return new DecayPanel(session, info); }

}  // namespace klp::gui
