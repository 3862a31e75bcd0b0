#!/usr/bin/env python3
"""Writes figures and samples into docs/demo-model.md and draws docs/demo-model.svg.

    klp eval --twin --items 60 --json > figures.json
    python3 report.py PATH/TO/klp figures.json ["NAME=more.json" ...]

Several files make one table and one picture; NAME is what a file's model is called there.  Standard library.  What stands between <!-- figures --> or <!-- samples --> and <!-- end --> is replaced.  The samples are the chats below, in this order, greedy, the first
answers that came.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(HERE, '..', '..', '..', '..', 'docs')
CHATS = [
    ['Hello', 'Who are you?', 'Thank you!'],
    ['What can you do?'],
    ['What is KDA?', 'What is the difference to MLA?'],
    ['Tell me a story about a cat.'],
    ['Tell me a story about a robot and a lamp.'],
    ['My name is Greta.', 'How are you?', 'What is my name?'],
    ['My locker code is 4921.', 'Tell me a joke.', 'What is my locker code?'],
    ['My dog is called Rex and my cat is called Luna.', 'What is the name of my cat?'],
    ['My favorite color is blue.', 'I changed my mind: my favorite color is red.', 'What is my favorite color?'],
    ['Remember these pairs: lamp - fish, coat - tree, drum - apple.', 'What goes with coat?'],
    ['Reverse this list: 7 3 9 1'],
    ['We have an empty stack. Push 4, push 7, pop, push 2. What is on top?'],
    ['What is 12 plus 7?'],
    ['What is the capital of Italy?', 'And of Japan?'],
    ['What is the weather in Berlin today?'],
    ['Who won the world cup in 1998?'],
    ['Where do I live?'],
    ['I am sad today.'],
    ['Write me a program in Python.'],
    ['What do you know about me?', 'Goodbye'],
]


def samples(klp):
    out = []
    for chat in CHATS:
        talk = subprocess.run([klp, 'chat', '-i', '--plain', '--temp', '0', '-n', '160'], input='\n'.join(chat) + '\n', capture_output=True, text=True, check=True).stdout
        # Answers may have several lines: count them by asking for one turn more each time.
        said = []
        for i in range(len(chat)):
            got = subprocess.run([klp, 'chat', '-i', '--plain', '--temp', '0', '-n', '160'], input='\n'.join(chat[:i + 1]) + '\n', capture_output=True, text=True, check=True).stdout.rstrip('\n')
            said.append(got[sum(len(s) + 1 for s in said):])
        assert '\n'.join(said) == talk.rstrip('\n')
        out.append('\n'.join('> **%s**  \n> %s' % (q, a.replace('\n', '  \n> ')) + '  ' for q, a in zip(chat, said)))
    return '\n\n'.join(out)


def percent(r):
    return '%.0f' % (100 * r['right'] / r['asked'])


def tables(figures):
    out = []
    for key, column, head in (('by_distance', 'distance', 'tokens between fact and question'), ('by_size', 'size', 'pairs or items')):
        columns = sorted({r[column] for f in figures for r in f[key]})
        out += ['| %s | |%s' % (head, ''.join(' %s |' % format(c, ',') for c in columns)), '|---|---|' + '---:|' * len(columns)]
        for task in sorted({r['task'] for r in figures[0][key]}):
            for f in figures:
                at = {r[column]: percent(r) for r in f[key] if r['task'] == task}
                out.append('| %s | %s |%s' % (task, f['model'], ''.join(' %s |' % at.get(c, '') for c in columns)))
        out.append('')
    out += ['| perplexity a token | stories | chats |', '|---|---:|---:|'] + ['| %s | %.1f | %.2f |' % (f['model'], f['perplexity']['stories'], f['perplexity']['chats']) for f in figures]
    return '\n'.join(out)


def picture(figures):
    """A panel a task: share of right answers against distance."""
    tasks = sorted({r['task'] for r in figures[0]['by_distance']})
    steps = sorted({r['distance'] for r in figures[0]['by_distance']})
    w, h, gap, left, top = 190, 120, 26, 44, 44
    colors = ['#0b6bcb', '#c2410c', '#6b7280', '#15803d']
    dash = ['', ' stroke-dasharray="6 3"', ' stroke-dasharray="2 2"', ' stroke-dasharray="8 2 2 2"']
    o = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">' % (left + len(tasks) * (w + gap), top + h + 48),
         '<rect width="100%" height="100%" fill="white"/>']
    for i, f in enumerate(figures):
        o.append('<line x1="%d" y1="14" x2="%d" y2="14" stroke="%s" stroke-width="2"%s/><text x="%d" y="18">%s</text>' % (
            left + 190 * i, left + 24 + 190 * i, colors[i], dash[i], left + 30 + 190 * i, f['model']))
    for n, task in enumerate(tasks):
        x0 = left + n * (w + gap)
        x = lambda d: x0 + w * steps.index(d) / max(1, len(steps) - 1)
        y = lambda s: top + h * (1 - s)
        o.append('<text x="%d" y="%d" font-weight="bold">%s</text>' % (x0, top - 8, task))
        for s in (0, .5, 1):
            o.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>' % (x0, y(s), x0 + w, y(s)))
            if n == 0:
                o.append('<text x="%d" y="%.1f" text-anchor="end">%d %%</text>' % (x0 - 6, y(s) + 4, 100 * s))
        for d in steps:
            o.append('<text x="%.1f" y="%d" text-anchor="middle" fill="#555" font-size="9">%s</text>' % (x(d), top + h + 14, d if d < 1000 else '%gk' % (d / 1024)))
        for i, f in enumerate(figures):
            at = sorted((r['distance'], r['right'] / r['asked']) for r in f['by_distance'] if r['task'] == task)
            o.append('<polyline fill="none" stroke="%s" stroke-width="2"%s points="%s"/>' % (colors[i], dash[i], ' '.join('%.1f,%.1f' % (x(d), y(s)) for d, s in at)))
    o.append('<text x="%d" y="%d" fill="#555">tokens between what was told and the question; share of right answers, held-out templates and names</text></svg>' % (left, top + h + 36))
    return '\n'.join(o) + '\n'


def main():
    figures = []
    for a in sys.argv[2:]:
        name, _, file = a.rpartition('=')
        with open(file) as f:
            figures += [{**x, 'model': name or x['model']} for x in json.load(f)]
    page = os.path.join(DOCS, 'demo-model.md')
    with open(page) as f:
        text = f.read()
    for mark, body in (('figures', tables(figures)), ('samples', samples(sys.argv[1]))):
        text = re.sub(r'(<!-- %s -->\n).*?(\n<!-- end -->)' % mark, lambda m: m[1] + body + m[2], text, flags=re.S)
    with open(page, 'w') as f:
        f.write(text)
    with open(os.path.join(DOCS, 'demo-model.svg'), 'w') as f:
        f.write(picture(figures))


main()
