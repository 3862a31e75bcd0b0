#!/usr/bin/env python3
"""A small vocabulary as Qwen's files have it, and the ids that Hugging Face's tokenizers library gives torture text.

    python make_qwen_tokenizer_golden.py

Writes tokenizer/qwen.json (a tokenizer.json: byte-level BPE with Qwen3.5's pattern and NFC) and tokenizer/qwen-ids.json,
a case a line: under that pattern, and under that of Qwen3-Next where it gives other ids. The texts are those of
make_ling_tokenizer_golden.py, and some in which letters carry marks.
"""
import json
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from make_ling_tokenizer_golden import FOLDER, texts

FRONT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?"
BACK = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = FRONT + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + BACK
QWEN2 = FRONT + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + BACK
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_response>", "</tool_response>"]
MARKED = ["नमस्ते दुनिया", " कि ताब", "שָׁלוֹם עוֹלָם", "x\u0331y", "\u0331\u0331", "!\u0331a", "a\u20dd1", "สวัสดีครับ", "क्षत्रिय'll 12"]


def bare(model, pattern):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    all_texts = [*texts(), *MARKED]
    trained = bare(models.BPE(), QWEN35)
    trained.train_from_iterator(all_texts + MARKED * 4, trainers.BpeTrainer(
        vocab_size=256 + 400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    alphabet = sorted(token for token in model["vocab"] if len(token) == 1)
    merged = sorted(token for token in model["vocab"] if len(token) > 1)
    random.Random(7).shuffle(merged)
    vocab = {token: i for i, token in enumerate(alphabet + merged)}

    both = []
    for pattern in (QWEN35, QWEN2):
        tokenizer = bare(models.BPE(vocab=vocab, merges=merges), pattern)
        tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIALS])
        both.append(tokenizer)
    (FOLDER / "qwen.json").write_text(json.dumps(json.loads(both[0].to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
    cases, others = [], 0
    for text in all_texts:
        if any(name in text for name in SPECIALS):
            continue
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for tokenizer in both]
        case = {"utf8_hex": text.encode().hex(), "ids": ids[0]}
        if ids[1] != ids[0]:
            case["qwen2"], others = ids[1], others + 1
        cases.append(json.dumps(case, separators=(",", ":")))
    (FOLDER / "qwen-ids.json").write_text("[\n" + ",\n".join(cases) + "\n]\n")
    print(len(vocab), "tokens,", len(merges), "merges,", len(cases), "cases,", others, "of them otherwise in Qwen3-Next")


if __name__ == "__main__":
    main()
