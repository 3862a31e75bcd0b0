#include "core/files/json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/files/foreign.h"

namespace klp {

using nlohmann::json;

Result<std::string> read_text(const std::filesystem::path& file, int64_t limit) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not hang the program
    if (fd < 0) return fail(Error::model, file.string() + ": " + std::strerror(errno));
    struct Closer {
        int fd;
        ~Closer() { close(fd); }
    } closer{fd};
    struct stat st {};
    if (fstat(fd, &st) != 0) return fail(Error::model, file.string() + ": " + std::strerror(errno));
    if (!S_ISREG(st.st_mode)) return fail(Error::model, file.string() + " is not a file" + (S_ISDIR(st.st_mode) ? " but a folder" : ""));
    if (st.st_size > limit)
        return fail(Error::model,
                    file.string() + " has " + std::to_string(st.st_size) + " bytes, more than the " + std::to_string(limit) + " such a file may have");
    std::string text(static_cast<size_t>(st.st_size), '\0');
    size_t have = 0;
    while (have < text.size()) {
        const ssize_t n = ::read(fd, text.data() + have, text.size() - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Error::model, file.string() + ": " + std::strerror(errno));
        if (n == 0) break;
        have += static_cast<size_t>(n);
    }
    text.resize(have);
    if (const std::string what = foreign_file(std::as_bytes(std::span(text))); !what.empty()) return fail(Error::model, file.string() + " " + what);
    return text;
}

Result<json> parse_json(std::string_view text, const std::string& file) {
    constexpr int kDepth = 64;
    std::string wrong;
    std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        if (!wrong.empty()) return false;
        if (depth > kDepth) wrong = "is nested more than " + std::to_string(kDepth) + " levels deep";
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
            wrong = "has the key " + in_quotes(value.get<std::string>()) + " twice in one object";
        return wrong.empty();
    };
    try {
        json parsed = json::parse(text.begin(), text.end(), watch);
        if (wrong.empty()) return parsed;
    } catch (const json::parse_error& e) {
        if (wrong.empty()) wrong = "is not valid JSON at byte " + std::to_string(e.byte);
    } catch (const json::exception&) {
        if (wrong.empty()) wrong = "is not valid JSON: a number is too large";
    }
    return fail(Error::model, file + " " + wrong);
}

std::string in_quotes(std::string_view text) {
    size_t end = std::min<size_t>(text.size(), 100);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // whole characters
    std::string s = "'";
    for (char c : text.substr(0, end)) s += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (end < text.size()) s += "...";
    return s + "'";
}

}  // namespace klp
