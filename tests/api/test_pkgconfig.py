#!/usr/bin/env python3
"""Compiles, links and runs a small driver by what pkg-config says of a checkout that is built and not installed.

usage: test_pkgconfig.py BUILD PACKAGE
Broken if this fails: who follows README.md's command in a checkout gets no headers, those of another place, or no library.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

DRIVERS = {
    'flagstone-machine': """
#include <flagstone/machine.h>
#include <linux/slab.h>
int main(void)
{
	if (flagstone_machine_boot_text("cpus=2,ram=16m"))
		return 1;
	kfree(kmalloc(100, GFP_KERNEL));
	return flagstone_machine_shutdown() != 0;
}
""",
    'flagstone': """
#include <linux/slab.h>
int main(void)
{
	void *object = kmalloc(100, GFP_KERNEL);

	kfree(object);
	return !object;
}
""",
}


def main():
    build, package = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    if not shutil.which('pkg-config'):
        return 77
    environment = dict(os.environ, PKG_CONFIG_PATH=str(build / 'meson-uninstalled'))
    environment.pop('FLAGSTONE_MACHINE', None)

    def flags(what):
        done = subprocess.run(['pkg-config', what, package], env=environment, check=True, capture_output=True, text=True)
        return done.stdout.split()

    cflags, libs = flags('--cflags'), flags('--libs')
    folders = [pathlib.Path(flag[2:]) for flag in cflags if flag.startswith('-I')]
    assert any((folder / 'linux/slab.h').exists() for folder in folders), f'{cflags}: no headers'
    environment['LD_LIBRARY_PATH'] = ':'.join(flag[2:] for flag in libs if flag.startswith('-L'))
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, 'driver.c')
        source.write_text(DRIVERS[package])
        program = source.with_suffix('')
        subprocess.run(['cc', '-Werror', *cflags, str(source), '-o', str(program), *libs], check=True)
        subprocess.run([str(program)], env=environment, check=True, timeout=60)
    return 0


sys.exit(main())
