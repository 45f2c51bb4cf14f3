# SPDX-License-Identifier: GPL-2.0
"""
Results as tables of a terminal.
"""

from . import environments, kinds, stats, targets
from .results import OWN

# What a figure is takes so much, beside those of other heaps and alone.
LABEL = 40
LONG_LABEL = 68

# Beside a target less is left.
TARGET_LABEL = 56
TARGET = 24

EXPLANATION = (
    "CPU time of all threads, the collector's too; latencies, shares of windows and what",
    "two threads or two markers do by the clock. Under goheap the median and its interval;",
    "over best: how many times the cheapest heap of the round, a lower bound of what the",
    "heap adds to the program; under a peer: how many times goheap's its own figure is",
    "(~ may as well be 1).",
    "",
)


def number(value):
    """Four digits, and no exponent."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, 4 - len(str(int(abs(value)))))}f}"


def span(estimate):
    """Its interval, in parentheses if that is not one of 95 %."""
    if estimate.rounds == 1:
        return "one run"
    text = f"{number(estimate.low)}..{number(estimate.high)}"
    return text if estimate.sure else f"({text})"


def factor(value):
    """A ratio."""
    if value >= 1000:
        return ">999"
    if value >= 100 or value == 0:
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def times(ratio):
    """The same; ~ if it may as well be 1."""
    if not ratio:
        return "-"
    doubt = "~" if ratio.low <= 1 <= ratio.high > ratio.low else ""
    return doubt + factor(ratio.median)


def shorten(label, width=LABEL):
    """What fits, and blanks."""
    return (label if len(label) < width else label[:width - 2] + "…").ljust(width)


def heading(results):
    """Where, when, what: lines of text."""
    doc = results.doc
    machine = doc["machine"]
    lines = [
        f"{environments.title(doc['environment'])}",
        f"{machine['cpu']}, {machine['cpus']} CPUs"
        f"{' (a virtual machine)' if machine['virtual'] else ''}, "
        f"{machine['memory_mib']} MiB, {machine['kernel']}"
        + (f", governor {machine['governor']}" if machine["governor"] else ""),
    ]
    if "guest" in machine:
        lines.append("guest: " + machine["guest"])
    lines.append(f"commit {doc['commit']}; " + "; ".join(
        f"{s['date']}, rounds: {s['rounds']}, load {s['load']}"
        for s in doc["sessions"]))
    if not stats.rank(results.rounds):
        lines.append("few rounds: intervals, in parentheses, are all that was seen")
    if results.crowded():
        lines.append("the machine had other work to do: figures are noisy")
    return lines


def comparison(results):
    """Figures that all heaps have."""
    names = results.shared()
    if not names:
        return
    yield from EXPLANATION
    yield (f"{'':{LABEL}}{OWN:>8} {'':17}{'over best':>9}"
           + "".join(f" {peer:>8}" for peer in results.peers))
    for name in names:
        mine = results.estimate(OWN, name)
        yield (f"{shorten(results.label(name))}"
               f"{number(mine.median):>8} {span(mine):17}"
               f"{times(results.overhead(name)):>9}"
               + "".join(f"{times(results.ratio(peer, name)):>9}"
                         for peer in results.peers))
    yield ""


def own(results):
    """Figures that only goheap has."""
    names = results.own()
    if not names:
        return
    yield f"{'':{LONG_LABEL}}{OWN:>8}"
    for name in names:
        mine = results.estimate(OWN, name)
        yield (f"{shorten(results.label(name), LONG_LABEL)}"
               f"{number(mine.median):>8} {span(mine)}")
    yield ""


def opinion(verdict):
    """In a word, and by what ratio."""
    if verdict.met is None:
        return "not measured"
    word = "met" if verdict.met else "missed"
    return f"{word}, {factor(verdict.ratio.median)} x" if verdict.ratio else word


def aims(results):
    """Figures that have targets, with each of those: (name, verdict)"""
    return [(name, verdict) for name in results.figures
            for verdict in targets.verdicts(results, name)]


def aimed_at(results):
    """What has a target, and whether it is met."""
    rows = aims(results)
    if not rows:
        return
    yield f"{'':{TARGET_LABEL}}{OWN:>8} {'target':>{TARGET}}"
    for name, verdict in rows:
        yield (f"{shorten(results.label(name), TARGET_LABEL)}"
               f"{number(results.estimate(OWN, name).median):>8} "
               f"{verdict.text:>{TARGET}}  {opinion(verdict)}")
    yield ""


def losses(results):
    """Where a peer is better, in words."""
    for name in results.shared():
        if kinds.repeats(name):
            continue
        better = results.worse_than(name)
        if better:
            yield (f"goheap loses: {results.figures[name]['what']}: " + ", ".join(
                f"{peer} {factor(ratio)}" for peer, ratio in better))


def missing(results):
    """Peers that could not be had."""
    for heap, reason in results.doc["missing"].items():
        yield f"missing: {heap}: {reason}"


# What a text has; where goheap loses can be read off its first table.
QUOTED = (comparison, own, aimed_at, missing)


def render(results, parts=(comparison, own, aimed_at, losses, missing)):
    """All tables of a document, or some."""
    lines = heading(results) + [""]
    for part in parts:
        lines += part(results)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
