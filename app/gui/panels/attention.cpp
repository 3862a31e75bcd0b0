// One token's reads of the past: the softmax weights of an MLA head and the implicit ones of a KDA head over the same tokens, as two strips of bars and as
// text. A picture costs feeding tokens again, so it is asked for only while this lens is seen and the model rests.
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QScrollBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <optional>

#include "app/format.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/token_text.h"
#include "app/gui/panels/weight_bars.h"
#include "app/gui/panels/words.h"
#include "core/text/utf8.h"

namespace klp::gui {

namespace {

QString text_of(int64_t n) { return local(grouped(n)); }
QString number(float w) { return local(fixed(double(w), std::abs(w) < 0.01f ? 4 : 3)).replace('-', "−"); }

class AttentionPanel final : public Panel {
public:
    AttentionPanel(Session& s, const PanelInfo& info) : Panel(s, info) {
        auto* pages = new QVBoxLayout(body());
        pages->setContentsMargins(0, 0, 0, 0);
        picture_ = new QWidget(body());
        pages->addWidget(picture_);
        empty_ = new QLabel(body());
        empty_->setAlignment(Qt::AlignCenter);
        empty_->setWordWrap(true);
        empty_->setForegroundRole(QPalette::PlaceholderText);
        pages->addWidget(empty_);
        auto* column = new QVBoxLayout(picture_);
        column->setContentsMargins(0, 0, 0, 0);
        column->setSpacing(3);
        const auto describe = [this](int64_t p) { return sentence(p); };
        const auto hovered = [this](int64_t p) { session.selection().hover(p); };
        const auto clicked = [this](int64_t p) { session.selection().set_token(p); };
        for (size_t k = 0; k < 2; ++k) {
            Kind& kind = kinds_[k];
            kind.implicit = k == 1;
            const QString name = k ? tr("State (KDA)") : tr("Cache (MLA)");  // until a model says otherwise
            kind.name = new QLabel(k ? tr("State", "before its boxes") : tr("Cache", "before its boxes"), this);
            kind.name->setToolTip(name);
            kind.layer = new QComboBox(this);
            kind.layer->setAccessibleName(tr("%1, layer").arg(name));
            kind.head = new QComboBox(this);
            kind.head->setAccessibleName(tr("%1, head").arg(name));
            controls()->addWidget(kind.name);
            controls()->addWidget(kind.layer);
            controls()->addWidget(kind.head);
            controls()->addSpacing(6);
            for (QComboBox* box : {kind.layer, kind.head})
                connect(box, &QComboBox::activated, this, [this, &kind] { choose(kind, kind.head->currentIndex()); });

            kind.caption = new QLabel(picture_);
            kind.caption->setTextFormat(Qt::PlainText);
            kind.caption->setForegroundRole(QPalette::PlaceholderText);
            kind.caption->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
            kind.bars = new WeightBars(kind.reads, session, picture_);
            kind.bars->setAccessibleName(tr("%1, weight of each token").arg(name));
            kind.bars->hovered = hovered, kind.bars->clicked = clicked, kind.bars->describe = describe;
            kind.jump = new QToolButton(picture_);
            kind.jump->setAutoRaise(true);
            kind.jump->setAccessibleName(tr("%1, the word it reads most").arg(name));
            kind.jump->setToolTip(tr("Bring this word into sight"));
            connect(kind.jump, &QToolButton::clicked, this, [this, &kind] {
                words_->setCurrentIndex(words_->currentIndex() == kHeads ? 0 : words_->currentIndex());
                session.selection().hover(kind.strongest);
                refresh();
                for (Kind& each : kinds_) each.text->bring(kind.strongest);
            });
            auto* line = new QHBoxLayout;
            line->addWidget(kind.caption, 1);
            line->addWidget(kind.jump);
            column->addLayout(line);
            column->addWidget(kind.bars, 2);
        }
        controls()->addStretch(1);
        words_ = new QComboBox(this);
        words_->setAccessibleName(tr("Below the strips"));
        words_->setToolTip(tr("The words, coloured by the weights of one memory or of each; or all heads of both layers"));
        words_->addItems({tr("words by both"), tr("words by cache"), tr("words by state"), tr("all heads")});
        controls()->addWidget(words_);
        add_hands({HandTool::hide, HandTool::no_cache, HandTool::no_reading});
        connect(words_, &QComboBox::activated, this, [this] { drawn_ = false, refresh_soon(); });

        texts_ = new QWidget(picture_);
        auto* texts = new QHBoxLayout(texts_);
        texts->setContentsMargins(0, 0, 0, 0);
        texts->setSpacing(6);
        for (Kind& kind : kinds_) {
            kind.text = new TokenText(session, texts_);
            kind.text->setAccessibleName(kind.implicit ? tr("The words of the context, coloured by the state")
                                                       : tr("The words of the context, coloured by the cache"));
            kind.text->hovered = hovered, kind.text->clicked = clicked, kind.text->describe = describe;
            texts->addWidget(kind.text);
        }
        for (size_t k = 0; k < 2; ++k) {  // both show the same words
            QScrollBar* to = kinds_[1 - k].text->verticalScrollBar();
            connect(kinds_[k].text->verticalScrollBar(), &QScrollBar::valueChanged, to, [this, to](int y) {
                if (words_->currentIndex() == 0) to->setValue(y);
            });
        }
        column->addWidget(texts_, 5);
        heads_ = new HeatMap(picture_);
        heads_->setAccessibleName(tr("All heads by token"));
        heads_->describe = [this](int row, int p, float) {
            const auto [kind, head] = head_at(row);
            const Reads reads{kind->heads[static_cast<size_t>(head)], kind->reads.bound, kind->reads.mixer};
            return tr("%1 · token %2, %3: %4").arg(reads.what(), text_of(p), quoted(p), reads.has(p) ? number(reads.weight(p)) : tr("n/a (not looked at)"));
        };
        connect(heads_, &HeatMap::hovered, this, [hovered](int, int p) { hovered(p); });
        connect(heads_, &HeatMap::clicked, this, [this](int row, int) {
            const auto [kind, head] = head_at(row);
            choose(*kind, head);
        });
        column->addWidget(heads_, 5);
        detail_ = new QLabel(picture_);
        detail_->setTextFormat(Qt::PlainText);
        detail_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
        leave_out(detail_);
        column->addWidget(detail_);
        connect(&session, &Session::card_changed, this, [this] { forget(0), fill(); });
        connect(&session, &Session::prompt_fed, this, [this](const PromptFed& e) { forget(e.first); });
        connect(&session, &Session::attention_pictured, this, &AttentionPanel::take);
        connect(&session, &Session::troubled, this, [this](const Trouble& t) {
            if (pending_ && t.answer < 0) given_up_ = true;
        });
        connect(&session, &Session::phase_changed, this, [this] {
            if (session.phase().phase == Phase::ready) pending_ = false;
        });
        connect(&session, &Session::engine_rested, this, [this] {  // while what it made is shown slowly
            if (session.held_back() > 0) pending_ = false, refresh_soon();
        });
        connect(&session.selection(), &Selection::changed, this, [this] { given_up_ = drawn_ = false; });
        connect(&session.selection(), &Selection::hover_changed, this, [this] {
            if (in_sight()) point();
        });
        fill();
    }

    TableData table() const override {
        TableData data{{"position", "token", "cache weight (share)", "state weight (share of a value)", "state weight, decay only (share of a value)"}, {}};
        const Reads &cache = kinds_[0].reads, &state = kinds_[1].reads;
        const int64_t n = std::max(cache.shown() ? cache.last() : -1, state.shown() ? state.last() : -1) + 1;
        for (int64_t p = 0; p < n; ++p) {
            std::vector<QVariant> row{qlonglong(p), word(p)};
            row.push_back(cache.has(p) ? double(cache.weight(p)) : NAN);
            row.push_back(state.has(p) ? double(state.weight(p)) : NAN);  // NaN: before the window
            row.push_back(state.has(p) ? double(state.decay_only(p)) : NAN);
            data.rows.push_back(std::move(row));
        }
        return data;
    }

protected:
    void refresh() override {
        follow();
        ask();
        const QString why = why_empty();
        const bool any = why.isEmpty();
        empty_->setVisible(!any);
        empty_->setText(why);
        picture_->setVisible(any);
        const int below = words_->currentIndex();
        heads_->setVisible(below == kHeads), texts_->setVisible(below != kHeads);
        for (Kind& kind : kinds_) {
            const bool on = kind.layer->count() > 0;
            kind.caption->setVisible(on), kind.bars->setVisible(on);
            kind.text->setVisible(on && below != (kind.implicit ? 1 : 2));
        }
        words_->setVisible(session.card());
        if (!any) return;
        if (!std::exchange(drawn_, true) || (tokens() != drawn_tokens_ && (!session.busy() || session.engine_rests()))) draw();
        for (Kind& kind : kinds_) kind.jump->setVisible(kind.reads.shown());
        point();
    }

    QString in_words() const override {
        if (!why_empty().isEmpty()) return {};
        const auto read = [&](const Kind& kind) -> std::optional<words::Read> {
            const Reads& reads = kind.reads;
            if (!reads.shown()) return {};
            return words::Read{quoted(kind.strongest), double(reads.weight(kind.strongest)), reads.picture.position - kind.strongest};
        };
        const Reads& any = kinds_[0].reads.shown() ? kinds_[0].reads : kinds_[1].reads;
        if (!any.shown()) return {};
        QString text = words::of(quoted(any.picture.position), read(kinds_[0]), read(kinds_[1]));
        if (!session.looks_back()) return text;
        if (session.phase().phase == Phase::probing)
            text = sentences({text, tr("Feeding the past again: %1 of %2.").arg(text_of(session.phase().done), tokens_text(session.phase().total))});
        else if (session.busy() && !session.engine_rests())
            text = sentences({text, tr("The next picture comes when the model rests.")});
        return text;
    }
    std::vector<KeyItem> key() const override {
        if (!why_empty().isEmpty()) return {};
        const Theme& t = theme();
        std::vector<KeyItem> items;
        if (kinds_[0].reads.shown()) items.push_back({KeyItem::fill, t.hybrid, tr("cache: share of what is read")});
        if (kinds_[1].reads.shown()) {
            const Reads& state = kinds_[1].reads;
            items.push_back({KeyItem::fill, state.colour(state.bound / 2, t), tr("state: adds")});
            items.push_back({KeyItem::fill, state.colour(-state.bound / 2, t), tr("takes away")});
            if (!state.picture.decay_only.empty()) items.push_back({KeyItem::frame, t.muted, tr("had nothing overwritten it")});
            if (state.picture.first > 0) items.push_back({KeyItem::hatched, t.border, tr("not looked at")});
        }
        items.push_back({KeyItem::dashed, t.accent, tr("the token that reads")});
        items.push_back({KeyItem::word, {}, tr("scale: square root")});
        return items;
    }
    Caption caption() const override {
        QStringList heads;
        int64_t at = -1;
        for (const Kind& kind : kinds_)
            if (kind.reads.shown()) {
                heads << tr("%1: layer %2, head %3").arg(kind.implicit ? tr("state") : tr("cache")).arg(kind.reads.picture.layer).arg(kind.reads.picture.head);
                at = kind.reads.picture.position;
            }
        return {tr("what %1 reads").arg(quoted(at)), QStringList{token_name(session, at)} + heads};
    }
    QString why_no_picture() const override {
        const QString why = why_empty();
        return !why.isEmpty() || kinds_[0].reads.shown() || kinds_[1].reads.shown() ? why : tr("The picture is on its way.");
    }

private:
    struct Place {
        int layer = 0, head = 0;
        int64_t position = -1;
        bool operator==(const Place&) const = default;
    };
    struct Kind {
        bool implicit = false;
        QLabel *name = nullptr, *caption = nullptr;
        QComboBox *layer = nullptr, *head = nullptr;
        QToolButton* jump = nullptr;
        int64_t strongest = -1;  // position
        WeightBars* bars = nullptr;
        TokenText* text = nullptr;
        Reads reads;                          // of the chosen head
        std::vector<AttentionPicture> heads;  // of one layer and token; empty pictures where there is none
        std::optional<Place> asked, answered;
    };

    // The token that reads: the chosen one, or the last that the model made.
    int64_t token() const {
        const TraceStore& trace = session.trace();
        if (session.selection().token() != Selection::kNewest) return std::min(session.selection().token(), trace.size() - 1);
        for (int64_t p = trace.size() - 1; p >= std::max<int64_t>(0, trace.size() - 16); --p)
            if (trace.row(p).made) return p;
        return trace.size() - 1;
    }
    int64_t tokens() const { return session.trace().size(); }
    QString word(int64_t p) const {
        if (p < 0 || p >= session.trace().size()) return "?";
        const TokenRow& row = session.trace().row(p);
        std::string bytes = row.text;
        if (bytes.empty() && session.card() && session.card()->tokenizer) bytes = session.card()->tokenizer->bytes(row.id);
        return bytes.empty() ? QString("#%1").arg(row.id) : QString::fromStdString(repair_utf8(bytes)).replace('\n', "↵");
    }
    QString quoted(int64_t p) const {
        const QString text = word(p), bare = text.trimmed();
        return "“" + (bare.isEmpty() ? text : bare) + "”";
    }

    void forget(int64_t first) {
        for (Kind& kind : kinds_) {
            if (kind.reads.shown() && kind.reads.picture.position < first) continue;
            kind.reads.picture = {};
            kind.heads.clear();
            kind.asked.reset(), kind.answered.reset();
        }
        given_up_ = false, drawn_ = false;
    }
    void fill() {
        const RunCard* card = session.card();
        for (Kind& kind : kinds_) {
            kind.layer->clear(), kind.head->clear();
            const auto& layers = session.trace().shape().layers(kind.implicit ? Site::beta : Site::log_sum_exp);
            if (card)
                for (int l : layers) kind.layer->addItem(tr("layer %1").arg(l), l);
            kind.reads.mixer = card && !layers.empty() ? words::mixer_name(card->config, layers[0]) : QString();
            if (!kind.reads.mixer.isEmpty()) {
                const QString name =
                    QString("%1 (%2)").arg(kind.implicit ? tr("State", "before its boxes") : tr("Cache", "before its boxes"), kind.reads.mixer);
                kind.name->setToolTip(name);
                kind.layer->setAccessibleName(tr("%1, layer").arg(name));
                kind.head->setAccessibleName(tr("%1, head").arg(name));
            }
            const int heads = !card ? 0 : kind.implicit ? card->config.kda_heads : card->config.num_attention_heads;
            for (int h = 0; h < heads && !layers.empty(); ++h) kind.head->addItem(tr("head %1").arg(h));
            kind.reads.bound = kind.implicit && card && card->config.kda_key_dim > 0 ? 1 / std::sqrt(static_cast<float>(card->config.kda_key_dim)) : 1;
            for (QWidget* w : {static_cast<QWidget*>(kind.name), static_cast<QWidget*>(kind.layer), static_cast<QWidget*>(kind.head)})
                w->setVisible(kind.layer->count() > 0);
            kind.layer->setEnabled(session.looks_back());
            kind.layer->setToolTip(session.looks_back() || !card ? "" : tr("A recording has the layers that were looked at when it was made"));
        }
    }
    // A recording has the heads that were looked at when it was made.
    void follow() {
        for (Kind& kind : kinds_) {
            const Head at = kind.implicit ? session.selection().state() : session.selection().cache();
            const auto head = static_cast<size_t>(at.head);
            if (!session.looks_back() && (head >= kind.heads.size() || kind.heads[head].weights.empty() || kind.heads[head].layer != at.layer)) continue;
            if (const int layer = kind.layer->findData(at.layer); layer >= 0) kind.layer->setCurrentIndex(layer), kind.head->setCurrentIndex(at.head);
        }
    }
    void choose(const Kind& kind, int head) {
        kind.head->setCurrentIndex(head);
        drawn_ = false;
        session.selection().set_head(kind.layer->currentData().toInt(), head);
        refresh_soon();
    }
    // Every head costs one replay; but a cache's weights are as many as its tokens, and of a very long one only the chosen head is worth its memory.
    Place wanted(const Kind& kind) const {
        const bool all = kind.implicit || token() < 32768;
        return {kind.layer->currentData().toInt(), all ? -1 : kind.head->currentIndex(), token()};
    }

    void ask() {
        if (!session.looks_back() || frozen() || session.frozen() || session.trace().size() == 0) return;
        if (session.phase().phase != Phase::ready && session.phase().phase != Phase::probing && !session.engine_rests()) return;
        for (Kind& kind : kinds_) {
            if (kind.layer->count() == 0) continue;
            const Place place = wanted(kind);
            if (kind.answered == place) continue;
            if (pending_ ? kind.asked == place || !kind.asked || kind.answered == kind.asked : given_up_) continue;
            kind.asked = place;
            pending_ = true;
            session.post(ProbeAttention{place.layer, place.head, place.position});
            return;
        }
    }
    void take(const AttentionPicture& picture) {
        Kind& kind = kinds_[picture.implicit ? 1 : 0];
        if (frozen() || picture.weights.empty()) return;
        if (session.looks_back()) {
            if (!kind.asked || kind.asked->layer != picture.layer || (kind.asked->head >= 0 && kind.asked->head != picture.head)) return;
            kind.answered = kind.asked;
        } else {
            kind.layer->setCurrentIndex(kind.layer->findData(picture.layer));
        }
        if (picture.head < 0 || picture.head >= kind.head->count()) return;
        if (std::any_of(kind.heads.begin(), kind.heads.end(),
                        [&](const auto& h) { return !h.weights.empty() && (h.layer != picture.layer || h.position != picture.position); }))
            kind.heads.clear();
        kind.heads.resize(static_cast<size_t>(kind.head->count()));
        kind.heads[static_cast<size_t>(picture.head)] = picture;
        if (!session.looks_back() && kind.heads[static_cast<size_t>(kind.head->currentIndex())].weights.empty()) kind.head->setCurrentIndex(picture.head);
        drawn_ = false;
        refresh_soon();
    }

    QString why_empty() const {
        if (!session.card()) return tr("Load a model and ask it something: this lens shows which of the past tokens a head reads.");
        if (!kinds_[0].heads.empty() || !kinds_[1].heads.empty()) return {};
        if (!session.looks_back())
            return tr("This recording holds no picture of attention: it takes the model to make one. Leave the replay to look at any head.");
        if (session.trace().size() == 0) return tr("Ask something: this lens shows which of the past tokens a head reads.");
        if (session.phase().phase == Phase::probing)
            return tr("Feeding the past again to look at it: %1 of %2 tokens.").arg(text_of(session.phase().done), text_of(session.phase().total));
        if (given_up_) return tr("Stopped. Choose a token or a head to look at.");
        return session.busy() && !session.engine_rests() ? tr("Shown when the model rests: a look at the past costs feeding it again.") : tr("Looking…");
    }
    // Both memories' pictures are of one token.
    bool together() const {
        std::optional<int64_t> at;
        for (const Kind& kind : kinds_)
            for (const AttentionPicture& picture : kind.heads)
                if (!picture.weights.empty() && std::exchange(at, picture.position).value_or(picture.position) != picture.position) return false;
        return true;
    }
    void draw() {
        drawn_tokens_ = tokens();
        for (Kind& kind : kinds_) {
            Reads& reads = kind.reads;
            const auto head = static_cast<size_t>(kind.head->currentIndex());
            reads.picture = head < kind.heads.size() ? kind.heads[head] : AttentionPicture{};
            if (!together() && reads.picture.position != token()) reads.picture = {};  // of another token: the new one is on its way
            kind.bars->set_tokens(tokens());
            kind.strongest = -1;
            if (!reads.shown()) {
                kind.caption->setText(
                    (session.looks_back() ? QString("%1: …") : tr("%1: not in this recording")).arg(kind.implicit ? tr("State") : tr("Cache")));
                continue;
            }
            int64_t& strongest = kind.strongest = reads.picture.first;
            for (int64_t p = strongest; p <= reads.last(); ++p)
                if (std::abs(reads.weight(p)) > std::abs(reads.weight(strongest))) strongest = p;
            kind.jump->setText(tr("Show %1").arg(quoted(strongest)));
            const bool begins_late = reads.picture.first > 0 && reads.picture.implicit;
            const QString of = kind.implicit ? tr("State") : tr("Cache"), half = tokens_text(reads.half_reach()), most = number(reads.weight(strongest));
            kind.caption->setText(begins_late
                                      ? tr("%1: most from %3 (%4), half of all from the last %2, before token %5: %6 of the output")
                                            .arg(of, half, quoted(strongest), most, text_of(reads.picture.first), local(percent_text(reads.picture.before)))
                                      : tr("%1: most from %3 (%4), half of all from the last %2").arg(of, half, quoted(strongest), most));
            kind.caption->setToolTip(
                kind.implicit
                    ? tr("o = Σ w v + what came before: the delta rule unrolled.<br>Bars: w, what this token still adds. Outlines: what it would add if "
                         "no later token had overwritten anything.<br>"
                         "Negative: it is taken away. Scale: root, to K<sup>−½</sup>, the most there can be. Read from a replay of these tokens.")
                    : tr("Softmax weights over the cache; they sum to 1. Scale: root, to 1. Read from a replay of this token."));
        }
        const TokenText::Parts words = parts();
        for (Kind& kind : kinds_) kind.text->show(kind.reads, words);
        if (words_->currentIndex() == kHeads) draw_heads();
    }
    void draw_heads() {
        const int64_t n = tokens();
        std::vector<float> places;
        int rows = 0;
        for (const Kind& kind : kinds_)
            for (const AttentionPicture& picture : kind.heads) {
                const Reads reads{picture, kind.reads.bound, kind.reads.mixer};
                for (int64_t p = 0; p < n; ++p) places.push_back(reads.has(p) ? static_cast<float>(reads.place(reads.weight(p))) : NAN);
                ++rows;
            }
        heads_->set_values(rows, static_cast<int>(n), std::move(places));
        heads_->set_groups({static_cast<int>(kinds_[0].heads.size())});
        HeatScale scale{.kind = HeatScale::Kind::diverging, .high = 1};
        scale.ticks = {{-1.f, tr("−most")}, {-0.5f, "−¼"}, {0.f, "0"}, {0.5f, "¼"}, {1.f, tr("most")}};
        heads_->set_scale(std::move(scale));
        heads_->set_labels(
            [this](int row) {
                const auto [kind, head] = head_at(row);
                return QString("%1%2 %3").arg(head == kind->head->currentIndex() ? "▸ " : "", kind->implicit ? tr("state") : tr("cache")).arg(head);
            },
            [](int p) { return QString::number(p); }, {}, tr("token"));
    }
    std::pair<const Kind*, int> head_at(int row) const {
        const int caches = static_cast<int>(kinds_[0].heads.size());
        return row < caches ? std::pair(&kinds_[0], row) : std::pair(&kinds_[1], row - caches);
    }
    // A long context is shown where it is read most, where the reading token stands, and at its end.
    TokenText::Parts parts() const {
        constexpr int64_t kWhole = 4096, kAround = 24, kEnd = 256;
        constexpr size_t kPlaces = 8;
        const int64_t n = tokens();
        if (n <= kWhole) return {{0, n}};
        TokenText::Parts parts{{n - kEnd, n}};
        for (const Kind& kind : kinds_) {
            const int64_t reading = kind.reads.picture.position;
            parts.push_back({std::max<int64_t>(0, reading - kEnd), std::min(n, reading + kAround)});
            const auto& w = kind.reads.picture.weights;
            std::vector<size_t> order(w.size());
            for (size_t i = 0; i < order.size(); ++i) order[i] = i;
            const auto some = order.begin() + static_cast<int64_t>(std::min(kPlaces, order.size()));
            std::partial_sort(order.begin(), some, order.end(), [&](size_t a, size_t b) { return std::abs(w[a]) > std::abs(w[b]); });
            for (auto i = order.begin(); i != some; ++i) {
                const int64_t p = kind.reads.picture.first + static_cast<int64_t>(*i);
                parts.push_back({std::max<int64_t>(0, p - kAround), std::min(n, p + kAround)});
            }
        }
        std::sort(parts.begin(), parts.end());
        return parts;
    }
    QString sentence(int64_t p) const {
        if (p < 0) return {};
        QString text = tr("Token %1, %2").arg(text_of(p), quoted(p));
        const Reads &cache = kinds_[0].reads, &state = kinds_[1].reads;
        if (cache.has(p)) text += " · " + tr("cache %1").arg(number(cache.weight(p)));
        if (state.has(p)) {
            text += " · " + tr("state %1").arg(number(state.weight(p)));
            if (const float d = state.decay_only(p); !std::isnan(d)) text += " " + tr("(%1 had nothing overwritten it)").arg(number(d));
        } else if (state.shown()) {
            text += " · " + tr("state: before the window");
        }
        return text;
    }
    void point() {
        const int64_t p = session.selection().hovered();
        detail_->setText(p >= 0 && p < tokens() ? sentence(p) : tr("Point at a token for its weights; click to look from there."));
        for (Kind& kind : kinds_) kind.bars->update();
        for (Kind& kind : kinds_) kind.text->viewport()->update();
    }

    static constexpr int kHeads = 3;  // of words_
    Kind kinds_[2];                   // cache, state
    QWidget *picture_ = nullptr, *texts_ = nullptr;
    HeatMap* heads_ = nullptr;
    QLabel *detail_ = nullptr, *empty_ = nullptr;
    QComboBox* words_ = nullptr;
    int64_t drawn_tokens_ = 0;
    bool pending_ = false, given_up_ = false, drawn_ = false;
};

}  // namespace

Panel* make_attention_panel(Session& session, const PanelInfo& info) { return new AttentionPanel(session, info); }

}  // namespace klp::gui
