// SPDX-License-Identifier: GPL-2.0

package main

import (
	"fmt"
	"runtime/debug"
)

// What trees.c does.
const (
	stretch = 18
	live    = 16
	array   = 4 << 20
)

var keptTree *node
var keptArray []byte

func buildTicking(depth int) *node {
	var left, right *node
	if depth > 0 {
		left = buildTicking(depth - 1)
		right = buildTicking(depth - 1)
	}
	mmuTick()
	return &node{left, right}
}

func (n *node) populate(depth int) {
	if depth == 0 {
		return
	}
	n.left = new(node)
	n.right = new(node)
	mmuTick()
	n.left.populate(depth - 1)
	n.right.populate(depth - 1)
}

//go:noinline
func doneWith(n *node, depth int) {
	require(n.walk() == 2<<depth-1)
}

func binarytrees(most int) {
	doneWith(buildTicking(most+1), most+1)
	keptTree = buildTicking(most)
	for depth := 4; depth <= most; depth += 4 {
		for i := 1 << (most - depth + 4); i > 0; i-- {
			doneWith(buildTicking(depth), depth)
		}
	}
	doneWith(keptTree, most)
	keptTree = nil
}

func gcbench() {
	doneWith(buildTicking(stretch), stretch)
	keptTree = new(node)
	keptTree.populate(live)
	keptArray = make([]byte, array)
	for depth := 4; depth <= live; depth += 2 {
		for i := 2 << (stretch - depth); i > 0; i-- {
			n := new(node)
			n.populate(depth)
			doneWith(n, depth)
			doneWith(buildTicking(depth), depth)
		}
	}
	doneWith(keptTree, live)
	keptTree = nil
	keptArray = nil
}

func measureUtilisation(name string, work func()) {
	if !wanted(name + "/mmu/1ms") {
		return
	}
	mmuBegin()
	work()
	mmuReport(name)
}

func measureBinarytrees(depth int) {
	measureOnce(fmt.Sprintf("binarytrees/%d", depth), func() { binarytrees(depth) })
}

func measureTreesGrowth(percent int, binary bool) {
	debug.SetGCPercent(percent)
	if binary {
		measureOnce(fmt.Sprintf("binarytrees/18/GOGC/%d", percent),
			func() { binarytrees(18) })
	} else {
		measureOnce(fmt.Sprintf("gcbench/GOGC/%d", percent), gcbench)
	}
}
