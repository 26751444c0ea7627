/*
 * fork_storm.c: fork at any moment from any thread.
 *
 * Broken if this fails: a lock of the allocator stays held in a forked child (the child hangs), or its structures are
 * caught half-way (the child crashes, or finds blocks of its parent changed).
 *
 * Threads allocate and free without pause; main and the threads fork. Every child checks blocks that it inherited,
 * frees them, allocates all sizes, sometimes forks a grandchild or starts a thread, and exits with 0.
 */
#include "tests/emulated.h"
#include "tests/stress/harness.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_HELD 300 /* blocks that a forker holds for its children */
#define NR_CHURN 200 /* blocks that a thread turns over */
#define CHILD_SECONDS 20 /* longer: the child hangs */

static long nr_forks = 300, full_forks, nr_threads = 8, seed_option, from_signal, brief;
static uint64_t seed;
static long forks_done; /* Synchronization: atomic */
static int stop; /* Synchronization: atomic */

static void *stamped(struct rng *rng, size_t max)
{
	size_t size = STAMP_MIN + rng_size(rng, max);
	void *block = malloc(size);

	require(block, "malloc(%zu) gave NULL", size);
	stamp_write(block, size);
	return block;
}

static void release(void *block)
{
	stamp_check(block);
	free(block);
}

/* ---- the child ---- */

static void *child_thread(void *argument)
{
	struct rng *rng = argument;

	for (int i = 0; i < 100; i++)
		release(stamped(rng, 100000));
	return NULL;
}

/* All sizes, up and down, kept for a while, then freed in another order. */
static void child_allocate(struct rng *rng)
{
	void *kept[128];
	size_t nr = 0;

	for (size_t size = STAMP_MIN; size < 6 << 20; size += size / 5 + 1) {
		void *block = rng_below(rng, 4) ? malloc(size) : memalign(64, size);

		require(block, "malloc(%zu) gave NULL in a forked child", size);
		stamp_write(block, size);
		kept[nr++] = block;
	}
	for (size_t i = nr; i > 0; i--) {
		size_t at = rng_below(rng, i);

		release(kept[at]);
		kept[at] = kept[i - 1];
	}
	for (int i = 0; i < 2000; i++)
		release(stamped(rng, 2000));
}

static void reap(pid_t child, long number)
{
	int status;

	require(wait_child(child, CHILD_SECONDS, &status), "child of fork %ld hung for %d s", number, CHILD_SECONDS);
	require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child of fork %ld ended with wait status %#x", number,
		(unsigned int)status);
}

/* What every child does with the blocks that it inherited, and with new ones. */
static void child_work(struct rng *rng, void **held)
{
	pthread_t thread;

	if (rng_below(rng, 2))
		malloc_trim(0);
	for (int i = 0; i < NR_HELD; i++)
		release(held[i]);
	if (brief) {
		child_thread(rng);
		return;
	}
	child_allocate(rng);
	if (rng_below(rng, 8) == 0 && !emulated()) {
		require(!pthread_create(&thread, NULL, child_thread, rng), "pthread_create in a forked child");
		pthread_join(thread, NULL);
	}
}

static void __attribute__((noreturn)) child_exit(struct rng *rng)
{
	if (rng_below(rng, 2))
		exit(0); /* runs destructors and atexit */
	_exit(0);
}

static void fork_grandchild(struct rng *rng, long number)
{
	void *held[NR_HELD];
	pid_t child;

	for (int i = 0; i < NR_HELD; i++)
		held[i] = stamped(rng, 3000);
	child = fork();
	require(child >= 0, "fork of a grandchild failed");
	if (child == 0) {
		child_work(rng, held);
		child_exit(rng);
	}
	reap(child, number);
	for (int i = 0; i < NR_HELD; i++)
		release(held[i]);
}

static void __attribute__((noreturn)) child_main(struct rng rng, void **held, long number)
{
	rng = rng_stream(rng.state, (uint64_t)number);
	child_work(&rng, held);
	if (!brief && rng_below(&rng, 8) == 0)
		fork_grandchild(&rng, number);
	child_exit(&rng);
}

static void fork_once(struct rng *rng, void **held)
{
	long number = __atomic_add_fetch(&forks_done, 1, __ATOMIC_RELAXED);
	pid_t child = fork();

	require(child >= 0, "fork %ld failed", number);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_main(*rng, held, number);
	}
	reap(child, number);
}

/* ---- the parent's threads ---- */

static bool running(void)
{
	return __atomic_load_n(&forks_done, __ATOMIC_RELAXED) < nr_forks && !__atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void *churn_main(void *argument)
{
	struct rng rng = rng_stream(seed, (uintptr_t)argument);
	void *held[NR_HELD], *churn[NR_CHURN] = {0};

	for (int i = 0; i < NR_HELD; i++)
		held[i] = stamped(&rng, 4000);
	for (unsigned long steps = 1; running(); steps++) {
		size_t at = rng_below(&rng, NR_CHURN);

		if (churn[at])
			release(churn[at]);
		churn[at] = rng_below(&rng, 8) ? stamped(&rng, steps % 32 ? 200 : 70000) : NULL;
		if (!from_signal && steps % 20000 == 0)
			fork_once(&rng, held);
	}
	for (int i = 0; i < NR_CHURN; i++)
		if (churn[i])
			release(churn[i]);
	for (int i = 0; i < NR_HELD; i++)
		release(held[i]);
	return NULL;
}

static void fork_from_main(void)
{
	struct rng rng = rng_stream(seed, 1000);
	void *held[NR_HELD];

	for (int i = 0; i < NR_HELD; i++)
		held[i] = stamped(&rng, 4000);
	while (running())
		fork_once(&rng, held);
	for (int i = 0; i < NR_HELD; i++)
		release(held[i]);
}

/* ---- --from-signal: fork from a handler that interrupts malloc ---- */

static struct rng handler_rng; /* Synchronization: the handler */
static void *handler_held[NR_HELD]; /* Synchronization: const after main() */

static void on_alarm(int signal)
{
	(void)signal;
	if (running())
		fork_once(&handler_rng, handler_held);
	else
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

/* Main churns while its own timer signals make it fork; it never forks otherwise, so libc's fork is not re-entered. */
static void fork_from_handler(void)
{
	struct itimerval every = {.it_interval = {.tv_usec = 900}, .it_value = {.tv_usec = 900}};
	struct itimerval never = {0};

	handler_rng = rng_stream(seed, 2000);
	for (int i = 0; i < NR_HELD; i++)
		handler_held[i] = stamped(&handler_rng, 4000);
	pthread_sigmask(SIG_UNBLOCK, &(sigset_t){{1ul << (SIGALRM - 1)}}, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	churn_main((void *)3000);
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < NR_HELD; i++)
		release(handler_held[i]);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--forks", &nr_forks, false, "how often to fork"},
		{"--full", &full_forks, false, "how often with FLAGSTONE_PROBES=full; 0: as often as without"},
		{"--brief", &brief, true, "children do little, so that there can be very many"},
		{"--threads", &nr_threads, false, "threads beside main, at most 64"},
		{"--seed", &seed_option, false, "seed; 0: from the clock"},
		{"--from-signal", &from_signal, true,
			"fork from a signal handler that interrupts malloc (glibc hangs)"},
	};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	pthread_t threads[64];
	double start = now_seconds();

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	nr_forks = harness_count(nr_forks, full_forks ? full_forks : nr_forks);
	if (getenv("FLAGSTONE_FORKS"))
		nr_forks = atol(getenv("FLAGSTONE_FORKS"));
	seed = harness_seed(seed_option);
	printf("fork_storm: %s, %ld forks, %ld threads, --seed %lu\n", harness_allocator(), nr_forks, nr_threads,
		(unsigned long)seed);
	skip_emulated(NO_THREADS_AFTER_FORK);
	fflush(stdout);
	watchdog_start(60 + 0.5 * (double)nr_forks, "fork_storm");
	sigaction(SIGALRM, &action, NULL);
	pthread_sigmask(SIG_BLOCK, &(sigset_t){{1ul << (SIGALRM - 1)}}, NULL);
	for (long i = 0; i < nr_threads && i < 64; i++)
		require(!pthread_create(&threads[i], NULL, churn_main, (void *)(uintptr_t)i), "pthread_create");
	if (from_signal)
		fork_from_handler();
	else
		fork_from_main();
	for (long i = 0; i < nr_threads && i < 64; i++)
		pthread_join(threads[i], NULL);
	watchdog_stop();
	printf("PASS: fork_storm: %ld forks, every child and grandchild ended well, %.1f s\n", forks_done,
		now_seconds() - start);
	return test_status(0);
}
