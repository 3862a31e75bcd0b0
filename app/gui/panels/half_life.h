// Gates as people read them: g = log alpha, alpha = e^g, half-life = ln 2 / -g tokens; the bands that name half-lives; how many channels lie in which.
#pragma once

#include <array>
#include <span>

#include "app/gui/draw/heat_map.h"
#include "core/model/trace.h"

namespace klp::gui {

// Tokens after which half is left. Infinite where alpha is 1, 0 where alpha underflows, NaN of NaN.
float half_life(float g);

// Three significant digits; "∞" where nothing is forgotten, "n/a" of NaN.
QString half_life_text(float tokens);
QString alpha_text(float g);
QString log_decay_text(float g);

inline constexpr std::array<float, 5> kBandBorders{4, 16, 64, 512, 4096};  // tokens
const std::array<QString, 6>& band_names();
QString band_of(float tokens);

inline constexpr float kShortest = 0.25f, kLongest = 32768;  // tokens: the ends of every scale; what lies beyond takes the end's colour
enum class Gate { half_life, alpha, log_decay, fed };        // fed: the half-life over all tokens that were fed
// Fixed scales. Half-life and g share one picture with other numbers at its legend: one is the other's inverse.
HeatScale scale_of(Gate gate);
float shown(Gate gate, float g);  // what a map of this scale holds for a gate

// "softplus, unbounded" or "sigmoid, g > -5": what a checkpoint's gate is; `formula` in the report's notation.
struct GateForm {
    QString name, formula;
};
GateForm gate_form(const ModelConfig& config);

// Half-lives counted in thirds of octaves from kShortest to kLongest.
struct HalfLifeCounts {
    static constexpr int kPerOctave = 3, kBins = 17 * kPerOctave;
    std::array<int, kBins> bins{};             // the outer ones hold what lies beyond, too
    int infinite = 0, unknown = 0, total = 0;  // total: without the unknown
    void add(std::span<const float> log_decays);
    float median() const;       // tokens, the middle of its bin; infinite or NaN
    static float low(int bin);  // tokens
};

}  // namespace klp::gui
