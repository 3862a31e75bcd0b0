#!/usr/bin/env python3
"""Data folder -> files and a plan for `klp train`.   python3 make_data.py DATA OUT [--tokens 100e6]   (numpy, else the standard library)

    klp train --data OUT/*.jsonl OUT/*.txt --plan OUT/plan.json --config CONFIG --tokenizer .. -o RUN

Everything is a function of the seed: files are made in parts, each with dice of its own, so the number of processes changes nothing.  The chats are those of
data.py and persona.py, with its decisions (README.md); lookups of random tokens are lines of ids.
"""
import argparse
import base64
import json
import math
import multiprocessing
import os
import random
import re
import shutil
import sys
import types

import numpy as np

import persona
from data import LOSS, SPECIAL, Batches, exchanges, held_out, keyed, read_jsonl, read_stories, rename, topic, turns

PART = 400_000          # tokens
CPT = 3.7               # characters a token

# Shares of tokens by pool, and of rows by length; the plan's stages in order, each with its share of all tokens.
STAGES = [
    {'name': 'lookup', 'share': .06, 'batch': 8192, 'rate': [1, 1], 'warmup': 60, 'lengths': {64: 3, 128: 1}, 'mix': {'pairs': 5, 'spans': 2, 'memory-short': 2, 'recall-own': 2}},
    {'name': 'recall', 'share': .18, 'batch': 8192, 'rate': [1, 0.8], 'lengths': {64: 2, 128: 4, 256: 4},
     'mix': {'pairs': 1, 'spans': 2, 'memory-short': 2, 'memory': 3, 'dense': 3, 'recall-own': 3, 'drill': 4, 'turns': 2, 'lists': 1, 'compose': 3, 'sums': .5, 'plot': 1, 'stories': 2}},
    {'name': 'longer', 'share': .30, 'batch': 16384, 'rate': [0.8, 0.6], 'lengths': {64: 1, 128: 2, 256: 3, 512: 3, 1024: 3},
     'mix': {'pairs': 1, 'spans': 2, 'dense': 5, 'later': 5, 'memory': 3, 'recall-own': 2, 'drill': 6, 'turns': 2, 'lists': 2.5, 'long': 3, 'needle': 2, 'mixed': 1.5, 'compose': 4, 'sums': 1, 'plot': 2, 'stories': 5, 'stories-asked': 2}},
    {'name': 'far', 'share': .22, 'batch': 16384, 'rate': [0.6, 0.5], 'lengths': {128: 1, 256: 1, 512: 1, 1024: 2, 2048: 3, 4096: 3},
     'mix': {'pairs': .7, 'spans': 1, 'later': 5, 'memory': 1, 'drill': 2, 'turns': .7, 'lists': .7, 'long': 3, 'needle': 3, 'far': 6, 'mixed': .5, 'compose': 1.5, 'sums': .5, 'plot': .5, 'stories': 2.5, 'stories-asked': 1}},
    {'name': 'last', 'share': .24, 'batch': 16384, 'rate': [0.5, 0], 'lengths': {64: 1, 128: 2, 256: 3, 512: 2.5, 1024: 2, 2048: 2, 4096: 1},
     'mix': {'pairs': .5, 'spans': .7, 'dense': 6, 'later': 5, 'memory': 2, 'recall-own': 1.5, 'drill': 6, 'turns': 1, 'lists': 2.5, 'long': 2, 'needle': 2, 'far': 1.5, 'mixed': 1.2, 'compose': 4, 'sums': 1, 'plot': 3, 'stories': 5, 'stories-asked': 2}},
]
TALK = {'persona': 5, 'chitchat': 2.5, 'clinc': 1.5, 'talk': 3, 'fact': 3, 'task': 1}


class Bpe:
    """The tokenizer for ASCII text: what data.Tokenizer is with tiktoken."""
    WORD = re.compile(r"[^\r\nA-Za-z0-9]?[A-Z]*[a-z]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\nA-Za-z0-9]?[A-Z]+[a-z]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[0-9]{1,3}| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

    def __init__(self, path):
        with open(path) as f:
            self.rank = {base64.b64decode(t): int(r) for t, r in (line.split() for line in f)}
        self.n, self.known = len(self.rank), {}
        self.special = {s: self.n + i for i, s in enumerate(SPECIAL)}
        self.end = self.special['<|im_end|>']
        self.pieces = [t for t in (b.decode('ascii', 'replace').strip() for b in self.rank) if t.isalpha() and t.islower() and len(t) > 1]
        self.head = {r: [self.special['<|im_%s|>' % r]] + self.encode(r) + [self.special['<|im_middle|>']] for r in ('user', 'assistant', 'system')}

    def word(self, w):
        parts = [bytes([b]) for b in w.encode()]
        while len(parts) > 1:
            best = min(range(len(parts) - 1), key=lambda i: self.rank.get(parts[i] + parts[i + 1], 1 << 30))
            if parts[best] + parts[best + 1] not in self.rank:
                break
            parts[best:best + 2] = [parts[best] + parts[best + 1]]
        return [self.rank[p] for p in parts]

    def encode(self, text):
        out = []
        for w in self.WORD.findall(text):
            if w not in self.known:
                self.known[w] = self.word(w)
            out += self.known[w]
        return out


class Maker:
    """What every process has."""
    def __init__(self, o):
        here = os.path.dirname(os.path.abspath(__file__))
        gen = here if os.path.exists(os.path.join(here, 'generate_skills.py')) else o.data
        sys.path.insert(0, gen)
        import generate_skills
        self.S, self.seed, self.data = generate_skills, o.seed, o.data
        self.tok = Bpe(o.tokenizer)
        S = self.S
        self.known = set(S.GIRLS + S.BOYS + S.PETNAMES + S.CITIES + S.SECRET + persona.MORE_NAMES)
        self.stories = [s for s in read_stories(os.path.join(o.data, 'tinystories-sample.txt.xz')) if not held_out(s)]
        self.chitchat = list(persona.clean_chitchat(turns(d) for d in read_jsonl(os.path.join(o.data, 'ms-chitchat.jsonl.xz')) if d['style'] == 'friendly'))
        self.clinc = [turns(d) for d in read_jsonl(os.path.join(o.data, 'clinc-replies.jsonl.xz'))]
        # Tokens for random lookups: few, so that the copying is learned and not the tokens.
        count = np.zeros(self.tok.n, np.int64)
        r = random.Random(self.seed)
        for d in list(keyed(S, 'mqar,recall', 3000, 24, 60, self.seed)) + persona.memory_chats(S, r, 3000):
            for _, text in d:
                np.add.at(count, [t for t in self.tok.encode(text) if t < self.tok.n], 1)
        self.lookups = Batches.__new__(Batches)
        self.lookups.p = types.SimpleNamespace(tok=self.tok, common=np.argsort(-count, kind='stable')[:320])

    # ------------------------------------------------------------------ pools: endless, of dice r

    def skills(self, r, names, lo, hi):
        S, names = self.S, names.split(',')
        low = min(S.SKILLS[x][2] for x in names)
        seed = r.getrandbits(48)
        for i in range(1 << 40):
            T = int(math.exp(r.uniform(math.log(lo), math.log(hi))))
            ok = [x for x in names if S.SKILLS[x][2] <= max(T, low)]
            yield turns(S.make(seed, i, r.choices(ok, [S.SKILLS[x][1] for x in ok])[0], T, 'train', .1))

    def keyed(self, r, names, lo, hi):
        while True:
            yield from keyed(self.S, names, 500, lo, hi, r.getrandbits(48))

    def made(self, kind, r, lengths):
        d = kind(self.S, r)
        while True:
            yield d.chat(r.choice(lengths))

    def memory(self, r):
        while True:
            yield from persona.memory_chats(self.S, r, 500)

    def compose(self, r):
        """Exchanges, one after the other, until the chat is full; now and then a system line first."""
        S = self.S
        pairs = lambda ds: (p for d in ds for p in exchanges(d))
        def persona_():
            while True:
                yield from persona.exchanges(S, r, 500)
        def picks(xs):
            while True:
                yield r.choice(xs)
        short = {'persona': persona_(), 'chitchat': picks(self.chitchat), 'clinc': picks(self.clinc), 'talk': pairs(self.skills(r, 'chat,persona,explain,refuse', 24, 100)),
                 'fact': pairs(self.skills(r, 'fact', 24, 60)), 'task': pairs(self.skills(r, 'follow,arith,count', 16, 70))}
        names, weights = list(TALK), list(TALK.values())
        while True:
            T = r.choice([60, 60, 120, 120, 250, 250, 500, 1000, 2000])
            out, n = [('system', r.choice(persona.SYSTEM))] if r.random() < .08 else [], 0
            while n < T:
                d = next(short[r.choices(names, weights)[0]])
                more = sum(len(s) / CPT + 4 for _, s in d)
                if n > 0 and n + more > T:
                    break
                out, n = out + list(d), n + more
            yield out

    def sums(self, r):
        """Sums up to twenty, several in a chat, and now and then one of the generator's."""
        other = self.skills(r, 'arith,count', 16, 70)
        while True:
            out = []
            for _ in range(r.choice([2, 3, 4, 6])):
                if r.random() < .2:
                    out += next(other)
                    continue
                a = r.randint(0, 20)
                b = r.randint(0, 20 - a) if r.random() < .6 else -r.randint(0, a)
                x, y, n = a, abs(b), a + b
                word, sign = ('plus', '+') if b >= 0 else ('minus', '-')
                ask = r.choice(['what is {x} {w} {y}?', 'how much is {x} {w} {y}?', '{x} {s} {y} = ?', '{x}{s}{y}', 'what is {x} {s} {y}?', 'can you tell me {x} {w} {y}?', 'how much is {x} {s} {y}?'])
                say = r.choice(['{x} {w} {y} is {n}.', '{x} {s} {y} = {n}.', '{x} {w} {y} is {n}.'])
                full = lambda t: t.format(x=x, y=y, n=n, w=word, s=sign)
                ask = full(ask)
                out += [('user', ask[0].upper() + ask[1:] if r.random() < .6 else ask), ('assistant', full(say))]
            yield out

    def asked(self, r):
        S = self.S
        nouns = set(S.ANIMALS + S.OBJECTS + 'girl boy princess king bird flower tree car truck duck bunny bug butterfly ant fairy queen'.split())
        for s in self.stories:
            yield [('user', persona.ask_story(topic(s, nouns), r)), ('assistant', s)]

    def ids(self, way, r):
        dice = np.random.default_rng(r.getrandbits(64))
        while True:
            yield getattr(self.lookups, way)(dice, int(dice.choice([64, 64, 128, 128, 256, 512, 1024, 2048, 4096] if way != 'pairs' else [64, 64, 64, 128, 256, 512])))

    def pool(self, name, r):
        new = lambda ds, share=.6: rename(ds, self.known, self.tok, r, share)
        return {
            'memory': lambda: new(self.keyed(r, 'recall,mqar,update', 32, 230)),
            'memory-short': lambda: new(self.keyed(r, 'mqar,recall', 24, 60)),
            'mixed': lambda: new(self.skills(r, 'mixed,where,read,stack', 100, 1000), .3),
            'long': lambda: new(self.keyed(r, 'recall,recall,update,mqar', 200, 1000)),
            'far': lambda: new(self.keyed(r, 'recall,recall,update,mqar', 800, 4000)),
            'needle': lambda: new(self.skills(r, 'needle', 64, 4000)),
            'lists': lambda: self.skills(r, 'reverse,reverse,copy,stack', 24, 140),
            'sums': lambda: self.sums(r),
            'plot': lambda: self.skills(r, 'story', 100, 400),
            'recall-own': lambda: new(self.memory(r)),
            'dense': lambda: new(self.made(persona.Dense, r, [60, 60, 60, 124, 124, 124, 250, 250, 500, 1000])),
            'later': lambda: new(self.made(persona.Far, r, [115, 230, 230, 450, 450, 920, 920, 1780, 3600])),
            'drill': lambda: new(self.made(persona.Drill, r, [56, 56, 116, 116, 116, 235, 235, 470])),
            'compose': lambda: self.compose(r),
        }[name]()

    def line(self, d):
        if isinstance(d, np.ndarray):
            on = np.flatnonzero(np.diff(np.concatenate([[0], (d & LOSS) != 0, [0]]).astype(np.int8)))
            return json.dumps({'ids': (d & ~np.uint16(LOSS)).tolist(), 'learn': on.reshape(-1, 2).tolist()}, separators=(',', ':')), len(d)
        messages = [{'role': 'assistant', 'content': s, 'learn': False} if role == 'quiet' else {'role': role, 'content': s} for role, s in d]
        return json.dumps({'messages': messages}, ensure_ascii=False), sum(len(s) / CPT + 4 for _, s in d)

    def part(self, name, number, tokens, path):
        r = random.Random('%s/%s/%d' % (self.seed, name, number))
        done, lines = 0, []
        for d in self.ids(name, r) if name in ('pairs', 'spans', 'turns') else self.asked(r) if name == 'stories-asked' else self.pool(name, r):
            line, n = self.line(d)
            lines.append(line)
            done += n
            if done >= tokens:
                break
        with open(path, 'w') as f:
            f.write('\n'.join(lines) + '\n')
        return done


def begin(o):
    global MAKER
    MAKER = Maker(o)


def work(job):
    name, number, tokens, path = job
    return job, MAKER.part(name, number, tokens, path)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('data', help='folder with the .xz sources and generate_skills.py')
    ap.add_argument('out', help='folder to make')
    ap.add_argument('--tokens', type=float, default=100e6, help='of the whole plan')
    ap.add_argument('--repeat', type=float, default=2, help='how often a generated chat comes, about')
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--processes', type=int, default=os.cpu_count())
    ap.add_argument('--tokenizer', default=os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tiktoken.model'))
    o = ap.parse_args()
    need, stages = {}, []
    for s in STAGES:
        n = int(o.tokens * s['share'])
        for k, share in s['mix'].items():
            need[k] = need.get(k, 0) + n * share / sum(s['mix'].values()) / o.repeat
        stages.append({'name': s['name'], 'tokens': n, 'batch': s['batch'], 'rate': s['rate'], 'warmup': s.get('warmup', 0), 'begin': .4, 'lengths': {str(t): x for t, x in s['lengths'].items()}, 'sources': s['mix']})
    parts = os.path.join(o.out, 'parts')
    os.makedirs(parts, exist_ok=True)
    jobs = []
    for name, tokens in need.items():
        count = 1 if name.startswith('stories') else max(1, round(tokens / PART))
        if name != 'stories':
            jobs += [(name, i, tokens / count if name != 'stories-asked' else math.inf, os.path.join(parts, '%s.%d' % (name, i))) for i in range(count)]
    made = {}
    with multiprocessing.get_context('fork').Pool(o.processes, begin, (o,)) as pool:
        for (name, _, _, _), n in pool.imap_unordered(work, jobs):
            made[name] = made.get(name, 0) + n
    for name in made:
        with open(os.path.join(o.out, name + '.jsonl'), 'wb') as f:
            for _, _, _, path in (j for j in jobs if j[0] == name):
                with open(path, 'rb') as part:
                    shutil.copyfileobj(part, f)
    shutil.rmtree(parts)
    with open(os.path.join(o.out, 'stories.txt'), 'w') as f:
        f.write('<|endoftext|>\n'.join(s + '\n' for s in read_stories(os.path.join(o.data, 'tinystories-sample.txt.xz')) if not held_out(s)))
    with open(os.path.join(o.out, 'plan.json'), 'w') as f:
        json.dump({'about': 'The demo model; made by make_data.py', 'muon': .02, 'adamw': .004, 'balance': .004, 'stages': stages}, f, indent=1)
    print('\n'.join('%-14s %6.2f M tokens' % (k, n / 1e6) for k, n in sorted(made.items())))


if __name__ == '__main__':
    main()
