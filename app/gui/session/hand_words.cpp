#include "app/gui/session/hand_words.h"

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

namespace {

QString listed(const std::vector<int>& numbers) {
    QStringList all;
    for (const int n : numbers) all << QString::number(n);
    return all.join(", ");
}

QString hand_place(const Intervention& one) {
    QStringList where;
    if (!one.layers.empty()) where << (one.layers.size() == 1 ? Language::tr("layer %1") : Language::tr("layers %1")).arg(listed(one.layers));
    if (!one.heads.empty()) where << (one.heads.size() == 1 ? Language::tr("head %1") : Language::tr("heads %1")).arg(listed(one.heads));
    if (!one.channels.empty()) where << (one.channels.size() == 1 ? Language::tr("channel %1") : Language::tr("channels %1")).arg(listed(one.channels));
    return where.isEmpty() ? Language::tr("every layer") : where.join(", ");
}

QString token_of(int64_t position) { return local(grouped(position)); }

QString what_of(const Intervention& one) {
    const QString where = hand_place(one);
    switch (one.what) {
        case Intervention::What::gates:
            return Language::tr("half-lives × %1 in %2").arg(times_text(one.amount), where);
        case Intervention::What::beta:
            return one.amount == 0 ? Language::tr("nothing is written in %1").arg(where)
                                   : Language::tr("writing strength β × %1 in %2").arg(times_text(one.amount), where);
        case Intervention::What::read:
            return one.amount == 0 ? Language::tr("nothing is read in %1").arg(where)
                                   : Language::tr("what is read × %1 in %2").arg(times_text(one.amount), where);
        case Intervention::What::silence:
            return (one.experts.size() == 1 ? Language::tr("expert %1 silenced in %2") : Language::tr("experts %1 silenced in %2"))
                .arg(listed(one.experts), where);
        case Intervention::What::empty:
            return Language::tr("state emptied in %1").arg(where);
        case Intervention::What::put:
            return Language::tr("another state put into %1").arg(where);
        case Intervention::What::edit:
            return (one.value.empty() ? Language::tr("one key erased in %1") : Language::tr("one key overwritten in %1")).arg(where);
        case Intervention::What::hide:
            return Language::tr("tokens %1 to %2 hidden from the caches of %3").arg(token_of(one.tokens.first), token_of(one.tokens.second - 1), where);
    }
    return {};
}

}  // namespace

QString times_text(float amount) { return local(QString::number(double{amount}, 'g', 3).toStdString()); }

QString hand_words(const Intervention& one, bool when) {
    QString out = what_of(one);
    if (!when) return out;
    if (one.once())
        out += ", " + Language::tr("in front of token %1").arg(token_of(one.from));
    else if (one.from > 0)
        out += ", " + (one.to == Intervention::kAlways ? Language::tr("from token %1 on").arg(token_of(one.from))
                                                       : Language::tr("tokens %1 to %2").arg(token_of(one.from), token_of(one.to - 1)));
    else if (one.to != Intervention::kAlways)
        out += ", " + Language::tr("up to token %1").arg(token_of(one.to - 1));
    return out;
}

QString hands_words(const Interventions* all) {
    QStringList lines;
    for (const Intervention& one : all ? *all : Interventions()) lines << hand_words(one);
    return lines.join('\n');
}

}  // namespace klp::gui
