"""The allocators that each program is run on.

Knows the names of flagstone's tunables, and no program.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    preload: bool
    conf: str    # FLAGSTONE_CONF, empty for none
    magazine: str  # what flagstone's statistics must call the magazines in use, empty for no flagstone


SYSTEM = Mode("system", False, "", "")
ALL = (
    SYSTEM,
    Mode("rseq", True, "", "rseq"),
    Mode("generic", True, "magazine=thread", "thread"),
)


def by_names(names):
    """The modes of a comma-separated list, in the order of ALL. ValueError names an unknown one."""
    wanted = names.split(",")
    known = [mode.name for mode in ALL]
    for name in wanted:
        if name not in known:
            raise ValueError(f"unknown mode {name!r} (there are {', '.join(known)})")
    return [mode for mode in ALL if mode.name in wanted]


def environment(mode, library, extra_conf=""):
    """The variables that put a command on this mode's allocator."""
    if not mode.preload:
        return {}
    conf = ",".join(part for part in (mode.conf, extra_conf) if part)
    return {"LD_PRELOAD": library, **({"FLAGSTONE_CONF": conf} if conf else {})}
