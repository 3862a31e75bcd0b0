#include "app/ladder_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "app/format.h"
#include "app/pictures.h"
#include "app/svg.h"

namespace klp {

namespace {

// "2.1e12": of the order that a reader compares.
std::string operations_text(double operations) {
    const int tens = static_cast<int>(std::floor(std::log10(operations)));
    return fixed(operations / std::pow(10, tens), 1) + "e" + std::to_string(tens);
}
std::string interval(double low, double high, int digits) {
    return std::isfinite(low) && std::isfinite(high) ? " (" + fixed(low, digits) + " to " + fixed(high, digits) + ")" : "";
}

std::string law_text(const LadderResult::Side& side) {
    const PowerLaw& law = side.law;
    if (law.rungs < 2) return side.mixer + ": two sizes at least make a law\n";
    return side.mixer + ": L = a C^-b, a = " + fixed(law.a, 3) + interval(law.a_low, law.a_high, 3) + ", b = " + fixed(law.b, 3) +
           interval(law.b_low, law.b_high, 3) + "\n";
}

constexpr std::string_view kHowFitted =
    "C in 1e12 operations of training, counted (three forward passes, without the search for rates); a is the loss after 1e12. Least squares in the logs; in "
    "brackets where the true value lies 19 times in 20, by Student's t over what is left. A toy ladder: every size saw the same tokens, and sizes are far from "
    "those that such laws are made for.";

}  // namespace

std::string ladder_head(const LadderSpec& s, const LadderSource& source) {
    return "toy ladder: " + source.name + ", rows of up to " + plural(source.longest, "token") + ", vocabulary of " + std::to_string(source.vocabulary) + "; " +
           plural(s.layers, "layer") + ", heads of " + std::to_string(LadderSpec::kHead) + " channels; " + plural(source.steps, "step") + "; seed " +
           std::to_string(s.seed);
}

std::string ladder_text(const LadderSpec& spec, const LadderSource& source, const LadderResult& result, const Canvas& canvas) {
    std::string out = wrapped(ladder_head(spec, source), canvas.width) + "\n";
    Table table({"mixer", "width", "weights", "operations", "rate", "loss", "accuracy", "time"});
    for (const LadderResult::Side& side : result.sides)
        for (const Rung& r : side.rungs)
            table.add({side.mixer, std::to_string(r.width), count_text(r.parameters), operations_text(r.operations), plain(r.rate),
                       r.trouble.empty() ? fixed(r.loss, 3) : "none", r.trouble.empty() ? percent_text(r.accuracy) : "", duration_text(r.seconds * 1e9)});
    out += table.text() + "\n";
    for (const LadderResult::Side& side : result.sides) out += law_text(side);
    out += wrapped(std::string(kHowFitted), canvas.width);
    for (const LadderResult::Side& side : result.sides)
        for (const Rung& r : side.rungs)
            if (!r.trouble.empty()) out += side.mixer + ", width " + std::to_string(r.width) + ", stopped: " + r.trouble + "\n";
    return out;
}

std::string ladder_svg(const LadderSpec& spec, const LadderSource& source, const LadderResult& result, const std::string& date) {
    constexpr double kLeft = 70, kTop = 80, kWidth = 620, kHeight = 330;
    constexpr std::array kColours = {svg::kFirst, svg::kSecond, "#7a9e3f", "#b05fc0", "#c9a227", "#3fa7a0"};
    double least = std::numeric_limits<double>::infinity(), most = 0, low = least, high = 0;
    for (const LadderResult::Side& side : result.sides)
        for (const Rung& r : side.rungs)
            if (r.trouble.empty() && r.loss > 0)
                least = std::min(least, r.operations), most = std::max(most, r.operations), low = std::min(low, r.loss), high = std::max(high, r.loss);
    if (most <= 0) least = 1, most = 10, low = 1, high = 10;
    least /= 1.3, most *= 1.3, low /= 1.08, high *= 1.08;
    const auto x = [&](double c) { return kLeft + std::log(c / least) / std::log(most / least) * kWidth; };
    const auto y = [&](double loss) { return kTop + std::log(high / loss) / std::log(high / low) * kHeight; };
    const auto at = [](double v) { return fixed(v, 1); };
    const double bottom = kTop + kHeight;
    std::string out = svg::begin(kLeft + kWidth + 40, bottom + 60 + 20 * static_cast<double>(result.sides.size()), "Loss against the cost of training",
                                 ladder_head(spec, source) + "; " + date.substr(0, 10));
    const auto line = [&](double x1, double y1, double x2, double y2) {
        out += "<line x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) + "\" stroke=\"" + svg::kText +
               "\" stroke-opacity=\"0.3\"/>\n";
    };
    const auto ticks = [](double from, double to, auto what) {
        for (double ten = std::pow(10, std::floor(std::log10(from))); ten <= to; ten *= 10)
            for (const double digit : {1.0, 2.0, 5.0})
                if (ten * digit >= from && ten * digit <= to) what(ten * digit);
    };
    ticks(least, most, [&](double c) {
        line(x(c), kTop, x(c), bottom);
        out += "<text x=\"" + at(x(c)) + "\" y=\"" + at(bottom + 16) + "\" text-anchor=\"middle\">" + operations_text(c) + "</text>\n";
    });
    int levels = 0;
    ticks(low, high, [&](double loss) {
        line(kLeft, y(loss), kLeft + kWidth, y(loss)), ++levels;
        out += "<text x=\"" + at(kLeft - 8) + "\" y=\"" + at(y(loss) + 4) + "\" text-anchor=\"end\">" + plain(loss) + "</text>\n";
    });
    for (const double loss : {low * 1.02, high / 1.02}) {  // a narrow range holds no round number
        if (levels > 1) break;
        line(kLeft, y(loss), kLeft + kWidth, y(loss));
        out += "<text x=\"" + at(kLeft - 8) + "\" y=\"" + at(y(loss) + 4) + "\" text-anchor=\"end\">" + fixed(loss, 2) + "</text>\n";
    }
    out += "<text x=\"" + at(kLeft + kWidth) + "\" y=\"" + at(bottom + 34) +
           "\" text-anchor=\"end\">operations of training, counted</text>\n<text x=\"24\" y=\"" + at(kTop - 10) + "\">loss held out, nats</text>\n";
    for (size_t n = 0; n < result.sides.size(); ++n) {
        const LadderResult::Side& side = result.sides[n];
        const std::string colour = kColours[n % kColours.size()];
        for (const Rung& r : side.rungs)
            if (r.trouble.empty() && r.loss > 0)
                out += "<circle cx=\"" + at(x(r.operations)) + "\" cy=\"" + at(y(r.loss)) + "\" r=\"4\" fill=\"" + colour + "\"/>\n";
        if (side.law.rungs >= 2) {
            const auto inside = [&](double c) { return std::clamp(y(side.law.at(c)), kTop, bottom); };
            out += "<path d=\"M" + at(x(least)) + " " + at(inside(least));
            for (int i = 1; i <= 32; ++i) {
                const double c = least * std::pow(most / least, i / 32.0);
                out += "L" + at(x(c)) + " " + at(inside(c));
            }
            out += "\" fill=\"none\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\" stroke=\"" + colour + "\"/>\n";
        }
        const double row = bottom + 52 + 20 * static_cast<double>(n);
        std::string law = law_text(side);
        law.pop_back();
        out += "<circle cx=\"28\" cy=\"" + at(row - 4) + "\" r=\"4\" fill=\"" + colour + "\"/>\n<text x=\"38\" y=\"" + at(row) + "\">" + svg::escaped(law) +
               "</text>\n";
    }
    return out + "</svg>\n";
}

}  // namespace klp
