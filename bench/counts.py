#!/usr/bin/python3
"""Counts what needs no clock: instructions and atomic instructions that a malloc and a free execute, and cache lines that
they take from other CPUs, on machines with more CPUs than this one.

flagstone-counted runs a load on each allocator under valgrind, whose tool lackey prints every instruction and every
memory access; flagstone-trace reads that, with one cache for each CPU that the load pretends to be on (trace.c says how
lines move). No time is measured, and the same program gives the same counts, but for the order in which an allocator
itself starts threads.

  flagstone   its rseq sections, on an rseq area that the kernel does not know (counted.c says why that is sound)
  thread      flagstone with thread magazines, as it is where there is no rseq
Instructions are those outside the load itself, so the call is not one of them. Transfers are predictions for real
machines: caches here are endless, and each CPU has only one.

Calls valgrind, objdump and nm. Peers are told of the number of CPUs where they have an option for it.
"""
import argparse
import collections
import fcntl
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "programs")]

import fastpath  # noqa: E402
from timing import allocators, results  # noqa: E402

FORMAT = "flagstone-counts 1"
LOADS = {"private": "each CPU frees what it allocated", "server": "what is freed was allocated on any CPU",
         "handover": "even CPUs allocate, odd ones free"}
THREAD = "thread"
MOST = 8  # lines that are named in the JSON, with how often each moved
TURNS = 1000  # of each CPU that are counted; half as many in a quick run
PIPE_BYTES = 1 << 20

Mapping = collections.namedtuple("Mapping", "start end offset path")


def fail(text):
    print(f"counts.py: {text}", file=sys.stderr)
    sys.exit(1)


def environment(name, library, cpus):
    """Puts a load on an allocator that believes in so many CPUs, as far as it can be told."""
    conf = {"flagstone": {"FLAGSTONE_CONF": "magazine=rseq"}, THREAD: {"FLAGSTONE_CONF": "magazine=thread"},
            "jemalloc": {"MALLOC_CONF": f"narenas:{4 * cpus}"},
            "glibc": {"GLIBC_TUNABLES": f"glibc.malloc.arena_max={8 * cpus}"}}
    return {**os.environ, "LD_PRELOAD": library, **conf.get(name, {})}


class Count:
    """What one load did on one allocator."""

    def __init__(self, text, maps):
        self.spots, self.lines = [], []
        for line in text.splitlines():
            words = line.split()
            if words[0] == "at":
                self.spots.append((int(words[1], 16), int(words[2]), int(words[3])))
            elif words[0] == "line":
                self.lines.append((int(words[2]), words[1]))
            else:
                setattr(self, words[0], [int(word) for word in words[1:]])
        self.mappings = [Mapping(int(m[1], 16), int(m[2], 16), int(m[3], 16), m[4]) for m in
                         re.finditer(r"^([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) \S+ \d+\s+(/.*)$", maps, re.MULTILINE)]
        if not self.mappings or not min(self.operations):
            fail("the trace has no operations in it")

    def pairs(self):
        return sum(self.operations) / 2

    def transfers(self):
        """Lines taken from other CPUs, for each malloc and free together."""
        return (self.reads[0] + self.writes[0]) / self.pairs()

    def of_libraries(self):
        """The instructions that were not the load's own, by the file that they are in."""
        found = collections.defaultdict(list)
        for spot in self.spots:
            mapping = next((m for m in self.mappings if m.start <= spot[0] < m.end), None)
            if mapping is None:
                fail(f"an instruction at {spot[0]:x}, where no library is")
            if os.path.basename(mapping.path) != "flagstone-counted":
                found[mapping].append((spot[0] - mapping.start + mapping.offset, *spot[1:]))
        return found

    def instructions(self):
        """(a malloc, a free)"""
        spots = [spot for part in self.of_libraries().values() for spot in part]
        return tuple(sum(spot[i + 1] for spot in spots) / self.operations[i] for i in (0, 1))

    def atomics(self):
        """Executed atomic read-modify-writes, for each malloc and free together."""
        total = 0
        for mapping, spots in self.of_libraries().items():
            library = fastpath.Library(mapping.path, "readelf", "objdump")
            low, high = min(spot[0] for spot in spots), max(spot[0] for spot in spots)
            code = library.disassemble((low, high - low + 16))
            total += sum(spot[1] + spot[2] for spot in spots if spot[0] in code and library.is_atomic(code[spot[0]]))
        return total / self.pairs()


def address_of_marks(program):
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^([0-9a-f]+) \w marks$", listing, re.MULTILINE)
    return found[1] if found else fail(f"{program} has no symbol marks")


def run_traced(options, command, env):
    """Runs a program with marks. Returns flagstone-trace's words and its own. valgrind's trace goes through a pipe."""
    reader = os.path.join(options.programs, "flagstone-trace")
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # valgrind writes line by line
    try:
        counter = subprocess.Popen([reader, address_of_marks(command[0])], stdin=read_end, stdout=subprocess.PIPE,
                                   text=True)
        os.close(read_end)
        with tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(
                ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-fd={write_end}", "--max-threads=600", *command],
                stdout=subprocess.PIPE, stderr=errors, text=True, pass_fds=[write_end], env=env)
            errors.seek(0)
            said = errors.read()
    except FileNotFoundError as error:
        fail(f"{error.filename} is missing (tools/setup bench)")
    os.close(write_end)
    text = counter.communicate()[0]
    if done.returncode or counter.returncode or "is not available" in said:
        fail(f"{' '.join(command)} on {env.get('LD_PRELOAD', 'itself')}: status {done.returncode}; {said.strip()}")
    return text, done.stdout


def trace(options, load, cpus, name, library):
    """Runs one load on one allocator."""
    counted = os.path.join(options.programs, "flagstone-counted")
    return Count(*run_traced(options, [counted, load, str(cpus), str(options.turns)], environment(name, library, cpus)))


def plan(options, names):
    """[(load, CPUs, allocator)]: one CPU for the instructions, and more for the lines."""
    steps = [("private", 1, name) for name in names]
    for cpus in options.cpus:
        for load in LOADS:
            steps += [(load, cpus, name) for name in names
                      if name != THREAD and (name == "flagstone" or cpus <= options.peers)]
    return steps


def instruction_table(counts, names):
    lines = [f"{'executed, one CPU':28}" + "".join(f"{name:>11}" for name in names)]
    rows = {"instructions a malloc": lambda count: count.instructions()[0],
            "instructions a free": lambda count: count.instructions()[1],
            "atomic instructions a pair": Count.atomics}
    for text, value in rows.items():
        cells = (f"{value(counts['private', 1, name]):11.{3 if 'atomic' in text else 1}f}" for name in names)
        lines.append(f"{text:28}{''.join(cells)}")
    return [*lines, ""]


def transfer_table(counts, names, cpus):
    names = [name for name in names if name != THREAD]
    lines = [f"{'lines from other CPUs a pair':28}" + "".join(f"{name:>11}" for name in names)]
    for load in LOADS:
        for count in cpus:
            cells = (f"{counts[load, count, name].transfers():11.3f}" if (load, count, name) in counts else f"{'-':>11}"
                     for name in names)
            lines.append(f"{load + '/' + str(count):28}{''.join(cells)}")
    return lines


def write_json(path, counts):
    rows = []
    for (load, cpus, name), count in counts.items():
        malloc, free = count.instructions()
        rows.append({"load": load, "cpus": cpus, "allocator": name, "mallocs": count.operations[0],
                     "frees": count.operations[1], "malloc_instructions": malloc, "free_instructions": free,
                     "atomics_a_pair": count.atomics(), "reads": count.reads[0], "writes": count.writes[0],
                     "lines": len(count.lines),
                     "most_moved": sorted(count.lines, reverse=True)[:MOST]})
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, "context": results.machine(), "counts": rows}, file, indent=1)
        file.write("\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     prog="counts.py", allow_abbrev=False)
    parser.add_argument("--programs", required=True, metavar="FOLDER", help="of flagstone-counted and flagstone-trace")
    parser.add_argument("--flagstone", required=True, metavar="PATH", help="flagstone's library")
    parser.add_argument("--quick", action="store_true", help="2 and 8 CPUs, there flagstone only, and fewer turns")
    parser.add_argument("--cpus", metavar="N,N", help="numbers of CPUs, each even and up to 512 (default: 2,8,32,128)")
    parser.add_argument("--allocators", metavar="A,B", default=",".join(allocators.NAMES),
                        help=f"only these of: {' '.join(allocators.NAMES)}")
    parser.add_argument("--json", metavar="FILE", help="write the counts to FILE")
    options = parser.parse_args()
    try:
        options.cpus = [int(word) for word in (options.cpus or ("2,8" if options.quick else "2,8,32,128")).split(",")]
    except ValueError:
        parser.error("--cpus takes numbers separated by commas")
    options.allocators = options.allocators.split(",")
    options.turns = TURNS // 2 if options.quick else TURNS
    options.peers = 0 if options.quick else 8
    if any(cpus % 2 or not 2 <= cpus <= 512 for cpus in options.cpus):
        parser.error("--cpus takes even numbers from 2 to 512")
    if not set(options.allocators) <= set(allocators.NAMES):
        parser.error(f"--allocators: there are {' '.join(allocators.NAMES)}")
    return options


def main():
    options = parse()
    counts = {}
    if platform.machine() != "x86_64":
        fail("flagstone-counted has an rseq area of its own on x86-64 only")
    with tempfile.TemporaryDirectory() as folder:
        wanted = allocators.find(options.allocators, options.flagstone, folder)
        paths = {a.name: a.path for a in wanted if a.path}
        names = list(paths)
        if "flagstone" in names:
            names.insert(1, THREAD)
            paths[THREAD] = paths["flagstone"]
        steps = plan(options, names)
        for i, (load, cpus, name) in enumerate(steps):
            print(f"{i * 100 // len(steps):3}% {load}/{cpus} on {name}", file=sys.stderr)
            counts[load, cpus, name] = trace(options, load, cpus, name, paths[name])
        print("\n".join([*instruction_table(counts, names), *transfer_table(counts, names, options.cpus)]))
        if options.json:
            write_json(options.json, counts)
    for allocator in wanted:
        if not allocator.path:
            print(f"skipped: {allocator.name}: {allocator.reason}")


if __name__ == "__main__":
    main()
