// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program that any compiler for C or C++ must accept; it is not run.
 */
#include <libgoheap.h>

struct pair {
	goheap_ref left;
	goheap_ref right[2];
};

int main(void)
{
	struct goheap *h = goheap_open(0);
	int layout = GOHEAP_LAYOUT(h, struct pair, left, right);
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref ref = goheap_new(h, layout, sizeof(struct pair));
	struct pair *pair = (struct pair *)goheap_ptr(h, ref);
	struct goheap_object object;

	goheap_store(h, &pair->left, goheap_ref_of(h, pair));
	goheap_frame_end(h, frame);
	if (goheap_object(h, goheap_load(h, &pair->left), &object))
		return 1;
	goheap_close(h);
	return 0;
}
