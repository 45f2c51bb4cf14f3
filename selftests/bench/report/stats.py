# SPDX-License-Identifier: GPL-2.0
"""
Medians, and how sure they are.

The interval of a median is that of order statistics: no matter how samples are
distributed, the true median lies between the k-th lowest and the k-th highest of
n with a probability that the binomial distribution has. Fewer than six samples
cannot give 95 %; then it is all of their range, and @sure says so.

Ratios are taken round by round, one heap beside the other, and their median and
interval are those of any samples: what disturbed a round disturbed both.
"""

import math
import statistics
from typing import NamedTuple

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A median, and where it is with a confidence of 95 % if @sure."""

    median: float
    low: float
    high: float
    rounds: int
    sure: bool

    def scaled(self, factor):
        """The same in another unit."""
        return self._replace(median=self.median * factor,
                             low=self.low * factor, high=self.high * factor)

    def inverted(self):
        """Of the ratio the other way round."""
        return self._replace(median=1 / self.median, low=1 / self.high,
                             high=1 / self.low)


def rank(n):
    """The k of the interval for @n samples, or 0 if there is none."""
    outside, k = 0, 0
    while k < n // 2:
        outside += math.comb(n, k)
        if 1 - 2 * outside / 2 ** n < CONFIDENCE:
            break
        k += 1
    return k


def estimate(samples):
    """Of samples, of which some may be None; None if there are no others."""
    values = sorted(v for v in samples if v is not None)
    if not values:
        return None
    k = rank(len(values))
    trim = max(k, 1) - 1
    return Estimate(statistics.median(values), values[trim],
                    values[len(values) - 1 - trim], len(values), k > 0)


def quotients(samples, base):
    """Round by round; None where one of both is missing or @base is not above 0."""
    return [a / b if a is not None and b is not None and b > 0 else None
            for a, b in zip(samples, base)]


def geometric_mean(values):
    """Of those that are above 0; None if there are none."""
    logs = [math.log(v) for v in values if v is not None and v > 0]
    return math.exp(sum(logs) / len(logs)) if logs else None
