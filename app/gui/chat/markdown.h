// Text of a model cut into blocks while it comes, so that each is rendered once, when it closes; and code made readable. Nothing here runs or fetches anything.
#pragma once

#include <QSyntaxHighlighter>
#include <QTextDocument>
#include <vector>

namespace klp::gui {

struct Block {
    enum class Kind { prose, code } kind = Kind::prose;
    QString text;      // Markdown, or the code without its fences
    QString language;  // behind the fence, lower case
    bool operator==(const Block&) const = default;
};

// Takes text in pieces. A block closes at a blank line (a list where it ends), a heading at its line's end, code at its closing fence.
class BlockReader {
public:
    std::vector<Block> push(QStringView text);   // the blocks that closed
    std::vector<Block> finish();                 // the open one too
    const Block& open() const { return open_; }  // what has come of it so far, the unfinished line included

private:
    void take_line(const QString& line, std::vector<Block>& closed);
    void close(std::vector<Block>& closed);
    Block open_;
    QString done_;  // of the open block: whole lines
    QString line_;  // the unfinished one
    QChar fence_;
    int fence_size_ = 0, fence_indent_ = 0;
    bool in_list_ = false, blank_ = false;  // within a list; the line before was blank
};

// What is rendered of a block: images become their text, so that nothing is looked up anywhere; lines of a paragraph stay lines.
QString harmless_markdown(const QString& text);

// Comments, texts, numbers and keywords of common languages; one of no known name gets texts and numbers.
class CodeColours : public QSyntaxHighlighter {
public:
    CodeColours(QTextDocument* document, const QString& language);
    void set_dark(bool dark);

protected:
    void highlightBlock(const QString& text) override;

private:
    const struct CodeLanguage* language_;
    QTextCharFormat keyword_, string_, comment_, number_;
};

}  // namespace klp::gui
