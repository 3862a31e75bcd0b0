// The words of the lenses and what they mean, so that a definition is at hand wherever a word stands.
#pragma once

#include <QString>
#include <vector>

namespace klp::gui {

struct Term {
    QString word, meaning;  // "channel"; one or two sentences
};
const std::vector<Term>& glossary();

// Where in a text one of them stands, in the singular or the plural; of two that overlap the longer one.
struct TermPlace {
    qsizetype first = 0, size = 0;
    const Term* term = nullptr;
};
std::vector<TermPlace> terms_in(const QString& text);

}  // namespace klp::gui
