# SPDX-License-Identifier: GPL-2.0
"""
What was aimed at, and whether it is met.

A figure's target is a number, or a sentence, or a list of those:

  15                      not more than that; of what is better if there is more of
                          it, not less
  < 1                     less than that, which is not the same for what is counted
  >= 2 x Go               so many times what that heap has in the same round
  >= 1.8 x mark/tree/1    so many times another figure of goheap's

Medians count, those of the ratios round by round.
"""

import operator
import re
from typing import NamedTuple, Optional

from . import kinds, stats
from .results import OWN

SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SENTENCE = re.compile(
    r"(?P<sign>[<>]=?) (?P<bound>\d+(\.\d+)?)(?: x (?P<other>\S+))?")


class Verdict(NamedTuple):
    """On one target; @met is None if what it is measured by was not measured."""

    text: str
    ratio: Optional[stats.Estimate]
    met: Optional[bool]


def sentences(results, name):
    """All targets of a figure as sentences."""
    target = results.figures[name]["target"]
    if target is None:
        return
    up = kinds.more_is_better(name, results.unit(name))
    for one in target if isinstance(target, list) else [target]:
        yield one if isinstance(one, str) else f"{'>=' if up else '<='} {one}"


def ratio_to(results, name, other):
    """A figure of goheap's by the same of another heap or by another figure."""
    base = (results.samples(OWN, other) if other in results.figures
            else results.samples(other, name))
    return stats.estimate(stats.quotients(results.samples(OWN, name), base))


def verdicts(results, name):
    """On all targets of a figure; none if it was not measured."""
    mine = results.estimate(OWN, name)
    for text in sentences(results, name) if mine else ():
        said = SENTENCE.fullmatch(text)
        if not said:
            raise ValueError(f"{name}: no target: {text}")
        ratio = said["other"] and ratio_to(results, name, said["other"])
        measured = ratio if said["other"] else mine
        yield Verdict(text, ratio or None, measured and SIGNS[said["sign"]](
            measured.median, float(said["bound"])))
