// SPDX-License-Identifier: GPL-2.0
/*
 * CPU cgroups: who pays for the CPU time of a collector.
 *
 * A thread's CPU time is charged to the cgroup that it is in, and the kernel
 * makes its threads in the root cgroup. There a program's collections would be
 * outside of all limits of the program. So a collector is a guest, in the
 * cgroups of a process that has it collect, the host, and at home, in the root
 * cgroup, when there is none. A thread of the kernel is in the way of others: its
 * cgroup cannot be removed, and one that is frozen never says that it is.
 *
 * In. A program that asks for a cycle and finds the thread at home takes it
 * along, if the thread has used FREE_NS there: a heap that is seldom collected
 * is not worth it. The request comes first, so the cycle does not wait; but the
 * caller does, for a grace period of RCU.
 *
 * It has to be the caller, and it has to wait. cgroup_attach_task_all() takes
 * the destination from a task, and if that ends before cgroup_mutex is held,
 * the cgroup may be removed and the thread end up in a dead one, which nothing
 * in the kernel expects. There is no way to keep another task from ending, so a
 * work item cannot do it, and the opener is not taken, as with memory, unless
 * it is the caller.
 *
 * Home. A work item looks every LOOK, and at once when the host unmaps the
 * heap. The thread goes home if no thread of the host is in the same cgroups and
 * able to run: it ended, was moved, or is frozen. The next program that asks for a
 * cycle is the next host. So nobody is kept from removing a cgroup for longer than
 * a look and a grace period, and as long as the host is in it nobody could do so
 * anyway. It also goes home after IDLE without work, for the work item to have an
 * end; not sooner, for the next request would have to wait again. When the file is
 * released the thread ends, and release waits until it is out of its cgroup:
 * who waits for the end of a program can remove the program's cgroup then.
 *
 * Limits. With cpu.max kernels before 6.18 stop whatever runs in the cgroup
 * wherever it is, the collector too, in a stop of its heap or with a lock of it
 * held. Then all who use this heap wait for the next period, those in other
 * cgroups too; as they do if a program in that cgroup is stopped between taking
 * and dropping a lock of the heap. No lock of the module that several heaps
 * share is held while a heap is collected, unless an allocation enters reclaim,
 * as any program's can. Newer kernels stop nobody but on the way to user space,
 * which the collector never takes; what it used is taken off what the programs
 * get next.
 *
 * With a cpuset the thread gets the CPUs and nodes of its host, and all when it
 * comes home; what sched_setaffinity() asked for is lost then. Nothing depends
 * on where it runs: mcaches of all CPUs are flushed under their locks, and
 * threads are read wherever they are.
 *
 * Not charged is what others than the thread compute: work items that help it
 * to mark (helpers.c) and to scavenge; and cycles that no program asked for
 * while it is at home.
 */
#include "gh_internal.h"

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "cgroup.h"
#include "device.h"

#ifdef CONFIG_CGROUPS

#define FREE_NS		(10 * NSEC_PER_MSEC)
#define LOOK		(HZ / 2)
#define IDLE		(10 * HZ)

static bool charge_cpu = true;
module_param(charge_cpu, bool, 0644);
MODULE_PARM_DESC(charge_cpu,
		 "charge cgroups of programs with CPU time of collectors (Y)");

static u64 cpu_ns(struct goheap_file *gf)
{
	return READ_ONCE(gf->worker.task->se.sum_exec_runtime);
}

/* Are two tasks in the same cgroups, of all hierarchies? */
static bool together(struct task_struct *a, struct task_struct *b)
{
	bool same;

	rcu_read_lock();
	same = task_css_set(a) == task_css_set(b);
	rcu_read_unlock();
	return same;
}

/* Is a thread of the host where the collector is, and not frozen? */
static bool host_here(struct goheap_file *gf)
{
	struct task_struct *leader, *t;
	bool here = false;

	rcu_read_lock();
	leader = pid_task(gf->cgroup.host, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, t) {
			here = !(READ_ONCE(t->flags) & PF_EXITING) &&
			       !cgroup_task_frozen(t) &&
			       together(t, gf->worker.task);
			if (here)
				break;
		}
	}
	rcu_read_unlock();
	return here;
}

/* Should current be the host? */
static bool invites(struct goheap_file *gf)
{
	struct goheap_cgroup *c = &gf->cgroup;

	return !READ_ONCE(c->host) && READ_ONCE(charge_cpu) &&
	       cpu_ns(gf) - READ_ONCE(c->home_ns) >= FREE_NS &&
	       !together(current, gf->worker.task);
}

/* The thread is the kernel's, and so is the right to move it. */
static int move(struct goheap_file *gf, struct task_struct *to)
{
	const struct cred *cred = get_task_cred(gf->worker.task);
	const struct cred *old = override_creds(cred);
	int err;

	lockdep_assert_held(&gf->cgroup.lock);
	err = cgroup_attach_task_all(to, gf->worker.task);
	revert_creds(old);
	put_cred(cred);
	return err;
}

static int go_home(struct goheap_file *gf)
{
	struct goheap_cgroup *c = &gf->cgroup;
	int err = move(gf, &init_task);

	if (!err)
		WRITE_ONCE(c->home_ns, cpu_ns(gf));
	return err;
}

static void take_along(struct goheap_file *gf)
{
	struct goheap_cgroup *c = &gf->cgroup;

	int err = move(gf, current);

	c->seen_ns = cpu_ns(gf);
	c->seen = jiffies;
	/*
	 * If it has failed in one hierarchy, it leaves the others at the next
	 * look; not before, so that nobody tries all the time.
	 */
	WRITE_ONCE(c->left, err);
	WRITE_ONCE(c->host, get_pid(task_tgid(current)));
	queue_delayed_work(system_unbound_wq, &c->look, LOOK);
}

/**
 * goheap_cgroup_enter() - current has asked for a cycle, so it pays
 * @gf: file whose heap is in use
 *
 * Context: a program; may sleep, seldom and then for long; no lock held.
 */
void goheap_cgroup_enter(struct goheap_file *gf)
{
	struct goheap_cgroup *c = &gf->cgroup;

	if (!invites(gf) || !mutex_trylock(&c->lock))
		return;
	if (invites(gf))
		take_along(gf);
	mutex_unlock(&c->lock);
}

static bool has_to_go(struct goheap_file *gf)
{
	struct goheap_cgroup *c = &gf->cgroup;
	u64 now = cpu_ns(gf);

	if (now != c->seen_ns) {
		c->seen_ns = now;
		c->seen = jiffies;
	}
	return time_after(jiffies, c->seen + IDLE) || READ_ONCE(c->left) ||
	       !READ_ONCE(charge_cpu) || !host_here(gf);
}

static void look(struct work_struct *work)
{
	struct goheap_file *gf = container_of(to_delayed_work(work),
					      struct goheap_file, cgroup.look);
	struct goheap_cgroup *c = &gf->cgroup;

	mutex_lock(&c->lock);
	if (c->host && has_to_go(gf) && !go_home(gf)) {
		put_pid(c->host);
		WRITE_ONCE(c->host, NULL);
	}
	if (c->host)
		queue_delayed_work(system_unbound_wq, &c->look, LOOK);
	mutex_unlock(&c->lock);
}

/**
 * goheap_cgroup_detached() - current has unmapped the heap
 * @gf: file
 *
 * Context: does not sleep; any lock may be held.
 */
void goheap_cgroup_detached(struct goheap_file *gf)
{
	struct goheap_cgroup *c = &gf->cgroup;

	if (READ_ONCE(c->host) != task_tgid(current))
		return;
	WRITE_ONCE(c->left, true);
	mod_delayed_work(system_unbound_wq, &c->look, 0);
}

/**
 * goheap_cgroup_init() - prepare a new file
 * @gf: file
 */
void goheap_cgroup_init(struct goheap_file *gf)
{
	mutex_init(&gf->cgroup.lock);
	INIT_DELAYED_WORK(&gf->cgroup.look, look);
}

/**
 * goheap_cgroup_stop() - leave the collector thread where it is
 * @gf: file that nobody uses any more
 *
 * Context: may sleep; no lock held.
 */
void goheap_cgroup_stop(struct goheap_file *gf)
{
	cancel_delayed_work_sync(&gf->cgroup.look);
}

/**
 * goheap_cgroup_ended() - wait until a thread that ends has left its cgroups
 * @gf: file
 * @task: its collector thread, which has been stopped
 *
 * A thread says that it has stopped a moment before it leaves.
 * Context: may sleep; no lock held.
 */
void goheap_cgroup_ended(struct goheap_file *gf, struct task_struct *task)
{
	struct goheap_cgroup *c = &gf->cgroup;

	if (!c->host)
		return;
	while (!READ_ONCE(task->exit_state))
		schedule_timeout_uninterruptible(1);
	put_pid(c->host);
	c->host = NULL;
}
#else /* CONFIG_CGROUPS */

void goheap_cgroup_enter(struct goheap_file *gf)
{
}

void goheap_cgroup_detached(struct goheap_file *gf)
{
}

void goheap_cgroup_init(struct goheap_file *gf)
{
}

void goheap_cgroup_stop(struct goheap_file *gf)
{
}

void goheap_cgroup_ended(struct goheap_file *gf, struct task_struct *task)
{
}
#endif /* CONFIG_CGROUPS */
