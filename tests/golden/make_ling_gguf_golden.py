#!/usr/bin/env python3
"""hf/ling-limits as a GGUF file of llama.cpp's architecture bailingmoe3, with a block behind the last that predicts ahead.

    python make_ling_gguf_golden.py

Written with llama.cpp's own package, gguf; names, shapes and transformations are those of its converter (conversion/
bailingmoe3.py): +exp(A_log), kv_b in its halves with that of the keys turned round, experts stacked, all F32.
"""
import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "hf/ling-limits"
KDA = {"attention.q_proj.weight": "attn_q.weight", "attention.k_proj.weight": "attn_k.weight", "attention.v_proj.weight": "attn_v.weight",
       "attention.f_proj.weight": "ssm_f_a.weight", "attention.g_proj.weight": "ssm_g_a.weight", "attention.b_proj.weight": "ssm_beta.weight",
       "attention.dt_bias": "ssm_dt.bias", "attention.o_norm.weight": "ssm_norm.weight", "attention.o_proj.weight": "attn_output.weight"}
MLA = {"attention.q_a_proj.weight": "attn_q_a.weight", "attention.q_a_layernorm.weight": "attn_q_a_norm.weight",
       "attention.q_b_proj.weight": "attn_q_b.weight", "attention.kv_a_proj_with_mqa.weight": "attn_kv_a_mqa.weight",
       "attention.kv_a_layernorm.weight": "attn_kv_a_norm.weight", "attention.g_proj.weight": "attn_gate.weight",
       "attention.dense.weight": "attn_output.weight"}
BOTH = {"input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
        "mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
        "mlp.gate.weight": "ffn_gate_inp.weight", "mlp.gate.expert_bias": "exp_probs_b.bias",
        "mlp.shared_experts.gate_proj.weight": "ffn_gate_shexp.weight", "mlp.shared_experts.up_proj.weight": "ffn_up_shexp.weight",
        "mlp.shared_experts.down_proj.weight": "ffn_down_shexp.weight"}


def tensors(t, c):
    H, nope, V = c["num_attention_heads"], c["qk_nope_head_dim"], c["v_head_dim"]
    yield "token_embd.weight", t["model.word_embeddings.weight"]
    for i in range(c["num_hidden_layers"]):
        ours = {name.removeprefix(f"model.layers.{i}."): value for name, value in t.items() if name.startswith(f"model.layers.{i}.")}
        at = f"blk.{i}."
        for name, theirs in (BOTH | (KDA if "attention.A_log" in ours else MLA)).items():
            if name in ours:
                yield at + theirs, ours[name]
        if "attention.A_log" in ours:
            for x in "qkv":
                yield at + f"ssm_conv1d_{x}.weight", ours[f"attention.{x}_conv1d.weight"].reshape(1, -1, 1, 4)
            yield at + "ssm_a", np.exp(ours["attention.A_log"].astype(np.float64)).astype(np.float32).reshape(-1, 1)
        else:
            kv = ours["attention.kv_b_proj.weight"].reshape(H, nope + V, -1)
            yield at + "attn_k_b.weight", np.ascontiguousarray(kv[:, :nope].transpose(0, 2, 1))
            yield at + "attn_v_b.weight", np.ascontiguousarray(kv[:, nope:])
        if "mlp.gate.weight" in ours:
            for x in ("gate", "up", "down"):
                yield at + f"ffn_{x}_exps.weight", np.stack([ours[f"mlp.experts.{e}.{x}_proj.weight"] for e in range(c["num_experts"])])
    at, D = f"blk.{c['num_hidden_layers']}.", c["hidden_size"]
    for name, shape in (("attn_norm.weight", (D,)), ("nextn.eh_proj.weight", (D, 2 * D)), ("nextn.enorm.weight", (D,)), ("nextn.hnorm.weight", (D,))):
        yield at + name, np.ones(shape, np.float32)
    yield "output_norm.weight", t["model.norm.weight"]
    yield "output.weight", t["lm_head.weight"]


def main():
    c = json.loads((SOURCE / "config.json").read_text())
    w = gguf.GGUFWriter(str(HERE / "gguf/ling.gguf"), "bailingmoe3")
    a, layers = "bailingmoe3.", c["num_hidden_layers"] + 1
    mla = [int((i + 1) % c["layer_group_size"] == 0) for i in range(layers - 1)] + [1]
    for key, value in {"block_count": layers, "context_length": c["max_position_embeddings"], "embedding_length": c["hidden_size"],
                       "feed_forward_length": c["intermediate_size"], "vocab_size": c["vocab_size"], "attention.head_count": c["num_attention_heads"],
                       "rope.dimension_count": c["qk_rope_head_dim"], "attention.key_length": c["kv_lora_rank"] + c["qk_rope_head_dim"],
                       "attention.value_length": c["head_dim"], "attention.key_length_mla": c["qk_nope_head_dim"] + c["qk_rope_head_dim"],
                       "attention.value_length_mla": c["v_head_dim"], "attention.kv_lora_rank": c["kv_lora_rank"], "attention.q_lora_rank": c["q_lora_rank"],
                       "ssm.conv_kernel": 4, "kda.head_dim": c["head_dim"], "expert_count": c["num_experts"], "expert_used_count": c["num_experts_per_tok"],
                       "expert_group_count": c["n_group"], "expert_group_used_count": c["topk_group"], "expert_gating_func": 2,
                       "expert_feed_forward_length": c["moe_intermediate_size"],
                       "expert_shared_feed_forward_length": c["moe_shared_expert_intermediate_size"], "expert_shared_count": 1,
                       "leading_dense_block_count": c["first_k_dense_replace"], "nextn_predict_layers": 1}.items():
        w.add_uint32(a + key, value)
    for key, value in {"attention.layer_norm_rms_epsilon": c["rms_norm_eps"], "rope.freq_base": c["rope_theta"], "kda.gate_lower_bound": c["kda_lower_bound"],
                       "expert_weights_scale": c["routed_scaling_factor"]}.items():
        w.add_float32(a + key, value)
    w.add_bool(a + "expert_weights_norm", True)
    w.add_bool(a + "kda.safe_gate", True)
    w.add_array(a + "attention.head_count_kv", mla)
    w.add_array(a + "swiglu_clamp_exp", [float(x or 0) for x in c["expert_swiglu_limit_list"]] + [0.0])
    w.add_array(a + "swiglu_clamp_shexp", [float(x or 0) for x in c["share_expert_swiglu_limit_list"]] + [0.0])
    w.add_array(a + "rope.dimension_sections", [0, 0, 0, 0])
    w.add_uint32("tokenizer.ggml.eos_token_id", 2)
    for name, value in tensors(load_file(SOURCE / "model.safetensors"), c):
        w.add_tensor(name, value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    main()
