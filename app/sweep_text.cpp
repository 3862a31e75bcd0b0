#include "app/sweep_text.h"

#include <algorithm>
#include <array>

#include "app/format.h"
#include "app/svg.h"
#include "kernels/tensor.h"

namespace klp {

namespace {

constexpr int kWide = 80;  // columns from which the limits are shown too

std::string ms_text(double ms) {
    if (!std::isfinite(ms)) return "n/a";
    return ms >= 99.95 ? grouped(std::llround(ms)) : fixed(ms, ms >= 9.995 ? 1 : ms >= 0.9995 ? 2 : ms >= 0.00995 ? 3 : 4);
}
std::string rate_text(double rate) {
    return !std::isfinite(rate) ? "n/a"
           : rate < 9.95        ? fixed(rate, 2)
           : rate < 99.95       ? fixed(rate, 1)
           : rate < 999'999.5   ? grouped(std::llround(rate))
                                : fixed(rate / 1e6, 2) + "M";
}
std::string times(double ratio) { return std::isfinite(ratio) ? fixed(ratio, ratio < 9.995 ? 2 : 1) + "x" : ""; }

struct Figure {
    std::string value, limit, share;
};
std::string line(const std::string& label, const Figure& a, const Figure& b, const std::string& gain, const Canvas& canvas) {
    const bool wide = canvas.width >= kWide;
    const auto figure = [&](const Figure& f) { return padded(f.value, 12, true) + (wide ? padded(f.limit, 9, true) + padded(f.share, 7, true) : ""); };
    std::string text = padded(label, wide ? 17 : 16) + figure(a) + figure(b) + padded(gain, 7, true);
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
}

Figure prefill(const SweepPrefill& p) {
    const double limit = static_cast<double>(p.tokens) / p.least_seconds;
    return {p.seconds.empty() ? "n/a" : rate_text(p.rate()), rate_text(limit), p.seconds.empty() ? "" : percent_text(p.rate() / limit)};
}
Figure token(const SweepDecode& d) { return {ms_text(d.ms), ms_text(d.least_ms), d.steps ? percent_text(d.share()) : ""}; }
Figure spread(const SweepDecode& d) { return {d.steps ? ms_text(d.p10) + "-" + ms_text(d.p90) : "", "", ""}; }
Figure whole(const SweepDecode& d) {
    const double limit = static_cast<double>(d.sequences) * 1e3 / d.least_ms;
    return {d.steps ? rate_text(d.rate()) : "n/a", d.sequences ? rate_text(limit) : "", d.steps ? percent_text(d.share()) : ""};
}
Figure count(const SweepDecode& d) { return {d.sequences ? grouped(d.sequences) : "", "", ""}; }

std::string rate_name(const Sweep& s) {
    const DTypeInfo* type = find_dtype(s.type);
    return type && type->block > 1 ? "int8" : s.type == "bf16" ? "bf16" : "f32";
}
double rate_of(const Sweep& s) {
    return rate_name(s) == "int8" ? s.limits.int8_gops : rate_name(s) == "bf16" ? std::max(s.limits.bf16_gflops, s.limits.f32_gflops) : s.limits.f32_gflops;
}

std::string csv_decode(const SweepDecode& d) {
    return std::to_string(d.sequences) + "," + std::to_string(d.steps) + "," + (d.steps ? d.synthetic ? "yes" : "no" : "") + "," + plain(d.ms) + "," +
           plain(d.p10) + "," + plain(d.p90) + "," + plain(d.least_ms) + "," + (d.steps ? plain(d.rate()) : "") + "," + csv_text(d.why);
}

}  // namespace

std::string context_text(int64_t n) {
    if (n >= 1 << 20 && n % (1 << 20) == 0) return std::to_string(n >> 20) + "M";
    if (n >= 1024 && n % 1024 == 0) return std::to_string(n >> 10) + "k";
    return grouped(n);
}

// --- what is served -------------------------------------------------------------------------------------------------

namespace {

std::string head_of_servers(const Sweep& s, const Canvas& canvas) {
    std::string out;
    for (size_t i = 0; i < s.servers.size(); ++i)
        out += bold(wrapped((s.servers.size() < 2 ? ""
                             : i == 0             ? "first: "
                                                  : "second: ") +
                                one_line(s.servers[i].model + " at " + s.servers[i].url),
                            canvas.width),
                    canvas);
    return out;
}

double first_token_ms(const SweepCell& c) { return c.prefill.seconds.empty() ? NAN : static_cast<double>(c.prefill.tokens) / c.prefill.rate() * 1e3; }
std::string range(double low, double high) { return std::isfinite(low) ? ms_text(low) + "-" + ms_text(high) : ""; }

std::string rows_of_servers(const SweepRow& row, bool two, const Canvas& of) {
    Canvas canvas = of;
    canvas.width = std::min(canvas.width, kWide - 1);  // a server has no limit that is known here
    const SweepCell &a = row.hybrid, &b = row.twin;
    const auto both = [&](const std::string& label, const std::string& mine, const std::string& its, double gain) {
        return line(label, {mine, "", ""}, {two ? its : "", "", ""}, two && std::isfinite(gain) ? times(gain) : "", canvas);
    };
    std::string out = "\n" + bold(both(context_text(row.context) + " tokens", two ? "first" : "", "second", NAN), canvas);
    const bool some = !row.empty();
    if (some) out += both("first token, ms", ms_text(first_token_ms(a)), ms_text(first_token_ms(b)), first_token_ms(b) / first_token_ms(a));
    if (some) out += both("ms a token", ms_text(a.one.ms), ms_text(b.one.ms), b.one.ms / a.one.ms);
    if (some) out += both("  10 to 90 %", spread(a.one).value, spread(b.one).value, NAN);
    if (a.state_bytes + a.cache_bytes > 0 || b.state_bytes + b.cache_bytes > 0) {
        const auto bytes = [](const SweepCell& c) { return c.state_bytes + c.cache_bytes > 0 ? bytes_text(c.state_bytes + c.cache_bytes) : "n/a"; };
        out += both("memory, computed", bytes(a), bytes(b), NAN);
    }
    for (size_t i = 0; some && i < std::max(a.levels.size(), b.levels.size()); ++i) {
        const SweepLevel x = i < a.levels.size() ? a.levels[i] : SweepLevel{}, y = i < b.levels.size() ? b.levels[i] : SweepLevel{};
        out += grouped(std::max(x.decode.sequences, y.decode.sequences)) + " at once\n";
        out += both("  first token, ms", ms_text(x.first_ms), ms_text(y.first_ms), y.first_ms / x.first_ms);
        out += both("  ms a token", ms_text(x.decode.ms), ms_text(y.decode.ms), y.decode.ms / x.decode.ms);
        out += both("  10 to 90 %", range(x.decode.p10, x.decode.p90), range(y.decode.p10, y.decode.p90), NAN);
        out += both("  tokens/s", rate_text(x.tokens_per_second), rate_text(y.tokens_per_second), x.tokens_per_second / y.tokens_per_second);
    }
    for (const bool second : {false, true}) {
        if (second && !two) continue;
        const SweepCell& c = second ? b : a;
        const std::string who = two ? second ? "second: " : "first: " : "";
        if (c.prefill.why.empty() && c.prefill.tokens != row.context)
            out += wrapped(who + "its prompts had " + plural(c.prefill.tokens, "token") + ".", canvas.width);
        if (!c.prefill.why.empty()) out += wrapped(who + one_line(c.prefill.why) + ".", canvas.width);
        if (!c.one.why.empty() && c.one.why != c.prefill.why) out += wrapped(who + one_line(c.one.why) + ".", canvas.width);
        for (const SweepLevel& l : c.levels)
            if (!l.decode.why.empty() && l.decode.why != c.prefill.why && l.decode.why != c.one.why)
                out += wrapped(who + grouped(l.decode.sequences) + " at once: " + one_line(l.decode.why) + ".", canvas.width);
    }
    return out;
}

std::string csv_of_servers(const Sweep& s) {
    std::string out = "context,server,url,model,requests,prompt_tokens,first_ms,first_p10_ms,first_p90_ms,ms,p10_ms,p90_ms,tokens_per_second,note\n";
    for (const SweepRow& row : s.rows) {
        for (size_t i = 0; i < s.servers.size(); ++i) {
            const SweepCell& c = i ? row.twin : row.hybrid;
            const std::string who =
                std::to_string(row.context) + (i ? ",second," : ",first,") + csv_text(s.servers[i].url) + "," + csv_text(s.servers[i].model) + ",";
            const auto add = [&](const SweepDecode& d, double first, double low, double high, double rate) {
                out += who + std::to_string(d.sequences) + "," + std::to_string(c.prefill.tokens) + "," + plain(first) + "," + plain(low) + "," + plain(high) +
                       "," + plain(d.ms) + "," + plain(d.p10) + "," + plain(d.p90) + "," + plain(rate) + "," + csv_text(d.why) + "\n";
            };
            SweepDecode one = c.one;
            one.sequences = 1;
            std::vector<double> seconds = c.prefill.seconds;
            std::sort(seconds.begin(), seconds.end());
            add(one, first_token_ms(c), seconds.empty() ? NAN : seconds.front() * 1e3, seconds.empty() ? NAN : seconds.back() * 1e3, 1e3 / c.one.ms);
            for (const SweepLevel& l : c.levels) add(l.decode, l.first_ms, l.first_p10, l.first_p90, l.tokens_per_second);
        }
    }
    return out;
}

}  // namespace

std::string sweep_head(const Sweep& s, const Canvas& canvas) {
    if (!s.servers.empty()) return head_of_servers(s, canvas);
    return bold(wrapped(one_line(s.model + ", " + s.type + ", " + count_text(s.parameters) + " parameters, " + count_text(s.active) +
                                 " active, and its full-attention twin (" + s.twin + ")"),
                        canvas.width),
                canvas) +
           wrapped(one_line(s.device.name + ", " + s.device.hardware + (s.device.detail.empty() ? "" : ", " + s.device.detail) +
                            (s.limits.read_gb_s > 0
                                 ? ": reads " + short_number(s.limits.read_gb_s) + " GB/s, " + rate_name(s) + " products " + short_number(rate_of(s)) + " Gop/s"
                                 : "")),
                   canvas.width);
}

std::string sweep_rows(const Sweep& sweep, const SweepRow& row, const Canvas& canvas) {
    return sweep.servers.empty() ? sweep_rows(row, canvas) : rows_of_servers(row, sweep.servers.size() > 1, canvas);
}

std::string sweep_rows(const SweepRow& row, const Canvas& canvas) {
    const SweepCell &a = row.hybrid, &b = row.twin;
    const bool star = a.one.synthetic || b.one.synthetic;
    std::string out = "\n" + bold(line(context_text(row.context) + (row.computed ? ", computed" : " tokens"), {"hybrid", "limit", "share"},
                                       {"twin", "limit", "share"}, "gain", canvas),
                                  canvas);
    out += line("prefill tokens/s", prefill(a.prefill), prefill(b.prefill),
                a.prefill.seconds.empty() || b.prefill.seconds.empty() ? "" : times(a.prefill.rate() / b.prefill.rate()), canvas);
    out += line(std::string("ms a token") + (star ? " *" : ""), token(a.one), token(b.one), times(b.one.ms / a.one.ms), canvas);
    out += line("  10 to 90 %", spread(a.one), spread(b.one), "", canvas);
    const int64_t mine = a.state_bytes + a.cache_bytes, its = b.state_bytes + b.cache_bytes;
    out += line("state and cache", {bytes_text(mine), "", ""}, {bytes_text(its), "", ""}, times(static_cast<double>(its) / static_cast<double>(mine)), canvas);
    out += line("batch tokens/s", whole(a.batch), whole(b.batch), a.batch.steps && b.batch.steps ? times(a.batch.rate() / b.batch.rate()) : "", canvas);
    out += line("  sequences", count(a.batch), count(b.batch), "", canvas);
    const auto note = [&](const char* what, const std::string& why) {
        if (!row.computed && !why.empty()) out += wrapped(std::string(what) + ": " + one_line(why) + ".", canvas.width);
    };
    note("hybrid, prefill", a.prefill.why), note("twin, prefill", b.prefill.why);
    note("hybrid, a token", a.one.why), note("twin, a token", b.one.why);
    note("hybrid, batch", a.batch.why), note("twin, batch", b.batch.why);
    if (!row.in_turn && a.one.steps && b.one.steps) out += wrapped("Both together do not fit: measured one after the other, not in turn.", canvas.width);
    return out;
}

std::string sweep_foot(const Sweep& s, const Canvas& canvas) {
    const bool star = std::any_of(s.rows.begin(), s.rows.end(), [](const SweepRow& r) { return r.hybrid.one.synthetic || r.twin.one.synthetic; });
    std::string out = "\n";
    if (!s.ended.empty()) out += wrapped("The sweep " + one_line(s.ended) + ".", canvas.width);
    if (!s.servers.empty())
        return out + wrapped(
                         "Times as a client meets them, the way there and back included; prompts of words that no cache knows, answers of 64 tokens. "
                         "tokens/s: of all answers, the time of their prompts included." +
                             std::string(s.servers.size() > 1 ? " last column: the first one's advantage; both in turn." : ""),
                         canvas.width);
    if (std::any_of(s.rows.begin(), s.rows.end(), [](const SweepRow& r) { return r.computed; }))
        out += wrapped("computed: nothing was run; bytes are counted from the model's shape, and limits are what this device allows.", canvas.width);
    if (star) out += wrapped("* Behind a synthetic cache: random numbers in the place of a prompt that would have taken too long.", canvas.width);
    const std::string batch = " batch: as many sequences as fit into " + bytes_text(s.memory) + " with the weights, at most " + grouped(kMostSequences) +
                              ", each with a synthetic cache of its own.";
    out += wrapped("gain: the hybrid's advantage." + (s.memory > 0 ? batch : ""), canvas.width);
    if (s.limits.read_gb_s > 0)
        out += wrapped(
            "limit: what the device allows, reading the active weights, the state (read and written) and the cache once, or multiplying, whichever takes "
            "longer. "
            "Over 100 %: it stays in the processor's caches.",
            canvas.width);
    return out;
}

// Only what the report states or its figures show; "about": read off a figure.
std::string sweep_reference(const Canvas& canvas) {
    const auto row = [&](const std::string& label, const std::string& a, const std::string& b, const std::string& gain) {
        return line(label, {a, "", ""}, {b, "", ""}, gain, {.width = 60});
    };
    std::string out = "\n" + bold("Reference: published, not measured here\n", canvas);
    out += wrapped("Kimi Linear technical report (arXiv 2510.26692), 48B-A3B. Read off its figures, so about; its machine is not stated.", canvas.width);
    out += row("", "hybrid", "full MLA", "gain");
    out += row("ms a token (figure 7b)", "", "", "");
    out += row("  4k", "5.1", "5.3", times(5.3 / 5.1));
    out += row("  1M", "8.0", "17.8", times(17.8 / 8.0));
    out += row("prefill, seconds (figure 7a)", "", "", "");
    out += row("  1M", "22.7", "65.5", times(65.5 / 22.7));
    out += row("the same in the largest batch (figure 1b)", "", "", "");
    constexpr std::array<std::array<double, 3>, 4> kBatch{{{128, 0.46, 1.85}, {256, 0.65, 3.1}, {512, 1.03, 5.85}, {1024, 1.84, 11.48}}};
    for (const auto& [k, hybrid, full] : kBatch)
        out += row("  " + context_text(static_cast<int64_t>(k) << 10), fixed(hybrid, 2), fixed(full, 2), times(full / hybrid));
    return out;
}

std::string sweep_csv(const Sweep& s) {
    if (!s.servers.empty()) return csv_of_servers(s);
    std::string out =
        "context,model,in_turn,prefill_tokens,prefill_seconds,prefill_limit_seconds,prefill_tokens_per_second,prefill_note,state_bytes,cache_bytes";
    for (const std::string what : {"decode", "batch"})
        for (const char* column : {"sequences", "steps", "synthetic_cache", "ms", "p10_ms", "p90_ms", "limit_ms", "tokens_per_second", "note"})
            out += "," + what + "_" + column;
    out += ",computed\n";
    for (const SweepRow& row : s.rows) {
        for (const bool twin : {false, true}) {
            const SweepCell& c = twin ? row.twin : row.hybrid;
            const bool prefilled = !c.prefill.seconds.empty();
            out += std::to_string(row.context) + (twin ? ",twin," : ",hybrid,") + (row.in_turn ? "yes" : "no") + "," + std::to_string(c.prefill.tokens) + "," +
                   (prefilled ? plain(static_cast<double>(c.prefill.tokens) / c.prefill.rate()) : "") + "," + plain(c.prefill.least_seconds) + "," +
                   (prefilled ? plain(c.prefill.rate()) : "") + "," + csv_text(c.prefill.why) + "," + std::to_string(c.state_bytes) + "," +
                   std::to_string(c.cache_bytes) + "," + csv_decode(c.one) + "," + csv_decode(c.batch) + (row.computed ? ",yes\n" : ",no\n");
        }
    }
    return out;
}

// --- picture --------------------------------------------------------------------------------------------------------

namespace {

using svg::kText;

std::string power_of_two(double bytes) {  // "64 MiB"
    const std::string text = bytes_text(std::llround(bytes));
    const size_t point = text.find(".0 ");
    return point == std::string::npos ? text : text.substr(0, point) + text.substr(point + 2);
}

struct Point {
    double x = 0, y = 0, low = NAN, high = NAN;
    bool hollow = false;
};
struct Line {
    const char* name;
    const char* colour;
    std::vector<Point> points, limit;
};

class Plot {
public:
    Plot(double left, double top, double width, double height) : left_(left), top_(top), width_(width), height_(height) {}

    std::string draw(const std::string& title, const std::vector<int64_t>& contexts, const std::vector<Line>& lines, std::string (*text)(double), bool binary) {
        double low = INFINITY, high = 0;
        for (const Line& l : lines) {
            for (const auto* points : {&l.points, &l.limit})
                for (const Point& p : *points)
                    low = std::min({low, p.y, std::isfinite(p.low) ? p.low : p.y}), high = std::max({high, p.y, std::isfinite(p.high) ? p.high : p.y});
        }
        const double step = binary ? 2 : 10;
        low_x_ = std::log2(static_cast<double>(contexts.front())), high_x_ = std::log2(static_cast<double>(contexts.back()));
        if (high_x_ <= low_x_) low_x_ -= 1, high_x_ += 1;
        out_ = "<text x=\"" + at(left_) + "\" y=\"" + at(top_ - 14) + "\" font-weight=\"bold\">" + title + "</text>\n";
        if (!(high > 0)) return out_ + "<text x=\"" + at(left_ + 8) + "\" y=\"" + at(top_ + 20) + "\">nothing was measured</text>\n";
        std::vector<double> ticks;
        for (double t = std::pow(step, std::floor(std::log(low) / std::log(step))); t < high * step; t *= step) {
            ticks.push_back(t);
            if (!binary) ticks.push_back(2 * t), ticks.push_back(5 * t);
        }
        // From the tick below the smallest value to the one above the largest; where they are many, every second or fourth.
        const auto first = std::upper_bound(ticks.begin(), ticks.end(), low) - 1, last = std::lower_bound(ticks.begin(), ticks.end(), high);
        low_y_ = std::log(*first), high_y_ = std::log(*std::min(last, ticks.end() - 1));
        if (high_y_ <= low_y_) high_y_ = low_y_ + std::log(2.0);
        const auto count = last - first + 1;
        const int64_t every = count > 20 ? 4 : count > 10 ? 2 : 1;
        for (auto t = first; t <= last && t != ticks.end(); ++t) {
            if ((t - first) % every) continue;
            out_ += "<line x1=\"" + at(left_) + "\" x2=\"" + at(left_ + width_) + "\" y1=\"" + at(y(*t)) + "\" y2=\"" + at(y(*t)) + "\" stroke=\"" + kText +
                    "\" stroke-opacity=\"0.25\"/>\n<text x=\"" + at(left_ - 8) + "\" y=\"" + at(y(*t) + 4) + "\" text-anchor=\"end\">" +
                    (binary ? power_of_two(*t) : plain(*t)) + "</text>\n";
        }
        for (int64_t c : contexts)
            out_ += "<text x=\"" + at(x(static_cast<double>(c))) + "\" y=\"" + at(top_ + height_ + 18) + "\" text-anchor=\"middle\">" + context_text(c) +
                    "</text>\n";
        for (const Line& l : lines) {
            if (l.points.empty()) continue;
            const std::string stroke = std::string(" stroke=\"") + l.colour + "\"";
            if (l.limit.size() > 1)
                out_ += "<polyline fill=\"none\"" + stroke + " stroke-width=\"1.2\" stroke-dasharray=\"3 3\" stroke-opacity=\"0.8\" points=\"" + way(l.limit) +
                        "\"/>\n";
            std::string band;
            for (const Point& p : l.points)
                if (std::isfinite(p.high)) band += at(x(p.x)) + "," + at(y(p.high)) + " ";
            for (auto p = l.points.rbegin(); p != l.points.rend(); ++p)
                if (std::isfinite(p->low)) band += at(x(p->x)) + "," + at(y(p->low)) + " ";
            if (!band.empty()) out_ += std::string("<polygon fill=\"") + l.colour + "\" fill-opacity=\"0.18\" points=\"" + band + "\"/>\n";
            out_ += "<polyline fill=\"none\"" + stroke + " stroke-width=\"2.2\" stroke-linejoin=\"round\" points=\"" + way(l.points) + "\"/>\n";
            for (const Point& p : l.points)
                out_ += "<circle cx=\"" + at(x(p.x)) + "\" cy=\"" + at(y(p.y)) + "\" r=\"3.2\"" + stroke + " stroke-width=\"1.6\" fill=\"" +
                        (p.hollow ? "none" : l.colour) + "\"/>\n";
        }
        label_ends(lines, text);
        return out_;
    }

private:
    static std::string at(double v) { return fixed(v, 1); }
    double x(double context) const { return left_ + 10 + (std::log2(context) - low_x_) / (high_x_ - low_x_) * (width_ - 20); }
    double y(double value) const { return top_ + height_ - (std::log(value) - low_y_) / (high_y_ - low_y_) * height_; }
    std::string way(const std::vector<Point>& points) const {
        std::string out;
        for (const Point& p : points) out += at(x(p.x)) + "," + at(y(p.y)) + " ";
        return out;
    }
    // Names and last values beside the ends, and between the ends how far apart they are.
    void label_ends(const std::vector<Line>& lines, std::string (*text)(double)) {
        std::vector<double> places;
        for (const Line& l : lines) places.push_back(l.points.empty() ? NAN : y(l.points.back().y));
        const bool both = places.size() == 2 && std::isfinite(places[0]) && std::isfinite(places[1]) && lines[0].points.back().x == lines[1].points.back().x;
        if (both && std::abs(places[0] - places[1]) < 30) {
            const double middle = (places[0] + places[1]) / 2, half = places[0] < places[1] ? -15 : 15;
            places[0] = middle + half, places[1] = middle - half;
        }
        for (size_t i = 0; i < lines.size(); ++i) {
            if (lines[i].points.empty()) continue;
            const Point& p = lines[i].points.back();
            out_ += "<text x=\"" + at(x(p.x) + 12) + "\" y=\"" + at(places[i] - 2) + "\" fill=\"" + lines[i].colour + "\" font-weight=\"bold\">" +
                    lines[i].name + "</text>\n<text x=\"" + at(x(p.x) + 12) + "\" y=\"" + at(places[i] + 12) + "\" fill=\"" + lines[i].colour + "\">" +
                    text(p.y) + "</text>\n";
        }
        if (both && std::abs(places[0] - places[1]) >= 50) {
            const Point &a = lines[0].points.back(), &b = lines[1].points.back();
            out_ += "<text x=\"" + at(x(a.x) + 12) + "\" y=\"" + at((places[0] + places[1]) / 2 + 9) + "\" font-size=\"16\">" + times(b.y / a.y) + "</text>\n";
        }
    }

    double left_, top_, width_, height_, low_x_ = 0, high_x_ = 1, low_y_ = 0, high_y_ = 1;
    std::string out_;
};

}  // namespace

std::string sweep_svg(const Sweep& s) {
    std::vector<int64_t> contexts;
    const bool served = !s.servers.empty();
    const char* const names[] = {served ? s.servers.size() > 1 ? "first" : "" : "hybrid", served ? "second" : "full-attention twin"};
    Line time[2] = {{names[0], svg::kFirst, {}, {}}, {names[1], svg::kSecond, {}, {}}},
         memory[2] = {{names[0], svg::kFirst, {}, {}}, {names[1], svg::kSecond, {}, {}}};
    bool hollow = false;
    for (const SweepRow& row : s.rows) {
        contexts.push_back(row.context);
        for (int i = 0; i < 2; ++i) {
            const SweepCell& c = i ? row.twin : row.hybrid;
            const auto context = static_cast<double>(row.context);
            if (c.one.steps) time[i].points.push_back({context, c.one.ms, c.one.p10, c.one.p90, c.one.synthetic});
            if (c.one.steps && c.one.least_ms > 0) time[i].limit.push_back({context, c.one.least_ms});
            if (!served)
                memory[i].points.push_back({context, static_cast<double>(c.state_bytes + c.cache_bytes)});
            else if (const auto [least, most] = std::minmax_element(c.prefill.seconds.begin(), c.prefill.seconds.end()); !c.prefill.seconds.empty())
                memory[i].points.push_back({context, first_token_ms(c), *least * 1e3, *most * 1e3});
            hollow |= c.one.synthetic;
        }
    }
    constexpr double kWidth = 940, kHeight = 420;
    std::string title = s.model + ", " + s.type + ": hybrid and full-attention twin by context", under = s.device.hardware;
    if (!s.device.detail.empty()) under += ", " + s.device.detail;
    if (served) {
        title = s.servers[0].model + (s.servers.size() > 1 ? " (first) and " + s.servers[1].model + " (second)" : "") + " by context, as served";
        under = s.servers[0].url + (s.servers.size() > 1 ? " and " + s.servers[1].url : "");
    }
    std::string out = svg::begin(kWidth, kHeight, title, under + "; " + s.date.substr(0, 10) + "; klp " + s.klp);
    if (contexts.empty()) return out + "<text x=\"24\" y=\"90\">no row was finished</text>\n</svg>\n";
    Plot left(66, 94, 300, 262), right(544, 94, 286, 262);
    out += left.draw(served ? "ms a token, one request" : "ms a token, one sequence", contexts, {time[0], time[1]}, ms_text, false);
    if (served)
        out += right.draw("ms to the first token, one request", contexts, {memory[0], memory[1]}, ms_text, false);
    else
        out += right.draw(
            "state and cache of a sequence", contexts, {memory[0], memory[1]}, [](double v) { return bytes_text(std::llround(v)); }, true);
    out += "<text x=\"66\" y=\"" + fixed(kHeight - 20, 0) + "\">tokens of " +
           (served ? "a prompt; band: 10 to 90 % of answers, all of the first tokens" : "context; dashed: this device's limit; band: 10 to 90 %") +
           (hollow ? "; hollow: a synthetic cache" : "") + "</text>\n</svg>\n";
    return out;
}

}  // namespace klp
