#!/usr/bin/env python3
"""Compiles, links and runs README.md's first driver by what pkg-config says: of a checkout that is built and not installed, and
of what is installed.

usage: test_pkgconfig.py BUILD PACKAGE
Broken if this fails: who follows README.md gets no headers, those of another place, or no library.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAIN = """
#include <linux/rcupdate.h>
#include <linux/slab.h>
struct item { int value; struct rcu_head rcu; };
int main(void)
{
	void *object = kmalloc(100, GFP_KERNEL);
	struct item *item = kzalloc(sizeof(*item), GFP_KERNEL);
	struct kmem_cache *cache = KMEM_CACHE(item, SLAB_TYPESAFE_BY_RCU);

	kfree(object);
	rcu_read_lock();
	kfree_rcu(item, rcu);
	rcu_read_unlock();
	kvfree_rcu_barrier();
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	kmem_cache_destroy(cache);
	return !object || !item;
}
"""


def fenced(text, language):
    return [block for found, block in re.findall(r'(?ms)^```(\w*)\n(.*?)^```$', text) if found == language]


def readme_driver(folder):
    """README.md's first driver, and the commands that compile and run it, but for those that say where the build is."""
    section = (ROOT / 'README.md').read_text().partition('\n## The machine\n')[2].partition('\n## ')[0]
    for block in fenced(section, 'c'):
        name = re.match(r'/\* (\w+\.c) \*/', block).group(1)
        pathlib.Path(folder, name).write_text(block)
    commands = fenced(section, 'sh')[0]
    assert 'build/release/meson-uninstalled' in commands and 'build/release/runtime/machine' in commands
    lines = [line for line in commands.splitlines() if line.startswith(('cc ', './'))]
    assert len(lines) == 2
    kernel_code = pathlib.Path(folder, 'driver.c').read_text()
    assert all(name.startswith('linux/') for name in re.findall(r'#include <(.*)>', kernel_code))
    return lines


def plain_program(folder):
    pathlib.Path(folder, 'prog.c').write_text(PLAIN)
    return ['cc prog.c $(pkg-config --cflags --libs flagstone) -o prog', './prog']


PACKAGES = {'flagstone-machine': (readme_driver, 'runtime/machine'), 'flagstone': (plain_program, 'runtime/malloc')}


def compile_and_run(package, environment, before='', after=''):
    """With the text before replaced by after in what is compiled. Returns the exit status and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        commands = PACKAGES[package][0](folder)
        for source in pathlib.Path(folder).iterdir():
            source.write_text(source.read_text().replace(before, after) if before else source.read_text())
        for command in commands:
            done = subprocess.run(command, shell=True, env=environment, cwd=folder, capture_output=True, text=True, timeout=60,
                                  check=False)
            assert done.returncode == 0 or command.startswith('./'), f'{command}: {done.stderr}'
    return done.returncode, done.stderr


def check_runs(package, environment):
    status, said = compile_and_run(package, environment)
    assert status == 0, f'{status}: {said}'
    assert package == 'flagstone' or re.search(r'[1-5] samples', said), said


def check_mistakes(environment):
    """What README.md says that wrong drivers get."""
    status, said = compile_and_run('flagstone-machine', environment, 'kfree(sample);', '')
    assert status == 1 and re.search(r'leak: kmalloc-\d+ at 0x', said), f'{status}: {said}'
    status, said = compile_and_run('flagstone-machine', environment, 'return request_irq(3, take_sample, 0, "sampler", NULL);',
                                   'return -19;')
    assert status == 1 and 'flagstone: module driver.c: init returned -19' in said, f'{status}: {said}'
    status, said = compile_and_run('flagstone-machine', environment, 'GFP_ATOMIC', 'GFP_KERNEL')
    assert status and 'BUG: sleeping function called from invalid context' in said, f'{status}: {said}'


def without_numbers(line):
    """But for addresses and what depends on time and machine."""
    return re.sub(r'0x[0-9a-f]+|(?<=age=)\d+|(?<=pid=)\d+', '-', line)


def check_fail_each(build, environment):
    """README.md's transcript."""
    section = (ROOT / 'README.md').read_text().partition('\n### Failures on purpose\n')[2].partition('\n### ')[0]
    [transcript] = fenced(section, '')
    compiler, command, *shown = transcript.splitlines()
    assert compiler.startswith('$ cc ') and command.startswith('$ tools/flagstone machine fail-each ')
    tool = build / 'tools/flagstone-machine-tool'
    with tempfile.TemporaryDirectory() as folder:
        readme_driver(folder)
        subprocess.run(compiler[2:], shell=True, env=environment, cwd=folder, timeout=60, check=True)
        words = command.replace('$ tools/flagstone machine', str(tool)).split()
        done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        expected = [without_numbers(line) for line in shown if line != '...']
        said = [without_numbers(line) for line in done.stderr.splitlines()[:2] + done.stdout.splitlines()]
        assert (done.returncode, said) == (1, expected), f'{done}'
        # Beside request_irq(), the driver allocates in its interrupt only.
        subprocess.run(compiler[2:].replace('leaky', 'driver'), shell=True, env=environment, cwd=folder, timeout=60, check=True)
        done = subprocess.run([tool, 'fail-each', './driver'], env=environment, cwd=folder, capture_output=True, text=True,
                              timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, '2 runs, 0 bad\n'), f'{done}'


def cflags(package, environment):
    done = subprocess.run(['pkg-config', '--cflags', package], env=environment, check=True, capture_output=True, text=True)
    folders = [pathlib.Path(flag[2:]) for flag in done.stdout.split() if flag.startswith('-I')]
    assert any((folder / 'linux/slab.h').exists() for folder in folders), f'{done.stdout}: no headers'
    return folders


def in_checkout(build, package):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(build / 'meson-uninstalled'),
                       LD_LIBRARY_PATH=str(build / PACKAGES[package][1]))
    assert ROOT / 'include' in cflags(package, environment)
    check_runs(package, environment)
    if package == 'flagstone-machine':
        check_mistakes(environment)
        check_fail_each(build, environment)


def installed(build, package):
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(['meson', 'install', '-C', str(build), '--no-rebuild', '--destdir', root], check=True,
                       stdout=subprocess.DEVNULL)
        [library] = {path.parent for path in pathlib.Path(root).rglob('libflagstone-machine.so')}
        environment = dict(os.environ, PKG_CONFIG_PATH=str(library / 'pkgconfig'), PKG_CONFIG_SYSROOT_DIR=root,
                           LD_LIBRARY_PATH=str(library))
        assert all(folder.is_relative_to(root) for folder in cflags(package, environment))
        check_runs(package, environment)


def main():
    build, package = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    if not shutil.which('pkg-config'):
        return 77
    os.environ.pop('FLAGSTONE_MACHINE', None)
    in_checkout(build, package)
    installed(build, package)
    return 0


sys.exit(main())
