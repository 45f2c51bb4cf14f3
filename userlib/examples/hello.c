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
	goheap_ref list = 0;

	for (long i = 0; i < 3000000; i++) {
		goheap_ref ref = h ? goheap_new(h, layout, sizeof(struct node))
				   : 0;
		struct node *node = goheap_ptr(h, ref);

		if (!node)
			return perror("goheap"), 1;
		node->value = i;
		/* Every 1000th begins a new list: the old one is garbage. */
		goheap_store(h, &node->next, i % 1000 ? list : 0);
		list = ref;
	}
	printf("last value: %ld\n",
	       ((struct node *)goheap_ptr(h, list))->value);
	goheap_close(h);
	return 0;
}
