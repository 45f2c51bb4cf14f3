// SPDX-License-Identifier: GPL-2.0
/*
 * Reading what a process holds: its threads and its registered ranges.
 *
 * If one thread of a process is a mutator, and not a precise one, all threads of
 * its thread group are read, those that have not used the heap yet included: a
 * reference that is handed to a new thread is on that thread's stack from the
 * start, and who has handed it over may have dropped it before the new thread's
 * first call.
 *
 * Threads come and go meanwhile. One that is made by a thread that has been read
 * holds no more than that one did. One that is made by a thread that is still to
 * be read is found by looking again for threads that have been made since the
 * last look. A few looks are enough: what they could miss is a reference that is
 * handed on through as many generations of threads while the world is stopped.
 *
 * What is to be read is noted under goheap_file.attach_lock and read without it,
 * because that may need the mmap lock, under which others wait for attach_lock.
 * The world is stopped all the time, so that ranges do not change; windows and
 * mutators may, and are kept as they were.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "attach.h"
#include "device.h"
#include "mutator.h"
#include "process.h"
#include "thread.h"

/* Generations of threads. */
#define MAX_LOOKS	8

/* A thread has its start time so long, in ns, before others can find it. */
#define HIDDEN_NS	(100 * NSEC_PER_MSEC)

/**
 * struct look - threads of a process that have not used the heap
 * @task: threads, with a reference each
 * @nr: how many
 * @max: how many there is room for
 */
struct look {
	struct task_struct **task;
	u32 nr;
	u32 max;
};

/**
 * goheap_process_note() - note what is to be read of a process
 * @att: its attachment
 * @processes: list to add it to, if there is anything
 *
 * Context: gh_heap.world held for writing, attach_lock held.
 */
void goheap_process_note(struct goheap_attachment *att,
			 struct list_head *processes)
{
	struct goheap_mutator *mut;

	INIT_LIST_HEAD(&att->threads);
	list_for_each_entry(mut, &att->mutators, node) {
		if (mut->precise || !kref_get_unless_zero(&mut->ref))
			continue;
		mut->noted = true;
		list_add_tail(&mut->reading, &att->threads);
	}
	if (list_empty(&att->threads) && !att->ranges.nr)
		return;
	att->nr_seen = att->nr_windows;
	memcpy(att->seen, att->windows, sizeof(att->seen));
	kref_get(&att->ref);
	list_add_tail(&att->reading, processes);
}

/**
 * goheap_process_forget() - undo goheap_process_note()
 * @att: attachment; may be freed
 */
void goheap_process_forget(struct goheap_attachment *att)
{
	struct goheap_mutator *mut, *next;

	list_for_each_entry_safe(mut, next, &att->threads, reading) {
		mut->noted = false;
		goheap_mutator_put(mut);
	}
	goheap_attachment_put(att);
}

/* Is part of the range a mapping of the objects? Those are no variables. */
static bool in_window(const struct goheap_attachment *att,
		      const struct goheap_memory *r)
{
	unsigned int i;

	for (i = 0; i < att->nr_seen; i++)
		if (r->start < att->seen[i].base + att->seen[i].bytes &&
		    att->seen[i].base < r->end)
			return true;
	return false;
}

/* Read a thread, and take the time. */
static int read_thread(struct goheap_file *gf, struct goheap_attachment *att,
		       struct task_struct *task, unsigned long stack_hi,
		       struct gh_mark *m)
{
	u64 ns = ktime_get_ns();
	int err;

	err = goheap_thread_mark(gf->copy, att, task, stack_hi, m);
	ns = ktime_get_ns() - ns;
	WRITE_ONCE(gf->handshakes, gf->handshakes + 1);
	WRITE_ONCE(gf->handshake_total_ns, gf->handshake_total_ns + ns);
	if (ns > gf->handshake_max_ns)
		WRITE_ONCE(gf->handshake_max_ns, ns);
	return err;
}

static int read_mutators(struct goheap_file *gf, struct goheap_attachment *att,
			 struct gh_mark *m)
{
	struct goheap_mutator *mut;
	int err;

	list_for_each_entry(mut, &att->threads, reading) {
		err = read_thread(gf, att, mut->task, mut->stack_hi, m);
		if (err)
			return err;
	}
	return 0;
}

static void drop_look(struct look *l)
{
	while (l->nr)
		put_task_struct(l->task[--l->nr]);
	kvfree(l->task);
	l->task = NULL;
}

/* Note threads that started at @since or later; false if there is no room. */
static bool fill_look(struct goheap_file *gf, struct task_struct *leader,
		      struct look *l, u64 since)
{
	struct task_struct *t;
	bool fits = true;

	rcu_read_lock();
	for_each_thread(leader, t) {
		if (t->start_time < since || goheap_mutator_known(gf, t))
			continue;
		fits = l->nr < l->max;
		if (!fits)
			break;
		l->task[l->nr++] = get_task_struct(t);
	}
	rcu_read_unlock();
	return fits;
}

static int look_for_threads(struct goheap_file *gf, struct task_struct *leader,
			    struct look *l, u64 since)
{
	l->nr = 0;
	l->max = 16;
	for (;;) {
		l->max = max_t(u32, l->max * 2, get_nr_threads(leader));
		l->task = kvmalloc_array(l->max, sizeof(*l->task),
					 GFP_KERNEL_ACCOUNT);
		if (!l->task)
			return -ENOMEM;
		if (fill_look(gf, leader, l, since))
			return 0;
		drop_look(l);
	}
}

static int read_look(struct goheap_file *gf, struct goheap_attachment *att,
		     struct look *l, struct gh_mark *m)
{
	int err = 0;
	u32 i;

	for (i = 0; !err && i < l->nr; i++)
		err = read_thread(gf, att, l->task[i], 0, m);
	return err;
}

/* Has one of them started at @time or later? */
static bool started_since(const struct look *l, u64 time)
{
	u32 i;

	for (i = 0; i < l->nr; i++)
		if (l->task[i]->start_time >= time)
			return true;
	return false;
}

/* Read threads that are no mutators. */
static int read_others(struct goheap_file *gf, struct goheap_attachment *att,
		       struct gh_mark *m)
{
	struct goheap_mutator *first;
	u64 last = 0, now;
	bool again = true;
	struct look l;
	int looks, err = 0;

	if (list_empty(&att->threads))
		return 0;
	first = list_first_entry(&att->threads, struct goheap_mutator, reading);
	for (looks = 0; again && !err && looks < MAX_LOOKS; looks++) {
		now = ktime_get_ns();
		err = look_for_threads(gf, first->task, &l,
				       last > HIDDEN_NS ? last - HIDDEN_NS : 0);
		if (err)
			break;
		err = read_look(gf, att, &l, m);
		again = started_since(&l, last);
		drop_look(&l);
		last = now;
	}
	return err;
}

static int read_ranges(struct goheap_file *gf, struct goheap_attachment *att,
		       struct gh_mark *m)
{
	u32 i;

	for (i = 0; i < att->ranges.nr; i++) {
		const struct goheap_memory *r = &att->ranges.v[i];
		int err;

		if (in_window(att, r))
			continue;
		err = goheap_range_mark(gf->copy, att, r->start, r->end,
					r->stack, m);
		if (err)
			return err;
	}
	return 0;
}

static int read_all(struct goheap_file *gf, struct goheap_attachment *att,
		    struct gh_mark *m)
{
	int err;

	goheap_copy_process(gf->copy, att->mm);
	err = read_mutators(gf, att, m);
	if (!err)
		err = read_others(gf, att, m);
	if (!err)
		err = read_ranges(gf, att, m);
	return err;
}

/**
 * goheap_process_mark() - offer what a process holds to the marker
 * @gf: file
 * @att: attachment that has been noted
 * @m: marker
 *
 * Context: may sleep; a kernel thread; gh_heap.world held for writing,
 * attach_lock not.
 * Return: 0; -ETIMEDOUT, -ENOMEM or -EFBIG if it could not be read.
 */
int goheap_process_mark(struct goheap_file *gf, struct goheap_attachment *att,
			struct gh_mark *m)
{
	struct mem_cgroup *memcg, *old;
	int err;

	/* A process that is ending runs no program any more. */
	if (!mmget_not_zero(att->mm))
		return 0;
	/* What has to be brought in is the process's, and so is the bill. */
	memcg = get_mem_cgroup_from_mm(att->mm);
	old = set_active_memcg(memcg);
	kthread_use_mm(att->mm);
	err = read_all(gf, att, m);
	kthread_unuse_mm(att->mm);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	mmput_async(att->mm);
	return err;
}
