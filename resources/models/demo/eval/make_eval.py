#!/usr/bin/env python3
"""Writes the evaluation files beside it.   python3 make_eval.py DATA   (the data folder of ../recipe/README.md; seeded, standard library)

tasks.jsonl    one task a line: what is said before, what is asked, what the answer must hold.  Where "far" is true, klp eval puts other talk
               (or, for "needle", text) between, as much as the distance says; "size" is the number of pairs or items.
talk.jsonl     that other talk, an exchange a line
text.jsonl     sentences of that text
stories.jsonl  stories kept out of training
chats.jsonl    chats kept out of training

Everything comes from the generator's split "heldout": templates and names that training never uses.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
data = sys.argv[1]
sys.path[:0] = [data, os.path.join(HERE, '..', 'recipe')]
import generate_skills as S
from data import held_out, read_stories

ITEMS, SIZES = 60, (4, 8, 16, 32)


def new(seed):
    return S.G(seed, 'heldout')


def write(name, rows):
    with open(os.path.join(HERE, name), 'w') as f:
        for r in rows:
            f.write(json.dumps(r) + '\n')
    print(name, len(rows), os.path.getsize(os.path.join(HERE, name)))


KNOWN, SAID = ('your name', 'your city'), re.compile('tell me my name|which city do I live|what is with', re.I)    # wordings that training has met after all: not asked


def recall(seed):
    g, c = new(seed), S.Chat()
    f = next(f for f in iter(lambda: S.new_fact(g, set()), None) if f['key'] not in KNOWN)
    S.tell(g, c, [f])
    before = list(c.m)
    S.ask(g, c, f)
    return {'task': 'recall', 'far': True, 'before': before, 'ask': [[c.m[-2]['content'], f['need']]]}


def update(seed):
    g = new(seed)
    while True:
        c = S.sk_update(g, 60)
        first = next((m for m in c.checks), None)
        i = first['turn']
        last = c.m[i - 3]['content']
        if len(c.checks) == 1 and i >= 5 and not SAID.search(c.m[i - 1]['content']) and re.match('I changed|Things|Update|That is not|From now|I was wrong', last):
            return {'task': 'update', 'far': True, 'before': c.m[:i - 1], 'ask': [[c.m[i - 1]['content'], first['answer']]]}


def pairs(seed, n):
    g = new(seed)
    while True:
        c = S.sk_mqar(g, 16 * n + 8)
        one = [x for x in c.checks if x['answer'].count(',') == 0]
        if len(c.pos) == n and not any(SAID.match(c.m[x['turn'] - 1]['content']) for x in one) and len(one) >= 2 and len({x['turn'] for x in one}) == len(one):
            return {'task': 'pairs', 'size': n, 'far': n == 8, 'before': c.m[:2], 'ask': [[c.m[x['turn'] - 1]['content'], x['answer']] for x in one[:4]]}


def copy(seed, n):
    g, c = new(seed), S.Chat()
    xs = S.items(g, n)
    sep = g.pick([', ', ' '])
    c.say('remember this list: ' + sep.join(xs) + '.', g.pick(['Okay.', 'Got it.', 'I will remember the list.']))
    q = S.cap(g.tx(['what was the list?', 'say the list again', 'repeat the list please', 'which list did I give you?', 'can you repeat my list?']))
    return {'task': 'copy', 'size': n, 'far': n == 8, 'before': c.m, 'ask': [[q, sep.join(xs)]]}


def reverse(seed, n):
    g = new(seed)
    while True:
        c = S.sk_reverse(g, max(40, 7 * n + 40))
        one = [x for x in c.checks[:1] if len(re.split(r',? ', x['answer'])) == n]
        if one:
            return {'task': 'reverse', 'size': n, 'far': False, 'before': [], 'ask': [[c.m[0]['content'], one[0]['answer']]]}


def stack(seed, n):
    g = new(seed)
    while True:
        c = S.sk_stack(g, 12 * n + 12)
        q = c.m[0]['content']
        if len(c.m) > 1 and c.checks and c.checks[0]['turn'] == 1 and len(re.findall(r', ', q)) == n - 1:
            return {'task': 'stack', 'size': n, 'far': False, 'before': [], 'ask': [[q, c.checks[0]['answer']]]}


def needle(seed):
    """The generator's needle with an empty text: only its sentence is left."""
    g, passage = new(seed), S.passage
    S.passage = lambda g, n: 'EMPTY. EMPTY. EMPTY.'
    try:
        while True:
            c = S.sk_needle(g, 100)
            if len(c.m) == 4 and len(c.checks) == 1 and c.checks[0]['turn'] == 3:
                said = re.sub(r'\s*EMPTY\.\s*', ' ', c.m[0]['content'])
                said = re.sub(r'^ *(Read this text and answer my questions|Here is a long text|I will read something to you)\. ', '', said)
                return {'task': 'needle', 'far': True, 'before': [{'role': 'user', 'content': said.strip()}, c.m[1]], 'ask': [[c.m[2]['content'], c.checks[0]['answer']]]}
    finally:
        S.passage = passage


def main():
    tasks = [f(1000 * t + i) for t, f in enumerate((recall, update, needle)) for i in range(ITEMS)]
    for t, f in enumerate((pairs, copy, reverse, stack)):
        tasks += [f(10000 * (t + 1) + 100 * n + i, n) for n in SIZES for i in range(ITEMS)]
    write('tasks.jsonl', tasks)

    g, c = new(71), S.Chat()
    S.filler(g, 40000, c)
    talk = [[c.m[i]['content'], c.m[i + 1]['content']] for i in range(0, len(c.m) - 1, 2)]
    write('talk.jsonl', [x for x in talk if len(x[0]) + len(x[1]) < 900])
    text = ' '.join(S.passage(new(81 + i), 1500) for i in range(8))
    write('text.jsonl', [s for s in re.split(r'(?<=[.!?]) (?=[A-Z"])', text) if len(s) < 200])
    write('stories.jsonl', [s for s in read_stories(os.path.join(data, 'tinystories-sample.txt.xz')) if held_out(s) and len(s) < 1500][:60])
    out = []
    for i in range(120):
        g = new(5000 + i)
        c = (S.sk_chat, S.sk_chat, S.sk_story)[i % 3](g, 120)
        out.append([[m['role'], m['content']] for m in c.m])
    write('chats.jsonl', out)


main()
