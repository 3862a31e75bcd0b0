#include "app/gui/frame/banner.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>

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
    row->addLayout(texts, 1);
    auto* close = new QToolButton(this);
    close->setText("Dismiss");
    close->setAccessibleName("Dismiss the message");
    close->setAutoRaise(true);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    row->addWidget(close, 0, Qt::AlignTop);
    hide();
}

void Banner::say(const QString& what, const QString& advice, bool bad) {
    what_->setText(what);
    advice_->setText(advice);
    advice_->setVisible(!advice.isEmpty());
    bad_ = bad;
    setAccessibleName((bad ? "Problem: " : "Note: ") + what);
    paint();
    show();
}

QString Banner::text() const { return what_->text(); }

void Banner::paint() {
    const Theme& t = theme_of(QApplication::palette());  // its own one is the style sheet's
    const QString sheet = QString("QFrame#banner { background: %1; border: 1px solid %2; border-left: 4px solid %2; border-radius: 4px; }")
                              .arg(t.raised.name(), (bad_ ? t.bad : t.accent).name());
    if (styleSheet() != sheet) setStyleSheet(sheet);  // which changes the palette, which calls this
}

void Banner::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && isVisible()) paint();
}

}  // namespace klp::gui
