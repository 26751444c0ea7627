/*
 * test_sampler.c: the driver of sampler.c on a machine: its device interrupts many times while memory is used up again and again.
 *
 * Broken if this fails: an interrupt or a sample is lost, the shrinker is not called, or something is left after the driver was unloaded.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <flagstone/irq.h>
#include <flagstone/machine.h>
#include <flagstone/module.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/sched.h>

#define LINE 3 /* the driver's */
#define CALM 1000 /* interrupts before memory is used up, and while */
#define HARD 3000
#define ROUNDS 10
#define DEADLINE_S 60 /* without a single interrupt */

/* What the driver prints when it is unloaded. */
struct outcome {
	unsigned long long interrupts, dropped, stored, shrunk;
	unsigned long left;
};

/* For other threads than the test's own, which cmocka cannot leave. */
#define require(condition) require_that((condition), #condition, __LINE__)

static int true_stderr = 2; /* while 2 is a file. Synchronization: set before other threads start */

static void require_that(bool holds, const char *condition, int line)
{
	if (holds)
		return;
	dprintf(true_stderr, "%s:%d: not so: %s\n", __FILE__, line, condition);
	abort();
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* ---- the device: a thread of the host ---- */

struct device {
	unsigned int raises; /* edges that are not merged with one before */
	bool done; /* Synchronization: atomic */
	pthread_t thread;
};

static void *device_body(void *arg)
{
	struct device *device = arg;

	for (unsigned int n = 0; n < device->raises;) {
		if (flagstone_irq_raise(LINE))
			n++;
		else
			sched_yield();
	}
	__atomic_store_n(&device->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void device_start(struct device *device, unsigned int raises)
{
	*device = (struct device){.raises = raises};
	require(!pthread_create(&device->thread, NULL, device_body, device));
}

/* ---- kernel code ---- */

struct block {
	struct list_head list;
	unsigned int order;
};

static void use_memory_up(void)
{
	struct block *block, *next;
	LIST_HEAD(blocks);

	for (int order = 10; order >= 0; order -= 5) {
		while ((block = (void *)__get_free_pages(
				GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, (unsigned int)order))) {
			block->order = (unsigned int)order;
			list_add(&block->list, &blocks);
		}
	}
	list_for_each_entry_safe(block, next, &blocks, list)
		free_pages((unsigned long)block, block->order);
}

/* Objects of the driver's cache that are in use: samples that the work item has not seen yet; -1: there is no such cache. */
static int samples_waiting(void)
{
	static char text[1 << 16];
	const char *line;
	int active = -1;

	require(flagstone_view("slabinfo", text, sizeof(text)) < (long)sizeof(text));
	line = strstr(text, "\nsample ");
	if (line)
		require(sscanf(line, " sample %d", &active) == 1);
	return active;
}

/* Waits until so many interrupts were handled and no sample waits. */
static void wait_for_interrupts(unsigned long nr)
{
	time_t deadline = now() + DEADLINE_S;
	unsigned long before = 0, count;

	while ((count = flagstone_irq_count(LINE, -1)) < nr || samples_waiting()) {
		if (count > before)
			deadline = now() + DEADLINE_S;
		before = count;
		require(now() < deadline);
		msleep(1);
	}
}

/* While memory is plenty, all that is raised is stored; after that the device goes on and memory gets scarce. */
static int load_use_unload(void *unused)
{
	struct device device;

	(void)unused;
	require(flagstone_modules_load() == 0);
	device_start(&device, CALM);
	wait_for_interrupts(CALM);
	pthread_join(device.thread, NULL);
	device_start(&device, HARD);
	for (int round = 0; round < ROUNDS || !__atomic_load_n(&device.done, __ATOMIC_ACQUIRE); round++) {
		use_memory_up();
		cond_resched();
	}
	pthread_join(device.thread, NULL);
	wait_for_interrupts(CALM + HARD);
	return flagstone_modules_unload();
}

/* Runs it all with stderr in a file, and finds the driver's line there. Returns how much is left. */
static int run(const char *machine, struct outcome *outcome)
{
	static char log[1 << 16];
	int file = memfd_create("log", 0), left;
	const char *line;
	ssize_t length;

	true_stderr = dup(2);
	assert_int_equal(dup2(file, 2), 2);
	assert_int_equal(flagstone_machine_boot_text(machine), 0);
	assert_int_equal(flagstone_machine_run(num_online_cpus() > 1, load_use_unload, NULL), 0);
	left = flagstone_machine_shutdown();
	dup2(true_stderr, 2);
	length = pread(file, log, sizeof(log) - 1, 0);
	assert_true(length > 0);
	log[length] = '\0';
	close(true_stderr);
	true_stderr = 2;
	close(file);
	line = strstr(log, "sampler: ");
	if (left || !line)
		fprintf(stderr, "%s", log);
	assert_non_null(line);
	assert_int_equal(
		sscanf(line, "sampler: %llu interrupts, %llu dropped, %llu stored, %llu shrunk, %lu records left",
			&outcome->interrupts, &outcome->dropped, &outcome->stored, &outcome->shrunk, &outcome->left),
		5);
	return left;
}

static void every_sample_is_accounted_for(void **state)
{
	struct outcome outcome;

	(void)state;
	assert_int_equal(run("cpus=4,ram=32m", &outcome), 0);
	assert_int_equal(outcome.interrupts, CALM + HARD);
	assert_int_equal(outcome.stored + outcome.dropped, outcome.interrupts);
	assert_int_equal(outcome.shrunk + outcome.left, outcome.stored);
	assert_true(outcome.stored >= CALM);
	assert_true(outcome.shrunk > 0);
}

/* A second machine in the same process: less memory, fewer CPUs. */
static void it_works_a_second_time(void **state)
{
	struct outcome outcome;

	(void)state;
	assert_int_equal(run("cpus=2,ram=16m,seed=2", &outcome), 0);
	assert_int_equal(outcome.stored + outcome.dropped, CALM + HARD);
	assert_int_equal(outcome.shrunk + outcome.left, outcome.stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_accounted_for),
		cmocka_unit_test(it_works_a_second_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
