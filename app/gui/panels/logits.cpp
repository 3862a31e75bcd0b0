#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <tuple>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/head_picker.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/words.h"
#include "app/gui/session/range.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {

constexpr int64_t kTrack = 512;  // tokens of the entropy track

struct CandidateRow {
    int rank = 0;
    int32_t id = 0;
    QString text;
    float probability = 0;
    bool chosen = false;
    bool operator==(const CandidateRow&) const = default;
};

QString share_text(float p) { return p > 0 && p < 0.0005f ? local("< 0.1 %") : local(percent_text(double(p))); }

class CandidateModel final : public QAbstractTableModel {
public:
    enum Column { rank, token, probability, id, kColumns };
    static constexpr int kFraction = Qt::UserRole;  // of the bar, 0 .. 1
    static constexpr int kChosen = Qt::UserRole + 1;
    using QAbstractTableModel::QAbstractTableModel;

    void set(std::vector<CandidateRow> rows) {
        if (rows == rows_) return;
        if (rows.size() != rows_.size()) {
            beginResetModel();
            rows_ = std::move(rows);
            endResetModel();
            return;
        }
        rows_ = std::move(rows);
        emit dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1));
    }
    const CandidateRow& row(int r) const { return rows_[static_cast<size_t>(r)]; }
    const std::vector<CandidateRow>& rows() const { return rows_; }

    int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : static_cast<int>(rows_.size()); }
    int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : kColumns; }
    QVariant data(const QModelIndex& index, int role) const override {
        if (!index.isValid()) return {};
        const CandidateRow& r = row(index.row());
        if (role == kFraction) return r.probability;
        if (role == kChosen) return r.chosen;
        if (role == Qt::TextAlignmentRole)
            return QVariant(Qt::AlignVCenter | (index.column() == token || index.column() == probability ? Qt::AlignLeft : Qt::AlignRight));
        if (role == Qt::ToolTipRole)
            return r.chosen ? tr("What was said.")
                            : tr("Click or press Enter: the conversation branches here and goes on with “%1”. What was said stays, as the other branch.")
                                  .arg(r.text);
        if (role == Qt::AccessibleTextRole && index.column() == token)
            return (r.chosen ? tr("%1, %2, chosen") : QString("%1, %2")).arg(r.text, share_text(r.probability));
        if (role != Qt::DisplayRole) return {};
        switch (index.column()) {
            case rank:
                return r.rank + 1;
            case token:
                return r.chosen ? tr("%1  ← chosen").arg(r.text) : r.text;
            case probability:
                return share_text(r.probability);
            case id:
                return r.id;
        }
        return {};
    }
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override {
        static const char* const names[] = {QT_TR_NOOP("rank"), QT_TR_NOOP("token"), QT_TR_NOOP("probability"), QT_TR_NOOP("id")};
        if (orientation != Qt::Horizontal || role != Qt::DisplayRole || section >= kColumns) return {};
        return tr(names[section]);
    }

private:
    std::vector<CandidateRow> rows_;
};

// A bar behind the number.
class BarDelegate final : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* p, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        QStyledItemDelegate::paint(p, option, {});
        const Theme& t = theme_of(option.palette);
        const bool chosen = index.data(CandidateModel::kChosen).toBool(), selected = option.state & QStyle::State_Selected;
        const QString text = index.data().toString();
        const int room = option.fontMetrics.horizontalAdvance(local("< 0.1 %")) + 8;
        QRect bar = option.rect.adjusted(4, 4, -room - 4, -4);
        const double fraction = std::clamp(index.data(CandidateModel::kFraction).toDouble(), 0.0, 1.0);
        if (selected) p->fillRect(option.rect, option.palette.highlight());
        p->setRenderHint(QPainter::Antialiasing);
        p->setPen(Qt::NoPen);
        p->setBrush(t.raised);
        p->drawRoundedRect(bar, 2, 2);
        p->setBrush(chosen ? t.hybrid : t.muted);
        p->drawRoundedRect(QRectF(bar.left(), bar.top(), std::max(2.0, fraction * bar.width()), bar.height()), 2, 2);
        p->setPen(selected ? option.palette.highlightedText().color() : t.text);
        p->drawText(QRect(bar.right() + 6, option.rect.top(), room, option.rect.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
    }
};

class LogitsPanel final : public Panel {
public:
    LogitsPanel(Session& session, const PanelInfo& info) : Panel(session, info) {
        auto* column = new QVBoxLayout(body());
        column->setContentsMargins(0, 0, 0, 0);
        about_token_ = new Figure(body(), false);
        column->addWidget(about_token_);
        list_ = new QTableView(body());
        list_->setAccessibleName(tr("Candidates of the selected token: Enter branches with one"));
        list_->setModel(model_ = new CandidateModel(this));
        list_->setItemDelegateForColumn(CandidateModel::probability, new BarDelegate(this));
        list_->setSelectionBehavior(QAbstractItemView::SelectRows);
        list_->setSelectionMode(QAbstractItemView::SingleSelection);
        list_->setEditTriggers(QAbstractItemView::NoEditTriggers);
        list_->setShowGrid(false);
        list_->setTabKeyNavigation(false);
        list_->verticalHeader()->hide();
        list_->verticalHeader()->setDefaultSectionSize(list_->fontMetrics().height() + 8);
        const auto narrow = [&](int column, const char* widest) {
            list_->horizontalHeader()->setSectionResizeMode(column, QHeaderView::Fixed);
            list_->horizontalHeader()->resizeSection(column, list_->fontMetrics().horizontalAdvance(widest) + 20);
        };
        narrow(CandidateModel::rank, "163,840");
        list_->horizontalHeader()->setSectionResizeMode(CandidateModel::token, QHeaderView::Stretch);
        list_->horizontalHeader()->setSectionResizeMode(CandidateModel::probability, QHeaderView::Stretch);
        narrow(CandidateModel::id, "163,840");
        list_->horizontalHeader()->setHighlightSections(false);
        connect(list_, &QTableView::clicked, this, [this](const QModelIndex& i) { branch(i.row()); });
        connect(list_, &QTableView::activated, this, [this](const QModelIndex& i) { branch(i.row()); });
        column->addWidget(list_, 3);
        entropy_ = new LineChart(body());
        entropy_->setAccessibleName(tr("Entropy of the last tokens"));
        column->addWidget(entropy_, 2);
    }

    Interest interest() const override {
        Interest i;
        i.top = kCandidates;
        return i;
    }

    TableData table() const override {
        TableData t{{"position", "rank", "id", "token", "probability (share)", "chosen", "entropy (nats)"}, {}};
        if (at_ < 0 || at_ >= session.trace().size()) return t;
        const double entropy = double(session.trace().row(at_).entropy);
        for (const CandidateRow& r : model_->rows())
            t.rows.push_back({qlonglong(at_), r.rank + 1, has_ids() ? QVariant(r.id) : QVariant(), r.text, double(r.probability),
                              QByteArray(r.chosen ? QT_TR_NOOP("chosen") : ""), entropy});
        return t;
    }

protected:
    void refresh() override {
        const TraceStore& trace = session.trace();
        at_ = looked_at();
        std::vector<CandidateRow> rows;
        QString about;
        if (!session.card())
            about = tr("Load a model to see what it could have said.");
        else if (at_ < 0)
            about = tr("Send a message: for each token of the answer this shows what else was likely.");
        else
            about = describe(rows);
        model_->set(std::move(rows));
        about_token_->setText(about);

        list_->setColumnHidden(CandidateModel::id, !has_ids());
        const Theme& t = theme();
        std::vector<QList<QPointF>> runs;  // a line over each answer: nothing was chosen between them
        bool goes_on = false;
        const int64_t end = trace.size();
        int64_t last = at_ >= 0 && at_ < end - kTrack ? at_ + kTrack / 2 : end, first = std::max<int64_t>(0, last - kTrack);
        if (session.selection().ranged()) std::tie(first, last) = session.selection().range();
        const int64_t step = std::max<int64_t>(1, (last - first) / kTrack);  // of a long range some are left out, never the largest
        double high = 1;
        for (int64_t p = first; p < std::min(last, end); p += step) {
            const double e = range_values({p, p + step}, end, [&](int64_t i) { return double(trace.row(i).entropy); }).most;
            if (!std::isnan(e)) {
                if (!goes_on) runs.emplace_back();
                runs.back() << QPointF(double(p), e);
            }
            goes_on = !std::isnan(e);
            if (!goes_on) continue;
            high = std::max(high, e);
        }
        const double from = runs.empty() ? double(first) : std::min(runs.front().first().x(), double(last) - 17);  // where entropies begin
        entropy_->set_axes({tr("position"), false, std::max(0.0, from), double(std::max(last - 1, first + 1)), LineChart::Unit::count},
                           {tr("entropy, nats"), false, 0, std::ceil(high)});
        for (size_t i = 0; i < runs.size(); ++i) entropy_->set_series(static_cast<int>(i), {}, t.series[4], runs[i]);
        entropy_->drop_series(static_cast<int>(runs.size()));
        const QString missing = served_card(session.card()) ? tr("A server tells a few candidates of a token, and of those nobody knows the entropy.")
                                : end > 0                   ? session.why_missing(tr("The entropies"))
                                                            : QString();
        entropy_->set_empty(missing.isEmpty() ? tr("The entropy of each token comes with the next message.") : missing);
        std::vector<LineChart::Mark> marks;
        if (!rows_empty() && at_ >= 0) marks.push_back({double(at_), tr("token %1").arg(local(grouped(at_))), t.accent});
        entropy_->set_marks(std::move(marks));
    }

    bool takes_range() const override { return true; }
    QString in_words() const override {
        if (session.selection().ranged()) {
            const TraceStore& trace = session.trace();
            const RangeValues all =
                range_values(session.selection().range(), trace.size(), [&](int64_t p) { return trace.row(p).made ? double(trace.row(p).entropy) : NAN; });
            if (all.count == 0) return tr("No entropy is known of them.");
            return tr("Entropy: mean %1 nats over %2, the largest %3 at token %4.")
                .arg(local(fixed(all.mean, 2)), Language::tr("%Ln choice(s)", nullptr, all.count), local(fixed(all.most, 2)), local(grouped(all.at)));
        }
        if (rows_empty() || at_ < 0 || at_ >= session.trace().size()) return {};
        const TokenRow& row = session.trace().row(at_);
        words::Logits w{
            .token = "“" + shown(row.id, row.text) + "”", .probability = double(row.probability), .entropy = double(row.entropy), .rank = row.rank, .next = {}};
        for (const CandidateRow& r : model_->rows())
            if (!r.chosen) {
                w.next = "“" + r.text + "”", w.next_probability = double(r.probability);
                break;
            }
        return words::of(w);
    }
    std::vector<KeyItem> key() const override {
        if (rows_empty()) return {};
        const Theme& t = theme();
        return {{KeyItem::fill, t.hybrid, tr("what was said")},
                {KeyItem::fill, t.muted, tr("what could have been said")},
                {KeyItem::line, t.series[4], tr("entropy")},
                {KeyItem::dashed, t.accent, tr("token looked at")}};
    }
    Caption caption() const override { return {tr("what could have been said instead of %1").arg(token_name(session, at_)), {token_name(session, at_)}}; }
    QString why_no_picture() const override {
        return !rows_empty() ? QString() : !about_token_->text().isEmpty() ? about_token_->text() : tr("There are no candidates yet.");
    }

private:
    bool rows_empty() const { return model_->rows().empty(); }
    // The selected token; else the newest that was made.
    int64_t looked_at() const {
        const TraceStore& trace = session.trace();
        if (const int64_t p = session.selection().token(); p != Selection::kNewest) return p < trace.size() ? p : -1;
        for (int64_t p = trace.size() - 1; p >= 0 && p >= trace.size() - 64; --p)
            if (trace.row(p).made) return p;
        return -1;
    }

    QString describe(std::vector<CandidateRow>& rows) const {
        const TraceStore& trace = session.trace();
        const TokenRow& row = trace.row(at_);
        const auto& top = trace.top(at_);
        const QString token = tr("Token %1 “%2”").arg(local(grouped(at_)), shown(row.id, row.text));
        if (!row.made) return tr("%1 was fed, not chosen: it has no candidates.").arg(token);
        if (top.empty() && served_card(session.card())) return tr("%1: the server tells no log probabilities of it.").arg(token);
        if (top.empty())
            return tr("%1: %2").arg(token, session.live() ? session.why_missing(tr("Its candidates")) : tr("This recording holds no candidates of it."));
        for (size_t i = 0; i < top.size(); ++i) rows.push_back({static_cast<int>(i), top[i].id, shown(top[i].id, {}), top[i].probability, top[i].id == row.id});
        if (row.rank >= static_cast<int>(top.size())) rows.push_back({row.rank, row.id, shown(row.id, row.text), row.probability, true});
        const QString said = tr("%1 · rank %2 · probability %3").arg(token, local(grouped(row.rank + 1)), share_text(row.probability));
        return std::isnan(row.entropy) ? said : tr("%1 · entropy %2 nats").arg(said, local(fixed(row.entropy, 2)));
    }
    QString shown(int32_t id, const std::string& text) const {
        const auto& tokenizer = session.card()->tokenizer;
        const ServedCard* served = served_card(session.card());
        const QString s = visible_token(!text.empty() ? text : served ? served->words->bytes(id) : tokenizer ? std::string(tokenizer->bytes(id)) : text);
        return !s.isEmpty() ? s : has_ids() ? tr("id %1").arg(id) : tr("(nothing)");
    }
    // A server tells words; what stands for their ids here is nobody's.
    bool has_ids() const { return session.card() && session.card()->device.name != kElsewhere; }

    void branch(int r) {
        if (r < 0 || r >= model_->rowCount() || at_ < 0) return;
        const CandidateRow& row = model_->row(r);
        if (row.chosen) return;
        // A double click is two clicks and an activation, and must branch once.
        if (branched_.isValid() && branched_.elapsed() < QApplication::doubleClickInterval()) return;
        branched_.start();
        if (session.aside()) return session.say(tr("An answer is being played again."), tr("Go back to now to try another token."), false);
        if (!session.live()) return session.say(tr("A recording cannot branch."), tr("Load a model and send the message again to try another token."), false);
        session.ask_fork(at_, row.id);
    }

    Figure* about_token_ = nullptr;
    QTableView* list_ = nullptr;
    CandidateModel* model_ = nullptr;
    LineChart* entropy_ = nullptr;
    int64_t at_ = -1;
    QElapsedTimer branched_;
};

}  // namespace

Panel* make_logits_panel(Session& session, const PanelInfo& info) { return new LogitsPanel(session, info); }

}  // namespace klp::gui
