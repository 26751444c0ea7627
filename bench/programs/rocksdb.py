"""RocksDB's db_bench, with fixed seeds and counts."""

PACKAGES = {"db_bench": "rocksdb-tools"}
WHAT = "rocksdb: db_bench writes, overwrites, compacts; then four threads read"
QUICK = False

COMMON = ["--seed=11", "--value_size=150", "--compression_type=none", "--num=100000"]


def run(ctx):
    db = f"--db={ctx.path('db')}"
    ctx.command(["db_bench", db, *COMMON, "--benchmarks=fillrandom,overwrite,compact", "--write_buffer_size=2000000",
                 "--max_background_jobs=2"])
    ctx.command(["db_bench", db, *COMMON, "--benchmarks=readrandom,multireadrandom,seekrandom", "--use_existing_db=1",
                 "--reads=30000", "--threads=4", "--cache_size=8000000"])
