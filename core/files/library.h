// Models that lie on this disk, wherever the programs that people have put them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace klp {

struct FoundModel {
    std::filesystem::path path;  // a folder, or a GGUF file (of several parts the first)
    std::string name;            // "ORGANISATION/NAME", of a file "ORGANISATION/NAME:FILE.gguf"; without an organisation where none is known
    std::string place;           // "Hugging Face", "LM Studio", "llama.cpp", "Ollama", "klp", or the folder that the person added
    std::string architecture;    // as its own files say: "kimi_linear", "llama"; "" where they do not
    std::string type;            // how most of its bytes are stored: "bf16", "q4_k"; "" where that is not known
    int64_t parameters = 0;      // 0: not known
    int64_t bytes = 0;           // of weights
    std::string why_not;         // this program does not open it; "": it does
};

// Of the Hugging Face cache (HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME), LM Studio, llama.cpp (LLAMA_CACHE), Ollama (OLLAMA_MODELS), the user's data folder
// and the folders that the person added: those that open first, then by name. Reads headers and configs, no weights.
std::vector<FoundModel> found_models();

// Folders that the person added: kept in the data folder, one a line.
std::vector<std::filesystem::path> added_folders();
Result<void> add_folder(const std::filesystem::path& folder);
Result<void> forget_folder(const std::filesystem::path& folder);

// The one model that a person may mean: the whole name, a repository with or without ":TYPE", or a part of a name, whatever its case. Errors list those that it
// may be; of kind `model` where there is none.
Result<FoundModel> choose_model(const std::vector<FoundModel>& models, const std::string& text);

// Whether a file's name says a type, as a word of its own: "Q4_K" is not in "Model-Q4_K_M.gguf". Case does not count.
bool names_type(const std::string& file, const std::string& type);
// "Model.gguf" for "Model-00002-of-00003.gguf", one of the parts of a split file, with that part's number; 0 and the same name where it is none.
std::pair<std::string, int> split_name(const std::string& file);

}  // namespace klp
