#include "app/gui/draw/language.h"

#include <QCoreApplication>
#include <QLibraryInfo>
#include <QLocale>
#include <QRegularExpression>
#include <QStringList>
#include <QTranslator>
#include <algorithm>
#include <iterator>
#include <limits>

namespace klp::gui {

namespace {

constexpr const char* kContext = "klp";  // the only one of our files

// A text means the same wherever it is said; but "Return" on a key is no "Return" of ours.
class AnyContext final : public QTranslator {
public:
    using QTranslator::QTranslator;
    QString translate(const char* context, const char* text, const char* comment, int n) const override {
        return context && std::string_view(context) == "QShortcut" ? QString() : QTranslator::translate(kContext, text, comment, n);
    }
};

struct Unit {
    const char* name;
    struct {
        const char *text, *comment;
    } said;
};
constexpr Unit kUnits[] = {
    {"%", QT_TRANSLATE_NOOP3("klp", "%1 %", "unit")},     {"B", QT_TRANSLATE_NOOP3("klp", "%1 B", "unit")},
    {"KiB", QT_TRANSLATE_NOOP3("klp", "%1 KiB", "unit")}, {"MiB", QT_TRANSLATE_NOOP3("klp", "%1 MiB", "unit")},
    {"GiB", QT_TRANSLATE_NOOP3("klp", "%1 GiB", "unit")}, {"TiB", QT_TRANSLATE_NOOP3("klp", "%1 TiB", "unit")},
    {"ns", QT_TRANSLATE_NOOP3("klp", "%1 ns", "unit")},   {"us", QT_TRANSLATE_NOOP3("klp", "%1 us", "unit")},
    {"ms", QT_TRANSLATE_NOOP3("klp", "%1 ms", "unit")},   {"s", QT_TRANSLATE_NOOP3("klp", "%1 s", "unit")},
    {"min", QT_TRANSLATE_NOOP3("klp", "%1 min", "unit")},
};

bool plain_english() { return QLocale().language() == QLocale::English || QLocale().language() == QLocale::C; }

QString separated(const QString& number) {
    const QLocale locale;
    QString text;
    for (qsizetype i = 0; i < number.size(); ++i) {
        const bool between = i > 0 && i + 1 < number.size() && number[i - 1].isDigit() && number[i + 1].isDigit();
        text += between && number[i] == ',' ? locale.groupSeparator() : between && number[i] == '.' ? locale.decimalPoint() : QString(number[i]);
    }
    return text;
}

}  // namespace

QString Language::tr(const char* text, const char* comment, int64_t n) {
    const int counted = static_cast<int>(std::clamp<int64_t>(n, -1, std::numeric_limits<int>::max()));
    QString said = QCoreApplication::translate(kContext, text, comment, counted);
    if (n < 0) return said;  // a translation has its own forms, and no such brackets
    static const QRegularExpression endings("\\(s\\)|\\(([^()|]*)\\|([^()|]*)\\)");
    for (QRegularExpressionMatch m = endings.match(said); m.hasMatch(); m = endings.match(said)) {
        const QString ending = m.captured(0) == "(s)" ? QString(n == 1 ? "" : "s") : m.captured(n == 1 ? 1 : 2);
        said.replace(m.capturedStart(), m.capturedLength(), ending);
    }
    return said;
}

const std::vector<Language>& languages() {
    static const std::vector<Language> all = [] {
        std::vector<Language> found{{"en", "English"}};
        for (const Language& each : {Language{"zh_CN", "简体中文"}, Language{"ru", "Русский"}})
            if (AnyContext().load(":/i18n/klp_" + each.code + ".qm")) found.push_back(each);
        return found;
    }();
    return all;
}

void speak(QCoreApplication& app, const QString& code) {
    // Of the system's languages the first that is here: "zh-Hans-CN" is zh_CN, "ru-UA" is ru.
    const auto find = [](const QString& wanted) {
        const QLocale locale(wanted);
        return std::find_if(languages().begin(), languages().end(),
                            [&](const Language& l) { return QLocale(l.code).language() == locale.language() && QLocale(l.code).script() == locale.script(); });
    };
    const QLocale system = QLocale::system();
    auto chosen = languages().end();
    for (const QString& wanted : code.isEmpty() ? system.uiLanguages() : QStringList{code})
        if (chosen == languages().end()) chosen = find(wanted);
    if (chosen == languages().end()) chosen = languages().begin();

    for (QTranslator* old : app.findChildren<QTranslator*>()) delete old;
    const QLocale of(chosen->code);
    QLocale::setDefault(system.language() == of.language() && system.script() == of.script() ? system : of);
    if (chosen == languages().begin()) return;
    auto* qt = new QTranslator(&app);  // what Qt's own dialogs say, where the system has it
    if (qt->load("qtbase_" + chosen->code, QLibraryInfo::path(QLibraryInfo::TranslationsPath))) QCoreApplication::installTranslator(qt);
    auto* ours = new AnyContext(&app);
    if (ours->load(":/i18n/klp_" + chosen->code + ".qm")) QCoreApplication::installTranslator(ours);
}

QString local(std::string_view figures) {
    const QString text = QString::fromUtf8(figures.data(), static_cast<qsizetype>(figures.size()));
    if (plain_english()) return text;
    QStringList words = text.split(' '), said;
    for (qsizetype i = 0; i < words.size(); ++i) {
        const QString word = separated(words[i]);
        const auto unit = i + 1 < words.size() && word.contains(QRegularExpression("\\d"))
                              ? std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& u) { return words[i + 1] == u.name; })
                              : std::end(kUnits);
        if (unit != std::end(kUnits)) ++i;
        said << (unit == std::end(kUnits) ? word == "n/a" ? Language::tr("n/a") : word : Language::tr(unit->said.text, unit->said.comment).arg(word));
    }
    return said.join(' ');
}

QString tokens_text(int64_t n) { return Language::tr("%Ln token(s)", nullptr, n); }

QString sentences(const QStringList& all) {
    QString text;
    for (const QString& next : all) text = text.isEmpty() || next.isEmpty() ? text + next : Language::tr("%1 %2", "two sentences").arg(text, next);
    return text;
}

}  // namespace klp::gui
