"""Samples of a program that prints lines of a name and values: taking, summing up and keeping them.

For machine.py and rcu.py, which know what is measured.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs"))

from timing import results  # noqa: E402


def printed(options, *arguments):
    """What one call of the program prints."""
    run = subprocess.run([options.program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        called = " ".join([options.program, *map(str, arguments)])
        sys.exit(f"{os.path.basename(sys.argv[0])}: {called} failed, with status {run.returncode}")
    return run.stdout


def sample(options, *arguments):
    """{name: [values]} of one call."""
    lines = printed(options, *arguments).splitlines()
    return {words[0]: [float(value) for value in words[1:]] for words in map(str.split, lines)}


def spread(values):
    return f"±{results.spread_of(values) or 0:.0%}"


def verdict(value, goal, least=False):
    """Ends a line; a goal is the most that is wanted, or the least."""
    if goal is None:
        return ""
    sign, met = (">=", value >= goal) if least else ("<=", value <= goal)
    missed = 1 - value / goal if least else value / goal - 1
    return f"   goal {sign} {goal:g}: " + ("met" if met else f"missed by {missed:.0%}")


def percentile(values, part):
    """The value that so many percent of the sorted values are below."""
    return values[min(len(values) - 1, len(values) * part // 100)]


def write_json(path, form, context, samples):
    data = {"format": form, "context": {**results.machine(), "cpus": os.cpu_count(), **context}, "samples": samples}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
