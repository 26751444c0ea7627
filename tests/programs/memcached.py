"""memcached under memcslap, and with values of many sizes written, counted, touched and read back."""

import signal
import socket

from harness.context import answers, sha256

PACKAGES = {"memcached": "memcached", "memcslap": "libmemcached-tools"}
PROVES = ["memcached"]
QUICK = False
TIMEOUT = 180
USER = "unprivileged"

TIMES = [(r"[\d.]+ seconds", "T seconds"), (r"(Took|took) [\d.]+", r"\1 T")]


def value(i):
    return (f"<{i}>" * (i % 400 + 1)).encode()[: i * 37 % 9000 + 1]


class Client:
    """One connection with memcached's text protocol."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.socket.makefile("rwb")

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, line):
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.file.readline().strip().decode()

    def set(self, key, data):
        self.file.write(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(data), data))
        self.file.flush()
        return self.file.readline().strip().decode()

    def get(self, key):
        self.file.write(f"get {key}\r\n".encode())
        self.file.flush()
        head = self.file.readline().split()
        if head == [b"END"]:
            return b"(none)"
        data = self.file.read(int(head[3]))
        self.file.readline()
        self.file.readline()
        return data

    def stats(self):
        self.file.write(b"stats\r\n")
        self.file.flush()
        pairs = {}
        while (words := self.file.readline().decode().split(maxsplit=2))[0] != "END":
            pairs[words[1]] = words[2].strip()
        return pairs


def values(ctx, port, count):
    client = Client(port)
    replies = [client.set(f"key:{i}", value(i)) for i in range(count)]
    replies += [client.ask(f"delete key:{i}") for i in range(0, count, 5)]
    replies += [client.set(f"key:{i}", value(i * 3)) for i in range(0, count, 3)]
    ctx.record("replies", sha256("\n".join(replies)))
    ctx.record("values", sha256(b"\n".join(client.get(f"key:{i}") for i in range(count))))
    stats = client.stats()
    ctx.record("statistics", "\n".join(f"{name} {stats[name]}" for name in ("cmd_set", "get_hits", "get_misses")))
    client.close()


def run(ctx):
    port = ctx.free_port()
    argv = ["memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "256", "-t", "4"]
    server = ctx.serve(argv, lambda: answers(port))
    values(ctx, port, 5000)
    for test, count in (("set", 4000), ("get", 4000), ("mget", 1000)):
        argv = ["memcslap", f"--servers=127.0.0.1:{port}", f"--test={test}", "--concurrency=8",
                f"--execute-number={count}"]
        ctx.run(argv, rules=TIMES)
    server.stop(signal.SIGINT)
