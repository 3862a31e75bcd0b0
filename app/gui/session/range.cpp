#include "app/gui/session/range.h"

#include <QCoreApplication>
#include <algorithm>

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

RangeTimes range_times(const TraceStore& trace, int64_t first, int64_t last) {
    RangeTimes all;
    first = std::max<int64_t>(0, first), last = std::min(last, trace.size());
    all.tokens = std::max<int64_t>(0, last - first);
    for (int64_t p = first; p < last; ++p) {
        const double ns = trace.row(p).nanoseconds;
        if (!(ns > 0)) continue;
        all.sum += ns, ++all.timed;
        if (ns > all.worst) all.worst = ns, all.slowest = p;
    }
    return all;
}

QString range_text(const TraceStore& trace, std::pair<int64_t, int64_t> range) {
    const RangeTimes all = range_times(trace, range.first, range.second);
    if (all.tokens == 0) return {};
    QStringList said{Language::tr("%1, %2 to %3").arg(tokens_text(all.tokens), local(grouped(range.first)), local(grouped(range.second - 1)))};
    if (all.timed == 0) return (said << Language::tr("no time was measured here")).join("  ·  ");
    said << (all.timed == all.tokens ? Language::tr("made in %1").arg(local(duration_text(all.sum)))
                                     : Language::tr("%1 of them made in %2").arg(local(grouped(all.timed)), local(duration_text(all.sum))))
         << Language::tr("mean %1").arg(local(duration_text(all.mean())))
         << Language::tr("worst %1, token %2").arg(local(duration_text(all.worst)), local(grouped(all.slowest)));
    return said.join("  ·  ");
}

}  // namespace klp::gui
