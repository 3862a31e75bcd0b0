#include "app/gui/panels/panel.h"

#include <QAbstractTextDocumentLayout>
#include <QAction>
#include <QClipboard>
#include <QDateTime>
#include <QEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QMimeData>
#include <QSaveFile>
#include <QScrollArea>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QTableView>
#include <QTextBlock>
#include <QTextBrowser>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/session/badge.h"
#include "app/gui/session/range.h"

namespace klp::gui {

namespace {

constexpr int kBeside = 900;  // pixels of width from which on the explanation stands beside the picture, and not above it

// What is behind the ?: what one sees, what to try, the words, and the formula last.
QString help_text(const PanelInfo& info) {
    const QString see = Panel::tr(info.see), tries = Panel::tr(info.tries);
    QString words;
    std::vector<const Term*> said;
    QString plain = see + tries;
    for (const TermPlace& place : terms_in(plain.remove(QRegularExpression("<[^>]*>"))))
        if (std::find(said.begin(), said.end(), place.term) == said.end()) said.push_back(place.term);
    for (const Term* term : said) words += "<p style='margin-top:2px; margin-bottom:2px'><b>" + term->word + "</b>: " + term->meaning + "</p>";
    const auto part = [](const QString& title, const QString& text) {
        return text.isEmpty() ? QString() : "<p style='margin-bottom:0'><b>" + title + "</b></p>" + text;
    };
    return part(Panel::tr("What you see"), see) + part(Panel::tr("What to try"), tries) + part(Panel::tr("Words"), words) +
           part(Panel::tr("Formula"), *info.formula ? Panel::tr(info.formula) : QString());
}

// Why this lens has nothing to show of a model that another program serves; "": it has.
QString needs_inside(const Session& session, const PanelInfo& info) {
    const QString id = info.id;
    if (session.shows(id)) return {};
    if (id == "memory")
        return Panel::tr("Nobody knows the shape of %1, from which memory is computed. File, Engine elsewhere… takes a named shape or a config.json.")
            .arg(QString::fromStdString(session.card()->name));
    if (id == "race")
        return Panel::tr("A race needs the engine's inside, which a server does not show. klp sweep --url A --url B measures two servers beside each other.");
    return Panel::tr("%1 needs the engine's inside, which a server does not show. A model that is opened here shows it, or a recording of one.")
        .arg(Panel::tr(info.title));
}

}  // namespace

Panel::Panel(Session& session, const PanelInfo& info, QWidget* parent) : QWidget(parent), session(session), info_(info) {
    setObjectName(QString("panel-") + info.id);
    setAccessibleName(QString("%1: %2").arg(tr(info.title), tr(info.about)));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 6, 8, 8);
    layout->setSpacing(5);
    layout->setSizeConstraint(QLayout::SetNoConstraint);  // a lens never makes the window larger than its screen
    setMinimumSize(340, 220);

    auto* head = new QHBoxLayout;
    head->setSpacing(4);
    sentence_ = new Sentence(this);
    sentence_->setAccessibleName(tr("%1 in words").arg(tr(info.title)));
    sentence_->set(tr(info.about));
    head->addWidget(sentence_, 1);
    make_buttons(head);
    layout->addLayout(head);

    controls_ = new QHBoxLayout;
    controls_->setSpacing(6);
    layout->addLayout(controls_);
    key_ = new Key(this);
    key_->hide();
    layout->addWidget(key_);

    middle_ = new QBoxLayout(QBoxLayout::TopToBottom);
    help_ = new QTextBrowser(this);
    help_->setAccessibleName(tr("%1, explained").arg(tr(info.title)));
    help_->setHtml(help_text(info));
    help_->hide();
    connect(help_->document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this, &Panel::fit_help);
    middle_->addWidget(help_, 0, Qt::AlignTop);
    pages_ = new QStackedWidget(this);
    body_ = new QWidget(pages_);
    auto* room = new QScrollArea(pages_);
    room->setWidget(body_);
    room->setWidgetResizable(true);
    room->setFrameShape(QFrame::NoFrame);
    room->setFocusPolicy(Qt::NoFocus);
    table_ = new QTableView(pages_);
    table_->setAccessibleName(tr("%1 as a table").arg(tr(info.title)));
    table_->setSortingEnabled(true);
    table_->setAlternatingRowColors(true);
    table_->verticalHeader()->hide();
    table_->setEditTriggers(QAbstractItemView::NoEditTriggers);
    pages_->addWidget(room);
    pages_->addWidget(table_);
    auto* elsewhere = new QLabel(pages_);
    elsewhere->setObjectName("needs-inside");
    elsewhere->setWordWrap(true);
    elsewhere->setAlignment(Qt::AlignCenter);
    elsewhere->setMargin(24);
    elsewhere->setForegroundRole(QPalette::PlaceholderText);
    pages_->addWidget(elsewhere);
    connect(&session, &Session::card_changed, this, [this, elsewhere] {
        elsewhere->setText(needs_inside(this->session, info_));
        pages_->setCurrentIndex(!elsewhere->text().isEmpty() ? 2 : as_table_->isChecked() ? 1 : 0);
        as_table_->setEnabled(elsewhere->text().isEmpty());
    });
    middle_->addWidget(pages_, 3);
    layout->addLayout(middle_, 1);

    connect(&session, &Session::drained, this, [this] {
        if (in_sight() && !held()) this->session.draw_in_turn(this, [this] { refresh_soon(); });
    });
    connect(&session, &Session::frozen_changed, this, &Panel::update_head);
    connect(&session.selection(), &Selection::changed, this, &Panel::refresh_soon);
    connect(&session, &Session::card_changed, this, &Panel::refresh_soon);
    connect(&session, &Session::baseline_changed, this, &Panel::refresh_soon);
}

Panel::~Panel() { session.set_interest(this, {}); }

void Panel::make_buttons(QHBoxLayout* row) {
    auto* column = new QVBoxLayout;  // they stay at the top, beside a sentence of more lines
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(2);
    column->addLayout(buttons);
    column->addStretch(1);
    row->addLayout(column);
    still_ = new QLabel(tr("FROZEN"), this);
    still_->setObjectName("still");
    still_->setToolTip(tr("This picture stands still while the model goes on"));
    still_->hide();
    buttons->addWidget(still_);
    const auto button = [&](const QString& text, const QString& name, const QString& tip, bool checkable) {
        auto* b = new QToolButton(this);
        b->setText(text);
        b->setAccessibleName(QString("%1, %2").arg(tr(info_.title), name));
        b->setToolTip(tip);
        b->setCheckable(checkable);
        b->setAutoRaise(true);
        buttons->addWidget(b);
        return b;
    };
    help_button_ = button("?", tr("what is this"), tr("What you see here, what to try, and the formula"), true);
    connect(help_button_, &QToolButton::toggled, this, &Panel::show_help);
    freeze_ = button(tr("Freeze"), tr("freeze"), tr("Keep this picture while the model goes on"), true);
    connect(freeze_, &QToolButton::toggled, this, &Panel::set_frozen);
    as_table_ = button(tr("Table"), tr("show as table"), tr("The same numbers as rows"), true);
    connect(as_table_, &QToolButton::toggled, this, &Panel::show_table);
    auto* more = button("⋯", tr("more"), tr("Export this lens, or give it a window of its own"), false);
    auto* menu = new QMenu(more);
    menu->addAction(tr("Copy as a picture"), this, [this] {
        const QString why = copy();
        this->session.say(why.isEmpty() ? tr("The picture is on the clipboard") : why, {}, false);
    });
    for (const QString kind : {"png", "svg", "pdf", "csv"})
        menu->addAction(tr("Export as %1…").arg(kind.toUpper()), this, [this, kind] { export_asked(kind); });
    menu->addSeparator();
    detach_ = menu->addAction(QString(), this, &Panel::detach_asked);
    set_detached(false);
    more->setMenu(menu);
    more->setPopupMode(QToolButton::InstantPopup);
    more->setStyleSheet("QToolButton::menu-indicator { image: none; }");
}

void Panel::add_hands(std::vector<HandTool> tools) {
    hands_ = new HandsStrip(session, tr(info_.title), std::move(tools), this);
    hands_->hide();
    auto* open = new QToolButton(this);
    open->setObjectName("hands-button");
    open->setCheckable(true);
    open->setAutoRaise(true);
    open->setAccessibleName(tr("%1, hands on the memory").arg(tr(info_.title)));
    open->setToolTip(tr("Change the memory and answer the last question again beside the answer that stands"));
    connect(open, &QToolButton::toggled, hands_, &QWidget::setVisible);
    const auto say = [this, open] {
        const InterventionsPtr& list = session.hands().list;
        open->setText(list ? tr("Hands (%1)").arg(list->size()) : tr("Hands"));
        open->setVisible(session.card());
        hands_->setVisible(session.card() && open->isChecked());
    };
    connect(&session, &Session::hands_changed, open, say);
    connect(&session, &Session::card_changed, open, say);
    say();
    // Beside the key, which breaks its lines as there is room; a row of boxes does not.
    auto* column = static_cast<QVBoxLayout*>(layout());
    const int at = column->indexOf(key_);
    column->removeWidget(key_);
    auto* row = new QHBoxLayout;
    row->addWidget(key_, 1);
    row->addStretch();
    row->addWidget(open, 0, Qt::AlignTop);
    column->insertLayout(at, row);
    column->insertWidget(at + 1, hands_);
}

void Panel::set_detached(bool on) { detach_->setText(on ? tr("Back into the main window") : tr("Detach: a window of its own")); }

void Panel::set_frozen(bool on) {
    frozen_ = on;
    freeze_->setChecked(on);
    update_head();
    if (!on) refresh_soon();
}

void Panel::show_help(bool on) {
    help_button_->setChecked(on);
    help_->setVisible(on);
    fit_help();
    emit explained(on);
}

bool Panel::explains() const { return in_sight() && help_->isVisible(); }

// As high as it is; of what is longer than its room as many whole lines as fit.
void Panel::fit_help() {
    if (help_->isHidden()) return;
    const bool beside = middle_->direction() == QBoxLayout::LeftToRight;
    help_->setMinimumWidth(beside ? width() * 2 / 5 : 0);
    help_->setMaximumWidth(beside ? width() * 2 / 5 : QWIDGETSIZE_MAX);
    const QTextDocument& text = *help_->document();
    const int frame = 2 * help_->frameWidth(), room = (beside ? height() - middle_->geometry().top() - 8 : height() / 2) - frame;
    double most = text.size().height();
    if (most > room) {
        most = 0;
        for (QTextBlock block = text.begin(); block.isValid(); block = block.next()) {
            const QRectF at = text.documentLayout()->blockBoundingRect(block);
            for (int i = 0; i < block.layout()->lineCount(); ++i)
                if (const double end = at.top() + block.layout()->lineAt(i).rect().bottom() + 1; end <= room) most = std::max(most, end);
        }
    }
    help_->setFixedHeight(static_cast<int>(std::ceil(most)) + frame);
}

void Panel::refresh_soon() {
    if (pending_ || !in_sight()) return;
    pending_ = true;
    // A table is read, not watched: it may be large, so it follows four times a second.
    QTimer::singleShot(pages_->currentWidget() == table_ ? 250 : 0, this, [this] {
        pending_ = false;
        if (!in_sight() || pages_->currentIndex() == 2) return;
        refresh();
        update_head();
        if (pages_->currentWidget() == table_) update_table();
    });
}

void Panel::update_head() {
    const bool still = held() && session.card();
    if (still_->isVisibleTo(this) != still) still_->setVisible(still);
    if (const QString look = QString("QLabel { background: %1; color: %2; border-radius: 4px; padding: 1px 6px; font-weight: 600; }")
                                 .arg(theme().warn.name(), theme().dark ? "#0d1117" : "#ffffff");
        still && still_->styleSheet() != look)
        still_->setStyleSheet(look);
    if (!in_sight()) return;
    const QString text = said();
    sentence_->set(text.isEmpty() ? tr(info_.about) : text);
    key_->set(key());
}

// Of the chosen range first, where there is one.
QString Panel::said() const {
    const QString text = in_words();
    if (!takes_range() || !session.selection().ranged()) return text;
    const QString range = range_text(session.trace(), session.selection().range());
    return text.isEmpty() ? range : range + ".  " + text;
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

void Panel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    middle_->setDirection(width() >= kBeside ? QBoxLayout::LeftToRight : QBoxLayout::TopToBottom);
    fit_help();
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
            connect(proxy, &QAbstractItemModel::modelReset, table_, [this] { fit_columns(*table_); });
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
    if (const QString why = kind == "csv" ? needs_inside(session, info_) : why_no_figure(); !why.isEmpty()) return session.say(why, {}, false);
    const QString file = QFileDialog::getSaveFileName(this, tr("Export %1").arg(tr(info_.title)), QString("klp-%1.%2").arg(info_.id, kind),
                                                      QString("%1 (*.%2)").arg(kind.toUpper(), kind));
    if (file.isEmpty()) return;
    const QString error = export_to(QFileInfo(file).suffix().isEmpty() ? file + "." + kind : file);
    session.say(error.isEmpty() ? tr("Wrote %1").arg(file) : error, {}, !error.isEmpty());
}

Plate::Words Panel::plate_words() const {
    const Caption c = caption();
    Badge badge = badge_of(session);
    if (frozen_ && !session.frozen() && badge.kind != Badge::none)
        badge = badge.kind == Badge::replay ? Badge{Badge::replay, tr("REPLAY, FROZEN"), {}} : Badge{Badge::frozen, tr("FROZEN"), {}};
    const RunCard* card = session.card();
    QStringList of{!c.model.isEmpty() ? c.model : card ? QString::fromStdString(card->name) : tr("no model")};
    of += c.of;
    if (const auto [first, last] = session.selection().range(); takes_range() && first < last)
        of << tr("tokens %1 to %2 chosen").arg(local(grouped(first)), local(grouped(last - 1)));
    of.removeAll(QString());
    if (card && !card->recorded.empty()) of << tr("recorded %1").arg(QString::fromStdString(card->recorded));
    of << QDateTime::currentDateTime().toString("yyyy-MM-dd HH:mm");
    return {QString("%1: %2").arg(tr(info_.title), c.what), of.join(" · "), badge, said()};
}

QString Panel::why_no_figure() const {
    const QString why = needs_inside(session, info_);
    return why.isEmpty() ? why_no_picture() : why;
}

QString Panel::export_to(const QString& file) {
    const bool numbers = file.endsWith(".csv", Qt::CaseInsensitive);
    if (!numbers) {
        const QString why = why_no_figure();
        return why.isEmpty() ? Plate(*body_, *key_, plate_words()).write(file) : why;
    }
    const QByteArray text = csv();
    if (text.isEmpty()) {
        const QString why = why_no_figure();
        return why.isEmpty() ? tr("There are no numbers yet.") : why;
    }
    QSaveFile out(file);
    if (!out.open(QIODevice::WriteOnly) || out.write(text) != text.size() || !out.commit())
        return tr("%1 could not be written: %2").arg(file, out.errorString());
    return {};
}

// What it is, as comments, then the rows.
QByteArray Panel::csv() const {
    if (!needs_inside(session, info_).isEmpty()) return {};
    const TableData data = table();
    if (data.rows.empty()) return {};
    const Plate::Words words = plate_words();
    QByteArray text;
    for (const QString& line : {"klp " KLP_VERSION " · " + words.title + " · " + tr("model %1").arg(words.of) + " · " + words.badge.text, words.sentence})
        if (!line.isEmpty()) text += "# " + QString(line).replace(QRegularExpression("[\r\n]+"), " ").toUtf8() + "\r\n";
    return text + to_csv(data);
}

QString Panel::copy() {
    if (const QString why = why_no_figure(); !why.isEmpty()) return why;
    const Plate plate(*body_, *key_, plate_words());
    auto* data = new QMimeData;
    data->setImageData(plate.image());
    if (const QByteArray svg = plate.svg(); !svg.isEmpty()) data->setData("image/svg+xml", svg);
    QGuiApplication::clipboard()->setMimeData(data);
    return {};
}

}  // namespace klp::gui
