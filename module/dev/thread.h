/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_THREAD_H
#define GOHEAP_THREAD_H

struct gh_mark;
struct goheap_attachment;
struct goheap_copy;
struct goheap_mutator;

struct goheap_copy *goheap_copy_new(void);
void goheap_copy_free(struct goheap_copy *c);
int goheap_thread_mark(struct goheap_copy *c, struct goheap_attachment *att,
		       struct goheap_mutator *mut, struct gh_mark *m);
int goheap_range_mark(struct goheap_copy *c, struct goheap_attachment *att,
		      unsigned long start, unsigned long end, bool stack,
		      struct gh_mark *m);

#endif /* GOHEAP_THREAD_H */
