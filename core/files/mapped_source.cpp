#include "core/files/mapped_source.h"

#include <algorithm>
#include <cstring>

#include "core/files/json.h"

namespace klp {

namespace {

std::vector<int64_t> without_ones(std::vector<int64_t> shape) {
    std::erase(shape, 1);
    return shape;
}

}  // namespace

size_t MappedSource::add_file(std::string name, Mapping mapping) {
    files_.push_back(std::move(name));
    mappings_.push_back(std::move(mapping));
    return files_.size() - 1;
}

Result<void> MappedSource::add(MappedTensor tensor) {
    const auto [twin, fresh] = index_.emplace(tensor.info.name, tensors_.size());
    if (!fresh) return fail(Error::model, files_[tensor.file] + ": tensor " + tensor.said + " is also in " + files_[tensors_[twin->second].file]);
    tensors_.push_back(std::move(tensor));
    return {};
}

const std::string* MappedSource::file_of(const std::string& name) const {
    const MappedTensor* t = look_up(name);
    return t ? &files_[t->file] : nullptr;
}

Result<void> MappedSource::change(const std::function<Result<std::vector<MappedTensor>>(std::vector<MappedTensor>, const std::vector<std::string>&)>& by) {
    auto changed = by(std::move(tensors_), files_);
    if (!changed) return tl::unexpected(changed.error());
    tensors_.clear(), index_.clear();
    for (MappedTensor& t : *changed)
        if (auto added = add(std::move(t)); !added) return added;
    return {};
}

std::vector<TensorInfo> MappedSource::tensors() const {
    std::vector<TensorInfo> list;
    for (const MappedTensor& t : tensors_) list.push_back(t.info);
    return list;
}

int64_t MappedSource::own_bytes() const {
    int64_t bytes = 0;
    for (const MappedTensor& t : tensors_) bytes += t.make ? t.info.bytes : 0;
    return bytes;
}

Result<Weight> MappedSource::find(const std::string& name, const std::vector<int64_t>& shape) const {
    const MappedTensor* t = look_up(name);
    if (!t) return fail(Error::model, path_ + ": tensor " + in_quotes(name) + " is missing");
    const std::string where = files_[t->file] + ": tensor " + t->said;
    if (!t->info.readable) return fail(Error::model, where + " is stored as " + t->info.stored + ", which no operation here reads");
    if (without_ones(t->info.shape) != without_ones(shape))
        return fail(Error::model, where + " has the shape " + shape_text(t->info.shape) + " where " + shape_text(shape) + " belongs");
    Weight w{.type = t->info.type, .out = 1, .in = shape.empty() ? 1 : shape.back()};
    for (size_t i = 0; i + 1 < shape.size(); ++i) w.out *= shape[i];
    if (info(w.type).block > 1) {  // a row is whole blocks: of the shape as it is stored
        w.in = t->info.shape.back(), w.out = 1;
        for (size_t i = 0; i + 1 < t->info.shape.size(); ++i) w.out *= t->info.shape[i];
    }
    auto data = data_of(*t);
    if (!data) return tl::unexpected(data.error());
    w.data = *data;
    return w;
}

void MappedSource::fetch(const std::function<void(double)>& progress, const std::atomic<bool>* cancel) const {
    std::vector<const MappedTensor*> made;
    for (const MappedTensor& t : tensors_)
        if (t.make) made.push_back(&t);
    const double reading = made.empty() ? 1 : 0.3;  // of the time
    const auto part = [&](double from, double share) -> std::function<void(double)> {
        if (!progress) return {};
        return [&progress, from, share](double fraction) { progress(from + share * fraction); };
    };
    fetch_pages(mappings_, part(0, reading), cancel);
    // What is wrong with one is said when it is found.
    on_all_cores(
        made.size(), [&](size_t i) { (void)data_of(*made[i]); }, part(reading, 1 - reading), cancel);
}

// transformers writes a dense layer's tensors under the name of the sparse ones.
const MappedTensor* MappedSource::look_up(const std::string& name) const {
    auto it = index_.find(name);
    if (it == index_.end())
        if (const size_t mlp = name.find(".mlp."); mlp != std::string::npos) it = index_.find(std::string(name).replace(mlp, 5, ".block_sparse_moe."));
    return it == index_.end() ? nullptr : &tensors_[it->second];
}

// Formats need not align anything, the inner loops want whole numbers at whole addresses: the rare tensor that lies between is copied once.
Result<const std::byte*> MappedSource::data_of(const MappedTensor& t) const {
    const size_t alignment = t.info.type == DType::f32 ? 4 : 2;
    if (!t.make && reinterpret_cast<uintptr_t>(t.data) % alignment == 0) return t.data;
    {
        const std::lock_guard lock(mutex_);
        if (const auto own = own_.find(t.info.name); own != own_.end()) return own->second.get();
    }
    auto fresh = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(t.info.bytes));
    if (!t.make) {
        std::memcpy(fresh.get(), t.data, static_cast<size_t>(t.info.bytes));
    } else if (auto made = t.make(fresh.get()); !made) {
        return tl::unexpected(made.error());
    }
    const std::lock_guard lock(mutex_);
    return own_.try_emplace(t.info.name, std::move(fresh)).first->second.get();  // another thread's, if that was faster
}

}  // namespace klp
