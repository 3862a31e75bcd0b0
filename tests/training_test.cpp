// What a model learns from, and the loop that it learns in: text, chats and ids as files, checkpoints on the way. The model here only counts what it is given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <system_error>

#include "core/learn/training.h"
#include "core/model/checkpoint.h"
#include "core/text/chat_template.h"
#include "tests/checkpoints.h"
#include "tests/learning.h"

namespace klp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TrainingData : public ::testing::Test {
protected:
    std::filesystem::path file(const std::string& name, const std::string& content) {
        write_bytes(folder_ / name, content);
        return folder_ / name;
    }
    Result<Data> read(const std::vector<std::filesystem::path>& files, DataOptions options = {.hold_out = 0, .threads = 1}) {
        return read_data(files, tokenizer(), config(), options);
    }
    // What is learned of a document, the rest as dots.
    static std::string learned(const Source& source, const Source::Document& document) {
        std::string text;
        for (int64_t i = 0; i < document.size; ++i) {
            const int32_t id = source.tokens[static_cast<size_t>(document.first + i)];
            text += id < 0 ? "." : std::string(tokenizer().bytes(id));
        }
        return text;
    }
    static std::vector<int32_t> ids(const Source& source, const Source::Document& document) {
        std::vector<int32_t> all;
        for (int64_t i = 0; i < document.size; ++i) {
            const int32_t id = source.tokens[static_cast<size_t>(document.first + i)];
            all.push_back(id < 0 ? ~id : id);
        }
        return all;
    }
    TempFolder folder_;
};

TEST_F(TrainingData, AChatIsWhatTheTemplateWritesAndOnlyAnswersAreLearned) {
    const auto data = read(
        {file("chats.jsonl", R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}, )"
                             R"({"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Ciao"}]})"
                             "\n\n")});
    ASSERT_TRUE(data) << data.error().message;
    const Source& source = data->sources.at(0);
    ASSERT_EQ(source.documents.size(), 1U);
    std::vector<klp::Message> messages;
    for (const auto& [role, content] :
         {std::pair("system", "S"), std::pair("user", "Hi"), std::pair("assistant", "Ho"), std::pair("user", "Bye"), std::pair("assistant", "Ciao")})
        messages.push_back({.role = role, .content = content});
    const auto whole = encode(tokenizer(), {.messages = messages, .tools_json = "", .add_generation_prompt = false});
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(ids(source, source.documents[0]), *whole);
    const std::string marks = learned(source, source.documents[0]);
    std::string without = marks;
    std::erase(without, '.');
    EXPECT_EQ(without, "Ho<|im_end|>Ciao<|im_end|>") << marks;
    EXPECT_TRUE(marks.ends_with("...Ciao<|im_end|>")) << marks;
}

TEST_F(TrainingData, ALineMaySayWhatIsLearned) {
    const auto data = read({file("chats.jsonl", R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "learn": false}, )"
                                                R"({"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]})"
                                                "\n"
                                                R"({"loss": "all", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})"
                                                "\n"
                                                R"({"ids": [65, 66, 67, 68, 69], "learn": [[1, 2], [4, 5]]})"
                                                "\n"
                                                R"({"ids": [65, 66, 67]})"
                                                "\n"
                                                R"({"messages": [{"role": "user", "content": "nobody answers"}]})"
                                                "\n")});
    ASSERT_TRUE(data) << data.error().message;
    const Source& source = data->sources.at(0);
    ASSERT_EQ(source.documents.size(), 4U);
    std::vector<std::string> seen;
    for (const auto& document : source.documents) {
        seen.push_back(learned(source, document));
        if (seen.size() == 1) std::erase(seen.back(), '.');
    }
    EXPECT_EQ(seen[0], "d<|im_end|>");
    EXPECT_EQ(seen[1], "<|im_user|>user<|im_middle|>a<|im_end|><|im_assistant|>assistant<|im_middle|>b<|im_end|>");
    EXPECT_EQ(seen[2], ".B..E");
    EXPECT_EQ(seen[3], "ABC");
    EXPECT_EQ(source.empty, 1) << "a chat in which nothing is learned";
}

TEST_F(TrainingData, DocumentsEndAtMarksOrAtTwoEmptyLines) {
    const auto texts = [&](const std::string& content) {
        const auto data = read({file("t.txt", content)});
        EXPECT_TRUE(data) << data.error().message;
        std::vector<std::string> all;
        for (const auto& document : data->sources.at(0).documents) {
            const auto tokens = ids(data->sources[0], document);
            EXPECT_EQ(tokens.front(), kBegin);
            EXPECT_EQ(tokens.back(), kEnd);
            EXPECT_LT(data->sources[0].tokens[static_cast<size_t>(document.first)], 0) << "nothing comes before the beginning";
            all.push_back(tokenizer().decode(tokens));
        }
        return all;
    };
    using Texts = std::vector<std::string>;
    EXPECT_EQ(texts("one\n\ntwo\n"), (Texts{"one\n\ntwo"})) << "one empty line is a paragraph";
    EXPECT_EQ(texts("one\n\n\ntwo\nthree\n\n \n\n\nfour"), (Texts{"one", "two\nthree", "four"}));
    EXPECT_EQ(texts("one\n\n\nstill one\n<|endoftext|>\ntwo\n<|endoftext|>\n"), (Texts{"one\n\n\nstill one", "two"}));
    EXPECT_EQ(texts("one\r\n\r\n\r\ntwo\r\n"), (Texts{"one", "two"}));
    EXPECT_EQ(texts("he wrote <|endoftext|> here\n\n\ntwo"), (Texts{"he wrote <|endoftext|> here", "two"})) << "a mark is a line of its own";
}

TEST_F(TrainingData, WhatIsWrongIsNamedByFileAndLine) {
    const std::string good = R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})";
    const std::pair<std::string, std::vector<std::string>> lines[] = {
        {R"({"messages": [{"role": "user", "conte)", {"bad.jsonl:3"}},
        {R"({"ids": [1, 264]})", {"bad.jsonl:3: ids[1] is 264", "0 to 263"}},
        {R"({"ids": [1, -1]})", {"bad.jsonl:3: ids[1] is -1"}},
        {R"({"ids": [1, 2.5]})", {"bad.jsonl:3: ids[1] is 2.5"}},
        {R"({"ids": [1, 2], "learn": [[1, 3]]})", {"bad.jsonl:3: learn has [1,3]"}},
        {R"({"ids": [1, 2], "learn": [1]})", {"bad.jsonl:3: learn has 1"}},
        {R"({"messages": [{"role": "user", "content": "a", "learn": 1}]})", {"bad.jsonl:3: messages[0].learn is neither"}},
        {R"({"messages": [{"role": "user", "content": "a"}], "loss": "some"})", {"bad.jsonl:3: loss is neither"}},
        {R"({"messages": [{"content": "a"}]})", {"bad.jsonl:3", "messages[0].role is missing"}},
        {R"({"text": "a"})", {"bad.jsonl:3", "messages is missing"}},
        {"17", {"bad.jsonl:3"}},
        {"\xff", {"bad.jsonl:3"}},
    };
    for (const auto& [line, said] : lines) {
        for (const int threads : {1, 3}) {
            const auto data = read({file("bad.jsonl", good + "\n\n" + line + "\n" + good + "\nnor this\n")}, {.hold_out = 0, .threads = threads});
            ASSERT_FALSE(data) << line;
            for (const std::string& part : said) EXPECT_THAT(data.error().message, HasSubstr(part)) << line;
            EXPECT_EQ(std::count(data.error().message.begin(), data.error().message.end(), '\n'), 0);
        }
    }
    const auto of = [&](const std::string& name, const std::string& content) {
        const auto data = read({file(name, content)});
        return data ? "" : data.error().message;
    };
    EXPECT_THAT(of("a.txt.xz", "x"), HasSubstr("unxz it first"));
    EXPECT_THAT(of("a.csv", "x"), HasSubstr("neither in .txt"));
    EXPECT_THAT(of("a.txt", "\n \n"), HasSubstr("a.txt is empty"));
    EXPECT_THAT(of("a.jsonl", R"({"messages": [{"role": "user", "content": "a"}]})"), HasSubstr("nothing to learn"));
    EXPECT_THAT(read({folder_ / "none.txt"}).error().message, HasSubstr("none.txt"));
    EXPECT_THAT(read({file("b.txt", "x"), file("b.jsonl", good)}).error().message, HasSubstr("have one name"));

    ModelConfig small = config();
    small.vocab_size = 100;
    small.bos_token_id = -1, small.eos_token_ids = {1};
    const auto beyond = read_data({file("c.txt", "ok\n\n\nx~z")}, tokenizer(), small, {.hold_out = 0, .threads = 1});
    ASSERT_FALSE(beyond);
    EXPECT_THAT(beyond.error().message, AllOf(HasSubstr("c.txt:1"), HasSubstr("'o' is token 111")));
}

TEST_F(TrainingData, WhatIsHeldOutDependsOnTheTextAloneAndNothingOnTheThreads) {
    std::string lines, fewer;
    for (int i = 0; i < 1000; ++i) {
        const std::string line = R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "answer )" + std::to_string(i) + "\"}]}\n";
        lines += line;
        if (i % 2 == 0) fewer += line;
    }
    const auto texts = [](const Source& source, const std::vector<Source::Document>& documents) {
        std::set<std::string> all;
        for (const auto& document : documents) all.insert(learned(source, document));
        return all;
    };
    const auto one = read({file("all.jsonl", lines)}, {.hold_out = 10, .threads = 1}), five = read({folder_ / "all.jsonl"}, {.hold_out = 10, .threads = 5});
    ASSERT_TRUE(one && five);
    EXPECT_EQ(one->sources[0].tokens, five->sources[0].tokens);
    EXPECT_EQ(one->identity, five->identity);
    const auto held = texts(one->sources[0], one->sources[0].held_out), kept = texts(one->sources[0], one->sources[0].documents);
    EXPECT_EQ(held.size() + kept.size(), 1000U) << "none is both";
    EXPECT_NEAR(static_cast<double>(held.size()), 100, 4 * std::sqrt(1000 * 0.1 * 0.9)) << "four standard deviations of a binomial";
    const auto half = read({file("half.jsonl", fewer)}, {.hold_out = 10, .threads = 1});
    ASSERT_TRUE(half);
    for (const std::string& text : texts(half->sources[0], half->sources[0].held_out)) EXPECT_TRUE(held.contains(text)) << text;
    EXPECT_NE(read({folder_ / "all.jsonl"}, {.hold_out = 11, .threads = 1})->identity, one->identity);
    EXPECT_EQ(read({folder_ / "all.jsonl"}, {.hold_out = 0, .threads = 1})->sources[0].held_out.size(), 0U);
    std::atomic<bool> cancel = true;
    const auto stopped = read({folder_ / "all.jsonl"}, {.hold_out = 10, .threads = 2, .cancel = &cancel});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, Error::interrupted);
}

// --- The loop ---------------------------------------------------------------------------------------------------------

// A model that remembers what it was given: its weights are a hash of all batches and rates, each with the moments of the step before.
class Counter final : public Learner {
public:
    explicit Counter(const ModelConfig& config = klp::shape("tiny-spec")) : config_(config) {
        for (const TensorSpec& spec : tensor_specs(config)) {
            int64_t n = 1;
            for (const int64_t d : spec.shape) n *= d;
            const bool moments = !spec.name.ends_with("e_score_correction_bias"), two = spec.name.find("norm") != std::string::npos;
            auto& room = values_.emplace_back(static_cast<size_t>(3 * n), 0.f);
            for (int64_t i = 0; i < n; ++i) room[static_cast<size_t>(i)] = 0.01f * static_cast<float>(i % 13);
            tensors_.push_back({spec.name, spec.shape, DType::f32, room.data(), moments ? room.data() + n : nullptr, two ? room.data() + 2 * n : nullptr});
        }
    }
    Result<StepFigures> step(const Batch& batch, const Rates& rates) override {
        if (steps_ == fail_at) return fail(Error::failure, "the loss is not a number");
        uint64_t seen = hash_of({reinterpret_cast<const char*>(batch.ids.data()), batch.ids.size() * 4}) ^ static_cast<uint64_t>(rates.muon * 1e9);
        for (Tensor& t : tensors_) {
            for (float* row : {t.master, t.first, t.second}) {
                if (!row) continue;
                for (int64_t i = 0; i < t.values(); ++i) row[i] = 0.5f * row[i] + static_cast<float>((seen = mix(seen + 1)) >> 40) * 0x1p-26f;
            }
        }
        ++steps_;
        return StepFigures{.loss = 1.0 / static_cast<double>(steps_), .counted = 5, .tokens = static_cast<int64_t>(batch.ids.size())};
    }
    Result<StepFigures> measure(const Batch& batch) override {
        measured += static_cast<int64_t>(batch.ids.size());
        return StepFigures{.loss = 2, .counted = static_cast<int64_t>(batch.ids.size()), .accuracy = 0.25};
    }
    const ModelConfig& config() const override { return config_; }
    std::shared_ptr<const Model> model() const override { return nullptr; }
    std::span<const Tensor> tensors() const override { return tensors_; }
    int64_t steps() const override { return steps_; }
    void resume(int64_t steps) override { steps_ = steps; }

    std::vector<std::vector<float>> values() const { return values_; }
    int64_t fail_at = -1, measured = 0;

private:
    ModelConfig config_;
    std::vector<std::vector<float>> values_;
    std::vector<Tensor> tensors_;
    int64_t steps_ = 0;
};

class TrainingLoop : public ::testing::Test {
protected:
    TrainingLoop() {
        Data data = *two_sources();
        for (Source& source : data.sources)
            for (int i = 0; i < 20; ++i) source.held_out.push_back(source.documents.back()), source.documents.pop_back();
        batches_ =
            *Batches::lay_out(std::make_shared<Data>(data), default_plan({{"a", 1}, {"b", 1}}, {.tokens = 4000, .batch = 200, .longest = 64}), config(), 1);
        options_ = {.folder = folder_.path(), .identity = {1, 2, 3, 4, 5}};
        std::filesystem::create_directories(folder_ / "training");
    }
    std::vector<std::string> saved() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(folder_ / "training")) all.push_back(entry.path().filename().string());
        std::sort(all.begin(), all.end());
        return all;
    }
    Result<TrainingState> go(Learner& learner) {
        auto state = load_state(folder_.path(), learner, options_.identity);
        if (!state) return tl::unexpected(state.error());
        return train(learner, batches_, state->value_or(TrainingState{}), options_);
    }
    TempFolder folder_;
    Batches batches_;
    TrainingOptions options_;
};

TEST_F(TrainingLoop, BrokenOffAnywhereItComesToTheSame) {
    Counter whole;
    const auto end = train(whole, batches_, {}, options_);
    ASSERT_TRUE(end) << end.error().message;
    EXPECT_EQ(end->step, batches_.steps());
    EXPECT_EQ(end->tokens, batches_.tokens_before(batches_.steps()));
    for (const int64_t stop : {int64_t{1}, int64_t{7}, batches_.steps() - 1}) {
        std::filesystem::remove_all(folder_ / "training");
        std::filesystem::create_directories(folder_ / "training");
        std::atomic<bool> cancel = false;
        options_.cancel = &cancel;
        options_.on_step = [&](const TrainedStep& step) { cancel = step.state.step == stop; };
        Counter first, second;
        const auto half = go(first);
        ASSERT_TRUE(half) << half.error().message;
        EXPECT_EQ(half->step, stop);
        EXPECT_EQ(saved(), std::vector<std::string>{"step-" + std::to_string(stop)});
        options_.on_step = {};
        cancel = false;
        const auto rest = go(second);
        ASSERT_TRUE(rest) << rest.error().message;
        EXPECT_EQ(second.values(), whole.values()) << "stopped behind step " << stop;
        EXPECT_EQ(rest->loss, end->loss);
        EXPECT_EQ(saved(), std::vector<std::string>{"step-" + std::to_string(batches_.steps())}) << "older checkpoints go";
        options_.cancel = nullptr;
    }
}

TEST_F(TrainingLoop, LooksAtWhatWasHeldOutAndSavesOnTheWay) {
    Counter learner;
    std::vector<int64_t> looked;
    int checkpoints = 0, told = 0;
    options_.on_saved = [&] { ++told; };
    options_.eval_every = 5, options_.save_ns = 0;
    options_.on_evaluation = [&](const Evaluation& e) {
        looked.push_back(e.step);
        ASSERT_EQ(e.sources.size(), 2U);
        EXPECT_DOUBLE_EQ(e.all.loss, 2);
        EXPECT_DOUBLE_EQ(e.sources[1].accuracy, 0.25);
        EXPECT_EQ(e.all.counted, e.sources[0].counted + e.sources[1].counted);
    };
    options_.on_step = [&](const TrainedStep& step) {
        if (step.state.step > 1) checkpoints += saved() == std::vector<std::string>{"step-" + std::to_string(step.state.step - 1)};
    };
    ASSERT_TRUE(train(learner, batches_, {}, options_));
    EXPECT_EQ(looked.front(), 5);
    EXPECT_EQ(looked.back(), batches_.steps());
    EXPECT_EQ(checkpoints, batches_.steps() - 1);
    EXPECT_EQ(told, batches_.steps());
    int64_t held = 0;
    for (const auto& one : batches_.held_out())
        for (const Batch& batch : one.batches) held += static_cast<int64_t>(batch.ids.size());
    EXPECT_EQ(learner.measured, held * static_cast<int64_t>(looked.size()));
}

TEST_F(TrainingLoop, ALossThatIsNoNumberKeepsTheLastGoodCheckpoint) {
    Counter learner;
    learner.fail_at = 6;
    options_.save_ns = 0;
    const auto end = train(learner, batches_, {}, options_);
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().message, "the loss is not a number; the checkpoint of step 6 is kept");
    EXPECT_EQ(saved(), std::vector<std::string>{"step-6"});
    Counter again;
    EXPECT_EQ(load_state(folder_.path(), again, options_.identity)->value().step, 6);
}

TEST_F(TrainingLoop, AFullDiskKeepsTheLastGoodCheckpointAndTrainingGoesOn) {
    Counter learner;
    options_.save_ns = 0;
    std::vector<std::string> troubles;
    options_.on_trouble = [&](const std::string& what) { troubles.push_back(what); };
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    options_.on_step = [&](const TrainedStep& step) {
        const rlimit little{1000, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, step.state.step > 3 && step.state.step < 6 ? &little : &before);
    };
    const auto end = train(learner, batches_, {}, options_);
    setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_TRUE(end) << end.error().message;
    ASSERT_EQ(troubles.size(), 2U);
    EXPECT_THAT(troubles[0], AllOf(HasSubstr("step-4"), HasSubstr("too large")));
    EXPECT_EQ(saved(), std::vector<std::string>{"step-" + std::to_string(batches_.steps())}) << "nothing half is left";

    options_.on_step = [&](const TrainedStep& step) {
        const rlimit little{1000, before.rlim_max};
        if (step.state.step == 3) setrlimit(RLIMIT_FSIZE, &little);
    };
    Counter other;
    std::filesystem::remove_all(folder_ / "training");
    const auto full = train(other, batches_, {}, options_);
    setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(full) << "what was learned last could not be kept, which is no good end";
    EXPECT_EQ(saved(), std::vector<std::string>{"step-2"});
}

TEST_F(TrainingLoop, ACheckpointOfAnotherRunIsRefused) {
    Counter learner;
    ASSERT_TRUE(train(learner, batches_, {}, options_));
    const std::pair<RunIdentity, const char*> others[] = {{{9, 2, 3, 4, 5}, "another config"},
                                                          {{1, 9, 3, 4, 5}, "another tokenizer"},
                                                          {{1, 2, 9, 4, 5}, "another plan"},
                                                          {{1, 2, 3, 9, 5}, "other data"},
                                                          {{1, 2, 3, 4, 9}, "another seed"}};
    for (const auto& [identity, said] : others) {
        const auto state = load_state(folder_.path(), learner, identity);
        ASSERT_FALSE(state);
        EXPECT_THAT(state.error().message, HasSubstr(std::string("is a checkpoint of ") + said));
    }
    ModelConfig wider = klp::shape("tiny-spec");
    wider.vocab_size = 64;
    Counter other(wider);
    const auto before = other.values();
    const auto state = load_state(folder_.path(), other, options_.identity);
    ASSERT_FALSE(state);
    EXPECT_EQ(other.values(), before) << "nothing of it was taken";
    write_bytes(folder_ / "training" / ("step-" + std::to_string(batches_.steps())) / "state.json", "{}");
    EXPECT_THAT(load_state(folder_.path(), learner, options_.identity).error().message, HasSubstr("is not what klp train writes"));
}

TEST_F(TrainingLoop, AnExportOpensAndHoldsWhatWasLearned) {
    Counter learner;
    ASSERT_TRUE(train(learner, batches_, {}, options_));
    ASSERT_TRUE(write_files(folder_.path(), {{"config.json", to_json(learner.config())}}));
    for (const DType type : {DType::f32, DType::bf16}) {
        const auto written = export_model(folder_.path(), learner, type);
        ASSERT_TRUE(written) << written.error().message;
        const auto model = open_checkpoint(folder_.path());
        ASSERT_TRUE(model) << model.error().message;
        for (const Learner::Tensor& t : learner.tensors()) {
            const auto weight = model->source->find(t.name, t.shape);
            ASSERT_TRUE(weight) << weight.error().message;
            EXPECT_EQ(weight->type, stored_type(t.name, t.shape, type));
            std::vector<float> expected(t.master, t.master + t.values());
            for (float& value : expected)
                if (weight->type == DType::bf16) value = bf16_to_float(float_to_bf16(value));
            EXPECT_EQ(floats(*weight), expected) << t.name;
        }
    }
    EXPECT_EQ(saved().size(), 1U) << "only the checkpoint is left beside it";
}

TEST_F(TrainingLoop, ARunIsRememberedAndTornOnesAreSaid) {
    EXPECT_FALSE(read_run(folder_.path())->has_value());
    const RunSpec spec{{"/a/ü.txt"}, plan_text(batches_.plan()), "/b", "f32", 18446744073709551615U, 7, 100, {1, 2, 3, 4, 18446744073709551615U}};
    ASSERT_TRUE(write_run(folder_.path(), spec));
    const auto read = read_run(folder_.path());
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->data, spec.data);
    EXPECT_EQ(plan_text(*parse_plan((*read)->plan, "run")), spec.plan);
    EXPECT_EQ((*read)->identity, spec.identity);
    EXPECT_EQ((*read)->seed, spec.seed);
    write_bytes(run_file(folder_.path()), R"({"data": 3})");
    EXPECT_THAT(read_run(folder_.path()).error().message, HasSubstr("run.json is not what klp train writes"));
}

}  // namespace
}  // namespace klp
