"""stress-ng's malloc stressor, by a count of operations."""

PACKAGES = {"stress-ng": "stress-ng"}
WHAT = "stress-ng: malloc, calloc, realloc and free of random sizes, in two processes, then with six threads each"
QUICK = False

COMMON = ["--no-rand-seed", "--quiet", "--malloc", "2"]


def run(ctx):
    words = [*COMMON, "--temp-path", ctx.work]
    ctx.command(["stress-ng", *words, "--malloc-ops", "1000000", "--malloc-bytes", "8K"])
    ctx.command(["stress-ng", *words, "--malloc-ops", "150000", "--malloc-bytes", "32K", "--malloc-max", "4096",
                 "--malloc-pthreads", "6", "--malloc-touch"])
