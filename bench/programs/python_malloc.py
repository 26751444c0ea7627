"""python3 with PYTHONMALLOC=malloc: as python.py, and every small object comes from malloc."""

from timing.files import beside

PACKAGES = beside("python").PACKAGES
WHAT = "python with PYTHONMALLOC=malloc: the same, and small objects come from malloc too"
QUICK = False

prepare = beside("python").prepare


def run(ctx):
    beside("python").run(ctx, {"PYTHONMALLOC": "malloc"})
