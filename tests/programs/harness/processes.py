"""The processes below this one: finding them, what they have mapped, ending them.

Calls /proc and kill. Knows nothing of allocators and programs.
"""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    """Orphans become our children instead of init's: a daemon cannot get out of sight."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read(path):
    """The text of a file below /proc, empty if the process is gone or not ours to see."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def stat_fields(pid):
    """The fields after the command name, which may hold blanks: state, parent..."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def descendants(root=None):
    """Every process below root, or below this one, parents before children."""
    children = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdigit() else []
        if len(fields) > 1:
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [root or os.getpid()]
    for pid in found:
        found.extend(children.get(pid, []))
    return found[1:]


def executable(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def has_mapped(pid, path):
    return path in read(f"/proc/{pid}/maps")


def describe(pid):
    """One line on a process and its threads, for the log of a hang."""
    state = (stat_fields(pid) or ["gone"])[0]
    command = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()[:200] or f"({executable(pid)})"
    waits = []
    try:
        waits = [read(f"/proc/{pid}/task/{tid}/wchan") or "-" for tid in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        pass
    return f"{pid} {state} {command}: {len(waits)} threads, waiting in {', '.join(sorted(set(waits)))}"


def reap(known=()):
    """Collects ended orphans. Those in known belong to somebody who waits for them."""
    for pid in descendants():
        fields = stat_fields(pid)
        if pid not in known and fields[:2] == ["Z", str(os.getpid())]:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def signal_all(number):
    for pid in descendants():
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def end_all(grace=2.0):
    """Ends everything below us: politely, then for certain. Loops, since what we kill may be forking."""
    signal_all(signal.SIGTERM)
    give_up = time.monotonic() + grace + 5.0
    kill_after = time.monotonic() + grace
    while descendants() and time.monotonic() < give_up:
        if time.monotonic() > kill_after:
            signal_all(signal.SIGKILL)
        reap()
        time.sleep(0.02)
