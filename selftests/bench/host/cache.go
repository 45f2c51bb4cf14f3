// SPDX-License-Identifier: GPL-2.0

package main

import (
	"bytes"
	"fmt"
	"runtime/debug"
)

// What cache.c does.
const (
	buckets  = 1 << 16
	capacity = 100000
	keys     = 300000
	keyWords = 65536
	cacheOps = 500000
)

type cacheEntry struct {
	next, newer, older *cacheEntry
	key, value         *byte
	hash               uint64
	keyBytes           int
}

var cacheTable []*cacheEntry
var newest, oldest *cacheEntry
var nrEntries int
var cacheSeed uint64 = 1

func newText(s []byte) *byte {
	b := make([]byte, len(s))
	copy(b, s)
	return &b[0]
}

func (r *cacheEntry) unlink() {
	if r.newer != nil {
		r.newer.older = r.older
	} else {
		newest = r.older
	}
	if r.older != nil {
		r.older.newer = r.newer
	} else {
		oldest = r.newer
	}
}

func (r *cacheEntry) makeNewest() {
	r.newer = nil
	r.older = newest
	if newest != nil {
		newest.newer = r
	} else {
		oldest = r
	}
	newest = r
}

func forgetOldest() {
	r := oldest
	place := &cacheTable[r.hash%buckets]
	for *place != r {
		place = &(*place).next
	}
	*place = r.next
	r.unlink()
	nrEntries--
}

func insertKey(key []byte, hash uint64) {
	from := hash % uint64(words[keyWords].start)
	r := &cacheEntry{hash: hash, keyBytes: len(key)}
	r.key = newText(key)
	r.value = newText(text[from : from+32+hash/8%200])
	r.next = cacheTable[hash%buckets]
	cacheTable[hash%buckets] = r
	r.makeNewest()
	nrEntries++
	if nrEntries > capacity {
		forgetOldest()
	}
}

func lookUp(key []byte) {
	hash := hashOf(key)
	r := cacheTable[hash%buckets]
	for ; r != nil; r = r.next {
		if r.hash == hash && r.keyBytes == len(key) && bytes.Equal(bytesAt(r.key, r.keyBytes), key) {
			break
		}
	}
	if r == nil {
		insertKey(key, hash)
	} else {
		r.unlink()
		r.makeNewest()
	}
}

func makeKey(key []byte, i uint64) []byte {
	key = append(key[:0], words[i%keyWords].text()...)
	key = append(key, ' ')
	return append(key, words[i*31/7%keyWords].text()...)
}

func useCache() {
	key := make([]byte, 0, 40)
	for range cacheOps {
		x := random64(&cacheSeed) % keys
		key = makeKey(key, x*(random64(&cacheSeed)%keys)/keys)
		lookUp(key)
		mmuTick()
	}
}

func fillCache() {
	makeText()
	cacheTable = make([]*cacheEntry, buckets)
	useCache()
}

func reportCache(name string) {
	from := now()
	useCache()
	c, w := from.since()
	fmt.Printf("%s %.3f %.3f\n", name, c/cacheOps, w/cacheOps)
}

func measureCache() {
	if !wanted("cache") {
		return
	}
	fillCache()
	reportCache("cache")
}

func measureCacheGrowth(percent int) {
	name := fmt.Sprintf("cache/GOGC/%d", percent)
	if !wanted(name) {
		return
	}
	debug.SetGCPercent(percent)
	fillCache()
	reportCache(name)
}

func measureCacheUtilisation() {
	if !wanted("cache/mmu/1ms") {
		return
	}
	fillCache()
	mmuBegin()
	useCache()
	mmuReport("cache")
}
