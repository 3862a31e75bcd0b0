// The weights of mapped files by name: what every format of weights that is read where it lies has in common. A format parses its files and add()s what it
// found; what a file does not hold as the engine wants it is made from what it does hold, when somebody asks for it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/files/mapping.h"
#include "core/files/weights.h"

namespace klp {

struct MappedTensor {
    TensorInfo info;
    const std::byte* data = nullptr;  // in a mapping, at any byte
    size_t file = 0;                  // as add_file() numbers them
    std::string said;                 // in messages: 'as the file calls it'
    // Of a tensor that is made: fills info.bytes, or says what is wrong with what it is made from.
    std::function<Result<void>(std::byte* to)> make = nullptr;
};

class MappedSource : public WeightSource {
public:
    explicit MappedSource(std::string path) : path_(std::move(path)) {}

    size_t add_file(std::string name, Mapping mapping);
    Result<void> add(MappedTensor tensor);                      // an Error: another file or the same has this name too
    const std::string* file_of(const std::string& name) const;  // nullptr: there is no such tensor
    // Puts together what a format keeps apart; before anybody has found a tensor.
    Result<void> change(const std::function<Result<std::vector<MappedTensor>>(std::vector<MappedTensor>, const std::vector<std::string>& files)>& by);
    void read_ahead() const { klp::read_ahead(mappings_); }

    const std::string& path() const override { return path_; }
    std::vector<TensorInfo> tensors() const override;
    int64_t own_bytes() const override;
    bool has(const std::string& name) const override { return look_up(name) != nullptr; }
    Result<Weight> find(const std::string& name, const std::vector<int64_t>& shape) const override;
    void fetch(const std::function<void(double)>& progress, const std::atomic<bool>* cancel) const override;  // makes what is to be made, too

private:
    const MappedTensor* look_up(const std::string& name) const;
    Result<const std::byte*> data_of(const MappedTensor& t) const;

    std::string path_;
    std::vector<std::string> files_;
    std::vector<Mapping> mappings_;
    std::vector<MappedTensor> tensors_;
    std::unordered_map<std::string, size_t> index_;
    mutable std::mutex mutex_;
    mutable std::unordered_map<std::string, std::unique_ptr<std::byte[]>> own_;  // by name: copies, and what was made
};

}  // namespace klp
