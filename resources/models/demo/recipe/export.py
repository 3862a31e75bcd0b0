#!/usr/bin/env python3
"""Write a checkpoint as a Hugging Face `kimi_linear` folder.   python export.py --run RUN [--tokenizer FILE] --out FOLDER

Every file is replaced in one move, weights last, so a reader never meets half a file.
"""
import argparse
import json
import os
import shutil

import torch
from safetensors.torch import save_file

import model as M
from data import SPECIAL, Tokenizer

TEMPLATE = ("{%- for message in messages -%}"
            "{%- if message['role'] == 'user' -%}<|im_user|>{%- elif message['role'] == 'assistant' -%}<|im_assistant|>{%- else -%}<|im_system|>{%- endif -%}"
            "{{- message.get('name') or message['role'] -}}<|im_middle|>"
            "{%- if message['content'] is string -%}{{- message['content'] -}}"
            "{%- elif message['content'] is not none -%}{%- for part in message['content'] -%}{%- if part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}{%- endfor -%}{%- endif -%}"
            "<|im_end|>{%- endfor -%}"
            "{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}")


def put(path, text):
    with open(path + '.part', 'w') as f:
        f.write(text)
    os.replace(path + '.part', path)


def put_json(path, x):
    put(path, json.dumps(x, indent=2) + '\n')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--run', required=True, help='run folder, or a .pt file')
    ap.add_argument('--tokenizer', help='.tiktoken file (default: the tiktoken.model already in the folder)')
    ap.add_argument('--out', required=True)
    o = ap.parse_args()
    c = torch.load(o.run if o.run.endswith('.pt') else os.path.join(o.run, 'last.pt'), map_location='cpu')
    m = M.Model(c['config'])
    m.load_state_dict(c['model'])
    os.makedirs(o.out, exist_ok=True)
    to = lambda n: os.path.join(o.out, n)
    if not m.c['mla_use_nope'] and not o.tokenizer and not os.path.exists(to('tiktoken.model')):
        o.tokenizer = to('../tiktoken.model')           # a twin lies in its model's folder
    if o.tokenizer:
        shutil.copyfile(o.tokenizer, to('tiktoken.model.part'))
        os.replace(to('tiktoken.model.part'), to('tiktoken.model'))
    sp = Tokenizer(to('tiktoken.model')).special
    ids = {'bos_token_id': sp['[BOS]'], 'eos_token_id': sp['<|im_end|>'], 'pad_token_id': sp['[PAD]']}
    put_json(to('config.json'), {'architectures': ['KimiLinearForCausalLM'], 'model_type': 'kimi_linear', 'dtype': 'bfloat16', **m.c,
                                 'model_max_length': 65536, 'initializer_range': .02, 'use_cache': True, 'num_nextn_predict_layers': 0,
                                 'rope_scaling': None, **ids})
    put_json(to('generation_config.json'), {**ids, 'eos_token_id': [sp['<|im_end|>'], sp['[EOS]']], 'do_sample': False, 'max_new_tokens': 256})
    put_json(to('tokenizer_config.json'), {
        'tokenizer_class': 'TikTokenTokenizer', 'bos_token': '[BOS]', 'eos_token': '[EOS]', 'pad_token': '[PAD]', 'model_max_length': 65536, 'clean_up_tokenization_spaces': False,
        'added_tokens_decoder': {str(sp[s]): {'content': s, 'lstrip': False, 'normalized': False, 'rstrip': False, 'single_word': False, 'special': True} for s in SPECIAL},
        'additional_special_tokens': [s for s in SPECIAL if s.startswith('<|')], 'chat_template': TEMPLATE})
    w = {k: v if k.endswith(('A_log', 'dt_bias')) else v.bfloat16() for k, v in M.to_hf(m).items()}
    save_file(w, to('model.safetensors.part'), metadata={'format': 'pt'})
    os.chmod(to('model.safetensors.part'), 0o644)
    os.replace(to('model.safetensors.part'), to('model.safetensors'))
    print('%d tensors, %.2f M weights, %.1f MB, after %.2f M tokens' % (len(w), sum(v.numel() for v in w.values()) / 1e6, os.path.getsize(to('model.safetensors')) / 1e6, c['state']['tokens'] / 1e6))


if __name__ == '__main__':
    main()
