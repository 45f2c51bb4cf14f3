/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_IOCTL_H
#define GOHEAP_IOCTL_H

#include <linux/types.h>

struct file;
struct goheap_file;

long goheap_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/*
 * Handlers. @arg is the command's structure in kernel memory, extended with
 * zeroes or known to be followed by zeroes, and is written back on success. The
 * dispatcher has checked the size and the right to write, a handler checks the
 * rest. No lock is held. One that makes a descriptor returns the file, and a number
 * that is reserved for it.
 */

/* cmd_config.c */
int goheap_cmd_info(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_setup(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_param(struct goheap_file *gf, void *arg, bool may_write);
struct file *goheap_cmd_reader(struct goheap_file *gf, void *arg, int *fd);

/* cmd_object.c */
int goheap_cmd_layout(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_alloc(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_object(struct goheap_file *gf, void *arg, bool may_write);

/* cmd_roots.c */
int goheap_cmd_root_add(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_root_set(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_root_remove(struct goheap_file *gf, void *arg, bool may_write);

/* cmd_collect.c */
int goheap_cmd_collect(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_stats(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_cycle(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_free_os_memory(struct goheap_file *gf, void *arg,
			      bool may_write);

/* cmd_mutator.c */
int goheap_cmd_refill(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_barrier(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_range_add(struct goheap_file *gf, void *arg, bool may_write);
int goheap_cmd_range_remove(struct goheap_file *gf, void *arg, bool may_write);

#endif /* GOHEAP_IOCTL_H */
