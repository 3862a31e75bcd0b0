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
#include "app/gui/draw/language.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/words.h"
#include "app/gui/session/memory_model.h"
#include "core/studies/race.h"

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

    MemoryModel bytes = memory_model(config, value_bytes);
};

class MemoryPanel final : public Panel {
public:
    MemoryPanel(Session& session, const PanelInfo& info) : Panel(session, info) {
        shape_ = new QComboBox(this);
        shape_->setAccessibleName(tr("Shape whose memory is shown"));
        shape_->setToolTip(tr("The loaded model, or a shape: memory follows from the shapes alone, so no weights are needed"));
        shape_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        shape_->addItem(tr("loaded model"));
        for (auto s = named_shapes().rbegin(); s != named_shapes().rend(); ++s)
            shape_->addItem(text_of(s->name), static_cast<int>(named_shapes().rend() - s) - 1);
        connect(shape_, &QComboBox::activated, this, [this] { chosen_ = true, refresh_soon(); });
        controls()->addWidget(shape_);
        auto* ask = new QLabel(tr("what if it were"), this);
        controls()->addWidget(ask);
        slider_ = new QSlider(Qt::Horizontal, this);
        slider_->setRange(0, kSteps * 12);
        slider_->setPageStep(kSteps);
        slider_->setValue(kSteps * 9);
        slider_->setAccessibleName(tr("What if the conversation had so many tokens"));
        slider_->setToolTip(tr("From 256 to 1,048,576 tokens; a page step doubles"));
        ask->setBuddy(slider_);
        connect(slider_, &QSlider::valueChanged, this, [this] { refresh_soon(); });
        controls()->addWidget(slider_, 1);
        asked_ = new QLabel(this);
        asked_->setMinimumWidth(asked_->fontMetrics().horizontalAdvance(tokens_text(kLongest)));
        controls()->addWidget(asked_);

        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        numbers_ = figures(body(), tr("Bytes now and at the chosen length"));
        column->addWidget(numbers_);
        chart_ = new LineChart(body());
        chart_->setAccessibleName(tr("Bytes by length of the conversation, both logarithmic"));
        column->addWidget(chart_, 3);
        limit_ = remark(body());
        column->addWidget(limit_);
        layers_ = new QTableView(body());
        layers_->setAccessibleName(tr("Bytes of each layer at the chosen length"));
        layers_->setModel(layer_rows_ = new TableDataModel(this));
        layers_->verticalHeader()->hide();
        layers_->verticalHeader()->setDefaultSectionSize(layers_->fontMetrics().height() + 6);
        layers_->setEditTriggers(QAbstractItemView::NoEditTriggers);
        layers_->setSelectionBehavior(QAbstractItemView::SelectRows);
        layers_->setMinimumHeight(80);
        layers_->setToolTip(tr("Bytes at the length of the slider. As MLA or attention, multi-head: what the layer would hold as such, computed."));
        column->addWidget(layers_, 2);
        since_.start(), pause_.start();
        later_.setSingleShot(true);
        connect(&later_, &QTimer::timeout, this, [this] {
            if (!frozen() && !this->session.frozen()) refresh_soon();
        });
    }

    TableData table() const override {
        TableData t{{"tokens", "what", "state (bytes)", "convolution tails (bytes)", "cache (bytes)", "this model (bytes)",
                     "same-shapes twin (bytes, computed)", "multi-head attention (bytes, computed)"},
                    {}};
        const Subject s = subject();
        const auto row = [&](int64_t n, const QByteArray& what) {
            const SequenceBytes b = sequence_bytes(s.config, in_pages(n), s.value_bytes);
            t.rows.push_back({qlonglong(n), what, qlonglong(b.state), qlonglong(b.conv), qlonglong(b.cache), qlonglong(b.total()),
                              qlonglong(s.bytes.twin.at(in_pages(n))), qlonglong(s.bytes.multi_head.at(in_pages(n)))});
        };
        for (int64_t n = kShortest; n <= kLongest; n *= 2) row(n, "");
        if (s.loaded)
            row(this->session.trace().size() - this->session.rolled(), this->session.rolled() > 0 ? QT_TR_NOOP("now, rows of the cache") : QT_TR_NOOP("now"));
        row(asked(), QT_TR_NOOP("what if"));
        if (const int64_t n = crossover(s.bytes.mine, s.bytes.twin); n >= 0) row(n, QT_TR_NOOP("crossover"));
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
        if (const QString text = tokens_text(n); asked_->text() != text) asked_->setText(text);
        if (free_ == 0 || since_.elapsed() > 2000) free_ = available(), since_.restart();

        const int64_t budget = free_ < 0 ? -1 : free_ - s.weight_bytes;
        draw_numbers(s, n, now, budget);
        draw_chart(s, n, now, budget, t);
        say_limit(s, budget);
        draw_layers(s, n);
    }

    QString in_words() const override {
        const Subject s = subject();
        const Baseline compared = session.baseline();
        const int64_t now = s.loaded ? session.trace().size() : 0, n = now > 0 ? now : asked(), rows = n - (now > 0 ? session.rolled() : 0);
        words::Memory w{.name = now > 0 ? tr("This conversation") : tr("A conversation with %1").arg(s.name),
                        .tokens = n,
                        .mine = s.bytes.mine.at(in_pages(rows)),
                        .twin = {},
                        .multi_head = {}};
        if (now > 0 && session.memory().total() > 0) w.mine = session.memory().total();
        if (compared.twin) w.twin = s.bytes.twin.at(in_pages(n)), w.crossover = crossover(s.bytes.mine, s.bytes.twin);
        if (compared.multi_head) w.multi_head = s.bytes.multi_head.at(in_pages(n));
        if (!compared.twin && compared.multi_head) w.crossover = crossover(s.bytes.mine, s.bytes.multi_head);
        return words::of(w);
    }
    Caption caption() const override {
        const Subject s = subject();
        return {tr("bytes by length of the conversation"),
                {s.loaded ? tr("now %1").arg(tokens_text(session.trace().size())) : tr("computed from its shape"), tr("what if %1").arg(tokens_text(asked()))},
                s.name};
    }

private:
    // The combo's first row is the loaded model; without one the 48B stands in, until somebody chooses.
    void follow_card() {
        const RunCard* card = session.card();
        const QString text = card ? tr("%1 (loaded)").arg(text_of(card->name)) : tr("no model is loaded");
        if (shape_->itemText(0) != text) {
            shape_->setItemText(0, text);
            if (!chosen_ || !card) shape_->setCurrentIndex(card ? 0 : shape_->findText("kimi-linear-48b"));
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
    int64_t available() const { return on_gpu() ? session.card()->device.memory_bytes : system_memory().available; }
    QString source() const {
        return on_gpu() ? tr("the memory of %1").arg(text_of(session.card()->device.name)) : tr("this machine's available memory (MemAvailable)");
    }

    void draw_numbers(const Subject& s, int64_t n, int64_t now, int64_t budget) {
        const Theme& t = theme();
        const auto bytes = [](int64_t b) { return local(bytes_text(b)); };
        const int64_t mine = s.bytes.mine.at(in_pages(n));
        const Baseline compared = session.baseline();
        const bool compares = compared.twin || compared.multi_head;
        const auto cell = [](const QString& text, bool bold = false) {
            return QString(bold ? "<td align='right' style='padding-left:10px'><b>%1</b></td>" : "<td align='right' style='padding-left:10px'>%1</td>")
                .arg(text);
        };
        QString html = QString("<table cellspacing='0' cellpadding='2' width='100%'><tr style='color:%1'><td></td>").arg(t.muted.name());
        if (now >= 0) html += cell(tr("now, %1").arg(tokens_text(now)));
        html += cell(tr("at %1", "so many tokens").arg(tokens_text(n))) + (compares ? cell(tr("of this model")) : "") + cell(tr("fits here up to")) + "</tr>";
        const auto row = [&](const QColor& colour, const QString& name, const Growth& growth, int64_t held) {
            const int64_t most = budget < 0 ? -1 : longest(growth, budget), at_n = growth.at(in_pages(n));
            const QString fits = free_ < 0                  ? tr("n/a (unknown memory)")
                                 : most < 0                 ? tr("nothing")
                                 : most > 1'000'000'000'000 ? tr("any length")
                                                            : tr("%1 tokens").arg(local(count_text(most)));
            html += QString("<tr><td><span style='color:%1'>&#9632;</span> %2</td>").arg(colour.name(), name);
            if (now >= 0) html += cell(bytes(held));
            html += cell(bytes(at_n), true);
            if (compares) html += cell(mine > 0 ? local(fixed_ratio(double(at_n) / double(mine))) : tr("n/a"));
            html += cell(fits) + "</tr>";
        };
        const MemoryUse use = session.memory();
        const int64_t held = in_pages(std::max<int64_t>(0, now)), rolled = s.loaded ? session.rolled() : 0;
        row(t.hybrid, tr("this model"), s.bytes.mine,
            s.loaded && use.total() > 0 ? use.total() : s.bytes.mine.at(in_pages(std::max<int64_t>(0, now - rolled))));
        if (compared.twin) row(t.twin, words::twin_name(TwinKind::computed), s.bytes.twin, s.bytes.twin.at(held));
        if (compared.multi_head) row(t.third, tr("multi-head attention, computed"), s.bytes.multi_head, s.bytes.multi_head.at(held));
        html += "</table>";
        if (html == shown_) return;
        numbers_->setText(shown_ = html);
        const ModelConfig c = all_attention(s.config);
        const SequenceBytes one = sequence_bytes(s.config, 1, s.value_bytes);
        if (c.head_dim) {
            numbers_->setToolTip(tr("<p>This model: state %1 and convolution tails %2, constant; cache %3 a token, in pages of 256 tokens.</p>"
                                    "<p>Same-shapes twin: every layer keeps keys and values of %4 heads, %5 values a token.</p>"
                                    "<p>Multi-head attention: layers &times; heads &times; 2 &times; width of a head, values a token = %6 &times; %7 &times; 2 "
                                    "&times; %8 = %9, at %10 bytes each.</p>")
                                     .arg(bytes(one.state), bytes(one.conv), bytes(one.cache))
                                     .arg(c.num_key_value_heads)
                                     .arg(c.cache_width())
                                     .arg(c.num_hidden_layers)
                                     .arg(c.num_attention_heads)
                                     .arg(c.head_dim)
                                     .arg(local(grouped(s.bytes.multi_head.token / s.value_bytes)))
                                     .arg(s.value_bytes));
            return;
        }
        numbers_->setToolTip(tr("<p>This model: state %1 and convolution tails %2, constant; MLA cache %3 a token, in pages of 256 tokens.</p>"
                                "<p>Same-shapes twin: every layer keeps r<sub>kv</sub> + d<sub>rope</sub> = %4 + %5 values a token.</p>"
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
                                 .arg(local(grouped(s.bytes.multi_head.token / s.value_bytes)))
                                 .arg(s.value_bytes));
    }
    static std::string fixed_ratio(double r) { return r >= 9.95 ? short_number(std::round(r)) + "×" : fixed(r, 2) + "×"; }

    void draw_chart(const Subject& s, int64_t n, int64_t now, int64_t budget, const Theme& t) {
        const Growth &mine = s.bytes.mine, &twin = s.bytes.twin, &multi_head = s.bytes.multi_head;
        const double low = std::exp2(std::floor(std::log2(std::max(1.0, double(std::min(mine.at(kShortest), twin.at(kShortest))) / 1.5))));
        double high = std::exp2(std::ceil(std::log2(double(std::max(multi_head.at(kLongest), mine.at(kLongest))))));
        if (budget > 0 && double(budget) < high * 8) high = std::max(high, std::exp2(std::ceil(std::log2(double(budget) * 1.2))));
        chart_->set_axes({tr("tokens of conversation"), true, double(kShortest), double(kLongest), LineChart::Unit::tokens},
                         {tr("bytes"), true, low, high, LineChart::Unit::bytes});
        const auto line = [](const Growth& growth) {
            QList<QPointF> points;
            for (double tokens = kShortest; tokens <= kLongest * 1.001; tokens *= std::exp2(0.125))
                points << QPointF(tokens, double(growth.fixed) + double(growth.token) * tokens);
            return points;
        };
        const Baseline compared = session.baseline();
        const QString lines = QString("%1 %2 %3 %4 %5 %6 %7%8")
                                  .arg(mine.fixed)
                                  .arg(mine.token)
                                  .arg(twin.token)
                                  .arg(multi_head.token)
                                  .arg(low)
                                  .arg(t.dark)
                                  .arg(compared.twin)
                                  .arg(compared.multi_head);
        if (lines != lines_) {
            lines_ = lines;
            int i = 0;
            chart_->set_series(i++, tr("this model"), t.hybrid, line(mine));
            if (compared.twin) chart_->set_series(i++, words::twin_name(TwinKind::computed), t.twin, line(twin), true);
            if (compared.multi_head) chart_->set_series(i++, tr("multi-head attention, computed"), t.third, line(multi_head), true);
            chart_->drop_series(i);
        }
        std::vector<LineChart::Mark> marks;
        if (budget > 0) marks.push_back({double(budget), tr("limit of this machine %1").arg(local(bytes_text(budget))), t.bad, true});
        const int64_t rows = now - (s.loaded ? session.rolled() : 0);
        if (now >= 0)
            marks.push_back(
                {double(std::clamp(rows, kShortest, kLongest)), (rows < now ? tr("now in the cache %1") : tr("now %1")).arg(local(grouped(rows))), t.text});
        const int64_t crosses = compared.twin ? crossover(mine, twin) : compared.multi_head ? crossover(mine, multi_head) : -1;
        if (crosses >= kShortest)
            marks.push_back({double(std::min(crosses, kLongest)),
                             (compared.twin ? tr("smaller than the same-shapes twin from %1") : tr("smaller from %1")).arg(local(grouped(crosses))), t.good});
        if (s.context > 0 && s.context < kLongest) marks.push_back({double(s.context), tr("the model's limit %1").arg(local(grouped(s.context))), t.muted});
        marks.push_back({double(n), tr("what if"), t.accent});
        chart_->set_marks(std::move(marks));
    }

    void say_limit(const Subject& s, int64_t budget) {
        QStringList said;
        if (const int64_t rolled = s.loaded ? session.rolled() : 0; rolled > 0)
            said << tr("The cache rolls: of %1 it holds the newest %2, and %3 were dropped; the states have seen all.")
                        .arg(tokens_text(session.trace().size()), local(grouped(session.trace().size() - rolled)), local(grouped(rolled)));
        const Baseline compared = session.baseline();
        const int64_t c = compared.twin ? crossover(s.bytes.mine, s.bytes.twin) : compared.multi_head ? crossover(s.bytes.mine, s.bytes.multi_head) : -1;
        if (c >= 0)
            said << (compared.twin ? tr("Below %1 the same-shapes twin is the smaller one: a state is paid for at once, a cache token by token.")
                                   : tr("Below %1 multi-head attention is the smaller one: a state is paid for at once, a cache token by token."))
                        .arg(tokens_text(c));
        else if (compared.twin && s.bytes.mine.fixed == 0)
            said << tr("All layers are attention, so this model is its own same-shapes twin.");
        if (free_ < 0)
            said << tr("This system does not say how much memory is free, so no limit is drawn.");
        else if (budget <= 0)
            said << tr("The weights alone (%1) do not fit into the %2 of %3.").arg(local(bytes_text(s.weight_bytes)), local(bytes_text(free_)), source());
        else
            said << tr("Limit: %1 of %2 minus %3 of weights.").arg(local(bytes_text(free_)), source(), local(bytes_text(s.weight_bytes)));
        const QString text = sentences(said);
        if (limit_->text() != text) limit_->setText(text);
    }

    void draw_layers(const Subject& s, int64_t n) {
        const Baseline compared = session.baseline();
        const QString key = QString("%1 %2 %3 %4%5").arg(s.name).arg(n).arg(s.loaded).arg(compared.twin).arg(compared.multi_head);
        if (key == layers_of_) return;
        layers_of_ = key;
        TableData rows{{"layer", "mixer", "state", "tails", "cache"}, {}};
        if (compared.twin && s.config.head_dim) rows.columns << "as attention";
        if (compared.twin && !s.config.head_dim) rows.columns << "as MLA";
        if (compared.multi_head) rows.columns << "multi-head";
        for (int l = 0; l < s.config.num_hidden_layers; ++l) {
            ModelConfig one = s.config;
            one.num_hidden_layers = 1, one.layer_kinds = {s.config.layer_kinds[static_cast<size_t>(l)]};
            const SequenceBytes b = sequence_bytes(one, in_pages(n), s.value_bytes);
            const MemoryModel model = memory_model(one, s.value_bytes);
            const auto text = [](int64_t bytes) { return bytes > 0 ? local(bytes_text(bytes)) : tr("none"); };
            std::vector<QVariant> row{l, words::mixer_name(one, 0), text(b.state), text(b.conv), text(b.cache)};
            if (compared.twin) row.push_back(text(model.twin.at(in_pages(n))));
            if (compared.multi_head) row.push_back(text(model.multi_head.at(in_pages(n))));
            rows.rows.push_back(std::move(row));
        }
        layer_rows_->set(std::move(rows));
        fit_columns(*layers_);
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
