# SPDX-License-Identifier: GPL-2.0
"""
What has changed between two results of one environment, beyond noise.

A figure has changed if the intervals of both medians do not overlap, the medians
are more than 5 % apart, and by more than the place of a loop in memory makes of
it. Fewer than six rounds on a side have no interval of 95 %. All of their range must
not overlap then, and the verdict is "perhaps": of figures that have not changed, one
in ten looks like that with three rounds on both sides.

A machine is not equally fast at all times, least of all one that others use too.
The peers have not changed: what all of them take more in a round is the machine's.
So a time is taken as a multiple of theirs in the same round: of the geometric mean
over all peers that both results have in the same version, of the same figure if
any has it, else of all of their figures. That is what makes results of different
machines comparable at all; where there are no peers, times of different machines
are not compared.
"""

import textwrap
from typing import NamedTuple

from . import kinds, stats, table
from .results import OWN, SAME_MACHINE, Refused

THRESHOLD = 0.05

# Less than that is nobody's doing.
RESOLUTION = {"ns": 0.1}

REGRESSED = "REGRESSED"
IMPROVED = "improved"
PERHAPS = "perhaps"
SAME = "same"


class Change(NamedTuple):
    """Of one figure."""

    name: str
    label: str
    base: stats.Estimate
    new: stats.Estimate
    verdict: str

    @property
    def percent(self):
        """By how much."""
        return 100 * (self.new.median / self.base.median - 1) \
            if self.base.median else float("inf")


def common_peers(base, new):
    """Heaps that did not change from one result to the other.

    One without a version is goheap itself in another way.
    """
    versions = base.doc["versions"], new.doc["versions"]
    return [peer for peer in base.peers
            if peer in new.peers and versions[0].get(peer) and
            versions[0][peer] == versions[1].get(peer)]


def slowness(results, measures, clock):
    """How long these figures of peers took: one value per round that has all."""
    columns = []
    for peer, figure in measures:
        rate = kinds.kind(figure, results.unit(figure)) == "rate"
        columns.append([1 / v if v and rate else v
                        for v in results.samples(peer, figure, clock)])
    return [None if None in values else stats.geometric_mean(values)
            for values in zip(*columns)]


class Comparison:
    """Of two results."""

    def __init__(self, base, new):
        if base.doc["environment"] != new.doc["environment"]:
            raise Refused("results of different environments: "
                          f"{base.doc['environment']} and "
                          f"{new.doc['environment']}")
        self.base, self.new = base, new
        self.same_machine = all(base.doc[m] == new.doc[m] for m in SAME_MACHINE)
        self.peers = common_peers(base, new)
        self.changes = []
        self.left_out = []
        for name in base.figures:
            if base.samples(OWN, name):
                self.look(name)
        self.left_out += [(name, "not in the base") for name in new.figures
                          if new.samples(OWN, name) and
                          not base.samples(OWN, name)]

    def measures(self, name):
        """The peers' figures by which a figure is measured: (peer, figure)"""
        def of(figure):
            if (figure not in self.new.figures or
                    kinds.kind(figure, self.base.unit(figure))
                    not in ("time", "rate", "heap")):
                return []
            return [(peer, figure) for peer in self.peers
                    if self.base.samples(peer, figure) and
                    self.new.samples(peer, figure)]

        if not kinds.machine_counts(name, self.base.unit(name)):
            return []
        return of(name) or [pair for figure in self.base.shared()
                            for pair in of(figure)]

    def look(self, name):
        """Compare one figure, or say why not."""
        if not self.new.samples(OWN, name):
            self.left_out.append((name, "not measured now"))
            return
        unit = self.base.unit(name)
        if self.new.unit(name) != unit:
            self.left_out.append((name, "in another unit now"))
            return
        measures = self.measures(name)
        if (not measures and not self.same_machine and
                kinds.machine_counts(name, unit)):
            self.left_out.append((name, "another machine, and no peers"))
            return
        base, new = (self.measured(results, name, measures)
                     for results in (self.base, self.new))
        if not base or not new or min(base.rounds, new.rounds) < 2:
            self.left_out.append((name, "one run only"))
            return
        if measures:
            # In the unit of the figure again, as on the machine of the base.
            scale = self.base.estimate(OWN, name).median / base.median \
                if base.median else 1
            base, new = base.scaled(scale), new.scaled(scale)
        self.changes.append(Change(name, self.base.label(name), base, new,
                                   self.verdict(name, base, new)))

    def measured(self, results, name, measures):
        """A figure as a multiple of its measures, or as it is without them."""
        unit = results.unit(name)
        samples = results.samples(OWN, name)
        if measures:
            slow = slowness(results, measures, kinds.clock(name, unit))
            if kinds.kind(name, unit) == "rate":
                slow = [1 / v if v else None for v in slow]
            samples = stats.quotients(samples, slow)
        return stats.estimate(samples)

    def verdict(self, name, base, new):
        """What to call it."""
        unit = self.base.unit(name)
        apart = abs(new.median - base.median)
        overlap = new.low <= base.high and base.low <= new.high
        if (overlap or apart <= THRESHOLD * abs(base.median) or
                apart <= RESOLUTION.get(unit, 0)):
            return SAME
        if not (base.sure and new.sure):
            return PERHAPS
        up = new.median > base.median
        return IMPROVED if up == kinds.more_is_better(name, unit) else REGRESSED

    def having(self, verdict):
        """Changes with that verdict."""
        return [c for c in self.changes if c.verdict == verdict]

    def render(self):
        """Lines for a terminal."""
        for which, results in (("base", self.base), ("now", self.new)):
            yield f"{which + ':':6}" + "\n      ".join(table.heading(results))
        if not self.same_machine:
            yield "the machines differ"
        yield ("times are multiples of what these took in the same round, in units "
               "of the base: " + ", ".join(self.peers) if self.peers else
               "no peers in common: times are compared as they are")
        yield ""
        moved = [c for verdict in (REGRESSED, IMPROVED, PERHAPS)
                 for c in self.having(verdict)]
        if moved:
            yield (f"{'':{table.LABEL}}{'base':>8} {'':17}{'now':>8} {'':17}"
                   f"{'change':>9}")
        for c in moved:
            yield (f"{table.shorten(c.label)}"
                   f"{table.number(c.base.median):>8} {table.span(c.base):17}"
                   f"{table.number(c.new.median):>8} {table.span(c.new):17}"
                   f"{c.percent:>+8.1f}%  {c.verdict}")
        for reason in dict.fromkeys(reason for _, reason in self.left_out):
            yield from textwrap.wrap(
                f"not compared, {reason}: " + ", ".join(
                    name for name, why in self.left_out if why == reason),
                90, subsequent_indent="  ", break_long_words=False,
                break_on_hyphens=False)
        for peer in self.base.peers:
            if peer not in self.new.peers:
                yield f"missing now: {peer}"
        yield (f"{len(self.changes)} figures compared: "
               f"{len(self.having(REGRESSED))} regressed, "
               f"{len(self.having(IMPROVED))} improved, "
               f"{len(self.having(PERHAPS))} perhaps changed, "
               f"{len(self.having(SAME))} the same within noise")
