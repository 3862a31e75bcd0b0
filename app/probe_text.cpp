#include "app/probe_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/format.h"
#include "app/svg.h"

namespace klp {

namespace {

constexpr std::array kAll = {Measure::recalled, Measure::replaced, Measure::others, Measure::change, Measure::change_others, Measure::unrelated};
constexpr std::array kThirds = {"far keys", "between", "near keys"};

bool is_share(Measure m) { return m == Measure::recalled || m == Measure::replaced || m == Measure::others; }

std::vector<Measure> shown(const Findings& found) {
    std::vector<Measure> out;
    std::copy_if(kAll.begin(), kAll.end(), std::back_inserter(out), [&](Measure m) { return found.any(m); });
    return out;
}

std::string value_text(Measure m, double value) { return is_share(m) ? percent_text(value) : fixed(value, 3); }
// "72 % (64-80)", "0.116 (0.056-0.187)"
std::string estimate_text(Measure m, const Estimate& f) {
    if (f.questions == 0) return "";
    const auto bare = [m](double v) { return is_share(m) ? fixed(v * 100, 0) : fixed(v, 3); };
    return value_text(m, f.mean) + " (" + bare(f.low) + "-" + bare(f.high) + ")";
}

// A table of these columns, the first one said again in as many tables as the width asks for.
using Column = std::vector<std::string>;  // its head and its cells
std::string tables(const std::vector<Column>& columns, int width) {
    const auto wide = [](const Column& column) {
        int most = 0;
        for (const std::string& cell : column) most = std::max(most, display_width(cell));
        return most + 2;
    };
    std::string out;
    for (size_t first = 1; first < columns.size();) {
        size_t last = first;
        for (int at = wide(columns[0]); last < columns.size() && (last == first || at + wide(columns[last]) <= width + 2); ++last) at += wide(columns[last]);
        const auto row = [&](size_t n) {
            std::vector<std::string> cells{columns[0][n]};
            for (size_t i = first; i < last; ++i) cells.push_back(columns[i][n]);
            return cells;
        };
        Table table(row(0));
        for (size_t n = 1; n < columns[0].size(); ++n) table.add(row(n));
        out += "\n" + table.text(width);
        first = last;
    }
    return out;
}

std::string condition_text(const Condition& c) {
    return c.task + (c.size ? ", " + std::to_string(c.size) : "") + (c.distance ? ", after " + grouped(c.distance) : "");
}

}  // namespace

std::string probe_tables(const ProbeCard& card, const Findings& found, const Canvas& canvas) {
    std::string out = bold(card.name, canvas) + "\n";
    if (!card.about.empty()) out += wrapped(one_line(card.about), canvas.width);
    out += card.model + ", " + card.weights + ", " + card.device + "; " + plural(card.chats, "chat") + (card.chats < card.of ? " of " + grouped(card.of) : "") +
           "\n";
    if (found.skipped) out += plural(found.skipped, "chat") + " left out: " + found.why_skipped + "\n";
    if (found.conditions.empty()) return out;
    const std::vector<Measure> measures = shown(found);
    Column names{""};
    for (const std::string& arm : found.arms) names.push_back(one_line(arm));
    const auto column = [&](const std::string& head, size_t condition, Measure m) {
        Column out{head};
        for (size_t a = 0; a < found.arms.size(); ++a) out.push_back(estimate_text(m, found.at(condition, a, m)));
        return out;
    };
    if (found.conditions.size() == 1) {
        std::vector<Column> columns{names};
        columns[0][0] = condition_text(found.conditions[0]);
        for (const Measure m : measures) columns.push_back(column(info(m).name, 0, m));
        out += tables(columns, canvas.width);
    } else {
        for (const Measure m : measures) {
            std::vector<Column> columns{names};
            columns[0][0] = info(m).name;
            for (size_t c = 0; c < found.conditions.size(); ++c) columns.push_back(column(condition_text(found.conditions[c]), c, m));
            out += tables(columns, canvas.width);
        }
    }
    if (!found.near_recalled.empty()) {
        Table table({"others by |k . k_j|", std::string(kThirds[0]) + " (< " + fixed(found.bounds[0], 2) + ")", kThirds[1],
                     std::string(kThirds[2]) + " (> " + fixed(found.bounds[1], 2) + ")"});
        for (size_t a = 0; a < found.arms.size(); ++a) {
            std::vector<std::string> row{one_line(found.arms[a])};
            for (size_t third = 0; third < 3; ++third) {
                const Estimate &kept = found.near_recalled[a][third], &moved = found.near_change[a][third];
                row.push_back(kept.questions ? percent_text(kept.mean) + (a ? ", " + fixed(moved.mean, 3) : "") : "");
            }
            table.add(row);
        }
        out += "\n" + table.text(canvas.width);
    }
    for (size_t c = 0; c < found.conditions.size(); ++c) {
        if (found.fidelity[c].empty()) continue;
        std::vector<Column> columns{{"reads back, " + condition_text(found.conditions[c])}};
        for (const int layer : card.layers) columns[0].push_back("layer " + std::to_string(layer));
        for (int h = 0; h < card.heads; ++h) {
            columns.push_back({"head " + std::to_string(h)});
            for (size_t l = 0; l < card.layers.size(); ++l) {
                const size_t i = l * static_cast<size_t>(card.heads) + static_cast<size_t>(h);
                columns.back().push_back(fixed(found.fidelity[c][i], 2) + ", " + percent_text(found.kept[c][i]));
            }
        }
        out += tables(columns, canvas.width);
    }
    std::string key;
    for (const Measure m : measures)
        key += std::string(key.empty() ? "" : "; ") + info(m).name + ": " + info(m).about + (is_share(m) ? "" : ", " + std::string(info(m).unit));
    if (!found.near_recalled.empty())
        key += "; by |k . k_j|: share recalled, and change, by how near their keys are to the target's, largest of their tokens, mean over the heads";
    if (std::any_of(found.fidelity.begin(), found.fidelity.end(), [](const auto& f) { return !f.empty(); }))
        key += "; reads back: cosine of what the state answers to a word's key and what was written there, and how much of it decay has left";
    return out + "\n" + wrapped(key + ". In brackets 95 % of 2,000 bootstrap samples of the chats.", canvas.width);
}

std::string probe_csv(const ProbeCard& card, const Findings& found) {
    std::string out = "experiment,model,task,size,distance,arm,measure,unit,mean,low,high,questions,chats\n";
    for (size_t c = 0; c < found.conditions.size(); ++c)
        for (size_t a = 0; a < found.arms.size(); ++a)
            for (const Measure m : kAll) {
                const Estimate& f = found.at(c, a, m);
                if (f.questions == 0) continue;
                const Condition& at = found.conditions[c];
                out += csv_text(card.name) + "," + csv_text(card.model) + "," + csv_text(at.task) + "," + std::to_string(at.size) + "," +
                       std::to_string(at.distance) + "," + csv_text(found.arms[a]) + "," + csv_text(info(m).name) + "," + csv_text(info(m).unit) + "," +
                       plain(f.mean) + "," + plain(f.low) + "," + plain(f.high) + "," + std::to_string(f.questions) + "," + std::to_string(f.chats) + "\n";
            }
    return out;
}

std::string probe_json(const ProbeCard& card, const Findings& found) {
    using Json = nlohmann::ordered_json;
    const auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(); };
    const auto figure = [&](const Estimate& f) {
        return Json{{"mean", number(f.mean)}, {"low", number(f.low)}, {"high", number(f.high)}, {"questions", f.questions}, {"chats", f.chats}};
    };
    Json out{{"experiment", card.name}, {"about", card.about}, {"model", card.model}, {"weights", card.weights}, {"device", card.device},
             {"date", card.date},       {"klp", KLP_VERSION},  {"chats", card.chats}, {"skipped", found.skipped}};
    Json rows = Json::array();
    for (size_t c = 0; c < found.conditions.size(); ++c) {
        const Condition& at = found.conditions[c];
        Json row{{"task", at.task}, {"size", at.size}, {"distance", at.distance}, {"arms", Json::array()}};
        for (size_t a = 0; a < found.arms.size(); ++a) {
            Json arm{{"arm", found.arms[a]}};
            for (const Measure m : kAll)
                if (const Estimate& f = found.at(c, a, m); f.questions) arm[info(m).name] = figure(f);
            row["arms"].push_back(std::move(arm));
        }
        for (const auto& [name, values] : {std::pair{"reads_back", &found.fidelity[c]}, {"left_by_decay", &found.kept[c]}}) {
            if (values->empty()) continue;
            Json heads = Json::array();
            for (size_t i = 0; i < values->size(); ++i) {
                if (i % static_cast<size_t>(card.heads) == 0)
                    heads.push_back({{"layer", card.layers[i / static_cast<size_t>(card.heads)]}, {"heads", Json::array()}});
                heads.back()["heads"].push_back(number((*values)[i]));
            }
            row[name] = std::move(heads);
        }
        rows.push_back(std::move(row));
    }
    out["conditions"] = std::move(rows);
    if (!found.near_recalled.empty()) {
        Json near{{"bounds", {found.bounds[0], found.bounds[1]}}, {"arms", Json::array()}};
        for (size_t a = 0; a < found.arms.size(); ++a) {
            Json arm{{"arm", found.arms[a]}, {"recalled", Json::array()}, {"change", Json::array()}};
            for (size_t third = 0; third < 3; ++third)
                arm["recalled"].push_back(figure(found.near_recalled[a][third])), arm["change"].push_back(figure(found.near_change[a][third]));
            near["arms"].push_back(std::move(arm));
        }
        out["others_by_nearness"] = std::move(near);
    }
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string probe_svg(const ProbeCard& card, const Findings& found) {
    const std::vector<Measure> measures = shown(found);
    constexpr double kLeft = 210, kPanel = 190, kGap = 26, kTop = 96;
    constexpr std::array kColours = {svg::kFirst, svg::kSecond, "#7a9e3f", "#b05fc0", "#c9a227", "#3fa7a0"};
    const size_t conditions = found.conditions.size();
    const double row = std::max(20.0, 8.0 * static_cast<double>(conditions) + 8);
    const double bottom = kTop + row * static_cast<double>(found.arms.size());
    const double key = conditions > 1 ? 20.0 * static_cast<double>((conditions + 2) / 3) : 0;
    const double width = std::max(640.0, kLeft + (kPanel + kGap) * static_cast<double>(measures.size()));
    const auto at = [](double v) { return fixed(v, 1); };
    const std::string under = card.model + ", " + card.weights + "; " + plural(card.chats, "chat") + "; " + card.date.substr(0, 10) + "; klp " + KLP_VERSION;
    std::string out = svg::begin(width, bottom + 62 + key, card.name, under);
    if (measures.empty()) return out + "<text x=\"24\" y=\"90\">nothing was measured</text>\n</svg>\n";
    for (size_t a = 0; a < found.arms.size(); ++a) {
        const double y = kTop + row * static_cast<double>(a);
        if (a % 2 == 0) out += "<rect x=\"16\" y=\"" + at(y) + "\" width=\"" + at(width - 32) + "\" height=\"" + at(row) + "\" fill-opacity=\"0.08\"/>\n";
        out += "<text x=\"24\" y=\"" + at(y + row / 2 + 4) + "\">" + svg::escaped(clipped(one_line(found.arms[a]), 30)) + "</text>\n";
    }
    for (size_t n = 0; n < measures.size(); ++n) {
        const Measure m = measures[n];
        const double left = kLeft + (kPanel + kGap) * static_cast<double>(n);
        double most = is_share(m) ? 1 : 0;
        for (size_t c = 0; c < conditions; ++c)
            for (size_t a = 0; a < found.arms.size(); ++a)
                if (const Estimate& f = found.at(c, a, m); f.questions) most = std::max(most, f.high);
        if (!(most > 0)) most = 1;
        const double step = std::pow(10, std::floor(std::log10(most))), top = std::ceil(most / step) * step;
        const auto x = [&](double v) { return left + v / top * kPanel; };
        out += "<text x=\"" + at(left) + "\" y=\"" + at(kTop - 14) + "\" font-weight=\"bold\">" + info(m).name + "</text>\n";
        for (const double share : {0.0, 0.5, 1.0}) {
            out += "<line x1=\"" + at(x(share * top)) + "\" x2=\"" + at(x(share * top)) + "\" y1=\"" + at(kTop) + "\" y2=\"" + at(bottom) + "\" stroke=\"" +
                   svg::kText + "\" stroke-opacity=\"0.3\"/>\n<text x=\"" + at(x(share * top)) + "\" y=\"" + at(bottom + 16) + "\" text-anchor=\"" +
                   (share == 0   ? "start"
                    : share == 1 ? "end"
                                 : "middle") +
                   "\">" + plain(is_share(m) ? share * 100 : share * top) + (is_share(m) ? " %" : "") + "</text>\n";
        }
        if (!is_share(m)) out += "<text x=\"" + at(left) + "\" y=\"" + at(bottom + 32) + "\">" + info(m).unit + "</text>\n";
        for (size_t a = 0; a < found.arms.size(); ++a)
            for (size_t c = 0; c < conditions; ++c) {
                const Estimate& f = found.at(c, a, m);
                if (f.questions == 0) continue;
                const double y = kTop + row * (static_cast<double>(a) + (static_cast<double>(c) + 1) / (static_cast<double>(conditions) + 1));
                const std::string colour = kColours[c % kColours.size()];
                out += "<line x1=\"" + at(x(f.low)) + "\" x2=\"" + at(x(f.high)) + "\" y1=\"" + at(y) + "\" y2=\"" + at(y) + "\" stroke=\"" + colour +
                       "\" stroke-width=\"2\" stroke-opacity=\"0.6\"/>\n<circle cx=\"" + at(x(f.mean)) + "\" cy=\"" + at(y) + "\" r=\"3.4\" fill=\"" + colour +
                       "\"/>\n";
            }
    }
    for (size_t c = 0; c < conditions && conditions > 1; ++c) {
        const double x = 24 + 210 * static_cast<double>(c % 3), y = bottom + 52 + 20 * static_cast<double>(c / 3);
        out += "<circle cx=\"" + at(x + 4) + "\" cy=\"" + at(y - 4) + "\" r=\"4\" fill=\"" + kColours[c % kColours.size()] + "\"/>\n<text x=\"" + at(x + 14) +
               "\" y=\"" + at(y) + "\">" + svg::escaped(condition_text(found.conditions[c])) + "</text>\n";
    }
    return out + "<text x=\"24\" y=\"" + at(bottom + 52 + key) + "\">points: means; lines: 95 % of 2,000 bootstrap samples of the chats</text>\n</svg>\n";
}

}  // namespace klp
