// What a LiveRun opens models with, in the terminal and in the window alike.
#pragma once

#include "core/runs/live_run.h"

namespace klp {

// Finds, opens and loads; the card is complete but for what only a recording says. Fits LiveRun's Opener.
Result<OpenedModel> open_for_run(const LoadModel& what, const LoadOptions& options);
// The same of a model that is loaded already, as a run shows it. `context`: tokens, 0: the model's own limit.
OpenedModel opened_model(const Checkpoint& checkpoint, const std::shared_ptr<Backend>& backend, std::shared_ptr<const Model> model, int64_t context);

}  // namespace klp
