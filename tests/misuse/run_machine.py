#!/usr/bin/env python3
"""Runs every case of machine.c and asserts the first lines of its report, and how it ends.

usage: run_machine.py DRIVER [CASE ...]

Broken if this fails: a wrong use of the machine is not noticed, is reported in other words, or a right program is reported.
"""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys

NR_AT_ONCE = 8
ABORT, SEGV = -signal.SIGABRT, -signal.SIGSEGV
HEX = '0x[0-9a-f]+'
SLEEPS = r'BUG: sleeping function called from invalid context at include/linux/sched/mm\.h:\d+'
IN_ATOMIC = r'in_atomic\(\): 1, irqs_disabled\(\): 0, non_block: 0, pid: \d+, name: boot'

FIRST = f'{HEX}-{HEX} @offset={{}}. First byte 0x1 instead of 0x{{}}, object {HEX} of {{}} bytes'
FREE_PAGE = f'{HEX}-{HEX} @offset={{}}. First byte 0x1 instead of 0xaa, free page {HEX} pfn {HEX}'
ACTIVE = (rf'BUG: ODEBUG: free active \(active state 0\) object type: {{}} {HEX} hint: {HEX}, '
          rf'in \d+ bytes at {HEX}')
FRAME = rf'-  #0 {HEX} misuse_machine\+{HEX}.*'
DESTROYED = r'it was destroyed by boot/\d+'
STACK_HIT = r'BUG: TASK stack guard page was hit at [0-9a-f]{16} \(stack is [0-9a-f]{16}\.\.[0-9a-f]{16}\)'


def circular(task, wanted, have, *held):
    """A task (a pattern) that holds a lock, or those, wants one that was taken in the other order."""
    def line(lock):
        return rf'{HEX} \({re.escape(lock)}\)\{{.*\}}, '
    held = held or (have,)
    return (['WARNING: possible circular locking dependency detected', '-------*',
             rf'-{task}/\d+ is trying to acquire lock:', f'-{line(wanted)}at: {HEX}',
             '-but task is already holding lock:', f'-{line(have)}at: {HEX}',
             '-which lock already depends on the new lock.', r'/ \*\*\* DEADLOCK \*\*\*',
             rf'-{len(held)} locks? held by {task}/\d+:', f'- #0: {line(held[0])}taken at:'] +
            [f'/ #{i}: {line(held[i])}taken at:' for i in range(1, len(held))])


def hung(task, cpu):
    return [rf'INFO: task {task}:\d+ blocked for more than 1 seconds\.',
            '-"hung_task_timeout_secs=0" disables this message.', rf'-task:{task} state:D cpu:{cpu} pid:\d+', '-Call Trace:',
            FRAME]


ELSEWHERE = [r'+Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot', r'+Freed: age=\d+ms cpu=1 pid=\d+ comm=freer/1', FRAME]

# Case: exit status, and its first lines, each with "flagstone: " before it unless it begins with "-"; lines may lie
# before one that begins with "+", or with "/" and has not that prefix.
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
    'lock_order': (ABORT, circular('boot', 'lock', 'other')),
    'flush_work_under_mutex': (ABORT, circular(r'kworker/0:\d', 'taken', 'taker', '(wq_completion)events', 'taker')),
    'cancel_work_under_mutex': (ABORT, circular('boot', '(work_completion)(&device->work)', 'taken')),
    'flush_workqueue_under_mutex': (ABORT, circular('boot', '(wq_completion)mine', 'taken')),
    'delete_timer_under_spinlock': (ABORT, circular('boot', '(&device->timer)', 'lock')),
    'waited_rightly': (0, []),
    'hung_on_mutex': (ABORT, hung('waiter/1', 1) + [
        r'/INFO: task waiter/1:\d+ is blocked on a mutex likely owned by task boot:\d+\.',
        r'-1 lock held by waiter/1/\d+:', rf'- #0: {HEX} \(taken\)\{{.*\}}, taken at:',
        r'+Kernel panic - not syncing: hung_task: blocked tasks']),
    'hung_attached_thread': (ABORT, hung('attached/2', 2) + [
        rf'/INFO: task attached/2:\d+ is blocked on a completion, {HEX}\.',
        r'-1 lock held by attached/2/\d+:', rf'- #0: {HEX} \(taken\)\{{.*\}}, taken at:']),
    'hung_on_work': (ABORT, hung('flusher/1', 1) + [
        rf'/INFO: task flusher/1:\d+ is blocked on work {HEX} \(function {HEX}\) of workqueue events\.',
        r'-no locks held by flusher/1/\d+\.']),
    'slept_rightly': (0, []),
    'nothing_can_wake': (ABORT, [
        '+BUG: nothing can wake the tasks of this machine: all sleep, and no timer, interrupt or other thread is left',
        r'task:boot state:D cpu:0 pid:\d+', '-Call Trace:', FRAME,
        r'/INFO: task boot:\d+ is blocked on a mutex likely owned by task holder:\d+\.', r'+task:holder state:D cpu:\d pid:\d+',
        rf'/INFO: task holder:\d+ is blocked on a completion, {HEX}\.', r'-1 lock held by holder/\d+:']),
    'can_be_woken': (0, []),
    'signal_can_wake': (0, []),
    'double_free': (ABORT, [f'BUG: double free of {HEX}.*']),
    'free_no_pages': (ABORT, [r'BUG: __free_pages of NULL, order 2: where nothing is to be freed, that is free_pages\(0\)']),
    'dma_without_zone': (0, [r'boot: page allocation failure: order:0, mode:0xcc1\(GFP_KERNEL\|GFP_DMA\), .*',
                             '+this machine has no zone for GFP_DMA: dma of its config makes one', 'Mem-Info:']),
    'dma32_without_zone': (0, [r'boot: page allocation failure: order:0, mode:0x824\(GFP_ATOMIC\|GFP_DMA32\), .*',
                               '+this machine has no zone for GFP_DMA32: dma32 of its config makes one', 'Mem-Info:']),
    'dma32_from_dma': (0, []),
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
                                         r'+Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot',
                                         r'+Freed: age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'write_freed_tracked': (ABORT, ['BUG: kmalloc-64: Poison overwritten', FIRST.format(8, '6b', 64),
                                    r'+Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot',
                                    r'+Freed: age=\d+ms cpu=0 pid=\d+ comm=boot']),
    'write_freed_before_destroy': (ABORT, ['BUG: widget: Poison overwritten', FIRST.format(39, 'a5', 40)]),
    'write_freed_before_shutdown': (ABORT, ['BUG: kmalloc-64: Poison overwritten', FIRST.format(8, '6b', 64)]),
    'write_freed_unchecked': (0, []),
    'double_free_checked': (ABORT, [f'BUG: double free of {HEX}, an object of cache kmalloc-112 \\(112 bytes\\)']),
    'store_user_elsewhere': (ABORT, ['BUG: kmalloc-64: Poison overwritten', FIRST.format(8, '6b', 64)] + ELSEWHERE),
    'refcount_underflow': (ABORT, [r'BUG: refcount_t: underflow; use-after-free', FRAME,
                                   rf'+{HEX} lies at offset 8 of {HEX}, 56 bytes of kmalloc-64, which are allocated',
                                   r'Allocated: age=\d+ms cpu=0 pid=\d+ comm=boot', FRAME]),
    'refcount_of_freed': (ABORT, [r'BUG: refcount_t: addition on 0; use-after-free', FRAME,
                                  rf'+{HEX} lies at offset 8 of {HEX}, 56 bytes of kmalloc-64, which are free'] + ELSEWHERE),
    'refcount_of_freed_user': (ABORT, [r'BUG: refcount_t: addition on 0; use-after-free', FRAME,
                                       rf'+{HEX} lies at offset 8 of {HEX}, an object of cache kmalloc-64, which is free'] +
                               ELSEWHERE),
    'refcount_of_nobody': (ABORT, [r'BUG: refcount_t: addition on 0; use-after-free', FRAME]),
    'double_free_uncounted': (ABORT, [f'BUG: free of {HEX}, which is free already, or was never allocated']),
    'double_free_large_uncounted': (ABORT, [f'BUG: free of {HEX}, which is free already, or was never allocated']),
    'double_free_of_cache_uncounted': (ABORT, [f'BUG: kmem_cache_free of {HEX} to cache widget, which is free already, '
                                               'or was never allocated']),
    'double_free_of_pages_uncounted': (ABORT, [f'BUG: __free_pages of {HEX}, order 1, which is free already']),
    'free_of_nothing_uncounted': (ABORT, [f'BUG: free of {HEX}, which flagstone did not allocate']),
    'slub_debug_nonsense': (3, ["machine text: slub_debug=FX:kmalloc-64 cannot be, from 'X:kmalloc-64' on: .*"]),
    'poisoned_rightly': (0, []),
    'locked_rightly': (0, []),
    'seqcount_preemptible': (0, [r'--+\[ cut here \]-+', '-count: a writer that may be preempted',
                                 r'-WARNING: CPU: 0 PID: \d+ at .*machine\.c:\d+ write_seqcount_begin']),
    'local_lock_twice': (0, [r'--+\[ cut here \]-+', r'-local_lock: held on this CPU already, by boot/\d+',
                             r'-WARNING: CPU: 0 PID: \d+ at .*machine\.c:\d+ local_lock']),
    'seqlock_recursion': (ABORT, ['WARNING: possible recursive locking detected', '-------*',
                                  r'-boot/\d+ is trying to acquire lock:', rf'-{HEX} \(\(seqlock\)\.seqcount\)\{{.*\}}, at: {HEX}',
                                  '-but task is already holding lock:', rf'-{HEX} \(\(seqlock\)\.seqcount\)\{{.*\}}, at: {HEX}']),
    'seqlock_recursion_without_lockdep': (
        ABORT, [r'BUG: seqlock recursion on CPU#0, boot/\d+: it reads what it is writing']),
    'seqlock_in_interrupt': (ABORT, ['WARNING: inconsistent lock state', '-------*',
                                     r'-inconsistent \{HARDIRQ-ON-W\} -> \{IN-HARDIRQ-R\} usage\.',
                                     r'-.*/\d+ \[HC1:SC0:HE0:SE1\] takes:', rf'-{HEX} \(\(seqlock\)\.seqcount\)\{{.*\}}, at: {HEX}']),
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
    'queue_on_destroyed': (ABORT, [f'BUG: workqueue: cannot queue {HEX} on wq mine: {DESTROYED}', '-Destroyed at:', FRAME,
                                   '/Call Trace:', FRAME]),
    'destroy_destroyed': (ABORT, [f'BUG: workqueue: cannot destroy wq mine: {DESTROYED}', '-Destroyed at:', FRAME]),
    'flush_destroyed': (ABORT, [f'BUG: workqueue: cannot flush wq mine: {DESTROYED}', '-Destroyed at:', FRAME]),
    'workqueues_in_turn': (0, []),
    'null_pointer_in_kthread': (SEGV, ['BUG: kernel NULL pointer dereference, address: 0000000000000008',
                                       r'CPU: 1 PID: \d+ Comm: reader/1', FRAME + r' \(use_nothing\+0x[0-9a-f]+\)',
                                       r'-  #1 .*']),
    'wild_pointer': (SEGV, ['BUG: unable to handle page fault for address: 0000123456789000',
                            r'CPU: 0 PID: \d+ Comm: boot', FRAME]),
    'stack_overflow': (SEGV, [STACK_HIT, r'CPU: 1 PID: \d+ Comm: deep/1', FRAME, r'-  #1 .*']),
    'stack_overflow_of_boot': (SEGV, [STACK_HIT, r'CPU: 0 PID: \d+ Comm: boot', FRAME, r'-  #1 .*']),
    'sent_signal': (SEGV, []),
    'rcu_stall': (0, [r'rcu: INFO: rcu detected stalls on threads, for which a grace period has waited for \d+ s:',
                      r'rcu: task stays/\d+ has been between rcu_read_lock\(\) and rcu_read_unlock\(\) all the time; it is at:',
                      f'-  #0 {HEX} .*', r'+rcu: kfree_rcu\(\) has about 0 KiB waiting']),
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
        far = pattern[0] in '+/'
        pattern = pattern[1:] if pattern[0] in '-/' else 'flagstone: ' + pattern.removeprefix('+')
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
    names = sys.argv[2:] or list(EXPECTED)
    # Those that sleep for seconds keep no others waiting.
    with concurrent.futures.ThreadPoolExecutor(NR_AT_ONCE) as pool:
        results = list(pool.map(lambda name: run_case(driver, name), names))
    for name, wrong in zip(names, results):
        print(f'{"FAIL: " + name + ": " + wrong if wrong else "ok: " + name}', flush=True)
        if wrong:
            failed.append(name)
    return 1 if failed else 0


sys.exit(main())
