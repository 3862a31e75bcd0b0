// What the pictures are of, in one word that no screenshot lacks.
#pragma once

#include <QString>

namespace klp::gui {

class Session;

struct Badge {
    // Computed now; standing still while the model goes on; recorded; computed now, but of another talk than the one on the screen.
    enum Kind { none, live, frozen, replay, elsewhere } kind = none;
    QString text, about;
    bool operator==(const Badge&) const = default;
};
Badge badge_of(const Session& session);

}  // namespace klp::gui
