"""nginx: compressed, substituted and included pages, pipelined."""

import signal

from timing.context import Failure, exchange, free_port

PACKAGES = {"nginx": "nginx"}
WHAT = "nginx: pages compressed, rewritten, assembled and proxied by two workers, pipelined on 8 connections"
QUICK = False
USER = "unprivileged"

CONFIG = """
worker_processes 2;
daemon off;
pid {work}/nginx.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
	access_log off;
	client_body_temp_path {work}/body;
	proxy_temp_path {work}/proxy;
	fastcgi_temp_path {work}/fastcgi;
	uwsgi_temp_path {work}/uwsgi;
	scgi_temp_path {work}/scgi;
	types {{ text/html html; text/plain txt; }}
	keepalive_requests 1000000;
	server {{
		listen 127.0.0.1:{port};
		root {inputs};
		gzip on;
		gzip_comp_level 1;
		gzip_types text/plain;
		location /sub/ {{ alias {inputs}/; sub_filter_once off; sub_filter line LINE; sub_filter_types *; }}
		location /ssi/ {{ alias {inputs}/; ssi on; }}
		location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/; proxy_buffers 4 4k; }}
	}}
}}
"""
CONNECTIONS = 8
PATHS = ["/small.txt", "/large.txt", "/ssi/page.html", "/sub/large.txt", "/proxy/small.txt"]


def prepare(ctx):
    ctx.input("small.txt", "small\n")
    ctx.input("large.txt", "".join(f"line {i} {i * i}\n" for i in range(1000)))
    ctx.input("page.html", '<p>page <!--#include virtual="/small.txt" --> <!--#echo var="arg_x" --></p>' * 10)


def request(i, last):
    headers = f"Host: x\r\nX-Test: {'x' * (i * 37 % 600)}\r\n" + ("" if i % 3 else "Accept-Encoding: gzip\r\n")
    return f"GET {PATHS[i % len(PATHS)]}?x={i} HTTP/1.1\r\n{headers}{'Connection: close' + chr(13) + chr(10) if last else ''}\r\n"


def run(ctx):
    port, count = free_port(), 3000
    with open(ctx.path("nginx.conf"), "w") as file:
        file.write(CONFIG.format(work=ctx.work, inputs=ctx.inputs, port=port))
    server = ctx.server(["nginx", "-p", ctx.work, "-c", ctx.path("nginx.conf"), "-e", "stderr"], several=True,
                        stop=signal.SIGQUIT)
    server.listen_at(port)
    payload = "".join(request(i, i == count - 1) for i in range(count)).encode()
    with server.loaded():
        if exchange(port, [payload] * CONNECTIONS) < 1_000_000:
            raise Failure("nginx: too few answers")
