// What one head reads of the past, and how much of a scale each read is.
#pragma once

#include <QColor>
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/text.h"
#include "app/gui/draw/theme.h"
#include "app/gui/panels/words.h"
#include "core/runs/run.h"

namespace klp::gui {

// What one kind of memory reads, and how it is drawn. Places go from -1 to 1 and grow with the root of the weight, so that small ones are seen; their scale is
// fixed: a softmax weight is 1 at most, and an implicit one K^-1/2, because q has that length and nothing on the way makes it longer.
struct Reads {
    AttentionPicture picture;
    float bound = 1;
    QString mixer = {};  // of the layer; "": KDA or MLA
    bool shown() const { return !picture.weights.empty(); }
    int64_t last() const { return picture.first + static_cast<int64_t>(picture.weights.size()) - 1; }
    bool has(int64_t p) const { return shown() && p >= picture.first && p <= last(); }
    float weight(int64_t p) const { return picture.weights[static_cast<size_t>(p - picture.first)]; }
    float decay_only(int64_t p) const { return picture.decay_only.empty() ? NAN : picture.decay_only[static_cast<size_t>(p - picture.first)]; }
    double place(float w) const { return std::copysign(std::sqrt(std::min(1.0, std::abs(double(w)) / bound)), w); }
    QColor colour(float w, const Theme& t) const {
        const double x = place(w);
        if (picture.implicit) return QColor(diverging_map(t.dark)[static_cast<size_t>(std::lround(127.5 + 127.5 * x))]);
        const auto mix = [x](int a, int b) { return static_cast<int>(std::lround(a + x * (b - a))); };
        return {mix(t.panel.red(), t.hybrid.red()), mix(t.panel.green(), t.hybrid.green()), mix(t.panel.blue(), t.hybrid.blue())};
    }
    // Tokens back from the reading one that carry half of all weight.
    int64_t half_reach() const {
        double all = 0, sum = 0;
        for (float w : picture.weights) all += std::abs(w);
        for (int64_t p = last(); p >= picture.first; --p)
            if ((sum += std::abs(weight(p))) >= all / 2) return last() - p + 1;
        return 0;
    }
    QString what() const {
        return (picture.implicit ? Language::tr("State (%1), layer %2, head %3") : Language::tr("Cache (%1), layer %2, head %3"))
            .arg(mixer.isEmpty() ? text_of(kind_name(picture.implicit ? "kda" : "mla")) : mixer)
            .arg(picture.layer)
            .arg(picture.head);
    }
};

}  // namespace klp::gui
