#!/usr/bin/env python3
"""A tiny random Kimi Linear model as folders of safetensors and as GGUF files in several types and layouts.

    python make_gguf_golden.py [--out gguf] [--llama]

The GGUF files are written by the PyPI package gguf (llama.cpp's own), the folders by a few lines here; nothing of this
project takes part. --llama also asks llama.cpp (PyPI cyllama) for logits and ids of the files that it computes rightly,
and writes llama.json.

Weights are a function of the tensor's name: splitmix64 seeded by FNV-1a, rounded to bf16 and to multiples of 2^-14, so
that bf16, f16 and f32 hold the same numbers.
"""
import argparse
import base64
import json
import struct
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).resolve().parent
F32 = gguf.GGMLQuantizationType.F32

EPS = 1e-6  # one number for all norms: llama.cpp has no other for latents, q and k
PROMPT = [66, 1, 300, 17, 345, 99, 255, 0, 128, 64, 32, 11, 200, 7, 310, 42, 42, 5]


class Shape:
    """Named as in config.json; layers is one letter each, the first of them dense."""

    def __init__(self, layers, hidden, heads, kda_dim, latent, nope, rope, value, dense, experts, top, width):
        self.layers, self.hidden, self.heads, self.kda_dim = layers, hidden, heads, kda_dim
        self.latent, self.nope, self.rope, self.value = latent, nope, rope, value
        self.dense, self.experts, self.top, self.width = dense, experts, top, width


TINY = Shape("KKM", 32, 2, 32, 32, 32, 16, 32, 64, 3, 2, 32)
WIDE = Shape("KM", 256, 2, 32, 32, 32, 16, 32, 32, 2, 1, 32)  # rows of 256, as K-quants need

# --- weights ---------------------------------------------------------------------------------------------------------


def to_bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(b):
    return (b.astype(np.uint32) << 16).view(np.float32)


def uniform(name, n):
    """n numbers in (-1, 1)."""
    seed = np.uint64(0xCBF29CE484222325)
    with np.errstate(over="ignore"):
        for c in name.encode():
            seed = (seed ^ np.uint64(c)) * np.uint64(0x100000001B3)
        z = seed + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return 2 * ((z >> np.uint64(11)).astype(np.float64) * 2.0**-53) - 1


def decay(n, name):
    """A_log that 32 bits get back from -exp(A_log): the nearest logarithm of what its exponential is."""
    a_log = (1.4 + 1.3 * uniform(name, n)).astype(np.float32)
    for _ in range(20):
        rate = np.exp(a_log.astype(np.float64)).astype(np.float32)
        again = np.log(rate.astype(np.float64)).astype(np.float32)
        if np.array_equal(again, a_log):
            return a_log
        a_log = again
    raise SystemExit("A_log does not settle")


def values(name, shape):
    n = int(np.prod(shape))
    if name.endswith("A_log"):
        return decay(n, name).reshape(shape)
    s = uniform(name, n)
    if name.endswith("e_score_correction_bias"):
        s = 0.3 * s
    elif name.endswith("dt_bias"):
        s = 2 * s - 2
    elif "norm" in name:
        s = 1 + 0.1 * s
    elif "conv1d" in name or "embed_tokens" in name:
        pass
    else:
        s = s * 1.5 * np.sqrt(3 / shape[-1])
    return from_bf16(to_bf16(np.round(s * 2**14) / 2**14)).reshape(shape)


def tensors_of(c):
    """(vendor's name, values) in the order of the vendor's files."""
    D, H, K, L = c.hidden, c.heads, c.kda_dim, c.latent
    HK = H * K

    def one(name, *shape):
        return name, values(name, shape)

    yield one("model.embed_tokens.weight", vocabulary(), D)
    for i, kind in enumerate(c.layers):
        at = f"model.layers.{i}."
        attn, moe, mlp = at + "self_attn.", at + "block_sparse_moe.", at + "mlp."
        yield one(at + "input_layernorm.weight", D)
        if kind == "K":
            for x in "qkv":
                yield one(attn + x + "_proj.weight", HK, D)
            for x in "qkv":
                yield one(attn + x + "_conv1d.weight", HK, 1, 4)
            yield one(attn + "A_log", 1, 1, H, 1)
            yield one(attn + "dt_bias", HK)
            yield one(attn + "f_a_proj.weight", K, D)
            yield one(attn + "f_b_proj.weight", HK, K)
            yield one(attn + "b_proj.weight", H, D)
            yield one(attn + "g_a_proj.weight", K, D)
            yield one(attn + "g_b_proj.weight", HK, K)
            yield one(attn + "o_norm.weight", K)
            yield one(attn + "o_proj.weight", D, HK)
        else:
            yield one(attn + "q_proj.weight", H * (c.nope + c.rope), D)
            yield one(attn + "kv_a_proj_with_mqa.weight", L + c.rope, D)
            yield one(attn + "kv_a_layernorm.weight", L)
            yield one(attn + "kv_b_proj.weight", H * (c.nope + c.value), L)
            yield one(attn + "o_proj.weight", D, H * c.value)
        yield one(at + "post_attention_layernorm.weight", D)
        if i == 0:
            yield one(mlp + "gate_proj.weight", c.dense, D)
            yield one(mlp + "up_proj.weight", c.dense, D)
            yield one(mlp + "down_proj.weight", D, c.dense)
            continue
        yield one(moe + "gate.weight", c.experts, D)
        yield one(moe + "gate.e_score_correction_bias", c.experts)
        for name in [f"experts.{e}." for e in range(c.experts)] + ["shared_experts."]:
            w1, w3, w2 = ("gate_proj", "up_proj", "down_proj") if "shared" in name else ("w1", "w3", "w2")
            yield one(moe + name + w1 + ".weight", c.width, D)
            yield one(moe + name + w3 + ".weight", c.width, D)
            yield one(moe + name + w2 + ".weight", D, c.width)
    yield one("model.norm.weight", D)
    yield one("lm_head.weight", vocabulary(), D)


def is_matrix(name, shape):
    """What a quantiser touches; the router stays F32."""
    return len(shape) == 2 and not name.endswith("block_sparse_moe.gate.weight")


# --- vocabulary: the first ranks of the torture text's, and control tokens behind them as Kimi has them ----------------

RANKS = [base64.b64decode(line.split()[0]) for line in (HERE / "tokenizer/torture.tiktoken").read_text().splitlines()[:340]]
SPECIALS = ["[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|reserved_token_5|>", "[EOT]", "<|im_system|>",
            "<|tool_calls_section_begin|>", "<|im_middle|>", "[UNK]", "[PAD]"]


def vocabulary():
    return len(RANKS) + len(SPECIALS)


def spelled(token):
    """GPT-2's printable characters for bytes."""
    itself = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in itself]
    return "".join(chr(b) if b in itself else chr(256 + others.index(b)) for b in token)


def merges():
    """Of each token that merges make, the last one: byte pair encoding with the ranks below its own."""
    rank = {token: i for i, token in enumerate(RANKS)}
    found = []
    for token, own in rank.items():
        parts = [token[i:i + 1] for i in range(len(token))]
        while len(parts) > 2:
            best = min(range(len(parts) - 1), key=lambda i: rank.get(parts[i] + parts[i + 1], own))
            if rank.get(parts[best] + parts[best + 1], own) >= own:
                break
            parts[best:best + 2] = [parts[best] + parts[best + 1]]
        if len(parts) == 2:
            found.append(" ".join(map(spelled, parts)))
    return found


# Our wording of Kimi's format, cut to what a small file needs.
TEMPLATE = ("{%- for m in messages -%}{%- if m.role == 'user' -%}<|im_user|>{%- elif m.role == 'assistant' -%}<|im_assistant|>{%- else -%}"
            "<|im_system|>{%- endif -%}{{ m.role }}<|im_middle|>{{ m.content }}<|im_end|>{%- endfor -%}"
            "{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}")

# --- folders -----------------------------------------------------------------------------------------------------------


def config(c):
    kda = [i + 1 for i, kind in enumerate(c.layers) if kind == "K"]
    return {
        "architectures": ["KimiLinearForCausalLM"], "model_type": "kimi_linear", "vocab_size": vocabulary(), "hidden_size": c.hidden,
        "num_hidden_layers": len(c.layers), "num_attention_heads": c.heads, "num_key_value_heads": c.heads, "hidden_act": "silu",
        "rms_norm_eps": EPS, "tie_word_embeddings": False, "model_max_length": 512,
        "linear_attn_config": {"num_heads": c.heads, "head_dim": c.kda_dim, "short_conv_kernel_size": 4, "kda_layers": kda,
                               "full_attn_layers": [i + 1 for i in range(len(c.layers)) if i + 1 not in kda]},
        "q_lora_rank": None, "kv_lora_rank": c.latent, "qk_nope_head_dim": c.nope, "qk_rope_head_dim": c.rope, "v_head_dim": c.value,
        "mla_use_nope": True, "intermediate_size": c.dense, "num_experts": c.experts, "num_experts_per_token": c.top,
        "num_shared_experts": 1, "moe_intermediate_size": c.width, "moe_router_activation_func": "sigmoid", "moe_renormalize": True,
        "routed_scaling_factor": 1.75, "num_expert_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "moe_layer_freq": 1,
        "bos_token_id": len(RANKS), "eos_token_id": len(RANKS) + 2, "pad_token_id": vocabulary() - 1}


def write_folder(folder, c, kind):
    folder.mkdir(parents=True, exist_ok=True)
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, v in tensors_of(c):
        shape, dtype = list(v.shape), "F32"
        if kind == "q8_0" and is_matrix(name, v.shape):
            raw = gguf.quants.quantize(v, gguf.GGMLQuantizationType.Q8_0)
            header["__metadata__"][name] = "q8_0"
            dtype, shape, raw = "U8", list(raw.shape), raw.tobytes()
        elif kind == "bf16" and not name.endswith(("A_log", "dt_bias", "correction_bias")):
            dtype, raw = "BF16", to_bf16(v).tobytes()
        else:
            raw = v.tobytes()
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps(config(c), indent=2) + "\n")
    (folder / "tiktoken.model").write_text("".join(f"{base64.b64encode(t).decode()} {i}\n" for i, t in enumerate(RANKS)))
    added = {str(len(RANKS) + i): {"content": s, "special": True} for i, s in enumerate(SPECIALS)}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added, "eos_token": "<|im_end|>"}, indent=1) + "\n")


# --- GGUF --------------------------------------------------------------------------------------------------------------

NAMES = {
    "input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight", "self_attn.k_proj.weight": "attn_k.weight", "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.q_conv1d.weight": "ssm_conv1d_q.weight", "self_attn.k_conv1d.weight": "ssm_conv1d_k.weight",
    "self_attn.v_conv1d.weight": "ssm_conv1d_v.weight", "self_attn.A_log": "ssm_a", "self_attn.dt_bias": "ssm_dt.bias",
    "self_attn.f_a_proj.weight": "ssm_f_a.weight", "self_attn.f_b_proj.weight": "ssm_f_b.weight", "self_attn.b_proj.weight": "ssm_beta.weight",
    "self_attn.g_a_proj.weight": "ssm_g_a.weight", "self_attn.g_b_proj.weight": "ssm_g_b.weight", "self_attn.o_norm.weight": "ssm_norm.weight",
    "self_attn.o_proj.weight": "attn_output.weight", "self_attn.kv_a_proj_with_mqa.weight": "attn_kv_a_mqa.weight",
    "self_attn.kv_a_layernorm.weight": "attn_kv_a_norm.weight", "self_attn.kv_b_proj.weight": "attn_kv_b.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
    "block_sparse_moe.gate.weight": "ffn_gate_inp.weight", "block_sparse_moe.gate.e_score_correction_bias": "exp_probs_b.bias",
    "block_sparse_moe.shared_experts.gate_proj.weight": "ffn_gate_shexp.weight", "block_sparse_moe.shared_experts.up_proj.weight": "ffn_up_shexp.weight",
    "block_sparse_moe.shared_experts.down_proj.weight": "ffn_down_shexp.weight"}
WHOLE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
EXPERTS = {"w1": "ffn_gate_exps.weight", "w3": "ffn_up_exps.weight", "w2": "ffn_down_exps.weight"}


def gguf_tensors(c, legacy, fused, ones):
    """(GGUF name, values, whether a quantiser takes it). ones: trailing dimensions of 1, as converters leave and quantisers drop them."""
    stacks, rows = {}, {}
    for name, v in tensors_of(c):
        matrix = is_matrix(name, v.shape)
        if name in WHOLE:
            yield WHOLE[name], v, matrix
            continue
        layer, rest = name.removeprefix("model.layers.").split(".", 1)
        at = f"blk.{layer}."
        kda = c.layers[int(layer)] == "K"
        if ".experts." in rest:
            _, _, e, w, _ = rest.split(".")
            stack = stacks.setdefault((layer, w), [])
            stack.append(v)
            if len(stack) == c.experts:
                yield at + EXPERTS[w], np.stack(stack), True
        elif rest == "self_attn.A_log":
            a = -np.exp(v.astype(np.float64)).astype(np.float32)
            yield at + NAMES[rest], a.reshape((1, c.heads, 1) if ones else (c.heads, 1)), False
        elif "conv1d" in rest:
            yield at + NAMES[rest], v.reshape((1, -1, 1, 4) if ones else (-1, 1, 4)), False
        elif rest == "self_attn.kv_b_proj.weight" and not legacy:
            b = v.reshape(c.heads, c.nope + c.value, c.latent)
            yield at + "attn_k_b.weight", np.ascontiguousarray(b[:, :c.nope].transpose(0, 2, 1)), True
            yield at + "attn_v_b.weight", np.ascontiguousarray(b[:, c.nope:]), True
        elif fused and kda and rest in ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"):
            rows.setdefault(layer, []).append(v)
            if len(rows[layer]) == 3:
                yield at + "attn_qkv.weight", np.concatenate(rows[layer]), True
        else:
            yield at + NAMES[rest], v, matrix


def write_gguf(path, c, type_of, legacy, file_type, fused=False, ones=True, merges_too=True, parts=1):
    """type_of(name, row length): the type of what a quantiser takes."""
    every = list(gguf_tensors(c, legacy, fused, ones))
    for part in range(parts):
        name = path if parts == 1 else path.with_name(f"{path.stem}-{part + 1:05}-of-{parts:05}.gguf")
        w = gguf.GGUFWriter(str(name), "kimi-linear")
        if parts > 1:
            w.add_uint16("split.no", part)
            w.add_uint16("split.count", parts)
            w.add_int32("split.tensors.count", len(every))
        if part == 0:
            add_metadata(w, c, legacy, file_type, merges_too)
        for tensor, v, quantised in every[part * len(every) // parts:(part + 1) * len(every) // parts]:
            t = type_of(tensor, v.shape[-1]) if quantised else F32
            if t == F32:
                w.add_tensor(tensor, v.astype(np.float32))
            elif t.name in DRAWN:
                w.add_tensor(tensor, drawn_blocks(tensor, v.shape, t.name), raw_dtype=t)
            else:
                w.add_tensor(tensor, gguf.quants.quantize(v, t), raw_dtype=t)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()


def add_metadata(w, c, legacy, file_type, merges_too):
    a = "kimi-linear."
    w.add_type("model")
    w.add_name("Tiny Kimi Linear")
    w.add_file_type(file_type)
    w.add_quantization_version(2)
    for key, n in [("block_count", len(c.layers)), ("context_length", 512), ("embedding_length", c.hidden), ("feed_forward_length", c.dense),
                   ("vocab_size", vocabulary()), ("attention.head_count", c.heads), ("attention.key_length", c.latent + c.rope),
                   ("attention.value_length", 99), ("attention.kv_lora_rank", c.latent), ("rope.dimension_count", c.rope), ("ssm.conv_kernel", 4),
                   ("kda.head_dim", c.kda_dim), ("expert_count", c.experts), ("expert_used_count", c.top), ("expert_shared_count", 1),
                   ("expert_feed_forward_length", c.width), ("leading_dense_block_count", 1), ("expert_gating_func", 2), ("expert_group_used_count", 1)]:
        w.add_uint32(a + key, n)
    if not legacy:
        w.add_uint32(a + "attention.key_length_mla", c.nope + c.rope)
        w.add_uint32(a + "attention.value_length_mla", c.value)
    w.add_array(a + "attention.head_count_kv", [0 if kind == "K" else c.heads if legacy else 1 for kind in c.layers])
    w.add_float32(a + "attention.layer_norm_rms_epsilon", EPS)
    w.add_float32(a + "expert_weights_scale", 1.75)
    w.add_float32(a + "rope.freq_base", 10000.0)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("kimi-k2")
    w.add_token_list([spelled(t) for t in RANKS] + SPECIALS)
    w.add_token_types([1] * len(RANKS) + [3] * len(SPECIALS))
    if merges_too:
        w.add_token_merges(merges())
    w.add_bos_token_id(len(RANKS))
    w.add_eos_token_id(len(RANKS) + 2)
    w.add_pad_token_id(vocabulary() - 1)
    w.add_chat_template(TEMPLATE)


# Bytes of a block, and where its halves lie: the package reads these types and does not write them, so their blocks are drawn.
DRAWN = {"Q4_K": (144, {0: 1 / 256, 2: 1 / 32}), "Q5_K": (176, {0: 1 / 512, 2: 1 / 32}), "Q6_K": (210, {208: 1 / 1024})}


def drawn_blocks(name, shape, kind):
    """Random blocks whose numbers are about as large as a matrix's."""
    size, halves = DRAWN[kind]
    n = int(np.prod(shape)) // 256
    blocks = ((uniform(name, n * size) + 1) * 128).astype(np.uint8).reshape(n, size)
    for at, scale in halves.items():
        d = np.full(n, 1.5 * np.sqrt(3 / shape[-1]) * scale, np.float16)
        blocks[:, at:at + 2] = d.view(np.uint8).reshape(n, 2)
    return blocks.reshape(*shape[:-1], -1)


def k_quants(name, row):
    """A mix such as llama.cpp's: the type differs from tensor to tensor, and short rows cannot have blocks of 256."""
    T = gguf.GGMLQuantizationType
    if row % 256:
        return T.Q8_0 if "down" in name else T.Q5_0
    return T.Q6_K if name == "output.weight" or "attn_v" in name else T.Q5_K if "attn" in name else T.Q4_K


# --- llama.cpp -----------------------------------------------------------------------------------------------------------


def ask_llama(file, text):
    """Logits of the last token, the best id of every token, and the ids of a text."""
    import cyllama.llama.llama_cpp as llama

    class Model(llama.LlamaModel):
        n_vocab = vocabulary()  # get_logits_ith asks for it

    llama.ggml_backend_load_all()
    how, where = llama.LlamaModelParams(), llama.LlamaContextParams()
    how.n_gpu_layers = 0
    where.n_ctx = where.n_batch = 64
    where.n_threads = 1
    where.type_k = where.type_v = where.flash_attn_type = 0  # a cache of f32, no flash attention
    model = Model(str(file), how)
    context = llama.LlamaContext(model, where)
    batch = llama.LlamaBatch(n_tokens=64, embd=0, n_seq_max=1)
    batch.add_sequence(PROMPT, 0, True)
    if context.decode(batch) != 0:
        raise SystemExit(f"{file}: llama.cpp did not decode")
    rows = [np.array(context.get_logits_ith(i)) for i in range(len(PROMPT))]
    return {"tokens": PROMPT, "logits": [float(f"{x:.9g}") for x in rows[-1]], "best": [int(r.argmax()) for r in rows],
            "text": text, "ids": model.get_vocab().tokenize(text, False, False)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "gguf")
    parser.add_argument("--llama", action="store_true")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    T, F = gguf.GGMLQuantizationType, gguf.LlamaFileType
    write_folder(out / "bf16", TINY, "bf16")
    write_folder(out / "q8_0", TINY, "q8_0")
    write_gguf(out / "legacy-bf16.gguf", TINY, lambda *_: T.BF16, True, F.MOSTLY_BF16)
    write_gguf(out / "legacy-q8_0.gguf", TINY, lambda *_: T.Q8_0, True, F.MOSTLY_Q8_0, fused=True, ones=False, merges_too=False)
    write_gguf(out / "split.gguf", TINY, lambda *_: T.F32, False, F.ALL_F32, parts=2)
    write_gguf(out / "mixed.gguf", WIDE, k_quants, False, F.MOSTLY_Q4_K_M)  # trained on nothing, so drawn blocks serve
    if arguments.llama:
        text = "Straße, 12345 camelCase: \"don't\" hahaha 你好吗 😀\n\n  x"
        answers = {name: ask_llama(out / name, text) for name in ("split-00001-of-00002.gguf", "mixed.gguf")}
        (out / "llama.json").write_text(json.dumps(answers, indent=None).replace('"logits"', '\n"logits"').replace('"text"', '\n"text"') + "\n")


if __name__ == "__main__":
    main()
