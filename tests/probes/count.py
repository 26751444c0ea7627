#!/usr/bin/python3
"""count.py: how many tests this build has; there are to be more than any other allocator has.

usage: count.py BUILD-DIRECTORY
"""
import json
import sys

OTHERS_MOST = 116 + 20 + 5  # jemalloc's unit tests, integration tests and stress tests


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(f"{sys.argv[1]}/meson-info/intro-tests.json", encoding="utf-8") as file:
        tests = len(json.load(file))
    print(f"{'PASS' if tests > OTHERS_MOST else 'FAIL'}: {tests} tests; others have {OTHERS_MOST} at most")
    return 0 if tests > OTHERS_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
