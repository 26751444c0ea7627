"""git over a generated repository of a few thousand files: add, commit, log, blame, grep, merge, clone, gc, fsck.

Dates and names are fixed, so that every object has the same id each time. What packs look like depends on how threads
share the work; what is in them does not.
"""

from harness.context import sha256

PACKAGES = {"git": "git"}
PROVES = ["git"]
QUICK = True
TIMEOUT = 180

CONFIG = """[user]
	name = Nobody
	email = nobody@example.org
[init]
	defaultBranch = main
[gc]
	auto = 0
[pack]
	threads = 2
[core]
	fsync = none
[maintenance]
	auto = false
"""


def text(file, version):
    """Lines of a file at a version: each version rewrites some lines and adds one."""
    lines = [f"line {n} of file {file}, changed in {version - (n + file + version) % (version + 1)}" for n in range(20)]
    return "\n".join(lines + [f"added in {v}" for v in range(version)]) + "\n"


def write_version(ctx, files, version):
    step = 1 if version == 0 else 7 + version
    for file in range(version, files, step):
        ctx.write(f"repo/dir{file % 41}/sub{file % 7}/file{file}.txt", text(file, version))


class Git:
    """Runs git in one repository, each commit a minute after the last."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.now = 1_600_000_000

    def __call__(self, *words, whole=False, **more):
        self.now += 60
        date = f"{self.now} +0000"
        env = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}
        show = None if whole else lambda result: sha256(result.stdout) + "\n" + result.stderr
        return self.ctx.run(["git", *words], env=env, cwd=self.ctx.path("repo"), show=show, **more)


def run(ctx):
    files, versions = (400, 4) if ctx.quick else (3000, 10)
    ctx.write(".gitconfig", CONFIG)
    ctx.make_directory("repo")
    git = Git(ctx)
    git("init", whole=True)
    for version in range(versions):
        write_version(ctx, files, version)
        git("add", "--all")
        git("commit", "-m", f"version {version}")
    git("log", "--stat", "-p", "-M")
    git("log", "--oneline", "--graph", whole=True)
    for file in (0, versions, files - 1):
        git("blame", "-w", f"dir{file % 41}/sub{file % 7}/file{file}.txt")
    git("grep", "-c", "changed in 1")
    git("checkout", "-q", "-b", "side", "HEAD~2")
    ctx.write("repo/side.txt", "side\n")
    git("add", "side.txt")
    git("commit", "-m", "side")
    git("merge", "-q", "main", "-m", "merge", whole=True)
    git("diff", "--stat", "HEAD~1", "main~3")
    git("gc", "--quiet", "--prune=now", whole=True)
    git("fsck", "--full", "--strict", "--no-progress", whole=True)
    git("rev-parse", "HEAD", "main", "HEAD^{tree}", whole=True)
    git("clone", "-q", "--no-local", ".", ctx.path("clone"), whole=True)
    git("-C", ctx.path("clone"), "log", "-p", "--all", "--format=fuller")
    git("-C", ctx.path("clone"), "status", "--short", whole=True)
    git("archive", "--format=tar", "HEAD")
