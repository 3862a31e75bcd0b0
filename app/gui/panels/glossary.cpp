#include "app/gui/panels/glossary.h"

#include <QLocale>
#include <algorithm>
#include <map>
#include <utility>

#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

struct Words : Language {
    static std::vector<Term> all() {
        return {
            {tr("token"), tr("A piece of text that the model reads or writes at once: a word or a part of one.")},
            {tr("layer"), tr("One stage of the model. A KDA layer keeps a state, an MLA layer keeps a cache.")},
            {tr("head"), tr("A part of a layer that has a memory of its own.")},
            {tr("channel"), tr("One column of a head's state. Every token sets anew how much of it is left.")},
            {tr("half-life"), tr("After so many tokens half of what a channel held is left. Later writes are not counted.")},
            {tr("gate"), tr("α, from 0 to 1: what a token leaves of a channel.")},
            {tr("decay"), tr("What the gates take away, token by token, whatever is written meanwhile.")},
            {tr("state"), tr("A matrix of constant size in which a head of a KDA layer keeps what it has read.")},
            {tr("cache"), tr("What an MLA layer keeps of every token. It grows with the conversation.")},
            {tr("key"), tr("The address under which a head writes something into its state, and finds it again.")},
            {tr("value"), tr("What a head writes under a key.")},
            {tr("overwriting"), tr("What later tokens take away where they write under keys that resemble an older one.")},
            {tr("rule"), tr("How a token changes a state: what it leaves of what was there, and how it writes.")},
            {tr("delta rule"), tr("Writing only what is new: the value less what its key reads already.")},
            {tr("DeltaNet"), tr("A state without gates: only the delta rule takes away what was written before.")},
            {tr("Gated DeltaNet"), tr("The delta rule behind one gate for a whole head. KDA has a gate for each channel.")},
            {tr("GLA"), tr("Gated linear attention: a gate for each channel, and every value is added, whatever its key reads already.")},
            {tr("linear attention"), tr("The oldest such state: every value is added to it, and nothing is taken away.")},
            {tr("cosine"), tr("How alike two directions are: 1 the same, 0 nothing in common, −1 opposite.")},
            {tr("cut"), tr("A change of a state by hand: one key gets another value, or none.")},
            {tr("direction"), tr("A pattern over keys that a state can hold apart from the others. A state with 32 keys has room for 32.")},
            {tr("expert"), tr("One of several small networks of a layer. A router picks a few of them for each token.")},
            {tr("router"), tr("The part of a layer that picks experts for a token.")},
            {tr("even share"), tr("How often an expert would be picked if all were picked equally often.")},
            {tr("logit"), tr("The model's score of a token that could come next, before it becomes a probability.")},
            {tr("entropy"), tr("How unsure the model was, in nats. 0: it saw one choice only.")},
            {tr("equal choices"), tr("e to the entropy: so many equally likely tokens would be as unsure.")},
            {tr("trained twin"), tr("A model with full attention in every layer that was trained beside this one. It has shapes of its own.")},
            {tr("same-shapes twin"), tr("This model with attention in every layer. Its memory follows from the shapes alone, so it is computed.")},
            {tr("twin"), tr("A model with full attention in every layer, to compare with.")},
        };
    }
};

bool letter(const QString& text, qsizetype at) { return at >= 0 && at < text.size() && (text[at].isLetterOrNumber() || text[at] == '-'); }
// Chinese writes no spaces between its words; but one character alone may be a part of another word.
bool inside_word(const QString& text, qsizetype at, qsizetype size) {
    const auto joins = [&](qsizetype i) { return letter(text, i) && (size == 1 || text[i].script() != QChar::Script_Han); };
    return joins(at - 1) || joins(at + size);
}

// Where Russian words change their endings: what stays the same, and how many letters may follow it.
std::pair<QString, int> stem_of(const QString& word) {
    if (word.isEmpty() || word.back().script() != QChar::Script_Cyrillic) return {word, 0};
    const bool ending = QString("аеиоуыьюя").contains(word.back());
    return {ending ? word.chopped(1) : word, 3};
}

}  // namespace

const std::vector<Term>& glossary() {
    static std::map<QString, std::vector<Term>> by_language;
    std::vector<Term>& terms = by_language[QLocale().name()];
    if (terms.empty()) terms = Words::all();
    return terms;
}

std::vector<TermPlace> terms_in(const QString& text) {
    std::vector<TermPlace> found;
    for (const Term& term : glossary()) {
        const auto [stem, endings] = stem_of(term.word);
        for (qsizetype at = 0; (at = text.indexOf(stem, at, Qt::CaseInsensitive)) >= 0; ++at) {
            qsizetype size = stem.size();
            if (at + size < text.size() && text[at + size] == 's') ++size;
            for (int more = 0; more < endings && letter(text, at + size); ++more) ++size;
            if (!inside_word(text, at, size)) found.push_back({at, size, &term});
        }
        // The plural that changes the word.
        if (const QString lives = "half-lives"; term.word == "half-life")
            for (qsizetype at = 0; (at = text.indexOf(lives, at, Qt::CaseInsensitive)) >= 0; ++at) found.push_back({at, lives.size(), &term});
    }
    std::sort(found.begin(), found.end(), [](const TermPlace& a, const TermPlace& b) { return a.first != b.first ? a.first < b.first : a.size > b.size; });
    qsizetype end = 0;
    std::erase_if(found, [&](const TermPlace& place) {
        if (place.first < end) return true;
        end = place.first + place.size;
        return false;
    });
    return found;
}

}  // namespace klp::gui
