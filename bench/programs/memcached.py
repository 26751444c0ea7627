"""memcached: pipelined sets, gets and deletes of values of many sizes."""

import random

from timing.context import Failure, exchange, free_port

PACKAGES = {"memcached": "memcached"}
WHAT = "memcached: sets, gets and deletes of values of up to 4 KiB, pipelined on 8 connections"
QUICK = False
USER = "unprivileged"

CONNECTIONS = 8


def payload(seed, count):
    rnd = random.Random(seed)
    parts = []
    for _ in range(count):
        key, kind = rnd.randrange(20000), rnd.random()
        if kind < 0.4:
            size = int(2 ** rnd.uniform(3, 12))
            parts.append(f"set key:{key} 0 0 {size}\r\n{'v' * size}\r\n")
        elif kind < 0.9:
            parts.append(f"get key:{key}\r\n")
        else:
            parts.append(f"delete key:{key} \r\n")
    return "".join([*parts, "quit\r\n"])


def prepare(ctx):
    for i in range(CONNECTIONS):
        ctx.input(f"requests-{i}", payload(i, 40_000))


def run(ctx):
    port = free_port()
    server = ctx.server(["memcached", "-l", "127.0.0.1", "-p", port, "-U", 0, "-m", 64, "-t", 4])
    server.listen_at(port)
    payloads = [open(ctx.input(f"requests-{i}"), "rb").read() for i in range(CONNECTIONS)]
    with server.loaded():
        if exchange(port, payloads) < 1_000_000:
            raise Failure("memcached: too few answers")
