// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Heaps that can only be read: what a process sees that has such a descriptor
 * alone, and what it cannot do.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"

#define LENGTH 3000

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

/* The signal that writing a word gives, by hand or by the kernel; or 0. */
static int signal_of_write(volatile uint64_t *word)
{
	int sig = sigsetjmp(fault, 1);

	signal(SIGSEGV, on_fault);
	if (!sig)
		*word = 1;
	signal(SIGSEGV, SIG_DFL);
	return sig;
}

/* The call before this one was refused, and says why. */
static bool refused(void)
{
	bool good = errno == EPERM && strstr(goheap_error(), "only be read");

	errno = 0;
	return good;
}

/* What makes, keeps or changes objects or the heap. */
static bool cannot_change(struct goheap *r, goheap_ref list)
{
	goheap_ref refs[2];
	uint32_t id;
	bool good;

	good = !goheap_new(r, GOHEAP_LAYOUT_NOSCAN, 8) && refused();
	good &= !goheap_new(r, GOHEAP_LAYOUT_NOSCAN, 1) && refused();
	good &= !goheap_new(r, GOHEAP_LAYOUT_NOSCAN, BIG) && refused();
	good &= !goheap_new_array(r, GOHEAP_LAYOUT_NOSCAN, 8, 9) && refused();
	good &= !goheap_alloc_batch(r, 0, 8, refs, 2) && refused();
	good &= goheap_layout_refs(r) == -1 && refused();
	good &= !goheap_local(r, list) && refused();
	good &= !goheap_var(r, list) && refused();
	good &= !goheap_frame_return(r, 0, list) && refused();
	good &= !goheap_hstack_new(r) && refused();
	good &= goheap_root_add(r, list, &id) == -1 && refused();
	good &= goheap_range_add(r, refs, 16) == -1 && refused();
	good &= goheap_stack_add(r, refs, 16) == -1 && refused();
	good &= goheap_stack_switch(r) == -1 && refused();
	good &= goheap_gc(r) == -1 && refused();
	good &= goheap_free_os_memory(r) == -1 && refused();
	goheap_set_gc_percent(r, 50);
	good &= refused();
	good &= goheap_set_memory_limit(r, 1 << 30) == -1 && refused();
	return good;
}

/* Objects stay as they are; the program's own variables do not. */
static bool cannot_store(struct goheap *r, goheap_ref list)
{
	struct node *node = goheap_ptr(r, list);
	goheap_ref own = 0;
	bool good;

	errno = 0;
	goheap_store(r, &node->next, 0);
	good = refused();
	goheap_store(r, &own, list);
	good &= !errno && own == list;
	good &= signal_of_write(&node->value) == SIGSEGV;
	good &= read(open("/dev/zero", O_RDONLY), node, 8) == -1 &&
		errno == EFAULT;
	return good && check_list(r, list, LENGTH);
}

static bool can_ask(struct goheap *r, goheap_ref list)
{
	struct goheap_mem_stats stats;
	struct goheap_info info;
	goheap_frame frame = goheap_frame_begin(r);
	int64_t percent;
	bool good;

	good = !goheap_info(r, &info) && info.tag == list >> 48;
	good &= is_object(r, list) && !goheap_read_mem_stats(r, &stats);
	good &= !goheap_read_param(r, GOHEAP_PARAM_GC_PERCENT, &percent);
	good &= !goheap_update_variables(r) && !goheap_attach(r);
	goheap_frame_end(r, frame);
	return good && stats.heap_objects >= LENGTH;
}

struct task {
	struct goheap *heap;
	goheap_ref list;
};

static void *read_in_thread(void *arg)
{
	const struct task *t = arg;

	return check_list(t->heap, t->list, LENGTH) &&
			       cannot_change(t->heap, t->list)
		       ? arg
		       : NULL;
}

static bool threads_read(struct goheap *r, goheap_ref list)
{
	struct task t = { r, list };
	pthread_t threads[4];
	bool good = true;
	void *result;

	for (int i = 0; i < 4; i++)
		good &= !pthread_create(&threads[i], NULL, read_in_thread, &t);
	for (int i = 0; i < 4; i++)
		good &= !pthread_join(threads[i], &result) && result;
	return good;
}

static bool send_fd(int sock, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec byte = { "r", 1 };
	struct msghdr m = { .msg_iov = &byte,
			    .msg_iovlen = 1,
			    .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &m, 0) == 1;
}

static int receive_fd(int sock)
{
	char space[CMSG_SPACE(sizeof(int))], got;
	struct iovec byte = { &got, 1 };
	struct msghdr m = { .msg_iov = &byte,
			    .msg_iovlen = 1,
			    .msg_control = space,
			    .msg_controllen = sizeof(space) };
	int fd = -1;

	if (recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

/* In a process that has nothing else of the heap. */
static bool only_reads(int fd, goheap_ref list)
{
	struct goheap *r = goheap_from_fd(fd, 0);
	struct goheap *again;
	bool good;

	if (!r)
		return false;
	good = check_list(r, list, LENGTH) && can_ask(r, list);
	good &= cannot_change(r, list) && cannot_store(r, list);
	good &= threads_read(r, list);
	/* What it hands on is no more than what it has. */
	again = goheap_from_fd(goheap_reader_fd(r), GOHEAP_OPEN_PRECISE);
	good &= again && check_list(again, list, LENGTH);
	good &= cannot_change(again, list) && cannot_store(again, list);
	goheap_close(r);
	good &= check_list(again, list, LENGTH);
	goheap_close(again);
	return good;
}

struct sent {
	int sock;
	goheap_ref list;
};

static bool receive_and_read(struct goheap *h, void *arg)
{
	const struct sent *sent = arg;

	goheap_close(h);
	return only_reads(receive_fd(sent->sock), sent->list);
}

void test_reader(struct goheap *h)
{
	goheap_ref list = make_list(h, node_layout(h), LENGTH);
	struct sent sent = { .list = list };
	struct goheap_stats stats;
	int socks[2], fd;
	pid_t pid;

	EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	sent.sock = socks[1];
	pid = start_child(receive_and_read, h, &sent);
	fd = goheap_reader_fd(h);
	EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	EXPECT(send_fd(socks[0], fd));
	EXPECT(ends_well(pid));
	EXPECT(check_list(h, list, LENGTH) && !goheap_gc(h));
	EXPECT(!goheap_stats(h, &stats) && !stats.invalid_refs);
	close(fd);
	close(socks[0]);
	close(socks[1]);
}

/* The reader's own children have what it has, each at its own mapping. */
static bool read_on(struct goheap *r, void *arg)
{
	goheap_ref list = *(goheap_ref *)arg;

	return check_list(r, list, LENGTH) && cannot_change(r, list) &&
	       cannot_store(r, list);
}

static bool read_in_children(struct goheap *h, void *arg)
{
	struct goheap *r = goheap_from_fd(goheap_reader_fd(h), 0);
	pid_t pid;

	goheap_close(h);
	if (!r || !ends_well(start_child(read_on, r, arg)))
		return false;
	/* One that no fork handler knows of. */
	pid = clone_child(0);
	if (!pid)
		_exit(goheap_attach(r) || !read_on(r, arg));
	return ends_well(pid) && read_on(r, arg);
}

void test_reader_fork(struct goheap *h)
{
	goheap_ref list = make_list(h, node_layout(h), LENGTH);

	EXPECT(ends_well(start_child(read_in_children, h, &list)));
	EXPECT(check_list(h, list, LENGTH));
}

/* A pipe each way, and what the reader looks at. */
struct talk {
	int ask[2];
	int answer[2];
	goheap_ref ref;
};

/* Is the object that it has in its hand still there, whenever it is asked? */
static bool tell_of(struct goheap *h, void *arg)
{
	struct talk *t = arg;
	struct goheap *r = goheap_from_fd(goheap_reader_fd(h), 0);
	goheap_ref held = t->ref;
	char c;

	goheap_close(h);
	close(t->ask[1]);
	while (r && read(t->ask[0], &c, 1) == 1) {
		c = is_object(r, held);
		if (write(t->answer[1], &c, 1) != 1)
			return false;
	}
	return r;
}

static int ask(const struct talk *t)
{
	char c = 2;

	return write(t->ask[1], "?", 1) == 1 && read(t->answer[0], &c, 1) == 1
		       ? c
		       : 2;
}

/* What a reader holds is there as long as a writer keeps it, and no longer. */
void test_reader_keeps_nothing(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	struct talk t = { .ref = goheap_new(h, 0, BIG) };
	pid_t pid;

	EXPECT(t.ref && !pipe(t.ask) && !pipe(t.answer));
	pid = start_child(tell_of, h, &t);
	EXPECT(!goheap_gc(h) && ask(&t) == 1);
	goheap_frame_end(h, frame);
	EXPECT(!goheap_gc(h) && ask(&t) == 0);
	close(t.ask[1]);
	EXPECT(ends_well(pid));
	close(t.ask[0]);
	close(t.answer[0]);
	close(t.answer[1]);
}

/* Both in one process: two mappings, and what is kept by one is seen in both. */
void test_reader_beside(struct goheap *h)
{
	int layout = node_layout(h);
	goheap_ref list = make_list(h, layout, LENGTH);
	struct node *node = goheap_ptr(h, list);
	struct goheap *r = goheap_from_fd(goheap_reader_fd(h), 0);

	EXPECT(r);
	if (!r)
		return;
	EXPECT(goheap_ptr(r, list) != goheap_ptr(h, list));
	EXPECT(goheap_ref_of(r, goheap_ptr(r, list)) == list);
	for (int i = 0; i < 5; i++) {
		EXPECT(check_list(r, list, LENGTH) && cannot_store(r, list));
		EXPECT(cannot_change(r, list) && !goheap_gc(h));
		goheap_store(h, &node->next, make_list(h, layout, LENGTH - 1));
	}
	goheap_close(r);
	/* The process still is what it was. */
	EXPECT(!goheap_gc(h) && check_list(h, list, LENGTH));
	EXPECT(goheap_new(h, 0, 64) && goheap_new(h, 0, BIG));
}

/* A heap of its own that nobody can write: empty for good. */
void test_reader_alone(struct goheap *h)
{
	const char *path = getenv("GOHEAP_DEVICE");
	int fd = open(path ? path : "/dev/goheap", O_RDONLY | O_CLOEXEC);
	struct goheap *r = goheap_from_fd(fd, 0);
	int wrong = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)h;
	EXPECT(r && goheap_fd(r) == fd && !is_object(r, 1ULL << 48));
	if (r)
		EXPECT(!goheap_new(r, 0, 16) && refused());
	goheap_close(r);
	EXPECT(!goheap_from_fd(wrong, 0) && errno == ENOTTY);
	EXPECT(!goheap_from_fd(-1, 0) && errno == EBADF);
	close(wrong);
}
