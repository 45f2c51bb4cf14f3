// SPDX-License-Identifier: GPL-2.0

package main

import (
	"fmt"
	"unsafe"
)

// What sizes.c does. A size is a type, so that the compiler knows it.

func churnSize[T any](each int) {
	var w [window]*T
	for i := 0; i < each; i++ {
		w[i%window] = new(T)
	}
	for _, p := range w {
		sink = p
	}
}

var sink any

func measureSize[T any](kind string) {
	var zero T
	bytes := int(unsafe.Sizeof(zero))
	each := max(min((8<<20)/bytes, 500000), 100)
	for nr := 1; nr <= 2; nr++ {
		name := fmt.Sprintf("sizes/%s/%d/%d", kind, bytes, nr)
		if !wanted(name) {
			continue
		}
		var c, w []float64
		for i := -1; i < 3; i++ {
			from := now()
			runThreads(nr, func(int) { churnSize[T](each) })
			cpu, wall := from.since()
			if i >= 0 {
				c = append(c, cpu/float64(each*nr))
				w = append(w, wall/float64(each*nr))
			}
		}
		fmt.Printf("%s %.3f %.3f\n", name, median(c), median(w))
	}
}

func measureSizes() {
	measureSize[[1]int]("noscan")
	measureSize[[1]*int]("refs")
	measureSize[[2]int]("noscan")
	measureSize[[2]*int]("refs")
	measureSize[[4]int]("noscan")
	measureSize[[4]*int]("refs")
	measureSize[[8]int]("noscan")
	measureSize[[8]*int]("refs")
	measureSize[[32]int]("noscan")
	measureSize[[32]*int]("refs")
	measureSize[[128]int]("noscan")
	measureSize[[128]*int]("refs")
	measureSize[[1024]int]("noscan")
	measureSize[[1024]*int]("refs")
	measureSize[[8192]int]("noscan")
	measureSize[[8192]*int]("refs")
	measureSize[[131072]int]("noscan")
	measureSize[[131072]*int]("refs")
}
