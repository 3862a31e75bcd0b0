// A model brought from the Hugging Face hub, or from whatever else speaks its API: what a repository holds, which of it is wanted, and the bytes.
//
// A file grows under the name FILE.part, in several pieces at once; FILE.part.done says how far each of them is, so that a pull that was broken off goes on. It
// gets its name when it is whole and has the SHA-256 that the hub gives.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace klp {

struct Hub {
    std::string endpoint = "https://huggingface.co";
    std::string token;  // "": none. It is never sent to another host, wherever the hub redirects to
};
// HF_ENDPOINT; HF_TOKEN, or the file that logging in with the hub's own tool leaves.
Hub hub_of_environment();

struct HubFile {
    std::string path;  // inside the repository
    int64_t size = 0;
    std::string sha256;  // hexadecimal; "" of a small file, which the hub does not say it of
};

// All files of ORGANISATION/NAME as they are now.
Result<std::vector<HubFile>> hub_files(const Hub& hub, const std::string& repository, const std::atomic<bool>* cancel = nullptr);

// Those to bring. `wanted`: a file, all parts of it where it is one of several; or how a GGUF is stored, as its name says ("Q4_K_M"); or "", for the only model
// there. The error of kind usage lists what there is to choose from.
Result<std::vector<HubFile>> choose_files(const std::vector<HubFile>& all, const std::string& repository, const std::string& wanted);

// What a person asks for, "REPOSITORY" or "REPOSITORY:FILE or TYPE", looked up.
struct HubModel {
    std::string repository;
    std::vector<HubFile> files;

    int64_t bytes() const;
    std::filesystem::path opens_in(const std::filesystem::path& folder) const;  // what -m takes once it has been brought there
};
Result<HubModel> find_on_hub(const Hub& hub, const std::string& said, const std::atomic<bool>* cancel = nullptr);

struct PullOptions {
    const std::atomic<bool>* cancel = nullptr;                                            // what has come is kept; the error's kind is `interrupted`
    std::function<void(const std::string& phase, int64_t done, int64_t total)> progress;  // bytes; phase: "pulling" or "checking"; may be empty
};
// Brings a model's files into a folder. Files that are there already, of the right size, stay as they are.
Result<void> pull(const Hub& hub, const HubModel& model, const std::filesystem::path& folder, const PullOptions& options = {});

}  // namespace klp
