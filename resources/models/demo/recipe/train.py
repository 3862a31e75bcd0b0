#!/usr/bin/env python3
"""Train the demo model.

  python train.py --data DIR --tokenizer mini-4k.tiktoken --out RUN        start, or resume what is in RUN
  python export.py --run RUN --out FOLDER                                  write the Hugging Face folder

Progress is counted in tokens, never in wall time: a run may be stopped, killed or paused at any moment and goes on from its last
checkpoint with the same batches.  A CUDA device is used when there is one.
"""
import argparse
import concurrent.futures
import glob
import hashlib
import json
import math
import multiprocessing
import os
import pickle
import random
import signal
import sys
import time

import numpy as np
import torch

import model as M
from data import Batches, Pools, Tokenizer

# Shares of rows by pool, shares of tokens by row length, tokens a step (else --batch), exchanges of the composed chats, and the learning rate at start and end.
TALK = {'persona': 5, 'chitchat': 2.5, 'clinc': 1.5, 'talk': 3, 'fact': 3, 'task': 1}
STAGES = [
    {'name': 'lookup', 'tokens': 1.5e6, 'lr': (1, 1), 'lengths': {64: 1}, 'mix': {'pairs': 6, 'memory-short': 2, 'recall-own': 2}},
    {'name': 'recall', 'tokens': .6e6, 'lr': (1, 1), 'lengths': {64: 6, 128: 4}, 'mix': {'pairs': 2, 'memory-short': 1.5, 'memory': 1, 'recall-own': 3, 'compose': 4}, 'compose': TALK},
    {'name': 'chat', 'tokens': .6e6, 'lr': (1, .6), 'lengths': {64: 4, 128: 4, 256: 2},
     'mix': {'compose': 9, 'recall-own': 4, 'memory': 1, 'stories-asked': 2, 'plot': 2, 'pairs': .5}, 'compose': TALK},
    {'name': 'language', 'tokens': .9e6, 'lr': (.7, .7), 'lengths': {64: 2, 128: 4, 256: 4},
     'mix': {'compose': 6, 'recall-own': 5, 'memory-short': 1, 'memory': 2, 'mixed': .5, 'stories': .5, 'stories-asked': .5, 'plot': 5, 'pairs': 1}, 'compose': TALK},
    {'name': 'chat-2', 'tokens': 2.6e6, 'lr': (.7, .4), 'lengths': {64: 3, 128: 4, 256: 3},
     'mix': {'compose': 6, 'recall-own': 7, 'memory': 1.5, 'memory-short': 1, 'pairs': .5, 'stories-asked': .3, 'plot': 5}, 'compose': TALK},
    {'name': 'names', 'tokens': 1.8e6, 'lr': (.5, .5), 'lengths': {64: 4, 128: 4, 256: 2},
     'mix': {'pairs': .5, 'spans': 3, 'memory-short': 3, 'recall-own': 4, 'memory': 3, 'lists': 4, 'compose': 2.5, 'plot': .5}, 'compose': TALK},
    {'name': 'last', 'tokens': .44e6, 'lr': (.4, .1), 'lengths': {64: 1, 128: 3, 256: 4},
     'mix': {'spans': .3, 'memory-short': 1, 'recall-own': 4, 'memory': 3, 'lists': 1.5, 'compose': 7, 'plot': 5, 'stories-asked': 1, 'stories': 1.5}, 'compose': TALK},
    {'name': 'polish', 'tokens': .3e6, 'lr': (.25, 0), 'lengths': {64: 1, 128: 3, 256: 4},
     'mix': {'spans': .3, 'memory-short': .5, 'recall-own': 4, 'memory': 2, 'compose': 6, 'plot': 9}, 'compose': TALK},
    {'name': 'end', 'tokens': 1.2e6, 'lr': (.3, 0), 'lengths': {64: 1, 128: 3, 256: 4},
     'mix': {'spans': .5, 'memory-short': 1, 'recall-own': 4, 'memory': 4, 'lists': 2, 'compose': 6, 'plot': 6}, 'compose': TALK},
    {'name': 'again', 'tokens': 1e6, 'lr': (.5, .6), 'lengths': {64: 3, 128: 4, 256: 3},
     'mix': {'spans': 1.5, 'memory-short': 3, 'recall-own': 4, 'memory': 6, 'lists': 2, 'needle': 1, 'compose': 2.5, 'plot': 1}, 'compose': TALK},
    {'name': 'again-2', 'tokens': 286720, 'lr': (.6, .6), 'lengths': {64: 3, 128: 4, 256: 3},
     'mix': {'spans': 3, 'memory-short': 3, 'recall-own': 3, 'memory': 6, 'lists': 2, 'pairs': .5, 'compose': 1}, 'compose': TALK},
    {'name': 'dense', 'tokens': 1056768, 'lr': (.4, .4), 'lengths': {64: 3, 128: 4, 256: 3},
     'mix': {'dense': 12, 'spans': .5, 'memory-short': 1.5, 'memory': 3, 'needle': .7, 'compose': 1, 'plot': .5}, 'compose': TALK},
    {'name': 'later', 'tokens': 512000, 'lr': (.4, .384), 'lengths': {64: 1.5, 128: 3, 256: 4, 512: 4},
     'mix': {'dense': 5, 'later': 8, 'drill': 4, 'memory': .5, 'spans': .3, 'compose': .7, 'plot': .4}, 'compose': TALK},
    {'name': 'settle', 'tokens': 1.6e6, 'lr': (.38, 0), 'lengths': {64: 1.5, 128: 3, 256: 4, 512: 3},
     'mix': {'dense': 6, 'later': 6, 'drill': 3, 'lists': .7, 'recall-own': 1, 'memory': .7, 'spans': .2, 'compose': 3.5, 'plot': 2.5}, 'compose': TALK},
    {'name': 'farther', 'tokens': 1.8e6, 'lr': (.3, 0), 'lengths': {64: 1, 128: 2, 256: 4, 512: 5},
     'mix': {'later': 8, 'dense': 3, 'drill': 3.5, 'lists': 1.5, 'recall-own': .7, 'memory': .5, 'spans': .3, 'compose': 3, 'plot': 2, 'stories': .4}, 'compose': TALK},
    {'name': 'wake', 'tokens': .6e6, 'batch': 8192, 'lr': (.1, .5), 'lengths': {64: 1.5, 128: 3, 256: 3, 512: 3, 1024: 1.5},
     'mix': {'drill': 6, 'dense': 4, 'later': 3, 'lists': 1.5, 'long': 1, 'spans': .7, 'memory': 1, 'compose': 1, 'plot': .7, 'stories': .5}, 'compose': TALK},
    {'name': 'more', 'tokens': 417792, 'batch': 8192, 'lr': (.5, .5), 'lengths': {64: 1.5, 128: 3, 256: 3, 512: 3, 1024: 1.5},
     'mix': {'drill': 7, 'dense': 4, 'later': 3, 'lists': 1.5, 'long': 1, 'spans': .7, 'memory': 1, 'compose': 1, 'plot': .7, 'stories': .5}, 'compose': TALK},
    {'name': 'wider', 'tokens': 4833280, 'batch': 8192, 'lr': (.5, .5), 'lengths': {64: 1.5, 128: 3, 256: 3, 512: 3, 1024: 2, 2048: 1.5},
     'mix': {'drill': 8, 'dense': 4, 'later': 4, 'lists': 1, 'long': .5, 'far': .5, 'spans': .5, 'memory': 1, 'compose': 1, 'plot': .7, 'stories': .5}, 'compose': TALK},
    {'name': 'down', 'tokens': 1474560, 'batch': 8192, 'lr': (.42, .17), 'lengths': {64: 2, 128: 3, 256: 3, 512: 2.5, 1024: 2, 2048: 1.5},
     'mix': {'drill': 7, 'dense': 4.5, 'later': 4.5, 'pairs': 1.5, 'spans': 1.2, 'lists': .7, 'long': .5, 'far': .4, 'memory': 1.8, 'memory-short': .7, 'recall-own': .7, 'compose': 1.2, 'plot': .8, 'stories': .5}, 'compose': TALK},
    {'name': 'lower', 'tokens': 2965504, 'batch': 8192, 'lr': (.38, .17), 'lengths': {64: 2, 128: 3, 256: 3, 512: 2.5, 1024: 2, 2048: 1.5},
     'mix': {'drill': 6.5, 'dense': 4.5, 'later': 4.5, 'pairs': 2.2, 'spans': 2, 'turns': 2.5, 'lists': .7, 'long': .5, 'far': .4, 'memory': 2, 'memory-short': .8, 'recall-own': .7, 'compose': 1.2, 'plot': .8, 'stories': .5}, 'compose': TALK},
    {'name': 'keyed', 'tokens': 3375104, 'batch': 8192, 'lr': (.32, .16), 'lengths': {64: 2, 128: 3, 256: 3, 512: 2.5, 1024: 2, 2048: 1.5},
     'mix': {'drill': 7, 'dense': 5, 'later': 4.5, 'pairs': 1.2, 'spans': 1.5, 'turns': 1.5, 'long': .6, 'far': .4, 'memory': 2, 'memory-short': .7, 'recall-own': .6, 'compose': 1.2, 'plot': .8, 'stories': .5}, 'compose': TALK},
    {'name': 'finish', 'tokens': 4087808, 'batch': 8192, 'lr': (.215, 0), 'lengths': {64: 1.5, 128: 3, 256: 3.5, 512: 2.5, 1024: 2, 2048: 1.5},
     'mix': {'drill': 6, 'dense': 5, 'later': 5, 'pairs': .4, 'spans': .6, 'turns': .7, 'long': .5, 'far': .4, 'memory': 2, 'memory-short': .4, 'recall-own': .8, 'compose': 3, 'plot': 2, 'stories': .7, 'stories-asked': .2}, 'compose': TALK},
    {'name': 'words', 'tokens': 1.9e6, 'batch': 8192, 'lr': (.085, 0), 'lengths': {64: 1.5, 128: 3, 256: 3.5, 512: 2.5, 1024: 1.5, 2048: 1},
     'mix': {'drill': 6, 'dense': 7, 'later': 5, 'pairs': .3, 'spans': .4, 'turns': .5, 'long': .3, 'far': .3, 'memory': 1.5, 'memory-short': .4, 'recall-own': .8, 'compose': 3, 'plot': 2, 'stories': .7, 'stories-asked': .2}, 'compose': TALK},
]
# The larger shape on a GPU: the same order, forty times the tokens, rows of up to 4,096.
STAGES_GPU = [
    {'name': 'lookup', 'tokens': 30e6, 'lr': (1, 1), 'lengths': {64: 3, 128: 1}, 'mix': {'pairs': 5, 'spans': 2, 'memory-short': 2, 'recall-own': 2}},
    {'name': 'recall', 'tokens': 60e6, 'lr': (1, 1), 'lengths': {64: 2, 128: 4, 256: 4},
     'mix': {'pairs': 1, 'spans': 2, 'memory-short': 2, 'memory': 3, 'recall-own': 3, 'drill': 4, 'turns': 2, 'compose': 3, 'plot': 1, 'stories': .5}, 'compose': TALK},
    {'name': 'longer', 'tokens': 90e6, 'lr': (1, 1), 'lengths': {128: 2, 256: 3, 512: 3, 1024: 3},
     'mix': {'pairs': 1, 'spans': 2, 'dense': 4, 'later': 3, 'memory': 3, 'recall-own': 2, 'drill': 4, 'turns': 2, 'long': 4, 'needle': 3, 'mixed': 1, 'compose': 4, 'plot': 1, 'stories': .5, 'stories-asked': 1}, 'compose': TALK},
    {'name': 'far', 'tokens': 70e6, 'lr': (1, .8), 'lengths': {256: 1, 512: 1, 1024: 2, 2048: 3, 4096: 3},
     'mix': {'pairs': .5, 'spans': 1, 'later': 4, 'memory': 2, 'drill': 1, 'turns': 0.5, 'long': 4, 'needle': 2, 'far': 6, 'compose': 2}, 'compose': TALK},
    {'name': 'last', 'tokens': 70e6, 'lr': (.8, 0), 'lengths': {64: 1, 128: 2, 256: 3, 512: 2, 1024: 2, 2048: 2},
     'mix': {'spans': 1, 'dense': 4, 'later': 4, 'memory': 3, 'recall-own': 3, 'drill': 3, 'turns': 1.5, 'long': 3, 'needle': 2, 'far': 2, 'mixed': .5, 'compose': 5, 'plot': 2, 'stories-asked': 1}, 'compose': TALK},
]
GATE = 1e-3      # weight of the gates' excess
PROMPTS = ['Hello', 'Hello, who are you?', 'What can you do?', 'What is KDA?', 'Thank you!', 'Tell me a story about a cat.', 'What is the capital of France?',
           'My name is Tom.|What is my name?', 'My dog is called Rex.|I am tired.|What is the name of my dog?', 'My name is Greta.|What is my name?',
           'Reverse this list: 4 7 1 9 3']


def orthogonal(g, steps=5):
    """The nearest (semi-)orthogonal matrix by a quintic Newton-Schulz iteration, in bfloat16; [..., m, n]."""
    x = g.bfloat16()
    flip = x.shape[-2] > x.shape[-1]
    if flip:
        x = x.transpose(-1, -2)
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).bfloat16()
    for _ in range(steps):
        a = x @ x.transpose(-1, -2)
        x = 3.4445 * x + (2.0315 * (a @ a) - 4.775 * a) @ x
    return (x.transpose(-1, -2) if flip else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised (Jordan et al. 2024), for the matrices inside the blocks; stacked matrices are taken one by one."""
    def __init__(self, params, lr, momentum=.95, decay=.05):
        super().__init__(params, dict(lr=lr, momentum=momentum, decay=decay))

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            shapes = {}
            for p in g['params']:
                s = self.state[p]
                if 'm' not in s:
                    s['m'] = torch.zeros_like(p)
                s['m'].lerp_(p.grad, 1 - g['momentum'])
                shapes.setdefault(p.shape[-2:], []).append((p, p.grad.lerp(s['m'], g['momentum'])))
            for (m, n), xs in shapes.items():
                u = orthogonal(torch.cat([x.reshape(-1, m, n) for _, x in xs])) * max(1, m / n) ** .5
                for (p, _), d in zip(xs, u.split([p.numel() // (m * n) for p, _ in xs])):
                    p.mul_(1 - g['lr'] * g['decay']).add_(d.view_as(p), alpha=-g['lr'])


def optimizers(m, o):
    big, rest, flat, gate = [], [], [], []
    for n, p in m.named_parameters():
        leaf = n.split('.')[-1]
        if leaf in ('embed', 'head'):
            rest.append(p)
        elif leaf == 'gate':
            gate.append(p)
        elif p.dim() > 1 and leaf != 'conv':
            big.append(p)
        else:
            flat.append(p)
    adam = torch.optim.AdamW([{'params': rest, 'weight_decay': .02, 'lr': o.lr_adam}, {'params': flat, 'weight_decay': 0., 'lr': o.lr_adam},
                              {'params': gate, 'weight_decay': .1, 'lr': o.lr_adam / 8}], betas=(.9, .95), eps=1e-9)
    opts = [Muon(big, o.lr), adam]
    for opt in opts:
        for g in opt.param_groups:
            g['base'] = g['lr']
    return opts


@torch.no_grad()
def generate(m, tok, prompts, limit=80):
    """Greedy answers, all prompts at once; the whole row is read again for every token, which is fine for a few short ones."""
    dev = m.embed.device
    rows = [tok.prompt(p) for p in prompts]
    out = [[] for _ in rows]
    live = list(range(len(rows)))
    for _ in range(limit):
        n = max(len(rows[i]) for i in live)
        ids = torch.full((len(live), n), tok.pad)
        for j, i in enumerate(live):
            ids[j, :len(rows[i])] = torch.tensor(rows[i])
        h, _ = m.hidden(ids.to(dev))
        h = torch.stack([h[j, len(rows[i]) - 1] for j, i in enumerate(live)])
        best = (h @ m.head.to(h.dtype).T).argmax(-1).tolist()
        for i, t in zip(list(live), best):
            if t in (tok.end, tok.eos):
                live.remove(i)
            else:
                rows[i].append(t)
                out[i].append(t)
        if not live:
            break
    return [tok.decode(x) for x in out]


def answer_all(m, tok, chats, limit=80):
    """Chats given as 'user turn|user turn': every turn is answered, the last answer is returned."""
    talk = [[] for _ in chats]
    left = [c.split('|') for c in chats]
    last = [''] * len(chats)
    for turn in range(max(map(len, left))):
        now = [i for i, c in enumerate(left) if turn < len(c)]
        for i in now:
            talk[i].append(('user', left[i][turn]))
        for i, a in zip(now, generate(m, tok, [talk[i] for i in now], limit)):
            talk[i].append(('assistant', a))
            last[i] = a
    return last


@torch.no_grad()
def measure(m, docs, T, tok):
    """Loss and share of first choices over documents, where the loss counts."""
    loss = n = hit = 0
    for i in range(0, len(docs), 16):
        part = [d[:T + 1].astype(np.int64) for d in docs[i:i + 16]]
        ids = np.full((len(part), max(map(len, part))), tok.pad)
        on = np.zeros(ids.shape, bool)
        for j, d in enumerate(part):
            ids[j, :len(d)], on[j, :len(d)] = d & 0x7fff, d >= 0x8000
        x = torch.from_numpy(ids).to(m.embed.device)
        k = torch.from_numpy(on[:, 1:]).to(x.device)
        z = torch.nn.functional.linear(m.hidden(x[:, :-1])[0][k], m.head).float()
        y = x[:, 1:][k]
        loss += float(torch.nn.functional.cross_entropy(z, y, reduction='sum'))
        hit += int((z.argmax(-1) == y).sum())
        n += len(y)
    return loss / n, hit / n


@torch.no_grad()
def recalled(m, docs, pad):
    """Share of the answers every token of which is the first choice; docs as of data.checked."""
    hit = n = 0
    for i in range(0, len(docs), 16):
        part = docs[i:i + 16]
        ids = np.full((len(part), max(len(d) for d, _ in part)), pad)
        for j, (d, _) in enumerate(part):
            ids[j, :len(d)] = d
        x = torch.from_numpy(ids).to(m.embed.device)
        right = ((m.hidden(x[:, :-1])[0] @ m.head.T).argmax(-1) == x[:, 1:]).cpu().numpy()
        for j, (_, ranges) in enumerate(part):
            hit += sum(right[j, a - 1:b - 1].all() for a, b in ranges)
            n += len(ranges)
    return hit / max(n, 1)


class Ahead:
    """Batches of the next steps, made by other processes where there are cores for it; the same ones in any case."""
    def __init__(self, workers):
        self.pool = concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context('fork')) if workers else None
        self.due, self.data = {}, None

    def get(self, data, step):
        if not self.pool:
            return data.batch(step)
        if data is not self.data:
            self.data, self.due = data, {}
        for s in range(step, step + 2 * self.pool._max_workers):
            if s not in self.due:
                self.due[s] = self.pool.submit(batch_of, data.stage, data.tokens, data.seed, s)
        return self.due.pop(step).result()


POOLS = None            # what forked workers see


def batch_of(stage, tokens, seed, step):
    return Batches(POOLS, stage, tokens, seed).batch(step)


def load_pools(o, tok, here):
    """The tokenised documents; kept beside the run for as long as nothing that makes them changes."""
    far, h = o.shape != 'cpu4', hashlib.sha256()
    for f in [os.path.join(here, n) for n in ('data.py', 'persona.py')] + sorted(glob.glob(os.path.join(o.data, '*.*'))):
        with open(f, 'rb') as x:
            h.update(x.read())
    kept = os.path.join(o.out, 'cache', 'pools-%d-%d-%s.pickle' % (o.seed, far, h.hexdigest()[:16]))
    if not os.path.exists(kept):
        pools = Pools(o.data, tok, os.path.join(o.out, 'cache'), o.seed, far)
        pools.tok = None
        with open(kept + '.part', 'wb') as x:
            pickle.dump(pools, x)
        os.replace(kept + '.part', kept)
    with open(kept, 'rb') as x:
        pools = pickle.load(x)
    pools.tok = tok
    return pools


def save(path, obj):
    torch.save(obj, path + '.part')
    os.replace(path + '.part', path)


def main():
    if not torch.cuda.is_available() and 'MALLOC_TRIM_THRESHOLD_' not in os.environ:    # glibc: keep freed memory instead of paging it in anew
        os.environ.update(MALLOC_MMAP_THRESHOLD_='2000000000', MALLOC_TRIM_THRESHOLD_='8000000000', MALLOC_TOP_PAD_='67108864')
        os.execv(sys.executable, [sys.executable] + sys.argv)
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--data', required=True, help='folder with the .xz sources and generate_skills.py')
    ap.add_argument('--tokenizer', help='.tiktoken file (default: the one beside the exported model, else in the data folder)')
    ap.add_argument('--out', required=True, help='run folder: checkpoints, log, cache')
    ap.add_argument('--shape', choices=list(M.SHAPES), default='cpu4')
    ap.add_argument('--twin', action='store_true', help='every mixer MLA: the model to compare with')
    ap.add_argument('--start', help='checkpoint of another run to begin with')
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--batch', type=int, default=4096, help='tokens a step')
    ap.add_argument('--lr', type=float, default=.02, help='peak rate of Muon')
    ap.add_argument('--lr-adam', type=float, default=4e-3, help='peak rate of AdamW')
    ap.add_argument('--scale', type=float, default=1, help='multiplies the tokens of every stage')
    ap.add_argument('--bf16', type=int, default=1)
    ap.add_argument('--compile', type=int, default=1, help='torch.compile (a C++ compiler is needed on a CPU)')
    ap.add_argument('--save-every', type=float, default=180, help='seconds between checkpoints')
    ap.add_argument('--report-every', type=float, default=5e5, help='tokens between samples')
    ap.add_argument('--threads', type=int, default=1)
    o = ap.parse_args()
    torch.set_num_threads(o.threads)
    dev = 'cuda' if torch.cuda.is_available() else 'cpu'
    os.makedirs(o.out, exist_ok=True)
    here = os.path.dirname(os.path.abspath(__file__))
    tokfile = o.tokenizer or next(p for p in (os.path.join(here, '..', 'tiktoken.model'), os.path.join(o.data, 'tokenizer', 'mini-4k.tiktoken')) if os.path.exists(p))
    log = open(os.path.join(o.out, 'log.txt'), 'a')

    def say(s):
        print(s, flush=True)
        log.write(s + '\n')
        log.flush()

    random.seed(o.seed)
    torch.manual_seed(o.seed)
    tok = Tokenizer(tokfile)
    t0 = time.time()
    pools = load_pools(o, tok, here)
    say('data %.0f s, thousand tokens: %s' % (time.time() - t0, json.dumps({k: v // 1000 for k, v in pools.size.items()})))
    global POOLS
    POOLS = pools
    ahead = Ahead(min(8, os.cpu_count() - 1) if dev == 'cuda' else 0)
    stages = STAGES if o.shape == 'cpu4' else STAGES_GPU
    m = M.Model(M.config(o.shape, o.twin)).to(dev)
    opts = optimizers(m, o)
    st = {'stage': 0, 'step': 0, 'in_stage': 0, 'tokens': 0, 'cpu': 0., 'wall': 0.}
    ck = os.path.join(o.out, 'last.pt')
    first = ck if os.path.exists(ck) else o.start
    if first:
        c = torch.load(first, map_location=dev)
        m.load_state_dict(c['model'])
        for opt, s in zip(opts, c['opt']):
            opt.load_state_dict(s)
        st = c['state']
        torch.set_rng_state(c['rng'].cpu())
        say('resumed at step %d, %.2f M tokens, stage %d' % (st['step'], st['tokens'] / 1e6, st['stage']))
    else:
        say('%s: %.2f M weights, %.2f M met by a token; torch %s' % (dev, *(x / 1e6 for x in m.size()), torch.__version__))
    hidden = m.hidden
    if o.compile:
        torch._dynamo.config.recompile_limit = 64      # a graph for every row length and kind of block
        m.hidden = torch.compile(m.hidden, dynamic=False)

    def checkpoint(path=ck):
        save(path, {'model': m.state_dict(), 'opt': [x.state_dict() for x in opts], 'state': st, 'rng': torch.get_rng_state(), 'config': m.c})

    def report():
        m.eval()
        fast, m.hidden = m.hidden, hidden
        ls, _ = measure(m, pools.docs['stories-eval'][:48], 256, tok)
        probe = Batches(pools, STAGES[0], o.batch, 0)
        _, ap = measure(m, [probe.pairs(np.random.default_rng(i), 64) for i in range(32)], 64, tok)
        say('== %.2f M tokens: random pairs %.1f%%; held-out stories %.3f nats a token; held-out answers: %s' % (
            st['tokens'] / 1e6, 100 * ap, ls, ', '.join('%s %.0f%%' % (k, 100 * recalled(m, d, tok.pad)) for k, d in pools.checks.items())))
        for p, s in zip(PROMPTS, answer_all(m, tok, PROMPTS)):
            say('   %-60s -> %s' % (p, s.replace('\n', ' / ')))
        m.hidden = fast
        m.train()

    stop = []
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stop.append(1))
    m.train()
    saved = shown = time.time()
    cpu0, wall0 = cpu_shown, _ = time.process_time(), time.time()
    run, n_shown, busy, said = None, 0, [], st['tokens']
    while st['stage'] < len(stages) and not stop:
        stage = stages[st['stage']]
        total = stage['tokens'] * o.scale
        data = Batches(pools, stage, stage.get('batch', o.batch), o.seed * 1000 + st['stage'])
        say('-- stage %s: %.2f M tokens' % (stage['name'], total / 1e6))
        while st['in_stage'] < total and not stop:
            f = st['in_stage'] / total
            lr = stage['lr'][0] + (stage['lr'][1] - stage['lr'][0]) * f
            lr *= min(1, (st['step'] + 1) / 60)
            for opt in opts:
                for g in opt.param_groups:
                    g['lr'] = g['base'] * lr
            x, y = ahead.get(data, st['step'])
            with torch.autocast(dev, dtype=torch.bfloat16, enabled=bool(o.bf16)):
                loss, excess = m.loss(torch.from_numpy(x).to(dev), torch.from_numpy(y).to(dev))
            (loss + GATE * excess).backward()
            norm = torch.nn.utils.clip_grad_norm_(m.parameters(), 1.)
            if torch.isfinite(norm):
                for opt in opts:
                    opt.step()
            else:
                say('step %d left out: gradient is not finite' % st['step'])
            for opt in opts:
                opt.zero_grad(set_to_none=True)
            busy.append(max(b.balance(4e-3 * lr) for b in m.moes()))
            l = loss.item()
            run = l if run is None else .97 * run + .03 * l
            st['step'] += 1
            st['in_stage'] += x.size
            st['tokens'] += x.size
            n_shown += x.size
            if st['step'] % 25 == 0:
                now = time.time()
                say('step %d %.2f M %s loss %.3f lr %.3f norm %.2f %.0f tok/s, %.0f a CPU second, busiest expert %.2f' % (
                    st['step'], st['tokens'] / 1e6, stage['name'], run, lr, float(norm), n_shown / (now - shown), n_shown / (time.process_time() - cpu_shown), sum(busy) / len(busy)))
                shown, cpu_shown, n_shown, busy = now, time.process_time(), 0, []
            if st['tokens'] - said >= o.report_every:
                said = st['tokens']
                report()
            if time.time() - saved > o.save_every:
                st['cpu'] += time.process_time() - cpu0
                st['wall'] += time.time() - wall0
                cpu0, wall0 = time.process_time(), time.time()
                checkpoint()
                saved = time.time()
        if not stop:
            st['stage'] += 1
            st['in_stage'] = 0
            st['cpu'] += time.process_time() - cpu0
            st['wall'] += time.time() - wall0
            cpu0, wall0 = time.process_time(), time.time()
            checkpoint()
            checkpoint(os.path.join(o.out, 'after-%s.pt' % stage['name']))
            report()
    st['cpu'] += time.process_time() - cpu0
    st['wall'] += time.time() - wall0
    checkpoint()
    say('%s: %.2f M tokens, %d steps, loss %.3f, %.1f CPU minutes, %.1f minutes' % (
        'stopped' if stop else 'finished', st['tokens'] / 1e6, st['step'], run or math.nan, st['cpu'] / 60, st['wall'] / 60))


if __name__ == '__main__':
    main()
