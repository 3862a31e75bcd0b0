// The whole conversation from left to right: a strip of tokens in the colours of one number, and tracks under it. What is pinned, hovered and chosen as a range
// here is what every lens shows.
#pragma once

#include <QPixmap>
#include <QWidget>
#include <optional>

#include "app/gui/frame/timeline_marks.h"
#include "app/gui/frame/timeline_tracks.h"

namespace klp::gui {

class TimelineView : public QWidget {
    Q_OBJECT
public:
    // `chats` knows the branches; null: none are marked.
    explicit TimelineView(Session& session, QWidget* parent = nullptr, const Chats* chats = nullptr);

    using Tint = TimelineTracks::Tint;
    void set_tint(Tint tint);
    QString describe(int64_t position) const;  // of a token, on one line
    std::pair<double, double> view() const;    // positions at the left and right edge of the data
    TimelineMap map() const;
    void zoom(double factor, double x);  // > 1: closer; what is at `x` stays there
    void zoom_to(int64_t first, int64_t last);
    void show_all();
    int64_t token_at(double x) const;  // -1: none
    int tracks_shown() const;
    int64_t tokens() const { return tracks_.size(); }  // that are drawn
    const std::vector<TimelineMark>& marks() const { return marks_; }
    QRect mini_map() const;  // empty while all is shown
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
    void heard(const Event& event);
    void refresh();
    void refresh_marks();
    void render();
    void draw_marks(QPainter& p) const;
    void draw_chosen(QPainter& p) const;
    TimelineTracks::Row row_of(int top, int height) const;
    QString mark_at(const QPointF& at) const;
    void say_where();
    void ask_for_values(bool visible);
    void pin(int64_t position);
    void keep_in_view(int64_t position);
    void go_to(double first);                                                                   // the left edge of what is shown
    double most() const { return std::max(0.0, static_cast<double>(tracks_.size()) - span_); }  // of that

    Session& session_;
    const Chats* chats_;
    TimelineTracks tracks_;
    std::vector<TimelineMark> marks_;
    int64_t stale_from_ = 0;
    double first_ = 0, span_ = 0;  // what is shown when it is not all
    bool all_ = true;
    int top_track_ = 0;
    QPixmap picture_;
    bool stale_ = true, marks_stale_ = true;
    std::optional<double> pressed_, panned_;  // x where a drag began
    bool mapped_ = false;                     // it began on the map of all
    double panned_from_ = 0;
};

}  // namespace klp::gui
