#include "core/model/state_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <system_error>

#include "core/files/crc32.h"
#include "core/files/disk.h"
#include "core/system.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kStateMagic = "KLPSTATE", kEnding = ".klpstate";
constexpr uint32_t kStateVersion = 1;
constexpr int64_t kSum = 4;  // bytes of the checksum

struct Head {
    char magic[8];
    uint32_t version, hidden;
    uint64_t model;
    int64_t tokens, dropped;
};
static_assert(sizeof(Head) == 40);

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

uint64_t hash_on(uint64_t hash, int32_t id) { return (hash ^ static_cast<uint32_t>(id)) * 0x100000001b3u; }
constexpr uint64_t kHashBegin = 0xcbf29ce484222325u;

std::string hex(uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}
std::string ending_of(const std::string& owner) {
    uint64_t hash = kHashBegin;
    for (unsigned char c : owner) hash = hash_on(hash, c);
    return "-" + hex(mix(hash)) + std::string(kEnding);
}

// What stands in a name.
struct Name {
    uint64_t model = 0, hash = 0;
    int64_t tokens = 0, dropped = 0;
};
std::optional<Name> parse_name(const std::string& name) {
    Name n;
    const char *at = name.data(), *const end = at + name.size();
    const auto number = [&](auto& value, int base) {
        const auto read = std::from_chars(at, end, value, base);
        if (read.ec != std::errc() || read.ptr == end || *read.ptr != '-') return false;
        at = read.ptr + 1;
        return true;
    };
    if (!name.ends_with(kEnding) || !number(n.model, 16) || !number(n.tokens, 10) || !number(n.dropped, 10) || !number(n.hash, 16)) return {};
    if (n.tokens <= 0 || n.dropped < 0 || n.dropped > n.tokens) return {};
    return n;
}

// Bytes of everything behind the ids but the checksum.
int64_t bytes_behind(const Model& model, int64_t rows) {
    int64_t bytes = 0;
    for (int i = 0; i < model.config().num_hidden_layers; ++i) {
        const StateSpec spec = model.mixer(i).state();
        for (const StateSpec::Fixed& fixed : spec.fixed) bytes += fixed.values() * static_cast<int64_t>(sizeof(float));
        bytes += rows * spec.row_bytes;
    }
    return bytes;
}

class File {
public:
    explicit File(int fd) : fd_(fd) {}
    File(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    bool is_open() const { return fd_ >= 0; }
    int64_t size() const {
        struct stat st {};
        return ::fstat(fd_, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
    }
    // False: the end, or errno says what.
    bool read(void* to, size_t n) {
        for (auto* at = static_cast<char*>(to); n > 0;) {
            const ssize_t got = ::read(fd_, at, n);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return false;
            sum = crc32({at, static_cast<size_t>(got)}, sum);
            at += got, n -= static_cast<size_t>(got);
        }
        return true;
    }
    bool write(std::string_view bytes) {
        sum = crc32(bytes, sum);
        while (!bytes.empty()) {
            const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
            if (put < 0 && errno == EINTR) continue;
            if (put <= 0) return errno = put < 0 ? errno : EIO, false;
            bytes.remove_prefix(static_cast<size_t>(put));
        }
        return true;
    }
    bool close() { return ::close(std::exchange(fd_, -1)) == 0; }
    uint32_t sum = 0;  // of all that went through

private:
    int fd_;
};

std::string mebibytes(int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

}  // namespace

int64_t StateStore::Job::bytes() const {
    int64_t bytes = static_cast<int64_t>(head.size()) + kSum;
    for (const auto& part : parts) bytes += static_cast<int64_t>(part.size());
    return bytes;
}

Result<std::unique_ptr<StateStore>> StateStore::open(const fs::path& folder, std::function<void(const Kept&)> on_written) {
    if (auto made = make_folder(folder); !made) return tl::unexpected(made.error());
    std::error_code error;
    std::unique_ptr<StateStore> store(new StateStore);
    store->folder_ = folder, store->on_written_ = std::move(on_written);
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))  // what a killed program left
        if (std::error_code none; it->path().extension() == ".part" && fs::file_time_type::clock::now() - it->last_write_time(none) > std::chrono::hours(1))
            fs::remove(it->path(), none);
    store->thread_ = std::jthread([raw = store.get()](std::stop_token stop) { raw->work(stop); });
    return store;
}

StateStore::~StateStore() {
    wait();
    thread_.request_stop();
    thread_.join();
}

std::vector<StateStore::File> StateStore::files() const {
    std::vector<File> all;
    std::error_code none;
    for (fs::directory_iterator it(folder_, none), end; !none && it != end; it.increment(none)) {
        std::error_code gone;
        if (it->path().extension() != kEnding || !it->is_regular_file(gone)) continue;
        File file{it->path(), static_cast<int64_t>(it->file_size(gone)), it->last_write_time(gone)};
        if (!gone) all.push_back(std::move(file));
    }
    std::sort(all.begin(), all.end(), [](const File& a, const File& b) { return a.used < b.used; });
    return all;
}

// --- Finding and reading ------------------------------------------------------------------------------------------------

std::optional<StateStore::Found> StateStore::nearest(const Sequence& like, std::span<const int32_t> target) const {
    const uint64_t model = like.model().identity();
    if (model == 0) return {};
    std::vector<std::pair<Name, Found>> candidates;
    for (const File& file : files()) {
        const auto name = parse_name(file.path.filename().string());
        if (name && name->model == model && name->tokens <= static_cast<int64_t>(target.size()) && name->dropped == like.dropped_at(name->tokens))
            candidates.push_back({*name, {file.path, name->tokens, file.bytes}});
    }
    std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.first.tokens < b.first.tokens; });
    std::optional<Found> best;
    uint64_t hash = kHashBegin;
    int64_t hashed = 0;
    for (const auto& [name, found] : candidates) {
        for (; hashed < name.tokens; ++hashed) hash = hash_on(hash, target[static_cast<size_t>(hashed)]);
        if (name.hash == (hash ^ hash_until(like.touched().get(), name.tokens))) best = found;
    }
    return best;
}

Result<SnapshotPtr> StateStore::read(const Found& found, const Sequence& like, std::span<const int32_t> target) const {
    const Model& model = like.model();
    Backend& on = model.backend();
    const auto bad = [&](const std::string& what, bool remove = true) {
        std::error_code none;
        if (remove) fs::remove(found.file, none);
        return fail(Error::failure, found.file.string() + " " + what + ", so the talk is replayed");
    };
    klp::File file(::open(found.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) return bad(std::string("cannot be opened (") + std::strerror(errno) + ")", false);
    const int64_t size = file.size();
    Head head{};
    if (size < static_cast<int64_t>(sizeof head) || !file.read(&head, sizeof head)) return bad("is torn: it ends within its head");
    if (std::string_view(head.magic, sizeof head.magic) != kStateMagic) return bad("is no state of a model");
    if (head.version > kStateVersion) return bad("was written by a newer version of this program", false);
    if (head.version != kStateVersion) return bad("was written by an older version of this program");
    if (head.model != model.identity()) return bad("is of another model");
    if (head.tokens != found.tokens || head.dropped != like.dropped_at(head.tokens)) return bad("is of another talk");
    const int64_t hidden_count = head.hidden, rows = head.tokens - head.dropped - hidden_count;
    if (rows < 0) return bad("is damaged: it hides more tokens than it has");
    const int64_t expected = static_cast<int64_t>(sizeof head) + head.tokens * static_cast<int64_t>(sizeof(int32_t)) +
                             hidden_count * static_cast<int64_t>(sizeof(int64_t)) + bytes_behind(model, rows) + kSum;
    if (size != expected) return bad("is torn: it has " + std::to_string(size) + " of " + std::to_string(expected) + " bytes");

    bool whole = true;
    std::vector<int32_t> tokens(static_cast<size_t>(head.tokens));
    std::vector<int64_t> hidden(static_cast<size_t>(hidden_count));
    whole = file.read(tokens.data(), tokens.size() * sizeof(int32_t)) && file.read(hidden.data(), hidden.size() * sizeof(int64_t));
    std::vector<std::byte> host;
    const auto take = [&](size_t bytes, size_t room) {
        auto buffer = on.allocate(room);
        host.resize(bytes);
        whole = whole && file.read(host.data(), bytes);
        on.upload(buffer.as(), host.data(), bytes);
        return buffer;
    };
    std::vector<LayerState> layers;
    for (int i = 0; i < model.config().num_hidden_layers && whole; ++i) {
        const StateSpec spec = model.mixer(i).state();
        LayerState& layer = layers.emplace_back();
        for (const StateSpec::Fixed& fixed : spec.fixed) {
            const size_t bytes = static_cast<size_t>(fixed.values()) * sizeof(float);
            layer.fixed.push_back(take(bytes, bytes));
        }
        const auto row_bytes = static_cast<size_t>(spec.row_bytes);
        for (int64_t at = 0; at < rows && row_bytes > 0; at += kMlaPage)
            layer.add_page(std::make_shared<Buffer>(take(static_cast<size_t>(std::min<int64_t>(kMlaPage, rows - at)) * row_bytes, kMlaPage * row_bytes)));
    }
    const uint32_t sum = file.sum;
    uint32_t stored = 0;
    whole = whole && file.read(&stored, sizeof stored);
    if (!whole) return bad(std::string("cannot be read (") + (errno ? std::strerror(errno) : "it ends too early") + ")");
    if (stored != sum) return bad("is damaged: its checksum is not that of its bytes");
    if (!std::equal(tokens.begin(), tokens.end(), target.begin())) return bad("is of another talk");
    std::error_code none;
    fs::last_write_time(found.file, fs::file_time_type::clock::now(), none);  // used
    return std::make_shared<const Snapshot>(std::move(layers), std::move(tokens), head.dropped, like.touched(), std::move(hidden));
}

// --- Writing ------------------------------------------------------------------------------------------------------------

void StateStore::keep(SnapshotPtr frozen, const Model& model, const std::string& owner) {
    std::vector<SnapshotPtr> done;
    {
        const std::lock_guard lock(mutex_);
        done = std::exchange(done_, {});
    }
    if (model.identity() == 0 || frozen->position() == 0 || budget() == 0) return;
    Job job{.frozen = std::move(frozen)};
    const Snapshot& s = *job.frozen;
    Head head{.version = kStateVersion,
              .hidden = static_cast<uint32_t>(s.hidden().size()),
              .model = model.identity(),
              .tokens = s.position(),
              .dropped = s.dropped()};
    std::memcpy(head.magic, kStateMagic.data(), sizeof head.magic);
    job.head.assign(reinterpret_cast<const char*>(&head), sizeof head);
    uint64_t hash = kHashBegin;
    for (int32_t id : s.tokens()) hash = hash_on(hash, id);
    hash ^= hash_until(s.touched(), s.position());
    job.owner = ending_of(owner);
    job.name = hex(head.model) + "-" + std::to_string(head.tokens) + "-" + std::to_string(head.dropped) + "-" + hex(hash) + job.owner;
    job.parts.push_back(std::as_bytes(std::span(s.tokens())));
    job.parts.push_back(std::as_bytes(std::span(s.hidden())));

    Backend& on = model.backend();
    const bool hosts = on.free_bytes() < 0;  // its memory is the host's, and what a snapshot holds is never written again
    const auto add = [&](const std::byte* at, size_t bytes) {
        if (!hosts) {
            job.copies.emplace_back(bytes);
            on.download(job.copies.back().data(), at, bytes);
            at = job.copies.back().data();
        }
        job.parts.emplace_back(at, bytes);
    };
    const int64_t rows = s.position() - s.dropped() - static_cast<int64_t>(s.hidden().size());
    for (int i = 0; i < model.config().num_hidden_layers; ++i) {
        const LayerState& layer = s.layers()[static_cast<size_t>(i)];
        const auto row_bytes = static_cast<size_t>(model.mixer(i).state().row_bytes);
        for (const Buffer& fixed : layer.fixed) add(fixed.as(), fixed.bytes());
        for (int64_t at = 0; at < rows && row_bytes > 0; at += kMlaPage)
            add(layer.rows[static_cast<size_t>(at / kMlaPage)], static_cast<size_t>(std::min<int64_t>(kMlaPage, rows - at)) * row_bytes);
    }
    const std::lock_guard lock(mutex_);
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        if (it->owner != job.owner || !it->name.starts_with(hex(head.model))) {
            ++it;
            continue;
        }
        done_.push_back(std::move(it->frozen));
        it = waiting_.erase(it);
    }
    waiting_.push_back(std::move(job));
    wake_.notify_all();
}

void StateStore::wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return waiting_.empty() && !writing_; });
}

void StateStore::work(std::stop_token stop) {
    for (std::unique_lock lock(mutex_);;) {
        if (!wake_.wait(lock, stop, [&] { return !waiting_.empty(); })) return;
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        writing_ = true;
        lock.unlock();
        const int64_t begin = now_ns();
        const auto written = write(job);
        lock.lock();
        if (written)
            last_.written = job.bytes(), last_.nanoseconds = now_ns() - begin;
        else
            last_.trouble = written.error().message;
        lock.unlock();
        if (on_written_) on_written_(kept());
        lock.lock();
        done_.push_back(std::move(job.frozen));
        writing_ = false;
        wake_.notify_all();
    }
}

Result<void> StateStore::write(const Job& job) {
    std::error_code none;
    const fs::path file = folder_ / job.name;
    if (fs::exists(file, none)) {  // it stands where it stood
        fs::last_write_time(file, fs::file_time_type::clock::now(), none);
        return {};
    }
    const int64_t room = budget();
    if (job.bytes() > room)
        return fail(Error::failure, "this talk's state has " + mebibytes(job.bytes()) + " and states on disk may have " + mebibytes(room) +
                                        ", so it is not kept; opened again, the talk is replayed");
    make_room(room - job.bytes(), job.owner);
    const fs::path part = folder_ / (job.name + "." + std::to_string(::getpid()) + ".part");
    klp::File out(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    bool good = out.is_open() && out.write(job.head);
    for (size_t i = 0; i < job.parts.size() && good; ++i) good = out.write(text_of(job.parts[i]));
    const uint32_t sum = out.sum;
    good = good && out.write({reinterpret_cast<const char*>(&sum), sizeof sum}) && out.close() && ::rename(part.c_str(), file.c_str()) == 0;
    if (!good) {
        const int why = errno;
        fs::remove(part, none);
        return fail(Error::failure, folder_.string() + ": " + std::strerror(why) + "; this talk's state is not kept, so opened again the talk is replayed");
    }
    for (const File& other : files())  // where its owner stood before
        if (const std::string name = other.path.filename().string(); name != job.name && name.ends_with(job.owner) && name.starts_with(job.name.substr(0, 17)))
            fs::remove(other.path, none);
    return {};
}

// Until the files have so many bytes; what this owner had will go anyway.
void StateStore::make_room(int64_t bytes, const std::string& owner) {
    std::vector<File> all = files();
    if (!owner.empty()) std::erase_if(all, [&](const File& f) { return f.path.filename().string().ends_with(owner); });
    int64_t total = 0;
    for (const File& f : all) total += f.bytes;
    for (size_t i = 0; i < all.size() && total > bytes; ++i) {
        std::error_code none;
        fs::remove(all[i].path, none);
        total -= all[i].bytes;
    }
}

int64_t StateStore::budget() const {
    std::ifstream in(folder_ / "budget");
    int64_t bytes = 0;
    return in >> bytes && bytes >= 0 ? bytes : kStateBudget;
}

Result<void> StateStore::set_budget(int64_t bytes) {
    const fs::path part = folder_ / ("budget." + std::to_string(::getpid()) + ".part");
    std::ofstream out(part, std::ios::trunc);
    out << bytes << "\n";
    out.close();
    if (!out || ::rename(part.c_str(), (folder_ / "budget").c_str()) != 0) return fail(Error::failure, folder_.string() + ": " + std::strerror(errno));
    make_room(bytes, "");
    return {};
}

StateStore::Kept StateStore::kept() {
    Kept now;
    {
        const std::lock_guard lock(mutex_);
        now = last_;
        last_.trouble.clear();
    }
    now.budget = budget();
    for (const File& f : files()) ++now.count, now.bytes += f.bytes;
    return now;
}

}  // namespace klp
