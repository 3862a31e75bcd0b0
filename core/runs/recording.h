// A recorded run in a file (.klprun): what a Run said, with the time it said it, so that it can be seen again without its model.
//
//   file    "KLPRUN\r\n"  u32 version  record...
//   record  u32 length  u32 crc32 of the body  body
//   body    u8 kind  varint nanoseconds since the beginning  fields
//
// The first record is a JSON header: title, date, machine, and the model's card. Integers are zigzag varints. Texts, ids, times and probabilities are exact.
// Readings are rounded: log decays to one byte (a factor of 1.037 at most between 2^-21 and 2^5, 0 stays 0, beyond is cut), the other sites to f16; pictures of
// states to f16. What was not captured is not stored.
#pragma once

#include <filesystem>
#include <set>
#include <span>

#include "core/runs/run.h"

namespace klp {

inline constexpr uint32_t kRecordingVersion = 1;

struct RecordingHeader {
    std::string title, about;  // a few words, a sentence
    std::string date;          // "2026-03-01 12:30 UTC"
    std::string build;         // "klp 0.1.0"
    std::string licence;       // what others may do with it
    std::shared_ptr<const RunCard> card;
};

// Appends to a new file. Every record is whole or not there: a killed program loses what was not flushed, a full disk the record that did not fit.
class RecordingWriter {
public:
    // Refuses a file that exists. `called`: the name for errors, where it will be renamed.
    static Result<RecordingWriter> create(const std::filesystem::path& file, const RecordingHeader& header, const std::filesystem::path& called = {});
    RecordingWriter(RecordingWriter&& other) noexcept;
    RecordingWriter& operator=(RecordingWriter&& other) noexcept;
    ~RecordingWriter();  // flushes

    // `nanoseconds` since the recording began. Once it has failed it says the same again and writes nothing more.
    Result<void> append(const Event& event, int64_t nanoseconds);
    Result<void> flush();
    int64_t bytes() const { return written_ + static_cast<int64_t>(waiting_.size()); }
    const std::filesystem::path& path() const { return path_; }

private:
    RecordingWriter() = default;
    void put_record(const std::string& body);
    void name_ids(std::span<const int32_t> ids, int64_t nanoseconds);
    std::filesystem::path path_;
    int fd_ = -1;
    int64_t written_ = 0;
    std::string waiting_;
    std::set<int32_t> named_;  // ids whose text is in the file
    std::shared_ptr<const RunCard> card_;
    std::optional<Error> failed_;
};

class Recording {
public:
    // Reads all whole records; damage() says what was not whole. Fails where there is no header, or a newer version.
    static Result<std::shared_ptr<const Recording>> open(const std::filesystem::path& file);
    static Result<std::shared_ptr<const Recording>> of(std::string bytes, const std::filesystem::path& called);  // the same of what is no file
    // Of events that are at hand, each with its time in nanoseconds; nothing of them is rounded.
    static std::shared_ptr<const Recording> of(RecordingHeader header, std::vector<std::pair<int64_t, Event>> events);
    // Only the header, for lists of recordings.
    static Result<RecordingHeader> peek(const std::filesystem::path& file);
    ~Recording();
    Recording(const Recording&) = delete;

    const RecordingHeader& header() const { return header_; }  // the card has a tokenizer of the ids that occur
    const std::string& damage() const { return damage_; }      // a sentence, or ""
    const std::filesystem::path& path() const { return path_; }
    size_t size() const { return entries_.size(); }  // events
    int64_t nanoseconds(size_t i) const { return entries_[i].nanoseconds; }
    template <class T>
    bool is(size_t i) const {
        return entries_[i].kind == kind_of<T>();
    }
    // Nothing where the record says something impossible: a file may lie behind a right checksum.
    std::optional<Event> event(size_t i) const;

private:
    Recording() = default;
    template <class T>
    static constexpr size_t kind_of() {
        size_t n = 0;
        [&]<class... E>(std::variant<E...>*) { (void)((std::is_same_v<T, E> || (++n, false)) || ...); }(static_cast<Event*>(nullptr));
        return n;
    }
    struct Entry {
        size_t offset;  // of the fields
        int64_t nanoseconds;
        uint32_t length;
        uint8_t kind;  // index in Event
    };
    std::filesystem::path path_;
    RecordingHeader header_;
    std::string damage_;
    static Result<std::shared_ptr<const Recording>> read(std::shared_ptr<Recording> r);  // whose bytes are there
    std::vector<Event> told_;                                                            // where there is no file
    std::string own_;
    std::string_view bytes_;  // own or mapped
    std::vector<Entry> entries_;
};

// "2026-03-01 12:30 UTC"
std::string date_text(int64_t seconds_since_1970);

}  // namespace klp
