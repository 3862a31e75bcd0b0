#!/usr/bin/env python3
"""Small random Ling 3.0 checkpoints and what Hugging Face transformers answers for them.

Every folder hf/ling-* is a checkpoint as the vendor publishes one (config.json, model.safetensors, vendor tensor names)
plus expected.safetensors, computed by transformers' own BailingHybridForCausalLM after it loaded that folder with
from_pretrained; see make_transformers_golden.py, whose rules of weights, files and float64 are used here.

    python make_ling_golden.py [--out hf] [--only name,name] [--check]

transformers 5.24 ignores the limits on SwiGLU (expert_swiglu_limit_list, share_expert_swiglu_limit_list), which the
vendor's serving engines apply; where a case has some, `limited` below stands for the class's own product.
"""
import argparse
import contextlib
import json
import math
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from transformers import BailingHybridConfig, BailingHybridForCausalLM, DynamicCache
from transformers.models.bailing_hybrid import modeling_bailing_hybrid as modeling

import make_transformers_golden as golden

golden.modeling = modeling  # what everything_in_float64 widens


@dataclass
class Case:
    name: str
    why: str
    layers: str = "KMKM"            # K: KDA, M: MLA
    group: int = 2                  # 0: layer_types says which is which
    T: int = 60
    decode: int = 12
    vocab: int = 43
    hidden: int = 24
    heads: int = 2
    dim: int = 12
    conv: int = 4
    q_lora: int = 0
    kv_lora: int = 10
    nope: int = 8
    rope: int = 4
    v: int = 6
    dense_width: int = 20
    experts: int = 8
    topk: int = 3
    expert_width: int = 6
    first_dense: int = 1
    groups: int = 4
    topk_groups: int = 2
    tied: bool = False
    safe_gate: bool = True
    ahead: int = 0                  # layers behind the last one, which predict further tokens
    limits: dict = field(default_factory=dict)  # layer: (of the routed, of the shared)
    eps: float = 1e-6
    rule: str = "random"
    prompt: list = field(default_factory=list)
    faint: bool = False
    decay: str = "trained"

    def is_sparse(self, i):
        return i >= self.first_dense


SPEC = dict(rule="spec", vocab=32, hidden=16, dim=8, q_lora=10, kv_lora=6, nope=4, rope=4, v=4, dense_width=24,
            expert_width=12, prompt=[1, 5, 9, 31, 0, 7, 7, 20, 3], T=17, decode=8)
CASES = [
    Case("ling-spec", "every feature of the tiny model in the smallest sizes; 9 prompt tokens, then 8 greedy ones", **SPEC),
    Case("ling-limits", "the same with limited activations in the last layer", limits={3: (0.5, 0.7)}, **SPEC),
    Case("ling-odd", "three heads of 12, queries of full rank, no groups, a layer that predicts ahead", layers="KKM", group=3, T=70,
         vocab=37, hidden=26, heads=3, rope=6, dense_width=28, experts=5, topk=2, expert_width=9, groups=1, topk_groups=1, ahead=1),
    Case("ling-tied", "tied embeddings, the unbounded gate, three taps, one group of two", layers="KKM", group=0, heads=5, dim=8, conv=3,
         q_lora=14, tied=True, safe_gate=False, groups=2, topk_groups=1, experts=6, topk=2, T=70),
    Case("ling-flash", "the rhythm of the flash model in small: two dense layers, no low rank, limits in late layers", layers="KKMKKM",
         group=3, first_dense=2, hidden=20, dim=8, experts=8, expert_width=5, limits={4: (0.4, 0), 5: (0.4, 0.6)}, T=66),
]


def tensor_shapes(c):
    """The vendor's names."""
    P = c.heads * c.dim
    yield "model.word_embeddings.weight", (c.vocab, c.hidden)
    for i, kind in enumerate(c.layers):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (c.hidden,)
        yield layer + "post_attention_layernorm.weight", (c.hidden,)
        a = layer + "attention."
        if kind == "K":
            for x in "qkv":
                yield a + f"{x}_proj.weight", (P, c.hidden)
                yield a + f"{x}_conv1d.weight", (P, 1, c.conv)
            yield a + "A_log", (c.heads,)
            yield a + "dt_bias", (P,)
            yield a + "f_proj.weight", (P, c.hidden)
            yield a + "g_proj.weight", (P, c.hidden)
            yield a + "b_proj.weight", (c.heads, c.hidden)
            yield a + "o_norm.weight", (c.dim,)
            yield a + "o_proj.weight", (c.hidden, P)
        else:
            if c.q_lora:
                yield a + "q_a_proj.weight", (c.q_lora, c.hidden)
                yield a + "q_a_layernorm.weight", (c.q_lora,)
                yield a + "q_b_proj.weight", (c.heads * (c.nope + c.rope), c.q_lora)
            else:
                yield a + "q_proj.weight", (c.heads * (c.nope + c.rope), c.hidden)
            yield a + "kv_a_proj_with_mqa.weight", (c.kv_lora + c.rope, c.hidden)
            yield a + "kv_a_layernorm.weight", (c.kv_lora,)
            yield a + "kv_b_proj.weight", (c.heads * (c.nope + c.v), c.kv_lora)
            yield a + "g_proj.weight", (c.heads, c.hidden)
            yield a + "dense.weight", (c.hidden, c.heads * c.v)
        m = layer + "mlp."
        if c.is_sparse(i):
            yield m + "gate.weight", (c.experts, c.hidden)
            yield m + "gate.expert_bias", (c.experts,)
            for e in range(c.experts):
                yield m + f"experts.{e}.gate_proj.weight", (c.expert_width, c.hidden)
                yield m + f"experts.{e}.up_proj.weight", (c.expert_width, c.hidden)
                yield m + f"experts.{e}.down_proj.weight", (c.hidden, c.expert_width)
            m, width = m + "shared_experts.", c.expert_width
        else:
            width = c.dense_width
        yield m + "gate_proj.weight", (width, c.hidden)
        yield m + "up_proj.weight", (width, c.hidden)
        yield m + "down_proj.weight", (c.hidden, width)
    for i in range(len(c.layers), len(c.layers) + c.ahead):
        layer = f"model.layers.{i}."
        yield layer + "eh_proj.weight", (c.hidden, 2 * c.hidden)
        yield layer + "attention.g_proj.weight", (c.heads, c.hidden)
        for norm in ("enorm", "hnorm", "final_layernorm"):
            yield layer + norm + ".weight", (c.hidden,)
    yield "model.norm.weight", (c.hidden,)
    if not c.tied:
        yield "lm_head.weight", (c.vocab, c.hidden)


def make_tensors(c, salt):
    """By the rules of the other fixtures; two of them know a tensor by a name that is another one here."""
    tensors = {}
    for name, shape in tensor_shapes(c):
        known = "e_score_correction_bias" if name.endswith("expert_bias") else "embed_tokens" if "embed" in name else ""
        if c.rule == "spec":
            s = 2 * golden.uniform(name, shape) - 1
            value = 0.3 * s if known.startswith("e_") else s if known else golden.spec_value(name, shape)
        elif known:
            u = golden.uniform(f"{c.name}/{salt}/{name}", shape)
            value = 0.3 * (2 * u - 1) if known.startswith("e_") else golden.bell(f"{c.name}/{salt}/{name}", shape)
        else:
            value = golden.random_value(c, salt, name, shape)
        tensors[name] = torch.from_numpy(value).to(torch.float32)
    return tensors


def vendor_config(c):
    """The keys of the published models, those that change nothing included."""
    per_layer = lambda which: [c.limits.get(i, (0, 0))[which] or (None if i % 2 else 0) for i in range(len(c.layers) + c.ahead)]
    config = {
        "architectures": ["BailingMoeV3ForCausalLM"],
        "dtype": "float32",
        "eos_token_id": 2,
        "expert_swiglu_limit_list": per_layer(0) if c.limits else None,
        "first_k_dense_replace": c.first_dense,
        "gated_attention_proj_granularity_type": "head_wise",
        "group_norm_size": 8,
        "head_dim": c.dim,
        "hidden_act": "silu",
        "hidden_size": c.hidden,
        "intermediate_size": c.dense_width,
        "kda_lower_bound": -5.0,
        "kda_safe_gate": c.safe_gate,
        "kv_lora_rank": c.kv_lora,
        "layer_group_size": c.group,
        "linear_silu": True,
        "max_position_embeddings": 4096,
        "model_type": "bailing_hybrid",
        "moe_intermediate_size": c.expert_width,
        "moe_router_enable_expert_bias": True,
        "moe_shared_expert_intermediate_size": c.expert_width,
        "n_group": c.groups,
        "no_kda_lora": True,
        "norm_topk_prob": True,
        "num_attention_heads": c.heads,
        "num_experts": c.experts,
        "num_experts_per_tok": c.topk,
        "num_hidden_layers": len(c.layers),
        "num_key_value_heads": c.heads,
        "num_nextn_predict_layers": c.ahead,
        "num_shared_experts": 1,
        "pad_token_id": 0,
        "partial_rotary_factor": 0.5,
        "q_lora_rank": c.q_lora or None,
        "qk_nope_head_dim": c.nope,
        "qk_rope_head_dim": c.rope,
        "rms_norm_eps": c.eps,
        "rope_interleave": True,
        "rope_theta": 6000000,
        "routed_scaling_factor": 2.5,
        "router_dtype": "fp32",
        "score_function": "sigmoid",
        "share_expert_swiglu_limit_list": per_layer(1) if c.limits else None,
        "short_conv_kernel_size": c.conv,
        "tie_word_embeddings": c.tied,
        "topk_group": c.topk_groups,
        "topk_method": "noaux_tc",
        "use_kda_lora": False,
        "use_mla_nope": False,
        "use_qk_norm": True,
        "v_head_dim": c.v,
        "vocab_size": c.vocab,
    }
    if not c.group:
        del config["layer_group_size"]
        config["layer_types"] = ["linear_attention" if kind == "K" else "full_attention" for kind in c.layers]
    return config


def limited(gate, up, limit):
    a = F.silu(gate)
    return a.clamp(max=limit) * up.clamp(-limit, limit) if limit else a * up


def limit_activations(c, model):
    for i, (routed, shared) in c.limits.items():
        mlp = model.model.layers[i].mlp

        def experts(self, x, picks, weights, limit=routed):
            out = torch.zeros_like(x)
            for t in range(len(x)):
                for e, w in zip(picks[t].tolist(), weights[t]):
                    gate, up = F.linear(x[t], self.gate_up_proj[e]).chunk(2, dim=-1)
                    out[t] += w * F.linear(limited(gate, up, limit), self.down_proj[e])
            return out

        def together(self, x, limit=shared):
            return self.down_proj(limited(self.gate_proj(x), self.up_proj(x), limit))

        mlp.experts.forward = types.MethodType(experts, mlp.experts)
        mlp.shared_experts.forward = types.MethodType(together, mlp.shared_experts)


def load(c, folder, dtype):
    config = BailingHybridConfig(**{k: v for k, v in json.loads((folder / "config.json").read_text()).items() if k != "rope_interleave"})
    assert [kind[0] for kind in config.layer_types] == ["l" if kind == "K" else "f" for kind in c.layers]
    model, info = BailingHybridForCausalLM.from_pretrained(
        folder, config=config, dtype=dtype, attn_implementation="eager", experts_implementation="eager", output_loading_info=True,
        local_files_only=True)
    missing = set(info["missing_keys"])
    if c.tied:          # transformers 5.24 does not tie this class's weights
        assert missing == {"lm_head.weight"}, missing
        model.lm_head.weight.data.copy_(model.model.embed_tokens.weight.data)
        missing = set()
    assert not missing and not info["unexpected_keys"] and not info["mismatched_keys"], info
    model = model.to(dtype).eval()
    if dtype == torch.float64:      # made in float32, whatever the weights are
        model.model.rotary_emb.inv_freq = 6e6 ** -(torch.arange(0, c.rope, 2, dtype=torch.float64) / c.rope)
    limit_activations(c, model)
    return model


@contextlib.contextmanager
def everything_in_float64():
    with golden.everything_in_float64():
        modeling.torch.float = torch.float64
        yield


def run(c, folder, dtype, salt):
    model = load(c, folder, dtype)
    double = dtype == torch.float64
    with everything_in_float64() if double else contextlib.nullcontext():
        ids = torch.tensor([golden.prompt_tokens(c, salt, model)])

        def step(some, cache):
            return model(some, past_key_values=cache, use_cache=True).logits[0]

        observer = golden.Observer(model)
        cache = DynamicCache(config=model.config)
        prefill = step(ids, cache)
        observer.close()
        states = {i: cache.layers[i].recurrent_states for i, kind in enumerate(c.layers) if kind == "K"}
        states = {i: (s[0] if isinstance(s, (list, dict, tuple)) else s)[0] for i, s in states.items()}

        cache = DynamicCache(config=model.config)
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


def write_checkpoint(c, folder, tensors):
    golden.write_json(folder / "config.json", vendor_config(c))
    golden.save_tensors(folder / "model.safetensors", tensors)


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
