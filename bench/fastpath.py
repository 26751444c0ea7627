#!/usr/bin/python3
"""Counts the instructions of a fast path in a shared library, by reading its disassembly.

valgrind cannot run restartable sequences, so nothing is executed: the function is disassembled (objdump), and the
shortest way from its entry to a `ret` is looked for. Both sides of every conditional branch are tried, jumps inside
the function are followed, and ways through a call, or out of the function, are not fast paths. A way must also store
to memory other than the stack at least once (--stores), because a way that stores nothing, such as an early return
for a NULL pointer, allocates and frees nothing. Every instruction on the way counts, endbr64 and nop included.

Understands x86-64 and aarch64. Calls readelf and objdump; knows nothing of flagstone but the names of two functions.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

Insn = collections.namedtuple('Insn', 'addr text name operands next')
Step = collections.namedtuple('Step', 'insn note')

MAX_FUNCTIONS = 4  # that a path may be spread over, when one always jumps into the next

X86 = {
    'ret': re.compile(r'(?:rep[z]? |bnd )?ret[q]?$'),
    'call': re.compile(r'(?:bnd |notrack )?call[q]?$|syscall$|sysenter$|int$'),
    'stop': re.compile(r'ud[0-2]$|hlt$|int3$'),
    'jump': re.compile(r'(?:bnd |notrack )?jmp[q]?$'),
    'branch': re.compile(r'(?:bnd )?j(?!mp)[a-z]+$|loop[a-z]*$'),
    'atomic': re.compile(r'lock|xchg'),
}
ARM = {
    'ret': re.compile(r'ret(?:aa|ab)?$'),
    'call': re.compile(r'bl[r]?(?:aa|ab)?[z]?$|svc$'),
    'stop': re.compile(r'udf$|brk$|hlt$'),
    'jump': re.compile(r'b$|br(?:aa|ab)?[z]?$'),
    'branch': re.compile(r'b\.[a-z]+$|cbn?z$|tbn?z$'),
    'atomic': re.compile(r'ldx|ldax|stx|stlx|cas|ldadd|ldset|ldclr|ldeor|swp'),
}


def fail(message):
    print(f'fastpath: {message}', file=sys.stderr)
    sys.exit(2)


def output_of(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, 'LC_ALL': 'C'})
    except OSError as error:
        fail(f'{command[0]}: {error.strerror} (package binutils)')
    if done.returncode:
        fail(f'{" ".join(command)}: {done.stderr.strip()}')
    return done.stdout


class Library:
    def __init__(self, path, readelf, objdump):
        self.path, self.objdump = path, objdump
        header = output_of(readelf, '-hW', path)
        if 'X86-64' in header:
            self.isa, self.kind = 'x86-64', X86
        elif 'AArch64' in header:
            self.isa, self.kind = 'aarch64', ARM
        else:
            fail(f'{path}: neither x86-64 nor aarch64')
        self.functions = {}
        for line in output_of(readelf, '-sW', path).splitlines():
            field = line.split()
            if len(field) >= 8 and field[3] in ('FUNC', 'IFUNC') and field[6] != 'UND':
                name, size = field[7].split('@')[0], int(field[2], 0)
                self.functions[name] = (int(field[1], 16), size)

    def function_at(self, addr):
        """Name and bounds of the function that holds addr; the PLT is in none."""
        for name, (start, size) in self.functions.items():
            if start <= addr < start + size:
                return name, (start, size)
        return None

    def disassemble(self, bounds):
        start, size = bounds
        listing = output_of(self.objdump, '-d', '-w', '--no-show-raw-insn', f'--start-address={start:#x}',
                            f'--stop-address={start + size:#x}', self.path)
        found = []
        for line in listing.splitlines():
            match = re.match(r'\s*([0-9a-f]+):\s+(\S.*?)\s*$', line)
            if match:
                found.append((int(match[1], 16), match[2]))
        code = {}
        for i, (addr, text) in enumerate(found):
            following = found[i + 1][0] if i + 1 < len(found) else None
            bare = re.split(r'\s+#\s|\s*//', text)[0].strip()
            match = re.match(r'((?:(?:lock|rep[nz]*|bnd|notrack|data16|cs|xacquire|xrelease) )*\S+)\s*(.*)', bare)
            code[addr] = Insn(addr, text, match[1], match[2], following)
        return code

    def is_a(self, insn, kind):
        return bool(self.kind[kind].match(insn.name))

    def target(self, insn):
        """Where a direct jump goes, or None."""
        match = re.search(r'(?:^|[ ,])([0-9a-f]+)(?: <[^>]*>)?$', insn.operands)
        return int(match[1], 16) if match else None

    def is_store(self, insn):
        """A plain store to memory that is not the stack."""
        if self.isa == 'aarch64':
            return bool(re.match(r'st(r|p|lr|ur|np)', insn.name)) and not re.search(r'\[(sp|x29)', insn.operands)
        last = re.split(r',(?![^(]*\))', insn.operands)[-1]
        memory = '(' in last or last.startswith(('%fs:', '%gs:'))
        # Vector moves too: movaps, movups, movdqa, vmov...
        return memory and re.match(r'v?mov', insn.name) is not None and not re.search(r'\(%r[sb]p', last)

    def is_atomic(self, insn):
        """Atomic read-modify-write. An xchg with memory is one without a lock prefix; between registers it is not."""
        if self.isa == 'x86-64' and insn.name.startswith('xchg') and '(' not in insn.operands:
            return False
        return bool(self.kind['atomic'].match(insn.name))

    def successors(self, insn):
        """[(address, note)]; nothing where the fast path cannot go on."""
        if self.is_a(insn, 'call') or self.is_a(insn, 'stop'):
            return []
        if self.is_a(insn, 'jump'):
            target = self.target(insn)
            return [(target, 'jump')] if target is not None else []
        if self.is_a(insn, 'branch'):
            return [(insn.next, 'not taken'), (self.target(insn), 'TAKEN')]
        return [(insn.next, '')]


def shortest(library, code, entry, stores):
    """The fewest instructions from entry to ret with so many stores on the way, as [Step], and the exits met."""
    start = (entry, 0)
    came_from, queue, exits = {start: None}, collections.deque([start]), []
    while queue:
        state = queue.popleft()
        insn = code.get(state[0])
        if insn is None:
            exits.append(state[0])
            continue
        seen = min(stores, state[1] + library.is_store(insn))
        if library.is_a(insn, 'ret') and seen >= stores:
            return walk_back(code, came_from, state, 'return'), exits
        if library.is_a(insn, 'ret'):
            continue
        for addr, note in library.successors(insn):
            if addr is not None and (addr, seen) not in came_from:
                came_from[(addr, seen)] = (state, note)
                queue.append((addr, seen))
    return None, exits


def walk_back(code, came_from, state, note):
    steps = []
    while state is not None:
        steps.append(Step(code[state[0]], note))
        state, note = came_from[state] or (None, '')
    return steps[::-1]


def fast_path(library, name, stores):
    """The fast path of one function. One that always jumps into another is followed there."""
    if name not in library.functions:
        fail(f'{library.path} defines no function {name}')
    bounds = library.functions[name]
    if not bounds[1]:
        fail(f'{name} has no size in the symbol table')
    code = library.disassemble(bounds)
    for _ in range(MAX_FUNCTIONS):
        path, exits = shortest(library, code, bounds[0], stores)
        if path:
            return path
        for addr in exits:
            other = library.function_at(addr)
            if other and addr not in code:
                code.update(library.disassemble(other[1]))
    fail(f'{name}: no way from entry to ret that stores {stores} time(s) without a call')


def report(library, name, path, limit):
    """Prints the listing; returns what is wrong with it."""
    atomics = [step for step in path if library.is_atomic(step.insn)]
    stores = sum(library.is_store(step.insn) for step in path)
    branches = sum(library.is_a(step.insn, 'branch') for step in path)
    taken = sum(step.note == 'TAKEN' for step in path)
    print(f'{name}: {len(path)} instructions ({branches} conditional branches, {taken} taken; {stores} stores; '
          f'{len(atomics)} atomic)')
    for number, step in enumerate(path, 1):
        print(f'  {number:3}  {step.insn.addr:8x}  {step.insn.text:<60} {step.note}'.rstrip())
    print()
    wrong = [f'{name}: atomic read-modify-write at {step.insn.addr:x}: {step.insn.text}' for step in atomics]
    if limit is not None and len(path) > limit:
        wrong.append(f'{name}: {len(path)} instructions, at most {limit} are allowed')
    return wrong


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False,
                                     description='Lists and counts the fast paths of malloc and free.')
    parser.add_argument('library', help='a shared library, or a program that defines the functions')
    parser.add_argument('--functions', default='malloc,free', metavar='A,B', help='default: malloc,free')
    parser.add_argument('--check', nargs='+', type=int, metavar='N',
                        help='limits, one a function: exit status 1 if one is exceeded or an atomic is met')
    parser.add_argument('--stores', type=int, default=1, metavar='N',
                        help='stores outside the stack that a fast path has at least (default: 1)')
    parser.add_argument('--objdump', default='objdump', help='for another architecture: aarch64-linux-gnu-objdump')
    parser.add_argument('--readelf', default='readelf')
    args = parser.parse_intermixed_args()
    names = args.functions.split(',')
    if args.check and len(args.check) != len(names):
        fail(f'--check takes {len(names)} numbers, one for each of {", ".join(names)}')
    if not os.path.isfile(args.library):
        fail(f'{args.library}: no such file')
    library = Library(args.library, args.readelf, args.objdump)
    wrong = []
    for i, name in enumerate(names):
        limit = args.check[i] if args.check else None
        wrong += report(library, name, fast_path(library, name, args.stores), limit)
    for line in wrong:
        print(f'fastpath: {line}', file=sys.stderr)
    return 1 if args.check and wrong else 0


if __name__ == '__main__':
    sys.exit(main())
