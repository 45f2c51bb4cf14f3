// SPDX-License-Identifier: GPL-2.0
/*
 * See text.h. TEXT_FOLDER is said when it is compiled.
 */
#include <ctype.h>
#include <glob.h>

#include "workload.h"
#include "text.h"

static struct text text;

static void append(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t n;

	require(file);
	do {
		text.bytes = realloc(text.bytes, text.size + 4096);
		require(text.bytes);
		n = fread(text.bytes + text.size, 1, 4096, file);
		text.size += n;
	} while (n);
	fclose(file);
}

static void split(void)
{
	size_t i, start;

	text.words = calloc(text.size, sizeof(*text.words));
	require(text.words);
	for (i = 0; i < text.size; i++) {
		start = i;
		while (i < text.size && isalnum((unsigned char)text.bytes[i]))
			i++;
		if (i > start)
			text.words[text.nr_words++] = (struct word){
				text.bytes + start, i - start
			};
	}
}

const struct text *text_read(void)
{
	glob_t found;
	size_t i;

	require(!glob(TEXT_FOLDER "/*.rst", 0, NULL, &found));
	for (i = 0; i < found.gl_pathc; i++)
		append(found.gl_pathv[i]);
	globfree(&found);
	split();
	require(text.nr_words > 1000);
	return &text;
}
