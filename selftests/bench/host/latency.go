// SPDX-License-Identifier: GPL-2.0

package main

import "math/bits"

// What latency.c does.
const (
	latencySteps   = 16
	latencyBuckets = 40 * latencySteps
)

type latencies struct {
	n     uint64
	max   int64
	count [latencyBuckets]uint64
}

func (l *latencies) add(ns int64) {
	shift := 63 - bits.LeadingZeros64(uint64(ns)|latencySteps) - 4
	l.n++
	l.count[min(shift*latencySteps+int(ns>>shift), latencyBuckets-1)]++
	l.max = max(l.max, ns)
}

func (l *latencies) merge(from *latencies) {
	l.n += from.n
	for i, n := range from.count {
		l.count[i] += n
	}
	l.max = max(l.max, from.max)
}

func endOf(bucket int) int64 {
	shift := bucket/latencySteps - 1
	if shift < 0 {
		return int64(bucket) + 1
	}
	return int64(bucket%latencySteps+latencySteps+1) << shift
}

func (l *latencies) quantile(q float64) float64 {
	left := uint64(float64(l.n) * q)
	i := 0
	for ; left >= l.count[i]; i++ {
		left -= l.count[i]
	}
	return float64(min(endOf(i), l.max))
}

func (l *latencies) report(name string) {
	report(name+"/p50", l.quantile(0.5))
	report(name+"/p99", l.quantile(0.99))
	report(name+"/p99.9", l.quantile(0.999))
	report(name+"/p99.99", l.quantile(0.9999))
	report(name+"/max", float64(l.max))
}
