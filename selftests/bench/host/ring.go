// SPDX-License-Identifier: GPL-2.0

package main

import "fmt"

// What ring.c does.
const (
	ringNodes = 1000000
	ringOps   = 1500000
)

type link struct {
	next, prev *link
	value      [4]int
}

type ring struct {
	table []*link
	seed  uint64
	times latencies
}

var rings [2]ring

func (r *link) insert(prev, next *link) {
	r.prev = prev
	r.next = next
	prev.next = r
	next.prev = r
}

func (ring *ring) make(nodes int) {
	ring.table = make([]*link, nodes)
	for i := range ring.table {
		r := new(link)
		r.value[0] = i
		ring.table[i] = r
		if i > 0 {
			r.insert(ring.table[0].prev, ring.table[0])
		} else {
			r.insert(r, r)
		}
	}
}

func (ring *ring) replace(i int) {
	r := new(link)
	old := ring.table[i]
	require(old.value[0] == i)
	r.value[0] = i
	r.insert(old.prev, old.next)
	ring.table[i] = r
}

func (ring *ring) run(ops int) {
	before := sinceStart()
	for ; ops > 0; ops-- {
		ring.replace(int(random64(&ring.seed) % uint64(len(ring.table))))
		after := sinceStart()
		ring.times.add(after - before)
		before = after
	}
}

func (ring *ring) check() {
	r := ring.table[0]
	for i := range ring.table {
		require(r.value[0] == i && ring.table[i] == r)
		r = r.next
	}
	require(r == ring.table[0])
}

func measureRing(nr int) {
	name := fmt.Sprintf("ring/%d", nr)
	if !wanted(name) {
		return
	}
	runThreads(nr, func(i int) {
		rings[i].seed = uint64(i) + 1
		rings[i].make(ringNodes / nr)
		rings[i].run(ringOps / nr / 2)
		rings[i].times = latencies{}
	})
	from := now()
	runThreads(nr, func(i int) { rings[i].run(ringOps / nr) })
	c, w := from.since()
	for i := 0; i < nr; i++ {
		rings[i].check()
	}
	for i := 1; i < nr; i++ {
		rings[0].times.merge(&rings[i].times)
	}
	fmt.Printf("%s %.3f %.3f\n", name, c/ringOps, w/ringOps)
	rings[0].times.report(name)
}
