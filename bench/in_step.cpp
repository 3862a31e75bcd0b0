// Two answers side by side, in step, beside the same two one after the other, in turn in one run:
//     klp_bench_in_step [MODEL or a named shape] [type of its weights] [tokens of an answer] [times]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "app/engine.h"
#include "core/files/config.h"
#include "core/serve/in_step.h"
#include "core/system.h"

namespace {

using namespace klp;

std::vector<int32_t> answer(const std::shared_ptr<const Model>& model, int64_t tokens, uint64_t seed, Stepper* stepper, Turns& turns) {
    const std::unique_lock turn(turns);
    Sequence sequence(model, tokens + 8);
    Workspace ws(model->backend());
    GenerateOptions options{.sampling = {.temperature = 1, .seed = seed}, .budget = tokens, .stepper = stepper};
    const std::vector<int32_t> prompt{1, 2, 3, 4};
    auto made = generate(sequence, prompt, ws, options);
    if (!made) std::exit(report(made.error()));
    return made->tokens;
}

}  // namespace

int main(int argc, char** argv) {
    Terminal terminal = Terminal::detect(true);
    EngineOptions opening;
    const std::string name = argc > 1 ? argv[1] : "";
    const auto& shapes = named_shapes();
    const bool shape = std::any_of(shapes.begin(), shapes.end(), [&](const NamedShape& one) { return name == one.name; });
    (shape ? opening.shape : opening.model) = name;
    if (argc > 2) opening.dtype = argv[2];
    const int64_t tokens = argc > 3 ? std::atoll(argv[3]) : 64;
    const int times = argc > 4 ? std::atoi(argv[4]) : 5;
    auto engine = open_engine(opening, terminal);
    if (!engine) return report(engine.error());
    const auto turns = std::make_shared<Turns>();
    std::vector<double> ratios;
    double one_s = 0, step_s = 0;
    for (int n = 0; n <= times; ++n) {  // the first one warms up
        double seconds[2] = {};
        std::vector<std::vector<int32_t>> said[2];
        for (const bool in_steps : {n % 2 == 0, n % 2 != 0}) {
            std::vector<std::vector<int32_t>> both(2);
            const int64_t begin = now_ns();
            if (in_steps) {
                auto seats = in_step(2, turns);
                std::thread other([&] { both[1] = answer(engine->model, tokens, 2, seats[1].get(), *turns); });
                both[0] = answer(engine->model, tokens, 1, seats[0].get(), *turns);
                other.join();
            } else {
                for (size_t i : {0, 1}) both[i] = answer(engine->model, tokens, i + 1, nullptr, *turns);
            }
            seconds[in_steps] = double(now_ns() - begin) / 1e9;
            said[in_steps] = both;
        }
        if (said[0] != said[1]) return std::fprintf(stderr, "in step they say something else\n"), 1;
        if (n == 0) continue;
        ratios.push_back(seconds[1] / seconds[0]);
        one_s += seconds[0] / times, step_s += seconds[1] / times;
    }
    std::sort(ratios.begin(), ratios.end());
    std::printf(
        "%s: two answers of %lld tokens, one after the other %.3f s, in step %.3f s; in step / one after the other, median of %d: %.2f (%.2f to %.2f)\n",
        engine->name.c_str(), static_cast<long long>(tokens), one_s, step_s, times, ratios[ratios.size() / 2], ratios.front(), ratios.back());
    return 0;
}
