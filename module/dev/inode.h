/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_INODE_H
#define GOHEAP_INODE_H

struct inode;

struct inode *goheap_inode_new(void);
void goheap_inode_free(struct inode *inode);

#endif /* GOHEAP_INODE_H */
