#include "app/gui/chat/markdown.h"

#include <algorithm>
#include <utility>

#include <QRegularExpression>
#include <QSet>

#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

int indent_of(QStringView line) {
    int n = 0;
    while (n < line.size() && line[n] == ' ') ++n;
    return n;
}
bool is_list_item(QStringView line) {
    const QStringView s = line.mid(indent_of(line));
    if (s.size() >= 2 && (s[0] == '-' || s[0] == '*' || s[0] == '+') && s[1] == ' ') return true;
    qsizetype digits = 0;
    while (digits < s.size() && digits < 9 && s[digits].isDigit()) ++digits;
    return digits > 0 && digits + 1 < s.size() && (s[digits] == '.' || s[digits] == ')') && s[digits + 1] == ' ';
}
bool is_heading(QStringView line) {
    qsizetype n = 0;
    while (n < line.size() && line[n] == '#') ++n;
    return n >= 1 && n <= 6 && n < line.size() && line[n] == ' ';
}
bool is_table_row(QStringView line) { return line.trimmed().startsWith('|'); }

}  // namespace

std::vector<Block> BlockReader::push(QStringView text) {
    std::vector<Block> closed;
    for (;;) {
        const qsizetype end = text.indexOf('\n');
        if (end < 0) break;
        line_ += text.left(end);
        text = text.mid(end + 1);
        const QString line = std::exchange(line_, {});
        take_line(line.endsWith('\r') ? line.chopped(1) : line, closed);
    }
    line_ += text;
    open_.text = done_ + line_;
    return closed;
}

std::vector<Block> BlockReader::finish() {
    std::vector<Block> closed;
    if (!line_.isEmpty()) take_line(std::exchange(line_, {}), closed);
    close(closed);
    return closed;
}

void BlockReader::close(std::vector<Block>& closed) {
    while (done_.endsWith('\n')) done_.chop(1);
    open_.text = std::exchange(done_, {});
    if (open_.kind == Block::Kind::code || !open_.text.isEmpty()) closed.push_back(open_);
    open_ = {};
    in_list_ = blank_ = false;
    fence_size_ = 0;
}

void BlockReader::take_line(const QString& line, std::vector<Block>& closed) {
    const QStringView bare = QStringView(line).trimmed();
    int run = 0;
    while (run < bare.size() && (bare[0] == '`' || bare[0] == '~') && bare[run] == bare[0]) ++run;
    if (open_.kind == Block::Kind::code) {
        if (run >= fence_size_ && run == bare.size() && bare[0] == fence_) return close(closed);
        done_ += line.mid(std::min(indent_of(line), fence_indent_)) + '\n';
        return;
    }
    // Fences inside list items are cut out too: code is easier to read and to copy in a frame of its own.
    if (run >= 3 && !bare.mid(run).contains('`')) {
        close(closed);
        open_.kind = Block::Kind::code;
        open_.language = bare.mid(run).trimmed().toString().section(' ', 0, 0).toLower();
        fence_ = bare[0], fence_size_ = run, fence_indent_ = indent_of(line);
        return;
    }
    if (bare.isEmpty()) {
        if (!in_list_) return close(closed);
        blank_ = true;
        done_ += '\n';
        return;
    }
    if (in_list_ && blank_ && !is_list_item(line) && indent_of(line) < 2) close(closed);
    if (is_heading(bare) && !in_list_) {
        close(closed);
        done_ = line;
        return close(closed);
    }
    if (is_table_row(line) && !in_list_ && !done_.isEmpty() && !is_table_row(done_)) close(closed);
    if (is_list_item(line) && !in_list_) {
        if (!done_.isEmpty() && indent_of(line) < 4) close(closed);
        in_list_ = true;
    }
    blank_ = false;
    done_ += line + '\n';
}

QString harmless_markdown(const QString& text) {
    QString out;
    out.reserve(text.size() + 8);
    bool code = false, lines_stay = true;  // in plain paragraphs a line's end is one: stories and poems come so
    for (const QString& line : text.split('\n')) lines_stay = lines_stay && !is_list_item(line) && !is_table_row(line) && indent_of(line) < 4;
    for (qsizetype i = 0; i < text.size(); ++i) {
        if (text[i] == '`') code = !code;
        if (!code && text[i] == '!' && i + 1 < text.size() && text[i + 1] == '[')
            out += QStringLiteral("!\\");
        else if (lines_stay && text[i] == '\n')
            out += QStringLiteral("  \n");
        else
            out += text[i];
    }
    return out;
}

// --- Code ------------------------------------------------------------------------------------------------------------------

struct CodeLanguage {
    QStringList names;
    QSet<QString> keywords;
    QString line_comment, block_begin, block_end;
    bool any_case = false;
};

namespace {

QSet<QString> words(const char* text) {
    const QStringList list = QString(text).split(' ');
    return {list.begin(), list.end()};
}

const std::vector<CodeLanguage>& code_languages() {
    static const std::vector<CodeLanguage> all = {
        {{"", "text", "txt"}, {}, "", "", ""},
        {{"python", "py", "python3"},
         words("and as assert async await break class continue def del elif else except False finally for from global if import in is lambda None nonlocal not "
               "or "
               "pass raise return True try while with yield self print"),
         "#",
         "\"\"\"",
         "\"\"\""},
        {{"c", "cpp", "c++", "cc", "h", "hpp", "cuda", "cu", "java", "csharp", "cs", "kotlin", "swift"},
         words("alignas auto bool break case catch char class const constexpr continue default delete do double else enum explicit extern false final float "
               "for if "
               "import inline int int32_t int64_t long namespace new noexcept nullptr null operator override package private protected public return short "
               "signed "
               "size_t sizeof static std string struct switch template this throw true try typedef typename union unsigned using var virtual void volatile "
               "while"),
         "//",
         "/*",
         "*/"},
        {{"javascript", "js", "typescript", "ts", "jsx", "tsx", "json"},
         words(
             "async await break case catch class const continue default delete do else export extends false finally for from function if import in instanceof "
             "interface let new null of return static super switch this throw true try type typeof undefined var void while yield"),
         "//",
         "/*",
         "*/"},
        {{"rust", "rs", "go", "golang"},
         words("as async await break chan const continue crate defer else enum extern false fn for func go if impl import in interface let loop map match mod "
               "move "
               "mut nil package pub range ref return select self Self static struct super switch trait true type unsafe use var where while"),
         "//",
         "/*",
         "*/"},
        {{"bash", "sh", "shell", "zsh", "console"},
         words("case cd do done echo elif else esac exit export fi for function if in local return set shift sudo then until while"),
         "#",
         "",
         ""},
        {{"sql"},
         words(
             "add all alter and as asc between by case create delete desc distinct drop else end from group having in index inner insert into is join key left "
             "like limit not null on or order outer primary right select set table then union update values when where"),
         "--",
         "/*",
         "*/",
         true},
        {{"yaml", "yml", "toml", "ini", "cmake", "make", "makefile", "dockerfile"},
         words("true false null if else endif function endfunction set"),
         "#",
         "",
         ""},
    };
    return all;
}

}  // namespace

CodeColours::CodeColours(QTextDocument* document, const QString& language) : QSyntaxHighlighter(document), language_(&code_languages().front()) {
    for (const CodeLanguage& l : code_languages())
        if (l.names.contains(language)) language_ = &l;
}

void CodeColours::set_dark(bool dark) {
    const Theme& t = theme_of(dark ? QPalette(Qt::black) : QPalette(Qt::white));
    keyword_.setForeground(t.third);
    keyword_.setFontWeight(QFont::DemiBold);
    string_.setForeground(t.good);
    comment_.setForeground(t.muted);
    comment_.setFontItalic(true);
    number_.setForeground(t.warn);
    rehighlight();
}

void CodeColours::highlightBlock(const QString& text) {
    const CodeLanguage& l = *language_;
    qsizetype i = 0;
    if (previousBlockState() == 1) {  // within a block comment
        const qsizetype end = text.indexOf(l.block_end);
        i = end < 0 ? text.size() : end + l.block_end.size();
        setFormat(0, static_cast<int>(i), comment_);
        if (end < 0) return setCurrentBlockState(1);
    }
    setCurrentBlockState(0);
    while (i < text.size()) {
        const QStringView rest = QStringView(text).mid(i);
        if (!l.line_comment.isEmpty() && rest.startsWith(l.line_comment)) return setFormat(static_cast<int>(i), static_cast<int>(rest.size()), comment_);
        if (!l.block_begin.isEmpty() && rest.startsWith(l.block_begin)) {
            const qsizetype end = text.indexOf(l.block_end, i + l.block_begin.size());
            const qsizetype stop = end < 0 ? text.size() : end + l.block_end.size();
            setFormat(static_cast<int>(i), static_cast<int>(stop - i), comment_);
            if (end < 0) return setCurrentBlockState(1);
            i = stop;
            continue;
        }
        const QChar c = text[i];
        if (c == '"' || c == '\'' || c == '`') {
            qsizetype end = i + 1;
            while (end < text.size() && text[end] != c) end += text[end] == '\\' ? 2 : 1;
            end = std::min(end + 1, text.size());
            setFormat(static_cast<int>(i), static_cast<int>(end - i), string_);
            i = end;
        } else if (c.isLetter() || c == '_') {
            qsizetype end = i;
            while (end < text.size() && (text[end].isLetterOrNumber() || text[end] == '_')) ++end;
            const QString word = text.mid(i, end - i);
            if (l.keywords.contains(l.any_case ? word.toLower() : word)) setFormat(static_cast<int>(i), static_cast<int>(end - i), keyword_);
            i = end;
        } else if (c.isDigit()) {
            qsizetype end = i;
            while (end < text.size() && (text[end].isLetterOrNumber() || text[end] == '.')) ++end;
            setFormat(static_cast<int>(i), static_cast<int>(end - i), number_);
            i = end;
        } else {
            ++i;
        }
    }
}

}  // namespace klp::gui
