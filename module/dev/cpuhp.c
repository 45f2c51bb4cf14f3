// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs that go away.
 *
 * An mcache belongs to a CPU number. When the CPU is gone nobody allocates from
 * its mcache any more, and the free slots and pages in it would be lost until
 * the next collection. So each heap is on the list of a CPU hotplug state of the
 * "prepare" kind, whose teardown runs elsewhere once the CPU is dead. Nothing has
 * to be done when a CPU comes.
 *
 * The teardown only queues work. Flushing waits for locks of the heap that a
 * program may hold for long in an allocation, even while its cgroup is not given
 * the CPU, and CPU hotplug must not wait for that.
 *
 * The CPU hotplug lock is outside of every lock of a heap. It must not be taken
 * with the mmap lock held (cpusets take them the other way round); adding and
 * removing a heap takes it and therefore happens at open and release.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/cpuhotplug.h>
#include <linux/workqueue.h>

#include "cpuhp.h"
#include "device.h"

static enum cpuhp_state goheap_cpuhp_state;

/* Flush the mcaches of all CPUs that are not there. */
static void flush_dead(struct work_struct *work)
{
	struct goheap_file *gf = container_of(work, struct goheap_file,
					      cpu_work);
	struct gh_heap *heap = goheap_heap(gf);
	int cpu;

	if (!heap)
		return;
	down_read(&heap->world);
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			gh_mcache_flush(heap, cpu);
	up_read(&heap->world);
}

static int cpu_dead(unsigned int cpu, struct hlist_node *node)
{
	struct goheap_file *gf = hlist_entry(node, struct goheap_file,
					     cpu_node);

	queue_work(system_unbound_wq, &gf->cpu_work);
	return 0;
}

/**
 * goheap_cpuhp_init() - make the hotplug state
 *
 * Return: 0 or -errno.
 */
int goheap_cpuhp_init(void)
{
	int state = cpuhp_setup_state_multi(CPUHP_BP_PREPARE_DYN,
					    "goheap:dead", NULL, cpu_dead);

	if (state < 0)
		return state;
	goheap_cpuhp_state = state;
	return 0;
}

/**
 * goheap_cpuhp_exit() - undo goheap_cpuhp_init(); no heap is left
 */
void goheap_cpuhp_exit(void)
{
	cpuhp_remove_multi_state(goheap_cpuhp_state);
}

/**
 * goheap_cpuhp_add() - have the mcaches of a heap flushed
 * @gf: file
 *
 * Context: may sleep; no lock held.
 * Return: 0 or -errno.
 */
int goheap_cpuhp_add(struct goheap_file *gf)
{
	INIT_WORK(&gf->cpu_work, flush_dead);
	return cpuhp_state_add_instance_nocalls(goheap_cpuhp_state,
						&gf->cpu_node);
}

/**
 * goheap_cpuhp_remove() - undo goheap_cpuhp_add()
 * @gf: file
 *
 * Context: may sleep; no lock held.
 */
void goheap_cpuhp_remove(struct goheap_file *gf)
{
	cpuhp_state_remove_instance_nocalls(goheap_cpuhp_state, &gf->cpu_node);
	cancel_work_sync(&gf->cpu_work);
}
