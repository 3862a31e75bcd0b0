#include "core/learn/run_folder.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/files/convert.h"
#include "core/files/disk.h"
#include "core/files/json.h"
#include "core/files/out_file.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

constexpr const char* kState = "state.json";
constexpr const char* kMoments[] = {".first_moment", ".second_moment"};  // behind a tensor's name

fs::path training(const fs::path& folder) { return folder / "training"; }

// Checkpoints there, the newest first.
std::vector<std::pair<int64_t, fs::path>> saved_steps(const fs::path& folder) {
    std::vector<std::pair<int64_t, fs::path>> all;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(training(folder), none)) {
        const std::string name = entry.path().filename().string();
        int64_t step = 0;
        if (!name.starts_with("step-")) continue;
        const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
        if (error == std::errc() && end == name.data() + name.size()) all.emplace_back(step, entry.path());
    }
    std::sort(all.rbegin(), all.rend());
    return all;
}

json said(const RunIdentity& id) { return {{"config", id.config}, {"tokenizer", id.tokenizer}, {"plan", id.plan}, {"data", id.data}, {"seed", id.seed}}; }
RunIdentity identity_in(const json& j) {  // throws
    return {j.at("config").get<uint64_t>(), j.at("tokenizer").get<uint64_t>(), j.at("plan").get<uint64_t>(), j.at("data").get<uint64_t>(),
            j.at("seed").get<uint64_t>()};
}

// A file of ours as what `take` makes of it; whatever it is instead is one sentence.
template <class F>
Result<void> read_own(const fs::path& file, F&& take) {
    const auto text = read_text(file, int64_t{1} << 28);
    if (!text) return tl::unexpected(text.error());
    const auto j = parse_json(*text, file.string());
    if (!j) return tl::unexpected(j.error());
    try {
        take(*j);
    } catch (const json::exception&) {
        return fail(Error::model, file.string() + " is not what klp train writes there");
    }
    return {};
}

// The learner's weights, as a source of a model's.
class Masters final : public WeightSource {
public:
    explicit Masters(const Learner& learner) : learner_(learner) {}
    const std::string& path() const override { return path_; }
    std::vector<TensorInfo> tensors() const override {
        std::vector<TensorInfo> all;
        for (const Learner::Tensor& t : learner_.tensors()) all.push_back({.name = t.name, .type = DType::f32, .shape = t.shape, .bytes = t.values() * 4});
        return all;
    }
    bool has(const std::string& name) const override { return tensor(name) != nullptr; }
    Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const override {
        const Learner::Tensor* t = tensor(name);
        int64_t values = 1;
        for (const int64_t d : shape) values *= d;
        if (!t || t->values() != values) return fail(Error::model, path_ + " have no tensor " + in_quotes(name) + " of " + shape_text(shape));
        return Weight{reinterpret_cast<const std::byte*>(t->master), DType::f32, values / shape.back(), shape.back()};
    }

private:
    const Learner::Tensor* tensor(const std::string& name) const {
        const auto all = learner_.tensors();
        const auto at = std::find_if(all.begin(), all.end(), [&](const Learner::Tensor& t) { return t.name == name; });
        return at == all.end() ? nullptr : &*at;
    }
    const Learner& learner_;
    std::string path_ = "the weights that were learned";
};

}  // namespace

std::string difference(const RunIdentity& a, const RunIdentity& b) {
    if (a.config != b.config) return "another config";
    if (a.tokenizer != b.tokenizer) return "another tokenizer";
    if (a.data != b.data) return "other data";  // of which a default plan is made
    if (a.plan != b.plan) return "another plan";
    if (a.seed != b.seed) return "another seed";
    return "";
}

fs::path run_file(const fs::path& folder) { return training(folder) / "run.json"; }

Result<std::optional<RunSpec>> read_run(const fs::path& folder) {
    std::error_code none;
    if (!fs::exists(run_file(folder), none)) return std::nullopt;
    RunSpec spec;
    auto read = read_own(run_file(folder), [&](const json& j) {
        j.at("data").get_to(spec.data);
        spec.plan = j.at("plan").dump();
        j.at("from").get_to(spec.from);
        j.at("dtype").get_to(spec.dtype);
        j.at("seed").get_to(spec.seed);
        j.at("hold_out").get_to(spec.hold_out);
        j.at("eval_every").get_to(spec.eval_every);
        spec.identity = identity_in(j.at("identity"));
    });
    if (!read) return tl::unexpected(read.error());
    return spec;
}

Result<void> write_run(const fs::path& folder, const RunSpec& spec) {
    const nlohmann::ordered_json j = {{"data", spec.data},
                                      {"plan", nlohmann::ordered_json::parse(spec.plan)},
                                      {"from", spec.from},
                                      {"dtype", spec.dtype},
                                      {"seed", spec.seed},
                                      {"hold_out", spec.hold_out},
                                      {"eval_every", spec.eval_every},
                                      {"identity", said(spec.identity)}};
    if (auto made = make_folder(training(folder)); !made) return made;
    return write_files(training(folder), {{"run.json", j.dump(1, ' ', false, json::error_handler_t::replace) + "\n"}});
}

Result<void> write_files(const fs::path& folder, const NamedTexts& files) {
    for (const auto& [name, content] : files) {
        Unfinished unfinished(folder / name);
        if (auto made = unfinished.make_file(); !made) return made;
        OutFile file(unfinished.path(), folder / name);
        file.write(content.data(), static_cast<int64_t>(content.size()));
        if (auto closed = file.close(); !closed) return closed;
        if (auto kept = unfinished.keep(); !kept) return kept;
    }
    return {};
}

Result<void> save_state(const fs::path& folder, const Learner& learner, const TrainingState& state, const RunIdentity& identity) {
    std::vector<TensorInfo> tensors;
    std::vector<const float*> values;
    const auto add = [&](const Learner::Tensor& t, const std::string& name, const float* data) {
        if (!data) return;
        tensors.push_back({.name = name, .type = DType::f32, .shape = t.shape, .bytes = t.values() * 4});
        values.push_back(data);
    };
    for (const Learner::Tensor& t : learner.tensors()) add(t, t.name, t.master), add(t, t.name + kMoments[0], t.first), add(t, t.name + kMoments[1], t.second);
    const auto names = tensors;
    const auto piece = [&](const TensorInfo& t, int64_t first, int64_t count, std::byte* data) -> Result<void> {
        const auto at =
            static_cast<size_t>(std::find_if(names.begin(), names.end(), [&](const TensorInfo& one) { return one.name == t.name; }) - names.begin());
        std::memcpy(data, values[at] + first, static_cast<size_t>(count) * sizeof(float));
        return {};
    };
    const json j = {{"step", state.step}, {"tokens", state.tokens}, {"loss", state.loss}, {"seconds", state.seconds}, {"identity", said(identity)}};
    const fs::path target = training(folder) / ("step-" + std::to_string(state.step));
    std::error_code none;
    if (auto made = make_folder(training(folder)); !made) return made;
    fs::remove_all(target, none);  // of a run that was put back by hand
    if (auto written = write_checkpoint(target, tensors, piece, {{kState, j.dump(1) + "\n"}}, {.shard_bytes = std::numeric_limits<int64_t>::max()}); !written)
        return written;
    for (const auto& [step, path] : saved_steps(folder))
        if (path != target) fs::remove_all(path, none);
    return {};
}

Result<std::optional<TrainingState>> load_state(const fs::path& folder, Learner& learner, const RunIdentity& identity) {
    const auto all = saved_steps(folder);
    if (all.empty()) return std::nullopt;
    const fs::path& newest = all.front().second;
    TrainingState state;
    RunIdentity there;
    auto read = read_own(newest / kState, [&](const json& j) {
        j.at("step").get_to(state.step);
        j.at("tokens").get_to(state.tokens);
        j.at("loss").get_to(state.loss);
        j.at("seconds").get_to(state.seconds);
        there = identity_in(j.at("identity"));
    });
    if (!read) return tl::unexpected(read.error());
    if (const std::string other = difference(there, identity); !other.empty())
        return fail(Error::usage, newest.string() + " is a checkpoint of " + other + ", so training cannot go on from it");
    const auto source = open_safetensors(newest);
    if (!source) return tl::unexpected(source.error());
    std::vector<std::pair<Weight, float*>> found;  // all of them, before one is changed
    for (const Learner::Tensor& t : learner.tensors())
        for (const auto& [name, data] : {std::pair(t.name, t.master), std::pair(t.name + kMoments[0], t.first), std::pair(t.name + kMoments[1], t.second)}) {
            if (!data) continue;
            const auto weight = (*source)->find(name, t.shape);
            if (!weight) return tl::unexpected(weight.error());
            if (weight->type != DType::f32) return fail(Error::model, newest.string() + ": tensor " + in_quotes(name) + " is not stored as F32");
            found.emplace_back(*weight, data);
        }
    for (const auto& [weight, data] : found) std::memcpy(data, weight.data, static_cast<size_t>(weight.bytes()));
    learner.resume(state.step);
    return state;
}

Result<void> save_model(const Learner& learner, const fs::path& folder, const NamedTexts& files, DType type, const WriteOptions& options) {
    return quantize_checkpoint(Masters(learner), learner.config(), files, folder, type, options);
}

Result<void> export_model(const fs::path& folder, const Learner& learner, DType type, const WriteOptions& options) {
    const fs::path made = training(folder) / "export";
    std::error_code none, error;
    fs::remove_all(made, none);
    WriteOptions whole = options;
    whole.shard_bytes = std::numeric_limits<int64_t>::max();
    if (auto written = save_model(learner, made, {}, type, whole); !written) return written;
    fs::rename(made / "model.safetensors", folder / "model.safetensors", error);
    fs::remove_all(made, none);
    if (error) return fail(Error::failure, (folder / "model.safetensors").string() + ": " + error.message());
    sync_folder(folder);
    return {};
}

}  // namespace klp
