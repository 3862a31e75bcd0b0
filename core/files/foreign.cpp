#include "core/files/foreign.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/files/json.h"
#include "core/files/library.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLook = 512;  // bytes: a pointer has less than two hundred

constexpr const char* kPytorch = ", which this program does not read: take the same model as safetensors";

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) found.push_back(at->path());
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::string foreign_file(std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kLook));
    const auto begins = [&](std::string_view with) { return text.starts_with(with); };
    if (begins("version https://git-lfs.github.com/spec/")) {
        const size_t size = text.find("\nsize ");
        const long long claimed = size == text.npos ? 0 : std::atoll(std::string(text.substr(size + 6)).c_str());
        return "is a Git LFS pointer: the file itself" + (claimed > 0 ? ", " + std::to_string(claimed) + " bytes," : std::string()) +
               " was not downloaded; 'git lfs pull' in its folder brings it";
    }
    if (begins("GGUF")) return "is a GGUF file in the place of another: it holds a whole model, so name it alone";
    if (begins("PK\x03\x04") || begins("\x80\x02")) return std::string("is a PyTorch file") + kPytorch;
    if (begins("<!DOCTYPE") || begins("<!doctype") || begins("<html")) return "is a web page: the download got a page in the place of the file";
    return "";
}

std::string foreign_file(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    char bytes[kLook];
    in.read(bytes, sizeof bytes);
    if (std::string what = foreign_file(std::as_bytes(std::span(bytes, static_cast<size_t>(in.gcount())))); !what.empty()) return what;
    const std::string extension = file.extension().string();
    if (extension == ".safetensors" || file.filename() == "config.json") return "is one file of a model: name the folder that it lies in";
    if (extension == ".klprun") return "is a recording: klp replay plays it, and klp-gui opens it";
    return "";
}

std::vector<fs::path> gguf_in(const fs::path& folder) {
    std::vector<fs::path> models = entries(folder);
    std::erase_if(models, [](const fs::path& file) { return file.extension() != ".gguf" || split_name(file.filename().string()).second > 1; });
    return models;
}

std::string foreign_folder(const fs::path& folder) {
    int pytorch = 0, shards = 0;
    std::error_code none;
    const bool has_config = fs::exists(folder / "config.json", none);
    for (const fs::path& file : entries(folder)) {
        const std::string name = file.filename().string(), extension = file.extension().string();
        pytorch += name.starts_with("pytorch_model") && extension == ".bin";
        shards += extension == ".safetensors";
    }
    if (shards > 0 && has_config)
        return "has safetensors, but neither model.safetensors nor model.safetensors.index.json, which says what is in which: download that file too";
    if (shards > 0) return "has safetensors and no config.json: download that file too";
    const auto gguf = gguf_in(folder);
    std::string names;
    for (const fs::path& file : gguf) names += (names.empty() ? "" : ", ") + file.filename().string();
    if (gguf.size() > 1) return "holds several models as GGUF: name one of them: " + names;
    if (gguf.size() == 1) return "holds a model as GGUF: name its file, " + names;
    if (pytorch > 0) return std::string("holds PyTorch files") + kPytorch;
    if (fs::is_directory(folder / "snapshots", none)) {
        const auto snapshots = entries(folder / "snapshots");
        std::string all;
        for (const fs::path& s : snapshots) all += (all.empty() ? ": name one of them: " : ", ") + (folder / "snapshots" / s.filename()).string();
        return "is a download cache with " + (snapshots.empty() ? std::string("no snapshot: download the model again")
                                                                : std::to_string(snapshots.size()) + " snapshots and no refs/main that names one" + all);
    }
    return "";
}

Result<void> check_folder(const fs::path& folder) {
    std::error_code none;
    const auto bad = [&](const std::string& what) { return fail(Error::model, folder.string() + " " + what); };
    if (!fs::exists(folder, none)) return fail(Error::model, folder.string() + ": no such folder");
    if (!fs::is_directory(folder, none)) {
        const std::string what = foreign_file(folder);
        return bad(what.empty() ? "is neither a folder with a config.json and safetensors in it nor a GGUF file" : what);
    }
    if (fs::exists(folder / "config.json", none)) return {};
    const std::string what = foreign_folder(folder);
    return what.empty() ? Result<void>() : bad(what);  // reading the config says that it is not there
}

fs::path snapshot_in(const fs::path& folder) {
    std::error_code none;
    const fs::path snapshots = folder / "snapshots";
    if (!fs::is_directory(snapshots, none)) return {};
    if (auto main = read_text(folder / "refs" / "main", 1024)) {
        main->erase(main->find_last_not_of(" \r\n") + 1);
        if (main->find('/') == main->npos && main->find_first_not_of('.') != main->npos && fs::is_directory(snapshots / *main, none)) return snapshots / *main;
    }
    const auto all = entries(snapshots);
    return all.size() == 1 && fs::is_directory(all[0], none) ? all[0] : fs::path();
}

}  // namespace klp
