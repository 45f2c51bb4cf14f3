// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An example as a test: it checks itself, and says by its exit status what it has
 * found.
 */
#include <stdio.h>

/* What is main() in the example; see the Makefile. */
int example(int argc, char **argv);

int main(void)
{
	char name[] = "example";
	char *argv[] = { name, NULL };
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..1\n");
	status = example(1, argv);
	printf("%sok 1 - the example ends well\n", status ? "not " : "");
	return status;
}
