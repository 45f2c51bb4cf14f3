/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_PROCESS_H
#define GOHEAP_PROCESS_H

/* Looks for what has come since the last one: generations of threads. */
#define GOHEAP_MAX_LOOKS	8

struct gh_mark;
struct goheap_attachment;
struct goheap_file;
struct list_head;

bool goheap_process_note(struct goheap_file *gf, struct goheap_attachment *att,
			 struct list_head *processes);
int goheap_process_mark_data(struct goheap_file *gf,
			     struct goheap_attachment *att, struct gh_mark *m);
int goheap_process_mark_threads(struct goheap_file *gf,
				struct goheap_attachment *att,
				struct gh_mark *m);
void goheap_process_forget(struct goheap_attachment *att);

#endif /* GOHEAP_PROCESS_H */
