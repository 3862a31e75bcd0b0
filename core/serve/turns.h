// A device that belongs to one thread at a time, and several who want it: each in the order of asking, so that nobody who asks again at once keeps the others out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace klp {

class Turns {
public:
    void lock() {
        std::unique_lock lock(mutex_);
        const int64_t mine = asked_++;
        next_.wait(lock, [&] { return mine == served_; });
    }
    void unlock() {
        {
            const std::lock_guard lock(mutex_);
            ++served_;
        }
        next_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable next_;
    int64_t asked_ = 0, served_ = 0;
};

}  // namespace klp
