# SPDX-License-Identifier: GPL-2.0
"""
One page of HTML for all results, with everything in it.
"""

import os
import re
from html import escape

from . import environments, kinds, plots, stats, table
from .results import OWN

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0; font-size: 14px }
th, td { padding: .2em .6em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, .facts td { text-align: left }
thead th { position: sticky; top: 0; background: #fff }
small { color: #666; display: block }
.text td, .text th { text-align: left; vertical-align: top }
.lost { background: #fbe3e0 } .won { background: #e3f3e3 }
svg { max-width: 100%; height: auto }
"""

INTRODUCTION = """
<p>goheap gives programs a garbage-collected heap inside the Linux kernel. This page
says what that costs, in each environment by itself: their figures are not to be
compared with each other. CPU time is that of all threads, with what the collector
takes wherever it runs; latencies, shares of windows and what two threads or two markers
do are by the clock, for who waits takes no CPU time. Heaps take turns, and a ratio is of two runs of the same round.
Small figures are intervals: with a confidence of 95 % the median is in it (from six
rounds on; of fewer, in parentheses, it is all that was seen). Ratios are a peer's
figure divided by goheap's: <span class="lost">red</span> where the peer is better,
<span class="won">green</span> where goheap is, without colour where that cannot be
told. "Over best" is goheap's figure divided by that of the cheapest heap of the round:
a lower bound of what it adds to the program (~ may as well be 1).</p>
"""


BARS = """
<p>In the drawings bars that go up are workloads in which goheap is better than that
heap, bars that go down those in which it is worse; 2 and 0.5 are as far from 1. A thin
line is the interval. A heap without a bar is as good as goheap, or has no such figure.
What the names mean is in Documentation/benchmarks.rst, and in words on the table
below.</p>
"""


def cells(values, tag="td"):
    """A row of a table."""
    return "<tr>" + "".join(
        v if v.startswith("<t") else f"<{tag}>{v}</{tag}>" for v in values) + "</tr>"


def rows(head, body):
    """A table, whose head stays in sight."""
    return "\n".join(["<table>", f"<thead>{cells(head, 'th')}</thead>",
                      *(cells(row) for row in body), "</table>"])


def figure(estimate):
    """A median and its interval."""
    return (f"{table.number(estimate.median)}"
            f"<small>{table.span(estimate)}</small>") if estimate else "-"


def ratio(results, peer, name, clock):
    """A ratio, and who is better."""
    r = results.ratio(peer, name, clock)
    if not r:
        return "-"
    colour = ""
    if not r.low <= 1 <= r.high:
        up = kinds.more_is_better(name, results.unit(name))
        colour = "lost" if (r.median > 1) == up else "won"
    return (f'<td class="{colour}">{table.factor(r.median)}'
            f"<small>{table.span(r)}</small></td>")


def machine(results):
    """Where and when, in words of people."""
    doc = results.doc
    machine_ = doc["machine"]
    body = [("processor", machine_["cpu"]), ("CPUs", machine_["cpus"]),
            ("memory", f"{machine_['memory_mib']} MiB"),
            ("kernel", machine_["kernel"]),
            ("a virtual machine", "yes" if machine_["virtual"] else "no"),
            ("frequency governor", machine_["governor"] or "unknown")]
    if "guest" in machine_:
        body.append(("guest in it", machine_["guest"]))
    body += [(f"version of {name}", value)
             for name, value in doc["versions"].items()]
    body.append(("commit", doc["commit"] or "unknown"))
    body += [("measured", f"{s['date']}, rounds: {s['rounds']}, load average at the "
              f"start {s['load']}") for s in doc["sessions"]]
    return '<table class="facts">' + "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
        for name, value in body) + "</table>"


def comparison(results, clock):
    """Figures that all heaps have, by the clock of each if @clock is None."""
    return rows(["", OWN, "over best", *map(escape, results.peers)], [
        [escape(results.label(name)),
         figure(results.estimate(OWN, name, clock)),
         table.times(results.overhead(name, clock)),
         *(ratio(results, peer, name, clock) for peer in results.peers)]
        for name in results.shared()])


def own(results):
    """Figures that only goheap has."""
    return rows(["", OWN], [[escape(results.label(name)),
                             figure(results.estimate(OWN, name))]
                            for name in results.own()])


def targets(results):
    """What was aimed at."""
    colours = {True: "won", False: "lost", None: ""}
    body = [[escape(results.label(name)),
             table.number(results.estimate(OWN, name).median),
             escape(verdict.text),
             f'<td class="{colours[verdict.met]}">{table.opinion(verdict)}</td>']
            for name, verdict in table.aims(results)]
    return rows(["", OWN, "target", ""], body) if body else "<p>None.</p>"


def items(lines, otherwise):
    """A list of sentences."""
    lines = list(lines)
    if not lines:
        return f"<p>{otherwise}</p>"
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def drawings(results, folder):
    """All plots, inside the page."""
    for plot in plots.plots(results):
        with open(plots.draw(plot, folder), encoding="utf-8") as svg:
            text = re.sub(r"^.*?(?=<svg)", "", svg.read(), flags=re.S)
        yield f"<h3>{escape(plot.title)}</h3>\n{text}"


def contents(documents):
    """What is below, and what each environment can say and cannot."""
    body = []
    for results in documents:
        name = results.doc["environment"]
        environment = environments.ENVIRONMENTS[name]
        body.append([f'<a href="#{name}">{escape(environment.title)}</a>',
                     escape(environment.says), escape(environment.cannot)])
    return '<div class="text">' + rows(
        ["where it was measured", "what that can say", "what it cannot say"],
        body) + "</div>"


def caveats(results):
    """What makes a result less sure, in sentences."""
    if not stats.rank(results.rounds):
        yield ("There are few rounds: no interval of 95 %, and of one run none at "
               "all. Colours show what was seen, not what is sure.")
    if results.crowded():
        yield "The machine had other work to do: figures are noisy."


def section(results, folder):
    """One environment."""
    name = results.doc["environment"]
    environment = environments.ENVIRONMENTS[name]
    yield f'<h2 id="{name}">{escape(environment.title)}</h2>'
    yield f"<p><b>What it can say.</b> {escape(environment.says)}</p>"
    yield f"<p><b>What it cannot.</b> {escape(environment.cannot)}</p>"
    yield from (f"<p><b>{escape(text)}</b></p>" for text in caveats(results))
    yield machine(results)
    if results.shared():
        yield BARS
    yield from drawings(results, folder)
    if results.shared():
        yield "<h3>CPU time (by the clock where threads wait), and other heaps</h3>"
        yield comparison(results, None)
        yield "<h3>Where goheap loses</h3>"
        yield items((line.partition(": ")[2] for line in table.losses(results)),
                    "Nowhere.")
        yield "<h3>Time on the clock, and other heaps</h3>"
        yield comparison(results, "wall")
    if results.own():
        yield "<h3>What only goheap has</h3>"
        yield own(results)
    yield "<h3>Targets</h3>"
    yield targets(results)
    yield "<h3>Peers that are missing</h3>"
    yield items((f"{heap}: {reason}"
                 for heap, reason in results.doc["missing"].items()), "None.")


def write(folder, documents):
    """The page of these documents, as index.html; its path."""
    os.makedirs(folder, exist_ok=True)
    parts = []
    for results in documents:
        drawn = os.path.join(folder, results.doc["environment"])
        os.makedirs(drawn, exist_ok=True)
        parts += section(results, drawn)
    path = os.path.join(folder, "index.html")
    with open(path, "w", encoding="utf-8") as out:
        out.write("<!DOCTYPE html>\n<html lang=\"en\">\n<head>"
                  "<meta charset=\"utf-8\"><title>goheap: benchmarks</title>\n"
                  f"<style>{STYLE}</style></head>\n<body>\n"
                  f"<h1>What goheap costs</h1>{INTRODUCTION}\n"
                  f"{contents(documents)}\n"
                  + "\n".join(parts) + "\n</body></html>\n")
    return path
