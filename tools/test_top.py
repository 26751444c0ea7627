#!/usr/bin/python3
"""Tests of flagstone-top: as lines, and on the screen of a pseudo-terminal that pyte reads.

usage: test_top.py TOP STAT LIBRARY SUBJECT OTHER-BUILD      (the programs that meson built)
Skipped (77) without pyte.
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from subject import LIVE, NAME, PYTHON, Process, run, stat_json  # noqa: E402
try:
    import pyte
except ImportError:
    print("SKIP: no pyte (Debian's python3-pyte)")
    sys.exit(77)

TOP, STAT, LIBRARY, SUBJECT, OTHER_BUILD = (os.path.abspath(path) for path in sys.argv[1:6])
DEADLINE = 30  # seconds, after which what a test waits for will not come
NOBODY = 65534


def size_text(number):
    """As flagstone-top writes a size: cut, not rounded."""
    units = ["", "K", "M", "G", "T"]
    unit = 0
    while number >> (10 * unit) >= 1024:
        unit += 1
    if not unit:
        return str(number)
    tenths = (number >> (10 * (unit - 1))) * 10 >> 10
    return f"{tenths // 10}.{tenths % 10}{units[unit]}"


class Screen:
    """flagstone-top on a terminal of its own: of the kind 'linux', which pyte knows all of."""

    def __init__(self, *arguments, width=100, height=40, program=TOP, user=None, **variables):
        self.master, self.slave = pty.openpty()
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.set_size(width, height)
        self.modes = termios.tcgetattr(self.slave)
        env = {"TERM": "linux", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], **variables}
        as_user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self.process = subprocess.Popen(
            [program, "--interval", "0.2", *arguments], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env={name: value for name, value in env.items() if value is not None}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **as_user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def set_size(self, width, height):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width, height):
        self.screen.resize(height, width)
        self.set_size(width, height)  # the kernel signals this

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        data = os.read(self.master, 1 << 16)
        self.output += data
        self.stream.feed(data)
        return True

    @property
    def text(self):
        return "\n".join(self.screen.display)

    def wait_for(self, pattern):
        """Until the screen matches; returns the match."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            match = re.search(pattern, self.text, re.M)
            if match:
                return match
            self.read(0.1)
        raise AssertionError(f"no '{pattern}' came on the screen, which is:\n{self.text}")

    def press(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """What it ended with, once it has."""
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        while self.read(0):
            pass
        return self.process.wait(1)


class Lines(unittest.TestCase):
    """--once and --json."""

    def test_figures_are_those_of_stat(self):
        with Process(SUBJECT, "hold") as process:
            stats = stat_json(STAT, process.pid)
            rows = run(TOP, "--once").stdout.splitlines()
            one = run(TOP, process.pid, "--json").stdout
            lines = [json.loads(line) for line in run(TOP, "--json").stdout.splitlines()]
        [row] = [row.split() for row in rows if row.split()[0] == process.pid]
        dirty = stats["free_bytes"] - stats["free_zero_bytes"]
        expected = [stats[name] for name in ("resident_bytes", "live_bytes", "cached_bytes", "cpu_bytes", "depot_bytes")]
        self.assertEqual(row[1:8], [size_text(number) for number in expected + [dirty]] + ["-"])
        self.assertIn("test_subject hold", " ".join(row))
        self.assertEqual(json.loads(one), stats)
        [line] = [line for line in lines if line["pid"] == int(process.pid)]
        self.assertEqual((line["stats"], line["command"]), (stats, "test_subject hold"))

    def test_caches_of_one_process(self):
        with Process(SUBJECT, "hold") as process:
            lines = run(TOP, process.pid, "--once", "--sort", "live").stdout.splitlines()
        start = [i for i, line in enumerate(lines) if line.split()[:2] == ["LIVE", "OBJECTS"]][0] + 1
        [row] = [line for line in lines if line.endswith(NAME)]
        self.assertEqual(row.split()[0], str(LIVE))
        live = [int(line.split()[0]) for line in lines[start:]]
        self.assertEqual(live, sorted(live, reverse=True))

    def test_second_table_knows_what_was_given_back(self):
        with Process(SUBJECT, "hold") as process:
            tables = run(TOP, "--once", "--count", "2", "--interval", "0.1").stdout.split("\n\n")
        rates = [line.split()[7] for table in tables for line in table.splitlines() if line.split()[0] == process.pid]
        self.assertEqual(rates, ["-", "0"])

    def test_order(self):
        with Process(SUBJECT, "hold"), Process(SUBJECT, "hold"):
            rows = run(TOP, "--once", "--sort=pid").stdout.splitlines()[1:]
        pids = [int(row.split()[0]) for row in rows]
        self.assertGreaterEqual(len(pids), 2)
        self.assertEqual(pids, sorted(pids, reverse=True))

    def test_reasons_have_the_statuses_of_stat(self):
        self.assertEqual(run(TOP, "--once", "--sort", "weight").returncode, 2)
        self.assertEqual(run(TOP, "12x", "--once").returncode, 2)
        self.assertEqual(run(TOP, "--interval", "0").returncode, 2)
        self.assertEqual(run(TOP, "--count").returncode, 2)
        self.assertIn("the nearest is --sort", run(TOP, "--srot").stderr)
        with subprocess.Popen(["true"]) as ended:
            ended.wait()
        self.assertEqual(run(TOP, str(ended.pid), "--once").returncode, 3)
        with Process(*PYTHON, LD_PRELOAD="") as process:
            self.assertEqual(run(TOP, process.pid, "--once").returncode, 5)
            self.assertNotIn(process.pid, [row.split()[0] for row in run(TOP, "--once").stdout.splitlines()])
        with Process(OTHER_BUILD) as process:
            self.assertEqual(run(TOP, process.pid, "--once").returncode, 6)
            self.assertRegex(run(TOP, "--once").stdout, rf"(?m)^ *{process.pid} .*other build")

    def test_output_that_is_no_terminal_is_told_of_once(self):
        result = run(TOP, stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, 2)
        self.assertIn("use --once", result.stderr)

    def test_full_disk_is_noticed(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assertEqual(run(TOP, "--once", stdout=full).returncode, 1)


class Live(unittest.TestCase):
    def test_keys(self):
        with Process(SUBJECT, "hold") as process, Screen(process.pid) as screen:
            screen.wait_for(rf"^ {process.pid} test_subject hold \(")
            screen.wait_for(r"live objects")
            screen.wait_for(rf"^ +{LIVE} .*{re.escape(NAME)}")
            screen.press("\x1b")
            screen.wait_for(rf"^ +{process.pid} .* test_subject")
            screen.press("h")
            screen.wait_for("refresh now")
            screen.press("h")
            screen.wait_for("▼RESIDENT")
            screen.press("s")
            screen.wait_for("▼LIVE")
            screen.press("r")
            screen.wait_for("▲LIVE")
            screen.press("S")
            screen.wait_for("▼RESIDENT")
            screen.press("+")
            screen.wait_for("every 0.5 s")
            screen.press("-")
            screen.wait_for("every 0.2 s")
            screen.press("\r")
            screen.wait_for("live objects")
            screen.press("\x1b[D")
            screen.wait_for("on flagstone: resident")
            screen.press("q")
            self.assertEqual(screen.end(), 0)
            self.assertEqual(termios.tcgetattr(screen.slave), screen.modes)

    def test_selection_moves(self):
        with Process(SUBJECT, "hold") as process, Process(SUBJECT, "hold"), \
                Screen("--sort", "pid", "--interval", "60", height=200) as screen:
            rows = screen.wait_for(rf"COMMAND *\n((?:.*\n)*?) +{process.pid} ")[1].count("\n")
            self.assertGreater(rows, 0)
            screen.press("\x1b[B" * rows + "\r")
            screen.wait_for(rf"^ {process.pid} test_subject")

    def test_caches_scroll(self):
        with Process(SUBJECT, "hold") as process, Screen(process.pid, width=80, height=8) as screen:
            # Drawn whole: the last line is drawn last. Names, as numbers may change.
            first = screen.wait_for(r"CACHE *\n.* (\S+) *\n.* (\S+) *\nq quit.* r reverse")
            screen.press("\x1b[B")
            screen.wait_for(rf"CACHE *\n.* {re.escape(first[2])} *\n")
            screen.press("\x1b[1~")
            screen.wait_for(rf"CACHE *\n.* {re.escape(first[1])} *\n")

    def test_resize(self):
        with Process(SUBJECT, "hold") as process, Screen(process.pid, width=120, height=40) as screen:
            screen.wait_for("free blocks of each size")
            screen.resize(40, 10)
            screen.wait_for(r"BYTES CACHE[\s\S]*^q quit.*\Z")
            self.assertNotIn("free blocks", screen.text)
            screen.resize(12, 2)
            screen.read(0.5)
            screen.resize(100, 30)
            screen.wait_for("free blocks of each size")
            screen.press("q")
            self.assertEqual(screen.end(), 0)

    def test_process_that_ends(self):
        with Process(SUBJECT, "hold") as process, Screen(process.pid) as screen:
            screen.wait_for("live objects")
            process.end()
            screen.wait_for(rf"process {process.pid} \(test_subject\) has ended")
            self.assertIn("on flagstone: resident", screen.text)

    def test_process_that_executes_another_program_is_found_again(self):
        script = f"echo ready; read word; LD_PRELOAD={LIBRARY} exec /bin/sh -c 'read word'"
        with Process("/bin/sh", "-c", script) as process, Screen("--sort", "pid", height=200) as screen:
            screen.wait_for("COMMAND")
            screen.read(1)
            self.assertNotRegex(screen.text, rf"(?m)^ +{process.pid} ")
            process.process.stdin.write("go\n")
            process.process.stdin.flush()
            screen.wait_for(rf"^ +{process.pid} .* sh -c read word")
            process.process.stdin.write("end\n")
            self.assertEqual(process.end(), 0)

    def test_signals_restore_the_terminal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with Screen(TERM="xterm") as screen:
                screen.wait_for("COMMAND")
                self.assertNotEqual(termios.tcgetattr(screen.slave), screen.modes)
                if number == signal.SIGINT:
                    screen.press("\x03")
                else:
                    screen.process.send_signal(number)
                self.assertEqual(screen.end(), -number)
                self.assertEqual(termios.tcgetattr(screen.slave), screen.modes)
                self.assertRegex(screen.output, rb"\x1b\[\?1049l")
                self.assertRegex(screen.output, rb"\x1b\[\?25h|\x1b\[\?12l\x1b\[\?25h")

    def test_count_ends_it(self):
        with Screen("--count", "3") as screen:
            self.assertEqual(screen.end(), 0)

    def test_plain_terminals(self):
        with Process(SUBJECT, "hold") as process:
            with Screen(process.pid, TERM="vt100", LC_ALL="C") as screen:
                screen.wait_for("# live objects")
                self.assertTrue(screen.output.isascii())
            with Screen(process.pid, NO_COLOR="1") as screen:
                screen.wait_for("# live objects")
                self.assertNotRegex(screen.output, rb"\x1b\[[0-9;]*[34][0-7]m")
            with Screen(process.pid) as screen:
                screen.wait_for("█ live objects")
                self.assertRegex(screen.output, rb"\x1b\[[0-9;]*[34][0-7]m")

    def test_terminals_that_cannot_do_it(self):
        for term, words in ((None, "TERM is not set"), ("dumb", "cannot move its cursor"), ("no-such", "not known")):
            with Screen(TERM=term) as screen:
                self.assertEqual(screen.end(), 1)
                self.assertIn(words, screen.text)
                self.assertIn("--once", screen.text)

    @unittest.skipIf(os.geteuid(), "only root can be somebody else")
    def test_processes_of_others_are_counted(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as directory, Process(SUBJECT, "hold") as process:
            os.chmod(directory, 0o755)
            top = shutil.copy(TOP, directory)
            somebody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            self.assertEqual(run(top, process.pid, "--once", **somebody).returncode, 4)
            self.assertRegex(run(top, "--once", **somebody).stderr, r"\d+ more processes: no permission")
            with Screen(program=top, user=NOBODY) as screen:
                screen.wait_for(r"\d+ more processes: no permission$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
