// SPDX-License-Identifier: GPL-2.0

package main

import (
	"runtime"
	"unsafe"
)

// What mark.c does.
const (
	levels  = 20
	nodes   = 1 << (levels + 1)
	wide    = 1024
	entries = nodes / 4
)

type entry struct {
	next  *entry
	key   *[16]byte
	value *[32]byte
	hash  int
	rest  [2]int
}

var graph any
var markSeed uint64

func below(n int) int {
	return int(random64(&markSeed) % uint64(n))
}

func freePlace(array []*node, n int) **node {
	for {
		parent := array[below(n)]
		place := &parent.right
		if random64(&markSeed)&1024 != 0 {
			place = &parent.left
		}
		if *place == nil {
			return place
		}
	}
}

func makeRandom() int {
	array := make([]*node, nodes)
	for i := range array {
		array[i] = new(node)
		if i > 0 {
			*freePlace(array, i) = array[i]
		}
	}
	for _, n := range array {
		if n.left == nil {
			n.left = array[below(nodes)]
		}
		if n.right == nil {
			n.right = array[below(nodes)]
		}
	}
	graph = array[0]
	return nodes * int(unsafe.Sizeof(node{}))
}

func makeNode(levels int) *node {
	n := new(node)
	if levels > 0 {
		n.left = makeNode(levels - 1)
		n.right = makeNode(levels - 1)
	}
	return n
}

func makeTree() int {
	graph = makeNode(levels)
	return nodes * int(unsafe.Sizeof(node{}))
}

func makeList() int {
	first := new(node)
	last := first
	for i := 1; i < nodes; i++ {
		n := new(node)
		last.left = n
		last = n
	}
	graph = first
	return nodes * int(unsafe.Sizeof(node{}))
}

func makeMap() int {
	table := make([]*entry, entries)
	for range entries {
		hash := below(entries)
		table[hash] = &entry{table[hash], new([16]byte), new([32]byte), hash, [2]int{}}
	}
	graph = table
	return entries * (8 + int(unsafe.Sizeof(entry{})) + 16 + 32)
}

func makeWide() int {
	var few [4]*node
	table := make([]*[wide]*node, wide)
	for i := range table {
		table[i] = new([wide]*node)
		for k := range table[i] {
			if i*wide+k < 4096 {
				few[k%4] = new(node)
			}
			table[i][k] = few[k%4]
		}
	}
	graph = table
	return wide * wide * 8
}

func measureGraph(name string, objects int, make func() int, one bool) {
	if !wanted(name) {
		return
	}
	markSeed = 88172645463325252
	bytes := make()
	runtime.GC()
	var v []float64
	for range 3 {
		from := now()
		runtime.GC()
		c, w := from.since()
		if one {
			v = append(v, c)
		} else {
			v = append(v, w)
		}
	}
	report(name, float64(objects)*1e9/median(v))
	report(name+"/bytes", float64(bytes)*1e9/median(v))
	graph = nil
	runtime.GC()
}

func measureMarking(suffix string) {
	one := suffix == "1"
	measureGraph("mark/random/"+suffix, nodes, makeRandom, one)
	measureGraph("mark/tree/"+suffix, nodes, makeTree, one)
	measureGraph("mark/list/"+suffix, nodes, makeList, one)
	measureGraph("mark/map/"+suffix, entries*3, makeMap, one)
	measureGraph("mark/wide/"+suffix, wide, makeWide, one)
}
