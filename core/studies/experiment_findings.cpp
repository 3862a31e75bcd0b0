// What the chats of an experiment come to: means, and how sure they are.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "core/files/json.h"
#include "core/studies/experiment.h"
#include "kernels/random.h"

namespace klp {

namespace {

constexpr std::array<MeasureInfo, kMeasures> kMeasureInfos = {{
    {"recalled", "share", "answers that hold what was told"},
    {"replaced", "share", "answers that hold what was written over it"},
    {"others", "share", "answers about what was not aimed at that hold what was told"},
    {"change", "nats a token", "KL divergence from the untouched model's answer"},
    {"change of others", "nats a token", "the same, of questions about what was not aimed at"},
    {"change elsewhere", "nats a token", "the same, of questions that have nothing to do with the chat"},
}};

// Of each chat, what its questions sum to.
struct Sum {
    double sum = 0;
    int questions = 0;
    void add(float value) {
        if (!std::isnan(value)) sum += value, ++questions;
    }
};

Estimate estimate(const std::vector<Sum>& chats, uint64_t seed) {
    constexpr int kSamples = 2000;
    Estimate out;
    std::vector<Sum> some;
    double sum = 0;
    for (const Sum& chat : chats) {
        if (chat.questions == 0) continue;
        some.push_back(chat);
        sum += chat.sum, out.questions += chat.questions;
    }
    out.chats = static_cast<int>(some.size());
    if (some.empty()) return out;
    out.mean = sum / out.questions;
    std::vector<double> means(kSamples);
    for (int sample = 0; sample < kSamples; ++sample) {
        double all = 0;
        int questions = 0;
        for (size_t i = 0; i < some.size(); ++i) {
            const Sum& drawn = some[four(seed + static_cast<uint64_t>(sample), static_cast<int64_t>(i)) % some.size()];
            all += drawn.sum, questions += drawn.questions;
        }
        means[static_cast<size_t>(sample)] = all / questions;
    }
    std::sort(means.begin(), means.end());
    out.low = means[static_cast<size_t>(0.025 * kSamples)], out.high = means[static_cast<size_t>(0.975 * kSamples) - 1];
    return out;
}

// Which measures an observation counts for, and with what.
template <class Each>
void each_measure(const Observation& o, const Each& each) {
    switch (o.of) {
        case Observation::Of::target:
            each(Measure::recalled, o.recalled), each(Measure::replaced, o.replaced), each(Measure::change, o.change);
            break;
        case Observation::Of::other:
            each(Measure::others, o.recalled), each(Measure::change_others, o.change);
            break;
        case Observation::Of::unrelated:
            each(Measure::unrelated, o.change);
            break;
    }
}

}  // namespace

const MeasureInfo& info(Measure measure) { return kMeasureInfos[static_cast<size_t>(measure)]; }

bool Findings::any(Measure m) const {
    return std::any_of(figures.begin(), figures.end(), [m](const auto& of) { return of[static_cast<size_t>(m)].questions > 0; });
}

Findings findings(const Experiment& experiment, const std::vector<ChatSeen>& all) {
    Findings out;
    for (const Arm& arm : experiment.arms) out.arms.push_back(arm.name);
    const size_t arms = out.arms.size();
    std::map<Condition, std::vector<const ChatSeen*>> by;
    std::vector<float> cosines;
    for (const ChatSeen& chat : all) {
        if (!chat.skipped.empty()) {
            ++out.skipped, out.why_skipped = chat.skipped;
            continue;
        }
        by[{chat.task, chat.size, chat.distance}].push_back(&chat);
        for (const Observation& o : chat.seen)
            if (o.arm == 0 && !std::isnan(o.cosine)) cosines.push_back(o.cosine);
    }
    std::sort(cosines.begin(), cosines.end());
    for (int i = 0; i < 2 && !cosines.empty(); ++i) out.bounds[i] = cosines[cosines.size() * static_cast<size_t>(i + 1) / 3];
    using Sums = std::vector<Sum>;  // of the chats
    std::vector<std::array<Sums, 3>> near_recalled(arms), near_change(arms);

    for (const auto& [condition, chats] : by) {
        out.conditions.push_back(condition);
        std::vector<std::array<Sums, kMeasures>> sums(arms);
        for (auto& of : sums)
            for (Sums& s : of) s.resize(chats.size());
        for (size_t n = 0; n < chats.size(); ++n) {
            for (auto* near : {&near_recalled, &near_change})
                for (auto& of : *near)
                    for (Sums& s : of) s.emplace_back();
            for (const Observation& o : chats[n]->seen) {
                const auto arm = static_cast<size_t>(o.arm);
                each_measure(o, [&](Measure m, float value) { sums[arm][static_cast<size_t>(m)][n].add(value); });
                if (std::isnan(o.cosine)) continue;
                const size_t third = o.cosine < out.bounds[0] ? 0 : o.cosine < out.bounds[1] ? 1 : 2;
                near_recalled[arm][third].back().add(o.recalled), near_change[arm][third].back().add(o.change);
            }
        }
        for (auto& of : sums) {
            out.figures.emplace_back();
            for (size_t m = 0; m < kMeasures; ++m) out.figures.back()[m] = estimate(of[m], experiment.seed);
        }
        for (auto member : {&ChatSeen::fidelity, &ChatSeen::kept}) {
            std::vector<float> mean;
            std::vector<int> counted;
            for (const ChatSeen* chat : chats) {
                const auto& values = chat->*member;
                mean.resize(std::max(mean.size(), values.size())), counted.resize(mean.size());
                for (size_t i = 0; i < values.size(); ++i)
                    if (!std::isnan(values[i])) mean[i] += values[i], ++counted[i];
            }
            for (size_t i = 0; i < mean.size(); ++i) mean[i] /= static_cast<float>(counted[i]);
            (member == &ChatSeen::fidelity ? out.fidelity : out.kept).push_back(std::move(mean));
        }
    }
    if (!cosines.empty()) {
        for (size_t a = 0; a < arms; ++a) {
            out.near_recalled.emplace_back(), out.near_change.emplace_back();
            for (size_t third = 0; third < 3; ++third) {
                out.near_recalled[a][third] = estimate(near_recalled[a][third], experiment.seed);
                out.near_change[a][third] = estimate(near_change[a][third], experiment.seed);
            }
        }
    }
    return out;
}

// --- Lines --------------------------------------------------------------------------------------------------------------

std::string to_line(const ChatSeen& chat) {
    const auto number = [](float value) { return std::isnan(value) ? nlohmann::json() : nlohmann::json(value); };
    nlohmann::json j{{"task", chat.task}, {"size", chat.size}, {"distance", chat.distance}, {"chat", chat.chat}};
    if (!chat.skipped.empty()) j["skipped"] = chat.skipped;
    auto& seen = j["seen"] = nlohmann::json::array();
    for (const Observation& o : chat.seen)
        seen.push_back({static_cast<int>(o.of), o.arm, o.ask, number(o.recalled), number(o.replaced), number(o.change), number(o.cosine)});
    for (auto [name, values] : {std::pair{"fidelity", &chat.fidelity}, {"kept", &chat.kept}}) {
        if (values->empty()) continue;
        auto& list = j[name] = nlohmann::json::array();
        for (const float value : *values) list.push_back(number(value));
    }
    return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<ChatSeen> from_line(const std::string& line, const std::string& where) {
    const auto j = parse_json(line, where);
    if (!j) return fail(Error::failure, j.error().message);
    const auto number = [](const nlohmann::json& v) { return v.is_null() ? NAN : v.get<float>(); };
    try {
        ChatSeen out{.task = j->at("task"), .size = j->at("size"), .distance = j->at("distance"), .chat = j->at("chat"), .skipped = j->value("skipped", "")};
        for (const auto& o : j->at("seen")) {
            const int of = o.at(0).get<int>();
            if (of < 0 || of > 2) return fail(Error::failure, where + " is no line of an experiment");
            out.seen.push_back({static_cast<Observation::Of>(of), o.at(1), o.at(2), number(o.at(3)), number(o.at(4)), number(o.at(5)), number(o.at(6))});
        }
        for (auto [name, values] : {std::pair{"fidelity", &out.fidelity}, {"kept", &out.kept}})
            if (const auto list = j->find(name); list != j->end())
                for (const auto& value : *list) values->push_back(number(value));
        return out;
    } catch (const nlohmann::json::exception&) {
        return fail(Error::failure, where + " is no line of an experiment");
    }
}

}  // namespace klp
