#include "core/runs/trace_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <system_error>

#include "core/files/crc32.h"
#include "core/runs/event_fields.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTraceMagic = "KLPTRACE";
constexpr uint32_t kTraceVersion = 1;

struct TraceHead {
    char magic[8];
    uint32_t version, none;
    uint64_t model;
};
static_assert(sizeof(TraceHead) == 24);

// Log decays g <= 0 in two bytes, in steps of a 2400th: what a lens says to three digits stays what it was.
constexpr float kLeastOctave = -30, kStepsOfOctave = 1638;
constexpr uint16_t kNoDecay = 65535;
uint16_t code_of(float g) {
    if (std::isnan(g)) return kNoDecay;
    return g >= 0 ? 0 : static_cast<uint16_t>(1.5f + std::clamp((std::log2(-g) - kLeastOctave) * kStepsOfOctave, 0.f, 65530.f));
}
float decay_of(uint16_t code) { return code == kNoDecay ? NAN : code == 0 ? 0 : -std::exp2(kLeastOctave + static_cast<float>(code - 1) / kStepsOfOctave); }

// A row of readings: which sites it has, then log decays as above and the others as f16.
template <class A>
void row_fields(A& a, std::vector<float>& row) {
    const auto values = [&](int site) -> std::span<float> {
        const auto& layers = a.shape.layers(static_cast<Site>(site));
        if (layers.empty() || static_cast<int64_t>(row.size()) != a.shape.size()) return {};
        return std::span(row).subspan(static_cast<size_t>(a.shape.offset(static_cast<Site>(site), layers[0])),
                                      layers.size() * static_cast<size_t>(a.shape.width(static_cast<Site>(site))));
    };
    uint8_t kept = 0;  // sites, as bits
    if constexpr (!A::reads)
        for (int s = 0; s < kSites; ++s)
            if (const auto v = values(s); std::any_of(v.begin(), v.end(), [](float x) { return !std::isnan(x); })) kept |= static_cast<uint8_t>(1 << s);
    a.exact(kept);
    if (kept == 0) return;
    if constexpr (A::reads) {
        size_t need = 0;
        for (int s = 0; s < kSites; ++s)
            if (kept >> s & 1) need += a.shape.layers(static_cast<Site>(s)).size() * static_cast<size_t>(a.shape.width(static_cast<Site>(s))) * 2;
        a.must(need <= a.left());
        if (!a.ok) return;
        row.assign(static_cast<size_t>(a.shape.size()), NAN);
    }
    for (int s = 0; s < kSites; ++s) {
        if (!(kept >> s & 1)) continue;
        if (static_cast<Site>(s) != Site::log_decay) {
            a.halves(values(s));
            continue;
        }
        for (float& g : values(s)) {
            uint16_t code = code_of(g);
            a.exact(code);
            if constexpr (A::reads) g = decay_of(code);
        }
    }
}

template <class A>
void trace_fields(A& a, TracePiece& piece) {
    a.number(piece.first), a.exact(piece.before);
    a.list(piece.tokens, [&](TokenTrace& t) {
        a.number(t.id), a.number(t.made), a.exact(t.nanoseconds), a.exact(t.probability), a.exact(t.entropy), a.number(t.rank);
        a.list(t.top, [&](Candidate& c) { a.number(c.id), a.exact(c.probability); });
        row_fields(a, t.readings);
    });
}

class TraceFd {
public:
    explicit TraceFd(int fd) : fd(fd) {}
    TraceFd(const TraceFd&) = delete;
    ~TraceFd() {
        if (fd >= 0) ::close(fd);
    }
    const int fd;
};

std::optional<std::string> all_of(int fd, int64_t most) {
    struct stat st {};
    if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
    std::string bytes(static_cast<size_t>(std::min<int64_t>(st.st_size, most)), '\0');
    size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t got = ::pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        at += static_cast<size_t>(got);
    }
    bytes.resize(at);
    return bytes;
}

// The bodies of the sound records, and how far the file is sound.
int64_t sound_records(std::string_view bytes, const std::function<void(std::string_view body)>& each) {
    size_t at = sizeof(TraceHead);
    while (bytes.size() >= at + 8) {
        uint32_t length = 0, sum = 0;
        std::memcpy(&length, bytes.data() + at, 4), std::memcpy(&sum, bytes.data() + at + 4, 4);
        if (length > bytes.size() - at - 8) break;
        const std::string_view body = bytes.substr(at + 8, length);
        if (crc32(body) != sum) break;
        if (each) each(body);
        at += 8 + length;
    }
    return static_cast<int64_t>(at);
}

// "", or what is wrong with the file's head.
std::string wrong_head(std::string_view bytes, uint64_t model) {
    TraceHead head{};
    if (bytes.size() < sizeof head) return "is torn: it ends within its head";
    std::memcpy(&head, bytes.data(), sizeof head);
    if (std::string_view(head.magic, sizeof head.magic) != kTraceMagic) return "is no trace of tokens";
    if (head.version != kTraceVersion) return "was written by another version of this program";
    return head.model == model ? "" : "is of another model";
}

}  // namespace

TraceFiles::TraceFiles() : thread_([this](std::stop_token stop) { work(stop); }) {}

TraceFiles::~TraceFiles() {
    wait();
    thread_.request_stop();
    thread_.join();
}

void TraceFiles::keep(fs::path file, std::shared_ptr<const RunCard> card, TracePiece piece) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(file), std::move(card), std::move(piece)});
    wake_.notify_all();
}

void TraceFiles::read(fs::path file, std::shared_ptr<const RunCard> card) {
    const std::lock_guard lock(mutex_);
    ++reads_;
    waiting_.push_back({std::move(file), std::move(card), std::nullopt});
    wake_.notify_all();
}

std::vector<TraceFiles::Answer> TraceFiles::drain() {
    const std::lock_guard lock(mutex_);
    for (const Answer& a : answers_) reads_ -= a.model != 0;
    return std::exchange(answers_, {});
}

bool TraceFiles::reading() const {
    const std::lock_guard lock(mutex_);
    return reads_ > 0;
}

void TraceFiles::wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return waiting_.empty() && !working_; });
}

void TraceFiles::work(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [&] { return !waiting_.empty(); })) {
        const Job job = std::move(waiting_.front());
        waiting_.pop_front();
        working_ = true;
        lock.unlock();
        std::optional<Answer> answer;
        if (!job.piece)
            answer = read_file(job);
        else if (auto kept = append(job); !kept)
            answer = Answer{job.file, 0, {}, kept.error().message};
        lock.lock();
        if (answer) answers_.push_back(std::move(*answer));
        working_ = false;
        wake_.notify_all();
    }
}

TraceFiles::Answer TraceFiles::read_file(const Job& job) {
    Answer answer{job.file, job.card->identity, {}, ""};
    const TraceFd file(::open(job.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.fd < 0) return answer;  // nothing was kept yet
    const auto bytes = all_of(file.fd, kLargest);
    std::string wrong = bytes ? wrong_head(*bytes, job.card->identity) : "is no file";
    if (wrong.empty()) {
        const int64_t sound = sound_records(*bytes, [&](std::string_view body) {
            FieldReader in(body, job.card->shape);
            TracePiece piece;
            trace_fields(in, piece);
            if (in.ok && piece.first >= 0) answer.pieces.push_back(std::move(piece));
        });
        whole_[job.file] = sound;
        if (sound < static_cast<int64_t>(bytes->size())) wrong = "is torn, and read up to there";
    }
    if (!wrong.empty()) answer.note = job.file.string() + " " + wrong + "; what is missing is fed again";
    return answer;
}

Result<void> TraceFiles::append(const Job& job) {
    std::string body;
    FieldWriter out(body, job.card->shape);
    TracePiece piece = *job.piece;
    trace_fields(out, piece);
    const auto bad = [&](const char* what) {
        whole_.erase(job.file);
        return fail(Error::failure, job.file.string() + " cannot be " + what + " (" + std::strerror(errno) + "); what its lenses show is fed again next time");
    };
    const TraceFd file(::open(job.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
    if (file.fd < 0) return bad("opened");
    int64_t end = 0;
    if (const auto known = whole_.find(job.file); known != whole_.end()) {
        end = known->second;
    } else if (const auto bytes = all_of(file.fd, kLargest); bytes && wrong_head(*bytes, job.card->identity).empty()) {
        end = sound_records(*bytes, {});
    }
    if (end + static_cast<int64_t>(body.size()) > kLargest) end = 0;
    std::string record;
    if (end == 0) {
        TraceHead head{{}, kTraceVersion, 0, job.card->identity};
        std::memcpy(head.magic, kTraceMagic.data(), sizeof head.magic);
        record.assign(reinterpret_cast<const char*>(&head), sizeof head);
    }
    const auto length = static_cast<uint32_t>(body.size()), sum = crc32(body);
    record.append(reinterpret_cast<const char*>(&length), 4).append(reinterpret_cast<const char*>(&sum), 4).append(body);
    if (::ftruncate(file.fd, end) != 0) return bad("cut");
    for (size_t at = 0; at < record.size();) {
        const ssize_t put = ::pwrite(file.fd, record.data() + at, record.size() - at, end + static_cast<off_t>(at));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return bad("written");
        at += static_cast<size_t>(put);
    }
    whole_[job.file] = end + static_cast<int64_t>(record.size());
    return {};
}

}  // namespace klp
