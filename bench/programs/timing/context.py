"""What a program's file is given: commands and servers on the allocator in turn, and the clock.

A program's file is a module with
    PACKAGES     {command: Debian package that has it}
    WHAT         one line: what is timed
    QUICK        whether it belongs to the quick subset
    USER         optional: "unprivileged" to give up root where we have it
    prepare(ctx) optional: makes the inputs, once a session, in ctx.inputs; on no particular allocator
    run(ctx)     does the same work each time, with fixed seeds

What is measured:
    wall   of commands, from fork to end; of a server, the time inside `with server.loaded():`
    cpu    user and system time of the command or server, all of its life, with all processes that it waited for
    peak   the kernel's peak resident size of the largest process; of a server with several=True, the largest sum
           over its processes of proportional set sizes (shared pages count once), sampled every 100 ms under load
    rest   resident size of a server, or the sum of proportional set sizes, after so many seconds of idleness

Clients are not measured, and run on glibc for all allocators alike.

Calls flagstone-measured and /proc. Knows no program.
"""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

from harness import processes
from harness.context import answers

READY_SECONDS = 30
END_SECONDS = 60
SAMPLE_SECONDS = 0.1


class Failure(Exception):
    """The program did not do its work. The text says what."""


def proc_kib(pid, file, field):
    match = re.search(rf"^{field}:\s+(\d+) kB", processes.read(f"/proc/{pid}/{file}"), re.MULTILINE)
    return int(match[1]) if match else 0


def proportional_kib(root):
    return sum(proc_kib(pid, "smaps_rollup", "Pss") for pid in [root, *processes.descendants(root)])


class Measured:
    """One process under flagstone-measured."""

    def __init__(self, ctx, argv, env, stdin, stdout):
        self.name = os.path.basename(str(argv[0]))
        reader, writer = os.pipe()
        variables = {"LD_PRELOAD": ctx.allocator.path, **(env or {})}
        if "FLAGSTONE_CONF" in os.environ:
            variables["FLAGSTONE_CONF"] = os.environ["FLAGSTONE_CONF"]
        with open(os.path.join(ctx.work, "stderr"), "ab") as self_log:
            self.launcher = subprocess.Popen(
                [ctx.launcher, str(writer), *(f"{name}={value}" for name, value in variables.items()),
                 *map(str, argv)], stdin=stdin, stdout=stdout, stderr=self_log, cwd=ctx.work, env=ctx.environment,
                pass_fds=[writer], start_new_session=True, **(ctx.account or {}))
        os.close(writer)
        self.log = os.path.join(ctx.work, "stderr")
        self.report = os.fdopen(reader)
        self.pid = int((self.report.readline().split() or ["", 0])[1])

    def told(self, timeout):
        """{what: number} once the program has ended by itself; past the time limit it is killed."""
        if not select.select([self.report], [], [], timeout)[0]:
            os.kill(self.pid, signal.SIGKILL)
        values = {name: float(value) for name, value in (line.split() for line in self.report)}
        self.report.close()
        self.launcher.wait()
        return values

    def check(self, values, expect):
        if values.get("status") != expect:
            with open(self.log, "rb") as file:
                tail = file.read()[-800:].decode(errors="replace")
            raise Failure(f"{self.name}: status {values.get('status')}, {expect} was expected\n{tail}")


class Server(Measured):
    """A process that stays. several: it consists of several, and memory is summed over them."""

    def __init__(self, ctx, argv, env=None, several=False, stop=signal.SIGTERM, expect=0, pipes=False):
        super().__init__(ctx, argv, env, subprocess.PIPE if pipes else subprocess.DEVNULL,
                         subprocess.PIPE if pipes else subprocess.DEVNULL)
        self.ctx, self.several, self.stop_signal, self.expect = ctx, several, stop, expect
        self.wall = self.peak = 0
        ctx.servers.append(self)

    def wait_for(self, ready):
        give_up = time.monotonic() + READY_SECONDS
        while not ready():
            if self.launcher.poll() is not None or time.monotonic() > give_up:
                raise Failure(f"{self.name}: not ready after {READY_SECONDS} s, or ended")
            time.sleep(0.01)

    def listen_at(self, port):
        self.wait_for(lambda: answers(port))

    def sample(self, done):
        while not done.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, proportional_kib(self.pid))

    @contextlib.contextmanager
    def loaded(self):
        """The time in here is what the server's work took."""
        done = threading.Event()
        sampler = threading.Thread(target=self.sample, args=[done])
        if self.several:
            sampler.start()
        start = time.monotonic()
        try:
            yield
            self.wall += time.monotonic() - start
        finally:
            done.set()
            if self.several:
                sampler.join()
        if self.several:
            self.peak = max(self.peak, proportional_kib(self.pid))

    def ask(self, line):
        """Writes a line to its stdin, and waits for a line of its stdout."""
        self.launcher.stdin.write(line.encode() + b"\n")
        self.launcher.stdin.flush()
        if not self.launcher.stdout.readline():
            raise Failure(f"{self.name}: no answer")

    def resident(self):
        return proportional_kib(self.pid) if self.several else proc_kib(self.pid, "status", "VmRSS")

    def end(self):
        """Stops it. Returns what it took."""
        os.kill(self.pid, self.stop_signal)
        if self.launcher.stdin:
            self.launcher.stdin.close()
            self.launcher.stdout.close()
        values = self.told(END_SECONDS)
        self.check(values, self.expect)
        return {"wall": self.wall, "cpu": values["cpu"], "peak": self.peak if self.several else values["peak"]}


class Context:
    """One program on one allocator, once."""

    def __init__(self, allocator, launcher, work, inputs, quick, account, environment):
        self.allocator, self.launcher, self.quick, self.account = allocator, launcher, quick, account
        self.work, self.inputs = work, inputs
        self.environment = environment
        self.servers = []
        self.took = {"wall": 0.0, "cpu": 0.0, "peak": 0.0}

    def path(self, name):
        return os.path.join(self.work, name)

    def input(self, name, data=None):
        """The path of an input; written if data is given."""
        path = os.path.join(self.inputs, name)
        if data is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
        return path

    def add(self, took):
        for name in ("wall", "cpu"):
            self.took[name] += took[name]
        self.took["peak"] = max(self.took["peak"], took["peak"])

    def command(self, argv, stdin=os.devnull, env=None, expect=0):
        """Runs a command to its end, and adds what it took."""
        with open(stdin, "rb") as source:
            measured = Measured(self, argv, env, source, subprocess.DEVNULL)
        values = measured.told(END_SECONDS)
        measured.check(values, expect)
        self.add(values)

    def server(self, argv, **more):
        return Server(self, argv, **more)

    def client(self, argv, stdin=None, env=None):
        """Runs a command that is not measured. Returns its output."""
        done = subprocess.run(list(map(str, argv)), input=stdin, capture_output=True, text=True, cwd=self.work,
                              env={**self.environment, **(env or {})}, timeout=END_SECONDS, **(self.account or {}))
        if done.returncode != 0:
            raise Failure(f"{argv[0]}: status {done.returncode}: {done.stderr[-500:]}")
        return done.stdout

    def succeeds(self, argv):
        return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=END_SECONDS).returncode == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def exchange(port, payloads):
    """Sends each payload on a connection of its own, all at once, and reads until the server closes each.

    Returns the number of bytes that came back. The last request of a payload must ask the server to close.
    """
    counts = [0] * len(payloads)

    def receive(i, connection):
        while data := connection.recv(1 << 18):
            counts[i] += len(data)

    connections = [socket.create_connection(("127.0.0.1", port), timeout=END_SECONDS) for _ in payloads]
    threads = [threading.Thread(target=receive, args=pair) for pair in enumerate(connections)]
    threads += [threading.Thread(target=connection.sendall, args=[payload])
                for connection, payload in zip(connections, payloads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    return sum(counts)
