// Events and commands as bytes: one description of each, written by FieldWriter and read by FieldReader. Integers are zigzag varints. What is rounded is said on
// top of recording.h; `whole` rounds nothing and leaves nothing out, as a line to an engine elsewhere needs it (wire.h).
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/runs/run.h"

namespace klp {

// Log decays g <= 0 in a byte; NaN and 0 stay what they are.
uint8_t decay_to_byte(float g);
float decay_of_byte(uint8_t byte);

class FieldWriter {
public:
    static constexpr bool reads = false;
    FieldWriter(std::string& to, const TraceShape& s, bool all = false) : shape(s), whole(all), to_(to) {}
    void unsigned_(uint64_t v) {
        for (; v >= 128; v >>= 7) to_ += static_cast<char>(v | 128);
        to_ += static_cast<char>(v);
    }
    template <class T>
    void number(const T& value) {  // integers, enums, bools
        const auto v = static_cast<int64_t>(value);
        unsigned_(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63));
    }
    template <class T>
    void exact(const T& value) {
        to_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(const std::string& s) { unsigned_(s.size()), to_ += s; }
    template <class T, class Each>
    void list(const std::vector<T>& all, Each&& each) {
        unsigned_(all.size());
        for (const T& v : all) each(const_cast<T&>(v));
    }
    void floats(std::span<const float> values) { to_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes()); }
    void halves(std::span<const float> values) {
        if (whole) return floats(values);
        std::vector<float> cut(values.begin(), values.end());
        for (float& v : cut) v = std::clamp(v, -65504.f, 65504.f);  // NaN stays NaN
        const size_t at = to_.size();
        to_.resize(at + 2 * cut.size());
        encode(DType::f16, cut.data(), static_cast<int64_t>(cut.size()), to_.data() + at);
    }
    void bytes(std::span<const float> values) {
        if (whole) return floats(values);
        for (float v : values) to_ += static_cast<char>(decay_to_byte(v));
    }
    const TraceShape& shape;
    const bool whole;

private:
    std::string& to_;
};

// Whatever the bytes are, reading ends; after the first lie `ok` is false and everything reads zero.
class FieldReader {
public:
    static constexpr bool reads = true;
    FieldReader(std::string_view from, const TraceShape& s, bool all = false) : shape(s), whole(all), from_(from) {}
    uint64_t unsigned_() {
        uint64_t v = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::string_view byte = take(1);
            if (byte.empty()) return 0;
            v |= static_cast<uint64_t>(byte[0] & 127) << shift;
            if (!(byte[0] & 128)) return v;
        }
        ok = false;
        return 0;
    }
    template <class T>
    void number(T& value) {
        const uint64_t u = unsigned_();
        const auto v = static_cast<int64_t>(u >> 1 ^ (~(u & 1) + 1));
        value = static_cast<T>(v);
        if (static_cast<int64_t>(value) != v) ok = false;
    }
    template <class T>
    void exact(T& value) {
        if (const std::string_view b = take(sizeof value); !b.empty()) std::memcpy(&value, b.data(), sizeof value);
    }
    void text(std::string& s) { s = take(unsigned_()); }
    template <class T, class Each>
    void list(std::vector<T>& all, Each&& each) {
        const uint64_t n = unsigned_();
        if (n > from_.size()) ok = false;  // an element has a byte at least
        for (uint64_t i = 0; ok && i < n; ++i) each(all.emplace_back());
    }
    void floats(std::span<float> values) {
        if (const std::string_view b = take(values.size_bytes()); !b.empty()) std::memcpy(values.data(), b.data(), b.size());
    }
    void halves(std::span<float> values) {
        if (whole) return floats(values);
        const std::string_view b = take(2 * values.size());
        if (!b.empty()) decode(DType::f16, b.data(), static_cast<int64_t>(values.size()), values.data());
    }
    void bytes(std::span<float> values) {
        if (whole) return floats(values);
        const std::string_view b = take(values.size());
        for (size_t i = 0; i < b.size(); ++i) values[i] = decay_of_byte(static_cast<uint8_t>(b[i]));
    }
    void must(bool right) { ok = ok && right; }
    size_t left() const { return from_.size(); }
    bool ok = true;
    const TraceShape& shape;
    const bool whole;

private:
    std::string_view take(uint64_t n) {
        if (n > from_.size()) ok = false;
        if (!ok) return {};
        const std::string_view all = from_.substr(0, n);
        from_.remove_prefix(n);
        return all;
    }
    std::string_view from_;
};

// The fields of an event; its kind, the index in Event, is written by whoever frames it.
void write_event(const Event& event, FieldWriter& out);
// Nothing where the bytes say something impossible, or kind is no event.
std::optional<Event> read_event(size_t kind, FieldReader& in);

// The same of a command, by its index in Command; loading and unloading are for the program that has the model, and are no bytes.
void write_command(const Command& command, FieldWriter& out);
std::optional<Command> read_command(size_t kind, FieldReader& in);
void write_interest(const Interest& interest, FieldWriter& out);
std::optional<Interest> read_interest(FieldReader& in);

}  // namespace klp
