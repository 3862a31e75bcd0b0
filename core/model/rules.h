// The same tokens under another rule: what one head's own q, k, v, gates and betas would have left in a state that is updated differently. All rules are one
// formula with two switches,
//
//   S' = Diag(a_t) S_{t-1}                              a: every channel's own (alpha of the head), one for all (their mean), or none (1)
//   S_t = S' + k_t u_t^T                                u_t = beta_t (v_t - S'^T k_t), the delta rule, or beta_t v_t, plain writing
//
//   KDA                each channel, delta   arXiv 2510.26692          Gated DeltaNet     one gate, delta   Yang, Kautz, Hatamizadeh 2024, arXiv 2412.06464
//   DeltaNet           no gate, delta        arXiv 2102.11174          GLA                each channel, plain   Yang et al. 2023, arXiv 2312.06635
//   linear attention   no gate, plain        Katharopoulos et al. 2020, arXiv 2006.16236
//
// The inputs stay those that the model made under its own rule: this says what a rule keeps of them, not what a model trained under it would do. Float64
// throughout.
#pragma once

#include <array>

#include "core/model/surgery.h"

namespace klp {

enum class Rule : uint8_t { kda, gated_deltanet, deltanet, gla, linear };
struct RuleInfo {
    std::string_view name;
    enum class Gate : uint8_t { none, one, each } gate{};
    bool delta = false;
};
inline constexpr std::array<RuleInfo, 5> kRules{{{"KDA", RuleInfo::Gate::each, true},
                                                 {"Gated DeltaNet", RuleInfo::Gate::one, true},
                                                 {"DeltaNet", RuleInfo::Gate::none, true},
                                                 {"GLA", RuleInfo::Gate::each, false},
                                                 {"linear attention", RuleInfo::Gate::none, false}}};
inline const RuleInfo& info(Rule rule) { return kRules[static_cast<size_t>(rule)]; }

// What hands do to the state itself in front of row `row` (Intervention: edit, empty or put, whose `state` is this head's alone).
struct Touched {
    int64_t row = 0;
    Intervention how;
};
// Those of one head among tokens [first, last), by row, ascending.
std::vector<Touched> touched_states(const Interventions* hands, int layer, int head, int64_t first, int64_t last, int V, int K);

struct UnderRule {
    HeadState state;          // behind the last row
    std::vector<float> norm;  // [T] Frobenius norm of the state behind each row
    Readable readable;        // of that state
};
// `before`: the state in front of the first row. Errors: it is of another shape, with both shapes; interrupted.
Result<UnderRule> under_rule(const DeltaRows& rows, const RuleInfo& rule, const HeadState& before, std::span<const Touched> touched = {},
                             const std::atomic<bool>* cancel = nullptr);

// --- In the engine ------------------------------------------------------------------------------------------------------

struct RulesRequest {
    std::span<const int32_t> tokens;  // of the sequence
    int layer = 0, head = 0;
    int64_t window = kProbeWindow;  // the newest tokens; before them every rule has the head's own state
    int64_t context = 0;
    bool rolls = false;
    InterventionsPtr hands = {};
};
struct RulesNow {
    int layer = 0, head = 0;
    int64_t position = 0, first = 0;  // of the newest token and of the first value
    Rule own = Rule::kda;             // the model's; gated_deltanet where each token has one gate for all channels
    std::vector<UnderRule> rules;     // as kRules has them
};
// Feeds those tokens again, in a sequence of its own. Errors: no state there, no token, or interrupted.
Result<RulesNow> under_all_rules(std::shared_ptr<const Model> model, SnapshotPool& pool, const RulesRequest& what, const std::atomic<bool>* cancel = nullptr,
                                 const SnapshotPool::Progress& progress = {});

}  // namespace klp
