#include "core/studies/experiment.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "core/model/compare.h"
#include "core/model/surgery.h"
#include "core/studies/crowd.h"
#include "kernels/naive.h"
#include "kernels/random.h"

namespace klp {

namespace {

using Aim = AimedHand::Aim;
using What = Intervention::What;

// What a KDA head is given at one token, and what decay has left of it in front of the question (surgery.h).
struct WrittenRow {
    int64_t position = 0;
    std::vector<double> key, value, kept;  // [K], of length 1; [V]; [K]
};
// Of all words of interest, by layer and head.
using Written = std::map<std::pair<int, int>, std::vector<WrittenRow>>;

// The tokens whose text is these words, which must stand there once; empty where they do not.
std::vector<int64_t> tokens_of(const Tokenizer& tokenizer, std::span<const int32_t> ids, const std::string& words) {
    std::string text;
    std::vector<size_t> ends;
    for (const int32_t id : ids) {
        text += tokenizer.bytes(id);
        ends.push_back(text.size());
    }
    std::vector<int64_t> out;
    const std::vector<size_t> places = places_of(text, words);
    if (places.size() != 1) return out;
    const size_t first = places[0];
    for (size_t t = 0; t < ids.size(); ++t)
        if (ends[t] > first && (t ? ends[t - 1] : 0) < first + words.size()) out.push_back(static_cast<int64_t>(t));
    return out;
}

bool among(const std::vector<int>& all, int one) { return all.empty() || std::find(all.begin(), all.end(), one) != all.end(); }

// What a whole chat writes at some of its tokens.
Result<Written> written(const std::shared_ptr<const Model>& model, std::span<const int32_t> ids, const std::vector<int64_t>& positions, Workspace& ws,
                        const std::atomic<bool>* cancel) {
    Written out;
    const ModelConfig& c = model->config();
    for (const int layer : c.state_layers()) {
        Sequence sequence(model);
        const auto take = [&](int head, const DeltaRows& rows) {
            auto& mine = out[{layer, head}];
            for (const int64_t position : positions) {
                const auto value = value_of(rows, position);
                mine.push_back({position, key_of(rows, position), {value.begin(), value.end()}, kept_of(rows, position)});
            }
        };
        if (auto fed = delta_rows(sequence, ids, layer, 0, c.kda_heads, ws, take, cancel); !fed) return tl::unexpected(fed.error());
    }
    return out;
}

// A chat in front of its questions.
struct Bed {
    const RecallTask* task = nullptr;
    ChatSeen seen;
    std::vector<int32_t> ids;
    int target = -1;                         // which question; -1: no arm is aimed
    std::string other_word;                  // what an overwriting arm puts in the place of the target's
    std::vector<std::vector<int64_t>> said;  // of each question, the tokens of its words where they stand once
    Written written, other_written;          // of all these tokens, and those behind; of the target's, when the chat says the other word
    std::vector<int64_t> other_said;
    std::vector<Sequence> arms;  // at the end of `ids`
};

class Clinic {
public:
    Clinic(std::shared_ptr<const Model> model, const Tokenizer& tokenizer, const RecallData& data, const Experiment& experiment,
           const ExperimentOptions& options)
        : model_(std::move(model)), tokenizer_(tokenizer), data_(data), experiment_(experiment), options_(options), ws_(model_->backend()) {}

    Result<void> run() {
        auto turn = turn_tokens(tokenizer_, model_->config());
        if (!turn) return tl::unexpected(turn.error());
        turn_ = std::move(*turn);
        if (turn_.opening.empty()) return fail(Error::usage, "this model learned a made task and cannot be asked in words");
        std::vector<std::pair<int, int64_t>> all;
        for (const int64_t distance : experiment_.distances)
            for (int chat = 0; chat < static_cast<int>(experiment_.chats.size()); ++chat) all.emplace_back(chat, distance);
        const auto is_known = [&](const auto& one) { return options_.known && options_.known(one.first, one.second); };
        const auto say = [&](size_t at) {
            if (options_.on_progress) options_.on_progress(static_cast<int64_t>(at), static_cast<int64_t>(all.size()));
        };
        // The same chats together however often the run was broken off: where rows lie in a pass moves the last bits of what comes of them.
        const size_t together = std::max<size_t>(1, kTogether / experiment_.arms.size());
        for (size_t at = 0; at < all.size(); at += together) {
            say(at);
            const auto group = std::span(all).subspan(at, std::min(together, all.size() - at));
            if (std::all_of(group.begin(), group.end(), is_known)) continue;
            std::vector<Bed> beds;
            for (const auto& [chat, distance] : group) {
                auto bed = lay(chat, distance);
                if (!bed) return tl::unexpected(bed.error());
                beds.push_back(std::move(*bed));
            }
            if (auto done = observe(beds); !done) return done;
            for (size_t i = 0; i < beds.size(); ++i)
                if (!is_known(group[i]))
                    if (auto heard = options_.on_chat(beds[i].seen); !heard) return heard;
        }
        say(all.size());
        return {};
    }

private:
    static constexpr size_t kTogether = 64;  // sequences that are fed at once

    Result<Bed> lay(int chat, int64_t distance) {
        const RecallTask& task = experiment_.chats[static_cast<size_t>(chat)];
        Bed bed{.task = &task, .seen = {.task = task.name, .size = task.size, .distance = distance, .chat = chat}};
        auto ids = told(tokenizer_, data_, task, experiment_.numbers[static_cast<size_t>(chat)], distance);
        if (!ids) return tl::unexpected(ids.error());
        bed.ids = std::move(*ids);
        for (const auto& [question, wanted] : task.ask) bed.said.push_back(tokens_of(tokenizer_, bed.ids, wanted));
        if (!experiment_.aimed() && !experiment_.fidelity) return bed;

        std::vector<int64_t> positions;
        for (const auto& words : bed.said) positions.insert(positions.end(), words.begin(), words.end());
        for (const auto& words : bed.said)
            for (int64_t t = 0; t < most_behind() && !words.empty(); ++t)
                if (words.back() + 1 + t < static_cast<int64_t>(bed.ids.size())) positions.push_back(words.back() + 1 + t);
        std::sort(positions.begin(), positions.end());
        positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
        if (experiment_.aimed()) {
            const size_t n = task.ask.size();
            for (size_t i = 0; i < n && bed.target < 0; ++i)
                if (const size_t q = (i + static_cast<size_t>(chat)) % n; !bed.said[q].empty()) bed.target = static_cast<int>(q);
            if (bed.target < 0) {
                bed.seen.skipped = "no answer's words stand once in what it is told";
                return bed;
            }
        }
        auto rows = written(model_, bed.ids, positions, ws_, options_.cancel);
        if (!rows) return tl::unexpected(rows.error());
        bed.written = std::move(*rows);
        if (bed.target >= 0 && overwrites())
            if (auto other = lay_other(bed, chat, distance); !other) return tl::unexpected(other.error());
        return bed;
    }

    bool overwrites() const {
        for (const Arm& arm : experiment_.arms)
            for (const AimedHand& hand : arm.hands)
                if (hand.aim == Aim::overwrite) return true;
        return false;
    }

    // The same chat with another word in the target's place: that of the next chat which asks the same and wants something else.
    Result<void> lay_other(Bed& bed, int chat, int64_t distance) {
        const auto& [question, word] = bed.task->ask[static_cast<size_t>(bed.target)];
        const size_t n = experiment_.chats.size();
        for (const bool same_question : {true, false})
            for (size_t i = 1; i < n && bed.other_word.empty(); ++i) {
                const RecallTask& other = experiment_.chats[(static_cast<size_t>(chat) + i) % n];
                if (other.name != bed.task->name || other.size != bed.task->size) continue;
                for (const auto& [asked, wanted] : other.ask)
                    if ((asked == question || !same_question) && !holds(wanted, word) && tokens_of(tokenizer_, bed.ids, wanted).empty())
                        bed.other_word = wanted;
            }
        if (bed.other_word.empty()) {
            bed.seen.skipped = "no other chat has a word to write over it";
            return {};
        }
        RecallTask other = *bed.task;
        for (Message& m : other.before)
            if (const auto at = places_of(m.content, word); at.size() == 1) m.content.replace(at[0], word.size(), bed.other_word);
        auto ids = told(tokenizer_, data_, other, experiment_.numbers[static_cast<size_t>(chat)], distance);
        if (!ids) return tl::unexpected(ids.error());
        auto positions = tokens_of(tokenizer_, *ids, bed.other_word);
        bed.other_said = positions;
        for (int64_t t = 0; t < most_behind() && !positions.empty(); ++t)
            if (positions.back() + 1 < static_cast<int64_t>(ids->size())) positions.push_back(positions.back() + 1);
        if (positions.empty()) {
            bed.seen.skipped = "the word to write over it does not stand once where it was put";
            return {};
        }
        auto rows = written(model_, *ids, positions, ws_, options_.cancel);
        if (!rows) return tl::unexpected(rows.error());
        bed.other_written = std::move(*rows);
        return {};
    }

    int64_t most_behind() const {
        int64_t most = 0;
        for (const Arm& arm : experiment_.arms)
            for (const AimedHand& hand : arm.hands) most = std::max<int64_t>(most, hand.behind);
        return most;
    }

    // The rows of a question's words, and of so many tokens behind them, in one head; ascending.
    std::vector<const WrittenRow*> rows_of(const Written& written, const std::vector<int64_t>& words, std::pair<int, int> head, int behind = 0) const {
        std::vector<const WrittenRow*> out;
        for (const WrittenRow& row : written.at(head))
            if (row.position >= words.front() && row.position <= words.back() + behind) out.push_back(&row);
        return out;
    }

    // The channels that carry most of these rows (surgery.h), or as many drawn at random; ascending.
    std::vector<int> channels_of(const std::vector<const WrittenRow*>& rows, const AimedHand& hand, uint64_t seed) const {
        const size_t K = rows[0]->key.size();
        std::vector<double> weight(K);
        for (const WrittenRow* row : rows) {
            const std::vector<double> share = carried_by(row->key, row->kept);
            for (size_t i = 0; i < K; ++i) weight[i] += share[i];
        }
        for (size_t i = 0; i < K && hand.random; ++i) weight[i] = static_cast<double>(four(seed, static_cast<int64_t>(i)));
        std::vector<int> order(K);
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int a, int b) { return weight[static_cast<size_t>(a)] > weight[static_cast<size_t>(b)]; });
        order.resize(std::min(K, static_cast<size_t>(hand.channels)));
        std::sort(order.begin(), order.end());
        return order;
    }

    InterventionsPtr hands_on(const Bed& bed, const Arm& arm) const {
        Interventions out;
        const auto question = static_cast<int64_t>(bed.ids.size());
        for (const AimedHand& hand : arm.hands) {
            Intervention one = hand.what;
            one.from = hand.from_the_start ? 0 : question;
            if (hand.aim == Aim::none) {
                out.push_back(std::move(one));
                continue;
            }
            one.from = question;
            if (hand.aim == Aim::hide) {
                one.what = What::hide;
                const auto& words = bed.said[static_cast<size_t>(std::max(bed.target, 0))];
                one.tokens = hand.whole_cache ? std::pair<int64_t, int64_t>{0, question}
                                              : std::pair<int64_t, int64_t>{words.front(), std::min(words.back() + 1 + hand.behind, question)};
                out.push_back(std::move(one));
                continue;
            }
            for (const auto& [head, unused] : bed.written) {
                if (!among(hand.what.layers, head.first) || !among(hand.what.heads, head.second)) continue;
                const auto rows = rows_of(bed.written, bed.said[static_cast<size_t>(bed.target)], head, hand.behind);
                one.layers = {head.first}, one.heads = {head.second};
                if (hand.aim == Aim::cut) {
                    one.what = What::empty;
                    one.channels = channels_of(rows, hand, four(experiment_.seed, bed.seen.chat) + static_cast<uint64_t>(head.first * 1000 + head.second));
                    out.push_back(one);
                    continue;
                }
                for (size_t i = 0; i < rows.size(); ++i) {
                    std::span<const double> value;
                    if (hand.aim == Aim::overwrite) {  // the last token of the one word with the last of the other; what has none is erased
                        const auto others = rows_of(bed.other_written, bed.other_said, head, hand.behind);
                        const size_t from_last = rows.size() - 1 - i;
                        if (from_last < others.size()) value = others[others.size() - 1 - from_last]->value;
                    }
                    out.push_back(edit_of(head.first, head.second, rows[i]->key, value));
                    out.back().from = question;
                }
            }
        }
        return out.empty() ? nullptr : std::make_shared<const Interventions>(std::move(out));
    }

    Result<void> observe(std::vector<Bed>& beds) {
        if (auto stand = stand_in_front_of_questions(beds); !stand) return stand;
        for (Bed& bed : beds)
            if (bed.seen.skipped.empty()) look_at_states(bed);
        size_t most = 0;
        for (const Bed& bed : beds) most = std::max(most, bed.task->ask.size());
        for (size_t q = 0; q < most + static_cast<size_t>(experiment_.unrelated); ++q) {
            std::vector<Question> questions;
            for (Bed& bed : beds) {
                if (!bed.seen.skipped.empty()) continue;
                const size_t own = bed.task->ask.size();
                Question question{.bed = &bed, .ask = static_cast<int>(q)};
                if (q < own) {
                    question.text = bed.task->ask[q].first, question.wanted = bed.task->ask[q].second;
                    question.of = bed.target < 0 || bed.target == static_cast<int>(q) ? Observation::Of::target : Observation::Of::other;
                } else if (q < own + static_cast<size_t>(experiment_.unrelated)) {
                    const auto place = static_cast<size_t>(bed.seen.chat) * 7 + q - own;
                    question.text = data_.talk[(place * 13 + 5) % data_.talk.size()][0].content;
                    question.of = Observation::Of::unrelated;
                } else {
                    continue;
                }
                questions.push_back(std::move(question));
            }
            if (auto asked = ask(questions); !asked) return asked;
        }
        for (Bed& bed : beds) bed.arms.clear();
        return {};
    }

    Result<void> stand_in_front_of_questions(std::vector<Bed>& beds) {
        // Arms that begin with the question share the untouched chat.
        std::vector<Telling> tellings;
        for (Bed& bed : beds) {
            if (!bed.seen.skipped.empty()) continue;
            bed.arms.reserve(experiment_.arms.size());
            for (const Arm& arm : experiment_.arms) {
                const InterventionsPtr hands = hands_on(bed, arm);
                const bool starts = hands && std::any_of(hands->begin(), hands->end(), [](const Intervention& one) { return one.from == 0; });
                bed.arms.emplace_back(model_);
                if (auto laid = bed.arms.back().touch(hands); !laid) return fail(laid.error().kind, "arm '" + arm.name + "': " + laid.error().message);
                if (&arm == &experiment_.arms[0] || starts) tellings.push_back({&bed.arms.back(), bed.ids});
            }
        }
        if (auto fed = tell(tellings, ws_, options_.cancel); !fed) return fed;
        for (Bed& bed : beds)
            for (size_t a = 1; a < bed.arms.size(); ++a) {
                if (bed.arms[a].position() > 0) continue;
                const InterventionsPtr hands = bed.arms[a].touched();
                bed.arms[a] = bed.arms[0].fork();
                if (auto laid = bed.arms[a].touch(hands); !laid) return laid;
            }
        return {};
    }

    // How well the states read back what they were given.
    void look_at_states(Bed& bed) {
        if (!experiment_.fidelity) return;
        const ModelConfig& c = model_->config();
        std::vector<int64_t> words;
        for (const auto& some : bed.said) words.insert(words.end(), some.begin(), some.end());
        for (const int layer : c.state_layers()) {
            for (int head = 0; head < c.kda_heads; ++head) {
                const HeadState state{c.kda_value_dim, c.kda_key_dim, bed.arms[0].state(layer, "S", head)};
                double cosines = 0, kept = 0;
                int rows = 0;
                for (const WrittenRow& row : bed.written.at({layer, head})) {
                    if (std::find(words.begin(), words.end(), row.position) == words.end()) continue;  // it stands behind one
                    const std::vector<double> answer = read(state, row.key);
                    const double lengths = std::sqrt(naive::dot(answer, answer) * naive::dot(row.value, row.value));
                    cosines += lengths > 0 ? naive::dot(answer, row.value) / lengths : 0;
                    for (const double share : carried_by(row.key, row.kept)) kept += share;
                    ++rows;
                }
                bed.seen.fidelity.push_back(rows == 0 ? NAN : static_cast<float>(cosines / rows));
                bed.seen.kept.push_back(rows == 0 ? NAN : static_cast<float>(kept / rows));
            }
        }
    }

    struct Question {
        Bed* bed = nullptr;
        int ask = 0;
        std::string text, wanted;
        Observation::Of of{};
        std::vector<std::vector<int32_t>> answers = {};  // of each arm
    };

    // Largest |k . k_j| of the question's words and the target's, mean over the heads; NaN where the words do not stand once.
    float nearness(const Bed& bed, int ask) const {
        if (bed.said[static_cast<size_t>(ask)].empty() || bed.target < 0) return NAN;
        double sum = 0;
        for (const auto& [head, unused] : bed.written) {
            double most = 0;
            for (const WrittenRow* mine : rows_of(bed.written, bed.said[static_cast<size_t>(ask)], head))
                for (const WrittenRow* target : rows_of(bed.written, bed.said[static_cast<size_t>(bed.target)], head))
                    most = std::max(most, std::abs(naive::dot(mine->key, target->key)));
            sum += most;
        }
        return static_cast<float>(sum / static_cast<double>(bed.written.size()));
    }

    Result<void> ask(std::vector<Question>& questions) {
        const size_t arms = experiment_.arms.size();
        // Each arm of each chat hears the question, up to the last token in front of the answer.
        std::vector<Sequence> heard;
        std::vector<Telling> tellings;
        heard.reserve(questions.size() * arms);
        for (const Question& q : questions) {
            auto ids = encode_message(tokenizer_, {.role = "user", .content = q.text});
            if (!ids) return tl::unexpected(ids.error());
            ids->insert(ids->end(), turn_.opening.begin(), turn_.opening.end() - 1);
            for (size_t a = 0; a < arms; ++a) {
                heard.push_back(q.bed->arms[a].fork());
                tellings.push_back({&heard.back(), *ids});
            }
        }
        if (auto fed = tell(tellings, ws_, options_.cancel); !fed) return fed;

        // What each one answers; of unrelated questions only what the untouched model does.
        std::vector<Sequence> speaking;
        std::vector<Telling> openings;
        std::vector<int64_t> budgets;
        std::vector<std::pair<size_t, size_t>> who;  // question, arm
        speaking.reserve(heard.size());
        for (size_t i = 0; i < questions.size(); ++i) {
            Question& q = questions[i];
            q.answers.resize(arms);
            const bool related = q.of != Observation::Of::unrelated;
            for (size_t a = 0; a < (related ? arms : 1); ++a) {
                speaking.push_back(heard[i * arms + a].fork());
                openings.push_back({&speaking.back(), {turn_.opening.back()}});
                budgets.push_back(related ? static_cast<int64_t>(tokenizer_.encode(q.wanted).size()) + 32 : 16);
                who.emplace_back(i, a);
            }
        }
        auto said = answers(openings, turn_.stop, budgets, ws_, options_.cancel);
        if (!said) return tl::unexpected(said.error());
        for (size_t i = 0; i < who.size(); ++i) questions[who[i].first].answers[who[i].second] = std::move((*said)[i]);

        // Every arm is fed the untouched model's answer: how far is what it would say from what that one says?
        std::vector<Telling> listeners;
        for (size_t i = 0; i < questions.size(); ++i)
            for (size_t a = 0; a < arms; ++a) {
                std::vector<int32_t> ids{turn_.opening.back()};
                const auto& answer = questions[i].answers[0];
                ids.insert(ids.end(), answer.begin(), answer.end());
                listeners.push_back({&heard[i * arms + a], std::move(ids)});
            }
        std::vector<double> changes(listeners.size());
        std::vector<float> untouched;
        const auto vocabulary = static_cast<size_t>(model_->config().vocab_size);
        auto listened = listen(listeners, ws_, options_.cancel, [&](size_t which, std::span<const float> logits) {
            if (which % arms == 0) untouched.assign(logits.begin(), logits.end());
            const size_t rows = logits.size() / vocabulary;
            if (which % arms != 0)
                for (size_t r = 0; r < rows; ++r)
                    changes[which] += divergence(std::span(untouched).subspan(r * vocabulary, vocabulary), logits.subspan(r * vocabulary, vocabulary));
            changes[which] /= static_cast<double>(rows);
        });
        if (!listened) return listened;

        for (size_t i = 0; i < questions.size(); ++i) {
            const Question& q = questions[i];
            for (size_t a = 0; a < arms; ++a) {
                Observation o{.of = q.of, .arm = static_cast<int>(a), .ask = q.ask, .change = static_cast<float>(changes[i * arms + a])};
                if (q.of != Observation::Of::unrelated) {
                    const std::string answer = tokenizer_.decode(q.answers[a]);
                    o.recalled = holds(answer, q.wanted);
                    if (q.of == Observation::Of::target && !q.bed->other_word.empty()) o.replaced = holds(answer, q.bed->other_word);
                    if (q.of == Observation::Of::other) o.cosine = nearness(*q.bed, q.ask);
                }
                q.bed->seen.seen.push_back(o);
            }
        }
        return {};
    }

    std::shared_ptr<const Model> model_;
    const Tokenizer& tokenizer_;
    const RecallData& data_;
    const Experiment& experiment_;
    const ExperimentOptions& options_;
    Workspace ws_;
    TurnTokens turn_;
};

}  // namespace

bool Experiment::aimed() const {
    for (const Arm& arm : arms)
        for (const AimedHand& hand : arm.hands)
            if (hand.aim != Aim::none && !hand.whole_cache) return true;
    return false;
}

Result<void> run_experiment(const std::shared_ptr<const Model>& model, const Tokenizer& tokenizer, const RecallData& data, const Experiment& experiment,
                            const ExperimentOptions& options) {
    return Clinic(model, tokenizer, data, experiment, options).run();
}

}  // namespace klp
