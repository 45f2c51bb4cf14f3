// SPDX-License-Identifier: GPL-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

// What memory.c does. Before main() all has begun: there is no startup.
const (
	slots      = 4096
	rounds     = 100
	tailSlots  = 40000
	tailOps    = 1000000
	liveBytes  = 32 << 20
	maxObjects = liveBytes/16 + 1
	phases     = 24
	phaseBytes = 16 << 20
)

var memoryTable []*byte
var seeds = [2]uint64{1, 2}
var peak float64

func bytesAt(p *byte, n int) []byte {
	return unsafe.Slice(p, n)
}

// Its memory is there only when it is written to.
func newBytes(n int) *byte {
	p := unsafe.SliceData(make([]byte, n))
	*p = 1
	return p
}

func larson() {
	var lock sync.Mutex
	over := sync.NewCond(&lock)
	waiting, round := 0, 0
	barrier := func() {
		lock.Lock()
		defer lock.Unlock()
		if waiting++; waiting == 2 {
			waiting = 0
			round++
			over.Broadcast()
			return
		}
		for r := round; r == round; {
			over.Wait()
		}
	}
	runThreads(2, func(thread int) {
		seed := &seeds[thread]
		for round := range rounds {
			from := (thread + round) % 2 * slots
			for range slots {
				i := from + int(random64(seed)%slots)
				memoryTable[i] = newBytes(int(16 + random64(seed)%497))
			}
			barrier()
		}
	})
}

func measureLarson() {
	if !wanted("larson") {
		return
	}
	memoryTable = make([]*byte, 2*slots)
	larson()
	samples = 1
	measure("larson", func(int) { larson() }, 2*slots*rounds)
}

func measureTail() {
	if !wanted("tail/p50") {
		return
	}
	var times latencies
	seed := &seeds[0]
	memoryTable = make([]*byte, tailSlots)
	for i := -tailOps / 2; i < tailOps; i++ {
		k := random64(seed) % tailSlots
		bytes := int(16 + random64(seed)%1009)
		from := sinceStart()
		r := newBytes(bytes)
		if i >= 0 {
			times.add(sinceStart() - from)
		}
		memoryTable[k] = r
	}
	times.report("tail")
}

func memory() float64 {
	var size, pages int
	b, _ := os.ReadFile("/proc/self/statm")
	n, _ := fmt.Sscan(string(b), &size, &pages)
	require(n == 2)
	return float64(pages * os.Getpagesize())
}

func soakSize(phase int) int {
	top := phase % 16
	if top >= 8 {
		top = 16 - top
	}
	return int(16 + random64(&seeds[0])%(64<<min(top, 6)))
}

func soak(sizes []uint16) {
	seed := &seeds[0]
	live, nr, count := 0, 0, 0
	for phase := range phases {
		for made := 0; made < phaseBytes; {
			bytes := soakSize(phase)
			made += bytes
			memoryTable[nr] = newBytes(bytes)
			sizes[nr] = uint16(bytes)
			nr++
			live += bytes
			for live > liveBytes {
				k := int(random64(seed) % uint64(nr))
				nr--
				live -= int(sizes[k])
				memoryTable[k] = memoryTable[nr]
				memoryTable[nr] = nil
				sizes[k] = sizes[nr]
			}
			if count++; count%8192 == 0 {
				peak = max(peak, memory())
			}
		}
	}
}

func newTable(n int) {
	memoryTable = make([]*byte, n)
	for i := range memoryTable {
		memoryTable[i] = nil
	}
}

func measureSoak() {
	if !wanted("soak") {
		return
	}
	sizes := outside[uint16](maxObjects)
	for i := range sizes {
		sizes[i] = 1
	}
	newTable(maxObjects)
	before := memory()
	measureOnce("soak", func() { soak(sizes) })
	report("soak/peak", (peak-before)/liveBytes)
}

func measureMemory(bytes int) {
	name := fmt.Sprintf("memory/%d", bytes)
	if !wanted(name) {
		return
	}
	newTable(liveBytes / bytes)
	runtime.GC()
	before := memory()
	for i := range memoryTable {
		memoryTable[i] = newBytes(bytes)
	}
	runtime.GC()
	report(name, (memory()-before)/liveBytes)
}
