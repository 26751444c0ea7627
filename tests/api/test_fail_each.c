/*
 * test_fail_each.c: functions whose allocations fail one after the other: what each step is found to be.
 *
 * Broken if this fails: a leak, crash, hang or use of free memory behind a failed allocation goes unnoticed, or a right function is
 * said to have one.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <linux/bug.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
		cmocka_unit_test(crashes_name_their_step),
		cmocka_unit_test(warnings_name_their_step),
		cmocka_unit_test(an_exit_hides_no_leak),
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
