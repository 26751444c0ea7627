/*
 * test_reclaim.c: the reclaim thread seen from inside: how often it is tried for, what its ticks meet, what ends it.
 *
 * Links with the reclaim room and those below only, so that sanitizers can watch the thread at work. What a program sees of
 * it is tests/stress/reclaim.c's. FLAGSTONE_CONF sets a short decay.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include <linux/slab.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/reclaim/reclaim.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"
#include "tests/unit/deny.h"
#include "tests/unit/random.h"

#define MIB (1ul << 20)
#define BLOCK 1024
#define NR_BLOCKS (300 * MIB / BLOCK)
#define PATIENCE_NS (60ull * 1000000000u)
#define SECOND_NS 1000000000ull

static void *blocks[NR_BLOCKS];
static size_t nr_blocks;

static uint32_t state_now(void)
{
	return __atomic_load_n(&reclaim.state, __ATOMIC_ACQUIRE);
}

static void hold(size_t bytes)
{
	for (; nr_blocks * BLOCK < bytes; nr_blocks++) {
		blocks[nr_blocks] = kmalloc(BLOCK, GFP_KERNEL);
		if (!blocks[nr_blocks])
			abort();
		memset(blocks[nr_blocks], 1, BLOCK);
	}
}

static void drop_to(size_t bytes)
{
	while (nr_blocks * BLOCK > bytes)
		kfree(blocks[--nr_blocks]);
}

/* Whether *counter comes to at least that. */
static bool reaches(const uint64_t *counter, uint64_t number)
{
	uint64_t deadline = host_clock_ns() + PATIENCE_NS;

	while (__atomic_load_n(counter, __ATOMIC_RELAXED) < number && host_clock_ns() < deadline)
		usleep(2000);
	return __atomic_load_n(counter, __ATOMIC_RELAXED) >= number;
}

static bool becomes(enum reclaim_state state)
{
	uint64_t deadline = host_clock_ns() + PATIENCE_NS;

	while (state_now() != state && host_clock_ns() < deadline)
		usleep(2000);
	return state_now() == state;
}

static void it_starts_when_memory_is_freed_and_ends_by_itself(void **state)
{
	(void)state;
	assert_int_equal(state_now(), RECLAIM_ABSENT);
	hold(8 * MIB);
	drop_to(0);
	assert_int_equal(state_now(), RECLAIM_ABSENT);
	for (int i = 0; i < 3; i++) {
		hold(64 * MIB);
		drop_to(0);
		assert_int_not_equal(state_now(), RECLAIM_ABSENT);
		assert_true(becomes(RECLAIM_ABSENT));
	}
	assert_true(reclaim.nr_ticks > 3);
}

#define NR_THREADS 4

static void *churn(void *arg)
{
	static const unsigned int nr = 2000;
	unsigned char *mine[2000] = {0};
	uint32_t seed = 1 + (uint32_t)(uintptr_t)arg;
	unsigned char mark = (unsigned char)(1 + (uintptr_t)arg);
	uint64_t enough = __atomic_load_n(&reclaim.nr_ticks, __ATOMIC_RELAXED) + 50;
	uint64_t deadline = host_clock_ns() + PATIENCE_NS;
	bool good = true;

	while (good && __atomic_load_n(&reclaim.nr_ticks, __ATOMIC_RELAXED) < enough && host_clock_ns() < deadline) {
		unsigned int at = random_below(&seed, nr);

		if (mine[at]) {
			good = mine[at][0] == mark && mine[at][99] == mark;
			kfree(mine[at]);
			mine[at] = NULL;
		} else {
			mine[at] =
				kmalloc(100 + random_below(&seed, random_below(&seed, 8) ? 2000 : 200000), GFP_KERNEL);
			mine[at][0] = mine[at][99] = mark;
		}
	}
	for (unsigned int i = 0; i < nr; i++) {
		good = good && (!mine[i] || mine[i][0] == mark);
		kfree(mine[i]);
	}
	return (void *)(uintptr_t)good;
}

static void threads_keep_what_is_theirs(void **state)
{
	pthread_t threads[NR_THREADS];
	uint64_t before = reclaim.nr_ticks;
	void *good;

	(void)state;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], &good);
		assert_non_null(good);
	}
	assert_true(reaches(&reclaim.nr_ticks, before + 50));
	assert_true(becomes(RECLAIM_ABSENT));
}

static void child_of_a_process_with_the_thread(void *arg)
{
	(void)arg;
	if (state_now() != RECLAIM_ABSENT || host_thread_runs())
		child_end(1);
	hold(2 * MIB);
	drop_to(0);
	child_end(state_now() == RECLAIM_ABSENT ? 0 : 2);
}

static void a_fork_child_has_none(void **state)
{
	char output[2000];

	(void)state;
	hold(64 * MIB);
	drop_to(0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(child_run(child_of_a_process_with_the_thread, NULL, output, sizeof(output)), 0);
	assert_true(becomes(RECLAIM_ABSENT));
}

/* ---- where there can be no thread ---- */

static void child_that_may_not_start_threads(void *arg)
{
	uint64_t not_before;

	(void)arg;
	if (!deny_call(SYS_clone, EAGAIN))
		_exit(STATUS_SKIPPED);
	hold(200 * MIB);
	drop_to(0);
	not_before = reclaim.not_before;
	if (state_now() != RECLAIM_ABSENT || host_thread_runs())
		_exit(1);
	if (not_before < host_clock_ns() + 5 * SECOND_NS)
		_exit(2);
	hold(200 * MIB);
	drop_to(0);
	_exit(reclaim.not_before == not_before ? 0 : 3);
}

static void a_refused_thread_is_not_tried_for_again_and_again(void **state)
{
	char output[2000];
	int status;

	(void)state;
	if (skip_sanitized("a filter of system calls: the sanitizers need them") ||
		skip_emulated("a filter of system calls: qemu-user has none"))
		skip();
	status = child_run(child_that_may_not_start_threads, NULL, output, sizeof(output));
	if (WEXITSTATUS(status) == STATUS_SKIPPED)
		skip_part("a filter of system calls: this kernel has none");
	else
		assert_int_equal(status, 0);
}

/* ---- a real memory cgroup ---- */

#define LIMIT (256 * MIB)

static bool write_text(const char *folder, const char *name, const char *text)
{
	char path[600];
	FILE *file;
	bool done;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file)
		return false;
	done = fputs(text, file) >= 0;
	return !fclose(file) && done;
}

/* A cgroup below this process's own, of either version. */
static bool cgroup_make(char *folder, size_t size)
{
	static const char *const roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
	static const char *const limits[] = {"memory.limit_in_bytes", "memory.max"};
	char text[4096], own[300] = "", limit[32];
	const char *line;

	if (host_read_file("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return false;
	line = strstr(text, ":memory:");
	if (line || (line = strstr(text, "0::")))
		sscanf(strchr(line, '/') ? strchr(line, '/') : "", "%299[^\n]", own);
	snprintf(limit, sizeof(limit), "%lu", LIMIT);
	for (int i = 0; i < 4; i++) {
		snprintf(folder, size, "%s%s/flagstone-test-%d", roots[i / 2], i % 2 ? "" : own, getpid());
		if (mkdir(folder, 0755))
			continue;
		if (write_text(folder, limits[i / 2], limit))
			return true;
		rmdir(folder);
	}
	return false;
}

static void child_near_its_limit(void *folder)
{
	if (!write_text(folder, "cgroup.procs", "0"))
		_exit(STATUS_SKIPPED);
	hold(LIMIT - LIMIT / 20);
	drop_to(LIMIT - LIMIT / 20 - 2 * MIB); /* calls for the thread */
	hold(LIMIT - LIMIT / 20);
	if (!reaches(&reclaim.nr_trims, 1))
		_exit(1);
	drop_to(0);
	_exit(0);
}

static void near_a_limit_everything_goes_at_each_tick(void **state)
{
	char output[2000], folder[500];
	int status;

	(void)state;
	if (skip_sanitized(SANITIZERS_LIMITS) || skip_emulated(NO_THREADS_AFTER_FORK))
		skip();
	if (!cgroup_make(folder, sizeof(folder))) {
		skip_part("a memory cgroup: none can be made here");
		skip();
	}
	status = child_run(child_near_its_limit, folder, output, sizeof(output));
	rmdir(folder);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED)
		skip_part("a memory cgroup: no process can be moved there");
	else
		assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_starts_when_memory_is_freed_and_ends_by_itself),
		cmocka_unit_test(threads_keep_what_is_theirs),
		cmocka_unit_test(a_fork_child_has_none),
		cmocka_unit_test(a_refused_thread_is_not_tried_for_again_and_again),
		cmocka_unit_test(near_a_limit_everything_goes_at_each_tick),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
