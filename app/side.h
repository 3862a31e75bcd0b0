// A second talk beside that of the terminal: it hears the same messages, and both answers are made in step. Of the same model without hands or under others, or of
// its full-attention twin.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/session.h"

namespace klp {

class SideTalk {
public:
    // "twin", "plain" (without hands), or a file of interventions. What was said so far is told to it, too.
    static Result<std::unique_ptr<SideTalk>> open(Session& session, const std::string& what);
    // The answers to a message, made in step; both are shown beside each other, and what each cost.
    Result<Conversation::Answer> ask(Session& session, const std::string& text);
    const std::string& name() const { return name_; }

private:
    SideTalk(std::string name, InterventionsPtr hands, std::shared_ptr<const Model> model, Conversation talk);
    Result<void> follow(Session& session);  // the line of the other talk, where that has moved
    void show(const Session& session, const std::string& mine, const std::string& theirs) const;
    std::string name_;
    InterventionsPtr hands_;
    std::shared_ptr<const Model> model_;
    Conversation talk_;
    Workspace ws_;
    int followed_ = -1;  // the node of the other talk that this one has heard
};

void stand_beside(Session& session, const std::vector<std::string>& words);  // /beside

}  // namespace klp
