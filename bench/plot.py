#!/usr/bin/python3
"""Draws the JSON of flagstone-bench, or of bench/programs/run, as grouped bars: each allocator's value over the best
peer's, log scale.

Writes an SVG and a PNG. Needs matplotlib (Debian: python3-matplotlib). Knows the JSON's format, and nothing of how
the numbers were taken.
"""
import argparse
import json
import math
import os
import statistics
import sys
import textwrap

try:
    import matplotlib
    matplotlib.use('Agg')
    matplotlib.rcParams['svg.hashsalt'] = 'flagstone'
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
except ImportError:
    sys.exit('plot.py: matplotlib is missing: apt install python3-matplotlib')

FORMAT = 'flagstone-bench 1'
PROGRAMS_FORMAT = 'flagstone-programs 1'
MEASURES = {'wall': 'Time', 'peak': 'Peak memory', 'rest': 'Resident at rest'}
# Distinguishable for the colour-blind, and flagstone the only strong colour.
COLOURS = {'flagstone': '#c8401c', 'jemalloc': '#0b5d8c', 'mimalloc': '#56a3c7', 'tcmalloc': '#7a9a4a',
           'glibc': '#a9a9a9'}
FARTHEST = 32  # bars longer than this are cut, and say so
SLIVER = 0.03
BAR = 0.8      # of a group's height is bars


def fail(message):
    print(f'{os.path.basename(sys.argv[0])}: {message}', file=sys.stderr)
    sys.exit(2)


def load(path, writer, *formats):
    try:
        with open(path, encoding='utf-8') as file:
            data = json.load(file)
    except OSError as error:
        fail(f'{path}: {error.strerror}')
    except ValueError as error:
        fail(f'{path}: not JSON: {error}')
    if not isinstance(data, dict) or data.get('format') not in formats:
        wanted = ' or '.join(f'"{name}"' for name in formats)
        fail(f'{path}: not written by {writer} --json (format is not {wanted})')
    return data


def save(figure, output):
    """As OUTPUT.svg, which is the same for the same figure, and OUTPUT.png; prints their names."""
    for suffix in ('svg', 'png'):
        path = f'{output}.{suffix}'
        try:
            figure.savefig(path, dpi=150, metadata={'Date': None} if suffix == 'svg' else None)
        except OSError as error:
            fail(f'{path}: {error.strerror}')
        print(path)


def medians(benchmark):
    return {result['allocator']: result['median'] for result in benchmark['results']}


def best_peer(benchmark, peers):
    times = [time for name, time in medians(benchmark).items() if name in peers]
    return min(times) if times else None


def time_text(ns):
    for unit, scale in (('s', 1e9), ('ms', 1e6), ('µs', 1e3)):
        if ns >= scale:
            return f'{ns / scale:.3g} {unit}'
    return f'{ns:.3g} ns'


def seconds_text(seconds):
    return time_text(seconds * 1e9)


def memory_text(kib):
    return f'{kib / 1024:.3g} MiB'


def ratio_text(ratio):
    return f'{ratio:.0f}×' if ratio >= 20 else f'{ratio:.1f}×' if ratio >= 10 else f'{ratio:.2f}×'


def tick_text(value, _=None):
    """The ticks are powers of two."""
    return f'{value:.0f}×' if value >= 1 else f'1/{1 / value:.0f}×'


def draw_group(axes, y, benchmark, names, best):
    """One benchmark: a bar an allocator, from 1 to its ratio; flagstone's is labelled."""
    height = BAR / len(names)
    times = medians(benchmark)
    for i, name in enumerate(names):
        if name not in times:
            continue
        ratio = times[name] / best
        shown = min(ratio, FARTHEST)
        at = y - BAR / 2 + (i + 0.5) * height
        colour = COLOURS.get(name, '#444444')
        # The best peer's bar has no length of its own: a sliver shows that it is there.
        length = shown - 1 if abs(shown - 1) > SLIVER else math.copysign(SLIVER, shown - 1)
        axes.barh(at, length, left=1, height=height * 0.92, color=colour, zorder=2)
        if ratio > FARTHEST or name == 'flagstone':
            left = ratio < 1
            axes.annotate(ratio_text(ratio), (shown, at), (-4 if left else 4, 0),
                          textcoords='offset points', ha='right' if left else 'left', va='center', fontsize=7,
                          color=colour, fontweight='bold' if name == 'flagstone' else 'normal')


def draw_panel(axes, benchmarks, names, peers, limits):
    axes.set_xscale('log')
    axes.set_xlim(*limits)
    axes.axvline(1, color='#222222', lw=1, zorder=4)
    for y, benchmark in enumerate(benchmarks):
        if y % 2 == 0:
            axes.axhspan(y - 0.5, y + 0.5, color='#f4f4f2', zorder=0, lw=0)
        draw_group(axes, y, benchmark, names, best_peer(benchmark, peers))
    labels = [f'{b["name"]}\n{b.get("unit", time_text)(best_peer(b, peers))}' for b in benchmarks]
    axes.set_yticks(range(len(benchmarks)), labels, fontsize=8)
    axes.set_ylim(len(benchmarks) - 0.5, -0.5)
    ticks = [2.0 ** i for i in range(-6, 6) if limits[0] <= 2.0 ** i <= limits[1]]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(tick_text))
    axes.tick_params(axis='x', labelsize=8, labeltop=True, top=False, length=0)
    axes.tick_params(axis='y', length=0)
    axes.grid(axis='x', color='#d8d8d4', lw=0.6, zorder=1)
    for side in ('top', 'right', 'left', 'bottom'):
        axes.spines[side].set_visible(False)


def limits_of(benchmarks, names, peers):
    ratios = [time / best_peer(b, peers) for b in benchmarks for name, time in medians(b).items() if name in names]
    low, high = min(ratios + [1]), min(max(ratios + [2]), FARTHEST)
    return 2 ** math.floor(math.log2(low * 0.8)), high * 1.9


def subtitle(data):
    context = data['context']
    missing = [a['name'] for a in data['allocators'] if not a['loaded']]
    kernel, date = context['kernel'].split('-')[0], context['date'][:10]
    text = (f'{context["cpu"]}, {context["cpus"]} CPUs, Linux {kernel}, glibc {context["glibc"]}; medians of '
            f'{context["rounds"]} interleaved rounds, {date}; under each name, the best peer\'s value')
    if context.get('others', 0) > 0.05:
        text += f'; DISTURBED: {context["others"]:.0%} of the CPUs went to other programs'
    return text + (f'; missing: {", ".join(missing)}' if missing else '')


def measure_rows(data, measure):
    """One measure of the programs, in the form of the benchmarks of flagstone-bench."""
    rows = []
    for program in data['programs']:
        results = [{'allocator': result['allocator'], 'median': statistics.median(result[measure])}
                   for result in program['results'] if measure in result]
        rows.append({'name': program['name'], 'results': results,
                     'unit': seconds_text if measure == 'wall' else memory_text})
    return rows


def panels_of(data, peers):
    """[(title, benchmarks)], from left to right."""
    if data['format'] == PROGRAMS_FORMAT:
        panels = [(title, measure_rows(data, measure)) for measure, title in MEASURES.items()]
        panels = [(title, [b for b in rows if best_peer(b, peers)]) for title, rows in panels]
        return [panel for panel in panels if panel[1]]
    benchmarks = [b for b in data['benchmarks'] if best_peer(b, peers)]
    rows = len(benchmarks) if len(benchmarks) <= 8 else math.ceil(len(benchmarks) / 2)
    return [('', benchmarks[i:i + rows]) for i in range(0, len(benchmarks), max(rows, 1))]


def draw_head(figure, data, names, columns):
    """Title, subtitle and legend. Returns their height in inches."""
    inches = figure.get_figheight()
    lines = textwrap.wrap(subtitle(data), 105 * columns)
    below = 0.36 + 0.14 * len(lines)
    title = 'Time over the best peer\'s (left of 1×: faster than every peer)'
    if data['format'] == PROGRAMS_FORMAT:
        title = 'Whole programs: time and memory over the best peer\'s (left of 1×: less than every peer)'
    figure.text(0.012, 1 - 0.12 / inches, title, fontsize=11, fontweight='bold', va='top')
    figure.text(0.012, 1 - 0.36 / inches, '\n'.join(lines), fontsize=7.5, color='#555555', va='top')
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=COLOURS.get(name, '#444444')) for name in names]
    figure.legend(handles, names, loc='upper left', bbox_to_anchor=(0.004, 1 - below / inches), ncol=len(names),
                  fontsize=8, frameon=False, handlelength=1, handleheight=1, columnspacing=1.4)
    return below + 0.25


def draw(data):
    loaded = [a for a in data['allocators'] if a['loaded'] and a['name'] != 'none']
    names, peers = [a['name'] for a in loaded], {a['name'] for a in loaded if a['peer']}
    panels = panels_of(data, peers)
    if not panels:
        fail('no peer was measured, so there is nothing to compare with')
    columns, rows = len(panels), max(len(benchmarks) for _, benchmarks in panels)
    figure, grid = pyplot.subplots(1, columns, figsize=(5.6 * columns, 1.5 + rows * (0.22 + 0.1 * len(names))),
                                   squeeze=False)
    for axes, (title, benchmarks) in zip(grid[0], panels):
        # Panels of one measure can be compared if they have one scale; others have their own.
        compared = benchmarks if title else [b for _, part in panels for b in part]
        draw_panel(axes, benchmarks, names, peers, limits_of(compared, names, peers))
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_title(title, fontsize=9, loc='left')
    head = draw_head(figure, data, names, columns)
    figure.tight_layout(rect=(0, 0, 1, 1 - head / figure.get_figheight()))
    return figure


def main():
    parser = argparse.ArgumentParser(description='Draws the JSON of flagstone-bench or of bench/programs/run.',
                                     allow_abbrev=False)
    parser.add_argument('json', help='written by flagstone-bench --json or bench/programs/run --json')
    parser.add_argument('output', help='name without suffix: .svg and .png are added')
    args = parser.parse_args()
    save(draw(load(args.json, 'flagstone-bench', FORMAT, PROGRAMS_FORMAT)), args.output)


if __name__ == '__main__':
    main()
