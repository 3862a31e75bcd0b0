// The Run protocol over HTTP (docs/serving.md): what klp serve adds to OpenAI's API for windows and notebooks elsewhere.
#pragma once

#include <memory>

#include "core/runs/run_host.h"

namespace httplib {
class Server;
}

namespace klp {

// The paths below /run. `host` must outlive the server's threads.
void serve_runs(httplib::Server& server, RunHost& host);

}  // namespace klp
