"""What the tests of the tools share: running them, and processes for them to look at."""
import json
import os
import subprocess

NAME = 'a "quoted\\" name'  # of the cache in test_subject
LIVE = 900                  # objects of it
PYTHON = ["/usr/bin/python3", "-c", "import sys; x = [bytes(3000)] * 9; print('ready', flush=True); sys.stdin.read()"]


def run(*command, **options):
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options)


class Process:
    """A process that said its first line and waits for the end of its input."""

    def __init__(self, *command, **variables):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **variables})
        self.line = self.process.stdout.readline()
        self.pid = str(self.process.pid)

    def __enter__(self):
        return self

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(30)

    def __exit__(self, *_):
        if self.process.returncode is None and self.end():
            raise AssertionError(f"the process that was looked at ended with {self.process.returncode}")


def stat_json(stat, pid):
    result = run(stat, pid, "--json")
    if result.returncode:
        raise AssertionError(f"status {result.returncode}: {result.stderr}")
    return json.loads(result.stdout)
