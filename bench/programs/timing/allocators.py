"""The allocators that programs are run on, and the library that is preloaded for each.

glibc is preloaded too. That changes nothing in most programs, which have it anyway, but some are linked with another
malloc (Debian's redis-server with jemalloc), and would run on that.

Calls ldconfig. Knows no program.
"""

import dataclasses
import os
import re
import shutil
import subprocess
import sys

SONAMES = {
    "jemalloc": ["libjemalloc.so.2"],
    "mimalloc": ["libmimalloc.so.2", "libmimalloc.so.2.0"],
    "tcmalloc": ["libtcmalloc_minimal.so.4"],
    "glibc": ["libc.so.6"],
}
NAMES = ["flagstone", *SONAMES]


@dataclasses.dataclass
class Allocator:
    name: str
    path: str    # empty if it could not be found
    reason: str  # why not

    @property
    def peer(self):
        return self.name != "flagstone"


def known_libraries():
    """{soname: path} of the dynamic linker's cache; the first is the one that the linker would take."""
    found = {}
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for name, kind, path in re.findall(r"^\s+(\S+) \(([^)]*)\) => (\S+)$", listing, re.MULTILINE):
        if "x86-64" in kind or "AArch64" in kind:
            found.setdefault(name, path)
    return found


def copy_of(library, folder):
    """A copy that every user may read and that no rebuild changes under a running program."""
    os.makedirs(folder, 0o755, exist_ok=True)
    copy = shutil.copyfile(library, os.path.join(folder, os.path.basename(library)))
    os.chmod(copy, 0o755)
    return copy


def problem(path):
    """Empty if a small Python has the library mapped."""
    done = subprocess.run([sys.executable, "-I", "-c", "print(open('/proc/self/maps').read())"], capture_output=True,
                          text=True, env={"LD_PRELOAD": path}, timeout=60)
    if done.returncode != 0:
        return f"Python fails under it, with status {done.returncode}"
    return "" if os.path.realpath(path) in done.stdout else f"cannot be preloaded: {done.stderr.strip()}"


def find(names, flagstone, folder):
    """An Allocator for each name. folder: for flagstone's copy."""
    cache = known_libraries()
    found = []
    for name in names:
        path = copy_of(flagstone, folder) if name == "flagstone" else \
            next((cache[soname] for soname in SONAMES[name] if soname in cache), "")
        reason = problem(path) if path else f"no {SONAMES[name][0]}"
        found.append(Allocator(name, "" if reason else path, reason))
    return found
