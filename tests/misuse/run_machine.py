#!/usr/bin/env python3
"""Runs every case of machine.c and asserts the first lines of its report, and how it ends.

usage: run_machine.py DRIVER [CASE ...]

Broken if this fails: a wrong use of the machine is not noticed, is reported in other words, or a right program is reported.
"""
import os
import re
import signal
import subprocess
import sys

ABORT, SEGV = -signal.SIGABRT, -signal.SIGSEGV
HEX = '0x[0-9a-f]+'
SLEEPS = r'BUG: sleeping function called from invalid context at include/linux/sched/mm\.h:\d+'
IN_ATOMIC = r'in_atomic\(\): 1, irqs_disabled\(\): 0, non_block: 0, pid: \d+, name: boot'

FIRST = f'{HEX}-{HEX} @offset={{}}. First byte 0x1 instead of 0x{{}}, object {HEX} of {{}} bytes'
FREE_PAGE = f'{HEX}-{HEX} @offset={{}}. First byte 0x1 instead of 0xaa, free page {HEX} pfn {HEX}'
ACTIVE = (rf'BUG: ODEBUG: free active \(active state 0\) object type: {{}} {HEX} hint: {HEX}, '
          rf'in \d+ bytes at {HEX}')
FRAME = rf'-  #0 {HEX} misuse_machine\+{HEX}.*'

# Case: exit status, and its first lines, each with "flagstone: " before it unless it begins with "-"; lines may lie
# before one that begins with "+".
EXPECTED = {
    'correct': (0, []),
    'no_machine': (ABORT, ['BUG: kmalloc: no machine is booted']),
    'no_machine_any_more': (ABORT, ['BUG: kmalloc: no machine is booted']),
    'unattached': (ABORT, [f'BUG: allocation by a thread that is attached to no CPU, called from {HEX}: '
                           r'see flagstone_machine_attach\(\)']),
    'in_fork_child': (ABORT, ['BUG: kmalloc: no machine is booted']),
    'leak_object': (3, [rf'leak: kmalloc-112 at {HEX}, 100 bytes, age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'leak_many': (3, [rf'leak: kmalloc-112 at {HEX}, 97 bytes, age=\d+ms cpu=0 pid=\d+ comm=boot, '
                      'the first of 300, 31326 bytes together',
                      rf'+leak: kmalloc-112 at {HEX}, 100 bytes, age=\d+ms cpu=0 pid=\d+ comm=boot',
                      '+machine: 301 leaks']),
    'leak_uncounted': (3, [rf'leak: cache widget at {HEX}, objects of 40 bytes, age=\d+ms cpu=0 pid=\d+ comm=boot'] +
                       [f'+leak: {what}; tracking=1 tells who allocated them' for what in (
                           'kmalloc-112: 3, 336 bytes', 'kmalloc-40960: 1, 40960 bytes', 'dma-kmalloc-64: 1, 64 bytes',
                           'widget: 3, 120 bytes', 'pages: 2, 28672 bytes')] + ['+machine: 11 leaks']),
    'leak_nothing_uncounted': (0, []),
    'leak_pages': (3, [rf'leak: pages at {HEX}, 16384 bytes, age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'sleep_without_preemption': (ABORT, [SLEEPS, '-' + IN_ATOMIC, '-preempt_count: 1, expected: 0']),
    'sleep_under_spinlock': (ABORT, [SLEEPS, '-' + IN_ATOMIC, '-preempt_count: 1, expected: 0']),
    'double_free': (ABORT, [f'BUG: double free of {HEX}.*']),
    'raw_percpu': (SEGV, ['BUG: unable to handle page fault for address: [0-9a-f]{16}',
                          f"{HEX} is a per-CPU variable's name, which is no CPU's address: "
                          r'see this_cpu_ptr\(\) and per_cpu_ptr\(\)']),
    'null_pointer': (SEGV, ['BUG: kernel NULL pointer dereference, address: 0000000000000008',
                            r'CPU: 0 PID: \d+ Comm: boot', FRAME]),
    'zero_size': (SEGV, ['BUG: kernel NULL pointer dereference, address: 0000000000000010',
                         r'0x10 is ZERO_SIZE_PTR, what kmalloc\(0\) returns']),
    'highmem_without_kmap': (SEGV, ['BUG: unable to handle page fault for address: [0-9a-f]{16}',
                                    HEX + r' is a highmem page, which has no address until kmap\(\)']),
    'checked_rightly': (0, []),
    'red_zone_of_kmalloc': (ABORT, ['BUG: kmalloc-112: kmalloc Redzone overwritten', FIRST.format(100, 'cc', 112),
                                    r'+Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'red_zone_of_krealloc': (ABORT, ['BUG: kmalloc-112: kmalloc Redzone overwritten', FIRST.format(99, 'cc', 112)]),
    'red_zone_of_dma': (ABORT, ['BUG: dma-kmalloc-128: kmalloc Redzone overwritten', FIRST.format(127, 'cc', 128)]),
    'red_zone_of_cache': (ABORT, ['BUG: widget: Right Redzone overwritten', FIRST.format(40, 'cc', 40)]),
    'write_freed_before_alloc': (ABORT, ['BUG: kmalloc-64: Poison overwritten', FIRST.format(8, '6b', 64),
                                         r'+Allocated: age=\d+ms pid=\d+', r'+Freed: age=\d+ms pid=\d+']),
    'write_freed_tracked': (ABORT, ['BUG: kmalloc-64: Poison overwritten', FIRST.format(8, '6b', 64),
                                    r'+Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot',
                                    r'+Freed: age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'write_freed_before_destroy': (ABORT, ['BUG: widget: Poison overwritten', FIRST.format(39, 'a5', 40)]),
    'write_freed_before_shutdown': (ABORT, ['BUG: kmalloc-64: Poison overwritten', FIRST.format(8, '6b', 64)]),
    'write_freed_unchecked': (0, []),
    'double_free_checked': (ABORT, [f'BUG: double free of {HEX}, an object of cache kmalloc-112 \\(112 bytes\\)']),
    'slub_debug_nonsense': (3, ["machine text: slub_debug=FX:kmalloc-64 cannot be, from 'X:kmalloc-64' on: .*"]),
    'poisoned_rightly': (0, []),
    'locked_rightly': (0, []),
    'seqcount_preemptible': (0, [r'--+\[ cut here \]-+', '-count: a writer that may be preempted',
                                 r'-WARNING: CPU: 0 PID: \d+ at .*machine\.c:\d+ write_seqcount_begin']),
    'local_lock_twice': (0, [r'--+\[ cut here \]-+', r'-local_lock: held on this CPU already, by boot/\d+',
                             r'-WARNING: CPU: 0 PID: \d+ at .*machine\.c:\d+ local_lock']),
    'write_freed_page': (ABORT, ['BUG: pagealloc: memory corruption', FREE_PAGE.format(3),
                                 r'+Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot',
                                 r'+Freed: age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'write_freed_page_before_shutdown': (ABORT, ['BUG: pagealloc: memory corruption', FREE_PAGE.format(4095)]),
    'free_used_rightly': (0, []),
    'task_ends_with_mutex': (ABORT, [r'WARNING: forgetful/\d+ still has locks held!', '-------*',
                                     r'-1 lock held by forgetful/\d+:',
                                     rf'- #0: {HEX} \(&device->mutex\)\{{.*\}}, taken at:']),
    'free_locked_mutex': (ABORT, ['WARNING: held lock freed!', '-------*',
                                  rf'-boot/\d+ is freeing memory {HEX}-{HEX}, with a lock still held there!',
                                  rf'-{HEX} \(&device->mutex\)\{{.*\}}, at: .*']),
    'free_armed_timer': (ABORT, [ACTIVE.format('timer_list')]),
    'free_armed_hrtimer': (ABORT, [ACTIVE.format('hrtimer')]),
    'free_queued_work': (ABORT, [ACTIVE.format('work_struct')]),
    'free_delayed_work': (ABORT, [ACTIVE.format('timer_list')]),
    'null_pointer_in_kthread': (SEGV, ['BUG: kernel NULL pointer dereference, address: 0000000000000008',
                                       r'CPU: 1 PID: \d+ Comm: reader/1', FRAME + r' \(use_nothing\+0x[0-9a-f]+\)',
                                       r'-  #1 .*']),
    'wild_pointer': (SEGV, ['BUG: unable to handle page fault for address: 0000123456789000',
                            r'CPU: 0 PID: \d+ Comm: boot', FRAME]),
    'stack_overflow': (SEGV, ['BUG: unable to handle page fault for address: [0-9a-f]{16}',
                              r'CPU: 1 PID: \d+ Comm: deep/1', FRAME]),
    'sent_signal': (SEGV, []),
    'nonsense': (3, [r"machine text: value '0' of cpus is out of range\. Valid: 1\.\.256"]),
}


def run_case(driver, name):
    """None if it went as expected, else what was wrong."""
    environment = {key: value for key, value in os.environ.items() if key != 'FLAGSTONE_MACHINE'}
    try:
        done = subprocess.run([driver, name], env=environment, capture_output=True, text=True, errors='replace',
                              timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return 'hangs'
    status, expected = EXPECTED[name]
    lines = done.stderr.splitlines()
    if not expected and lines:
        return f'reported: {lines[0]!r}'
    i = -1
    for pattern in expected:
        i += 1
        far = pattern.startswith('+')
        pattern = pattern[1:] if pattern.startswith('-') else 'flagstone: ' + pattern.removeprefix('+')
        while far and i < len(lines) and not re.fullmatch(pattern, lines[i]):
            i += 1
        if i >= len(lines) or not re.fullmatch(pattern, lines[i]):
            return f'line {i + 1} is {lines[i] if i < len(lines) else ""!r}; expected {pattern!r}'
    return None if done.returncode == status else f'status {done.returncode}, expected {status}'


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    driver = sys.argv[1]
    listed = subprocess.run([driver, '--list'], capture_output=True, text=True, check=True).stdout.split()
    failed = sorted(set(listed) ^ set(EXPECTED))
    for name in failed:
        print(f'FAIL: {name}: in one of driver and table only')
    for name in sys.argv[2:] or EXPECTED:
        wrong = run_case(driver, name)
        print(f'{"FAIL: " + name + ": " + wrong if wrong else "ok: " + name}', flush=True)
        if wrong:
            failed.append(name)
    return 1 if failed else 0


sys.exit(main())
