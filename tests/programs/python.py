"""python3's own test modules for dict, list, json, re, threading and multiprocessing.

Compared are the tests that ran and the outcome of each; their output holds times, process ids and orders of threads.
"""

import xml.etree.ElementTree

from harness.context import Failure

PYTHON = "/usr/bin/python3"
PACKAGES = {
    PYTHON: "python3",
    "/usr/lib/python3.11/test/test_dict.py": "libpython3.11-testsuite",
    "/usr/lib/python3.11/test/test_threading.py": "libpython3.11-testsuite",
}
PROVES = ["python3.11"]
QUICK = True
TIMEOUT = 300

SMALL = ["test_dict", "test_list", "test_json", "test_re"]
LARGE = ["test_threading", "test_multiprocessing_fork", "test_multiprocessing_main_handling"]


def outcomes(path):
    """One sorted line a test, from the JUnit file."""
    lines = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        bad = [child.tag for child in case if child.tag in ("error", "failure", "skipped")]
        lines.append(f"{case.get('name')}: {case.get('result')} {case.get('status')} {' '.join(bad)}\n")
    if not lines:
        raise Failure(f"no test in {path}")
    return "".join(sorted(lines))


def run_modules(ctx, modules, jobs, env=None):
    argv = [PYTHON, "-m", "test", "--junit-xml", "tests.xml", "--timeout", "150", *jobs, *modules]
    ctx.run(argv, env=env, show=lambda result: "")
    ctx.record("tests", outcomes(ctx.path("tests.xml")))


def run(ctx):
    # PYTHONMALLOC=malloc sends every small object to malloc as well; without it, Python's own pools do most of the work.
    run_modules(ctx, SMALL, [], env={"PYTHONMALLOC": "malloc"})
    if not ctx.quick:
        run_modules(ctx, SMALL + LARGE, ["-j3"])
