// SPDX-License-Identifier: GPL-2.0
/*
 * How a heap is shared: by fork(), by descriptors sent over a socket, and by
 * threads. Each process has a mapping and roots of its own.
 */
#include <sys/socket.h>

#include "touch.h"

FIXTURE(share) {
	struct heap heap;
	int fd;
	goheap_ref ref;		/* of make_witness() */
};

FIXTURE_SETUP(share)
{
	ASSERT_EQ(0, heap_open(&self->heap, SPACE, 0));
	self->fd = self->heap.fd;
	self->ref = make_witness(&self->heap);
	ASSERT_NE(0, self->ref);
}

FIXTURE_TEARDOWN(share)
{
	heap_close(&self->heap);
}

/* A child talks to its parent by single bytes over two pipes. */
struct talk {
	int to_child[2];
	int to_parent[2];
};

static void talk_init(struct talk *t)
{
	if (pipe(t->to_child) || pipe(t->to_parent))
		abort();
}

static void say(int fds[2])
{
	if (write(fds[1], "x", 1) != 1)
		abort();
}

/* False if the other side has gone. */
static bool hear(int fds[2])
{
	char c;

	close(fds[1]);
	fds[1] = -1;
	return read(fds[0], &c, 1) == 1;
}

/* Attach after fork(): a mapping of the parent's is of no use to the child. */
static int attach_child(struct heap *h)
{
	heap_detach(h);
	return heap_attach(h);
}

/*
 * The child has the descriptor and attaches. Its roots are its own: it cannot
 * name those of its parent, and they end with it, and only they.
 */
TEST_F(share, fork_and_attach)
{
	struct heap *h = &self->heap;
	__u32 mine, theirs = ~0U;
	goheap_ref *shared;
	struct talk t;
	pid_t pid;

	shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, gh_root_add(self->fd, self->ref, &mine));
	talk_init(&t);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(attach_child(h) == 0);
		CHILD_CHECK(gh_root_remove(h->fd, mine) == -ENOENT);
		CHILD_CHECK(all_bytes(heap_ptr(h, self->ref), 0x5c, 32 * KIB));
		shared[0] = heap_push(h, 200, 0);
		CHILD_CHECK(shared[0]);
		strcpy(heap_ptr(h, shared[0]), "the child's");
		CHILD_CHECK(gh_alloc(h->fd, 300, 0, 1, &shared[1], NULL) == 0);
		CHILD_CHECK(gh_root_add(h->fd, shared[1], &theirs) == 0);
		say(t.to_parent);
		hear(t.to_child);
		_exit(0);
	}
	ASSERT_TRUE(hear(t.to_parent));
	EXPECT_EQ(3, heap_live(h));
	EXPECT_STREQ("the child's", (char *)heap_ptr(h, shared[0]));
	EXPECT_TRUE(heap_has(h, shared[1]));
	say(t.to_child);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(intact(h, self->ref));
	EXPECT_EQ(0, gh_root_remove(self->fd, mine));
}

/* A child that does nothing: no effect, alive or dead. */
TEST_F(share, fork_and_nothing)
{
	struct heap *h = &self->heap;
	struct talk t;
	__u32 id;
	pid_t pid;

	ASSERT_EQ(0, gh_root_add(self->fd, self->ref, &id));
	talk_init(&t);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		say(t.to_parent);
		hear(t.to_child);
		_exit(0);
	}
	ASSERT_TRUE(hear(t.to_parent));
	EXPECT_TRUE(intact(h, self->ref));
	h->stack->top = 0;
	EXPECT_TRUE(intact(h, self->ref));
	ASSERT_EQ(0, gh_root_remove(self->fd, id));
	/* The child has no root of it, mapping inherited or not. */
	EXPECT_EQ(0, heap_live(h));
	say(t.to_child);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_NE(0, heap_push(h, 100, 0));
	EXPECT_EQ(1, heap_live(h));
}

/*
 * What a child may do without mapping the heap itself: nothing but ask. If it
 * inherits the mapping it is attached, with no roots.
 */
TEST_F(share, fork_mapping)
{
	struct heap *h = &self->heap;
	goheap_ref ref;
	__u32 id, mine;
	pid_t pid;

	ASSERT_EQ(0, gh_root_add(self->fd, self->ref, &mine));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int expect = mapped(h->base) ? 0 : -ENOTCONN;

		CHILD_CHECK(gh_alloc(h->fd, 16, 0, 1, &ref, NULL) == expect);
		CHILD_CHECK(gh_root_add(h->fd, self->ref, &id) == expect);
		CHILD_CHECK(heap_has(h, self->ref));
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(intact(h, self->ref));

	/* Explicitly without. */
	ASSERT_EQ(0, madvise(h->base, SPACE, MADV_DONTFORK));
	ASSERT_EQ(0, madvise(h->stack, STACK_BYTES, MADV_DONTFORK));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(!mapped(h->base));
		CHILD_CHECK(gh_alloc(h->fd, 16, 0, 1, &ref, NULL) == -ENOTCONN);
		CHILD_CHECK(gh_root_add(h->fd, self->ref, &id) == -ENOTCONN);
		CHILD_CHECK(gh_root_remove(h->fd, mine) == -ENOTCONN);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(intact(h, self->ref));
	EXPECT_EQ(0, gh_root_remove(self->fd, mine));
}

/*
 * A handle stack is not inherited unless the program insists. The child then
 * sees the words, and has no part in the stack: what it writes roots nothing
 * beyond the life of its parent's mapping.
 */
TEST_F(share, fork_stack)
{
	struct heap *h = &self->heap;
	struct talk t;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(!mapped(h->stack));
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));

	if (madvise(h->stack, STACK_BYTES, MADV_DOFORK)) {
		/* Newer kernels refuse it for all mappings of drivers. */
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "MADV_DOFORK is refused");
	}
	talk_init(&t);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(mapped(h->stack));
		CHILD_CHECK(hear(t.to_child));
		/* A word or a signal, but no page that has gone. */
		touch(h->stack, false);
		touch((char *)h->stack + STACK_BYTES - 1, true);
		CHILD_CHECK(munmap(h->stack, STACK_BYTES) == 0);
		_exit(0);
	}
	EXPECT_TRUE(intact(h, self->ref));
	ASSERT_EQ(0, munmap(h->stack, STACK_BYTES));
	EXPECT_EQ(0, heap_live(h));
	say(t.to_child);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, heap_live(h));
}

/* The opener goes first; the heap lives on in its child. */
TEST_F(share, orphan)
{
	goheap_ref *shared;
	struct talk t;
	pid_t pid;

	shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	talk_init(&t);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct heap h;
		struct talk inner;

		CHILD_CHECK(heap_open(&h, GIB, 0) == 0);
		shared[0] = heap_push(&h, 100, 0);
		strcpy(heap_ptr(&h, shared[0]), "left behind");
		talk_init(&inner);
		pid = fork();
		CHILD_CHECK(pid >= 0);
		if (pid) {
			/* Once the child has attached and found it. */
			CHILD_CHECK(hear(inner.to_parent));
			_exit(0);
		}
		CHILD_CHECK(attach_child(&h) == 0);
		CHILD_CHECK(!strcmp(heap_ptr(&h, shared[0]), "left behind"));
		h.stack->slots[h.stack->top++] = shared[0];
		CHILD_CHECK(heap_push(&h, 100, 0));
		say(inner.to_parent);
		/* Until the parent has gone for good. */
		CHILD_CHECK(hear(t.to_child));
		CHILD_CHECK(heap_live(&h) == 2);
		CHILD_CHECK(!strcmp(heap_ptr(&h, shared[0]), "left behind"));
		shared[1] = 42;
		say(t.to_parent);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	say(t.to_child);
	EXPECT_TRUE(hear(t.to_parent));
	EXPECT_EQ(42, shared[1]);
}

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = "f", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	char c;
	int fd;

	iov.iov_base = &c;
	iov.iov_len = 1;
	if (recvmsg(sock, &msg, 0) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

/*
 * A process that was there before the heap gets its descriptor over a socket.
 * Then they let go of it in every order: @order says who goes first, and
 * whether descriptors or mappings.
 */
static void pass(struct __test_metadata *_metadata, unsigned int order)
{
	bool sender_first = order & 1, fd_first = order & 2;
	bool in_flight = order & 4;
	struct heap h;
	struct talk t;
	goheap_ref ref;
	int socks[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	talk_init(&t);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(socks[0]);
		h.fd = receive_fd(socks[1]);
		CHILD_CHECK(h.fd >= 0);
		CHILD_CHECK(heap_attach(&h) == 0);
		CHILD_CHECK(read(socks[1], &ref, 8) == 8);
		if (!in_flight) {
			CHILD_CHECK(!strcmp(heap_ptr(&h, ref), "sent"));
			h.stack->slots[h.stack->top++] = ref;
		}
		CHILD_CHECK(heap_push(&h, 50, 0));
		say(t.to_parent);
		CHILD_CHECK(hear(t.to_child));
		if (sender_first) {
			/* Alone with it. */
			CHILD_CHECK(heap_live(&h) == (in_flight ? 1 : 2));
			if (!in_flight)
				CHILD_CHECK(!strcmp(heap_ptr(&h, ref), "sent"));
			CHILD_CHECK(heap_push(&h, 50, 0));
		}
		if (fd_first)
			close(h.fd);
		heap_detach(&h);
		if (!fd_first)
			close(h.fd);
		_exit(0);
	}
	close(socks[1]);
	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	ref = heap_push(&h, 100, 0);
	ASSERT_NE(0, ref);
	strcpy(heap_ptr(&h, ref), "sent");
	ASSERT_EQ(0, send_fd(socks[0], h.fd));
	if (in_flight) {
		/* Nobody has it but the socket. */
		heap_close(&h);
		ASSERT_EQ(8, write(socks[0], &ref, 8));
		EXPECT_TRUE(hear(t.to_parent));
		say(t.to_child);
		EXPECT_EQ(0, wait_for(pid));
		close(socks[0]);
		return;
	}
	ASSERT_EQ(8, write(socks[0], &ref, 8));
	EXPECT_TRUE(hear(t.to_parent));
	EXPECT_EQ(2, heap_live(&h));
	if (sender_first) {
		if (fd_first)
			close(h.fd);
		heap_detach(&h);
		if (!fd_first)
			close(h.fd);
		say(t.to_child);
		EXPECT_EQ(0, wait_for(pid));
	} else {
		say(t.to_child);
		EXPECT_EQ(0, wait_for(pid));
		EXPECT_EQ(1, heap_live(&h));
		EXPECT_STREQ("sent", (char *)heap_ptr(&h, ref));
		heap_close(&h);
	}
	close(socks[0]);
}

TEST_F(share, passed_descriptor)
{
	unsigned int order;

	for (order = 0; order < 4; order++)
		pass(_metadata, order);
	pass(_metadata, 5);
	pass(_metadata, 7);
}

/* Threads come and go; roots belong to the process. */

struct rooter {
	struct heap *heap;
	__u32 id;
	int error;
};

static void *add_root(void *arg)
{
	struct rooter *r = arg;
	goheap_ref ref;

	r->error = gh_alloc(r->heap->fd, 64, 0, 1, &ref, NULL);
	if (!r->error)
		r->error = gh_root_add(r->heap->fd, ref, &r->id);
	return NULL;
}

TEST_F(share, thread_exit)
{
	struct rooter r = { .heap = &self->heap, .id = ~0U };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, add_root, &r));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, r.error);
	EXPECT_EQ(2, heap_live(&self->heap));
	EXPECT_EQ(0, gh_root_remove(self->fd, r.id));
	EXPECT_EQ(1, heap_live(&self->heap));
}

TEST_HARNESS_MAIN
