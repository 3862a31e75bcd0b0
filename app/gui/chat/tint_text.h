// Where the tokens of a message stand in the text that is shown of it, which has no marks of Markdown: what a tint lies under.
#pragma once

#include <QString>
#include <cstdint>
#include <cmath>
#include <string>
#include <vector>

namespace klp::gui {

// One token of a message: its bytes of the text as it was written, and a number; NaN: not known.
struct TintedToken {
    int64_t first = 0, last = 0;
    double value = NAN;
};
// A stretch of a shown text.
struct TintRun {
    int at = 0, length = 0;
    double value = 0;
    bool operator==(const TintRun&) const = default;
};

// Follows shown texts, one after the other, through the written one. What is shown is the written text with characters left out, so each shown character is the
// next one like it that is not too far on; blanks are nobody's.
class TintText {
public:
    TintText(const std::string& written, const std::vector<TintedToken>& tokens);
    std::vector<TintRun> runs(const QString& shown);  // of the next segment

private:
    QString written_;
    std::vector<double> values_;  // of each of its characters
    std::vector<int> tokens_;     // likewise; -1: of none
    qsizetype at_ = 0;
};

}  // namespace klp::gui
