"""PostgreSQL: initdb, pgbench with fixed seeds, larger queries, a dump and its restore."""

import glob
import re
import signal

from harness.context import sha256

BIN = ([*sorted(glob.glob("/usr/lib/postgresql/*/bin"))] or ["/usr/lib/postgresql/15/bin"])[-1]
PACKAGES = {f"{BIN}/initdb": "postgresql", f"{BIN}/pgbench": "postgresql"}
PROVES = ["postgres", "pgbench"]
QUICK = False
TIMEOUT = 240
USER = "unprivileged"  # PostgreSQL refuses root

QUERIES = """
CREATE TABLE t AS SELECT i, i % 997 AS grp, md5(i::text) AS word, i * 31 % 1009 / 8.0 AS weight
	FROM generate_series(1, 200000) AS i;
CREATE INDEX ON t (word);
ANALYZE t;
SET work_mem = '256kB';
SELECT grp, count(*), sum(weight), string_agg(left(word, 2), ',' ORDER BY i) FROM t
	WHERE grp < 20 GROUP BY grp ORDER BY grp;
SELECT md5(string_agg(word, '' ORDER BY word DESC)) FROM t;
SET work_mem = '64MB';
SELECT count(*) FROM t a JOIN t b ON left(a.word, 6) = left(b.word, 6) AND a.i < b.i;
SELECT md5(array_agg(x ORDER BY x)::text) FROM (SELECT DISTINCT grp * weight AS x FROM t) AS s;
SELECT jsonb_object_agg(grp, n) FROM (SELECT grp, count(*) AS n FROM t GROUP BY grp ORDER BY grp LIMIT 40) AS s;
SELECT count(*) FROM t WHERE word ~ '^[a-f]+[0-9]{2}.*(ab|cd)+$';
SELECT sum(length(repeat(word, 1 + i % 50))) FROM t WHERE i < 20000;
WITH RECURSIVE f(a, b) AS (SELECT 0::numeric, 1::numeric UNION ALL SELECT b, a + b FROM f WHERE b < 1e500)
	SELECT md5(max(a)::text), count(*) FROM f;
DO $$ DECLARE s text := ''; BEGIN FOR k IN 1..3000 LOOP s := s || md5(k::text);
	IF k % 500 = 0 THEN RAISE NOTICE '% %', k, md5(s); END IF; END LOOP; END $$;
DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught'; END $$;
SELECT nothing FROM t;
"""
SUMS = """
SELECT count(*), sum(delta) FROM pgbench_history;
SELECT sum(abalance), md5(string_agg(aid || ':' || abalance, ',' ORDER BY aid)) FROM pgbench_accounts;
SELECT sum(tbalance) FROM pgbench_tellers; SELECT sum(bbalance) FROM pgbench_branches;
"""


def psql(ctx, sql, database="postgres"):
    ctx.run([f"{BIN}/psql", "-X", "-A", "-q", "-d", database], stdin=sql, env=client(ctx))


def client(ctx):
    return {"PGHOST": ctx.path("socket"), "PGUSER": "boss", "PGDATABASE": "postgres"}


def pgbench(ctx, *words):
    """What counts is how many transactions were done and how many failed."""
    ctx.run([f"{BIN}/pgbench", *words], env=client(ctx), show=lambda result: "\n".join(
        line for line in result.stdout.splitlines() if "processed" in line or "failed" in line))


def start(ctx):
    def ready():
        return "accepting" in ctx.ask([f"{BIN}/pg_isready", "-h", ctx.path("socket")])

    return ctx.serve([f"{BIN}/postgres", "-D", ctx.path("data"), "-k", ctx.path("socket"), "-h", "", "-F",
                      "-c", "log_min_messages=warning", "-c", "max_parallel_workers_per_gather=2"], ready)


def timeless(text):
    """A dump without what is left to chance: times, the order of rows, and the random words of \\restrict."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+|restrict \w+", "CHANCE", text)
    return "\n".join(sorted(text.splitlines()))


def dump(ctx):
    return ctx.run([f"{BIN}/pg_dump"], env=client(ctx), show=lambda result: sha256(timeless(result.stdout))).stdout


def run(ctx):
    ctx.make_directory("socket")
    ctx.run([f"{BIN}/initdb", "-D", ctx.path("data"), "-A", "trust", "-U", "boss", "--no-sync", "-E", "UTF8",
             "--locale=C"], rules=[(r"selecting default .*\n", "")])
    server = start(ctx)
    pgbench(ctx, "-i", "-s", "2", "-q")
    pgbench(ctx, "-c", "6", "-j", "2", "-t", "400", "--random-seed=7")
    pgbench(ctx, "-c", "6", "-j", "2", "-t", "400", "--random-seed=8", "-M", "prepared", "-S")
    pgbench(ctx, "-c", "2", "-t", "50", "--random-seed=9", "-C")
    psql(ctx, SUMS)
    psql(ctx, QUERIES)
    server.stop(signal.SIGINT)
    server = start(ctx)
    text = dump(ctx)
    psql(ctx, "CREATE DATABASE copy;\n")
    psql(ctx, text, "copy")
    psql(ctx, SUMS, "copy")
    server.stop(signal.SIGINT)
    died = [line for line in server.log().splitlines() if "PANIC" in line or "terminated by signal" in line]
    ctx.check(not died, f"a server process died: {died}")
