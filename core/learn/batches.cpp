#include "core/learn/batches.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "core/learn/dice.h"

namespace klp {

namespace {

constexpr size_t kMostRows = size_t{1} << 28;  // of a plan: 6 GiB of their list

constexpr int64_t kShortest = 32;  // where the data says the lengths, ranges are powers of two from here on

bool teaches(const Source& source, int64_t first, int64_t size) {
    const auto* at = source.tokens.data() + first;
    return std::any_of(at + 1, at + size, [](int32_t id) { return id >= 0; });
}

// shares [part][range], so that ranges sum up to `lengths` and parts to `weights` as far as that can be: iterative proportional fitting, beginning with what
// each source has of each range. The ranges come last, so they are exact.
void fit(std::vector<std::vector<double>>& shares, const std::vector<double>& weights, const std::vector<double>& lengths) {
    for (int round = 0; round < 200; ++round) {
        for (size_t p = 0; p < shares.size(); ++p) {
            const double sum = std::accumulate(shares[p].begin(), shares[p].end(), 0.0);
            for (double& share : shares[p]) share *= sum > 0 ? weights[p] / sum : 0;
        }
        for (size_t r = 0; r < lengths.size(); ++r) {
            double sum = 0;
            for (const auto& part : shares) sum += part[r];
            for (auto& part : shares) part[r] *= sum > 0 ? lengths[r] / sum : 0;
        }
    }
}

void normalise(std::vector<double>& shares) {
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares) share /= sum;
}

}  // namespace

// Rows of one source and range of lengths, in the order in which they come.
struct Batches::Walk {
    std::vector<Row> rows;
    int64_t tokens = 0;
    size_t at = 0;
    uint64_t rounds = 0, place = 0;
    Row next(uint64_t seed) {
        if (at == 0) Dice(seed, {place, rounds++}).shuffle(rows);
        const Row row = rows[at];
        at = (at + 1) % rows.size();
        return row;
    }
};

Task Batches::task_of(const Stage::Part& part, const Row& row) {
    Task task = *part.task;
    task.length = row.size - 1;
    return task;
}

class Batches::Layout {
public:
    Layout(Batches& out, std::string plan_name) : out_(out), plan_name_(std::move(plan_name)) {}

    Result<void> stage(uint32_t number) {
        const Stage& s = out_.plan_.stages[number];
        const std::string at = plan_name_ + ": stages[" + std::to_string(number) + "].";
        std::vector<const Source*>& sources = out_.sources_.emplace_back();
        for (const Stage::Part& part : s.parts) {
            const auto found = std::find_if(out_.data_->sources.begin(), out_.data_->sources.end(), [&](const Source& one) { return one.name == part.source; });
            if (!part.task && found == out_.data_->sources.end()) {
                std::string names;
                for (const Source& one : out_.data_->sources) names += (names.empty() ? "" : ", ") + one.name;
                return fail(Error::usage, at + "sources has " + part.source + ", which is none of the data's: " + (names.empty() ? "there is none" : names));
            }
            sources.push_back(part.task ? nullptr : &*found);
        }
        std::vector<int64_t> ends;  // of the ranges
        for (const auto& [length, unused] : s.lengths) ends.push_back(length);
        for (int64_t end = std::min(kShortest, s.longest); s.lengths.empty(); end = std::min(2 * end, s.longest)) {
            ends.push_back(end);
            if (end == s.longest) break;
        }
        std::vector<std::vector<Walk*>> walks(s.parts.size());  // [part][range]; null: a task
        std::vector<std::vector<double>> shares(s.parts.size(), std::vector<double>(ends.size()));
        std::vector<double> weights, lengths(ends.size());
        for (size_t p = 0; p < s.parts.size(); ++p) {
            weights.push_back(s.parts[p].weight);
            for (size_t r = 0; r < ends.size(); ++r) {
                Walk* walk = sources[p] ? &walk_of(*sources[p], r > 0 ? ends[r - 1] : 0, ends[r], s.longest) : nullptr;
                walks[p].push_back(walk);
                Task task = s.parts[p].task.value_or(Task{});
                task.length = ends[r];
                const bool fits = check(task) && (!s.lengths.empty() || ends[r] == s.longest);
                shares[p][r] = walk ? static_cast<double>(walk->tokens) : fits ? 1 : 0;
            }
            if (std::accumulate(shares[p].begin(), shares[p].end(), 0.0) <= 0)
                return fail(Error::usage, at + "sources has " + s.parts[p].source + ", and no rows of it are left to learn from");
        }
        normalise(weights);
        for (auto& part : shares) normalise(part);
        for (size_t r = 0; r < ends.size(); ++r) {
            double have = 0;
            for (size_t p = 0; p < shares.size(); ++p) have += weights[p] * shares[p][r];
            lengths[r] = s.lengths.empty() ? have : s.lengths[r].second;
            if (lengths[r] > 0 && have <= 0)
                return fail(Error::usage, at + "lengths has " + std::to_string(ends[r]) + ", and none of its sources has rows of " +
                                              std::to_string(r > 0 ? ends[r - 1] + 1 : 1) + " to " + std::to_string(ends[r]) + " tokens");
        }
        normalise(lengths);
        fit(shares, weights, lengths);
        if (!steps(number, walks, shares, lengths, ends))
            return fail(Error::usage,
                        at + "tokens is " + std::to_string(s.tokens) + ", which are more rows than a plan may have (" + std::to_string(kMostRows) + ")");
        return {};
    }

private:
    // The rows of a source whose inputs are more than `above` and at most `end`.
    Walk& walk_of(const Source& source, int64_t above, int64_t end, int64_t longest) {
        const auto [at, fresh] = walks_.try_emplace(std::tuple(source.name, above, end, longest));
        Walk& walk = at->second;
        if (!fresh) return walk;
        walk.place = hash_of(source.name) ^ mix(static_cast<uint64_t>(end)) ^ static_cast<uint64_t>(above);
        for (const Source::Document& document : source.documents) {
            for (int64_t first = 0; first + 1 < document.size; first += longest) {
                const int64_t size = std::min(document.size - first, longest + 1);
                if (size - 1 > above && size - 1 <= end && teaches(source, document.first + first, size)) {
                    walk.rows.push_back({document.first + first, static_cast<int32_t>(size)});
                    walk.tokens += size - 1;
                }
                if (!source.text) break;
            }
        }
        return walk;
    }

    bool steps(uint32_t number, const std::vector<std::vector<Walk*>>& walks, const std::vector<std::vector<double>>& shares,
               const std::vector<double>& lengths, const std::vector<int64_t>& ends) {
        const Stage& s = out_.plan_.stages[number];
        int64_t done = 0;
        std::vector<double> of_range(shares.size());
        for (int64_t k = 0; done < s.tokens; ++k) {
            if (out_.rows_.size() > kMostRows) return false;
            Dice dice(out_.seed_, {number, static_cast<uint64_t>(k)});
            const size_t range = dice.pick(lengths);
            for (size_t p = 0; p < shares.size(); ++p) {  // shares are of tokens, and a throw is for a row
                const Walk* walk = walks[p][range];
                const double rows = walk ? static_cast<double>(walk->rows.size()) : 1, tokens = static_cast<double>(walk ? walk->tokens : ends[range]);
                of_range[p] = shares[p][range] > 0 ? shares[p][range] * rows / tokens : 0;
            }
            Step step{.first_row = out_.rows_.size(), .before = total_, .in_stage = done, .number = k, .stage = number};
            while (step.tokens < s.batch) {
                const size_t part = dice.pick(of_range);
                Walk* walk = walks[part][range];
                const bool begin = walk && !out_.sources_[number][part]->text && dice.uniform() < s.begin && out_.begin_id_ >= 0;
                const size_t before = walk ? walk->at : 0;
                Row row = walk ? walk->next(out_.seed_) : Row{static_cast<int64_t>(dice.next() >> 1), static_cast<int32_t>(ends[range] + 1)};
                row.part = static_cast<uint16_t>(part), row.begin = begin;
                int64_t tokens = std::min<int64_t>(row.size - 1 + begin, s.longest);
                if (!walk) tokens = row_tokens(task_of(s.parts[part], row));
                // As near to the size of a step as rows allow; what is left for the next one keeps its place.
                if (step.tokens > 0 && step.tokens + tokens / 2 > s.batch) {
                    if (walk) walk->at = before;
                    break;
                }
                step.tokens += tokens;
                out_.rows_.push_back(row);
            }
            done += step.tokens, total_ += step.tokens;
            out_.steps_.push_back(step);
        }
        return true;
    }

    Batches& out_;
    std::string plan_name_;
    std::map<std::tuple<std::string, int64_t, int64_t, int64_t>, Walk> walks_;
    int64_t total_ = 0;
};

Result<Batches> Batches::lay_out(std::shared_ptr<const Data> data, Plan plan, const ModelConfig& config, uint64_t seed, const std::string& plan_name) {
    Batches out;
    out.data_ = std::move(data), out.plan_ = std::move(plan), out.seed_ = seed, out.begin_id_ = config.bos_token_id;
    if (auto sound = check(out.plan_, config, plan_name); !sound) return tl::unexpected(sound.error());
    Layout layout(out, plan_name);
    for (uint32_t i = 0; i < out.plan_.stages.size(); ++i)
        if (auto laid = layout.stage(i); !laid) return tl::unexpected(laid.error());
    return out;
}

int64_t Batches::tokens_before(int64_t step) const {
    if (step < steps()) return steps_[static_cast<size_t>(step)].before;
    return steps_.empty() ? 0 : steps_.back().before + steps_.back().tokens;
}

double Batches::rate(int64_t number) const {
    const Step& step = steps_[static_cast<size_t>(number)];
    const Stage& s = plan_.stages[step.stage];
    const double done = static_cast<double>(step.in_stage) / static_cast<double>(s.tokens);
    const double warm = s.warmup > 0 ? std::min(1.0, static_cast<double>(step.number + 1) / static_cast<double>(s.warmup)) : 1;
    return (s.from + (s.to - s.from) * done) * warm;
}

Rates Batches::rates(int64_t step) const {
    const double part = rate(step);
    return {.muon = plan_.muon * part, .adamw = plan_.adamw * part, .weight_decay = plan_.weight_decay, .clip = plan_.clip, .balance = plan_.balance * part};
}

void Batches::append(const Source& source, const Row& row, int64_t longest, Batch& batch) const {
    const std::span tokens(source.tokens.data() + row.first, static_cast<size_t>(row.size));
    const size_t before = batch.ids.size();
    const auto add = [&](int32_t marked, int32_t next) {
        if (static_cast<int64_t>(batch.ids.size() - before) == longest) return;
        batch.ids.push_back(marked < 0 ? ~marked : marked);
        batch.targets.push_back(next < 0 ? -1 : next);
    };
    if (row.begin) add(begin_id_, tokens[0]);
    for (size_t i = 0; i + 1 < tokens.size(); ++i) add(tokens[i], tokens[i + 1]);
    batch.lengths.push_back(static_cast<int64_t>(batch.ids.size() - before));
}

Batch Batches::batch(int64_t number) const {
    const Step& step = steps_[static_cast<size_t>(number)];
    const Stage& s = plan_.stages[step.stage];
    const size_t end = number + 1 < steps() ? steps_[static_cast<size_t>(number + 1)].first_row : rows_.size();
    Batch batch;
    for (size_t i = step.first_row; i < end; ++i) {
        const Row& row = rows_[i];
        if (const Source* source = sources_[step.stage][row.part]) {
            append(*source, row, s.longest, batch);
            continue;
        }
        const Batch made = make_batch(task_of(s.parts[row.part], row), 1, seed_, static_cast<uint64_t>(row.first));
        batch.lengths.insert(batch.lengths.end(), made.lengths.begin(), made.lengths.end());
        batch.ids.insert(batch.ids.end(), made.ids.begin(), made.ids.end());
        batch.targets.insert(batch.targets.end(), made.targets.begin(), made.targets.end());
    }
    return batch;
}

std::vector<Batches::HeldOut> Batches::held_out(int64_t tokens) const {
    std::vector<HeldOut> all;
    std::set<std::string> names;
    for (const Stage& s : plan_.stages)
        for (const Stage::Part& part : s.parts) names.insert(part.source);
    const int64_t most = tokens / static_cast<int64_t>(std::max<size_t>(names.size(), 1));
    const auto add = [&](const std::string& name) -> HeldOut* {
        const auto known = std::find_if(all.begin(), all.end(), [&](const HeldOut& one) { return one.source == name; });
        return known == all.end() ? &all.emplace_back(HeldOut{name, {}}) : nullptr;
    };
    int64_t longest = 1;
    for (const Stage& s : plan_.stages) longest = std::max(longest, s.longest);
    for (size_t k = 0; k < plan_.stages.size(); ++k) {
        const Stage& s = plan_.stages[k];
        for (size_t p = 0; p < s.parts.size(); ++p) {
            const Source* source = sources_[k][p];
            if (source && source->held_out.empty()) continue;
            HeldOut* held = add(s.parts[p].source);
            if (!held) continue;
            if (!source) {
                Task task = *s.parts[p].task;
                task.length = s.longest;
                held->batches.push_back(make_batch(task, std::max<int64_t>(1, std::min(most, s.batch) / s.longest), ~seed_, 0));
                continue;
            }
            int64_t taken = 0;
            for (const Source::Document& document : source->held_out) {
                const int64_t size = std::min(document.size, longest + 1);
                if (taken > 0 && taken + size > most) continue;
                if (!teaches(*source, document.first, size)) continue;
                if (held->batches.empty() || static_cast<int64_t>(held->batches.back().ids.size()) + size > s.batch) held->batches.emplace_back();
                append(*source, {document.first, static_cast<int32_t>(size)}, longest, held->batches.back());
                taken += size;
            }
            if (held->batches.empty()) all.pop_back();
        }
    }
    return all;
}

}  // namespace klp
