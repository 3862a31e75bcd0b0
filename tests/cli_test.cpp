// The program klp from outside: what it prints where, how it ends, and what it does in a terminal. Run on a model that talks noise (talker.h), so that nothing
// here depends on what a trained model says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <termios.h>

#include <cctype>
#include <chrono>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "core/system.h"
#include "tests/checkpoints.h"
#include "tests/gguf_files.h"
#include "tests/program.h"
#include "tests/talker.h"

namespace klp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr winsize kUsual{24, 80, 0, 0}, kNarrow{24, 40, 0, 0};

class Cli : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        talker_ = new Talker, mute_ = new Talker(/*tokenizer=*/false);
        setenv("XDG_DATA_HOME", (home() / "data").c_str(), 1);  // where talks are kept
        setenv("HF_ENDPOINT", "http://127.0.0.1:9", 1);         // nobody listens there, and nothing is asked of the network
    }
    static void TearDownTestSuite() { delete talker_, delete mute_; }
    void SetUp() override { ASSERT_EQ(talker_->error + mute_->error, ""); }

    static std::string model() { return talker_->folder().string(); }
    static std::string mute() { return mute_->folder().string(); }
    static std::filesystem::path home() { return talker_->home(); }
    static std::string history() { return "XDG_STATE_HOME=" + (home() / "state").string(); }
    static Words chat(const Words& more = {}) {
        Words words{"-m", model(), "-n", "12", "--seed", "3", "-t", "1"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }

    static inline Talker *talker_ = nullptr, *mute_ = nullptr;
};

int sentences(const std::string& err) { return static_cast<int>(std::count(err.begin(), err.end(), '\n')); }

// Rows of a terminal's output without escape sequences; a row that was drawn over counts as its parts.
Words rows_of(const std::string& screen) {
    Words rows(1);
    for (size_t i = 0; i < screen.size(); ++i) {
        if (screen[i] == '\x1b') {
            i += screen.compare(i, 2, "\x1b[") == 0 ? 2 : 1;
            while (i < screen.size() && !std::isalpha(static_cast<unsigned char>(screen[i]))) ++i;
        } else if (screen[i] == '\n' || screen[i] == '\r') {
            rows.emplace_back();
        } else {
            rows.back() += screen[i];
        }
    }
    return rows;
}
size_t columns(const std::string& row) {  // of text without wide characters
    return static_cast<size_t>(std::count_if(row.begin(), row.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST_F(Cli, HelpAndVersionAreResults) {
    for (const Words& words : {Words{"--help"}, Words{"--version"}, Words{"chat", "--help"}, Words{"bench", "--help"}}) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 0);
        EXPECT_NE(got.out, "");
        EXPECT_EQ(got.err, "");
    }
}

TEST_F(Cli, WhatCannotBeMeantIsAUsageError) {
    const Words lines[] = {{"--nonsense"},
                           {"info", "--nonsense"},
                           {"--temp", "nan"},
                           {"--temp", "-1"},
                           {"--temp", "inf"},
                           {"--top-p", "2"},
                           {"-n", "0"},
                           {"-n", "-5"},
                           {"-t", "-3"},
                           {"--seed", "x"},
                           {"-p"},
                           {"--repeat-penalty", "0"},
                           {"bench", "extra"},
                           {"bench", "--depth", "-1"},
                           {"bench", "--shape", "no-such"},
                           {"bench", "--shape", "tiny", "--dtype", "q9"},
                           {"bench", "--shape", "tiny", "-m", "demo"},
                           {"bench", "--dtype", "f32"},
                           {"bench", "--synthetic"},
                           {"bench", "--prompt", "0", "--gen", "0"},
                           {"bench", "--device", "naive", "-t", "2"},
                           {"run", "-p", "hi", "--device", "cuda:1", "-t", "2"},
                           {"run", "-p", "hi", "--title", "without a recording"},
                           {"run", "-p", "hi", "--about", "without a recording"},
                           {"run", "-p", "hi", "--state", "0.0"},
                           {"run", "-p", "hi", "--pictures", "3"},
                           {"sweep", "--from", "x.json", "--limit", "3"},
                           {"sweep", "--from", "x.json", "--shape", "tiny"},
                           {"init", "--list", "--shape", "tiny"},
                           {"init", "--list", "--type", "f32"},
                           {"-p", "hi", "-i"},
                           {"-i", "--json"},
                           {"sweep", "--contexts", "4k,,16k"},
                           {"sweep", "--contexts", "1x"},
                           {"sweep", "--contexts", "-4k"},
                           {"sweep", "--contexts", "32M"},
                           {"sweep", "--memory", "much"},
                           {"sweep", "--limit", "0"},
                           {"init", "--shape", "no-such", "-o", "x"},
                           {"init"},
                           {"logits"},
                           {"quantize", "a", "b", "--type", "q9"},
                           {"quantize", "a", "b", "--type", "q4_k_m"},
                           {"quantize", "a", "b.gguf", "--type", "iq3_s"},
                           {"logits", "--step", "--chunk", "3"},
                           {"-m", ""},
                           {"info", ""},
                           {"--tools", "", "-p", "hi"},
                           {"run", "-p", "hi", "-o", ""},
                           {"init", "--shape", "tiny", "-o", ""},
                           {"run", "-p", "hi", "-o", "/"},
                           {"sweep", "-o", "figures.txt"},
                           {"--seed", "18446744073709551616"},
                           {"--seed", "1.5"},
                           {"inof"},
                           {"logits", "--tokens", ""},
                           {"-p", " "}};
    for (Words words : lines) {
        if (words[0] == "logits" || words == Words{"-p", " "}) words.insert(words.end(), {"-m", model()});
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 2) << ::testing::PrintToString(words) << got.err;
        EXPECT_EQ(got.out, "");
        EXPECT_EQ(sentences(got.err), 1) << got.err;
    }
}

// Names of the options that a help text lists, as it writes them: "-m,--model".
Words options_of(const std::string& help) {
    Words names;
    std::istringstream lines(help.substr(help.find("Options:")));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("  -")) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    return names;
}

TEST_F(Cli, AnOptionInFrontOfACommandReachesItOrIsRefused) {
    struct Command {
        const char* name;
        Words words;
        bool same = true;  // it prints the same each time
    };
    int made = 0;
    const auto fresh = [&] { return (home() / ("made" + std::to_string(made++))).string(); };
    const std::string key = (home() / "key").string();
    std::ofstream(key) << "key";
    const std::string experiment = (home() / "one.json").string();
    std::ofstream(experiment) << R"({"chats": [{"before": ["a is b"], "ask": [["a?", "b"]]}], "unrelated": 0, "arms": []})";
    const Command commands[] = {{"chat", {"-p", "hi", "-n", "2", "-s", "4", "--temp", "0"}},
                                {"info", {}},
                                {"logits", {"--tokens", "1,2"}},
                                {"tokenize", {"hi"}},
                                {"bench", {"--prompt", "2", "--gen", "2", "--repeat", "1"}, false},
                                {"sweep", {"--contexts", "64", "--limit", "0.01"}, false},
                                {"eval", {"--data", "/none"}},
                                {"probe", {experiment}},
                                {"init", {"--shape", "tiny-spec", "-o", "FRESH"}},
                                {"quantize", {model(), "FRESH", "--type", "q8_0"}},
                                {"train", {"--data", "/none.txt", "--shape", "tiny", "--tokenizer", model(), "-o", "FRESH"}},
                                {"lab", {"--task", "copy", "--mixers", "kda", "--length", "16", "--steps", "2", "--rates", "0.01", "--batch", "64"}, false},
                                {"models", {}},
                                {"pull", {"a/b"}},
                                {"watch", {"127.0.0.1:9"}},
                                {"run", {"-p", "hi", "-n", "2", "-s", "4", "--temp", "0"}},
                                {"replay", {"/none.klprun"}},
                                {"export", {"/none.klprun", "-o", "x.csv"}},
                                {"serve", {"--host", "203.0.113.1", "--api-key-file", key}},  // an address that no machine has
                                {"doctor", {}, false}};
    const std::vector<Words> flags = {{"-m", "/none"},
                                      {"--device", "abacus"},
                                      {"-t", "1"},
                                      {"-p", "ho"},
                                      {"-i"},
                                      {"--system", "s"},
                                      {"--temp", "7"},
                                      {"--top-k", "1"},
                                      {"-n", "3"},
                                      {"--top-p", "0.1"},
                                      {"--min-p", "0.9"},
                                      {"-s", "4"},
                                      {"-c", "300"},
                                      {"--stats"},
                                      {"--repeat-penalty", "9"},
                                      {"--json"},
                                      {"--template", "kimi"},
                                      {"--think", "off"},
                                      {"--tools", "/dev/null"},
                                      {"--on-full", "roll"},
                                      {"--intervene", "/none.json"},
                                      {"--beside", "/none.json"},
                                      {"--continue"},
                                      {"--url", "abacus"},
                                      {"--at", "abacus"},
                                      {"--ssh", "abacus"},
                                      {"--served-model", "s"},
                                      {"--served-shape", "s"},
                                      {"--api-key-env", "S"},
                                      {"--progress"},
                                      {"--plain"}};
    const std::string all = klp({"--help"}).out;
    for (const std::string& names : options_of(all)) {
        if (names == "-h,--help" || names == "--version" || names == "--help-man" || names.starts_with("--completion")) continue;
        EXPECT_TRUE(std::any_of(flags.begin(), flags.end(), [&](const Words& f) { return names == f[0] || names.starts_with(f[0] + ","); }))
            << names << " is missing in this test";
    }
    std::istringstream subcommands(all.substr(all.find("Subcommands:")));
    std::string line;
    std::getline(subcommands, line);
    while (std::getline(subcommands, line) && line.starts_with("  ")) {
        const std::string name = line.substr(2, line.find(' ', 2) - 2);
        EXPECT_TRUE(line[2] == ' ' || std::any_of(std::begin(commands), std::end(commands), [&](const Command& c) { return name == c.name; }))
            << name << " is missing in this test";
    }

    for (const Command& c : commands) {
        const Words own = options_of(klp({c.name, "--help"}).out);
        const bool has_model = std::find(own.begin(), own.end(), "-m,--model") != own.end() || std::string(c.name) == "info";
        int reached = 0;
        for (const Words& flag : flags) {
            const auto outcome = [&](bool in_front) {
                Words words = flag;
                words.insert(in_front ? words.end() : words.begin(), c.name);
                for (size_t i = 0; i < c.words.size(); ++i) {
                    if (c.words[i] == flag[0])
                        ++i;  // and its value: the flag takes its place
                    else
                        words.push_back(c.words[i] == "FRESH" ? fresh() : c.words[i]);
                }
                if (has_model && flag[0] != "-m") words.insert(words.end(), {"-m", model()});
                return klp(words, flag[0] == "-i" ? "/quit\n" : "");
            };
            const std::string what = flag[0] + " " + c.name;
            const Outcome front = outcome(true), behind = outcome(false);
            EXPECT_EQ(front.code, behind.code) << what << ": " << front.err;
            if (c.same && what != "--json chat") {  // which says how fast it was
                EXPECT_EQ(front.out, behind.out) << what;
            }
            if (front.code == 2) {
                EXPECT_EQ(front.out, "") << what;
                EXPECT_EQ(sentences(front.err), 1) << what << ": " << front.err;
            }
            reached += front.code != 2;
            if (flag[0] == "-m" && has_model) {
                EXPECT_EQ(front.code, 3) << what << front.out;
            }
            if (flag[0] == "--device") {
                EXPECT_THAT(front.err, ::testing::AnyOf(HasSubstr("abacus"), HasSubstr("has no use for --device"))) << what;
            }
        }
        EXPECT_GT(reached, 0) << c.name << ": --plain at least";
    }
    EXPECT_THAT(klp({"--device", "cuda", "info"}).err, HasSubstr("klp info has no use for --device"));
    EXPECT_TRUE(nlohmann::json::accept(klp({"--json", "sweep", "--shape", "tiny", "--contexts", "64", "--limit", "0.01"}).out)) << "a flag as everywhere";
    const Outcome help = klp({"-c", "100", "bench", "--help"});
    EXPECT_EQ(help.code, 0) << help.err;
    EXPECT_EQ(help.out, klp({"bench", "--help"}).out) << "who asks for help gets it";
    EXPECT_EQ(klp({"-m", "/none", "info", "-m", model()}).code, 0) << "what is said last counts";
}

TEST_F(Cli, AContextBeyondTheModelsIsSaid) {
    for (const Words& words : {chat({"-c", "9999999", "-p", "hi"}), Words{"run", "-m", model(), "-n", "2", "-c", "9999999", "-p", "hi"}}) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 0) << got.err;
        EXPECT_EQ(got.err, "klp: -c 9,999,999 is more than the model's context; it is 32,768 tokens\n");
    }
    const Outcome race = klp({"run", "-m", model(), "-n", "2", "-c", "200", "-p", "hi", "--race", "300"});
    EXPECT_EQ(race.code, 0) << race.err;
    EXPECT_THAT(race.err, AllOf(HasSubstr("--race 300 is more"), HasSubstr("\n200 tokens: "), Not(HasSubstr("\n300 "))));
}

TEST_F(Cli, AModelThatIsNotThereOrCannotTalkIsNamed) {
    const Outcome missing = klp({"-m", "no-such-model", "-p", "hi"});
    EXPECT_EQ(missing.code, 3);
    EXPECT_THAT(missing.err, HasSubstr("no-such-model"));
    EXPECT_EQ(sentences(missing.err), 1);
    const Outcome silent = klp({"-m", mute(), "-p", "hi"});
    EXPECT_EQ(silent.code, 3);
    EXPECT_THAT(silent.err, HasSubstr("no tokenizer"));
    EXPECT_EQ(klp({"logits", "-m", mute(), "--tokens", "1,2,3"}).code, 0) << "it can still be measured";
    std::ofstream(home() / "m.gguf") << "GGUF";
    for (const Words& words :
         {Words{"-m", (home() / "m.gguf").string(), "-p", "hi"}, Words{"info", (home() / "m.gguf").string()},
          Words{"run", "-m", (home() / "m.gguf").string(), "-p", "hi"}, Words{"quantize", (home() / "m.gguf").string(), "x", "--type", "q8_0"}}) {
        const Outcome gguf = klp(words);
        EXPECT_EQ(gguf.code, 3);
        EXPECT_THAT(gguf.err, HasSubstr("m.gguf: the file has 4 bytes, too few for a GGUF file")) << words[0];
        EXPECT_EQ(sentences(gguf.err), 1);
    }
}

TEST_F(Cli, AGgufFileIsAModel) {
    const std::string file = (source_dir() / "tests/golden/gguf/legacy-q8_0.gguf").string(), folder = (source_dir() / "tests/golden/gguf/q8_0").string();
    const Outcome info = klp({"info", file, "--check"});
    EXPECT_EQ(info.code, 0) << info.err;
    EXPECT_TRUE(info.out.starts_with("legacy-q8_0\n")) << info.out;
    EXPECT_THAT(info.out, AllOf(HasSubstr("file type     Q8_0\n"), HasSubstr("all weights are finite numbers")));
    const auto json = nlohmann::json::parse(klp({"info", file, "--json"}).out);
    EXPECT_EQ(json["file_type"], "Q8_0");
    EXPECT_EQ(json["by_kind"]["experts"]["q8_0"]["tensors"], 6);
    for (const Words& words : {Words{"logits", "--tokens", "66,1,300", "--json"}, Words{"tokenize", "--special", "Stra\u00dfe<|im_end|>"},
                               Words{"-p", "hahaha", "-n", "6", "--temp", "0", "-t", "1"}, Words{"run", "-p", "hahaha", "-n", "6", "--temp", "0", "-t", "1"}}) {
        Words as_file = words, as_folder = words;
        as_file.insert(as_file.end(), {"-m", file}), as_folder.insert(as_folder.end(), {"-m", folder});
        const Outcome got = klp(as_file);
        EXPECT_EQ(got.code, 0) << got.err;
        EXPECT_EQ(got.out, klp(as_folder).out) << words[0];
    }
    EXPECT_THAT(klp({"doctor", "-m", file}).out, HasSubstr("342 <|im_end|>"));
    std::filesystem::create_directory(home() / "alone");
    std::filesystem::copy_file(file, home() / "alone" / "model-Q8_0.gguf");
    EXPECT_TRUE(klp({"info", (home() / "alone").string()}).out.starts_with("model-Q8_0\n"));
}

TEST_F(Cli, ThinkingIsOnlyTakenFromAModelThatThinks) {
    const Outcome refused = klp({"-p", "hi", "-n", "2", "--think", "off"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.err, HasSubstr("--think off: this model does not think before it answers"));
    EXPECT_EQ(klp({"-p", "hi", "-n", "2", "--think", "on"}).code, 0);
}

TEST_F(Cli, AChatTemplateThatIsNotKimisIsRefusedUnlessAskedFor) {
    GgufFile file = GgufFile::fixture("legacy-q8_0.gguf");
    file.set("tokenizer.chat_template", std::string("<|im_start|>{{ messages }}"));
    const std::string path = (home() / "other.gguf").string();
    write_bytes(path, file.bytes());
    for (const Words& words : {Words{"-m", path, "-p", "hi", "-n", "2"}, Words{"run", "-m", path, "-p", "hi", "-n", "2"}}) {
        const Outcome refused = klp(words);
        EXPECT_EQ(refused.code, 3);
        EXPECT_THAT(refused.err, HasSubstr("other.gguf: its tokenizer.chat_template is not Kimi's"));
        EXPECT_EQ(sentences(refused.err), 1);
        Words forced = words;
        forced.insert(forced.end(), {"--template", "kimi"});
        EXPECT_EQ(klp(forced).code, 0) << klp(forced).err;
    }
    const Words eval{"eval", "-m", path, "--items", "1", "--distance", "0"};
    EXPECT_THAT(klp(eval).err, HasSubstr("is not Kimi's"));
    Words forced = eval;
    forced.insert(forced.end(), {"--template", "kimi"});
    EXPECT_THAT(klp(forced).err, Not(HasSubstr("is not Kimi's"))) << "its chats are longer than this model's context";
    EXPECT_EQ(klp({"logits", "-m", path, "-p", "hi"}).code, 0) << "text without a template";
    EXPECT_EQ(klp({"-m", path, "-p", "hi", "--template", "chatml"}).code, 2);
    EXPECT_THAT(klp({"doctor", "-m", path}).out, HasSubstr("is not Kimi's"));
}

TEST_F(Cli, ADownloadCacheIsAModel) {
    const auto cache = home() / "models--maker--Model-1B";
    std::filesystem::create_directories(cache / "snapshots");
    std::filesystem::create_directory_symlink(talker_->folder(), cache / "snapshots" / "0f3a");
    const Outcome got = klp({"info", cache.string()});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_TRUE(got.out.starts_with("Model-1B\n")) << got.out;
    EXPECT_EQ(klp(chat({"-p", "hi"})).out, klp({"-m", cache.string(), "-n", "12", "--seed", "3", "-t", "1", "-p", "hi"}).out);
}

TEST_F(Cli, ADeviceThatIsNotThereEndsWithFour) {
    const Outcome got = klp({"-m", model(), "-p", "hi", "--device", "cuda:99"});
    EXPECT_EQ(got.code, 4) << got.err;
    EXPECT_EQ(sentences(got.err), 1);
}

TEST_F(Cli, FiguresAreAlsoJson) {
    const std::string npy = (home() / "json.npy").string();
    const std::vector<Words> lines = {{"info", model(), "--json"},
                                      {"logits", "-m", model(), "--tokens", "1,2,3", "--json"},
                                      {"logits", "-m", model(), "-p", "hi", "-o", npy, "--json"},
                                      {"tokenize", "-m", model(), "--json", "hello"},
                                      {"bench", "-m", model(), "--prompt", "8", "--gen", "4", "--depth", "0,16", "--repeat", "2", "--baseline", "--json"},
                                      {"doctor", "--json"},
                                      {"doctor", "-m", model(), "--json"},
                                      chat({"-p", "hi", "--json"})};
    for (const Words& words : lines) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 0) << ::testing::PrintToString(words) << got.err;
        EXPECT_TRUE(nlohmann::json::accept(got.out)) << ::testing::PrintToString(words) << got.out;
    }
}

TEST_F(Cli, TheDoctorSaysWhatAModelsFilesSayOfItsWords) {
    const Outcome got = klp({"doctor", "-m", model(), "--json"});
    ASSERT_EQ(got.code, 0) << got.err;
    const auto json = nlohmann::json::parse(got.out);
    EXPECT_FALSE(json["model"]["ends"].empty());
    EXPECT_TRUE(json["model"]["notes"].is_array());
    EXPECT_EQ(klp({"doctor", "-m", "no-such-model"}).code, 3);
}

TEST_F(Cli, NumbersThatAreNoneEndEveryCommandWithASentence) {
    const auto copy = [](const char* name) {
        const auto to = home() / name;
        std::filesystem::copy(model(), to);
        return to;
    };
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const auto router = copy("odd-router"), head = copy("odd-head"), deep = copy("odd-deep");
    const std::string gate = "model.layers.1.block_sparse_moe.gate.weight", query = "model.layers.0.self_attn.q_proj.weight";
    put_value(router, gate, 3, nan);
    put_value(head, "lm_head.weight", 0, -infinity);  // of one id of many, that would never be picked
    put_value(deep, query, 2, nan);
    put_value(deep, query, 70, nan);
    put_value(deep, "lm_head.weight", 5, infinity);

    const Outcome refused = klp({"logits", "-m", router.string(), "--tokens", "1,2,3"});
    EXPECT_EQ(refused.code, 3);
    EXPECT_THAT(refused.err, AllOf(HasSubstr(router.string()), HasSubstr("'" + gate + "' holds NaN at [0, 3]")));
    for (const auto& folder : {head, deep}) {
        const std::string m = folder.string(), run = (home() / (folder.filename().string() + ".klprun")).string();
        for (const Words& words : {Words{"logits", "-m", m, "--tokens", "1,2,3"}, Words{"logits", "-m", m, "--tokens", "1,2,3", "--json"},
                                   Words{"logits", "-m", m, "--tokens", "1,2,3", "--step"}, Words{"bench", "-m", m, "--prompt", "8", "--gen", "4"},
                                   Words{"bench", "-m", m, "--prompt", "8", "--gen", "0", "--json"}, Words{"sweep", "-m", m, "--contexts", "512"},
                                   Words{"eval", "-m", m, "--items", "1"}, Words{"run", "-m", m, "-p", "hi", "-o", run}, Words{"-m", m, "-p", "hi"}}) {
            const Outcome got = klp(words);
            EXPECT_EQ(got.code, 3) << ::testing::PrintToString(words) << got.out << got.err;
            EXPECT_THAT(got.err, HasSubstr("not a number at position ")) << ::testing::PrintToString(words);
            EXPECT_TRUE(words[0] == "sweep" || got.out.empty()) << ::testing::PrintToString(words);
        }
        const Outcome checked = klp({"info", m, "--check"});
        EXPECT_EQ(checked.code, 3);
        EXPECT_THAT(checked.out, HasSubstr("'lm_head.weight' holds "));
        for (const char* type : {"bf16", "q8_0"}) {
            const Outcome copied = klp({"quantize", m, (home() / "nowhere").string(), "--type", type});
            EXPECT_EQ(copied.code, 3);
            EXPECT_THAT(copied.err, HasSubstr(" holds "));
            EXPECT_FALSE(std::filesystem::exists(home() / "nowhere"));
        }
    }
    const Outcome checked = klp({"info", deep.string(), "--check"});
    EXPECT_THAT(checked.out, HasSubstr("'" + query + "' holds NaN at [0, 2] and 1 more NaN or infinity"));
    EXPECT_THAT(checked.out, HasSubstr("'lm_head.weight' holds infinity at [0, 5]"));
    const auto json = nlohmann::json::parse(klp({"info", deep.string(), "--check", "--json"}).out);
    EXPECT_EQ(json["not_finite"].size(), 2u);
    const Outcome clean = klp({"info", model(), "--check"});
    EXPECT_EQ(clean.code, 0);
    EXPECT_THAT(clean.out, HasSubstr("all weights are finite numbers"));
}

TEST_F(Cli, AShapeIsMeasuredWithoutAFile) {
    const Outcome got = klp({"bench", "--shape", "tiny", "--dtype", "q4_0", "--device", "cpu", "--prompt", "8", "--gen", "4", "--depth", "300", "--repeat", "1",
                             "--synthetic", "--baseline"});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_THAT(got.out, HasSubstr("tiny, q4_0"));
    EXPECT_THAT(got.out, HasSubstr("synthetic caches"));
    EXPECT_THAT(klp({"bench", "--shape", "no-such"}).err,
                HasSubstr("there are tiny-spec, tiny, mini, bench-700m, kimi-linear-48b-4, kimi-linear-48b, ling-3.0-tiny, ling-3.0-flash"));
}

TEST_F(Cli, AModelOfAnotherFamilyIsCalledByItsOwnNames) {
    const std::string qwen = (source_dir() / "tests/golden/hf/qwen35-seen").string();
    const Outcome info = klp({"info", qwen});
    EXPECT_EQ(info.code, 0) << info.err;
    EXPECT_THAT(info.out, AllOf(HasSubstr("Gated DeltaNet 6 heads of 4 x 6"), HasSubstr("a head, keys of 2; full attention 6 heads of 8, keys and values of 2"),
                                HasSubstr("G A (1 Gated DeltaNet, 1 full attention)"), HasSubstr("full-attention twin"), Not(HasSubstr("MLA"))));
    const Outcome bench = klp({"bench", "-m", qwen, "--device", "cpu", "--prompt", "8", "--gen", "4", "--depth", "0", "--repeat", "1", "--baseline"});
    EXPECT_EQ(bench.code, 0) << bench.err;
    EXPECT_THAT(bench.out, AllOf(HasSubstr("full-attention twin"), HasSubstr("same shapes, synthetic mixers"), Not(HasSubstr("MLA"))));
}

TEST_F(Cli, MemoryNeedsNoWeights) {
    const Outcome named = klp({"info", "--shape", "kimi-linear-48b"});
    EXPECT_EQ(named.code, 0) << named.err;
    EXPECT_THAT(named.out, AllOf(HasSubstr("kimi-linear-48b\n"), HasSubstr("1,048,576"), HasSubstr("computed: no weights are here")));
    const auto json = nlohmann::json::parse(klp({"info", "--shape", "kimi-linear-48b", "--dtype", "q8_0", "--json"}).out);
    EXPECT_EQ(json["computed"], true);
    EXPECT_EQ(json["memory"].back()["cache"], sequence_bytes(shape("kimi-linear-48b"), 1 << 20).cache);
    EXPECT_TRUE(json["tensors"].contains("q8_0"));

    const auto folder = home() / "only-config";
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(talker_->folder() / "config.json", folder / "config.json");
    const Outcome bare = klp({"info", folder.string()});
    EXPECT_EQ(bare.code, 0) << bare.err;
    EXPECT_THAT(bare.out, AllOf(HasSubstr("only-config\n"), HasSubstr("computed: no weights are here")));
    const std::string whole = klp({"info", model()}).out;
    EXPECT_THAT(whole, Not(HasSubstr("computed: no weights")));
    EXPECT_EQ(bare.out.substr(bare.out.find("Memory of")), whole.substr(whole.find("Memory of"))) << "the same table";
    EXPECT_EQ(klp({"-m", folder.string(), "-p", "hi"}).code, 3) << "it cannot talk";
    EXPECT_EQ(klp({"info", "--shape", "tiny", "-m", model()}).code, 2);
    std::ofstream(folder / "m.gguf") << "GGUF";
    EXPECT_THAT(klp({"info", folder.string()}).err, HasSubstr("m.gguf: the file has 4 bytes, too few for a GGUF file"));
}

TEST_F(Cli, ASweepThatDoesNotFitIsComputed) {
    if (system_memory().available > int64_t{180} << 30) GTEST_SKIP() << "this machine holds it";
    const std::string file = (home() / "computed.json").string();
    const Outcome got =
        klp({"sweep", "--shape", "kimi-linear-48b", "--dtype", "f32", "--device", "cpu", "--contexts", "4k,1M", "--memory", "400GiB", "-o", file});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_THAT(got.out, AllOf(HasSubstr("4k, computed"), HasSubstr("1M, computed"), HasSubstr("was not run: "), HasSubstr("computed: nothing was run")));
    const auto json = nlohmann::json::parse(read_bytes(file));
    ASSERT_EQ(json["rows"].size(), 2u);
    EXPECT_EQ(json["rows"][1]["computed"], true);
    EXPECT_EQ(json["rows"][1]["twin"]["cache_bytes"], sequence_bytes(all_attention(shape("kimi-linear-48b")), 1 << 20, 4).cache);
    EXPECT_GT(json["rows"][1]["hybrid"]["batch"]["sequences"], json["rows"][1]["twin"]["batch"]["sequences"]);
    const Outcome shown = klp({"sweep", "--from", file});
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("1M, computed"));
}

TEST_F(Cli, ASweepIsShownAgainFromItsFile) {
    const auto file = [&](const char* name) { return (home() / name).string(); };
    const Outcome made = klp({"sweep", "--shape", "tiny", "--device", "cpu", "--contexts", "128,64", "--limit", "0.05", "-o", file("a.json"), "-o",
                              file("a.csv"), "-o", file("a.svg")});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_THAT(made.out, HasSubstr("128 tokens"));
    const auto json = nlohmann::json::parse(read_bytes(file("a.json")));
    ASSERT_EQ(json["rows"].size(), 2u);
    EXPECT_EQ(json["rows"][0]["context"], 64);
    EXPECT_THAT(json["command"].get<std::string>(), HasSubstr("klp sweep --shape tiny"));
    EXPECT_THAT(read_bytes(file("a.csv")), HasSubstr("\n128,twin,"));

    const Outcome shown = klp({"sweep", "--from", file("a.json"), "-o", file("b.svg"), "--reference"});
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_THAT(shown.out, HasSubstr("Recorded on 20"));
    EXPECT_THAT(shown.out, HasSubstr("Reference: published, not measured here"));
    EXPECT_THAT(shown.out, HasSubstr(made.out.substr(made.out.find("64 tokens"), 800)));
    EXPECT_EQ(read_bytes(file("b.svg")), read_bytes(file("a.svg")));

    EXPECT_EQ(klp({"sweep", "--from", file("a.json"), "--json"}).out, read_bytes(file("a.json")));

    std::ofstream(file("torn.json")) << read_bytes(file("a.json")).substr(0, 900);
    for (const Words& words :
         {Words{"sweep", "--from", file("torn.json")}, Words{"sweep", "--from", file("none.json")}, Words{"sweep", "--from", file("a.csv")}}) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 1);
        EXPECT_EQ(got.out, "");
        EXPECT_EQ(sentences(got.err), 1) << got.err;
        EXPECT_THAT(got.err, HasSubstr(words[2]));
    }
    const Outcome nowhere = klp({"sweep", "-o", file("no/such/folder.json")});
    EXPECT_EQ(nowhere.code, 1);
    EXPECT_THAT(nowhere.err, HasSubstr("no/such/folder.json"));
    const Outcome small = klp({"sweep", "--shape", "tiny", "--device", "cpu", "--contexts", "64", "--memory", "1MiB"});
    EXPECT_EQ(small.code, 4);
    EXPECT_EQ(small.out, "");
    EXPECT_THAT(small.err, HasSubstr("a budget of 1.0 MiB holds no sequence"));
}

TEST_F(Cli, AnExperimentGoesOnFromWhatItHasSeen) {
    const auto slurp = [](const std::string& file) {
        std::ifstream in(file, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const auto spec = (home() / "two.json").string(), chats = (home() / "two.jsonl").string(), table = (home() / "two.csv").string();
    std::ofstream(spec) << R"({"about": "two", "chats": [{"before": ["a is b", "yes"], "ask": [["a?", "b"], ["and?", "yes"]]},
        {"before": ["c is d"], "ask": [["c?", "d"]]}, {"before": ["e is f"], "ask": [["e?", "f"]]}], "unrelated": 1, "distances": [0, 8],
        "arms": [{"name": "as it was", "hands": [{"what": "gates", "amount": 1}]}, {"name": "emptied", "each": "layer", "hands": [{"what": "empty"}]}]})";
    const Words words{"probe", spec, "-m", model(), "-t", "1", "-o", chats, "-o", table};
    const Outcome whole = klp(words);
    ASSERT_EQ(whole.code, 0) << whole.err;
    EXPECT_THAT(whole.out, AllOf(HasSubstr("two"), HasSubstr("6 chats"), HasSubstr("emptied, layer 2"), Not(HasSubstr("layer 3"))));  // layer 3 has no state
    EXPECT_THAT(slurp(table), HasSubstr("\"two\",\"talker\",\"own\",0,8,\"emptied, layer 2\",\"change\",\"nats a token\","));

    const std::string all = slurp(chats);
    const size_t third = all.find('\n', all.find('\n', all.find('\n') + 1) + 1) + 1;
    std::ofstream(chats) << all.substr(0, third + 20);  // two chats, and a torn line
    EXPECT_EQ(klp(words).out, whole.out);
    EXPECT_EQ(slurp(chats), all);

    std::ofstream(spec, std::ios::app) << "\n";
    const Outcome other = klp(words);
    EXPECT_EQ(other.code, 1);
    EXPECT_THAT(other.err, HasSubstr("two.jsonl is of another experiment"));
    EXPECT_EQ(slurp(chats), all);

    EXPECT_THAT(klp({"probe"}).out, HasSubstr("erase-one-of-eight"));
    const Outcome near = klp({"probe", "erase-one-of-eigth"});
    EXPECT_EQ(near.code, 2);
    EXPECT_THAT(near.err, HasSubstr("did you mean erase-one-of-eight?"));
    EXPECT_EQ(klp({"probe", spec, "-o", "x.txt"}).code, 2);
    EXPECT_EQ(klp({"probe", "--items", "2"}).code, 2);
    const Outcome json = klp({"probe", spec, "-m", model(), "--json"});
    ASSERT_EQ(json.code, 0) << json.err;
    EXPECT_EQ(nlohmann::json::parse(json.out)["conditions"].size(), 2u);
}

TEST_F(Cli, AnEvaluationCountsEveryQuestionAtEveryDistance) {
    const auto folder = home() / "eval";
    std::filesystem::create_directories(folder);
    const auto put = [&](const char* name, const std::string& text) { std::ofstream(folder / name) << text; };
    put("tasks.jsonl",
        R"({"task": "recall", "far": true, "before": [{"role": "user", "content": "a is b"}], "ask": [["a?", "b"], ["and a?", "b"]]})"
        "\n"
        R"({"task": "needle", "far": true, "before": [{"role": "user", "content": "x."}, {"role": "assistant", "content": "y"}], "ask": [["x?", "x"]]})"
        "\n"
        R"({"task": "reverse", "size": 2, "far": false, "before": [], "ask": [["1 2", "2 1"]]})"
        "\n");
    put("talk.jsonl", "[\"hi\", \"hello\"]\n[\"a line that is far too long to fit in\", \"the few tokens that are left between the two of them\"]\n");
    put("text.jsonl", "\"One.\"\n\"Two.\"\n");
    put("stories.jsonl", "\"A story.\"\n");
    put("chats.jsonl", "[[\"user\", \"hi\"], [\"assistant\", \"hello\"]]\n");
    const Words words{"eval", "-m", model(), "-t", "1", "--data", folder.string()};
    const auto with = [&](const Words& more) {
        Words all = words;
        all.insert(all.end(), more.begin(), more.end());
        return klp(all);
    };
    const Outcome json = with({"--distance", "40,0", "--json"});
    ASSERT_EQ(json.code, 0) << json.err;
    const auto got = nlohmann::json::parse(json.out);
    ASSERT_EQ(got.size(), 1u);
    std::map<std::string, int> asked;
    for (const auto& row : got[0]["by_distance"]) asked[row["task"].get<std::string>() + row["distance"].dump()] = row["asked"];
    EXPECT_EQ(asked, (std::map<std::string, int>{{"recall0", 2}, {"recall40", 2}, {"needle0", 1}, {"needle40", 1}}));
    EXPECT_EQ(got[0]["by_size"][0]["asked"], 1);
    EXPECT_EQ(got[0]["tokens"]["chats"], 6);  // five letters and the end of the turn
    const double perplexity = got[0]["perplexity"]["stories"];
    EXPECT_TRUE(perplexity > 100 && perplexity < 1000) << perplexity << " of 264 tokens, none known";
    EXPECT_THAT(with({"--distance", "0"}).out, HasSubstr("recall"));

    // Under hands beside without, of the same questions.
    const auto file = home() / "hands.json";
    write_bytes(file, R"([{"what": "read", "amount": 0}])");
    const Outcome touched = with({"--distance", "0", "--json", "--intervene", file.string()});
    ASSERT_EQ(touched.code, 0) << touched.err;
    const auto both = nlohmann::json::parse(touched.out);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0]["hands"], false);
    EXPECT_EQ(both[1]["hands"], true);
    EXPECT_EQ(both[0]["perplexity"]["stories"], got[0]["perplexity"]["stories"]);
    EXPECT_NE(both[1]["perplexity"]["stories"], both[0]["perplexity"]["stories"]);
    write_bytes(file, R"([{"what": "gates", "layers": [77]}])");
    EXPECT_THAT(with({"--intervene", file.string()}).err, HasSubstr("hands.json: 'gates': the model has no layer 77"));

    const Outcome twin = with({"--twin"});
    EXPECT_EQ(twin.code, 3);
    EXPECT_THAT(twin.err, HasSubstr("no trained twin"));
    put("talk.jsonl", "[\"hi\", \"hello\"]\n[\"hi\"]\n");
    const Outcome broken = with({});
    EXPECT_EQ(broken.code, 1);
    EXPECT_THAT(broken.err, HasSubstr("talk.jsonl:2 "));
    EXPECT_EQ(sentences(broken.err), 1);
}

TEST_F(Cli, AFlagAndAPipeAskTheSame) {
    const Outcome flag = klp(chat({"-p", "hello"})), pipe = klp(chat(), "hello\n");
    EXPECT_EQ(flag.code, 0) << flag.err;
    EXPECT_EQ(flag.out, pipe.out);
    EXPECT_EQ(flag.err, "") << "statistics are asked for with --stats";
    const Outcome both = klp(chat({"-p", "hello", "--stats", "--json"}));
    EXPECT_THAT(both.err, AllOf(HasSubstr("tokens/s"), HasSubstr("twin")));
    const double rate = nlohmann::json::parse(both.out)["tokens_per_second"];
    std::string digits = both.err.substr(both.err.find(", ") + 2);
    std::erase(digits, ',');
    EXPECT_NEAR(std::stod(digits), rate, 0.01 * rate) << "the same figure in both";
}

TEST_F(Cli, TheSameSeedSaysTheSameAndAnotherOneSomethingElse) {
    const auto said = [&](const char* seed) { return klp({"-m", model(), "-n", "30", "--temp", "1", "--seed", seed, "-p", "hi"}).out; };
    EXPECT_EQ(said("5"), said("5"));
    EXPECT_NE(said("5"), said("6"));
}

TEST_F(Cli, TokensGoBackToTheirText) {
    const std::string text = "Grüße, 漢字! <|im_end|>";
    const Outcome ids = klp({"tokenize", "-m", model(), text});
    ASSERT_EQ(ids.code, 0) << ids.err;
    EXPECT_THAT(ids.out, Not(HasSubstr("256"))) << "what a person types never becomes a control token";
    EXPECT_EQ(klp({"tokenize", "-m", model(), "--decode"}, ids.out).out, text + "\n");
    EXPECT_THAT(klp({"tokenize", "-m", model(), "--special", text}).out, HasSubstr("256"));
    EXPECT_EQ(klp({"tokenize", "-m", model(), "--decode", "1 999999"}).code, 1);
}

std::vector<float> read_npy(const std::filesystem::path& path, std::string& header) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    if (bytes.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) != 0) return {};
    const size_t length = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
    header = bytes.substr(10, length);
    EXPECT_EQ((10 + length) % 64, 0u);
    std::vector<float> values((bytes.size() - 10 - length) / 4);
    std::memcpy(values.data(), bytes.data() + 10 + length, values.size() * 4);
    return values;
}

TEST_F(Cli, LogitsAreTheSameHoweverTheTokensAreFed) {
    std::vector<std::vector<float>> all;
    for (const Words& how : {Words{}, Words{"--step"}, Words{"--chunk", "3"}}) {
        const std::string out = (home() / "logits.npy").string();
        Words words{"logits", "-m", mute(), "--tokens", "1,2,3,4,5,6,7", "-o", out};
        words.insert(words.end(), how.begin(), how.end());
        ASSERT_EQ(klp(words).code, 0);
        std::string header;
        all.push_back(read_npy(out, header));
        EXPECT_THAT(header, AllOf(HasSubstr("'<f4'"), HasSubstr("(7, 264)")));
        ASSERT_EQ(all.back().size(), 7u * 264u);
    }
    // bf16 weights: activations are rounded to 8 bits before each product, in another order here and there
    for (size_t i = 0; i < all[0].size(); ++i) {
        ASSERT_NEAR(all[0][i], all[1][i], 0.02);
        ASSERT_NEAR(all[0][i], all[2][i], 0.02);
    }
    EXPECT_EQ(klp({"logits", "-m", mute(), "--tokens", "1,264"}).code, 1);
    EXPECT_EQ(klp({"logits", "-m", mute(), "--tokens", "1", "-o", "/no/such/folder/x.npy"}).code, 1);
}

TEST_F(Cli, APromptLongerThanTheContextIsRefusedWithBothNumbers) {
    const Outcome got = klp(chat({"-c", "32", "-p", std::string(100, 'x')}));
    EXPECT_EQ(got.code, 1);
    EXPECT_EQ(got.out, "");
    EXPECT_THAT(got.err, AllOf(HasSubstr("32"), ::testing::ContainsRegex("1[0-9][0-9] tokens")));
    EXPECT_EQ(sentences(got.err), 1);
}

TEST_F(Cli, AClosedStdoutEndsQuietly) {
    Klp program(chat({"-n", "20000", "-p", "hi", "--temp", "1"}));
    program.close_output();
    const Outcome got = program.finish();
    EXPECT_EQ(got.code, -1) << "by SIGPIPE, as cat ends";
    EXPECT_EQ(got.err, "");
}

TEST_F(Cli, InterruptingAnAnswerKeepsWhatWasSaid) {
    // Noise ends its turn by chance: over 262 kinds of token, nearly never within the hundred thousands that come before the signal.
    Klp program(chat({"-n", "30000", "-p", "hi", "--temp", "1", "--top-k", "0"}));
    program.end_input();
    ASSERT_TRUE(program.wait_for_output());
    program.interrupt();
    const Outcome got = program.finish();
    EXPECT_EQ(got.code, 130);
    EXPECT_TRUE(got.out.ends_with('\n'));
    EXPECT_GT(got.out.size(), 1u);
}

TEST_F(Cli, InterruptingTheLoadIsOneSentence) {
    for (const Words& words : {chat({"-p", "hi"}), Words{"bench", "-m", model()}, Words{"logits", "-m", model(), "--tokens", "1"}}) {
        const Outcome got = Klp(words, {}, /*interrupted=*/true).finish();
        EXPECT_EQ(got.code, 130) << got.err;
        EXPECT_EQ(got.out, "");
        EXPECT_EQ(sentences(got.err), 1) << got.err;
    }
}

TEST_F(Cli, LongWorkSaysHowFarItIsWhereThatIsAskedFor) {
    const std::string recording = (home() / "far.klprun").string(), text(1500, 'x');
    const auto folder = home() / "far";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "tasks.jsonl") << R"({"task": "recall", "far": false, "size": 1, "before": [], "ask": [["a?", "b"]]})"
                                          << "\n";
    std::ofstream(folder / "talk.jsonl") << "[\"hi\", \"hello\"]\n";
    std::ofstream(folder / "text.jsonl") << "\"One.\"\n";
    std::ofstream(folder / "stories.jsonl") << "\"A story.\"\n";
    std::ofstream(folder / "chats.jsonl") << "";
    const std::pair<Words, Words> lines[] = {{chat({"-p", text}), {"loading talker: 0 B of ", "reading: 0 of 1,5", "answering\n"}},
                                             {{"logits", "-m", model(), "-p", text}, {"reading: 0 of 1,500 tokens\n"}},
                                             {{"bench", "-m", model(), "--prompt", "2", "--gen", "2", "--depth", "600", "--repeat", "1", "--baseline"},
                                              {"making the all-MLA twin\n", "talker: prefill to depth 600: 0 of 600 tokens\n",
                                               "measuring at depth 600: 0 of 8 runs\n", "measuring what this machine"}},
                                             {{"sweep", "-m", model(), "--contexts", "64", "--limit", "0.01"},
                                              {"context 1 of 1, hybrid: prefill: 0 of 64 tokens\n", "decoding at 64: 0 of 5 rounds\n"}},
                                             {{"eval", "-m", model(), "--data", folder.string()}, {"examining talker: 0 of 2 items\n"}},
                                             {{"init", "--shape", "tiny", "-o", "FRESH"}, {"writing ", " of "}},
                                             {{"quantize", model(), "FRESH", "--type", "q8_0"}, {"writing "}},
                                             {{"run", "-m", model(), "-p", text, "-n", "3", "-o", recording, "--race", "64"},
                                              {"loading: 0.0 %", "reading: 0 of 1,5", "answering\n", "racing: 0 of 64 tokens\n"}},
                                             {{"replay", recording, "--speed", "16"}, {"opening "}},
                                             {{"export", recording, "-o", (home() / "far.npz").string()}, {"far.klprun: 0 of ", "far.npz: 0 of "}},
                                             {{"doctor"}, {"measuring what this machine allows\n"}}};
    int made = 0;
    for (const auto& [words, said] : lines) {
        for (const bool asked : {false, true}) {
            Words all = words;
            for (std::string& word : all)
                if (word == "FRESH") word = (home() / ("far" + std::to_string(made++))).string();
            std::error_code none;
            if (words[0] == "run") std::filesystem::remove(recording, none);
            if (asked) all.insert(all.begin(), "--progress");
            const Outcome got = klp(all);
            EXPECT_EQ(got.code, 0) << ::testing::PrintToString(all) << got.err;
            for (const std::string& sentence : said) {
                if (asked) {
                    EXPECT_THAT(got.err, HasSubstr(sentence)) << words[0];
                } else {
                    EXPECT_THAT(got.err, Not(HasSubstr(sentence))) << words[0];
                }
            }
        }
    }
}

TEST_F(Cli, TheLineOfProgressVanishes) {
    Klp program({"bench", "-m", model(), "--prompt", "0", "--gen", "30000", "--repeat", "1000"}, kUsual);
    ASSERT_TRUE(program.wait_for("\rmeasuring at depth 0: "));
    program.interrupt();
    const Outcome got = program.finish();
    EXPECT_EQ(got.code, 130);
    const size_t line = got.out.rfind("\rmeasuring"), end = got.out.find('\r', line + 1), sentence = got.out.find("klp: ", end);
    ASSERT_NE(sentence, std::string::npos) << got.out;
    const std::string between = got.out.substr(end, sentence - end);
    EXPECT_EQ(between, "\r" + std::string(between.size() - 2, ' ') + "\r");
    EXPECT_GE(between.size() - 2, end - line - 1) << "all of it is covered";
    for (const std::string& row : rows_of(got.out)) EXPECT_LE(columns(row), 80u) << row;
}

TEST_F(Cli, CtrlCInAPrefillKeepsWhatWasRead) {
    Klp repl({"-m", model(), "--device", "naive", "-i", "-n", "2", "--temp", "0", "--progress"});
    const std::string question = std::string(20000, 'x') + "\n";
    repl.type(question);
    ASSERT_TRUE(repl.wait_for_error("reading: 0 of 20,"));
    repl.interrupt();
    ASSERT_TRUE(repl.wait_for_error("; the same again goes on from there"));
    repl.type(question);
    ASSERT_TRUE(repl.wait_for_error("reading: 0 of 19,"));  // at least a pass of 512 less
    repl.interrupt();
    ASSERT_TRUE(repl.wait_for_error("; the same again goes on from there"));
    repl.type("/context\n/quit\n");
    const Outcome got = repl.finish();
    EXPECT_EQ(got.code, 0);
    EXPECT_THAT(got.out, HasSubstr("\n0 of 32,768 tokens")) << "nothing of it was said";
}

TEST_F(Cli, AFullDiskIsNamed) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
    const Outcome got = klp({"logits", "-m", mute(), "--tokens", "1", "-o", "/dev/full"});
    EXPECT_EQ(got.code, 1);
    EXPECT_THAT(got.err, HasSubstr("/dev/full"));
    const std::string program = KLP_PROGRAM;
    for (const char* words : {" --help", " --version", " --help-man", " --completion bash", " info", " init --list", " doctor"})
        EXPECT_EQ(WEXITSTATUS(std::system((program + words + " > /dev/full 2> /dev/null").c_str())), 1) << words;
}

TEST_F(Cli, WhatDoesNotFitIsNotBegun) {
    // 96 GB as bf16, 192 as f32.
    if (std::filesystem::space(home()).available > uintmax_t{190} << 30) GTEST_SKIP() << "it would fit";
    const auto folder = home() / "large";
    const Outcome got = klp({"init", "--shape", "kimi-linear-48b", "--type", "f32", "-o", folder.string()});
    EXPECT_EQ(got.code, 1);
    EXPECT_THAT(got.err, AllOf(HasSubstr("large: it will take "), HasSubstr(" free there; nothing was written")));
    EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(Cli, AFileThatIsReadMayBeAPipe) {
    const auto file = [&](const char* name) { return (home() / name).string(); };
    const std::string pipe = "/dev/stdin", tools = R"([{"type": "function", "function": {"name": "ping"}}])";
    std::ofstream(file("tools.json")) << tools;
    const Words ask = chat({"-p", "hi", "--temp", "0", "--tools"});
    const auto with = [](Words words, const std::string& last) {
        words.push_back(last);
        return words;
    };
    const Outcome told = klp(with(ask, pipe), tools);
    EXPECT_EQ(told.code, 0) << told.err;
    EXPECT_EQ(told.out, klp(with(ask, file("tools.json"))).out);
    for (const auto& [text, said] : {std::pair<std::string, std::string>{" \n", "/dev/stdin is empty"},
                                     {"[]", "/dev/stdin declares no tools"},
                                     {R"([{"type": "function"}])", "/dev/stdin: [0].function is not an object"}}) {
        const Outcome got = klp(with(ask, pipe), text);
        EXPECT_EQ(got.code, 1);
        EXPECT_THAT(got.err, HasSubstr(said));
    }
    const Words run{"run", "-m", model(), "-n", "4", "-s", "3"};
    Words recorded = run;
    recorded.insert(recorded.end(), {"-p", "Hi", "-o", file("piped.klprun")});
    const std::string answer = klp(recorded).out;
    EXPECT_EQ(klp(with(with(run, "--turns"), pipe), "Hi\n").out, answer);
    EXPECT_EQ(klp({"replay", "--speed", "16", pipe}, read_bytes(file("piped.klprun"))).out, "> Hi\n" + answer);
    EXPECT_EQ(klp({"export", pipe, "-o", file("piped.csv")}, read_bytes(file("piped.klprun"))).code, 0);
    EXPECT_EQ(klp({"init", "--config", pipe, "-o", file("piped")}, read_bytes(std::filesystem::path(model()) / "config.json")).code, 0);
    EXPECT_EQ(klp({"sweep", "--from", pipe}, "{}").code, 1);
    for (const Words& words : {with(ask, home().string()), with(with(run, "--turns"), home().string()), Words{"sweep", "--from", home().string()}}) {
        const Outcome got = klp(words);
        EXPECT_EQ(got.code, 1);
        EXPECT_THAT(got.err, HasSubstr("is not a file but a folder"));
    }
}

TEST_F(Cli, AnOlderFileIsReplacedWhenTheNewOneIsWhole) {
    const auto folder = home() / "replaced";
    std::filesystem::create_directories(folder);
    const std::string out = (folder / "x.npy").string(), link = (folder / "link.npy").string();
    std::ofstream(out) << "older";
    std::filesystem::create_symlink("x.npy", link);
    EXPECT_EQ(klp({"logits", "-m", model(), "--tokens", "999999", "-o", out}).code, 1);
    EXPECT_EQ(read_bytes(out), "older");
    EXPECT_EQ(klp({"logits", "-m", model(), "--tokens", "1", "-o", link}).code, 0);
    EXPECT_TRUE(read_bytes(out).starts_with("\x93NUMPY"));
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_EQ(klp({"run", "-m", model(), "-p", "hi", "-n", "2", "--on-full", "summarise", "-c", "8", "-o", (folder / "no.klprun").string()}).code, 1);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2) << "nothing half is left";
}

TEST_F(Cli, WordsThatAreNearlyCommandsAreTold) {
    EXPECT_THAT(klp({"inof"}).err, HasSubstr("there is no command 'inof'; did you mean info?"));
    EXPECT_THAT(klp({"bench", "--dept", "3"}).err, HasSubstr("klp bench has no option --dept; did you mean --depth?"));
    EXPECT_THAT(klp({"Who are you?"}).err, HasSubstr("-p asks something"));
}

TEST_F(Cli, AQuantisedCheckpointIsTheSameModelInFewerBytes) {
    const std::string out = (home() / "q8").string();
    const Outcome made = klp({"quantize", model(), out, "--type", "q8_0"});
    ASSERT_EQ(made.code, 0) << made.err;
    const auto before = nlohmann::json::parse(klp({"info", model(), "--json"}).out), after = nlohmann::json::parse(klp({"info", out, "--json"}).out);
    EXPECT_LT(after["bytes"], before["bytes"]);
    EXPECT_EQ(after["parameters"], before["parameters"]);
    EXPECT_TRUE(after["tensors"].contains("q8_0"));
    EXPECT_EQ(klp({"quantize", model(), out, "--type", "q8_0"}).code, 2) << "what is there is not overwritten";
    EXPECT_EQ(klp({"-m", out, "-n", "4", "-p", "hi"}).code, 0);
}

TEST_F(Cli, AGgufFileIsTheSameModelInTheTypesOfItsMix) {
    const std::string out = (home() / "mix.gguf").string(), again = (home() / "again.gguf").string();
    const Outcome made = klp({"quantize", model(), out, "--type", "q4_k_m"});
    ASSERT_EQ(made.code, 0) << made.err;
    const auto before = nlohmann::json::parse(klp({"info", model(), "--json"}).out), after = nlohmann::json::parse(klp({"info", out, "--json"}).out);
    EXPECT_EQ(after["parameters"], before["parameters"]);
    EXPECT_TRUE(after["tensors"].contains("q5_0")) << "whose rows are too short for blocks of 256";
    EXPECT_EQ(klp({"-m", out, "-n", "4", "-p", "hi"}).code, 0);
    EXPECT_EQ(klp({"tokenize", "-m", out, "Hello there"}).out, klp({"tokenize", "-m", model(), "Hello there"}).out);
    EXPECT_EQ(klp({"quantize", model(), out, "--type", "q8_0"}).code, 2) << "what is there is not overwritten";
    EXPECT_EQ(klp({"quantize", out, again, "--type", "f16"}).code, 0);
    EXPECT_EQ(klp({"-m", again, "-n", "4", "-p", "hi"}).code, 0);
    EXPECT_THAT(klp({"quantize", model(), (home() / "folder").string(), "--type", "q4_k_m"}).err, HasSubstr("end in .gguf, or take one of f32, "));
}

TEST_F(Cli, ARunIsRecordedReplayedAndExported) {
    const std::string file = (home() / "run.klprun").string();
    const Words record{"run", "-m", model(), "-n", "12", "--seed",  "3",         "-t",      "1",      "-p",
                       "Hi",  "-p", "More",  "-o", file, "--title", "Two turns", "--stats", "--race", "64"};
    std::ofstream(file) << "an older one";
    const Outcome made = klp(record);
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_TRUE(made.out.starts_with("> Hi\n")) << made.out;
    EXPECT_THAT(made.out, HasSubstr("\n> More\n"));
    EXPECT_THAT(made.err, HasSubstr("run.klprun: "));
    EXPECT_THAT(made.err, HasSubstr("64 tokens: "));
    const Outcome played = klp({"replay", file, "--speed", "16", "--stats"});
    EXPECT_EQ(played.code, 0);
    EXPECT_EQ(played.out, made.out) << "what was said is what is replayed";
    EXPECT_THAT(played.err, HasSubstr("Two turns"));
    EXPECT_THAT(played.err, HasSubstr("24 tokens"));

    const std::string csv = (home() / "run.csv").string(), json = (home() / "run.json").string(), npz = (home() / "run.npz").string();
    for (const std::string& out : {csv, json, npz}) EXPECT_EQ(klp({"export", file, "-o", out}).code, 0) << out;
    const auto parsed = nlohmann::json::parse(std::ifstream(json));
    EXPECT_EQ(parsed["recording"]["title"], "Two turns");
    const auto& tokens = parsed["tokens"];
    std::ifstream table(csv);
    std::string line;
    size_t lines = 0;
    while (std::getline(table, line)) lines += line.ends_with('\r') || !table.eof();
    EXPECT_GE(lines, tokens.size() + 1) << "a head and a line for each; texts may hold line ends";
    int64_t position = 0;
    for (const auto& t : tokens) {
        EXPECT_EQ(t["position"], position++) << "nothing was left out";
        EXPECT_TRUE(t.contains("log_decay")) << position;
    }
    // The zip: ids.npy begins with its header, whose shape is the number of tokens.
    std::ifstream in(npz, std::ios::binary);
    const std::string zip(std::istreambuf_iterator<char>(in), {});
    const size_t ids = zip.find("ids.npy\x93NUMPY");
    ASSERT_NE(ids, zip.npos);
    EXPECT_THAT(zip.substr(ids, 120), HasSubstr("'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(tokens.size()) + ",)"));
    const size_t data = zip.find('\n', ids) + 1;
    for (size_t i = 0; i < tokens.size(); ++i) {
        int32_t id = 0;
        std::memcpy(&id, zip.data() + data + 4 * i, 4);
        EXPECT_EQ(tokens[i]["id"], id);
    }

    const size_t picks = zip.find("picks.npy\x93NUMPY");
    ASSERT_NE(picks, zip.npos);
    EXPECT_THAT(zip.substr(picks, 60), HasSubstr("'descr': '<i4'")) << "numbers of experts";
    for (const auto& t : tokens) {
        if (t["picks"].is_object()) {
            EXPECT_TRUE(t["picks"].begin().value()[0].is_number_integer() || t["picks"].begin().value()[0].is_null());
        }
    }

    // Every member is an array, so that NumPy reads them all; the one of texts holds JSON.
    std::vector<std::string> members;
    for (size_t at = 0; zip.compare(at, 4, "PK\x03\x04") == 0;) {
        uint16_t name = 0;
        uint32_t size = 0;
        std::memcpy(&size, zip.data() + at + 18, 4), std::memcpy(&name, zip.data() + at + 26, 2);
        members.push_back(zip.substr(at + 30, name));
        EXPECT_TRUE(members.back().ends_with(".npy")) << members.back();
        EXPECT_EQ(zip.compare(at + 30 + name, 6, "\x93NUMPY"), 0) << members.back();
        if (members.back() == "recording.npy") {
            EXPECT_THAT(zip.substr(at + 30 + name, 120), AllOf(HasSubstr("'descr': '<U"), HasSubstr("'shape': ()")));
            std::string text;
            for (size_t i = zip.find('\n', at + 30 + name) + 1; i < at + 30 + name + size; i += 4) text += zip[i];
            EXPECT_EQ(nlohmann::json::parse(text), parsed["recording"]);
        }
        at += 30 + name + size;
    }
    EXPECT_THAT(members, ::testing::Contains("recording.npy"));
    const auto speeds = [](const std::string& text) {
        Words found;
        for (size_t at = 0; (at = text.find(" tokens/s", at + 1)) != std::string::npos;)
            found.push_back(text.substr(text.rfind(' ', at - 1), at - text.rfind(' ', at - 1)));
        return found;
    };
    EXPECT_EQ(speeds(played.err), speeds(made.err));
    EXPECT_EQ(speeds(made.err).size(), 2u);

    std::ofstream(home() / "turns.txt") << "Hi\n\nMore\n";
    const Outcome turns = klp({"run", "-m", model(), "-n", "12", "--seed", "3", "-t", "1", "--turns", (home() / "turns.txt").string()});
    EXPECT_EQ(turns.out, made.out);
    EXPECT_EQ(klp({"export", file, "-o", (home() / "run.txt").string()}).code, 2);
    EXPECT_EQ(klp({"export", file, "-o", (home() / "none/run.csv").string()}).code, 1);
    EXPECT_EQ(klp({"replay", json}).code, 1);
    EXPECT_EQ(klp({"run", "-m", model()}).code, 2);
    EXPECT_EQ(klp({"run", "-m", model(), "-p", "x", "--state", "0.99", "-o", (home() / "none.klprun").string()}).code, 2);
    EXPECT_EQ(klp({"run", "-m", "/none", "-p", "x"}).code, 3);
    EXPECT_EQ(klp({"run", "-m", model(), "-p", "x", "--device", "abacus"}).code, 2);
}

TEST_F(Cli, AnInterruptedRecordingIsWhole) {
    const std::string file = (home() / "cut.klprun").string();
    Klp program({"run", "-m", model(), "-n", "1000000", "--temp", "50", "-t", "1", "-p", "Hi", "-o", file});
    ASSERT_TRUE(program.wait_for_output());
    program.interrupt();
    const Outcome cut = program.finish();
    EXPECT_EQ(cut.code, 130);
    const Outcome out = klp({"export", file, "-o", (home() / "cut.csv").string()});
    EXPECT_EQ(out.code, 0);
    EXPECT_THAT(out.err, Not(HasSubstr("damaged")));
}

TEST_F(Cli, TheReplWorksThroughAPipe) {
    const Outcome got = klp(chat({"-i", "--plain"}),
                            "hello\n/gates 0.0\n/undo 2\n/undo\n/branch\n/nwe\n/mem\n/set temp 0.5\n/set temp nan\n\"\"\"two\nlines\"\"\"\n/context\n/quit\n");
    EXPECT_EQ(got.code, 0);
    EXPECT_THAT(got.err,
                AllOf(HasSubstr("tokens/s"), HasSubstr("/undo takes nothing behind it"), HasSubstr("did you mean /new?"), HasSubstr("cannot be 'nan'")));
    EXPECT_THAT(got.out, AllOf(HasSubstr("/branch 1"), HasSubstr("channels remembers"), HasSubstr("1,048,576"), HasSubstr("temp = 0.50"), HasSubstr("32,768")));
    EXPECT_THAT(got.out, Not(HasSubstr("\x1b")));
}

TEST_F(Cli, LinesMayEndAsOnOtherSystems) {
    const auto answer = [&](const std::string& text) { return klp(chat({}), text).out; };
    EXPECT_EQ(answer("one\r\ntwo\r\n"), answer("one\ntwo\n"));
    EXPECT_EQ(answer("one\rtwo"), answer("one\ntwo"));
    EXPECT_EQ(klp(chat({"-i", "--plain"}), "/context\r\n\"\"\"a\r\nb\"\"\"\r\n/quit\r\n").err.find("no command"), std::string::npos);
    std::ofstream(home() / "crlf.txt") << "Hi\r\n\r\nMore\r\n";
    std::ofstream(home() / "lf.txt") << "Hi\nMore\n";
    const auto run = [&](const char* file) { return klp({"run", "-m", model(), "-n", "4", "--temp", "0", "--turns", (home() / file).string()}).out; };
    EXPECT_EQ(run("crlf.txt"), run("lf.txt"));
}

TEST_F(Cli, APromptBeginsAnewAndSaysWhatToWatch) {
    const Outcome got = klp(chat({"-i", "--plain"}), "hello\n/prompts\n/prompt 1\n/prompt 21\n/quit\n");
    EXPECT_EQ(got.code, 0);
    EXPECT_THAT(got.out, AllOf(HasSubstr("20 "), HasSubstr("branch 2"), HasSubstr("> Hello"), HasSubstr("Watch: ")));
    EXPECT_THAT(got.err, HasSubstr("runs one of the 20 prompts"));
}

TEST_F(Cli, EveryLensHasAPictureAndATable) {
    for (const char* lens : {"/gates", "/gates 0.1", "/state 1.0", "/experts"}) {
        const Outcome picture = klp(chat({"-i", "--plain"}), std::string("hello\n") + lens + "\n"),
                      table = klp(chat({"-i", "--plain"}), std::string("hello\n") + lens + " table\n");
        EXPECT_EQ(picture.code, 0);
        EXPECT_GT(picture.out.size(), 200u) << lens;
        EXPECT_GT(table.out.size(), 60u) << lens;
        EXPECT_NE(picture.out, table.out) << lens;
    }
    const Outcome wrong = klp(chat({"-i"}), "/gates\nhello\n/gates 9.0\n/gates 0.9\n/state 3.0\n/gates x\n/state\n");
    EXPECT_EQ(wrong.code, 0);
    EXPECT_THAT(wrong.err, AllOf(HasSubstr("ask something first"), HasSubstr("layers 0 to 3"), HasSubstr("heads 0 to 1"), HasSubstr("layer 3 is mla"),
                                 HasSubstr("'x' is not")));
}

TEST_F(Cli, WhatIsShownIsOfTheAnswerThatStands) {
    const Outcome got = klp(chat({"-i", "--temp", "0"}), "one\ntwo\n/rewind 1\n/gates\n/experts\n/branch 1\n/experts table\n/rewind 0\n/gates\n/rewind 0\n");
    EXPECT_EQ(got.code, 0);
    size_t at = got.err.find("was not watched");
    ASSERT_NE(at, std::string::npos) << got.err;
    EXPECT_NE(got.err.find("was not watched", at + 1), std::string::npos) << "nor the experts";
    EXPECT_THAT(got.err, HasSubstr("nothing was watched yet"));
    EXPECT_THAT(got.out, AllOf(HasSubstr("expert"), Not(HasSubstr("restored 0 B"))));
    const Outcome same = klp(chat({"-i", "--temp", "0"}), "one\n/regen\n/set temp 9999\n/set seed -1\n");
    EXPECT_THAT(same.out, HasSubstr("This is the same answer"));
    EXPECT_THAT(same.err, AllOf(HasSubstr("temp cannot be '9999' (temperature from 0, which is greedy, to 100)"), HasSubstr("seed cannot be '-1'")));
    const Outcome full = klp(chat({"-i", "-c", "64"}), std::string(40, 'a') + "\n" + std::string(40, 'b') + "\n");
    EXPECT_THAT(full.err, HasSubstr("/new or /rewind makes room, /full roll or /full summarise goes on, a larger -c holds more"));
}

TEST_F(Cli, ATalkGrowsInItsFile) {
    const auto data = home() / "grows";
    const std::string file = (data / "klp/places/last.jsonl").string();
    Klp repl(chat({"-i", "--plain"}), Words{"XDG_DATA_HOME=" + data.string()});
    const auto after = [&](const std::string& words) {
        repl.type(words + "\n/context\n");
        EXPECT_TRUE(repl.wait_for("room for"));
        return read_bytes(file);
    };
    const std::string one = after("one"), two = after("two"), other = after("/rewind 1\nthree");
    EXPECT_TRUE(two.starts_with(one) && two.size() > one.size()) << "what was written stays as it is";
    EXPECT_TRUE(other.starts_with(two) && other.size() > two.size());
    std::filesystem::remove(file);  // another program's now
    EXPECT_THAT(after("four"), AllOf(HasSubstr("\"one\""), HasSubstr("\"three\""), HasSubstr("\"four\""), Not(HasSubstr("\"two\""))));
    repl.end_input();
    EXPECT_EQ(repl.finish().code, 0);
    EXPECT_THAT(klp(chat({"-i", "--continue"}), "/branch\n", {"XDG_DATA_HOME=" + data.string()}).out, HasSubstr("turn 3"));

    const auto blocked = home() / "blocked";
    std::filesystem::create_directories(blocked / "klp");
    std::ofstream(blocked / "klp/places") << "";
    std::ofstream(blocked / "klp/states") << "";
    const Outcome got = klp(chat({"-i"}), "one\n/snap\n", {"XDG_DATA_HOME=" + blocked.string()});
    EXPECT_THAT(got.err, AllOf(HasSubstr("klp/places is a file, and a folder is needed there"), HasSubstr("klp --continue will not find")));
}

TEST_F(Cli, ATerminalSessionFromGreetingToGoodbye) {
    Klp repl(chat({"-n", "5"}), kUsual, {history()});
    const auto then = [&](const char* typed) {
        EXPECT_TRUE(repl.wait_for_prompt());
        repl.type(typed);
    };
    then("hello\r");
    ASSERT_TRUE(repl.wait_for("tokens/s"));
    then("/und\t\r");  // completed
    ASSERT_TRUE(repl.wait_for("at the beginning"));
    then("/branch\r");
    ASSERT_TRUE(repl.wait_for("last said"));
    then("half a line\x03");  // Ctrl-C clears it
    ASSERT_TRUE(repl.wait_for("again"));
    then("/context\r");
    ASSERT_TRUE(repl.wait_for("32,768"));
    then("\x1b[200~pasted\nin two lines\x1b[201~\r");  // a bracketed paste is one message
    ASSERT_TRUE(repl.wait_for("tokens/s"));
    then("\x1b[200~windows\r\nmac\rend\r\n\r\nof it\x1b[201~\r");
    ASSERT_TRUE(repl.wait_for("tokens/s"));
    then("/quti\r");
    ASSERT_TRUE(repl.wait_for("did you mean /quit?"));
    then("\x04");  // Ctrl-D
    EXPECT_EQ(repl.finish().code, 0);

    std::ifstream kept(home() / "state/klp/history");
    const std::string lines((std::istreambuf_iterator<char>(kept)), {});
    EXPECT_THAT(lines, AllOf(HasSubstr("hello\n"), HasSubstr("pasted in two lines\n"), HasSubstr("windows mac end  of it\n"), Not(HasSubstr("half a line"))));
    EXPECT_EQ(std::filesystem::status(home() / "state/klp/history").permissions(), std::filesystem::perms(0600));
}

TEST_F(Cli, HandsOnTheMemoryAnswerTheLastQuestionAgainOnABranch) {
    const std::string data = "XDG_DATA_HOME=" + (home() / "hands").string();
    const Words greedy = chat({"-i", "--temp", "0", "-n", "8"});
    const Outcome got =
        klp(greedy, "/gate 0 x2\none\ntwo\n/snap here\n/beta 0 x0\n/hands\n/branch\n/undo\n/hands\n/transplant here 0\n/hide 0:3\n/gate every x0.5\n", {data});
    EXPECT_EQ(got.code, 0);
    EXPECT_THAT(got.out, HasSubstr("half-lives of every layer x0.5 from token "));
    EXPECT_THAT(got.err, HasSubstr("there is no answer yet"));
    EXPECT_THAT(got.out, HasSubstr("nothing is written in layer 0 from token "));
    EXPECT_THAT(got.out, HasSubstr("what was here is branch 1 (/branch 1"));
    EXPECT_THAT(got.out, testing::ContainsRegex("KL [0-9.]+ nats a[ \n]token"));
    const Outcome again = klp(chat({"-i", "--continue"}), "/hands\n", {data});
    EXPECT_THAT(again.out, HasSubstr("half-lives of every layer x0.5 from token "));
    EXPECT_THAT(again.out, HasSubstr("from disk in ")) << "a touched memory is kept as any other";
    EXPECT_THAT(again.out, testing::Not(HasSubstr("replayed")));
    EXPECT_THAT(got.out, HasSubstr("Nothing is touched on this branch"));
    EXPECT_THAT(got.out, HasSubstr("another state put into layer 0 at token "));
    EXPECT_THAT(got.out, HasSubstr("tokens 0 to 3 hidden from the latent cache of every layer at token "));

    for (const auto& [typed, said] : std::initializer_list<std::pair<const char*, const char*>>{{"/gate 0", "/gate LAYER[.HEAD[.CHANNEL]] xN"},
                                                                                                {"/gate 0 x0", "above 0"},
                                                                                                {"/gate 99 x2", "the model has no layer 99"},
                                                                                                {"/gate 0.99 x2", "has no head 99"},
                                                                                                {"/mute 0.a", "/mute LAYER[.HEAD]"},
                                                                                                {"/hide 3", "/hide FIRST:LAST"},
                                                                                                {"/hide 0:99999", "are not among the"},
                                                                                                {"/empty 0 all", "/empty takes no more than L.H"},
                                                                                                {"/transplant nowhere 0", "there is no snapshot 'nowhere'"}})
        EXPECT_THAT(klp(greedy, std::string("one\n") + typed + "\n", {data}).err, HasSubstr(said)) << typed;
}

// The embedded model was trained to remember, so words say more here than of a random one.
TEST_F(Cli, AFactIsReadOverwrittenErasedAndFollowed) {
    const Words demo = {"-i", "--plain", "--temp", "0"};
    const std::string told = "My favorite color is green.\nRemember this pair: lamp - red.\nWhat is my favorite color?\n";
    const Outcome got = klp(demo, told +
                                      "/read green\n/read green 0.1\n/life green\n/who green\n/who green 40\n/rules 0.1\n/rules\n/overwrite green "
                                      "red\n/undo\n/erase green 0.0\n/hands\n");
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_THAT(got.out, AllOf(HasSubstr("to the key of token "), HasSubstr("head  cosine  length  written"), HasSubstr("And to the keys of all tokens")));
    EXPECT_THAT(got.out,
                AllOf(HasSubstr("What is left of token "), HasSubstr("and overwriting"), HasSubstr("The answers since gave it a probability of up to ")));
    EXPECT_THAT(got.out, AllOf(HasSubstr("Who reads token "), HasSubstr("head  memory  share"), HasSubstr("at token 40 ")));
    EXPECT_THAT(got.out, AllOf(HasSubstr("KDA (its own)"), HasSubstr("linear attention"), HasSubstr("layer 0, head by head"),
                               HasSubstr("KDA  Gated DeltaNet     DeltaNet")));
    EXPECT_THAT(got.out, AllOf(HasSubstr("overwritten with the value of token "), HasSubstr("predicted  measured"),
                               HasSubstr("a key overwritten in 12 heads: the answer")));
    EXPECT_THAT(got.out, HasSubstr("one key erased in layer 0, head 0 at token "));
    EXPECT_THAT(got.out, AllOf(HasSubstr("Your favorite color is green."), HasSubstr("Your favorite color is red."))) << "words, and not only numbers";
    // What is predicted is what is measured, in every row.
    std::istringstream lines(got.out.substr(got.out.find("predicted  measured")));
    std::string line;
    int rows = 0;
    for (std::getline(lines, line); std::getline(lines, line) && line.find('.') != std::string::npos && rows < 12; ++rows) {
        std::istringstream words(line);
        const std::vector<std::string> cells(std::istream_iterator<std::string>(words), {});
        ASSERT_GE(cells.size(), 5u) << line;
        EXPECT_EQ(cells[cells.size() - 1], cells[cells.size() - 2]) << line;
    }
    EXPECT_EQ(rows, 12);

    for (const auto& [typed, said] : std::initializer_list<std::pair<const char*, const char*>>{{"/read", "/read WORD [LAYER.HEAD]"},
                                                                                                {"/read nobody", "'nobody' was not said in this talk"},
                                                                                                {"/read 4096", "there is no token 4096"},
                                                                                                {"/read green 3.0", "layer 3 is mla"},
                                                                                                {"/overwrite green", "/overwrite WORD OTHER [LAYER.HEAD]"},
                                                                                                {"/erase What", "was not said before the last question"},
                                                                                                {"/overwrite green nobody", "'nobody' was not said"},
                                                                                                {"/erase green 0.9", "heads 0 to 3"},
                                                                                                {"/erase 60", "where the last question begins"},
                                                                                                {"/life", "/life WORD"},
                                                                                                {"/who", "/who WORD [TOKEN]"},
                                                                                                {"/rules 9.0", "there is no layer 9"},
                                                                                                {"/who green 2", "is no token that comes after"}})
        EXPECT_THAT(klp(demo, told + typed + "\n").err, HasSubstr(said)) << typed;
    EXPECT_THAT(klp(demo, "/read x\n/erase x\n/life x\n").err, AllOf(HasSubstr("nothing was said yet"), HasSubstr("there is no answer yet")));
}

TEST_F(Cli, TwoTalksAnswerInStep) {
    const auto file = home() / "mute.json";
    std::ofstream(file) << R"([{"what": "read", "amount": 0}])";
    const Words demo = {"-i", "--plain", "--temp", "0"};
    const std::string told = "My name is Tom.\nWhat is my name?\n";
    const Outcome alone = klp(demo, told);
    const auto beside = [&](const std::string& way, const std::string& said) {
        Words words = demo;
        words.insert(words.end(), {"--beside", way});
        return klp(words, said);
    };
    const Outcome plain = beside("plain", told), twin = beside("twin", told), mute = beside(file.string(), told);
    for (const Outcome* one : {&plain, &twin, &mute}) {
        EXPECT_EQ(one->code, 0) << one->err;
        EXPECT_THAT(one->out, AllOf(HasSubstr("this talk:\n"), HasSubstr("Your name is Tom."), HasSubstr("tokens/s in "), HasSubstr("cache ")));
    }
    EXPECT_THAT(alone.out, HasSubstr("Your name is Tom."));
    const auto times = [](const std::string& text, const std::string& what) {
        int n = 0;
        for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
        return n;
    };
    EXPECT_EQ(times(plain.out, "Your name is Tom."), 2) << "the same memory says the same";
    EXPECT_EQ(times(mute.out, "Your name is Tom."), 1) << "nothing of it is read on the other side";
    EXPECT_THAT(twin.out, AllOf(HasSubstr("full attention (trained twin):\n"), HasSubstr("state 0 B")));
    // Begun in the middle, it has heard what was said; and after a rewind, too.
    const Outcome later =
        klp(demo, "My name is Tom.\n/beside plain\nWhat is my name?\n/rewind 0\nMy name is Ann.\nWhat is my name?\n/beside\n/beside off\n/beside\n");
    EXPECT_EQ(times(later.out, "Your name is Tom."), 2) << later.out;
    EXPECT_EQ(times(later.out, "Your name is Ann."), 2) << later.out;
    EXPECT_THAT(later.out, AllOf(HasSubstr("From now on every message is answered here and beside it"), HasSubstr("Beside this talk: without hands."),
                                 HasSubstr("/beside twin")));
    EXPECT_EQ(klp({"-p", "Hi", "--json", "--beside", "twin"}).code, 2);
    EXPECT_THAT(klp({"-p", "Hi", "--beside", "nowhere.json"}).err, HasSubstr("nowhere.json"));
    EXPECT_THAT(klp(demo, "/beside nowhere.json\n").err, HasSubstr("nowhere.json"));
}

TEST_F(Cli, InterventionsOfAFileAreLaidOnATalk) {
    const std::string data = "XDG_DATA_HOME=" + (home() / "hands").string();
    const auto with = [&](const std::string& json) {
        const auto file = home() / "touch.json";
        write_bytes(file, json);
        return klp(chat({"-p", "one", "--temp", "0", "-n", "8", "--intervene", file.string()}), "", {data});
    };
    const Outcome plain = klp(chat({"-p", "one", "--temp", "0", "-n", "8"}), "", {data});
    EXPECT_EQ(with("[]").out, plain.out);
    EXPECT_EQ(with(R"([{"what": "gates"}])").out, plain.out);
    const Outcome mute = with(R"([{"what": "read", "amount": 0}])");
    EXPECT_EQ(mute.code, 0);
    EXPECT_NE(mute.out, plain.out);
    const Outcome wrong = with(R"([{"what": "gates", "layers": [77]}])");
    EXPECT_EQ(wrong.code, 2);
    EXPECT_THAT(wrong.err, HasSubstr("touch.json: 'gates': the model has no layer 77"));
    EXPECT_THAT(with("[{").err, HasSubstr("touch.json"));
    EXPECT_THAT(with(R"([{"what": "gates", "layer": 0}])").err, HasSubstr("touch.json: entry 0, 'layer' is no field"));
    EXPECT_EQ(klp(chat({"-p", "one", "--intervene", "/none.json"}), "", {data}).code, 1);
}

TEST_F(Cli, InterventionsAreThoseOfRunsAndLogitsToo) {
    const auto file = home() / "hands.json", recording = home() / "hands.klprun";
    write_bytes(file, R"([{"what": "read", "amount": 0, "from": 3}])");
    for (Words words : {Words{"run", "-p", "one", "-n", "8", "--temp", "0"}, Words{"logits", "-p", "one two three four"}}) {
        words.insert(words.end(), {"-m", model()});
        const Outcome plain = klp(words);
        EXPECT_EQ(plain.code, 0) << plain.err;
        words.insert(words.end(), {"--intervene", file.string()});
        const Outcome touched = klp(words);
        EXPECT_EQ(touched.code, 0) << touched.err;
        EXPECT_NE(touched.out, plain.out) << words[0];
        EXPECT_EQ(klp(words).out, touched.out) << "the same list, the same answer";
        if (words[0] == "logits") {
            for (const Words& cut : {Words{"--step"}, Words{"--chunk", "2"}}) {
                Words other = words;
                other.insert(other.end(), cut.begin(), cut.end());
                EXPECT_EQ(klp(other).out, touched.out) << "however it is fed";
            }
        } else {
            EXPECT_EQ(klp({"chat", "-p", "one", "-n", "8", "--temp", "0", "-m", model(), "--intervene", file.string()}).out, touched.out);
            Words recorded = words;
            recorded.insert(recorded.end(), {"-o", recording.string()});
            EXPECT_EQ(klp(recorded).code, 0);
            const Outcome again = klp({"replay", recording.string(), "--speed", "16"});
            EXPECT_THAT(again.err, HasSubstr("nothing is read in every layer from token 3 on"));
        }
        Words wrong = words;
        write_bytes(home() / "wrong.json", R"([{"what": "gates", "layers": [77]}])");
        wrong.back() = (home() / "wrong.json").string();
        const Outcome refused = klp(wrong);
        EXPECT_EQ(refused.code, 2);
        EXPECT_THAT(refused.err, HasSubstr("wrong.json: 'gates': the model has no layer 77"));
    }
}

TEST_F(Cli, CtrlCStopsAnAnswerAndTheConversationGoesOn) {
    Klp repl({"-m", model(), "-n", "30000", "--temp", "1", "--seed", "3"}, kUsual, {history(), "NO_COLOR=1"});
    ASSERT_TRUE(repl.wait_for_prompt());
    repl.type("hello\r");
    ASSERT_TRUE(repl.wait_for("\n"));  // the answer begins on the next line
    ASSERT_TRUE(repl.wait_for(" "));
    repl.interrupt();
    ASSERT_TRUE(repl.wait_for("tokens/s"));
    ASSERT_TRUE(repl.wait_for_prompt());
    repl.type("/context\r");
    ASSERT_TRUE(repl.wait_for("answers"));
    ASSERT_TRUE(repl.wait_for_prompt());
    repl.type("\x03");
    ASSERT_TRUE(repl.wait_for("again"));
    ASSERT_TRUE(repl.wait_for_prompt());
    repl.type("\x03");
    EXPECT_EQ(repl.finish().code, 130);
}

TEST_F(Cli, NoiseCannotHijackTheTerminal) {
    Klp program({"-m", model(), "-n", "2000", "--temp", "2", "--seed", "1", "-p", "hi"}, kUsual);
    const Outcome got = program.finish();
    EXPECT_EQ(got.code, 0);
    for (char c : got.out) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t') << int(c);
    EXPECT_THAT(got.out, Not(HasSubstr("\x7f")));
}

TEST_F(Cli, NoColorAndPlainAreObeyed) {
    const auto screen = [&](const Words& more, const Words& environment) {
        Words env = environment;
        env.push_back(history());
        Klp repl(chat(more), kUsual, env);
        EXPECT_TRUE(repl.wait_for(">"));
        repl.type("hello\r");
        EXPECT_TRUE(repl.wait_for("computed)"));
        EXPECT_TRUE(repl.wait_for(">"));
        repl.type("/gates 0.0\r");
        EXPECT_TRUE(repl.wait_for("beta"));
        EXPECT_TRUE(repl.wait_for(">"));
        repl.type("/quit\r");
        return repl.finish().out;
    };
    EXPECT_THAT(screen({}, {"COLORTERM=truecolor"}), HasSubstr("38;2;"));
    EXPECT_THAT(screen({}, {}), AllOf(HasSubstr("38;5;"), Not(HasSubstr("38;2;"))));
    EXPECT_THAT(screen({}, {"NO_COLOR=1"}), AllOf(Not(HasSubstr("38;")), HasSubstr("█")));
    EXPECT_THAT(screen({"--plain"}, {}), AllOf(Not(HasSubstr("38;")), Not(HasSubstr("█"))));
    const std::string dumb = screen({}, {"TERM=dumb"});
    EXPECT_THAT(dumb, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("█"))));
}

TEST_F(Cli, EveryPictureFitsANarrowWindow) {
    Klp repl(chat({"--stats"}), kNarrow, {history(), "COLORTERM=truecolor"});
    ASSERT_TRUE(repl.wait_for_prompt());
    repl.type("hello\r");
    ASSERT_TRUE(repl.wait_for("computed)"));
    ASSERT_TRUE(repl.wait_for_prompt());
    const size_t answered = repl.seen().size();
    for (const char* command : {"/gates", "/gates 0.1", "/state 0.0", "/experts", "/read 3 0.1", "/life 3", "/mem", "/context", "/set", "/branch", "/help"}) {
        repl.type(std::string(command) + "\r");
        ASSERT_TRUE(repl.wait_for_prompt()) << command;
    }
    repl.type("/quit\r");
    const std::string screen = repl.finish().out.substr(answered);
    for (const std::string& row : rows_of(screen)) EXPECT_LE(columns(row), 40u) << row;
}

TEST_F(Cli, ATalkIsGoneOnWithWhereItEnded) {
    const std::string data = "XDG_DATA_HOME=" + (home() / "continued").string();
    const Outcome none = klp(chat({"-p", "Hi", "--continue"}), "", {data});
    EXPECT_EQ(none.code, 1);
    EXPECT_THAT(none.err, HasSubstr("there is no talk to go on with"));
    EXPECT_EQ(sentences(none.err), 1);
    const Outcome first = klp(chat({"-i"}), "Hello\nAnd then?\n/snap here\n/states 1GiB\n", {data});
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_THAT(first.out, HasSubstr("states on disk: 2 in "));
    EXPECT_THAT(first.out, HasSubstr("1.0 GiB"));

    const Outcome next = klp(chat({"-i", "--continue"}), "/context\n/restore\n/restore nowhere\n/restore here\n/states\n", {data});
    EXPECT_EQ(next.code, 0) << next.err;
    EXPECT_THAT(next.out, HasSubstr("turn 2"));
    EXPECT_THAT(next.out, HasSubstr("from disk in "));
    EXPECT_THAT(next.out, ::testing::Not(HasSubstr("replayed")));
    EXPECT_THAT(next.out, HasSubstr("1.0 GiB")) << "the budget stays";
    EXPECT_THAT(next.err, HasSubstr("there is no snapshot 'nowhere'; there are here, last"));

    // Torn: said, and replayed to the same place.
    for (const auto& entry : std::filesystem::directory_iterator(home() / "continued/klp/states"))
        if (entry.path().extension() == ".klpstate") std::filesystem::resize_file(entry.path(), 777);
    const Outcome torn = klp(chat({"-i", "--continue"}), "", {data});
    EXPECT_EQ(torn.code, 0);
    EXPECT_THAT(torn.err, HasSubstr("is torn: it has 777 of"));
    EXPECT_THAT(torn.out, HasSubstr("turn 2"));
    EXPECT_THAT(torn.out, HasSubstr("replayed"));
    const Outcome one = klp(chat({"-p", "So?", "--continue", "--json"}), "", {data});
    EXPECT_EQ(one.code, 0) << one.err;
    const Outcome after = klp(chat({"-i", "--continue"}), "", {data});
    EXPECT_THAT(after.out, HasSubstr("turn 3"));

    const Outcome slash = klp(chat({"-i"}), "Hi\n/snap a/b\n/restore ../last\n", {data});
    EXPECT_THAT(slash.err, HasSubstr("without a slash"));
}

TEST_F(Cli, AFullContextGoesOnAsItIsTold) {
    const std::string data = "XDG_DATA_HOME=" + (home() / "full").string();
    const Outcome stopped = klp(chat({"-p", std::string(100, 'a'), "-c", "64"}), "", {data});
    EXPECT_EQ(stopped.code, 1);
    const Outcome rolled = klp(chat({"-p", std::string(100, 'a'), "-c", "64", "--on-full", "roll", "--json"}), "", {data});
    EXPECT_EQ(rolled.code, 0) << rolled.err;
    EXPECT_THAT(rolled.out, HasSubstr("\"dropped_tokens\": "));
    EXPECT_EQ(klp(chat({"-p", "hi", "--on-full", "explode"})).code, 2);
    EXPECT_EQ(klp(chat({"-p", "hi", "--on-full", "summarise"})).code, 2) << "there is nothing yet to sum up";

    std::string questions;
    for (int i = 0; i < 12; ++i) questions += "Question " + std::to_string(i) + "\n";
    const Outcome talk = klp(chat({"-i", "-c", "100", "--on-full", "roll"}), questions + "/context\n/mem\n/full stop\n", {data});
    EXPECT_EQ(talk.code, 0);
    EXPECT_THAT(talk.out, HasSubstr("were dropped from the cache; the KDA states have"));
    EXPECT_THAT(talk.out, HasSubstr("the cache holds the newest"));
    EXPECT_THAT(talk.err, HasSubstr("without the oldest"));
    const Outcome summed = klp(chat({"-i", "-c", "160", "--on-full", "summarise"}), questions, {data});
    EXPECT_EQ(summed.code, 0);
    EXPECT_THAT(summed.err, HasSubstr("What was said so far: "));
    EXPECT_THAT(summed.err, HasSubstr("stays as branch 1"));
    const Outcome run = klp({"run", "-m",  model(), "-n",  "12", "-t",    "1",  "-c",   "100", "--on-full", "roll", "--stats",
                             "-p",  "one", "-p",    "two", "-p", "three", "-p", "four", "-p",  "five",      "-p",   "six"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("dropped"));
}

}  // namespace
}  // namespace klp
