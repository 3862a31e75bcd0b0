// Steps of training on random rows, and the forward pass of the same rows beside them:
//     klp_bench_train CONFIG.json [tokens of a row] [tokens of a step] [steps] [threads]
// Counted are the operations that a step needs at the least: the forward pass with logits for every second token, and twice as many backwards.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "core/files/config.h"
#include "core/learn/learner.h"
#include "core/model/cost.h"
#include "core/system.h"

namespace {

int refuse(const klp::Error& error) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return error.kind;
}
double middle(std::vector<double> x) {
    std::sort(x.begin(), x.end());
    return x[x.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    using namespace klp;
    if (argc < 2) return std::fprintf(stderr, "klp_bench_train CONFIG.json [tokens of a row] [tokens of a step] [steps] [threads]\n"), 2;
    const auto number = [&](int i, int64_t otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
    const int64_t length = number(2, 512), tokens = number(3, 8192), steps = number(4, 5);
    const auto config = read_config(argv[1]);
    if (!config) return refuse(config.error());
    auto learner = make_learner(*config, nullptr, {.threads = static_cast<int>(number(5, 0))});
    if (!learner) return refuse(learner.error());

    const Costs costs(*config, DType::bf16);
    const double head = 2.0 * config->vocab_size * config->hidden_size;
    const double forward = (costs.prefill(length).operations - head) / static_cast<double>(length) + head / 2;
    const double limit = costs.rate((*learner)->model()->backend().limits());
    std::mt19937 dice(1);
    std::vector<double> learned, asked;
    for (int64_t step = 0; step <= steps; ++step) {  // the first one warms up
        Batch batch;
        for (int64_t r = 0; r < std::max<int64_t>(1, tokens / length); ++r) {
            batch.lengths.push_back(length);
            for (int64_t t = 0; t < length; ++t) {
                batch.ids.push_back(static_cast<int32_t>(dice() % static_cast<unsigned>(config->vocab_size)));
                batch.targets.push_back(t % 2 ? static_cast<int32_t>(dice() % static_cast<unsigned>(config->vocab_size)) : -1);
            }
        }
        const auto n = static_cast<double>(batch.ids.size());
        int64_t since = now_ns();
        const auto figures = (*learner)->step(batch, {.muon = 0.02, .adamw = 4e-3, .balance = 4e-3});
        if (!figures) return refuse(figures.error());
        const double there_and_back = n / (static_cast<double>(now_ns() - since) / 1e9);
        since = now_ns();
        if (const auto said = (*learner)->measure(batch); !said) return refuse(said.error());
        if (step > 0) learned.push_back(there_and_back), asked.push_back(n / (static_cast<double>(now_ns() - since) / 1e9));
    }
    const double rate = middle(learned);
    std::printf(
        "%.0f tokens/s learned, %.0f tokens/s of the forward pass alone; %.1f MFLOP a token at the least: %.0f GFLOP/s, %.1f %% of this machine's %.0f\n", rate,
        middle(asked), 3 * forward / 1e6, 3 * forward * rate / 1e9, 300 * forward * rate / 1e9 / limit, limit);
}
