// What the timeline draws: the strip of tokens, the tracks under it, and a small map of all. Each has its name and key in a gutter at the left and the ends of
// its scale in one at the right, so that nothing lies on the data. It costs the pixels it has and not the tokens there are.
#pragma once

#include <QPainter>
#include <functional>
#include <vector>

#include "app/gui/draw/pyramid.h"
#include "app/gui/draw/theme.h"
#include "app/gui/frame/timeline_map.h"
#include "app/gui/session/memory_model.h"
#include "app/gui/session/session.h"

namespace klp::gui {

// The time of a frame at 60, 30 and 10 a second, in nanoseconds: what a token may take to be followed without waiting.
inline constexpr double kBudgets[] = {1e9 / 60, 1e9 / 30, 1e9 / 10};
QColor budget_colour(const Theme& theme, double nanoseconds);
// Round ends (1, 2 or 5 times a power of ten) of a log axis over [low, high], at least a factor of 4 apart.
std::pair<double, double> log_ends(double low, double high);
QString shown_text(const TokenRow& row);  // of a token, as one visible line

class TimelineTracks {
public:
    enum class Tint { update, entropy, probability };
    static constexpr int kCount = 4;
    explicit TimelineTracks(const Session& session);

    void set_model();                         // that the session has now
    void update(int64_t from, int64_t size);  // tokens from there on may have changed
    void set_tint(Tint tint) { tint_ = tint; }
    Tint tint() const { return tint_; }
    int64_t size() const { return size_; }

    struct Row {
        QRect gutter, data, scale;
    };
    void strip(QPainter& p, const Row& row, const TimelineMap& map, const QPalette& palette) const;
    void track(int index, QPainter& p, const Row& row, const TimelineMap& map, const QPalette& palette) const;
    void mini_map(QPainter& p, const Row& row, double first, double last, const QPalette& palette) const;  // with the part that is shown

private:
    struct Sample {
        enum Kind { box, line, dashes } kind;
        QColor colour;
        QString text;
    };
    void name(QPainter& p, const QRect& gutter, const QString& text, const std::vector<Sample>& key, const Theme& t) const;
    void ends(QPainter& p, const QRect& scale, const QString& top, const QString& bottom, const Theme& t) const;
    void times(QPainter& p, const Row& row, const TimelineMap& map, const Theme& t) const;
    void bytes(QPainter& p, const Row& row, const TimelineMap& map, const Theme& t) const;
    void line(QPainter& p, const QRect& area, const TimelineMap& map, const Pyramid& values, double top, const QColor& colour, bool dashed) const;
    void missing(QPainter& p, const QRect& area, const TimelineMap& map, bool of_times, const Theme& t) const;
    void colours(QImage& line, int row, double first, double last, const Theme& t) const;  // of stretches of tokens, one a pixel
    QRgb tint_of(double value, const Theme& t) const;
    const Pyramid& tinted() const;
    const TokenRow& row(int64_t i) const { return session_.trace().row(i); }

    const Session& session_;
    Pyramid time_, norm_, norm_p95_, update_, entropy_, probability_;
    Tint tint_ = Tint::update;
    MemoryModel bytes_;
    int64_t size_ = 0;
};

}  // namespace klp::gui
