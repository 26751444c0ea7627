"""sqlite3: the queries of the program test."""

from timing.files import borrowed

PACKAGES = {"sqlite3": "sqlite3"}
WHAT = "sqlite3: a table is built, indexed, queried, changed, searched by words, checked"
QUICK = True


def prepare(ctx):
    ctx.input("script.sql", borrowed("sqlite").SCRIPT.format(rows=30_000 if ctx.quick else 200_000))


def run(ctx):
    ctx.command(["sqlite3", "-batch", "table.db"], stdin=ctx.input("script.sql"))
