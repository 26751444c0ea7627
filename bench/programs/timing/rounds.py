"""Rounds: in each, every program runs once on every allocator, the allocators in a new order for each program.

What disturbs the machine for a while then disturbs all alike. Servers rest while the next programs run, and are looked
at when their time is up: an idle process takes no CPU to speak of, and waiting for each would take minutes.

Calls context.py. Knows no program by name.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from harness import processes
from harness.session import PATH, unprivileged_account

from . import context


class Progress:
    """One line on stderr: rewritten on a terminal, else a new one every few seconds."""

    def __init__(self, total):
        self.total, self.done, self.last = total, 0, 0.0

    def step(self, text):
        now = time.monotonic()
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{self.done * 100 // self.total:3}% {text}")
            sys.stderr.flush()
        elif now - self.last > 5:
            print(f"{self.done * 100 // self.total:3}% {text}", file=sys.stderr)
            self.last = now
        self.done += 1

    def say(self, text):
        print(("\r\033[K" if sys.stderr.isatty() else "") + text, file=sys.stderr)

    def end(self):
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")


class Session:
    """Where the work is done, and what is at rest meanwhile."""

    def __init__(self, launcher, quick, idle):
        self.root = tempfile.mkdtemp(prefix="flagstone-bench-", dir="/tmp")
        os.chmod(self.root, 0o711)
        self.launcher = self.copy_launcher(launcher)
        self.quick, self.idle = quick, idle
        self.resting = []  # (when to look, program, ctx)
        self.failures = []
        self.samples = {}  # {(program's name, allocator's name): {what: [value]}}
        self.runs = 0

    def copy_launcher(self, launcher):
        copy = shutil.copyfile(launcher, os.path.join(self.root, "flagstone-measured"))
        os.chmod(copy, 0o755)
        return copy

    def folder(self, name, account):
        path = os.path.join(self.root, name)
        os.makedirs(path)
        if account:
            os.chown(path, account["user"], account["group"])
        return path

    def context(self, program, allocator):
        account = unprivileged_account() if getattr(program.module, "USER", "") == "unprivileged" else None
        inputs = os.path.join(self.root, "inputs-" + program.name)
        if not os.path.isdir(inputs):
            self.folder("inputs-" + program.name, account)
        self.runs += 1
        work = self.folder(f"work-{self.runs}", account)
        environment = {"PATH": PATH, "HOME": work, "TMPDIR": work, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC",
                       "SHELL": "/bin/sh"}
        return context.Context(allocator, self.launcher, work, inputs, self.quick, account, environment)

    def prepare(self, program):
        """Makes the inputs. False if that failed: the program is then left out."""
        ctx = self.context(program, None)
        return self.attempt(program, "its inputs", lambda: getattr(program.module, "prepare", lambda _: None)(ctx))

    def attempt(self, program, where, act):
        try:
            act()
            return True
        except (context.Failure, OSError, subprocess.SubprocessError) as error:
            reason = str(error)
        except Exception as error:  # a mistake in one program's file must not end the session
            at = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({os.path.basename(at.filename)}:{at.lineno})"
        self.failures.append(f"{program.name} on {where}: {reason}")
        return False

    def record(self, program, allocator, took):
        sample = self.samples.setdefault((program.name, allocator.name), {})
        for what, value in took.items():
            sample.setdefault(what, []).append(value)

    def run(self, program, allocator):
        ctx = self.context(program, allocator)
        if not self.attempt(program, allocator.name, lambda: program.module.run(ctx)):
            self.drop(ctx)
        elif ctx.servers:
            self.resting.append((time.monotonic() + self.idle, program, ctx))
        else:
            self.record(program, allocator, ctx.took)
            shutil.rmtree(ctx.work, ignore_errors=True)

    def drop(self, ctx):
        for server in ctx.servers:
            for pid in [server.launcher.pid, *processes.descendants(server.launcher.pid)]:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
            server.launcher.wait()
        shutil.rmtree(ctx.work, ignore_errors=True)

    def look(self, program, ctx):
        """A server's rest is over: takes its size, ends it, and records what it took."""
        for server in ctx.servers:
            resident = server.resident()
            ctx.add(server.end())
            ctx.took["rest"] = max(ctx.took.get("rest", 0), resident)
        self.record(program, ctx.allocator, ctx.took)
        shutil.rmtree(ctx.work, ignore_errors=True)

    def look_at_rested(self, wait=False):
        while self.resting and (wait or self.resting[0][0] <= time.monotonic()):
            due, program, ctx = self.resting.pop(0)
            time.sleep(max(due - time.monotonic(), 0))
            if not self.attempt(program, ctx.allocator.name, lambda: self.look(program, ctx)):
                self.drop(ctx)

    def close(self):
        processes.end_all()
        shutil.rmtree(self.root, ignore_errors=True)


def run_all(session, programs, allocators, rounds):
    """Returns the programs that could be prepared."""
    order = random.Random(1)
    progress = Progress((rounds * len(allocators) + 1) * len(programs))
    ready = []
    for program in programs:
        progress.step(f"preparing {program.name}")
        if session.prepare(program):
            ready.append(program)
    for number in range(1, rounds + 1):
        for program in ready:
            for allocator in order.sample(allocators, len(allocators)):
                progress.step(f"round {number}: {program.name} on {allocator.name}")
                session.look_at_rested()
                session.run(program, allocator)
        progress.step(f"round {number}: waiting for the last to rest")
        progress.done -= 1
        session.look_at_rested(wait=True)
    progress.end()
    return ready
