#include "app/gui/draw/pieces.h"

#include <QScreen>
#include <QScrollArea>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

namespace klp::gui {

QWidget* scrolling_page(QWidget* parent) {
    auto* outer = new QVBoxLayout(parent);
    outer->setContentsMargins(0, 0, 0, 0);
    auto* scroll = new QScrollArea(parent);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    outer->addWidget(scroll);
    auto* page = new QWidget(scroll);
    scroll->setWidget(page);
    return page;
}

QLabel* figures(QWidget* parent, const QString& name) {
    auto* label = new QLabel(parent);
    label->setTextFormat(Qt::RichText);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    label->setAccessibleName(name);
    return label;
}

QLabel* remark(QWidget* parent) {
    auto* label = new QLabel(parent);
    label->setWordWrap(true);
    label->setForegroundRole(QPalette::PlaceholderText);
    return label;
}

void fit_screen(QWidget& window) {
    if (window.isMaximized() || window.isFullScreen()) return;
    const QRect room = window.screen()->availableGeometry();
    const QSize frame = window.frameGeometry().size() - window.size();
    const QSize most = room.size() - frame;
    if (window.width() > most.width() || window.height() > most.height()) window.resize(window.size().boundedTo(most));
    const QRect now = window.frameGeometry();
    const QPoint at(std::clamp(now.x(), room.x(), std::max(room.x(), room.right() + 1 - now.width())),
                    std::clamp(now.y(), room.y(), std::max(room.y(), room.bottom() + 1 - now.height())));
    if (at != now.topLeft()) window.move(at);
}

void fit_screen_soon(QWidget& window) {
    QTimer::singleShot(250, &window, [&window] { fit_screen(window); });
}

}  // namespace klp::gui
