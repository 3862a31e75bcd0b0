// klp train: a model that learns from text, chats and tasks, and the folder in which it does.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/progress.h"
#include "core/files/disk.h"
#include "core/files/json.h"
#include "core/files/resources.h"
#include "core/learn/dice.h"
#include "core/learn/training.h"
#include "core/system.h"
#include "core/text/chat_template.h"
#include "core/text/vocabulary.h"

namespace klp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kTold = 1'000'000'000;

// --- What is trained --------------------------------------------------------------------------------------------------

// Everything but the data, sound and in agreement.
struct Beginning {
    RunSpec spec;  // its plan and identity.data are not known before the data is
    ModelConfig config;
    std::shared_ptr<const Tokenizer> tokenizer;         // null: the plan has tasks only
    std::shared_ptr<const WeightSource> first_weights;  // null: random ones
    std::optional<Plan> plan;                           // none: made from the data
    std::string plan_name = "the plan";                 // for messages
    NamedTexts files;                                   // beside the weights
};

constexpr const char* kTokenizerFiles[] = {"tiktoken.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};

// Of a folder, or of a vocabulary's own file, with tokenizer_config.json beside it.
Result<NamedTexts> tokenizer_texts(const fs::path& where) {
    std::error_code none;
    const bool folder = fs::is_directory(where, none);
    NamedTexts texts;
    const auto add = [&](const char* name, const fs::path& file) -> Result<void> {
        auto text = read_text(file, 256 << 20);
        if (!text) return tl::unexpected(text.error());
        texts.emplace_back(name, std::move(*text));
        return {};
    };
    if (!folder)
        if (auto read = add(where.extension() == ".json" ? "tokenizer.json" : "tiktoken.model", where); !read) return tl::unexpected(read.error());
    for (const char* name : kTokenizerFiles) {
        const fs::path file = (folder ? where : where.parent_path()) / name;
        if (!fs::exists(file, none) || (!folder && (std::string_view(name) == "tiktoken.model" || std::string_view(name) == "tokenizer.json"))) continue;
        if (auto read = add(name, file); !read) return tl::unexpected(read.error());
    }
    return texts;
}

Result<std::shared_ptr<const Tokenizer>> tokenizer_of(const NamedTexts& texts, const fs::path& where) {
    const auto text = [&](const char* name) {
        const auto at = std::find_if(texts.begin(), texts.end(), [&](const auto& one) { return one.first == name; });
        return at == texts.end() ? std::string() : at->second;
    };
    const std::string tiktoken = text("tiktoken.model"), json = text("tokenizer.json");
    if (tiktoken.empty() && json.empty()) return fail(Error::model, where.string() + " " + std::string(kNoTokenizer));
    auto files =
        tiktoken.empty() ? read_tokenizer_json(json, text("tokenizer_config.json"), where) : read_tiktoken(tiktoken, text("tokenizer_config.json"), where);
    if (!files) return tl::unexpected(files.error());
    return std::make_shared<const Tokenizer>(std::move(*files));
}

uint64_t hash_of_all(const NamedTexts& texts) {
    uint64_t hash = hash_of("");
    for (const auto& [name, content] : texts) hash = hash_of(content, hash_of(name, hash));
    return hash;
}

// A shape's sizes for this vocabulary.
void take_vocabulary(ModelConfig& config, const Tokenizer& tokenizer) {
    config.vocab_size = (tokenizer.vocab_size() + 31) / 32 * 32;  // whole blocks
    config.bos_token_id = tokenizer.special("[BOS]").value_or(-1);
    config.pad_token_id = tokenizer.special("[PAD]").value_or(-1);
    if (const auto turn = turn_tokens(tokenizer, config)) config.eos_token_ids.assign(turn->stop.begin(), turn->stop.end());
}

std::string generation_text(const ModelConfig& config) {
    Json j = {{"do_sample", false}};
    if (config.bos_token_id >= 0) j["bos_token_id"] = config.bos_token_id;
    if (!config.eos_token_ids.empty()) j["eos_token_id"] = config.eos_token_ids;
    if (config.pad_token_id >= 0) j["pad_token_id"] = config.pad_token_id;
    return j.dump(2) + "\n";
}

Result<ModelConfig> config_of(const TrainFlags& flags, const fs::path& from) {
    if (!flags.shape.empty()) return shape_named(flags.shape);
    return read_config(flags.config.empty() ? from / "config.json" : fs::path(flags.config));
}

// What the command line asks for.
Result<Beginning> begin(const TrainFlags& flags) {
    Beginning b;
    b.spec.dtype = flags.dtype.value_or(b.spec.dtype), b.spec.seed = flags.seed.value_or(b.spec.seed);
    b.spec.hold_out = flags.hold_out.value_or(b.spec.hold_out), b.spec.eval_every = flags.eval_every.value_or(b.spec.eval_every);
    for (const std::string& file : flags.data) b.spec.data.push_back(fs::absolute(file).lexically_normal().string());
    if (!flags.plan.empty()) {
        const auto text = read_named(flags.plan, 1 << 26);
        if (!text) return tl::unexpected(text.error());
        auto plan = parse_plan(*text, flags.plan);
        if (!plan) return tl::unexpected(plan.error());
        b.plan = std::move(*plan), b.plan_name = flags.plan;
    }
    const auto tasks_only = [](const Stage& s) { return std::all_of(s.parts.begin(), s.parts.end(), [](const Stage::Part& part) { return part.task; }); };
    if (flags.data.empty() && !(b.plan && std::all_of(b.plan->stages.begin(), b.plan->stages.end(), tasks_only)))
        return fail(Error::usage, "say what to learn from: --data FILES, or the -o DIR of a run to go on with");
    fs::path from;
    if (!flags.from.empty()) {
        const auto found = find_model(flags.from);
        if (!found) return tl::unexpected(found.error());
        const auto checkpoint = open_checkpoint(*found);
        if (!checkpoint) return tl::unexpected(checkpoint.error());
        if (!fs::is_directory(*found)) return fail(Error::usage, found->string() + " is no folder, and training begins from one");
        from = fs::absolute(*found).lexically_normal();
        b.spec.from = from.string(), b.first_weights = checkpoint->source;
    }
    if (flags.shape.empty() && flags.config.empty() && from.empty())
        return fail(Error::usage, "say what is to learn: --shape NAME, --config FILE or --from MODEL");
    auto config = config_of(flags, from);
    if (!config) return tl::unexpected(config.error());
    b.config = std::move(*config);
    const fs::path words = flags.tokenizer.empty() ? from : fs::path(flags.tokenizer);
    if (!flags.data.empty() && words.empty()) return fail(Error::usage, "say how text becomes tokens: --tokenizer FILE, or a folder that has one");
    if (!words.empty() && !(words == from && !Tokenizer::lies_in(from) && flags.data.empty())) {
        auto texts = tokenizer_texts(words);
        if (!texts) return tl::unexpected(texts.error());
        auto tokenizer = tokenizer_of(*texts, words);
        if (!tokenizer) return tl::unexpected(tokenizer.error());
        b.tokenizer = std::move(*tokenizer), b.files = std::move(*texts);
        b.spec.identity.tokenizer = hash_of_all(b.files);
        if (!flags.shape.empty()) take_vocabulary(b.config, *b.tokenizer);
    }
    std::error_code none;
    std::string generation = generation_text(b.config);
    if (!from.empty() && fs::exists(from / "generation_config.json", none))
        if (const auto text = read_text(from / "generation_config.json", 1 << 20)) generation = *text;
    b.files.emplace_back("config.json", to_json(b.config));
    b.files.emplace_back("generation_config.json", generation);
    b.spec.identity.config = hash_of(to_json(b.config)), b.spec.identity.seed = b.spec.seed;
    return b;
}

// What the folder of a run remembers.
Result<Beginning> again(const fs::path& folder, RunSpec spec) {
    Beginning b{.spec = std::move(spec), .plan_name = run_file(folder).string()};
    const auto differs = [&](const char* what) {
        return fail(Error::usage, (folder / what).string() + " is not what training began with, so it cannot go on");
    };
    auto config = read_config(folder / "config.json");
    if (!config) return tl::unexpected(config.error());
    b.config = std::move(*config);
    if (hash_of(to_json(b.config)) != b.spec.identity.config) return differs("config.json");
    if (b.spec.identity.tokenizer != 0) {
        const auto texts = tokenizer_texts(folder);
        if (!texts) return tl::unexpected(texts.error());
        if (hash_of_all(*texts) != b.spec.identity.tokenizer) return differs("the tokenizer");
        auto tokenizer = tokenizer_of(*texts, folder);
        if (!tokenizer) return tl::unexpected(tokenizer.error());
        b.tokenizer = std::move(*tokenizer);
    }
    auto plan = parse_plan(b.spec.plan, b.plan_name + ": plan");
    if (!plan) return tl::unexpected(plan.error());
    b.plan = std::move(*plan);
    return b;
}

// --- The run ----------------------------------------------------------------------------------------------------------

// The folder, for this process alone.
class FolderLock {
public:
    static Result<FolderLock> take(const fs::path& folder) {
        if (auto made = make_folder(folder / "training"); !made) return tl::unexpected(made.error());
        FolderLock lock;
        lock.fd_ = open((folder / "training" / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock.fd_ < 0) return fail(Error::failure, (folder / "training" / "lock").string() + ": " + std::strerror(errno));
        if (flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) return fail(Error::failure, folder.string() + " is being trained by another klp");
        // What a kill has left.
        std::error_code none;
        for (const fs::path& place : {folder, folder / "training"})
            for (const auto& entry : fs::directory_iterator(place, none))
                if (entry.path().filename().string().find(".part") != std::string::npos) fs::remove_all(entry.path(), none);
        return lock;
    }
    FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~FolderLock() {
        if (fd_ >= 0) close(fd_);
    }

private:
    FolderLock() = default;
    int fd_ = -1;
};

// The first Ctrl-C ends training in good order, the second one at once.
void interrupt_once() {
    struct sigaction action {};
    action.sa_handler = [](int) {
        constexpr std::string_view kHeard = "\rklp: stopping behind this step; Ctrl-C again ends at once, with the last checkpoint\n";
        g_interrupted.store(true);
        if (write(STDERR_FILENO, kHeard.data(), kHeard.size()) < 0) return;
    };
    action.sa_flags = SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
}

// What happens, as it is told: a line that stays in its place on a terminal, lines with --json.
class Teller {
public:
    Teller(const Terminal& terminal, bool json, const TrainingState& from)
        : json_(json), progress_(terminal, "training", "token"), from_(from), start_(now_ns()) {}

    void step(const TrainedStep& s) {
        const int64_t now = now_ns();
        progress_.name("training, loss " + fixed(s.state.loss, 3));
        progress_.at(s.state.tokens, s.tokens, from_.tokens);
        if (!json_ || (s.state.step < s.steps && now - said_ < kTold)) return;
        said_ = now;
        const double seconds = static_cast<double>(now - start_) * 1e-9, speed = static_cast<double>(s.state.tokens - from_.tokens) / seconds;
        say({{"step", s.state.step},
             {"steps", s.steps},
             {"tokens", s.state.tokens},
             {"of_tokens", s.tokens},
             {"stage", s.stage->name},
             {"rate", s.rate},
             {"loss", s.figures.loss},
             {"mean_loss", s.state.loss},
             {"accuracy", s.figures.accuracy},
             {"gradient_norm", s.figures.gradient_norm},
             {"tokens_per_second", speed},
             {"seconds_left", static_cast<double>(s.tokens - s.state.tokens) / speed}});
    }
    void evaluation(const Evaluation& e) {
        if (!json_) {
            std::string text = "step " + grouped(e.step) + ": held out " + row_text(e.all);
            for (const Evaluation::Row& row : e.sources)
                if (e.sources.size() > 1) text += "; " + row.source + " " + row_text(row);
            put(text + "\n");
            return;
        }
        Json sources = Json::object();
        for (const Evaluation::Row& row : e.sources) sources[row.source] = row_json(row);
        say({{"step", e.step}, {"held_out", row_json(e.all)}, {"sources", sources}});
    }
    void end(const TrainingState& state, const Batches& batches, const fs::path& folder) {
        const bool finished = state.step == batches.steps();
        if (json_)
            say({{"step", state.step},
                 {"tokens", state.tokens},
                 {"mean_loss", state.loss},
                 {"seconds", state.seconds},
                 {"finished", finished},
                 {"model", folder.string()}});
        else if (finished)
            put(plural(state.step, "step") + ", " + plural(state.tokens, "token") + ", " + duration_text(state.seconds * 1e9) + ", loss " +
                fixed(state.loss, 3) + ": " + folder.string() + "\n");
    }

private:
    static std::string row_text(const Evaluation::Row& row) { return fixed(row.loss, 3) + " nats a token, " + percent_text(row.accuracy) + " right"; }
    static Json row_json(const Evaluation::Row& row) { return {{"loss", row.loss}, {"accuracy", row.accuracy}, {"counted", row.counted}}; }
    static void say(const Json& line) { put(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"); }
    const bool json_;
    Progress progress_;
    const TrainingState from_;
    const int64_t start_;
    int64_t said_ = 0;
};

Result<std::shared_ptr<const Data>> read_all(const Beginning& b, const TrainFlags& flags, const Terminal& terminal) {
    if (b.spec.data.empty()) return std::make_shared<const Data>();
    Progress progress(terminal, "reading", "byte");
    auto data = read_data({b.spec.data.begin(), b.spec.data.end()}, *b.tokenizer, b.config,
                          {.hold_out = b.spec.hold_out, .threads = flags.threads, .cancel = &g_interrupted, .progress = [&](int64_t done, int64_t total) {
                               progress.at(done, total);
                           }});
    if (!data) return tl::unexpected(data.error());
    for (const Source& source : data->sources)
        if (source.empty > 0) note("klp: " + source.file + ": " + plural(source.empty, "line") + " in which nothing is learned left out");
    return std::make_shared<const Data>(std::move(*data));
}

// What is asked for, or what the folder remembers; the two must agree.
Result<Beginning> prepare(const TrainFlags& flags, const fs::path& folder, const std::optional<RunSpec>& there) {
    std::error_code none;
    if (!there && fs::exists(folder, none) && !(fs::is_directory(folder, none) && fs::is_empty(folder, none)))
        return fail(Error::usage, flags.out + " exists already and is neither an empty folder nor one of klp train");
    if (!there && !flags.asks())
        return fail(Error::usage, flags.out + " holds no run to go on with: say what to learn from and what is to learn (klp train --help)");
    auto b = flags.asks() ? begin(flags) : again(folder, *there);
    if (!b || b->first_weights || b->spec.from.empty()) return b;
    const auto first = open_checkpoint(b->spec.from);
    if (!first) return tl::unexpected(first.error());
    b->first_weights = first->source;
    return b;
}

// The plan is known now; without one it is made from what there is.
Result<Batches> lay_out(Beginning& b, std::shared_ptr<const Data> data, const TrainFlags& flags, const std::optional<RunSpec>& there) {
    if (!b.plan) {
        std::vector<std::pair<std::string, int64_t>> sizes;
        for (const Source& source : data->sources) {
            int64_t tokens = 0;
            for (const Source::Document& document : source.documents) tokens += document.size - 1;
            sizes.emplace_back(source.name, tokens);
        }
        PlanWishes wishes{.tokens = flags.tokens.value_or(0), .muon = flags.rate};
        wishes.batch = flags.batch.value_or(wishes.batch), wishes.longest = flags.length.value_or(wishes.longest);
        b.plan = default_plan(sizes, wishes);
    }
    b.spec.plan = plan_text(*b.plan);
    b.spec.identity.plan = hash_of(b.spec.plan), b.spec.identity.data = data->identity;
    if (const std::string other = there ? difference(there->identity, b.spec.identity) : ""; !other.empty())
        return fail(Error::usage, flags.asks() ? flags.out + " is a run with " + other + ": take another folder, or go on with klp train -o " + flags.out
                                               : "training of " + flags.out + " began with " + other + ", so it cannot go on");
    return Batches::lay_out(std::move(data), *b.plan, b.config, b.spec.seed, b.plan_name);
}

// A new run's folder with all that it needs but weights; nothing of it is written where they would find no room.
Result<void> make_run(const fs::path& folder, const Beginning& b, const Learner& learner) {
    int64_t bytes = 0;
    for (const Learner::Tensor& t : learner.tensors()) bytes += t.values() * 4 * (1 + (t.first != nullptr) + (t.second != nullptr));
    if (auto room = check_room(folder / "training", 2 * bytes); !room) return room;  // a checkpoint lies beside the one before it
    if (auto written = write_files(folder, b.files); !written) return written;
    return write_run(folder, b.spec);
}

void say_what_begins(const Beginning& b, const Data& data, const Batches& batches, const TrainingState& from) {
    int64_t held = 0;
    for (const Source& source : data.sources) held += static_cast<int64_t>(source.held_out.size());
    if (from.step == batches.steps())
        note("klp: all of its steps are done");
    else if (from.step > 0)
        note("klp: going on behind step " + grouped(from.step) + " of " + grouped(batches.steps()));
    else
        note("klp: " + count_text(count_parameters(b.config).total) + " weights, " + plural(batches.steps(), "step") + ", " +
             plural(batches.tokens_before(batches.steps()), "token") + " of " + plural(data.tokens(), "token") + " of data, " + plural(held, "document") +
             " held out");
}

Result<int> run_training(const TrainFlags& flags, const Terminal& terminal) {
    const fs::path folder = fs::absolute(flags.out).lexically_normal();
    const auto there = read_run(folder);
    if (!there) return tl::unexpected(there.error());
    auto b = prepare(flags, folder, *there);
    if (!b) return tl::unexpected(b.error());
    const auto type = type_named(b->spec.dtype, true);
    if (!type) return tl::unexpected(type.error());
    const auto learner = make_learner(b->config, b->first_weights, {.threads = flags.threads, .seed = b->spec.seed, .type = *type});
    if (!learner) return tl::unexpected(learner.error());
    const auto data = read_all(*b, flags, terminal);
    if (!data) return tl::unexpected(data.error());
    const auto batches = lay_out(*b, *data, flags, *there);
    if (!batches) return tl::unexpected(batches.error());

    // Nothing was written so far.
    const auto lock = FolderLock::take(folder);
    if (!lock) return tl::unexpected(lock.error());
    if (!*there)
        if (auto made = make_run(folder, *b, **learner); !made) return tl::unexpected(made.error());
    const auto from = load_state(folder, **learner, b->spec.identity);
    if (!from) return tl::unexpected(from.error());
    TrainingState state = from->value_or(TrainingState{});
    say_what_begins(*b, **data, *batches, state);
    Teller teller(terminal, flags.json, state);
    Result<void> model;  // that everything opens, beside each checkpoint
    const auto write_model = [&] { model = export_model(folder, **learner, *type); };
    if (state.step < batches->steps()) {
        say_that_it_takes_long(terminal);
        const auto end =
            train(**learner, *batches, state,
                  {.folder = folder,
                   .identity = b->spec.identity,
                   .eval_every = b->spec.eval_every,
                   .cancel = &g_interrupted,
                   .on_step = [&](const TrainedStep& step) { teller.step(step); },
                   .on_evaluation = [&](const Evaluation& e) { teller.evaluation(e); },
                   .on_saved = write_model,
                   .on_trouble = [](const std::string& what) { note("klp: " + what + "; the checkpoint before it is kept, and training goes on"); }});
        if (!end) return tl::unexpected(end.error());
        state = *end;
    } else {
        write_model();
    }
    if (!model) return tl::unexpected(model.error());
    teller.end(state, *batches, folder);
    if (state.step == batches->steps()) return 0;
    return fail(Error::interrupted, "stopped behind step " + grouped(state.step) + " of " + grouped(batches->steps()) + "; klp train -o " + flags.out +
                                        " goes on" + (state.step > 0 ? ", klp -m " + flags.out + " is what it has learned so far" : ""));
}

}  // namespace

bool TrainFlags::asks() const {
    return !data.empty() || !shape.empty() || !config.empty() || !from.empty() || !tokenizer.empty() || !plan.empty() || tokens || batch || length || rate ||
           seed || hold_out || eval_every || dtype;
}

int train_command(const TrainFlags& flags, Terminal& terminal) {
    if (flags.out.empty()) return report({Error::usage, "say where to: -o DIR"});
    interrupt_once();
    const auto code = run_training(flags, terminal);
    return code ? *code : report(code.error());
}

}  // namespace klp
