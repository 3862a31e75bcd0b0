#!/usr/bin/env python3
"""The rooms of the house and who includes whom, drawn from the sources' own #include lines.

    docs/rooms.py           writes docs/rooms.svg
    docs/rooms.py --check   fails where an include runs the wrong way, or where the picture is not what the sources say
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From the top floor down: a room may include its own floor's rooms to its right, and every room below. One word more than the folder says.
FLOORS = [
    [("app/gui", "main()")],
    [("app/gui/frame", "window, bars, timeline")],
    [("app/gui/chat", "messages, branches, composer"), ("app/gui/panels", "the lenses")],
    [("app/gui/session", "what all widgets share"), ("app/gui/draw", "charts, colours, strokes")],
    [("app", "the terminal program; figures as text")],
    [("core/runs", "commands in, events out; recordings, chats"), ("core/serve", "many answers at once; OpenAI's API")],
    [("core/learn", "a model that learns")],
    [("core/studies", "race, sweep, recall")],
    [("core/model", "layers, forward pass, sequence, sampler")],
    [("core/text", "tokenizer, templates")],
    [("core/files", "config, weights, checkpoints")],
    [("core", "time and memory of the machine")],
    [("kernels", "tensors, ops, naive; cpu, cuda")],
]
PLACE = {name: (floor, at) for floor, rooms in enumerate(FLOORS) for at, (name, _) in enumerate(rooms)}


def room_of(path):
    """The room a file belongs to: the nearest folder above it that has a name on the door."""
    for folder in path.parents:
        if folder.as_posix() in PLACE:
            return folder.as_posix()
    sys.exit(f"{path}: in no room that docs/rooms.py knows")


def includes():
    """Every include of our own from one room into another: (file, line, from, to)."""
    for top in ("kernels", "core", "app"):
        for file in sorted((ROOT / top).rglob("*")):
            if file.suffix not in (".h", ".cpp", ".cu"):
                continue
            path = file.relative_to(ROOT)
            for number, line in enumerate(file.read_text().splitlines(), 1):
                found = re.match(r'#include "([^"]+/[^"]+)"', line)
                if not found or not (ROOT / found[1]).exists():
                    continue
                one, other = room_of(path), room_of(pathlib.PurePath(found[1]))
                if one != other:
                    yield path, number, one, other


def picture(edges):
    """An SVG: a box a room, an arrow for each include that is not also reached through a room between."""
    reach = {}
    for name in sorted(PLACE, key=PLACE.get, reverse=True):
        reach[name] = set().union(*[{b} | reach[b] for a, b in edges if a == name] or [set()])
    arrows = sorted((a, b) for a, b in edges if not any(b in reach[via] for x, via in edges if x == a and via != b))
    wide, high, gap, left, top = 300, 44, 30, 24, 20
    middle = left + wide + gap / 2

    def box(name):
        floor, at = PLACE[name]
        x = middle - wide / 2 if len(FLOORS[floor]) == 1 else left + at * (wide + gap)
        return x, top + floor * (high + gap)

    width, height = 2 * left + 2 * wide + gap, 2 * top + len(FLOORS) * (high + gap) - gap
    colours = {"app": "#2f7de1", "core": "#2a9d6f", "kernels": "#c2722c"}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
           '<title>The rooms of klp: an arrow points at what is included</title>',
           '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#808890"/></marker></defs>',
           f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>']
    for a, b in arrows:
        (ax, ay), (bx, by) = box(a), box(b)
        if PLACE[a][0] == PLACE[b][0]:  # to the right, on one floor
            path = f"M{ax + wide} {ay + high / 2}L{bx} {by + high / 2}"
        elif PLACE[b][0] == PLACE[a][0] + 1:
            path = f"M{ax + wide / 2:g} {ay + high}L{bx + wide / 2:g} {by}"
        else:  # past the floors between, outside of them
            side = 1 if ax + wide / 2 >= middle else -1
            edge = wide if side > 0 else 0
            out_x = ax + edge + side * (10 + 7 * (PLACE[b][0] - PLACE[a][0]))
            path = f"M{ax + edge} {ay + high * 0.7:g}C{out_x:g} {ay + high:g} {out_x:g} {by:g} {bx + edge:g} {by + high * 0.3:g}"
        out.append(f'<path d="{path}" fill="none" stroke="#808890" stroke-width="1.2" marker-end="url(#tip)"/>')
    for floor in FLOORS:
        for name, about in floor:
            x, y = box(name)
            colour = colours[name.split("/")[0]]
            out.append(f'<rect x="{x:g}" y="{y}" width="{wide}" height="{high}" rx="6" fill="{colour}" fill-opacity="0.1" stroke="{colour}"/>')
            out.append(f'<text x="{x + wide / 2:g}" y="{y + 18}" text-anchor="middle" font-weight="bold" fill="{colour}">{name}/</text>')
            out.append(f'<text x="{x + wide / 2:g}" y="{y + 34}" text-anchor="middle" fill="#404850">{about}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    wrong, edges = [], set()
    for path, number, one, other in includes():
        edges.add((one, other))
        if PLACE[other] <= PLACE[one]:
            wrong.append(f"{path}:{number}: {one}/ includes {other}/, which stands above it")
    if wrong:
        sys.exit("\n".join(wrong))
    svg, file = picture(edges), ROOT / "docs" / "rooms.svg"
    if "--check" not in sys.argv:
        file.write_text(svg)
    elif not file.exists() or file.read_text() != svg:
        sys.exit("docs/rooms.svg is not what the sources say; run docs/rooms.py")


main()
