"""What people read: one line a program and mode, the first lines of a difference, the last line.

Knows neither processes nor programs.
"""

import difflib
import sys

DIFF_LINES = 40


def say(text="", end="\n"):
    sys.stdout.write(text + end)
    sys.stdout.flush()


def difference(reference, transcript, mode):
    """The first lines of how a transcript differs from the one of the system malloc, or an empty string."""
    if reference == transcript:
        return ""
    before, after = reference.splitlines(), transcript.splitlines()
    lines = list(difflib.unified_diff(before, after, "system", mode, lineterm="", n=2))
    more = [f"... {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return "\n".join("  " + line for line in lines[:DIFF_LINES] + more)


class Tally:
    """Counts and prints outcomes."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def begin(self, program, mode):
        say(f"{program.name:12} {mode.name:8}", end=" ")

    def end(self, outcome, note="", counted=True):
        if outcome.status == "skipped":
            say(f"{'-':>8}    skipped: {outcome.reason}")
        else:
            say(f"{outcome.seconds:7.2f} s  {outcome.status}{note}")
        for text in outcome.notes:
            say(f"  {text}")
        if outcome.status == "failed":
            say(f"  {outcome.reason}")
            say(f"  logs: {outcome.logs}")
        if counted:
            self.counts[outcome.status] += 1

    def last_line(self):
        say(", ".join(f"{count} {status}" for status, count in self.counts.items()))
        return 1 if self.counts["failed"] else 0
