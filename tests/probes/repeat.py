#!/usr/bin/python3
"""repeat.py: runs a program many times over, and fails if one of the runs did.

usage: repeat.py QUICK FULL PROGRAM [ARGUMENT...]

QUICK times, or FULL times where FLAGSTONE_PROBES=full. Faults that need luck show in the count of failures. LD_PRELOAD is
for the program alone: FLAGSTONE_TEST_PRELOAD.
"""
import os
import subprocess
import sys


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    runs = int(sys.argv[2 if os.environ.get("FLAGSTONE_PROBES") == "full" else 1])
    environment = {**os.environ, "LD_PRELOAD": os.environ["FLAGSTONE_TEST_PRELOAD"]}
    failures = 0
    for run in range(runs):
        result = subprocess.run(sys.argv[3:], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if result.returncode:
            failures += 1
            print(f"run {run}: status {result.returncode}\n{result.stdout.decode(errors='replace')}", flush=True)
    print(f"{'FAIL' if failures else 'PASS'}: {failures} failures in {runs} runs of {os.path.basename(sys.argv[3])}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
