#!/usr/bin/env python3
"""Runs every case of misuse.c and asserts its report: the first line of stderr, exactly, and death by SIGABRT.

usage: run_misuse.py --driver PATH [--preload LIBRARY] [--self-test] [CASE ...]

Broken if this fails: a wrong free is not noticed, is reported as something else or at another address, or a right
program is reported. With MESON_EXE_WRAPPER (qemu-user) the driver runs in that. --self-test runs this runner against a stand-in driver, to show that it can fail.
"""
import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

WRAPPER = shlex.split(os.environ.get('MESON_EXE_WRAPPER', ''))
DOUBLE = r'flagstone: BUG: double free of 0x{address}\b.*'
INSIDE = r'flagstone: BUG: free of 0x{address}, which is inside an object\b.*'
FOREIGN = r'flagstone: BUG: free of 0x{address}, which flagstone did not allocate\b.*'
FREE = r'flagstone: BUG: free of 0x{address}, which is free already, or was never allocated'
# A mapping that is gone is like any address that was never allocated.
GONE = '(?:' + DOUBLE + '|' + FOREIGN + ')'
INSIDE_MAPPING = '(?:' + INSIDE + '|' + FOREIGN + ')'
REALLOC = r'flagstone: BUG: (?:free|realloc|resize) of 0x{address}, which flagstone did not allocate\b.*'

EXPECTED = {
    'correct': None,
    'double_free_8': DOUBLE,
    'double_free_64': DOUBLE,
    'double_free_3000': DOUBLE,
    'double_free_20000': DOUBLE,
    'double_free_pages': '(?:' + DOUBLE + '|' + FREE + ')',
    'double_free_mapping': GONE,
    'double_free_later': DOUBLE,
    'double_free_other_thread': DOUBLE,
    'interior_small': INSIDE,
    'interior_misaligned': INSIDE,
    'interior_8': INSIDE,
    'interior_pages': INSIDE,
    'interior_pages_odd': INSIDE,
    'interior_mapping': INSIDE_MAPPING,
    'foreign_stack': FOREIGN,
    'foreign_static': FOREIGN,
    'foreign_first_call': FOREIGN,
    'foreign_mapping': FOREIGN,
    'foreign_low': FOREIGN,
    'foreign_noncanonical': FOREIGN,
    'foreign_unused_heap': '(?:' + FREE + '|' + FOREIGN + ')',
    'realloc_foreign': REALLOC,
    'abort_blocked': FOREIGN,
}


def run_case(driver, preload, name):
    """One run; returns None if it went as expected, else what was wrong."""
    environment = dict(os.environ)
    if preload:
        environment['QEMU_SET_ENV' if WRAPPER else 'LD_PRELOAD'] = f'LD_PRELOAD={preload}' if WRAPPER else preload
    try:
        done = subprocess.run([*driver, name], env=environment, capture_output=True, text=True, errors='replace',
                              timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return 'hangs'
    lines = done.stderr.splitlines()
    first = lines[0] if lines else ''
    address = re.match(r'address 0x([0-9a-f]+)\n', done.stdout)
    if not address:
        return f'the driver did not say its address: {done.stdout!r}, {done.stderr!r}'
    if EXPECTED[name] is None:
        if done.returncode or done.stderr:
            return f'status {done.returncode}, reported: {first!r}'
        return None
    pattern = EXPECTED[name].replace('{address}', '0*' + address.group(1))
    if not re.fullmatch(pattern, first):
        return f'first line {first!r}, status {done.returncode}; expected {pattern!r}'
    if done.returncode != -signal.SIGABRT:
        return f'right report, but status {done.returncode}, not SIGABRT'
    return None


def run_all(driver, preload, names):
    failures = []
    for name in names:
        wrong = run_case(driver, preload, name)
        print(f'{"FAIL" if wrong else "ok"}: {name}{": " + wrong if wrong else ""}', flush=True)
        if wrong:
            failures.append(name)
    return failures


STAND_IN = r'''#!/bin/sh
echo "address 0x1230"
case $1 in
correct) exit 0 ;;
foreign_*|abort_*|realloc_*) text="free of 0x1230, which flagstone did not allocate" ;;
interior_*) text="free of 0x1230, which is inside an object" ;;
double_free_pages) text="free of 0x1230, which is free already, or was never allocated" ;;
double_*) text="double free of 0x1230" ;;
esac
'''


def self_test():
    """The right reports pass; a wrong address, a wrong text, a quiet end and a false alarm do not."""
    trials = {
        'right': ('echo "flagstone: BUG: $text" >&2; kill -ABRT $$', 0),
        'wrong address': ('echo "flagstone: BUG: $text" | sed s/1230/1240/ >&2; kill -ABRT $$', len(EXPECTED) - 1),
        'no abort': ('echo "flagstone: BUG: $text" >&2; exit 1', len(EXPECTED) - 1),
        'not the first line': ('echo x >&2; echo "flagstone: BUG: $text" >&2; kill -ABRT $$', len(EXPECTED) - 1),
        'quiet': ('exit 0', len(EXPECTED) - 1),
    }
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for what, (tail, expected) in trials.items():
            path = os.path.join(folder, 'driver')
            with open(path, 'w', encoding='ascii') as script:
                script.write(STAND_IN + tail + '\n')
            os.chmod(path, 0o755)
            failures = sum(run_case([path], None, name) is not None for name in EXPECTED)
            good = failures == expected
            print(f'{"ok" if good else "FAIL"}: self-test: {what}: {failures} cases failed, expected {expected}')
            bad += not good
        with open(path, 'w', encoding='ascii') as script:
            script.write('#!/bin/sh\necho "address 0x1230"\necho "flagstone: BUG: double free of 0x1230" >&2\n')
        if run_case([path], None, 'correct') is None:
            print('FAIL: self-test: a false alarm was accepted')
            bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--driver')
    parser.add_argument('--preload')
    parser.add_argument('--self-test', action='store_true')
    parser.add_argument('cases', nargs='*')
    options = parser.parse_args()
    if options.self_test:
        return 1 if self_test() else 0
    if not options.driver:
        parser.error('--driver is needed')
    driver = [*WRAPPER, os.path.abspath(options.driver)]
    listed = subprocess.run([*driver, '--list'], capture_output=True, text=True, check=True).stdout.split()
    if set(listed) != set(EXPECTED):
        print(f'FAIL: the driver and this runner know different cases: {set(listed) ^ set(EXPECTED)}')
        return 1
    unknown = [name for name in options.cases if name not in EXPECTED]
    if unknown:
        parser.error(f'no such case: {unknown}')
    names = options.cases or list(EXPECTED)
    failures = run_all(driver, options.preload, names)
    print(f'{"FAIL" if failures else "PASS"}: misuse: {len(names) - len(failures)} of {len(names)} as expected')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
