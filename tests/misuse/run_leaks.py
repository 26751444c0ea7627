#!/usr/bin/env python3
"""Runs every case of leaks.c and asserts each line that is reported, who is named as the maker, and how many leaks are counted.

usage: run_leaks.py DRIVER [CASE ...]

Broken if this fails: a wrong end is not noticed, or not told in these words; something that a program made and never ended goes unnoticed when its machine ends, is told in other words or as
another thing, twice, or without the call that made it; or what has ended, or is the machine's own, is told as a leak.
"""
import os
import re
import signal
import subprocess
import sys

HEX = '0x[0-9a-f]+'
EVENT = r'age=\d+ms cpu=[01] pid=\d+ comm=boot'
ABORT = -signal.SIGABRT
NOT_ENDED = r'machine: task {} \(pid \d+\) on CPU [01] has not ended'
REFUSED = 100


def at(what, size=''):
    return f'leak: {what} at {HEX}{", " + size if size else ""}, {EVENT}'


def named(what):
    return f'leak: {what}, {EVENT}'


def pending(what):
    return f'leak: {what} at {HEX}, still pending; its function:'


# Case: exit status, and pairs of all lines that begin with "flagstone: ", but for the last, "machine: N leaks", and who is in the
# stack below; without: there is none.
EXPECTED = {
    'nothing': (0, []),
    'percpu': (1, [(at('per-CPU memory', '8 bytes a CPU'), 'make_percpu')]),
    'percpu_atomic': (1, [(at('per-CPU memory', '24 bytes a CPU'), 'make_percpu_atomic')]),
    'many_percpu': (301, [(at('per-CPU memory', '8 bytes a CPU') + ', the first of 300', 'make_many_percpu'),
                          (at('per-CPU memory', '8 bytes a CPU'), 'make_many_percpu')]),
    'percpu_counter': (1, [(at('percpu_counter &device.sum', '4 bytes a CPU'), 'make_percpu_counter')]),
    'cache': (1, [(at('cache widget', 'objects of 40 bytes'), 'make_cache')]),
    'page_frag': (1, [(at('pages', '32768 bytes'), 'make_page_frag')]),
    'mempool': (1, [(at('mempool', 'a reserve of 4 elements'), 'make_mempool')]),
    'page_mempool': (1, [(at('mempool', 'a reserve of 2 elements'), 'make_page_mempool')]),
    'slab_mempool': (2, [(at('cache widget', 'objects of 40 bytes'), 'make_slab_mempool'),
                         (at('mempool', 'a reserve of 4 elements'), 'make_slab_mempool')]),
    'static_mempool': (1, [(at('mempool', 'a reserve of 4 elements'), 'make_static_mempool')]),
    # Its elements are what its own function made.
    'own_mempool': (2, [(at('mempool', 'a reserve of 1 elements'), 'make_own_mempool'),
                        (at('kmalloc-112', '100 bytes'), 'make_own_mempool')]),
    'freed_mempool': (1, [(at('mempool', 'a reserve of 1 elements'), 'make_freed_mempool')]),
    'gen_pool': (1, [(at('gen_pool', 'ranges of 8192 bytes'), 'make_gen_pool')]),
    'irq': (1, [(named(r'irq 5 \(left\)'), 'make_irq')]),
    'threaded_irq': (1, [(named(r'irq 6 \(left\)'), 'make_threaded_irq')]),
    'workqueue': (1, [(at('workqueue left/3'), 'make_workqueue')]),
    'rescued_workqueue': (1, [(at('workqueue left'), 'make_rescued_workqueue')]),
    'shrinker': (1, [(at('shrinker left-7'), 'make_shrinker')]),
    'unregistered_shrinker': (1, [(at('shrinker left'), 'make_unregistered_shrinker')]),
    'old_shrinker': (1, [(at('shrinker left'), 'make_old_shrinker')]),
    'oom_notifier': (1, [(at('OOM notifier'), 'make_oom_notifier')]),
    'cpuhp_state': (1, [(named(r'cpuhp state \d+ \(left:online\)'), 'make_cpuhp_state')]),
    'disk': (1, [(at('simulated disk'), 'make_disk')]),
    'timer': (1, [(pending('timer'), 'timer_function')]),
    'hrtimer': (1, [(pending('hrtimer'), 'hrtimer_function')]),
    'delayed_work': (1, [(pending('delayed work'), 'work_function')]),
    'kthread': (REFUSED, [(NOT_ENDED.format('left/1'), None), (f'Created: kthread, {EVENT}', 'make_kthread')]),
    'sleeping_kthread': (REFUSED, [(NOT_ENDED.format('left'), None),
                                   (f'Created: kthread, {EVENT}', 'make_sleeping_kthread')]),
    'kthread_worker': (REFUSED, [(NOT_ENDED.format('left'), None),
                                 (f'Created: kthread_worker, {EVENT}', 'make_kthread_worker')]),
    'ended_kthread': (1, [(rf'leak: task_struct left \(pid \d+\) at {HEX}, which has ended: references that were not put: 1',
                           None),
                          (f'Created: kthread, {EVENT}', 'make_ended_kthread')]),
}
# Wrong ends: BUG reports, which end the program, and a cache that cannot be destroyed.
EXPECTED |= {
    'destroy_full_cache': (2, [('kmem_cache_destroy: cache widget still has 1 objects; it is kept', None),
                               (f'  widget object {HEX}, 40 bytes', None),
                               (f'  Allocated: {EVENT}', None),
                               (at('cache widget', 'objects of 40 bytes'), None), (at('widget', '40 bytes'), None)]),
    'destroy_queue_with_work': (0, []),
    'stop_kept_kthread_twice': (0, []),
} | {name: (ABORT, [('BUG: ' + line, None)]) for name, line in {
    'destroy_queue_with_delayed_work': rf'destroy_workqueue of left, with delayed work {HEX} \(function {HEX}\) pending',
    'free_irq_of_another': 'Trying to free already-free IRQ 5',
    'stop_kthread_twice': f'kthread_stop of {HEX}, which is no thread any more: it was stopped, or has ended, and no reference '
                          'was held',
    'free_percpu_twice': f'free_percpu of {HEX}, which alloc_percpu did not return, or which is free already',
    'free_percpu_foreign': f'free_percpu of {HEX}, which alloc_percpu did not return, or which is free already',
    'free_to_destroyed_mempool': f'mempool_free of {HEX} to {HEX}, which is no pool, or none any more',
    'destroy_used_gen_pool': f'gen_pool_destroy: {HEX} is in use',
}.items()}
# Without records of objects the call site alone is known. In the order of the machine's end.
ALL = ['disk', 'shrinker', 'unregistered_shrinker', 'old_shrinker', 'oom_notifier', 'workqueue', 'rescued_workqueue', 'irq',
       'threaded_irq', 'ended_kthread', 'cpuhp_state', 'percpu', 'percpu_counter', 'cache', 'mempool', 'page_mempool',
       'static_mempool', 'gen_pool']
EXPECTED['all_unrecorded'] = (len(ALL), [pair for name in ALL for pair in EXPECTED[name][1]])


def reports_of(text):
    """Pairs of a line and the functions of the stack below it."""
    found = []
    for line in text.splitlines():
        if line.startswith('flagstone: '):
            found.append((line.removeprefix('flagstone: '), []))
        elif re.match('  #', line) and found:
            found[-1][1].append(line.rpartition('(')[2].partition('+')[0])
    return found


def wrong_in(name, done):
    """None if it went as expected, else what was wrong."""
    status, expected = EXPECTED[name]
    reports = reports_of(done.stderr)
    leaks = status
    if reports and reports[-1][0].startswith('machine: ') and reports[-1][0].endswith(' leaks'):
        leaks = int(reports.pop()[0].split()[1])
    elif 0 < status < REFUSED:
        return 'the leaks are not counted'
    if leaks != status or done.returncode != (status % 256 if status > 0 else status):
        return f'{leaks} leaks, status {done.returncode}; expected {status}'
    if len(reports) != len(expected):
        return f'{len(reports)} reports, expected {len(expected)}'
    for (line, frames), (pattern, maker) in zip(reports, expected):
        if not re.fullmatch(pattern, line):
            return f'line is {line!r}; expected {pattern!r}'
        if (maker and maker not in frames) or (name == 'all_unrecorded' and maker and frames != [maker]):
            return f'below {line!r} are {frames}; expected {maker}'
    return None


def run_case(driver, name):
    environment = {key: value for key, value in os.environ.items() if key != 'FLAGSTONE_MACHINE'}
    try:
        done = subprocess.run([driver, name], env=environment, capture_output=True, text=True, errors='replace',
                              timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return 'hangs'
    wrong = wrong_in(name, done)
    return wrong and f'{wrong}\n{done.stderr}'


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
