#!/usr/bin/env python3
"""Writes the linker's list of what libflagstone-machine.so exports: the names in its public headers, and the one that flagstone-stat
and flagstone-top look for in a process.

usage: exports.py INCLUDE-DIRECTORY OUTPUT DEPFILE
"""
import pathlib
import re
import sys

include, output, depfile = map(pathlib.Path, sys.argv[1:4])
names = {'flagstone_root'}
for header in include.rglob('*.h'):
    text = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)
    names |= set(re.findall(r'\b[A-Za-z_]\w*(?=\s*[\(\[;])', text))
    # Variables: several in one declaration, pointers to functions, with attributes.
    for declaration in re.findall(r'\bextern\b([^;{]*);', text):
        names |= set(re.findall(r'\b[A-Za-z_]\w*', declaration))
output.write_text('{\nglobal:\n' + ''.join(f'\t{name};\n' for name in sorted(names)) + 'local:\n\t*;\n};\n')
# A folder changes with each header that comes or goes.
read = sorted(path for path in [include, *include.rglob('*')] if path.is_dir() or path.suffix == '.h')
depfile.write_text(f'{output}: ' + ' '.join(str(path).replace(' ', '\\ ') for path in read) + '\n')
