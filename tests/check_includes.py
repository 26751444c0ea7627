#!/usr/bin/env python3
"""Checks that a file includes headers of its own room and of rooms below it only, and no .c file.

usage: check_includes.py ROOT
Rooms and their levels are those of README.md, "Rooms". Exit status 1 and one line a violation if there is any.
"""
import pathlib
import re
import sys

LEVELS = {
    "runtime/host": 0,
    "runtime/lib": 1,
    "percpu": 2,
    "runtime/page": 4,
    "runtime/slab": 5,
    "runtime/reclaim": 6,
    "runtime/rcu": 6,
    "runtime/sched": 6,
    "runtime/irq": 7,
    "runtime/fault": 7,
    "runtime/support": 8,
    "runtime/pressure": 8,
    "runtime/vm": 8,
    "runtime/dma": 8,
    "runtime/machine": 9,
    "runtime/malloc": 10,
}
# A room's interface: what other rooms may include of it.
INTERFACES = {
    "runtime/irq": {"irq.h"},
    "percpu": {"percpu.h", "magazine.h", "fast.h", "vars.h"},
    "runtime/page": {"page.h", "usual.h", "fragmentation.h"},
    "runtime/reclaim": {"reclaim.h"},
    "runtime/slab": {"slab.h", "fast.h", "sizes.h", "stats.h"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def room_of(path):
    for room in sorted(LEVELS, key=len, reverse=True):
        if str(path).startswith(room + "/"):
            return room
    return None


def violations(root):
    for path in sorted(p for top in ("runtime", "percpu") for p in (root / top).rglob("*.[chS]")):
        relative = path.relative_to(root)
        room = room_of(relative)
        if room is None:
            if str(relative) != "runtime/config.h":
                yield f"{relative}: lies in no room"
            continue
        for name in INCLUDE.findall(path.read_text()):
            target = room_of(name)
            if name.endswith(".c"):
                yield f"{relative}: includes {name}, a .c file"
            elif target is None or target == room:
                continue
            elif LEVELS[target] >= LEVELS[room]:
                yield f"{relative}: includes {name}, of a room that is not below its own"
            elif pathlib.PurePath(name).name not in INTERFACES.get(target, {pathlib.PurePath(name).name}):
                yield f"{relative}: includes {name}, which is private to {target}"


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "includes: every room keeps to itself and those below")
    return 1 if found else 0


sys.exit(main())
