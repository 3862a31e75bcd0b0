"""Blocks of every block format and what the gguf package makes of them: blocks/blocks.safetensors.

    venv/bin/python make_blocks_golden.py             # writes it
    venv/bin/python make_blocks_golden.py --check     # recomputes and compares, writes nothing

For each type T: `T.blocks` U8 [n, bytes]; `T.values` F32 [m, values], the first m of them decoded; `T.hashes` U8 [n, 8], FNV-1a (64 bits, little-endian) of the
bytes of every block's decoded values. There is one block for each scale in SCALES, then random ones: enough for every place of the codebooks.
"""
import struct
import sys
from pathlib import Path

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from safetensors.numpy import save

OUT = Path(__file__).parent / "blocks" / "blocks.safetensors"

# Halves: both zeros, the smallest and largest subnormal, the smallest normal, 1, -1, the largest, its negative, and two ordinary ones.
SCALES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x2A66, 0x9123]

HALVES = {  # where the halves of a block are
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "IQ4_NL": [0], "MXFP4": [],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_XS": [0],
    "IQ3_S": [0], "IQ3_XXS": [0], "IQ2_S": [0], "IQ2_XS": [0], "IQ2_XXS": [0], "IQ1_M": None, "IQ1_S": [0],
}
# Blocks: those of 2048, 1024 and 512 places are many.
COUNT = {"IQ1_M": 64, "IQ1_S": 640, "IQ2_S": 320, "IQ2_XS": 160, "IQ3_S": 80}


def random_bytes(seed, n):  # splitmix64
    words = np.arange(1, n // 8 + 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed * 1000003)
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (words ^ (words >> np.uint64(31))).view(np.uint8)[:n]


def put_half(blocks, i, name, which, half):
    if HALVES[name] is None:  # iq1_m: a nibble on top of each of four u16
        for k in range(4):
            at = 48 + 2 * k + 1
            blocks[i, at] = blocks[i, at] & 0x0F | (half >> 4 * k & 15) << 4
    elif which < len(HALVES[name]):
        at = HALVES[name][which]
        blocks[i, at], blocks[i, at + 1] = half & 255, half >> 8


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return h


def tensors():
    out = {}
    for number, name in enumerate(HALVES):
        qtype = GGMLQuantizationType[name]
        size, bytes_ = GGML_QUANT_SIZES[qtype]
        n = COUNT.get(name, 32 if size == 256 else 64)
        blocks = random_bytes(number + 1, n * bytes_).reshape(n, bytes_).copy()
        ordinary = random_bytes(number + 101, 4 * n).view(np.uint16)
        for i in range(n):
            for which in range(2):
                half = int(ordinary[2 * i + which]) & 0xBFFF  # of size 2 at the most
                if i < len(SCALES):
                    half = SCALES[(i + 3 * which) % len(SCALES)]
                put_half(blocks, i, name, which, half)
        if name == "MXFP4":  # every exponent that is one, the two subnormal ones in front
            blocks[:, 0] = [0, 1, 2, 127, 128, 254, 255] + [(37 * i) % 256 for i in range(n - 7)]
        with np.errstate(over="ignore"):
            values = quants.dequantize(blocks, qtype).astype(np.float32).reshape(n, size)
        assert name == "MXFP4" or np.isfinite(values).all(), name  # 12 times 2^127 is none
        m = 2 if size == 256 else 12
        low = name.lower()
        out[low + ".blocks"] = blocks
        out[low + ".values"] = values[:m].copy()
        out[low + ".hashes"] = np.array([list(struct.pack("<Q", fnv1a(v.tobytes()))) for v in values], dtype=np.uint8)
    return out


data = save(tensors())
if "--check" in sys.argv:
    if OUT.read_bytes() != data:
        sys.exit(f"{OUT} is not what this script makes")
else:
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(data)
print(f"{len(data)} bytes")
