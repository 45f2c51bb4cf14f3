// SPDX-License-Identifier: GPL-2.0

package main

import "bytes"

// What index.c does.
type found struct {
	next     *found
	key      *byte
	places   *place
	keyBytes int
}

type place struct {
	next *place
	word int
}

var indexTable []*found

func bucketOf(w []byte) **found {
	return &indexTable[hashOf(w)%buckets]
}

func findIn(bucket **found, w []byte) *found {
	for r := *bucket; r != nil; r = r.next {
		if r.keyBytes == len(w) && bytes.Equal(bytesAt(r.key, r.keyBytes), w) {
			return r
		}
	}
	return nil
}

func findWord(w []byte) *found {
	return findIn(bucketOf(w), w)
}

func findOrAdd(w []byte) *found {
	bucket := bucketOf(w)
	if r := findIn(bucket, w); r != nil {
		return r
	}
	*bucket = &found{next: *bucket, key: newText(w), keyBytes: len(w)}
	return *bucket
}

func addPlace(f *found, word int) {
	f.places = &place{f.places, word}
}

func addWord(word int) {
	addPlace(findOrAdd(words[word].text()), word)
}

func indexText(n int) {
	for i := range n {
		i %= nrWords
		if i == 0 {
			indexTable = make([]*found, buckets)
		}
		addWord(i)
	}
}

func measureIndex() {
	if !wanted("wordindex") {
		return
	}
	makeText()
	samples = 1
	measure("wordindex", indexText, nrWords*5)
}
