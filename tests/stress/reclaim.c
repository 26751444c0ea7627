/*
 * reclaim.c: the reclaim thread in a program that knows nothing of it.
 *
 * Broken if this fails: an idle process keeps what it freed; a process that has not grown has a thread; the thread keeps
 * running with nothing to do, keeps a process alive, takes its signals, outlives a change of its user; or fork, exec, a
 * debugger or a filter of system calls meet it at a bad moment.
 *
 * Each case runs in a child, for which only what it grows by itself counts. FLAGSTONE_CONF should set a short decay.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"
#include "tests/unit/deny.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024ul)
#define GROWN (96 * MIB)
#define NR_BLOCKS 200000
#define SPARE (20 * MIB) /* what an idle process may keep: magazines, depots, slabs in part */
#define PATIENCE 60.0 /* seconds for what takes a fraction of one on a machine that has time */
#define CASE_SECONDS 120
#define ALL_BLOCKED "ffffffff" /* of SigBlk, but for SIGKILL and SIGSTOP, which are in neither word's top half */

/* More than other programs have: the library's own lies beyond it. */
static __thread volatile char large_tls[300 * 1024];

/* The face under test: the kernel's functions, or whatever answers malloc. */
#ifdef RECLAIM_KERNEL_FACE
#include <linux/slab.h>
#define take(size) kmalloc(size, GFP_KERNEL)
#define give(block) kfree(block)
#define HAS_MAPPINGS 0 /* blocks of more than 4 MiB */
#else
#define take(size) malloc(size)
#define give(block) free(block)
#define HAS_MAPPINGS 1
#endif

static void *blocks[NR_BLOCKS];
static long only_case = -1, no_thread, end_at_once, nr_forks = 60;

/* ---- what the process looks like; nothing here allocates ---- */

static unsigned int nr_tasks(void)
{
	struct stat task;

	require(!stat("/proc/self/task", &task), "stat: %s", strerror(errno));
	return (unsigned int)task.st_nlink - 2;
}

static void wait_for_tasks(unsigned int nr, const char *why)
{
	double end = now_seconds() + PATIENCE;

	while (nr_tasks() != nr) {
		require(now_seconds() < end, "%s: %u tasks, expected %u", why, nr_tasks(), nr);
		sleep_ms(5);
	}
}

static void wait_for_resident(size_t most)
{
	double end = now_seconds() + PATIENCE;

	while (status_bytes("RssAnon:") > most) {
		require(now_seconds() < end, "still %zu MiB resident, expected %zu", status_bytes("RssAnon:") / MIB,
			most / MIB);
		sleep_ms(5);
	}
}

/* Reads a file of the task that is not the calling one, of two. */
static void read_other_task(const char *name, char *text, size_t size)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300];
	FILE *file;

	require(tasks, "opendir: %s", strerror(errno));
	while ((entry = readdir(tasks)) && (*entry->d_name == '.' || atoi(entry->d_name) == gettid()))
		;
	require(entry, "there is no other task");
	snprintf(path, sizeof(path), "/proc/self/task/%s/%s", entry->d_name, name);
	closedir(tasks);
	file = fopen(path, "r");
	require(file, "%s: %s", path, strerror(errno));
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* ---- what it does ---- */

static void grow(size_t bytes)
{
	size_t nr = 0;

	for (size_t sum = 0; sum < bytes; nr++) {
		size_t size = nr % 100 ? 16 + nr * 37 % 2000 : 64 * 1024;

		require(nr < NR_BLOCKS, "too many blocks");
		blocks[nr] = take(size);
		require(blocks[nr], "malloc(%zu) gave NULL", size);
		stamp_write(blocks[nr], size);
		sum += size;
	}
}

static void release(void *block)
{
	stamp_check(block);
	give(block);
}

static void shrink(void)
{
	for (size_t i = 0; i < NR_BLOCKS && blocks[i]; i++) {
		release(blocks[i]);
		blocks[i] = NULL;
	}
}

/* Returns with a thread at work. */
static void grow_and_shrink(size_t bytes)
{
	unsigned int before = nr_tasks();

	grow(bytes);
	shrink();
	wait_for_tasks(before + 1, "after growing and freeing");
}

/* ---- cases ---- */

static void a_small_process_has_no_thread(void)
{
	for (int i = 0; i < 50; i++) {
		grow(3 * MIB);
		shrink();
		require(nr_tasks() == 1, "a thread in a process that has not grown");
	}
}

static void an_idle_process_gives_back_and_has_no_thread_then(void)
{
	size_t before = status_bytes("RssAnon:");

	for (int i = 0; i < 3; i++) {
		grow(GROWN);
		shrink();
		wait_for_resident(before + SPARE);
		wait_for_tasks(1, "with nothing left to give back");
	}
}

static void what_is_held_long_goes_back_too(void)
{
	size_t before = status_bytes("RssAnon:");

	grow_and_shrink(GROWN);
	grow(GROWN);
	wait_for_tasks(1, "while nothing is freed");
	shrink();
	wait_for_resident(before + SPARE);
	wait_for_tasks(1, "with nothing left to give back");
}

static void mappings_go_back(void)
{
	size_t before = status_bytes("RssAnon:");

	for (int i = 0; i < 20; i++) {
		void *block = take(40 * MIB);

		require(!block == !HAS_MAPPINGS, "malloc(%lu) gave %p", 40 * MIB, block);
		if (!block)
			return;
		memset(block, i, 40 * MIB);
		give(block);
	}
	wait_for_resident(before + SPARE);
	wait_for_tasks(1, "with nothing left to give back");
}

static void no_thread_where_none_is_wanted(void)
{
	for (int i = 0; i < 10; i++) {
		grow(GROWN);
		shrink();
		sleep_ms(20);
		require(nr_tasks() == 1, "a thread in spite of reclaim=0");
	}
}

static void child_of_a_process_with_a_thread(void)
{
	require(nr_tasks() == 1, "a forked child has %u tasks", nr_tasks());
	grow(2 * MIB);
	shrink();
	require(nr_tasks() == 1, "a forked child that has not grown has a thread");
	grow_and_shrink(2 * GROWN); /* more than its parent ever had */
	wait_for_tasks(1, "in a forked child");
	_exit(0);
}

static void run_child(void (*body)(void))
{
	pid_t child = fork();
	int status;

	require(child >= 0, "fork: %s", strerror(errno));
	if (!child)
		body();
	require(wait_child(child, PATIENCE, &status), "a child hangs");
	require(!status, "a child ended with wait status %#x", (unsigned int)status);
}

static void a_fork_child_gets_its_own_by_growing(void)
{
	grow_and_shrink(GROWN);
	run_child(child_of_a_process_with_a_thread);
}

static int stop; /* Synchronization: atomic */

static void *churn(void *arg)
{
	void *mine[400] = {0};
	struct rng rng = rng_stream(7, (uintptr_t)arg);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		void **slot = &mine[rng_below(&rng, 400)];

		if (*slot) {
			release(*slot);
			*slot = NULL;
		} else {
			*slot = take(2000 + rng_below(&rng, 90000));
			require(*slot, "no memory");
			stamp_write(*slot, 2000);
		}
	}
	for (int i = 0; i < 400; i++)
		if (mine[i])
			release(mine[i]);
	return arg;
}

static void child_checks(void)
{
	require(nr_tasks() == 1, "a forked child has %u tasks", nr_tasks());
	shrink();
	grow(2 * MIB);
	shrink();
	_exit(0);
}

static void forks_meet_it_at_work(void)
{
	pthread_t threads[3];

	grow(GROWN);
	shrink();
	grow(3 * MIB);
	for (uintptr_t i = 0; i < 3; i++)
		require(!pthread_create(&threads[i], NULL, churn, (void *)i), "pthread_create");
	for (long i = 0; i < nr_forks; i++)
		run_child(child_checks);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	shrink();
}

static void *sleep_a_little(void *arg)
{
	sleep_ms(50);
	return arg;
}

/* libc ends the process with the last thread that it knows. */
static void the_last_thread_ends_the_process(void)
{
	pthread_t thread;

	grow_and_shrink(GROWN);
	require(!pthread_create(&thread, NULL, sleep_a_little, NULL), "pthread_create");
	pthread_exit(NULL);
}

static void exec_ends_it(void)
{
	char *const argv[] = {"reclaim", "--end", NULL};

	grow_and_shrink(GROWN);
	execv("/proc/self/exe", argv);
	fail("exec: %s", strerror(errno));
}

static void on_signal(int signal)
{
	(void)signal;
	fail("a signal that every thread of the program blocks was handled");
}

static void signals_do_not_reach_it(void)
{
	char text[4096], *blocked;
	sigset_t set;

	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	grow_and_shrink(GROWN);
	read_other_task("status", text, sizeof(text));
	blocked = strstr(text, "SigBlk:\t");
	require(blocked && !strncmp(blocked + 8, ALL_BLOCKED, 8), "signals are not blocked in it: %.30s", blocked);
	kill(getpid(), SIGUSR1);
	sleep_ms(50);
	sigpending(&set);
	require(sigismember(&set, SIGUSR1), "somebody took the signal");
}

static void it_does_not_keep_the_rights_of_another_user(void)
{
	char text[4096];
	pthread_t thread;

	if (geteuid()) {
		skip_part("a change of the user: only root can");
		return;
	}
	grow_and_shrink(GROWN);
	require(!pthread_create(&thread, NULL, sleep_a_little, NULL), "pthread_create");
	require(!setresuid(65534, 65534, 65534), "setresuid: %s", strerror(errno));
	pthread_join(thread, NULL);
	wait_for_tasks(1, "after setresuid");
	sleep_ms(100);
	grow_and_shrink(GROWN);
	read_other_task("status", text, sizeof(text));
	require(strstr(text, "\nUid:\t65534\t65534\t65534\t65534\n"), "it has the rights of another user");
}

static void stopped_and_traced(void)
{
	size_t before = status_bytes("RssAnon:");
	pid_t self = getpid(), child;
	int status;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	child = fork();
	require(child >= 0, "fork: %s", strerror(errno));
	if (!child) {
		for (int i = 0; i < 20; i++) {
			sleep_ms(5);
			kill(self, SIGSTOP);
			sleep_ms(5);
			kill(self, SIGCONT);
		}
		_exit(0);
	}
	for (int i = 0; i < 10; i++) {
		grow(GROWN / 4);
		shrink();
	}
	require(wait_child(child, PATIENCE, &status) && !status, "the child that stops us failed");
	wait_for_resident(before + SPARE);
	wait_for_tasks(1, "after it was stopped");
}

/* clone fails; what is kept is what whoever frees leaves: see FLAGSTONE_CONF=retain. */
static void a_filter_against_threads_is_no_harm(void)
{
	size_t before = status_bytes("RssAnon:");

	if (!deny_call(SYS_clone, EPERM)) {
		skip_part("a filter of system calls: this kernel has none");
		return;
	}
	for (int i = 0; i < 5; i++) {
		grow(GROWN);
		shrink();
		require(nr_tasks() == 1, "a thread in spite of the filter");
	}
	/* What is retained, and the slabs that hold what four CPUs cache: nothing ages without the thread. */
	require(status_bytes("RssAnon:") < before + 64 * MIB, "%zu MiB resident without a thread",
		status_bytes("RssAnon:") / MIB);
}

static const struct {
	const char *name;
	void (*body)(void);
	const char *not_emulated; /* why not, or NULL */
} cases[] = {
	{"small", a_small_process_has_no_thread, NULL},
	{"idle", an_idle_process_gives_back_and_has_no_thread_then, NO_RESIDENT},
	{"held", what_is_held_long_goes_back_too, NO_RESIDENT},
	{"mappings", mappings_go_back, NO_RESIDENT},
	{"fork", a_fork_child_gets_its_own_by_growing, NO_THREADS_AFTER_FORK},
	{"storm", forks_meet_it_at_work, NO_THREADS_AFTER_FORK},
	{"last", the_last_thread_ends_the_process, NO_THREADS_AFTER_FORK},
	{"exec", exec_ends_it, NO_EXEC},
	{"signals", signals_do_not_reach_it, NO_THREADS_AFTER_FORK},
	{"user", it_does_not_keep_the_rights_of_another_user, NO_THREADS_AFTER_FORK},
	{"stopped", stopped_and_traced, NO_RESIDENT},
	{"filter", a_filter_against_threads_is_no_harm, NO_RESIDENT},
};

static void run_case(const char *name, void (*body)(void))
{
	pid_t child;
	int status;

	printf("%s\n", name);
	fflush(stdout);
	child = fork();
	require(child >= 0, "fork: %s", strerror(errno));
	if (!child) {
		body();
		exit(test_status(0));
	}
	require(wait_child(child, CASE_SECONDS, &status), "%s: hangs", name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED)
		skipped_a_part = true; /* it said why */
	else
		require(!status, "%s: ended with wait status %#x", name, (unsigned int)status);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--case", &only_case, false, "only this one, by its number; -1: all"},
		{"--forks", &nr_forks, false, "in the case of many forks"},
		{"--no-thread", &no_thread, true, "only that there is none: for FLAGSTONE_CONF=reclaim=0"},
		{"--end", &end_at_once, true, "ends at once: for the case of exec"},
	};

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	if (end_at_once)
		return 0;
	large_tls[0] = 1;
	printf("reclaim: %s\n", harness_allocator());
	if (skip_emulated("the reclaim thread from outside: /proc shows the emulator's threads and memory"))
		return test_status(0);
	if (no_thread) {
		run_case("no thread", no_thread_where_none_is_wanted);
		return test_status(0);
	}
	a_small_process_has_no_thread();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (only_case >= 0 && (size_t)only_case != i)
			continue;
		if (!cases[i].not_emulated || !skip_emulated(cases[i].not_emulated))
			run_case(cases[i].name, cases[i].body);
	}
	printf("PASS: reclaim\n");
	return test_status(0);
}
