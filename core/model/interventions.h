// Hands on the memory, as data: what is changed of a model's gates, of what it writes and reads, and of what it holds, while tokens are fed. The same list, the
// same tokens and the same seed give the same answer. A sequence carries one (Sequence::touch); an empty one changes no bit.
//
//   gates    half-lives of the channels times `amount`: g of ops.h is divided by it, so that 2 keeps a channel's half for twice as many tokens
//   beta     beta times `amount`: 0 writes nothing
//   read     what heads have read times `amount`, in front of the out-projection: 0 reads nothing. Of MLA layers too
//   silence  experts that are not chosen
// and once, in front of token `from`:
//   empty    S becomes 0, or its rows of some channels
//   put      S becomes `state`
//   edit     S <- S + amount k (v - S^T k)^T, k = `key` / |key|: reading k gives v afterwards where amount is 1, and 0 where there is no `value` (it is erased).
//            Closed form of the least-squares memory's own update (arXiv 2501.12352); what other keys k_j read changes by (k_j . k) times what k's read does
//   hide     the latent cache forgets the rows of `tokens`. Of models whose attention knows no positions (NoPE), as rolling is
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files/config.h"
#include "core/model/layer.h"

namespace klp {

class Model;

struct Intervention {
    enum class What : uint8_t { gates, beta, read, silence, empty, put, edit, hide };
    static constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();
    What what = What::gates;
    std::vector<int> layers, heads, channels, experts;  // none named: all that the layer has. Channels are of gates and of empty, experts of silence
    int64_t from = 0, to = kAlways;                     // tokens by position, [from, to)
    float amount = 1;
    std::pair<int64_t, int64_t> tokens = {};  // hide: [first, last)
    std::vector<float> key, value;            // edit: [K], [V]
    std::vector<float> state;                 // put: [H or as many as are named, V, K]

    bool once() const { return what >= What::empty; }
    bool operator==(const Intervention&) const = default;
};
// Whether a list of layers, heads or channels has one: an empty one has all.
bool named(const std::vector<int>& all, int one);
using Interventions = std::vector<Intervention>;
using InterventionsPtr = std::shared_ptr<const Interventions>;  // null: none

std::string_view name(Intervention::What what);  // "gates"
// A line for people: "half-lives of layer 0, head 1 x2 from token 12 on".
std::string in_words(const Intervention& one);

// An Error names what the model has none of: a layer, a head, a state, a gate, an expert.
Result<void> check(const Interventions& all, const ModelConfig& config);
// Whether tokens before `position` are fed alike under both.
bool same_until(const Interventions* a, const Interventions* b, int64_t position);
// How many are; kAlways: all of them.
int64_t alike_until(const Interventions* a, const Interventions* b);
// Names what tokens before `position` are fed under, the same where same_until() says so; 0: nothing.
uint64_t hash_until(const Interventions* all, int64_t position);
// Names what begins, ends or happens in front of the token at `position`; 0: nothing does.
uint64_t hash_at(const Interventions* all, int64_t position);
// What goes on of them where a line begins anew, as behind a summary: what lies on it always. What was done once is past, and where it was done is no more.
InterventionsPtr standing(const Interventions* all);
// The last position, up to `position`, in front of which a state of the layer was changed; 0: none was.
int64_t newest_change(const Interventions* all, int layer, int64_t position);

// As JSON: a list of objects with the fields above, `from` and what follows only where they say something. Errors name file, entry and field.
Result<Interventions> read_interventions(const std::string& text, const std::string& file);
nlohmann::json to_json(const Interventions& all);

// --- For sequences ------------------------------------------------------------------------------------------------------

// What holds for tokens [since, until), in the device's memory.
struct Hands {
    int64_t since = 0, until = Intervention::kAlways;
    std::vector<LayerHands> layers;  // empty: nothing is changed
    std::vector<Buffer> keep;
};
std::shared_ptr<const Hands> hands_at(const Interventions& all, const Model& model, int64_t position);
// The next position at which anything begins, ends or happens; kAlways: none.
int64_t next_edge(const Interventions& all, int64_t behind);

}  // namespace klp
