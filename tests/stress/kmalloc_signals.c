/*
 * kmalloc_signals.c: kmalloc(GFP_ATOMIC), kfree and the cache functions in signal handlers that interrupt the same.
 *
 * Broken if this fails: an operation of a magazine, depot or slab is not whole for a handler of its own thread: the
 * handler deadlocks, or blocks are lost, doubled or overwritten.
 *
 * Each thread has a timer of its own, and one thread aims signals at all others; handlers nest. Blocks pass between
 * handlers and tasks of all threads through slots.
 */
#include "tests/stress/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <flagstone/stats.h>
#include <linux/slab.h>

#include "tests/sanitized.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define NR_SLOTS 512
#define NR_OWN 300
#define MAX_THREADS 64
#define CACHE_SIZE 72

static void *slots[NR_SLOTS]; /* Synchronization: atomic exchange; each block is stamped */
static struct kmem_cache *cache;
static long nr_threads = 4, seconds_option, seed_option, period_us = 50;
static uint64_t seed;
static int stop; /* Synchronization: atomic */
static unsigned long nr_handled; /* Synchronization: atomic */
static unsigned long nr_inside; /* Synchronization: atomic; handlers that interrupted an allocator call */
static unsigned long nr_rounds; /* Synchronization: atomic */
static pthread_t threads[MAX_THREADS];
static __thread volatile sig_atomic_t inside; /* this thread's own code, not its handler, is in an allocator call */

static size_t nr_live(void)
{
	static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};

	require(!flagstone_stats_get(&stats), "flagstone_stats_get");
	return stats.live_objects;
}

static void *stamped(struct rng *rng, size_t max, bool in_handler)
{
	gfp_t gfp = in_handler ? GFP_ATOMIC : GFP_KERNEL;
	bool from_cache = rng_below(rng, 4) == 0;
	size_t size = from_cache ? CACHE_SIZE : STAMP_MIN + rng_size(rng, max);
	void *block;

	inside += !in_handler;
	if (from_cache)
		block = kmem_cache_alloc(cache, gfp);
	else
		block = kmalloc(size, rng_below(rng, 8) ? gfp : gfp | __GFP_ZERO);
	inside -= !in_handler;
	require(block, "%zu bytes: NULL", size);
	stamp_write(block, size);
	return block;
}

static void release(void *block, bool in_handler)
{
	size_t size = stamp_check(block);

	memset(block, 0xdd, size < 64 ? size : 64);
	inside += !in_handler;
	if (size == CACHE_SIZE && ksize(block) == CACHE_SIZE)
		kmem_cache_free(cache, block);
	else
		kfree(block);
	inside -= !in_handler;
}

/* Puts a new block, or nothing, into a random slot, and frees what was there, whoever allocated it. */
static void swap_slot(struct rng *rng, bool in_handler)
{
	void *mine = rng_below(rng, 2) ? stamped(rng, 40000, in_handler) : NULL;
	/* Acquire and release: the stamp of a block is visible to whoever takes it out here. */
	void *theirs = __atomic_exchange_n(&slots[rng_below(rng, NR_SLOTS)], mine, __ATOMIC_ACQ_REL);

	if (theirs)
		release(theirs, in_handler);
}

static void on_signal(int signal)
{
	struct rng rng = rng_stream(seed + (uint64_t)signal, __atomic_add_fetch(&nr_handled, 1, __ATOMIC_RELAXED));
	void *kept[8];

	/* Where a handler takes longer than a period, workers would not come to see it. */
	if (__atomic_load_n(&stop, __ATOMIC_RELAXED))
		return;
	if (inside)
		__atomic_add_fetch(&nr_inside, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 8; i++)
		kept[i] = stamped(&rng, 3000, true);
	for (int i = 0; i < 3; i++)
		swap_slot(&rng, true);
	for (int i = 0; i < 8; i++)
		release(kept[i], true);
}

static timer_t start_own_timer(void)
{
	long ns = period_us * 1000;
	struct itimerspec interval = {{ns / 1000000000, ns % 1000000000}, {ns / 1000000000, ns % 1000000000}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
	timer_t timer;

	event.sigev_notify_thread_id = gettid();
	require(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	timer_settime(timer, 0, &interval, NULL);
	return timer;
}

static void *worker_main(void *argument)
{
	struct rng rng = rng_stream(seed, (uintptr_t)argument);
	timer_t timer = start_own_timer();
	void *own[NR_OWN] = {0};
	unsigned long rounds = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		size_t at = rng_below(&rng, NR_OWN);

		if (own[at])
			release(own[at], false);
		own[at] = stamped(&rng, rounds % 64 ? 2000 : 1 << 20, false);
		if (++rounds % 4 == 0)
			swap_slot(&rng, false);
	}
	timer_delete(timer);
	for (int i = 0; i < NR_OWN; i++)
		if (own[i])
			release(own[i], false);
	__atomic_add_fetch(&nr_rounds, rounds, __ATOMIC_RELAXED);
	return NULL;
}

/* Aims a signal at each worker in turn; and gives back now and then what the others are using. */
static void *shooter_main(void *unused)
{
	sigset_t all;

	(void)unused;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (long i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		pthread_kill(threads[i % nr_threads], SIGUSR1);
		if (i % 256 == 0)
			kmem_cache_shrink(cache);
		usleep((useconds_t)period_us);
	}
	return NULL;
}

static void install_handlers(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
}

static void run(double seconds)
{
	double end = now_seconds() + seconds;
	pthread_t shooter;

	install_handlers();
	for (long i = 0; i < nr_threads; i++)
		require(!pthread_create(&threads[i], NULL, worker_main, (void *)(uintptr_t)i), "pthread_create");
	require(!pthread_create(&shooter, NULL, shooter_main, NULL), "pthread_create");
	while (now_seconds() < end)
		sleep_ms(50);
	/* The workers stay until the shooter is gone: it must not aim at a thread that has ended. */
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
	size_t live_before, live_after;
	double seconds;

	harness_options(argc, argv, options, sizeof(options) / sizeof(options[0]));
	require(nr_threads >= 1 && nr_threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	seconds = harness_seconds(seconds_option, 4);
	seed = harness_seed(seed_option);
	printf("kmalloc_signals: %ld threads, %.0f s, --seed %lu\n", nr_threads, seconds, (unsigned long)seed);
	fflush(stdout);
	watchdog_start(seconds + 20, "kmalloc_signals (a handler that allocates has deadlocked)");
	cache = kmem_cache_create("signals", CACHE_SIZE, 0, 0, NULL);
	live_before = nr_live();
	run(seconds);
	live_after = nr_live();
	kmem_cache_destroy(cache);
	watchdog_stop();
	require(live_after == live_before, "%zu objects live before, %zu after", live_before, live_after);
	skip_sanitized("how many handlers run inside an allocator call: sanitizers put signals off");
	require(nr_handled > 100 && (SANITIZED || nr_inside > 10),
		"only %lu signals, %lu inside an allocator call: nothing was tested", nr_handled, nr_inside);
	printf("PASS: kmalloc_signals: %lu handlers, %lu of them inside an allocator call, %lu rounds of the workers\n",
		nr_handled, nr_inside, nr_rounds);
	return test_status(0);
}
