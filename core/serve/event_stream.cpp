#include "core/serve/event_stream.h"

#include <algorithm>
#include <utility>

namespace klp {

std::optional<std::vector<std::string>> EventStream::push(std::string_view bytes) {
    while (!bytes.empty() && !too_large_) {
        if (std::exchange(after_return_, false) && bytes[0] == '\n') {  // of a line end that was cut in two
            bytes.remove_prefix(1);
            continue;
        }
        const size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
        too_large_ = line_.size() + data_.size() + end > kLargest;
        if (too_large_) break;
        line_ += bytes.substr(0, end);
        if (end == bytes.size()) break;
        after_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        end_line();
    }
    if (too_large_) return {};
    return std::exchange(whole_, {});
}

void EventStream::end_line() {
    std::string line = std::exchange(line_, {});
    if (!std::exchange(begun_, true) && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (line.empty()) {
        if (std::exchange(has_data_, false)) whole_.push_back(std::exchange(data_, {}));
        return;
    }
    const size_t colon = std::min(line.find(':'), line.size());  // in front: a comment
    if (std::string_view(line).substr(0, colon) != "data") return;
    line.erase(0, colon + 1);
    if (line.starts_with(' ')) line.erase(0, 1);
    if (std::exchange(has_data_, true)) data_ += '\n';
    data_ += line;
}

std::string EventStream::finish() {
    if (!line_.empty()) end_line();
    has_data_ = false;
    return std::exchange(data_, {});
}

}  // namespace klp
