// What a LiveRun opens models with, in the terminal and in the window alike.
#pragma once

#include "core/runs/live_run.h"

namespace klp {

// Finds, opens and loads; the card is complete but for what only a recording says. Fits LiveRun's Opener.
Result<OpenedModel> open_for_run(const LoadModel& what, const LoadOptions& options);

}  // namespace klp
