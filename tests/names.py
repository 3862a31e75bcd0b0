#!/usr/bin/env python3
"""A first ./run compiles a dozen files of core/ and app/ as one, so that they read their headers once: what one file keeps to itself in an anonymous namespace
must not have the name of what another one keeps, nor of a type in a header.

    tests/names.py      lists names that two .cpp files of core, or two of app without its gui, both have
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def own_names(text):
    """What a file defines in its anonymous namespaces, at their outermost level. Functions come with their parameters: others are other functions."""
    for block in re.findall(r"^namespace \{\n(.*?)^\}  // namespace$", text, re.S | re.M):
        block = re.sub(r"^(\s*//.*|#.*)$", "", block, flags=re.M)
        for item in re.findall(r"^(?![\s}]).*(?:\n[ ]{4,}\S.*?$)*", block, re.M):
            head = " ".join(item.split())
            head = re.sub(r"^template <[^{;]*?> ?(?=[a-z])", "", head)
            if found := re.match(r"(?:struct|class|enum(?: class)?) (\w+)", head):
                yield found[1]
            elif head.startswith("using "):
                continue  # the same alias twice is none too many; other_aliases() has the rest
            elif found := re.match(r"[\w:<>,&*\[\]\" ]*?[ &*>](\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)(?: const)?(?: \{| ->|;|$)", head):
                yield found[1] + "(" + ", ".join(re.sub(r" ?(= .*)?$", "", re.sub(r"(?<=[\w>&*]) ?\b\w+$", "", re.sub(r" = .*", "", p.strip()))) for p in found[2].split(",") if p.strip()) + ")"
            elif re.match(r"(?:constexpr|const|static|inline|thread_local|std|typedef|int|bool|double|float|Q)", head):
                yield from re.findall(r"(?:[ ,*&])(k[A-Z]\w*|g_\w+)(?=\[| =|\{|;|\()", head.split("{")[0] if " = " not in head.split("{")[0] else head)


def other_aliases(top):
    """An alias that means something else in each of two files, in an anonymous namespace or not."""
    meanings = collections.defaultdict(dict)
    for file in sorted((ROOT / top).rglob("*.cpp")):
        if "gui" not in file.parts:
            for name, meaning in re.findall(r"^using (\w+) = (.*?);", file.read_text(), re.S | re.M):
                meanings[name].setdefault(" ".join(meaning.split()), file.relative_to(ROOT).as_posix())
    return [(name, list(of.values())) for name, of in sorted(meanings.items()) if len(of) > 1]


def main():
    # A header's type is as near as the neighbour's.
    shared = {}
    for header in [*(ROOT / "kernels").glob("*.h"), *(ROOT / "core").rglob("*.h"), *(ROOT / "app").glob("*.h")]:
        for name in re.findall(r"^(?:struct|class|enum(?: class)?) (\w+)\b(?! *;)", header.read_text(), re.M):
            shared[name] = header.relative_to(ROOT).as_posix()
    trees = collections.defaultdict(lambda: collections.defaultdict(list))
    for top in ("core", "app"):
        for file in sorted((ROOT / top).rglob("*.cpp")):
            if "gui" in file.parts:  # each is compiled alone, for moc's sake
                continue
            for name in dict.fromkeys(own_names(file.read_text())):
                trees[top][name].append(file.relative_to(ROOT).as_posix())
                if name in shared and not (top == "core" and shared[name].startswith("app")):
                    trees[top][name].append(shared[name])
    bad = 0
    for names in trees.values():
        for name, files in sorted(names.items()):
            if len(files) > 1:
                bad += 1
                print(f"{name} is in {' and in '.join(files)}: files that are compiled as one need other names, or one definition")
    for top in trees:
        for name, files in other_aliases(top):
            bad += 1
            print(f"{name} is another type in {' and in '.join(files)}: files that are compiled as one need one meaning of it")
    sys.exit(1 if bad else 0)


main()
