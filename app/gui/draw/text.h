// Text of the engine as widgets show it.
#pragma once

#include <QString>
#include <string_view>

namespace klp::gui {

inline QString text_of(std::string_view utf8) { return QString::fromUtf8(utf8.data(), static_cast<qsizetype>(utf8.size())); }
// A token's bytes with nothing hidden: spaces as "·", line ends as "⏎", tabs as "⇥"; what is no UTF-8 as U+FFFD.
QString visible_token(std::string_view bytes);

}  // namespace klp::gui
