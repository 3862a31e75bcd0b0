#include "core/model/checkpoint.h"

#include <system_error>

#include "core/files/foreign.h"

namespace klp {

namespace fs = std::filesystem;

Result<Checkpoint> open_checkpoint(const fs::path& folder) {
    std::error_code none;
    if (auto checked = check_folder(folder); !checked) return tl::unexpected(checked.error());
    auto config = read_config(folder / "config.json");
    if (!config) return tl::unexpected(config.error());
    auto source = open_safetensors(folder);
    if (!source) return tl::unexpected(source.error());
    Checkpoint checkpoint{.folder = folder, .config = std::move(*config), .source = std::move(*source)};
    if (Tokenizer::lies_in(folder)) {
        auto tokenizer = Tokenizer::load(folder);
        if (!tokenizer) return tl::unexpected(tokenizer.error());
        checkpoint.tokenizer = std::make_shared<const Tokenizer>(std::move(*tokenizer));
    }
    return checkpoint;
}

}  // namespace klp
