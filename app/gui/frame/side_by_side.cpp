#include "app/gui/frame/side_by_side.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/chat/chat_view.h"
#include "app/gui/chat/tint.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "app/gui/panels/panels.h"

namespace klp::gui {

namespace {

const QColor& of_model(const QPalette& palette) { return theme_of(palette).hybrid; }
const QColor& of_other(const QPalette& palette) { return theme_of(palette).twin; }

class Dot final : public QWidget {  // in the colour of its side
public:
    Dot(const QColor& (*colour)(const QPalette&), QWidget* parent) : QWidget(parent), colour_(colour) { setFixedSize(10, 10); }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter p(this);
        p.setRenderHint(QPainter::Antialiasing);
        p.setPen(Qt::NoPen);
        p.setBrush(colour_(palette()));
        p.drawEllipse(rect().adjusted(1, 1, -1, -1));
    }

private:
    const QColor& (*colour_)(const QPalette&);
};

bool of_one_side(const PanelRow& row) { return std::string_view(row.info.id) != "race" && std::string_view(row.info.id) != "log"; }

}  // namespace

SideColumn::SideColumn(Session& session, const QString& name, const QColor& (*colour)(const QPalette&), QWidget* parent)
    : QWidget(parent),
      session_(session),
      name_(new QLabel(name, this)),
      vitals_(new Figure(this, false)),
      lenses_(new QComboBox(this)),
      halves_(new QSplitter(Qt::Vertical, this)) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    auto* head = head_ = new QHBoxLayout;
    head->setContentsMargins(6, 0, 4, 0);
    head->setSpacing(6);
    head->addWidget(new Dot(colour, this));
    QFont bold = font();
    bold.setBold(true);
    name_->setFont(bold);
    name_->setObjectName("side-name");
    name_->setTextFormat(Qt::PlainText);
    name_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    name_->setToolTip(name);
    head->addWidget(name_, 1);
    lenses_->setObjectName("side-lens");
    lenses_->setAccessibleName(tr("Lens of this side"));
    lenses_->addItem(tr("No lens"), QString());
    for (const PanelRow& row : panels())
        if (of_one_side(row)) lenses_->addItem(Panel::tr(row.info.title), QString(row.info.id));
    connect(lenses_, &QComboBox::currentIndexChanged, this, [this] { choose_lens(lenses_->currentData().toString()); });
    head->addWidget(lenses_);
    column->addLayout(head);
    vitals_->setObjectName("side-vitals");
    vitals_->setAccessibleName(tr("Vitals of this side"));
    vitals_->setForegroundRole(QPalette::PlaceholderText);
    auto* line = new QHBoxLayout;
    line->setContentsMargins(6, 0, 4, 0);
    line->addWidget(vitals_);
    column->addLayout(line);
    halves_->setChildrenCollapsible(false);
    halves_->setHandleWidth(6);
    column->addWidget(halves_, 1);
    connect(&session, &Session::token_made, this, [this](const TokenMade& e) {
        if (std::exchange(answer_, e.answer) != e.answer)
            nanoseconds_ = 0, tokens_ = 0;  // the first token's time is its prompt's
        else
            nanoseconds_ += e.nanoseconds;
        ++tokens_;
    });
    connect(&session, &Session::drained, this, &SideColumn::refresh);
    refresh();
}

SideColumn::~SideColumn() { delete std::exchange(lens_, nullptr); }  // before its session may go

QToolButton* SideColumn::add_close() {
    auto* close = new QToolButton(this);
    close->setObjectName("side-close");
    close->setText("✕");
    close->setToolTip(tr("Back to one"));
    close->setAccessibleName(tr("Back to one"));
    close->setAutoRaise(true);
    head_->addWidget(close);
    return close;
}

void SideColumn::set_words(QWidget* words) {
    words_ = words;
    halves_->insertWidget(0, words);
    halves_->setStretchFactor(0, 1);
    words->show();
}

QWidget* SideColumn::take_words() {
    QWidget* words = std::exchange(words_, nullptr);
    if (words) words->setParent(nullptr);
    return words;
}

void SideColumn::choose_lens(const QString& id) {
    if (const int at = lenses_->findData(id); at >= 0 && at != lenses_->currentIndex()) return lenses_->setCurrentIndex(at);  // and here again
    delete std::exchange(lens_, nullptr);
    for (const PanelRow& row : panels())
        if (of_one_side(row) && id == row.info.id) {
            lens_ = row.make(session_, row.info);
            halves_->addWidget(lens_);
            halves_->setStretchFactor(1, 1);
            lens_->show();
            halves_->setSizes({450, 550});  // in proportion, on both sides alike
        }
}

QString SideColumn::vitals() const { return vitals_->text(); }

void SideColumn::refresh() {
    const MemoryUse use = session_.memory();
    const double speed = session_.tokens_per_second();
    QStringList parts{tr("%1 tokens/s").arg(std::isnan(speed) ? QStringLiteral("–") : local(short_number(speed)))};
    if (tokens_ > 0) parts << tr("%1 in %2").arg(tokens_text(tokens_), local(duration_text(static_cast<double>(nanoseconds_))));
    parts << tr("state %1").arg(local(bytes_text(use.state + use.conv))) << tr("cache %1").arg(local(bytes_text(use.cache)));
    vitals_->setText(parts.join(" · "));
    vitals_->setToolTip(tr("Tokens a second, the time that the answer's passes took, and the memory that this side holds"));
}

SideBySide::SideBySide(Session& session, Chats& chats, ChatView& view, LiveRun& run, const What& what, QWidget* parent)
    : QWidget(parent), main_(session), chats_(chats), view_(view), what_(what) {
    setObjectName("side-by-side");
    const bool twin = what.kind == What::Kind::twin;
    side_session_ = std::make_unique<Session>(run.beside(twin));
    side_chats_ = std::make_unique<Chats>(*side_session_);
    const QString other = twin                             ? tr("The full-attention twin")
                          : what.kind == What::Kind::plain ? tr("Without hands")
                          : what.kind == What::Kind::chat  ? QString::fromStdString(what.chat->info().title)
                                                           : tr("The other branch");
    left_ = new SideColumn(main_, twin && main_.card() ? QString::fromStdString(main_.card()->name) : tr("This chat"), of_model, this);
    right_ = new SideColumn(*side_session_, other, of_other, this);
    connect(right_->add_close(), &QToolButton::clicked, this, &SideBySide::over);
    words_ = new MessageList(*side_chats_, right_);
    tints_ = new Tints(*side_chats_, this);
    words_->set_tints(tints_);
    connect(&view.tints(), &Tints::changed, tints_, [this] { tints_->choose(view_.tints().now()); });
    auto* both = new QSplitter(Qt::Horizontal, this);
    both->setChildrenCollapsible(false);
    both->setHandleWidth(8);
    both->addWidget(left_), both->addWidget(right_);
    both->setStretchFactor(0, 1), both->setStretchFactor(1, 1);
    both->setSizes({1000, 1000});
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(6);
    column->addWidget(both, 1);
    view.lend_composer(*column);
    left_->set_words(&view);
    right_->set_words(words_);

    connect(side_chats_.get(), &Chats::line_changed, words_, &MessageList::set_line);
    connect(side_chats_.get(), &Chats::grew, words_, &MessageList::grow);
    connect(side_chats_.get(), &Chats::message_changed, words_, &MessageList::refresh);
    connect(side_chats_.get(), &Chats::state_changed, words_, [this] { words_->refresh(0); });
    connect(side_session_.get(), &Session::noticed, this, [this](const QString&, const QString&, bool, const Notice& notice) { main_.say(notice); });
    connect(side_session_.get(), &Session::troubled, this, [this](const Trouble& t) {
        if (!begun_) main_.say(QString::fromStdString(t.error.message) + ".", {}, false), emit over();  // there is no twin, say
    });
    connect(side_session_.get(), &Session::card_changed, this, [this] {
        if (!side_session_->card()) return;
        begun_ = true;
        copy_line();
        chats_.set_beside(side_chats_.get());
        tints_->choose(view_.tints().now());
    });
    connect(&main_, &Session::card_changed, this, [this] { emit over(); });
    connect(&main_, &Session::pace_changed, this, [this] { side_session_->set_pace(main_.pace()); });
    side_session_->set_pace(main_.pace());
    connect(&chats_, &Chats::line_changed, this, [this] {
        if (begun_ && &chats_.chat() != shown_ && what_.kind != What::Kind::chat && !chats_.recorded()) copy_line();  // the other side follows
    });
    side_session_->post(LoadModel{});
}

SideBySide::~SideBySide() {
    chats_.set_beside(nullptr);
    chats_.disconnect(this);
    main_.disconnect(this);
    side_session_->disconnect(this);
    delete std::exchange(left_, nullptr);
    delete std::exchange(right_, nullptr);
    delete std::exchange(tints_, nullptr);
}

void SideBySide::give_back(QVBoxLayout& to) {
    view_.take_composer();
    left_->take_words();
    to.addWidget(&view_, 1);
    view_.show();
}

// The other side begins with what was said here, or with its own.
void SideBySide::copy_line() {
    const bool first = !std::exchange(shown_, &chats_.chat());
    if (what_.kind == What::Kind::chat && first)
        side_chats_->begin_as(*what_.chat, what_.chat->tip(), true);
    else if (what_.kind == What::Kind::branch && first)
        side_chats_->begin_as(chats_.chat(), what_.tip, true);
    else if (what_.kind != What::Kind::chat)
        side_chats_->begin_as(chats_.chat(), chats_.chat().tip(), false);
}

}  // namespace klp::gui
