# SPDX-License-Identifier: GPL-2.0
"""
Plots: files of data, and what gnuplot makes of them.

Bars of ratios for what heaps have in common, and curves of figures that belong
together: the percentiles of a latency, the windows of a minimum mutator
utilisation, the heap sizes of a workload.
"""

import os
import re
import subprocess
from typing import NamedTuple

from . import environments, kinds

FOLDER = os.path.dirname(os.path.abspath(__file__))

# Figures in one plot of bars, at most.
HANDFUL = 12

# What is in a plot of bars together.
TOPICS = [
    ("Small objects", r"(alloc|zeroed)/.+"),
    ("Trees", r"(tree|binarytrees)/[^/]+|gcbench"),
    ("Programs", r"cache|wordindex|ring/\d|larson|soak|startup"),
    ("Memory", r".+/rss|memory/.+|soak/peak"),
    *((f"Objects of N bytes {what} references, {threads}",
       rf"sizes/{kind}/\d+/{threads[0]}")
      for threads in ("1 thread", "2 threads")
      for kind, what in (("noscan", "without"), ("refs", "of"))),
    ("Collections", r"mark/[^/]+/\d"),
    *((f"{nr} processes with one heap; peers have one each", rf"share/{nr}/.+")
      for nr in (2, 4, 8)),
    ("Others", r".+"),
]

# A heap has the same colour everywhere. Others take what is left.
COLOURS = {"goheap": "#c8102e", "glibc": "#33628f", "mimalloc": "#4f9d55",
           "jemalloc": "#e08a2c", "tcmalloc": "#7a5ba6", "libgc": "#8c6d4f",
           "Go": "#00a3c7", "Go-old": "#8ccbd8", "private": "#777777"}
SPARE_COLOURS = ("#b5b500", "#d66ba0", "#222222")

# Kind of curve: what it shows, and what is along the axes
CURVES = {
    "latency": ("how long it takes", "so many take no longer",
                "time, {} (less is better)"),
    "mmu": ("share of the worst window that the program has for itself",
            "length of the window, ms", "share, {} (more is better)"),
    "heap": ("what a larger heap saves",
             "size of the heap, as a multiple of what is live",
             "CPU time, {} (less is better)"),
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


def colours(names):
    """Those of heaps, for words(), too."""
    spare = iter(SPARE_COLOURS * len(names))
    return words([COLOURS.get(name) or next(spare) for name in names])


def origin(results):
    """Where and when, on every plot: it may be looked at alone."""
    doc = results.doc
    return (f"{environments.title(doc['environment'])}; {doc['machine']['cpu']}, "
            f"{doc['machine']['cpus']} CPUs; " + ", ".join(dict.fromkeys(
                session["date"][:10] for session in doc["sessions"]))
            + f", rounds: {results.rounds}")


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


def by_topic(names):
    """(title, names) of each plot of bars"""
    left = list(names)
    for topic, pattern in TOPICS:
        some = [name for name in left if re.fullmatch(pattern, name)]
        left = [name for name in left if name not in some]
        nr = -(-len(some) // HANDFUL)
        for i in range(nr):
            yield topic, some[len(some) * i // nr:len(some) * (i + 1) // nr]


def bars(results):
    """The ratios, a handful of figures of a topic in each plot."""
    names = [name for name in results.shared()
             if kinds.kind(name, results.unit(name)) in ("time", "rate", "count")
             and not kinds.repeats(name)]
    for number, (topic, some) in enumerate(by_topic(names), 1):
        peers = [peer for peer in results.peers
                 if any(better(results, peer, name) for name in some)]
        lines = [row(name, [better(results, peer, name) for peer in peers])
                 for name in some]
        yield Plot(f"ratios-{number}", topic, "bars", "\n".join(lines) + "\n",
                   {"peers": words(peers), "colours": colours(peers),
                    "rows": len(some), "origin": origin(results)})


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
        title, xlabel, ylabel = CURVES[what]
        unit = results.unit(points[0][1])
        yield Plot(f"{what}-{base.replace('/', '-')}", f"{base}: {title}",
                   "curves", "\n\n".join(blocks.values()),
                   {"heaps": words(blocks), "colours": colours(blocks),
                    "kind": what, "xlabel": xlabel, "origin": origin(results),
                    "unit": unit, "ylabel": ylabel.format(unit or "of 1")})


def plots(results):
    """All of a document."""
    yield from bars(results)
    yield from curves(results)


def draw(plot, folder):
    """Make the SVG in a folder; its path."""
    stem = os.path.join(folder, plot.name)
    with open(stem + ".dat", "w", encoding="utf-8") as out:
        out.write(plot.data)
    settings = {**plot.variables, "title": plot.title, "data": stem + ".dat", "svg": stem + ".svg"}
    commands = [f"{name} = {value if isinstance(value, int) else quoted(value)}"
                for name, value in settings.items()]
    script = os.path.join(FOLDER, plot.script + ".gnuplot")
    subprocess.run(["gnuplot", "-e", "; ".join(commands), script], check=True)
    return stem + ".svg"
