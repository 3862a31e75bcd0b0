// A model made ready to run: found, opened, loaded onto a device. What every subcommand that computes begins with.
#pragma once

#include "app/terminal.h"
#include "core/model/model.h"
#include "core/model/sampler.h"

namespace klp {

struct EngineOptions {
    std::string model;           // path or name; "": the embedded demo
    std::string shape;           // or a named shape with random weights that the device draws: no file is read
    std::string dtype = "bf16";  // of those weights' matrices
    std::string device = "auto";
    int threads = 0;                          // 0: all cores
    int64_t context = LoadOptions{}.context;  // tokens that must fit beside the weights
    int64_t room = 0;                         // tokens that a sequence may hold even where the model was made for fewer
    std::string chat_template;                // "kimi": talk in Kimi's format even where the model's file names another
    bool thinks = true;                       // a model that can think before it answers does
};

struct Engine {
    std::string name;  // the folder's, or the shape's
    Checkpoint checkpoint;
    std::shared_ptr<Backend> backend;
    std::shared_ptr<const Model> model;
    int64_t load_ns = 0;

    const ModelConfig& config() const { return model->config(); }
    std::string weights() const;  // "bf16", "q8_0": the type most bytes are stored in
};

// Options that would be without effect are refused, or said: threads for what is no CPU, tokens (of `what`, "-c") beyond the model's context.
Result<void> check_threads(const std::string& device, int threads);
void note_context(const std::string& what, int64_t asked, int64_t context);
Result<Engine> open_engine(const EngineOptions& options, const Terminal& terminal);
// Only what is said in front of the weights: headers, config, tokenizer.
Result<Checkpoint> open_folder(const std::string& model);
// A shape, its weights drawn. And the same of a folder that has no weights but only a config.json, as bf16; nothing where it has some, or something else.
Result<Checkpoint> open_shape(const std::string& name, const std::string& dtype);
std::optional<Checkpoint> open_config(const std::string& model);
// A shape, or a type of weights, by the name that the command line has for it; the error lists the names.
Result<ModelConfig> shape_named(const std::string& name);
std::string type_names(bool written);  // of weights; `written`: that files can be made with
Result<DType> type_named(const std::string& name, bool written);
Result<const GgufMix*> mix_named(const std::string& name);  // every type that files can be made with is one, and so are mixes of several
Result<std::shared_ptr<const Tokenizer>> need_tokenizer(const Checkpoint& checkpoint);
// Whether answers begin with thoughts; before anybody uses the tokenizer. An Error where off is asked of a model that has none.
Result<void> set_thinking(Checkpoint& checkpoint, bool on);
void ask_at_once(Checkpoint& checkpoint);  // of a study's questions: a few words answer them, and none are left for thoughts
// An Error where the model's file names another chat template than those of this program.
Result<void> check_template(const Checkpoint& checkpoint, bool kimi_anyway);

std::string model_name(const std::filesystem::path& folder);
// Bytes of one value of the MLA cache.
int cache_value_bytes(const Model& model);
// What generation_config.json says of sampling and of the longest answer, where the folder has one; what it does not name stays as it is.
void read_generation_defaults(const std::filesystem::path& folder, Sampling& settings, int64_t& predict);

// Prints the sentence and gives the exit code of the error's kind.
int report(const Error& error);

}  // namespace klp
