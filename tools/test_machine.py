#!/usr/bin/env python3
"""Tests flagstone-machine: config, check, fail-each; flagstone symbolize with a machine's report; and flagstone-stat on a
process that runs a machine.

usage: test_machine.py FLAGSTONE-MACHINE SUBJECT STAT SHARED-SUBJECT FLAGSTONE
SUBJECT is a program on a machine: "careful", "leaky" and "hold" name what it does; SHARED-SUBJECT is linked with the shared library.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from subject import Process, run as run_on, stat_json  # noqa: E402
TOOL, SUBJECT, STAT, SHARED, FLAGSTONE = sys.argv[1:6]


def run(*arguments, machine=None, conf=None):
    environment = {key: value for key, value in os.environ.items() if key != 'FLAGSTONE_MACHINE'}
    if machine:
        environment['FLAGSTONE_MACHINE'] = machine
    if conf:
        environment['FLAGSTONE_CONF'] = conf
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

    def test_check_names_the_line_of_a_file(self):
        with tempfile.NamedTemporaryFile('w') as file:
            file.write('# a machine\ncpus = 8\n\nram=250m # too odd\n')
            file.flush()
            done = run(TOOL, 'check', file.name)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f'flagstone: {file.name}:4: ram=250m cannot be: allowed is a multiple of 4m\n')
            file.write('cpus=2\n')
            file.flush()
            done = run(TOOL, 'check', file.name)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"flagstone: {file.name}:5: cpus is set twice, to '8' in {file.name}:2 and to '2'\n")
        done = run(TOOL, 'check', '/no/such/machine.conf')
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, 'flagstone: machine: cannot read /no/such/machine.conf: No such file or directory\n')

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

    def test_fail_each_sets_its_names_once(self):
        done = run(TOOL, 'fail-each', SUBJECT, 'leaky', machine='tracking=0, cpus=1,fail_nth=9')
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (1, ['3 runs, 1 bad']))
        self.assertRegex(done.stderr, r'fail-each: replay: FLAGSTONE_MACHINE=cpus=1,fail_nth=2 ')

    def test_fail_each_wants_a_program(self):
        self.assertEqual(run(TOOL, 'fail-each').returncode, 2)
        self.assertEqual(run(TOOL, 'fail-each', '/no/such/program').returncode, 127)

    def test_fail_each_looks_for_leaks_where_the_program_did_not(self):
        for subject in (SUBJECT, SHARED):
            done = run(TOOL, 'fail-each', subject, 'leaving')
            self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (1, ['3 runs, 1 bad']))
            self.assertIn('it leaks: leak: kmalloc-112', done.stderr)

    def test_fail_each_sees_that_a_machine_was_not_ended(self):
        done = run(TOOL, 'fail-each', '--steps', '1', SUBJECT, 'vanishing')
        self.assertEqual((done.returncode, done.stdout), (1, '1 runs, 1 bad\n'))
        self.assertIn('it leaks: machine: the program ended without flagstone_machine_shutdown(): leaks not checked', done.stderr)

    def test_fail_each_counts_warnings(self):
        done = run(TOOL, 'fail-each', SUBJECT, 'inverting', conf='on_bug=continue')
        self.assertEqual((done.returncode, done.stdout), (1, '2 runs, 1 bad\n'))
        self.assertIn('it warns: WARNING: possible circular locking dependency detected', done.stderr)

    def test_fail_each_of_nothing_is_no_success(self):
        for machine, program in ((None, ['true']), ('cpus=0', [SUBJECT, 'careful'])):
            done = run(TOOL, 'fail-each', *program, machine=machine)
            self.assertEqual((done.returncode, done.stdout), (1, ''))
            self.assertIn(f'{program[0]} made no allocation that could fail', done.stderr)
        self.assertIn("value '0' of cpus is out of range", done.stderr)
        # One run of one is not all, but a run.
        self.assertEqual(run(TOOL, 'fail-each', '--steps', '1', SUBJECT, 'careful').stdout, '1 runs, 0 bad\n')

    def test_wrong_words_are_named(self):
        see = '(see flagstone machine --help)\n'
        for arguments, said in (
                (['fail_eahc'], f"unknown command 'fail_eahc'; the nearest is 'fail-each' {see}"),
                (['zebra'], f"unknown command 'zebra' {see}"),
                (['chek'], f"unknown command 'chek'; the nearest is 'check' {see}"),
                (['fail-each', '--stop', '3', 'true'], f"unknown option '--stop'; the nearest is '--steps' {see}"),
                (['fail-each', '--steps', '0', 'true'], "--steps takes a number from 1 to 1000000000, not '0'\n"),
                (['fail-each', '--deadline', 'x', 'true'], "--deadline takes a number from 1 to 1000000000, not 'x'\n"),
                (['fail-each', '--steps'], '--steps takes a number from 1 to 1000000000\n')):
            done = run(TOOL, *arguments)
            self.assertEqual((done.returncode, done.stderr), (2, f'flagstone: machine: {said}'))

    @unittest.skipUnless(shutil.which('addr2line'), 'no addr2line')
    def test_symbolize_names_what_a_program_does_not_export(self):
        report = run(SUBJECT, 'leaky', machine='cpus=1,fail_nth=2').stderr
        self.assertRegex(report, r'(?m)^  #0 0x')
        folder, name = os.path.split(os.path.abspath(SUBJECT))
        mapping = f'55d0c0a00000-55d0c0a01000 r-xp 00000000 08:01 42      {folder}/{name}\n'
        found = rf"flagstone: symbolize: {name} is \S+/?{name}\n"
        for arguments, cwd, path, text, said in (
                ([SUBJECT], None, None, report, ''),  # named
                ([], folder, None, report, found),  # here
                ([], '/', folder, report, found),  # in PATH
                ([], '/', None, mapping + report, found)):  # in the report
            environment = {**os.environ, 'PATH': f'{os.environ["PATH"]}:{path}' if path else os.environ['PATH']}
            done = subprocess.run([FLAGSTONE, 'symbolize', *arguments], input=text, cwd=cwd, env=environment,
                                  capture_output=True, text=True, timeout=120, check=False)
            others = re.sub(r'flagstone: symbolize: (?:cannot find )?libc\.so\S* .*\n', '', done.stderr)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(others, f'^{said}$')
            added = [line for line in done.stdout.splitlines() if line.startswith('       ')]
            self.assertEqual([line for line in done.stdout.splitlines() if line not in added], text.splitlines())
            self.assertTrue(any(re.search(r'\bmain\b', line) for line in added), done.stdout)

    def test_symbolize_names_what_it_cannot_find(self):
        done = subprocess.run([FLAGSTONE, 'symbolize'], input='  #0 0x55d0c0a01234 no_such_program+0x1234\n' * 2,
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, '  #0 0x55d0c0a01234 no_such_program+0x1234\n' * 2))
        self.assertEqual(done.stderr, 'flagstone: symbolize: cannot find no_such_program: name the file '
                         '(see flagstone symbolize --help)\n')

    def test_symbolize_tells_how_it_looks(self):
        done = run(FLAGSTONE, 'symbolize', '--help')
        self.assertEqual(done.returncode, 0)
        for word in ('[FILE...]', 'maps', 'LD_LIBRARY_PATH', 'PATH', './driver 2>&1 | flagstone symbolize\n'):
            self.assertIn(word, done.stdout)
        done = run(FLAGSTONE, 'symbolize', '/no/such/file')
        self.assertEqual((done.returncode, done.stderr), (1, 'flagstone: symbolize: cannot read /no/such/file\n'))

    def check_stat(self, subject):
        with Process(subject, 'hold') as process:
            self.assertEqual(process.line, 'ready\n')
            stats = stat_json(STAT, process.pid)
            text = run_on(STAT, process.pid).stdout
            buddyinfo = run_on(STAT, process.pid, '--buddyinfo').stdout
        [cache] = [cache for cache in stats['cache'] if cache['name'] == 'held']
        self.assertEqual((cache['live'], cache['object_size']), (700, 200))
        # What the machine has, all of it found again.
        self.assertLessEqual(stats['online_bytes'], 32 << 20)
        parts = ('slab_bytes', 'magazine_bytes', 'block_bytes', 'page_list_bytes', 'free_bytes')
        self.assertEqual(stats['online_bytes'], sum(stats[part] for part in parts))
        self.assertGreaterEqual(stats['block_bytes'], 64 * 4096)
        self.assertEqual(stats['free_bytes'], sum(n << i for i, n in enumerate(stats['free_blocks'])) * 4096)
        # Each zone by its name, and each block in one of them.
        zones = re.findall(r'^Node (\d+), zone +(\w+)((?: +\d+){11})$', buddyinfo, re.M)
        self.assertEqual([zone[:2] for zone in zones], [('0', 'DMA'), ('0', 'Normal'), ('1', 'Normal')])
        counts = [[int(n) for n in zone[2].split()] for zone in zones]
        self.assertEqual([sum(column) for column in zip(*counts)], stats['free_blocks'])
        self.assertEqual([zone['free_blocks'] for zone in stats['zone']], counts)
        # The same zones with their watermarks, in pages.
        rows = re.findall(r'^node (\d+) +(\w+)((?: +\d+){5})$', text, re.M)
        self.assertEqual([row[:2] for row in rows], [zone[:2] for zone in zones])
        for row, zone in zip(rows, stats['zone']):
            pages, free, low_to_high = zone['pages'], zone['free_pages'], [zone[name] for name in ('min', 'low', 'high')]
            self.assertEqual([int(n) for n in row[2].split()], [pages, free, *low_to_high])
            self.assertEqual(free, sum(n << i for i, n in enumerate(zone['free_blocks'])))
            self.assertTrue(0 < low_to_high[0] < low_to_high[1] < low_to_high[2] < pages and free <= pages, zone)
        self.assertEqual(sum(zone['pages'] for zone in stats['zone']) * 4096, stats['online_bytes'])
        # Frames are not counted in a machine: what is free is not said to be resident.
        self.assertNotIn('dirty', text)
        self.assertNotIn('free, and resident still', text)

    def test_stat_reads_a_machine(self):
        self.check_stat(SUBJECT)

    def test_stat_reads_a_machine_of_the_shared_library(self):
        self.check_stat(SHARED)


unittest.main(argv=sys.argv[:1])
