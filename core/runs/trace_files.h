// What is known of the tokens of a chat, in a file beside it: readings, candidates and times, so that they are there again after a restart.
//
//   file    "KLPTRACE"  u32 version  u32 0  u64 model  record...
//   record  u32 length  u32 crc32 of the body  body: a TracePiece; log decays in steps of a 2400th, other readings in f16
//
// A file only grows; of two pieces about one token the later one holds. It is only a shortcut: one that is torn is read up to there, another model's or another
// program's is passed over and made again, and what is missing is fed again.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/runs/run.h"

namespace klp {

struct TokenTrace {
    int32_t id = 0;
    bool made = false;
    float nanoseconds = 0, probability = 0, entropy = 0;  // NaN where unknown
    int rank = -1;
    std::vector<Candidate> top;
    std::vector<float> readings;
};
struct TracePiece {
    int64_t first = 0;    // position of its first token
    uint64_t before = 0;  // the hash of all tokens in front of that, and of what hands did there; within a piece nothing begins or ends
    std::vector<TokenTrace> tokens;
};
inline constexpr uint64_t kNothingBefore = 0xcbf29ce484222325u;
inline uint64_t hash_behind(uint64_t before, int32_t id) { return mix((before ^ static_cast<uint32_t>(id)) * 0x100000001b3u); }

class TraceFiles {
public:
    static constexpr int64_t kLargest = int64_t{64} << 20;  // bytes: a file that would become larger is begun again
    TraceFiles();
    ~TraceFiles();  // when everything is written
    TraceFiles(const TraceFiles&) = delete;

    // Both are done by and by, in this order, on a thread of its own.
    void keep(std::filesystem::path file, std::shared_ptr<const RunCard> card, TracePiece piece);
    void read(std::filesystem::path file, std::shared_ptr<const RunCard> card);
    struct Answer {
        std::filesystem::path file;
        uint64_t model = 0;
        std::vector<TracePiece> pieces;
        std::string note;  // what was wrong, a sentence; ""
    };
    std::vector<Answer> drain();  // of each read one; and those of a keep that failed
    bool reading() const;         // what was asked is not drained yet
    void wait();                  // until all is done

private:
    struct Job {
        std::filesystem::path file;
        std::shared_ptr<const RunCard> card;
        std::optional<TracePiece> piece;  // to keep
    };
    void work(std::stop_token stop);
    Answer read_file(const Job& job);
    Result<void> append(const Job& job);

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Job> waiting_;
    std::vector<Answer> answers_;
    bool working_ = false;
    int64_t reads_ = 0;                               // asked and not drained
    std::map<std::filesystem::path, int64_t> whole_;  // bytes of each file that are known to be sound; of the thread
    std::jthread thread_;
};

}  // namespace klp
