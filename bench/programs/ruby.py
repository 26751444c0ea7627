"""ruby: the script of the program test."""

from timing.files import borrowed

PACKAGES = {"ruby": "ruby"}
WHAT = "ruby: hashes, strings, JSON, Marshal, big numbers, threads, children, garbage collection"
QUICK = False


def prepare(ctx):
    ctx.input("work.rb", borrowed("ruby").SCRIPT)


def run(ctx):
    ctx.command(["ruby", ctx.input("work.rb"), 40000], expect=1)
