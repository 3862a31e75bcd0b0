// What is served, measured over contexts and requests at once: time to the first token, of a token, throughput. Two servers are measured in turn, so that
// whatever else their machine does hits both. Prompts are words drawn anew for each request, so that no cache knows their beginnings.
#pragma once

#include <vector>

#include "core/serve/client.h"
#include "core/studies/sweep.h"

namespace klp {

struct ServedSweepOptions {
    std::vector<int64_t> contexts;  // tokens of a prompt as the server counts them, template included; ascending
    std::vector<int64_t> at_once;   // requests, beside one alone; ascending, from 2
    double limit_seconds = 60;      // requests that would take longer are left out
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(const SweepRow&)> on_row;
    std::function<void(const std::string& what, int64_t done, int64_t total)> on_progress;  // requests of a figure
};

// One or two. Fills sweep.rows, .servers, .limit_seconds and .ended. An error is that of the first request; a server that fails later ends the sweep and keeps
// the rows before, and so does a cancel.
Result<void> sweep_servers(const std::vector<Server>& servers, const std::vector<ServedModel>& models, const ServedSweepOptions& options, Sweep& sweep);

}  // namespace klp
