"""stress-ng's malloc stressors with --verify, by counts of operations, with and without threads of their own.

stress-ng starts a stressor again that died of a signal, and says so only with --verbose: the lines that tell of deaths,
failures and errors are what must be the same, and on the system malloc there are none.
"""

import re

PACKAGES = {"stress-ng": "stress-ng"}
PROVES = ["stress-ng"]
QUICK = False
TIMEOUT = 180

TROUBLE = re.compile(r"restart|died|killed|terminat|fail|error|SIG[A-Z]|corrupt|verif|unsuccessful", re.IGNORECASE)
ALWAYS = re.compile(r"invoked with|temporary file path|process \[\d+\] terminated$")
RUNS = [
    ["--malloc", "2", "--malloc-ops", "600000", "--malloc-bytes", "32K"],
    ["--malloc", "2", "--malloc-ops", "40000", "--malloc-bytes", "256K", "--malloc-max", "4096", "--malloc-pthreads",
     "6", "--malloc-touch"],
    ["--malloc", "1", "--malloc-ops", "40000", "--malloc-bytes", "8M", "--malloc-max", "64", "--malloc-pthreads", "2",
     "--malloc-zerofree"],
    ["--tree", "1", "--tree-ops", "4"],
    ["--list", "1", "--list-ops", "100"],
    ["--skiplist", "1", "--skiplist-ops", "2000"],
    ["--tsearch", "1", "--tsearch-ops", "20", "--hsearch", "1", "--hsearch-ops", "200"],
]


def trouble(result):
    """The outcome, and the lines that tell of trouble, without process ids and times."""
    output = result.stdout + result.stderr
    lines = [line for line in output.splitlines() if TROUBLE.search(line) and not ALWAYS.search(line)]
    ended = "completed" if "successful run completed" in output else "not completed"
    return "\n".join([re.sub(r"\d+", "N", line) for line in sorted(lines)] + [ended])


def run(ctx):
    for words in RUNS:
        ctx.run(["stress-ng", *words, "--verify", "--verbose", "--no-rand-seed", "--temp-path", ctx.path("tmp")],
                show=trouble)
