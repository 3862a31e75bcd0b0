// Hands on the memory (interventions.h) in the reader's language.
#pragma once

#include <QString>

#include "core/model/interventions.h"

namespace klp::gui {

// "half-lives of layer 0, head 1 × 2, from token 12 on".
QString times_text(float amount);  // "0.125"
// `when`: with the tokens it is of.
QString hand_words(const Intervention& one, bool when = true);
QString hands_words(const Interventions* all);  // one a line; "": none

}  // namespace klp::gui
