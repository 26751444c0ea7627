#!/usr/bin/python3
"""start_time.py: how long a process takes from its start to its end, without and with libraries preloaded.

usage: start_time.py [--runs N] [--program PATH] LIBRARY...

Runs the program (/bin/true) in turn: alone, with an empty library (what any preloaded library costs: made with cc), and
with each LIBRARY. Prints medians, and their ratios to the program alone. Asserts nothing: machines are noisy, and what
can be counted is counted by boot_cost.c.
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time

WARM_UP = 50


def empty_library(directory):
    path = os.path.join(directory, "empty.so")
    subprocess.run(["cc", "-shared", "-nostdlib", "-x", "c", "/dev/null", "-o", path], check=True)
    return path


def run_once(program, environment):
    """Microseconds from before the fork to after the wait."""
    started = time.perf_counter_ns()
    child = os.posix_spawn(program, [program], environment)
    _, status = os.waitpid(child, 0)
    ended = time.perf_counter_ns()
    if status:
        raise SystemExit(f"{program}: wait status {status:#x} with LD_PRELOAD={environment.get('LD_PRELOAD')}")
    return (ended - started) / 1000


def measure(program, libraries, runs):
    """{name: samples}, one sample of each name a round, so that what disturbs the machine disturbs all of them."""
    base = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    environments = {name: {**base, **({"LD_PRELOAD": path} if path else {})} for name, path in libraries.items()}
    samples = {name: [] for name in libraries}
    for i in range(-WARM_UP, runs):
        for name, environment in environments.items():
            sample = run_once(program, environment)
            if i >= 0:
                samples[name].append(sample)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--program", default="/bin/true")
    parser.add_argument("libraries", nargs="+", metavar="LIBRARY")
    arguments = parser.parse_args()
    for path in arguments.libraries:
        if not os.path.isfile(path):
            parser.error(f"there is no library {path}")
    with tempfile.TemporaryDirectory() as directory:
        libraries = {"alone": None, "empty library": empty_library(directory)}
        libraries.update({os.path.basename(path): os.path.abspath(path) for path in arguments.libraries})
        samples = measure(arguments.program, libraries, arguments.runs)
    alone = statistics.median(samples["alone"])
    print(f"{arguments.program}, {arguments.runs} runs of each, interleaved; µs from fork to wait")
    for name, values in samples.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:32} median {middle:7.1f}  quartiles {low:7.1f} {high:7.1f}  ratio {middle / alone:.3f}")


if __name__ == "__main__":
    main()
