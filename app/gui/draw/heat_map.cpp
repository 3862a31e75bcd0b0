#include "app/gui/draw/heat_map.h"

#include <QAccessible>
#include <QHelpEvent>
#include <QLinearGradient>
#include <QMouseEvent>
#include <QPaintEngine>
#include <QPainter>
#include <QPainterPath>
#include <QToolTip>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>

#include "app/gui/draw/language.h"
#include "app/gui/draw/strokes.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

constexpr int kMarginal = 22;                             // pixels of the bars above and beside
constexpr int kBar = 10, kBeforeBar = 10, kAfterBar = 5;  // pixels of the legend
// log2 of x > 0, good to a hundredth: less than one colour of a scale of two octaves, and a tenth of the time of the exact one.
inline float about_log2(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    const float m = std::bit_cast<float>((bits & 0x7FFFFFu) | 0x3F800000u);
    return static_cast<float>(static_cast<int>(bits >> 23) - 128) + (-m / 3 + 2) * m - 2.0f / 3;
}

constexpr int kTile = 8;  // cells at least this large stand apart by a pixel

bool stronger(float a, float b) { return std::isnan(a) || a == HeatMap::kBlank || (!std::isnan(b) && b != HeatMap::kBlank && std::abs(b) > std::abs(a)); }

}  // namespace

HeatMap::HeatMap(QWidget* parent) : QWidget(parent), empty_(tr("Nothing yet.")) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void HeatMap::changed(bool layout) {
    unarranged_ = unarranged_ || layout;
    stale_ = true;
    update();
}

void HeatMap::set_values(int rows, int columns, std::vector<float> values) {
    const bool other = rows != rows_ || columns != columns_;
    rows_ = rows, columns_ = columns, values_ = std::move(values);
    if (chosen_.x() >= columns_ || chosen_.y() >= rows_) chosen_ = {-1, -1};
    if (hover_.x() >= columns_ || hover_.y() >= rows_) point_at(-1, -1);
    changed(other);
}

void HeatMap::set_scale(HeatScale scale) {
    if (scale == scale_) return;
    scale_ = std::move(scale);
    changed(true);
}

void HeatMap::set_labels(std::function<QString(int)> row, std::function<QString(int)> column, QString rows_are, QString columns_are) {
    row_label_ = std::move(row), column_label_ = std::move(column), rows_are_ = std::move(rows_are), columns_are_ = std::move(columns_are);
    changed(true);
}

void HeatMap::set_groups(std::vector<int> first_rows) {
    if (groups_ == first_rows) return;
    groups_ = std::move(first_rows);
    changed(false);
}

void HeatMap::set_chosen(int row, int column) {
    if (chosen_ == QPoint(column, row)) return;
    chosen_ = {column, row};
    update();
}

void HeatMap::set_dots(std::vector<QPoint> cells) {
    if (dots_ == cells) return;
    dots_ = std::move(cells);
    update();
}

void HeatMap::set_empty(const QString& sentence) {
    if (empty_ == sentence) return;
    empty_ = sentence;
    update();
}

void HeatMap::set_square(bool on) {
    square_ = on;
    changed(true);
}

void HeatMap::set_marginals(bool on) {
    marginals_ = on;
    changed(true);
}

double HeatMap::place(float v) const {
    if (scale_.kind == HeatScale::Kind::diverging) return 0.5 + 0.5 * std::clamp(v / std::max(scale_.high, 1e-30f), -1.0f, 1.0f);
    if (scale_.log) {
        const float low = std::log(std::max(scale_.low, 1e-30f)), high = std::log(std::max(scale_.high, 1e-30f));
        return std::clamp((std::log(std::max(v, 1e-30f)) - low) / std::max(high - low, 1e-12f), 0.0f, 1.0f);
    }
    return std::clamp(double(v - scale_.low) / std::max(double(scale_.high) - scale_.low, 1e-30), 0.0, 1.0);
}

std::vector<std::pair<float, QString>> HeatMap::ticks() const {
    if (!scale_.ticks.empty()) return scale_.ticks;
    const auto number = [](float v) { return local(QString::number(double(v), 'g', 3).toStdString()).replace('-', QChar(0x2212)); };
    if (scale_.kind == HeatScale::Kind::diverging) return {{-scale_.high, number(-scale_.high)}, {0.f, "0"}, {scale_.high, number(scale_.high)}};
    return {{scale_.low, number(scale_.low)}, {scale_.high, number(scale_.high)}};
}

void HeatMap::arrange() {
    unarranged_ = false;
    words_ = {};
    const QFontMetrics m(font());
    const auto texts = [&](const auto& label, int n) {
        std::vector<QString> all;
        for (int i = 0; label && i < n; ++i) all.push_back(label(i));
        return all;
    };
    row_texts_ = texts(row_label_, rows_), column_texts_ = texts(column_label_, columns_);
    QString longest;
    for (const QString& text : row_texts_)
        if (text.size() > longest.size()) longest = text;
    const int left = (rows_are_.isEmpty() ? 0 : m.height() + 3) + (longest.isEmpty() ? 0 : m.horizontalAdvance(longest) + 9);
    const int under = (column_texts_.empty() ? 0 : m.height() + 5) + (columns_are_.isEmpty() && scale_.unit.isEmpty() ? 0 : m.height());
    const int marginal = marginals_ ? kMarginal : 0;
    const int above = std::max(m.height() / 2 + 1, marginal), high = std::max(1, height() - above - under - 2);

    const auto marks = ticks();
    int wide = m.horizontalAdvance(scale_.unit) - kBar;
    for (const auto& [_, text] : marks) wide = std::max(wide, m.horizontalAdvance(text));
    bands_fit_ = scale_.bands.size() == marks.size() + 1;
    for (size_t i = 0; bands_fit_ && i < scale_.bands.size(); ++i) {
        const double from = i == 0 ? 0 : place(marks[i - 1].first), to = i == marks.size() ? 1 : place(marks[i].first);
        const double lines = i == 0 || i == marks.size() ? 1.5 : 2;
        bands_fit_ = (to - from) * high >= lines * m.height() - 4;
    }
    if (bands_fit_)
        for (const QString& name : scale_.bands) wide = std::max(wide, m.horizontalAdvance(name));
    const int right = kBeforeBar + kBar + kAfterBar + wide + 2;

    grid_ = {left + 1, above, std::max(1, width() - left - right - marginal - 2), high};
    if (square_ && rows_ > 0 && columns_ > 0) {
        const double exact = std::min(double(grid_.width()) / columns_, double(grid_.height()) / rows_);
        const double cell = exact >= 1 && std::floor(exact) > 0.88 * exact ? std::floor(exact) : exact;
        const QSize size(std::max(1, static_cast<int>(cell * columns_)), std::max(1, static_cast<int>(cell * rows_)));
        grid_ = {grid_.left() + (grid_.width() - size.width()) / 2, above, size.width(), size.height()};
    }
    legend_ = {grid_.right() + 1 + kBeforeBar + marginal, grid_.top(), kBar, std::max(std::min(60, high), grid_.height())};
}

void HeatMap::colour(double ratio) {
    stale_ = false;
    const Theme& t = theme_of(palette());
    const bool diverging = scale_.kind == HeatScale::Kind::diverging;
    const auto& colours = diverging ? diverging_map(t.dark) : sequential_map();
    const int wide = std::max(1, static_cast<int>(std::lround(grid_.width() * ratio))),
              high = std::max(1, static_cast<int>(std::lround(grid_.height() * ratio)));
    if (image_.width() != wide || image_.height() != high) image_ = QImage(wide, high, QImage::Format_RGB32);
    const int tile = static_cast<int>(kTile * ratio), gap = std::max(1, static_cast<int>(ratio));
    const int across = wide >= tile * columns_ ? gap : 0, down = high >= tile * rows_ ? gap : 0;
    const int shown = std::min(columns_, wide);  // columns after those below a pixel are joined
    const QRgb window = t.window.rgb(), hatch = t.border.rgb(), ground = t.raised.rgb();
    const QRgb kHatched = 0, kNothing = 1;  // no alpha: no colour of a map

    // The same as place(), with what is constant taken out of the loop.
    const float low = scale_.log ? std::log2(std::max(scale_.low, 1e-30f)) : scale_.low;
    const float span = std::max(scale_.log ? std::log2(std::max(scale_.high, 1e-30f)) - low : scale_.high - low, 1e-30f);
    const auto colour_of = [&](float v) {
        if (std::isnan(v)) return kHatched;
        if (v == kBlank) return kNothing;
        const float at = diverging    ? 0.5f + 0.5f * std::clamp(v / std::max(scale_.high, 1e-30f), -1.0f, 1.0f)
                         : scale_.log ? std::clamp((about_log2(std::max(v, 1e-30f)) - low) / span, 0.0f, 1.0f)
                                      : std::clamp((v - low) / span, 0.0f, 1.0f);
        return colours[static_cast<size_t>(255 * at + 0.5f)];
    };

    std::vector<QRgb> cells(static_cast<size_t>(shown));
    for (int y = 0, r0 = 0; y < high;) {
        // Lines y .. next show rows r0 .. r1.
        const int r1 = std::max(r0 + 1, static_cast<int>(int64_t{y + 1} * rows_ / high));
        const int next = std::max(y + 1, static_cast<int>((int64_t{r1} * high + rows_ - 1) / rows_));
        if (r1 - r0 == 1 && shown == columns_) {
            for (int x = 0; x < shown; ++x) cells[static_cast<size_t>(x)] = colour_of(value(r0, x));
        } else {
            for (int x = 0; x < shown; ++x) {
                const int c0 = static_cast<int>(int64_t{x} * columns_ / shown), c1 = static_cast<int>(int64_t{x + 1} * columns_ / shown);
                float best = value(r0, c0);
                for (int r = r0; r < r1; ++r)
                    for (int c = c0; c < c1; ++c)
                        if (const float v = value(r, c); stronger(best, v)) best = v;
                cells[static_cast<size_t>(x)] = colour_of(best);
            }
        }
        auto* first = reinterpret_cast<QRgb*>(image_.scanLine(y));
        bool hatched = false;
        for (int x = 0; x < shown; ++x) {
            const int from = static_cast<int>(int64_t{x} * wide / shown), to = static_cast<int>(int64_t{x + 1} * wide / shown);
            const QRgb c = cells[static_cast<size_t>(x)];
            hatched = hatched || c == kHatched;
            std::fill(first + from, first + to, c == kNothing ? window : c);
            if (across > 0 && x + 1 < shown) std::fill(first + to - across, first + to, window);
        }
        const int end = std::min(next, high);
        for (int line = y + 1; line < end; ++line) std::memcpy(image_.scanLine(line), first, static_cast<size_t>(wide) * sizeof(QRgb));
        if (hatched)
            for (int line = y; line < end; ++line) {
                auto* p = reinterpret_cast<QRgb*>(image_.scanLine(line));
                for (int x = 0; x < wide; ++x)
                    if (p[x] == kHatched) p[x] = (x + line) % static_cast<int>(6 * ratio) < ratio ? hatch : ground;
            }
        if (down > 0 && end < high && end - y > down)
            for (int line = end - down; line < end; ++line) std::fill_n(reinterpret_cast<QRgb*>(image_.scanLine(line)), wide, window);
        y = end, r0 = r1;
    }
    for (int row : groups_) {
        if (row <= 0 || row >= rows_) continue;
        const int middle = static_cast<int>(int64_t{row} * high / rows_);
        for (int line = std::max(0, middle - gap); line < std::min(high, middle + (down > 0 ? gap : 0)); ++line)
            std::fill_n(reinterpret_cast<QRgb*>(image_.scanLine(line)), wide, window);
    }
    image_.setDevicePixelRatio(ratio);
}

QRectF HeatMap::rect_of(int row, int column) const {
    const double w = double(grid_.width()) / std::max(1, columns_), h = double(grid_.height()) / std::max(1, rows_);
    return {grid_.left() + column * w, grid_.top() + row * h, w, h};
}

QPoint HeatMap::cell_at(QPointF p) const {
    if (rows_ == 0 || columns_ == 0 || unarranged_ || !QRectF(grid_).contains(p)) return {-1, -1};
    const QPoint cell(std::min(columns_ - 1, static_cast<int>((p.x() - grid_.left()) * columns_ / grid_.width())),
                      std::min(rows_ - 1, static_cast<int>((p.y() - grid_.top()) * rows_ / grid_.height())));
    return value(cell.y(), cell.x()) == kBlank ? QPoint(-1, -1) : cell;
}

void HeatMap::paintEvent(QPaintEvent*) {
    QPainter p(this);
    const Theme& t = theme_of(palette());
    const auto focus = [&] {
        if (!hasFocus()) return;
        p.setBrush(Qt::NoBrush);
        p.setPen(QPen(t.accent, 1, Qt::DotLine));
        p.drawRect(rect().adjusted(0, 0, -1, -1));
    };
    if (rows_ == 0 || columns_ == 0) {
        p.setPen(t.muted);
        p.drawText(rect().adjusted(16, 12, -16, -12), Qt::AlignCenter | Qt::TextWordWrap, empty_);
        return focus();
    }
    if (unarranged_) arrange();
    if (stale_ || image_.devicePixelRatio() != devicePixelRatioF()) colour(devicePixelRatioF());
    p.drawImage(grid_, image_);
    if (marginals_) draw_marginals(p);
    draw_words(p);
    draw_chosen(p);
    frame(p, hover_, t.text, 1);
    focus();
}

void HeatMap::draw(QPainter& p) {
    if (rows_ == 0 || columns_ == 0) {
        p.setPen(theme_of(palette()).muted);
        p.drawText(rect().adjusted(16, 12, -16, -12), Qt::AlignCenter | Qt::TextWordWrap, empty_);
        return;
    }
    if (unarranged_) arrange();
    draw_cells(p);
    if (marginals_) draw_marginals(p);
    draw_labels(p);
    draw_legend(p);
    draw_chosen(p);
}

// One pixel a cell, of very many cells the strongest of some; what lies between and over them as lines.
void HeatMap::draw_cells(QPainter& p) const {
    constexpr int kMost = 4096;
    const Theme& t = theme_of(palette());
    const auto& colours = scale_.kind == HeatScale::Kind::diverging ? diverging_map(t.dark) : sequential_map();
    const int wide = std::min(columns_, kMost), high = std::min(rows_, kMost);
    QImage cells(wide, high, QImage::Format_RGB32);
    cells.fill(p.background().color());
    const auto from = [](int i, int cells_of, int all) { return static_cast<int>(int64_t{i} * all / cells_of); };
    std::vector<QRectF> unknown;  // rows that are alike are one
    for (int y = 0; y < high; ++y) {
        std::vector<QRectF> holes;
        for (int x = 0; x < wide; ++x) {
            float best = std::numeric_limits<float>::quiet_NaN();
            for (int r = from(y, high, rows_); r < from(y + 1, high, rows_); ++r)
                for (int c = from(x, wide, columns_); c < from(x + 1, wide, columns_); ++c)
                    if (const float v = value(r, c); stronger(best, v)) best = v;
            if (std::isnan(best)) {
                const QRectF cell(grid_.left() + double(x) * grid_.width() / wide, grid_.top() + double(y) * grid_.height() / high,
                                  double(grid_.width()) / wide, double(grid_.height()) / high);
                if (!holes.empty() && std::abs(holes.back().right() - cell.left()) < 1e-6)
                    holes.back().setRight(cell.right());
                else
                    holes.push_back(cell);
            } else if (best != kBlank) {
                cells.setPixel(x, y, colours[static_cast<size_t>(std::lround(255 * place(best)))]);
            }
        }
        for (const QRectF& hole : holes) {
            const auto above = std::find_if(unknown.begin(), unknown.end(), [&](const QRectF& u) {
                return std::abs(u.bottom() - hole.top()) < 1e-6 && u.left() == hole.left() && u.right() == hole.right();
            });
            above == unknown.end() ? unknown.push_back(hole) : above->setBottom(hole.bottom());
        }
    }
    p.setRenderHint(QPainter::SmoothPixmapTransform, false);
    p.setRenderHint(QPainter::LosslessImageRendering);
    p.drawImage(grid_, cells);
    // Many viewers smooth an enlarged image, so in a file of vectors cells that can be told apart are drawn once more over it: all of one colour as one path.
    constexpr int kSharp = 1 << 15;
    if (const auto engine = p.paintEngine()->type(); (engine == QPaintEngine::SVG || engine == QPaintEngine::Pdf) && wide * high <= kSharp) {
        std::map<QRgb, QPainterPath> paths;
        for (int y = 0; y < high; ++y)
            for (int x = 0; x < wide; ++x) paths[cells.pixel(x, y)].addRect(rect_of(y, x));
        p.setPen(Qt::NoPen);
        for (const auto& [colour, path] : paths) p.fillPath(path, QColor::fromRgb(colour));
    }
    for (const QRectF& hole : unknown) {
        p.fillRect(hole, t.raised);
        hatch(p, hole, t.border);
    }
    p.setPen(QPen(p.background().color(), 1));
    for (int c = 1; grid_.width() >= kTile * columns_ && c < columns_; ++c) {
        const double x = rect_of(0, c).left();
        p.drawLine(QPointF(x, grid_.top()), QPointF(x, grid_.bottom() + 1));
    }
    for (int r = 1; grid_.height() >= kTile * rows_ && r < rows_; ++r) {
        const double y = rect_of(r, 0).top();
        p.drawLine(QPointF(grid_.left(), y), QPointF(grid_.right() + 1, y));
    }
    for (int row : groups_)
        if (row > 0 && row < rows_) p.fillRect(QRectF(grid_.left(), rect_of(row, 0).top() - 1, grid_.width(), 2), p.background());
}

void HeatMap::frame(QPainter& p, QPoint cell, const QColor& colour, double wide) const {
    if (cell.x() < 0) return;
    QRectF r = cell.y() < 0 ? rect_of(0, cell.x()).united(rect_of(rows_ - 1, cell.x())) : rect_of(cell.y(), cell.x());
    if (std::min(r.width(), r.height()) < 8) wide = 1;
    if (r.width() < 5) r.adjust(-(5 - r.width()) / 2, 0, (5 - r.width()) / 2, 0);
    if (r.height() < 5) r.adjust(0, -(5 - r.height()) / 2, 0, (5 - r.height()) / 2);
    p.setBrush(Qt::NoBrush);
    p.setPen(QPen(theme_of(palette()).dark ? Qt::black : Qt::white, wide + 2));
    p.drawRect(r);
    p.setPen(QPen(colour, wide));
    p.drawRect(r);
}

void HeatMap::draw_chosen(QPainter& p) const {
    const Theme& t = theme_of(palette());
    p.setRenderHint(QPainter::Antialiasing);
    for (const QPoint& cell : dots_) {
        if (cell.x() >= columns_ || cell.y() >= rows_) continue;
        const QRectF r = rect_of(cell.y(), cell.x());
        const double radius = std::clamp(std::min(r.width(), r.height()) / 5, 1.5, 4.0);
        p.setPen(QPen(Qt::black, 1.5));
        p.setBrush(Qt::white);
        p.drawEllipse(r.center(), radius, radius);
    }
    p.setRenderHint(QPainter::Antialiasing, false);
    frame(p, chosen_, t.accent, 2);
    if (chosen_.x() >= 0) {  // found at a glance where cells are small
        const QPointF at = rect_of(std::max(0, chosen_.y()), chosen_.x()).center();
        p.setRenderHint(QPainter::Antialiasing);
        p.setPen(Qt::NoPen);
        p.setBrush(t.accent);
        const double left = grid_.left() - 1, bottom = grid_.bottom() + 2;
        if (chosen_.y() >= 0) p.drawPolygon(QPolygonF({{left, at.y()}, {left - 5, at.y() - 4}, {left - 5, at.y() + 4}}));
        p.drawPolygon(QPolygonF({{at.x(), bottom}, {at.x() - 4, bottom + 5}, {at.x() + 4, bottom + 5}}));
        p.setRenderHint(QPainter::Antialiasing, false);
        p.setBrush(Qt::NoBrush);
    }
}

void HeatMap::draw_words(QPainter& p) {
    const double ratio = p.device()->devicePixelRatio();
    if (words_.size() != size() * ratio) {
        words_ = QPixmap(size() * ratio);
        words_.setDevicePixelRatio(ratio);
        words_.fill(Qt::transparent);
        QPainter onto(&words_);
        onto.setFont(font());
        draw_labels(onto);
        draw_legend(onto);
    }
    p.drawPixmap(0, 0, words_);
}

void HeatMap::draw_marginals(QPainter& p) const {
    std::vector<double> row_squares(static_cast<size_t>(rows_)), column_squares(static_cast<size_t>(columns_));
    for (int r = 0; r < rows_; ++r)
        for (int c = 0; c < columns_; ++c) {
            const float v = value(r, c);
            if (std::isnan(v) || v == kBlank) continue;
            row_squares[static_cast<size_t>(r)] += double(v) * v;
            column_squares[static_cast<size_t>(c)] += double(v) * v;
        }
    const QColor colour = theme_of(palette()).muted;
    const auto length = [&](double squares, int n) {
        return std::min(1.0, 3 * std::sqrt(squares / n) / std::max(double(scale_.high), 1e-30)) * (kMarginal - 4);
    };
    for (int r = 0; r < rows_; ++r) {
        const QRectF cell = rect_of(r, columns_ - 1);
        p.fillRect(
            QRectF(cell.right() + 3, cell.top(), length(row_squares[static_cast<size_t>(r)], columns_), std::max(1.0, cell.height() - (cell.height() > 3))),
            colour);
    }
    for (int c = 0; c < columns_; ++c) {
        const QRectF cell = rect_of(0, c);
        const double high = length(column_squares[static_cast<size_t>(c)], rows_);
        p.fillRect(QRectF(cell.left(), cell.top() - 3 - high, std::max(1.0, cell.width() - (cell.width() > 3)), high), colour);
    }
}

void HeatMap::draw_labels(QPainter& p) const {
    const QFontMetrics m(font());
    const Theme& t = theme_of(palette());
    p.setPen(t.muted);
    // Every second, fourth, eighth ... where all have labels and not all fit; else those that fit.
    const auto every = [](const std::vector<QString>& texts, double cell, double needed) {
        if (std::any_of(texts.begin(), texts.end(), [](const QString& s) { return s.isEmpty(); })) return size_t{1};
        return std::bit_ceil(static_cast<size_t>(std::max(1.0, std::ceil(needed / std::max(cell, 1e-6)))));
    };
    if (!row_texts_.empty()) {
        const size_t step = every(row_texts_, rect_of(0, 0).height(), m.height());
        double free = -1e9;
        for (size_t r = 0; r < row_texts_.size(); r += step) {
            if (row_texts_[r].isEmpty()) continue;
            const double middle = rect_of(static_cast<int>(r), 0).center().y();
            if (middle - m.height() / 2.0 < free - 1) continue;
            p.drawText(QRectF(0, middle - m.height() / 2.0, grid_.left() - 8, m.height()), Qt::AlignRight | Qt::AlignVCenter, row_texts_[r]);
            free = middle + m.height() / 2.0;
        }
    }
    if (!column_texts_.empty()) {
        const size_t step = every(column_texts_, rect_of(0, 0).width(), m.horizontalAdvance(column_texts_.back()) + 12);
        double free = -1e9;
        for (size_t c = 0; c < column_texts_.size(); c += step) {
            const QString& text = column_texts_[c];
            if (text.isEmpty()) continue;
            const double half = m.horizontalAdvance(text) / 2.0;
            const double middle = rect_of(0, static_cast<int>(c)).center().x();
            if (middle - half < free || middle + half > legend_.left()) continue;
            p.drawText(QRectF(middle - half - 1, grid_.bottom() + 6, 2 * half + 2, m.height()), Qt::AlignCenter, text);
            free = middle + half + 10;
        }
    }
    const int last = grid_.bottom() + 6 + (column_texts_.empty() ? 0 : m.height());
    if (!columns_are_.isEmpty()) p.drawText(QRect(grid_.left(), last, grid_.width(), m.height()), Qt::AlignCenter, columns_are_);
    if (!scale_.unit.isEmpty()) p.drawText(QRect(legend_.left(), last, width() - legend_.left(), m.height()), Qt::AlignLeft, scale_.unit);
    if (!rows_are_.isEmpty()) {
        p.save();
        // Of a low map it may stand over the corners.
        const int half = m.horizontalAdvance(rows_are_) / 2 + 1, middle = std::max(half, std::min(grid_.center().y(), height() - half));
        p.translate(m.height() / 2.0 + (square_ ? std::max(0, grid_.left() - m.height() * 3) : 0), middle);
        p.rotate(-90);
        p.drawText(QRect(-half, -m.height() / 2, 2 * half, m.height()), Qt::AlignCenter, rows_are_);
        p.restore();
    }
}

// The colours with their values, along the right.
void HeatMap::draw_legend(QPainter& p) const {
    const QFontMetrics m(font());
    const Theme& t = theme_of(palette());
    const auto& colours = scale_.kind == HeatScale::Kind::diverging ? diverging_map(t.dark) : sequential_map();
    constexpr int kStops = 32;
    QLinearGradient bar(QRectF(legend_).bottomLeft(), QRectF(legend_).topLeft());
    for (int i = 0; i <= kStops; ++i) bar.setColorAt(double(i) / kStops, QColor::fromRgb(colours[static_cast<size_t>(i * 255 / kStops)]));
    p.fillRect(QRectF(legend_), bar);
    const auto marks = ticks();
    const auto height_of = [&](double place) { return legend_.bottom() + 1 - place * legend_.height(); };
    const auto write = [&](double y, const QString& text, const QColor& colour) {
        p.setPen(colour);
        p.drawText(QRectF(legend_.right() + 1 + kAfterBar, y - m.height() / 2.0, width(), m.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
    };
    double free = 1e9;
    for (size_t i = 0; i < marks.size(); ++i) {  // ascending: drawn from the bottom up
        const double at = place(marks[i].first), y = height_of(at);
        if (at > 0.002 && at < 0.998) {
            p.setPen(t.window);
            p.drawLine(QPointF(legend_.left(), y), QPointF(legend_.right() + 1, y));
        }
        if (y + m.height() / 2.0 > free + 2) continue;
        write(y, marks[i].second, t.muted);
        free = y - m.height() / 2.0;
    }
    for (size_t i = 0; bands_fit_ && i < scale_.bands.size(); ++i) {
        const double from = i == 0 ? 0 : place(marks[i - 1].first), to = i == marks.size() ? 1 : place(marks[i].first);
        write(height_of((from + to) / 2), scale_.bands[i], t.text);
    }
}

void HeatMap::resizeEvent(QResizeEvent*) { changed(true); }

void HeatMap::point_at(int row, int column) {
    if (hover_ == QPoint(column, row)) return;
    hover_ = {column, row};
    update();
    if (row >= 0 && hasFocus() && describe) {
        setAccessibleDescription(describe(row, column, value(row, column)));
        QAccessibleEvent change(this, QAccessible::DescriptionChanged);
        QAccessible::updateAccessibility(&change);
    }
    emit hovered(row, column);
}

void HeatMap::mouseMoveEvent(QMouseEvent* event) {
    const QPoint cell = cell_at(event->position());
    point_at(cell.y(), cell.x());
}

void HeatMap::mousePressEvent(QMouseEvent* event) {
    const QPoint cell = cell_at(event->position());
    if (cell.x() >= 0 && event->button() == Qt::LeftButton) emit clicked(cell.y(), cell.x());
}

void HeatMap::leaveEvent(QEvent*) { point_at(-1, -1); }

void HeatMap::keyPressEvent(QKeyEvent* event) {
    if (event->modifiers() & (Qt::AltModifier | Qt::ControlModifier)) return QWidget::keyPressEvent(event);
    QPoint at = hover_.x() >= 0 ? hover_ : QPoint(std::max(0, chosen_.x()), std::max(0, chosen_.y()));
    const int far = event->modifiers() & Qt::ShiftModifier ? 10 : 1;
    switch (event->key()) {
        case Qt::Key_Left:
            at.rx() -= far;
            break;
        case Qt::Key_Right:
            at.rx() += far;
            break;
        case Qt::Key_Up:
            at.ry() -= far;
            break;
        case Qt::Key_Down:
            at.ry() += far;
            break;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (rows_ > 0 && columns_ > 0) emit clicked(std::clamp(at.y(), 0, rows_ - 1), std::clamp(at.x(), 0, columns_ - 1));
            return;
        default:
            return QWidget::keyPressEvent(event);
    }
    if (rows_ > 0 && columns_ > 0) point_at(std::clamp(at.y(), 0, rows_ - 1), std::clamp(at.x(), 0, columns_ - 1));
}

bool HeatMap::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const QPoint cell = cell_at(help->pos());
        if (cell.x() >= 0 && describe)
            QToolTip::showText(help->globalPos(), describe(cell.y(), cell.x(), value(cell.y(), cell.x())), this);
        else
            QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

void HeatMap::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) changed(true);
}

}  // namespace klp::gui
