// SPDX-License-Identifier: GPL-2.0
/*
 * A private inode for each heap.
 *
 * unmap_mapping_range() is the one exported way to take pages out of every user
 * mapping. It works on an address_space, and all opens of a device node share
 * the node's. So each heap gets an inode of a pseudo filesystem that nobody can
 * mount, and its files use that inode's mapping; no page is ever put into it.
 *
 * The filesystem's internal mount exists while there is an inode. It holds a
 * reference to the module, as every open file does.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "inode.h"

#define GOHEAP_FS_MAGIC		0x476f4870	/* "GoHp" */

static int init_context(struct fs_context *fc)
{
	return init_pseudo(fc, GOHEAP_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type goheap_fs = {
	.owner = THIS_MODULE,
	.name = "goheap",
	.init_fs_context = init_context,
	.kill_sb = kill_anon_super,
};

/* The mount and how many inodes there are; simple_pin_fs() has the lock. */
static struct vfsmount *goheap_mount;
static int goheap_mount_count;

/**
 * goheap_inode_new() - make an inode
 *
 * Return: the inode or ERR_PTR().
 */
struct inode *goheap_inode_new(void)
{
	struct inode *inode;
	int err;

	err = simple_pin_fs(&goheap_fs, &goheap_mount, &goheap_mount_count);
	if (err)
		return ERR_PTR(err);
	inode = alloc_anon_inode(goheap_mount->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&goheap_mount, &goheap_mount_count);
	return inode;
}

/**
 * goheap_inode_free() - free an inode that no file and no mapping uses
 * @inode: inode of goheap_inode_new()
 */
void goheap_inode_free(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&goheap_mount, &goheap_mount_count);
}
