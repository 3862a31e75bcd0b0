// Models found where other programs put them, and which of them a person means.
#include "core/files/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/files/gguf.h"
#include "core/files/resources.h"
#include "tests/checkpoints.h"

namespace klp {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// A home of its own, without what this machine's user has.
class Library : public testing::Test {
protected:
    Library() {
        for (const char* name : {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME", "XDG_DATA_HOME"})
            unsetenv(name);
        setenv("HOME", home_.path().c_str(), 1);
    }
    ~Library() override { setenv("HOME", old_.c_str(), 1); }
    // A folder of safetensors of the shape "tiny".
    void folder(const std::string& at) {
        fs::create_directories((home_ / at).parent_path());
        ASSERT_TRUE(init_checkpoint(home_ / at, shape("tiny"), DType::bf16, 1));
    }
    void file(const std::string& at, const std::string& bytes) {
        fs::create_directories((home_ / at).parent_path());
        write_bytes(home_ / at, bytes);
    }
    std::vector<std::string> names() {
        std::vector<std::string> out;
        for (const FoundModel& m : found_models()) out.push_back(m.place + " " + m.name);
        return out;
    }

    TempFolder home_;
    std::string old_ = std::getenv("HOME") ? std::getenv("HOME") : "";
};

TEST_F(Library, EveryPlaceIsLookedIn) {
    folder(".local/share/klp/models/mine/tiny");
    folder(".cache/huggingface/hub/models--moon--Tiny/snapshots/0a1b");
    folder(".lmstudio/models/org/Folder");
    folder("elsewhere/deep/Added");
    file(".cache/huggingface/hub/models--moon--Other/snapshots/0a1b/config.json", R"({"model_type": "llama", "torch_dtype": "bfloat16"})");
    file(".cache/huggingface/hub/models--moon--Other/snapshots/0a1b/model.safetensors", "12345678");
    file(".cache/huggingface/hub/models--moon--Config/snapshots/0a1b/config.json", "{}");  // no weights
    file(".ollama/models/manifests/registry.ollama.ai/library/broken/latest",
         R"({"layers": [1, {"mediaType": 2}, {"mediaType": "application/vnd.ollama.image.model"}]})");
    file(".ollama/models/manifests/registry.ollama.ai/library/torn/latest", "{");
    const std::vector<GgufPair> llama_says{{"general.architecture", "llama"}, {"general.file_type", uint32_t{15}}};
    file(".lmstudio/models/org/Files/Llama-Q4_K_M.gguf", gguf_header(llama_says, {}));
    file(".lmstudio/models/org/Files/mmproj-Llama.gguf", gguf_header(llama_says, {}));
    file(".lmstudio/models/org/Files/Llama-Q8_0-00002-of-00002.gguf", gguf_header(llama_says, {}));  // counted with its first part
    file(".ollama/models/blobs/sha256-12", gguf_header(llama_says, {}));
    file(".ollama/models/manifests/registry.ollama.ai/library/llama/8b",
         R"({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:12"}]})");
    ASSERT_TRUE(add_folder(home_ / "elsewhere"));
    ASSERT_TRUE(add_folder(home_ / "elsewhere"));
    const std::string added = fs::canonical(home_ / "elsewhere").string();
    EXPECT_THAT(names(), ElementsAre(added + " deep/Added", "klp mine/tiny", "Hugging Face moon/Tiny", "LM Studio org/Folder", "Ollama llama:8b",
                                     "Hugging Face moon/Other", "LM Studio org/Files:Llama-Q4_K_M.gguf"));

    const auto models = found_models();
    const FoundModel& tiny = models[2];
    EXPECT_EQ(tiny.architecture, "kimi_linear");
    EXPECT_EQ(tiny.type, "bf16");
    EXPECT_EQ(tiny.parameters, count_parameters(shape("tiny")).total);
    EXPECT_EQ(tiny.bytes, static_cast<int64_t>(fs::file_size(tiny.path / "model.safetensors")));
    EXPECT_EQ(tiny.why_not, "");
    EXPECT_EQ(models[6].type, "q4_k_m");
    EXPECT_EQ(models[6].why_not, "is of another architecture: llama");
    const FoundModel& llama = models[5];
    EXPECT_EQ(llama.architecture, "llama");
    EXPECT_EQ(llama.type, "bf16");
    EXPECT_EQ(llama.bytes, 8);
    EXPECT_EQ(llama.why_not, "is of another architecture: llama");

    ASSERT_TRUE(forget_folder(home_ / "elsewhere"));
    EXPECT_EQ(found_models().size(), 6);
    EXPECT_EQ(forget_folder(home_ / "elsewhere").error().kind, Error::usage);
    EXPECT_EQ(add_folder(home_ / "not there").error().kind, Error::usage);
}

TEST_F(Library, VariablesSayWhere) {
    folder("hub/models--a--b/snapshots/1");
    folder("home/hub/models--c--d/snapshots/1");
    setenv("HF_HOME", (home_ / "home").c_str(), 1);
    EXPECT_THAT(names(), ElementsAre("Hugging Face c/d"));
    setenv("HUGGINGFACE_HUB_CACHE", (home_ / "hub").c_str(), 1);
    EXPECT_THAT(names(), ElementsAre("Hugging Face a/b"));
    unsetenv("HF_HOME"), unsetenv("HUGGINGFACE_HUB_CACHE");
}

TEST_F(Library, AFolderThatLiesInTwoPlacesIsOneModel) {
    folder("shelf/tiny");
    ASSERT_TRUE(add_folder(home_ / "shelf"));
    ASSERT_TRUE(add_folder(home_.path()));
    EXPECT_EQ(found_models().size(), 1);
}

TEST_F(Library, ANameIsWhatAPersonMayMean) {
    std::vector<FoundModel> models;
    for (const char* name :
         {"moon/Kimi-Linear-Instruct", "y/Kimi-GGUF:Kimi-Q4_K_M.gguf", "y/Kimi-GGUF:Kimi-Q4_K_S.gguf", "y/Kimi-GGUF:Kimi-Q8_0.gguf", "meta/Llama"})
        models.push_back({.path = name, .name = name});
    models.back().why_not = "is of another architecture: llama";
    const auto chosen = [&](const std::string& text) {
        const auto model = choose_model(models, text);
        return model ? model->name : model.error().message;
    };
    EXPECT_EQ(chosen("moon/kimi-linear-instruct"), models[0].name);
    EXPECT_EQ(chosen("linear"), models[0].name);
    EXPECT_EQ(chosen("y/Kimi-GGUF:q4_k_m"), models[1].name);
    EXPECT_EQ(chosen("y/Kimi-GGUF:Kimi-Q8_0.gguf"), models[3].name);
    EXPECT_EQ(chosen("q8_0"), models[3].name);
    EXPECT_EQ(chosen("llama"), models[4].name) << "opening it says why it does not open";
    EXPECT_EQ(chosen("y/kimi-gguf"),
              "'y/kimi-gguf' may be one of 3 models: y/Kimi-GGUF:Kimi-Q4_K_M.gguf, y/Kimi-GGUF:Kimi-Q4_K_S.gguf, y/Kimi-GGUF:Kimi-Q8_0.gguf");
    EXPECT_EQ(choose_model(models, "kimi").error().kind, Error::usage);
    EXPECT_EQ(choose_model(models, "qwen").error().kind, Error::model);
    EXPECT_EQ(chosen("y/Kimi-GGUF:q4_k"), "no model is called 'y/Kimi-GGUF:q4_k'");
}

TEST_F(Library, FindModelLooksHereLast) {
    folder(".cache/huggingface/hub/models--moon--Tiny/snapshots/0a1b");
    const auto found = find_model("moon/tiny");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->filename(), "0a1b");
    EXPECT_THAT(find_model("sun/tiny").error().message, HasSubstr("no model is called 'sun/tiny'"));
}

TEST(SplitName, IsTheNameOfAllParts) {
    EXPECT_EQ(split_name("M-00002-of-00003.gguf"), (std::pair<std::string, int>("M.gguf", 2)));
    EXPECT_EQ(split_name("a/M-00001-of-00003.gguf"), (std::pair<std::string, int>("a/M.gguf", 1)));
    for (const char* name : {"M.gguf", "-00001-of-00003.gguf", "M-00001-of-0003.gguf", "M-0000x-of-00003.gguf", "M-00001-of-00003.bin", ""})
        EXPECT_EQ(split_name(name), (std::pair<std::string, int>(name, 0)));
}

}  // namespace
}  // namespace klp
