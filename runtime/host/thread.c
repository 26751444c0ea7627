/*
 * thread.c: the one background thread, started without libc.
 *
 * pthread_create() allocates, and takes locks that the caller of malloc may hold. A thread that libc does not count also
 * does not keep a process alive whose other threads have ended. It passes the flags that libc passes, so that filters of
 * system calls treat both alike.
 *
 * Calls the kernel, and pthread_create() in builds with a sanitizer. Refuses to know what the thread does.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "syscall.h"

#define STACK_BYTES 65536
#define TLS_SLACK 65536 /* beyond what the caller asks for, on either side of the thread pointer: room for libc's */
#define GUARD_BYTES 65536
#define THREAD_FLAGS                                                                                       \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
		CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* guard | stack, growing down | thread-local storage around the thread pointer. Kept for the next thread. */
static char *memory; /* Synchronization: the caller of host_thread_start(), one at a time */
static uint32_t tid; /* 0: no such thread. Synchronization: atomic; the kernel clears it when the thread is gone */
static void (*thread_body)(void); /* Synchronization: set before the thread starts */

static void set_name(void)
{
	syscall6(SYS_prctl, PR_SET_NAME, (long)"flagstone", 0, 0, 0, 0);
}

/* A table of descriptors of its own, empty, where the kernel has that (5.9): what the thread opens is in nobody's way, and what
 * the program closes is closed. host_write() knows of it. */
static void leave_descriptors(void)
{
	syscall6(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE, 0, 0, 0);
}

static void run(void)
{
	set_name();
	leave_descriptors();
	thread_body();
	for (;;)
		syscall6(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void *run_with_libc(void *arg)
{
	(void)arg;
	set_name();
	thread_body();
	/* Pairs with host_thread_runs(). */
	__atomic_store_n(&tid, 0, __ATOMIC_RELEASE);
	return NULL;
}

static int start_with_libc(void)
{
	pthread_attr_t detached;
	pthread_t thread;
	int err;

	__atomic_store_n(&tid, 1, __ATOMIC_RELAXED);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &detached, run_with_libc, NULL);
	pthread_attr_destroy(&detached);
	if (err)
		__atomic_store_n(&tid, 0, __ATOMIC_RELAXED);
	return -err;
}

static char *map_memory(size_t tls_bytes)
{
	size_t size = GUARD_BYTES + STACK_BYTES + 2 * tls_bytes;
	char *start = host_reserve(size, GUARD_BYTES);

	if (!start || !host_commit(start + GUARD_BYTES, size - GUARD_BYTES))
		return start;
	host_unmap(start, size);
	return NULL;
}

static int start(void (*prepare)(char *), size_t tls_bytes)
{
	char *stack, *pointer;
	long result;

	if (!memory)
		memory = map_memory(tls_bytes);
	if (!memory)
		return -ENOMEM;
	stack = memory + GUARD_BYTES + STACK_BYTES;
	pointer = stack + tls_bytes;
	/* The first word of x86-64's thread control block is its own address. */
	*(char **)pointer = pointer;
	prepare(pointer);
	result = clone_thread(SYS_clone, THREAD_FLAGS, stack, &tid, pointer, run);
	return result < 0 ? (int)result : 0;
}

int host_thread_start(void (*body)(void), void (*prepare)(char *), size_t tls_bytes)
{
	if (host_thread_runs())
		return -EBUSY;
	thread_body = body;
	return CONFIG_SANITIZED ? start_with_libc() : start(prepare, ALIGN_UP(tls_bytes, TLS_SLACK) + TLS_SLACK);
}

bool host_thread_runs(void)
{
	/* Pairs with the end of the thread: what it wrote is visible. */
	return __atomic_load_n(&tid, __ATOMIC_ACQUIRE) != 0;
}

void host_thread_forget(void)
{
	__atomic_store_n(&tid, 0, __ATOMIC_RELAXED);
}

/* ---- whose rights it has ---- */

/* "Uid:\t1\t2\t3\t..." in the text of /proc/PID/status holds these three numbers. */
static bool status_agrees(const char *status, const char *key, const uint32_t *ids)
{
	const char *at = strstr(status, key);

	if (!at)
		return false;
	at += strlen(key);
	for (int i = 0; i < 3; i++) {
		uint32_t id = 0;

		if (*at++ != '\t')
			return false;
		for (; *at >= '0' && *at <= '9'; at++)
			id = id * 10 + (uint32_t)(*at - '0');
		if (id != ids[i])
			return false;
	}
	return true;
}

/* libc changes the ids of the threads that it knows, which are the kernel's to keep, thread by thread. */
bool host_ids_changed(void)
{
	uint32_t users[3], groups[3];
	char status[2048];

	syscall6(SYS_getresuid, (long)&users[0], (long)&users[1], (long)&users[2], 0, 0, 0);
	syscall6(SYS_getresgid, (long)&groups[0], (long)&groups[1], (long)&groups[2], 0, 0, 0);
	if (host_read_file("/proc/self/status", status, sizeof(status)) <= 0)
		return true;
	return !status_agrees(status, "\nUid:", users) || !status_agrees(status, "\nGid:", groups);
}
