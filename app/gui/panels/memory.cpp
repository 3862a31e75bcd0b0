#include <QComboBox>
#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSlider>
#include <QTableView>
#include <QTimer>
#include <QVBoxLayout>
#include <cmath>
#include <limits>

#include "app/format.h"
#include "app/gui/line_chart.h"
#include "app/gui/memory_model.h"
#include "app/gui/panels.h"
#include "app/gui/text.h"
#include "core/race.h"

namespace klp::gui {

namespace {

constexpr int64_t kShortest = 256, kLongest = 1 << 20;  // tokens along the axis
constexpr int kSteps = 20;                              // of the slider, a doubling

// What the picture is of: the loaded model, or a shape that needs none.
struct Subject {
    QString name;
    ModelConfig config;
    int value_bytes = 2;
    int64_t weight_bytes = 0, context = 0;
    bool loaded = false;

    SequenceBytes mine(int64_t tokens) const { return sequence_bytes(config, in_pages(tokens), value_bytes); }
    int64_t twin(int64_t tokens) const { return sequence_bytes(all_mla(config), in_pages(tokens), value_bytes).total(); }
    int64_t multi_head(int64_t tokens) const { return multi_head_bytes(config, in_pages(tokens), value_bytes); }
};

class MemoryPanel final : public Panel {
public:
    MemoryPanel(Session& session, const PanelInfo& info) : Panel(session, info) {
        shape_ = new QComboBox(this);
        shape_->setAccessibleName("Shape whose memory is shown");
        shape_->setToolTip("The loaded model, or a shape: memory follows from the shapes alone, so no weights are needed");
        shape_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        shape_->addItem("loaded model");
        for (auto s = named_shapes().rbegin(); s != named_shapes().rend(); ++s)
            shape_->addItem(text_of(s->name), static_cast<int>(named_shapes().rend() - s) - 1);
        connect(shape_, &QComboBox::activated, this, [this] { chosen_ = true, refresh_soon(); });
        controls()->addWidget(shape_);
        auto* ask = new QLabel("what if it were", this);
        controls()->addWidget(ask);
        slider_ = new QSlider(Qt::Horizontal, this);
        slider_->setRange(0, kSteps * 12);
        slider_->setPageStep(kSteps);
        slider_->setValue(kSteps * 9);
        slider_->setAccessibleName("What if the conversation had so many tokens");
        slider_->setToolTip("From 256 to 1,048,576 tokens; a page step doubles");
        ask->setBuddy(slider_);
        connect(slider_, &QSlider::valueChanged, this, [this] { refresh_soon(); });
        controls()->addWidget(slider_, 1);
        asked_ = new QLabel(this);
        asked_->setMinimumWidth(asked_->fontMetrics().horizontalAdvance("1,048,576 tokens"));
        controls()->addWidget(asked_);

        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        numbers_ = new QLabel(body());
        numbers_->setTextFormat(Qt::RichText);
        numbers_->setWordWrap(true);
        numbers_->setTextInteractionFlags(Qt::TextSelectableByMouse);
        numbers_->setAccessibleName("Bytes now and at the chosen length");
        column->addWidget(numbers_);
        chart_ = new LineChart(body());
        chart_->setAccessibleName("Bytes by length of the conversation, both logarithmic");
        column->addWidget(chart_, 3);
        limit_ = new QLabel(body());
        limit_->setWordWrap(true);
        limit_->setForegroundRole(QPalette::PlaceholderText);
        column->addWidget(limit_);
        layers_ = new QTableView(body());
        layers_->setAccessibleName("Bytes of each layer at the chosen length");
        layers_->setModel(layer_rows_ = new TableDataModel(this));
        layers_->verticalHeader()->hide();
        layers_->verticalHeader()->setDefaultSectionSize(layers_->fontMetrics().height() + 6);
        layers_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
        layers_->setEditTriggers(QAbstractItemView::NoEditTriggers);
        layers_->setSelectionBehavior(QAbstractItemView::SelectRows);
        layers_->setMinimumHeight(80);
        layers_->setToolTip("Bytes at the length of the slider. As MLA, multi-head: what the layer would hold as such, computed.");
        column->addWidget(layers_, 2);
        since_.start(), pause_.start();
        later_.setSingleShot(true);
        connect(&later_, &QTimer::timeout, this, [this] {
            if (!frozen() && !this->session.frozen()) refresh_soon();
        });
    }

    TableData table() const override {
        TableData t{{"tokens", "what", "state (bytes)", "convolution tails (bytes)", "MLA cache (bytes)", "this model (bytes)",
                     "all-MLA twin (bytes, computed)", "multi-head attention (bytes, computed)"},
                    {}};
        const Subject s = subject();
        const auto row = [&](int64_t n, const QString& what) {
            const SequenceBytes b = s.mine(n);
            t.rows.push_back({qlonglong(n), what, qlonglong(b.state), qlonglong(b.conv), qlonglong(b.cache), qlonglong(b.total()), qlonglong(s.twin(n)),
                              qlonglong(s.multi_head(n))});
        };
        for (int64_t n = kShortest; n <= kLongest; n *= 2) row(n, "");
        if (s.loaded) row(this->session.trace().size(), "now");
        row(asked(), "what if");
        if (const int64_t n = crossover(s.config, s.value_bytes); n >= 0) row(n, "crossover");
        return t;
    }

protected:
    void refresh() override {
        follow_card();
        // Bytes grow slowly: while tokens come, a few pictures a second are enough.
        if (session.busy() && !pause_.hasExpired(200)) return later_.start(200);
        pause_.restart();
        const Subject s = subject();
        const Theme& t = theme();
        const int64_t n = asked(), now = s.loaded ? session.trace().size() : -1;
        if (const QString text = text_of(plural(n, "token")); asked_->text() != text) asked_->setText(text);
        if (free_ == 0 || since_.elapsed() > 2000) free_ = available(), since_.restart();

        const int64_t budget = free_ < 0 ? -1 : free_ - s.weight_bytes;
        draw_numbers(s, n, now, budget);
        draw_chart(s, n, now, budget, t);
        say_limit(s, budget);
        draw_layers(s, n);
    }

private:
    // The combo's first row is the loaded model; without one the 48B stands in, until somebody chooses.
    void follow_card() {
        const RunCard* card = session.card();
        const QString text = card ? text_of(card->name + " (loaded)") : "no model is loaded";
        if (shape_->itemText(0) != text) {
            shape_->setItemText(0, text);
            if (!chosen_ || !card) shape_->setCurrentIndex(card ? 0 : 1);
        }
    }
    Subject subject() const {
        const RunCard* card = session.card();
        Subject s;
        if (shape_->currentIndex() == 0 && card) {
            s = {text_of(card->name), card->config, card->cache_value_bytes, card->weight_bytes, card->context, true};
        } else {
            const NamedShape& shape = named_shapes()[static_cast<size_t>(std::max(0, shape_->currentData().isValid() ? shape_->currentData().toInt() : 0))];
            s = {text_of(shape.name), shape.config, 2, 2 * count_parameters(shape.config).total, shape.config.model_max_length, false};
        }
        return s;
    }
    int64_t asked() const { return std::llround(kShortest * std::exp2(double(slider_->value()) / kSteps) / kShortest) * kShortest; }
    bool on_gpu() const { return session.live() && session.card()->device.name.starts_with("cuda") && session.card()->device.memory_bytes > 0; }
    int64_t available() const { return on_gpu() ? session.card()->device.memory_bytes : available_memory(); }
    QString source() const {
        return on_gpu() ? text_of("the memory of " + session.card()->device.name) : QStringLiteral("this machine's available memory (MemAvailable)");
    }

    void draw_numbers(const Subject& s, int64_t n, int64_t now, int64_t budget) {
        const Theme& t = theme();
        const auto bytes = [](int64_t b) { return text_of(bytes_text(b)); };
        const int64_t mine = s.mine(n).total();
        QString html =
            QString(
                "<table cellspacing='0' cellpadding='2' width='100%'><tr style='color:%1'><td></td>%2<td align='right'>at %3</td><td align='right'>of this "
                "model</td>"
                "<td align='right'>fits here up to</td></tr>")
                .arg(t.muted.name(), now >= 0 ? text_of("<td align='right'>now, " + plural(now, "token") + "</td>") : "", text_of(plural(n, "token")));
        const auto row = [&](const QColor& colour, const QString& name, int64_t at_now, int64_t at_n, int64_t fixed, int64_t per_token) {
            const int64_t most = budget < 0 ? -1 : longest(fixed, per_token, budget);
            const QString fits = free_ < 0                  ? "n/a (unknown memory)"
                                 : most < 0                 ? "nothing"
                                 : most > 1'000'000'000'000 ? "any length"
                                                            : text_of(count_text(most) + " tokens");
            html += QString("<tr><td><span style='color:%1'>&#9632;</span> %2</td>").arg(colour.name(), name);
            if (now >= 0) html += QString("<td align='right'>%1</td>").arg(bytes(at_now));
            html += QString("<td align='right'><b>%1</b></td><td align='right'>%2</td><td align='right'>%3</td></tr>")
                        .arg(bytes(at_n), mine > 0 ? text_of(fixed_ratio(double(at_n) / double(mine))) : "n/a", fits);
        };
        const SequenceBytes one = sequence_bytes(s.config, 1, s.value_bytes), now_bytes = now >= 0 ? s.mine(now) : SequenceBytes{};
        const MemoryUse use = session.memory();
        row(t.hybrid, "this model", s.loaded && use.total() > 0 ? use.total() : now_bytes.total(), mine, one.state + one.conv, one.cache);
        row(t.twin, "all-MLA twin, computed", now >= 0 ? s.twin(now) : 0, s.twin(n), 0, sequence_bytes(all_mla(s.config), 1, s.value_bytes).cache);
        row(t.third, "multi-head attention, computed", now >= 0 ? s.multi_head(now) : 0, s.multi_head(n), 0, multi_head_bytes(s.config, 1, s.value_bytes));
        html += "</table>";
        if (html == shown_) return;
        numbers_->setText(shown_ = html);
        const ModelConfig c = all_mla(s.config);
        numbers_->setToolTip(QString("<p>This model: state %1 and convolution tails %2, constant; MLA cache %3 a token, in pages of 256 tokens.</p>"
                                     "<p>All-MLA twin: every layer keeps r<sub>kv</sub> + d<sub>rope</sub> = %4 + %5 values a token.</p>"
                                     "<p>Multi-head attention: layers &times; heads &times; (d<sub>nope</sub> + d<sub>rope</sub> + d<sub>v</sub>) values a "
                                     "token = %6 &times; %7 &times; "
                                     "(%8 + %9 + %10) = %11, at %12 bytes each.</p>")
                                 .arg(bytes(one.state), bytes(one.conv), bytes(one.cache))
                                 .arg(c.kv_lora_rank)
                                 .arg(c.qk_rope_head_dim)
                                 .arg(c.num_hidden_layers)
                                 .arg(c.num_attention_heads)
                                 .arg(c.qk_nope_head_dim)
                                 .arg(c.qk_rope_head_dim)
                                 .arg(c.v_head_dim)
                                 .arg(text_of(grouped(multi_head_bytes(s.config, 1, 1))))
                                 .arg(s.value_bytes));
    }
    static std::string fixed_ratio(double r) { return r >= 9.95 ? short_number(std::round(r)) + "x" : fixed(r, 2) + "x"; }

    void draw_chart(const Subject& s, int64_t n, int64_t now, int64_t budget, const Theme& t) {
        const SequenceBytes one = sequence_bytes(s.config, 1, s.value_bytes);
        const auto fixed = double(one.state + one.conv), a_token = double(one.cache),
                   twin_token = double(sequence_bytes(all_mla(s.config), 1, s.value_bytes).cache),
                   plain_token = double(multi_head_bytes(s.config, 1, s.value_bytes));
        const double low = std::exp2(std::floor(std::log2(std::max(1.0, std::min(fixed + a_token * kShortest, twin_token * kShortest)) / 1.5)));
        double high = std::exp2(std::ceil(std::log2(std::max(plain_token * kLongest, fixed + a_token * kLongest))));
        if (budget > 0 && double(budget) < high * 8) high = std::max(high, std::exp2(std::ceil(std::log2(double(budget) * 1.2))));
        chart_->set_axes({"tokens of conversation", true, double(kShortest), double(kLongest), LineChart::Unit::tokens},
                         {"bytes", true, low, high, LineChart::Unit::bytes});
        const auto line = [](double start, double slope) {
            QList<QPointF> points;
            for (double tokens = kShortest; tokens <= kLongest * 1.001; tokens *= std::exp2(0.125)) points << QPointF(tokens, start + slope * tokens);
            return points;
        };
        const QString lines = QString("%1 %2 %3 %4 %5 %6").arg(fixed).arg(a_token).arg(twin_token).arg(plain_token).arg(low).arg(t.dark);
        if (lines != lines_) {
            lines_ = lines;
            chart_->set_series(0, "this model", t.hybrid, line(fixed, a_token));
            chart_->set_series(1, "all-MLA twin, computed", t.twin, line(0, twin_token), true);
            chart_->set_series(2, "multi-head attention, computed", t.third, line(0, plain_token), true);
        }
        std::vector<LineChart::Mark> marks;
        if (budget > 0) marks.push_back({double(budget), text_of("limit of this machine " + bytes_text(budget)), t.bad, true});
        if (now >= 0) marks.push_back({double(std::clamp(now, kShortest, kLongest)), text_of("now " + grouped(now)), t.text});
        if (const int64_t c = crossover(s.config, s.value_bytes); c >= 0)
            marks.push_back({double(std::clamp(c, kShortest, kLongest)), text_of("smaller than the twin from " + grouped(c)), t.good});
        if (s.context > 0 && s.context < kLongest) marks.push_back({double(s.context), text_of("the model's limit " + grouped(s.context)), t.muted});
        marks.push_back({double(n), "what if", t.accent});
        chart_->set_marks(std::move(marks));
    }

    void say_limit(const Subject& s, int64_t budget) {
        QString text;
        const int64_t c = crossover(s.config, s.value_bytes);
        if (c >= 0)
            text = text_of("Below " + grouped(c) + " tokens the twin is the smaller one: a state is paid for at once, a cache token by token. ");
        else
            text = sequence_bytes(s.config, 1, s.value_bytes).state == 0 ? "All layers are MLA, so model and twin are the same. " : "";
        if (free_ < 0)
            text += "This system does not say how much memory is free, so no limit is drawn.";
        else if (budget <= 0)
            text += text_of("The weights alone (" + bytes_text(s.weight_bytes) + ") do not fit into the " + bytes_text(free_) + " of ") + source() + ".";
        else
            text += text_of("Limit: " + bytes_text(free_) + " of ") + source() + text_of(" minus " + bytes_text(s.weight_bytes) + " of weights.");
        if (limit_->text() != text) limit_->setText(text);
    }

    void draw_layers(const Subject& s, int64_t n) {
        const QString key = QString("%1 %2 %3").arg(s.name).arg(n).arg(s.loaded);
        if (key == layers_of_) return;
        layers_of_ = key;
        TableData rows{{"layer", "mixer", "state", "tails", "cache", "as MLA", "multi-head"}, {}};
        for (int l = 0; l < s.config.num_hidden_layers; ++l) {
            ModelConfig one = s.config;
            one.num_hidden_layers = 1, one.layer_kinds = {s.config.layer_kinds[static_cast<size_t>(l)]};
            const SequenceBytes b = sequence_bytes(one, in_pages(n), s.value_bytes);
            const auto text = [](int64_t bytes) { return bytes > 0 ? text_of(bytes_text(bytes)) : QStringLiteral("none"); };
            rows.rows.push_back({l, text_of(one.layer_kinds[0]).toUpper(), text(b.state), text(b.conv), text(b.cache),
                                 text(sequence_bytes(all_mla(one), in_pages(n), s.value_bytes).total()),
                                 text(multi_head_bytes(one, in_pages(n), s.value_bytes))});
        }
        layer_rows_->set(std::move(rows));
        layers_->setMaximumHeight(layers_->horizontalHeader()->sizeHint().height() +
                                  s.config.num_hidden_layers * layers_->verticalHeader()->defaultSectionSize() + 4);
    }

    QComboBox* shape_ = nullptr;
    QSlider* slider_ = nullptr;
    QLabel *asked_ = nullptr, *numbers_ = nullptr, *limit_ = nullptr;
    LineChart* chart_ = nullptr;
    QTableView* layers_ = nullptr;
    TableDataModel* layer_rows_ = nullptr;
    QElapsedTimer since_, pause_;
    QTimer later_;
    int64_t free_ = 0;  // bytes; -1 unknown
    bool chosen_ = false;
    QString shown_, layers_of_, lines_;
};

}  // namespace

Panel* make_memory_panel(Session& session, const PanelInfo& info) { return new MemoryPanel(session, info); }

}  // namespace klp::gui
