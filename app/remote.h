// A talk with the engine of a klp serve elsewhere (klp --at): the answers, and what the lenses of the terminal show of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/lenses.h"
#include "app/watch.h"
#include "core/runs/remote_run.h"

namespace klp {

class RemoteTalk {
public:
    static Result<std::unique_ptr<RemoteTalk>> open(const std::string& at, const std::string& ssh, const std::string& key_variable);
    const RunCard& card() const { return *card_; }
    const std::string& at() const { return at_; }

    struct Answer {
        ServedReply reply;
        std::vector<int32_t> ids;
        int32_t closing = -1;
    };
    // Ctrl-C ends the answer and keeps what came.
    Result<Answer> answer(const MakeAnswer& ask, const OnPiece& on_piece);
    const Watch& watch() const { return watch_; }  // of the newest answer
    std::string state(HeadName name, bool table, const Canvas& canvas);

private:
    RemoteTalk(std::string at, std::shared_ptr<const RunCard> card, std::unique_ptr<Run> run);
    // Events until `is_last` says so. An Error: trouble of the answer, or a line that was lost and then given up with Ctrl-C.
    Result<void> events_until(const std::function<bool(const Event&)>& is_last);
    void watch_row(const Readings& row);
    std::string at_;
    std::shared_ptr<const RunCard> card_;
    std::unique_ptr<Run> run_;
    Watch watch_;
};

}  // namespace klp
