// The Run protocol on the wire: what a Run is told and what it says, as bytes between a program that has the engine (klp serve) and one that shows it.
//
//   frame   u32 length of what follows  u8 kind  varint number  varint nanoseconds  fields
//
// Commands count up from 1 and so do events, so that whoever has lost the line says what it has, and nothing is done or told twice. Kinds of events are their
// index in Event, of commands in Command; the fields are those of event_fields.h, whole: readings and states are float32 as they are.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/runs/run.h"

namespace klp {

inline constexpr int kWireVersion = 2;                      // 2: with hands on the memory (interventions.h)
inline constexpr const char* kWireHeader = "Klp-Run";       // of every request: the version. No page of a browser can send it unasked
inline constexpr const char* kSecretHeader = "Klp-Secret";  // who opened the run, and so may command it
inline constexpr const char* kWireType = "application/x-klp-run";
inline constexpr size_t kLargestFrame = 64 << 20;  // bytes

// Kinds beside those of commands (watch, cancel) and of events.
enum WireKind : uint8_t { wire_watch = 200, wire_cancel = 201, wire_alive = 250, wire_over = 251 };  // over: a sentence; the run is gone

struct WireFrame {
    uint8_t kind = 0;
    int64_t number = 0, nanoseconds = 0;  // since the run was opened
    std::string_view fields;
};
std::string wire_frame(uint8_t kind, int64_t number, int64_t nanoseconds, std::string_view fields);

// Frames out of bytes that come in any pieces.
class WireReader {
public:
    void push(std::string_view bytes);
    // The next whole one, whose fields are there until the next push; nothing: more must come. An Error: these are no frames, and never will be.
    Result<std::optional<WireFrame>> next();
    bool empty() const { return at_ == bytes_.size(); }  // nothing of a frame waits

private:
    std::string bytes_;
    size_t at_ = 0;
};

// What a model is, as JSON: the header of a recording and what a recording does not say. Without its tokens, which are another 1 to 2 MB for the 48B.
std::string card_on_wire(const RunCard& card);
Result<std::shared_ptr<RunCard>> card_of_wire(std::string_view json, const std::string& from);
// Every token's bytes. The tokenizer that comes of it knows ids and encodes nothing: the engine does.
std::string words_on_wire(const Tokenizer& tokenizer);
Result<Tokenizer> words_of_wire(std::string_view bytes, const std::string& from);

}  // namespace klp
