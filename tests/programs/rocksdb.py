"""RocksDB's db_bench with fixed seeds, then everything in the database read back with ldb."""

import re

from harness.context import sha256

PACKAGES = {"db_bench": "rocksdb-tools", "ldb": "rocksdb-tools"}
PROVES = ["db_bench"]
QUICK = False
TIMEOUT = 240

WRITE = "fillrandom,overwrite,deleterandom,compact"
READ = "readseq,readreverse,readrandom,readmissing,seekrandom,multireadrandom,verifychecksum"


def results(result):
    """One line a benchmark: its name, and what it found. The rest is speed."""
    lines = []
    for line in result.stdout.splitlines():
        match = re.match(r"(\w+)\s*:.* micros/op", line)
        if match:
            found = re.search(r"\(?\d+ of \d+ found\)?", line)
            lines.append(f"{match[1]} {found[0] if found else ''}")
    return "\n".join(lines)


def bench(ctx, benchmarks, *words):
    ctx.run(["db_bench", f"--db={ctx.path('db')}", f"--benchmarks={benchmarks}", "--seed=11", "--value_size=150",
             "--compression_type=none", "--histogram=0", *words], show=results)


def run(ctx):
    bench(ctx, WRITE, "--num=100000", "--threads=1", "--write_buffer_size=2000000", "--max_background_jobs=3")
    bench(ctx, READ, "--use_existing_db=1", "--num=100000", "--reads=40000", "--threads=4", "--cache_size=2000000")
    ctx.run(["ldb", f"--db={ctx.path('db')}", "checkconsistency"])
    ctx.run(["ldb", f"--db={ctx.path('db')}", "--hex", "scan"], show=lambda result: sha256(result.stdout))
