// SPDX-License-Identifier: GPL-2.0
/*
 * Dispatching of commands: one table, one way in and one way out.
 *
 * Every structure begins with its size as the program knows it. The structure is
 * copied in with copy_struct_from_user(), so that a shorter one is filled up
 * with zeroes and a longer one must end in zeroes, and on success as much as
 * both sides know is copied out. The smallest size is what is needed for the
 * command to make sense: for a question the first answer, for all others what
 * GOHEAP_ABI 1 has.
 *
 * The layout of every structure is fixed below, where the compiler sees it.
 * Nothing in them depends on the size of a pointer or on the alignment that a
 * 32-bit program gives to 64-bit members, so such programs need no translation.
 */
#include "gh_internal.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/goheap.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/* Structures up to this size live on the stack. */
#define SMALL_ARG	128

/**
 * struct goheap_cmd - one command
 * @cmd: number, as given to ioctl()
 * @size: size of the structure
 * @min_size: least size that a program may give
 * @changes: needs a file that is open for writing
 * @run: handler
 * @open: or the handler of a command that makes a descriptor
 */
struct goheap_cmd {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	bool changes;
	int (*run)(struct goheap_file *gf, void *arg, bool may_write);
	struct file *(*open)(struct goheap_file *gf, void *arg, int *fd);
};

#define CMD_OF(_nr, _struct, _last, _changes, ...)			\
	[GOHEAP_CMD_##_nr] = {						\
		.cmd = GOHEAP_IOC_##_nr,				\
		.size = sizeof(struct _struct),				\
		.min_size = offsetofend(struct _struct, _last),		\
		.changes = _changes,					\
		__VA_ARGS__						\
	}
#define CMD(_nr, _struct, _last, _changes, _run)			\
	CMD_OF(_nr, _struct, _last, _changes, .run = _run)
#define CMD_OPEN(_nr, _struct, _last, _changes, _open)			\
	CMD_OF(_nr, _struct, _last, _changes, .open = _open)

static const struct goheap_cmd goheap_cmds[] = {
	CMD(INFO, goheap_info, abi, false, goheap_cmd_info),
	CMD(SETUP, goheap_setup, max_heap, true, goheap_cmd_setup),
	CMD(LAYOUT, goheap_layout, mask, true, goheap_cmd_layout),
	CMD(ALLOC, goheap_alloc, cycles, true, goheap_cmd_alloc),
	CMD(OBJECT, goheap_object, reserved, false, goheap_cmd_object),
	CMD(ROOT_ADD, goheap_roots, ids, true, goheap_cmd_root_add),
	CMD(ROOT_SET, goheap_roots, ids, true, goheap_cmd_root_set),
	CMD(ROOT_REMOVE, goheap_roots, ids, true, goheap_cmd_root_remove),
	CMD(COLLECT, goheap_collect, reserved, true, goheap_cmd_collect),
	/* Writing is checked by the handler: reading a parameter is none. */
	CMD(PARAM, goheap_param, old, false, goheap_cmd_param),
	CMD(STATS, goheap_stats, alloc, false, goheap_cmd_stats),
	CMD(CYCLE, goheap_cycle, start_ns, false, goheap_cmd_cycle),
	CMD(FREE_OS_MEMORY, goheap_free_os_memory, released, true,
	    goheap_cmd_free_os_memory),
	CMD(REFILL, goheap_refill, generation, true, goheap_cmd_refill),
	CMD(BARRIER, goheap_barrier, refs, true, goheap_cmd_barrier),
	CMD(RANGE_ADD, goheap_range, bytes, true, goheap_cmd_range_add),
	CMD(RANGE_REMOVE, goheap_range, bytes, true,
	    goheap_cmd_range_remove),
	CMD_OPEN(READER, goheap_reader, reserved, false, goheap_cmd_reader),
};

/* The last 64-bit member of a structure, and what comes behind it. */
#define CHECK(_struct, _size, _member, _offset) do {			\
	BUILD_BUG_ON(sizeof(struct _struct) != (_size));		\
	BUILD_BUG_ON(offsetof(struct _struct, _member) != (_offset));	\
	BUILD_BUG_ON(__alignof__(struct _struct) != 8 &&		\
		     __alignof__(struct _struct) != 4);			\
	BUILD_BUG_ON(offsetof(struct _struct, size) != 0);		\
} while (0)

/* Sizes and offsets that programs are compiled with; never to be changed. */
static void check_structures(void)
{
	CHECK(goheap_info, 72, max_object_size, 48);
	CHECK(goheap_setup, 24, max_heap, 16);
	CHECK(goheap_layout, 32, mask, 24);
	CHECK(goheap_alloc, 40, refs, 24);
	CHECK(goheap_object, 40, bytes, 24);
	CHECK(goheap_roots, 32, ids, 24);
	CHECK(goheap_collect, 16, cycles, 8);
	CHECK(goheap_param, 32, old, 24);
	CHECK(goheap_stats, 8 + 39 * 8 + GOHEAP_NR_SIZE_CLASSES * 24,
	      by_class, 8 + 28 * 8);
	CHECK(goheap_cycle, 152, global_bytes, 104);
	CHECK(goheap_free_os_memory, 16, released, 8);
	CHECK(goheap_refill, 40, generation, 32);
	CHECK(goheap_barrier, 24, refs, 16);
	CHECK(goheap_range, 32, bytes, 24);
	CHECK(goheap_reader, 16, reserved, 12);
	BUILD_BUG_ON(sizeof(struct goheap_lease) != 24);
}

static int copy_out(const struct goheap_cmd *c, void __user *uarg, u32 usize,
		    void *arg)
{
	/* The caller's size stays what it is. */
	*(u32 *)arg = usize;
	return copy_to_user(uarg, arg, min(usize, c->size)) ? -EFAULT : 0;
}

/* A program that does not learn of a descriptor does not get it either. */
static int run_open(const struct goheap_cmd *c, struct goheap_file *gf,
		    void __user *uarg, u32 usize, void *arg)
{
	struct file *made;
	int fd, err;

	made = c->open(gf, arg, &fd);
	if (IS_ERR(made))
		return PTR_ERR(made);
	err = copy_out(c, uarg, usize, arg);
	if (err) {
		put_unused_fd(fd);
		fput(made);
		return err;
	}
	fd_install(fd, made);
	return 0;
}

/* Copy in, run, copy out. */
static int run_cmd(const struct goheap_cmd *c, struct file *file,
		   void __user *uarg, u32 usize, void *arg)
{
	bool may_write = file->f_mode & FMODE_WRITE;
	int err;

	err = copy_struct_from_user(arg, c->size, uarg, usize);
	if (err)
		return err;
	if (c->changes && !may_write)
		return -EPERM;
	if (c->open)
		return run_open(c, file->private_data, uarg, usize, arg);
	err = c->run(file->private_data, arg, may_write);
	return err ? err : copy_out(c, uarg, usize, arg);
}

static const struct goheap_cmd *find_cmd(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (nr >= ARRAY_SIZE(goheap_cmds) || goheap_cmds[nr].cmd != cmd)
		return NULL;
	return &goheap_cmds[array_index_nospec(nr, ARRAY_SIZE(goheap_cmds))];
}

/**
 * goheap_ioctl() - run a command
 * @file: open file
 * @cmd: number
 * @uarg: user address of the command's structure
 *
 * Return: 0 or -errno, see <linux/goheap.h>.
 */
long goheap_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	const struct goheap_cmd *c = find_cmd(cmd);
	void __user *user = (void __user *)uarg;
	u64 small[SMALL_ARG / 8];
	void *arg = small;
	u32 usize;
	int err;

	check_structures();
	if (!c)
		return -ENOTTY;
	if (get_user(usize, (u32 __user *)user))
		return -EFAULT;
	if (usize < c->min_size)
		return -EINVAL;
	/* No structure will ever be larger; do not look at the rest. */
	if (usize > PAGE_SIZE)
		return -E2BIG;
	if (c->size > SMALL_ARG) {
		arg = kmalloc(c->size, GFP_KERNEL_ACCOUNT);
		if (!arg)
			return -ENOMEM;
	}
	err = run_cmd(c, file, user, usize, arg);
	if (arg != small)
		kfree(arg);
	return err;
}
