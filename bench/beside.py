#!/usr/bin/env python3
"""klp bench beside llama.cpp's own bench, on the same GGUF files, in turn: medians, and how many times as fast.

    bench/beside.py LLAMA_BENCH FILE.gguf...    LLAMA_BENCH: llama-bench, built for this machine; KLP: the program, build/release/klp without it
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys

KLP = os.environ.get("KLP", str(pathlib.Path(__file__).resolve().parent.parent / "build/release/klp"))
ROUNDS, THREADS, PROMPT, TOKENS, DEPTH = 4, 2, 512, 48, 8192


def asked(*command):
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    return json.loads(done.stdout)


def ours(file, prompt, tokens, depth):
    tests = asked(KLP, "bench", "-m", file, "-t", THREADS, "--prompt", prompt, "--gen", tokens, "--depth", depth, "--repeat", 1, "--json",
                  *(["--synthetic"] if depth else []))["results"]
    return {t["test"]: t["tokens_per_second"] for t in tests}


def theirs(bench, file, prompt, tokens, depth):
    tests = asked(bench, "-m", file, "-t", THREADS, "-ngl", 0, "-p", prompt, "-n", tokens, "-d", depth, "-r", 1, "-o", "json")
    return {"prefill" if t["n_prompt"] else "decode": t["avg_ts"] for t in tests}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    bench, *files = sys.argv[1:]
    print(f"tokens/s of klp and of llama.cpp, {THREADS} threads, medians of {ROUNDS} rounds in turn")
    for file in files:
        rows = {}
        for depth, prompt in ((0, PROMPT), (DEPTH, 0)):
            for _ in range(ROUNDS):
                for who, speeds in (("klp", ours(file, prompt, TOKENS, depth)), ("llama.cpp", theirs(bench, file, prompt, TOKENS, depth))):
                    for test, speed in speeds.items():
                        rows.setdefault((test, depth), {}).setdefault(who, []).append(speed)
        for (test, depth), both in rows.items():
            klp, llama = (statistics.median(both[who]) for who in ("klp", "llama.cpp"))
            print(f"{pathlib.Path(file).stem:12} {test:8} at {depth:5} {klp:8.1f} {llama:8.1f} {klp / llama:6.2f}x", flush=True)


main()
