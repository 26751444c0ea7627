"""clang on generated sources."""

from timing.files import borrowed

PACKAGES = {"clang": "clang"}
WHAT = "clang: one large C file at -O2 -g, one C++ file of many templates at -O1"
QUICK = False


def prepare(ctx):
    ctx.input("large.c", borrowed("compilers").c_source(200))
    ctx.input("large.cc", borrowed("compilers").cxx_source(4))


def run(ctx):
    ctx.command(["clang", "-O2", "-g", "-S", "-o", ctx.path("large.s"), ctx.input("large.c")])
    ctx.command(["clang++", "-O1", "-std=c++17", "-S", "-o", ctx.path("large2.s"), ctx.input("large.cc")])
