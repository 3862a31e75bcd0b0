#!/usr/bin/env python3
"""Small random Qwen3.5 and Qwen3-Next checkpoints and what Hugging Face transformers answers for them.

Every folder hf/qwen* is a checkpoint as the vendor publishes one (config.json, model.safetensors, vendor tensor names)
plus expected.safetensors, computed by transformers' own Qwen3_5ForCausalLM, Qwen3_5MoeForCausalLM and
Qwen3NextForCausalLM with these weights; see make_transformers_golden.py, whose rules of weights, files and float64 are
used here.

    python make_qwen_golden.py [--out hf] [--only name,name] [--check]

The classes are given their weights by load_state_dict, strictly: a folder may lay experts out one by one or stacked, and
with `seen` it is that of the whole model, which also sees (text_config, names below model.language_model., tensors of an
eye and of layers that predict ahead), while the class is that of the text alone.
"""
import argparse
import contextlib
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from transformers import DynamicCache
from transformers.models.qwen3_5 import configuration_qwen3_5, modeling_qwen3_5
from transformers.models.qwen3_5_moe import configuration_qwen3_5_moe, modeling_qwen3_5_moe
from transformers.models.qwen3_next import configuration_qwen3_next, modeling_qwen3_next

import make_transformers_golden as golden

KINDS = {
    "qwen3_5": (modeling_qwen3_5, modeling_qwen3_5.Qwen3_5ForCausalLM, configuration_qwen3_5.Qwen3_5TextConfig, "Qwen3_5"),
    "qwen3_5_moe": (modeling_qwen3_5_moe, modeling_qwen3_5_moe.Qwen3_5MoeForCausalLM, configuration_qwen3_5_moe.Qwen3_5MoeTextConfig, "Qwen3_5Moe"),
    "qwen3_next": (modeling_qwen3_next, modeling_qwen3_next.Qwen3NextForCausalLM, configuration_qwen3_next.Qwen3NextConfig, "Qwen3Next"),
}


@dataclass
class Case:
    name: str
    why: str
    kind: str = "qwen3_5"
    layers: str = "GGF"             # G: Gated DeltaNet, F: full attention
    interval: int = 0               # 0: layer_types says which is which
    T: int = 40
    decode: int = 9
    vocab: int = 31
    hidden: int = 16
    heads: int = 2                  # of queries
    kv: int = 1
    head_dim: int = 8
    rotary: float = 0.5
    theta: float = 1e7
    nk: int = 2
    nv: int = 4
    K: int = 6
    V: int = 4
    conv: int = 4
    dense_width: int = 18
    experts: int = 5
    topk: int = 2
    expert_width: int = 5
    shared_width: int = 5
    step: int = 1                   # decoder_sparse_step
    dense: list = field(default_factory=list)  # mlp_only_layers
    renormalize: bool = True
    stacked: bool = True            # experts in two tensors
    tied: bool = False
    seen: bool = False
    old_rope: bool = False          # rope_theta and partial_rotary_factor by themselves
    eps: float = 1e-6
    rule: str = "random"
    prompt: list = field(default_factory=list)
    faint: bool = False
    decay: str = "trained"

    def is_sparse(self, i):
        return self.kind != "qwen3_5" and i not in self.dense and (i + 1) % self.step == 0


CASES = [
    Case("qwen35-spec", "every feature of the dense models in the smallest sizes; 9 prompt tokens, then 8 greedy ones", layers="GFGF", interval=2,
         rule="spec", vocab=32, K=4, V=4, dense_width=24, tied=True, prompt=[1, 5, 9, 31, 0, 7, 7, 20, 3], T=17, decode=8),
    Case("qwen35-odd", "three heads of everything, keys wider than values, three taps, untied", heads=3, kv=3, head_dim=12, nk=3, nv=3, K=10, V=6, conv=3,
         hidden=18, T=70, layers="GF"),
    Case("qwen35-seen", "the whole model that also sees, with layers that predict ahead; three heads of values for each of keys", layers="GF", seen=True,
         tied=True, heads=6, kv=2, nk=2, nv=6, K=4, V=6),
    Case("qwen35-one", "eight queries for one key, four values for one key, a whole head rotated", layers="GGF", heads=8, kv=1, head_dim=6, rotary=1.0, nk=1,
         nv=4, hidden=14, old_rope=True, T=66),
    Case("qwen35-full-first", "full attention in front, a state behind, strong decay", layers="FG", decay="strong", theta=1e4, T=70),
    Case("qwen35moe-spec", "experts in the smallest sizes", kind="qwen3_5_moe", layers="GF", interval=2, rule="spec", vocab=32, K=4, V=4,
         experts=6, topk=3, prompt=[1, 5, 9, 31, 0, 7, 7, 20, 3], T=17, decode=8),
    Case("qwen35moe-seen", "the whole model, a shared expert of another width", kind="qwen3_5_moe", layers="GF", seen=True, heads=4, kv=2, nk=2, nv=2,
         shared_width=8, tied=True),
    Case("qwen35moe-apart", "experts one by one, a single one a token", kind="qwen3_5_moe", layers="GF", stacked=False, topk=1, nk=3, nv=6, K=4, heads=5, kv=5,
         head_dim=4),
    Case("qwen35moe-many", "eight of twelve experts", kind="qwen3_5_moe", layers="FG", experts=12, topk=8, expert_width=4, hidden=14),
    Case("qwen3next-spec", "grouped projections in the smallest sizes", kind="qwen3_next", layers="GF", interval=2, rule="spec", vocab=32, K=4, V=4,
         experts=6, topk=3, prompt=[1, 5, 9, 31, 0, 7, 7, 20, 3], T=17, decode=8, stacked=False),
    Case("qwen3next-odd", "three heads of keys, one of values each, weights that are not renormalised", kind="qwen3_next", layers="GF", nk=3, nv=3, K=6, V=10,
         heads=3, kv=3, head_dim=12, renormalize=False, stacked=False, hidden=18, T=66),
    Case("qwen3next-sparse", "every second layer of experts, and one dense by name", kind="qwen3_next", layers="GGGF", step=2, dense=[1], nk=1, nv=3,
         stacked=False, tied=True, old_rope=True, hidden=14),
    Case("qwen3next-stacked", "as transformers would keep the experts, three groups of two", kind="qwen3_next", layers="GF", nk=3, nv=6, K=4, V=6, heads=4,
         kv=2),
]


def tensor_shapes(c):
    """The vendor's names of the text part."""
    qk, v = c.nk * c.K, c.nv * c.V
    yield "model.embed_tokens.weight", (c.vocab, c.hidden)
    for i, kind in enumerate(c.layers):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (c.hidden,)
        yield layer + "post_attention_layernorm.weight", (c.hidden,)
        if kind == "G":
            a = layer + "linear_attn."
            if c.kind == "qwen3_next":
                yield a + "in_proj_qkvz.weight", (2 * qk + 2 * v, c.hidden)
                yield a + "in_proj_ba.weight", (2 * c.nv, c.hidden)
            else:
                yield a + "in_proj_qkv.weight", (2 * qk + v, c.hidden)
                yield a + "in_proj_z.weight", (v, c.hidden)
                yield a + "in_proj_b.weight", (c.nv, c.hidden)
                yield a + "in_proj_a.weight", (c.nv, c.hidden)
            yield a + "conv1d.weight", (2 * qk + v, 1, c.conv)
            yield a + "A_log", (c.nv,)
            yield a + "dt_bias", (c.nv,)
            yield a + "norm.weight", (c.V,)
            yield a + "out_proj.weight", (c.hidden, v)
        else:
            a = layer + "self_attn."
            yield a + "q_proj.weight", (2 * c.heads * c.head_dim, c.hidden)
            yield a + "k_proj.weight", (c.kv * c.head_dim, c.hidden)
            yield a + "v_proj.weight", (c.kv * c.head_dim, c.hidden)
            yield a + "o_proj.weight", (c.hidden, c.heads * c.head_dim)
            yield a + "q_norm.weight", (c.head_dim,)
            yield a + "k_norm.weight", (c.head_dim,)
        m, width = layer + "mlp.", c.dense_width
        if c.is_sparse(i):
            yield m + "gate.weight", (c.experts, c.hidden)
            yield m + "experts.gate_up_proj", (c.experts, 2 * c.expert_width, c.hidden)
            yield m + "experts.down_proj", (c.experts, c.hidden, c.expert_width)
            yield m + "shared_expert_gate.weight", (1, c.hidden)
            m, width = m + "shared_expert.", c.shared_width
        yield m + "gate_proj.weight", (width, c.hidden)
        yield m + "up_proj.weight", (width, c.hidden)
        yield m + "down_proj.weight", (c.hidden, width)
    yield "model.norm.weight", (c.hidden,)
    if not c.tied:
        yield "lm_head.weight", (c.vocab, c.hidden)


def make_tensors(c, salt):
    """By the rules of the other fixtures; a norm is stored less one, but for that behind the state."""
    tensors = {}
    for name, shape in tensor_shapes(c):
        value = golden.spec_value(name, shape) if c.rule == "spec" else golden.random_value(c, salt, name, shape)
        if name.endswith("norm.weight") and "linear_attn" not in name:
            value = value - 1
        tensors[name] = torch.from_numpy(value).to(torch.float32)
    return tensors


def text_config(c):
    config = {
        "attention_bias": False,
        "attn_output_gate": True,
        "bos_token_id": None,
        "dtype": "float32",
        "eos_token_id": 2,
        "head_dim": c.head_dim,
        "hidden_act": "silu",
        "hidden_size": c.hidden,
        "intermediate_size": c.dense_width,
        "linear_conv_kernel_dim": c.conv,
        "linear_key_head_dim": c.K,
        "linear_num_key_heads": c.nk,
        "linear_num_value_heads": c.nv,
        "linear_value_head_dim": c.V,
        "max_position_embeddings": 4096,
        "mamba_ssm_dtype": "float32",
        "model_type": c.kind if c.kind == "qwen3_next" else c.kind + "_text",
        "mtp_num_hidden_layers": 1,
        "num_attention_heads": c.heads,
        "num_hidden_layers": len(c.layers),
        "num_key_value_heads": c.kv,
        "rms_norm_eps": c.eps,
        "tie_word_embeddings": c.tied,
        "vocab_size": c.vocab,
    }
    if c.old_rope:
        config |= {"rope_theta": c.theta, "partial_rotary_factor": c.rotary}
    else:
        config["rope_parameters"] = {"mrope_interleaved": True, "mrope_section": [1, 1, 0], "partial_rotary_factor": c.rotary, "rope_theta": c.theta,
                                     "rope_type": "default"}
    if c.interval:
        config["full_attention_interval"] = c.interval
    else:
        config["layer_types"] = ["linear_attention" if kind == "G" else "full_attention" for kind in c.layers]
    if c.kind != "qwen3_5":
        config |= {"moe_intermediate_size": c.expert_width, "num_experts": c.experts, "num_experts_per_tok": c.topk, "output_router_logits": False,
                   "router_aux_loss_coef": 0.001, "shared_expert_intermediate_size": c.shared_width}
    if c.kind == "qwen3_next":
        config |= {"decoder_sparse_step": c.step, "mlp_only_layers": c.dense, "norm_topk_prob": c.renormalize}
    return config


def vendor_config(c):
    front = KINDS[c.kind][3]
    if not c.seen:
        return {"architectures": [front + "ForCausalLM"]} | text_config(c)
    return {"architectures": [front + "ForConditionalGeneration"], "image_token_id": 5, "model_type": c.kind, "text_config": text_config(c),
            "tie_word_embeddings": c.tied, "vision_config": {"depth": 1, "hidden_size": 12, "model_type": c.kind}}


def write_checkpoint(c, folder, tensors):
    golden.write_json(folder / "config.json", vendor_config(c))
    stored = {}
    for name, t in tensors.items():
        if not c.stacked and ".experts." in name:
            front = name.rsplit(".", 1)[0]
            for e in range(c.experts):
                parts = {"gate_proj": t[e][:c.expert_width], "up_proj": t[e][c.expert_width:]} if "gate_up" in name else {"down_proj": t[e]}
                stored |= {f"{front}.{e}.{x}.weight": part.clone() for x, part in parts.items()}
        else:
            stored[name.replace("model.", "model.language_model.", 1) if c.seen and name.startswith("model.") else name] = t
    if c.seen:
        stored |= {"model.visual.blocks.0.attn.qkv.weight": torch.ones(3, 4), "mtp.fc.weight": torch.ones(4, 8), "mtp.norm.weight": torch.ones(4),
                   "mtp.layers.0.self_attn.q_proj.weight": torch.ones(4, 4)}
    golden.save_tensors(folder / "model.safetensors", stored)


class Observer(golden.Observer):
    def on_router(self, i):
        def hook(gate, args, out):
            logits, _, chosen = out
            self.experts[i] = chosen.sort(-1).values.to(torch.int32)
            probs = logits.double().softmax(-1)
            inside = torch.zeros_like(probs, dtype=torch.bool).scatter(1, chosen, True)
            gap = probs.masked_fill(~inside, math.inf).min(-1).values - probs.masked_fill(inside, -math.inf).max(-1).values
            self.margin = min(self.margin, gap.min().item())
        return hook


@contextlib.contextmanager
def everything_in_float64():
    with golden.everything_in_float64():
        golden.modeling.torch.float = torch.float64
        yield


def run(c, folder, dtype, salt):
    golden.modeling, cls, config_class, _ = KINDS[c.kind]
    config = config_class(**text_config(c))
    assert [kind[0] for kind in config.layer_types] == ["l" if kind == "G" else "f" for kind in c.layers]
    config._attn_implementation, config._experts_implementation = "eager", "eager"
    model = cls(config)
    tensors = make_tensors(c, salt)
    if c.tied:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    model.load_state_dict(tensors, strict=True)
    model = model.to(dtype).eval()
    double = dtype == torch.float64
    if double:      # made in float32, whatever the weights are
        rotated = int(c.head_dim * c.rotary)
        model.model.rotary_emb.inv_freq = c.theta ** -(torch.arange(0, rotated, 2, dtype=torch.float64) / rotated)
    with torch.no_grad(), everything_in_float64() if double else contextlib.nullcontext():
        ids = torch.tensor([golden.prompt_tokens(c, salt, model)])

        def step(some, cache):
            return model(some, past_key_values=cache, use_cache=True).logits[0]

        observer = Observer(model)
        cache = DynamicCache(config=config)
        prefill = step(ids, cache)
        observer.close()
        states = {i: cache.layers[i].recurrent_states for i, kind in enumerate(c.layers) if kind == "G"}
        states = {i: (s[0] if isinstance(s, (list, dict, tuple)) else s)[0] for i, s in states.items()}

        cache = DynamicCache(config=config)
        step(ids[:, :c.T - c.decode], cache)
        decoded = [step(ids[:, t:t + 1], cache)[0] for t in range(c.T - c.decode, c.T)]
    out = {
        "tokens": ids[0].to(torch.int32),
        "prefill_logits": prefill,
        "decode_logits": torch.stack(decoded),
        "layer_output": torch.stack([observer.layers[i][-1] for i in range(len(c.layers))]),
    }
    out |= {f"kda_state.{i}": s for i, s in states.items()}
    out |= {f"experts.{i}": e for i, e in observer.experts.items()}
    if double:
        assert all(t.dtype == torch.float64 for t in out.values() if t.is_floating_point()), "something was rounded"
        assert (out["decode_logits"] - prefill[-c.decode:]).abs().max() < 1e-9, "decode is not prefill"
    return out, observer.margin


golden.make_tensors, golden.write_checkpoint, golden.run = make_tensors, write_checkpoint, run

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "hf")
    p.add_argument("--only", default="")
    p.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    args = p.parse_args()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    for case in CASES:
        if not args.only or case.name in args.only.split(","):
            (golden.check if args.check else golden.make)(case, args.out / case.name)
