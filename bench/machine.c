/*
 * machine.c: one sample of the simulated machine against the clock: pairs on one CPU beside jemalloc's, per-CPU variables, pages; how long
 * a sleeper takes to run once memory is free; what many CPUs do together. And without a clock, how much of a fragmented memory large
 * blocks can be made of.
 *
 * Calls the machine library, and Google Benchmark through the shim. Prints lines of a name and values; machine.py calls this again and
 * again, and knows what the values are compared with.
 */
#include <flagstone/machine.h>
#include <linux/completion.h>
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
#define MAX_CPUS 256
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OPERATIONS 16000000l /* of all CPUs together, a sample */

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
} tests[] = {
	{"kmalloc", kmalloc_pair, 2000 * STEP},
	{"jemalloc", peer_pair, 2000 * STEP},
	{"this_cpu_inc", cpu_inc, 5000 * STEP},
	{"get_cpu_var", cpu_var, 5000 * STEP},
	{"alloc_pages", page_pair, 1000 * STEP},
};

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

static void one_cpu(void)
{
	boot(1, 64ul << 20);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if (peer_malloc || tests[i].run != peer_pair)
			printf("%s %.4f\n", tests[i].name,
				measure(tests[i].name, tests[i].run, NULL, tests[i].iterations));
	}
	flagstone_machine_shutdown();
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
	struct task_struct *task;

	boot(2, 16ul << 20);
	task = kthread_create_on_cpu(sleep_for_memory, NULL, 1, "sleeper/%u");
	wake_up_process(task);
	printf("wake");
	for (unsigned int round = 1; round <= wakes; round++) {
		double latency = wake_once(task, round);

		if (latency >= 0 && sleeper.page)
			printf(" %.2f", latency);
		if (sleeper.page)
			__free_pages(sleeper.page, 0);
	}
	putchar('\n');
	give_back(~0u);
	kthread_stop(task);
	flagstone_machine_shutdown();
}

/* ---- many CPUs ---- */

static unsigned int nr_cpus;
static DECLARE_COMPLETION(go);
static DECLARE_COMPLETION(done);

static int work(void *arg)
{
	void *objects[32];

	(void)arg;
	wait_for_completion(&go);
	for (long nr = 0; nr < OPERATIONS / nr_cpus; nr += (long)ARRAY_SIZE(objects)) {
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
			objects[i] = kmalloc(16u << i % 6, GFP_KERNEL);
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
			kfree(objects[i]);
	}
	complete(&done);
	return 0;
}

static void all_cpus(struct bench_state *state, void *arg)
{
	(void)arg;
	while (bench_more(state, OPERATIONS)) {
		complete_all(&go);
		for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
			wait_for_completion(&done);
	}
}

/* The threads are there before the clock starts. */
static void throughput(unsigned int cpus)
{
	struct task_struct *tasks[MAX_CPUS];

	nr_cpus = cpus;
	boot(nr_cpus, 256ul << 20);
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		tasks[cpu] = kthread_create_on_cpu(work, NULL, cpu, "work/%u");
		if (IS_ERR(tasks[cpu]))
			exit(1);
		get_task_struct(tasks[cpu]);
		wake_up_process(tasks[cpu]);
	}
	printf("cpus %.4f\n", measure("many CPUs", all_cpus, NULL, OPERATIONS));
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		kthread_stop(tasks[cpu]);
		put_task_struct(tasks[cpu]);
	}
	flagstone_machine_shutdown();
}

static void load_peer(void)
{
	const struct alloc *peer = alloc_load_peer(ALLOC_JEMALLOC);

	if (!peer)
		return;
	peer_malloc = peer->malloc;
	peer_free = peer->free;
}

int main(int argc, char **argv)
{
	unsigned long number = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	alloc_reserve_tls(argv);
	unsetenv("FLAGSTONE_MACHINE");
	if (argc == 2 && !strcmp(argv[1], "pairs")) {
		load_peer();
		one_cpu();
	} else if (argc == 3 && !strcmp(argv[1], "wake") && number) {
		wake_latency((unsigned int)number);
	} else if (argc == 3 && !strcmp(argv[1], "cpus") && number && number <= MAX_CPUS) {
		throughput((unsigned int)number);
	} else if (argc == 3 && !strcmp(argv[1], "fragmentation") && number) {
		fragmentation_table((unsigned int)number);
	} else {
		fputs("usage: flagstone-bench-machine pairs | wake WAKES | cpus CPUS | fragmentation SEEDS\n", stderr);
		return 2;
	}
	return 0;
}
