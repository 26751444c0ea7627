#!/usr/bin/env python3
"""compare: do a kernel module's answers on flagstone agree with those of a real kernel?

usage: compare.py MODULE.c PROGRAM [ARG...]

PROGRAM runs the module on flagstone (run_module.c). Its answers, as answers.py takes them from what it writes, have to be
those in MODULE.answers, line by line, but for the differences that MODULE.differs tells, in records of three or more lines:

    linux: the line of a real kernel; none for one that only flagstone has
    here: the line of flagstone; none for one that only the kernel has
    why: the reason, which may stand once behind several pairs

A record stands for every line like it. One that stands for nothing is an error too. Exit status 0 if all agree.
"""
import difflib
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True  # in the source tree
import answers  # noqa: E402

QUOTE = '"'


def differences(path):
    """The pairs (linux line or None, our line or None) of a .differs file."""
    pairs, linux, reasoned = [], "", True
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], start=1):
        word, _, text = line.partition(": ") if ": " in line else (line.rstrip(":"), "", "")
        if word == "linux":
            linux, reasoned = text or None, False
        elif word == "here":
            pairs.append((linux, text or None))
        elif word == "why":
            reasoned = True
        elif line and not line.startswith(("#", " ")):
            sys.exit(f"{path}:{number}: neither linux:, here: nor why:")
    if not reasoned:
        sys.exit(f"{path}: the last difference has no reason")
    return pairs


def expected(lines, pairs, path):
    """The kernel's lines with the differences applied."""
    replace = {linux: here for linux, here in pairs if linux}
    unused = set(replace) - set(lines)
    if unused:
        sys.exit("\n".join(f"{path}: no such line of a real kernel: {line}" for line in sorted(unused)))
    changed = (replace.get(line, line) for line in lines)
    return [line for line in changed if line]


def environment(source):
    """With the parameters that the module is loaded with in a real kernel."""
    words = [word.split("=", 1) for word in answers.parameters(source)]
    entries = [f"{source.stem}.{name}" + "".join(f'="{value.replace(QUOTE, "")}"' for value in rest) for name, *rest in words]
    before = os.environ.get("FLAGSTONE_MACHINE")
    return {**os.environ, "FLAGSTONE_MACHINE": ",".join([before, *entries] if before else entries)} if entries else None


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    path = source.with_suffix(".differs")
    pairs = differences(path)
    ours_alone = {here for linux, here in pairs if not linux}
    done = subprocess.run(sys.argv[2:], env=environment(source), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    found = answers.kept(source, done.stdout.splitlines())
    ours = [line for line in found if line not in ours_alone]
    want = expected(source.with_suffix(".answers").read_text().splitlines(), pairs, path)
    same = ours == want and ours_alone <= set(found)
    if same and done.returncode == 0:
        print(f"{source.name}: {len(want)} answers, {len(pairs)} of them different with a reason")
        return 0
    if not same:
        print("\n".join(difflib.unified_diff(want, ours, "a real kernel", "flagstone", lineterm="", n=1)))
        print("".join(f"missing: {line}\n" for line in sorted(ours_alone - set(found))), end="")
    print(f"exit status {done.returncode}; all of what it wrote:\n{done.stdout[-6000:]}")
    return 1


sys.exit(main())
