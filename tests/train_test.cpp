// klp train from outside: what it makes, how it is stopped and goes on, and what it says of bad input.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "core/model/checkpoint.h"
#include "core/model/sequence.h"
#include "tests/checkpoints.h"
#include "tests/program.h"
#include "tests/talker.h"

namespace klp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Train : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(talker_.error, "");
        setenv("XDG_DATA_HOME", (folder_ / "data").c_str(), 1);
        std::string chats;
        for (int i = 0; i < 60; ++i)
            chats += R"({"messages": [{"role": "user", "content": "what is )" + std::to_string(i) + R"("}, {"role": "assistant", "content": "it is )" +
                     std::to_string(i * 7 % 60) + "\"}]}\n";
        write_bytes(folder_ / "chats.jsonl", chats);
        std::string text;
        for (int i = 0; i < 20; ++i) text += std::to_string(i) + " fish swim in the sea\n\n\n";
        write_bytes(folder_ / "text.txt", text);
    }
    std::string at(const std::string& name) const { return (folder_ / name).string(); }
    std::string words() const { return talker_.folder().string(); }
    Words command(const std::string& out, const Words& more = {}) const {
        Words all{"train", "--data", at("chats.jsonl"), at("text.txt"), "--shape", "tiny", "--tokenizer", words(), "--hold-out", "5", "-o", at(out)};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    Words short_run(const std::string& out, const Words& more = {}) const {
        Words all = command(out, {"--tokens", "6000", "--batch", "300", "--length", "64", "-t", "1"});
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    std::vector<std::string> training(const std::string& out) const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(folder_ / out / "training")) all.push_back(entry.path().filename().string());
        std::sort(all.begin(), all.end());
        return all;
    }
    std::string weights(const std::string& out) const { return read_bytes(folder_ / out / "model.safetensors"); }

    TempFolder folder_;
    Talker talker_;
};

TEST_F(Train, MakesAFolderThatOpensAndCanBeAsked) {
    const Outcome got = klp(short_run("out"));
    ASSERT_EQ(got.code, 0) << got.err;
    EXPECT_THAT(got.out, AllOf(HasSubstr("held out"), HasSubstr("chats"), HasSubstr("steps"), HasSubstr(at("out"))));
    for (const char* name : {"config.json", "generation_config.json", "tiktoken.model", "tokenizer_config.json", "model.safetensors", "training"})
        EXPECT_TRUE(std::filesystem::exists(folder_ / "out" / name)) << name;
    const auto made = open_checkpoint(folder_ / "out");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->config.vocab_size, 288) << "the tokenizer's 264, in whole blocks";
    EXPECT_EQ(made->config.bos_token_id, 257);
    ASSERT_TRUE(made->tokenizer);
    const Outcome said = klp({"-m", at("out"), "-p", "what is 3", "-n", "3", "-t", "1"});
    EXPECT_EQ(said.code, 0) << said.err;

    // It is not what it began with: the loss of what it learned is far below that of guessing.
    const Outcome again = klp(short_run("out2", {"--json", "--eval-every", "4"}));
    ASSERT_EQ(again.code, 0) << again.err;
    std::istringstream lines(again.out);
    nlohmann::json first, held, last;
    for (std::string line; std::getline(lines, line);) {
        const auto j = nlohmann::json::parse(line);
        if (first.is_null()) first = j;
        if (j.contains("held_out")) held = j;
        last = j;
    }
    EXPECT_EQ(first["step"], 1);
    EXPECT_NEAR(first["loss"].get<double>(), std::log(288), 1.5) << "random weights know nothing";
    EXPECT_LT(last["mean_loss"].get<double>(), first["loss"].get<double>());
    EXPECT_TRUE(last["finished"].get<bool>());
    EXPECT_EQ(held["sources"].size(), 2U);
    EXPECT_EQ(weights("out"), weights("out2")) << "the same seed, the same bytes, however often one looks";
}

TEST_F(Train, ATinyModelLearnsABatchByHeartAndSaysIt) {
    const char* codes[] = {"4k7q", "z0p3", "m8vt", "h2rx", "b6nd", "w1cj", "y5gs", "e9fl"};
    std::string chats;
    for (int i = 0; i < 8; ++i)
        chats += R"({"messages": [{"role": "user", "content": "box )" + std::to_string(i) + R"("}, {"role": "assistant", "content": ")" + codes[i] + "\"}]}\n";
    write_bytes(folder_ / "eight.jsonl", chats);
    const Outcome got = klp({"train",   "--data", at("eight.jsonl"), "--shape", "tiny", "--tokenizer", words(),  "--hold-out", "0", "--tokens", "90000",
                             "--batch", "280",    "--length",        "64",      "-o",   at("heart"),   "--json", "-t",         "1"});
    ASSERT_EQ(got.code, 0) << got.err;
    double loss = 1;
    std::istringstream lines(got.out);
    for (std::string line; std::getline(lines, line);)
        if (const auto j = nlohmann::json::parse(line); j.contains("loss")) loss = j["loss"];
    EXPECT_LT(loss, 1e-3) << "nats a token, of the last step";
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(klp({"-m", at("heart"), "-p", "box " + std::to_string(i), "--temp", "0", "-t", "1"}).out, std::string(codes[i]) + "\n");
}

TEST_F(Train, GoesOnWhereItWasStoppedAndComesToTheSameBytes) {
    ASSERT_EQ(klp(short_run("whole")).code, 0);
    Klp program(short_run("half", {"--json"}));
    program.end_input();
    ASSERT_TRUE(program.wait_for("\"step\":1,"));
    program.interrupt();
    const Outcome stopped = program.finish();
    EXPECT_EQ(stopped.code, 130) << stopped.err;
    EXPECT_THAT(stopped.err, AllOf(HasSubstr("Ctrl-C again ends at once"), HasSubstr("klp train -o " + at("half") + " goes on")));
    const auto saved = training("half");
    ASSERT_EQ(saved.size(), 3U) << ::testing::PrintToString(saved);
    EXPECT_TRUE(saved[2].starts_with("step-"));
    EXPECT_TRUE(open_checkpoint(folder_ / "half")) << "what it has learned so far";

    // Killed outright, it has what was saved before.
    {
        Klp killed({"train", "-o", at("half"), "--json", "-t", "2"});
        killed.end_input();
        ASSERT_TRUE(killed.wait_for("{"));
    }
    std::filesystem::create_directories(folder_ / "half" / "training" / "step-9.part1-0");  // as a kill in a checkpoint leaves it
    const Outcome rest = klp({"train", "-o", at("half"), "-t", "2"});
    EXPECT_EQ(rest.code, 0) << rest.err;
    EXPECT_EQ(weights("half"), weights("whole")) << "with another number of threads";
    EXPECT_EQ(training("half").size(), 3U) << "nothing half is left";
    const Outcome done = klp(short_run("half"));
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_THAT(done.err, HasSubstr("all of its steps are done"));
}

TEST_F(Train, AFullDiskIsSaidAndTheLastCheckpointIsKept) {
    Klp program(short_run("run", {"--json"}));
    program.end_input();
    ASSERT_TRUE(program.wait_for("\"step\":1,"));
    program.interrupt();
    ASSERT_EQ(program.finish().code, 130);
    const std::string before = weights("run");
    const auto checkpoints = training("run");

    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // what a write beyond the limit says is then an error, as of a full disk
    const rlimit small{4096, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const Outcome full = klp({"train", "-o", at("run")});
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(full.code, 1) << full.err;
    EXPECT_THAT(full.err, AllOf(HasSubstr(at("run")), HasSubstr("File too large")));
    EXPECT_EQ(weights("run"), before);
    EXPECT_EQ(training("run"), checkpoints);

    ASSERT_EQ(klp({"train", "-o", at("run")}).code, 0);
    ASSERT_EQ(klp(short_run("whole")).code, 0);
    EXPECT_EQ(weights("run"), weights("whole")) << "as if nothing had happened";
}

TEST_F(Train, ASecondCtrlCEndsItAtOnce) {
    Klp program(command("long", {"--tokens", "100000000", "--batch", "10000000", "-t", "1"}));  // one step takes longer than anybody waits
    program.end_input();
    ASSERT_TRUE(program.wait_for_error("may take minutes"));
    program.interrupt();
    ASSERT_TRUE(program.wait_for_error("Ctrl-C again ends at once"));
    program.interrupt();
    EXPECT_EQ(program.finish().code, -1) << "by the signal";
}

TEST_F(Train, SaysHowFarItIs) {
    const Outcome got = klp(short_run("out", {"--progress"}));
    ASSERT_EQ(got.code, 0) << got.err;
    EXPECT_THAT(got.err, AllOf(HasSubstr("training, loss "), HasSubstr(" of "), HasSubstr("tokens/s"), HasSubstr(" left")));
}

TEST_F(Train, LearnsTasksFromNoFiles) {
    write_bytes(folder_ / "plan.json", R"({"stages": [{"tokens": 3000, "batch": 500, "longest": 32,
        "sources": {"pairs": {"task": "mqar", "vocabulary": 20, "pairs": 4}, "backwards": {"task": "palindrome", "vocabulary": 20}}}]})");
    const Outcome got = klp({"train", "--plan", at("plan.json"), "--shape", "tiny", "-o", at("tasks"), "-t", "1"});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_THAT(got.out, AllOf(HasSubstr("pairs"), HasSubstr("backwards")));
    EXPECT_EQ(klp({"train", "-o", at("tasks")}).code, 0);
}

TEST_F(Train, GoesOnFromAModel) {
    ASSERT_EQ(klp(short_run("first")).code, 0);
    const Outcome got =
        klp({"train", "--data", at("text.txt"), "--from", at("first"), "--hold-out", "0", "--tokens", "200", "--batch", "100", "-o", at("second"), "-t", "1"});
    ASSERT_EQ(got.code, 0) << got.err;
    EXPECT_EQ(read_config(folder_ / "second" / "config.json")->vocab_size, 288);
    EXPECT_NE(weights("second"), weights("first"));
    EXPECT_EQ(weights("second").size(), weights("first").size());
}

TEST_F(Train, ALossThatIsNoNumberIsSaidAndNothingIsLeftOfIt) {
    ASSERT_EQ(klp(short_run("first", {"--dtype", "f32"})).code, 0);
    put_value(folder_ / "first", "model.norm.weight", 0, 3e38f);
    const Outcome got =
        klp({"train", "--data", at("text.txt"), "--from", at("first"), "--hold-out", "0", "--tokens", "200", "--batch", "100", "-o", at("second"), "-t", "1"});
    EXPECT_EQ(got.code, 3) << got.err;
    EXPECT_THAT(got.err, AllOf(HasSubstr("the loss is not a number at step 1"), HasSubstr("no step was saved before")));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "second" / "model.safetensors"));
}

TEST_F(Train, WhatCannotBeMeantIsAUsageError) {
    std::filesystem::create_directories(folder_ / "full" / "of");
    const std::string plan = at("plan.json");
    write_bytes(plan, R"({"stages": [{"tokens": 100, "sources": {"chats": 1}}]})");
    const std::pair<Words, std::string> lines[] = {
        {{"train"}, "-o DIR"},
        {{"train", "-o", at("none")}, "holds no run to go on with"},
        {{"train", "-o", at("full")}, "exists already"},
        {{"train", "--shape", "tiny", "-o", at("x")}, "--data FILES"},
        {{"train", "--data", at("text.txt"), "-o", at("x")}, "--shape NAME"},
        {{"train", "--data", at("text.txt"), "--shape", "tiny", "-o", at("x")}, "--tokenizer"},
        {{"train", "--data", at("text.txt"), "--shape", "no-such", "-o", at("x")}, "no-such"},
        {command("x", {"--config", "c.json"}), "excludes"},
        {command("x", {"--plan", plan, "--tokens", "3"}), "excludes"},
        {command("x", {"--dtype", "q8_0"}), "q8_0"},
        {command("x", {"--tokens", "0"}), "--tokens"},
        {command("x", {"--lr", "nan"}), "--lr"},
        {command("x", {"--hold-out", "-1"}), "--hold-out"},
        {command("full"), "exists already"},
        {command("x", {"--length", "100000"}), "the model's context is 32768"},
    };
    for (const auto& [words, said] : lines) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 2) << ::testing::PrintToString(words) << got.err;
        EXPECT_THAT(got.err, HasSubstr(said));
        EXPECT_FALSE(std::filesystem::exists(folder_ / "x")) << "nothing is left of what was not begun";
    }
}

TEST_F(Train, BadInputIsOneSentenceThatNamesIt) {
    write_bytes(folder_ / "torn.jsonl", read_bytes(folder_ / "chats.jsonl") + "{\"messages\": [{\"role\": \"us");
    write_bytes(folder_ / "ids.jsonl", "{\"ids\": [1, 2, 3]}\n{\"ids\": [1, 288]}\n");
    write_bytes(folder_ / "empty.txt", "\n");
    write_bytes(folder_ / "text.txt.xz", "x");
    const std::string sound = to_json(shape("tiny"));
    const auto with_config = [&](const char* name, const char* field, const char* value) {
        nlohmann::json config = nlohmann::json::parse(sound);
        config[nlohmann::json::json_pointer(field)] = nlohmann::json::parse(value);
        write_bytes(folder_ / name, config.dump());
        return Words{"train", "--data", at("chats.jsonl"), "--config", at(name), "--tokenizer", words(), "-o", at("x")};
    };
    write_bytes(folder_ / "bad.json", R"({"stages": [{"tokens": 100, "sources": {"nobody": 1}}]})");
    write_bytes(folder_ / "short.json", R"({"stages": [{"tokens": 100, "longest": 16, "sources": {"m": {"task": "mqar", "pairs": 8}}}]})");
    write_bytes(folder_ / "longer.json", R"({"stages": [{"tokens": 100, "longest": 65536, "sources": {"m": {"task": "mqar", "pairs": 8}}}]})");
    const auto with = [&](const std::string& data, const Words& more = {}) {
        Words all{"train", "--data", at(data), "--shape", "tiny", "--tokenizer", words(), "-o", at("x")};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    const std::pair<Words, std::string> lines[] = {
        {with("none.txt"), "none.txt: No such file"},
        {with("torn.jsonl"), "torn.jsonl:61"},
        {with("ids.jsonl"), "ids.jsonl:2: ids[1] is 288, and the model has rows for 0 to 287"},
        {with("empty.txt"), "empty.txt is empty"},
        {with("text.txt.xz"), "unxz it first"},
        {with("chats.jsonl", {"--plan", at("bad.json")}), "bad.json: stages[0].sources has nobody, which is none of the data's: chats"},
        {{"train", "--plan", at("short.json"), "--shape", "tiny", "-o", at("x")}, "does not fit into a row of 16 tokens"},
        {{"train", "--plan", at("longer.json"), "--shape", "tiny", "-o", at("x")}, "rows of 65536 tokens, and the model's context is 32768"},
        {with_config("no-head.json", "/linear_attn_config/num_heads", "0"), "no-head.json: linear_attn_config.num_heads is 0"},
        {with_config("experts.json", "/num_experts_per_token", "9"), "experts.json: num_experts_per_token is 9"},
        {with_config("router.json", "/moe_router_activation_func", "\"softmax\""), "cannot be trained here: its router is a softmax"},
        {with_config("few.json", "/vocab_size", "200"), "chats.jsonl:1: "},
        {{"train", "--data", at("text.txt"), "--from", at("nothing"), "-o", at("x")}, "nothing"},
        {{"train", "--data", at("text.txt"), "--shape", "tiny", "--tokenizer", at("text.txt"), "-o", at("x")}, "text.txt"},
    };
    for (const auto& [words, said] : lines) {
        const Outcome got = klp(words);
        EXPECT_TRUE(got.code == 1 || got.code == 2 || got.code == 3) << ::testing::PrintToString(words) << got.code << got.err;
        EXPECT_THAT(got.err, HasSubstr(said));
        EXPECT_EQ(std::count(got.err.begin(), got.err.end(), '\n'), 1) << got.err;
        EXPECT_EQ(got.out, "");
        EXPECT_FALSE(std::filesystem::exists(folder_ / "x")) << got.err;
    }
}

TEST_F(Train, ARunOfAnotherKindIsRefusedInOneSentence) {
    ASSERT_EQ(klp(short_run("run")).code, 0);
    const std::string before = weights("run");
    const auto refused = [&](const Words& words, const std::string& said) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 2) << got.err;
        EXPECT_THAT(got.err, HasSubstr(said));
        EXPECT_EQ(weights("run"), before);
    };
    refused(short_run("run", {"--seed", "2"}), "another seed");
    refused(short_run("run", {"--batch", "301"}), "another plan");
    refused(short_run("run", {"--hold-out", "6"}), "other data");
    Words mini = short_run("run");
    std::replace(mini.begin(), mini.end(), std::string("tiny"), std::string("mini"));
    refused(mini, "another config");
    write_bytes(folder_ / "text.txt", "other\n\n\ntext");
    refused({"train", "-o", at("run")}, "began with other data, so it cannot go on");
    const int lock = open((folder_ / "run" / "training" / "lock").c_str(), O_RDWR);
    ASSERT_EQ(flock(lock, LOCK_EX), 0);
    SetUp();  // the text as it was
    const Outcome locked = klp({"train", "-o", at("run")});
    EXPECT_EQ(locked.code, 1);
    EXPECT_THAT(locked.err, HasSubstr("is being trained by another klp"));
    close(lock);
    ModelConfig other = *read_config(folder_ / "run" / "config.json");
    other.rms_norm_eps = 1e-3f;
    write_bytes(folder_ / "run" / "config.json", to_json(other));
    refused({"train", "-o", at("run")}, "config.json is not what training began with");
}

}  // namespace
}  // namespace klp
