#include "app/gui/frame/timeline.h"

#include <functional>
#include <tuple>

#include <QComboBox>
#include <QHBoxLayout>
#include <QToolButton>
#include <QVBoxLayout>

#include "app/gui/draw/figure.h"
#include "app/gui/draw/theme.h"
#include "app/gui/frame/timeline_view.h"
#include "app/gui/session/range.h"
#include "app/gui/session/session.h"

namespace klp::gui {

Timeline::Timeline(Session& session, QWidget* parent, const Chats* chats)
    : QWidget(parent), session_(session), view_(new TimelineView(session, this, chats)), where_(new Figure(this, false)), tint_(new QComboBox(this)) {
    setObjectName("timeline");
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 2, 8, 6);
    column->setSpacing(3);
    auto* row = new QHBoxLayout;
    row->setSpacing(6);
    where_->setForegroundRole(QPalette::PlaceholderText);
    row->addWidget(where_, 1);
    const auto about_range = [&](const QString& text, const QString& tip, std::function<void()> what) {
        auto* button = new QToolButton(this);
        button->setText(text);
        button->setAccessibleName(tip);
        button->setToolTip(tip);
        button->setAutoRaise(true);
        connect(button, &QToolButton::clicked, this, [what] { what(); });
        row->addWidget(button);
        return button;
    };
    to_range_ = about_range(tr("Zoom to it"), tr("Show the chosen range alone (R)"), [this] {
        const auto [first, last] = session_.selection().range();
        view_->zoom_to(first, last);
    });
    no_range_ =
        about_range(tr("Let go"), tr("Let go of the chosen range: every lens shows all tokens again"), [this] { session_.selection().set_range(0, 0); });
    tint_->addItems({tr("update norm"), tr("entropy"), tr("probability")});
    tint_->setAccessibleName(tr("What the colours of the tokens show: how much each wrote (its surprise), how open the choice was, or how probable the token"));
    tint_->setToolTip(tr("What the colours of the tokens show: how much each wrote (its surprise), how open the choice was, or how probable the token"));
    connect(tint_, &QComboBox::currentIndexChanged, view_, [this](int i) { view_->set_tint(static_cast<TimelineView::Tint>(i)); });
    row->addWidget(tint_);
    for (const auto& [text, name, what] :
         {std::tuple(QString("−"), tr("Zoom out"), 1 / 1.5), {"+", tr("Zoom in"), 1.5}, {tr("All"), tr("Show all tokens"), 0.0}}) {
        auto* button = new QToolButton(this);
        button->setText(text);
        button->setAccessibleName(name);
        button->setToolTip(name);
        button->setAutoRaise(true);
        connect(button, &QToolButton::clicked, view_, [this, factor = what] {
            if (factor > 0)
                view_->zoom(factor, view_->width() / 2.0);
            else
                view_->show_all();
        });
        row->addWidget(button);
    }
    column->addLayout(row);
    column->addWidget(view_, 1);
    connect(&session, &Session::drained, this, &Timeline::refresh);
    connect(&session.selection(), &Selection::changed, this, &Timeline::refresh);
    connect(&session.selection(), &Selection::hover_changed, this, &Timeline::refresh);
    refresh();
}

void Timeline::refresh() {
    const Selection& sel = session_.selection();
    const int64_t at = sel.hovered() >= 0 ? sel.hovered() : session_.current_token();
    QString text = at >= 0 ? view_->describe(at) : QString();
    if (sel.ranged() && sel.hovered() < 0) text = range_text(session_.trace(), sel.range());
    where_->setText(text);
    for (QToolButton* button : {to_range_, no_range_}) button->setVisible(sel.ranged());
}

}  // namespace klp::gui
