#include "app/lab_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "app/format.h"
#include "app/pictures.h"
#include "app/svg.h"

namespace klp {

namespace {

constexpr std::string_view kMarks = "*o+x#@%";
Paint learner_paint(size_t i) { return sequential(0.2 + 0.8 * static_cast<double>(i % 7) / 6); }

std::string task_words(const Task& t) {
    std::string text = std::string(name(t.kind)) + ", rows of " + plural(row_tokens(t), "token");
    if (t.kind == TaskKind::mqar) text += ", " + plural(t.items, "pair");
    if (t.kind == TaskKind::stack) text += ", " + plural(t.items, "stack");
    return text + ", vocabulary of " + std::to_string(t.vocabulary);
}

std::string half_lives_text(const HalfLives& h) {
    if (h.gates == 0) return "";
    const auto whole = [](double tokens) { return std::isfinite(tokens) ? short_number(tokens) : std::string("endless"); };
    return whole(h.quantiles.front()) + " / " + whole(h.quantiles[h.quantiles.size() / 2]) + " / " + whole(h.quantiles.back());
}

// Accuracy from 0 to 1 over steps, a mark for each learner; where several meet, the one named last is seen.
std::string chart(const LabResult& result, const Canvas& canvas) {
    const int columns = std::clamp(canvas.width - 8, 20, 100), lines = 11;
    int64_t last = 1;
    for (const LabLearner& one : result.learners)
        if (!one.looks.empty()) last = std::max(last, one.looks.back().step);
    std::vector<int> cells(static_cast<size_t>(columns * lines), -1);
    for (size_t n = 0; n < result.learners.size(); ++n) {
        const auto& looks = result.learners[n].looks;
        for (size_t i = 0; i < looks.size(); ++i) {
            const auto column = [&](size_t at) {
                return static_cast<int>(std::lround(static_cast<double>(looks[at].step) / static_cast<double>(last) * (columns - 1)));
            };
            const int from = column(i), to = i + 1 < looks.size() ? column(i + 1) : from;
            for (int c = from; c <= to; ++c) {
                const double share = to > from ? static_cast<double>(c - from) / (to - from) : 0, next = i + 1 < looks.size() ? looks[i + 1].accuracy : 0;
                const double accuracy = looks[i].accuracy * (1 - share) + next * share;
                const int line = static_cast<int>(std::lround((1 - accuracy) * (lines - 1)));
                cells[static_cast<size_t>(line * columns + c)] = static_cast<int>(n);
            }
        }
    }
    Ink ink(canvas);
    for (int line = 0; line < lines; ++line) {
        ink.plain(line % 5 == 0 ? padded(percent_text(1 - static_cast<double>(line) / (lines - 1)), 5, true) + " |" : "      |");
        for (int c = 0; c < columns; ++c) {
            const int n = cells[static_cast<size_t>(line * columns + c)];
            if (n < 0)
                ink.plain(" ");
            else
                ink.cell(kMarks.substr(static_cast<size_t>(n) % kMarks.size(), 1), learner_paint(static_cast<size_t>(n)));
        }
        ink.end_line();
    }
    const std::string end = grouped(last) + " steps";
    ink.plain("      0" + padded(end, columns, true) + "\n");
    ink.plain("      ");
    for (size_t n = 0; n < result.learners.size(); ++n) {
        ink.plain(" ");
        ink.cell(kMarks.substr(n % kMarks.size(), 1), learner_paint(n));
        ink.plain(" " + result.learners[n].mixer);
    }
    ink.end_line();
    return ink.take();
}

}  // namespace

std::string lab_head(const LabSpec& s, const LabResult& r) {
    return task_words(s.task) + "; " + plural(s.layers, "layer") + ", " + plural(s.heads, "head") + ", width " + std::to_string(s.width) + "; " +
           plural(r.rows, "row") + " a step; seed " + std::to_string(s.seed);
}

std::string lab_text(const LabSpec& spec, const LabResult& result, const Canvas& canvas) {
    std::string out = wrapped(lab_head(spec, result), canvas.width);
    for (const LabLearner& one : result.learners) {
        if (one.tried.size() < 2) continue;
        out += padded(one.mixer, 17) + "rates tried, loss after " + plural(spec.search_steps, "step") + ":";
        for (const LabTry& t : one.tried) out += "  " + plain(t.rate) + " " + fixed(t.loss, 3) + (t.rate == one.rate ? " <" : "");
        out += "\n";
    }
    if (std::all_of(result.learners.begin(), result.learners.end(), [](const LabLearner& one) { return one.looks.empty(); })) return out;
    out += "\n" + chart(result, canvas) + "\n";
    Table table({"mixer", "weights", "rate", "steps", "time", "loss", "accuracy", "90 % at", "half-lives"});
    for (const LabLearner& one : result.learners) {
        if (one.looks.empty()) continue;
        const LabLook& last = one.looks.back();
        const int64_t at = one.learned_at();
        table.add({one.mixer, count_text(one.parameters), plain(one.rate), grouped(last.step), duration_text(last.seconds * 1e9), fixed(last.loss, 3),
                   percent_text(last.accuracy), at < 0 ? "never" : "step " + grouped(at), half_lives_text(last.half_lives)});
    }
    out += table.text();
    out += wrapped("accuracy and loss of " + plural(spec.held_out, "row") + " held out; chance " + fixed(100 * result.chance, 1) +
                       " %; half-lives of gates in tokens: 10 % are shorter / median / 10 % are longer; time: of the learner's own steps",
                   canvas.width);
    for (const LabLearner& one : result.learners)
        if (!one.trouble.empty()) out += one.mixer + " stopped: " + one.trouble + "\n";
    return out;
}

std::string lab_svg(const LabSpec& spec, const LabResult& result, const std::string& date) {
    constexpr double kPanel = 330, kHeight = 240, kTop = 90, kLeft = 70, kGap = 60;
    constexpr std::array kColours = {svg::kFirst, svg::kSecond, "#7a9e3f", "#b05fc0", "#c9a227", "#3fa7a0", "#8a6d5b"};
    const auto at = [](double v) { return fixed(v, 1); };
    const double bottom = kTop + kHeight, width = kLeft + 2 * kPanel + kGap + 40;
    std::string out = svg::begin(width, bottom + 60 + 20 * static_cast<double>((result.learners.size() + 2) / 3),
                                 std::string(name(spec.task.kind)) + ": accuracy", lab_head(spec, result) + "; " + date.substr(0, 10));
    for (const bool seconds : {false, true}) {
        const double left = kLeft + (seconds ? kPanel + kGap : 0);
        double last = 1e-9;
        for (const LabLearner& one : result.learners)
            if (!one.looks.empty()) last = std::max(last, seconds ? one.looks.back().seconds : static_cast<double>(one.looks.back().step));
        for (const double share : {0.0, 0.5, 1.0}) {
            const double y = bottom - share * kHeight;
            out += "<line x1=\"" + at(left) + "\" x2=\"" + at(left + kPanel) + "\" y1=\"" + at(y) + "\" y2=\"" + at(y) + "\" stroke=\"" + svg::kText +
                   "\" stroke-opacity=\"0.3\"/>\n<text x=\"" + at(left - 8) + "\" y=\"" + at(y + 4) + "\" text-anchor=\"end\">" + percent_text(share) +
                   "</text>\n";
        }
        out += "<text x=\"" + at(left + kPanel) + "\" y=\"" + at(bottom + 18) + "\" text-anchor=\"end\">" +
               (seconds ? duration_text(last * 1e9) + " of its own steps" : plural(static_cast<int64_t>(last), "step")) + "</text>\n";
        for (size_t n = 0; n < result.learners.size(); ++n) {
            out += "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string(kColours[n % kColours.size()]) + "\" points=\"";
            for (const LabLook& look : result.learners[n].looks)
                out += at(left + (seconds ? look.seconds : static_cast<double>(look.step)) / last * kPanel) + "," + at(bottom - look.accuracy * kHeight) + " ";
            out += "\"/>\n";
        }
    }
    for (size_t n = 0; n < result.learners.size(); ++n) {
        const LabLearner& one = result.learners[n];
        const double x = 24 + 250 * static_cast<double>(n % 3), y = bottom + 46 + 20 * static_cast<double>(n / 3);
        out += "<circle cx=\"" + at(x + 4) + "\" cy=\"" + at(y - 4) + "\" r=\"4\" fill=\"" + kColours[n % kColours.size()] + "\"/>\n<text x=\"" + at(x + 14) +
               "\" y=\"" + at(y) + "\">" + svg::escaped(one.mixer + ", rate " + plain(one.rate)) + "</text>\n";
    }
    return out + "</svg>\n";
}

}  // namespace klp
