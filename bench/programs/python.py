"""python3 as a process that stays: documents, tables, texts; small objects by Python's own pools."""

PACKAGES = {"/usr/bin/python3": "python3"}
WHAT = "python: parses, sorts and rewrites JSON and tables, then waits"
QUICK = True

SCRIPT = """
import collections, gc, json, random, re, sys, zlib

def documents(count):
    rnd = random.Random(1)
    data = [{"id": i, "name": "n" * rnd.randrange(60), "tags": [str(rnd.random()) for _ in range(i % 9)],
             "place": {"x": rnd.random(), "y": None, "z": i % 2 == 0}} for i in range(count)]
    for _ in range(2):
        text = json.dumps(data)
        data = json.loads(text)
    return len(zlib.compress(text.encode(), 1)), data

def tables(count):
    rnd = random.Random(2)
    groups = collections.defaultdict(list)
    for i in range(count):
        groups[rnd.randrange(count // 20)].append((rnd.random(), f"row {i}", bytearray(rnd.randrange(200))))
    rows = sorted((min(rows)[0], key, len(rows)) for key, rows in groups.items())
    return len(rows)

def texts(count):
    rnd = random.Random(3)
    words = ["".join(rnd.choices("abcdefgh", k=rnd.randrange(3, 12))) for _ in range(500)]
    text = " ".join(rnd.choices(words, k=count))
    parts = re.sub("[aeiou]+", lambda match: match[0].upper() * 2, text).split("A")
    return len(collections.Counter(parts))

for line in sys.stdin:
    n = int(line)
    kept = documents(n)
    print(kept[0], tables(4 * n), texts(10 * n), flush=False)
    del kept
    gc.collect()
    sys.stdout.flush()
"""


def prepare(ctx):
    ctx.input("work.py", SCRIPT)


def run(ctx, environment=None):
    server = ctx.server(["/usr/bin/python3", ctx.input("work.py")], pipes=True, expect=-15, env=environment)
    with server.loaded():
        server.ask("8000" if ctx.quick else "30000")
