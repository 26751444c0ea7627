#!/usr/bin/python3
"""Memory of two loads, on each allocator: a peak and then nothing, and 64 threads with a live set.

  idle     4 threads allocate 512 MiB, free all of it, and stay alive: what is resident 1, 5 and 10 s later
  threads  64 threads on all CPUs grow, shrink and trade what they hold, 150 MiB in all: peak, and the same

Calls flagstone-bench-memory (memory.c), once for each load and allocator, one after another; what has run rests while
the next runs. Knows nothing of how the loads are made.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "programs"))

from timing import allocators, results  # noqa: E402

FORMAT = "flagstone-memory 1"
LOADS = {"idle": "peak, then idle; MiB", "threads": "64 threads; MiB"}
LINES = {"live": "live at most", "peak": "peak", "live-after": "live afterwards", "after-1": "resident after 1 s",
         "after-5": "resident after 5 s", "after-10": "resident after 10 s"}


class Run:
    """One load on one allocator."""

    def __init__(self, program, load, allocator, percent):
        self.load, self.allocator, self.values = load, allocator.name, {}
        self.process = subprocess.Popen([program, load, str(percent)], stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "LD_PRELOAD": allocator.path})

    def read_until(self, name):
        """Returns when the line of that name came, or at the end if there is none."""
        for line in self.process.stdout:
            key, value = line.split()
            self.values[key] = int(value)
            if key == name:
                return

    def finish(self):
        self.read_until(None)
        if self.process.wait() != 0 or len(self.values) != len(LINES):
            sys.exit(f"memory.py: {self.load} on {self.allocator} failed, with status {self.process.returncode}")
        return self.values


def measure(options, loaded):
    """{(load, allocator): {line: [KiB]}}"""
    samples, order = {}, random.Random(1)
    for number in range(1, options.rounds + 1):
        resting = []
        for load in LOADS:
            for allocator in order.sample(loaded, len(loaded)):
                print(f"round {number}: {load} on {allocator.name}", file=sys.stderr)
                resting.append(Run(options.program, load, allocator, options.percent))
                resting[-1].read_until("live-after")
        for run in resting:
            for name, value in run.finish().items():
                samples.setdefault((run.load, run.allocator), {}).setdefault(name, []).append(value)
    return samples


def table(samples, names):
    lines = []
    for load, title in LOADS.items():
        lines.append(f"{title:26}" + "".join(f"{name:>11}" for name in names))
        for key, text in LINES.items():
            cells = "".join(results.number(statistics.median(samples[load, name][key]) / 1024, 11) for name in names)
            lines.append(f"{text:26}{cells}")
        lines.append("")
    return lines


def ratios(samples, names):
    """What is wanted of flagstone, and what it is."""
    def value(load, name, key):
        return statistics.median(samples[load, name][key])

    if "flagstone" not in names:
        return []
    lines = []
    for peer in ("jemalloc", "mimalloc"):
        if peer in names:
            ratio = value("threads", "flagstone", "peak") / value("threads", peer, "peak")
            lines.append(f"64 threads: flagstone's peak over {peer}'s: {ratio:.2f} (wanted: at most 0.60)")
    ratio = value("threads", "flagstone", "after-10") / value("threads", "flagstone", "live-after")
    lines.append(f"64 threads: flagstone's resident size after 10 s over the live set: {ratio:.2f} "
                 "(wanted: at most 1.10)")
    return lines


def write_json(options, samples, wanted):
    data = {"format": FORMAT, "context": {**results.machine(), "cpus": os.cpu_count(), "rounds": options.rounds,
                                          "percent": options.percent},
            "allocators": [{"name": a.name, "peer": a.peer, "loaded": bool(a.path), "reason": a.reason}
                           for a in wanted],
            "loads": [{"name": load, "allocator": name, "kib": values} for (load, name), values in samples.items()]}
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     prog="memory.py", allow_abbrev=False)
    parser.add_argument("--program", required=True, metavar="PATH", help="flagstone-bench-memory")
    parser.add_argument("--flagstone", required=True, metavar="PATH", help="flagstone's library")
    parser.add_argument("--quick", action="store_true", help="a third of the size, once (else 3 rounds)")
    parser.add_argument("--rounds", type=int, metavar="N", help="number of rounds")
    parser.add_argument("--percent", type=int, metavar="N", help="size of the loads, 1 to 100")
    parser.add_argument("--allocators", metavar="A,B", default=",".join(allocators.NAMES),
                        help=f"only these of: {' '.join(allocators.NAMES)}")
    parser.add_argument("--json", metavar="FILE", help="write every sample to FILE")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.percent = options.percent or (33 if options.quick else 100)
    names = options.allocators.split(",")
    if not set(names) <= set(allocators.NAMES) or options.rounds < 1 or not 1 <= options.percent <= 100:
        parser.error("--allocators, --rounds or --percent is out of range")
    with tempfile.TemporaryDirectory() as folder:
        wanted = allocators.find(names, options.flagstone, folder)
        loaded = [a for a in wanted if a.path]
        samples = measure(options, loaded)
    print("\n".join([*table(samples, [a.name for a in loaded]), *ratios(samples, [a.name for a in loaded])]))
    for allocator in wanted:
        if not allocator.path:
            print(f"skipped: {allocator.name}: {allocator.reason}")
    if options.json:
        write_json(options, samples, wanted)


main()
