#include "app/lenses.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "app/format.h"

namespace klp {

namespace {

double median(std::vector<double> values) {
    if (values.empty()) return NAN;
    const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Channels of a head that have a gate of their own: all, or of one gate a head one that stands for them.
int gates_of(const ModelConfig& config) { return state_name(config) == "KDA" ? config.kda_key_dim : 1; }

std::vector<double> half_lives(const Watch::Layer& layer, const ModelConfig& config, int head) {
    std::vector<double> lives;
    for (int i = 0; i < gates_of(config); ++i) lives.push_back(half_life(layer.mean_log_decay(int64_t{head} * config.kda_key_dim + i)));
    return lives;
}

std::vector<float> track(const std::vector<float>& values, int heads, int head) {
    std::vector<float> out;
    for (size_t i = static_cast<size_t>(head); i < values.size(); i += static_cast<size_t>(heads)) out.push_back(values[i]);
    return out;
}

std::string titled(const Canvas& canvas, const std::string& title) { return bold(wrapped(title, canvas.width), canvas); }

}  // namespace

Result<HeadName> parse_head(const std::string& text, const ModelConfig& config) {
    HeadName name;
    if (text.empty()) return name;
    const char* end = text.data() + text.size();
    auto read = std::from_chars(text.data(), end, name.layer);
    bool good = read.ec == std::errc();
    if (good && read.ptr != end) {
        good = *read.ptr == '.';
        if (good) {
            read = std::from_chars(read.ptr + 1, end, name.head);
            good = read.ec == std::errc() && read.ptr == end && name.head >= 0;
        }
    }
    if (!good) return fail(Error::usage, "'" + one_line(text) + "' is not LAYER.HEAD, for example 0.0");
    if (name.layer < 0 || name.layer >= config.num_hidden_layers) {
        return fail(Error::usage,
                    "there is no layer " + std::to_string(name.layer) + ": the model has layers 0 to " + std::to_string(config.num_hidden_layers - 1));
    }
    if (name.head >= 0 && !config.has_state(name.layer)) {
        return fail(Error::usage, "layer " + std::to_string(name.layer) + " is " + config.layer_kinds[static_cast<size_t>(name.layer)] +
                                      ", which has no gates and no state matrix");
    }
    if (name.head >= config.kda_heads) {
        return fail(Error::usage, "there is no head " + std::to_string(name.head) + ": such a layer has heads 0 to " + std::to_string(config.kda_heads - 1));
    }
    return name;
}

std::string gates_overview(const Watch& watch, const ModelConfig& config, bool table, const Canvas& canvas) {
    std::vector<Strip> rows;
    std::vector<std::string> head{"layer"};
    for (int h = 0; h < config.kda_heads; ++h) head.push_back("head " + std::to_string(h));
    Table numbers(head);
    for (int l = 0; l < config.num_hidden_layers; ++l) {
        if (!config.has_state(l) || watch.layer(l).decay_tokens == 0) continue;
        Strip row{.label = "layer " + std::to_string(l), .values = {}, .note = ""};
        std::vector<std::string> cells{std::to_string(l)};
        std::vector<double> medians;
        for (int h = 0; h < config.kda_heads; ++h) {
            medians.push_back(median(half_lives(watch.layer(l), config, h)));
            row.values.push_back(half_life_colour(medians.back()));
            cells.push_back(half_life_text(medians.back()));
        }
        row.note =
            half_life_text(*std::min_element(medians.begin(), medians.end())) + " to " + half_life_text(*std::max_element(medians.begin(), medians.end()));
        numbers.add(cells);
        rows.push_back(std::move(row));
    }
    const std::string title = titled(canvas, "Median half-life of each " + std::string(state_name(config)) + " head, in tokens");
    if (table) return title + numbers.text();
    const int room = canvas.width - 10 - 14;
    const int cell = std::clamp(room / std::max(1, config.kda_heads), 1, 4);
    return title +
           wrapped(gates_of(config) > 1
                       ? "After so many tokens half of what a head's typical channel held is gone (mean over the last answer). One cell is one head."
                       : "After so many tokens half of what a head held is gone (mean over the last answer). One cell is one head.",
                   canvas.width) +
           strips(rows, cell, canvas) + band_legend(canvas);
}

namespace {

// Half-lives of a head's channels as a picture, and how many lie in which band.
std::string channels_of_head(const std::vector<double>& lives, const Canvas& canvas) {
    const int K = static_cast<int>(lives.size());
    // Channels in rows of a round number, as wide as the window allows.
    const int room = canvas.width - 6;
    int per_row = 1;
    while (per_row * 2 <= std::min(room, K)) per_row *= 2;
    const int cell = std::clamp(room / per_row, 1, 2);
    std::vector<Strip> rows;
    for (int first = 0; first < K; first += per_row) {
        Strip row{.label = padded(std::to_string(first), 4, true), .values = {}, .note = ""};
        for (int i = first; i < std::min(K, first + per_row); ++i) row.values.push_back(half_life_colour(lives[static_cast<size_t>(i)]));
        rows.push_back(std::move(row));
    }
    std::string out = strips(rows, cell, canvas);

    // The histogram is the legend, too.
    int counts[kBands] = {};
    for (double life : lives) ++counts[half_life_band(life)];
    const int most = *std::max_element(counts, counts + kBands);
    const int width = std::clamp(canvas.width - 34, 8, 40);
    Ink ink(canvas);
    for (int band = 0; band < kBands; ++band) {
        const Paint colour = sequential((band + 0.5) / kBands);
        ink.plain(padded(std::string(band_name(band)), 6, true) + " ");
        ink.cell(band_swatch(band, canvas, 2), colour);
        ink.plain(" ");
        ink.cell(bar(static_cast<double>(counts[band]) / std::max(1, most), width, canvas), colour);
        ink.plain(" " + plural(counts[band], "channel"));
        ink.end_line();
    }
    return out + ink.take();
}

}  // namespace

std::string gates_of_head(const Watch& watch, const ModelConfig& config, HeadName name, bool table, const Canvas& canvas) {
    const Watch::Layer& layer = watch.layer(name.layer);
    const int H = config.kda_heads, K = gates_of(config);
    const std::vector<double> lives = half_lives(layer, config, name.head);
    std::string out =
        titled(canvas, "Layer " + std::to_string(name.layer) + ", head " + std::to_string(name.head) +
                           (K > 1 ? ": how long each of its " + std::to_string(K) + " channels remembers" : ": how long it remembers, by its one gate"));
    if (table) {
        Table numbers({"channel", "half-life", "log decay", "now"});
        for (int i = 0; i < K; ++i) {
            const int64_t channel = int64_t{name.head} * config.kda_key_dim + i;
            numbers.add({std::to_string(i), half_life_text(lives[static_cast<size_t>(i)]), fixed(layer.mean_log_decay(channel), 5),
                         half_life_text(half_life(layer.last_log_decay[static_cast<size_t>(channel)]))});
        }
        return out + numbers.text();
    }
    out += wrapped("Half-life ln(1/2)/g in tokens, g the mean log-decay over the last answer (" + plural(layer.decay_tokens, "token") + ").", canvas.width);

    out += K > 1 ? channels_of_head(lives, canvas) : "half-life " + half_life_text(lives[0]) + " tokens\n\n";
    out += "over the answer, oldest token left\n";
    const auto line = [&](const char* label, const std::vector<float>& values) {
        const std::vector<float> one = track(values, H, name.head);
        if (one.empty()) return;
        const auto [low, high] = std::minmax_element(one.begin(), one.end());
        out += padded(label, 10) + " " + tinted(sparkline(one, std::max(8, canvas.width - 32), canvas), canvas) + " " + short_number(*low) + " to " +
               short_number(*high) + "\n";
    };
    line("state |S|", layer.state_norm);
    line("write |ku|", layer.update_norm);
    line("beta", layer.beta);
    return out;
}

std::string state_of_head(const Sequence& sequence, HeadName name, bool table, const Canvas& canvas) {
    const ModelConfig& config = sequence.model().config();
    return state_of_head(sequence.state(name.layer, "S", name.head), config.kda_value_dim, config.kda_key_dim, sequence.position(), name, table, canvas);
}

std::string state_of_head(std::span<const float> S, int V, int K, int64_t tokens, HeadName name, bool table, const Canvas& canvas) {
    double squares = 0;
    float low = 0, high = 0;
    for (float v : S) squares += double(v) * v, low = std::min(low, v), high = std::max(high, v);
    // Participation ratio (sum s^2)^2 / sum s^4 of the singular values s: |S|^4 / |S S^T|^2. As many directions as are about equally in use.
    double fourth = 0;
    for (int a = 0; a < V; ++a) {
        for (int b = 0; b < V; ++b) {
            double dot = 0;
            for (int j = 0; j < K; ++j) dot += double(S[size_t(a) * size_t(K) + size_t(j)]) * S[size_t(b) * size_t(K) + size_t(j)];
            fourth += dot * dot;
        }
    }
    std::string out =
        titled(canvas, "Layer " + std::to_string(name.layer) + ", head " + std::to_string(name.head) + ": the state matrix S after " + plural(tokens, "token"));
    const std::string figures = "|S| " + short_number(std::sqrt(squares)) + ", values " + short_number(low) + " to " + short_number(high) +
                                ", effective rank " + (fourth > 0 ? fixed(squares * squares / fourth, 1) : "0") + " of " + std::to_string(std::min(V, K));
    if (table) {
        Table numbers({"value row", "norm", "smallest", "largest", "strongest key"});
        for (int r = 0; r < V; ++r) {
            const auto row = S.subspan(size_t(r) * size_t(K), size_t(K));
            double sum = 0;
            for (float v : row) sum += double(v) * v;
            const auto strongest = std::max_element(row.begin(), row.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
            numbers.add({std::to_string(r), short_number(std::sqrt(sum)), short_number(*std::min_element(row.begin(), row.end())),
                         short_number(*std::max_element(row.begin(), row.end())), std::to_string(strongest - row.begin())});
        }
        return out + figures + "\n" + numbers.text();
    }
    const float limit = std::max(-low, high);
    out += wrapped(
        "One row is a value dimension, one column a key channel: S answers the query q with S q, and this is all the head knows of the text. Colours go with "
        "the square root.",
        canvas.width);
    out += heat_map({S, V, K, limit}, std::clamp(canvas.height - 9, 8, 64), canvas, " ");
    out += " " + heat_legend(limit, canvas);
    if (K > canvas.width - 2) out += wrapped("Narrower than the matrix: each cell shows the strongest value under it.", canvas.width);
    return out + wrapped(figures + ".", canvas.width);
}

std::string expert_load(const Watch& watch, const ModelConfig& config, int only, bool table, const Canvas& canvas) {
    const int E = config.num_experts;
    Table numbers({"layer", "expert", "picks", "share"});
    std::vector<Strip> rows;
    double largest = 0;
    for (int l = 0; l < config.num_hidden_layers; ++l) {
        for (int64_t n : watch.layer(l).picks) largest = std::max(largest, double(n) / double(std::max<int64_t>(1, watch.layer(l).pick_tokens)));
    }
    const int cells = std::max(1, std::min(E, canvas.width - 10 - 18));
    for (int l = 0; l < config.num_hidden_layers; ++l) {
        const Watch::Layer& layer = watch.layer(l);
        if (layer.pick_tokens == 0 || (only >= 0 && l != only)) continue;
        std::vector<int64_t> picks = layer.picks;
        picks.resize(static_cast<size_t>(E));
        const auto tokens = static_cast<double>(layer.pick_tokens);
        int used = 0;
        for (int e = 0; e < E; ++e) {
            used += picks[size_t(e)] > 0;
            if (picks[size_t(e)] > 0)
                numbers.add({std::to_string(l), std::to_string(e), grouped(picks[size_t(e)]), percent_text(double(picks[size_t(e)]) / tokens)});
        }
        const double busiest = double(*std::max_element(picks.begin(), picks.end()));
        const double even = tokens * config.num_experts_per_token / E;
        Strip row{.label = "layer " + std::to_string(l),
                  .values = {},
                  .note = std::to_string(used) + "/" + std::to_string(E) + " peak " + fixed(busiest / even, 1) + "x"};
        for (int c = 0; c < cells; ++c) {
            int64_t strongest = 0;
            for (int e = c * E / cells; e < (c + 1) * E / cells; ++e) strongest = std::max(strongest, picks[size_t(e)]);
            row.values.push_back(strongest == 0 ? 0.0 : std::max(0.02, double(strongest) / tokens / largest));
        }
        rows.push_back(std::move(row));
    }
    if (rows.empty()) return "No layer of this model has experts.\n";
    std::string out = titled(canvas, "Load of the experts over the last answer");
    if (table || only >= 0) {
        return out +
               wrapped("How many of the answer's tokens each expert was chosen for (" + std::to_string(config.num_experts_per_token) + " of " +
                           std::to_string(E) + " a token).",
                       canvas.width) +
               numbers.text();
    }
    out += wrapped("One cell is " + std::string(cells < E ? "a few neighbouring experts (the busiest counts)" : "an expert") +
                       ", brighter the more tokens chose it. Behind a row: how many were used at all, and the busiest one's load (1x if all were equal).",
                   canvas.width);
    out += strips(rows, std::clamp((canvas.width - 10 - 18) / cells, 1, 2), canvas);
    Ink ink(canvas);
    ink.plain("never ");
    for (int i = 0; i < 5; ++i) {
        const Strip one{.label = "", .values = {i / 4.0}, .note = ""};
        if (canvas.colour == Colour::none || !canvas.unicode) {
            std::string shade = strips({&one, 1}, 2, canvas);
            ink.plain(shade.substr(1, shade.size() - 2));
        } else {
            ink.cell("██", sequential(i / 4.0));
        }
    }
    ink.plain(" " + percent_text(largest) + " of tokens");
    ink.end_line();
    return out + ink.take();
}

std::string memory_by_context(const ModelConfig& config, int cache_bytes, int64_t now, int64_t dropped, const Canvas& canvas) {
    const ModelConfig twin = all_attention(config);
    std::vector<int64_t> contexts{1024, 4096, 16384, 65536, 262144, 1048576};
    if (now > 0) contexts.insert(contexts.begin(), now);
    const bool narrow = canvas.width < 72;
    Table table(narrow ? std::vector<std::string>{"context", "this", "twin", "ratio"}
                       : std::vector<std::string>{"context", "state + conv", "cache", "this model", twin_name(config), "ratio"});
    for (size_t i = 0; i < contexts.size(); ++i) {
        const int64_t in_pages = (contexts[i] + kMlaPage - 1) / kMlaPage * kMlaPage;
        const int64_t held = now > 0 && i == 0 ? (now - dropped + kMlaPage - 1) / kMlaPage * kMlaPage : in_pages;
        const SequenceBytes mine = sequence_bytes(config, held, cache_bytes), theirs = sequence_bytes(twin, in_pages, cache_bytes);
        const std::string label = (now > 0 && i == 0 ? "now, " : "") + grouped(contexts[i]);
        const std::string ratio = theirs.total() > 0 ? fixed(double(mine.total()) / double(theirs.total()), 2) : "n/a";
        if (narrow) {
            table.add({label, bytes_text(mine.total()), bytes_text(theirs.total()), ratio});
        } else {
            table.add({label, bytes_text(mine.state + mine.conv), bytes_text(mine.cache), bytes_text(mine.total()), bytes_text(theirs.total()), ratio});
        }
    }
    std::string out =
        titled(canvas, "Memory of one conversation by context") +
        wrapped("Against the same model with every mixer " + std::string(cache_name(config)) + "; all figures computed from the shapes.", canvas.width) +
        table.text();
    if (dropped > 0)
        out += wrapped("Of this conversation's " + grouped(now) + " tokens the cache holds the newest " + grouped(now - dropped) +
                           "; the states have seen all of them. The twin would hold all.",
                       canvas.width);
    // Where the two lines cross: state and tails against the cache that the replaced layers would keep.
    const SequenceBytes one = sequence_bytes(config, 1, cache_bytes);
    const int64_t fixed_bytes = one.state + one.conv, per_token = sequence_bytes(twin, 1, cache_bytes).cache - one.cache;
    if (fixed_bytes > 0 && per_token > 0) {
        out += wrapped("Below " + grouped((fixed_bytes + per_token - 1) / per_token) +
                           " tokens the twin is the smaller one: the state is paid for at once, a cache token by token.",
                       canvas.width);
    }
    return out;
}

std::string twin_name(const ModelConfig& config) { return config.head_dim ? "full-attention twin" : "all-MLA twin"; }

std::string layer_pattern(const ModelConfig& config, int width) {
    int kda = 0;
    std::string row;
    for (int l = 0; l < config.num_hidden_layers; ++l) {
        kda += config.has_state(l);
        row += (l ? " " : "") + std::string(config.has_state(l) ? (config.one_gate(l) ? "G" : "K") : config.head_dim ? "A" : "M");
    }
    return wrapped(row + " (" + std::to_string(kda) + " " + std::string(state_name(config)) + ", " + std::to_string(config.num_hidden_layers - kda) + " " +
                       std::string(cache_name(config)) + ")",
                   width);
}

}  // namespace klp
