// SPDX-License-Identifier: GPL-2.0

// What workload.c does, in Go; see there, for arguments too. CPU time is the
// process's.
package main

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	window = 64
	depth  = 16
)

var samples = 7
var kept *node

type node struct {
	left, right *node
}

//go:noinline
func churn8(n int) {
	var w [window]*uint64
	for i := 0; i < n; i++ {
		p := new(uint64)
		*p = uint64(i)
		w[i%window] = p
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churnNode(n int) {
	var w [window]*node
	for i := 0; i < n; i++ {
		w[i%window] = new(node)
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churnBytes[T [32]byte | [64]byte | [256]byte | [1024]byte | [8192]byte](n int) {
	var w [window]*T
	for i := 0; i < n; i++ {
		w[i%window] = new(T)
	}
	runtime.KeepAlive(&w)
}

func build(depth int) *node {
	var left, right *node
	if depth > 0 {
		left = build(depth - 1)
		right = build(depth - 1)
	}
	return &node{left, right}
}

func (n *node) walk() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.walk() + n.right.walk()
}

//go:noinline
func trees(n int) {
	for ; n > 0; n-- {
		if build(depth).walk() != 2<<depth-1 {
			panic("a node is missing")
		}
	}
}

func cpu() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Nano() + r.Stime.Nano())
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

// path.Match() has * end at a slash.
func flat(name string) string {
	return strings.ReplaceAll(name, "/", ":")
}

func wanted(name string) bool {
	if len(os.Args) < 2 {
		return true
	}
	match, _ := path.Match(flat(os.Args[1]), flat(name))
	return match
}

func measure(name string, work func(int), n int) {
	if !wanted(name) {
		return
	}
	var c, w []float64
	for i := 0; i < samples/2+samples; i++ {
		start, from := time.Now(), cpu()
		work(n)
		to, wall := cpu(), time.Since(start)
		if i < samples/2 {
			continue
		}
		c = append(c, (to-from)/float64(n))
		w = append(w, float64(wall.Nanoseconds())/float64(n))
	}
	fmt.Printf("%s %.3f %.3f\n", name, median(c), median(w))
}

func main() {
	if len(os.Args) > 2 {
		samples, _ = strconv.Atoi(os.Args[2])
	}
	measure("alloc/8", churn8, 1000000)
	measure("alloc/node", churnNode, 1000000)
	measure("alloc/32", churnBytes[[32]byte], 500000)
	measure("alloc/64", churnBytes[[64]byte], 250000)
	measure("alloc/256", churnBytes[[256]byte], 100000)
	measure("alloc/1024", churnBytes[[1024]byte], 25000)
	measure("alloc/8192", churnBytes[[8192]byte], 10000)
	measure("zeroed/8192", churnBytes[[8192]byte], 10000)
	measure("tree/16", trees, 10)
	kept = build(depth)
	measure("tree/16+16", trees, 10)
}
