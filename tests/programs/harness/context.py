"""What a program's file is given: a work directory, commands and servers on the mode's allocator, and the transcript.

A program's file is a module with
    PACKAGES   {command: Debian package that has it}
    PROVES     executables that must have been seen with the library mapped
    QUICK      whether it belongs to the quick subset
    TIMEOUT    seconds for one mode
    USER       optional: "unprivileged" to give up root where we have it
    run(ctx)   runs the program through ctx, a Context

The transcript is what must be the same on every allocator: each command with its output and exit status, and whatever
the file adds with record(). The work directory has the same path in every mode, so that paths differ in nothing.

Calls processes.py. Knows no program.
"""

import hashlib
import os
import re
import signal
import socket
import subprocess
import time

from . import processes

BUG = re.compile(rb"^flagstone: BUG.*", re.MULTILINE)
SAMPLE_FAST = 0.002  # seconds between looks at the processes while a command is young
SAMPLE_SLOW = 0.05


class Failure(Exception):
    """The program did not do what it must do on any allocator. The text says what."""


class Result:
    """What a command left: its exit status (minus the signal's number if one ended it), stdout, stderr."""

    def __init__(self, status, stdout, stderr):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class Server:
    """A process that stays until stop(), with its stderr."""

    def __init__(self, context, name, process, stdout, stderr):
        self.context = context
        self.name = name
        self.process = process
        self.stdout = stdout
        self.stderr = stderr

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.stdout, errors="replace") as out, open(self.stderr, errors="replace") as err:
            return out.read() + err.read()

    def wait(self, expect=0):
        """Waits for the server, which was asked to end, and checks its exit status."""
        self.context.wait_for(lambda: self.process.poll() is not None, f"the end of {self.name}")
        self.context.servers.remove(self)
        self.context.check_status(self.name, self.process.returncode, expect, self.log())
        self.context.record(f"{self.name} ended", f"exit {self.process.returncode}")

    def stop(self, number=signal.SIGTERM, expect=0):
        self.process.send_signal(number)
        self.wait(expect)


class Context:
    def __init__(self, work, logs, mode, library, environment, proves, timeout, quick, account=None):
        self.work = work
        self.logs = logs
        self.mode = mode
        self.library = library
        self.quick = quick
        self.servers = []
        self.transcript = []
        self.notes = []  # said beside the result, whatever it is
        self.deadline = time.monotonic() + timeout
        self.timeout = timeout
        self.account = account  # {user, group, extra_groups} of subprocess, or None to stay who we are
        self.environment = environment
        self.unproved = set(proves)
        self.commands = 0
        self.ports = []  # rules that hide the ports in recorded command lines

    # What the transcript says

    def record(self, title, text=""):
        body = text if text.endswith("\n") or not text else text + "\n"
        self.transcript.append(f"# {title}\n{body}")

    def note(self, text):
        self.notes.append(text)

    def check(self, condition, text):
        if not condition:
            raise Failure(text)

    def check_status(self, name, status, expect, log):
        if expect is None or status == expect:
            return
        how = f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
        tail = "".join(f"\n  | {line}" for line in log.splitlines()[-15:])
        raise Failure(f"{name}: {how}, {expect} was expected{tail}")

    # Files

    def path(self, name):
        return os.path.join(self.work, name)

    def write(self, name, data):
        """A file in the work directory, from text or bytes. Returns its path."""
        path = self.path(name)
        self.make_directory(os.path.dirname(name))
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        self.give_away(path)
        return path

    def make_directory(self, name):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        self.give_away(path)
        return path

    def give_away(self, path):
        if self.account:
            os.chown(path, self.account["user"], self.account["group"])

    def digest(self, *names):
        """One line a file: its SHA-256 and its name."""
        lines = []
        for name in names:
            with open(self.path(name), "rb") as file:
                lines.append(f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n")
        return "".join(lines)

    # Processes

    def free_port(self):
        """A TCP port of 127.0.0.1 that was free a moment ago. Recorded command lines do not show it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.ports.append((rf"\b{port}\b", "PORT"))
        return port

    def run(self, argv, stdin=b"", expect=0, env=None, cwd=None, rules=(), show=None, meanwhile=None, record=True):
        """Runs a command to its end. Its exit status must be expect (None: any).

        Goes into the transcript: argv, the output after rules, and the status. rules are (pattern, replacement) for
        what may differ, such as times; show, if given, makes the recorded text from the Result. meanwhile, if given,
        is called once the command has had a moment to get going. record=False keeps all of it out of the transcript.
        """
        name = os.path.basename(argv[0])
        process, stdout, stderr = self.start(argv, name, stdin, env, cwd)
        if meanwhile:
            time.sleep(0.3)
            meanwhile()
        self.watch(lambda: process.poll() is not None, name)
        result = Result(process.returncode, self.text(stdout), self.text(stderr))
        self.check_status(name, result.status, expect, result.stderr or result.stdout)
        if record:
            text = show(result) if show else both_outputs(result)
            self.record(apply_rules(self.ports, "$ " + " ".join(map(str, argv))), apply_rules(rules, text))
            self.record(f"exit {result.status}")
        return result

    def ask(self, argv):
        """Runs a short command on the same allocator, out of the transcript. Returns its stdout, stripped."""
        left = max(self.deadline - time.monotonic(), 0.1)
        try:
            result = subprocess.run([str(part) for part in argv], stdin=subprocess.DEVNULL, capture_output=True,
                                    cwd=self.work, env=self.environment, timeout=left, **(self.account or {}))
        except subprocess.TimeoutExpired as error:
            raise Failure(f"timed out after {self.timeout:g} s, waiting for {argv[0]}{self.hang_report()}") from error
        bugs = BUG.findall(result.stderr)
        self.check(not bugs, f"{argv[0]}: {bugs[0].decode(errors='replace') if bugs else ''}")
        self.check(result.returncode >= 0, f"{argv[0]}: killed by signal {-result.returncode}")
        return result.stdout.decode(errors="replace").strip()

    def serve(self, argv, ready, env=None, cwd=None):
        """Starts a server and waits until ready() is true. Its output is not compared, but searched for BUG reports."""
        name = os.path.basename(argv[0])
        process, stdout, stderr = self.start(argv, name, b"", env, cwd)
        server = Server(self, name, process, stdout, stderr)
        self.servers.append(server)
        self.wait_for(lambda: process.poll() is not None or ready(), f"{name} to be ready")
        if process.poll() is not None:
            self.servers.remove(server)
            self.check_status(name, process.returncode, "a running server", server.log())
        return server

    def start(self, argv, name, stdin, env, cwd):
        """A new process with its input and outputs in files of the log directory."""
        self.commands += 1
        base = os.path.join(self.logs, f"{self.commands:02d}-{name}")
        with open(base + ".in", "wb") as file:
            file.write(stdin.encode() if isinstance(stdin, str) else stdin)
        with open(base + ".in", "rb") as source, open(base + ".out", "wb") as out, open(base + ".err", "wb") as err:
            process = subprocess.Popen(
                [str(part) for part in argv], stdin=source, stdout=out, stderr=err, cwd=cwd or self.work,
                env={**self.environment, **(env or {})}, start_new_session=True, **(self.account or {}))
        return process, base + ".out", base + ".err"

    def text(self, path):
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")

    # Waiting

    def wait_for(self, done, what):
        self.watch(done, what)

    def watch(self, done, what):
        """Waits until done(), and meanwhile looks which processes have the library mapped."""
        pause = SAMPLE_FAST
        while not done():
            self.look_at_processes()
            if time.monotonic() > self.deadline:
                raise Failure(f"timed out after {self.timeout:g} s, waiting for {what}" + self.hang_report())
            time.sleep(pause)
            pause = min(pause * 1.3, SAMPLE_SLOW)

    def hang_report(self):
        return "".join(f"\n  | {processes.describe(pid)}" for pid in processes.descendants())

    def look_at_processes(self):
        """On system, finds preloads that should not be there; else ticks off the executables that have it."""
        if not self.unproved or not self.library:
            return
        for pid in processes.descendants():
            name = processes.executable(pid)
            if name not in self.unproved or not processes.has_mapped(pid, self.library):
                continue
            self.check(self.mode.preload, f"{name} has the library mapped on the system malloc")
            self.unproved.discard(name)

    def check_proved(self):
        if self.mode.preload and self.unproved:
            raise Failure(f"never seen with the library mapped: {', '.join(sorted(self.unproved))}")

    def bugs(self):
        """Lines in any output so far that start as flagstone's reports do."""
        found = []
        for name in sorted(os.listdir(self.logs)):
            if not name.endswith(".in"):
                with open(os.path.join(self.logs, name), "rb") as file:
                    found += [f"{name}: {line.decode(errors='replace')}" for line in BUG.findall(file.read())]
        return found


def both_outputs(result):
    return result.stdout + "".join(f"stderr: {line}\n" for line in result.stderr.splitlines())


def apply_rules(rules, text):
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def answers(port):
    """Whether something listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def sha256(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
