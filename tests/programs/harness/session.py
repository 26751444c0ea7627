"""One session of program tests: its temporary directory, the programs' files, one program on one mode.

Calls context.py, modes.py, processes.py and the script `install`. Knows no program by name.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from . import context, modes, processes

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # Debian's programs, not those of the caller's own PATH


class Outcome:
    """How one program on one mode went: status is passed, failed or skipped."""

    def __init__(self, status, seconds=0.0, reason="", transcript="", logs="", notes=()):
        self.status = status
        self.seconds = seconds
        self.reason = reason
        self.transcript = transcript
        self.logs = logs
        self.notes = notes


class Program:
    """A program's file: see context.py for what it must hold."""

    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0].replace("_", "-")
        spec = importlib.util.spec_from_file_location("program_" + self.name.replace("-", "_"), path)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.packages = self.module.PACKAGES
        self.quick = self.module.QUICK
        self.summary = self.module.__doc__.strip().splitlines()[0]

    def missing(self):
        """Packages to install: their command is nowhere. A command with a slash is a file that must be there."""
        return sorted({package for command, package in self.packages.items() if not find_command(command)})

    def absent_commands(self):
        return sorted(command for command in self.packages if not find_command(command))


def find_command(command):
    return os.path.exists(command) if "/" in command else shutil.which(command, path=PATH)


def load_programs():
    names = sorted(name for name in os.listdir(HERE) if name.endswith(".py"))
    return [Program(os.path.join(HERE, name)) for name in names]


def install(packages):
    """True if the packages are there afterwards. What apt says goes to stderr."""
    return subprocess.run([os.path.join(HERE, "install"), *packages], stdin=subprocess.DEVNULL).returncode == 0


def unprivileged_account():
    """Who a program becomes that must not be root, as arguments of subprocess; None if we are not root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Session:
    def __init__(self, library, quick, extra_conf, timeout):
        self.root = tempfile.mkdtemp(prefix="flagstone-programs-", dir="/tmp")
        os.chmod(self.root, 0o711)
        self.quick = quick
        self.timeout = timeout  # None: each program's own
        self.extra_conf = extra_conf
        self.keep = False
        self.library = self.copy_library(library)

    def copy_library(self, library):
        """A copy that every user may read and that no rebuild changes under a running program."""
        if library is None:
            return ""
        copy = os.path.join(self.root, "lib", os.path.basename(library))
        os.mkdir(os.path.dirname(copy), 0o755)
        shutil.copyfile(library, copy)
        os.chmod(copy, 0o755)
        return copy

    def close(self):
        """Ends every process and removes the directory, all but the logs if these are kept."""
        processes.end_all()
        for name in os.listdir(self.root):
            if not (self.keep and name == "logs"):
                shutil.rmtree(os.path.join(self.root, name), ignore_errors=True)
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def environment(self, mode, work):
        return {
            "PATH": PATH, "HOME": work, "TMPDIR": os.path.join(work, "tmp"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "TZ": "UTC", "SHELL": "/bin/sh", **modes.environment(mode, self.library, self.extra_conf),
        }

    def probe(self, mode):
        """Empty if a small Python on this mode has the library mapped, and the magazines are those asked for.

        The statistics at exit name the magazines. A library of another name (a stand-in) need not have them.
        """
        env = {**self.environment(mode, "/tmp"), "TMPDIR": "/tmp"}
        conf = ",".join(part for part in (env.get("FLAGSTONE_CONF"), "stats_at_exit") if part)
        argv = [sys.executable, "-I", "-c", "print(open('/proc/self/maps').read())"]
        done = subprocess.run(argv, env={**env, "FLAGSTONE_CONF": conf}, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            return f"Python fails under the preload, with status {done.returncode}: {done.stderr.strip()}"
        if self.library not in done.stdout:
            return f"the preload is not in effect: {done.stderr.strip() or 'the library is not among the mappings'}"
        magazines = re.search(r"^flagstone: magazines (\w+)", done.stderr, re.MULTILINE)
        if not magazines:
            return "no statistics at exit" if "flagstone" in os.path.basename(self.library) else ""
        if "magazine=" in self.extra_conf or magazines[1] == mode.magazine:
            return ""
        return f"flagstone uses {magazines[1]} magazines where {mode.magazine} was asked for"

    def run(self, program, mode):
        """Runs one program on one mode, and leaves no process of it behind."""
        work = os.path.join(self.root, "work")
        logs = os.path.join(self.root, "logs", program.name, mode.name)
        os.makedirs(logs, mode=0o755)
        account = unprivileged_account() if getattr(program.module, "USER", "") == "unprivileged" else None
        ctx = context.Context(work, logs, mode, self.library, self.environment(mode, work), program.module.PROVES,
                              self.timeout or program.module.TIMEOUT, self.quick, account)
        shutil.rmtree(work, ignore_errors=True)
        ctx.make_directory("tmp")
        ctx.give_away(work)
        start = time.monotonic()
        reason = self.attempt(program, ctx)
        seconds = time.monotonic() - start
        processes.end_all()
        shutil.rmtree(work, ignore_errors=True)
        reason = "\n  ".join([*ctx.bugs(), *([reason] if reason else [])])
        transcript = self.neutral("".join(ctx.transcript))
        with open(os.path.join(logs, "transcript"), "w") as file:
            file.write(transcript)
        return Outcome("failed" if reason else "passed", seconds, reason, transcript, logs, ctx.notes)

    def attempt(self, program, ctx):
        """The reason of failure, or an empty string."""
        try:
            program.module.run(ctx)
            ctx.check(not ctx.servers, "left a server running")
            ctx.check_proved()
            return ""
        except context.Failure as failure:
            return str(failure)
        except Exception as error:  # a mistake in one program's file must not end the session
            where = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})"

    def neutral(self, text):
        """Without the parts of paths that change from session to session."""
        return text.replace(self.root, "$ROOT")
