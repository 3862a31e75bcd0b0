#include "app/gui/chat/again.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>

#include "app/gui/session/memory_model.h"
#include "core/runs/served_run.h"

namespace klp::gui {

namespace {

// The words of a server as tokens: of a recording none is asked for any more.
std::shared_ptr<const Tokenizer> words_of(const ServedCard& card, const std::vector<std::pair<int64_t, Event>>& events) {
    std::map<int32_t, Tokenizer::Piece> pieces;
    const auto add = [&](int32_t id) {
        std::string bytes = card.words->bytes(id);
        if (bytes.empty()) bytes = card.tokenizer->bytes(id);
        pieces.try_emplace(id, Tokenizer::Piece{std::move(bytes), card.tokenizer->is_special(id)});
    };
    for (const auto& [_, event] : events) {
        if (const auto* fed = std::get_if<PromptFed>(&event)) std::for_each(fed->ids.begin(), fed->ids.end(), add);
        const auto* made = std::get_if<TokenMade>(&event);
        if (!made) continue;
        add(made->id);
        for (const Candidate& c : made->top) add(c.id);
    }
    return std::make_shared<const Tokenizer>(Tokenizer::of_pieces(std::move(pieces)));
}

}  // namespace

bool can_play_again(const Chats& chats, int id) {
    const TraceStore& trace = chats.session().trace();
    if (!chats.can_answer() || chats.session().phase().phase != Phase::ready) return false;
    const ChatMessage& m = chats.chat().message(id);
    const int64_t first = chats.first_position(id), size = static_cast<int64_t>(m.ids.size());
    if (m.role != "assistant" || size == 0 || first <= 0 || first + size > trace.size()) return false;
    for (int64_t i = 0; i < size; ++i)
        if (trace.row(first + i).id != m.ids[static_cast<size_t>(i)]) return false;
    return true;
}

std::shared_ptr<const Recording> answer_again(const Chats& chats, int id) {
    if (!can_play_again(chats, id)) return nullptr;
    const Session& session = chats.session();
    const TraceStore& trace = session.trace();
    const ChatMessage& m = chats.chat().message(id);
    const int64_t first = chats.first_position(id), end = first + static_cast<int64_t>(m.ids.size());
    auto card = std::make_shared<RunCard>(*session.card());
    const auto known = [](double v) { return std::isnan(v) ? 0.0 : v; };
    const auto memory = [&](int64_t tokens) {
        const SequenceBytes b = sequence_bytes(card->config, in_pages(tokens), card->cache_value_bytes);
        return MemoryUse{b.state, b.conv, b.cache};
    };

    std::vector<std::pair<int64_t, Event>> events;
    int64_t clock = 0;
    const auto tell = [&](Event event) { events.emplace_back(clock, std::move(event)); };
    const auto tell_readings = [&](int64_t position) {
        if (const auto values = trace.readings(position); !values.empty()) tell(Readings{position, {values.begin(), values.end()}});
    };
    const auto tell_fed = [&](int64_t from, int64_t to) {
        PromptFed fed{from, {}, {}, m.hands};
        for (int64_t p = from; p < to; ++p) {
            fed.ids.push_back(trace.row(p).id);
            if (!trace.row(p).made) continue;
            if (!fed.answers.empty() && fed.answers.back().last == p)
                ++fed.answers.back().last;
            else
                fed.answers.push_back({p, p + 1});
        }
        tell(std::move(fed));
        for (int64_t p = from; p < to; ++p) tell_readings(p);
    };
    constexpr int kAnswer = 1;
    tell(AnswerBegun{kAnswer, chats.line_before(id), {}, m.hands});
    tell(PhaseChanged{Phase::prefill, 0, first});
    tell_fed(0, first);
    if (session.rolled() > 0) tell(CacheRolled{std::min(session.rolled(), first)});
    tell(PhaseChanged{Phase::decoding});
    for (int64_t p = first; p < end; ++p) {
        const TokenRow& row = trace.row(p);
        clock += static_cast<int64_t>(known(row.nanoseconds));
        TokenMade made{.answer = kAnswer,
                       .position = p,
                       .id = row.id,
                       .text = row.text,
                       .nanoseconds = static_cast<int64_t>(known(row.nanoseconds)),
                       .probability = row.probability};
        made.top = trace.top(p);
        if (!made.top.empty()) made.entropy = row.entropy, made.rank = row.rank;
        made.memory = memory(p);
        tell(std::move(made));
        tell_readings(p);
    }
    AnswerDone done{.answer = kAnswer, .end = m.open ? Generation::End::cancelled : Generation::End::stop_token, .tokens = end - first};
    if (m.stats) {
        done.prompt_tokens = m.stats->prompt_tokens, done.prefill_ns = m.stats->prefill_ns, done.first_token_ns = m.stats->first_token_ns;
        done.decode_ns = m.stats->decode_ns, done.seed = m.stats->seed, done.closing = m.stats->closing;
    }
    int64_t closed = end;  // what closed the turn
    if (end < trace.size() && !trace.row(end).made && !m.open) tell_fed(end, ++closed);
    done.memory = memory(closed);
    tell(done);
    tell(PhaseChanged{Phase::ready});

    if (const ServedCard* served = served_card(session.card())) card->tokenizer = words_of(*served, events);
    card->recorded = QObject::tr("an answer of this chat, played again").toStdString();
    RecordingHeader header;
    header.title = QObject::tr("An answer, again").toStdString();
    header.date = date_text(std::time(nullptr));
    header.build = "klp-gui " KLP_VERSION;
    header.card = std::move(card);
    return Recording::of(std::move(header), std::move(events));
}

}  // namespace klp::gui
