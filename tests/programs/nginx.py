"""nginx under wrk: files, compression, substitution, a proxy to itself; reloaded under load."""

import http.client
import signal

from harness.context import answers, sha256

PACKAGES = {"nginx": "nginx", "wrk": "wrk"}
PROVES = ["nginx", "wrk"]
QUICK = False
TIMEOUT = 180
USER = "unprivileged"

CONFIG = """
worker_processes 2;
daemon off;
pid {work}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
	access_log {work}/access.log;
	client_body_temp_path {work}/tmp/body;
	proxy_temp_path {work}/tmp/proxy;
	fastcgi_temp_path {work}/tmp/fastcgi;
	uwsgi_temp_path {work}/tmp/uwsgi;
	scgi_temp_path {work}/tmp/scgi;
	types {{ text/html html; text/plain txt; }}
	keepalive_requests 200;
	server {{
		listen 127.0.0.1:{port};
		root {work}/site;
		autoindex on;
		gzip on;
		gzip_types text/plain;
		location /sub/ {{ alias {work}/site/; gzip off; sub_filter_once off; sub_filter line LINE; sub_filter_types *; }}
		location /ssi/ {{ alias {work}/site/; ssi on; }}
		location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/sub/; proxy_buffers 4 4k; }}
		location /echo {{ return 200 "$request_method $arg_word $http_x_test\\n"; }}
	}}
}}
"""
PAGES = ["/small.txt", "/large.txt", "/page.html", "/ssi/page.html", "/sub/large.txt", "/proxy/large.txt", "/none.txt",
         "/echo?word=" + "w" * 900, "/proxy/page.html", "/../secret"]
LOADS = ["/small.txt", "/large.txt", "/ssi/page.html", "/proxy/large.txt", "/echo?word=1"]


def fetch(port, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        return f"{path[:40]} {answer.status} {answer.getheader('Content-Type')} {len(body)} {sha256(body)}\n"
    finally:
        connection.close()


def fetch_all(ctx, port):
    lines = [fetch(port, path, {"X-Test": "x" * 500}) for path in PAGES]
    lines += [fetch(port, path, {"Accept-Encoding": "gzip"}) for path in PAGES[:3]]
    lines += [fetch(port, "/large.txt", {"Range": f"bytes={i * 1000}-{i * 1777}"}) for i in range(1, 20)]
    ctx.record("pages", "".join(lines))


def errors(result):
    """wrk's lines on what went wrong, and whether it got any answer: the rest is speed."""
    lines = [line for line in result.stdout.splitlines() if "Non-2xx" in line]
    answered = any("requests in" in line and not line.strip().startswith("0 ") for line in result.stdout.splitlines())
    return "\n".join(lines + ["answered" if answered else "no answers"])


def run(ctx):
    port = ctx.free_port()
    ctx.write("site/small.txt", "small\n")
    ctx.write("site/large.txt", "".join(f"line {i} {i * i}\n" for i in range(4000)))
    ctx.write("site/page.html", '<p>page <!--#include virtual="/small.txt" --> <!--#echo var="arg_x" --></p>' * 30)
    config = ctx.write("nginx.conf", CONFIG.format(work=ctx.work, port=port))
    ctx.run(["nginx", "-t", "-q", "-p", ctx.work, "-c", config], rules=[(r"^stderr: .*\[(alert|warn)\].*\n", "")])
    server = ctx.serve(["nginx", "-p", ctx.work, "-c", config], lambda: answers(port))
    fetch_all(ctx, port)
    for path in LOADS:
        ctx.run(["wrk", "-t", "2", "-c", "40", "-d", "1s", f"http://127.0.0.1:{port}{path}"], show=errors,
                meanwhile=lambda: server.process.send_signal(signal.SIGHUP))
    fetch_all(ctx, port)
    server.stop(signal.SIGQUIT)
    died = [line for line in server.log().splitlines() if "exited on signal" in line]
    ctx.check(not died, f"a worker died: {died}")
