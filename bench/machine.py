#!/usr/bin/python3
"""The simulated machine against the clock.

  pairs   on one CPU: kmalloc and kfree beside jemalloc's malloc and free, alloc_pages, per-CPU variables
  wake    how long after memory is free a GFP_KERNEL sleeper has it and runs
  cpus    kmalloc and kfree on 1 to 64 simulated CPUs at once: the time an operation, all CPUs together
  fragmentation
          without a clock: how much of the free memory large blocks can be made of, after a load that leaves it in pieces, which
          is the same every time

Calls flagstone-bench-machine (machine.c) for one sample of one of them at a time, in turn, round after round: what disturbs
this host for a while disturbs all alike. Prints medians with half the interquartile range, and how far each is from its
goal; asserts nothing. Knows nothing of how a sample is taken.
"""
import argparse
import os
import statistics
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from samples import percentile, printed, sample, spread, verdict, write_json  # noqa: E402

FORMAT = "flagstone-machine 1"
CPUS = (1, 2, 4, 8, 16, 32, 64)
MOST_OF_PEER = 0.8    # goal: a kmalloc pair's time, as a part of jemalloc's
LEAST_OF_BEST = 0.85  # goal: the throughput of many CPUs, as a part of the best with fewer
PAIRS = {  # name: (title, goal in nanoseconds, or None)
    "kmalloc": ("kmalloc and kfree, 64 bytes", None),
    "jemalloc": ("jemalloc: malloc and free, 64 bytes", None),
    "this_cpu_inc": ("this_cpu_inc", 2),
    "get_cpu_var": ("get_cpu_var and put_cpu_var", 3),
    "alloc_pages": ("alloc_pages and __free_pages, order 0", 15),
}


def measure(options):
    """{name: [values]}; those of so many CPUs are called "cpus N"."""
    samples = {}
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}", file=sys.stderr)
        calls = [("pairs",), ("wake", options.wakes), *(("cpus", cpus) for cpus in CPUS)]
        for call in calls:
            for name, values in sample(options, *call).items():
                samples.setdefault(f"{name} {call[1]}" if name == "cpus" else name, []).extend(values)
    return samples


def pair_lines(samples):
    lines = []
    for name, (title, goal) in PAIRS.items():
        if name in samples:
            value = statistics.median(samples[name])
            lines.append(f"{title:42}{value:8.2f} ns {spread(samples[name]):>5}{verdict(value, goal)}")
    if "jemalloc" in samples:
        # Of each round by itself: both were measured one right after the other.
        ratios = [own / peer for own, peer in zip(samples["kmalloc"], samples["jemalloc"])]
        value = statistics.median(ratios)
        lines.append(f"{'kmalloc pair / jemalloc pair':42}{value:8.2f}    {spread(ratios):>5}"
                     f"{verdict(value, MOST_OF_PEER)}")
    return lines


def wake_lines(samples):
    values = sorted(samples["wake"])
    return [f"{'GFP_KERNEL sleeper, memory free to running':42}{statistics.median(values):8.1f} µs p50 {percentile(values, 99):.1f} µs p99 "
            f"({len(values)} wake-ups)"]


def cpu_lines(samples):
    lines, best = [], None
    for cpus in CPUS:
        values = samples[f"cpus {cpus}"]
        value = statistics.median(values)
        title = f"kmalloc and kfree, mixed sizes, {cpus} CPU{'s' if cpus > 1 else ''}"
        line = f"{title:42}{value:8.2f} ns {spread(values):>5}"
        if best:
            line += f" {best / value:5.2f} of the best with fewer{verdict(best / value, LEAST_OF_BEST, least=True)}"
        lines.append(line)
        best = min(best or value, value)
    return lines


def fragmentation(options):
    """The table, as the program prints it."""
    return printed(options, "fragmentation", options.seeds).rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     prog="machine.py", allow_abbrev=False)
    parser.add_argument("--program", required=True, metavar="PATH", help="flagstone-bench-machine")
    parser.add_argument("--quick", action="store_true", help="few rounds (7 instead of 41) and seeds (3 instead of 20)")
    parser.add_argument("--fragmentation", action="store_true", help="only that")
    parser.add_argument("--rounds", type=int, metavar="N", help="number of rounds")
    parser.add_argument("--wakes", type=int, default=40, metavar="N", help="wake-ups a round (40)")
    parser.add_argument("--json", metavar="FILE", help="write every sample to FILE")
    options = parser.parse_args()
    options.rounds = options.rounds or (7 if options.quick else 41)
    options.seeds = 3 if options.quick else 20
    if options.rounds < 1 or options.wakes < 1:
        parser.error("--rounds or --wakes is out of range")
    if options.fragmentation:
        print(fragmentation(options))
        return
    samples = measure(options)
    print("\n".join([*pair_lines(samples), *wake_lines(samples), *cpu_lines(samples)]))
    if "jemalloc" not in samples:
        print("skipped: jemalloc: libjemalloc.so.2 is not there")
    print(f"\n{fragmentation(options)}")
    if options.json:
        write_json(options.json, FORMAT, {"rounds": options.rounds, "wakes": options.wakes}, samples)


main()
