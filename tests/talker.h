// A folder that can be talked to: random weights of the "tiny" shape and a tokenizer of 256 bytes with the template's control tokens.
// What it says is noise, control characters and broken UTF-8 included, which is just what the terminal must survive.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "core/files/checkpoint_writer.h"

namespace klp {

inline std::string base64(unsigned char byte) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return {kDigits[byte >> 2], kDigits[(byte & 3) << 4], '=', '='};
}

// In a fresh folder of its own, gone when the object is.
class Talker {
public:
    explicit Talker(bool tokenizer = true) {
        std::string pattern = (std::filesystem::temp_directory_path() / "klp-talker-XXXXXX").string();
        home_ = mkdtemp(pattern.data());
        ModelConfig config;
        for (const NamedShape& shape : named_shapes())
            if (shape.name == "tiny") config = shape.config;
        config.vocab_size = 264;
        config.eos_token_ids = {256};
        config.bos_token_id = 257, config.pad_token_id = 263;
        if (auto written = init_checkpoint(folder(), config, DType::bf16, 7); !written) error = written.error().message;
        if (!tokenizer) return;
        std::ofstream ranks(folder() / "tiktoken.model");
        for (int i = 0; i < 256; ++i) ranks << base64(static_cast<unsigned char>(i)) << " " << i << "\n";
        std::ofstream specials(folder() / "tokenizer_config.json");
        specials << R"({"added_tokens_decoder": {"256": {"content": "<|im_end|>"}, "257": {"content": "[BOS]"}, "258": {"content": "<|im_user|>"},)"
                 << R"( "259": {"content": "<|im_assistant|>"}, "260": {"content": "<|im_system|>"}, "261": {"content": "<|im_middle|>"},)"
                 << R"( "262": {"content": "[EOT]"}, "263": {"content": "[PAD]"}}})";
    }
    ~Talker() {
        std::error_code ignored;
        std::filesystem::remove_all(home_, ignored);
    }
    Talker(const Talker&) = delete;
    Talker& operator=(const Talker&) = delete;

    std::filesystem::path home() const { return home_; }
    std::filesystem::path folder() const { return home_ / "talker"; }
    std::string error;

private:
    std::filesystem::path home_;
};

}  // namespace klp
