"""node as a process that stays: JSON, Buffers, compression."""

PACKAGES = {"node": "nodejs"}
WHAT = "node: JSON trees, Buffers of many sizes, compression, then waits"
QUICK = False

SCRIPT = """
const zlib = require('zlib');

function tree(depth, n) {
	if (depth === 0) return { n, text: 'leaf '.repeat(n % 9), list: [n, n / 3, null, n % 2 === 0] };
	return { n, kids: Array.from({ length: 4 }, (_, i) => tree(depth - 1, n * 4 + i)) };
}

function buffers(rounds) {
	const kept = [];
	let sum = 0;
	for (let i = 0; i < rounds; i++) {
		const b = Buffer.alloc(i * 7919 % 70000 + 1, i & 255);
		kept[i * 31 % 500] = b;
		if (i % 10 === 0) sum += Buffer.concat(kept.filter(Boolean).map(k => k.subarray(0, 50))).length;
		if (i % 50 === 0) sum += b.toString('base64').length;
	}
	return sum;
}

require('readline').createInterface({ input: process.stdin }).on('line', line => {
	const n = Number(line);
	let sum = buffers(300 * n);
	for (let i = 0; i < n; i++) {
		const text = JSON.stringify(tree(5, i + 1));
		sum += JSON.stringify(JSON.parse(text), null, i % 3).length;
		sum += zlib.gunzipSync(zlib.gzipSync(text, { level: 1 })).length;
	}
	console.log(sum);
});
"""


def prepare(ctx):
    ctx.input("work.js", SCRIPT)


def run(ctx):
    server = ctx.server(["node", ctx.input("work.js")], pipes=True, expect=-15)
    with server.loaded():
        server.ask("100")
