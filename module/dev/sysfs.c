// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/goheap: a folder for each heap, named after its number, and one
 * named "total"; in each a tree of files, one metric per file.
 *
 *	/sys/kernel/goheap/7/gc/heap/live:bytes
 *	/sys/kernel/goheap/total/memory/classes/total:bytes
 *
 * Below "knobs" of a heap lie its parameters, which the user who has opened the
 * device may change, and nobody else but root; those files belong to that user.
 *
 * A metric's name is its path, so folders are kobjects below each other. The
 * kobjects are the driver core's own (kobject_create_and_add()), because they
 * have nothing to carry: a file finds its folder through the attribute, which
 * each struct goheap_dir has its own array of. Only "knobs" knows whose it is,
 * since sysfs asks the folder for the owner of its files.
 *
 * Lifetime. kobject_del() waits for every reader of a file below and lets no new
 * one in, so a struct goheap_dir may be freed after it, and its file may go.
 *
 * Locking. goheap_sysfs_lock protects the list of all heaps and the sum of those
 * that have ended; a heap moves from one to the other in one step, so that
 * cumulative totals never fall. It is not held while a folder is removed, whose
 * readers may be waiting for it.
 */
#include "gh_internal.h"

#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "device.h"
#include "metrics.h"
#include "sysfs.h"

/**
 * struct goheap_attr - a file
 * @attr: what sysfs knows
 * @dir: what it belongs to
 */
struct goheap_attr {
	struct kobj_attribute attr;
	struct goheap_dir *dir;
};

/**
 * struct goheap_knob - the file of a parameter
 * @attr: what sysfs knows
 * @gf: heap
 * @id: enum goheap_param_id
 */
struct goheap_knob {
	struct kobj_attribute attr;
	struct goheap_file *gf;
	u32 id;
};

/**
 * struct goheap_dir - the folder of a heap, or "total"
 * @gf: heap, NULL for "total"
 * @folders: by enum goheap_folder; NULL from the first that is missing
 * @attrs: in the order of goheap_metrics
 * @knobs: by enum goheap_param_id
 */
struct goheap_dir {
	struct goheap_file *gf;
	struct kobject *folders[GOHEAP_NR_FOLDERS];
	struct goheap_attr attrs[GOHEAP_NR_METRICS];
	struct goheap_knob knobs[GOHEAP_NR_PARAMS];
};

static const struct {
	const char *name;
	u8 parent;
} folders[GOHEAP_NR_FOLDERS] = {
	[GOHEAP_FOLDER_GC] = { "gc", GOHEAP_FOLDER_TOP },
	[GOHEAP_FOLDER_GC_CYCLES] = { "cycles", GOHEAP_FOLDER_GC },
	[GOHEAP_FOLDER_GC_HEAP] = { "heap", GOHEAP_FOLDER_GC },
	[GOHEAP_FOLDER_GC_TINY] = { "tiny", GOHEAP_FOLDER_GC_HEAP },
	[GOHEAP_FOLDER_GC_SCAN] = { "scan", GOHEAP_FOLDER_GC },
	[GOHEAP_FOLDER_GC_TIMES] = { "handshake-times", GOHEAP_FOLDER_GC },
	[GOHEAP_FOLDER_MEMORY] = { "memory", GOHEAP_FOLDER_TOP },
	[GOHEAP_FOLDER_CLASSES] = { "classes", GOHEAP_FOLDER_MEMORY },
	[GOHEAP_FOLDER_HEAP] = { "heap", GOHEAP_FOLDER_CLASSES },
	[GOHEAP_FOLDER_METADATA] = { "metadata", GOHEAP_FOLDER_CLASSES },
	[GOHEAP_FOLDER_MCACHE] = { "mcache", GOHEAP_FOLDER_METADATA },
	[GOHEAP_FOLDER_MSPAN] = { "mspan", GOHEAP_FOLDER_METADATA },
	[GOHEAP_FOLDER_SCHED] = { "sched", GOHEAP_FOLDER_TOP },
	[GOHEAP_FOLDER_CPU] = { "cpu", GOHEAP_FOLDER_TOP },
	[GOHEAP_FOLDER_CPU_CLASSES] = { "classes", GOHEAP_FOLDER_CPU },
	[GOHEAP_FOLDER_SCAVENGE] = { "scavenge", GOHEAP_FOLDER_CPU_CLASSES },
	[GOHEAP_FOLDER_KNOBS] = { "knobs", GOHEAP_FOLDER_TOP },
};

static DEFINE_MUTEX(goheap_sysfs_lock);
static LIST_HEAD(goheap_files);
static struct goheap_view goheap_dead;

static struct kobject *goheap_kobj;
static struct goheap_dir *goheap_total;

/* Sum over the living and the dead; @scratch is for the view of one heap. */
static void read_total(struct goheap_view *v, struct goheap_view *scratch)
{
	struct goheap_file *gf;

	mutex_lock(&goheap_sysfs_lock);
	*v = goheap_dead;
	list_for_each_entry(gf, &goheap_files, node) {
		goheap_view_read(gf, scratch);
		goheap_view_add(v, scratch);
	}
	mutex_unlock(&goheap_sysfs_lock);
}

static ssize_t show(struct kobject *kobj, struct kobj_attribute *kattr,
		    char *buf)
{
	struct goheap_attr *a = container_of(kattr, struct goheap_attr, attr);
	const struct goheap_metric *m = &goheap_metrics[a - a->dir->attrs];
	struct goheap_view *views;
	ssize_t len;

	views = kmalloc_array(2, sizeof(*views), GFP_KERNEL);
	if (!views)
		return -ENOMEM;
	if (a->dir->gf)
		goheap_view_read(a->dir->gf, views);
	else
		read_total(&views[0], &views[1]);
	len = sysfs_emit(buf, "%lld\n", goheap_metric_value(m, views));
	kfree(views);
	return len;
}

static ssize_t show_knob(struct kobject *kobj, struct kobj_attribute *kattr,
			 char *buf)
{
	struct goheap_knob *k = container_of(kattr, struct goheap_knob, attr);

	return sysfs_emit(buf, "%lld\n", READ_ONCE(k->gf->params[k->id]));
}

static ssize_t store_knob(struct kobject *kobj, struct kobj_attribute *kattr,
			  const char *buf, size_t len)
{
	struct goheap_knob *k = container_of(kattr, struct goheap_knob, attr);
	s64 value, old;
	int err;

	err = goheap_param_parse(k->id, buf, &value);
	if (!err)
		err = goheap_param_set(k->gf, k->id, value, &old);
	return err ?: len;
}

/**
 * struct goheap_knobs - the folder of the knobs
 * @kobj: what sysfs knows
 * @owner: user whose files are in it
 * @group: their group
 */
struct goheap_knobs {
	struct kobject kobj;
	kuid_t owner;
	kgid_t group;
};

static void release_knobs(struct kobject *kobj)
{
	kfree(container_of(kobj, struct goheap_knobs, kobj));
}

static void own_knobs(GOHEAP_OWNED struct kobject *kobj, kuid_t *owner,
		      kgid_t *group)
{
	const struct goheap_knobs *k =
		container_of(kobj, struct goheap_knobs, kobj);

	*owner = k->owner;
	*group = k->group;
}

static const struct kobj_type knobs_type = {
	.release = release_knobs,
	.sysfs_ops = &kobj_sysfs_ops,
	.get_ownership = own_knobs,
};

static struct kobject *add_knobs_folder(struct goheap_file *gf,
					struct kobject *parent,
					const char *name)
{
	struct goheap_knobs *k = kzalloc(sizeof(*k), GFP_KERNEL_ACCOUNT);

	if (!k)
		return NULL;
	k->owner = gf->owner;
	k->group = gf->group;
	if (kobject_init_and_add(&k->kobj, &knobs_type, parent, "%s", name)) {
		kobject_put(&k->kobj);
		return NULL;
	}
	return &k->kobj;
}

static struct kobject *add_folder(struct goheap_dir *dir, int i)
{
	struct kobject *parent = dir->folders[folders[i].parent];

	if (i == GOHEAP_FOLDER_KNOBS)
		return add_knobs_folder(dir->gf, parent, folders[i].name);
	return kobject_create_and_add(folders[i].name, parent);
}

/* Files first made go with their folders, the innermost first. */
static void remove_dir(struct goheap_dir *dir)
{
	int i;

	for (i = GOHEAP_NR_FOLDERS - 1; i >= 0; i--) {
		if (!dir->folders[i])
			continue;
		kobject_del(dir->folders[i]);
		kobject_put(dir->folders[i]);
	}
	kfree(dir);
}

static int add_folders(struct goheap_dir *dir, const char *name)
{
	int i;

	dir->folders[GOHEAP_FOLDER_TOP] =
		kobject_create_and_add(name, goheap_kobj);
	if (!dir->folders[GOHEAP_FOLDER_TOP])
		return -ENOMEM;
	for (i = GOHEAP_FOLDER_TOP + 1; i < GOHEAP_NR_FOLDERS; i++) {
		if (!dir->gf && i == GOHEAP_FOLDER_KNOBS)
			continue;
		dir->folders[i] = add_folder(dir, i);
		if (!dir->folders[i])
			return -ENOMEM;
	}
	return 0;
}

static int add_files(struct goheap_dir *dir)
{
	int i, err;

	for (i = 0; i < GOHEAP_NR_METRICS; i++) {
		const struct goheap_metric *m = &goheap_metrics[i];
		struct goheap_attr *a = &dir->attrs[i];

		if (!dir->gf && !m->summed)
			continue;
		a->dir = dir;
		sysfs_attr_init(&a->attr.attr);
		a->attr.attr.name = m->name;
		a->attr.attr.mode = 0444;
		a->attr.show = show;
		err = sysfs_create_file(dir->folders[m->folder],
					&a->attr.attr);
		if (err)
			return err;
	}
	return 0;
}

static int add_knob(struct goheap_dir *dir, u32 id)
{
	struct kobject *folder = dir->folders[GOHEAP_FOLDER_KNOBS];
	struct goheap_knob *k = &dir->knobs[id];

	k->gf = dir->gf;
	k->id = id;
	sysfs_attr_init(&k->attr.attr);
	k->attr.attr.name = goheap_params[id].name;
	k->attr.attr.mode = 0644;
	k->attr.show = show_knob;
	k->attr.store = store_knob;
	return sysfs_create_file(folder, &k->attr.attr);
}

static int add_knobs(struct goheap_dir *dir)
{
	int err = 0;
	u32 id;

	for (id = 0; !err && dir->gf && id < GOHEAP_NR_PARAMS; id++)
		err = add_knob(dir, id);
	return err;
}

static struct goheap_dir *add_dir(const char *name, struct goheap_file *gf)
{
	struct goheap_dir *dir;
	int err;

	dir = kzalloc(sizeof(*dir), GFP_KERNEL_ACCOUNT);
	if (!dir)
		return ERR_PTR(-ENOMEM);
	dir->gf = gf;
	err = add_folders(dir, name);
	if (!err)
		err = add_files(dir);
	if (!err)
		err = add_knobs(dir);
	if (err) {
		remove_dir(dir);
		return ERR_PTR(err);
	}
	return dir;
}

/**
 * goheap_sysfs_add() - make the folder of a heap
 * @gf: file, complete but for this
 *
 * Context: may sleep; no lock held.
 * Return: 0 or -errno.
 */
int goheap_sysfs_add(struct goheap_file *gf)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", gf->id);
	gf->dir = add_dir(name, gf);
	if (IS_ERR(gf->dir))
		return PTR_ERR(gf->dir);
	mutex_lock(&goheap_sysfs_lock);
	list_add_tail(&gf->node, &goheap_files);
	mutex_unlock(&goheap_sysfs_lock);
	return 0;
}

/**
 * goheap_sysfs_shortage() - wake who polls the number of shortages
 * @gf: file
 *
 * Context: may sleep.
 */
void goheap_sysfs_shortage(struct goheap_file *gf)
{
	/* The heaps of unit tests have no folder. */
	if (gf->dir)
		sysfs_notify(gf->dir->folders[GOHEAP_FOLDER_MEMORY], NULL,
			     "shortages:allocations");
}

/**
 * goheap_sysfs_remove() - undo goheap_sysfs_add()
 * @gf: file, nothing of it freed yet
 *
 * Context: may sleep; no lock held.
 */
void goheap_sysfs_remove(struct goheap_file *gf)
{
	/* Protected by goheap_sysfs_lock; there is no way to fail here. */
	static struct goheap_view last;

	remove_dir(gf->dir);
	mutex_lock(&goheap_sysfs_lock);
	list_del(&gf->node);
	goheap_view_read(gf, &last);
	goheap_view_bury(&goheap_dead, &last);
	mutex_unlock(&goheap_sysfs_lock);
}

/**
 * goheap_sysfs_init() - make /sys/kernel/goheap
 *
 * Return: 0 or -errno.
 */
int goheap_sysfs_init(void)
{
	goheap_kobj = kobject_create_and_add("goheap", kernel_kobj);
	if (!goheap_kobj)
		return -ENOMEM;
	goheap_total = add_dir("total", NULL);
	if (IS_ERR(goheap_total)) {
		kobject_put(goheap_kobj);
		return PTR_ERR(goheap_total);
	}
	return 0;
}

/**
 * goheap_sysfs_exit() - undo goheap_sysfs_init(); no heap is left
 */
void goheap_sysfs_exit(void)
{
	remove_dir(goheap_total);
	kobject_del(goheap_kobj);
	kobject_put(goheap_kobj);
}
