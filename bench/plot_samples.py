"""What the pictures of machine.py's and rcu.py's samples have in common: bars with quartiles, distributions, a row of panels, the command line.

For plot_machine.py and plot_rcu.py, which know what is drawn.
"""
import argparse
import statistics
import textwrap

from plot import COLOURS, load, pyplot, save

OWN, PEER = COLOURS['flagstone'], COLOURS['jemalloc']


def quartiles(values):
    return statistics.quantiles(values, n=4, method='inclusive') if len(values) > 1 else values * 3


def draw_bar(axes, at, values, color, label):
    """A median with its quartiles; label: what stands above it, of the median."""
    low, middle, high = quartiles(values)
    axes.bar(at, middle, color=color, width=0.6, yerr=[[middle - low], [high - middle]], ecolor='#222222', capsize=3)
    axes.annotate(label.format(middle), (at, high), (0, 3), textcoords='offset points', ha='center', fontsize=8)


def draw_parts(axes, values, color, label=None):
    """The part of the sorted values that is at most so large, on a log scale."""
    axes.step(values, [(i + 1) / len(values) for i in range(len(values))], where='post', color=color, label=label)
    axes.set_xscale('log')
    axes.set_ylim(0, 1.03)


def draw(data, title, panels):
    figure, all_axes = pyplot.subplots(1, len(panels), figsize=(13, 4.2))
    for axes, panel in zip(all_axes, panels):
        panel(axes, data['samples'])
        axes.tick_params(labelsize=8)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    context = data['context']
    text = (f'{context["cpu"]}, {context["cpus"]} CPUs, Linux {context["kernel"].split("-")[0]}; medians and quartiles of '
            f'{context["rounds"]} interleaved rounds, {context["date"][:10]}')
    figure.text(0.012, 0.97, title, fontsize=11, fontweight='bold', va='top')
    figure.text(0.012, 0.91, '\n'.join(textwrap.wrap(text, 190)), fontsize=7.5, color='#555555', va='top')
    figure.tight_layout(rect=(0, 0, 1, 0.89))
    return figure


def main(script, form, title, panels):
    """script: whose JSON it is; form: the format that it names."""
    parser = argparse.ArgumentParser(description=f'Draws the JSON of bench/{script}.', allow_abbrev=False)
    parser.add_argument('json', help=f'written by {script} --json')
    parser.add_argument('output', help='name without suffix: .svg and .png are added')
    args = parser.parse_args()
    save(draw(load(args.json, script, form), title, panels), args.output)
