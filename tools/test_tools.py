#!/usr/bin/python3
"""Tests of flagstone-stat and flagstone-tunables on processes with known contents, of tools/flagstone and check.py.

usage: test_tools.py STAT LIBRARY TUNABLES SUBJECT OTHER-BUILD      (the programs that meson built)
"""
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import check  # noqa: E402
from subject import LIVE, NAME, PYTHON, Process, run, stat_json  # noqa: E402
STAT, LIBRARY, TUNABLES, SUBJECT, OTHER_BUILD = (os.path.abspath(path) for path in sys.argv[1:6])


class Stat(unittest.TestCase):
    def check_subject(self, mode):
        with Process(SUBJECT, "hold", FLAGSTONE_CONF=f"magazine={mode}") as process:
            live, objects, mapped = (int(word) for word in process.line.split())
            stats = stat_json(STAT, process.pid)
        self.assertEqual(live, LIVE)
        [cache] = [cache for cache in stats["cache"] if cache["name"] == NAME]
        self.assertEqual((cache["live"], cache["objects"]), (LIVE, objects))
        self.assertEqual(cache["live"] + cache["free_in_slabs"] + cache["in_depot"] + cache["in_cpus"], objects)
        self.assertEqual((stats["mapped_bytes"], stats["mappings"]), (mapped, 1))
        self.assertGreaterEqual(stats["mapped_bytes"], 64 << 20)
        self.assertGreaterEqual(stats["resident_bytes"], 64 << 20)
        parts = ("slab_bytes", "magazine_bytes", "block_bytes", "page_list_bytes", "free_bytes")
        self.assertEqual(stats["online_bytes"], sum(stats[part] for part in parts))
        self.assertEqual(stats["free_bytes"], sum(n << i for i, n in enumerate(stats["free_blocks"])) * 4096)
        self.assertEqual(stats["cached_objects"], sum(c["in_depot"] + c["in_cpus"] for c in stats["cache"]))
        self.assertEqual(stats["cpu_bytes"], sum(cpu["bytes"] for cpu in stats["cpu"]))
        return stats

    def test_numbers_agree_with_what_the_process_did(self):
        self.check_subject("auto")

    def test_numbers_agree_with_thread_magazines(self):
        self.assertEqual(self.check_subject("thread")["mode"], "thread")

    def test_numbers_agree_with_locked_magazines(self):
        stats = self.check_subject("locked,fake_cpus=7")
        self.assertEqual((stats["mode"], stats["areas"]), ("locked", 7))

    def test_tables_have_the_kernels_form(self):
        with Process(SUBJECT, "hold") as process:
            slabinfo = run(STAT, process.pid, "--slabinfo").stdout.splitlines()
            buddyinfo = run(STAT, process.pid, "--buddyinfo").stdout
            index = run(STAT, process.pid, "--extfrag_index").stdout
            unusable = run(STAT, process.pid, "--unusable_index").stdout
            everything = run(STAT, process.pid).stdout
        self.assertTrue(slabinfo[0].startswith("slabinfo - version: 2.1"))
        row = [line for line in slabinfo if line.startswith(NAME)][0][len(NAME):].split()
        self.assertEqual((row[0], row[2], row[5]), (str(LIVE), "200", ":"))
        self.assertRegex(buddyinfo, r"^Node 0, zone +Normal( +\d+){11}\n$")
        self.assertRegex(index, r"^Node 0, zone +Normal( -1\.000| +[01]\.\d{3}){11} \n$")
        self.assertRegex(unusable, r"^Node 0, zone +Normal( [01]\.\d{3}){11} \n$")
        for words in ("resident", "live", "cached", "given back", "slabinfo", "Node 0", "extfrag_index", "unusable_index"):
            self.assertIn(words, everything)

    def test_preloaded_library_that_was_replaced_on_disk(self):
        with tempfile.TemporaryDirectory() as directory:
            copy = shutil.copy(LIBRARY, directory)
            with Process(*PYTHON, LD_PRELOAD=copy) as process:
                os.unlink(copy)
                stats = stat_json(STAT, process.pid)
        self.assertGreater(stats["live_objects"], 0)

    def test_caches_that_come_and_go_do_no_harm(self):
        with Process(SUBJECT, "churn") as process:
            for _ in range(50):
                stats = stat_json(STAT, process.pid)
                self.assertTrue(stats["flags"] & 4 or NAME in [cache["name"] for cache in stats["cache"]])

    def test_collecting_in_a_signal_handler(self):
        for mode in ("auto", "thread", "locked"):
            result = run(SUBJECT, "signals", env={**os.environ, "FLAGSTONE_CONF": f"magazine={mode}"})
            self.assertEqual(result.returncode, 0, mode + result.stderr)

    def test_reasons_for_no_statistics_have_statuses_of_their_own(self):
        self.assertEqual(run(STAT).returncode, 2)
        self.assertEqual(run(STAT, "12x").returncode, 2)
        self.assertEqual(run(STAT, "1", "--json", "--slabinfo").returncode, 2)
        with subprocess.Popen(["true"]) as ended:
            ended.wait()
        result = run(STAT, str(ended.pid))
        self.assertEqual(result.returncode, 3)
        self.assertIn(f"no process has the id {ended.pid}", result.stderr)
        with Process(*PYTHON, LD_PRELOAD="") as process:
            result = run(STAT, process.pid)
        self.assertEqual(result.returncode, 5)
        self.assertIn("does not use flagstone", result.stderr)
        with Process(OTHER_BUILD) as process:
            result = run(STAT, process.pid)
        self.assertEqual(result.returncode, 6)
        self.assertIn("another version or build", result.stderr)

    def test_full_disk_is_noticed(self):
        with Process(SUBJECT, "hold") as process, open("/dev/full", "w", encoding="utf-8") as full:
            self.assertEqual(run(STAT, process.pid, stdout=full).returncode, 1)

    def test_unknown_option_is_answered_with_the_nearest(self):
        self.assertIn("the nearest is --json", run(STAT, "--jsno").stderr)
        self.assertIn("the nearest is --buddyinfo", run(STAT, "--buddy").stderr)


class Tunables(unittest.TestCase):
    def test_setting_and_its_source_are_shown(self):
        result = run(TUNABLES, env={**os.environ, "FLAGSTONE_CONF": "retain=64m"})
        [row] = [line for line in result.stdout.splitlines() if line.startswith("retain ")]
        self.assertEqual(row.split()[1:3], ["64m", "16m"])
        self.assertIn("FLAGSTONE_CONF", row)

    def test_markdown(self):
        self.assertIn("| `magazine` | auto |", run(TUNABLES, "--markdown").stdout)


class Command(unittest.TestCase):
    """Mistakes only: these build nothing."""

    def check(self, status, words, *arguments):
        result = run(os.path.join(HERE, "flagstone"), *arguments)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(words, result.stderr + result.stdout)

    def test_wrong_words_are_answered_with_the_nearest(self):
        self.check(2, "the nearest is run", "rnu")
        self.check(2, "the nearest is bench", "bnech")
        self.check(2, "the nearest is top", "tpo")
        self.check(2, "the nearest is --stats", "run", "--stat", "--", "true")
        self.check(2, "the nearest is --quick", "test", "--quik")
        self.check(2, "the nearest is asan", "test", "assan")

    def test_programs_that_cannot_run(self):
        self.check(127, "no program 'no-such-program'", "run", "--", "no-such-program")
        self.check(126, "cannot be executed", "run", os.path.join(HERE, "stat.c"))
        self.check(2, "which program?", "run", "--stats")

    def test_help_is_there_for_everything(self):
        self.check(0, "Usage: flagstone SUBCOMMAND", "--help")
        for subcommand in ("run", "bench", "test", "tunables", "build"):
            self.check(0, f"Usage: flagstone {subcommand}", subcommand, "--help")


class Counting(unittest.TestCase):
    """What check.py makes of test runs: only what ran to its end is passed."""

    def results(self, status, *results):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.writelines(json.dumps({"name": f"test {i}", "result": result}) + "\n"
                            for i, result in enumerate(results))
            file.flush()
            return str(check.read_results(file.name, status, "suite"))

    def test_each_outcome(self):
        self.assertEqual(self.results(0, "OK", "EXPECTEDFAIL", "SKIP"), "2 passed, 0 failed, 1 skipped")
        self.assertEqual(self.results(1, "OK", "FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"),
                         "1 passed, 5 failed, 0 skipped")

    def test_runner_that_crashes_is_a_failure(self):
        self.assertEqual(self.results(1, "OK"), "1 passed, 1 failed, 0 skipped")
        self.assertEqual(self.results(0), "0 passed, 1 failed, 0 skipped")
        self.assertEqual(str(check.read_results("/no/such/file", 0, "suite")), "0 passed, 1 failed, 0 skipped")

    def command(self, script):
        with contextlib.redirect_stdout(io.StringIO()):
            return str(check.run_and_read(["/bin/sh", "-c", script], "suite"))

    def test_command_that_counts_for_itself(self):
        self.assertEqual(self.command("echo 3 passed, 0 failed, 2 skipped"), "3 passed, 0 failed, 2 skipped")
        self.assertEqual(self.command("echo 3 passed, 2 failed, 0 skipped; exit 1"), "3 passed, 2 failed, 0 skipped")
        self.assertEqual(self.command("echo 3 passed, 0 failed, 0 skipped; exit 1"), "3 passed, 1 failed, 0 skipped")
        self.assertEqual(self.command("echo fine; kill -9 $$"), "0 passed, 1 failed, 0 skipped")

    def test_missing_tool_is_not_passed(self):
        build = check.Build("none", "", needs=["no-such-compiler"])
        self.assertEqual(str(build.run("/no/such/directory", True, False)), "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
