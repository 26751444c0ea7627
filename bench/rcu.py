#!/usr/bin/python3
"""Deferred frees against the clock, in a hosted program.

  frees    a node of a table is replaced: kmalloc and kfree at once, kmalloc and kfree_rcu, and jemalloc's malloc with free in
           liburcu's call_rcu; until all is free
  readers  rcu_read_lock() and rcu_read_unlock(), beside liburcu's own, inline
  periods  how long synchronize_rcu() takes beside a reader that is always inside a section
  flood    two writers at full speed, two such readers: the time an object, and the most memory that the process ever had

Calls flagstone-bench-rcu (rcu.c) for one sample of one of them at a time, in turn, round after round. Prints medians with half the
interquartile range, and how far each is from its goal; asserts nothing. Knows nothing of how a sample is taken.
"""
import argparse
import os
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from samples import percentile, sample, spread, verdict, write_json  # noqa: E402

FORMAT = "flagstone-rcu 1"
TITLES = {
    "kfree": "replace: kmalloc, kfree",
    "kfree_rcu": "replace: kmalloc, kfree_rcu",
    "call_rcu": "replace: jemalloc, call_rcu with free",
    "reader": "rcu_read_lock and rcu_read_unlock",
    "reader-peer": "liburcu's own",
}
MOST_OF_PEER, MOST_OF_KFREE, MOST_OF_READER = 0.35, 2.5, 1  # goals


def measure(options):
    """{name: [values]}"""
    samples = {}
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}", file=sys.stderr)
        calls = [("frees",), ("readers",), ("periods", options.periods), ("flood", "kfree_rcu", options.objects)]
        if number == 1 or "call_rcu" in samples:
            calls.append(("flood", "call_rcu", options.objects))
        for call in calls:
            if call[:2] == ("flood", "call_rcu") and "call_rcu" not in samples:
                continue  # there is no jemalloc
            for name, values in sample(options, *call).items():
                samples.setdefault(name, []).extend(values)
    return samples


def ratio_line(samples, own, other, title, goal):
    # Of each round by itself: both were measured one right after the other.
    ratios = [a / b for a, b in zip(samples[own], samples[other])]
    value = statistics.median(ratios)
    return f"{title:42}{value:8.2f}    {spread(ratios):>5}{verdict(value, goal)}"


def lines_of(samples):
    lines = []
    for name, title in TITLES.items():
        if name in samples:
            cpu = samples.get(f"{name}-cpu")
            cpu = f"   {statistics.median(cpu):.1f} ns of all threads" if cpu else ""
            lines.append(f"{title:42}{statistics.median(samples[name]):8.2f} ns {spread(samples[name]):>5}{cpu}")
    lines.append(ratio_line(samples, "kfree_rcu", "kfree", "kfree_rcu / kfree", MOST_OF_KFREE))
    if "call_rcu" in samples:
        lines.append(ratio_line(samples, "kfree_rcu", "call_rcu", "kfree_rcu / call_rcu and jemalloc", MOST_OF_PEER))
    lines.append(ratio_line(samples, "reader", "reader-peer", "reader / liburcu's", MOST_OF_READER))
    for name, title in (("period", "synchronize_rcu beside a reader"), ("period-peer", "liburcu's own")):
        values = sorted(samples[name])
        lines.append(f"{title:42}{statistics.median(values):8.1f} µs p50 {percentile(values, 99):.1f} µs p99 ({len(values)})")
    for name in ("kfree_rcu", "call_rcu"):
        if f"flood-{name}" in samples:
            peak = samples[f"flood-{name}-peak"]
            lines.append(f"{f'flood: {name}':42}{statistics.median(samples[f'flood-{name}']):8.2f} ns "
                         f"{spread(samples[f'flood-{name}']):>5}   peak {statistics.median(peak):.1f} MiB "
                         f"({min(peak):.1f} to {max(peak):.1f})")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     prog="rcu.py", allow_abbrev=False)
    parser.add_argument("--program", required=True, metavar="PATH", help="flagstone-bench-rcu")
    parser.add_argument("--quick", action="store_true", help="few rounds (5 instead of 21)")
    parser.add_argument("--rounds", type=int, metavar="N", help="number of rounds")
    parser.add_argument("--periods", type=int, default=50, metavar="N", help="grace periods a round (50)")
    parser.add_argument("--objects", type=int, default=5000000, metavar="N", help="objects of a flood (5000000)")
    parser.add_argument("--json", metavar="FILE", help="write every sample to FILE")
    options = parser.parse_args()
    options.rounds = options.rounds or (5 if options.quick else 21)
    if options.rounds < 1 or not 1 <= options.periods <= 1000 or options.objects < 1:
        parser.error("--rounds, --periods or --objects is out of range")
    samples = measure(options)
    print("\n".join(lines_of(samples)))
    if "call_rcu" not in samples:
        print("skipped: jemalloc: libjemalloc.so.2 is not there")
    if options.json:
        context = {"rounds": options.rounds, "periods": options.periods, "objects": options.objects}
        write_json(options.json, FORMAT, context, samples)


main()
