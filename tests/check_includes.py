#!/usr/bin/env python3
"""Checks that a file includes headers of its own room and of rooms below it only, and no .c file.

usage: check_includes.py ROOT
       check_includes.py --self-test
Rooms and their levels are those of README.md, "Rooms". Exit status 1 and one line a violation if there is any. The second
shows that it finds each kind of violation, in files made for that.
"""
import pathlib
import re
import sys
import tempfile

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
# Headers of an interface that show a room's insides, inline, to spare a call: for these files of other rooms alone.
FOR_SOME = {
    "runtime/page/usual.h": {"runtime/machine/pages.c"},
    "runtime/sched/mask.h": {"runtime/machine/pages.c"},
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
            elif str(relative) not in FOR_SOME.get(name, {str(relative)}):
                yield f"{relative}: includes {name}, which is for {' and '.join(sorted(FOR_SOME[name]))} alone"


# What a file includes, and what is to be said of it; None: nothing.
SAMPLES = {
    "runtime/machine/pages.c": (["runtime/page/usual.h", "runtime/sched/mask.h", "runtime/slab/slab.h"], None),
    "runtime/page/requests.c": (["runtime/page/usual.h", "runtime/page/internal.h", "runtime/lib/list.h"], None),
    "runtime/sched/irq.c": (["runtime/sched/mask.h", "runtime/config.h", "tests/hook.h"], None),
    "runtime/config.h": (["runtime/host/host.h"], None),
    "runtime/slab/gfp.c": (["runtime/page/usual.h"],
                           "includes runtime/page/usual.h, which is for runtime/machine/pages.c alone"),
    "runtime/dma/pool.c": (["runtime/sched/mask.h"],
                           "includes runtime/sched/mask.h, which is for runtime/machine/pages.c alone"),
    "runtime/vm/map.c": (["runtime/page/internal.h"],
                         "includes runtime/page/internal.h, which is private to runtime/page"),
    "runtime/page/buddy.c": (["runtime/slab/slab.h"],
                             "includes runtime/slab/slab.h, of a room that is not below its own"),
    "runtime/reclaim/age.h": (["runtime/sched/sched.h"],
                              "includes runtime/sched/sched.h, of a room that is not below its own"),
    "runtime/lib/lock.c": (["runtime/lib/list.c"], "includes runtime/lib/list.c, a .c file"),
    "runtime/attic/old.c": ([], "lies in no room"),
}


def self_test():
    expected = sorted(f"{path}: {said}" for path, (_, said) in SAMPLES.items() if said)
    with tempfile.TemporaryDirectory() as root:
        for path, (names, _) in SAMPLES.items():
            file = pathlib.Path(root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f'#include "{name}"\n' for name in names))
        found = sorted(violations(pathlib.Path(root)))
    for line in sorted(set(found) ^ set(expected)):
        print(f"{'not found' if line in expected else 'not to be found'}: {line}")
    print("\n".join(f"found: {line}" for line in found))
    return 0 if found == expected else 1


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    if sys.argv[1] == "--self-test":
        return self_test()
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "includes: every room keeps to itself and those below")
    return 1 if found else 0


sys.exit(main())
