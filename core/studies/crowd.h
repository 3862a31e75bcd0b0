// Many sequences of one model fed in common passes, so that its weights are read once for all of them. The sequences may stand anywhere, with any hands on them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/model/sequence.h"

namespace klp {

struct Telling {
    Sequence* sequence = nullptr;
    std::vector<int32_t> ids;
};
// An Error: no room for the ids, or interrupted (between passes).
Result<void> tell(std::span<const Telling> all, Workspace& ws, const std::atomic<bool>* cancel);

// Each one's greedy answer, without the id that stopped it: its ids are fed, the last one picks. `stop` and `budget` (ids of each at most) as generate() has them.
Result<std::vector<std::vector<int32_t>>> answers(std::span<const Telling> all, std::span<const int32_t> stop, std::span<const int64_t> budgets, Workspace& ws,
                                                  const std::atomic<bool>* cancel);

// What the model says behind each id that is fed: `each` gets the number of the sequence and its logits, [ids, vocabulary], valid during the call.
Result<void> listen(std::span<const Telling> all, Workspace& ws, const std::atomic<bool>* cancel,
                    const std::function<void(size_t which, std::span<const float> logits)>& each);

}  // namespace klp
