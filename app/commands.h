// Every subcommand but chat: a struct of what its line says, and a function that gives the exit code.
#pragma once

#include <optional>

#include "app/chat.h"
#include "core/studies/sweep.h"

namespace klp {

struct InfoOptions {
    std::string model;
    std::string shape, dtype = "bf16";  // or a named shape
    ServedFlags served;                 // or what another program serves
    bool check = false, json = false;
};
int info_command(const InfoOptions& options, Terminal& terminal);

struct LogitsOptions {
    EngineOptions engine;
    std::vector<int32_t> tokens;
    std::optional<std::string> prompt;
    std::string out;        // .npy, float32 [T, vocabulary]
    std::string intervene;  // a file of interventions
    int64_t chunk = 0;      // tokens of a pass; 0: as many as any prompt's
    bool step = false;      // one at a time
    bool json = false;
};
int logits_command(const LogitsOptions& options, Terminal& terminal);

struct TokenizeOptions {
    std::string model;
    std::optional<std::string> text;  // else stdin
    bool decode = false, special = false, json = false;
};
int tokenize_command(const TokenizeOptions& options, Terminal& terminal);

struct BenchOptions {
    EngineOptions engine;
    int64_t prompt = 512, generate = 64;
    std::vector<int64_t> depths{0};
    int repeat = 3;
    bool baseline = false, synthetic = false, json = false;
};
int bench_command(const BenchOptions& options, Terminal& terminal);

struct SweepFlags {
    EngineOptions engine;
    std::string contexts;          // "4k,16k"; "": by the device
    std::string memory;            // "16GiB"; "": by the device
    double limit = 60;             // seconds
    std::vector<std::string> out;  // files, each what its name says: .json, .csv, .svg
    std::string from;
    bool reference = false, json = false;
    std::vector<std::string> urls, served_models;  // of what is served, instead: one or two, and in their order which model
    std::string key_variable, at_once = "1,4";
    std::string command;  // the whole line, for the files
};
int sweep_command(const SweepFlags& flags, Terminal& terminal);
int served_sweep_command(const SweepFlags& flags, Terminal& terminal);
Result<std::vector<int64_t>> sweep_contexts(const std::string& text);  // "4k,64k", ascending
Result<void> check_sweep_files(const SweepFlags& flags);               // before anything is measured
Result<void> write_sweep_files(const SweepFlags& flags, const Sweep& sweep);
std::string sweep_date();  // now, as the files have it

struct EvalOptions {
    EngineOptions engine;
    std::string data;  // folder; "": the one beside the embedded model
    int items = 20;    // of each task and size
    std::vector<int64_t> distances{0, 64, 256, 1024, 2048, 4096, 8192};
    int64_t roll = 0;       // rows of a cache that rolls; 0: none
    std::string intervene;  // a file of interventions
    bool twin = false, json = false;
};
int eval_command(const EvalOptions& options, Terminal& terminal);

struct ProbeFlags {
    EngineOptions engine;
    std::string experiment;        // a file, or one that comes with the program; "": which there are
    int items = 0;                 // chats of each kind; 0: as the experiment says
    std::vector<std::string> out;  // files, each what its name says: .json, .csv, .svg; .jsonl: chats, to go on from
    bool json = false;
};
int probe_command(const ProbeFlags& flags, Terminal& terminal);

struct InitOptions {
    std::string shape, config, out, type = "bf16";
    uint64_t seed = 0;
    bool list = false;
};
int init_command(const InitOptions& options, Terminal& terminal);

struct QuantizeOptions {
    std::string source, out, type;
};
int quantize_command(const QuantizeOptions& options, Terminal& terminal);

struct TrainFlags {
    std::vector<std::string> data;
    std::string shape, config, from;   // what is to learn: one of them
    std::string tokenizer, plan, out;  // a file or a folder; a file; the run's folder
    std::optional<int64_t> tokens, batch, length, hold_out, eval_every;
    std::optional<double> rate;
    std::optional<uint64_t> seed;
    std::optional<std::string> dtype;
    int threads = 0;
    bool json = false;
    bool asks() const;  // says what to learn; else a run goes on
};
int train_command(const TrainFlags& flags, Terminal& terminal);

struct LabFlags {
    std::string task = "stack", mixers;  // "": LabSpec's, of a ladder LadderSpec's
    int64_t length = 48, steps = 300, batch = 2048;
    int vocabulary = 32, heads = 2, width = 32, threads = 0;
    std::optional<int> layers;
    std::optional<int> items;       // pairs or stacks
    std::optional<double> seconds;  // instead of steps
    std::string rates;              // "0.01,0.02"; "": the grid of LabSpec
    uint64_t seed = 1;
    std::vector<std::string> out;  // files, each what its name says: .json, .svg
    std::string save;              // a folder for the learners
    bool ladder = false;
    std::string widths;             // of a ladder
    std::vector<std::string> data;  // of a ladder, instead of a task
    std::string tokenizer;
    bool json = false;
};
int lab_command(const LabFlags& flags, Terminal& terminal);

struct ModelsOptions {
    std::string add, forget;  // folders to look in, too
    bool json = false;
};
int models_command(const ModelsOptions& options, Terminal& terminal);

struct PullFlags {
    std::string what, out;  // ORGANISATION/NAME, or that with :FILE or :TYPE; a folder, "": the user's own
    bool list = false;
};
int pull_command(const PullFlags& flags, Terminal& terminal);

struct ServeFlags {
    EngineOptions engine;
    std::string host = "127.0.0.1", api_key_file;
    int port = 8080, parallel = 8;
    int64_t context = 0;  // of each sequence; 0: all the model has
};
int serve_command(const ServeFlags& flags, Terminal& terminal);

struct DoctorOptions {
    std::string model;  // path or name; "": the machine alone
    std::string device = "auto";
    int threads = 0;
    bool json = false;
};
int doctor_command(const DoctorOptions& options, Terminal& terminal);

struct RunOptions {
    EngineOptions engine;
    SamplingFlags sampling;
    std::vector<std::string> prompts;  // one turn each
    std::string turns;                 // or a file with one a line
    std::string system, tools, intervene, out, title, about, state, on_full = "stop";
    int pictures = 15;
    int64_t context = 0;
    std::optional<int64_t> predict;
    int64_t race = 0;                   // tokens; 0: none
    std::string at, ssh, key_variable;  // of a klp serve whose engine answers; "": one here
    bool stats = false;
};
int run_command(const RunOptions& options, Terminal& terminal);

struct WatchFlags {
    std::string at, ssh, key_variable;  // of a klp serve
    std::string run;                    // which of the runs there; "": the only one
    std::string out;                    // a recording of what is seen
    bool list = false, stats = false, json = false;
};
int watch_command(const WatchFlags& flags, Terminal& terminal);

struct ReplayOptions {
    std::string file;
    double speed = 1;
    bool stats = false;
};
int replay_command(const ReplayOptions& options, Terminal& terminal);

struct ExportOptions {
    std::string file, out;  // .npz, .csv or .json
};
int export_command(const ExportOptions& options, Terminal& terminal);

}  // namespace klp
