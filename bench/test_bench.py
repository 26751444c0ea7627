#!/usr/bin/python3
"""Tests of the benchmark program and its scripts: answers to mistakes, a short run, the counting of fast paths.

Calls flagstone-bench (given as the first argument) and the scripts beside this file. Asserts no time.
"""
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = sys.argv.pop(1) if len(sys.argv) > 1 else ''


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, **options)


class Mistakes(unittest.TestCase):
    def refused(self, expected, *arguments, status=2):
        done = run(BENCH, *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(expected, done.stderr)
        self.assertEqual(done.stdout, '')

    def test_unknown_option_is_answered_with_the_nearest(self):
        self.refused("unknown option '--quikc'; the nearest is --quick", '--quikc')
        self.refused("unknown option '--alocator'; the nearest is --allocators", '--alocator=glibc')

    def test_unknown_allocator_is_answered_with_the_nearest(self):
        self.refused("unknown allocator 'jemaloc'; the nearest is jemalloc", '--allocators', 'glibc,jemaloc')

    def test_unreadable_values_are_named(self):
        for value in ('0', '1001', '-3', '7x', '', '99999999999999999999'):
            self.refused(f"not '{value}'", '--rounds', value)
        self.refused("--filter '('", '--filter', '(')
        self.refused("needs a value: '--json'", '--json')
        self.refused("takes no value: '--quick=yes'", '--quick=yes')

    def test_filter_without_match_does_not_run(self):
        self.refused('matches no benchmark', '--filter', 'no-such-benchmark')

    def test_flagstone_asked_for_by_path_must_load(self):
        self.refused('cannot load /nonexistent.so', '--flagstone', '/nonexistent.so', '--filter', 'pair', status=1)

    def test_json_is_opened_before_the_run(self):
        self.refused('cannot write /nonexistent/a.json', '--json', '/nonexistent/a.json', '--filter', 'pair', status=1)


class ShortRun(unittest.TestCase):
    def test_json_holds_every_sample_of_every_benchmark(self):
        names = [line.split()[0] for line in run(BENCH, '--list').stdout.splitlines()]
        self.assertEqual(len(names), len(set(names)))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'a.json')
            done = run(BENCH, '--quick', '--rounds', '2', '--allocators', 'none,glibc', '--json', path)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path, encoding='utf-8') as file:
                data = json.load(file)
        self.assertEqual([benchmark['name'] for benchmark in data['benchmarks']], names)
        for benchmark in data['benchmarks']:
            self.assertIn(benchmark['name'], done.stdout)
            self.assertEqual([result['allocator'] for result in benchmark['results']], ['none', 'glibc'])
            for result in benchmark['results']:
                self.assertEqual(len(result['ns']), 2)
                self.assertGreater(min(result['ns']), 0)

    def test_glibc_comes_from_libc_even_when_another_malloc_is_preloaded(self):
        """The program's own malloc may be anything; the row named glibc must not be."""
        folder = f'/usr/lib/{platform.machine()}-linux-gnu'
        others = [name for name in ('libjemalloc.so.2', 'libmimalloc.so.2') if os.path.exists(f'{folder}/{name}')]
        if not others:
            self.skipTest('no other malloc is installed')
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'a.json')
            done = run(BENCH, '--rounds', '1', '--quick', '--filter', '^pair/64$', '--allocators', 'glibc', '--json',
                       path,                       env={**os.environ, 'LD_PRELOAD': others[0]})
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path, encoding='utf-8') as file:
                self.assertIn('libc.so.6', json.load(file)['allocators'][0]['path'])

    def test_missing_allocator_is_named_and_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(BENCH, folder)
            done = run(copy, '--rounds', '1', '--quick', '--filter', '^pair/64$', '--allocators', 'flagstone,glibc',
                       env={**os.environ, 'LD_LIBRARY_PATH': folder})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('skipped: flagstone:', done.stdout)
        self.assertIn('1 of 2 allocators skipped', done.stdout)


X86_FIXTURE = '''
	.text
	.globl malloc, free
	.type malloc, @function
malloc:                       # 1 mov 2 test 3 je(taken) 4 mov 5 mov(store) 6 jmp 7 pop 8 ret
	mov %rdi, %rax
	test %rax, %rax
	je 1f
	call slow
	ret
1:	mov 8(%rdi), %rdx
	mov %rdx, (%rdi)
	jmp 2f
	ud2
2:	pop %rcx
	ret
	.size malloc, .-malloc
	.type free, @function
free:                         # 1 test 2 je 3 mov(store) 4 LOCK nop 5 ret; the NULL return stores nothing
	test %rdi, %rdi
	je 1f
	mov %rdi, %fs:(%rsi)
	LOCK
1:	ret
	.size free, .-free
	.globl slow, forward, calls
	.type slow, @function
slow:	mov %rax, (%rsp)
	ret
	.size slow, .-slow
	.type forward, @function
forward:                      # one jmp, then malloc's eight
	.byte 0xe9
	.long malloc - . - 4
	.size forward, .-forward
	.type calls, @function
calls:	mov %rax, (%rdi)
	call *%rsi
	ret
	.size calls, .-calls
'''

ARM_FIXTURE = '''
	.text
	.globl malloc, free
	.type malloc, @function
malloc:	cbz x0, 1f
	mrs x1, tpidr_el0
	str x0, [x1, #8]
	ret
1:	b slow
	.size malloc, .-malloc
	.type free, @function
free:	stp x29, x30, [sp, #-16]!
	tbz x0, #3, 1f
	bl slow
1:	str x0, [x1]
	ldp x29, x30, [sp], #16
	ret
	.size free, .-free
	.type slow, @function
slow:	ret
	.size slow, .-slow
'''


class FastPath(unittest.TestCase):
    def build(self, source, compiler):
        if not shutil.which(compiler):
            self.skipTest(f'{compiler} is not installed')
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path, library = os.path.join(folder, 'a.s'), os.path.join(folder, 'a.so')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(source)
        done = run(compiler, '-shared', '-nostdlib', '-Wl,-Bsymbolic', '-o', library, path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return library

    def x86(self, lock='nop'):
        if platform.machine() != 'x86_64':
            self.skipTest('the fixture is for x86-64')
        return self.build(X86_FIXTURE.replace('LOCK\n', lock + '\n'), 'cc')

    def count(self, *arguments):
        return run(sys.executable, os.path.join(HERE, 'fastpath.py'), *arguments)

    def test_path_follows_jumps_and_taken_branches_but_no_call(self):
        done = self.count(self.x86())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('malloc: 8 instructions (1 conditional branches, 1 taken; 1 stores; 0 atomic)', done.stdout)

    def test_early_return_that_stores_nothing_is_not_the_path(self):
        self.assertIn('free: 5 instructions (1 conditional branches, 0 taken', self.count(self.x86()).stdout)
        done = self.count(self.x86(), '--functions=free', '--stores=0')
        self.assertIn('free: 3 instructions', done.stdout)

    def test_check_fails_by_one_instruction_too_many(self):
        library = self.x86()
        self.assertEqual(self.count(library, '--check', '8', '5').returncode, 0)
        for limits in (('7', '5'), ('8', '4')):
            done = self.count(library, '--check', *limits)
            self.assertEqual(done.returncode, 1)
            self.assertIn('are allowed', done.stderr)

    def test_check_fails_on_atomic_instructions(self):
        for atomic in ('lock incl (%rdi)', 'xchg %rax, (%rdi)', 'lock cmpxchg16b (%rdi)'):
            done = self.count(self.x86(atomic), '--check', '99', '99')
            self.assertEqual(done.returncode, 1, atomic)
            self.assertIn('atomic read-modify-write', done.stderr)
        self.assertEqual(self.count(self.x86('xchg %rax, %rdi'), '--check', '99', '99').returncode, 0)

    def test_function_that_jumps_into_another_is_followed(self):
        done = self.count(self.x86(), '--functions=forward')
        self.assertIn('forward: 9 instructions', done.stdout)

    def test_no_path_and_no_function_are_errors(self):
        done = self.count(self.x86(), '--functions=calls')
        self.assertEqual(done.returncode, 2)
        self.assertIn('calls: no way from entry to ret', done.stderr)
        done = self.count(self.x86(), '--functions=nosuch')
        self.assertEqual(done.returncode, 2)
        self.assertIn('defines no function nosuch', done.stderr)

    def test_aarch64(self):
        cross = '' if platform.machine() == 'aarch64' else 'aarch64-linux-gnu-'
        library = self.build(ARM_FIXTURE, cross + 'gcc' if cross else 'cc')
        done = self.count(library, '--objdump', cross + 'objdump')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('malloc: 4 instructions', done.stdout)
        self.assertIn('free: 5 instructions (1 conditional branches, 1 taken; 1 stores', done.stdout)


class Plot(unittest.TestCase):
    def plot(self, text):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, 'a.json')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        done = run(sys.executable, os.path.join(HERE, 'plot.py'), path, os.path.join(folder, 'a'))
        if 'matplotlib is missing' in done.stderr:
            self.skipTest('matplotlib is not installed')
        return done, folder

    def test_other_files_are_refused(self):
        for text in ('', '[]', '{"format": "other"}'):
            done, _ = self.plot(text)
            self.assertEqual(done.returncode, 2)
            self.assertIn('a.json', done.stderr)

    def test_one_benchmark_gives_both_pictures(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'b.json')
            run(BENCH, '--quick', '--rounds', '1', '--filter', '^pair/64$', '--allocators', 'glibc', '--json', path)
            with open(path, encoding='utf-8') as file:
                done, folder = self.plot(file.read())
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(folder, 'a.svg'), encoding='utf-8') as file:
            self.assertIn('<svg', file.read())
        with open(os.path.join(folder, 'a.png'), 'rb') as file:
            self.assertEqual(file.read(4), b'\x89PNG')


if __name__ == '__main__':
    unittest.main(verbosity=2)
