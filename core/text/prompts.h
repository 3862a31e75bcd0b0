// The starters of resources/prompts.json: short conversations that show something, for the terminal's /prompts and for any other front.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace klp {

struct Starter {
    std::string title, system;
    std::vector<std::string> turns;   // what the user says, at least one
    std::string watch;                // one sentence: what to look at meanwhile
    std::string lens;                 // where: decay, state, memory, race, experts, logits or attention
    std::string pin;                  // the word whose token is looked at, where it was said last; "": the newest one
    bool pin_answer = false;          // said by the model, else by the user
    int layer = -1, head = -1;        // of the lens; -1: as they are
    std::vector<std::string> expect;  // what the embedded model's greedy answer to the last turn holds
};

// The error names file and field.
Result<std::vector<Starter>> read_prompts(const std::filesystem::path& file);
// Those beside the models of this installation.
Result<std::vector<Starter>> installed_prompts();

}  // namespace klp
