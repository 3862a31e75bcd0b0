#!/usr/bin/env python3
"""What the window says, in every language that it speaks. Each file of resources/i18n has the texts of app/gui, of Qt's buttons and of the starters once.

    tests/language.py             fails on text that is not said through tr(), and on a translation that is missing, cut or lost a %1 or a key
    tests/language.py --sources   fails where the files are not what the sources say now (77: no lupdate here)
    tests/language.py --update    takes the sources' texts into all files; new ones are "unfinished" there
"""
import collections
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "resources/i18n").glob("klp_*.ts"))
FORMS = {"zh_CN": 1, "ru": 3}  # plural forms

Message = collections.namedtuple("Message", "source comment numerus")


# --- files of translations -----------------------------------------------------------------------------------------
def read_ts(path):
    """{Message: [forms]} in the order of the file; a form is "" where it is not finished."""
    found = {}
    for block in re.findall(r"<message.*?</message>", path.read_text(encoding="utf-8"), re.S):
        get = lambda tag: (re.search(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", block, re.S) or [None, ""])[1]
        comment = html.unescape(get("comment"))
        message = Message(html.unescape(get("source")), comment, 'numerus="yes"' in block.split(">")[0])
        said = re.findall(r"<numerusform>(.*?)</numerusform>", block, re.S) if message.numerus else [get("translation")]
        found[message] = ["" if re.search(r'<translation[^>]*type="', block) else html.unescape(s) for s in said]
    return found


def write_ts(path, language, messages, said):
    escape = lambda s: html.escape(s, quote=False)
    out = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>", f'<TS version="2.1" language="{language}" sourcelanguage="en">', "<context>",
           "    <name>klp</name>"]
    for m in messages:
        forms = said.get(m, [])
        done = forms and all(forms) and (not m.numerus or len(forms) == FORMS[language])
        kind = "" if done else ' type="unfinished"'
        out.append('    <message numerus="yes">' if m.numerus else "    <message>")
        out.append(f"        <source>{escape(m.source)}</source>")
        if m.comment:
            out.append(f"        <comment>{escape(m.comment)}</comment>")
        if m.numerus:
            forms = (forms + [""] * FORMS[language])[: FORMS[language]]
            inner = "".join(f"\n            <numerusform>{escape(f)}</numerusform>" for f in forms)
            out.append(f"        <translation{kind}>{inner}\n        </translation>")
        else:
            out.append(f"        <translation{kind}>{escape(forms[0] if forms else '')}</translation>")
        out.append("    </message>")
    path.write_text("\n".join(out + ["</context>", "</TS>", ""]), encoding="utf-8")


def said_by_sources():
    """Every text once, whatever class says it, in the order of the sources. None without lupdate."""
    tool = shutil.which("lupdate") or shutil.which("lupdate", path="/usr/lib/qt6/bin")
    if not tool:
        return None
    with tempfile.TemporaryDirectory() as folder:
        ts = pathlib.Path(folder) / "all.ts"
        subprocess.run([tool, "-silent", "-locations", "none", "-no-ui-lines", str(ROOT / "app/gui"), "-ts", str(ts)], check=True, capture_output=True)
        messages = list(read_ts(ts))
    for starter in json.loads((ROOT / "resources/prompts.json").read_text(encoding="utf-8")):
        messages += [Message(starter["title"], "", False), Message(starter["watch"], "", False)]
    for qt in ("OK", "Cancel", "&Yes", "&No", "Close"):  # of Qt's dialogs, where the system has no translation of Qt
        messages.append(Message(qt, "", False))
    return list(dict.fromkeys(messages))


# --- what is wrong with a translation ------------------------------------------------------------------------------
def places(text):
    return sorted(re.findall(r"%L?\d+|%L?n", text))


def tags(text):
    return sorted(re.findall(r"</?\w+[^>]*>", text))


def faults(message, text):
    if not text.strip():
        return "is empty"
    source = message.source
    lost = set(places(source)) ^ set(places(text))
    if lost:
        return f"has other places: {', '.join(sorted(lost))}"
    if tags(source) != tags(text):
        return "has other tags"
    if ("&" in re.sub(r"&\w+;|&&", "", source)) != ("&" in re.sub(r"&\w+;|&&", "", text)):
        return "has another shortcut"
    keys = r"(?:Ctrl|Shift|Alt)\+[\w+]+|\bF\d+\b|\bEsc\b"
    if sorted(re.findall(keys, source)) != sorted(re.findall(keys, text)):
        return "has other keys"
    end = lambda s: {"。": ".", "：": ":", "！": "!", "？": "?", "；": ";"}.get(s.rstrip()[-1:], s.rstrip()[-1:])
    abbreviated = not source.endswith(".") and re.search(r"(?:^|\W)\w{1,5}\.$", text)
    for mark in ".:…?":
        if mark == "." and abbreviated:
            continue
        if (end(source) == mark) != (end(text) == mark):
            return f"ends otherwise: {source.rstrip()[-1:]!r} became {text.rstrip()[-1:]!r}"
    chinese = re.search("[\u4e00-\u9fff]", text)  # has no spaces between words
    if not chinese and (source[:1].isspace() != text[:1].isspace() or source[-1:].isspace() != text[-1:].isspace()):
        return "begins or ends with other space"
    return ""


def check_translations():
    bad = []
    for path in FILES:
        language = path.stem.removeprefix("klp_")
        text = path.read_text(encoding="utf-8")
        for kind in ("unfinished", "obsolete", "vanished"):
            if f'type="{kind}"' in text:
                bad.append(f"{path.name}: {text.count(kind)} entries are {kind}")
        for message, forms in read_ts(path).items():
            if message.numerus and len(forms) != FORMS[language]:
                bad.append(f"{path.name}: “{message.source}” has {len(forms)} plural forms, not {FORMS[language]}")
            bad += [f"{path.name}: “{message.source}” {wrong}: “{form}”" for form in forms if (wrong := faults(message, form))]
    return bad


# --- what is said without tr() ---------------------------------------------------------------------------------------
def literals(source):
    """Of each run of string literals: where it begins and ends, its text, and the calls and lists around it, the innermost last."""
    found, around, i = [], [], 0
    one = re.compile(r'"((?:[^"\\]|\\.)*)"')
    while i < len(source):
        c = source[i]
        if source.startswith("//", i) or (c == "#" and source[:i].rpartition("\n")[2].strip() == "" and not source.startswith("#define", i)):
            i = source.find("\n", i)
            if i < 0:
                break
        elif source.startswith("/*", i):
            i = source.find("*/", i) + 2
        elif c == "'" and (letter := re.compile(r"'(\\.[^']*|[^'\\])'").match(source, i)) and not source[i - 1].isalnum():
            i = letter.end()
        elif source.startswith('R"(', i):
            end = source.find(')"', i) + 2
            found.append((i, end, source[i + 3 : end - 2], list(around)))
            i = end
        elif c == '"':
            begin, text = i, ""
            while literal := one.match(source, i):
                text, end = text + literal[1], literal.end()
                i = re.compile(r"\s*(//[^\n]*\n\s*)?").match(source, end).end()
            found.append((begin, end, text, list(around)))
            i = end
        else:
            if c in "([{":
                name = re.search(r"([A-Za-z_][\w:]*)\s*$", source[max(0, i - 60) : i])
                around.append(name[1] if name else c)
            elif c in ")]}" and around:
                around.pop()
            i += 1
    return found


# Calls whose text is nobody's to read: names of objects, settings, docks, files and colours; formats; words that are compared.
INSIDE = set("""setObjectName setProperty property value setValue contains beginReadArray beginWriteArray remove QKeySequence at findChild findChildren
    QRegularExpression startsWith endsWith starts_with ends_with QColor c setStyleSheet toString setData append enable indexOf replace split place apply_layout
    menu show_panel panel seen relabels string_view find_resource setDefaultSuffix entryInfoList load_model last setCreator load save fprintf title Language
    resolve exists read_config replace_extension broken_off make CodeBox QSettings setOrganizationName setApplicationName setDesktopFileName qgetenv QFont
    tile add_dock setDesktopSettingsAware qEnvironmentVariableIsEmpty defined static_assert getline ifstream leftJustified twin_in_english local""".split())
SAID = {"tr", "QT_TR_NOOP", "QT_TRANSLATE_NOOP", "QT_TRANSLATE_NOOP3", "SAID"}
# Files that say nothing through tr(), and why.
FILES_APART = {
    "chat/markdown.cpp": "keywords of programming languages",
    "draw/theme.cpp": "style sheets",
    "draw/language.cpp": "names of languages, in themselves",
    "panels/log.cpp": "the log is English, as the core's errors are",
    "main.cpp": "what a terminal shows",
}
# Text apart, and why: names of things that all languages write so.
APART = re.compile(
    r"""^(?:[a-z0-9]+(?:[-_/.*][a-z0-9-_.*]*)+|[a-z]+-|/[\w/.-]+|\.\w+|\*\.\w+            # names of objects, files
    |Ctrl\+.*|Alt\+.*|Shift\+.*|Esc|F\d+|SLD                                               # keys
    |user|assistant|system|tool|summary|cancelled|edited|chosen|error|closed|budget|context|stop_token|rewound|json|md|png|svg|pdf|csv|chip|url|at|ssh|model|shape|both|twin|none
    |cpu|auto|bf16|config\.json|models|Ollama|klp[- %].*|klp|CPU|Inter|http://[\w.:/]+|http|https|embedded|follow|rename|race|decay|state|memory|explore|chat|monitor|present
    |waterfall.*|served.*|dock-.*|panel-.*|klp_|sampling.*|\#[0-9a-fA-F]{6}
    |File|Chat|View|Capture|Run|Help|linear_attn_config.*|byte|replay|open|timeline|record|search|find|stop|keys|about|quit|pull|unload|fork|send|restore|newest|freeze|tour|composer|continue|regenerate
    |(?:gdn|deltanet|gla|mamba2|mla|kda)(?:\+[\w:+-]+)?(?:,\ [\w:+-]+)?|lab                                    # names of what learns
    |loss|rate|weights|steps|answers\ right|90\ %\ from\ step|token|layer|head|channel|position|rank|rule|id|value|key|expert|tokens|what|message|level|.*\([\w/ ,'Σ]+\)|mixer|state|tails|cache|probability|as\ (?:MLA|attention)|multi-head|,\ recorded  # headings of tables, by heading()
    |experts|logits|attention|life|map|cosine|log|kda|mla|Precise|Text\ and\ numbers\ made.*|g\ =.*softplus.*|\ ·\ klp\ |\[\{.*   # ids; what is kept in files; formulas
    |yyyy.*|HH:mm.*|hh:mm|ddd|0000|conversations|explanations|visual|[SVK]|α|nothing)$""",
    re.X,
)


# Whatever stands in these is read by somebody.
SEEN = set("""setText setToolTip setAccessibleName setAccessibleDescription setPlaceholderText setWindowTitle addAction addMenu addItem addItems QLabel QPushButton
    QCheckBox addRow set_axes set_series set_labels set_empty say drawText""".split())


def check_sources():
    bad = []
    for path in sorted((ROOT / "app/gui").rglob("*")):
        name = str(path.relative_to(ROOT / "app/gui"))
        if path.suffix not in (".cpp", ".h") or name in FILES_APART:
            continue
        source = path.read_text(encoding="utf-8")
        for begin, end, text, around in literals(source):
            call = around[-1].split("::")[-1] if around else ""
            words = re.sub(r"<[^>]*>|&\w+;|%L?\d+|\\.|\$\w+", " ", text)
            if not re.search(r"[A-Za-z]{2,}", words) or call in SAID or call in INSIDE or (APART.match(text) and call not in SEEN):
                continue
            if re.search(r"[=!]=\s*$", source[max(0, begin - 5) : begin]) or re.match(r"\s*[=!]=", source[end : end + 6]) or re.search(r"\{ (?:background|border|image)", text):
                continue
            bad.append(f"app/gui/{name}:{source.count(chr(10), 0, begin) + 1}: “{text[:80]}” is not said through tr()")
    return bad


def main():
    if "--update" in sys.argv or "--sources" in sys.argv:
        messages = said_by_sources()
        if messages is None:
            print("lupdate is not here (qt6-l10n-tools)")
            sys.exit(77)
        bad = []
        for path in FILES:
            said = read_ts(path)
            if "--update" in sys.argv:
                write_ts(path, path.stem.removeprefix("klp_"), messages, said)
                print(f"{path.name}: {len(messages)} texts, {sum(not all(said.get(m, [''])) for m in messages)} to translate")
            else:
                bad += [f"{path.name}: “{m.source}” is missing (tests/language.py --update)" for m in messages if m not in said]
                bad += [f"{path.name}: “{m.source}” is said nowhere any more (tests/language.py --update)" for m in said if m not in messages]
    else:
        bad = check_sources() + check_translations()
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
