#include "app/gui/panels/half_life.h"

#include <QLocale>
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

constexpr float kLn2 = std::numbers::ln2_v<float>;
const QChar kMinus(0x2212);

}  // namespace

float half_life(float g) {
    if (std::isnan(g)) return g;
    return g >= 0 ? std::numeric_limits<float>::infinity() : kLn2 / -g;
}

QString half_life_text(float tokens) {
    if (std::isinf(tokens)) return "∞";
    if (tokens > 1e6f) return "> 1M";
    if (tokens < 0.001f) return local("< 0.001");
    return local(tokens < 99.95f && tokens >= 9.995f ? fixed(tokens, 1) : short_number(tokens));
}

QString alpha_text(float g) {
    if (std::isnan(g)) return Language::tr("n/a");
    const float alpha = std::exp(g);
    if (g < 0 && alpha > 0.999995f) return local("> 0.99999");
    return local(fixed(double(alpha), 5));
}

QString log_decay_text(float g) {
    if (std::isnan(g)) return Language::tr("n/a");
    if (std::isinf(g)) return kMinus + QString("∞");
    if (g == 0) return "0";
    return (g < 0 ? QString(kMinus) : QString()) + local(QString::number(double(std::abs(g)), 'g', 3).toStdString());
}

const std::array<QString, 6>& band_names() {
    static std::map<QString, std::array<QString, 6>> by_language;
    std::array<QString, 6>& names = by_language[QLocale().name()];
    if (names[0].isEmpty())
        names = {Language::tr("syllable"),  Language::tr("phrase"), Language::tr("sentence"),
                 Language::tr("paragraph"), Language::tr("page"),   Language::tr("document")};
    return names;
}

QString band_of(float tokens) {
    if (std::isnan(tokens)) return {};
    return band_names()[static_cast<size_t>(std::upper_bound(kBandBorders.begin(), kBandBorders.end(), tokens) - kBandBorders.begin())];
}

HeatScale scale_of(Gate gate) {
    HeatScale scale;
    if (gate == Gate::alpha) {
        scale.unit = "α";
        for (const char* a : {"0", "0.25", "0.5", "0.75", "1"}) scale.ticks.emplace_back(QString(a).toFloat(), local(a));
        return scale;
    }
    scale.low = kShortest, scale.high = kLongest, scale.log = true;
    if (gate == Gate::half_life || gate == Gate::fed) {
        scale.unit = Language::tr("tokens");
        for (float border : kBandBorders)
            scale.ticks.emplace_back(border, border < 1000 ? QString::number(int(border)) : QString("%1k").arg(int(border) / 1024));
        scale.bands.assign(band_names().begin(), band_names().end());
    } else {
        scale.unit = "g";
        for (const char* g : {"1", "0.1", "0.01", "0.001", "0.0001"}) scale.ticks.emplace_back(kLn2 / QString(g).toFloat(), kMinus + local(g));
    }
    return scale;
}

float shown(Gate gate, float g) { return gate == Gate::alpha ? std::exp(g) : half_life(g); }

GateForm gate_form(const ModelConfig& config) {
    if (config.gate_lower_bound == 0) return {Language::tr("softplus, unbounded below"), "g = −e<sup>A</sup> · softplus(x + dt)"};
    const QString bound = log_decay_text(config.gate_lower_bound);
    return {
        Language::tr("sigmoid, g > %1").arg(bound),
        Language::tr("g = %1 · sigmoid(e<sup>A</sup> · (x + dt)), half-lives above %2 tokens").arg(bound, half_life_text(half_life(config.gate_lower_bound)))};
}

float HalfLifeCounts::low(int bin) { return kShortest * std::exp2(static_cast<float>(bin) / kPerOctave); }

void HalfLifeCounts::add(std::span<const float> log_decays) {
    for (float g : log_decays) {
        if (std::isnan(g)) {
            ++unknown;
            continue;
        }
        ++total;
        if (g >= 0) {
            ++infinite;
            continue;
        }
        // The octave and its third, from the bits of the number.
        const auto bits = std::bit_cast<uint32_t>(kLn2 / -g * (1 / kShortest));
        const float m = std::bit_cast<float>((bits & 0x7FFFFFu) | 0x3F800000u);
        const int bin = kPerOctave * (static_cast<int>(bits >> 23) - 127) + (m >= 1.25992105f) + (m >= 1.58740105f);
        ++bins[static_cast<size_t>(std::clamp(bin, 0, kBins - 1))];
    }
}

float HalfLifeCounts::median() const {
    if (total == 0) return std::numeric_limits<float>::quiet_NaN();
    int below = 0;
    for (int b = 0; b < kBins; ++b)
        if ((below += bins[static_cast<size_t>(b)]) * 2 >= total) return std::sqrt(low(b) * low(b + 1));
    return std::numeric_limits<float>::infinity();
}

}  // namespace klp::gui
