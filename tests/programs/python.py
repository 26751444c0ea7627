"""python3's own test modules for dict, list, json, re, threading and multiprocessing.

Compared are the tests that ran and the outcome of each; their output holds times, process ids and orders of threads.
Modules run one after another: some tests of threads and processes have short time limits of their own.
"""

import os
import re
import shutil
import xml.etree.ElementTree

PYTHON = "/usr/bin/python3"
PACKAGES = {
    PYTHON: "python3",
    "/usr/lib/python3.11/test/test_dict.py": "libpython3.11-testsuite",
    "/usr/lib/python3.11/test/test_threading.py": "libpython3.11-testsuite",
}
PROVES = ["python3.11"]
QUICK = True
TIMEOUT = 400

SMALL = ["test_dict", "test_list", "test_json", "test_re"]
LARGE = ["test_threading", "test_multiprocessing_fork", "test_multiprocessing_main_handling"]
CRASH = re.compile(r"Fatal Python error|Segmentation fault|exit code -\d+|SIGSEGV|SIGABRT|SIGBUS|SIGILL")


def outcomes(path):
    """{test: outcome}, from a JUnit file."""
    found = {}
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        bad = [child.tag for child in case if child.tag in ("error", "failure", "skipped")]
        found[case.get("name")] = " ".join([case.get("result") or "", case.get("status") or "", *bad])
    return found


def failed(results):
    return sorted(name for name, outcome in results.items() if "failure" in outcome or "error" in outcome)


def attempt(ctx, words, env):
    """Runs tests. Returns the exit status and the outcomes; the output and the JUnit file stay in the logs."""
    argv = [PYTHON, "-m", "test", "-W", "--junit-xml", "tests.xml", "--timeout", "300", *words]
    result = ctx.run(argv, env=env, expect=None, record=False)
    ctx.check_status("python3", min(result.status, 0), 0, result.stderr)
    crash = CRASH.search(result.stdout + result.stderr)
    ctx.check(not crash, f"a test crashed: {crash and crash[0]}")
    ctx.check(os.path.exists(ctx.path("tests.xml")), f"no results: {result.stderr[-500:]}")
    shutil.move(ctx.path("tests.xml"), os.path.join(ctx.logs, f"{ctx.commands:02d}-tests.xml"))
    return result.status, outcomes(os.path.join(ctx.logs, f"{ctx.commands:02d}-tests.xml"))


def run_modules(ctx, modules, env=None):
    status, results = attempt(ctx, modules, env)
    ctx.check(results, f"exit status {status}, no results")
    ctx.check(not failed(results), f"failed: {' '.join(failed(results))}")
    ctx.check(status == 0, f"exit status {status}, no failed test")
    lines = "".join(f"{name}: {outcome}\n" for name, outcome in sorted(results.items()))
    ctx.record("$ " + " ".join(modules), f"exit {status}\n{lines}")


def run(ctx):
    # PYTHONMALLOC=malloc sends small objects to malloc too; without it, Python's own pools do most of the work.
    run_modules(ctx, SMALL, env={"PYTHONMALLOC": "malloc"})
    if not ctx.quick:
        run_modules(ctx, SMALL + LARGE)
