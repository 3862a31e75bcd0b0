#include "core/files/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/system.h"

namespace klp {

// One mapped range. Guards are never freed, only used again, because the handler may walk over them at any moment, in any thread; so it needs no lock.
struct Mapping::Guard {
    std::atomic<uintptr_t> begin{0}, end{0};  // 0, 0: not in use
    std::string sentence;
    Guard* next = nullptr;

    static std::mutex mutex;
    static std::atomic<Guard*> first;
    static Guard* unused();  // under the mutex
    static Guard* take(const void* data, size_t bytes, const std::string& file);
    void give_back() {
        end = 0;
        begin = 0;
    }
    static void install();
    static void on_bus_error(int signal, siginfo_t* what, void*);
    static struct sigaction before;
};
std::mutex Mapping::Guard::mutex;
std::atomic<Mapping::Guard*> Mapping::Guard::first{nullptr};
struct sigaction Mapping::Guard::before {};

Mapping::Guard* Mapping::Guard::unused() {
    for (Guard* guard = first; guard; guard = guard->next)
        if (guard->begin == 0) return guard;
    auto* guard = new Guard;
    guard->next = first;
    return first = guard;
}

Mapping::Guard* Mapping::Guard::take(const void* data, size_t bytes, const std::string& file) {
    static std::once_flag once;
    std::call_once(once, install);
    const std::lock_guard lock(mutex);
    Guard* guard = unused();
    guard->sentence = "klp: " + file + " became shorter while it was read, or its disk failed: what was there is gone\n";
    guard->begin = reinterpret_cast<uintptr_t>(data);
    guard->end = reinterpret_cast<uintptr_t>(data) + bytes;
    return guard;
}

void Mapping::Guard::install() {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

// write() and _exit() are all that a handler may call here. No thread can go on without its weights, and nothing is lost: whatever this program writes is whole
// at any moment.
void Mapping::Guard::on_bus_error(int signal, siginfo_t* what, void*) {
    const auto at = reinterpret_cast<uintptr_t>(what->si_addr);
    const bool of_memory = what->si_code > 0;  // not raise() or kill()
    for (const Guard* guard = first; guard && of_memory; guard = guard->next) {
        if (at < guard->begin || at >= guard->end) continue;
        [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, guard->sentence.data(), guard->sentence.size());
        _exit(Error::model);
    }
    sigaction(signal, &before, nullptr);  // not ours: the same again, for whoever was asked before
    if (!of_memory) raise(signal);
}

Result<Mapping> Mapping::open(const std::filesystem::path& file) {
    const auto bad = [&](const char* what) { return fail(Error::model, file.string() + ": " + what); };
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not hang the program
    if (fd < 0) return bad(std::strerror(errno));
    struct stat st {};
    const bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    void* data = is_file && st.st_size > 0 ? mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
    const int error = errno;
    close(fd);
    if (!is_file) return bad(S_ISDIR(st.st_mode) ? "is a folder, not a file" : "is not a file");
    if (data == MAP_FAILED) return bad(std::strerror(error));
    if (!data) return Mapping();
    const auto bytes = static_cast<size_t>(st.st_size);
    return Mapping(data, bytes, Guard::take(data, bytes, file.string()));
}

Mapping::~Mapping() {
    if (!guard_) return;
    guard_->give_back();
    munmap(data_, bytes_);
}

namespace {

// Whether memory can hold the files beside what else there is.
bool fits(std::span<const Mapping> files) {
    int64_t bytes = 0;
    for (const Mapping& file : files) bytes += static_cast<int64_t>(file.bytes().size());
    return bytes < system_memory().available / 8 * 7;
}

void touch(std::span<const std::byte> bytes) {  // starts at a page
#ifdef MADV_POPULATE_READ
    if (madvise(const_cast<std::byte*>(bytes.data()), bytes.size(), MADV_POPULATE_READ) == 0) return;
#endif
    for (size_t at = 0; at < bytes.size(); at += 4096) static_cast<void>(*static_cast<const volatile std::byte*>(&bytes[at]));
}

}  // namespace

void read_ahead(std::span<const Mapping> files) {
    if (!fits(files)) return;
    for (const Mapping& file : files)
        if (!file.bytes().empty()) madvise(const_cast<std::byte*>(file.bytes().data()), file.bytes().size(), MADV_WILLNEED);
}

void fetch_pages(std::span<const Mapping> files, const std::function<void(double)>& progress, const std::atomic<bool>* cancel) {
    if (!fits(files)) return;
    constexpr size_t kPiece = size_t{4} << 20;
    std::vector<std::span<const std::byte>> pieces;
    for (const Mapping& file : files)
        for (size_t at = 0; at < file.bytes().size(); at += kPiece) pieces.push_back(file.bytes().subspan(at, std::min(kPiece, file.bytes().size() - at)));
    on_all_cores(
        pieces.size(), [&](size_t i) { touch(pieces[i]); }, progress, cancel);
}

void on_all_cores(size_t pieces, const std::function<void(size_t)>& piece, const std::function<void(double)>& progress, const std::atomic<bool>* cancel) {
    std::atomic<size_t> next{0}, done{0};
    const auto work = [&](const std::function<void(double)>& report) {
        for (size_t i; !(cancel && *cancel) && (i = next++) < pieces;) {
            piece(i);
            ++done;
            if (report) report(double(done) / double(pieces));
        }
    };
    std::vector<std::thread> others;
    for (size_t i = 1; i < std::min<size_t>(std::thread::hardware_concurrency(), pieces); ++i) others.emplace_back(work, nullptr);
    work(progress);
    for (std::thread& other : others) other.join();
    if (progress && !(cancel && *cancel)) progress(1);
}

}  // namespace klp
