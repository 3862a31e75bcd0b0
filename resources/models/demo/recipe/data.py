"""Data folder -> token rows.  Everything is a function of the seed and the step, so a run can stop and resume anywhere.

A document is an int16 array of token ids whose top bit is set where the loss counts.  Rows hold one document each (a story, or one chat
made of several exchanges), begin with a fresh memory, and are padded at the end: what the model sees in training is what it sees in use.
"""
import base64
import json
import lzma
import math
import os
import random
import re
import shutil
import subprocess
import sys

import numpy as np

import persona

SPECIAL = ['[BOS]', '[EOS]', '<|im_end|>', '<|im_user|>', '<|im_assistant|>', '<|im_system|>', '<|im_middle|>', '[PAD]']
PATTERN = '|'.join([                                    # the pre-tokenizer of the published Kimi tokenizer
    r'[\p{Han}]+',
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r'\p{N}{1,3}', r' ?[^\s\p{L}\p{N}]+[\r\n]*', r'\s*[\r\n]+', r'\s+(?!\S)', r'\s+'])
LOSS = 0x8000


class Tokenizer:
    def __init__(self, path):
        import tiktoken
        with open(path) as f:
            ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in f)}
        self.n = len(ranks)
        self.special = {s: self.n + i for i, s in enumerate(SPECIAL)}
        self.enc = tiktoken.Encoding('mini', pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=self.special)
        self.bos, self.eos, self.end, self.pad = (self.special[s] for s in ('[BOS]', '[EOS]', '<|im_end|>', '[PAD]'))
        self.pieces = [t for t in (b.decode('ascii', 'replace').strip() for b in ranks) if t.isalpha() and t.islower() and len(t) > 1]
        self.head = {r: [self.special['<|im_%s|>' % r]] + self.encode(r) + [self.special['<|im_middle|>']] for r in ('user', 'assistant', 'system')}

    def encode(self, text):
        return self.enc.encode_ordinary(text)

    def decode(self, ids):
        return self.enc.decode([i for i in ids if i < self.n])

    def prompt(self, messages):
        return [t for r, s in messages for t in self.head[r] + self.encode(s) + [self.end]] + self.head['assistant']

    def chat(self, messages):
        """[(role, text)] -> ids; the loss counts on what the assistant says and on the end of its turn.  "quiet" is an assistant that is not learned from."""
        out = []
        for r, s in messages:
            on = LOSS if r == 'assistant' else 0
            out += self.head['assistant' if r == 'quiet' else r] + [t | on for t in self.encode(s) + [self.end]]
        return np.array(out, np.uint16)

    def story(self, text):
        return np.array([t | LOSS for t in self.encode(text) + [self.eos]], np.uint16)


def read_jsonl(path):
    with (lzma.open if path.endswith('.xz') else open)(path, 'rt') as f:
        for line in f:
            yield json.loads(line)


def read_stories(path):
    with lzma.open(path, 'rt') as f:
        return [s.strip() for s in f.read().split('<|endoftext|>\n') if s.strip()]


def turns(d):
    return [(m['role'], m['content']) for m in d['messages']]


def held_out(text):
    """One text in twenty stays out of training, chosen by its own hash."""
    import hashlib
    return int(hashlib.md5(text[:100].encode()).hexdigest(), 16) % 20 == 0


def cut(text, tok, limit):
    """The first paragraphs or sentences of a text that fit into limit tokens."""
    parts = re.findall(r'.*?[.!?]["\']?(?:\s+|$)', text, re.S)
    out, n = '', 0
    for p in parts:
        n += len(tok.encode(p))
        if n > limit:
            break
        out += p
    return out.strip()


def skills_file(gen, cache, name, skill, count, lo, hi, seed, split='train'):
    """The generator's chats; many are made by several processes, each its own range."""
    path = os.path.join(cache, 'skills-%s.jsonl' % name)
    if not os.path.exists(path):
        jobs, n = [], min(os.cpu_count(), -(-count // 15000))
        for i in range(n):
            first = count * i // n
            jobs.append(subprocess.Popen([sys.executable, gen, '--seed', str(seed), '--start', str(first), '--count', str(count * (i + 1) // n - first), '--min-tokens', str(lo),
                                          '--max-tokens', str(hi), '--skill', skill, '--split', split, '--out', '%s.part%d' % (path, i)]))
        if any([j.wait() for j in jobs]):
            raise RuntimeError('the generator failed for ' + name)
        with open(path + '.part', 'wb') as f:
            for i in range(n):
                with open('%s.part%d' % (path, i), 'rb') as part:
                    shutil.copyfileobj(part, f)
                os.remove('%s.part%d' % (path, i))
        os.replace(path + '.part', path)
    return path


def skills(*args):
    return [turns(d) for d in read_jsonl(skills_file(*args))]


def keyed(S, skill, count, lo, hi, seed):
    """The generator's chats of pairs and facts, every answer with the key before the value, in the words and tokens of what was told: a lookup that a small model learns much sooner."""
    forms, new_fact = S.PAIR_FORMS, S.new_fact
    whole = lambda line: 'You said: ' + line + '.' if line.startswith('{a}') else line[0].upper() + line[1:] + '.'

    def fact(g, used):
        f = new_fact(g, used)
        if f:
            f['ans'] = [next(a for a in f['ans'] if not a.startswith('{v}'))]
        return f
    S.PAIR_FORMS, S.new_fact = [f[:4] + ([whole(f[1])],) for f in forms], fact
    names = skill.split(',')
    low = min(S.SKILLS[x][2] for x in names)
    for i in range(count):
        r = random.Random('%s:%d' % (seed, i))
        T = int(math.exp(r.uniform(math.log(lo), math.log(hi))))
        ok = [x for x in names if S.SKILLS[x][2] <= max(T, low)]
        d = turns(S.make(seed, i, r.choices(ok, [S.SKILLS[x][1] for x in ok])[0], T, 'train', .1))
        code = any('code book' in t for _, t in d[:2])      # its lines begin with a capital
        yield [(who, re.sub(r'^You said: (.)', lambda m: m[0][:-1] + m[1].upper(), t) if code and who == 'assistant' else t) for who, t in d]
    S.PAIR_FORMS, S.new_fact = forms, new_fact


def checked(tok, d):
    """A chat of the generator as tokens, and the ranges of them that hold the answers to be recalled."""
    ids, ranges = [], []
    for i, (role, text) in enumerate(turns(d)):
        ids += tok.head[role]
        for c in d['checks']:
            at = text.lower().find(c['answer'].split('|')[0].lower()) if c['turn'] == i else -1
            if at >= 0:
                n = lambda s: len(tok.encode(s))
                a = n(text[:at].rstrip(' '))
                ranges.append((len(ids) + a, len(ids) + max(a + 1, n(text[:at + len(c['answer'])]))))
        ids += tok.encode(text) + [tok.end]
    return np.array(ids), ranges


def topic(text, words):
    """What a story is about: the listed noun it names most often, when it does so at least three times."""
    count = {}
    for w in re.findall(r'[a-z]+', text.lower()):
        w = w[:-1] if w.endswith('s') and w[:-1] in words else w
        if w in words:
            count[w] = count.get(w, 0) + 1
    best = max(count, key=count.get, default=None)
    return best if best and count[best] >= 3 else None


def coin(tok, r):
    """A name nobody has heard: syllables, or words and pieces of the vocabulary."""
    x = r.random()
    if x < .5:
        return ''.join(r.choice(ONSET) + r.choice('aaeeiiou') for _ in range(r.choice([1, 2, 2, 2, 3]))) + r.choice(['', '', 'n', 'r', 's', 'l', 'x', 'm', 't'])
    return ''.join(r.choice(tok.pieces) for _ in range(1 if x < .7 else 2))


ONSET = 'b c d f g h j k l m n p r s t v w y z br dr fl gr kl pr sh st tr th wh'.split()


def rename(chats, known, tok, r, share):
    """In a share of the chats every listed name is another, made-up word: what is recalled must not be learned by heart."""
    find = re.compile(r'\b(%s)\b' % '|'.join(sorted(known, key=len, reverse=True)))
    for d in chats:
        if r.random() < share:
            text = ' '.join(s for _, s in d)
            said, new = set(re.findall(r'[A-Za-z]+', text)), {}
            for w in sorted(set(find.findall(text)), key=str.swapcase):        # "ginger" before "Ginger": one word, one new word
                c = new.get(w.lower()) or coin(tok, r)
                if w.lower() in new or not said & {c, c.capitalize()} and (w[0].islower() or w.lower() not in said):
                    new[w] = c.capitalize() if w[0].isupper() else c
                    said.add(c)
            d = [(role, find.sub(lambda m: new.get(m[0], m[0]), s)) for role, s in d]
        yield d


class Pools:
    """All documents.  `short` are lists of exchanges to be joined to chats, `docs` are finished token arrays.
    far: four times as many memory chats, and some of up to 4,000 tokens, for the shape that a GPU trains."""
    def __init__(self, folder, tok, cache, seed=1, far=False):
        os.makedirs(cache, exist_ok=True)
        here = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'generate_skills.py')
        gen = here if os.path.exists(here) else os.path.join(folder, 'generate_skills.py')
        sys.path.insert(0, os.path.dirname(gen))
        import generate_skills as S
        self.tok = tok
        rng = random.Random(seed)
        g = S.G(seed)
        read = lambda n: os.path.join(folder, n)
        chat = lambda ds: [tok.chat(d) for d in ds]
        pairs = lambda ds: [p for d in ds for p in exchanges(d)]

        self.short = {}
        self.short['chitchat'] = chat(persona.clean_chitchat(turns(d) for d in read_jsonl(read('ms-chitchat.jsonl.xz')) if d['style'] == 'friendly'))
        self.short['clinc'] = chat(turns(d) for d in read_jsonl(read('clinc-replies.jsonl.xz')))
        self.short['talk'] = chat(pairs(skills(gen, cache, 'talk', 'chat,persona,explain,refuse', 12000, 24, 100, seed)))
        self.short['fact'] = chat(pairs(skills(gen, cache, 'fact', 'fact', 4000, 24, 60, seed)))
        self.short['task'] = chat(pairs(skills(gen, cache, 'sums', 'follow,arith,count', 8000, 16, 70, seed)))
        self.short['persona'] = chat(persona.exchanges(S, random.Random(seed), 12000))

        self.docs = {}
        known = set(S.GIRLS + S.BOYS + S.PETNAMES + S.CITIES + S.SECRET + persona.MORE_NAMES)
        new = lambda ds, share=.6: chat(rename(ds, known, tok, random.Random(seed + 4), share))
        mem = 'recall,mqar,update'
        more = 4 if far else 1
        self.docs['memory'] = new(keyed(S, mem, 30000 * more, 32, 230, seed))
        self.docs['memory-short'] = new(keyed(S, 'mqar,recall', 20000 * more, 24, 60, seed + 1))
        self.docs['mixed'] = new(skills(gen, cache, 'mixed', 'mixed,where,read,stack', 12000, 100, 250, seed), .3)
        self.docs['long'] = new(keyed(S, 'recall,recall,update,mqar', 10000 * more, 200, 1000, seed + 5))
        self.docs['far'] = new(keyed(S, 'recall,recall,update,mqar', 24000 if far else 2500, 800, 4000 if far else 1900, seed + 6))
        self.docs['needle'] = new(skills(gen, cache, 'needle', 'needle', 12000 * more, 64, 480, seed))
        self.docs['lists'] = chat(skills(gen, cache, 'lists', 'reverse,reverse,copy,stack', 40000 * more, 24, 140, seed))
        self.docs['plot'] = chat(skills(gen, cache, 'plot', 'story', 12000, 100, 250, seed))
        self.docs['recall-own'] = new(persona.memory_chats(S, random.Random(seed + 3), 40000 * more))
        self.checks = {k: [checked(tok, d) for d in read_jsonl(skills_file(gen, cache, 'heldout-' + k, k, 60, 32, 230, seed + 2, 'heldout'))]
                       for k in ('recall', 'mqar', 'update', 'needle', 'reverse', 'copy', 'stack')}
        stories = read_stories(read('tinystories-sample.txt.xz'))
        nouns = set(S.ANIMALS + S.OBJECTS + 'girl boy princess king bird flower tree car truck duck bunny bug butterfly ant fairy queen'.split())
        train, asked = [], []
        for s in stories:
            if held_out(s):
                continue
            text = cut(s, tok, 215)
            if len(text) < 200:
                continue
            train.append(tok.story(text))
            w = topic(s, nouns)
            ask = persona.ask_story(w, rng)
            asked.append(tok.chat([('user', ask), ('assistant', text)]))
        self.docs['stories'] = train
        self.docs['stories-asked'] = asked
        self.docs['dense'] = new(persona.dense_chats(S, random.Random(seed + 7), 60000 * more, 4000 if far else 512))
        self.docs['later'] = new(persona.far_chats(S, random.Random(seed + 8), 24000 * more))
        self.docs['drill'] = new(persona.drill_chats(S, random.Random(seed + 9), 70000 * more))
        self.docs['stories-eval'] = [tok.story(cut(s, tok, 215)) for s in stories if held_out(s)][:200]
        self.size = {k: sum(map(len, v)) for d in (self.short, self.docs) for k, v in d.items()}
        self.by_length = {k: bucket(v) for k, v in self.docs.items()}
        common = np.concatenate(self.docs['memory-short'] + self.docs['recall-own']) & 0x7fff
        common = np.argsort(-np.bincount(common[common < tok.n], minlength=tok.n), kind='stable')
        self.common = common[:320]                      # tokens for random lookups: few, so that the copying is learned and not the tokens
        self.systems = [tok.chat([('system', s)]) for s in persona.SYSTEM]


def exchanges(d):
    """The user/assistant pairs of a chat whose turns do not need each other."""
    d = [m for m in d if m[0] != 'system']
    return [d[i:i + 2] for i in range(0, len(d) - 1, 2) if d[i][0] == 'user' and d[i + 1][0] == 'assistant']


LENGTHS = [64, 128, 256, 512, 1024, 2048, 4096]


def bucket(docs):
    out = {T: [] for T in LENGTHS}
    for i, d in enumerate(docs):
        for T in LENGTHS:
            if len(d) <= T:                             # one more for [BOS] is taken care of by cutting the end
                out[T].append(i)
                break
    return out


class Batches:
    """mix: {pool: share of rows}; lengths: {T: share of tokens}.  'compose' joins exchanges, 'pairs' and 'spans' are lookups of random tokens, 'turns' lists of them."""
    def __init__(self, pools, stage, tokens, seed):
        self.p, self.stage, self.tokens, self.seed = pools, stage, tokens, seed
        self.T = list(stage['lengths'])
        self.pT = np.array([stage['lengths'][t] for t in self.T], float)
        self.pT /= self.pT.sum()
        self.mix = {}
        for T in self.T:
            w = {}
            for k, share in stage['mix'].items():
                if k in ('pairs', 'spans', 'turns', 'compose'):
                    w[k] = share
                elif pools.by_length[k][T]:
                    n = {t: len(v) for t, v in pools.by_length[k].items() if t in self.T}
                    w[k] = share * (.3 + .7 * n[T] / max(n.values()))
            s = sum(w.values())
            self.mix[T] = (list(w), np.array([x / s for x in w.values()]))
        c = stage.get('compose', {})
        self.ck = list(c)
        self.cp = np.array([c[k] for k in c], float)
        if len(c):
            self.cp /= self.cp.sum()

    def compose(self, r, T):
        """Exchanges, one after the other, until the row is full; now and then a system line first."""
        tok = self.p.tok
        out = [self.p.systems[r.integers(len(self.p.systems))]] if r.random() < .08 else []
        n = sum(map(len, out))
        while True:
            pool = self.p.short[self.ck[r.choice(len(self.ck), p=self.cp)]]
            d = pool[r.integers(len(pool))]
            if n + len(d) > T:
                if n > T // 2 or len(out) > 3:
                    return np.concatenate(out)
                if len(d) > T:
                    continue
                out, n = [], 0
            out.append(d)
            n += len(d)

    def spans(self, r, T):
        """The same with keys of one or two tokens and values of one to four: what is read goes on where the last token stood."""
        tok = self.p.tok
        h, sep = tok.head, [tok.encode(x) for x in (' is', ':', ' has', ' means')][r.integers(4)]
        stop = tok.encode([',', '.', ';'][r.integers(3)])
        out = lambda n: [int(x) for x in r.choice(self.p.common if r.random() < .5 else tok.n, n, replace=False)]
        kv, n = [], 0
        while n < min((T - 12) * .45, 230) or not kv:
            kv.append((out(r.integers(1, 3)), out(r.integers(1, 5))))
            n += sum(map(len, kv[-1])) + 2
        ids = h['user'] + [x for k, v in kv for x in k + sep + v + stop] + [tok.end] + h['assistant']
        while len(ids) + 6 < T:
            k, v = kv[r.integers(len(kv))]
            ids += k + sep + [x | LOSS for x in v] + [stop[0] | LOSS]
        return np.array(ids, np.uint16)

    def pairs(self, r, T):
        """Associative lookup over random tokens, written as a chat: key value key value ... then the keys again."""
        tok = self.p.tok
        h = tok.head
        sep = [[], [], tok.encode(' is'), tok.encode(':')][r.integers(4)]
        stop = [[], [], tok.encode(','), tok.encode('.')][r.integers(4)]
        each = 2 + len(sep) + len(stop)
        m = int(r.integers(2, min(64, (T - 10) // (2 * each)) + 1))
        t = r.choice(self.p.common if r.random() < .9 else tok.n, 2 * m, replace=False)
        k, v = t[:m], t[m:]
        flat = lambda i, on: [int(k[i]), *sep, int(v[i]) | on, *stop]
        ids = h['user'] + [x for i in range(m) for x in flat(i, 0)] + [tok.end] + h['assistant']
        while len(ids) + each < T:
            ids += flat(r.integers(m), LOSS)
        return np.array(ids + [tok.end], np.uint16)

    def turns(self, r, T):
        """Lists of random tokens, forwards or backwards, in the words of persona.WAYS."""
        tok, out = self.p.tok, []
        h = tok.head
        while T - len(out) > 28 or not out:
            forms, back = persona.WAYS[0 if r.random() < .6 else 1]
            before, behind = forms[r.integers(len(forms))].split('{x}')
            sep = [[], tok.encode(',')][r.integers(2)]
            n = int(r.integers(2, max(3, min([4, 6, 9, 12, 24][r.integers(5)], (T - len(out) - 20) // (2 + 2 * len(sep))) + 1)))
            x = [int(i) for i in r.choice(self.p.common if r.random() < .8 else tok.n, n, replace=False)]
            line = lambda xs: [t for i in xs for t in (i, *sep)][:len(xs) * (1 + len(sep)) - len(sep)]
            out += h['user'] + tok.encode(before.rstrip()) + line(x) + tok.encode(behind) + [tok.end] + h['assistant'] + [t | LOSS for t in tok.encode((persona.BACK if back else persona.SAME).rstrip()) + line(x[::-1] if back else x) + [tok.end]]
        return np.array(out, np.uint16)

    def batch(self, step):
        """Token rows and labels of a step, as int64 arrays [rows, T]."""
        r = np.random.default_rng((self.seed, step))
        T = self.T[r.choice(len(self.T), p=self.pT)]
        names, w = self.mix[T]
        rows = self.tokens // T
        ids = np.full((rows, T + 1), self.p.tok.pad, np.int64)
        on = np.zeros((rows, T + 1), bool)
        for i in range(rows):
            k = names[r.choice(len(names), p=w)]
            if k in ('pairs', 'spans', 'turns'):
                d = getattr(self, k)(r, T)
            elif k == 'compose':
                d = self.compose(r, T)
            else:
                at = self.p.by_length[k][T]
                d = self.p.docs[k][at[r.integers(len(at))]]
            if r.random() < .4 or k == 'stories':
                d = np.concatenate([[self.p.tok.bos], d])
            d = d[:T + 1].astype(np.int64)
            ids[i, :len(d)], on[i, :len(d)] = d & 0x7fff, d >= LOSS
        return ids[:, :-1], np.where(on[:, 1:], ids[:, 1:], -100)
