#!/usr/bin/env python3
"""Looks at a GPU's machine code: a loop that streams weights must have more than one load on its way.

    loads.py FILE    a cubin, an object or an archive with CUDA kernels

A decoded token is bound by loads of weights, and a compiler may wait for each of them before it asks for the next (a branch between two loads is enough):
results stay right, and only a GPU would tell. So every loop of the kernels named below with 16-byte loads of read-only memory is walked round: from a load to
the first instruction that waits for it another such load must go out, for half of them at least. Kernels that choose among types are not looked at. An instruction's control word says which of six barriers a load
sets and which of them an instruction waits for (bits 41 on of its 128: stall 4, yield 1, set 3, read 3, wait 6). Without cuobjdump, or without a file, the check
is skipped (77) and says why.
"""
import re
import shutil
import subprocess
import sys

KERNELS = {"few_rows": 7, "gate_up": 7, "down": 7, "absorb_kernel": 2}  # and in how many of each such a loop must be found
CHOOSING = re.compile(r"5DTypeE(?:5|21)E")  # kBlocks and kMixed (device.h)
INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;\s+/\* (0x[0-9a-f]+) \*/")
SECOND_HALF = re.compile(r"^\s+/\* (0x[0-9a-f]+) \*/")
LOAD = re.compile(r"\bLDG\.E\S*\.128\S*\.CONSTANT")


def functions(dump):
    """Name -> [(address, text, barrier that it sets or 7, barriers that it waits for)]"""
    found, name, arch, first = {}, None, "", None
    for line in dump.splitlines():
        if match := re.search(r"^arch = (\S+)", line):
            arch = match[1]
        elif match := re.search(r"Function : (\S+)", line):
            name = f"{match[1]} {arch}"
            found[name] = []
        elif match := INSTRUCTION.match(line):
            first = (int(match[1], 16), match[2])
        elif first and name and (match := SECOND_HALF.match(line)):
            control = int(match[1], 16) >> 41
            found[name].append((*first, control >> 5 & 7, control >> 11 & 63))
            first = None
    return found


def loops(code):
    """Innermost loops, as ranges of places in the code."""
    place = {address: i for i, (address, *_) in enumerate(code)}
    all_loops = []
    for i, (address, text, *_) in enumerate(code):
        match = re.search(r"\bBRA\S*\s+(?:\S+,\s*)?`?\(?(?:\.L_x_\d+\)?|0x([0-9a-f]+))", text)
        if match and match[1] and (target := place.get(int(match[1], 16))) is not None and target < i:
            all_loops.append((target, i))
    return [a for a in all_loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in all_loops)]


def alone(code, first, last):
    """Loads of a loop, and how many of them are waited for before another one goes out."""
    body = code[first : last + 1]
    loads = [i for i, (_, text, barrier, _) in enumerate(body) if LOAD.search(text) and barrier != 7]
    count = 0
    for i in loads:
        between = 0
        for step in range(1, len(body) + 1):
            _, text, _, waits = body[(i + step) % len(body)]
            if waits >> body[i][2] & 1:
                count += between == 0
                break
            between += (i + step) % len(body) in loads
    return len(loads), count


def main():
    if len(sys.argv) < 2 or not sys.argv[1]:
        print("skipped: built without CUDA")
        return 77
    tool = shutil.which("cuobjdump")
    if not tool:
        print("skipped: no cuobjdump here (it is part of the CUDA toolkit, and on PyPI as nvidia-cuda-cuobjdump)")
        return 77
    dumped = subprocess.run([tool, "--dump-sass", sys.argv[1]], capture_output=True, text=True)
    if dumped.returncode:
        print("skipped: cuobjdump reads no machine code here; it needs nvdisasm beside it")
        return 77
    dump = dumped.stdout
    wrong, found = [], dict.fromkeys(KERNELS, 0)
    for name, code in functions(dump).items():
        kernel = next((k for k in KERNELS if re.search(rf"[0-9]{k}[IE]", name)), None)
        if not kernel or CHOOSING.search(name):
            continue
        here = 0
        for first, last in loops(code):
            loads, waiting = alone(code, first, last)
            here += loads > 0
            if 2 * waiting > loads:
                wrong.append(f"{name}: the loop at {code[first][0]:#x} waits for {waiting} of its {loads} loads before another one goes out")
        found[kernel] += here > 0
    wrong += [f"{kernel}: {found[kernel]} kernels with a loop of loads, not {least}: does this check still know them?" for kernel, least in KERNELS.items() if found[kernel] < least]
    print("\n".join(wrong) if wrong else f"loops of loads in {sum(found.values())} kernels")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
