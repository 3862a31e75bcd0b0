#include "app/gui/draw/text.h"

#include "app/format.h"
#include "core/text/utf8.h"

namespace klp::gui {

QString visible_token(std::string_view bytes) {
    QString s = text_of(repair_utf8(bytes));
    s.replace("\r\n", "⏎");
    for (QChar& c : s) {
        if (c == ' ')
            c = u'·';
        else if (c == '\n' || c == '\r')
            c = u'⏎';
        else if (c == '\t')
            c = u'⇥';
    }
    return text_of(harmless(s.toStdString()));
}

}  // namespace klp::gui
