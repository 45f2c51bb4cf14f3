/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_SYSFS_H
#define GOHEAP_SYSFS_H

struct goheap_file;

int goheap_sysfs_init(void);
void goheap_sysfs_exit(void);
int goheap_sysfs_add(struct goheap_file *gf);
void goheap_sysfs_remove(struct goheap_file *gf);
void goheap_sysfs_shortage(struct goheap_file *gf);

#endif /* GOHEAP_SYSFS_H */
