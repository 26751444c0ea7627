"""perl: the script of the program test."""

from timing.files import borrowed

PACKAGES = {"perl": "perl"}
WHAT = "perl: hashes, strings, patterns, nested data, in the main thread, three threads, three children"
QUICK = False


def prepare(ctx):
    ctx.input("work.pl", borrowed("perl").SCRIPT)


def run(ctx):
    ctx.command(["perl", ctx.input("work.pl"), 40000], expect=3)
