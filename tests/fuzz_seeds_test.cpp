// The fuzz targets without a fuzzer: every seed, and a few thousand fixed mutations of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/source_dir.h"

namespace klp {
namespace {

std::vector<std::string> seeds(const std::string& target) {
    std::vector<std::string> list;
    for (const auto& entry : std::filesystem::directory_iterator(source_dir() / "tests/fuzz/seeds" / target)) {
        std::ifstream in(entry.path(), std::ios::binary);
        list.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    std::sort(list.begin(), list.end());
    return list;
}

// One to four small damages: a byte changed, a part cut out, doubled or taken from another seed, a number made absurd.
std::string damaged(std::string s, const std::vector<std::string>& all, std::mt19937_64& random) {
    const auto below = [&](size_t n) { return n ? static_cast<size_t>(random() % n) : 0; };
    for (size_t n = 1 + below(4); n > 0; --n) {
        const size_t at = below(s.size() + 1), count = below(std::min<size_t>(s.size() - at, 40) + 1);
        const std::string& other = all[below(all.size())];
        static const char* const kNumbers[] = {"0", "-1", "4294967296", "18446744073709551615", "1e999", "null", "[]", "{}", "\"\""};
        switch (below(6)) {
            case 0:
                if (at < s.size()) s[at] = static_cast<char>(random());
                break;
            case 1:
                s.erase(at, count);
                break;
            case 2:
                s.insert(at, s.substr(at, count));
                break;
            case 3:
                s.insert(at, other.substr(below(other.size() + 1), 40));
                break;
            case 4:
                s.resize(at);
                break;
            case 5:
                if (const size_t digit = s.find_first_of("0123456789", at); digit != s.npos)
                    s.replace(digit, std::min(s.find_first_not_of("0123456789", digit), s.size()) - digit, kNumbers[below(std::size(kNumbers))]);
        }
    }
    return s;
}

void run(const std::string& target, void (*entry)(std::string_view)) {
    const std::vector<std::string> all = seeds(target);
    ASSERT_GE(all.size(), 3u);
    std::mt19937_64 random(1);
    for (const std::string& seed : all) entry(seed);
    for (int i = 0; i < 3000; ++i) entry(damaged(all[random() % all.size()], all, random));  // a failure stops the program: KLP_CHECK or a sanitizer
}

TEST(FuzzSeeds, NoSafetensorsFileBreaksTheReader) { run("safetensors", fuzz::safetensors); }
TEST(FuzzSeeds, NoGgufBreaksTheReader) { run("gguf", fuzz::gguf); }
TEST(FuzzSeeds, NoGgufModelBreaksItsReader) { run("gguf_model", fuzz::gguf_model); }
TEST(FuzzSeeds, NoConfigBreaksTheReader) { run("config", fuzz::config); }
TEST(FuzzSeeds, NoFrameBreaksTheRunProtocol) { run("wire", fuzz::wire); }
TEST(FuzzSeeds, NoTokenizerFileBreaksTheReader) { run("tokenizer", fuzz::tokenizer); }

}  // namespace
}  // namespace klp
