/*
 * test_fail_each.c: functions whose allocations fail one after the other: what each step is found to be.
 *
 * Broken if this fails: a leak, crash, hang or use of free memory behind a failed allocation goes unnoticed, or a right function is
 * said to have one.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <linux/bug.h>
#include <linux/genalloc.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/child.h"

static char output[1 << 20];
static const char *started_as; /* what the shell would find again */
static struct flagstone_fail_report report;

static int each(int (*function)(void *arg), unsigned int deadline_ms, unsigned int max_steps)
{
	memset(&report, 0, sizeof(report));
	report.machine = "cpus=2,ram=16m,nodes=1";
	report.deadline_ms = deadline_ms;
	report.max_steps = max_steps;
	return flagstone_fail_each(function, NULL, &report);
}

static int careful(void *arg)
{
	void *first = kmalloc(100, GFP_KERNEL), *second = NULL;
	struct page *page = NULL;
	struct kmem_cache *cache = NULL;
	int result = -ENOMEM;

	(void)arg;
	if (!first)
		goto out;
	second = kzalloc(3000, GFP_ATOMIC);
	if (!second)
		goto out;
	page = alloc_pages(GFP_KERNEL, 2);
	if (!page)
		goto out;
	cache = kmem_cache_create("careful", 40, 0, 0, NULL);
	if (cache)
		result = 0;
out:
	kmem_cache_destroy(cache);
	if (page)
		__free_pages(page, 2);
	kfree(second);
	kfree(first);
	return result;
}

static void a_careful_function_passes(void **state)
{
	(void)state;
	assert_int_equal(each(careful, 0, 0), 0);
	assert_int_equal(report.nr_bad, 0);
	/* Three that fail, the one that does not, and what the cache takes. */
	assert_in_range(report.nr_steps, 4, 8);
}

static int leaky(void *arg)
{
	void *first = kmalloc(100, GFP_KERNEL), *second = kmalloc(200, GFP_KERNEL);

	(void)arg;
	if (!first || !second)
		return -ENOMEM;
	kfree(second);
	kfree(first);
	return 0;
}

static void leaks_name_their_step(void **state)
{
	char replay[sizeof(report.bad[1].replay)];

	(void)state;
	assert_int_equal(each(leaky, 0, 0), 2);
	assert_int_equal(report.nr_steps, 3);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(report.bad[i].nth, i + 1);
		assert_int_equal(report.bad[i].outcome, FLAGSTONE_FAIL_LEAKED);
		assert_int_equal(report.bad[i].leaks, 1);
		assert_non_null(strstr(report.bad[i].text, "leak: kmalloc-"));
		/* In leaky(), which is not long. */
		assert_in_range(report.bad[i].site[0], (uintptr_t)leaky, (uintptr_t)leaky + 512);
	}
	snprintf(replay, sizeof(replay), "FLAGSTONE_MACHINE=cpus=2,ram=16m,seed=1,fail_nth=2 %s", started_as);
	assert_string_equal(report.bad[1].replay, replay);
}

/* ---- a driver with one of everything that takes memory ---- */

#define DRIVER_IRQ 9
#define DRIVER_POINTS 21 /* its allocations */

static struct driver {
	void *buffer;
	struct workqueue_struct *queue;
	long __percpu *counts;
	struct percpu_counter sum;
	struct kmem_cache *cache;
	mempool_t *pool;
	struct gen_pool *ranges;
	struct shrinker *shrinker;
	struct kthread_worker *worker;
	struct task_struct *thread;
	bool forgets; /* the error paths are as beginners write them */
} driver;

static irqreturn_t driver_handler(int irq, void *dev)
{
	(void)irq;
	(void)dev;
	return IRQ_HANDLED;
}

static int driver_thread(void *data)
{
	(void)data;
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* What each state of the driver ends with, from a state on; the last has nothing. */
static void driver_undo(int state)
{
	switch (state) {
	case 9:
		kthread_destroy_worker(driver.worker);
		/* fall through */
	case 8:
		shrinker_free(driver.shrinker);
		/* fall through */
	case 7:
		gen_pool_destroy(driver.ranges);
		/* fall through */
	case 6:
		mempool_destroy(driver.pool);
		/* fall through */
	case 5:
		kmem_cache_destroy(driver.cache);
		/* fall through */
	case 4:
		percpu_counter_destroy(&driver.sum);
		/* fall through */
	case 3:
		free_percpu(driver.counts);
		/* fall through */
	case 2:
		free_irq(DRIVER_IRQ, &driver);
		/* fall through */
	case 1:
		destroy_workqueue(driver.queue);
		/* fall through */
	default:
		kfree(driver.buffer);
	}
}

/* Returns 0, or the state at which it failed. */
static noinline int driver_make(void)
{
	driver.buffer = kmalloc(100, GFP_KERNEL);
	if (!driver.buffer)
		return -1;
	driver.queue = alloc_workqueue("driver", WQ_MEM_RECLAIM, 0);
	if (!driver.queue)
		return 0;
	if (request_threaded_irq(DRIVER_IRQ, NULL, driver_handler, IRQF_ONESHOT, "driver", &driver))
		return 1;
	driver.counts = alloc_percpu(long);
	if (!driver.counts)
		return 2;
	if (percpu_counter_init(&driver.sum, 0, GFP_KERNEL))
		return 3;
	driver.cache = kmem_cache_create("driver", 40, 0, 0, NULL);
	if (!driver.cache)
		return 4;
	driver.pool = mempool_create_kmalloc_pool(2, 100);
	if (!driver.pool)
		return 5;
	driver.ranges = gen_pool_create(5, -1);
	if (!driver.ranges)
		return 6;
	if (gen_pool_add(driver.ranges, 0x10000, 4096, -1))
		return driver.forgets ? 6 : (gen_pool_destroy(driver.ranges), 6);
	driver.shrinker = shrinker_alloc(0, "driver");
	if (!driver.shrinker)
		return 7;
	driver.worker = kthread_create_worker(0, "driver");
	if (IS_ERR(driver.worker))
		return 8;
	driver.thread = kthread_run(driver_thread, NULL, "driver");
	return IS_ERR(driver.thread) ? 9 : 10;
}

static int drive(void *arg)
{
	int state = driver_make();

	(void)arg;
	if (state == 10) {
		kthread_stop(driver.thread);
		driver_undo(9);
	} else if (!driver.forgets) {
		driver_undo(state);
	}
	return 0;
}

static void all_that_takes_memory_can_fail(void **state)
{
	(void)state;
	driver.forgets = false;
	assert_int_equal(each(drive, 0, 0), 0);
	assert_int_equal(report.nr_steps, DRIVER_POINTS + 1);
}

static void what_an_error_path_forgets_is_told(void **state)
{
	/* With that allocation failing; the last leaves a thread, with which the machine does not end. */
	static const int leaks[DRIVER_POINTS + 1] = {0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 6, 6, 6, 7, 8, 8, 8, 9, 9, 0};
	unsigned int nr_here = 0;

	(void)state;
	driver.forgets = true;
	/* Before the first there is nothing to forget. */
	assert_int_equal(each(drive, 0, 0), DRIVER_POINTS - 1);
	assert_int_equal(report.nr_steps, DRIVER_POINTS + 1);
	for (unsigned int i = 0; i < report.nr_bad; i++) {
		const struct flagstone_fail_step *step = &report.bad[i];

		assert_int_equal(step->nth, i + 2);
		assert_int_equal(step->outcome, FLAGSTONE_FAIL_LEAKED);
		assert_int_equal(step->leaks, leaks[step->nth]);
		assert_non_null(strstr(step->text, i + 1 < report.nr_bad ? "leak: " : "task driver (pid "));
		nr_here += step->site[0] - (uintptr_t)driver_make < 8192;
	}
	/* All but those of pools and the shrinker's struct, which lie in functions of theirs. */
	assert_int_equal(nr_here, DRIVER_POINTS - 1 - 7);
}

static int trusting(void *arg)
{
	char *bytes = kmalloc(100, GFP_KERNEL);

	(void)arg;
	*(volatile char *)bytes = 1;
	kfree(bytes);
	return 0;
}

static void crashes_name_their_step(void **state)
{
	(void)state;
	assert_int_equal(each(trusting, 0, 0), 1);
	assert_int_equal(report.nr_steps, 2);
	assert_int_equal(report.bad[0].nth, 1);
	assert_int_equal(report.bad[0].outcome, FLAGSTONE_FAIL_CRASHED);
}

static int warning(void *arg)
{
	void *object = kmalloc(100, GFP_KERNEL);

	(void)arg;
	WARN_ON(!object);
	kfree(object);
	return 0;
}

static void warnings_name_their_step(void **state)
{
	(void)state;
	assert_int_equal(each(warning, 0, 0), 1);
	assert_int_equal(report.nr_steps, 2);
	assert_int_equal(report.bad[0].nth, 1);
	assert_int_equal(report.bad[0].outcome, FLAGSTONE_FAIL_WARNED);
	assert_memory_equal(report.bad[0].text, "WARNING: CPU: ", 14);
}

static int leaving(void *arg)
{
	void *first = kmalloc(100, GFP_KERNEL), *second = kmalloc(200, GFP_KERNEL);

	(void)arg;
	if (first && !second)
		exit(1);
	kfree(second);
	kfree(first);
	return 0;
}

static void an_exit_hides_no_leak(void **state)
{
	(void)state;
	assert_int_equal(each(leaving, 0, 0), 1);
	assert_int_equal(report.nr_steps, 3);
	assert_int_equal(report.bad[0].nth, 2);
	assert_int_equal(report.bad[0].outcome, FLAGSTONE_FAIL_LEAKED);
	assert_int_equal(report.bad[0].leaks, 1);
}

/* Nobody in the program is told of that. */
static int vanishing(void *arg)
{
	void *first = kmalloc(100, GFP_KERNEL), *second = kmalloc(200, GFP_KERNEL);

	(void)arg;
	if (first && !second)
		_exit(0);
	kfree(second);
	kfree(first);
	return 0;
}

static int replaced(void *arg)
{
	void *first = kmalloc(100, GFP_KERNEL);

	(void)arg;
	if (!first)
		execl("/bin/true", "true", NULL);
	kfree(first);
	return 0;
}

/* That is a child's, which has no machine. */
static int forking(void *arg)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(0);
	waitpid(child, &status, 0);
	return careful(arg);
}

static void an_exit_unseen_is_told(void **state)
{
	static int (*const functions[])(void *arg) = {vanishing, replaced};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(each(functions[i], 0, 0), 1);
		assert_int_equal(report.nr_steps, 3 - i);
		assert_int_equal(report.bad[0].nth, 2 - i);
		assert_int_equal(report.bad[0].outcome, FLAGSTONE_FAIL_LEAKED);
		assert_string_equal(report.bad[0].text,
			"machine: the program ended without flagstone_machine_shutdown(): leaks not checked");
	}
	assert_int_equal(each(forking, 0, 0), 0);
}

static int patient(void *arg)
{
	void *object = kmalloc(100, GFP_KERNEL);

	(void)arg;
	while (!object)
		schedule_timeout_uninterruptible(1);
	kfree(object);
	return 0;
}

static void hangs_name_their_step(void **state)
{
	(void)state;
	assert_int_equal(each(patient, 500, 1), 1);
	assert_int_equal(report.bad[0].nth, 1);
	assert_int_equal(report.bad[0].outcome, FLAGSTONE_FAIL_HUNG);
}

/* Lets go of an object when the next one fails, and writes to it. */
static int confused(void *arg)
{
	struct kmem_cache *cache = kmem_cache_create("confused", 64, 0, SLAB_POISON | SLAB_RED_ZONE, NULL);
	char *object = cache ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;
	void *other = object ? kmalloc(100, GFP_KERNEL) : NULL;

	(void)arg;
	if (object)
		kmem_cache_free(cache, object);
	if (object && !other)
		object[8] = 1;
	if (object)
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	kfree(other);
	kmem_cache_destroy(cache);
	return 0;
}

static void use_of_free_memory_names_its_step(void **state)
{
	unsigned int nr = 0;

	(void)state;
	assert_true(each(confused, 0, 0) > 0);
	for (unsigned int i = 0; i < report.nr_bad; i++)
		nr += report.bad[i].outcome == FLAGSTONE_FAIL_TOUCHED;
	assert_int_equal(nr, 1);
}

static void replay(void *arg)
{
	static struct flagstone_fail_report own;

	setenv("FLAGSTONE_MACHINE", arg, 1);
	assert_int_equal(flagstone_fail_each(leaky, NULL, &own), 1);
	assert_int_equal(own.nr_steps, 1);
	assert_int_equal(own.bad[0].nth, 2);
}

static void a_replay_makes_its_step_alone(void **state)
{
	static char text[] = "cpus=2,ram=16m,seed=1,fail_nth=2";

	(void)state;
	assert_int_equal(child_run(replay, text, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "fail-each: with allocation 2 failing, called from 0x"));
	assert_non_null(
		strstr(output, "by fail_nth, seed 1, replay: FLAGSTONE_MACHINE=cpus=2,ram=16m,seed=1,fail_nth=2\n"));
}

static void hang(void *arg)
{
	(void)arg;
	each(patient, 500, 1);
}

static void hangs_show_their_tasks(void **state)
{
	(void)state;
	assert_int_equal(child_run(hang, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "it hangs: "));
	assert_non_null(strstr(output, "flagstone: machine: task boot (pid "));
	assert_non_null(strstr(output, " Comm: boot\n  #0 0x"));
}

static void replay_clean(void *arg)
{
	static struct flagstone_fail_report own;

	setenv("FLAGSTONE_MACHINE", arg, 1);
	assert_int_equal(flagstone_fail_each(leaky, NULL, &own), 2);
	assert_int_equal(own.bad[0].nth, 1);
	assert_int_equal(own.bad[1].nth, 2);
	assert_int_equal(own.bad[0].leaks, 1);
}

/* A step that never comes, and a machine that would not see leaks. */
static void a_clean_replay_clears_nobody(void **state)
{
	static char text[] = "cpus=2,ram=16m,fail_nth=9,tracking=0";

	(void)state;
	assert_int_equal(child_run(replay_clean, text, output, sizeof(output)), 0);
}

static void not_with_a_machine(void **state)
{
	(void)state;
	assert_int_equal(flagstone_machine_boot_text("cpus=1"), 0);
	assert_int_equal(flagstone_fail_each(careful, NULL, NULL), -EBUSY);
	assert_int_equal(flagstone_machine_shutdown(), 0);
	report.machine = "cpus=0";
	assert_int_equal(flagstone_fail_each(careful, NULL, &report), -EINVAL);
	assert_int_equal(flagstone_fail_each(careful, NULL, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_careful_function_passes),
		cmocka_unit_test(leaks_name_their_step),
		cmocka_unit_test(all_that_takes_memory_can_fail),
		cmocka_unit_test(what_an_error_path_forgets_is_told),
		cmocka_unit_test(crashes_name_their_step),
		cmocka_unit_test(warnings_name_their_step),
		cmocka_unit_test(an_exit_hides_no_leak),
		cmocka_unit_test(an_exit_unseen_is_told),
		cmocka_unit_test(hangs_name_their_step),
		cmocka_unit_test(hangs_show_their_tasks),
		cmocka_unit_test(use_of_free_memory_names_its_step),
		cmocka_unit_test(a_replay_makes_its_step_alone),
		cmocka_unit_test(a_clean_replay_clears_nobody),
		cmocka_unit_test(not_with_a_machine),
	};

	(void)argc;
	started_as = argv[0];
	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
