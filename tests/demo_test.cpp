// The embedded model and its twin: transformers' logits, and the prompts that show something.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files/checkpoint_writer.h"
#include "core/model/probe.h"
#include "core/runs/conversation.h"
#include "core/text/prompts.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

namespace fs = std::filesystem;
const fs::path kSource = source_dir(), kDemo = kSource / "resources/models/demo";

// --- transformers' logits (tests/golden/make_demo_golden.py) ----------------------------------------------------------

template <class T>
std::vector<T> tensor(const fs::path& file, const std::string& name) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), 8);
    const auto entry = nlohmann::json::parse(bytes.substr(8, header)).at(name);
    const size_t first = entry["data_offsets"][0], last = entry["data_offsets"][1];
    std::vector<T> values((last - first) / sizeof(T));
    std::memcpy(values.data(), bytes.data() + 8 + header + first, last - first);
    return values;
}

class EveryDemo : public testing::TestWithParam<std::string> {};

TEST_P(EveryDemo, AnswersWhatTransformersAnswers) {
    const fs::path folder = GetParam() == "demo" ? kDemo : kDemo / "twin", golden = kSource / "tests/golden/demo" / (GetParam() + ".safetensors");
    std::string pattern = (fs::temp_directory_path() / "klp-demo-XXXXXX").string();
    const fs::path home = mkdtemp(pattern.data());
    ASSERT_TRUE(quantize_checkpoint(folder, home / "f32", DType::f32));  // the same weights, and nothing rounded behind them
    auto checkpoint = open_checkpoint(home / "f32");
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    auto on = make_backend("cpu", 2);
    auto model = Model::load(*on, checkpoint->config, checkpoint->source);
    ASSERT_TRUE(model) << model.error().message;
    const auto vocabulary = static_cast<size_t>(checkpoint->config.vocab_size);
    Workspace ws(**on);
    int64_t tokens = 0;
    for (const std::string chat : {"0", "1", "2"}) {
        const auto ids = tensor<int32_t>(golden, "tokens." + chat);
        const auto logits = tensor<float>(golden, "logits." + chat), sums = tensor<float>(golden, "sums." + chat);
        Sequence sequence(*model);
        const Feed feed{&sequence, ids};
        (*model)->forward({&feed, 1}, ws, /*all_rows=*/true);
        double worst = 0;
        for (size_t t = 0; t < ids.size(); ++t) {
            const float* row = ws.logits.data() + t * vocabulary;
            for (size_t i = 0; i < vocabulary / 64; ++i) worst = std::max(worst, std::abs(double(row[64 * i]) - logits[t * (vocabulary / 64) + i]));
            double sum = 0;
            for (size_t i = 0; i < vocabulary; ++i) sum += std::exp(double(row[i]));
            worst = std::max(worst, std::abs(std::log(sum) - sums[t]));
        }
        EXPECT_LE(worst, 1e-3) << "chat " << chat;
        tokens += static_cast<int64_t>(ids.size());
    }
    EXPECT_GE(tokens, 200);
    fs::remove_all(home);
}

std::vector<std::string> demos() {
    std::vector<std::string> names{"demo"};
    if (fs::exists(kDemo / "twin/config.json")) names.push_back("twin");
    return names;
}
INSTANTIATE_TEST_SUITE_P(All, EveryDemo, testing::ValuesIn(demos()), [](const auto& p) { return p.param; });

// --- prompts.json -----------------------------------------------------------------------------------------------------

TEST(Prompts, EachOfThemWorksWithTheEmbeddedModel) {
    const auto starters = read_prompts(kSource / "resources/prompts.json");
    ASSERT_TRUE(starters) << starters.error().message;
    EXPECT_EQ(starters->size(), 20u);
    auto checkpoint = open_checkpoint(kDemo);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    auto on = make_backend("cpu", 2);
    auto model = Model::load(*on, checkpoint->config, checkpoint->source);
    ASSERT_TRUE(model) << model.error().message;
    Workspace ws(**on);
    std::set<std::string> titles;
    for (const Starter& s : *starters) {
        EXPECT_TRUE(titles.insert(s.title).second) << s.title << " is there twice";
        auto talk = Conversation::begin(*model, checkpoint->tokenizer);
        ASSERT_TRUE(talk);
        talk->set_system(s.system);
        for (const auto& turn : s.turns) {
            GenerateOptions greedy;
            greedy.sampling.temperature = 0;
            ASSERT_TRUE(talk->ask(turn, ws, greedy)) << s.title;
        }
        for (const auto& words : s.expect) EXPECT_THAT(talk->node(talk->tip()).text, testing::HasSubstr(words)) << s.title;
        if (s.layer >= 0) {
            const bool state = checkpoint->config.layer_kinds[static_cast<size_t>(s.layer)] == "kda";
            EXPECT_TRUE(state || s.lens == "attention") << s.title;
            EXPECT_LT(s.head, state ? checkpoint->config.kda_heads : checkpoint->config.num_attention_heads) << s.title;
        }
        std::string said;  // by whom the word is pinned
        for (const auto& turn : s.turns) said += turn;
        if (s.pin_answer) said = talk->node(talk->tip()).text;
        EXPECT_THAT(said, testing::HasSubstr(s.pin)) << s.title;
        if (s.lens != "attention" || s.layer < 0 || s.pin.empty()) continue;
        // What it announces is there: before the word is said, the head reads where it was told.
        const std::vector<int32_t>& ids = talk->sequence().tokens();
        std::string text;
        std::vector<size_t> at;  // the token of each byte
        for (size_t p = ids.size() - talk->node(talk->tip()).tokens.size(); p < ids.size(); ++p) {
            text += checkpoint->tokenizer->bytes(ids[p]);
            at.resize(text.size(), p);
        }
        ASSERT_NE(text.rfind(s.pin), text.npos) << s.title;
        const size_t reading = at[text.rfind(s.pin)] - 1;
        SnapshotPool pool(int64_t{1} << 28);
        const auto reads = probe(*model, pool, {std::span(ids).first(reading + 1), s.layer, s.head});
        ASSERT_TRUE(reads) << reads.error().message;
        const std::vector<float>& weights = reads->front().weights;
        const auto strongest = std::max_element(weights.begin(), weights.end()) - weights.begin();
        std::string word(checkpoint->tokenizer->bytes(ids[static_cast<size_t>(strongest)]));
        word.erase(0, word.find_first_not_of(' '));
        EXPECT_TRUE(s.pin.starts_with(word)) << s.title << ": the head reads '" << word << "'";
        EXPECT_LT(strongest, static_cast<int64_t>(reading)) << s.title;
    }
}

TEST(Prompts, WhatIsWrongIsNamedWithItsField) {
    std::string pattern = (fs::temp_directory_path() / "klp-prompts-XXXXXX").string();
    const fs::path home = mkdtemp(pattern.data());
    const std::string good = R"("title": "t", "turns": ["hi"], "watch": "w.", "lens": "decay", "expect": ["x"])";
    const std::pair<std::string, std::string> cases[] = {
        {"{}", "the file is not a list"},
        {"[1]", "[0] is not an object"},
        {"[{" + good + R"(}, {"title": 3}])", "[1].title is not a text"},
        {R"([{"title": "t", "watch": "w.", "lens": "decay", "turns": [], "expect": ["x"]}])", "[0].turns is not a list of texts"},
        {R"([{"title": "t", "watch": "w.", "lens": "colour", "turns": ["hi"], "expect": ["x"]}])", "[0].lens is no lens: 'colour'"},
        {"[{" + good + R"(, "pin": 3}])", "[0].pin is not a text"},
        {"[{" + good + R"(, "head": [1, -1]}])", "[0].head is not a layer and a head"},
        {"[{", "is not valid JSON"},
    };
    for (const auto& [text, sentence] : cases) {
        std::ofstream(home / "prompts.json") << text;
        const auto read = read_prompts(home / "prompts.json");
        ASSERT_FALSE(read) << text;
        EXPECT_THAT(read.error().message, testing::AllOf(testing::HasSubstr("prompts.json"), testing::HasSubstr(sentence)));
    }
    std::ofstream(home / "prompts.json") << "[{" << good << R"(, "system": "s", "pin_answer": "x", "head": [1, 2]}])";
    const auto read = read_prompts(home / "prompts.json");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->at(0).system, "s");
    EXPECT_EQ(read->at(0).pin, "x");
    EXPECT_TRUE(read->at(0).pin_answer);
    EXPECT_EQ(std::pair(read->at(0).layer, read->at(0).head), std::pair(1, 2));
    fs::remove_all(home);
}

}  // namespace
}  // namespace klp
