// What the tests of GGUF ask of a model: to open, and to say something.
#pragma once

#include <cstring>

#include "core/model/checkpoint.h"
#include "core/model/model.h"
#include "core/model/sequence.h"
#include "tests/checkpoints.h"
#include "tests/source_dir.h"

namespace klp {

inline const std::filesystem::path kGolden = source_dir() / "tests/golden/gguf";
inline const std::string kFirstPart = "split-00001-of-00002.gguf", kSecondPart = "split-00002-of-00002.gguf";

inline Checkpoint opened(const std::filesystem::path& path) {
    auto checkpoint = open_checkpoint(path);
    EXPECT_TRUE(checkpoint) << (checkpoint ? "" : checkpoint.error().message);
    return checkpoint ? std::move(*checkpoint) : Checkpoint{};
}
// Of every token of one pass on the CPU.
inline std::vector<float> logits(const Checkpoint& checkpoint, const std::vector<int32_t>& ids, const std::string& device = "cpu") {
    auto model = Model::load(*make_backend(device, 1), checkpoint.config, checkpoint.source);
    EXPECT_TRUE(model) << (model ? "" : model.error().message);
    if (!model) return {};
    Workspace ws((*model)->backend());
    Sequence sequence(*model);
    const Feed feed{&sequence, ids};
    (*model)->forward({&feed, 1}, ws, true);
    return ws.logits;
}
inline const std::vector<int32_t> kPrompt{66, 1, 300, 17, 345, 99, 255, 0, 128, 64, 32, 11, 200, 7, 310, 42, 42, 5};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return !a.empty() && a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace klp
