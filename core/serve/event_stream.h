// Server-sent events (WHATWG HTML, section 9.2), of which OpenAI's API uses the data alone: bytes that are cut anywhere in, the data of whole events out.
//
//   EventStream events;
//   for (const std::string& data : *events.push("data: {\"a\"")) ...   // nothing yet
//   for (const std::string& data : *events.push(": 1}\n\n")) ...       // {"a": 1}
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace klp {

class EventStream {
public:
    static constexpr size_t kLargest = 16 << 20;  // bytes of an event
    // The data of the events that are whole now. Nothing: one is larger than kLargest, and no more is taken.
    std::optional<std::vector<std::string>> push(std::string_view bytes);
    // At the end: the data of an event that no empty line closed. Some servers leave the last one out; of a torn one it is half of what was meant.
    std::string finish();

private:
    void end_line();
    std::string line_, data_;
    std::vector<std::string> whole_;
    bool begun_ = false, has_data_ = false, after_return_ = false, too_large_ = false;
};

}  // namespace klp
