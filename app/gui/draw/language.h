// The window in the reader's language. What it says goes through tr(), as Qt has it, and is found by its English text alone, whatever class says it. What is no
// QObject says Language::tr(), and so does whoever counts:
//
//     Language::tr("%Ln token(s) (is|are) left", nullptr, n)     "1 token is left", "1,204 tokens are left", "剩余 1,204 个词元"
#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>
#include <string_view>
#include <vector>

class QCoreApplication;

namespace klp::gui {

struct Language {
    QString code, name;  // "zh_CN", and what it calls itself
    // `comment` tells apart what is one word in English. The endings of an English plural stand in brackets: "(s)", "(one|many)".
    static QString tr(const char* text, const char* comment = nullptr, int64_t n = -1);
};

// Those that this build has: English, and what was translated.
const std::vector<Language>& languages();
// From now on. "": the system's, or English where there is none of it. Numbers are written as there, too.
void speak(QCoreApplication& app, const QString& code);

// Figures of app/format.h as the reader writes them: "1,204" and "12.5 ms" are "1 204" and "12,5 мс" in Russian.
QString local(std::string_view figures);
QString tokens_text(int64_t n);             // "1,204 tokens"
QString sentences(const QStringList& all);  // one behind the other; Chinese has no space between them

}  // namespace klp::gui
