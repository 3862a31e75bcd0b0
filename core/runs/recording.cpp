#include "core/runs/recording.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

#include "core/files/crc32.h"
#include "core/runs/event_fields.h"
#include "core/runs/header_text.h"
#include "core/runs/served_run.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "KLPRUN\r\n";
constexpr size_t kPreface = 12;                 // magic and version
constexpr size_t kLargestHeader = 1 << 20;      // bytes
constexpr uint8_t kHeader = 255, kWords = 254;  // kinds that are no events; the others are indices of Event
constexpr size_t kFlushAt = 1 << 16;            // bytes

struct Body {
    std::string_view all;  // with kind and time
    bool whole = true;
};
// The record at `at`, which moves behind it; nothing where it is torn.
std::optional<Body> next_body(std::string_view bytes, size_t& at) {
    if (bytes.size() - at < 8) return std::nullopt;
    uint32_t length = 0, sum = 0;
    std::memcpy(&length, bytes.data() + at, 4);
    std::memcpy(&sum, bytes.data() + at + 4, 4);
    if (length < 2 || length > bytes.size() - at - 8) return std::nullopt;
    const std::string_view body = bytes.substr(at + 8, length);
    at += 8 + length;
    return Body{body, crc32(body) == sum};
}

Result<std::string_view> preface(std::string_view bytes, const std::string& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::failure, file + what); };
    if (bytes.size() < kPreface || !bytes.starts_with(kMagic)) return bad(" is not a recorded run (.klprun)");
    uint32_t version = 0;
    std::memcpy(&version, bytes.data() + kMagic.size(), 4);
    if (version > kRecordingVersion)
        return bad(" was recorded by a newer version of this program (format " + std::to_string(version) + "; this one reads up to " +
                   std::to_string(kRecordingVersion) + ")");
    if (version == 0) return bad(" is not a recorded run (.klprun)");
    size_t at = kPreface;
    const auto first = next_body(bytes, at);
    if (!first || !first->whole || static_cast<uint8_t>(first->all[0]) != kHeader || first->all.size() > kLargestHeader)
        return bad(": the header is torn, so nothing of it can be read");
    return first->all;
}

}  // namespace

// --- Writing ----------------------------------------------------------------------------------------------------------

Result<RecordingWriter> RecordingWriter::create(const fs::path& file, const RecordingHeader& header, const fs::path& called) {
    RecordingWriter w;
    w.path_ = called.empty() ? file : called;
    w.card_ = header.card;
    std::error_code none;
    const bool device = fs::is_character_file(file, none) || fs::is_fifo(file, none);
    w.fd_ = ::open(file.c_str(), O_WRONLY | O_CLOEXEC | (device ? 0 : O_CREAT | O_EXCL), 0666);
    if (w.fd_ < 0) return fail(Error::failure, w.path_.string() + (errno == EEXIST ? " exists already" : std::string(": ") + std::strerror(errno)));
    w.waiting_ = kMagic;
    const uint32_t version = kRecordingVersion;
    w.waiting_.append(reinterpret_cast<const char*>(&version), 4);
    w.put_record(static_cast<char>(kHeader) + std::string(1, '\0') + header_text(header));
    if (auto done = w.flush(); !done) {
        if (!device) ::unlink(file.c_str());
        return tl::unexpected(done.error());
    }
    return w;
}

RecordingWriter::RecordingWriter(RecordingWriter&& o) noexcept
    : path_(std::move(o.path_)),
      fd_(std::exchange(o.fd_, -1)),
      written_(o.written_),
      waiting_(std::move(o.waiting_)),
      named_(std::move(o.named_)),
      card_(std::move(o.card_)),
      failed_(std::move(o.failed_)) {}

RecordingWriter& RecordingWriter::operator=(RecordingWriter&& o) noexcept {
    std::swap(path_, o.path_), std::swap(fd_, o.fd_), std::swap(written_, o.written_), std::swap(waiting_, o.waiting_);
    std::swap(named_, o.named_), std::swap(card_, o.card_), std::swap(failed_, o.failed_);
    return *this;
}

RecordingWriter::~RecordingWriter() {
    if (fd_ < 0) return;
    (void)flush();
    ::close(fd_);
}

void RecordingWriter::put_record(const std::string& body) {
    const auto length = static_cast<uint32_t>(body.size()), sum = crc32(body);
    waiting_.append(reinterpret_cast<const char*>(&length), 4).append(reinterpret_cast<const char*>(&sum), 4).append(body);
}

void RecordingWriter::name_ids(std::span<const int32_t> ids, int64_t nanoseconds) {
    std::string body(1, static_cast<char>(kWords));
    FieldWriter out(body, card_->shape);
    out.number(nanoseconds);
    const size_t empty = body.size();
    for (int32_t id : ids) {
        if (!named_.insert(id).second) continue;
        const ServedCard* served = served_card(card_.get());
        std::string bytes = served ? served->words->bytes(id) : "";
        if (bytes.empty()) bytes = card_->tokenizer->bytes(id);
        out.number(id), out.number(card_->tokenizer->is_special(id)), out.text(bytes);
    }
    if (body.size() > empty) put_record(body);
}

Result<void> RecordingWriter::append(const Event& event, int64_t nanoseconds) {
    if (failed_) return tl::unexpected(*failed_);
    if (const auto* loaded = std::get_if<Loaded>(&event); loaded && loaded->card != card_ && to_json(loaded->card->config) != to_json(card_->config)) {
        failed_ = Error{Error::failure, path_.string() + " ends here: another model was loaded"};
        return tl::unexpected(*failed_);
    }
    if (card_->tokenizer) {
        if (const auto* fed = std::get_if<PromptFed>(&event)) name_ids(fed->ids, nanoseconds);
        const auto* made = std::get_if<TokenMade>(&event);
        if (const auto* weighed = std::get_if<Considered>(&event); made || weighed) {
            std::vector<int32_t> ids;
            if (made) ids.push_back(made->id);
            for (const Candidate& c : made ? made->top : weighed->top) ids.push_back(c.id);
            name_ids(ids, nanoseconds);
        }
    }
    std::string body(1, static_cast<char>(event.index()));
    FieldWriter out(body, card_->shape);
    out.number(nanoseconds);
    write_event(event, out);
    put_record(body);
    return waiting_.size() >= kFlushAt ? flush() : Result<void>();
}

Result<void> RecordingWriter::flush() {
    if (failed_) return tl::unexpected(*failed_);
    for (size_t done = 0; done < waiting_.size();) {
        const ssize_t n = ::write(fd_, waiting_.data() + done, waiting_.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const int error = n < 0 ? errno : EIO;
            // The reader stops at the torn record anyway; without it the file looks as whole as it is.
            if (::ftruncate(fd_, written_) == 0) (void)::lseek(fd_, written_, SEEK_SET);
            failed_ = Error{Error::failure, path_.string() + ": " + std::strerror(error) + "; the recording ends here"};
            waiting_.clear();
            return tl::unexpected(*failed_);
        }
        done += static_cast<size_t>(n);
    }
    written_ += static_cast<int64_t>(waiting_.size());
    waiting_.clear();
    return {};
}

// --- Reading ----------------------------------------------------------------------------------------------------------

Result<RecordingHeader> Recording::peek(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail(Error::failure, file.string() + ": " + std::strerror(errno));
    std::string front(kPreface + 8 + kLargestHeader, '\0');
    const ssize_t n = ::read(fd, front.data(), front.size());
    const int error = errno;
    ::close(fd);
    if (n < 0) return fail(Error::failure, file.string() + ": " + std::strerror(error));
    front.resize(static_cast<size_t>(n));
    const auto header = preface(front, file.string());
    if (!header) return tl::unexpected(header.error());
    return parse_header(header->substr(2), file.string());
}

Result<std::shared_ptr<const Recording>> Recording::open(const fs::path& file) {
    const auto bad = [&](const std::string& what) { return fail(Error::failure, file.string() + what); };
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return bad(std::string(": ") + std::strerror(errno));
    struct stat st {};
    const bool regular = ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    void* map = regular && st.st_size > 0 ? ::mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    ::close(fd);
    if (!regular) return bad(" is not a file");
    if (map == MAP_FAILED) return bad(" is not a recorded run (.klprun)");
    std::shared_ptr<Recording> r(new Recording);
    r->path_ = file;
    r->bytes_ = {static_cast<const char*>(map), static_cast<size_t>(st.st_size)};
    return read(std::move(r));
}

Result<std::shared_ptr<const Recording>> Recording::of(std::string bytes, const fs::path& called) {
    std::shared_ptr<Recording> r(new Recording);
    r->path_ = called;
    r->own_ = std::move(bytes);
    r->bytes_ = r->own_;
    return read(std::move(r));
}

Result<std::shared_ptr<const Recording>> Recording::read(std::shared_ptr<Recording> r) {
    const fs::path& file = r->path_;
    const auto front = preface(r->bytes_, file.string());
    if (!front) return tl::unexpected(front.error());
    auto header = parse_header(front->substr(2), file.string());
    if (!header) return tl::unexpected(header.error());
    r->header_ = std::move(*header);

    std::map<int32_t, Tokenizer::Piece> pieces;
    int64_t lost = 0, before = 0;
    size_t at = static_cast<size_t>(front->data() - r->bytes_.data()) + front->size();
    while (at < r->bytes_.size()) {
        const auto body = next_body(r->bytes_, at);
        if (!body) break;
        FieldReader in(body->all.substr(1), r->header_.card->shape);
        int64_t nanoseconds = 0;
        in.number(nanoseconds);
        const auto kind = static_cast<uint8_t>(body->all[0]);
        if (!body->whole || !in.ok) {
            ++lost;
            continue;
        }
        before = std::max(before, nanoseconds);
        if (kind == kWords) {
            while (in.ok && in.left() > 0) {
                int32_t id = 0;
                Tokenizer::Piece piece;
                in.number(id), in.number(piece.special), in.text(piece.bytes);
                if (in.ok) pieces[id] = std::move(piece);
            }
        } else if (kind < std::variant_size_v<Event>) {
            r->entries_.push_back({at - in.left(), before, static_cast<uint32_t>(in.left()), kind});
        }  // else of a later minor addition: passed over
    }
    if (const size_t torn = r->bytes_.size() - at; lost > 0 || torn > 0) {
        r->damage_ = file.string() + " is damaged: " + (lost > 0 ? std::to_string(lost) + " of its records cannot be read" : "") +
                     (lost > 0 && torn > 0 ? " and " : "") +
                     (torn > 0 ? "its last " + (torn == 1 ? "byte is" : std::to_string(torn) + " bytes are") + " torn" : "") +
                     (r->entries_.size() == 1 ? "; the one whole event is shown." : "; all " + std::to_string(r->entries_.size()) + " whole events are shown.");
    }
    auto card = std::make_shared<RunCard>(*r->header_.card);
    card->tokenizer = std::make_shared<const Tokenizer>(Tokenizer::of_pieces(std::move(pieces)));
    r->header_.card = std::move(card);
    return r;
}

Recording::~Recording() {
    if (bytes_.data() && bytes_.data() != own_.data()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

std::shared_ptr<const Recording> Recording::of(RecordingHeader header, std::vector<std::pair<int64_t, Event>> events) {
    std::shared_ptr<Recording> r(new Recording);
    r->header_ = std::move(header);
    for (auto& [nanoseconds, event] : events) {
        r->entries_.push_back({0, nanoseconds, 0, static_cast<uint8_t>(event.index())});
        r->told_.push_back(std::move(event));
    }
    return r;
}

std::optional<Event> Recording::event(size_t i) const {
    if (!told_.empty()) return told_[i];
    const Entry& e = entries_[i];
    FieldReader in(bytes_.substr(e.offset, e.length), header_.card->shape);
    auto event = read_event(e.kind, in);
    if (event)
        if (auto* loaded = std::get_if<Loaded>(&*event)) loaded->card = header_.card;
    return event;
}

std::string date_text(int64_t seconds) {
    const auto t = static_cast<time_t>(seconds);
    tm utc{};
    gmtime_r(&t, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
    return text;
}

}  // namespace klp
