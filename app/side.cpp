#include "app/side.h"

#include <algorithm>
#include <exception>
#include <sstream>
#include <thread>
#include <utility>

#include "app/format.h"
#include "core/serve/in_step.h"
#include "core/text/thoughts.h"

namespace klp {

namespace {

constexpr int kTwoColumns = 64;  // of the window's width, from which on answers stand beside each other

std::string cost_of_side(const Conversation::Answer& answer, const MemoryUse& use) {
    const auto tokens = static_cast<int64_t>(answer.generation.tokens.size());
    return plural(tokens, "token") + ", " + short_number(tokens_per_second(tokens, answer.generation.decode_ns)) + " tokens/s in " +
           duration_text(double(answer.generation.decode_ns)) + "; state " + bytes_text(use.state + use.conv) + ", cache " + bytes_text(use.cache);
}

std::vector<std::string> lines_of(const std::string& text, int width) {
    std::istringstream all(wrapped(text, width));
    std::vector<std::string> out;
    for (std::string line; std::getline(all, line);) out.push_back(std::move(line));
    return out;
}

}  // namespace

SideTalk::SideTalk(std::string name, InterventionsPtr hands, std::shared_ptr<const Model> model, Conversation talk)
    : name_(std::move(name)), hands_(std::move(hands)), model_(std::move(model)), talk_(std::move(talk)), ws_(model_->backend()) {}

Result<std::unique_ptr<SideTalk>> SideTalk::open(Session& session, const std::string& what) {
    std::shared_ptr<const Model> model = session.engine.model;
    InterventionsPtr hands;
    std::string name = "without hands";
    if (what == "twin") {
        auto twin = model->attention_twin(session.engine.checkpoint.folder);
        if (!twin) return tl::unexpected(twin.error());
        model = std::move(*twin);
        name = "full attention (" + std::string(label(model->twin().value_or(TwinKind::synthetic))) + ")";
    } else if (what != "plain") {
        auto read = read_hands(what);
        if (!read) return tl::unexpected(read.error());
        if (*read)
            if (auto has = check(**read, model->config()); !has) return fail(has.error().kind, what + ": " + has.error().message);
        hands = std::move(*read);
        name = "under " + what;
    }
    const int64_t context = std::min(session.talk.sequence().context(), model->config().model_max_length);
    auto talk = Conversation::begin(model, session.engine.checkpoint.tokenizer, context);
    if (!talk) return tl::unexpected(talk.error());
    std::unique_ptr<SideTalk> side(new SideTalk(std::move(name), std::move(hands), std::move(model), std::move(*talk)));
    if (auto told = side->follow(session); !told) return tl::unexpected(told.error());
    return side;
}

Result<void> SideTalk::follow(Session& session) {
    if (followed_ == session.talk.tip()) return {};
    talk_.set_system(session.talk.system());
    talk_.set_tools(session.talk.tools());
    std::vector<Conversation::Said> line;
    for (const int i : session.talk.line(session.talk.tip())) {
        const Conversation::Node& node = session.talk.node(i);
        line.push_back({node.role, node.text, node.tokens});
    }
    const bool alike = model_ == session.engine.model && !hands_ && !session.talk.touched();  // then its memory is this one's, too
    if (line.empty()) {
        if (auto begun = talk_.restart(ws_); !begun) return tl::unexpected(begun.error());
        if (auto laid = talk_.begin_touched(hands_); !laid) return laid;
    } else if (auto told = talk_.adopt(line, alike ? session.talk.sequence().snapshot() : nullptr, ws_, &g_interrupted, hands_); !told) {
        return tl::unexpected(told.error());
    }
    followed_ = session.talk.tip();
    return {};
}

Result<Conversation::Answer> SideTalk::ask(Session& session, const std::string& text) {
    if (auto there = follow(session); !there) return tl::unexpected(there.error());
    const auto turns = std::make_shared<Turns>();
    auto seats = in_step(2, turns);
    Result<Conversation::Answer> theirs = fail(Error::failure, "nothing was answered");
    std::exception_ptr wrong;
    std::thread other;
    const auto answer = session.speak(
        [&](const GenerateOptions& how) {
            GenerateOptions alike;
            alike.sampling = how.sampling, alike.budget = how.budget, alike.cancel = how.cancel, alike.stepper = seats[1].get();
            other = std::thread([&, alike] {
                try {
                    const std::unique_lock turn(*turns);
                    theirs = talk_.ask(text, ws_, alike);
                } catch (...) {
                    wrong = std::current_exception();
                }
                seats[1]->leave();
            });
            struct Leave {  // whatever happens, the other goes on to its end
                Stepper& seat;
                std::thread& other;
                ~Leave() { seat.leave(), other.join(); }
            } leave{*seats[0], other};
            GenerateOptions mine = how;
            mine.stepper = seats[0].get();
            const std::unique_lock turn(*turns);
            return session.talk.ask(text, session.ws, mine);
        },
        /*stream=*/false);
    if (wrong) std::rethrow_exception(wrong);
    if (!answer) return answer;
    if (!theirs) note("klp: " + name_ + ": " + theirs.error().message);
    followed_ = theirs ? session.talk.tip() : -1;
    const auto said = [](const Conversation& talk) { return harmless(parted_thoughts(talk.node(talk.tip()).text).said); };
    show(session, said(session.talk), theirs ? said(talk_) : "");
    if (theirs) {
        put(dim(wrapped("this talk: " + cost_of_side(*answer, session.memory()), session.terminal.canvas.width), session.terminal.canvas));
        put(dim(wrapped(name_ + ": " + cost_of_side(*theirs, talk_.sequence().memory()), session.terminal.canvas.width), session.terminal.canvas));
    }
    return answer;
}

void SideTalk::show(const Session& session, const std::string& mine, const std::string& theirs) const {
    const Canvas& canvas = session.terminal.canvas;
    if (!session.terminal.output || canvas.width < kTwoColumns) {
        put(bold("this talk:\n", canvas) + wrapped(mine, canvas.width) + "\n" + bold(name_ + ":\n", canvas) + wrapped(theirs, canvas.width));
        return;
    }
    const int column = (canvas.width - 3) / 2;
    const std::string rule = canvas.unicode ? " │ " : " | ";
    const auto left = lines_of(mine, column), right = lines_of(theirs, column);
    put(bold(padded(clipped("this talk", column), column), canvas) + rule + bold(clipped(name_, column), canvas) + "\n");
    for (size_t i = 0; i < std::max(left.size(), right.size()); ++i)
        put(padded(i < left.size() ? left[i] : "", column) + rule + (i < right.size() ? right[i] : "") + "\n");
}

void stand_beside(Session& session, const std::vector<std::string>& words) {
    if (words.empty())
        return put(wrapped(session.side ? "Beside this talk: " + session.side->name() + ". /beside off ends it."
                                        : "/beside twin, /beside plain or /beside FILE (of interventions) answers every message a second time, in step.",
                           session.terminal.canvas.width)),
               void();
    if (words[0] == "off") return session.side.reset();
    auto side = SideTalk::open(session, words[0]);
    session.reading.reset();
    if (!side) return note("klp: " + side.error().message);
    session.side = std::move(*side);
    put(wrapped("From now on every message is answered here and beside it, in step: " + session.side->name() + ".", session.terminal.canvas.width));
}

}  // namespace klp
