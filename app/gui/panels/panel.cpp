#include "app/gui/panels/panel.h"

#include <QAction>
#include <QEvent>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QSaveFile>
#include <QScrollArea>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#ifdef KLP_HAS_SVG
#include <QSvgGenerator>
#endif

#include "app/gui/panels/panels.h"

namespace klp::gui {

const std::vector<PanelRow>& panels() {
    static const std::vector<PanelRow> rows{
        {{"decay", "Decay", "How fast each channel of the memory forgets.",
          "<p>Each KDA head multiplies channel <i>c</i> of its state by α = e<sup>g</sup> at every token. "
          "The half-life is ln 2 / −g tokens.</p><p>Report, section 3: S<sub>t</sub> = (I − β k kᵀ) Diag(α) S<sub>t−1</sub> + β k vᵀ</p>"},
         make_decay_panel},
        {{"state", "State", "One head's memory: a matrix that every token rewrites a little.",
          "<p>S is V × K numbers, whatever the context. A key k reads S k. Colours show the sign around zero.</p>"},
         make_state_panel},
        {{"memory", "Memory", "Bytes this conversation holds, and what full attention would hold.",
          "<p>KDA state and convolution tails are constant; the MLA cache grows by (r<sub>kv</sub> + d<sub>rope</sub>) values a token and MLA layer, in pages "
          "of 256 "
          "tokens. The twin is the same model with every mixer MLA; multi-head attention keeps keys and values of every head and layer. All three follow from "
          "the "
          "shapes; what is held now is counted.</p>"},
         make_memory_panel},
        {{"race", "Race", "This model and its full-attention twin, in turn on the same tokens.",
          "<p>Both decode the same tokens in turn, one each, up to every context; a point is the median time of a token there. The label says what the twin "
          "is, and what is "
          "dashed was not measured now.</p><p>For comparison, the Kimi Linear report (arXiv 2510.26692) gives up to 6.3 times less time for a token at 1M "
          "tokens and up to "
          "75 % less cache, for the 48B model on its authors' GPUs.</p>"},
         make_race_panel},
        {{"experts", "Experts", "Which experts the router sent the last tokens to.",
          "<p>Load is the share of the last tokens that met an expert, over the share under perfect balance (top-k / experts). Imbalance: the busiest expert's "
          "load over the "
          "mean, and the standard deviation over the mean. Dots are the picks of the selected token.</p>"},
         make_experts_panel},
        {{"logits", "Logits", "What the model could have said instead: click one to branch there.",
          "<p>Softmax of the model's own logits, before temperature and cuts. Entropy in nats: e to it is the number of equal choices that would be as "
          "unsure.</p><p>A click, or "
          "Enter, on a candidate branches the conversation there and goes on with it; what was said stays as the other branch. Spaces are shown as ·, line "
          "ends as ⏎.</p>"},
         make_logits_panel},
        {{"attention", "Attention", "Which past tokens are read: by a cache, and by a state.",
          "<p>MLA: softmax weights over the cache, which sum to 1. KDA: the delta rule unrolled, o = Σ w<sub>i</sub> v<sub>i</sub>, backwards from r = q: "
          "w = β k·r, then r ← α (r − w k). Signed, and not summing to 1.</p><p>From feeding these tokens again while the model rests; for a state the last "
          "2,048.</p>"},
         make_attention_panel},
        {{"log", "Log", "What happened, in order.", "<p>Loads, prompts, answers, errors.</p>"}, make_log_panel},
    };
    return rows;
}

Panel::Panel(Session& session, const PanelInfo& info, QWidget* parent) : QWidget(parent), session(session), info_(info) {
    setObjectName(QString("panel-") + info.id);
    setAccessibleName(QString("%1: %2").arg(info.title, info.about));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 6, 8, 8);
    layout->setSpacing(6);
    layout->setSizeConstraint(QLayout::SetNoConstraint);  // a lens never makes the window larger than its screen
    setMinimumSize(340, 220);

    auto* head = new QHBoxLayout;
    head->setSpacing(4);
    auto* about = new QLabel(info.about, this);
    about->setToolTip(info.how);
    about->setWordWrap(true);
    about->setForegroundRole(QPalette::PlaceholderText);
    head->addWidget(about, 1);
    const auto button = [&](const char* text, const char* name, const char* tip, bool checkable) {
        auto* b = new QToolButton(this);
        b->setText(text);
        b->setAccessibleName(QString("%1, %2").arg(info_.title, name));
        b->setToolTip(tip);
        b->setCheckable(checkable);
        b->setAutoRaise(true);
        head->addWidget(b);
        return b;
    };
    auto* what = button("?", "what is this", info.how, false);
    connect(what, &QToolButton::clicked, this, [this] { this->session.say(QString("%1: %2").arg(info_.title, info_.about), info_.how, false); });
    freeze_ = button("Freeze", "freeze", "Keep this picture while the model goes on", true);
    connect(freeze_, &QToolButton::toggled, this, &Panel::set_frozen);
    as_table_ = button("Table", "show as table", "The same numbers as rows", true);
    connect(as_table_, &QToolButton::toggled, this, &Panel::show_table);
    auto* out = button("Export", "export", "PNG, SVG or CSV", false);
    auto* menu = new QMenu(out);
    for (const char* kind : {"PNG", "SVG", "CSV"}) menu->addAction(QString("%1…").arg(kind), this, [this, kind] { export_asked(kind); });
    out->setMenu(menu);
    out->setPopupMode(QToolButton::InstantPopup);
    auto* detach = button("Detach", "detach", "A window of its own, or back into the dock", false);
    connect(detach, &QToolButton::clicked, this, &Panel::detach_asked);
    layout->addLayout(head);

    controls_ = new QHBoxLayout;
    controls_->setSpacing(6);
    layout->addLayout(controls_);

    pages_ = new QStackedWidget(this);
    body_ = new QWidget(pages_);
    auto* room = new QScrollArea(pages_);
    room->setWidget(body_);
    room->setWidgetResizable(true);
    room->setFrameShape(QFrame::NoFrame);
    room->setFocusPolicy(Qt::NoFocus);
    table_ = new QTableView(pages_);
    table_->setAccessibleName(QString("%1 as a table").arg(info.title));
    table_->setSortingEnabled(true);
    table_->setAlternatingRowColors(true);
    table_->verticalHeader()->hide();
    table_->setEditTriggers(QAbstractItemView::NoEditTriggers);
    pages_->addWidget(room);
    pages_->addWidget(table_);
    layout->addWidget(pages_, 1);

    connect(&session, &Session::drained, this, [this] {
        if (in_sight() && !frozen_ && !this->session.frozen()) this->session.draw_in_turn(this, [this] { refresh_soon(); });
    });
    connect(&session.selection(), &Selection::changed, this, &Panel::refresh_soon);
    connect(&session, &Session::card_changed, this, &Panel::refresh_soon);
    connect(&session, &Session::baseline_changed, this, &Panel::refresh_soon);
}

Panel::~Panel() { session.set_interest(this, {}); }

void Panel::set_frozen(bool on) {
    frozen_ = on;
    freeze_->setChecked(on);
    if (!on) refresh_soon();
}

void Panel::refresh_soon() {
    if (pending_ || !in_sight()) return;
    pending_ = true;
    // A table is read, not watched: it may be large, so it follows four times a second.
    QTimer::singleShot(pages_->currentWidget() == table_ ? 250 : 0, this, [this] {
        pending_ = false;
        if (!in_sight()) return;
        refresh();
        if (pages_->currentWidget() == table_) update_table();
    });
}

void Panel::interest_changed() { session.set_interest(this, in_sight() ? interest() : Interest{}); }

void Panel::set_behind(bool on) {
    behind_ = on;
    interest_changed();
    refresh_soon();
}

void Panel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    interest_changed();
    refresh_soon();
}

void Panel::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    interest_changed();
}

void Panel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::StyleChange || event->type() == QEvent::FontChange) refresh_soon();
}

void Panel::show_table(bool on) {
    as_table_->setChecked(on);
    if (on) {
        if (!table_->model()) {
            auto* proxy = new QSortFilterProxyModel(this);
            proxy->setSourceModel(new TableDataModel(this));
            proxy->setSortRole(Qt::EditRole);
            table_->setModel(proxy);
            table_->sortByColumn(-1, Qt::AscendingOrder);
        }
        update_table();
    }
    pages_->setCurrentIndex(on ? 1 : 0);
}

void Panel::update_table() {
    auto* proxy = static_cast<QSortFilterProxyModel*>(table_->model());
    static_cast<TableDataModel*>(proxy->sourceModel())->set(table());
}

void Panel::export_asked(const QString& kind) {
    const QString file = QFileDialog::getSaveFileName(this, QString("Export %1").arg(info_.title), QString("klp-%1.%2").arg(info_.id, kind.toLower()));
    if (file.isEmpty()) return;
    const QString error = kind == "PNG" ? export_png(file) : kind == "SVG" ? export_svg(file) : export_csv(file);
    session.say(error.isEmpty() ? QString("Wrote %1").arg(file) : error, {}, !error.isEmpty());
}

QString Panel::export_png(const QString& file) {
    QImage image(body_->size() * 2, QImage::Format_RGB32);
    image.setDevicePixelRatio(2);
    image.fill(theme().window);
    body_->render(&image);
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly) || !image.save(&out, "PNG") || !out.commit())
        return QString("%1 could not be written: %2").arg(file, out.errorString());
    return {};
}

QString Panel::export_svg([[maybe_unused]] const QString& file) {
#ifdef KLP_HAS_SVG
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly)) return QString("%1 could not be written: %2").arg(file, out.errorString());
    QSvgGenerator svg;
    svg.setOutputDevice(&out);
    svg.setSize(body_->size());
    svg.setViewBox(body_->rect());
    svg.setTitle(QString("%1, %2").arg(info_.title, session.card() ? QString::fromStdString(session.card()->name) : "no model"));
    body_->render(&svg);
    if (!out.commit()) return QString("%1 could not be written: %2").arg(file, out.errorString());
    return {};
#else
    return "SVG export needs Qt's SVG module, which this build does not have";
#endif
}

QString Panel::export_csv(const QString& file) const {
    QSaveFile out(file);
    const QByteArray text = to_csv(table());
    if (!out.open(QIODevice::WriteOnly) || out.write(text) != text.size() || !out.commit())
        return QString("%1 could not be written: %2").arg(file, out.errorString());
    return {};
}

// --- tables -----------------------------------------------------------------------------------------------------------

void TableDataModel::set(TableData data) {
    if (data.columns == data_.columns && data.rows.size() == data_.rows.size()) {
        data_ = std::move(data);
        if (!data_.rows.empty()) emit dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
        return;
    }
    beginResetModel();
    data_ = std::move(data);
    endResetModel();
}
int TableDataModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(data_.rows.size()); }
int TableDataModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(data_.columns.size()); }
QVariant TableDataModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const auto& row = data_.rows[static_cast<size_t>(index.row())];
    if (static_cast<size_t>(index.column()) >= row.size()) return {};
    const QVariant& value = row[static_cast<size_t>(index.column())];
    const bool real = value.typeId() == QMetaType::Double || value.typeId() == QMetaType::Float;
    if (role == Qt::EditRole) return value;
    if (role == Qt::DisplayRole) return real ? QVariant(QString::number(value.toDouble(), 'g', 6)) : value;
    if (role == Qt::TextAlignmentRole)
        return QVariant(value.typeId() == QMetaType::QString ? Qt::AlignLeft | Qt::AlignVCenter : Qt::AlignRight | Qt::AlignVCenter);
    return {};
}
QVariant TableDataModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole || section >= data_.columns.size()) return {};
    return data_.columns[section];
}

QByteArray to_csv(const TableData& data) {
    QByteArray out;
    const auto line = [&](const auto& cells) {
        bool first = true;
        for (const auto& cell : cells) {
            if (!first) out += ',';
            first = false;
            QString text = QVariant(cell).toString();
            if (text.contains(QRegularExpression("[\",\r\n]"))) text = '"' + text.replace('"', "\"\"") + '"';
            out += text.toUtf8();
        }
        out += "\r\n";
    };
    line(data.columns);
    for (const auto& row : data.rows) line(row);
    return out;
}

}  // namespace klp::gui
