#include "app/gui/frame/banner.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "app/gui/draw/theme.h"

namespace klp::gui {

Banner::Banner(QWidget* parent) : QFrame(parent) {
    setObjectName("banner");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(12, 6, 6, 6);
    auto* texts = new QVBoxLayout;
    texts->setSpacing(2);
    what_ = new QLabel(this);
    advice_ = new QLabel(this);
    for (QLabel* l : {what_, advice_}) {
        l->setWordWrap(true);
        l->setTextInteractionFlags(Qt::TextSelectableByMouse);
        texts->addWidget(l);
    }
    what_->setTextFormat(Qt::PlainText);
    buttons_ = new QHBoxLayout;
    buttons_->setContentsMargins(0, 2, 0, 0);
    buttons_->setSpacing(6);
    buttons_->addStretch(1);
    texts->addLayout(buttons_);
    row->addLayout(texts, 1);
    auto* close = new QToolButton(this);
    close->setText(tr("Dismiss"));
    close->setAccessibleName(tr("Dismiss the message"));
    close->setToolTip(tr("Dismiss the message (Esc)"));
    close->setAutoRaise(true);
    connect(close, &QToolButton::clicked, this, &Banner::dismiss);
    row->addWidget(close, 0, Qt::AlignTop);
    hide();
}

void Banner::say(const Notice& notice) {
    std::erase_if(notices_, [&](const Notice& n) { return !n.holds || n.what == notice.what; });
    notices_.push_back(notice);
    show_newest();
}

void Banner::look_again() {
    const size_t before = notices_.size();
    std::erase_if(notices_, [](const Notice& n) { return n.holds && !n.holds(); });
    if (notices_.size() != before) show_newest();
}

void Banner::messages_changed() {
    if (std::erase_if(notices_, [](const Notice& n) { return !n.holds && !n.bad; }) > 0) show_newest();
    look_again();
}

void Banner::went_right() {
    if (std::erase_if(notices_, [](const Notice& n) { return !n.holds && n.bad; }) > 0) show_newest();
    look_again();
}

void Banner::dismiss() {
    if (!notices_.empty()) notices_.pop_back();
    show_newest();
}

void Banner::show_newest() {
    while (buttons_->count() > 1) {  // not at once: it may be the one that is being pressed
        QLayoutItem* item = buttons_->takeAt(0);
        item->widget()->hide();
        item->widget()->deleteLater();
        delete item;
    }
    if (notices_.empty()) {
        hide();
        return emit changed();
    }
    const Notice& notice = notices_.back();
    what_->setText(notice.what);
    advice_->setText(notice.advice);
    advice_->setVisible(!notice.advice.isEmpty());
    for (const Notice::Action& action : notice.actions) {
        auto* button = new QPushButton(action.text, this);
        button->setObjectName("banner-action");
        button->setAccessibleName(action.text);
        button->setAutoDefault(false);
        connect(button, &QPushButton::clicked, this, [this, go = action.go, what = notice.what] {  // done is done: the sentence goes with it
            std::erase_if(notices_, [&](const Notice& n) { return n.what == what; });
            show_newest();
            go();
        });
        buttons_->insertWidget(buttons_->count() - 1, button);
    }
    setAccessibleName((notice.bad ? tr("Problem: %1") : tr("Note: %1")).arg(notice.what));
    paint();
    show();
    emit changed();
}

QString Banner::text() const { return notices_.empty() ? QString() : notices_.back().what; }

void Banner::paint() {
    const Theme& t = theme_of(QApplication::palette());  // its own one is the style sheet's
    const bool bad = !notices_.empty() && notices_.back().bad;
    const QString sheet = QString("QFrame#banner { background: %1; border: 1px solid %2; border-left: 4px solid %2; border-radius: 4px; }")
                              .arg(t.raised.name(), (bad ? t.bad : t.accent).name());
    if (styleSheet() != sheet) setStyleSheet(sheet);  // which changes the palette, which calls this
}

void Banner::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && isVisible()) paint();
}

}  // namespace klp::gui
