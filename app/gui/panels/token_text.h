// The words of the context, coloured by what one head reads.
#pragma once

#include <QAbstractScrollArea>
#include <functional>
#include <vector>

#include "app/gui/draw/drawn.h"
#include "app/gui/panels/reads.h"
#include "app/gui/session/session.h"

namespace klp::gui {

// The words of the context, each on the colour of its weight. Of a long one the places that are read most, and the end.
class TokenText final : public QAbstractScrollArea, public Drawn {
public:
    TokenText(Session& session, QWidget* parent);
    std::function<void(int64_t)> hovered, clicked;
    std::function<QString(int64_t)> describe;
    using Parts = std::vector<std::pair<int64_t, int64_t>>;  // positions [first, end), ascending; they may overlap
    void show(const Reads& reads, const Parts& parts);
    void bring(int64_t position);  // into sight
    QSize sizeHint() const override { return {400, 240}; }
    void draw(QPainter& p) override;
    int drawn_height(int height) const override;

protected:
    void paintEvent(QPaintEvent*) override;
    void resizeEvent(QResizeEvent*) override { place(); }
    void changeEvent(QEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override { hovered(at(event->pos())); }
    void mousePressEvent(QMouseEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    struct Piece {
        int64_t position;  // -1: what is left out
        QString text;
        QRect box;
        bool control = false, ends_line = false;
    };
    void draw_piece(QPainter& p, const Piece& piece, int64_t hovered) const;
    void choose(const Parts& parts);
    void place();
    int64_t at(QPoint p) const;
    Session& session_;
    const Reads* reads_ = nullptr;
    int64_t position_ = -1;
    std::vector<Piece> pieces_;
};

}  // namespace klp::gui
