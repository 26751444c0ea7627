/*
 * machine.c: the simulated machine against the clock: pairs on one CPU beside jemalloc's in the same run, per-CPU variables, pages, how
 * long a sleeper takes to run once memory is free, what many CPUs do together; and without a clock, how much of a fragmented memory
 * large blocks can be made of.
 *
 * Calls the machine library, and Google Benchmark through the shim. Samples of one round follow each other, so what disturbs the host
 * for a while disturbs all alike; the table shows medians, and how far each is from its goal. Asserts nothing.
 */
#include <dlfcn.h>
#include <flagstone/machine.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "machine_fragmentation.h"
#include "shim.h"

#define STEP 1000
#define MAX_ROUNDS 101
#define MAX_CPUS 64
#define MAX_WAKES 2000
#define ALL_SEEDS 20 /* of the load that fragments memory */
#define QUICK_SEEDS 3
#define OPERATIONS 400000l /* of all CPUs together, a sample */
#define MOST_OF_PEER 0.8 /* goal: the pair's time, as a part of jemalloc's */
#define LEAST_OF_BEST 0.85 /* goal: the throughput of many CPUs, as a part of the best with fewer */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void *(*peer_malloc)(size_t size);
static void (*peer_free)(void *block);
static volatile size_t size_64 = 64; /* the compiler must not choose the cache */
static DEFINE_PER_CPU(unsigned long, counter);

/* ---- one CPU ---- */

static void kmalloc_pair(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, STEP)) {
		for (int i = 0; i < STEP; i++) {
			char *object = kmalloc(size_64, GFP_KERNEL);

			*(volatile char *)object = 1;
			kfree(object);
		}
	}
}

static void peer_pair(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, STEP)) {
		for (int i = 0; i < STEP; i++) {
			char *object = peer_malloc(size_64);

			*(volatile char *)object = 1;
			peer_free(object);
		}
	}
}

static void cpu_inc(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, STEP))
		for (int i = 0; i < STEP; i++)
			this_cpu_inc(counter);
}

static void cpu_var(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, STEP)) {
		for (int i = 0; i < STEP; i++) {
			get_cpu_var(counter)++;
			put_cpu_var(counter);
		}
	}
}

static void page_pair(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, STEP))
		for (int i = 0; i < STEP; i++)
			__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
}

static const struct test {
	const char *name;
	void (*run)(struct bench_state *state, void *arg);
	long iterations;
	double goal; /* nanoseconds at most; 0: none */
} tests[] = {
	{"kmalloc and kfree, 64 bytes", kmalloc_pair, 2000 * STEP, 0},
	{"jemalloc: malloc and free, 64 bytes", peer_pair, 2000 * STEP, 0},
	{"this_cpu_inc", cpu_inc, 5000 * STEP, 2},
	{"get_cpu_var and put_cpu_var", cpu_var, 5000 * STEP, 3},
	{"alloc_pages and __free_pages, order 0", page_pair, 1000 * STEP, 15},
};

static double samples[ARRAY_SIZE(tests)][MAX_ROUNDS];

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value that a part of them is below; sorts. */
static double quantile(double *values, size_t nr, double part)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr ? values[(size_t)((double)(nr - 1) * part)] : 0;
}

/* Ends a line of the table. A goal of 0: there is none. */
static void show_goal(double value, double goal, bool at_least)
{
	bool met = at_least ? value >= goal : value <= goal;

	if (goal <= 0)
		putchar('\n');
	else if (met)
		printf("   goal %s %g: met\n", at_least ? ">=" : "<=", goal);
	else
		printf("   goal %s %g: missed by %.0f%%\n", at_least ? ">=" : "<=", goal,
			100 * (at_least ? 1 - value / goal : value / goal - 1));
}

static double measure(const char *name, void (*run)(struct bench_state *state, void *arg), void *arg, long iterations)
{
	const struct bench_request request = {
		.name = name, .run = run, .arg = arg, .threads = 1, .iterations = iterations};
	struct bench_result result;

	if (bench_measure(&request, &result)) {
		fprintf(stderr, "flagstone-bench-machine: no result for %s\n", name);
		exit(1);
	}
	return result.seconds * 1e9 / (double)result.iterations;
}

static void boot(unsigned int cpus, unsigned long ram)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	config.cpus = cpus;
	config.ram = ram;
	config.tracking = config.context = config.lockdep = 0;
	config.oom = FLAGSTONE_OOM_FAIL;
	if (flagstone_machine_boot(&config))
		exit(1);
}

static void one_cpu(unsigned int rounds)
{
	double median[ARRAY_SIZE(tests)];

	boot(2, 64ul << 20);
	for (unsigned int round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
			if (peer_malloc || tests[i].run != peer_pair)
				samples[i][round] = measure(tests[i].name, tests[i].run, NULL, tests[i].iterations);
	flagstone_machine_shutdown();
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!peer_malloc && tests[i].run == peer_pair)
			continue;
		median[i] = quantile(samples[i], rounds, 0.5);
		printf("%-40s %8.2f ns", tests[i].name, median[i]);
		show_goal(median[i], tests[i].goal, false);
	}
	if (peer_malloc) {
		printf("%-40s %8.2f   ", "kmalloc pair / jemalloc pair", median[0] / median[1]);
		show_goal(median[0] / median[1], MOST_OF_PEER, false);
	}
}

/* ---- a sleeper ---- */

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Synchronization: the words between the two are atomic; a round is the sleeper's until it has added to woken. */
static struct {
	unsigned int go, woken;
	uint64_t ran_at;
	struct page *page;
} sleeper;

static int sleep_for_memory(void *arg)
{
	unsigned int seen = 0;

	(void)arg;
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (__atomic_load_n(&sleeper.go, __ATOMIC_ACQUIRE) == seen && !kthread_should_stop()) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		if (__atomic_load_n(&sleeper.go, __ATOMIC_ACQUIRE) == seen)
			break;
		seen++;
		sleeper.page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 0);
		sleeper.ran_at = now_ns();
		__atomic_store_n(&sleeper.woken, seen, __ATOMIC_RELEASE);
	}
	return 0;
}

static struct page *hoard; /* a list by page_address() */

static bool hoard_one(gfp_t gfp)
{
	struct page *page = alloc_pages(gfp, 0);

	if (!page)
		return false;
	*(struct page **)page_address(page) = hoard;
	hoard = page;
	return true;
}

static void hoard_all(void)
{
	while (hoard_one(GFP_NOWAIT | __GFP_NOWARN))
		;
}

static void give_back(unsigned int nr)
{
	while (nr-- && hoard) {
		struct page *page = hoard;

		hoard = *(struct page **)page_address(page);
		__free_pages(page, 0);
	}
}

/* From the moment that pages are free until the sleeper has one and runs; below 0: it did not sleep. */
static double wake_once(struct task_struct *task, unsigned int round)
{
	uint64_t freed_at;

	hoard_all();
	__atomic_store_n(&sleeper.go, round, __ATOMIC_RELEASE);
	wake_up_process(task);
	/* Long enough to be asleep for memory, short of being told that there is none. */
	schedule_timeout_uninterruptible(6);
	if (__atomic_load_n(&sleeper.woken, __ATOMIC_ACQUIRE) == round)
		return -1;
	freed_at = now_ns();
	give_back(2000);
	while (__atomic_load_n(&sleeper.woken, __ATOMIC_ACQUIRE) != round)
		schedule_timeout_uninterruptible(1);
	return (double)(sleeper.ran_at - freed_at) / 1000;
}

static void wake_latency(unsigned int wakes)
{
	static double latencies[MAX_WAKES];
	struct task_struct *task;
	unsigned int nr = 0;

	boot(2, 16ul << 20);
	task = kthread_create_on_cpu(sleep_for_memory, NULL, 1, "sleeper/%u");
	wake_up_process(task);
	for (unsigned int round = 1; round <= wakes; round++) {
		double latency = wake_once(task, round);

		if (latency >= 0 && sleeper.page)
			latencies[nr++] = latency;
		if (sleeper.page)
			__free_pages(sleeper.page, 0);
	}
	give_back(~0u);
	kthread_stop(task);
	flagstone_machine_shutdown();
	printf("%-40s %8.1f us p50 %8.1f us p99 (%u wake-ups)\n", "GFP_KERNEL sleeper, memory free to running",
		quantile(latencies, nr, 0.5), quantile(latencies, nr, 0.99), nr);
}

/* ---- many CPUs ---- */

static unsigned int nr_cpus;
static unsigned int nr_done; /* Synchronization: atomic */
static struct task_struct *waiter;

static int work(void *arg)
{
	void *objects[32];

	(void)arg;
	for (long done = 0; done < OPERATIONS / nr_cpus; done += (long)ARRAY_SIZE(objects)) {
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
			objects[i] = kmalloc(16u << i % 6, GFP_KERNEL);
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
			kfree(objects[i]);
	}
	if (__atomic_add_fetch(&nr_done, 1, __ATOMIC_SEQ_CST) == nr_cpus)
		wake_up_process(waiter);
	return 0;
}

static void all_cpus(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, OPERATIONS)) {
		__atomic_store_n(&nr_done, 0, __ATOMIC_SEQ_CST);
		for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
			wake_up_process(kthread_create_on_cpu(work, NULL, cpu, "work/%u"));
		for (;;) {
			set_current_state(TASK_UNINTERRUPTIBLE);
			if (__atomic_load_n(&nr_done, __ATOMIC_SEQ_CST) == nr_cpus)
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
	}
}

static void throughput(unsigned int rounds)
{
	double values[MAX_ROUNDS], ns, best = 0;

	for (nr_cpus = 1; nr_cpus <= MAX_CPUS; nr_cpus *= 2) {
		boot(nr_cpus, 256ul << 20);
		waiter = current;
		for (unsigned int round = 0; round < rounds; round++)
			values[round] = measure("many CPUs", all_cpus, NULL, 5 * OPERATIONS);
		while (flagstone_machine_shutdown() < 0)
			schedule_timeout_uninterruptible(1);
		ns = quantile(values, rounds, 0.5);
		printf("%2u CPUs: kmalloc and kfree, mixed sizes   %8.2f ns of all CPUs together", nr_cpus, ns);
		if (nr_cpus > 1)
			printf(", throughput %.2f of the best with fewer", best / ns);
		show_goal(best / ns, nr_cpus > 1 ? LEAST_OF_BEST : 0, true);
		best = nr_cpus == 1 || ns < best ? ns : best;
	}
}

static void load_peer(void)
{
	void *library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "flagstone-bench-machine: no jemalloc to compare with: %s\n", dlerror());
		return;
	}
	*(void **)&peer_malloc = dlsym(library, "malloc");
	*(void **)&peer_free = dlsym(library, "free");
}

int main(int argc, char **argv)
{
	bool quick = argc == 2 && !strcmp(argv[1], "--quick");
	bool only_fragmentation = argc == 2 && !strcmp(argv[1], "--fragmentation");

	if (argc > 1 && !quick && !only_fragmentation) {
		fputs("usage: flagstone-bench-machine [--quick | --fragmentation]\n", stderr);
		return 2;
	}
	alloc_reserve_tls(argv);
	unsetenv("FLAGSTONE_MACHINE");
	if (only_fragmentation) {
		fragmentation_table(ALL_SEEDS);
		return 0;
	}
	load_peer();
	one_cpu(quick ? 5 : 41);
	wake_latency(quick ? 40 : 400);
	throughput(quick ? 3 : 9);
	fragmentation_table(quick ? QUICK_SEEDS : ALL_SEEDS);
	return 0;
}
