#!/usr/bin/env python3
"""Three of hf/qwen* as GGUF files of llama.cpp's architectures qwen35, qwen35moe and qwen3next.

    python make_qwen_gguf_golden.py

Written with llama.cpp's own package, gguf; names, shapes and transformations are those of its converter (conversion/
qwen.py): norms with their 1 added, -exp(A_log), convolutions squeezed, in qwen35* heads of values tiled over those of
keys, in qwen3next the map of beta and the gate grouped as the folder has it; all F32. Two have a block behind the last
that predicts ahead. Not run in llama.cpp.
"""
import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
NAMES = {"input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "post_attention_norm.weight",
         "self_attn.q_proj.weight": "attn_q.weight", "self_attn.k_proj.weight": "attn_k.weight", "self_attn.v_proj.weight": "attn_v.weight",
         "self_attn.o_proj.weight": "attn_output.weight", "self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight",
         "linear_attn.in_proj_qkv.weight": "attn_qkv.weight", "linear_attn.in_proj_z.weight": "attn_gate.weight",
         "linear_attn.in_proj_b.weight": "ssm_beta.weight", "linear_attn.in_proj_a.weight": "ssm_alpha.weight", "linear_attn.in_proj_ba.weight": "ssm_ba.weight",
         "linear_attn.conv1d.weight": "ssm_conv1d.weight", "linear_attn.A_log": "ssm_a", "linear_attn.dt_bias": "ssm_dt.bias",
         "linear_attn.norm.weight": "ssm_norm.weight", "linear_attn.out_proj.weight": "ssm_out.weight",
         "mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
         "mlp.gate.weight": "ffn_gate_inp.weight", "mlp.shared_expert_gate.weight": "ffn_gate_inp_shexp.weight",
         "mlp.shared_expert.gate_proj.weight": "ffn_gate_shexp.weight", "mlp.shared_expert.up_proj.weight": "ffn_up_shexp.weight",
         "mlp.shared_expert.down_proj.weight": "ffn_down_shexp.weight"}


def tiled(c, name, value):
    """Heads of values from grouped to tiled: new head j nk + k is the old head k r + j."""
    nk, nv, K, V = c["linear_num_key_heads"], c["linear_num_value_heads"], c["linear_key_head_dim"], c["linear_value_head_dim"]
    order = np.arange(nv).reshape(nk, nv // nk).T.ravel()

    def rows(x, width):
        return x.reshape(nv, width, *x.shape[1:])[order].reshape(x.shape)

    if name.endswith(("in_proj_qkv.weight", "conv1d.weight")):
        return np.concatenate([value[:2 * nk * K], rows(value[2 * nk * K:], V)])
    if name.endswith("in_proj_z.weight"):
        return rows(value, V)
    if name.endswith(("in_proj_a.weight", "in_proj_b.weight", "A_log", "dt_bias")):
        return rows(value, 1)
    if name.endswith("out_proj.weight"):
        return np.ascontiguousarray(rows(value.T, V).T)
    return value


def apart(c, value):
    """q | k | v and z of a map whose rows are grouped by heads of keys."""
    nk, nv, K, V = c["linear_num_key_heads"], c["linear_num_value_heads"], c["linear_key_head_dim"], c["linear_value_head_dim"]
    r = nv // nk
    groups = value.reshape(nk, 2 * K + 2 * r * V, -1)
    q, k, v, z = np.split(groups, [K, 2 * K, 2 * K + r * V], axis=1)
    flat = [x.reshape(-1, value.shape[1]) for x in (q, k, v, z)]
    return np.concatenate(flat[:3]), np.ascontiguousarray(flat[3])


def tensors(t, c, arch, fused):
    t = {name.replace("model.language_model.", "model."): value for name, value in t.items() if not name.startswith(("mtp.", "model.visual."))}
    yield "token_embd.weight", t["model.embed_tokens.weight"]
    for i in range(c["num_hidden_layers"]):
        ours = {name.removeprefix(f"model.layers.{i}."): value for name, value in t.items() if name.startswith(f"model.layers.{i}.")}
        at = f"blk.{i}."
        if "linear_attn.in_proj_qkvz.weight" in ours:
            ours["linear_attn.in_proj_qkv.weight"], ours["linear_attn.in_proj_z.weight"] = apart(c, ours["linear_attn.in_proj_qkvz.weight"])
        for name, theirs in NAMES.items():
            if name not in ours:
                continue
            value = ours[name] if arch == "qwen3next" else tiled(c, name, ours[name])
            if name.endswith("norm.weight") and "linear_attn" not in name:
                value = value + np.float32(1)
            if name.endswith("A_log"):
                value = -np.exp(value.astype(np.float64)).astype(np.float32)
            if name.endswith(("conv1d.weight", "shared_expert_gate.weight")):
                value = value.squeeze()
            yield at + theirs, np.ascontiguousarray(value)
        if "mlp.gate.weight" not in ours:
            continue
        if "mlp.experts.gate_up_proj" in ours:
            gate, up = np.split(ours["mlp.experts.gate_up_proj"], 2, axis=1)
            down = ours["mlp.experts.down_proj"]
        else:
            gate, up, down = (np.stack([ours[f"mlp.experts.{e}.{x}_proj.weight"] for e in range(c["num_experts"])]) for x in ("gate", "up", "down"))
        if fused:
            yield at + "ffn_gate_up_exps.weight", np.concatenate([gate, up], axis=1)
        else:
            yield at + "ffn_gate_exps.weight", np.ascontiguousarray(gate)
            yield at + "ffn_up_exps.weight", np.ascontiguousarray(up)
        yield at + "ffn_down_exps.weight", down
    yield "output_norm.weight", t["model.norm.weight"] + np.float32(1)
    if "lm_head.weight" in t:
        yield "output.weight", t["lm_head.weight"]


def write(arch, folder, ahead=False, fused=False):
    c = json.loads((HERE / "hf" / folder / "config.json").read_text())
    c = c.get("text_config", c)
    w = gguf.GGUFWriter(str(HERE / f"gguf/{arch}.gguf"), arch)
    rope = c["rope_parameters"]
    layers, D = c["num_hidden_layers"] + ahead, c["hidden_size"]
    numbers = {"block_count": layers, "context_length": c["max_position_embeddings"], "embedding_length": D, "feed_forward_length": c["intermediate_size"],
               "vocab_size": c["vocab_size"], "attention.head_count": c["num_attention_heads"], "attention.head_count_kv": c["num_key_value_heads"],
               "attention.key_length": c["head_dim"], "attention.value_length": c["head_dim"],
               "rope.dimension_count": int(c["head_dim"] * rope["partial_rotary_factor"]), "ssm.conv_kernel": c["linear_conv_kernel_dim"],
               "ssm.state_size": c["linear_key_head_dim"], "ssm.group_count": c["linear_num_key_heads"], "ssm.time_step_rank": c["linear_num_value_heads"],
               "ssm.inner_size": c["linear_num_value_heads"] * c["linear_value_head_dim"], "full_attention_interval": 2}
    if ahead:
        numbers["nextn_predict_layers"] = 1
    if "num_experts" in c:
        numbers |= {"expert_count": c["num_experts"], "expert_used_count": c["num_experts_per_tok"], "expert_feed_forward_length": c["moe_intermediate_size"],
                    "expert_shared_feed_forward_length": c["shared_expert_intermediate_size"]}
    for key, value in numbers.items():
        w.add_uint32(f"{arch}.{key}", value)
    w.add_float32(arch + ".attention.layer_norm_rms_epsilon", c["rms_norm_eps"])
    w.add_float32(arch + ".rope.freq_base", rope["rope_theta"])
    if arch != "qwen3next":
        w.add_array(arch + ".rope.dimension_sections", [1, 1, 0, 0])
    w.add_uint32("tokenizer.ggml.eos_token_id", 2)
    for name, value in tensors(load_file(HERE / "hf" / folder / "model.safetensors"), c, arch, fused):
        w.add_tensor(name, value)
    if ahead:
        at = f"blk.{layers - 1}."
        for name, shape in (("attn_norm.weight", (D,)), ("attn_q.weight", (2 * D, D)), ("nextn.eh_proj.weight", (D, 2 * D)), ("nextn.enorm.weight", (D,))):
            w.add_tensor(at + name, np.ones(shape, np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    write("qwen35", "qwen35-seen", ahead=True)
    write("qwen35moe", "qwen35moe-apart", ahead=True, fused=True)
    write("qwen3next", "qwen3next-stacked")
