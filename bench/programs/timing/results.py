"""Medians and ratios, the tables that people read, and the JSON.

Knows what was measured, and nothing of how.
"""

import datetime
import json
import math
import platform
import re
import statistics

FORMAT = "flagstone-programs 1"
MEASURES = {  # what: (title, unit's divisor, target of flagstone's mean over the best peer)
    "wall": ("time, s", 1, 1.05),
    "cpu": ("CPU time, s", 1, None),
    "peak": ("peak memory, MiB", 1024, 1.10),
    "rest": ("resident at rest, MiB", 1024, None),
}


def median(samples, program, allocator, what):
    values = samples.get((program, allocator), {}).get(what)
    return statistics.median(values) if values else None


def spread_of(values):
    """Half the interquartile range, as a part of the median; None of fewer than two samples."""
    if len(values) < 2 or not statistics.median(values):
        return None
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle


def spread(samples, program, allocator, what):
    return spread_of(samples.get((program, allocator), {}).get(what, []))


def best_peer(samples, program, allocators, what):
    values = [median(samples, program, a.name, what) for a in allocators if a.peer]
    return min((value for value in values if value), default=None)


def mean_ratio(samples, programs, allocators, name, what):
    """The geometric mean of an allocator's values over the best peer's, over the programs that have both."""
    logs = []
    for program in programs:
        best, own = best_peer(samples, program, allocators, what), median(samples, program, name, what)
        if best and own:
            logs.append(math.log(own / best))
    return math.exp(sum(logs) / len(logs)) if logs else None


def number(value, width=8):
    if value is None:
        return f"{'-':>{width}}"
    return f"{value:{width}.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def cell(samples, program, name, what, divisor):
    value = median(samples, program, name, what)
    part = spread(samples, program, name, what)
    return number(value and value / divisor) + (f" {'±' + format(part, '.0%'):>5}" if part is not None else " " * 6)


def table(samples, programs, allocators, what):
    """The lines of one measure."""
    title, divisor, target = MEASURES[what]
    rows = [program for program in programs if best_peer(samples, program, allocators, what)]
    if not rows:
        return []
    names = [a.name for a in allocators]
    lines = [f"{title:22}" + "".join(f"{name:>14}" for name in names) + "   /best"]
    for program in rows:
        own = median(samples, program, "flagstone", what)
        ratio = own / best_peer(samples, program, allocators, what) if own else None
        cells = "".join(cell(samples, program, name, what, divisor) for name in names)
        lines.append(f"{program:22}{cells}{number(ratio)}")
    means = [mean_ratio(samples, rows, allocators, name, what) for name in names]
    wanted = f"  (wanted: at most {target:.2f})" if target else ""
    own = mean_ratio(samples, rows, allocators, "flagstone", what)
    lines.append(f"{'geometric mean *':22}" + "".join(f"{number(mean)}{'':6}" for mean in means) + number(own) + wanted)
    return [line.rstrip() for line in lines] + [""]


def text(samples, programs, allocators, context):
    lines = []
    for what in MEASURES:
        lines += table(samples, programs, allocators, what)
    lines.append("* of each allocator's value over the best peer's, program by program; last, flagstone's.")
    lines.append(f"± half the interquartile range of {context['rounds']} interleaved rounds, in % of the median; "
                 f"{context['seconds']:.0f} s in all. Peak is that of")
    lines.append("the largest process, or of all processes of nginx and postgresql; resident at rest, after "
                 f"{context['idle']:g} s of idleness.")
    if context["load"] > 0.5:
        lines.append(f"DISTURBED: other programs were running (load average {context['load']:.1f} at the start)")
    lines += [f"skipped: {a.name}: {a.reason}" for a in context["absent"]]
    return "\n".join(lines) + "\n"


def machine():
    """What is needed to understand the numbers later."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "cpu": model[1] if model else "unknown", "machine": platform.machine(), "kernel": platform.release(),
            "glibc": platform.libc_ver()[1]}


def write_json(path, samples, programs, allocators, context):
    everyone = [*allocators, *context["absent"]]
    data = {
        "format": FORMAT,
        "context": {name: value for name, value in context.items() if name != "absent"},
        "allocators": [{"name": a.name, "peer": a.peer, "loaded": bool(a.path), "path": a.path, "reason": a.reason}
                       for a in everyone],
        "programs": [
            {"name": name, "what": what, "results": [
                {"allocator": a.name, **samples[name, a.name]} for a in allocators if (name, a.name) in samples]}
            for name, what in programs],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
