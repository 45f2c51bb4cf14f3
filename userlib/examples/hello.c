// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <libgoheap.h>

struct node {
	goheap_ref next;
	long value;
};

int main(void)
{
	struct goheap *h = goheap_open(0);
	int layout = h ? GOHEAP_LAYOUT(h, struct node, next) : -1;
	goheap_ref *list = layout >= 0 ? goheap_var(h, 0) : NULL;

	for (long i = 0; list && i < 3000000; i++) {
		goheap_frame frame = goheap_frame_begin(h);
		goheap_ref ref = goheap_new(h, layout, sizeof(struct node));
		struct node *node = goheap_ptr(h, ref);

		if (!node)
			return perror("goheap_new"), 1;
		node->value = i;
		/* Every 1000th begins a new list: the old one is garbage. */
		goheap_store(h, &node->next, i % 1000 ? *list : 0);
		goheap_store(h, list, ref);
		goheap_frame_end(h, frame);
	}
	if (!list)
		return perror("goheap"), 1;
	printf("last value: %ld\n",
	       ((struct node *)goheap_ptr(h, *list))->value);
	goheap_close(h);
	return 0;
}
