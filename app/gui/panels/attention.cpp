// One token's reads of the past: the softmax weights of an MLA head and the implicit ones of a KDA head over the same tokens, as two strips of bars and as
// text. A picture costs feeding tokens again, so it is asked for only while this lens is seen and the model rests.
#include <QAbstractScrollArea>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHelpEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <optional>

#include "app/format.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/panels/panels.h"
#include "core/text/utf8.h"

namespace klp::gui {

namespace {

QString text_of(int64_t n) { return QString::fromStdString(grouped(n)); }
QString number(float w) { return QString::number(double(w), 'f', std::abs(w) < 0.01f ? 4 : 3).replace('-', "−"); }

// What one kind of memory reads, and how it is drawn. Places go from -1 to 1 and grow with the root of the weight, so that small ones are seen; their scale is
// fixed: a softmax weight is 1 at most, and an implicit one K^-1/2, because q has that length and nothing on the way makes it longer.
struct Reads {
    AttentionPicture picture;
    float bound = 1;
    bool shown() const { return !picture.weights.empty(); }
    int64_t last() const { return picture.first + static_cast<int64_t>(picture.weights.size()) - 1; }
    bool has(int64_t p) const { return shown() && p >= picture.first && p <= last(); }
    float weight(int64_t p) const { return picture.weights[static_cast<size_t>(p - picture.first)]; }
    float decay_only(int64_t p) const { return picture.decay_only.empty() ? NAN : picture.decay_only[static_cast<size_t>(p - picture.first)]; }
    double place(float w) const { return std::copysign(std::sqrt(std::min(1.0, std::abs(double(w)) / bound)), w); }
    QColor colour(float w, const Theme& t) const {
        const double x = place(w);
        if (picture.implicit) return QColor(diverging_map(t.dark)[static_cast<size_t>(std::lround(127.5 + 127.5 * x))]);
        const auto mix = [x](int a, int b) { return static_cast<int>(std::lround(a + x * (b - a))); };
        return {mix(t.panel.red(), t.hybrid.red()), mix(t.panel.green(), t.hybrid.green()), mix(t.panel.blue(), t.hybrid.blue())};
    }
    // Tokens back from the reading one that carry half of all weight.
    int64_t half_reach() const {
        double all = 0, sum = 0;
        for (float w : picture.weights) all += std::abs(w);
        for (int64_t p = last(); p >= picture.first; --p)
            if ((sum += std::abs(weight(p))) >= all / 2) return last() - p + 1;
        return 0;
    }
    QString what() const { return QString("%1, layer %2, head %3").arg(picture.implicit ? "State (KDA)" : "Cache (MLA)").arg(picture.layer).arg(picture.head); }
};

// Bars over the positions of the context. A bar narrower than a pixel shows the strongest of the tokens below it.
class WeightBars final : public QWidget {
public:
    WeightBars(const Reads& reads, const Session& session, QWidget* parent) : QWidget(parent), reads_(reads), session_(session) {
        setMouseTracking(true);
        setMinimumHeight(52);
        setMaximumHeight(110);
        setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    }
    std::function<void(int64_t)> hovered, clicked;  // a position, or -1
    std::function<QString(int64_t)> describe;
    void set_tokens(int64_t n) { tokens_ = n, update(); }
    QSize sizeHint() const override { return {400, 84}; }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter p(this);
        const Theme& t = theme_of(palette());
        const QFontMetrics m(font());
        const QRect g = grid();
        p.setPen(t.border);
        p.setBrush(t.panel);
        p.drawRect(g.adjusted(-1, -1, 0, 0));
        const bool both = reads_.picture.implicit;
        const double zero = both ? g.center().y() : g.bottom(), unit = both ? g.height() / 2.0 - 1 : g.height() - 1;
        p.setPen(t.muted);
        const auto tick = [&](double place, const QString& text) {
            const double y = std::clamp(zero - place * unit, double(g.top() + m.ascent() / 2), double(g.bottom() - m.ascent() / 2 + 1));
            p.drawText(QRectF(g.right() + 5, y - m.height() / 2.0, kRight - 6, m.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
        };
        const QString most = QString::number(double(reads_.bound), 'g', 3);
        tick(1, (both ? "+" : "") + most);
        tick(0, "0");
        if (both)
            tick(-1, "−" + most);
        else
            tick(0.5, "0.25");
        if (!reads_.shown() || tokens_ == 0) return;

        if (reads_.picture.first > 0) {  // not looked at
            p.setPen(Qt::NoPen);
            p.setBrush(QBrush(t.border, Qt::BDiagPattern));
            p.drawRect(QRectF(g.left(), g.top(), x_of(reads_.picture.first) - g.left(), g.height()));
        }
        p.setPen(t.grid);
        p.drawLine(QPointF(g.left(), zero), QPointF(g.right(), zero));
        const double wide = double(g.width()) / static_cast<double>(tokens_);
        const auto bar = [&](double x, double w, float value, bool outline) {
            const double y = zero - reads_.place(value) * unit;
            const QRectF r(x, std::min(y, zero), w, std::abs(y - zero));
            if (outline) {
                p.setBrush(Qt::NoBrush);
                p.setPen(QPen(t.muted, 1));
                p.drawRect(w > 3 ? r.adjusted(0.5, 0, -0.5, 0) : r);
            } else {
                p.fillRect(r, both ? reads_.colour(std::copysign(reads_.bound * 0.5f, value), t) : t.hybrid);
            }
        };
        const auto stronger = [](float a, float b) { return std::isnan(a) || std::abs(b) > std::abs(a) ? b : a; };
        for (const bool outline : {false, true}) {
            if (outline && reads_.picture.decay_only.empty()) break;
            const auto value = [&](int64_t at) { return outline ? reads_.decay_only(at) : reads_.weight(at); };
            if (wide >= 1) {
                for (int64_t at = reads_.picture.first; at <= reads_.last(); ++at)
                    bar(x_of(at) + (wide > 4 ? 1 : 0), std::max(1.0, wide - (wide > 4 ? 2 : 0)), value(at), outline);
            } else {
                for (int x = g.left(); x <= g.right(); ++x) {
                    const int64_t a = std::max(reads_.picture.first, position_at(x)), b = std::max(a + 1, position_at(x + 1));
                    float best = NAN;
                    for (int64_t at = a; at < std::min(b, reads_.last() + 1); ++at) best = stronger(best, value(at));
                    if (std::isnan(best)) continue;
                    const double y = zero - reads_.place(best) * unit;
                    if (outline)
                        p.fillRect(QRectF(x, y, 1, 1), t.muted);
                    else
                        bar(x, 1, best, false);
                }
            }
        }
        const auto mark = [&](int64_t at, const QColor& colour, Qt::PenStyle style) {
            if (at < 0 || at >= tokens_) return;
            p.setPen(QPen(colour, 1, style));
            const double x = x_of(at) + wide / 2;
            p.drawLine(QPointF(x, g.top()), QPointF(x, g.bottom()));
        };
        mark(reads_.picture.position, t.accent, Qt::DashLine);
        mark(session_.trace().size() > 0 ? const_cast<Session&>(session_).selection().hovered() : -1, t.text, Qt::SolidLine);
    }
    void mouseMoveEvent(QMouseEvent* event) override { hovered(at(event->position())); }
    void leaveEvent(QEvent*) override { hovered(-1); }
    void mousePressEvent(QMouseEvent* event) override {
        if (const int64_t p = at(event->position()); p >= 0 && event->button() == Qt::LeftButton) clicked(p);
    }
    bool event(QEvent* event) override {
        if (event->type() != QEvent::ToolTip) return QWidget::event(event);
        auto* help = static_cast<QHelpEvent*>(event);
        const int64_t p = at(help->pos());
        p >= 0 ? QToolTip::showText(help->globalPos(), describe(p), this) : QToolTip::hideText();
        return true;
    }

private:
    static constexpr int kRight = 46;  // pixels, for the scale
    QRect grid() const { return QRect(1, 1, std::max(10, width() - kRight - 2), std::max(10, height() - 3)); }
    double x_of(int64_t position) const { return grid().left() + double(grid().width()) * static_cast<double>(position) / static_cast<double>(tokens_); }
    int64_t position_at(int x) const { return static_cast<int64_t>(double(x - grid().left()) * static_cast<double>(tokens_) / grid().width()); }
    int64_t at(QPointF p) const {
        if (tokens_ == 0 || p.x() < grid().left() || p.x() > grid().right()) return -1;
        return std::min(tokens_ - 1, position_at(static_cast<int>(p.x())));
    }
    const Reads& reads_;
    const Session& session_;
    int64_t tokens_ = 0;
};

// The words of the context, each on the colour of its weight. Of a long one the places that are read most, and the end.
class TokenText final : public QAbstractScrollArea {
public:
    TokenText(Session& session, QWidget* parent) : QAbstractScrollArea(parent), session_(session) {
        setFocusPolicy(Qt::StrongFocus);
        setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
        setFrameShape(QFrame::NoFrame);
        viewport()->setMouseTracking(true);
        viewport()->setAutoFillBackground(false);
    }
    std::function<void(int64_t)> hovered, clicked;
    std::function<QString(int64_t)> describe;
    using Parts = std::vector<std::pair<int64_t, int64_t>>;  // positions [first, end), ascending; they may overlap
    void show(const Reads& reads, const Parts& parts) {
        const bool other = reads.picture.position != position_;
        reads_ = &reads;
        position_ = reads.shown() ? reads.picture.position : -1;
        choose(parts);
        place();
        if (other) bring(position_);
        viewport()->update();
    }
    QSize sizeHint() const override { return {400, 240}; }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter p(viewport());
        const Theme& t = theme_of(palette());
        p.fillRect(viewport()->rect(), t.panel);
        if (!reads_ || !reads_->shown()) return;
        const int top = verticalScrollBar()->value();
        p.translate(0, -top);
        p.setFont(font());
        const int64_t hovered = session_.selection().hovered();
        for (const Piece& piece : pieces_) {
            if (piece.box.bottom() < top || piece.box.top() > top + viewport()->height()) continue;
            if (piece.position < 0) {
                p.setPen(t.muted);
                p.drawText(piece.box, Qt::AlignCenter, piece.text);
                continue;
            }
            QColor under = t.panel;
            if (reads_->has(piece.position)) {
                const float w = reads_->weight(piece.position);
                under = reads_->colour(w, t);
                p.fillRect(piece.box, under);
                if (w < 0 && reads_->place(w) < -0.15) {  // the sign is not told by colour alone
                    p.setPen(QPen(t.text, 1, Qt::DotLine));
                    p.drawLine(piece.box.left() + 1, piece.box.bottom() - 1, piece.box.right() - 1, piece.box.bottom() - 1);
                }
            }
            const auto light = [](const QColor& c) { return 0.299 * c.redF() + 0.587 * c.greenF() + 0.114 * c.blueF(); };
            QColor ink = std::abs(light(t.text) - light(under)) > std::abs(light(t.panel) - light(under)) ? t.text : t.panel;
            if (piece.control && ink == t.text) ink = t.muted;
            if (piece.position > position_) ink = t.muted;  // it came later
            p.setPen(ink);
            p.drawText(piece.box, Qt::AlignCenter, piece.text);
            p.setBrush(Qt::NoBrush);
            if (piece.position == position_) {
                p.setPen(QPen(t.accent, 2));
                p.drawRect(piece.box.adjusted(0, 0, -1, -1));
            } else if (piece.position == hovered) {
                p.setPen(QPen(t.text, 1));
                p.drawRect(piece.box.adjusted(0, 0, -1, -1));
            }
        }
        if (hasFocus()) {
            p.resetTransform();
            p.setPen(QPen(t.accent, 1, Qt::DotLine));
            p.drawRect(viewport()->rect().adjusted(0, 0, -1, -1));
        }
    }
    void resizeEvent(QResizeEvent*) override { place(); }
    void changeEvent(QEvent* event) override {
        QAbstractScrollArea::changeEvent(event);
        if (event->type() == QEvent::FontChange) place();
    }
    void mouseMoveEvent(QMouseEvent* event) override { hovered(at(event->pos())); }
    void mousePressEvent(QMouseEvent* event) override {
        if (const int64_t p = at(event->pos()); p >= 0 && event->button() == Qt::LeftButton) clicked(p);
    }
    bool viewportEvent(QEvent* event) override {
        if (event->type() == QEvent::Leave) hovered(-1);
        if (event->type() != QEvent::ToolTip) return QAbstractScrollArea::viewportEvent(event);
        auto* help = static_cast<QHelpEvent*>(event);
        const int64_t p = at(help->pos());
        p >= 0 ? QToolTip::showText(help->globalPos(), describe(p), this) : QToolTip::hideText();
        return true;
    }
    void keyPressEvent(QKeyEvent* event) override {
        const int step = event->key() == Qt::Key_Left ? -1 : event->key() == Qt::Key_Right ? 1 : 0;
        if (event->modifiers() & ~Qt::KeypadModifier || pieces_.empty()) return QAbstractScrollArea::keyPressEvent(event);
        const int64_t here = session_.selection().hovered() >= 0 ? session_.selection().hovered() : position_;
        if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) return clicked(here);
        if (step == 0) return QAbstractScrollArea::keyPressEvent(event);
        auto at = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.position == here; });
        if (at == pieces_.end()) at = pieces_.end() - 1;
        do {
            if (step < 0 ? at == pieces_.begin() : at == pieces_.end() - 1) return;
            at += step;
        } while (at->position < 0);
        hovered(at->position);
        setAccessibleDescription(describe(at->position));
        bring(at->position);
    }

private:
    struct Piece {
        int64_t position;  // -1: what is left out
        QString text;
        QRect box;
        bool control = false, ends_line = false;
    };
    void bring(int64_t position) {  // into sight
        const auto at = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.position == position; });
        if (at == pieces_.end()) return;
        QScrollBar* bar = verticalScrollBar();
        if (at->box.top() < bar->value()) bar->setValue(at->box.top() - at->box.height());
        if (at->box.bottom() > bar->value() + viewport()->height()) bar->setValue(at->box.bottom() + at->box.height() - viewport()->height());
    }
    void choose(const Parts& parts) {
        pieces_.clear();
        if (!session_.card()) return;
        const TraceStore& trace = session_.trace();
        const Tokenizer* tokenizer = session_.card()->tokenizer.get();
        const auto& ends = session_.card()->config.eos_token_ids;
        pieces_.push_back({-1, reads_->what() + ":", {}, false, true});
        int64_t next = 0;
        for (const auto& [first, end] : parts) {
            if (first > next) pieces_.push_back({-1, QString("… %1 tokens …").arg(text_of(first - next)), {}, false, true});
            for (next = std::max(next, first); next < std::min(end, trace.size()); ++next) {
                const TokenRow& row = trace.row(next);
                Piece piece{next, QString::fromStdString(repair_utf8(row.text)), {}};
                piece.control = tokenizer && tokenizer->is_special(row.id);
                if (piece.text.isEmpty() && tokenizer) piece.text = QString::fromStdString(repair_utf8(tokenizer->bytes(row.id)));
                piece.ends_line = piece.text.contains('\n') || std::find(ends.begin(), ends.end(), row.id) != ends.end();
                piece.text.replace('\n', "↵").replace('\t', "⇥");
                pieces_.push_back(std::move(piece));
            }
        }
    }
    void place() {
        const QFontMetrics m(font());
        const int line = m.height() + 6, left = 6, right = viewport()->width() - 6, indent = m.horizontalAdvance(' ');
        int x = left, y = 4;
        for (Piece& piece : pieces_) {
            const int wide = std::max(indent, m.horizontalAdvance(piece.text)) + (piece.control || piece.position < 0 ? 6 : 1);
            if (piece.position < 0 && x > left) x = left, y += line;
            if (x + wide > right && x > left) x = left, y += line;
            piece.box = QRect(x, y, wide, line - 2);
            x += wide;
            if (piece.ends_line) x = left, y += line;
        }
        const int high = (x > left ? y + line : y) + 4;
        verticalScrollBar()->setPageStep(viewport()->height());
        verticalScrollBar()->setSingleStep(line);
        verticalScrollBar()->setRange(0, std::max(0, high - viewport()->height()));
    }
    int64_t at(QPoint p) const {
        p.ry() += verticalScrollBar()->value();
        for (const Piece& piece : pieces_)
            if (piece.position >= 0 && piece.box.contains(p)) return piece.position;
        return -1;
    }
    Session& session_;
    const Reads* reads_ = nullptr;
    int64_t position_ = -1;
    std::vector<Piece> pieces_;
};

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
        title_ = new QLabel(picture_);
        title_->setTextFormat(Qt::PlainText);
        title_->setWordWrap(true);
        column->addWidget(title_);
        const auto describe = [this](int64_t p) { return sentence(p); };
        const auto hovered = [this](int64_t p) { session.selection().hover(p); };
        const auto clicked = [this](int64_t p) { session.selection().set_token(p); };
        for (size_t k = 0; k < 2; ++k) {
            Kind& kind = kinds_[k];
            kind.implicit = k == 1;
            const QString name = k ? "State (KDA)" : "Cache (MLA)";
            kind.name = new QLabel(k ? "State" : "Cache", this);
            kind.name->setToolTip(name);
            kind.layer = new QComboBox(this);
            kind.layer->setAccessibleName(name + ", layer");
            kind.head = new QComboBox(this);
            kind.head->setAccessibleName(name + ", head");
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
            kind.bars->setAccessibleName(name + ", weight of each token");
            kind.bars->hovered = hovered, kind.bars->clicked = clicked, kind.bars->describe = describe;
            column->addWidget(kind.caption);
            column->addWidget(kind.bars, 2);
        }
        controls()->addStretch(1);
        words_ = new QComboBox(this);
        words_->setAccessibleName("Below the strips");
        words_->setToolTip("The words, coloured by the weights of one memory or of each; or all heads of both layers");
        words_->addItems({"words by both", "words by cache", "words by state", "all heads"});
        controls()->addWidget(words_);
        connect(words_, &QComboBox::activated, this, [this] { drawn_ = false, refresh_soon(); });

        texts_ = new QWidget(picture_);
        auto* texts = new QHBoxLayout(texts_);
        texts->setContentsMargins(0, 0, 0, 0);
        texts->setSpacing(6);
        for (Kind& kind : kinds_) {
            kind.text = new TokenText(session, texts_);
            kind.text->setAccessibleName(QString("The words of the context, coloured by %1").arg(kind.implicit ? "the state" : "the cache"));
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
        heads_->setAccessibleName("All heads by token");
        heads_->describe = [this](int row, int p, float) {
            const auto [kind, head] = head_at(row);
            const Reads reads{kind->heads[static_cast<size_t>(head)], kind->reads.bound};
            return QString("%1 · token %2, %3: %4").arg(reads.what(), text_of(p), quoted(p), reads.has(p) ? number(reads.weight(p)) : "n/a (not looked at)");
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
        connect(&session.selection(), &Selection::changed, this, [this] { given_up_ = drawn_ = false; });
        connect(&session.selection(), &Selection::hover_changed, this, [this] {
            if (in_sight()) point();
        });
        fill();
    }

    TableData table() const override {
        TableData data{{"position", "token", "cache weight", "state weight", "state weight, decay only"}, {}};
        const Reads &cache = kinds_[0].reads, &state = kinds_[1].reads;
        const int64_t n = std::max(cache.shown() ? cache.last() : -1, state.shown() ? state.last() : -1) + 1;
        for (int64_t p = 0; p < n; ++p) {
            std::vector<QVariant> row{qlonglong(p), word(p)};
            row.push_back(cache.has(p) ? QVariant(double(cache.weight(p))) : QVariant("n/a"));
            row.push_back(state.has(p) ? QVariant(double(state.weight(p))) : QVariant("n/a (before the window)"));
            row.push_back(state.has(p) && !std::isnan(state.decay_only(p)) ? QVariant(double(state.decay_only(p))) : QVariant("n/a"));
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
        if (!any) return;
        if (!std::exchange(drawn_, true) || (tokens() != drawn_tokens_ && !session.busy())) draw();
        title_->setText(headline());
        point();
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
                for (int l : layers) kind.layer->addItem(QString("layer %1").arg(l), l);
            const int heads = !card ? 0 : kind.implicit ? card->config.kda_heads : card->config.num_attention_heads;
            for (int h = 0; h < heads && !layers.empty(); ++h) kind.head->addItem(QString("head %1").arg(h));
            kind.reads.bound = kind.implicit && card && card->config.kda_key_dim > 0 ? 1 / std::sqrt(static_cast<float>(card->config.kda_key_dim)) : 1;
            for (QWidget* w : {static_cast<QWidget*>(kind.name), static_cast<QWidget*>(kind.layer), static_cast<QWidget*>(kind.head)})
                w->setVisible(kind.layer->count() > 0);
            kind.layer->setEnabled(session.live());
            kind.layer->setToolTip(session.live() || !card ? "" : "A recording has the layers that were looked at when it was made");
        }
    }
    // The chosen layer is of one kind; the other one keeps what it shows.
    void follow() {
        if (!session.live()) return;
        for (Kind& kind : kinds_) {
            const int at = kind.layer->findData(session.selection().layer());
            if (at < 0) continue;
            kind.layer->setCurrentIndex(at);
            kind.head->setCurrentIndex(std::clamp(session.selection().head(), 0, std::max(0, kind.head->count() - 1)));
        }
    }
    void choose(const Kind& kind, int head) {
        kind.head->setCurrentIndex(head);
        drawn_ = false;
        if (session.live()) session.selection().set_head(kind.layer->currentData().toInt(), head);
        refresh_soon();
    }
    // Every head costs one replay; but a cache's weights are as many as its tokens, and of a very long one only the chosen head is worth its memory.
    Place wanted(const Kind& kind) const {
        const bool all = kind.implicit || token() < 32768;
        return {kind.layer->currentData().toInt(), all ? -1 : kind.head->currentIndex(), token()};
    }

    void ask() {
        if (!session.live() || frozen() || session.frozen() || session.trace().size() == 0) return;
        if (session.phase().phase != Phase::ready && session.phase().phase != Phase::probing) return;
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
        if (session.live()) {
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
        if (!session.live() && kind.heads[static_cast<size_t>(kind.head->currentIndex())].weights.empty()) kind.head->setCurrentIndex(picture.head);
        drawn_ = false;
        refresh_soon();
    }

    QString why_empty() const {
        if (!session.card()) return "Load a model and ask it something: this lens shows which of the past tokens a head reads.";
        if (!kinds_[0].heads.empty() || !kinds_[1].heads.empty()) return {};
        if (!session.live()) return "This recording holds no picture of attention: it takes the model to make one. Load a model to look at any head.";
        if (session.trace().size() == 0) return "Ask something: this lens shows which of the past tokens a head reads.";
        if (session.phase().phase == Phase::probing)
            return QString("Feeding the past again to look at it: %1 of %2 tokens.").arg(text_of(session.phase().done), text_of(session.phase().total));
        if (given_up_) return "Stopped. Choose a token or a head to look at.";
        return session.busy() ? "Shown when the model rests: a look at the past costs feeding it again." : "Looking…";
    }
    QString headline() const {
        const Reads& any = kinds_[0].reads.shown() ? kinds_[0].reads : kinds_[1].reads;
        const int64_t p = any.picture.position;
        QString text = QString("At token %1, %2, the model reads the past").arg(text_of(p), quoted(p));
        text += p + 1 < session.trace().size() ? QString(" and goes on with %1.").arg(quoted(p + 1)) : ".";
        if (session.busy() && session.phase().phase != Phase::probing) text += " The next picture comes when the model rests.";
        if (session.phase().phase == Phase::probing)
            text += QString(" Feeding the past again: %1 of %2 tokens.").arg(text_of(session.phase().done), text_of(session.phase().total));
        return text;
    }
    void draw() {
        drawn_tokens_ = tokens();
        for (Kind& kind : kinds_) {
            Reads& reads = kind.reads;
            const auto head = static_cast<size_t>(kind.head->currentIndex());
            reads.picture = head < kind.heads.size() ? kind.heads[head] : AttentionPicture{};
            kind.bars->set_tokens(tokens());
            if (!reads.shown()) {
                kind.caption->setText(kind.name->text() + (session.live() ? ": …" : ": not in this recording"));
                continue;
            }
            int64_t strongest = reads.picture.first;
            for (int64_t p = strongest; p <= reads.last(); ++p)
                if (std::abs(reads.weight(p)) > std::abs(reads.weight(strongest))) strongest = p;
            QString text = QString("%1: half of its weight on the last %2, most on %3 (%4)")
                               .arg(kind.implicit ? "State" : "Cache", QString::fromStdString(plural(reads.half_reach(), "token")), quoted(strongest),
                                    number(reads.weight(strongest)));
            if (reads.picture.first > 0 && reads.picture.implicit)
                text += QString(", before token %1: %2 of the output")
                            .arg(text_of(reads.picture.first), QString::fromStdString(percent_text(reads.picture.before)));
            kind.caption->setText(text);
            kind.caption->setToolTip(
                kind.implicit ? "o = Σ w v + what came before: the delta rule unrolled.<br>Bars: w, what this token still adds. Outlines: what it would add if "
                                "no later token had overwritten anything.<br>"
                                "Negative: it is taken away. Scale: root, to K<sup>−½</sup>, the most there can be. Read from a replay of these tokens."
                              : "Softmax weights over the cache; they sum to 1. Scale: root, to 1. Read from a replay of this token.");
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
                const Reads reads{picture, kind.reads.bound};
                for (int64_t p = 0; p < n; ++p) places.push_back(reads.has(p) ? static_cast<float>(reads.place(reads.weight(p))) : NAN);
                ++rows;
            }
        heads_->set_values(rows, static_cast<int>(n), std::move(places));
        heads_->set_groups({static_cast<int>(kinds_[0].heads.size())});
        HeatScale scale{.kind = HeatScale::Kind::diverging, .high = 1};
        scale.ticks = {{-1.f, "−most"}, {-0.5f, "−¼"}, {0.f, "0"}, {0.5f, "¼"}, {1.f, "most"}};
        heads_->set_scale(std::move(scale));
        heads_->set_labels(
            [this](int row) {
                const auto [kind, head] = head_at(row);
                return QString("%1%2 %3").arg(head == kind->head->currentIndex() ? "▸ " : "", kind->implicit ? "state" : "cache").arg(head);
            },
            [](int p) { return QString::number(p); }, {}, "token");
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
        QString text = QString("Token %1, %2").arg(text_of(p), quoted(p));
        const Reads &cache = kinds_[0].reads, &state = kinds_[1].reads;
        if (cache.has(p)) text += QString(" · cache %1").arg(number(cache.weight(p)));
        if (state.has(p)) {
            text += QString(" · state %1").arg(number(state.weight(p)));
            if (const float d = state.decay_only(p); !std::isnan(d)) text += QString(" (%1 had nothing overwritten it)").arg(number(d));
        } else if (state.shown()) {
            text += " · state: before the window";
        }
        return text;
    }
    void point() {
        const int64_t p = session.selection().hovered();
        detail_->setText(p >= 0 && p < tokens() ? sentence(p) : "Point at a token for its weights; click to look from there.");
        for (Kind& kind : kinds_) kind.bars->update();
        for (Kind& kind : kinds_) kind.text->viewport()->update();
    }

    static constexpr int kHeads = 3;  // of words_
    Kind kinds_[2];                   // cache, state
    QWidget *picture_ = nullptr, *texts_ = nullptr;
    HeatMap* heads_ = nullptr;
    QLabel *title_ = nullptr, *detail_ = nullptr, *empty_ = nullptr;
    QComboBox* words_ = nullptr;
    int64_t drawn_tokens_ = 0;
    bool pending_ = false, given_up_ = false, drawn_ = false;
};

}  // namespace

Panel* make_attention_panel(Session& session, const PanelInfo& info) { return new AttentionPanel(session, info); }

}  // namespace klp::gui
