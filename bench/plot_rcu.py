#!/usr/bin/python3
"""Draws the JSON of bench/rcu.py: what a deferred free takes, how long grace periods are, and what memory a flood of frees takes.

Writes an SVG and a PNG. Needs matplotlib (Debian: python3-matplotlib). Knows the JSON's format, and nothing of how the
numbers were taken.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from plot_samples import OWN, PEER, draw_bar, draw_parts, main  # noqa: E402

PLAIN = '#888888'
WAYS = {'kfree': ('kmalloc\nkfree', PLAIN), 'kfree_rcu': ('kmalloc\nkfree_rcu', OWN),
        'call_rcu': ('jemalloc,\ncall_rcu (liburcu)', PEER)}


def draw_bars(axes, samples, names, unit):
    """names: of samples, each with the way that it is of."""
    for at, (name, way) in enumerate(names):
        draw_bar(axes, at, samples[name], WAYS[way][1], f'{{:.3g}} {unit}')
    axes.set_xticks(range(len(names)), [WAYS[way][0] for _, way in names], fontsize=8)


def draw_frees(axes, samples):
    draw_bars(axes, samples, [(way, way) for way in WAYS if way in samples], 'ns')
    axes.set_ylabel('nanoseconds a replaced node, until all are free', fontsize=8)
    axes.set_title('One writer', fontsize=9, loc='left')


def draw_periods(axes, samples):
    for name, color, title in (('period', OWN, 'synchronize_rcu'), ('period-peer', PEER, "liburcu's own")):
        draw_parts(axes, sorted(samples[name]), color, title)
    axes.set_xlabel('microseconds, beside a reader that is always inside', fontsize=8)
    axes.set_ylabel('part of the grace periods', fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc='lower right')
    axes.set_title('Grace periods', fontsize=9, loc='left')


def draw_flood(axes, samples):
    draw_bars(axes, samples, [(f'flood-{way}-peak', way) for way in WAYS if f'flood-{way}-peak' in samples], 'MiB')
    axes.set_ylabel('MiB that the process had resident at most', fontsize=8)
    axes.set_title('A flood: two writers at full speed, two readers', fontsize=9, loc='left')


if __name__ == '__main__':
    main('rcu.py', 'flagstone-rcu 1', 'Deferred frees', (draw_frees, draw_periods, draw_flood))
