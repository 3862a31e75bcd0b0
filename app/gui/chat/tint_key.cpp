#include "app/gui/chat/tint_key.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>

namespace klp::gui {

namespace {

class Ramp final : public QWidget {
public:
    Ramp(const Tints& tints, QWidget* parent) : QWidget(parent), tints_(tints) { setFixedSize(96, 12); }

protected:
    void paintEvent(QPaintEvent*) override {
        const Theme& t = theme_of(palette());
        QPainter p(this);
        for (int x = 0; x < width(); ++x) p.fillRect(x, 0, 1, height(), tint_colour(tints_.now(), x / double(width() - 1), t, t.panel));
        p.setPen(t.border);
        p.drawRect(rect().adjusted(0, 0, -1, -1));
    }

private:
    const Tints& tints_;
};

}  // namespace

TintKey::TintKey(Tints& tints, QWidget* parent) : QWidget(parent), tints_(tints), text_(new QLabel(this)), ramp_(new Ramp(tints, this)) {
    setObjectName("tint-key");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(6, 0, 4, 0);
    row->setSpacing(8);
    row->addWidget(ramp_, 0, Qt::AlignTop);
    text_->setObjectName("tint-said");
    text_->setWordWrap(true);
    text_->setTextFormat(Qt::PlainText);
    text_->setForegroundRole(QPalette::PlaceholderText);
    row->addWidget(text_, 1);
    connect(&tints, &Tints::changed, this, &TintKey::refresh);
    refresh();
}

QString TintKey::said() const { return text_->text(); }

void TintKey::refresh() {
    setVisible(tints_.now() != Tint::none);
    const QString unknown = tints_.unknown();
    const QString text = tr("%1; %2.").arg(tints_.title(), tints_.range()) + (unknown.isEmpty() ? QString() : " " + unknown);
    if (text != text_->text()) text_->setText(text);
    ramp_->setFixedHeight(fontMetrics().height() - 2);
    ramp_->update();
}

}  // namespace klp::gui
