/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the kernels that the module builds on, 6.1 to 7.x. No
 * other file of module/ tests for a version.
 */
#ifndef GOHEAP_COMPAT_H
#define GOHEAP_COMPAT_H

#include <linux/kobject.h>
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/version.h>

#ifndef CONFIG_64BIT
#error "goheap needs a 64-bit kernel: references are 64 bits wide"
#endif

/* 6.3 made vm_area_struct.vm_flags constant and gave it setters. */
static inline void goheap_vma_flags(struct vm_area_struct *vma,
				    unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/* 6.5 took the array of mappings away. */
static inline long goheap_get_user_pages(struct mm_struct *mm,
					 unsigned long start,
					 unsigned long nr_pages,
					 unsigned int flags,
					 struct page **pages)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, nr_pages, flags, pages, NULL);
#else
	return get_user_pages_remote(mm, start, nr_pages, flags, pages, NULL,
				     NULL);
#endif
}

/* Is the task on a CPU? With one CPU it is not while somebody else asks. */
static inline bool goheap_task_on_cpu(struct task_struct *task)
{
#ifdef CONFIG_SMP
	/* Pairs with finish_task(): what it saved can be read. */
	return smp_load_acquire(&task->on_cpu);
#else
	return task == current;
#endif
}

/*
 * In User-mode Linux a program runs in a process of the machine's own, beside the
 * thread that is its CPU. An interrupt reaches that thread, and asks the program
 * to come back, but does not wait for it: its registers are still in use then,
 * and so are mappings that have been taken from it. Once somebody else runs on
 * that CPU, it has come back. So the caller, a kernel thread, goes there itself,
 * with a priority that lets nobody else run until it leaves.
 */
#if defined(CONFIG_UML) && defined(CONFIG_SMP)
#define GOHEAP_VISIT_CPUS	true

struct goheap_visit {
	cpumask_t home;
	int cpu;
	int nice;
};

static inline void goheap_visit_begin(struct goheap_visit *v)
{
	WARN_ON_ONCE(!(current->flags & PF_KTHREAD));
	cpumask_copy(&v->home, current->cpus_ptr);
	v->cpu = raw_smp_processor_id();
	v->nice = task_nice(current);
	sched_set_fifo(current);
}

static inline void goheap_visit_cpu(int cpu)
{
	WARN_ON_ONCE(set_cpus_allowed_ptr(current, cpumask_of(cpu)));
}

static inline void goheap_visit_end(struct goheap_visit *v)
{
	/* Else it would wait there until whoever runs has had his time. */
	goheap_visit_cpu(v->cpu);
	WARN_ON_ONCE(set_cpus_allowed_ptr(current, &v->home));
	sched_set_normal(current, v->nice);
}
#else
#define GOHEAP_VISIT_CPUS	false

struct goheap_visit {
};

static inline void goheap_visit_begin(struct goheap_visit *v)
{
}

static inline void goheap_visit_cpu(int cpu)
{
}

static inline void goheap_visit_end(struct goheap_visit *v)
{
}
#endif

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
/*
 * 6.16 moved the FPU state behind task_struct, and checks in a function that is
 * not exported what x86_task_fpu() is asked for.
 */
static inline struct fpu *goheap_fpu(struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	return (struct fpu *)(task + 1);
#else
	return &task->thread.fpu;
#endif
}
#endif

/*
 * 6.4 lets a fault hold the lock of its mapping instead of the mmap lock. Drop
 * it if so: the fault has to be tried again, with the mmap lock.
 */
static inline bool goheap_fault_unlock_vma(struct vm_fault *vmf)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	if (vmf->flags & FAULT_FLAG_VMA_LOCK) {
		vma_end_read(vmf->vma);
		return true;
	}
#endif
	return false;
}

typedef unsigned long (*goheap_shrink_fn)(struct shrinker *shrinker,
					   struct shrink_control *sc);

static inline void goheap_shrinker_fill(struct shrinker *s,
					goheap_shrink_fn count,
					goheap_shrink_fn scan)
{
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
}

/*
 * 6.7 allocates shrinkers; before, memory of ours is registered. Such a shrinker
 * is called as soon as it has a number.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *goheap_shrinker_alloc(goheap_shrink_fn count,
						     goheap_shrink_fn scan)
{
	struct shrinker *s = shrinker_alloc(SHRINKER_MEMCG_AWARE, "goheap");

	if (s)
		goheap_shrinker_fill(s, count, scan);
	return s;
}

static inline void goheap_shrinker_register(struct shrinker *s)
{
	shrinker_register(s);
}

static inline void goheap_shrinker_free(struct shrinker *s)
{
	shrinker_free(s);
}
#else
static inline struct shrinker *goheap_shrinker_alloc(goheap_shrink_fn count,
						     goheap_shrink_fn scan)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	goheap_shrinker_fill(s, count, scan);
	s->flags = SHRINKER_MEMCG_AWARE;
	if (register_shrinker(s, "goheap")) {
		kfree(s);
		return NULL;
	}
	return s;
}

static inline void goheap_shrinker_register(struct shrinker *s)
{
}

static inline void goheap_shrinker_free(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}
#endif

/* 6.2 made constant what is asked for its owner. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define GOHEAP_OWNED	const
#else
#define GOHEAP_OWNED
#endif

/* 6.4 gave what is reclaimed besides the LRU lists a function. */
static inline void goheap_account_reclaimed(unsigned long pages)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	mm_account_reclaimed_pages(pages);
#else
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#endif
}

/* Do cgroups pay for kernel memory? 6.3 renamed the question. */
static inline bool goheap_memcg_charges(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return memcg_kmem_online();
#else
	return memcg_kmem_enabled();
#endif
}

/* 6.8 made list_lru of other things than slab objects. */
static inline void goheap_lru_add(struct list_lru *lru, struct list_head *item)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	list_lru_add_obj(lru, item);
#else
	list_lru_add(lru, item);
#endif
}

static inline void goheap_lru_del(struct list_lru *lru, struct list_head *item)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	list_lru_del_obj(lru, item);
#else
	list_lru_del(lru, item);
#endif
}

#endif /* GOHEAP_COMPAT_H */
