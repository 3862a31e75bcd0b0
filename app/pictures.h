// Pictures made of characters: values in, text out. They know neither the model nor the terminal, only what they may be drawn with (Canvas).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "app/terminal.h"

namespace klp {

// A colour as 24 bits and as the entry of the 256-colour palette that means the same on a map (the nearest entry is often of another hue).
struct Paint {
    uint8_t r = 0, g = 0, b = 0, palette = 0;
};
// Both maps are even in lightness and safe for colour-blind readers. Sequential: 0 dark violet .. 1 yellow. Diverging: -1 blue, 0 near black, +1 orange.
Paint sequential(double t);
Paint diverging(double t);
inline Paint accent() { return sequential(0.55); }  // of lines and bars that mean nothing by their colour

// Collects coloured cells and writes an escape sequence only where the colour changes.
class Ink {
public:
    explicit Ink(const Canvas& canvas) : canvas_(canvas) {}
    void cell(std::string_view text, const Paint& foreground);
    void cell(std::string_view text, const Paint& foreground, const Paint& background);
    void plain(std::string_view text);  // in the terminal's own colours
    void end_line() { plain("\n"); }
    std::string take() { return std::move(text_); }

private:
    void colours(std::string code);
    const Canvas& canvas_;
    std::string text_, active_;
};

// A bar of `width` columns, `fraction` of it full (eighths of a column where Unicode may be used).
std::string bar(double fraction, int width, const Canvas& canvas);
std::string tinted(const std::string& text, const Canvas& canvas);  // in the accent colour
// One line, oldest left; more values than columns are averaged. NaN is a gap. From 0 (or the smallest negative value) to the largest.
std::string sparkline(std::span<const float> values, int width, const Canvas& canvas);

// How long a channel remembers: after this many tokens half of what it held is left. Infinite where nothing decays.
double half_life(double log_decay);
std::string half_life_text(double tokens);
// Named bands of half-lives, in tokens: < 1, 1-8, 8-64, 64-512, > 512.
inline constexpr int kBands = 5;
int half_life_band(double tokens);
std::string_view band_name(int band);
double half_life_colour(double tokens);  // 0 .. 1 on a log scale, the bands equally wide

// Cells of [0, 1], `columns` in a row, each row with its label. Without colour a cell is one of five shades.
struct Strip {
    std::string label;
    std::vector<double> values;  // NaN: an empty cell
    std::string note;            // behind the row
};
std::string strips(std::span<const Strip> rows, int cell_width, const Canvas& canvas);
// The legend of a half-life strip: the five bands in their colours (or shades). A swatch is what a cell of the band looks like.
std::string band_swatch(int band, const Canvas& canvas, int columns);
std::string band_legend(const Canvas& canvas);

// A matrix with its sign: rows x columns values scaled by `limit` (largest magnitude). Larger than the space: each cell shows the value of largest magnitude
// under it. Two rows share a line of characters where colour and Unicode allow it.
struct HeatMap {
    std::span<const float> values;
    int rows = 0, columns = 0;
    float limit = 0;
};
std::string heat_map(const HeatMap& map, int max_lines, const Canvas& canvas, std::string_view indent = "");
std::string heat_legend(float limit, const Canvas& canvas);

}  // namespace klp
