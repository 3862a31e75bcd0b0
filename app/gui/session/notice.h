// A sentence for people, with what can be done about it as buttons, that knows when it has stopped being true.
#pragma once

#include <QMetaType>
#include <QString>
#include <functional>
#include <vector>

namespace klp::gui {

struct Notice {
    QString what, advice;
    bool bad = true;
    // Asked whenever anything has changed; the sentence goes when it says no. Without it, a note goes with the messages that it stood above, and what went
    // wrong when something has gone right.
    std::function<bool()> holds = {};
    struct Action {
        QString text;
        std::function<void()> go;
    };
    std::vector<Action> actions = {};  // the first is the most likely one
};

}  // namespace klp::gui

Q_DECLARE_METATYPE(klp::gui::Notice)
