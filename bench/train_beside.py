#!/usr/bin/env python3
"""A step of training by klp and by the PyTorch recipe of the demo model, the same shape and rows, in turn in one run:

    python3 bench/train_beside.py build/release/klp_bench_train [row] [rounds] [threads]      (torch and numpy)
"""
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

RECIPE = Path(__file__).resolve().parent.parent / 'resources' / 'models' / 'demo' / 'recipe'
sys.path.insert(0, str(RECIPE))
import torch  # noqa: E402

import model as M  # noqa: E402
import train as T  # noqa: E402


def main():
    bench = sys.argv[1]
    row, rounds, threads = (int(sys.argv[i]) if len(sys.argv) > i else d for i, d in ((2, 512), (3, 5), (4, 2)))
    torch.set_num_threads(threads)
    config = M.config('cpu4')
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'config.json'
        file.write_text(json.dumps(dict(config, architectures=['KimiLinearForCausalLM'], model_type='kimi_linear', model_max_length=65536)))
        m = M.Model(config)
        optimizers = T.optimizers(m, SimpleNamespace(lr=.02, lr_adam=4e-3))
        m.train()
        ids = torch.randint(0, 4096, (8192 // row, row))
        labels = torch.randint(0, 4096, (8192 // row, row))
        labels[:, ::2] = -1

        def step():
            with torch.autocast('cpu', dtype=torch.bfloat16):
                loss, excess = m.loss(ids, labels)
            (loss + T.GATE * excess).backward()
            torch.nn.utils.clip_grad_norm_(m.parameters(), 1.)
            for o in optimizers:
                o.step()
                o.zero_grad(set_to_none=True)

        step()
        theirs, ours = [], []
        for _ in range(rounds):
            since = time.perf_counter()
            step()
            theirs.append(8192 / (time.perf_counter() - since))
            said = subprocess.run([bench, file, str(row), '8192', '2', str(threads)], check=True, capture_output=True, text=True).stdout
            ours.append(float(re.match(r'(\d+) tokens/s', said)[1]))
            print('PyTorch %.0f, klp %.0f tokens/s: %.1f times' % (theirs[-1], ours[-1], ours[-1] / theirs[-1]))
    print('median: %.1f times; %s' % (statistics.median(o / t for o, t in zip(ours, theirs)), said.strip()))


if __name__ == '__main__':
    main()
