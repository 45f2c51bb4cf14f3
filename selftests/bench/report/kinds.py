# SPDX-License-Identifier: GPL-2.0
"""
What kind of figure it is: that follows from its name and its unit.

  NAME/p50 p90 p99 p99.9 p99.99 max   latency: how long the slowest of so many took
  NAME/mmu/1ms                        the least share of any such window that the
                                      program had for itself
  NAME/GOGC/100                       NAME with that GOGC: a curve over heap sizes
  any other                           a time if its unit is one of time, a rate if
                                      that ends in /s, else a count

Latencies, shares of windows, and what several threads do at once are of the clock
on the wall: a thread that waits for a lock takes no CPU time. All others are CPU
time of all threads, with what the collector takes wherever it runs.
"""

import math
import re

PERCENTILE = re.compile(r"(?P<base>.+)/(?:p(?P<x>\d+(?:\.\d+)?)|max)")
WINDOW = re.compile(r"(?P<base>.+)/mmu/(?P<x>\d+(?:\.\d+)?)(?P<unit>us|ms|s)")
HEAP = re.compile(r"(?P<base>.+)/GOGC/(?P<x>\d+)")
THREADS = re.compile(r"sizes/.+/2|ring/2|larson")

TIMES = {"ns", "us", "ms", "s"}
WINDOW_MS = {"us": 1e-3, "ms": 1, "s": 1e3}


def kind(name, unit):
    """One of latency, mmu, heap, time, rate, count."""
    for pattern, what in ((PERCENTILE, "latency"), (WINDOW, "mmu"),
                          (HEAP, "heap")):
        if pattern.fullmatch(name):
            return what
    if unit.endswith("/s"):
        return "rate"
    return "time" if unit.split("/")[0] in TIMES else "count"


def clock(name, unit):
    """Which of a sample's two clocks the figure is about."""
    waits = kind(name, unit) in ("latency", "mmu") or THREADS.fullmatch(name)
    return "wall" if waits else "cpu"


def repeats(name):
    """Whether all ratios are those of another figure: bytes marked and objects."""
    return name.endswith("/bytes")


def more_is_better(name, unit):
    """Whether a larger value is a better one."""
    return unit.endswith("/s") or kind(name, unit) == "mmu"


def machine_counts(name, unit):
    """Whether a faster machine has another value."""
    return kind(name, unit) not in ("count", "mmu")


def point(name):
    """The curve that a figure is a point of, and where: (base, x); or None.

    Percentiles lie as far apart as there are digits in them, and the slowest of
    all one beyond p99.99. A GOGC of 100 is a heap twice as large as what is live.
    """
    match = PERCENTILE.fullmatch(name)
    if match:
        x = match["x"]
        return match["base"], (5.0 if x is None else
                               -math.log10(1 - float(x) / 100))
    match = WINDOW.fullmatch(name)
    if match:
        return match["base"], float(match["x"]) * WINDOW_MS[match["unit"]]
    match = HEAP.fullmatch(name)
    return (match["base"], 1 + int(match["x"]) / 100) if match else None
