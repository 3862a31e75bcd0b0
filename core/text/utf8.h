// UTF-8 that may be broken or cut anywhere.
#pragma once

#include <string>
#include <string_view>

namespace klp {

enum class Utf8 { whole, broken, unfinished };  // unfinished: the text ends where its next byte could still make it a character
struct Utf8Step {
    Utf8 kind;
    size_t size;  // of the character, or of the maximal part that begins no character (Unicode, table 3-7)
};
Utf8Step utf8_step(std::string_view text);         // what stands at the front of a text that is not empty
size_t utf8_valid_prefix(std::string_view bytes);  // bytes at the front that are whole characters

std::string repair_utf8(std::string_view bytes);  // every maximal invalid part becomes one U+FFFD, as Python's decode(errors='replace')

// Bytes in, whole UTF-8 characters out: holds back an unfinished character until its last byte comes; what can never become one turns into U+FFFD.
class Utf8Stream {
public:
    std::string push(std::string_view bytes);  // the characters that are complete now
    std::string finish();                      // what is left, as U+FFFD

private:
    std::string pending_;
};

}  // namespace klp
