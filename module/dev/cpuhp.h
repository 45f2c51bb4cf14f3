/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_CPUHP_H
#define GOHEAP_CPUHP_H

struct goheap_file;

int goheap_cpuhp_init(void);
void goheap_cpuhp_exit(void);
int goheap_cpuhp_add(struct goheap_file *gf);
void goheap_cpuhp_remove(struct goheap_file *gf);

#endif /* GOHEAP_CPUHP_H */
