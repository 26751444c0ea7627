#!/usr/bin/python3
"""Draws the JSON of bench/machine.py: pairs on one CPU, what 1 to 64 simulated CPUs do together, and how long a sleeper for
memory takes to run.

Writes an SVG and a PNG. Needs matplotlib (Debian: python3-matplotlib). Knows the JSON's format, and nothing of how the
numbers were taken.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from plot import NullLocator  # noqa: E402
from plot_samples import OWN, PEER, draw_bar, draw_parts, main, quartiles  # noqa: E402

GOAL = '#555555'
PAIRS = {'kmalloc': 'kmalloc\nkfree', 'jemalloc': 'malloc\nfree\n(jemalloc)', 'alloc_pages': 'alloc\nfree_pages',
         'get_cpu_var': 'get\nput_cpu_var', 'this_cpu_inc': 'this\ncpu_inc'}


def draw_pairs(axes, samples):
    names = [name for name in PAIRS if name in samples]
    for at, name in enumerate(names):
        draw_bar(axes, at, samples[name], PEER if name == 'jemalloc' else OWN, '{:.2g} ns')
    axes.set_xticks(range(len(names)), [PAIRS[name] for name in names], fontsize=7.5)
    axes.set_ylabel('nanoseconds', fontsize=8)
    axes.set_title('On one simulated CPU', fontsize=9, loc='left')


def draw_cpus(axes, samples):
    counts = sorted(int(name.split()[1]) for name in samples if name.startswith('cpus '))
    parts = [[1000 / ns for ns in quartiles(samples[f'cpus {count}'])] for count in counts]
    middle = [part[1] for part in parts]
    axes.fill_between(counts, [part[2] for part in parts], [part[0] for part in parts], color=OWN, alpha=0.2, lw=0)
    axes.plot(counts, middle, color=OWN, marker='o', ms=4)
    axes.axhline(0.85 * max(middle), color=GOAL, lw=0.8, ls='--')
    axes.annotate('0.85 of the best', (counts[0], 0.85 * max(middle)), (0, 3), textcoords='offset points', fontsize=7.5,
                  color=GOAL)
    axes.set_xscale('log', base=2)
    axes.set_xticks(counts, [str(count) for count in counts], fontsize=8)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0)
    axes.set_xlabel('simulated CPUs', fontsize=8)
    axes.set_ylabel('million kmalloc and kfree pairs a second, all CPUs', fontsize=8)
    axes.set_title('Together', fontsize=9, loc='left')


def draw_wake(axes, samples):
    values = sorted(samples['wake'])
    draw_parts(axes, values, OWN)
    for part in (0.5, 0.99):
        value = values[min(len(values) - 1, int(len(values) * part))]
        axes.plot([value], [part], 'o', color=OWN, ms=4)
        axes.annotate(f'p{part * 100:.0f} {value:.0f} µs', (value, part), (6, -10), textcoords='offset points', fontsize=8)
    axes.set_xlabel('microseconds from free memory to running', fontsize=8)
    axes.set_ylabel('part of the wake-ups', fontsize=8)
    axes.set_title('A GFP_KERNEL sleeper', fontsize=9, loc='left')


if __name__ == '__main__':
    main('machine.py', 'flagstone-machine 1', 'The simulated machine', (draw_pairs, draw_cpus, draw_wake))
