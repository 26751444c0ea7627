#!/usr/bin/env python3
"""Tests flagstone-machine: config, check, fail-each; and flagstone symbolize with a machine's report.

usage: test_machine.py FLAGSTONE-MACHINE SUBJECT FLAGSTONE
SUBJECT is a program on a machine: "careful" and "leaky" name what it does.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest

TOOL, SUBJECT, FLAGSTONE = sys.argv[1:4]


def run(*arguments, machine=None):
    environment = {key: value for key, value in os.environ.items() if key != 'FLAGSTONE_MACHINE'}
    if machine:
        environment['FLAGSTONE_MACHINE'] = machine
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120, check=False)


class Machine(unittest.TestCase):
    def test_help_names_every_command(self):
        done = run(TOOL, '--help')
        self.assertEqual(done.returncode, 0)
        for word in ('config', 'check', 'fail-each', '--deadline', '--steps'):
            self.assertIn(word, done.stdout)

    def test_config_is_documented(self):
        done = run(TOOL, 'config')
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r'(?m)^cpus +4 +4 +1\.\.256 +default +Simulated CPUs\.$')
        self.assertIn('| `ram` | 64m |', run(TOOL, 'config', '--markdown').stdout)
        self.assertEqual(run(TOOL, 'config', '--html').returncode, 2)

    def test_check_says_why_not(self):
        self.assertEqual(run(TOOL, 'check', 'cpus=8,ram=256m,nodes=2,highmem=192m').stdout, 'can be booted\n')
        done = run(TOOL, 'check', 'cpus=0')
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "flagstone: machine text: value '0' of cpus is out of range. Valid: 1..256\n")
        self.assertEqual(run(TOOL, 'check').returncode, 2)

    def test_fail_each_passes_a_careful_program(self):
        done = run(TOOL, 'fail-each', '--', SUBJECT, 'careful')
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:], done.stderr), (0, ['4 runs, 0 bad'], ''))

    def test_fail_each_finds_leaks_and_replays_them(self):
        done = run(TOOL, 'fail-each', SUBJECT, 'leaky', machine='cpus=1')
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (1, ['3 runs, 1 bad']))
        replay = re.search(r'fail-each: replay: FLAGSTONE_MACHINE=(\S+) (.*)', done.stderr)
        self.assertEqual(replay.group(1), 'cpus=1,fail_nth=2')
        again = run(*replay.group(2).split(), machine=replay.group(1))
        self.assertIn('leak: kmalloc-112', again.stderr)

    def test_fail_each_wants_a_program(self):
        self.assertEqual(run(TOOL, 'fail-each').returncode, 2)
        self.assertEqual(run(TOOL, 'fail-each', '--deadline', 'x', SUBJECT).returncode, 2)
        self.assertEqual(run(TOOL, 'fail-each', '/no/such/program').returncode, 127)
        done = run(TOOL, 'fail-each', 'true')
        self.assertIn('allocated nothing on a machine', done.stderr)

    @unittest.skipUnless(shutil.which('addr2line'), 'no addr2line')
    def test_symbolize_names_what_a_program_does_not_export(self):
        report = run(SUBJECT, 'leaky', machine='cpus=1,fail_nth=2').stderr
        self.assertRegex(report, r'(?m)^  #0 0x')
        done = subprocess.run([FLAGSTONE, 'symbolize', SUBJECT], input=report, capture_output=True, text=True, timeout=120,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        added = [line for line in done.stdout.splitlines() if line.startswith('       ')]
        self.assertEqual([line for line in done.stdout.splitlines() if line not in added], report.splitlines())
        self.assertTrue(any(re.search(r'\bmain\b', line) for line in added), done.stdout)

    def test_symbolize_wants_files(self):
        self.assertEqual(run(FLAGSTONE, 'symbolize').returncode, 2)
        done = run(FLAGSTONE, 'symbolize', '/no/such/file')
        self.assertEqual((done.returncode, done.stderr), (1, 'flagstone: symbolize: cannot read /no/such/file\n'))


unittest.main(argv=sys.argv[:1])
