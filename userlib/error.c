// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Words for errors. Each thread remembers those of its last failure that had
 * more to say than its errno.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static __thread char text[160];
static __thread int text_errno;

/* Set errno and the words that go with it; -1 for the caller to return. */
int gh_error(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_errno = error;
	errno = error;
	return -1;
}

/* What malloc() has said, in words of its own: others may be left from before. */
int gh_no_memory(void)
{
	return gh_error(ENOMEM, "no memory for the library");
}

/* A line on stderr, in one write so that lines of threads do not mix. */
void gh_warn(const char *format, ...)
{
	char line[256];
	int saved = errno;
	va_list args;
	size_t length;

	strcpy(line, "goheap: ");
	length = strlen(line);
	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	strcat(line, "\n");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		errno = saved;
	errno = saved;
}

/**
 * goheap_error() - describe the calling thread's last failure
 *
 * To be called after a function of the library failed and before anything else
 * changes errno.
 *
 * Return: a text that is valid until the thread's next call of the library.
 */
const char *goheap_error(void)
{
	return text_errno && text_errno == errno ? text : strerror(errno);
}
