"""git: a generated history is packed, listed, searched and checked."""

PACKAGES = {"git": "git"}
WHAT = "git: repack, log -p, blame, grep, fsck and clone of a history of 40 commits to 600 files"
QUICK = False

ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}
CONFIG = ["-c", "pack.threads=2", "-c", "gc.auto=0", "-c", "core.fsync=none", "-c", "maintenance.auto=false"]


def text(file, version):
    lines = [f"line {n} of file {file}, changed in {version - (n + file + version) % (version + 1)}" for n in range(60)]
    return "\n".join(lines + [f"added in {v}" for v in range(version)]) + "\n"


def history(files, versions):
    """What git fast-import reads: each version changes the files of one residue."""
    parts = []
    for version in range(versions):
        parts.append(f"commit refs/heads/main\ncommitter Nobody <n@example.org> {1600000000 + version * 60} +0000\n"
                     f"data <<END\nversion {version}\nEND\n")
        for file in range(version, files, 1 if version == 0 else 5):
            parts.append(f"M 644 inline dir{file % 41}/file{file}.txt\ndata <<END\n{text(file, version)}END\n")
    return "".join(parts)


def prepare(ctx):
    ctx.client(["git", "init", "-q", "--bare", ctx.input("repo.git")])
    ctx.client(["git", "-C", ctx.input("repo.git"), "fast-import", "--quiet"], stdin=history(600, 40))
    ctx.client(["git", "-C", ctx.input("repo.git"), "symbolic-ref", "HEAD", "refs/heads/main"])


def run(ctx):
    repo = ctx.path("repo.git")
    ctx.client(["cp", "-r", ctx.input("repo.git"), repo])

    def git(*words):
        ctx.command(["git", *CONFIG, "-C", repo, *words], env=ENVIRONMENT)

    git("repack", "-adfq", "--window=20")
    git("log", "-p", "--stat", "-M")
    git("blame", "-w", "main", "--", "dir0/file0.txt")
    git("grep", "-c", "changed in 1", "main")
    git("fsck", "--full", "--strict", "--no-progress")
    git("clone", "-q", "--no-local", ".", ctx.path("clone"))
