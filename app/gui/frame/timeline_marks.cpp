#include "app/gui/frame/timeline_marks.h"

#include <QCoreApplication>
#include <algorithm>

#include "app/format.h"
#include "app/gui/chat/chats.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

QString tr(const char* text) { return Language::tr(text); }

// The beginning of what a message says, from its tokens.
QString words(const TraceStore& trace, const Tokenizer* tokenizer, int64_t from) {
    std::string said;
    for (int64_t p = from; p < trace.size() && said.size() < 90; ++p) {
        const TokenRow& row = trace.row(p);
        if (tokenizer && tokenizer->is_special(row.id)) {
            if (p > from) break;
            continue;
        }
        said += row.text;
    }
    return QString::fromStdString(clipped(one_line(said), 60));
}

}  // namespace

std::vector<TimelineMark> timeline_marks(const Session& session, const Chats* chats) {
    std::vector<TimelineMark> all;
    const TraceStore& trace = session.trace();
    const Tokenizer* tokenizer = trace.card() ? trace.card()->tokenizer.get() : nullptr;
    const auto add = [&](bool answers, int64_t at, int64_t text) {
        const QString said = words(trace, tokenizer, text);
        all.push_back(
            {answers ? TimelineMark::answer : TimelineMark::message, at, (answers ? tr("An answer begins: “%1”") : tr("A message begins: “%1”")).arg(said)});
    };
    for (int64_t p = 0; p < trace.size(); ++p) {
        const bool made = trace.row(p).made, was = p > 0 && trace.row(p - 1).made;
        if (made && !was) add(true, p, p);
        if (tokenizer && !made && tokenizer->is_special(trace.row(p).id)) {  // <|im_user|>user<|im_middle|>…
            const std::string_view name = tokenizer->bytes(trace.row(p).id);
            if (name == "<|im_user|>" || name == "<|im_system|>") add(false, p, p + 3);
        } else if (!tokenizer && !made && (p == 0 || was)) {
            add(false, p, p);
        }
    }
    if (chats && session.live() && !chats->recorded()) {
        const Chat& chat = chats->chat();
        for (const auto& [id, position] : chats->message_positions()) {
            if (position >= trace.size()) break;
            auto beside = chat.children(chat.message(id).parent);
            std::erase_if(beside, [&](int other) { return chat.message(other).role != chat.message(id).role; });
            if (beside.size() > 1)
                all.push_back({TimelineMark::branch, position, Language::tr("%Ln branch(es) begin here", nullptr, static_cast<int64_t>(beside.size()))});
        }
    }
    for (int64_t at : session.snapshots().along)
        if (at > 0 && at <= trace.size())
            all.push_back({TimelineMark::snapshot, at, tr("A snapshot of the memory behind token %1: going back here costs no reading").arg(at - 1)});
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.position < b.position; });
    return all;
}

}  // namespace klp::gui
