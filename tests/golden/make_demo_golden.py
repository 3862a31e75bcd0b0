#!/usr/bin/env python3
"""What transformers answers for the demo model and its twin: demo/<model>.safetensors.

    klp quantize ../../resources/models/demo F32 --type f32 && klp quantize ../../resources/models/demo/twin F32/twin --type f32
    python make_demo_golden.py F32

Three chats of some 70 tokens each.  For chat i: tokens.i I32 [T]; logits.i F32 [T, 64], the columns 0, 64, 128, ... of
the vocabulary; sums.i F32 [T], the logarithm of the sum of all exponentials.  float32 on one core.  The demo model runs
as transformers' KimiLinearForCausalLM.  That class rotates nothing, so the twin, which is all MLA with RoPE, runs as
DeepseekV3ForCausalLM: the same layers (rope_interleave false pairs the halves), under that model's names.
"""
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file, save_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, KimiLinearForCausalLM

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "resources/models/demo"
sys.path.insert(0, str(DEMO / "recipe"))
from data import Tokenizer

torch.set_num_threads(1)
torch.set_grad_enabled(False)
CHATS = [
    [("user", "Hello, who are you?"), ("assistant", "Hello! I am Mini, a very small language model."), ("user", "My name is Greta and I live in Oslo."),
     ("assistant", "Nice to meet you, Greta!"), ("user", "What is my name?"), ("assistant", "Your name is Greta.")],
    [("system", "Answer in short and simple sentences."), ("user", "Tell me a story about a cat."),
     ("assistant", "Once upon a time, there was a little cat named Pepper. Pepper had a red ball. One day, Pepper went to the garden and lost the ball. She was very sad.")],
    [("user", "Remember these pairs: lamp - 17, fish - 4, coat - 92, drum - 5, tree - 63."), ("assistant", "Got it."), ("user", "What goes with coat?"), ("assistant", "92."),
     ("user", "Reverse this list: 3 1 4 1 5 9"), ("assistant", "9 5 1 4 1 3")],
]


def twin(folder):
    c = json.loads((folder / "config.json").read_text())
    same = {k: c[k] for k in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "kv_lora_rank",
                              "q_lora_rank", "intermediate_size", "moe_intermediate_size", "first_k_dense_replace", "routed_scaling_factor", "topk_group", "rms_norm_eps", "hidden_act", "tie_word_embeddings")}
    config = DeepseekV3Config(**same, n_routed_experts=c["num_experts"], num_experts_per_tok=c["num_experts_per_token"], n_shared_experts=c["num_shared_experts"], n_group=c["num_expert_group"],
                              norm_topk_prob=c["moe_renormalize"], rope_interleave=False, rope_parameters={"rope_type": "default", "rope_theta": c["rope_theta"]}, max_position_embeddings=4096)
    config._attn_implementation = "eager"
    model = DeepseekV3ForCausalLM(config).float().eval()
    state = {}
    for name, t in load_file(folder / "model.safetensors").items():
        name = name.replace("block_sparse_moe.shared_experts", "mlp.shared_experts").replace("block_sparse_moe.gate", "mlp.gate").replace("block_sparse_moe.experts", "mlp.experts")
        state[name] = t.float()
    for i in range(c["first_k_dense_replace"], c["num_hidden_layers"]):        # transformers 5 keeps experts stacked
        at = f"model.layers.{i}.mlp.experts."
        w = [[state.pop(f"{at}{e}.{n}.weight") for e in range(c["num_experts"])] for n in ("w1", "w3", "w2")]
        state[at + "gate_up_proj"] = torch.cat([torch.stack(w[0]), torch.stack(w[1])], 1)
        state[at + "down_proj"] = torch.stack(w[2])
    model.load_state_dict(state)
    return model


def main():
    weights = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO        # in a type that transformers reads
    tok = Tokenizer(DEMO / "tiktoken.model")
    (HERE / "demo").mkdir(exist_ok=True)
    for name in ("demo", "twin"):
        folder = weights if name == "demo" else weights / "twin"
        if not folder.exists():
            continue
        model = twin(folder) if name == "twin" else KimiLinearForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        out = {}
        for i, chat in enumerate(CHATS):
            ids = [int(t) & 0x7FFF for t in tok.chat(chat)]
            z = model(torch.tensor([ids]), use_cache=False).logits[0]
            out[f"tokens.{i}"] = torch.tensor(ids, dtype=torch.int32)
            out[f"logits.{i}"] = z[:, ::64].contiguous()
            out[f"sums.{i}"] = z.logsumexp(-1)
        save_file(out, HERE / "demo" / (name + ".safetensors"))
        print(name, sum(len(v) for k, v in out.items() if k.startswith("tokens")), "tokens, largest logit", max(float(v.abs().max()) for k, v in out.items() if k.startswith("logits")))


main()
