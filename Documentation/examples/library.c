// SPDX-License-Identifier: GPL-2.0
/*
 * What a program does with libgoheap, piece by piece. Parts of this file stand
 * in library.rst; it is also a program that runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <libgoheap.h>

/* [tree] */
struct tree {
	goheap_ref left;
	goheap_ref right;
	goheap_ref name;	/* an array of char */
	long key;
};

static struct goheap *h;
static int tree_layout;
static goheap_ref last;		/* static variables keep objects, too */

static int init(void)
{
	h = goheap_open(0);
	if (!h)
		return -1;
	tree_layout = GOHEAP_LAYOUT(h, struct tree, left, right, name);
	return tree_layout < 0 ? -1 : 0;
}
/* [end tree] */

/* [new] */
/* A tree of a name. */
static goheap_ref tree_new(const char *name, long key)
{
	goheap_ref text = goheap_new(h, GOHEAP_LAYOUT_NOSCAN, strlen(name) + 1);
	goheap_ref ref = goheap_new(h, tree_layout, sizeof(struct tree));
	struct tree *t = goheap_ptr(h, ref);

	if (!text || !ref)
		return 0;
	strcpy(goheap_ptr(h, text), name);
	t->key = key;
	goheap_store(h, &t->name, text);
	return ref;
}
/* [end new] */

/* [frame] */
/* The same for a precise heap: the caller's frame keeps one of the two. */
static goheap_ref precise_tree_new(const char *name, long key)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref ref = tree_new(name, key);

	return goheap_frame_return(h, frame, ref);
}
/* [end frame] */

/* [walk] */
static long tree_sum(goheap_ref ref)
{
	const struct tree *t = goheap_ptr(h, ref);

	if (!t)
		return 0;
	return t->key + tree_sum(goheap_load(h, &t->left)) +
	       tree_sum(goheap_load(h, &t->right));
}
/* [end walk] */

/* [detach] */
/* Takes the left part off, in a precise heap: nothing else would keep it. */
static goheap_ref tree_take_left(struct tree *t)
{
	goheap_ref left = goheap_local(h, goheap_load(h, &t->left));

	goheap_store(h, &t->left, 0);
	return left;
}
/* [end detach] */

/* [array] */
/* An array of references: GOHEAP_LAYOUT_NOSCAN would keep none of them. */
static goheap_ref table_new(size_t n)
{
	int refs = goheap_layout_refs(h);

	return refs < 0 ? 0 : goheap_new_array(h, refs, sizeof(goheap_ref), n);
}
/* [end array] */

/* [hstack] */
/* The same sum without recursion; the tree keeps what was popped. */
static long tree_sum_flat(struct goheap_hstack *todo, goheap_ref ref)
{
	long sum = 0;

	if (goheap_hstack_push(todo, ref))
		return -1;
	while (goheap_hstack_depth(todo)) {
		const struct tree *t = goheap_ptr(h, goheap_hstack_pop(todo));

		if (!t)
			continue;
		sum += t->key;
		if (goheap_hstack_push(todo, goheap_load(h, &t->left)) ||
		    goheap_hstack_push(todo, goheap_load(h, &t->right)))
			return -1;
	}
	return sum;
}
/* [end hstack] */

/* [child] */
/* A child shares the heap; what it needs it roots itself. */
static int sum_in_child(goheap_ref tree)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (!goheap_local(h, tree))
			_exit(1);
		_exit(tree_sum(tree) != 6);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return status;
}
/* [end child] */

/* [reader] */
/* In a process that has been sent a descriptor of goheap_reader_fd(). */
static long sum_of_others(int fd, goheap_ref tree)
{
	struct goheap *theirs = goheap_from_fd(fd, 0);
	struct tree *t = theirs ? goheap_ptr(theirs, tree) : NULL;
	long sum = 0;

	for (; t; t = goheap_ptr(theirs, goheap_load(theirs, &t->left)))
		sum += t->key;
	goheap_close(theirs);
	return sum;
}
/* [end reader] */

/* [coroutine] */
struct jump {
	ucontext_t *from;
	const ucontext_t *to;
};

static void leave(void *arg)
{
	const struct jump *jump = arg;

	swapcontext(jump->from, jump->to);
}

/* What swapcontext() does. */
static int change(ucontext_t *from, const ucontext_t *to)
{
	struct jump jump = { from, to };

	return goheap_stack_call(h, leave, &jump);
}
/* [end coroutine] */

static ucontext_t caller, summer;
static long last_sum;

static void sum_last(void)
{
	last_sum = tree_sum(goheap_load(h, &last));
	goheap_stack_switch(h);
}

static int sum_in_coroutine(void)
{
	const size_t bytes = 65536;
	void *stack = calloc(1, bytes);

	if (!stack || goheap_stack_add(h, stack, bytes) || getcontext(&summer))
		return -1;
	summer.uc_stack.ss_sp = stack;
	summer.uc_stack.ss_size = bytes;
	summer.uc_link = &caller;
	makecontext(&summer, sum_last, 0);
	if (change(&caller, &summer) || goheap_range_remove(h, stack))
		return -1;
	free(stack);
	return 0;
}

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, goheap_error());
	return 1;
}

int main(void)
{
	goheap_ref top, left, table;
	struct goheap_hstack *todo;
	struct tree *t;
	uint32_t root;

	if (init())
		return fail("init");
	top = tree_new("top", 1);
	left = tree_new("left", 2);
	t = goheap_ptr(h, top);
	if (!top || !left)
		return fail("tree");
	goheap_store(h, &t->left, left);
	goheap_store(h, &t->right, precise_tree_new("right", 3));

	/* [root] */
	if (goheap_root_add(h, top, &root))
		return fail("root");
	/* [end root] */
	if (goheap_gc(h) || sum_in_child(top))
		return fail("child");
	if (sum_of_others(goheap_reader_fd(h), top) != 3)
		return fail("reader");
	/* [hstack new] */
	todo = goheap_hstack_new(h);
	if (!todo)
		return fail("stack");
	if (tree_sum_flat(todo, top) != tree_sum(top))
		return fail("sum");
	goheap_hstack_free(todo);
	/* [end hstack new] */
	left = tree_take_left(t);
	/* [static] */
	goheap_store(h, &last, left);
	/* [end static] */
	if (sum_in_coroutine() || last_sum != tree_sum(left))
		return fail("coroutine");
	table = table_new(100);
	if (!table)
		return fail("table");
	goheap_store(h, goheap_ptr(h, table), left);
	printf("%ld + %ld\n", tree_sum(left), tree_sum(top));
	goheap_root_remove(h, root);
	goheap_close(h);
	return 0;
}
