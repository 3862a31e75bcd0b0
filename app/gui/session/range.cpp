#include "app/gui/session/range.h"

#include <QCoreApplication>
#include <algorithm>

#include "app/format.h"

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
    const auto tr = [](const char* text) { return QCoreApplication::translate("Range", text); };
    const auto text = [](const std::string& s) { return QString::fromStdString(s); };
    const RangeTimes all = range_times(trace, range.first, range.second);
    if (all.tokens == 0) return {};
    QString said = tr("%1, %2 to %3").arg(text(plural(all.tokens, "token")), text(grouped(range.first)), text(grouped(range.second - 1)));
    if (all.timed == 0) return said + tr("  ·  no time was measured here");
    said += all.timed == all.tokens ? tr("  ·  made in %1").arg(text(duration_text(all.sum)))
                                    : tr("  ·  %1 of them made in %2").arg(text(grouped(all.timed)), text(duration_text(all.sum)));
    return said + tr("  ·  mean %1  ·  worst %2, token %3").arg(text(duration_text(all.mean())), text(duration_text(all.worst)), text(grouped(all.slowest)));
}

}  // namespace klp::gui
