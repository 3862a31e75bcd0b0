#include "app/opener.h"

#include <algorithm>
#include <system_error>

#include "app/engine.h"
#include "app/machine.h"
#include "core/model/memory_plan.h"
#include "core/system.h"

namespace klp {

namespace {

std::shared_ptr<RunCard> card_of(const Checkpoint& checkpoint, const std::shared_ptr<Backend>& backend, const Model& model, int64_t context) {
    auto card = std::make_shared<RunCard>();
    if (backend->free_bytes() >= 0)
        card->load = [device = std::weak_ptr(backend)] {
            const auto on = device.lock();
            return on ? on->load() : DeviceLoad{};
        };
    std::error_code none;
    card->folder = std::filesystem::absolute(checkpoint.folder, none).string();
    card->name = model_name(checkpoint.folder);
    card->weights = main_type(*checkpoint.source);
    card->device = backend->info();
    card->config = checkpoint.config;
    card->shape = TraceShape(checkpoint.config);
    card->tokenizer = checkpoint.tokenizer;
    card->context = context > 0 ? std::min(context, checkpoint.config.model_max_length) : checkpoint.config.model_max_length;
    card->weight_bytes = model.weight_bytes();
    card->active_bytes = model.active_weight_bytes();
    card->identity = model.identity();
    card->cache_value_bytes = cache_value_bytes(model);
    read_generation_defaults(checkpoint.folder, card->sampling, card->predict);
    card->twin = std::filesystem::exists(checkpoint.folder / "twin" / "config.json", none) ? TwinKind::trained : TwinKind::synthetic;
    return card;
}

}  // namespace

OpenedModel opened_model(const Checkpoint& checkpoint, const std::shared_ptr<Backend>& backend, std::shared_ptr<const Model> model, int64_t context) {
    auto card = card_of(checkpoint, backend, *model, context);
    return {std::move(card), std::move(model)};
}

Result<OpenedModel> open_for_run(const LoadModel& what, const LoadOptions& options) {
    const int64_t start = now_ns();
    auto checkpoint = open_folder(what.model);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    if (auto ours = check_template(*checkpoint, what.kimi_template); !ours) return tl::unexpected(ours.error());
    if (auto told = set_thinking(*checkpoint, what.thinks); !told) return tl::unexpected(told.error());
    int64_t bytes = 0;
    for (const TensorInfo& tensor : checkpoint->source->tensors()) bytes += tensor.bytes;
    auto backend = make_backend(what.device, what.threads);
    if (!backend) return tl::unexpected(backend.error());
    std::string plan_text;
    LoadOptions load = options;
    load.context = what.context > 0 ? what.context : load.context;
    load.on_plan = [&](const MemoryPlan& plan) { plan_text = text(plan); };
    auto model = Model::load(*backend, checkpoint->config, checkpoint->source, load);
    if (!model) return tl::unexpected(model.error());
    auto card = card_of(*checkpoint, *backend, **model, what.context);
    card->memory_plan = std::move(plan_text);
    if (card->memory_plan.empty()) card->memory_plan = runs_from_disk(card->name, bytes, card->active_bytes, system_memory());
    card->load_ns = now_ns() - start;
    return OpenedModel{std::move(card), std::move(*model)};
}

}  // namespace klp
