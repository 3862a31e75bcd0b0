#include "app/gui/panels/words.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/text.h"

namespace klp::gui::words {

namespace {

QString say(const char* text) { return QCoreApplication::translate("Words", text); }
QString count(int64_t n, const char* noun) { return text_of(plural(n, noun)); }
QString bytes(int64_t n) { return text_of(bytes_text(n)); }
// In whole hundredths; what is nearly all is not all.
QString share(double f) {
    if (f > 0 && f < 0.005) return say("less than 1 %");
    if (f > 0.995 && f < 1) return say("more than 99 %");
    return QString("%1 %").arg(std::llround(100 * f));
}
// "3.5 times", of two figures the larger over the smaller.
QString times(double ratio) { return text_of(ratio >= 9.95 ? grouped(std::llround(ratio)) : fixed(ratio, 1)); }
QString speed(double ns) { return text_of(short_number(1e9 / ns)); }

}  // namespace

QString of(const Decay& d) {
    if (d.since <= 0) return say("Nothing has been fed after %1: no decay has touched it yet.").arg(d.what);
    const QString back = count(d.since, "token");
    const auto where = [&] {
        const auto most = std::max_element(d.by_layer.begin(), d.by_layer.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        if (d.by_layer.size() < 2) return QString();
        if (most->second == d.kept) return say("; all of them are in layer %1").arg(most->first);
        return 2 * most->second > d.kept ? say("; most are in layer %1").arg(most->first)
                                         : say("; layer %1 has most of them, %2").arg(most->first).arg(most->second);
    };
    if (d.kept == 0)
        return say("None of %1 would still hold half of %2, %3 back. The one that keeps it best, in layer %4, head %5, holds %6.")
            .arg(count(d.channels, "channel"), d.what, back)
            .arg(d.best_layer)
            .arg(d.best_head)
            .arg(share(d.best));
    if (d.kept == d.channels) return say("All %1 would still hold half of %2, %3 back, or more.").arg(count(d.channels, "channel"), d.what, back);
    return say("Of %1, %2 would still hold half of %3, %4 back%5.").arg(count(d.channels, "channel"), text_of(grouped(d.kept)), d.what, back, where());
}

QString of_gates(int64_t channels, float median, const QString& token) {
    if (std::isnan(median)) return {};
    if (std::isinf(median)) return say("The gates of %1 leave most of %2 as they were.").arg(token, count(channels, "channel"));
    return say("At %1 half of %2 have a half-life below %3 tokens.").arg(token, count(channels, "channel"), text_of(short_number(double(median))));
}

QString of(const State& s) {
    const QString head = say("layer %1, head %2").arg(s.layer).arg(s.head), capital = say("Layer %1, head %2").arg(s.layer).arg(s.head);
    const QString used = std::isnan(s.rank) ? QString() : say("about %1 of its %2").arg(std::max(1LL, std::llround(s.rank))).arg(count(s.most, "direction"));
    if (!s.from.isEmpty())
        return std::isnan(s.rank) ? say("From %1 to %2 the state of %3 did not change.").arg(s.from, s.to, head)
                                  : say("From %1 to %2 the state of %3 changed by %4 of its size, along about %5 of %6.")
                                        .arg(s.from, s.to, head, share(s.changed))
                                        .arg(std::max(1LL, std::llround(s.rank)))
                                        .arg(count(s.most, "direction"));
    if (std::isnan(s.rank)) return say("The state of %1 is empty: nothing has been written into it yet.").arg(head);
    QString text = say("%1 uses %2").arg(capital, used);
    if (!s.instead_of.isEmpty()) return text + say(" after %1, the nearest that was recorded to %2.").arg(s.token, s.instead_of);
    text += std::isnan(s.wrote) ? say(" after %1.").arg(s.token) : say("; %1 rewrote %2 of it.").arg(s.token, share(s.wrote));
    return text;
}

QString of(const QString& reading, const std::optional<Read>& cache, const std::optional<Read>& state) {
    QStringList parts;
    const auto place = [](const Read& r) { return r.back == 0 ? say("this very token") : say("%1, %2 back").arg(r.token, count(r.back, "token")); };
    if (cache) parts << say("the cache takes %1 from %2").arg(share(cache->weight), place(*cache));
    if (state) parts << say("the state takes most from %1").arg(place(*state));
    if (parts.isEmpty()) return {};
    return say("Reading at %1: ").arg(reading) + parts.join("; ") + ".";
}

QString of(const Experts& e) {
    const QString busiest = (e.chosen ? say("Over the %1 chosen, expert %2 of layer %3 was picked %4 times as often as an even share")
                                      : say("Over the last %1, expert %2 of layer %3 was picked %4 times as often as an even share"))
                                .arg(count(e.tokens, "token"))
                                .arg(e.busiest)
                                .arg(e.layer)
                                .arg(times(e.times));
    if (e.unused == 0) return busiest + say("; each of the %1 was picked at least once.").arg(count(e.experts, "expert"));
    return busiest + (e.unused == 1 ? say("; %1 of %2 was never picked.") : say("; %1 of %2 were never picked.")).arg(e.unused).arg(count(e.experts, "expert"));
}

QString of(const Memory& m) {
    QString text = say("%1 of %2 holds %3").arg(m.name, count(m.tokens, "token"), bytes(m.mine));
    const std::optional<int64_t> other = m.twin ? m.twin : m.multi_head;
    if (!other || m.mine <= 0 || *other <= 0) return text + ".";
    const QString name = m.twin ? say("its same-shapes twin") : say("multi-head attention");
    text += say("; %1 would hold %2").arg(name, bytes(*other));
    if (*other > m.mine) return text + say(", %1 times as much.").arg(times(double(*other) / double(m.mine)));
    if (*other == m.mine) return text + say(", the same.");
    return text + (m.crossover > 0 ? say(", which is less: from %1 on it holds more.").arg(count(m.crossover, "token")) : say(", which is less."));
}

QString of(const Race& r) {
    if (r.hybrid_ns <= 0 || r.twin_ns <= 0) return {};
    const double ratio = r.twin_ns / r.hybrid_ns, memory = double(r.hybrid_bytes) / double(std::max<int64_t>(1, r.twin_bytes));
    return say("At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as %6, with %7 of the memory.")
        .arg(count(r.context, "token"), speed(r.hybrid_ns), twin_name(r.twin), speed(r.twin_ns), text_of(fixed(std::max(ratio, 1 / ratio), 2)),
             ratio >= 1 ? say("fast") : say("slow"), memory >= 1.995 ? say("%1 times").arg(times(memory)) : share(memory));
}

QString of(const Logits& l) {
    QString text = l.rank == 0 ? say("%1 was the first choice, with %2").arg(l.token, share(l.probability))
                               : say("%1 was drawn as choice %2, with %3").arg(l.token, text_of(grouped(l.rank + 1)), share(l.probability));
    if (!l.next.isEmpty()) text += (l.rank == 0 ? say("; next came %1 with %2") : say("; the first was %1 with %2")).arg(l.next, share(l.next_probability));
    if (std::isnan(l.entropy)) return text + ".";
    if (std::exp(l.entropy) < 1.05) return text + say(". The model was sure.");
    return text + say(". The model was as unsure as between %1 equal choices.").arg(text_of(fixed(std::exp(l.entropy), 1)));
}

QString twin_name(TwinKind kind) {
    switch (kind) {
        case TwinKind::trained:
            return say("trained twin");
        case TwinKind::synthetic:
            return say("same-shapes twin, synthetic mixers");
        case TwinKind::computed:
            return say("same-shapes twin, computed");
        case TwinKind::recorded:
            return say("recorded twin");
    }
    return {};
}

}  // namespace klp::gui::words
