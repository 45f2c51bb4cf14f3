// SPDX-License-Identifier: GPL-2.0

// What workload.c does, in Go; see there, for arguments too. CPU time is the
// process's. A third argument is the group that a process of its own measures.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
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
	z := zero
	for i := 0; i < n; i++ {
		p := new(node)
		writeWord(unsafe.Pointer(p), 0, z)
		w[i%window] = p
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churn32(n int) {
	var w [window]*[4]int
	for i := 0; i < n; i++ {
		p := new([4]int)
		p[0] = i
		w[i%window] = p
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churn64(n int) {
	var w [window]*[8]int
	for i := 0; i < n; i++ {
		p := new([8]int)
		p[0] = i
		w[i%window] = p
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churn256(n int) {
	var w [window]*[32]int
	for i := 0; i < n; i++ {
		p := new([32]int)
		p[0] = i
		w[i%window] = p
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churn1024(n int) {
	var w [window]*[128]int
	for i := 0; i < n; i++ {
		p := new([128]int)
		p[0] = i
		w[i%window] = p
	}
	runtime.KeepAlive(&w)
}

//go:noinline
func churn8192(n int) {
	var w [window]*[1024]int
	for i := 0; i < n; i++ {
		p := new([1024]int)
		p[0] = i
		w[i%window] = p
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

var only = "*"

func matches(patterns, name string) bool {
	for _, pattern := range strings.Split(patterns, "|") {
		if match, _ := path.Match(flat(pattern), flat(name)); match {
			return true
		}
	}
	return false
}

func wanted(name string) bool {
	within, ok := os.LookupEnv("BENCH_ONLY")
	return matches(only, name) && (!ok || matches(within, name))
}

func require(c bool) {
	if !c {
		panic("something is wrong")
	}
}

// outside is what outside() of workload.c is. What is there may only refer to
// what is outside, too.
func outside[T any](n int) []T {
	var zero T
	b, err := syscall.Mmap(-1, 0, n*int(unsafe.Sizeof(zero)),
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	require(err == nil)
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

func report(name string, value float64) {
	value = max(value, 0.001)
	fmt.Printf("%s %.3f %.3f\n", name, value, value)
}

// clocks are CPU and wall time.
type clocks struct {
	cpu  float64
	wall time.Time
}

func now() clocks {
	return clocks{cpu(), time.Now()}
}

func (from clocks) since() (float64, float64) {
	c := cpu() - from.cpu
	return c, float64(time.Since(from.wall).Nanoseconds())
}

// sinceStart is the time in ns, monotonic.
func sinceStart() int64 {
	return int64(time.Since(start))
}

var start = time.Now()

func random64(state *uint64) uint64 {
	x := *state
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*state = x
	return x
}

func runThreads(nr int, work func(int)) {
	var group sync.WaitGroup
	for i := 1; i < nr; i++ {
		group.Add(1)
		go func() {
			work(i)
			group.Done()
		}()
	}
	work(0)
	group.Wait()
}

func measureOnce(name string, work func()) {
	if !wanted(name) {
		return
	}
	from := now()
	work()
	c, w := from.since()
	fmt.Printf("%s %.3f %.3f\n", name, c, w)
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

func measureSmall() {
	measure("alloc/8", churn8, 1000000)
	measure("alloc/node", churnNode, 1000000)
	measure("alloc/32", churn32, 500000)
	measure("alloc/64", churn64, 250000)
	measure("alloc/256", churn256, 100000)
	measure("alloc/1024", churn1024, 25000)
	measure("alloc/8192", churn8192, 10000)
	measure("zeroed/8192", churn8192, 10000)
	measure("tree/16", trees, 10)
	kept = build(depth)
	measure("tree/16+16", trees, 10)
}

var groups = []struct {
	measure func()
	threads int
	name    string
}{
	{measureSmall, 1, ""},
	{measureSizes, 2, ""},
	{func() { measureRing(1) }, 2, "ring/1"},
	{func() { measureRing(2) }, 2, "ring/2"},
	{func() { measureMarking("1") }, 1, ""},
	{func() { measureMarking("2") }, 2, ""},
	{func() { measureBinarytrees(16) }, 2, "binarytrees/16"},
	{func() { measureBinarytrees(17) }, 2, "binarytrees/17"},
	{func() { measureBinarytrees(18) }, 2, "binarytrees/18"},
	{func() { measureBinarytrees(19) }, 2, "binarytrees/19"},
	{func() { measureBinarytrees(20) }, 2, "binarytrees/20"},
	{func() { measureBinarytrees(21) }, 2, "binarytrees/21"},
	{func() { measureTreesGrowth(30, true) }, 2, ""},
	{func() { measureTreesGrowth(100, true) }, 2, ""},
	{func() { measureTreesGrowth(300, true) }, 2, ""},
	{func() { measureUtilisation("binarytrees", func() { binarytrees(16) }) }, 2, ""},
	{func() { measureOnce("gcbench", gcbench) }, 2, "gcbench"},
	{func() { measureTreesGrowth(30, false) }, 2, ""},
	{func() { measureTreesGrowth(100, false) }, 2, ""},
	{func() { measureTreesGrowth(300, false) }, 2, ""},
	{func() { measureUtilisation("gcbench", gcbench) }, 2, ""},
	{measureCache, 2, "cache"},
	{func() { measureCacheGrowth(30) }, 2, ""},
	{func() { measureCacheGrowth(100) }, 2, ""},
	{func() { measureCacheGrowth(300) }, 2, ""},
	{measureCacheUtilisation, 2, ""},
	{measureIndex, 2, "wordindex"},
	{measureLarson, 2, "larson"},
	{measureTail, 2, ""},
	{measureSoak, 2, ""},
	{func() { measureMemory(32) }, 2, ""},
	{func() { measureMemory(1024) }, 2, ""},
	{func() { measureShare(2) }, 2, ""},
	{func() { measureShare(4) }, 2, ""},
	{func() { measureShare(8) }, 2, ""},
}

// The parent does nothing but start one process after the other.
func main() {
	if len(os.Args) > 1 {
		only = os.Args[1]
	}
	if len(os.Args) > 2 {
		samples, _ = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) > 3 {
		i, _ := strconv.Atoi(os.Args[3])
		runtime.GOMAXPROCS(groups[i].threads)
		groups[i].measure()
		return
	}
	for i, group := range groups {
		c := exec.Command(os.Args[0], only, strconv.Itoa(samples), strconv.Itoa(i))
		c.Stdout = os.Stdout
		c.Stderr = os.Stderr
		if err := c.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if group.name != "" && wanted(group.name) {
			usage := c.ProcessState.SysUsage().(*syscall.Rusage)
			report(group.name+"/rss", float64(usage.Maxrss)/1024)
		}
	}
}
