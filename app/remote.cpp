#include "app/remote.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "app/terminal.h"
#include "core/system.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

constexpr auto kLookPause = std::chrono::milliseconds(2);  // between two drains

}  // namespace

Result<std::unique_ptr<RemoteTalk>> RemoteTalk::open(const std::string& at, const std::string& ssh, const std::string& key_variable) {
    const auto line = engine_line(at, ssh, key_variable, &g_interrupted);
    if (!line) return tl::unexpected(line.error());
    std::shared_ptr<const RunCard> card;
    auto run = open_remote(*line, &g_interrupted, &card);
    if (!run) return tl::unexpected(run.error());
    return std::unique_ptr<RemoteTalk>(new RemoteTalk(line->called, std::move(card), std::move(*run)));
}

RemoteTalk::RemoteTalk(std::string at, std::shared_ptr<const RunCard> card, std::unique_ptr<Run> run)
    : at_(std::move(at)), card_(std::move(card)), run_(std::move(run)), watch_(card_->config) {
    Interest interest;
    watch_.start();
    for (int s = 0; s < kSites; ++s) interest.sites[s] = watch_.wants(static_cast<Site>(s), 0);
    run_->watch(interest);
}

Result<void> RemoteTalk::events_until(const std::function<bool(const Event&)>& is_last) {
    bool lost = false;
    for (bool cancelled = false;;) {
        if (g_interrupted && !std::exchange(cancelled, true)) run_->cancel();
        if (cancelled && lost) return fail(Error::interrupted, "interrupted while the line was lost");
        bool last = false;
        for (const Event& e : run_->drain()) {
            if (const auto* trouble = std::get_if<Trouble>(&e)) {
                lost = trouble->passing;
                if (!lost) return tl::unexpected(trouble->error);
                note("klp: " + trouble->error.message + "; it is tried again (Ctrl-C gives up)");
                continue;
            }
            lost = false;
            last = is_last(e) || last;
        }
        if (last) return {};
        std::this_thread::sleep_for(kLookPause);
    }
}

void RemoteTalk::watch_row(const Readings& row) {
    for (int s = 0; s < kSites; ++s)
        for (int layer : card_->shape.layers(static_cast<Site>(s)))
            if (watch_.wants(static_cast<Site>(s), layer))
                if (const auto values = card_->shape.of(static_cast<Site>(s), layer, row.values); !values.empty())
                    watch_.take({.site = static_cast<Site>(s), .layer = layer, .position = row.position, .values = values});
}

Result<RemoteTalk::Answer> RemoteTalk::answer(const MakeAnswer& ask, const OnPiece& on_piece) {
    Answer out;
    AnswerReader reader(*card_->tokenizer);
    ServedAnswer& said = out.reply.answer;
    ServedTimes& times = out.reply.times;
    times.begun_ns = now_ns();
    int64_t first = -1;  // position of the answer's first token
    size_t calls = 0;
    watch_.start();
    run_->post(ask);
    const auto show = [&](std::string text) {
        for (; calls < reader.calls().size(); ++calls) said.calls.push_back(reader.calls()[calls]);
        if (text.empty()) return;
        ++said.pieces;
        said.text += text;
        on_piece({.text = std::move(text)}, said);
    };
    auto done = events_until([&](const Event& e) {
        if (const auto* made = std::get_if<TokenMade>(&e); made && made->answer == ask.answer) {
            if (first < 0) first = made->position, times.first_ns = now_ns();
            times.last_ns = now_ns();
            out.ids.push_back(made->id);
            show(reader.push(made->id, made->text));
        } else if (const auto* row = std::get_if<Readings>(&e); row && first >= 0 && row->position >= first) {
            watch_row(*row);
        } else if (const auto* end = std::get_if<AnswerDone>(&e); end && end->answer == ask.answer) {
            times.last_ns = times.first_ns + end->decode_ns, times.waits = end->tokens;  // as the engine has it: the line may bring many at once
            said.tokens = end->tokens, out.closing = end->closing;
            said.prompt_tokens = std::max(first, end->prompt_tokens), said.cached_tokens = said.prompt_tokens - end->prompt_tokens;  // as a server counts them
            said.finish = end->end == Generation::End::stop_token ? "stop" : end->end == Generation::End::cancelled ? "" : "length";
            if (end->end == Generation::End::cancelled) out.reply.trouble = Error{Error::interrupted, "interrupted"};
            return true;
        }
        return false;
    });
    watch_.stop();
    show(reader.finish());
    times.ended_ns = now_ns();
    if (!done && out.ids.empty()) return tl::unexpected(done.error());
    if (!done) out.reply.trouble = done.error(), said.tokens = static_cast<int64_t>(out.ids.size());
    return out;
}

std::string RemoteTalk::state(HeadName name, bool table, const Canvas& canvas) {
    run_->post(ProbeState{name.layer, name.head, card_->context});
    std::string out;
    const auto done = events_until([&](const Event& e) {
        const auto* picture = std::get_if<StatePicture>(&e);
        if (!picture || !picture->past) return false;
        out = picture->values.empty() ? "" : state_of_head(picture->values, picture->rows, picture->columns, picture->position, name, table, canvas);
        return true;
    });
    if (!done) note("klp: " + done.error().message);
    return out;
}

}  // namespace klp
