/*
 * signal_storm.c: signal handlers that allocate and free, while what they interrupt does the same.
 *
 * Broken if this fails: malloc or free is not async-signal-safe: a handler deadlocks on a lock that its own thread
 * holds, or finds magazines, slabs or lists half changed, so that blocks are lost, doubled or overwritten.
 * glibc fails this, and so do nearly all others.
 *
 * Signals come from a timer (SIGALRM, to the process), a timer (SIGRTMIN, likewise) and a thread that aims SIGUSR1 at
 * each worker in turn; handlers nest. Blocks pass between handlers and workers of all threads through slots.
 */
#include "tests/stress/harness.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NR_SLOTS 1024
#define NR_OWN 256
#define MAX_THREADS 64
#define MIN_HANDLED 100 /* fewer signals, or fewer inside an allocator call: nothing was tested */
#define MIN_INSIDE 10
#define MORE_SECONDS 30 /* to get them where the machine is slow or busy */

static void *slots[NR_SLOTS]; /* Synchronization: atomic exchange; each block is stamped */
static long nr_threads = 4, seconds_option, seed_option, period_us = 50;
static uint64_t seed;
static int stop; /* Synchronization: atomic */
static unsigned long nr_handled; /* Synchronization: atomic */
static unsigned long nr_inside; /* Synchronization: atomic; handlers that interrupted an allocator call */
static unsigned long nr_calls; /* Synchronization: atomic */
static pthread_t threads[MAX_THREADS];
static __thread volatile sig_atomic_t inside; /* this thread's own code, not its handler, is in an allocator call */

static void *stamped(struct rng *rng, size_t max, bool in_handler)
{
	size_t size = STAMP_MIN + rng_size(rng, max);
	uint64_t dice = rng_below(rng, 8);
	void *block;

	inside += !in_handler;
	if (dice == 0)
		block = calloc(1, size);
	else if (dice == 1)
		block = memalign((size_t)8 << rng_below(rng, 7), size);
	else
		block = malloc(size);
	inside -= !in_handler;
	require(block, "malloc(%zu) gave NULL", size);
	stamp_write(block, size);
	return block;
}

static void release(void *block, bool in_handler)
{
	stamp_check(block);
	inside += !in_handler;
	free(block);
	inside -= !in_handler;
}

/* Puts a new block, or nothing, into a random slot, and frees what was there, whoever allocated it. */
static void swap_slot(struct rng *rng, size_t max, bool in_handler)
{
	void *mine = rng_below(rng, 2) ? stamped(rng, max, in_handler) : NULL;
	/* Acquire and release: the stamp of a block is visible to whoever takes it out here. */
	void *theirs = __atomic_exchange_n(&slots[rng_below(rng, NR_SLOTS)], mine, __ATOMIC_ACQ_REL);

	if (theirs)
		release(theirs, in_handler);
}

static void on_signal(int signal)
{
	int saved = errno;
	struct rng rng = rng_stream(seed + (uint64_t)signal, __atomic_add_fetch(&nr_handled, 1, __ATOMIC_RELAXED));
	void *kept[6];

	if (inside)
		__atomic_add_fetch(&nr_inside, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 6; i++)
		kept[i] = stamped(&rng, 8192, true);
	for (int i = 0; i < 3; i++)
		swap_slot(&rng, 40000, true);
	for (int i = 0; i < 6; i++)
		release(kept[i], true);
	errno = saved;
}

static void *worker_main(void *argument)
{
	struct rng rng = rng_stream(seed, (uintptr_t)argument);
	void *own[NR_OWN] = {0};
	unsigned long calls = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		size_t at = rng_below(&rng, NR_OWN);

		if (own[at])
			release(own[at], false);
		own[at] = stamped(&rng, calls % 64 ? 2000 : 5 << 20, false);
		if (++calls % 4 == 0)
			swap_slot(&rng, 40000, false);
	}
	for (int i = 0; i < NR_OWN; i++)
		if (own[i])
			release(own[i], false);
	__atomic_add_fetch(&nr_calls, calls, __ATOMIC_RELAXED);
	return NULL;
}

/* Aims a signal at each worker in turn. */
static void *shooter_main(void *unused)
{
	sigset_t all;

	(void)unused;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (long i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		pthread_kill(threads[i % nr_threads], SIGUSR1);
		usleep((useconds_t)period_us);
	}
	return NULL;
}

static void install_handlers(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
}

static timer_t start_timers(void)
{
	struct itimerval every = {{0, period_us}, {0, period_us}};
	struct itimerspec interval = {{0, period_us * 1000}, {0, period_us * 1500}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	timer_t timer;

	setitimer(ITIMER_REAL, &every, NULL);
	require(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	timer_settime(timer, 0, &interval, NULL);
	return timer;
}

static void stop_timers(timer_t timer)
{
	struct itimerval never = {0};

	timer_delete(timer);
	setitimer(ITIMER_REAL, &never, NULL);
}

static bool was_tested(void)
{
	return __atomic_load_n(&nr_handled, __ATOMIC_RELAXED) > MIN_HANDLED &&
	       __atomic_load_n(&nr_inside, __ATOMIC_RELAXED) > MIN_INSIDE;
}

static void run(double seconds)
{
	double end = now_seconds() + seconds;
	pthread_t shooter;
	timer_t timer;

	install_handlers();
	for (long i = 0; i < nr_threads; i++)
		require(!pthread_create(&threads[i], NULL, worker_main, (void *)(uintptr_t)i), "pthread_create");
	require(!pthread_create(&shooter, NULL, shooter_main, NULL), "pthread_create");
	timer = start_timers();
	while (now_seconds() < end || (!was_tested() && now_seconds() < end + MORE_SECONDS))
		sleep_ms(50);
	/* The shooter goes first: it must not aim at a thread that is gone. */
	stop_timers(timer);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(shooter, NULL);
	for (long i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < NR_SLOTS; i++)
		if (slots[i])
			release(slots[i], false);
}

int main(int argc, char **argv)
{
	const struct test_option options[] = {
		{"--threads", &nr_threads, false, "threads, at most 64"},
		{"--seconds", &seconds_option, false, "time to run; 0: FLAGSTONE_SOAK_SECONDS or 4"},
		{"--period", &period_us, false, "microseconds between signals of one source"},
		{"--seed", &seed_option, false, "seed; 0: from the clock"},
	};
	double seconds;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	require(nr_threads >= 1 && nr_threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	seconds = harness_seconds(seconds_option, 4);
	seed = harness_seed(seed_option);
	printf("signal_storm: %s, %ld threads, %.0f s, --seed %lu\n", harness_allocator(), nr_threads, seconds,
		(unsigned long)seed);
	fflush(stdout);
	watchdog_start(seconds + MORE_SECONDS + 20, "signal_storm (a handler that allocates has deadlocked)");
	run(seconds);
	watchdog_stop();
	require(was_tested(), "only %lu signals, %lu inside malloc or free: nothing was tested", nr_handled, nr_inside);
	printf("PASS: signal_storm: %lu handlers, %lu of them inside malloc or free, %lu rounds of the workers\n",
		nr_handled, nr_inside, nr_calls);
	return 0;
}
