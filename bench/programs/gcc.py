"""gcc and g++ on generated sources."""

from timing.files import borrowed

PACKAGES = {"gcc": "gcc", "g++": "g++"}
WHAT = "gcc: one large C file at -O2 -g, one C++ file of many templates at -O1"
QUICK = True


def prepare(ctx):
    ctx.input("large.c", borrowed("compilers").c_source(50 if ctx.quick else 150))
    ctx.input("large.cc", borrowed("compilers").cxx_source(1 if ctx.quick else 4))


def run(ctx):
    ctx.command(["gcc", "-O2", "-g", "-S", "-o", ctx.path("large.s"), ctx.input("large.c")])
    if not ctx.quick:
        ctx.command(["g++", "-O1", "-std=c++17", "-S", "-o", ctx.path("large2.s"), ctx.input("large.cc")])
