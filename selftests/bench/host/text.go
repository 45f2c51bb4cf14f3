// SPDX-License-Identifier: GPL-2.0

package main

import "math/bits"

// What text.c does.
const (
	nrWords     = 1000000
	rankBits    = 16
	longestWord = 16
	textSeed    = 88172645463325252
	textHash    = 0x5634bdf8b84b6578
)

type word struct {
	start, bytes uint32
}

var text []byte
var words []word

func hashOf(s []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range s {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func randomRank(seed *uint64) uint64 {
	x := random64(seed)
	first := uint64(1) << (x % rankBits)
	return first + (x>>8)%first
}

func spell(to []byte, rank uint64) int {
	x := rank * 0x9e3779b97f4a7c15
	n := 2 + (bits.Len64(rank)-1)/2 + int(x>>62)
	for i := range n {
		to[i] = "etaoinshrdlucmfw"[x>>(4*i)&15]
	}
	return n
}

func makeText() {
	seed := uint64(textSeed)
	text = outside[byte](nrWords * longestWord)
	words = outside[word](nrWords)
	size := 0
	for i := range words {
		n := spell(text[size:], randomRank(&seed))
		words[i] = word{uint32(size), uint32(n)}
		text[size+n] = ' '
		size += n + 1
	}
	text = text[:size]
	require(hashOf(text) == textHash)
}

func (w word) text() []byte {
	return text[w.start : w.start+w.bytes]
}
