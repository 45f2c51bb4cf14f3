// SPDX-License-Identifier: GPL-2.0

package main

import "fmt"

// What mmu.c does.
const (
	noticed = 10000
	maxGaps = 1 << 20
	every   = 16
)

type gap struct {
	from, to int64
}

var gaps []gap
var begun, last int64
var ticks uint
var recording bool

func mmuBegin() {
	if gaps == nil {
		gaps = outside[gap](maxGaps)
	}
	gaps = gaps[:0]
	recording = true
	begun = sinceStart()
	last = begun
}

func mmuTick() {
	ticks++
	if !recording || ticks%every != 0 {
		return
	}
	now := sinceStart()
	if now-last > noticed && len(gaps) < cap(gaps) {
		gaps = append(gaps, gap{last, now})
	}
	last = now
}

func taken(from, to int64, i int) int64 {
	var sum int64
	for ; i < len(gaps) && gaps[i].from < to; i++ {
		sum += max(min(gaps[i].to, to)-max(gaps[i].from, from), 0)
	}
	return sum
}

func worst(window int64) int64 {
	var most int64
	first := 0
	for i, g := range gaps {
		most = max(most, taken(g.from, g.from+window, i))
		if g.to < begun+window {
			continue
		}
		for gaps[first].to < g.to-window {
			first++
		}
		most = max(most, taken(g.to-window, g.to, first))
	}
	return most
}

func mmuReport(name string) {
	for _, ms := range []int64{1, 5, 10, 50} {
		report(fmt.Sprintf("%s/mmu/%dms", name, ms),
			100-float64(worst(ms*1000000))/float64(ms*10000))
	}
}
