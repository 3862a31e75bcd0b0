// Numbers and pictures of the terminal program: what a person reads is true, fits the window and cannot be hijacked.
#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <sstream>

#include "app/format.h"
#include "app/pictures.h"
#include "app/progress.h"

namespace klp {
namespace {

Canvas canvas(int width, Colour colour, bool unicode) { return {.width = width, .colour = colour, .unicode = unicode}; }

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
}
std::string without_escapes(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b')
            i = text.find('m', i);
        else
            out += text[i];
    }
    return out;
}

TEST(Numbers, AreWrittenAsPeopleReadThem) {
    EXPECT_EQ(short_number(112), "112");
    EXPECT_EQ(short_number(1204.4), "1,204");
    EXPECT_EQ(short_number(7.25), "7.25");
    EXPECT_EQ(short_number(NAN), "n/a");
    EXPECT_EQ(grouped(1048576), "1,048,576");
    EXPECT_EQ(grouped(-1234), "-1,234");
    EXPECT_EQ(grouped(-123), "-123");
    EXPECT_EQ(count_text(49122681728), "49.1B");
    EXPECT_EQ(bytes_text(41943040), "40.0 MiB");
    EXPECT_EQ(bytes_text(1023), "1023 B");
    EXPECT_EQ(bytes_text(1048575), "1.0 MiB");
    EXPECT_EQ(duration_text(12.3e6), "12 ms");
    EXPECT_EQ(duration_text(39), "39 ns");
    EXPECT_EQ(duration_text(1234), "1.2 us");
    EXPECT_EQ(duration_text(143'200), "143 us");
    EXPECT_EQ(duration_text(125e9), "2 min 5 s");
    EXPECT_EQ(percent_text(0.43), "43 %");
    EXPECT_EQ(plural(1, "token"), "1 token");
}

TEST(Harmless, LetsNoControlCharacterThrough) {
    EXPECT_EQ(harmless("a\x1b[31mb"), "a\uFFFD[31mb");
    EXPECT_EQ(harmless("\x9b"
                       "31m"),
              "\uFFFD"
              "31m");                                         // C1 as a single byte
    EXPECT_EQ(harmless("\xC2\x9b"), "\uFFFD");                // and as UTF-8
    EXPECT_EQ(harmless("x\xE2\x1b[2J"), "x\uFFFD\uFFFD[2J");  // hidden behind a broken first byte
    EXPECT_EQ(harmless("line\r\n\ttab"), "line\n\ttab");
    EXPECT_EQ(harmless("Привет 漢字 👩‍👧"), "Привет 漢字 👩‍👧");
}

TEST(Text, EndsItsLinesOneWay) {
    EXPECT_EQ(line_ends("a\r\nb\rc\nd\r\n\r\n\r\r"), "a\nb\nc\nd\n\n\n\n");
    EXPECT_EQ(line_ends(""), "");
}

TEST(Text, IsCutAndWrappedByColumnsNotBytes) {
    EXPECT_EQ(clipped("абвгд", 4), "аб..");
    EXPECT_EQ(clipped("short", 10), "short");
    for (const auto& line : lines(wrapped("one two three four five six seven", 10))) EXPECT_LE(display_width(line), 10);
}

TEST(Text, ThatComesInPiecesIsBrokenAtBlanks) {
    ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr);  // widths of characters come from it
    const std::string text = "One cold day Pickle walked to the barn.\n\n  indented, and a_word_that_is_longer_than_the_line\n漢字漢字漢字漢字漢字漢字漢字漢字";
    for (size_t piece : {size_t{1}, size_t{3}, text.size()}) {
        WordWrap wrap(20);
        std::string out;
        for (size_t at = 0; at < text.size();) {
            size_t end = std::min(at + piece, text.size());
            while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;  // whole characters, as Utf8Stream gives them
            out += wrap.push(text.substr(at, end - at));
            at = end;
        }
        out += wrap.finish();
        EXPECT_EQ(out, "One cold day Pickle\nwalked to the barn.\n\n  indented, and\na_word_that_is_longer_than_the_line\n漢字漢字漢字漢字漢字\n漢字漢字漢字");
    }
}

TEST(Progress, SaysPhaseCountRateAndTimeLeft) {
    EXPECT_EQ(progress_text("reading", "token", 0, 6000, 0), "reading: 0 of 6,000 tokens");
    EXPECT_EQ(progress_text("reading", "token", 1024, 6000, 4'000'000'000), "reading: 1,024 of 6,000 tokens, 256 tokens/s, 20 s left");
    EXPECT_EQ(progress_text("loading m", "byte", int64_t{1} << 30, int64_t{3} << 30, 2'000'000'000), "loading m: 1.0 GiB of 3.0 GiB, 512 MiB/s, 4 s left");
    EXPECT_EQ(progress_text("loading", "", 430, 1000, 1'000'000'000), "loading: 43 %, 2 s left");
    EXPECT_EQ(progress_text("answering", "token", 120, 0, 4'000'000'000), "answering: 120 tokens, 30 tokens/s");
    EXPECT_EQ(progress_text("measuring", "", 0, 0, 3'000'000'000), "measuring: 3 s");
    EXPECT_EQ(progress_text("racing", "token", 64, 64, 1'000'000'000), "racing: 64 of 64 tokens, 64 tokens/s");
}

TEST(Tables, AlignNumbersToTheRight) {
    Table table({"name", "n"});
    table.add({"a", "5"});
    table.add({"bcd", "1,000"});
    EXPECT_EQ(table.text(), "name      n\na         5\nbcd   1,000\n");
}

TEST(HalfLife, OfAChannelThatKeepsNineTenthsIsUnderSevenTokens) {
    EXPECT_NEAR(half_life(std::log(0.9)), 6.58, 0.01);
    EXPECT_EQ(half_life(0), INFINITY);
    EXPECT_EQ(half_life_band(half_life(std::log(0.9))), 1);
    EXPECT_EQ(half_life_band(half_life(std::log(0.01))), 0);
    EXPECT_EQ(half_life_band(INFINITY), 4);
}

TEST(HalfLife, ColoursGrowWithItAndBandsMeetAtFifths) {
    double last = -1;
    for (double tokens : {0.01, 0.5, 1.0, 3.0, 8.0, 64.0, 512.0, 1e4, double(INFINITY)}) {
        EXPECT_GE(half_life_colour(tokens), last);
        last = half_life_colour(tokens);
    }
    EXPECT_NEAR(half_life_colour(1), 0.2, 1e-9);
    EXPECT_NEAR(half_life_colour(512), 0.8, 1e-9);
}

TEST(Bars, AreAsLongAsTheirFraction) {
    for (bool unicode : {false, true}) {
        for (double fraction : {-1.0, 0.0, 0.001, 0.5, 1.0, 7.0, double(NAN)})
            EXPECT_EQ(display_width(bar(fraction, 20, canvas(80, Colour::none, unicode))), 20) << fraction;
    }
    EXPECT_EQ(bar(0.5, 4, canvas(80, Colour::none, false)), "##..");
    EXPECT_NE(bar(0.0001, 4, canvas(80, Colour::none, true)), "    ") << "something is never drawn as nothing";
}

TEST(Sparklines, LeaveGapsWhereNothingWasMeasured) {
    const std::vector<float> values{0, NAN, 1};
    EXPECT_EQ(sparkline(values, 10, canvas(80, Colour::none, false)), "_ @");
    EXPECT_EQ(display_width(sparkline(std::vector<float>(1000, 1.0f), 30, canvas(80, Colour::none, true))), 30);
}

TEST(HeatMaps, FitTheWindowAtEveryWidthAndDepth) {
    const std::vector<float> values(128 * 128, 0.5f);
    for (int width : {20, 40, 80, 200}) {
        for (Colour colour : {Colour::none, Colour::palette, Colour::full}) {
            for (bool unicode : {false, true}) {
                const auto drawn = lines(heat_map({values, 128, 128, 1}, 20, canvas(width, colour, unicode)));
                EXPECT_LE(drawn.size(), 20u);
                for (const auto& line : drawn) EXPECT_LE(display_width(without_escapes(line)), width);
            }
        }
    }
}

TEST(HeatMaps, ShowTheStrongestValueUnderACell) {
    std::vector<float> values(64 * 64, 0.0f);
    values[64 * 63 + 63] = -1;  // one entry in the last corner, far smaller than a cell
    const auto drawn = lines(heat_map({values, 64, 64, 1}, 8, canvas(20, Colour::none, false)));
    EXPECT_EQ(drawn.back().back(), 'M');
    EXPECT_EQ(drawn.front().find_first_not_of(' '), std::string::npos);
}

TEST(Pictures, HaveNoEscapesWithoutColourAndNothingBeyondAsciiWhenPlain) {
    const Strip row{.label = "x", .values = {0, 0.25, 0.5, 1, NAN}, .note = ""};
    const std::vector<float> values{-1, 0, 1, 0.5f};
    const Canvas plain = canvas(60, Colour::none, false);
    const std::string all = strips({&row, 1}, 2, plain) + band_legend(plain) + heat_map({values, 2, 2, 1}, 5, plain) + heat_legend(1, plain) +
                            bar(0.3, 9, plain) + sparkline(values, 9, plain);
    for (char c : all) EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << int(c);
}

TEST(Pictures, EndEveryLineInTheTerminalsOwnColours) {
    const std::vector<float> values{-1, 0, 1, 0.5f};
    for (Colour colour : {Colour::palette, Colour::full}) {
        for (const auto& line : lines(heat_map({values, 2, 2, 1}, 5, canvas(60, colour, true)))) EXPECT_TRUE(line.ends_with("\x1b[0m")) << line;
    }
}

}  // namespace
}  // namespace klp
