// SPDX-License-Identifier: GPL-2.0
/*
 * See text.h. All programs must have the same text, those in Go as well; that
 * is what TEXT_HASH is for.
 */
#include "workload.h"
#include "text.h"

#define NR_WORDS	1000000L
#define RANK_BITS	16
#define LONGEST		16	/* of a word, with the blank behind it */
#define TEXT_SEED	88172645463325252ULL
#define TEXT_HASH	0x5634bdf8b84b6578ULL

/* FNV-1a */
uint64_t text_hash(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037ULL;

	while (n--)
		h = (h ^ (unsigned char)*s++) * 1099511628211ULL;
	return h;
}

/* Words of each power of two of ranks come equally often. */
static uint64_t random_rank(uint64_t *seed)
{
	uint64_t x = random64(seed);
	uint64_t first = 1ULL << x % RANK_BITS;

	return first + (x >> 8) % first;
}

/*
 * The word of a rank; returns its length. Different ranks of the same length have
 * different letters: the multiplication is one to one in the bits that are used.
 */
static int spell(char *to, uint64_t rank)
{
	uint64_t x = rank * 0x9e3779b97f4a7c15ULL;
	int bits = 63 - __builtin_clzll(rank);
	int n = 2 + bits / 2 + (int)(x >> 62), i;

	for (i = 0; i < n; i++)
		to[i] = "etaoinshrdlucmfw"[x >> 4 * i & 15];
	return n;
}

const struct text *text_make(void)
{
	static struct text text;
	uint64_t seed = TEXT_SEED;

	text.bytes = outside(NR_WORDS * LONGEST);
	text.words = outside(NR_WORDS * sizeof(*text.words));
	for (text.nr_words = 0; text.nr_words < NR_WORDS; text.nr_words++) {
		int n = spell(text.bytes + text.size, random_rank(&seed));

		text.words[text.nr_words] = (struct word){ text.size, n };
		text.bytes[text.size + n] = ' ';
		text.size += n + 1;
	}
	require(text_hash(text.bytes, text.size) == TEXT_HASH);
	return &text;
}
