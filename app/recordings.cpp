// klp run, klp replay, klp export: recordings made without a window, read again, and taken apart into arrays and tables.
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "app/commands.h"
#include "app/format.h"
#include "app/opener.h"
#include "app/progress.h"
#include "app/session.h"
#include "core/files/crc32.h"
#include "core/runs/on_full.h"
#include "core/runs/replay_run.h"
#include "core/system.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kLicence = "Text and numbers made by the model named here; use them as its licence allows.";
constexpr int64_t kProbed = 32768;                    // tokens; beyond, looking at the past costs more than the answer
constexpr auto kTick = std::chrono::milliseconds(2);  // between two drains

// Questions and answers on stdout, as their events come.
class Talk {
public:
    Talk(const Terminal& terminal, const RunCard& card, bool questions)
        : terminal_(terminal), questions_(questions), wrap_(terminal.canvas.width), tokenizer_(card.tokenizer) {}

    void take(const Event& event, bool stats) {
        if (const auto* begun = std::get_if<AnswerBegun>(&event)) {
            if (questions_ && !begun->line.empty()) show((any_ ? "\n> " : "> ") + begun->line.back().text + "\n");
            any_ = true, reader_.emplace(*tokenizer_), calls_ = 0;
        } else if (const auto* made = std::get_if<TokenMade>(&event); made && reader_) {
            show(reader_->push(made->id, made->text));
            show_calls();
        } else if (const auto* done = std::get_if<AnswerDone>(&event)) {
            end_line();
            if (!stats) return;
            note(plural(done->tokens, "token") + ", " + short_number(tokens_per_second(done->tokens, done->decode_ns)) + " tokens/s, first token after " +
                 duration_text(double(done->first_token_ns)) + ", prompt " + plural(done->prompt_tokens, "token") +
                 (done->end == Generation::End::stop_token ? "" : "; stopped: " + std::string(name(done->end))) + ", seed " + std::to_string(done->seed) +
                 (dropped_ > 0 ? "; the oldest " + plural(dropped_, "token") + " dropped" : ""));
        } else if (const auto* rolled = std::get_if<CacheRolled>(&event)) {
            dropped_ = rolled->dropped;
        }
    }
    void end_line() {
        if (reader_) show(reader_->finish());
        show_calls();
        reader_.reset();
        put(wrap_.finish());
        if (open_) put("\n");
        open_ = false;
    }

private:
    void show_calls() {
        for (; reader_ && calls_ < reader_->calls().size(); ++calls_) show(call_text(reader_->calls()[calls_]));
    }
    void show(const std::string& text) {
        if (text.empty()) return;
        put(terminal_.output ? wrap_.push(harmless(text)) : text);
        open_ = text.back() != '\n';
    }
    const Terminal& terminal_;
    bool questions_, any_ = false, open_ = false;
    int64_t dropped_ = 0;
    WordWrap wrap_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::optional<AnswerReader> reader_;
    size_t calls_ = 0;  // shown
};

Result<std::vector<std::string>> turns_of(const RunOptions& options) {
    std::vector<std::string> turns = options.prompts;
    if (!options.turns.empty()) {
        std::ifstream file(options.turns);
        if (!file) return fail(Error::failure, options.turns + ": " + std::strerror(errno));
        for (std::string line; std::getline(file, line);)
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
    std::error_code none;
    if (!options.out.empty() && fs::exists(options.out, none)) return report({Error::failure, options.out + " exists already"});

    if (auto counted = check_threads(options.engine.device, options.engine.threads); !counted) return report(counted.error());
    LiveRun run(open_for_run);
    // Events until `is_last` says so; an Error where there is trouble.
    const auto events_until = [&](auto&& is_last) -> Result<void> {
        for (bool cancelled = false;;) {
            if (g_interrupted && !std::exchange(cancelled, true)) run.cancel();
            bool last = false;
            for (const Event& e : run.drain()) {
                if (const auto* trouble = std::get_if<Trouble>(&e)) return tl::unexpected(trouble->error);
                const Result<bool> done = is_last(e);
                if (!done) return tl::unexpected(done.error());
                last = last || *done;
            }
            if (last) return {};
            std::this_thread::sleep_for(kTick);
        }
    };

    std::shared_ptr<const RunCard> card;
    {
        Progress progress(terminal, "loading");
        run.post(LoadModel{options.engine.model, options.engine.device, options.engine.threads, options.context});
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

    std::optional<RecordingWriter> file;
    const int64_t begin = now_ns();
    if (!options.out.empty()) {
        auto made = RecordingWriter::create(options.out, {options.title.empty() ? turns->front() : options.title, options.about, date_text(std::time(nullptr)),
                                                          "klp " KLP_VERSION, kLicence, card});
        if (!made) return report(made.error());
        file.emplace(std::move(*made));
    }
    MakeAnswer ask;
    ask.sampling = card->sampling;
    apply(options.sampling, ask.sampling);
    ask.predict = options.predict.value_or(std::max<int64_t>(1, card->predict));
    if (!tools->empty()) ask.line.push_back({std::string(kToolsRole), *tools});
    const auto way = on_full_named(options.on_full);
    if (!way) return report(way.error());
    ask.roll = *way == OnFull::roll;
    if (!options.system.empty()) ask.line.push_back({"system", options.system});
    Talk talk(terminal, *card, turns->size() > 1);
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
            if (file) {
                if (auto kept = file->append(e, now_ns() - begin); !kept) return tl::unexpected(kept.error());
            }
            if (const auto* made = std::get_if<TokenMade>(&e)) answer.ids.push_back(made->id), answer.text += made->text, last_position = made->position;
            return std::holds_alternative<AnswerDone>(e);
        });
        return answer;
    };
    for (const std::string& turn : *turns) {
        const auto frame = encode_message(*card->tokenizer, {.role = "user", .content = turn});
        const int64_t needed = frame ? static_cast<int64_t>(frame->size()) : 0;
        if (*way == OnFull::summarise && ask.answer > 0 && wants_summary(last_position + 1, needed, ask.predict, card->context)) {
            MakeAnswer sum_up = ask;
            sum_up.roll = card->config.mla_use_nope;
            sum_up.line = ask_for_summary(ask.line, sum_up.roll);
            sum_up.sampling.temperature = 0, sum_up.predict = summary_tokens(card->context);
            note("the context of " + grouped(card->context) + " tokens is full: the talk goes on from a summary and the last exchange");
            const Part summary = answer_to(sum_up);
            if (!ended || g_interrupted || output_failed()) break;
            ask.line = after_summary(ask.line, summary.text);
            ++ask.answer;
        }
        ask.line.push_back(part_of(turn));
        Part answer = answer_to(ask);
        if (!ended || g_interrupted || output_failed()) break;
        if (file && last_position < kProbed) {
            // What was read when the word before the full stop was chosen; a recording without it is one all the same.
            Progress progress(terminal, "looking back for the recording", "token");
            for (const auto& [layer, heads] : probed) {
                run.post(ProbeAttention{layer, -1, std::max<int64_t>(0, last_position - 2)});
                int waiting = heads;
                (void)events_until([&](const Event& e) -> Result<bool> {
                    if (const auto* at = std::get_if<PhaseChanged>(&e); at && at->phase == Phase::probing) progress.at(at->done, at->total);
                    if (const auto* picture = std::get_if<AttentionPicture>(&e); picture && file->append(e, now_ns() - begin)) --waiting;
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
                note(grouped(point->context) + " tokens: " + duration_text(point->hybrid_ns) + " a token, twin " + duration_text(point->twin_ns));
            if (file && (std::holds_alternative<RacePoint>(e) || std::holds_alternative<RaceDone>(e)))
                if (auto kept = file->append(e, now_ns() - begin); !kept) return tl::unexpected(kept.error());
            return std::holds_alternative<RaceDone>(e);
        });
    }
    run.cancel();
    talk.end_line();
    if (file && ended) ended = file->flush();
    if (!ended) return report(ended.error());
    if (file && options.stats) note(options.out + ": " + bytes_text(file->bytes()));
    return g_interrupted ? Error::interrupted : 0;
}

int replay_command(const ReplayOptions& options, Terminal& terminal) {
    std::optional<Progress> progress(std::in_place, terminal, "opening " + options.file);
    progress->at();
    auto recording = Recording::open(options.file);
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
    Talk talk(terminal, *h.card, /*questions=*/true);
    run.set_speed(options.speed);
    run.play();
    while (!g_interrupted && !output_failed()) {
        for (const Event& e : run.drain()) talk.take(e, options.stats);
        if (!run.playing() && !run.seeking()) break;
        std::this_thread::sleep_for(kTick);
    }
    talk.end_line();
    return g_interrupted ? Error::interrupted : 0;
}

// --- Export -----------------------------------------------------------------------------------------------------------

namespace {

// One token as it was fed or made, in the order of happening; what was gone back over is there too.
struct Row {
    int64_t position = 0;
    int32_t id = 0, answer = -1;
    bool made = false;
    int32_t rank = -1;
    int64_t nanoseconds = 0;
    float probability = NAN, entropy = NAN;
    std::string text;
    std::vector<Candidate> top;
    size_t readings = SIZE_MAX;  // the event
};

struct Export {
    Export(const Recording& r, Progress& progress) : recording(r), card(*r.header().card) {
        std::vector<size_t> at;  // rows by position, of the sequence as it stands
        for (size_t i = 0; i < r.size(); ++i) {
            if (i % 1024 == 0) progress.at(static_cast<int64_t>(i), static_cast<int64_t>(r.size()));
            if (r.is<StatePicture>(i)) pictures.push_back(i);
            if (r.is<Readings>(i)) {
                if (const auto e = r.event(i))
                    if (const auto p = static_cast<size_t>(std::get<Readings>(*e).position); p < at.size() && !std::get<Readings>(*e).values.empty())
                        rows[at[p]].readings = i;
            } else if (r.is<PromptFed>(i)) {
                const auto e = r.event(i);
                if (!e) continue;
                const auto& fed = std::get<PromptFed>(*e);
                at.resize(std::min(at.size(), static_cast<size_t>(fed.first)));
                for (size_t n = 0; n < fed.ids.size(); ++n) {
                    at.push_back(rows.size());
                    rows.push_back({.position = fed.first + static_cast<int64_t>(n), .id = fed.ids[n], .text = std::string(card.tokenizer->bytes(fed.ids[n]))});
                }
            } else if (r.is<TokenMade>(i)) {
                auto e = r.event(i);
                if (!e) continue;
                auto& m = std::get<TokenMade>(*e);
                at.resize(std::min(at.size(), static_cast<size_t>(m.position)));
                at.push_back(rows.size());
                rows.push_back({m.position, m.id, m.answer, true, m.top.empty() ? -1 : m.rank, m.nanoseconds, m.probability, m.top.empty() ? NAN : m.entropy,
                                m.text, m.top});
            }
        }
    }
    std::vector<float> readings(const Row& row) const {
        if (on_row) on_row();
        if (row.readings == SIZE_MAX) return {};
        auto e = recording.event(row.readings);
        return e ? std::get<Readings>(*e).values : std::vector<float>();
    }
    Json header() const {
        const RecordingHeader& h = recording.header();
        return {{"title", h.title},
                {"about", h.about},
                {"date", h.date},
                {"build", h.build},
                {"licence", h.licence},
                {"model", card.name},
                {"weights", card.weights},
                {"device", card.device.name},
                {"hardware", card.device.hardware},
                {"config", Json::parse(to_json(card.config))},
                {"damage", recording.damage()}};
    }
    const Recording& recording;
    const RunCard& card;
    std::vector<Row> rows;
    std::vector<size_t> pictures;
    std::function<void()> on_row;  // whose readings are read
};

constexpr Site kAllSites[] = {Site::log_decay, Site::beta, Site::state_norm, Site::update_norm, Site::log_sum_exp, Site::picks, Site::pick_weights};

std::string short_name(Site site) { return std::string(name(site).substr(name(site).find('.') + 1)); }  // "beta" of "kda.beta"

// One number of a layer's reading: its mean over heads and channels, NaN where nothing was captured. Expert numbers have no mean.
float mean_of(std::span<const float> values) {
    double sum = 0;
    int n = 0;
    for (float v : values)
        if (!std::isnan(v)) sum += v, ++n;
    return n > 0 ? static_cast<float>(sum / n) : NAN;
}

std::string number_text(double v) {
    if (std::isnan(v)) return "";
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", v);
    return text;
}

void write_csv(std::ostream& out, const Export& x) {
    const auto quoted = [](const std::string& s) {
        std::string q = "\"";
        for (char c : repair_utf8(s)) q += c == '"' ? "\"\"" : std::string(1, c);
        return q + "\"";
    };
    out << "position,answer,made,id,text,nanoseconds,probability,entropy,rank";
    for (Site site : kAllSites)
        for (int layer : x.card.shape.layers(site)) out << "," << short_name(site) << "_" << layer;
    out << "\r\n";
    for (const Row& row : x.rows) {
        out << row.position << "," << row.answer << "," << row.made << "," << row.id << "," << quoted(row.text) << ",";
        if (row.made) out << row.nanoseconds;
        out << "," << number_text(row.probability) << "," << number_text(row.entropy) << ",";
        if (row.rank >= 0) out << row.rank;
        const std::vector<float> values = x.readings(row);
        for (Site site : kAllSites) {
            for (int layer : x.card.shape.layers(site)) {
                const auto v = x.card.shape.of(site, layer, values);
                out << ",";
                if (site != Site::picks) {
                    out << number_text(mean_of(v));
                } else {
                    for (size_t i = 0; i < v.size(); ++i) out << (i ? ";" : "") << number_text(v[i]);
                }
            }
        }
        out << "\r\n";
    }
}

void write_json(std::ostream& out, const Export& x) {
    const auto number = [](double v) { return std::isnan(v) ? Json() : Json(v); };
    const auto dump = [](const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); };
    out << "{\"recording\": " << dump(x.header()) << ",\n\"tokens\": [";
    for (size_t i = 0; i < x.rows.size(); ++i) {
        const Row& row = x.rows[i];
        Json j{{"position", row.position}, {"answer", row.answer}, {"made", row.made}, {"id", row.id}, {"text", row.text}};
        if (row.made) j.update({{"nanoseconds", row.nanoseconds}, {"probability", number(row.probability)}});
        if (row.rank >= 0) {
            Json top = Json::array();
            for (const Candidate& c : row.top)
                top.push_back({{"id", c.id}, {"text", std::string(x.card.tokenizer->bytes(c.id))}, {"probability", c.probability}});
            j.update({{"entropy", number(row.entropy)}, {"rank", row.rank}, {"top", top}});
        }
        const std::vector<float> values = x.readings(row);
        for (Site site : kAllSites) {
            if (values.empty()) break;
            Json layers = Json::object();
            for (int layer : x.card.shape.layers(site)) {
                const auto v = x.card.shape.of(site, layer, values);
                Json each = Json::array();
                if (site == Site::log_decay)  // a mean for each head; the channels are in the .npz
                    for (int h = 0; h < x.card.shape.kda_heads; ++h)
                        each.push_back(number(mean_of(v.subspan(static_cast<size_t>(h * x.card.shape.key_dim), static_cast<size_t>(x.card.shape.key_dim)))));
                else
                    for (float f : v) each.push_back(number(f));
                layers[std::to_string(layer)] = each;
            }
            if (!layers.empty()) j[short_name(site)] = layers;
        }
        out << (i ? ",\n" : "\n") << dump(j);
    }
    out << "\n]}\n";
}

// A zip of stored .npy files, which is what NumPy's savez writes. Checksums and sizes are written back once an array is through.
class Npz {
public:
    explicit Npz(std::ostream& out) : out_(out) {}

    template <class T>
    static const char* type() {
        if constexpr (std::is_same_v<T, float>) return "<f4";
        if constexpr (std::is_same_v<T, int32_t>) return "<i4";
        if constexpr (std::is_same_v<T, int64_t>) return "<i8";
        if constexpr (std::is_same_v<T, uint8_t>) return "|b1";
    }
    // `piece(emit)` gives the values in order, however cut.
    template <class T, class Pieces>
    void array(const std::string& name, const std::vector<int64_t>& shape, Pieces&& pieces) {
        begin(name + ".npy");
        npy_header(type<T>(), shape);
        pieces([&](std::span<const T> values) { put({reinterpret_cast<const char*>(values.data()), values.size_bytes()}); });
        end();
    }
    void texts(const std::string& name, const std::vector<std::u32string>& all) {
        size_t width = 1;
        for (const auto& s : all) width = std::max(width, s.size());
        begin(name + ".npy");
        npy_header("<U" + std::to_string(width), {static_cast<int64_t>(all.size())});
        for (std::u32string s : all) s.resize(width), put({reinterpret_cast<const char*>(s.data()), s.size() * 4});
        end();
    }
    void text(const std::string& name, const std::u32string& s) {  // an array of no dimension: z[name].item() is the text
        begin(name + ".npy");
        npy_header("<U" + std::to_string(s.size()), {});
        put({reinterpret_cast<const char*>(s.data()), s.size() * 4});
        end();
    }
    // Zip without its 64-bit extension ends at 4 GiB.
    bool too_large() const { return too_large_; }
    void finish() {
        const auto start = static_cast<uint32_t>(at_);
        for (const Entry& e : entries_) {
            std::string h;
            add(h, uint32_t{0x02014b50}), add(h, uint16_t{20}), add(h, uint16_t{20}), common(h, e);
            add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, uint32_t{0}),
                add(h, static_cast<uint32_t>(e.offset));  // comment, disk, attributes
            raw(h + e.name);
        }
        std::string h;
        const auto count = static_cast<uint16_t>(entries_.size());
        add(h, uint32_t{0x06054b50}), add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, count), add(h, count), add(h, static_cast<uint32_t>(at_ - start)),
            add(h, start), add(h, uint16_t{0});
        raw(h);
    }

private:
    struct Entry {
        std::string name;
        uint64_t offset = 0, size = 0;
        uint32_t sum = 0;
    };
    template <class T>
    static void add(std::string& to, T value) {
        to.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    static void common(std::string& h, const Entry& e) {                                            // of both headers, behind the version
        add(h, uint16_t{0x800}), add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, uint16_t{0x21});  // UTF-8 names, stored, 1980-01-01
        add(h, e.sum), add(h, static_cast<uint32_t>(e.size)), add(h, static_cast<uint32_t>(e.size)), add(h, static_cast<uint16_t>(e.name.size())),
            add(h, uint16_t{0});
    }
    static std::string local(const Entry& e) {
        std::string h;
        add(h, uint32_t{0x04034b50}), add(h, uint16_t{20}), common(h, e);
        return h + e.name;
    }
    void raw(std::string_view bytes) {
        out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        at_ += bytes.size();
        too_large_ = too_large_ || at_ > UINT32_MAX;
    }
    void begin(std::string name) {
        entries_.push_back({std::move(name), at_});
        raw(local(entries_.back()));
    }
    void put(std::string_view bytes) {
        if (too_large_) return;
        entries_.back().sum = crc32(bytes, entries_.back().sum);
        entries_.back().size += bytes.size();
        raw(bytes);
    }
    void end() {
        out_.seekp(static_cast<std::streamoff>(entries_.back().offset));
        const std::string h = local(entries_.back());
        out_.write(h.data(), static_cast<std::streamsize>(h.size()));
        out_.seekp(static_cast<std::streamoff>(at_));
    }
    void npy_header(const std::string& type, const std::vector<int64_t>& shape) {
        std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (";
        for (int64_t n : shape) header += std::to_string(n) + ",";
        header += "), }";
        header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
        header += '\n';
        std::string front("\x93NUMPY\x01\x00", 8);
        add(front, static_cast<uint16_t>(header.size()));
        put(front + header);
    }
    std::ostream& out_;
    uint64_t at_ = 0;
    bool too_large_ = false;
    std::vector<Entry> entries_;
};

std::u32string code_points(std::string_view utf8) {
    std::u32string out;
    const std::string s = repair_utf8(utf8);
    for (size_t i = 0; i < s.size();) {
        const size_t n = utf8_step(std::string_view(s).substr(i)).size;
        char32_t c = static_cast<unsigned char>(s[i]) & (n == 1 ? 0x7F : 0xFF >> (n + 1));
        for (size_t k = 1; k < n; ++k) c = c << 6 | (static_cast<unsigned char>(s[i + k]) & 0x3F);
        out += c;
        i += n;
    }
    return out;
}

bool write_npz(std::ostream& out, const Export& x) {
    Npz npz(out);
    const auto T = static_cast<int64_t>(x.rows.size());
    const auto column = [&]<class V>(const char* name, V Row::*member) {
        npz.array<std::conditional_t<std::is_same_v<V, bool>, uint8_t, V>>(name, {T}, [&](auto&& emit) {
            for (const Row& row : x.rows) {
                const std::conditional_t<std::is_same_v<V, bool>, uint8_t, V> v = row.*member;
                emit({&v, 1});
            }
        });
    };
    column("position", &Row::position), column("ids", &Row::id), column("answer", &Row::answer), column("made", &Row::made), column("rank", &Row::rank);
    column("nanoseconds", &Row::nanoseconds), column("probability", &Row::probability), column("entropy", &Row::entropy);
    std::vector<std::u32string> texts;
    for (const Row& row : x.rows) texts.push_back(code_points(row.text));
    npz.texts("text", texts);

    const TraceShape& shape = x.card.shape;
    for (Site site : kAllSites) {
        const auto& layers = shape.layers(site);
        if (layers.empty()) continue;
        const std::string layer_name = site == Site::log_sum_exp ? "mla" : site == Site::picks ? "moe" : "kda";
        if (site == Site::log_decay || site == Site::log_sum_exp || site == Site::picks) {
            const std::vector<int32_t> numbers(layers.begin(), layers.end());
            npz.array<int32_t>(layer_name + "_layers", {static_cast<int64_t>(numbers.size())}, [&](auto&& emit) { emit(std::span(numbers)); });
        }
        std::vector<int64_t> dims{T, static_cast<int64_t>(layers.size())};
        if (site == Site::log_decay)
            dims.insert(dims.end(), {shape.kda_heads, shape.key_dim});
        else
            dims.push_back(shape.width(site));
        npz.array<float>(short_name(site), dims, [&](auto&& emit) {
            const std::vector<float> none(layers.size() * static_cast<size_t>(shape.width(site)), NAN);
            for (const Row& row : x.rows) {
                const std::vector<float> values = x.readings(row);
                emit(values.empty() ? std::span(none) : std::span(values).subspan(static_cast<size_t>(shape.offset(site, layers[0])), none.size()));
            }
        });
    }
    if (!x.pictures.empty()) {
        std::vector<StatePicture> whole;
        for (size_t i : x.pictures)
            if (auto e = x.recording.event(i)) whole.push_back(std::move(std::get<StatePicture>(*e)));
        const auto N = static_cast<int64_t>(whole.size());
        npz.array<float>("state", {N, shape.value_dim, shape.key_dim}, [&](auto&& emit) {
            for (const StatePicture& p : whole) emit(std::span(p.values));
        });
        npz.array<int64_t>("state_position_layer_head", {N, 3}, [&](auto&& emit) {
            for (const StatePicture& p : whole) {
                const int64_t v[3] = {p.position, p.layer, p.head};
                emit(std::span(v));
            }
        });
    }
    npz.text("recording", code_points(x.header().dump(2, ' ', false, Json::error_handler_t::replace)));
    npz.finish();
    return !npz.too_large();
}

}  // namespace

int export_command(const ExportOptions& options, Terminal& terminal) {
    const std::string kind = fs::path(options.out).extension().string();
    if (kind != ".npz" && kind != ".csv" && kind != ".json")
        return report({Error::usage, "-o " + options.out + ": the file's name must end in .npz, .csv or .json"});
    auto recording = Recording::open(options.file);
    if (!recording) return report(recording.error());
    if (!(*recording)->damage().empty()) note("klp: " + one_line((*recording)->damage()));
    std::optional<Progress> progress(std::in_place, terminal, "reading " + options.file, "event");
    Export all(**recording, *progress);
    progress.reset();
    // Readings are the bulk, and are read for each kind of array again.
    int64_t passes = 0, row = 0;
    for (Site site : kAllSites) passes += !all.card.shape.layers(site).empty();
    const int64_t rows = static_cast<int64_t>(all.rows.size()) * (kind == ".npz" ? passes : 1);
    progress.emplace(terminal, "writing " + options.out, "row");
    all.on_row = [&] { progress->at(row++, rows); };
    std::ofstream out(options.out, std::ios::binary | std::ios::trunc);
    if (!out) {
        const int error = errno;
        progress.reset();
        return report({Error::failure, options.out + ": " + std::strerror(error)});
    }
    bool fits = true;
    if (kind == ".npz")
        fits = write_npz(out, all);
    else if (kind == ".csv")
        write_csv(out, all);
    else
        write_json(out, all);
    out.close();
    progress.reset();
    std::error_code none;
    if (!out) {
        const int error = errno;
        fs::remove(options.out, none);  // half a table is none
        return report({Error::failure, options.out + ": " + std::strerror(error)});
    }
    if (!fits) {
        fs::remove(options.out, none);
        return report({Error::failure, options.out + " would be larger than the 4 GiB a zip file may have; a .csv may not"});
    }
    note(options.out + ": " + plural(static_cast<int64_t>(all.rows.size()), "token") + ", " +
         bytes_text(static_cast<int64_t>(fs::file_size(options.out, none))));
    return 0;
}

}  // namespace klp
