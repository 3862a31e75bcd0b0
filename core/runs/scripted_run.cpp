#include "core/runs/scripted_run.h"

#include <cmath>

namespace klp {

std::shared_ptr<const RunCard> scripted_card() {
    auto card = std::make_shared<RunCard>();
    ModelConfig& c = card->config;
    c.model_type = "kimi_linear";
    c.vocab_size = 4096, c.hidden_size = 256, c.num_hidden_layers = 4, c.model_max_length = 65536;
    c.layer_kinds = {"kda", "kda", "kda", "mla"};
    c.kda_heads = 4, c.kda_key_dim = 32, c.kda_value_dim = 32, c.kda_gate_rank = 32;
    c.num_attention_heads = 4, c.kv_lora_rank = 64, c.qk_nope_head_dim = 32, c.qk_rope_head_dim = 16, c.v_head_dim = 32;
    c.intermediate_size = 512, c.first_k_dense_replace = 1, c.num_experts = 8, c.num_experts_per_token = 2, c.num_shared_experts = 1;
    c.moe_intermediate_size = 128;
    card->name = "scripted", card->weights = "bf16";
    card->device = {.name = "cpu", .hardware = "a script", .detail = "no model"};
    card->shape = TraceShape(c);
    card->context = 65536, card->weight_bytes = 12'800'000, card->active_bytes = 7'000'000, card->load_ns = 5'000'000;
    return card;
}

Readings scripted_readings(const TraceShape& shape, int64_t position) {
    Readings r{position, std::vector<float>(static_cast<size_t>(shape.size()))};
    const auto t = static_cast<float>(position);
    const auto put = [&](Site site, auto&& value) {
        for (int layer : shape.layers(site))
            for (int i = 0; i < shape.width(site); ++i) r.values[static_cast<size_t>(shape.offset(site, layer) + i)] = value(layer, i);
    };
    put(Site::log_decay, [&](int l, int i) {
        return -std::exp(-0.09f * static_cast<float>(i % shape.gates) - static_cast<float>(l)) * (1.2f + std::sin(0.7f * t + static_cast<float>(i)));
    });
    put(Site::beta, [&](int l, int h) { return 0.5f + 0.45f * std::sin(0.3f * t + static_cast<float>(l + h)); });
    put(Site::state_norm, [&](int l, int h) { return static_cast<float>(h + 1) * (1 - std::exp(-t / (20 + 30 * static_cast<float>(l)))); });
    put(Site::update_norm, [&](int, int h) { return 0.2f + 0.1f * std::cos(t + static_cast<float>(h)); });
    put(Site::log_sum_exp, [&](int, int) { return std::log(1 + t); });
    put(Site::picks, [&](int l, int i) { return static_cast<float>((position * (i + 1) + l) % shape.num_experts); });
    put(Site::pick_weights, [&](int, int i) { return i == 0 ? 0.7f : 0.3f; });
    return r;
}

std::vector<Event> scripted_answer(const RunCard& card, int answer, int64_t position, int64_t tokens) {
    static const char* const kWords[] = {" The", " state", " keeps", " what", " the", " gate", " does", " not", " forget", "."};
    std::vector<Event> events;
    const auto memory = [&](int64_t n) {
        const SequenceBytes b = sequence_bytes(card.config, n, card.cache_value_bytes);
        return MemoryUse{b.state, b.conv, b.cache};
    };
    const int64_t prompt = 12;
    std::vector<int32_t> ids(static_cast<size_t>(prompt));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i + 65);
    events.push_back(AnswerBegun{answer, {{"user", "What does the gate do?"}}, {}});
    events.push_back(PhaseChanged{Phase::prefill, 0, prompt});
    events.push_back(PromptFed{position, ids});
    for (int64_t i = 0; i < prompt; ++i) events.push_back(scripted_readings(card.shape, position + i));
    events.push_back(PhaseChanged{Phase::decoding});
    for (int64_t i = 0; i < tokens; ++i) {
        const int64_t at = position + prompt + i;
        TokenMade made{
            .answer = answer, .position = at, .id = static_cast<int32_t>(300 + i % 100), .text = kWords[i % 10], .nanoseconds = 200'000 + i % 7 * 10'000};
        made.probability = 0.3f + 0.06f * static_cast<float>(i % 10), made.entropy = 1.5f, made.rank = static_cast<int>(i % 3);
        for (int c = 0; c < 8; ++c) made.top.push_back({static_cast<int32_t>(300 + (i + c) % 100), 0.5f / static_cast<float>(1 << c)});
        made.memory = memory(at);
        events.push_back(std::move(made));
        events.push_back(scripted_readings(card.shape, at));
    }
    AnswerDone done{.answer = answer, .end = Generation::End::stop_token, .tokens = tokens, .prompt_tokens = prompt};
    done.prefill_ns = 2'000'000, done.first_token_ns = 2'400'000, done.decode_ns = tokens * 230'000;
    done.memory = memory(position + prompt + tokens);
    events.push_back(done);
    events.push_back(PhaseChanged{Phase::ready});
    return events;
}

}  // namespace klp
