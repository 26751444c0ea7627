"""redis-server driven by redis-benchmark, then SHUTDOWN SAVE and reload of its dump.

Debian's redis-server is linked with jemalloc, which is then what "system" stands for here; a preload replaces it.
redis-benchmark draws its keys from the clock, so what is compared from mode to mode is the data that load() makes; what
the benchmark made must survive the reload.
"""

import os

PACKAGES = {"redis-server": "redis-server", "redis-benchmark": "redis-tools", "redis-cli": "redis-tools"}
PROVES = ["redis-check-rdb"]  # what /usr/bin/redis-server is a link to
QUICK = True
TIMEOUT = 180
USER = "unprivileged"

TESTS = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset"


def commands(count):
    """Every type of value, in sizes that cross the small encodings, with overwrites, expiry and deletes."""
    for i in range(count):
        yield f"SET str:{i} {'v' * (i % 700 + 1)}"
        yield f"APPEND str:{i // 2} {'a' * (i % 90 + 1)}"
        yield f"HSET hash:{i % 50} field:{i} {'h' * (i % 80 + 1)}"
        yield f"ZADD zset:{i % 20} {i * 7919 % 10007} member:{i}"
        yield f"RPUSH list:{i % 30} {'l' * (i % 200 + 1)}"
        yield f"SADD set:{i % 40} {i} m{i % 97}"
        if i % 3 == 0:
            yield f"DEL str:{i // 3}"
        if i % 11 == 0:
            yield f"XADD stream:{i % 5} {i + 1}-1 key {'x' * (i % 60 + 1)}"


def start(ctx, port):
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--daemonize", "no", "--dir", ctx.work, "--dbfilename", "dump.rdb", "--enable-debug-command", "yes",
            "--activerehashing", "yes"]

    def ready():
        return ctx.ask(["redis-cli", "-p", port, "ping"]) == "PONG"

    return ctx.serve(argv, ready)


def cli(ctx, port, *words):
    return ctx.ask(["redis-cli", "-p", port, *words])


def shutdown(ctx, port, server):
    cli(ctx, port, "SHUTDOWN", "SAVE")
    server.wait()
    ctx.check("crashed" not in server.log(), "redis-server wrote a crash report")


def load(ctx, port, count):
    ctx.run(["redis-cli", "-p", port, "--pipe"], stdin="".join(line + "\r\n" for line in commands(count)),
            show=lambda result: result.stdout.splitlines()[-1])
    ctx.record("digest of what was loaded", cli(ctx, port, "DEBUG", "DIGEST"))
    ctx.record("its number of keys", cli(ctx, port, "DBSIZE"))


def benchmark(ctx, port, requests):
    for extra in ([], ["-P", "16"]):
        argv = ["redis-benchmark", "-h", "127.0.0.1", "-p", port, "-t", TESTS, "-n", requests, "-c", "40", "-r",
                "20000", "-d", "200", "--csv", *extra]
        ctx.run(argv, show=lambda result: "\n".join(line.split(",")[0] for line in result.stdout.splitlines()))


def run(ctx):
    port = ctx.free_port()
    server = start(ctx, port)
    load(ctx, port, 3000 if ctx.quick else 20000)
    benchmark(ctx, port, 1500 if ctx.quick else 20000)
    cli(ctx, port, "BGSAVE")
    before = [cli(ctx, port, "DEBUG", "DIGEST"), cli(ctx, port, "DBSIZE")]
    ctx.wait_for(lambda: "rdb_bgsave_in_progress:0" in cli(ctx, port, "INFO", "persistence"), "BGSAVE")
    ctx.check("rdb_last_bgsave_status:ok" in cli(ctx, port, "INFO", "persistence"), "BGSAVE failed")
    shutdown(ctx, port, server)
    ctx.check(os.path.getsize(ctx.path("dump.rdb")) > 10000, "the dump is missing or too small")
    ctx.run(["redis-check-rdb", "dump.rdb"], show=lambda result: "")
    server = start(ctx, port)
    after = [cli(ctx, port, "DEBUG", "DIGEST"), cli(ctx, port, "DBSIZE")]
    ctx.check(before == after, f"digest and number of keys were {before} before the reload, {after} after it")
    shutdown(ctx, port, server)
