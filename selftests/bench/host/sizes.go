// SPDX-License-Identifier: GPL-2.0

package main

import (
	"fmt"
	"unsafe"
)

// What sizes.c does. A size is a function, and none with a parameter for the type:
// only where the compiler knows the type does it call the allocator for its size.

// An array for each thread.
var windows [2]any

// Nobody but us knows that it stays 0: a constant would not be written.
var zero uintptr

func writeWord(p unsafe.Pointer, offset, value uintptr) {
	*(*uintptr)(unsafe.Add(p, offset)) = value
}

func writeEnds(p unsafe.Pointer, bytes, value uintptr) {
	writeWord(p, 0, value)
	writeWord(p, bytes-8, value)
}

func noscan8(thread, each int) {
	w, z := new([window]*[1]int), zero
	windows[thread] = w
	for i := range each {
		p := new([1]int)
		writeEnds(unsafe.Pointer(p), 8, z)
		w[i%window] = p
	}
}

func refs8(thread, each int) {
	w, z := new([window]*[1]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([1]*int)
		writeEnds(unsafe.Pointer(p), 8, z)
		w[i%window] = p
	}
}

func noscan16(thread, each int) {
	w, z := new([window]*[2]int), zero
	windows[thread] = w
	for i := range each {
		p := new([2]int)
		writeEnds(unsafe.Pointer(p), 16, z)
		w[i%window] = p
	}
}

func refs16(thread, each int) {
	w, z := new([window]*[2]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([2]*int)
		writeEnds(unsafe.Pointer(p), 16, z)
		w[i%window] = p
	}
}

func noscan32(thread, each int) {
	w, z := new([window]*[4]int), zero
	windows[thread] = w
	for i := range each {
		p := new([4]int)
		writeEnds(unsafe.Pointer(p), 32, z)
		w[i%window] = p
	}
}

func refs32(thread, each int) {
	w, z := new([window]*[4]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([4]*int)
		writeEnds(unsafe.Pointer(p), 32, z)
		w[i%window] = p
	}
}

func noscan64(thread, each int) {
	w, z := new([window]*[8]int), zero
	windows[thread] = w
	for i := range each {
		p := new([8]int)
		writeEnds(unsafe.Pointer(p), 64, z)
		w[i%window] = p
	}
}

func refs64(thread, each int) {
	w, z := new([window]*[8]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([8]*int)
		writeEnds(unsafe.Pointer(p), 64, z)
		w[i%window] = p
	}
}

func noscan256(thread, each int) {
	w, z := new([window]*[32]int), zero
	windows[thread] = w
	for i := range each {
		p := new([32]int)
		writeEnds(unsafe.Pointer(p), 256, z)
		w[i%window] = p
	}
}

func refs256(thread, each int) {
	w, z := new([window]*[32]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([32]*int)
		writeEnds(unsafe.Pointer(p), 256, z)
		w[i%window] = p
	}
}

func noscan1024(thread, each int) {
	w, z := new([window]*[128]int), zero
	windows[thread] = w
	for i := range each {
		p := new([128]int)
		writeEnds(unsafe.Pointer(p), 1024, z)
		w[i%window] = p
	}
}

func refs1024(thread, each int) {
	w, z := new([window]*[128]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([128]*int)
		writeEnds(unsafe.Pointer(p), 1024, z)
		w[i%window] = p
	}
}

func noscan8192(thread, each int) {
	w, z := new([window]*[1024]int), zero
	windows[thread] = w
	for i := range each {
		p := new([1024]int)
		writeEnds(unsafe.Pointer(p), 8192, z)
		w[i%window] = p
	}
}

func refs8192(thread, each int) {
	w, z := new([window]*[1024]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([1024]*int)
		writeEnds(unsafe.Pointer(p), 8192, z)
		w[i%window] = p
	}
}

func noscan65536(thread, each int) {
	w, z := new([window]*[8192]int), zero
	windows[thread] = w
	for i := range each {
		p := new([8192]int)
		writeEnds(unsafe.Pointer(p), 65536, z)
		w[i%window] = p
	}
}

func refs65536(thread, each int) {
	w, z := new([window]*[8192]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([8192]*int)
		writeEnds(unsafe.Pointer(p), 65536, z)
		w[i%window] = p
	}
}

func noscan1048576(thread, each int) {
	w, z := new([window]*[131072]int), zero
	windows[thread] = w
	for i := range each {
		p := new([131072]int)
		writeEnds(unsafe.Pointer(p), 1048576, z)
		w[i%window] = p
	}
}

func refs1048576(thread, each int) {
	w, z := new([window]*[131072]*int), zero
	windows[thread] = w
	for i := range each {
		p := new([131072]*int)
		writeEnds(unsafe.Pointer(p), 1048576, z)
		w[i%window] = p
	}
}

var sizes = []struct {
	bytes        int
	noscan, refs func(thread, each int)
}{
	{8, noscan8, refs8},
	{16, noscan16, refs16},
	{32, noscan32, refs32},
	{64, noscan64, refs64},
	{256, noscan256, refs256},
	{1024, noscan1024, refs1024},
	{8192, noscan8192, refs8192},
	{65536, noscan65536, refs65536},
	{1048576, noscan1048576, refs1048576},
}

func measureSize(kind string, bytes, nr int, churn func(thread, each int)) {
	name := fmt.Sprintf("sizes/%s/%d/%d", kind, bytes, nr)
	if !wanted(name) {
		return
	}
	each := max(min((8<<20)/bytes, 500000), 100)
	var c, w []float64
	for i := -1; i < 3; i++ {
		from := now()
		runThreads(nr, func(thread int) { churn(thread, each) })
		cpu, wall := from.since()
		if i >= 0 {
			c = append(c, cpu/float64(each*nr))
			w = append(w, wall/float64(each*nr))
		}
	}
	fmt.Printf("%s %.3f %.3f\n", name, median(c), median(w))
}

func measureSizes() {
	for _, size := range sizes {
		for nr := 1; nr <= 2; nr++ {
			measureSize("noscan", size.bytes, nr, size.noscan)
			measureSize("refs", size.bytes, nr, size.refs)
		}
	}
}
