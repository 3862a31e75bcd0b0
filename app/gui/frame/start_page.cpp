#include "app/gui/frame/start_page.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QStyle>
#include <QVBoxLayout>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/pieces.h"

namespace klp::gui {

namespace {

constexpr int kNarrow = 380;   // px of a card below which its button stands under the text
constexpr size_t kListed = 3;  // recordings besides the first; further ones are in a menu

QLabel* label(const QString& text, QWidget* parent, double scale = 1, bool muted = false) {
    auto* l = new QLabel(text, parent);
    l->setWordWrap(true);
    l->setTextFormat(Qt::PlainText);
    QFont font = l->font();
    font.setPointSizeF(font.pointSizeF() * scale);
    if (scale > 1.1) font.setWeight(QFont::DemiBold);
    l->setFont(font);
    if (muted) l->setForegroundRole(QPalette::PlaceholderText);
    return l;
}

// As wide as its text where there is room, and with dots where there is less.
class ElidedButton : public QPushButton {
public:
    ElidedButton(const QString& text, QWidget* parent) : QPushButton(text, parent), whole_(text) {
        setAutoDefault(true);
        setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    }
    QSize sizeHint() const override { return {fontMetrics().horizontalAdvance(whole_) + kAround, QPushButton::sizeHint().height()}; }
    QSize minimumSizeHint() const override { return {48, QPushButton::sizeHint().height()}; }

protected:
    void resizeEvent(QResizeEvent* event) override {
        QPushButton::resizeEvent(event);
        setText(fontMetrics().elidedText(whole_, Qt::ElideRight, std::max(10, width() - kAround + 2)));
    }

private:
    static constexpr int kAround = 24;
    QString whole_;
};

}  // namespace

Door::Door(const QString& title, const QString& said, const QString& button, QWidget* parent) : QFrame(parent) {
    setObjectName("door");
    setStyleSheet("QFrame#door { background: palette(base); border: 1px solid palette(mid); border-radius: 8px; }");
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 12, 16, 12);
    column->setSpacing(6);
    row_ = new QBoxLayout(QBoxLayout::LeftToRight);
    row_->setSpacing(10);
    auto* texts = new QVBoxLayout;
    texts->setSpacing(3);
    texts->addStretch(1);
    texts->addWidget(label(title, this, 1.2));
    text_ = label(said, this, 1, true);
    texts->addWidget(text_);
    texts->addStretch(1);
    row_->addLayout(texts, 1);
    button_ = new QPushButton(button, this);
    button_->setAccessibleName(title);
    button_->setAccessibleDescription(said);
    button_->setMinimumWidth(96);
    button_->setAutoDefault(true);  // Enter presses it too
    row_->addWidget(button_, 0, Qt::AlignVCenter);
    column->addLayout(row_);
    below_ = new QBoxLayout(QBoxLayout::LeftToRight);
    below_->setSpacing(6);
    column->addLayout(below_);
}

void Door::set_more(const std::vector<QWidget*>& buttons) {
    while (QLayoutItem* item = below_->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    for (QWidget* b : buttons) below_->addWidget(b);
    if (!buttons.empty()) below_->addStretch(1);
}

void Door::set_text(const QString& said) {
    text_->setText(said);
    button_->setAccessibleDescription(said);
}

void Door::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    const bool narrow = width() < kNarrow;
    const auto direction = narrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight;
    if (row_->direction() == direction) return;
    row_->setDirection(direction);
    row_->setAlignment(button_, narrow ? Qt::AlignLeft : Qt::AlignVCenter);
    below_->setDirection(direction);
}

StartPage::StartPage(const Machine& machine, const std::vector<RecordingInfo>& recordings, QWidget* parent) : QWidget(parent) {
    setObjectName("start-page");
    QWidget* centre = scrolling_page(this);
    auto* page = new QWidget(centre);
    page->setMaximumWidth(760);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(12, 10, 12, 10);
    column->setSpacing(10);
    column->addStretch(1);
    column->addWidget(label(tr("See how it remembers"), page, 1.8));
    column->addWidget(
        label(tr("Three of four layers of Kimi Linear keep a memory of constant size that forgets, channel by channel, at a pace it decides token by token. "
                 "Talk to a model and watch it happen."),
              page, 1, true));
    watch_ = new Door(tr("Watch a recorded run"), {}, tr("Watch"), page);
    connect(watch_->button(), &QPushButton::clicked, this, [this] { emit recording_asked(recordings_[0].file); });
    column->addWidget(watch_);
    talk_ = new Door(tr("Talk to the embedded model"),
                     tr("6 million parameters, trained on two CPU cores: a toy that answers in simple words and really remembers. It runs here, now."),
                     tr("Talk"), page);
    connect(talk_->button(), &QPushButton::clicked, this, &StartPage::embedded_asked);
    column->addWidget(talk_);
    auto* open =
        new Door(tr("Open a model"),
                 tr("A Kimi Linear checkpoint in the Hugging Face layout (config.json, safetensors, tiktoken.model or tokenizer.json), or a GGUF file."),
                 tr("Open…"), page);
    auto* ways = new QMenu(open);
    ways->addAction(tr("A folder…"), this, &StartPage::folder_asked);
    ways->addAction(tr("A GGUF file…"), this, &StartPage::gguf_asked);
    open->button()->setMenu(ways);
    column->addWidget(open);
    shelf_ = new Shelf(page);
    connect(shelf_, &Shelf::model_asked, this, &StartPage::model_asked);
    connect(shelf_, &Shelf::pull_asked, this, &StartPage::pull_asked);
    column->addWidget(shelf_);
    column->addWidget(card_of(machine));
    column->addStretch(2);
    auto* row = new QHBoxLayout(centre);
    row->setContentsMargins(0, 0, 0, 0);
    row->addStretch(1);
    row->addWidget(page, 100);
    row->addStretch(1);
    set_recordings(recordings);
}

void StartPage::set_recordings(const std::vector<RecordingInfo>& recordings) {
    recordings_ = recordings;
    const bool any = !recordings.empty();
    watch_->setVisible(any);
    for (Door* door : {watch_, talk_}) {
        door->button()->setProperty("primary", (door == watch_) == any);
        door->button()->style()->polish(door->button());
    }
    setFocusProxy((any ? watch_ : talk_)->button());
    watch_->set_more({});
    if (!any) return;
    watch_->set_text(recordings[0].title + (recordings[0].about.isEmpty() ? QString() : ". " + recordings[0].about));
    watch_->button()->setAccessibleName(tr("Watch %1").arg(recordings[0].title));
    std::vector<QWidget*> others;
    auto* tour = new ElidedButton(tr("Take the tour"), watch_);
    tour->setObjectName("take-tour");
    tour->setAccessibleName(tr("Take the tour, eight steps"));
    tour->setToolTip(tr("Eight steps over this run, at your pace; it can be left at any moment"));
    connect(tour, &QPushButton::clicked, this, &StartPage::tour_asked);
    others.push_back(tour);
    for (size_t i = 1; i <= std::min(recordings.size() - 1, kListed); ++i) {
        const RecordingInfo& r = recordings[i];
        auto* button = new ElidedButton(r.title, watch_);
        button->setObjectName("watch");
        button->setAccessibleName(tr("Watch %1").arg(r.title));
        button->setToolTip(r.title + (r.about.isEmpty() ? QString() : "\n" + r.about));
        connect(button, &QPushButton::clicked, this, [this, file = r.file] { emit recording_asked(file); });
        others.push_back(button);
    }
    if (recordings.size() - 1 > kListed) {
        auto* more = new QPushButton(tr("%1 more").arg(recordings.size() - 1 - kListed), watch_);
        more->setObjectName("more-recordings");
        more->setAccessibleName(tr("More recordings"));
        auto* list = new QMenu(more);
        list->setToolTipsVisible(true);
        for (size_t i = 1 + kListed; i < recordings.size(); ++i) {
            const QString title = list->fontMetrics().elidedText(recordings[i].title, Qt::ElideRight, 420);
            list->addAction(QString(title).replace('&', "&&"), this, [this, file = recordings[i].file] { emit recording_asked(file); })
                ->setToolTip(recordings[i].title);
        }
        more->setMenu(list);
        others.push_back(more);
    }
    watch_->set_more(others);
}

QPushButton* StartPage::first() const { return static_cast<QPushButton*>(focusProxy()); }

QWidget* StartPage::card_of(const Machine& m) {
    const auto text = [](const std::string& s) { return QString::fromStdString(s); };
    auto* frame = new QFrame(this);
    frame->setObjectName("card");
    auto* column = new QVBoxLayout(frame);
    column->setContentsMargins(16, 8, 16, 8);
    column->setSpacing(4);
    column->addWidget(label(tr("This machine"), frame, 1.2));
    QString here = tr("%1, %2, %3 instructions. %4 of %5 memory free.")
                       .arg(text(m.cpu), Language::tr("%Ln core(s)", nullptr, m.cores), text(m.instructions), local(bytes_text(m.memory.available)),
                            local(bytes_text(m.memory.total)));
    if (!m.gpu.empty()) here = sentences({here, tr("Runs on the CPU: %1.").arg(text(m.gpu))});
    column->addWidget(label(here, frame, 1, true));
    for (const NamedShape& shape : named_shapes()) {
        if (shape.name != "kimi-linear-48b") continue;
        QStringList needs;
        for (const char* type : {"bf16", "q8_0", "q4_k", "q2_k"}) {
            const int64_t bytes = needs_of(shape.config, type, 131072).total();
            needs << (bytes <= m.memory.available ? tr("%1 %2 (fits)") : QString("%1 %2")).arg(QString(type), local(bytes_text(bytes)));
        }
        column->addWidget(
            label(tr("Kimi-Linear-48B-A3B with 128k tokens of context needs, by how its weights are stored: %1.").arg(needs.join(", ")), frame, 1, true));
    }
    return frame;
}

}  // namespace klp::gui
