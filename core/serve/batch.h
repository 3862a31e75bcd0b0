// Many answers at once from one model (continuous batching): requests come and go, and every step is one pass over all of them, so that weights are read once for
// all. A prompt whose beginning was seen starts from a snapshot, whoever asked it.
//
//   Batch batch(model);
//   auto job = batch.submit({.prompt = ids, .stop = turn.stop, .on_token = ..., .on_end = ...});
//   job->store(true);   // breaks it off
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/model/generate.h"
#include "core/model/snapshot_pool.h"
#include "core/serve/turns.h"

namespace klp {

struct BatchRequest {
    std::vector<int32_t> prompt;
    std::vector<int64_t> marks = {};  // lengths of beginnings of the prompt that others may share, ascending: a snapshot is kept of each
    Sampling sampling = {};
    int64_t budget = 512;            // tokens at most
    std::vector<int32_t> stop = {};  // ids that end the answer; they are not reported
    int candidates = 0;              // that each token's event names
    InterventionsPtr hands = {};     // under which it is fed; null: none
    // Both on the batch's thread, so they must not wait. on_token: false stops here, as a cancel does. on_end: once, the last that is called.
    std::function<bool(const TokenEvent&)> on_token = {};
    std::function<void(const Result<Generation>&, int64_t cached)> on_end = {};  // cached: prompt tokens that came from a snapshot
};

struct BatchOptions {
    int parallel = 8;                    // answers at once
    int waiting = 64;                    // requests behind them, at most
    int64_t context = 0;                 // tokens of each; 0: the model's own limit
    int64_t snapshot_bytes = 1ll << 30;  // of states that are kept for prompts to come
    std::shared_ptr<Turns> turns = {};   // where others use the model's device too
};

// Since the start, and now.
struct BatchFigures {
    int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
    int64_t finished = 0, broken_off = 0, failed = 0;  // requests
    int64_t passes = 0, pass_ns = 0;
    int waiting = 0, running = 0;
    int64_t state_bytes = 0, cache_bytes = 0;  // of the running sequences
    int64_t snapshots = 0, snapshot_bytes = 0;
};

class Batch {
public:
    explicit Batch(std::shared_ptr<const Model> model, const BatchOptions& options = {});
    ~Batch();
    void leave();  // breaks off whatever runs or waits, and takes no more
    Batch(const Batch&) = delete;

    using Job = std::shared_ptr<std::atomic<bool>>;  // true: break it off
    // An Error: hands on what the model has none of, ids outside the vocabulary, no room for one more token behind the prompt (kind usage); too many requests wait (kind device).
    Result<Job> submit(BatchRequest request);

    int64_t context() const { return context_; }
    const Model& model() const { return *model_; }
    BatchFigures figures() const;

private:
    struct Answer;
    void run();
    void begin(Answer& a);
    void step();
    void end(Answer& a, Result<Generation> how);

    std::shared_ptr<const Model> model_;
    const BatchOptions options_;
    int64_t context_ = 0;

    mutable std::mutex mutex_;  // guards these four
    std::condition_variable work_;
    std::deque<std::unique_ptr<Answer>> waiting_;
    BatchFigures figures_;
    bool leaves_ = false;

    std::list<std::unique_ptr<Answer>> running_;  // on the thread alone, as all below
    SnapshotPool pool_;
    Workspace ws_;
    std::thread thread_;
};

}  // namespace klp
