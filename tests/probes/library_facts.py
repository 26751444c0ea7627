#!/usr/bin/python3
"""library_facts.py: what the library's file says of itself, and the mode that a process on it says it is in.

usage: library_facts.py LIBRARY TLS-BYTES PROGRAM MODE...

Broken if this fails: the library needs more static thread-local storage than a late library gets, can be unloaded, binds
names late (in signal handlers), wants an executable stack or writable code, brings the compiler's CPU detection (a dozen
CPUID instructions at every start, each of which leaves a virtual machine); or statistics do not name the mode in use.
"""
import os
import re
import subprocess
import sys

MODES = {"rseq": "rseq mm_cid|rseq cpu_id", "thread": "thread", "locked": "locked"}

failures = []


def check(condition, text):
    print(f"{'ok' if condition else 'FAIL'}: {text}")
    if not condition:
        failures.append(text)


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], check=True, capture_output=True, text=True).stdout


def check_file(library, tls_max):
    segments = readelf("-l", library)
    dynamic = readelf("-d", library)
    symbols = readelf("-s", library)
    tls = re.search(r"^ *TLS +\S+ +\S+ +\S+ +\S+ +(0x[0-9a-f]+)", segments, re.M)
    check(tls and 0 < int(tls.group(1), 16) <= tls_max,
          f"static TLS: {int(tls.group(1), 16) if tls else 'no segment'} bytes; {tls_max} may be")
    check("STATIC_TLS" in dynamic, "TLS is reached at a fixed offset, so that no first access allocates")
    check(not re.search(r"__tls_get_addr|_dl_tlsdesc", symbols), "no call to find a TLS variable")
    check("NODELETE" in dynamic, "never unloaded")
    check(re.search(r"FLAGS.*NOW", dynamic), "names are bound at start, not in a signal handler")
    check(not re.search(r"TEXTREL", dynamic), "code is not written to")
    check(re.search(r"GNU_STACK .* RW +", segments), "the stack is not executable")
    check("GNU_RELRO" in segments, "what is relocated is read-only afterwards")
    check("__cpu_indicator_init" not in symbols, "no CPU detection by the compiler's library")
    check(re.findall(r"NEEDED.*\[(.*)\]", dynamic) in (["libc.so.6"], ["libc.so.6", "ld-linux-aarch64.so.1"]),
          "needs libc and no other library")


def mode_named(library, program, conf):
    environment = {**os.environ, "LD_PRELOAD": library, "FLAGSTONE_CONF": f"{conf},stats_at_exit"}
    result = subprocess.run([program], env=environment, check=False, capture_output=True, text=True)
    match = re.search(r"^flagstone: magazines (.*?), held by", result.stderr, re.M)
    return match.group(1) if match else f"no mode in {result.stderr!r}"


def check_modes(library, program, modes):
    for mode in modes:
        named = mode_named(library, program, f"magazine={mode}")
        check(re.fullmatch(MODES[mode], named), f"magazine={mode} is named: {named}")
    # Where restartable sequences can be had, they are what is used unasked.
    named = mode_named(library, program, "magazine=auto")
    check(re.fullmatch(MODES["rseq" if "rseq" in modes else "thread"], named), f"magazine=auto is named: {named}")


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    check_file(sys.argv[1], int(sys.argv[2]))
    check_modes(sys.argv[1], sys.argv[3], sys.argv[4:])
    print(f"{'FAIL' if failures else 'PASS'}: library_facts: {len(failures)} of them are wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
