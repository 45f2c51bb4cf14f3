// SPDX-License-Identifier: GPL-2.0
/*
 * Reading what a process holds: its roots, its registered ranges, its threads.
 *
 * If one thread of a process is a mutator, and not a precise one, all threads of
 * its thread group are read but precise mutators, those that have not used the heap
 * yet included: a reference that is handed to a new thread is on that thread's stack
 * from the start, and who has handed it over may have dropped it before the new
 * thread's first call.
 *
 * The process runs on. What it writes with the barrier - pinned handles, handle
 * stacks, variables - is read first, of all processes, and can be read at any
 * speed: what is stored there meanwhile is reported. Then threads are read, which
 * do not report what they do with their registers and stacks. A reference that a
 * thread takes from a variable, or from a handle stack that it unmaps, before
 * that has been read, is still in the thread when its turn comes.
 *
 * Threads come and go meanwhile. One that is made by a thread that has been read
 * holds no more than that one did. One that is made by a thread that is still to
 * be read is found by looking again for threads that have been made since the
 * last look. A few looks are enough: what they could miss is a reference that is
 * handed on through as many generations of threads while their process is read.
 *
 * So a thread that becomes a mutator after all threads of its group have been read
 * holds nothing that has to be looked for: it was one of them, or was made by one.
 *
 * Stacks that a program switches between by itself (GOHEAP_RANGE_STACK) are
 * written without the barrier, by whichever thread is on them, so they are read
 * together with the threads, and none may change its stack from the first to the
 * last: the control pages are taken away, which a thread has to touch before it
 * does that, and its page fault waits for goheap_attachment.switching. Only threads
 * of that process wait: it may be one that cannot be read.
 *
 * What is to be read is noted under goheap_file.attach_lock and read without it,
 * because that may need the mmap lock, under which others wait for attach_lock.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"

#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "attach.h"
#include "copy.h"
#include "device.h"
#include "mutator.h"
#include "process.h"
#include "stack.h"
#include "thread.h"
#include "trace.h"

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

/* A pointer is enough: att->group cannot be freed and used again. */
static bool group_read(struct goheap_attachment *att, struct task_struct *task)
{
	bool read;

	rcu_read_lock();
	read = att->group && att->group == task_tgid(task);
	rcu_read_unlock();
	return read;
}

static void note_threads(struct goheap_file *gf, struct goheap_attachment *att)
{
	struct goheap_mutator *mut;

	INIT_LIST_HEAD(&att->threads);
	list_for_each_entry(mut, &att->mutators, node) {
		if (mut->precise || mut->seen_cycle == gf->mark_cycle ||
		    group_read(att, mut->task) ||
		    !kref_get_unless_zero(&mut->ref))
			continue;
		mut->seen_cycle = gf->mark_cycle;
		list_add_tail(&mut->reading, &att->threads);
	}
}

static void note_stacks(struct goheap_attachment *att)
{
	struct goheap_stack_map *s;

	INIT_LIST_HEAD(&att->seen_stacks);
	if (!att->fresh)
		return;
	list_for_each_entry(s, &att->stacks, node) {
		kref_get(&s->ref);
		list_add_tail(&s->reading, &att->seen_stacks);
	}
}

/**
 * goheap_process_note() - note what is to be read of a process
 * @gf: file
 * @att: its attachment
 * @processes: list to add it to, if there is anything
 *
 * Only what has not been noted in this cycle before. What roots and stacks come
 * into being later is reported by who makes them.
 * Context: the collector; attach_lock held.
 * Return: true if it has been added.
 */
bool goheap_process_note(struct goheap_file *gf, struct goheap_attachment *att,
			 struct list_head *processes)
{
	lockdep_assert_held(&gf->attach_lock);
	att->fresh = att->seen_cycle != gf->mark_cycle;
	att->seen_cycle = gf->mark_cycle;
	if (att->fresh) {
		put_pid(att->group);
		att->group = NULL;
	}
	note_threads(gf, att);
	note_stacks(att);
	if (!att->fresh && list_empty(&att->threads))
		return false;
	kref_get(&att->ref);
	list_add_tail(&att->reading, processes);
	return true;
}

/**
 * goheap_process_forget() - undo goheap_process_note()
 * @att: attachment; may be freed
 *
 * Context: may sleep; attach_lock not held.
 */
void goheap_process_forget(struct goheap_attachment *att)
{
	struct goheap_mutator *mut, *next;
	struct goheap_stack_map *s, *next_stack;

	list_for_each_entry_safe(mut, next, &att->threads, reading)
		goheap_mutator_put(mut);
	list_for_each_entry_safe(s, next_stack, &att->seen_stacks, reading)
		goheap_stack_put(s);
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

/* Where a reading that took so long is counted. */
static u64 *handshake_bucket(struct goheap_file *gf, u64 ns)
{
	int nr = fls64(ns >> GOHEAP_BUCKET_SHIFT);

	return &gf->handshake_times[min(nr, GOHEAP_NR_BUCKETS - 1)];
}

/* Read a thread, and take the time. @mut: NULL if it is none. */
static int read_thread(struct goheap_file *gf, struct goheap_attachment *att,
		       struct task_struct *task,
		       const struct goheap_mutator *mut, struct gh_mark *m)
{
	u64 ns = ktime_get_ns(), bytes = m->root_bytes[GH_ROOT_STACK];
	u64 *bucket;
	int err;

	err = goheap_thread_mark(gf->copy, att, task, mut ? mut->stack_at : 0,
				 mut ? mut->stack_hi : 0, m);
	ns = ktime_get_ns() - ns;
	bucket = handshake_bucket(gf, ns);
	WRITE_ONCE(*bucket, *bucket + 1);
	WRITE_ONCE(gf->handshakes, gf->handshakes + 1);
	WRITE_ONCE(gf->handshake_total_ns, gf->handshake_total_ns + ns);
	if (ns > gf->handshake_max_ns)
		WRITE_ONCE(gf->handshake_max_ns, ns);
	trace_goheap_handshake(gf->id, task_pid_nr(task), ns,
			       m->root_bytes[GH_ROOT_STACK] - bytes);
	return err;
}

static int read_mutators(struct goheap_file *gf, struct goheap_attachment *att,
			 struct gh_mark *m)
{
	struct goheap_mutator *mut;
	int err;

	list_for_each_entry(mut, &att->threads, reading) {
		err = read_thread(gf, att, mut->task, mut, m);
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

/* Room for so many threads; it is worth waiting for. */
static int make_room(struct goheap_file *gf, struct look *l)
{
	u64 since = ktime_get_ns();
	u32 nth = 0;

	do {
		l->task = kvmalloc_array(l->max, sizeof(*l->task),
					 GFP_KERNEL_ACCOUNT);
	} while (!l->task &&
		 goheap_copy_again(gf->copy, ++nth, -ENOMEM, &since));
	return l->task ? 0 : -ENOMEM;
}

static int look_for_threads(struct goheap_file *gf, struct task_struct *leader,
			    struct look *l, u64 since)
{
	l->nr = 0;
	l->max = 16;
	for (;;) {
		l->max = max_t(u32, l->max * 2, get_nr_threads(leader));
		if (make_room(gf, l))
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
		err = read_thread(gf, att, l->task[i], NULL, m);
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

/* Read those of a thread group that are no mutators. */
static int read_group(struct goheap_file *gf, struct goheap_attachment *att,
		      struct task_struct *leader, struct gh_mark *m)
{
	u64 last = 0, now;
	bool again = true;
	struct look l;
	int looks, err = 0;

	for (looks = 0; again && !err && looks < GOHEAP_MAX_LOOKS; looks++) {
		now = ktime_get_ns();
		err = look_for_threads(gf, leader, &l,
				       last > HIDDEN_NS ? last - HIDDEN_NS : 0);
		if (err)
			break;
		err = read_look(gf, att, &l, m);
		again = started_since(&l, last);
		drop_look(&l);
		last = now;
	}
	if (!err && !att->group)
		att->group = get_task_pid(leader, PIDTYPE_TGID);
	return err;
}

/* Is it the first of the mutators to be read that are in its thread group? */
static bool first_of_group(const struct goheap_attachment *att,
			   const struct goheap_mutator *mut)
{
	const struct goheap_mutator *other;

	list_for_each_entry(other, &att->threads, reading)
		if (other->task->signal == mut->task->signal)
			return other == mut;
	return false;
}

/*
 * Read threads that are no mutators. Of those that share the memory, a thread group
 * may have ended, or run another program, and its mutators still be there.
 */
static int read_others(struct goheap_file *gf, struct goheap_attachment *att,
		       struct gh_mark *m)
{
	struct goheap_mutator *mut;
	int err;

	list_for_each_entry(mut, &att->threads, reading) {
		if (!first_of_group(att, mut))
			continue;
		err = read_group(gf, att, mut->task, m);
		if (err)
			return err;
	}
	return 0;
}

/* The first range behind @addr that is of the kind. */
static bool next_range(struct goheap_attachment *att, unsigned long addr,
		       bool stack, struct goheap_memory *r)
{
	bool found;

	mutex_lock(&att->lock);
	do {
		found = goheap_ranges_next(&att->ranges, addr, r);
		addr = r->end;
	} while (found && r->stack != stack);
	mutex_unlock(&att->lock);
	return found;
}

static int read_ranges(struct goheap_file *gf, struct goheap_attachment *att,
		       bool stacks, struct gh_mark *m)
{
	struct goheap_memory r = {};

	att->nr_seen = goheap_attach_windows(gf, att, att->seen);
	while (next_range(att, r.end, stacks, &r)) {
		int err;

		if (in_window(att, &r))
			continue;
		err = goheap_range_mark(gf->copy, att, r.start, r.end, stacks,
					m);
		if (err)
			return err;
	}
	return 0;
}

static int read_threads(struct goheap_file *gf, struct goheap_attachment *att,
			struct gh_mark *m)
{
	int err = read_mutators(gf, att, m);

	return err ? err : read_others(gf, att, m);
}

/*
 * Threads that change their stacks by themselves. None begins to meanwhile, but
 * one may be about to: what it takes with it from the stack it was on has been
 * read then, and what it finds on the other one is read the second time.
 */
static int read_switching(struct goheap_file *gf, struct goheap_attachment *att,
			  struct gh_mark *m)
{
	int err;

	down_write(&att->switching);
	goheap_mutators_hold(gf, att);
	err = read_threads(gf, att, m);
	if (!err)
		err = read_ranges(gf, att, true, m);
	if (!err)
		err = read_threads(gf, att, m);
	up_write(&att->switching);
	return err;
}

/* In the address space of the process, whose memory pays for what is needed. */
static int in_process(struct goheap_file *gf, struct goheap_attachment *att,
		      struct gh_mark *m,
		      int (*read)(struct goheap_file *gf,
				  struct goheap_attachment *att,
				  struct gh_mark *m))
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
	goheap_copy_process(gf->copy, gf, att->mm);
	err = read(gf, att, m);
	goheap_copy_done(gf->copy);
	kthread_unuse_mm(att->mm);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	mmput_async(att->mm);
	return err;
}

/*
 * Places outside of the objects where mutators are about to store: what is there
 * now is gone when the variables are read otherwise. See the top of core/gh_gc.c.
 */
static int read_slots(struct goheap_file *gf, struct goheap_attachment *att,
		      struct gh_mark *m)
{
	struct goheap_mutator *mut;
	int err = 0;

	list_for_each_entry(mut, &att->threads, reading) {
		u64 slot = gh_mutator_slot(mut->core);

		if (!slot || slot % sizeof(u64) || slot >= TASK_SIZE_MAX)
			continue;
		/* It may be anywhere, on a stack, too. */
		err = goheap_range_mark(gf->copy, att, slot, slot + sizeof(u64),
					true, m);
		if (err)
			break;
	}
	return err;
}

static int read_variables(struct goheap_file *gf, struct goheap_attachment *att,
			  struct gh_mark *m)
{
	int err = read_slots(gf, att, m);

	return err ? err : read_ranges(gf, att, false, m);
}

/* Roots are added by ioctl meanwhile, which offers them itself. */
static void read_roots(struct goheap_attachment *att, struct gh_mark *m)
{
	u64 refs[64];
	u32 pos = 0, nr;

	do {
		mutex_lock(&att->lock);
		nr = gh_roots_next(&att->roots, &pos, refs, ARRAY_SIZE(refs));
		mutex_unlock(&att->lock);
		gh_mark_refs(m, refs, nr, GH_ROOT_HANDLE);
		cond_resched();
	} while (nr);
}

/**
 * goheap_process_mark_data() - offer what a process writes with the barrier
 * @gf: file
 * @att: attachment that has been noted
 * @m: marker
 *
 * Context: may sleep; a kernel thread; attach_lock not held.
 * Return: 0; -ETIMEDOUT or -ENOMEM if it could not be read.
 */
int goheap_process_mark_data(struct goheap_file *gf,
			     struct goheap_attachment *att, struct gh_mark *m)
{
	struct goheap_memory first;
	struct goheap_stack_map *s;

	if (!att->fresh)
		return 0;
	read_roots(att, m);
	list_for_each_entry(s, &att->seen_stacks, reading)
		goheap_stack_mark(s, m);
	if (!next_range(att, 0, false, &first))
		return 0;
	return in_process(gf, att, m, read_variables);
}

/**
 * goheap_process_mark_threads() - offer what the threads of a process hold
 * @gf: file
 * @att: attachment that has been noted
 * @m: marker
 *
 * Context: may sleep; a kernel thread; attach_lock not held, the data of all
 * processes have been offered.
 * Return: 0; -ETIMEDOUT, -ENOMEM or -EFBIG if it could not be read.
 */
int goheap_process_mark_threads(struct goheap_file *gf,
				struct goheap_attachment *att,
				struct gh_mark *m)
{
	struct goheap_memory first;

	if (next_range(att, 0, true, &first))
		return in_process(gf, att, m, read_switching);
	if (list_empty(&att->threads))
		return 0;
	return in_process(gf, att, m, read_threads);
}
