// Frozen states in files, so that a talk that is opened again stands where it stood and none of its tokens is fed again. A file is only a shortcut: whatever is
// wrong with one, the talk is replayed.
//
//   name  model-tokens-dropped-hash-owner.klpstate: found without being opened. The model's identity, the tokens fed, those its cache has dropped, the hash of
//         them and of the hands under which they were fed, and whose end it is (a chat, a snapshot's name): of each owner one file is kept for a model
//   file  "KLPSTATE"  u32 version, hidden  u64 model  i64 tokens, dropped  i32 ids...  i64 positions that the cache forgot...
//         for each layer the fixed states as f32, then the rows of its cache as they are stored  u32 crc32 of all before
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/model/sequence.h"

namespace klp {

inline constexpr int64_t kStateBudget = int64_t{2} << 30;  // bytes of all files, until a person says otherwise

class StateStore {
public:
    struct Kept {
        int64_t count = 0, bytes = 0, budget = 0;  // of all files
        int64_t written = 0, nanoseconds = 0;      // the last one, and what writing it took
        std::string trouble;                       // a sentence, said once; ""
    };
    // Makes the folder; an Error names it. Several programs may use one folder. `on_written` hears of each file, on the store's thread.
    static Result<std::unique_ptr<StateStore>> open(const std::filesystem::path& folder, std::function<void(const Kept&)> on_written = {});
    ~StateStore();  // when everything is written
    StateStore(const StateStore&) = delete;

    struct Found {
        std::filesystem::path file;
        int64_t tokens = 0, bytes = 0;
    };
    // The longest beginning of `target` that a file has for a sequence like this one, fed under the same hands.
    std::optional<Found> nearest(const Sequence& like, std::span<const int32_t> target) const;
    // On the model's device. A file that is torn, damaged or another's is an Error in one sentence, and removed; one of a newer program stays.
    Result<SnapshotPtr> read(const Found& found, const Sequence& like, std::span<const int32_t> target) const;

    // Writes it by and by, on a thread of its own; one of the same owner that still waits is left out. Call it on the engine's thread. Models without files of
    // their own (Model::identity() is 0) are not kept.
    void keep(SnapshotPtr frozen, const Model& model, const std::string& owner);
    void wait();  // until all is written
    Kept kept();
    int64_t budget() const;
    // For all programs that use the folder. The least recently used files go first; 0 keeps none.
    Result<void> set_budget(int64_t bytes);

private:
    struct Job {
        SnapshotPtr frozen;  // whose memory the parts are, or copies of a device's
        std::vector<std::vector<std::byte>> copies;
        std::string head, name, owner;  // owner: how names of its files end
        std::vector<std::span<const std::byte>> parts;
        int64_t bytes() const;
    };
    struct File {
        std::filesystem::path path;
        int64_t bytes = 0;
        std::filesystem::file_time_type used;
    };
    StateStore() = default;
    std::vector<File> files() const;  // the least recently used first
    void make_room(int64_t bytes, const std::string& owner);
    void work(std::stop_token stop);
    Result<void> write(const Job& job);

    std::filesystem::path folder_;
    std::function<void(const Kept&)> on_written_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Job> waiting_;
    std::vector<SnapshotPtr> done_;  // let go by the engine's thread, whose memory they are
    bool writing_ = false;
    Kept last_;
    std::jthread thread_;
};

}  // namespace klp
