# SPDX-License-Identifier: GPL-2.0
"""
Plots: files of data, and what gnuplot makes of them.

Bars of ratios for what heaps have in common, and curves of figures that belong
together: the percentiles of a latency, the windows of a minimum mutator
utilisation, the heap sizes of a workload.
"""

import os
import subprocess
from typing import NamedTuple

from . import kinds

FOLDER = os.path.dirname(os.path.abspath(__file__))

# Figures in one plot of bars.
HANDFUL = 12

# Kind of curve: what it shows, and what is along the x axis
CURVES = {
    "latency": ("how long it takes", "so many take no longer"),
    "mmu": ("share of the worst window that the program has for itself",
            "length of the window, ms"),
    "heap": ("what a larger heap saves",
             "size of the heap, as a multiple of what is live"),
}


class Plot(NamedTuple):
    """What gnuplot is told."""

    name: str
    title: str
    script: str
    data: str
    variables: dict


def quoted(text):
    """A string of gnuplot's that it does not look into."""
    return "'" + str(text).replace("'", "''") + "'"


def words(names):
    """Several names in a string, for its words()."""
    return " ".join(f'"{name}"' for name in names)


def row(label, estimates):
    """A line of data; - for what is not there."""
    cells = [label]
    for e in estimates:
        cells += ["-"] * 3 if e is None else [f"{v:g}" for v in e[:3]]
    return "\t".join(str(c) for c in cells)


def better(results, peer, name):
    """By what factor goheap is better than a peer, or None."""
    ratio = results.ratio(peer, name)
    if not ratio or ratio.low <= 0:
        return None
    return (ratio.inverted()
            if kinds.more_is_better(name, results.unit(name)) else ratio)


def bars(results):
    """The ratios, a handful of figures in each plot."""
    names = [name for name in results.shared()
             if kinds.kind(name, results.unit(name)) in ("time", "rate", "count")]
    for first in range(0, len(names), HANDFUL):
        some = names[first:first + HANDFUL]
        peers = [peer for peer in results.peers
                 if any(better(results, peer, name) for name in some)]
        lines = [row(name, [better(results, peer, name) for peer in peers])
                 for name in some]
        yield Plot(f"ratios-{first // HANDFUL + 1}",
                   "Ratios: above 1 goheap is better", "bars",
                   "\n".join(lines) + "\n",
                   {"peers": words(peers), "rows": len(some)})


def groups(results):
    """(kind, base) -> (x, name) of its points, in the order of x"""
    found = {}
    for name in results.figures:
        what = kinds.kind(name, results.unit(name))
        if what in CURVES:
            base, x = kinds.point(name)
            found.setdefault((what, base), []).append((x, name))
    return {key: sorted(points) for key, points in found.items()}


def curve(results, heap, what, points):
    """Lines of data; what took no time has no place on a logarithmic axis."""
    for x, name in points:
        estimate = results.estimate(heap, name)
        if estimate and (what != "latency" or estimate.low > 0):
            yield row(f"{x:g}", [estimate])


def curves(results):
    """A plot for each group of which a heap has more than one point."""
    for (what, base), points in groups(results).items():
        blocks = {}
        for heap in results.heaps:
            lines = list(curve(results, heap, what, points))
            if len(lines) > 1:
                blocks[heap] = "\n".join(lines) + "\n"
        if not blocks:
            continue
        title, xlabel = CURVES[what]
        yield Plot(f"{what}-{base.replace('/', '-')}", f"{base}: {title}",
                   "curves", "\n\n".join(blocks.values()),
                   {"heaps": words(blocks), "kind": what, "xlabel": xlabel,
                    "ylabel": results.unit(points[0][1]) or "share"})


def plots(results):
    """All of a document."""
    yield from bars(results)
    yield from curves(results)


def draw(plot, folder):
    """Make the SVG in a folder; its path."""
    stem = os.path.join(folder, plot.name)
    with open(stem + ".dat", "w", encoding="utf-8") as out:
        out.write(plot.data)
    settings = {**plot.variables, "data": stem + ".dat", "svg": stem + ".svg"}
    commands = [f"{name} = {value if isinstance(value, int) else quoted(value)}"
                for name, value in settings.items()]
    script = os.path.join(FOLDER, plot.script + ".gnuplot")
    subprocess.run(["gnuplot", "-e", "; ".join(commands), script], check=True)
    return stem + ".svg"
