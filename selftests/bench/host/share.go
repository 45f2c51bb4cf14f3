// SPDX-License-Identifier: GPL-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// What share.c does with a heap for each process, which are programs of their own
// here: BENCH_MEMBER in the environment has the number of one.
const (
	shareOps = 500000
	share    = 16
	mib      = 1 << 20
)

// A member says what CPU time it has taken at the end of each phase, and goes on
// when it gets a byte.
func arrive() {
	fmt.Println(cpu())
	_, err := os.Stdin.Read(make([]byte, 1))
	require(err == nil)
}

func useIndex(seed uint64) {
	for i := range shareOps {
		word := int(random64(&seed) % nrWords)
		f := findWord(words[word].text())
		require(f != nil && f.places != nil)
		if i%share == 0 {
			addPlace(f, word)
		}
	}
}

func liveAsMember(member string) {
	var seed uint64
	fmt.Sscan(member, &seed)
	makeText()
	arrive()
	indexTable = make([]*found, buckets)
	for i := range words {
		addWord(i)
	}
	arrive()
	useIndex(seed)
	arrive()
}

type member struct {
	command *exec.Cmd
	in      io.Writer
	out     *bufio.Reader
	cpu     []float64
}

func startMember(i int) *member {
	c := exec.Command(os.Args[0], os.Args[1:]...)
	c.Env = append(os.Environ(), fmt.Sprintf("BENCH_MEMBER=%d", i+1))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	require(err == nil)
	out, err := c.StdoutPipe()
	require(err == nil && c.Start() == nil)
	return &member{c, in, bufio.NewReader(out), nil}
}

// waitForAll returns when all have come to the end of a phase.
func waitForAll(members []*member) {
	for _, m := range members {
		var cpu float64
		_, err := fmt.Fscanln(m.out, &cpu)
		require(err == nil)
		m.cpu = append(m.cpu, cpu)
	}
}

func letGo(members []*member) time.Time {
	from := time.Now()
	for _, m := range members {
		_, err := m.in.Write([]byte{0})
		require(err == nil)
	}
	return from
}

func readNumber(path, format string) float64 {
	content, err := os.ReadFile(path)
	require(err == nil)
	for _, line := range strings.Split(string(content), "\n") {
		var value float64
		if n, _ := fmt.Sscanf(line, format, &value); n == 1 {
			return value
		}
	}
	panic(path)
}

// memoryOf is what the cgroup pays for, and what its processes have mapped.
func memoryOf(members []*member) (charged, pss float64) {
	charged = readNumber(os.Getenv("BENCH_CGROUP")+"/memory.current", "%f")
	for _, m := range members {
		pss += 1024 * readNumber(fmt.Sprintf("/proc/%d/smaps_rollup",
			m.command.Process.Pid), "Pss: %f")
	}
	return charged, pss
}

func reportPhase(name string, members []*member, phase int, wall time.Duration, ops float64) {
	var cpu float64
	for _, m := range members {
		cpu += m.cpu[phase] - m.cpu[phase-1]
	}
	report(name, float64(wall.Nanoseconds())/ops)
	report(name+"/cpu", cpu/ops)
}

func measureShare(nr int) {
	name := fmt.Sprintf("share/%d/", nr)
	if os.Getenv("BENCH_CGROUP") == "" || !wanted(name+"build") {
		return
	}
	if member, is := os.LookupEnv("BENCH_MEMBER"); is {
		liveAsMember(member)
		return
	}
	var members []*member
	for i := range nr {
		members = append(members, startMember(i))
	}
	waitForAll(members)
	charged, pss := memoryOf(members)
	from := letGo(members)
	waitForAll(members)
	built := time.Since(from)
	from = letGo(members)
	waitForAll(members)
	used := time.Since(from)
	chargedAfter, pssAfter := memoryOf(members)
	letGo(members)
	for _, m := range members {
		require(m.command.Wait() == nil)
	}
	reportPhase(name+"build", members, 1, built, 1)
	reportPhase(name+"use", members, 2, used, shareOps*float64(nr))
	report(name+"memory", (chargedAfter-charged)/mib)
	report(name+"pss", (pssAfter-pss)/mib)
}
