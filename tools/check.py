#!/usr/bin/python3
"""check.py: builds flagstone in every way, runs its tests, and sums them up in the last line.

usage: check.py BUILD-DIRECTORY [--quick | --full] [SUITE...]      (tools/flagstone test calls it)

Calls meson, and tests/programs/run. What did not run to its end is never counted as passed: a build that fails, a test
runner that crashes or reports no test is a failure of its own.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAST_LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}
REASON = re.compile(r"^SKIP: (.*)$", re.M)


class Count:
    """Outcomes, and the names of what failed."""

    def __init__(self, passed=0, failed=(), skipped=()):
        self.passed = passed
        self.failed = list(failed)
        self.skipped = list(skipped)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def say(text):
    print(text, flush=True)


def finish(process):
    """Waits for a process; one that we are interrupted in is told to end, so that it ends its own children."""
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def run(command, log=None, env=None):
    """Exit status of a command, whose output goes to the file `log`, or on to ours."""
    with open(log, "a", encoding="utf-8") if log else contextlib.nullcontext() as file:
        try:
            return finish(subprocess.Popen(command, cwd=TOP, env={**os.environ, **(env or {})}, stdout=file,
                                           stderr=subprocess.STDOUT if log else None))
        except OSError as error:
            say(f"{command[0]}: {error.strerror}")
            return 127


def show_end(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    wrong = [line for line in lines if re.search(r"error|ERROR|FAILED|undefined|warning", line)]
    for line in (wrong or lines)[-30:]:
        say(f"    {line}")
    say(f"    all of it: {log}")


class Build:
    """One way to build, and the tests of it."""

    def __init__(self, name, what, options=(), env=None, needs=(), setup=(), slower=3, other_machine=False, brief=True,
                 cpus=False):
        self.name = name
        self.what = what
        self.options = list(options)
        self.env = env or {}       # of meson setup, and of the tests
        self.needs = needs         # commands without which it is skipped
        self.setup = list(setup)   # more arguments of meson setup
        self.slower = slower       # factor of the tests' time limits
        self.other_machine = other_machine
        self.brief = brief         # its long tests run only where the suite is asked for by name
        self.cpus = cpus           # concurrent tests also with other numbers of CPUs: all of them where asked for by name

    def absent(self):
        return [command for command in self.needs if not shutil.which(command)]

    def compile(self, directory, log):
        arguments = [f"-Dtests={'disabled' if self.name == 'bench' else 'enabled'}", *self.options, *self.setup]
        if os.path.exists(f"{directory}/build.ninja"):
            status = run(["meson", "configure", directory] + self.options, log, self.env)
        else:
            shutil.rmtree(directory, ignore_errors=True)
            status = run(["meson", "setup", directory, TOP] + arguments, log, self.env)
        return status or run(["ninja", "-C", directory], log)

    def suites(self, quick, named):
        """The suites of tests, as tests/meson.build names them."""
        if quick:
            return ["quick"]
        if self.brief and not named:
            return ["quick", "brief"]
        return ["quick", "brief", "full"] + (["cpus" if named else "cpus_brief"] if self.cpus else [])

    def test(self, directory, suites):
        """Runs the tests; what they came to is read from meson's own log."""
        results = f"{directory}/meson-logs/testlog.json"
        if os.path.exists(results):
            os.unlink(results)
        command = ["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs",
                   "--timeout-multiplier", str(self.slower)]
        for suite in suites:
            command += ["--suite", suite]
        status = run(command, env=self.env)
        return read_results(results, status, self.name)

    def run(self, build, quick, named):
        if self.other_machine and os.uname().machine != "x86_64":
            return Count(skipped=[f"{self.name}: made for x86-64 hosts"])
        if self.absent():
            return Count(skipped=[f"{self.name}: not installed: {' '.join(self.absent())}"])
        directory = f"{build}/test-{self.name}"
        log = f"{directory}.log"
        open(log, "w", encoding="utf-8").close()
        started = time.monotonic()
        if self.compile(directory, log):
            say(f"{self.name}: does not build:")
            show_end(log)
            return Count(failed=[f"{self.name}: build"])
        say(f"{self.name}: built in {time.monotonic() - started:.0f} s")
        return self.test(directory, self.suites(quick, named))


def read_results(path, status, name):
    count = Count()
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                test = json.loads(line)
                title = f"{name}: {test['name']}"
                if test["result"] in PASSED:
                    count.passed += 1
                elif test["result"] in SKIPPED:
                    reasons = dict.fromkeys(REASON.findall(test.get("stdout") or ""))
                    count.skipped.append(": ".join([title, "; ".join(reasons) or "says not why"]))
                else:
                    count.failed.append(f"{title} ({test['result']})")
    except (OSError, ValueError, KeyError) as error:
        count.failed.append(f"{name}: no results of meson test: {error}")
    if not count.passed and not count.failed:
        count.failed.append(f"{name}: no test ran")
    elif status and not count.failed:
        count.failed.append(f"{name}: meson test ended with status {status}")
    return count


class Programs:
    """tests/programs: real programs on the library of the gcc build."""

    name = "programs"
    what = "real programs, which must behave as on the system malloc"
    brief = False

    def run(self, build, quick, _named):
        directory = f"{build}/test-gcc"
        library = f"{directory}/runtime/malloc/libflagstone-malloc.so"
        log = f"{build}/test-programs.log"
        if not os.path.exists(library) and Build("gcc", "", SUITES[0].options).compile(directory, log):
            show_end(log)
            return Count(failed=["programs: build"])
        command = [f"{TOP}/tests/programs/run", "--lib", library] + (["--quick"] if quick else [])
        return run_and_read(command, self.name)


def run_and_read(command, name):
    """Runs a command that ends with the line that we end with, and takes that over."""
    failed, last = [], ""
    try:
        process = subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        return Count(failed=[f"{name}: {error.strerror}"])
    try:
        with process.stdout as lines:
            for line in lines:
                sys.stdout.write(line)
                sys.stdout.flush()
                last = line.strip() or last
                if re.search(r" s  failed", line):
                    failed.append(f"{name}: {' '.join(line.split()[:2])}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finish(process)
    match = LAST_LINE.match(last)
    if not match:
        return Count(failed=[f"{name}: ended with status {process.returncode} and without a count"])
    passed, nr_failed, skipped = (int(number) for number in match.groups())
    failed = (failed + [f"{name}: see above"] * nr_failed)[:nr_failed]
    if process.returncode and not failed:
        failed = [f"{name}: ended with status {process.returncode}"]
    return Count(passed, failed, [f"{name}: see above"] * skipped)


SUITES = [
    Build("gcc", "gcc, warnings are errors", ["-Dwerror=true"], brief=False),
    Build("clang", "clang, warnings are errors", ["-Dwerror=true"], env={"CC": "clang", "CXX": "clang++"},
          needs=["clang", "clang++"]),
    Build("debug", "with lock ranks and invariants checked", ["-Ddebug_checks=true"], slower=4),
    Build("inject", "with delays inside the critical sections", ["-Dinject=true"], slower=4),
    Build("asan", "address and undefined-behaviour sanitizers", ["-Db_sanitize=address,undefined"], slower=4, brief=False),
    Build("tsan", "thread sanitizer", ["-Db_sanitize=thread"], slower=8, brief=False, cpus=True),
    Build("aarch64", "cross build, tests under emulation", setup=["--cross-file", f"{TOP}/tools/aarch64.ini"],
          needs=["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "qemu-aarch64", "prlimit"], slower=4,
          other_machine=True),
    # Its tests are `bench` and `fastpath`, which no other build has: brief, it would say that all is well without them.
    Build("bench", "the benchmark programs and the fast path's instruction count", ["-Dbench=enabled"], brief=False),
    Programs(),
]


def parse(arguments):
    """(build directory, quick, suites, whether they were named)"""
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    words = [word for word in arguments[1:] if not word.startswith("-")]
    quick = "--quick" in arguments
    suites = [suite for suite in SUITES if suite.name in words]
    if not words:
        suites = SUITES[:1] if quick else SUITES
    return os.path.abspath(arguments[0]), quick, suites, bool(words)


def main():
    build, quick, suites, named = parse(sys.argv[1:])
    os.makedirs(build, exist_ok=True)
    total = Count()
    for suite in suites:
        say(f"== {suite.name}: {suite.what}")
        started = time.monotonic()
        count = suite.run(build, quick, named)
        say(f"== {suite.name}: {count} in {time.monotonic() - started:.0f} s")
        total.add(count)
    for title in total.skipped:
        say(f"skipped  {title}")
    for title in total.failed:
        say(f"failed   {title}")
    say(str(total))
    return 1 if total.failed else 0


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
