#!/usr/bin/env python3
"""Checks of the recipe and of an exported folder.   python check.py [FOLDER]

1. chunkwise KDA = the recurrence, values and gradients, float64, gates down to -50 a token; the GPU's form of the experts = the CPU's
2. our model = the `kimi_linear` class of transformers on the folder's weights, float32; cached generation gives the same greedy tokens
3. the strongest decay met, and twenty greedy answers
"""
import json
import os
import sys

import torch
import torch.nn.functional as F

import model as M
from data import Tokenizer
from train import answer_all

ASK = ['Hello', 'Hello, who are you?', 'Who are you?', 'What is your name?', 'What can you do?', 'How are you?', 'What is KDA?', 'What is MLA?', 'Thank you!', 'Tell me a story about a cat.', 'Tell me a story about a dragon.',
       'Tell me a joke.', 'What is the capital of France?', 'What color is grass?', 'What is 3 plus 4?', 'What is the weather today?', 'My name is Tom.|What is my name?', 'My favorite color is green.|Thank you!|What is my favorite color?',
       'I am sad today.', 'Goodbye']


def chunk():
    torch.manual_seed(1)
    B, T, H, K = 2, 75, 3, 16
    for scale in (.1, 1, 5, 50):
        q, k, v = (torch.randn(B, T, H, K, dtype=torch.float64) for _ in range(3))
        x = [q, F.normalize(k, dim=-1), v, -torch.rand(B, T, H, K, dtype=torch.float64) * scale, torch.rand(B, T, H, dtype=torch.float64)]
        x = [t.requires_grad_() for t in x]
        a, b = M.kda_recurrent(*x)[0], M.kda_chunk(*x)
        w = torch.randn_like(a)
        ga, gb = (torch.autograd.grad((y * w).sum(), x) for y in (a, b))
        f = M.kda_chunk(*(t.detach().float() for t in x)).double()
        print('gates to -%-4g largest difference: outputs %.1e, gradients %.1e, float32 outputs %.1e' % (
            scale, *(float(t.detach().abs().max()) for t in (a - b, torch.cat([(p - q).flatten() for p, q in zip(ga, gb)]), a - f))))


def experts():
    torch.manual_seed(2)
    m = M.Model(M.config()).moes()[0]
    x = torch.randn(50, 256)
    w, idx = torch.rand(50, m.E).topk(2)
    print('all experts with weights = the chosen ones: largest difference %.1e' % float((m.all(x, idx, w) - m.chosen(x, idx, w)).detach().abs().max()))


def talk(m, tok):
    for a, s in zip(ASK, answer_all(m, tok, ASK, 220)):
        print('> %s\n%s' % (a.replace('|', '\n  ... '), s))


def folder(path):
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM
    with open(os.path.join(path, 'config.json')) as f:
        own = json.load(f)
    w = load_file(os.path.join(path, 'model.safetensors'))
    m = M.from_hf(M.Model(own), w).eval()
    back = M.to_hf(m)
    assert set(back) == set(w) and all(torch.equal(back[k].to(w[k].dtype), w[k]) for k in w)
    tok = Tokenizer(os.path.join(path, 'tiktoken.model'))
    if not own['mla_use_nope']:                         # transformers' class rotates nothing: tests/golden/make_demo_golden.py has the twin's check
        return talk(m, tok)
    c = AutoConfig.from_pretrained(path)
    print('transformers reads', c.layer_types, c.mlp_layer_types)
    hf, info = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, output_loading_info=True, attn_implementation='eager')
    print(type(hf).__name__, {k: list(v) for k, v in info.items() if v and k != 'error_msgs'} or 'no missing or unexpected tensors')
    ids = tok.prompt([('user', 'Hello, who are you?'), ('assistant', 'Hello! I am Mini.'), ('user', 'Tell me a story about a cat. ' * 14)])
    torch.manual_seed(0)
    for name, x in (('chat', torch.tensor([ids])), ('random ids', torch.randint(0, 4096, (2, 150)))):
        with torch.no_grad():
            a, b = m(x), hf(x, use_cache=False).logits
        print('%s, %s: max |logit difference| %.2e (largest logit %.1f)' % (name, tuple(x.shape), (a - b).abs().max(), a.abs().max()))
    worst = [0., 0.]
    real = M.kda_chunk

    def watch(q, k, v, g, beta, C=32):
        worst[0] = min(worst[0], float(g.min()))
        worst[1] = min(worst[1], float(F.avg_pool1d(g.flatten(2).transpose(1, 2), 16, 1).min() * 16))
        return real(q, k, v, g, beta, C)
    M.kda_chunk = watch
    with torch.no_grad():
        m(torch.tensor([ids]))
    M.kda_chunk = real
    print('strongest decay in the chat: g %.2f a token, %.1f over sixteen' % tuple(worst))
    p = tok.prompt([('user', 'Hello, who are you?')])
    with torch.no_grad():
        out = hf.generate(torch.tensor([p]), max_new_tokens=40, do_sample=False, eos_token_id=tok.end, pad_token_id=tok.pad)[0, len(p):].tolist()
    print('transformers, cached:', tok.decode(out))
    talk(m, tok)
    with open(os.path.join(path, 'tokenizer_config.json')) as f:
        t = json.load(f)
    try:
        import jinja2
    except ImportError:
        return
    s = jinja2.Environment().from_string(t['chat_template']).render(messages=[{'role': 'system', 'content': 'S'}, {'role': 'user', 'content': 'hi'}], add_generation_prompt=True)
    assert s == '<|im_system|>system<|im_middle|>S<|im_end|><|im_user|>user<|im_middle|>hi<|im_end|><|im_assistant|>assistant<|im_middle|>', s


if __name__ == '__main__':
    chunk()
    experts()
    if len(sys.argv) > 1:
        folder(sys.argv[1])
