#include "app/gui/panels/words.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/text.h"

namespace klp::gui::words {

namespace {

QString say(const char* text) { return Language::tr(text); }
QString directions(int64_t n) { return Language::tr("%Ln direction(s)", nullptr, n); }
QString experts(int64_t n) { return Language::tr("%Ln expert(s)", nullptr, n); }
QString bytes(int64_t n) { return local(bytes_text(n)); }
// In whole hundredths; what is nearly all is not all.
QString share(double f) {
    if (f > 0 && f < 0.005) return Language::tr("less than %1").arg(local("1 %"));
    if (f > 0.995 && f < 1) return Language::tr("more than %1").arg(local("99 %"));
    return local(std::to_string(std::llround(100 * f)) + " %");
}
QString capital(QString text) {
    if (!text.isEmpty()) text[0] = text[0].toUpper();
    return text;
}
// "3.5 times", of two figures the larger over the smaller.
QString times(double ratio) { return local(ratio >= 9.95 ? grouped(std::llround(ratio)) : fixed(ratio, 1)); }
QString speed(double ns) { return local(short_number(1e9 / ns)); }

}  // namespace

QString gates_text(int64_t n, bool one_gate) { return one_gate ? Language::tr("%Ln head(s)", nullptr, n) : Language::tr("%Ln channel(s)", nullptr, n); }

QString mixer_name(const ModelConfig& c, int layer) {
    const std::string& kind = c.layer_kinds[static_cast<size_t>(layer)];
    const std::string_view name = kind == "kda" ? c.rule().name : kind_name(kind);
    return name == "full attention"     ? Language::tr("full attention")
           : name == "linear attention" ? Language::tr("linear attention")
           : name == "decay per head"   ? Language::tr("decay per head")
                                        : text_of(name);
}

QString of(const Decay& d) {
    const auto channels_text = [&](int64_t n) { return gates_text(n, d.one_gate); };
    if (d.since <= 0) return Language::tr("Nothing has been fed after %1: no decay has touched it yet.").arg(d.what);
    const QString back = tokens_text(d.since);
    if (d.kept == 0)
        return Language::tr("None of %1 would still hold half of %2, %3 back. The one that keeps it best, in layer %4, head %5, holds %6.")
            .arg(channels_text(d.channels), d.what, back)
            .arg(d.best_layer)
            .arg(d.best_head)
            .arg(share(d.best));
    if (d.kept == d.channels) return Language::tr("All %1 would still hold half of %2, %3 back, or more.").arg(channels_text(d.channels), d.what, back);
    const auto most = std::max_element(d.by_layer.begin(), d.by_layer.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const QString all = channels_text(d.channels), kept = local(grouped(d.kept));
    if (d.by_layer.size() < 2) return Language::tr("Of %1, %2 would still hold half of %3, %4 back.").arg(all, kept, d.what, back);
    const QString layer = QString::number(most->first);
    if (most->second == d.kept)
        return Language::tr("Of %1, %2 would still hold half of %3, %4 back; all of them are in layer %5.").arg(all, kept, d.what, back, layer);
    if (2 * most->second > d.kept)
        return Language::tr("Of %1, %2 would still hold half of %3, %4 back; most are in layer %5.").arg(all, kept, d.what, back, layer);
    return Language::tr("Of %1, %2 would still hold half of %3, %4 back; layer %5 has most of them, %6.")
        .arg(all, kept, d.what, back, layer, local(grouped(most->second)));
}

QString of_gates(int64_t channels, float median, const QString& token, bool one_gate) {
    const auto channels_text = [&](int64_t n) { return gates_text(n, one_gate); };
    if (std::isnan(median)) return {};
    if (std::isinf(median)) return Language::tr("The gates of %1 leave most of %2 as they were.").arg(token, channels_text(channels));
    return Language::tr("At %1 half of %2 have a half-life below %3 tokens.").arg(token, channels_text(channels), local(short_number(double(median))));
}

QString of(const State& s) {
    const QString head = Language::tr("layer %1, head %2").arg(s.layer).arg(s.head), capital = Language::tr("Layer %1, head %2").arg(s.layer).arg(s.head);
    if (!s.from.isEmpty())
        return std::isnan(s.rank) ? Language::tr("From %1 to %2 the state of %3 did not change.").arg(s.from, s.to, head)
                                  : Language::tr("From %1 to %2 the state of %3 changed by %4 of its size, along about %5 of %6.")
                                        .arg(s.from, s.to, head, share(s.changed))
                                        .arg(std::max(1LL, std::llround(s.rank)))
                                        .arg(directions(s.most));
    if (std::isnan(s.rank)) return Language::tr("The state of %1 is empty: nothing has been written into it yet.").arg(head);
    const QString used = QString::number(std::max(1LL, std::llround(s.rank)));
    if (!s.instead_of.isEmpty())
        return Language::tr("%1 uses about %2 of its %3 after %4, the nearest that was recorded to %5.")
            .arg(capital, used, directions(s.most), s.token, s.instead_of);
    if (std::isnan(s.wrote)) return Language::tr("%1 uses about %2 of its %3 after %4.").arg(capital, used, directions(s.most), s.token);
    return Language::tr("%1 uses about %2 of its %3; %4 rewrote %5 of it.").arg(capital, used, directions(s.most), s.token, share(s.wrote));
}

QString of(const QString& reading, const std::optional<Read>& cache, const std::optional<Read>& state) {
    const auto place = [](const Read& r) {
        return r.back == 0 ? Language::tr("this very token") : Language::tr("%1, %2 back").arg(r.token, tokens_text(r.back));
    };
    if (cache && state)
        return Language::tr("Reading at %1: the cache takes %2 from %3; the state takes most from %4.")
            .arg(reading, share(cache->weight), place(*cache), place(*state));
    if (cache) return Language::tr("Reading at %1: the cache takes %2 from %3.").arg(reading, share(cache->weight), place(*cache));
    return state ? Language::tr("Reading at %1: the state takes most from %2.").arg(reading, place(*state)) : QString();
}

QString of(const Life& l) {
    const auto head = [](const Life::Head& at) { return Language::tr("layer %1, head %2").arg(at.first).arg(at.second); };
    if (l.back == 0) return Language::tr("%1 is the last token: nothing has become of it yet.").arg(capital(l.token));
    QStringList all;
    if (l.state)
        all << (l.left < 0.005 ? Language::tr("%1 later no state holds %2 any more; decay alone would have left %3 in %4.")
                                     .arg(tokens_text(l.back), l.token, share(l.decay), head(*l.state))
                               : Language::tr("%1 later the state of %2 holds %3 of %4; decay alone would have left %5.")
                                     .arg(tokens_text(l.back), head(*l.state), share(l.left), l.token, share(l.decay)));
    if (l.probability) all << Language::tr("An answer since then gave it %1.").arg(share(*l.probability));
    return sentences(all);
}

QString of(const Reads& r) {
    const QString head =
        (r.cache ? Language::tr("the cache of layer %1, head %2") : Language::tr("the state of layer %1, head %2")).arg(r.head.first).arg(r.head.second);
    const QString most = Language::tr("At %1 %2 reads most of %3: it is %4 of what this head reads.").arg(r.at, head, r.token, share(r.share));
    return sentences({most, Language::tr("To %Ln of %1 heads it is half or more.", nullptr, r.halves).arg(r.heads)});
}

QString of(const Experts& e) {
    const QString busiest = (e.chosen ? Language::tr("Over the %1 chosen, expert %2 of layer %3 was picked %4 times as often as an even share")
                                      : Language::tr("Over the last %1, expert %2 of layer %3 was picked %4 times as often as an even share"))
                                .arg(tokens_text(e.tokens))
                                .arg(e.busiest)
                                .arg(e.layer)
                                .arg(times(e.times));
    const QString rest = e.unused == 0 ? Language::tr("each of the %1 was picked at least once").arg(experts(e.experts))
                                       : Language::tr("%Ln of %1 (was|were) never picked", nullptr, e.unused).arg(experts(e.experts));
    return Language::tr("%1; %2.").arg(busiest, rest);
}

QString of(const Memory& m) {
    const std::optional<int64_t> other = m.twin ? m.twin : m.multi_head;
    const auto said = [&](const char* text) { return say(text).arg(m.name, tokens_text(m.tokens), bytes(m.mine)); };
    if (!other || m.mine <= 0 || *other <= 0) return said(QT_TRANSLATE_NOOP("klp", "%1 of %2 holds %3."));
    const QString name = m.twin ? Language::tr("its same-shapes twin") : Language::tr("multi-head attention");
    const auto beside = [&](const char* text) { return said(text).arg(name, bytes(*other)); };
    if (*other > m.mine)
        return beside(QT_TRANSLATE_NOOP("klp", "%1 of %2 holds %3; %4 would hold %5, %6 times as much.")).arg(times(double(*other) / double(m.mine)));
    if (*other == m.mine) return beside(QT_TRANSLATE_NOOP("klp", "%1 of %2 holds %3; %4 would hold %5, the same."));
    if (m.crossover <= 0) return beside(QT_TRANSLATE_NOOP("klp", "%1 of %2 holds %3; %4 would hold %5, which is less."));
    return beside(QT_TRANSLATE_NOOP("klp", "%1 of %2 holds %3; %4 would hold %5, which is less: from %6 on it holds more.")).arg(tokens_text(m.crossover));
}

QString of(const Race& r) {
    if (r.hybrid_ns <= 0 || r.twin_ns <= 0) return {};
    const double ratio = r.twin_ns / r.hybrid_ns, memory = double(r.hybrid_bytes) / double(std::max<int64_t>(1, r.twin_bytes));
    return (ratio >= 1 ? Language::tr("At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as fast, with %6 of the memory.")
                       : Language::tr("At %1 of context this model made %2 tokens/s, its %3 %4: %5 times as slow, with %6 of the memory."))
        .arg(tokens_text(r.context), speed(r.hybrid_ns), twin_name(r.twin), speed(r.twin_ns), local(fixed(std::max(ratio, 1 / ratio), 2)),
             memory >= 1.995 ? Language::tr("%1 times").arg(times(memory)) : share(memory));
}

QString of(const Logits& l) {
    const QString chance = share(l.probability), other = share(l.next_probability), choice = local(grouped(l.rank + 1));
    const QString text = l.rank == 0 && l.next.isEmpty() ? Language::tr("%1 was the first choice, with %2.").arg(l.token, chance)
                         : l.rank == 0 ? Language::tr("%1 was the first choice, with %2; next came %3 with %4.").arg(l.token, chance, l.next, other)
                         : l.next.isEmpty()
                             ? Language::tr("%1 was drawn as choice %2, with %3.").arg(l.token, choice, chance)
                             : Language::tr("%1 was drawn as choice %2, with %3; the first was %4 with %5.").arg(l.token, choice, chance, l.next, other);
    if (std::isnan(l.entropy)) return text;
    if (std::exp(l.entropy) < 1.05) return sentences({text, Language::tr("The model was sure.")});
    return sentences({text, Language::tr("The model was as unsure as between %1 equal choices.").arg(local(fixed(std::exp(l.entropy), 1)))});
}

const char* twin_in_english(TwinKind kind) {
    switch (kind) {
        case TwinKind::trained:
            return QT_TRANSLATE_NOOP("klp", "trained twin");
        case TwinKind::synthetic:
            return QT_TRANSLATE_NOOP("klp", "same-shapes twin, synthetic mixers");
        case TwinKind::computed:
            return QT_TRANSLATE_NOOP("klp", "same-shapes twin, computed");
        case TwinKind::recorded:
            return QT_TRANSLATE_NOOP("klp", "recorded twin");
    }
    return "";
}
QString twin_name(TwinKind kind) { return say(twin_in_english(kind)); }

}  // namespace klp::gui::words
