"""PostgreSQL: pgbench with fixed seeds and counts, and larger queries."""

import signal

from timing.files import borrowed

BIN = borrowed("postgresql").BIN
PACKAGES = {f"{BIN}/initdb": "postgresql", f"{BIN}/pgbench": "postgresql"}
WHAT = "postgresql: pgbench on 4 connections, then sorts, aggregates, joins, patterns"
QUICK = False
USER = "unprivileged"  # PostgreSQL refuses root

QUERIES = """
CREATE TABLE t AS SELECT i, i % 997 AS grp, md5(i::text) AS word FROM generate_series(1, 100000) AS i;
SET work_mem = '32MB';
SELECT grp, count(*), string_agg(left(word, 2), ',' ORDER BY i) FROM t GROUP BY grp ORDER BY grp;
SELECT md5(string_agg(word, '' ORDER BY word DESC)) FROM t;
SELECT count(*) FROM t a JOIN t b ON left(a.word, 6) = left(b.word, 6) AND a.i < b.i;
SELECT jsonb_object_agg(grp, n) FROM (SELECT grp, count(*) AS n FROM t GROUP BY grp) AS s;
SELECT count(*) FROM t WHERE word ~ '^[a-f]+[0-9]{2}.*(ab|cd)+$';
"""


def prepare(ctx):
    ctx.client([f"{BIN}/initdb", "-D", ctx.input("data"), "-A", "trust", "-U", "boss", "--no-sync", "-E", "UTF8",
                "--locale=C"])


def run(ctx):
    client = {"PGHOST": ctx.work, "PGUSER": "boss", "PGDATABASE": "postgres"}
    ctx.client(["cp", "-r", ctx.input("data"), ctx.path("data")])
    server = ctx.server([f"{BIN}/postgres", "-D", ctx.path("data"), "-k", ctx.work, "-h", "", "-F", "-c",
                         "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "log_min_messages=warning"],
                        several=True, stop=signal.SIGINT)
    server.wait_for(lambda: ctx.succeeds([f"{BIN}/pg_isready", "-q", "-h", ctx.work]))
    ctx.client([f"{BIN}/pgbench", "-i", "-s", "1", "-q"], env=client)
    with server.loaded():
        ctx.client([f"{BIN}/pgbench", "-n", "-c", 4, "-j", 1, "-t", 500, "--random-seed=7"], env=client)
        ctx.client([f"{BIN}/psql", "-X", "-q"], stdin=QUERIES, env=client)
