/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text files, in ordinary memory.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>

/**
 * struct text - a file
 * @name: its path
 * @data: its bytes
 * @length: how many
 */
struct text {
	char *name;
	char *data;
	size_t length;
};

/**
 * struct texts - all files
 * @list: in the order in which they are indexed
 * @nr: how many
 * @room: length of @list
 */
struct texts {
	struct text *list;
	size_t nr;
	size_t room;
};

int texts_add(struct texts *texts, const char *path);
void texts_free(struct texts *texts);

#endif /* TEXTS_H */
