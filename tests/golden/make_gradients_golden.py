#!/usr/bin/env python3
"""Gradients of the small checkpoints in hf/, by torch autograd through transformers' own KimiLinearForCausalLM in float64.

    python make_gradients_golden.py            writes gradients.json

The loss is the mean cross entropy of every token of expected.safetensors but the last one against the next. A gradient is written as its norm and its products
with four vectors of +-1 (signs of splitmix64 of the tensor's name): any gradient that agrees with all of them is this one.
"""
import json
from pathlib import Path

import torch

import make_transformers_golden as golden
from safetensors.torch import load_file

# conv-3, eps-matters and the others differ in nothing that has a gradient of its own.
NAMES = ['odd-sizes', 'conv-3', 'wide-mla', 'strong-decay', 'tied', 'two-dense-two-shared', 'moe-every-second', 'mla-last', 'kda-only', 'grouped']
HERE = Path(__file__).parent


def signs(name, k, n):
    """[n] of +-1: the top bit of the i-th number of splitmix64, seeded by FNV-1a of "name/k"."""
    x, mask = golden.fnv1a('%s/%d' % (name, k)), (1 << 64) - 1
    out = []
    for _ in range(n):
        x = (x + 0x9e3779b97f4a7c15) & mask
        z = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & mask
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
        out.append(1. if (z ^ (z >> 31)) >> 63 else -1.)
    return torch.tensor(out, dtype=torch.float64)


def main():
    torch.set_grad_enabled(True)
    everything = {}
    cases = {c.name: c for c in golden.CASES}
    for name in NAMES:
        folder = HERE / 'hf' / name
        tokens = load_file(folder / 'expected.safetensors')['tokens'].long()
        model = golden.load(cases[name], folder, torch.float64)
        model.model.embed_tokens.padding_idx = None      # or id 0 would learn nothing
        with golden.everything_in_float64():
            logits = model(input_ids=tokens[None], use_cache=False).logits[0].double()
            loss = torch.nn.functional.cross_entropy(logits[:-1], tokens[1:])
            loss.backward()
        stored = {}
        for file in folder.glob('model*.safetensors'):
            stored.update(load_file(file))
        made = {}
        for key, value in model.named_parameters():
            if value.grad is None:
                continue
            # Experts are stacked in the class; on disk each has its own (w1 gate, w3 up, w2 down), under block_sparse_moe.
            def put(to, grad):
                assert to in stored and stored[to].numel() == grad.numel(), (name, key, to)
                flat = grad.double().flatten()
                made[to] = [float(flat.norm())] + [float(flat @ signs(to, k, flat.numel())) for k in range(4)]
            if '.experts.gate_up_proj' in key or '.experts.down_proj' in key:
                base = key.rsplit('.', 1)[0].replace('.mlp.', '.block_sparse_moe.')
                for e in range(value.shape[0]):
                    g = value.grad[e]
                    if 'gate_up' in key:
                        a, b = g.chunk(2)
                        put('%s.%d.w1.weight' % (base, e), a)
                        put('%s.%d.w3.weight' % (base, e), b)
                    else:
                        put('%s.%d.w2.weight' % (base, e), g)
                continue
            if key.endswith('.self_attn.conv1d.weight'):     # the three convolutions are one in the class
                parts = [key.replace('.conv1d.', '.%s_conv1d.' % n) for n in 'qkv']
                for to, g in zip(parts, value.grad.split([stored[to].shape[0] for to in parts])):
                    put(to, g)
                continue
            key = key.replace('.forget_gate.', '.')
            to = key if key in stored else key.replace('.mlp.', '.block_sparse_moe.')
            if cases[name].tied and key == 'lm_head.weight':
                continue
            grad = value.grad
            if cases[name].tied and key == 'model.embed_tokens.weight':   # one tensor in both places
                grad = grad + model.lm_head.weight.grad
            put(to, grad)
        everything[name] = {'tokens': tokens.tolist(), 'loss': float(loss), 'gradients': made}
        print('%-24s loss %.6f, %d gradients of %d tensors' % (name, float(loss), len(made), len(stored)))
    (HERE / 'gradients.json').write_text(json.dumps(everything, separators=(',', ':')).replace('},', '},\n').replace('],"', '],\n"') + '\n')


if __name__ == '__main__':
    main()
