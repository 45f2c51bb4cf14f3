// SPDX-License-Identifier: GPL-2.0
/*
 * The texts: regular files named on the command line or found in folders, in
 * the order of their names. Symbolic links in folders are not followed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "texts.h"

static int complain(const char *path)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, path,
		strerror(errno));
	return -1;
}

/* All bytes of an open file. */
static char *read_all(FILE *file, size_t *length)
{
	size_t room = 65536;
	char *data = NULL;

	*length = 0;
	do {
		char *grown = realloc(data, room);

		if (!grown)
			break;
		data = grown;
		*length += fread(data + *length, 1, room - *length, file);
		if (*length < room && !ferror(file))
			return data;
		room *= 2;
	} while (!ferror(file));
	free(data);
	return NULL;
}

static int add_file(struct texts *texts, const char *path)
{
	struct text text = { 0 };
	FILE *file = fopen(path, "r");

	if (!file)
		return complain(path);
	text.data = read_all(file, &text.length);
	fclose(file);
	text.name = strdup(path);
	if (texts->nr == texts->room) {
		size_t room = texts->room ? 2 * texts->room : 64;
		struct text *list = realloc(texts->list, room * sizeof(*list));

		if (list) {
			texts->list = list;
			texts->room = room;
		}
	}
	if (!text.data || !text.name || texts->nr == texts->room) {
		complain(path);
		free(text.data);
		free(text.name);
		return -1;
	}
	texts->list[texts->nr++] = text;
	return 0;
}

/* By the bytes of the name, whatever the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct texts *texts, const char *folder, const char *name)
{
	struct stat st;
	char *path;
	int ret = 0;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return complain(folder);
	if (lstat(path, &st))
		ret = complain(path);
	else if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))
		ret = texts_add(texts, path);
	free(path);
	return ret;
}

static int add_folder(struct texts *texts, const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, compare_names);
	int ret = 0;

	if (n < 0)
		return complain(path);
	for (int i = 0; i < n; i++) {
		if (!ret)
			ret = add_entry(texts, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return ret;
}

/* Add a file, or all files in a folder and in those below it. */
int texts_add(struct texts *texts, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return complain(path);
	if (S_ISDIR(st.st_mode))
		return add_folder(texts, path);
	return add_file(texts, path);
}

void texts_free(struct texts *texts)
{
	for (size_t i = 0; i < texts->nr; i++) {
		free(texts->list[i].name);
		free(texts->list[i].data);
	}
	free(texts->list);
}
