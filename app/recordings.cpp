// klp run, klp replay: recordings made without a window, and read again.
#include <chrono>
#include <cmath>
#include <ctime>
#include <sstream>
#include <thread>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/opener.h"
#include "app/progress.h"
#include "app/run_talk.h"
#include "app/session.h"
#include "core/runs/on_full.h"
#include "core/runs/remote_run.h"
#include "core/runs/replay_run.h"
#include "core/system.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLicence = "Text and numbers made by the model named here; use them as its licence allows.";
constexpr int64_t kProbed = 32768;                          // tokens; beyond, looking at the past costs more than the answer
constexpr auto kReplayTick = std::chrono::milliseconds(2);  // between two drains

Result<std::vector<std::string>> turns_of(const RunOptions& options) {
    std::vector<std::string> turns = options.prompts;
    if (!options.turns.empty()) {
        auto text = read_named(options.turns, 64 << 20);
        if (!text) return tl::unexpected(text.error());
        std::istringstream lines(*text);
        for (std::string line; std::getline(lines, line);)
            if (line.find_first_not_of(" \t\r") != std::string::npos)
                turns.push_back(line_ends(line)), turns.back().erase(turns.back().find_last_not_of('\n') + 1);
    }
    for (const std::string& t : turns)
        if (t.find_first_not_of(" \t\r\n") == std::string::npos) return fail(Error::usage, "a question is empty");
    if (turns.empty()) return fail(Error::usage, "there is nothing to answer: give -p TEXT or --turns FILE");
    return turns;
}

// What a person says, or with "/tool ID TEXT" what a call has returned.
Part part_of(const std::string& turn) {
    constexpr std::string_view kTool = "/tool ";
    if (!turn.starts_with(kTool)) return {"user", turn};
    const std::string_view call = std::string_view(turn).substr(kTool.size());
    const size_t end = std::min(call.find(' '), call.size());
    return {"tool", tool_return(call.substr(0, end), call.substr(std::min(end + 1, call.size())))};
}

// "2.1" as a KDA head of this model; without a text the first.
Result<std::pair<int, int>> head_of(const std::string& text, const RunCard& card) {
    const auto& layers = card.shape.layers(Site::beta);
    if (text.empty()) return std::pair(layers.empty() ? -1 : layers[0], 0);
    int layer = -1, head = -1, end = 0;
    if (std::sscanf(text.c_str(), "%d.%d%n", &layer, &head, &end) != 2 || end != static_cast<int>(text.size()))
        return fail(Error::usage, "--state '" + one_line(text) + "' is not LAYER.HEAD");
    if (!card.shape.has(Site::beta, layer) || head < 0 || head >= card.shape.kda_heads)
        return fail(Error::usage, "--state " + text + ": the model has no such KDA head (layers " + std::to_string(layers.empty() ? 0 : layers.front()) +
                                      " to " + std::to_string(layers.empty() ? 0 : layers.back()) + ", heads 0 to " + std::to_string(card.shape.kda_heads - 1) +
                                      ")");
    return std::pair(layer, head);
}

}  // namespace

int run_command(const RunOptions& options, Terminal& terminal) {
    const auto turns = turns_of(options);
    if (!turns) return report(turns.error());
    const auto tools = read_tools(options.tools);
    if (!tools) return report(tools.error());
    const auto hands = read_hands(options.intervene);
    if (!hands) return report(hands.error());
    if (!options.out.empty())
        if (auto place = check_place(options.out); !place) return report(place.error());
    if (auto counted = check_threads(options.engine.device, options.engine.threads); !counted) return report(counted.error());
    std::shared_ptr<const RunCard> card;
    std::unique_ptr<Run> engine;
#if KLP_HUB
    if (!options.at.empty()) {
        const auto line = engine_line(options.at, options.ssh, options.key_variable, &g_interrupted);
        if (!line) return report(line.error());
        auto opened = open_remote(*line, &g_interrupted, &card);
        if (!opened) return report(opened.error());
        engine = std::move(*opened);
    }
#endif
    if (!engine) engine = std::make_unique<LiveRun>(open_for_run);
    Run& run = *engine;
    // Events until `is_last` says so; an Error where there is trouble.
    const auto events_until = [&](auto&& is_last) -> Result<void> {
        for (bool cancelled = false, lost = false;;) {
            if (g_interrupted && !std::exchange(cancelled, true)) run.cancel();
            if (cancelled && lost) return fail(Error::interrupted, "interrupted while the line was lost");
            bool last = false;
            for (const Event& e : run.drain()) {
                if (const auto* trouble = std::get_if<Trouble>(&e)) {
                    if (!trouble->passing || g_interrupted) return tl::unexpected(trouble->error);
                    note("klp: " + trouble->error.message + "; it is tried again (Ctrl-C gives up)");
                    lost = true;
                    continue;
                }
                lost = false;
                const Result<bool> done = is_last(e);
                if (!done) return tl::unexpected(done.error());
                last = last || *done;
            }
            if (last) return {};
            std::this_thread::sleep_for(kReplayTick);
        }
    };

    if (!card) {
        Progress progress(terminal, "loading");
        run.post(LoadModel{.model = options.engine.model,
                           .device = options.engine.device,
                           .threads = options.engine.threads,
                           .context = options.context,
                           .kimi_template = !options.engine.chat_template.empty(),
                           .thinks = options.engine.thinks});
        const auto loaded = events_until([&](const Event& e) -> Result<bool> {
            if (const auto* loading = std::get_if<Loading>(&e)) progress.at(std::llround(1000 * loading->fraction), 1000);
            if (const auto* l = std::get_if<Loaded>(&e)) card = l->card;
            return card != nullptr;
        });
        if (!loaded) return report(loaded.error());
    }
    note_context("-c", options.context, card->config.model_max_length);
    note_context("--race", options.race, card->context);
    const auto head = head_of(options.state, *card);
    if (!head) return report(head.error());
    Interest interest;
    for (bool& site : interest.sites) site = true;
    interest.top = 8;
    interest.pictures = options.pictures;
    if (card->shape.has(Site::beta, head->first)) interest.state = *head;
    run.watch(interest);

    std::optional<NewFile> place;
    std::optional<RecordingWriter> file;
    Result<void> recorded;  // what it says of a failing disk: the talk goes on without it
    const int64_t begin = now_ns();
    const auto record = [&](const Event& event) {
        if (file && recorded) recorded = file->append(event, now_ns() - begin);
    };
    if (!options.out.empty()) {
        auto free = NewFile::unopened(options.out);
        if (!free) return report(free.error());
        place.emplace(std::move(*free));
        auto made = RecordingWriter::create(
            place->written(),
            {options.title.empty() ? turns->front() : options.title, options.about, date_text(std::time(nullptr)), "klp " KLP_VERSION, kLicence, card},
            options.out);
        if (!made) return report(made.error());
        file.emplace(std::move(*made));
    }
    if (*hands)
        if (auto fits = check(**hands, card->config); !fits) return report({fits.error().kind, options.intervene + ": " + fits.error().message});
    MakeAnswer ask;
    ask.hands = *hands;
    ask.sampling = card->sampling;
    apply(options.sampling, ask.sampling);
    ask.predict = options.predict.value_or(std::max<int64_t>(1, card->predict));
    if (!tools->empty()) ask.line.push_back({std::string(kToolsRole), *tools});
    const auto way = on_full_named(options.on_full);
    if (!way) return report(way.error());
    ask.roll = *way == OnFull::roll;
    if (!options.system.empty()) ask.line.push_back({"system", options.system});
    RunTalk talk(terminal, *card, turns->size() > 1);
    std::vector<std::pair<int, int>> probed;  // a layer of each memory, and its heads
    if (const auto& mla = card->shape.layers(Site::log_sum_exp); !mla.empty()) probed.emplace_back(mla.back(), card->shape.mla_heads);
    if (card->shape.has(Site::beta, head->first)) probed.emplace_back(head->first, card->shape.kda_heads);
    int64_t last_position = 0;
    Result<void> ended;
    const auto answer_to = [&](const MakeAnswer& what) {
        run.post(what);
        Part answer{.role = "assistant"};
        std::optional<Progress> progress;
        ended = events_until([&](const Event& e) -> Result<bool> {
            if (const auto* at = std::get_if<PhaseChanged>(&e); at && at->phase == Phase::prefill) {
                if (!progress) progress.emplace(terminal, "reading", "token");
                progress->at(at->done, at->total);
            } else if (std::holds_alternative<TokenMade>(e)) {
                if (answer.ids.empty()) progress.reset();
                if (!terminal.output && !progress) progress.emplace(terminal, "answering", "token");
                if (progress) progress->at(static_cast<int64_t>(answer.ids.size()), 0);
            }
            talk.take(e, options.stats);
            record(e);
            if (const auto* made = std::get_if<TokenMade>(&e)) answer.ids.push_back(made->id), answer.text += made->text, last_position = made->position;
            if (const auto* done = std::get_if<AnswerDone>(&e)) answer.closing = done->closing;
            return std::holds_alternative<AnswerDone>(e);
        });
        return answer;
    };
    const auto tokens_of = [&](const Part& part) {
        const auto frame = encode_message(*card->tokenizer, {.role = part.role, .content = part.ids.empty() ? part.text : ""});
        return static_cast<int64_t>((frame ? frame->size() : 0) + part.ids.size());
    };
    for (const std::string& turn : *turns) {
        const Part part = part_of(turn);
        const int64_t needed = tokens_of(part);
        if (*way == OnFull::summarise && ask.answer > 0 && wants_summary(last_position + 1, needed, ask.predict, card->context)) {
            MakeAnswer sum_up = ask;
            sum_up.roll = card->config.mla_use_nope;
            sum_up.line = ask_for_summary(ask.line, sum_up.roll);
            sum_up.sampling.temperature = 0, sum_up.predict = summary_tokens(card->context);
            note("the context of " + grouped(card->context) + " tokens is full: the talk goes on from a summary and the last exchange");
            const Part summary = answer_to(sum_up);
            if (!ended || g_interrupted || output_failed()) break;
            ask.line = after_summary(ask.line, summary.text, tokens_of, card->context);
            ask.hands = standing(ask.hands.get());
            ++ask.answer;
        }
        ask.line.push_back(part);
        Part answer = answer_to(ask);
        if (!ended || g_interrupted || output_failed()) break;
        if (file && recorded && last_position < kProbed) {
            // What was read when the word before the full stop was chosen; a recording without it is one all the same.
            Progress progress(terminal, "looking back for the recording", "token");
            for (const auto& [layer, heads] : probed) {
                run.post(ProbeAttention{layer, -1, std::max<int64_t>(0, last_position - 2)});
                int waiting = heads;
                (void)events_until([&](const Event& e) -> Result<bool> {
                    if (const auto* at = std::get_if<PhaseChanged>(&e); at && at->phase == Phase::probing) progress.at(at->done, at->total);
                    if (std::holds_alternative<AttentionPicture>(e)) record(e), --waiting;
                    return waiting <= 0;
                });
            }
        }
        ask.line.push_back(std::move(answer));
        ++ask.answer, ++ask.sampling.seed;
    }
    if (options.race > 0 && ended && !g_interrupted && !output_failed()) {
        Progress progress(terminal, "racing", "token");
        run.post(StartRace{options.race});
        ended = events_until([&](const Event& e) -> Result<bool> {
            if (const auto* at = std::get_if<PhaseChanged>(&e); at && at->total > 0) progress.at(at->done, at->total);
            if (const auto* point = std::get_if<RacePoint>(&e); point && (options.stats || !file))
                note(grouped(point->context) + " tokens: " + duration_text(point->hybrid_ns) +
                     spread_text(point->hybrid_spread.least, point->hybrid_spread.most) + " a token, twin " + duration_text(point->twin_ns) +
                     spread_text(point->twin_spread.least, point->twin_spread.most));
            if (std::holds_alternative<RacePoint>(e) || std::holds_alternative<RaceDone>(e)) record(e);
            return std::holds_alternative<RaceDone>(e);
        });
    }
    run.cancel();
    talk.end_line();
    if (!ended) return report(ended.error());
    if (file && recorded) recorded = file->flush();
    if (place && recorded) recorded = place->keep();
    if (!recorded) return report(recorded.error());
    if (file && options.stats) note(options.out + ": " + bytes_text(file->bytes()));
    return g_interrupted ? Error::interrupted : 0;
}

int replay_command(const ReplayOptions& options, Terminal& terminal) {
    std::optional<Progress> progress(std::in_place, terminal, "opening " + options.file);
    progress->at();
    auto recording = open_recording(options.file);
    if (!recording) return report(recording.error());
    if (!(*recording)->damage().empty()) note("klp: " + one_line((*recording)->damage()));
    const RecordingHeader& h = (*recording)->header();
    ReplayRun run(*recording, now_ns);
    progress.reset();
    if (options.stats) {
        const RunCard& c = *h.card;
        note(one_line(h.title) + (h.about.empty() ? "" : ": " + one_line(h.about)) + "\n" + one_line(c.name) + ", " + one_line(c.weights) + ", recorded " +
             one_line(c.recorded) + " with " + one_line(h.build) + "; " + plural(run.tokens(), "token") + ", " + duration_text(double(run.duration())) +
             " at speed 1");
    }
    RunTalk talk(terminal, *h.card, /*questions=*/true);
    run.set_speed(options.speed);
    run.play();
    while (!g_interrupted && !output_failed()) {
        for (const Event& e : run.drain()) talk.take(e, options.stats);
        if (!run.playing() && !run.seeking()) break;
        std::this_thread::sleep_for(kReplayTick);
    }
    talk.end_line();
    return g_interrupted ? Error::interrupted : 0;
}

}  // namespace klp
