// What a LiveRun has of a model: for its own files alone.
#pragma once

#include <map>

#include "core/runs/live_run.h"

namespace klp {

struct LiveRun::Loaded {
    Loaded(OpenedModel opened, std::shared_ptr<SnapshotPool> frozen)
        : card(std::move(opened.card)),
          model(std::move(opened.model)),
          sequence(model, card->context),
          ws(model->backend()),
          shared_pool(std::move(frozen)),
          pool(*shared_pool),
          tracer(card->config) {
        ws.tap = &tracer;
    }
    ~Loaded() {
        if (states) pool.look_in(nullptr);
    }
    std::shared_ptr<const RunCard> card;
    std::shared_ptr<const Model> model;
    Sequence sequence;
    Workspace ws;
    const std::shared_ptr<SnapshotPool> shared_pool;  // with the runs beside this one: it is whose turn it is
    SnapshotPool& pool;
    Tracer tracer;
    std::shared_ptr<const Model> twin;  // of the last race, kept while there is room
    int64_t twin_bytes = 0;             // its weights that are not the model's
    TurnTokens turn;
    int64_t told_dropped = 0;
    std::optional<Sequence> again;  // of the last retrace, whose next stretch goes on there
    std::unique_ptr<StateStore> states;
    std::map<std::string, SnapshotPtr> ends;  // to be written, by whose they are
};

}  // namespace klp
