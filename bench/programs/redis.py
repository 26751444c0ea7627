"""redis-server, filled, overwritten, half emptied."""

from timing.context import free_port

PACKAGES = {"redis-server": "redis-server", "redis-benchmark": "redis-tools", "redis-cli": "redis-tools"}
WHAT = "redis: redis-benchmark with 16 requests in flight on 40 connections, then half of the keys deleted"
QUICK = True

HALF = """
local keys = redis.call('KEYS', '*')
table.sort(keys)
for i = 1, #keys, 2 do redis.call('DEL', keys[i]) end
return #keys
"""


def run(ctx):
    port = free_port()
    server = ctx.server(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                         "--dir", ctx.work, "--activedefrag", "no"])
    server.listen_at(port)
    count = 15_000 if ctx.quick else 100_000
    with server.loaded():
        for size, tests in ((100, "set,lpush,sadd,hset,zadd"), (700, "set,get,lpop,rpush,mset")):
            ctx.client(["redis-benchmark", "-p", port, "-t", tests, "-n", count, "-r", 50_000, "-c", 40, "-P", 16,
                        "-d", size, "-q"])
        ctx.client(["redis-cli", "-p", port, "EVAL", HALF, 0])
