#!/usr/bin/python3
"""Draws the JSON of bench/rcu.py: what a deferred free takes, how long grace periods are, and what memory a flood of frees takes.

Writes an SVG and a PNG. Needs matplotlib (Debian: python3-matplotlib). Knows the JSON's format, and nothing of how the
numbers were taken.
"""
import argparse
import os
import statistics
import sys
import textwrap

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from plot import load, pyplot, save  # noqa: E402

FORMAT = 'flagstone-rcu 1'
OWN, PEER, PLAIN = '#c8401c', '#0b5d8c', '#888888'
WAYS = {'kfree': ('kmalloc\nkfree', PLAIN), 'kfree_rcu': ('kmalloc\nkfree_rcu', OWN),
        'call_rcu': ('jemalloc,\ncall_rcu (liburcu)', PEER)}


def quartiles(values):
    return statistics.quantiles(values, n=4, method='inclusive') if len(values) > 1 else values * 3


def draw_bars(axes, samples, names, unit):
    """names: of samples, each with the way that it is of."""
    for at, (name, way) in enumerate(names):
        low, middle, high = quartiles(samples[name])
        axes.bar(at, middle, color=WAYS[way][1], width=0.6, yerr=[[middle - low], [high - middle]], ecolor='#222222', capsize=3)
        axes.annotate(f'{middle:.3g} {unit}', (at, high), (0, 3), textcoords='offset points', ha='center', fontsize=8)
    axes.set_xticks(range(len(names)), [WAYS[way][0] for _, way in names], fontsize=8)


def draw_frees(axes, samples):
    draw_bars(axes, samples, [(way, way) for way in WAYS if way in samples], 'ns')
    axes.set_ylabel('nanoseconds a replaced node, until all are free', fontsize=8)
    axes.set_title('One writer', fontsize=9, loc='left')


def draw_periods(axes, samples):
    for name, color, title in (('period', OWN, 'synchronize_rcu'), ('period-peer', PEER, "liburcu's own")):
        values = sorted(samples[name])
        axes.step(values, [(i + 1) / len(values) for i in range(len(values))], where='post', color=color, label=title)
    axes.set_xscale('log')
    axes.set_ylim(0, 1.03)
    axes.set_xlabel('microseconds, beside a reader that is always inside', fontsize=8)
    axes.set_ylabel('part of the grace periods', fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc='lower right')
    axes.set_title('Grace periods', fontsize=9, loc='left')


def draw_flood(axes, samples):
    draw_bars(axes, samples, [(f'flood-{way}-peak', way) for way in WAYS if f'flood-{way}-peak' in samples], 'MiB')
    axes.set_ylabel('MiB that the process had resident at most', fontsize=8)
    axes.set_title('A flood: two writers at full speed, two readers', fontsize=9, loc='left')


def draw(data):
    figure, panels = pyplot.subplots(1, 3, figsize=(13, 4.2))
    for axes, panel in zip(panels, (draw_frees, draw_periods, draw_flood)):
        panel(axes, data['samples'])
        axes.tick_params(labelsize=8)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    context = data['context']
    text = (f'{context["cpu"]}, {context["cpus"]} CPUs, Linux {context["kernel"].split("-")[0]}; medians and quartiles of '
            f'{context["rounds"]} interleaved rounds, {context["date"][:10]}')
    figure.text(0.012, 0.97, 'Deferred frees', fontsize=11, fontweight='bold', va='top')
    figure.text(0.012, 0.91, '\n'.join(textwrap.wrap(text, 190)), fontsize=7.5, color='#555555', va='top')
    figure.tight_layout(rect=(0, 0, 1, 0.89))
    return figure


def main():
    parser = argparse.ArgumentParser(description='Draws the JSON of bench/rcu.py.', allow_abbrev=False)
    parser.add_argument('json', help='written by rcu.py --json')
    parser.add_argument('output', help='name without suffix: .svg and .png are added')
    args = parser.parse_args()
    save(draw(load(args.json, 'rcu.py', FORMAT)), args.output)


if __name__ == '__main__':
    main()
