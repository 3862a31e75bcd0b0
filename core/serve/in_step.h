// Answers made in step: a token of each, then the next of each, every answer on a thread of its own. Those of one model go through one pass, so that its weights
// are read once for all of them; those of other models take turns. What each says is what it would say alone.
#pragma once

#include <memory>
#include <vector>

#include "core/model/generate.h"
#include "core/serve/turns.h"

namespace klp {

// So many places, each for one answer (GenerateOptions::stepper). Whoever steps holds `turns`, of the device of all the models; it is let go while the others are
// waited for. A place is left where its answer ends, or with the last that holds it, and those who are left go on.
std::vector<std::shared_ptr<Stepper>> in_step(int answers, std::shared_ptr<Turns> turns);

}  // namespace klp
