// What the tests of training share: a vocabulary, a config, and data whose tokens say where they are from.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/learn/batches.h"
#include "core/learn/dice.h"
#include "tests/talker.h"

namespace klp {

inline constexpr int32_t kEnd = 256, kBegin = 257;  // of the talker's vocabulary

inline const Talker& talker() {
    static const Talker one;
    return one;
}
inline const Tokenizer& tokenizer() {
    static const Tokenizer one = *Tokenizer::load(talker().folder());
    return one;
}
inline const ModelConfig& config() {
    static const ModelConfig one = *read_config(talker().folder() / "config.json");
    return one;
}

// A source of documents whose tokens are all different, so that a row can be told from every other.
inline Source numbered(const std::string& name, const std::vector<int64_t>& sizes, int32_t from, bool text = false) {
    Source source{.name = name, .file = name, .text = text};
    for (const int64_t size : sizes) {
        source.documents.push_back({static_cast<int64_t>(source.tokens.size()), size});
        for (int64_t i = 0; i < size; ++i) source.tokens.push_back(from++);
    }
    return source;
}

inline std::shared_ptr<const Data> two_sources() {
    std::vector<int64_t> sizes, others;
    Dice dice(5, {});
    for (int i = 0; i < 400; ++i) sizes.push_back(3 + dice.below(60)), others.push_back(17 + dice.below(48));
    return std::make_shared<Data>(Data{{numbered("a", sizes, 0), numbered("b", others, 1'000'000)}});
}

inline Plan plan_of(const std::string& text) {
    const auto plan = parse_plan(text, "plan");
    EXPECT_TRUE(plan) << plan.error().message;
    return *plan;
}

}  // namespace klp
