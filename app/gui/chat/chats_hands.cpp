// Hands on the memory of the talk in sight: the last question answered again under them, beside the answer that stands, and how far the two are apart.
#include <algorithm>

#include "app/gui/chat/chats.h"
#include "app/gui/draw/language.h"
#include "core/runs/served_run.h"

namespace klp::gui {

// The question that began the turn of an answer, which may hold calls of tools and what they returned; 0: there is none.
static int question_of(const Chat& chat, int answer) {
    int id = chat.message(answer).parent;
    while (id > 0 && chat.message(id).role != "user") id = chat.message(id).parent;
    return id;
}

Session::HandsNow Chats::hands_now() const {
    Session::HandsNow now;
    const int tip = current_->tip();
    now.list = current_->hands(tip);
    for (const int id : current_->line()) now.undo = now.undo || (current_->message(id).beside > 0 && !current_->message(current_->message(id).beside).removed);
    now.undo = now.undo && !recorded() && !answering();
    const ChatMessage* m = tip > 0 ? &current_->message(tip) : nullptr;
    now.why_not = recorded()                         ? tr("This is a recording: nothing in it can be changed. Load a model to lay hands on its memory.")
                  : served_card(session_.card())     ? tr("Another program serves this model, and its memory is out of reach from here.")
                  : !session_.card() || loading()    ? tr("Load a model, and its memory can be changed here.")
                  : answering()                      ? tr("An answer is being made.")
                  : !m || m->role != "assistant"     ? tr("Ask something first: the answer is made again under the hand, beside the one that stands.")
                  : question_of(*current_, tip) == 0 ? tr("This answer has no question that could be asked again.")
                  : m->model != session_.card()->name
                      ? tr("This answer is of another model. Regenerate it first, so that the two that are compared are of one.")
                      : QString();
    if (!m || m->role != "assistant") return now;
    const auto positions = tokens_.positions(*current_);
    const int asked = question_of(*current_, tip);
    for (const auto& [message, position] : positions)
        if (asked > 0 && message == asked) now.question = position;
    return now;
}

// One that says of the same place what another says takes its place; a factor of 1 is none.
static Interventions laid_on(const Interventions* before, Intervention what) {
    Interventions all = before ? *before : Interventions();
    if (!what.once()) {
        std::erase_if(all, [&](Intervention one) {
            one.amount = what.amount, one.from = what.from;
            return one == what;
        });
        if (what.amount == 1 && what.what != Intervention::What::silence) return all;
    }
    all.push_back(std::move(what));
    return all;
}

void Chats::lay_hand(Intervention what, bool whole_line) {
    const Session::HandsNow now = hands_now();
    if (!now.why_not.isEmpty()) return session_.say(now.why_not, {}, false);
    const int tip = current_->tip();
    const auto positions = tokens_.positions(*current_);
    const auto asked = std::find_if(positions.begin(), positions.end(), [this, tip](const auto& p) { return p.first == question_of(*current_, tip); });
    const int64_t answer = first_position(tip);
    if (asked == positions.end() || answer < 0)
        return session_.say(tr("The question of this answer is not in the model's memory any more: it was summed up."), tr("Ask something."), false);
    what.from = whole_line && !what.once() ? 0 : asked->second;
    if (what.what == Intervention::What::hide) {
        what.from = std::max(asked->second, what.tokens.second);
        if (what.from >= answer)
            return session_.say(tr("Only what stands before the answer can be hidden from it."), tr("Choose tokens further up, or ask something more."), false);
    }
    const auto list = std::make_shared<const Interventions>(laid_on(now.list.get(), std::move(what)));
    if (auto fits = check(*list, session_.card()->config); !fits) return session_.say(QString::fromStdString(fits.error().message) + ".", {}, false);
    if (list->empty() ? !now.list : now.list && *list == *now.list) return session_.say(tr("That is how it is already."), {}, false);
    const ChatMessage m = current_->message(tip);
    MakeAnswer ask = question(parts(*current_, m.parent, false), list->empty() ? nullptr : list);
    if (m.stats) ask.sampling.seed = m.stats->seed;
    make(std::move(ask), "assistant", m.parent, false, tip);
    laid_here_.insert({current_, current_->tip()});
}

void Chats::undo_hand() {
    if (recorded() || answering()) return (void)ready();
    const std::vector<int> line = current_->line();
    for (auto id = line.rbegin(); id != line.rend(); ++id)
        if (const int beside = current_->message(*id).beside; beside > 0 && !current_->message(beside).removed) return choose(beside);
}

// The answer that stood before, or this one, judged under its own hands and under those of the other.
const Compared* Chats::compared(int id, bool itself) {
    const Judged judged{current_, id, itself};
    if (const auto known = compared_.find(judged); known != compared_.end()) return &known->second;
    const ChatMessage& m = current_->message(id);
    if (m.beside == 0 || !can_answer() || served_card(session_.card()) || comparing_ > 0 || m.model != session_.card()->name) return nullptr;
    const ChatMessage &before = current_->message(m.beside), &words = itself ? m : before;
    if (words.ids.empty() || before.parent != m.parent || !tokens_.sound(*current_, words)) return nullptr;
    // Of a chat that was opened again nobody keeps the memory in front of the answer: a long one is not read again for a figure.
    if (!laid_here_.contains({current_, id}) && first_position(words.id) > cheap_replay()) return nullptr;
    if (!compared_asked_.insert(judged).second) return nullptr;  // once: what cannot be told is not asked for again
    comparing_ = ++requests_;
    compared_of_ = judged;
    session_.post(Compare{comparing_, parts(*current_, words.id, false), before.hands, m.hands});
    return nullptr;
}

void Chats::take(const Compared& e) {
    if (e.request != comparing_) return;
    comparing_ = 0;
    const Judged judged = std::exchange(compared_of_, {});
    if (e.end == Retraced::End::gave_way) compared_asked_.erase(judged);  // when the model rests again
    if (e.end == Retraced::End::whole) compared_[judged] = e;
    if (judged.chat == current_) emit message_changed(0);  // other cards may ask now
}

}  // namespace klp::gui
