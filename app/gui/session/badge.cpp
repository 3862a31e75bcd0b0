#include "app/gui/session/badge.h"

#include "app/gui/session/session.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

Badge badge_of(const Session& session) {
    const RunCard* card = session.card();
    if (!card) return {Badge::none, Session::tr("NO MODEL"), {}};
    if (!session.live()) {
        const QString about = Session::tr("Recorded: %1").arg(QString::fromStdString(card->recorded));
        return {Badge::replay, session.frozen() ? Session::tr("REPLAY, FROZEN") : Session::tr("REPLAY"), about};
    }
    if (session.frozen()) return {Badge::frozen, Session::tr("FROZEN"), Session::tr("The pictures stand still; the model may go on (Ctrl+Space)")};
    if (const ServedCard* served = served_card(card); served && !session.server_answers())
        return {Badge::elsewhere, Session::tr("NO ANSWER"), Session::tr("The server at %1 does not answer any more").arg(QString::fromStdString(served->url))};
    if (const ServedCard* served = served_card(card))
        return {
            Badge::live, Session::tr("SERVED"),
            Session::tr("A server answers at %1: times are as they are met here, memory is computed from the shape").arg(QString::fromStdString(served->url))};
    if (session.elsewhere())
        return {
            Badge::elsewhere, Session::tr("ANOTHER TALK"),
            Session::tr("Computed now, on this machine, but of other messages than those in sight: the model stands at another talk, or on another branch")};
    if (const std::string at = remote_at(*card); !at.empty())
        return {Badge::live, Session::tr("REMOTE"),
                Session::tr("Everything shown is computed now, by the engine of the klp serve at %1").arg(QString::fromStdString(at))};
    return {Badge::live, Session::tr("LIVE"), Session::tr("Everything shown is computed now, on this machine")};
}

}  // namespace klp::gui
