// The whole conversation from left to right: a strip of tokens in the colours of one number, and tracks under it. What is pinned, hovered and chosen as a range
// here is what every lens shows. Draws itself, at a cost of the pixels it has and not of the tokens there are.
#pragma once

#include <QPixmap>
#include <QWidget>
#include <optional>

#include "app/gui/draw/pyramid.h"
#include "app/gui/session/memory_model.h"
#include "app/gui/session/session.h"

namespace klp::gui {

class TimelineView : public QWidget {
    Q_OBJECT
public:
    explicit TimelineView(Session& session, QWidget* parent = nullptr);

    enum class Tint { update, entropy, probability };
    void set_tint(Tint tint);
    QString describe(int64_t position) const;  // of a token, on one line
    std::pair<double, double> view() const;    // positions at the left and right edge
    void zoom(double factor, double x);        // > 1: closer; what is at `x` stays there
    void show_all();
    int64_t token_at(double x) const;  // -1: none
    int tracks_shown() const;
    QSize minimumSizeHint() const override { return {200, 52}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    struct Track;
    void heard(const Event& event);
    void refresh();
    void render();
    void draw_strip(QPainter& p, const QRect& area) const;
    void draw_track(QPainter& p, const QRect& area, const Track& track) const;
    void draw_bytes(QPainter& p, const QRect& area) const;
    void label(QPainter& p, const QRect& area, const QString& text, const QString& top) const;
    void say_where();
    void ask_for_values(bool visible);
    void pin(int64_t position);
    void keep_in_view(int64_t position);
    double x_of(double position) const;
    double position_of(double x) const;
    const Pyramid& tint_values() const;
    const TokenRow& row(int64_t i) const { return session_.trace().row(i); }

    Session& session_;
    Pyramid speed_, norm_, norm_p95_, update_, entropy_, probability_;
    Tint tint_ = Tint::update;
    MemoryModel bytes_;
    int64_t size_ = 0, stale_from_ = 0;
    double first_ = 0, span_ = 0;  // what is shown when it is not all
    bool all_ = true;
    int top_track_ = 0;
    QPixmap picture_;
    bool stale_ = true;
    std::optional<double> pressed_, panned_;  // x where a drag began
    double panned_from_ = 0;
};

}  // namespace klp::gui
