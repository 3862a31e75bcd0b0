#!/usr/bin/env python3
"""A small vocabulary as Ling's files have it, and the ids that Hugging Face's tokenizers library gives torture text.

    python make_ling_tokenizer_golden.py

Writes tokenizer/ling.json (a tokenizer.json: byte-level BPE with Ling's pattern and NFC) and tokenizer/ling-ids.json, a
case a line. The texts are those of tokenizer/torture.json that NFC leaves as they are. Ids of merged tokens are shuffled,
so that they say nothing of the order of merges.
"""
import json
import random
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

FOLDER = Path(__file__).resolve().parent / "tokenizer"
# First match wins; the library's own regular expressions.
PATTERN = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "[CLS]", "[gMASK]", "<|role_end|>", "<role>", "</role>", "<think>", "</think>"]


def texts():
    seen = dict.fromkeys(bytes.fromhex(case["utf8_hex"]) for case in json.loads((FOLDER / "torture.json").read_text()))
    for raw in seen:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            continue
        if unicodedata.normalize("NFC", text) == text and len(raw) <= 160:
            yield text


def bare(model):
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    all_texts = list(texts())
    trained = bare(models.BPE())
    trained.train_from_iterator(all_texts, trainers.BpeTrainer(vocab_size=256 + 400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                                               show_progress=False))
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    alphabet = sorted(token for token in model["vocab"] if len(token) == 1)
    merged = sorted(token for token in model["vocab"] if len(token) > 1)
    random.Random(7).shuffle(merged)
    vocab = {token: i for i, token in enumerate(alphabet + merged)}

    tokenizer = bare(models.BPE(vocab=vocab, merges=merges))
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIALS])
    (FOLDER / "ling.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
    cases = [json.dumps({"utf8_hex": text.encode().hex(), "ids": tokenizer.encode(text, add_special_tokens=False).ids}, separators=(",", ":"))
             for text in all_texts if not any(name in text for name in SPECIALS)]
    (FOLDER / "ling-ids.json").write_text("[\n" + ",\n".join(cases) + "\n]\n")
    print(len(vocab), "tokens,", len(merges), "merges,", len(cases), "cases")


if __name__ == "__main__":
    main()
