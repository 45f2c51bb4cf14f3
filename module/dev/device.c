// SPDX-License-Identifier: GPL-2.0
/*
 * The device: every open() makes a heap, the last fput() ends it.
 *
 * What an open makes is a struct goheap_file with all that takes locks which
 * must not be taken under the mmap lock: the collector thread, the entry in the
 * CPU hotplug list, the folder in sysfs. The heap itself waits for its first
 * use, so that GOHEAP_IOC_SETUP can still give it parameters; the first use may
 * be an mmap(), and making a heap needs nothing but memory.
 *
 * Lifetime. Descriptors and user mappings hold the struct file, and with it the
 * module. A command runs with the file held, so at release there is no mapping,
 * no attachment, no handle stack and nobody who waits for the collector. Release
 * goes backwards: nobody finds the heap in sysfs, no CPU flushes it, the kernel
 * asks it for no memory, the thread has ended, which is the last to wake the
 * scavenger, so that has, and only then the heap goes.
 *
 * A reader is another file of the same heap, open for reading alone. It holds the
 * first one, and cannot be opened anew for writing, so it can be given to whom one
 * does not trust.
 *
 * Tags. Two heaps get different tags as long as there are tags, so that a
 * reference of one heap is not taken for one of the other; where a reference
 * points is checked in any case.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/memcontrol.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/mm.h>

#include "copy.h"
#include "cpuhp.h"
#include "device.h"
#include "inode.h"
#include "mutator.h"
#include "ioctl.h"
#include "map.h"
#include "scavenger.h"
#include "sysfs.h"

/*
 * Tags are no upper half of an address of a kernel or of a program, and no
 * small number with either sign.
 */
#define TAG_FIRST	0x8100
#define TAG_LAST	0xbeff
#define NR_TAGS		(TAG_LAST - TAG_FIRST + 1)

#define DEFAULT_ASPACE_MIN	(64ULL << 30)

/*
 * A heap costs a thread and a folder in sysfs, which no limit of a user or a
 * cgroup counts.
 */
static int max_heaps = 1024;
module_param(max_heaps, int, 0644);
MODULE_PARM_DESC(max_heaps, "most heaps open at a time (1024)");

static DEFINE_IDA(goheap_ids);

/* Bit n: tag TAG_FIRST + n belongs to a heap. */
static DECLARE_BITMAP(goheap_tags, NR_TAGS);

/**
 * goheap_file_of() - the file that a heap belongs to
 * @heap: heap in use
 *
 * Return: the file.
 */
struct goheap_file *goheap_file_of(struct gh_heap *heap)
{
	return heap->port;
}

/**
 * goheap_default_aspace() - heap addresses of a heap that asks for none
 *
 * Addresses cost tables of 1/8192 of a byte each, so there may be many more
 * than there can be memory: a heap needs room for large objects in spite of
 * fragmentation.
 *
 * Return: bytes, a power of two.
 */
u64 goheap_default_aspace(void)
{
	u64 ram = (u64)totalram_pages() << PAGE_SHIFT;

	return clamp_t(u64, roundup_pow_of_two(4 * ram), DEFAULT_ASPACE_MIN,
		       GH_MAX_ASPACE);
}

/**
 * goheap_aspace() - heap addresses that a heap has or would get
 * @gf: file
 *
 * Context: may sleep; the mmap lock may be held.
 * Return: bytes.
 */
u64 goheap_aspace(struct goheap_file *gf)
{
	struct gh_heap *heap = goheap_heap(gf);
	u64 aspace;

	if (heap)
		return heap->aspace;
	mutex_lock(&gf->lock);
	aspace = gf->aspace;
	mutex_unlock(&gf->lock);
	return aspace;
}

static struct gh_heap *make_heap(struct goheap_file *gf)
{
	const struct gh_config cfg = {
		.aspace = gf->aspace,
		.tag = gf->tag,
		.max_heap = gf->params[GOHEAP_PARAM_MAX_HEAP],
		.port = gf,
	};
	struct gh_heap *heap;

	lockdep_assert_held(&gf->lock);
	heap = gh_heap_create(&cfg);
	if (IS_ERR(heap))
		return heap;
	goheap_params_apply(gf, heap);
	return heap;
}

/**
 * goheap_use() - the heap, made if this is its first use
 * @gf: file
 *
 * Context: may sleep; the mmap lock may be held.
 * Return: the heap or ERR_PTR(-ENOMEM).
 */
struct gh_heap *goheap_use(struct goheap_file *gf)
{
	struct gh_heap *heap = goheap_heap(gf);
	struct mem_cgroup *old;

	if (heap)
		return heap;
	mutex_lock(&gf->lock);
	heap = gf->heap;
	if (!heap) {
		old = set_active_memcg(gf->memcg);
		heap = make_heap(gf);
		set_active_memcg(old);
		if (!IS_ERR(heap))
			/* Pairs with the load in goheap_heap(). */
			smp_store_release(&gf->heap, heap);
	}
	mutex_unlock(&gf->lock);
	return heap;
}

static void destroy_heap(struct goheap_file *gf)
{
	if (gf->heap)
		gh_heap_destroy(gf->heap);
}

/* Take a tag at random; share it if all are taken. */
static void get_tag(struct goheap_file *gf)
{
	u32 start = (u64)get_random_u32() * NR_TAGS >> 32;
	u32 bit;

	do {
		bit = find_next_zero_bit(goheap_tags, NR_TAGS, start);
		if (bit >= NR_TAGS)
			bit = find_first_zero_bit(goheap_tags, NR_TAGS);
		gf->tag_reserved = bit < NR_TAGS;
		if (!gf->tag_reserved)
			bit = start;
	} while (gf->tag_reserved && test_and_set_bit(bit, goheap_tags));
	gf->tag = TAG_FIRST + bit;
}

static void put_tag(struct goheap_file *gf)
{
	if (gf->tag_reserved)
		clear_bit(gf->tag - TAG_FIRST, goheap_tags);
}

/* The members that cannot fail. */
static void init_file(struct goheap_file *gf)
{
	mutex_init(&gf->lock);
	mutex_init(&gf->attach_lock);
	hash_init(gf->attachments);
	goheap_mutators_init(gf);
	goheap_worker_init(gf);
	goheap_cgroup_init(gf);
	goheap_helpers_init_file(gf);
	goheap_memcg_init(gf);
	INIT_LIST_HEAD(&gf->node);
	gf->aspace = goheap_default_aspace();
	gf->owner = current_fsuid();
	gf->group = current_fsgid();
	goheap_params_init(gf);
}

/* Names of the heap: number, inode, tag. */
static int get_names(struct goheap_file *gf)
{
	int err;

	err = ida_alloc_range(&goheap_ids, 1, max_t(int, max_heaps, 1),
			      GFP_KERNEL);
	if (err < 0)
		return err;
	gf->id = err;
	gf->inode = goheap_inode_new();
	if (IS_ERR(gf->inode)) {
		ida_free(&goheap_ids, gf->id);
		return PTR_ERR(gf->inode);
	}
	get_tag(gf);
	return 0;
}

static void put_names(struct goheap_file *gf)
{
	put_tag(gf);
	goheap_inode_free(gf->inode);
	ida_free(&goheap_ids, gf->id);
}

/**
 * goheap_file_new() - make a file without anything that runs or shows it
 *
 * Context: may sleep; no lock held. The cgroup of current will pay.
 * Return: the file or ERR_PTR().
 */
struct goheap_file *goheap_file_new(void)
{
	struct goheap_file *gf = kzalloc(sizeof(*gf), GFP_KERNEL_ACCOUNT);
	int err;

	if (!gf)
		return ERR_PTR(-ENOMEM);
	init_file(gf);
	gf->status = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!gf->status) {
		kfree(gf);
		return ERR_PTR(-ENOMEM);
	}
	gf->memcg = get_mem_cgroup_from_mm(current->mm);
	err = get_names(gf);
	if (err) {
		mem_cgroup_put(gf->memcg);
		free_page((unsigned long)gf->status);
		kfree(gf);
		return ERR_PTR(err);
	}
	return gf;
}

/**
 * goheap_file_free() - free a file and its heap
 * @gf: file that nobody uses any more
 *
 * Context: may sleep; no lock held.
 */
void goheap_file_free(struct goheap_file *gf)
{
	WARN_ON_ONCE(!hash_empty(gf->attachments));
	goheap_mutators_reap(gf);
	goheap_memcg_stop(gf);
	destroy_heap(gf);
	goheap_copy_free(gf->copy);
	put_names(gf);
	mem_cgroup_put(gf->memcg);
	free_page((unsigned long)gf->status);
	kfree(gf);
}

static int goheap_open(struct inode *inode, struct file *file)
{
	struct goheap_file *gf = goheap_file_new();
	int err;

	if (IS_ERR(gf))
		return PTR_ERR(gf);
	goheap_scavenger_start(gf);
	err = goheap_worker_start(gf);
	if (err)
		goto free_file;
	err = goheap_shrinker_add(gf);
	if (err)
		goto stop_worker;
	err = goheap_cpuhp_add(gf);
	if (err)
		goto remove_shrinker;
	err = goheap_sysfs_add(gf);
	if (err)
		goto remove_cpuhp;

	gf->file = file;
	file->private_data = gf;
	file->f_mapping = gf->inode->i_mapping;
	return nonseekable_open(inode, file);

remove_cpuhp:
	goheap_cpuhp_remove(gf);
remove_shrinker:
	goheap_shrinker_remove(gf);
stop_worker:
	goheap_worker_stop(gf);
free_file:
	goheap_file_free(gf);
	return err;
}

static int goheap_release(struct inode *inode, struct file *file)
{
	struct goheap_file *gf = file->private_data;

	goheap_sysfs_remove(gf);
	goheap_cpuhp_remove(gf);
	goheap_shrinker_remove(gf);
	goheap_worker_stop(gf);
	goheap_scavenger_stop(gf);
	goheap_file_free(gf);
	return 0;
}

static const struct file_operations goheap_fops = {
	.owner = THIS_MODULE,
	.open = goheap_open,
	.release = goheap_release,
	.unlocked_ioctl = goheap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = goheap_mmap,
};

static int goheap_release_reader(struct inode *inode, struct file *file)
{
	struct goheap_file *gf = file->private_data;

	fput(gf->file);
	return 0;
}

static const struct file_operations goheap_reader_fops = {
	.owner = THIS_MODULE,
	.release = goheap_release_reader,
	.unlocked_ioctl = goheap_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = goheap_mmap,
};

/**
 * goheap_reader_new() - make a file that can only read a heap
 * @gf: file of the heap
 *
 * Context: may sleep; no lock held.
 * Return: the file, or ERR_PTR of -ENFILE or -ENOMEM.
 */
struct file *goheap_reader_new(struct goheap_file *gf)
{
	struct file *file = anon_inode_getfile("[goheap]", &goheap_reader_fops,
					       gf, O_RDONLY);

	if (IS_ERR(file))
		return file;
	get_file(gf->file);
	file->f_mapping = gf->inode->i_mapping;
	return file;
}

static struct miscdevice goheap_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "goheap",
	.fops = &goheap_fops,
	.mode = 0666,
};

/**
 * goheap_device_init() - let programs open heaps
 *
 * Return: 0 or -errno.
 */
int goheap_device_init(void)
{
	return misc_register(&goheap_misc);
}

/**
 * goheap_device_exit() - undo goheap_device_init(); no heap is left
 */
void goheap_device_exit(void)
{
	misc_deregister(&goheap_misc);
	ida_destroy(&goheap_ids);
}
