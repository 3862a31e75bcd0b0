#include "app/hands.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <sstream>
#include <string_view>
#include <system_error>

#include "app/format.h"
#include "app/progress.h"
#include "app/slash.h"

namespace klp {

namespace {

using What = Intervention::What;

struct Hand {
    const char* command;
    What what;
    const char* takes;  // for who got it wrong
};
constexpr Hand kHandsOfTheRepl[] = {
    {"gate", What::gates, "/gate LAYER[.HEAD[.CHANNEL]] xN, such as /gate 0.1 x2, makes half-lives N times as long; /gate every x2: in every layer"},
    {"beta", What::beta, "/beta LAYER[.HEAD] xN, such as /beta 0 x0, writes N times as strongly"},
    {"mute", What::read, "/mute LAYER[.HEAD], such as /mute 0.1, lets nothing of it be read"},
    {"silence", What::silence, "/silence LAYER.EXPERT, such as /silence 1.3, keeps an expert from being chosen"},
    {"hide", What::hide, "/hide FIRST:LAST, such as /hide 40:120, lets the latent cache forget these tokens"},
    {"empty", What::empty, "/empty LAYER[.HEAD], such as /empty 0, empties its state before the last question"},
    {"transplant", What::put, "/transplant SNAPSHOT LAYER[.HEAD], such as /transplant tom 0, puts in a snapshot's state before the last question"},
};

constexpr std::string_view kEvery = "every";  // layer

// "0", "0.1", "0.1.5"
bool parse_place(std::string_view text, std::vector<int>& numbers, size_t most) {
    numbers.clear();
    for (const char *at = text.data(), *end = at + text.size(); numbers.size() < most;) {
        int number = 0;
        const auto read = std::from_chars(at, end, number);
        if (read.ec != std::errc() || number < 0) return false;
        numbers.push_back(number);
        if (read.ptr == end) return true;
        if (*read.ptr != '.') return false;
        at = read.ptr + 1;
    }
    return false;
}

// "x2", "2"
bool parse_factor(std::string text, float& factor) {
    if (text.starts_with('x')) text.erase(0, 1);
    char* end = nullptr;
    factor = std::strtof(text.c_str(), &end);
    return !text.empty() && *end == 0 && std::isfinite(factor);
}

// An Error says what the command takes.
Result<Intervention> read_hand(const Session& session, const Hand& hand, const std::vector<std::string>& words) {
    const auto wrong = [&] { return fail(Error::usage, hand.takes); };
    Intervention one{.what = hand.what};
    std::vector<int> place;
    const bool factor = hand.what == What::gates || hand.what == What::beta, from_snapshot = hand.what == What::put;
    if (words.size() != (factor || from_snapshot ? 2u : 1u)) return wrong();
    if (hand.what == What::hide) {
        const size_t colon = words[0].find(':');
        std::vector<int> first, last;
        if (colon == std::string::npos || !parse_place(words[0].substr(0, colon), first, 1) || !parse_place(words[0].substr(colon + 1), last, 1))
            return wrong();
        one.tokens = {first[0], last[0] + int64_t{1}};
        return one;
    }
    const bool every = words[0] == kEvery && hand.what != What::silence && !from_snapshot;
    if (!every && !parse_place(words[from_snapshot ? 1 : 0], place, hand.what == What::gates ? 3 : 2)) return wrong();
    if (!every) one.layers = {place[0]};
    if (hand.what == What::silence) {
        if (place.size() != 2) return wrong();
        one.experts = {place[1]};
        return one;
    }
    if (place.size() > 1) one.heads = {place[1]};
    if (place.size() > 2) one.channels = {place[2]};
    if (hand.what == What::read) one.amount = 0;
    if (factor && !parse_factor(words[1], one.amount)) return wrong();
    if (!from_snapshot) return one;
    const auto found = session.snaps.find(words[0]);
    if (found == session.snaps.end()) return fail(Error::usage, "there is no snapshot '" + one_line(words[0]) + "' in this talk; /snap [NAME] makes one");
    auto state = session.talk.state_at(found->second, place[0], place.size() > 1 ? std::optional<int>(place[1]) : std::nullopt);
    if (!state) return tl::unexpected(state.error());
    one.state = std::move(*state);
    return one;
}

// "1st", "22nd"
std::string ordinal(int64_t n) {
    const int64_t last = n % 10, teens = n % 100;
    return grouped(n) + (teens >= 11 && teens <= 13 ? "th" : last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th");
}

}  // namespace

std::string compared(const Session& session, int left_branch, int left_tip) {
    const auto words_of = [&](int node) {
        std::istringstream text(session.talk.node(node).text);
        return std::vector<std::string>(std::istream_iterator<std::string>(text), {});
    };
    const auto before = words_of(left_tip), now = words_of(session.talk.tip());
    const auto [a, b] = std::mismatch(before.begin(), before.end(), now.begin(), now.end());
    const auto same = static_cast<int64_t>(a - before.begin());
    const std::string where = "what was here is branch " + std::to_string(left_branch) + " (/branch " + std::to_string(left_branch) + ", or /undo)";
    if (a == before.end() && b == now.end()) return "the answer is the same, word by word; " + where;
    if (same == 0) return "the answer is another from its first word on; " + where;
    return "the answer is as before up to its " + ordinal(same) + " word; " + where;
}

// "KL 0.31 nats a token, most 4.02 at 'Nora'": over the answer before, between what the model would say next under its hands and under those of now.
std::string distance(Session& session, int left_tip) {
    Progress progress(session.terminal, "comparing", "token");
    const auto apart = session.talk.apart(left_tip, session.ws, &g_interrupted, [&](int64_t done, int64_t total) { progress.at(done, total); });
    if (!apart || apart->tokens.empty()) return "";
    const auto& each = apart->tokens;
    const auto most = std::max_element(each.begin(), each.end(), [](const TokenApart& a, const TokenApart& b) { return a.divergence < b.divergence; });
    const double sum = std::accumulate(each.begin(), each.end(), 0.0, [](double so_far, const TokenApart& t) { return so_far + double{t.divergence}; });
    // The tokens that are judged end with the answer's last one.
    const std::vector<int32_t>& tokens = session.talk.node(left_tip).tokens;
    const int32_t id = tokens[tokens.size() - static_cast<size_t>(each.end() - most)];
    return "KL " + short_number(sum / static_cast<double>(each.size())) + " nats a token, most " + short_number(double{most->divergence}) + " at '" +
           one_line(session.engine.checkpoint.tokenizer->decode({&id, 1}, true)) + "'";
}

void lay_hand(Session& session, const std::string& command, std::vector<std::string> words) {
    const Hand& hand = *std::find_if(std::begin(kHandsOfTheRepl), std::end(kHandsOfTheRepl), [&](const Hand& h) { return command == h.command; });
    const bool whole_line = !words.empty() && words.back() == "all";
    if (whole_line) words.pop_back();
    auto one = read_hand(session, hand, words);
    if (!one) return note("klp: " + one.error().message);
    answer_under(session, {std::move(*one)}, whole_line);
}

void answer_under(Session& session, Interventions what, bool whole_line) {
    const int left = session.talk.branch(), tip = session.talk.tip();
    if (session.answers > 0) --session.answers;  // the same seed
    const auto answer = session.speak([&](const GenerateOptions& how) { return session.talk.touch(what, whole_line, session.ws, how); }, true);
    show_outcome(session, answer);
    if (!answer) return;
    session.before_hands[session.talk.tip()] = tip;
    const std::string laid = what.size() == 1 ? in_words(session.talk.touched()->back())
                                              : std::string(what[0].value.empty() ? "a key erased" : "a key overwritten") + " in " +
                                                    plural(static_cast<int64_t>(what.size()), "head");
    const std::string apart = distance(session, tip);
    put(wrapped(laid + ": " + compared(session, left, tip) + (apart.empty() ? "" : "; " + apart), session.terminal.canvas.width));
}

void list_hands(const Session& session) {
    const InterventionsPtr& all = session.talk.touched();
    if (!all)
        put(
            wrapped("Nothing is touched on this branch. /gate, /beta, /mute, /silence, /hide, /empty, /transplant, /overwrite and /erase answer the last "
                    "question again "
                    "with a changed memory.",
                    session.terminal.canvas.width));
    else
        for (const Intervention& one : *all) put(wrapped(in_words(one), session.terminal.canvas.width));
}

}  // namespace klp
