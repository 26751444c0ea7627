#!/usr/bin/env python3
"""Writes the linker's list of what libflagstone-machine.so exports: the names in its public headers, and the one that flagstone-stat
and flagstone-top look for in a process.

usage: exports.py INCLUDE-DIRECTORY OUTPUT
"""
import pathlib
import re
import sys

include, output = map(pathlib.Path, sys.argv[1:3])
names = {'flagstone_root'}
for header in include.rglob('*.h'):
    text = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)
    names |= set(re.findall(r'\b[A-Za-z_]\w*(?=\s*[\(\[;])', text))
    # Variables: several in one declaration, pointers to functions, with attributes.
    for declaration in re.findall(r'\bextern\b([^;{]*);', text):
        names |= set(re.findall(r'\b[A-Za-z_]\w*', declaration))
output.write_text('{\nglobal:\n' + ''.join(f'\t{name};\n' for name in sorted(names)) + 'local:\n\t*;\n};\n')
