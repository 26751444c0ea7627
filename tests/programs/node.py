"""node with JSON and Buffer workloads, in the main thread and in worker threads."""

PACKAGES = {"node": "nodejs"}
PROVES = ["node"]
QUICK = False
TIMEOUT = 180

SCRIPT = """
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const crypto = require('crypto'), zlib = require('zlib');
const sha = data => crypto.createHash('sha256').update(data).digest('hex');

function tree(depth, n) {
	if (depth === 0) return { n, text: 'leaf '.repeat(n % 9), list: [n, n / 3, null, n % 2 === 0] };
	return { n, kids: Array.from({ length: 4 }, (_, i) => tree(depth - 1, n * 4 + i)) };
}

function json(rounds) {
	const hash = crypto.createHash('sha256');
	for (let i = 0; i < rounds; i++) {
		const text = JSON.stringify(tree(5, i + 1));
		hash.update(JSON.stringify(JSON.parse(text), null, i % 3));
	}
	return hash.digest('hex');
}

function buffers(rounds) {
	const kept = [], hash = crypto.createHash('sha256');
	for (let i = 0; i < rounds; i++) {
		const b = Buffer.alloc(i * 7919 % 70000 + 1, i & 255);
		b.writeUInt8(i >> 3 & 255, b.length >> 1);
		kept[i * 31 % 200] = b;
		if (i % 10 === 0) hash.update(Buffer.concat(kept.filter(Boolean).map(k => k.subarray(0, 50))));
		if (i % 50 === 0) hash.update(b.toString('base64'));
	}
	return hash.digest('hex');
}

function packed(rounds) {
	let out = '';
	for (let i = 1; i <= rounds; i++) {
		const raw = Buffer.from('some text ' + i).toString().repeat(i * 100);
		const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 };
		const z = i % 2 ? zlib.gzipSync(raw) : zlib.brotliCompressSync(raw, { params });
		out += sha(i % 2 ? zlib.gunzipSync(z) : zlib.brotliDecompressSync(z));
	}
	return sha(out);
}

const all = n => [json(8 * n), buffers(2500 * n), packed(25 * n)].join(' ');
if (!isMainThread) {
	parentPort.postMessage(all(workerData));
} else {
	console.log('main', all(20));
	let left = 3;
	const said = [];
	for (let w = 0; w < 3; w++) {
		const worker = new Worker(__filename, { workerData: 8 + w });
		worker.on('message', m => said.push(w + ' ' + m));
		worker.on('exit', code => {
			said.push(w + ' exit ' + code);
			if (--left === 0) console.log(said.sort().join('\\n'));
		});
	}
}
"""


def run(ctx):
    ctx.write("work.js", SCRIPT)
    ctx.run(["node", "work.js"])
    ctx.run(["node", "--max-old-space-size=256", "-e", "throw new Error('on purpose')"], expect=1)
