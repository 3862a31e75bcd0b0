#include "app/facts.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iterator>
#include <system_error>

#include "app/format.h"
#include "app/hands.h"
#include "app/lenses.h"
#include "core/model/life.h"
#include "core/model/readers.h"
#include "core/model/rules.h"

namespace klp {

namespace {

constexpr int64_t kPoolBytes = int64_t{1} << 28;
constexpr size_t kMostRows = 40;  // of a table by token

void say_fact(const Session& session, const std::string& sentence) { put(wrapped(sentence, session.terminal.canvas.width)); }

std::string token_text(const Session& session, int64_t position) {
    const int32_t id = session.talk.sequence().tokens()[static_cast<size_t>(position)];
    std::string text = one_line(session.engine.checkpoint.tokenizer->bytes(id));
    text.erase(0, text.find_first_not_of(' '));
    return text.empty() ? "(blank)" : text;
}
std::string named_token(const Session& session, int64_t position) { return "token " + std::to_string(position) + " \"" + token_text(session, position) + "\""; }

// The last token of a word's last occurrence among tokens [0, before); -1: it is not there.
int64_t last_of(const Session& session, const std::string& word, int64_t before) {
    const std::vector<int32_t>& tokens = session.talk.sequence().tokens();
    const Tokenizer& tokenizer = *session.engine.checkpoint.tokenizer;
    const auto letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80); };
    for (int64_t last = before - 1; last >= 0; --last) {
        const auto next = last + 1 < static_cast<int64_t>(tokens.size()) ? tokenizer.bytes(tokens[static_cast<size_t>(last + 1)]) : std::string_view();
        if (!next.empty() && letter(next[0]) && letter(word.back()) && !tokenizer.is_special(tokens[static_cast<size_t>(last + 1)])) continue;  // it goes on
        std::string text;
        for (int64_t first = last; first >= 0 && text.size() <= word.size(); --first) {
            const int32_t id = tokens[static_cast<size_t>(first)];
            if (tokenizer.is_special(id)) break;
            text = std::string(tokenizer.bytes(id)) + text;
            const size_t begin = text.find_first_not_of(' ');
            if (begin == text.npos || text.substr(begin) != word) continue;
            const auto left = begin > 0 || first == 0 ? std::string_view() : tokenizer.bytes(tokens[static_cast<size_t>(first - 1)]);
            if (left.empty() || !letter(left.back()) || !letter(word[0]) || tokenizer.is_special(tokens[static_cast<size_t>(first - 1)])) return last;
        }
    }
    return -1;
}

// A word, or a position. What was told before the last question is meant rather than what the question repeats.
Result<int64_t> token_named(const Session& session, const std::string& text, bool before_question) {
    const auto n = static_cast<int64_t>(session.talk.sequence().tokens().size());
    const int64_t question = session.talk.last_question();
    int64_t position = -1;
    const auto number = std::from_chars(text.data(), text.data() + text.size(), position);
    if (number.ec == std::errc() && number.ptr == text.data() + text.size()) {
        if (position < 0 || position >= n) return fail(Error::usage, "there is no token " + text + ", only 0 to " + std::to_string(n - 1));
        if (before_question && position >= question)
            return fail(Error::usage,
                        "token " + text + " comes after token " + std::to_string(question) + ", where the last question begins and the state is cut");
        return position;
    }
    position = question > 0 ? last_of(session, text, question) : -1;
    if (position < 0 && !before_question) position = last_of(session, text, n);
    if (position >= 0) return position;
    return fail(Error::usage,
                "'" + one_line(text) + "' was not said" +
                    (before_question ? " before the last question, where the state is cut; tell it in one message and ask in the next" : " in this talk"));
}

struct Place {
    int layer = -1, head = -1;
};
Result<Place> head_named(const Session& session, const std::vector<std::string>& words, size_t at) {
    Place place;
    if (words.size() <= at) return place;
    const auto name = parse_head(words[at], session.engine.config());
    if (!name) return tl::unexpected(name.error());
    return Place{name->layer, name->head};
}

std::vector<int> layers_with_states(const Session& session, int layer) {
    std::vector<int> all = session.engine.config().state_layers();
    if (layer >= 0) std::erase_if(all, [layer](int one) { return one != layer; });
    return all;
}

// Every named head's answer to a look at its state behind the first `tokens` tokens.
Result<std::vector<HeadReadable>> look(Session& session, int64_t tokens, int64_t token, int64_t with, bool cut, Place place) {
    const Sequence& sequence = session.talk.sequence();
    SnapshotPool pool(kPoolBytes);
    std::vector<HeadReadable> all;
    const std::vector<int> layers = layers_with_states(session, place.layer);
    if (layers.empty()) return fail(Error::usage, "the model has no KDA layer, so there is no state to read");
    session.reading.emplace(session.terminal, "reading states", "token");
    for (const int layer : layers) {
        auto heads = look_for_surgery(session.engine.model, pool,
                                      {.tokens = std::span(sequence.tokens()).first(static_cast<size_t>(tokens)),
                                       .layer = layer,
                                       .head = place.head,
                                       .token = token,
                                       .with = with,
                                       .cut = cut,
                                       .context = sequence.context(),
                                       .rolls = sequence.rolls(),
                                       .hands = sequence.touched()},
                                      &g_interrupted, [&](int64_t done, int64_t total) { session.reading->at(done, total); });
        if (!heads) {
            session.reading.reset();
            return tl::unexpected(heads.error());
        }
        std::move(heads->begin(), heads->end(), std::back_inserter(all));
    }
    session.reading.reset();
    return all;
}

std::string head_text(int layer, int head) { return std::to_string(layer) + "." + std::to_string(head); }
std::string cosine_text(float value) { return std::isnan(value) ? "n/a" : fixed(double{value}, 2); }

// The token, other than the one that is cut, that hears most of it.
size_t hears_most(const HeadReadable& head, const std::vector<float>& crosstalk) {
    size_t most = 0;
    const auto heard = [&](size_t t) { return static_cast<int64_t>(t) + head.first == head.token ? -1.f : std::abs(crosstalk[t]); };
    for (size_t t = 1; t < crosstalk.size(); ++t)
        if (heard(t) > heard(most)) most = t;
    return most;
}

void say_tokens(const Session& session, const HeadReadable& head) {
    Table table({"token", "text", "cosine", "length"});
    const size_t n = head.cosine.size(), first = n > kMostRows ? n - kMostRows : 0;
    for (size_t t = first; t < n; ++t) {
        const int64_t position = head.first + static_cast<int64_t>(t);
        table.add({(position == head.token ? "*" : "") + std::to_string(position), token_text(session, position), cosine_text(head.cosine[t]),
                   "x" + fixed(double{head.ratio[t]}, 2)});
    }
    put(table.text(session.terminal.canvas.width));
    if (first > 0) say_fact(session, "The newest " + std::to_string(kMostRows) + " of " + grouped(static_cast<int64_t>(n)) + " tokens.");
}

}  // namespace

void read_fact(Session& session, const std::vector<std::string>& words) {
    if (words.empty()) return note("klp: /read WORD [LAYER.HEAD], such as /read red 0.1, shows whether the states still answer what was written for it");
    if (session.talk.turn() == 0) return note("klp: nothing was said yet; ask something first");
    const auto token = token_named(session, words[0], false);
    if (!token) return note("klp: " + token.error().message);
    const auto place = head_named(session, words, 1);
    if (!place) return note("klp: " + place.error().message);
    const int64_t n = session.talk.sequence().position();
    const auto heads = look(session, n, *token, -1, false, *place);
    if (!heads) return note("klp: " + heads.error().message);
    say_fact(session, "What the states answer now, behind token " + std::to_string(n - 1) + ", to the key of " + named_token(session, *token) +
                          ", against the value that was written for it:");
    const std::string some = std::to_string(heads->front().carried.channels.size());
    Table table({"head", "cosine", "length", "written", "best " + some, "any " + some});
    for (const HeadReadable& head : *heads) {
        const auto at = static_cast<size_t>(*token - head.first);
        table.add({head_text(head.layer, head.head), cosine_text(head.cosine[at]), "x" + fixed(double{head.ratio[at]}, 2), percent_text(double{head.beta}),
                   percent_text(double{head.carried.lost}), percent_text(double{head.carried.lost_at_random})});
    }
    put(table.text(session.terminal.canvas.width));
    say_fact(session, "written: beta of the write. best " + some + ": what reading loses without the " + some + " channels of the key that carry most; any " +
                          some + ": without as many at random.");
    if (place->head < 0) return;
    say_fact(session, "And to the keys of all tokens that it was told:");
    say_tokens(session, heads->front());
}

void cut_fact(Session& session, bool erase, const std::vector<std::string>& words) {
    const size_t facts = erase ? 1 : 2;
    if (words.size() < facts)
        return note(erase ? "klp: /erase WORD [LAYER.HEAD], such as /erase red 0.1, lets a state answer nothing to its key"
                          : "klp: /overwrite WORD OTHER [LAYER.HEAD], such as /overwrite red blue 0.1, gives its key the other's value");
    if (session.talk.last_question() < 0) return note("klp: there is no answer yet to compare with; ask something first");
    const auto token = token_named(session, words[0], true);
    if (!token) return note("klp: " + token.error().message);
    const auto with = erase ? Result<int64_t>(-1) : token_named(session, words[1], true);
    if (!with) return note("klp: " + with.error().message);
    const auto place = head_named(session, words, facts);
    if (!place) return note("klp: " + place.error().message);
    const auto heads = look(session, session.talk.last_question(), *token, *with, true, *place);
    if (!heads) return note("klp: " + heads.error().message);

    say_fact(session, named_token(session, *token) + (erase ? " erased" : " overwritten with the value of " + named_token(session, *with)) + " before token " +
                          std::to_string(session.talk.last_question()) +
                          ". What other keys hear of it, as the keys' products predict and as measured afterwards:");
    Table table({"head", "cosine", "change", "most heard by", "predicted", "measured"});
    Interventions edits;
    for (const HeadReadable& head : *heads) {
        const size_t most = hears_most(head, head.predicted);
        table.add({head_text(head.layer, head.head), cosine_text(head.cosine[static_cast<size_t>(*token - head.first)]), fixed(double{head.change}, 3),
                   token_text(session, head.first + static_cast<int64_t>(most)), fixed(double{head.predicted[most]}, 3),
                   fixed(double{head.measured[most]}, 3)});
        edits.push_back(
            edit_of(head.layer, head.head, std::vector<double>(head.key.begin(), head.key.end()), std::vector<double>(head.value.begin(), head.value.end())));
    }
    put(table.text(session.terminal.canvas.width));
    answer_under(session, std::move(edits), false);
}

void live_fact(Session& session, const std::vector<std::string>& words) {
    if (words.empty()) return note("klp: /life WORD, such as /life red, shows what becomes of it in every memory");
    if (session.talk.turn() == 0) return note("klp: nothing was said yet; ask something first");
    const auto token = token_named(session, words[0], false);
    if (!token) return note("klp: " + token.error().message);
    const Sequence& sequence = session.talk.sequence();
    const Tokenizer& tokenizer = *session.engine.checkpoint.tokenizer;
    const auto turn = turn_tokens(tokenizer, session.engine.config());
    const int64_t opening = turn ? static_cast<int64_t>(turn->opening.size()) : 0;
    std::vector<bool> made(sequence.tokens().size());
    for (const int i : session.talk.line(session.talk.tip())) {
        const Conversation::Node& node = session.talk.node(i);
        if (node.role != "assistant") continue;
        for (int64_t p = node.end - static_cast<int64_t>(node.tokens.size()) + opening; p < node.end; ++p) made[static_cast<size_t>(p)] = true;
    }
    SnapshotPool pool(kPoolBytes);
    session.reading.emplace(session.terminal, "following it", "token");
    LifeRequest what{.tokens = sequence.tokens(), .token = *token, .context = sequence.context(), .rolls = sequence.rolls(), .hands = sequence.touched()};
    what.made = [&](int64_t p) { return made[static_cast<size_t>(p)]; };
    const auto life = follow_fact(session.engine.model, pool, what, &g_interrupted, [&](int64_t done, int64_t total) { session.reading->at(done, total); });
    session.reading.reset();
    if (!life) return note("klp: " + life.error().message);

    say_fact(session,
             "What is left of " + named_token(session, *token) + ", " + plural(life->last - *token, "token") +
                 " later, read with its own key: after the gates' decay alone, and after what was written since. Then how strongly the newest token reads it.");
    const Canvas& canvas = session.terminal.canvas;
    Table table({"head", "written", "decay", "and overwriting", "read", "since it was told"});
    for (const HeadLife& head : life->heads)
        table.add({head_text(head.layer, head.head), head.cache ? "cache" : percent_text(double{head.beta}),
                   head.cache ? "" : percent_text(double{head.decay.back()}), head.cache ? "" : percent_text(double{head.left.back()}),
                   head.cache ? percent_text(double{head.read.back()}) : fixed(double{head.read.back()}, 3),
                   sparkline(head.cache ? head.read : head.left, std::clamp(canvas.width - 56, 8, 32), canvas)});
    put(table.text(canvas.width));
    const auto most = std::max_element(life->probability.begin(), life->probability.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != life->probability.end())
        say_fact(session,
                 "The answers since gave it a probability of up to " + percent_text(double{most->second}) + ", at " + named_token(session, most->first) + ".");
}

void say_readers(Session& session, const std::vector<std::string>& words) {
    if (words.empty())
        return note("klp: /who WORD [TOKEN], such as /who red, ranks all heads by how much of what they read is that word's; TOKEN is the position that reads");
    if (session.talk.turn() == 0) return note("klp: nothing was said yet; ask something first");
    const auto token = token_named(session, words[0], false);
    if (!token) return note("klp: " + token.error().message);
    const Sequence& sequence = session.talk.sequence();
    ReadersRequest what{.tokens = sequence.tokens(), .token = *token, .context = sequence.context(), .rolls = sequence.rolls(), .hands = sequence.touched()};
    if (words.size() > 1) {
        const char* end = words[1].data() + words[1].size();
        const auto number = std::from_chars(words[1].data(), end, what.position);
        if (number.ec != std::errc() || number.ptr != end || what.position < *token || what.position >= sequence.position())
            return note("klp: '" + one_line(words[1]) + "' is no token that comes after the word: they are " + std::to_string(*token) + " to " +
                        std::to_string(sequence.position() - 1));
    }
    SnapshotPool pool(kPoolBytes);
    session.reading.emplace(session.terminal, "following it", "token");
    const auto readers = who_reads(session.engine.model, pool, what, &g_interrupted, [&](int64_t done, int64_t total) { session.reading->at(done, total); });
    session.reading.reset();
    if (!readers) return note("klp: " + readers.error().message);

    say_fact(session, "Who reads " + named_token(session, *token) + " at " + named_token(session, readers->position) +
                          ": of what each head reads there, the share that this word wrote.");
    const Canvas& canvas = session.terminal.canvas;
    const size_t shown = std::min(readers->heads.size(), kMostRows);
    const double most = readers->heads.empty() ? 0 : std::max(1e-9, std::abs(double{readers->heads[0].share}));
    Table table({"head", "memory", "share", "weight", ""});
    for (const HeadShare& one : std::span(readers->heads).first(shown))
        table.add({head_text(one.layer, one.head), one.cache ? "cache" : "state", percent_text(double{one.share}), fixed(double{one.weight}, 3),
                   bar(std::abs(double{one.share}) / most, std::clamp(canvas.width - 40, 6, 30), canvas)});
    put(table.text(canvas.width));
    if (shown < readers->heads.size())
        say_fact(session, "The first " + std::to_string(shown) + " of " + grouped(static_cast<int64_t>(readers->heads.size())) + " heads.");
    say_fact(session, "The shares of all tokens add up to 1 in each head; those of a state are signed, for one token may take away what others read.");
}

namespace {

// Of the tokens whose value the state still answers at all.
double mean_cosine(const UnderRule& one) {
    double sum = 0;
    int64_t count = 0;
    for (const float c : one.readable.cosine)
        if (!std::isnan(c)) sum += double{c}, ++count;
    return count > 0 ? sum / static_cast<double>(count) : NAN;
}

}  // namespace

void say_rules(Session& session, const std::vector<std::string>& words) {
    if (session.talk.turn() == 0) return note("klp: nothing was said yet; ask something first");
    auto place = head_named(session, words, 0);
    if (!place) return note("klp: " + place.error().message);
    const std::vector<int> layers = layers_with_states(session, place->layer);
    if (layers.empty()) return note("klp: there is no state there that another rule could have written");
    const Sequence& sequence = session.talk.sequence();
    SnapshotPool pool(kPoolBytes);
    std::vector<RulesNow> all;
    const int heads = place->head < 0 ? session.engine.config().kda_heads : 1;
    session.reading.emplace(session.terminal, "writing it again", "token");
    for (int n = 0; n < heads; ++n) {
        auto one = under_all_rules(session.engine.model, pool,
                                   {.tokens = sequence.tokens(),
                                    .layer = layers.front(),
                                    .head = place->head < 0 ? n : place->head,
                                    .context = sequence.context(),
                                    .rolls = sequence.rolls(),
                                    .hands = sequence.touched()},
                                   &g_interrupted, [&](int64_t done, int64_t total) { session.reading->at(done, total); });
        if (!one) {
            session.reading.reset();
            return note("klp: " + one.error().message);
        }
        all.push_back(std::move(*one));
    }
    session.reading.reset();

    const Canvas& canvas = session.terminal.canvas;
    const int64_t tokens = all[0].position + 1 - all[0].first;
    say_fact(session,
             "The same " + plural(tokens, "token") + " written into the state of layer " + std::to_string(layers.front()) +
                 (heads > 1 ? ", head by head" : ", head " + std::to_string(all[0].head)) +
                 ", by its own rule and by others: the state's norm now, and the mean cosine between each token's value and what its key still reads.");
    if (heads == 1) {
        Table table({"rule", "gate", "writing", "norm", "cosine", "by token"});
        for (size_t i = 0; i < kRules.size(); ++i) {
            const RuleInfo& rule = kRules[i];
            const UnderRule& one = all[0].rules[i];
            const char* gate = rule.gate == RuleInfo::Gate::each ? "each channel" : rule.gate == RuleInfo::Gate::one ? "one, the mean" : "none";
            table.add({std::string(rule.name) + (static_cast<size_t>(all[0].own) == i ? " (its own)" : ""), gate, rule.delta ? "delta rule" : "adds",
                       short_number(double{one.norm.back()}), fixed(mean_cosine(one), 2), sparkline(one.norm, std::clamp(canvas.width - 72, 8, 32), canvas)});
        }
        put(table.text(canvas.width));
    } else {
        std::vector<std::string> columns{"head"};
        for (const RuleInfo& rule : kRules) columns.emplace_back(rule.name);
        Table table(columns);
        for (const RulesNow& head : all) {
            std::vector<std::string> row{head_text(head.layer, head.head)};
            for (const UnderRule& one : head.rules) row.push_back(short_number(double{one.norm.back()}) + " / " + fixed(mean_cosine(one), 2));
            table.add(row);
        }
        put(table.text(canvas.width));
    }
    say_fact(session,
             "Keys, values, gates and betas are those that the model made under its own rule: this is what a rule keeps of them, not what a model that "
             "was trained under it would do.");
}

}  // namespace klp
