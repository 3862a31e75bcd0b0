#include "core/serve/served_sweep.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace klp {

namespace {

constexpr int64_t kAnswered = 64;       // tokens of each answer
constexpr int64_t kFewestAnswered = 8;  // fewer say nothing of the time of a token
constexpr int kTurns = 5;               // of one request alone, each server
constexpr int kTurnsTogether = 2;       // of several
constexpr int64_t kRepeated = 32;       // times a word is said to find what it costs
constexpr double kShortFigure = 5.0;    // seconds: what takes longer is not repeated

// Words that are one token each, with the blank in front, of nearly every vocabulary.
constexpr const char* kServedWords[] = {"the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "on", "at", "by", "from"};

double quantile(std::vector<double> values, double at) {
    if (values.empty()) return NAN;
    const auto place = values.begin() + std::llround(at * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

// One of the servers, and what its words cost.
struct Contestant {
    const Server* server;
    const ServedModel* model;
    std::string name;                                         // "first" or "second", where there are two
    std::vector<std::pair<std::string, int64_t>> words = {};  // and tokens
    int64_t around = 0;                                       // tokens of the template and of the first word, which has no blank in front
    std::mt19937_64 dice{std::random_device{}()};
    double slowest_second_a_token = 0;  // of a prompt
    bool left_out = false;

    ServedRequest request(std::string prompt, int64_t predict) const {
        ServedRequest r{.model = model->id, .messages = {{.role = "user", .content = std::move(prompt)}}};
        r.sampling.temperature = 0.0f;
        r.predict = predict;
        r.go_past_end = true;
        return r;
    }
    // A prompt of so many tokens; nearly so where no word is one token.
    std::string prompt(int64_t tokens) {
        std::string text = kServedWords[0];
        for (int64_t left = tokens - around; left > 0;) {
            const auto& drawn = words[static_cast<size_t>(dice() % words.size())];
            const auto& [word, cost] = drawn.second <= left ? drawn : words.front();  // the cheapest comes first
            text += " " + word;
            left -= cost;
        }
        return text;
    }
};

class ServedMeasure {
public:
    ServedMeasure(const ServedSweepOptions& options, Sweep& sweep) : options_(options), sweep_(sweep) {}

    // What each word costs, by the server's own count of prompts that say it often. It warms the server up, too.
    Result<void> learn(Contestant& c) {
        const auto count = [&](const std::string& text) -> Result<int64_t> {
            auto reply = ask_server(*c.server, c.request(text, 1), {}, options_.cancel);
            if (!reply) return tl::unexpected(reply.error());
            if (reply->trouble) return tl::unexpected(*reply->trouble);
            if (reply->answer.prompt_tokens < 0)
                return fail(Error::failure, c.server->url + " does not count tokens (usage), so prompts of a length cannot be made");
            return reply->answer.prompt_tokens;
        };
        const auto once = count(kServedWords[0]);
        if (!once) return tl::unexpected(once.error());
        c.around = *once;
        for (const char* word : kServedWords) {
            say(c, "its tokenizer", static_cast<int64_t>(c.words.size()), static_cast<int64_t>(std::size(kServedWords)));
            std::string often = kServedWords[0];
            for (int64_t i = 0; i < kRepeated; ++i) often += std::string(" ") + word;
            const auto many = count(often);
            if (!many) return tl::unexpected(many.error());
            const int64_t cost = (*many - c.around) / kRepeated;
            if (cost < 1)
                return fail(Error::failure, c.server->url + " counts " + std::to_string(*many) + " tokens of " + std::to_string(kRepeated + 1) +
                                                " words, so prompts of a length cannot be made");
            c.words.emplace_back(word, cost);
        }
        std::stable_sort(c.words.begin(), c.words.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        return {};
    }

    // false: interrupted.
    Result<bool> row(std::vector<Contestant>& all, SweepRow& row) {
        SweepCell* const cells[] = {&row.hybrid, &row.twin};
        for (size_t i = 0; i < 2; ++i) {
            SweepCell& cell = *cells[i];
            cell.prefill.tokens = row.context;
            cell.batch.why = "a server's batches are its levels";
            if (i >= all.size()) {
                cell.prefill.why = cell.one.why = "there is one server";
                continue;
            }
            check(all[i], row.context, cell);
        }
        std::vector<Samples> alone(all.size());
        if (auto done = in_turn(all, cells, row.context, 1, kTurns, alone); !done || !*done) return done;
        for (size_t i = 0; i < all.size(); ++i) {
            if (!cells[i]->prefill.why.empty()) continue;
            Samples& s = alone[i];
            if (!s.why.empty()) {
                cells[i]->prefill.why = cells[i]->one.why = s.why;
                continue;
            }
            for (double ms : s.first_ms) cells[i]->prefill.seconds.push_back(ms / 1e3);
            if (s.prompt_tokens > 0) cells[i]->prefill.tokens = s.prompt_tokens;
            cells[i]->one = decoded(s, 1);
            all[i].slowest_second_a_token = quantile(s.first_ms, 0.5) / 1e3 / static_cast<double>(row.context);
        }
        for (const int64_t n : options_.at_once) {
            std::vector<Samples> together(all.size());
            if (auto done = in_turn(all, cells, row.context, n, kTurnsTogether, together); !done || !*done) return done;
            for (size_t i = 0; i < all.size(); ++i) {
                Samples& s = together[i];
                SweepLevel level{.decode = decoded(s, n)};
                if (!cells[i]->prefill.why.empty()) level.decode.why = cells[i]->prefill.why;
                if (!s.why.empty()) level.decode.why = s.why;
                level.first_ms = quantile(s.first_ms, 0.5), level.first_p10 = quantile(s.first_ms, 0.1), level.first_p90 = quantile(s.first_ms, 0.9);
                level.tokens_per_second = quantile(s.rates, 0.5);
                cells[i]->levels.push_back(level);
            }
        }
        return true;
    }

private:
    struct Samples {
        std::vector<double> first_ms, token_ms, rates;  // rates: tokens/s of all answers of a turn together
        int64_t prompt_tokens = 0, cached = 0, longest = 0;
        std::string why;
    };

    void say(const Contestant& c, const std::string& what, int64_t done, int64_t total) const {
        if (options_.on_progress) options_.on_progress((c.name.empty() ? "" : c.name + ": ") + what, done, total);
    }

    void check(Contestant& c, int64_t context, SweepCell& cell) {
        const double expected = c.slowest_second_a_token * static_cast<double>(context);
        char text[120];
        if (c.model->context > 0 && context + kAnswered > c.model->context)
            cell.prefill.why = "left out: its context holds " + std::to_string(c.model->context) + " tokens, the answer's too";
        else if (expected > options_.limit_seconds) {
            std::snprintf(text, sizeof text, "left out: about %.0f s expected, the limit is %.0f s", expected, options_.limit_seconds);
            cell.prefill.why = text;
        }
        cell.one.why = cell.prefill.why;
    }

    Result<bool> in_turn(std::vector<Contestant>& all, SweepCell* const (&cells)[2], int64_t context, int64_t n, int turns, std::vector<Samples>& out) {
        std::vector<double> spent(all.size());
        for (int turn = 0; turn < turns; ++turn) {
            for (size_t k = 0; k < all.size(); ++k) {
                const size_t i = turn % 2 ? all.size() - 1 - k : k;
                if (!cells[i]->prefill.why.empty() || !out[i].why.empty() || spent[i] > kShortFigure) continue;
                Contestant& c = all[i];
                const double expected = c.slowest_second_a_token * static_cast<double>(context * n);
                if (n > 1 && expected > options_.limit_seconds) {
                    out[i].why = "left out: the prompts alone would take about " + std::to_string(std::llround(expected)) + " s";
                    continue;
                }
                say(c, (n == 1 ? "a prompt" : std::to_string(n) + " prompts at once") + " of " + std::to_string(context), turn, turns);
                std::vector<ServedRequest> requests;
                for (int64_t r = 0; r < n; ++r) requests.push_back(c.request(c.prompt(context), kAnswered));
                const auto replies = ask_server(*c.server, requests, options_.cancel);
                if (!replies) return replies.error().kind == Error::interrupted ? Result<bool>(false) : tl::unexpected(replies.error());
                if (options_.cancel && *options_.cancel) return false;
                if (auto taken = take(*replies, out[i]); !taken) return tl::unexpected(taken.error());
                spent[i] += static_cast<double>(replies->front().times.ended_ns - replies->front().times.begun_ns) / 1e9;
            }
        }
        return true;
    }

    static Result<void> take(const std::vector<ServedReply>& replies, Samples& s) {
        int64_t tokens = 0, end = 0;
        for (const ServedReply& r : replies) {
            if (r.trouble && r.refused && s.first_ms.empty()) {  // that context, and no more than that
                s.why = r.trouble->message;
                return {};
            }
            if (r.trouble) return tl::unexpected(*r.trouble);
            const int64_t made = r.answer.tokens > 0 ? r.answer.tokens : r.answer.pieces;
            s.prompt_tokens = std::max(s.prompt_tokens, r.answer.prompt_tokens);
            s.cached = std::max(s.cached, r.answer.cached_tokens);
            s.longest = std::max(s.longest, made);
            tokens += made, end = std::max(end, r.times.ended_ns);
            if (r.times.first_ns > 0) s.first_ms.push_back(static_cast<double>(r.times.first_token_ns()) / 1e6);
            if (made < kFewestAnswered) continue;
            if (const double rate = r.tokens_per_second(); std::isfinite(rate)) s.token_ms.push_back(1e3 / rate);
        }
        s.rates.push_back(static_cast<double>(tokens) * 1e9 / static_cast<double>(std::max<int64_t>(1, end - replies.front().times.begun_ns)));
        return {};
    }

    static SweepDecode decoded(const Samples& s, int64_t n) {
        SweepDecode d;
        d.sequences = n;
        d.steps = static_cast<int64_t>(s.token_ms.size());
        d.ms = quantile(s.token_ms, 0.5), d.p10 = quantile(s.token_ms, 0.1), d.p90 = quantile(s.token_ms, 0.9);
        if (d.steps == 0 && s.longest < kFewestAnswered)
            d.why = "the answers ended after " + std::to_string(s.longest) + " tokens, and this server cannot be asked to go on";
        else if (d.steps == 0)
            d.why = "the answers came whole, so nobody knows the time of a token";
        return d;
    }

    const ServedSweepOptions& options_;
    Sweep& sweep_;
};

}  // namespace

Result<void> sweep_servers(const std::vector<Server>& servers, const std::vector<ServedModel>& models, const ServedSweepOptions& options, Sweep& sweep) {
    ServedMeasure measure(options, sweep);
    std::vector<Contestant> all;
    for (size_t i = 0; i < servers.size(); ++i)
        all.push_back({.server = &servers[i], .model = &models[i], .name = servers.size() < 2 ? "" : i == 0 ? "first" : "second"});
    sweep.limit_seconds = options.limit_seconds;
    for (Contestant& c : all)
        if (auto learnt = measure.learn(c); !learnt) return learnt;
    for (const int64_t context : options.contexts) {
        SweepRow row{.context = context, .in_turn = servers.size() > 1};
        const auto done = measure.row(all, row);
        if (!done || !*done) {
            sweep.ended =
                done ? "was interrupted at " + std::to_string(context) + " tokens" : "ended at " + std::to_string(context) + " tokens: " + done.error().message;
            if (!done && sweep.rows.empty()) return tl::unexpected(done.error());
            return {};
        }
        for (size_t i = 0; i < servers.size(); ++i) {
            const auto shape = served_shape("", models[i].id);
            SweepCell& cell = i ? row.twin : row.hybrid;
            if (!shape || !*shape) continue;
            const SequenceBytes bytes = sequence_bytes(**shape, context, 2);
            cell.state_bytes = bytes.state + bytes.conv, cell.cache_bytes = bytes.cache;
        }
        sweep.rows.push_back(row);
        if (options.on_row) options.on_row(row);
    }
    return {};
}

}  // namespace klp
