/*
 * test_oom.c: the end of memory: what is printed, who is asked first, who is chosen, what the policies do.
 *
 * Broken if this fails: the wrong task is chosen, a task that was chosen is not told or does not get its share of the reserves, or
 * a machine without memory hangs where it should fail.
 */
#include <errno.h>
#include <flagstone/oom.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/child.h"
#include "tests/unit/cpus.h"
#include "tests/unit/pressure_machine.h"

#define RAM (8ul << 20)
#define OUTPUT 30000

static char output[OUTPUT];

static void check(bool holds, int line)
{
	if (!holds) {
		print_error("line %d does not hold\n", line);
		child_end(line % 255 + 1);
	}
}
#define CHECK(x) check(x, __LINE__)

static void start(enum oom_policy oom)
{
	struct pressure_config config = {.oom = oom, .patience_ms = 50};

	CHECK(!pressure_machine_boot(test_cpus(4), RAM, &config));
}

/* The machine ends with as much memory as it began with. */
static void finish(size_t used)
{
	CHECK(pages_in_use() <= used);
	CHECK(!pressure_machine_shutdown());
	child_end(0);
}

/* ---- tasks that eat memory ---- */

struct eater {
	unsigned long most; /* pages; 0: until it is told to end */
	int adj;
	unsigned long had; /* Synchronization: atomic */
	bool chosen; /* Synchronization: atomic */
	uint32_t end; /* Synchronization: atomic */
};

struct held {
	struct held *next;
};

static bool is_told_to_end(struct eater *eater)
{
	return fatal_signal_pending(current) || __atomic_load_n(&eater->end, __ATOMIC_ACQUIRE);
}

static int eat(void *data)
{
	struct eater *eater = data;
	struct held *held = NULL, *page;

	flagstone_oom_killable(eater->adj);
	while (!is_told_to_end(eater)) {
		page = NULL;
		if (!eater->most || eater->had < eater->most)
			page = (void *)__get_free_page(GFP_KERNEL | __GFP_NOWARN);
		if (!page) {
			schedule_timeout_interruptible(1);
			continue;
		}
		page->next = held;
		held = page;
		flagstone_oom_account(1);
		__atomic_store_n(&eater->had, eater->had + 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&eater->chosen, fatal_signal_pending(current), __ATOMIC_RELEASE);
	/* It may still allocate, from the reserves. */
	if (eater->chosen) {
		page = (void *)__get_free_page(GFP_KERNEL | __GFP_NOWARN);
		CHECK(page != NULL);
		free_page((unsigned long)page);
	}
	while (held) {
		page = held;
		held = page->next;
		free_page((unsigned long)page);
	}
	flagstone_oom_unkillable();
	return 0;
}

static void wait_until_it_has(struct eater *eater, unsigned long nr)
{
	while (__atomic_load_n(&eater->had, __ATOMIC_ACQUIRE) < nr)
		schedule_timeout_uninterruptible(1);
}

static void the_largest_is_killed(void *arg)
{
	struct eater small = {.most = 200}, large = {.most = 600}, spared = {.most = 700, .adj = OOM_SCORE_ADJ_MIN};
	struct eater *eaters[] = {&small, &large, &spared};
	struct task_struct *tasks[3];
	struct held *held = NULL, *page;
	size_t used;

	(void)arg;
	start(OOM_KILL);
	used = pages_in_use();
	for (int i = 0; i < 3; i++) {
		tasks[i] = thread_start(eat, eaters[i], i == 0 ? "small" : i == 1 ? "large" : "spared");
		wait_until_it_has(eaters[i], eaters[i]->most);
	}
	/* This one asks until somebody had to go. */
	while (!__atomic_load_n(&large.chosen, __ATOMIC_ACQUIRE)) {
		page = (void *)__get_free_page(GFP_KERNEL);
		CHECK(page != NULL);
		page->next = held;
		held = page;
	}
	CHECK(thread_join(tasks[1]) == 0);
	CHECK(!__atomic_load_n(&small.chosen, __ATOMIC_ACQUIRE) && !__atomic_load_n(&spared.chosen, __ATOMIC_ACQUIRE));
	CHECK(vmstat_get(VMSTAT_oom_kill) == 1);
	for (; held; held = page) {
		page = held->next;
		free_page((unsigned long)held);
	}
	__atomic_store_n(&small.end, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&spared.end, 1, __ATOMIC_RELEASE);
	CHECK(thread_join(tasks[0]) == 0);
	CHECK(thread_join(tasks[2]) == 0);
	finish(used);
}

static void expect_end(void (*body)(void *), int expected)
{
	int status = child_run(body, NULL, output, sizeof(output));

	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
		print_error("%s", output);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

static void the_task_with_the_most_memory_is_chosen(void **state)
{
	(void)state;
	expect_end(the_largest_is_killed, 0);
	assert_non_null(
		strstr(output, "boot invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"));
	assert_non_null(strstr(output, "flagstone: Mem-Info:\n"));
	assert_non_null(strstr(output, "Node 0 Normal free:"));
	assert_non_null(strstr(output, "lowmem_reserve[]: 0 0 0 0\n"));
	assert_non_null(strstr(output, "Tasks state (memory values in pages):\n"));
	assert_non_null(strstr(output, " 600      600        0        0             0 large\n"));
	assert_non_null(strstr(output, "Out of memory: Killed process "));
	assert_non_null(strstr(output, " (large) total-vm:2400kB, anon-rss:2400kB, file-rss:0kB"));
}

/* Many that eat without end: each is told in its turn, and the machine goes on. */
static void everybody_is_killed(void *arg)
{
	struct eater eaters[6] = {{.most = 0}};
	struct task_struct *tasks[6];
	size_t used;

	(void)arg;
	start(OOM_KILL);
	used = pages_in_use();
	for (int i = 0; i < 6; i++)
		tasks[i] = thread_start(eat, &eaters[i], "eater");
	for (int i = 0; i < 5; i++) {
		int nr_ended = 0;

		do {
			schedule_timeout_uninterruptible(1);
			nr_ended = 0;
			for (int j = 0; j < 6; j++)
				nr_ended += thread_has_ended(tasks[j]);
		} while (nr_ended < i + 1);
	}
	for (int i = 0; i < 6; i++) {
		__atomic_store_n(&eaters[i].end, 1, __ATOMIC_RELEASE);
		CHECK(thread_join(tasks[i]) == 0);
	}
	CHECK(vmstat_get(VMSTAT_oom_kill) >= 5);
	finish(used);
}

static void one_after_the_other_ends(void **state)
{
	(void)state;
	expect_end(everybody_is_killed, 0);
}

/* ---- other policies ---- */

static void eat_all(bool all_fail)
{
	struct held *held = NULL, *page;

	while ((page = (void *)__get_free_page(GFP_KERNEL))) {
		page->next = held;
		held = page;
	}
	CHECK(all_fail);
	/* Those that must not fail do not invoke it, and go on failing. */
	CHECK(!__get_free_page(GFP_NOIO | __GFP_NOWARN));
	for (; held; held = page) {
		page = held->next;
		free_page((unsigned long)held);
	}
}

static void requests_fail(void *arg)
{
	size_t used;

	start(arg ? OOM_KILL : OOM_FAIL);
	used = pages_in_use();
	eat_all(true);
	finish(used);
}

static void without_a_victim_requests_fail(void **state)
{
	int status;

	(void)state;
	expect_end(requests_fail, 0);
	/* Nobody is killed, and nothing says so. */
	assert_null(strstr(output, "oom-killer"));
	assert_null(strstr(output, "Killed process"));
	assert_non_null(strstr(output, "boot is out of memory: gfp_mask=0xcc0(GFP_KERNEL), order=0, "
				       "oom_score_adj=0\nflagstone: CPU: 0 PID: "));
	assert_non_null(strstr(output, "flagstone: Mem-Info:\n"));
	assert_non_null(strstr(output, "Tasks state (memory values in pages):\n"));
	assert_non_null(strstr(output, "Out of memory: the request fails, no process is killed (oom=fail)\n"));
	assert_non_null(strstr(output, ": page allocation failure: order:0, mode:0xcc0(GFP_KERNEL)"));
	status = child_run(requests_fail, &status, output, sizeof(output));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_non_null(strstr(output, "boot invoked oom-killer: "));
	assert_non_null(strstr(output, "Out of memory and no killable processes..."));
}

static void panics(void *arg)
{
	(void)arg;
	start(OOM_PANIC);
	eat_all(false);
}

static void panic_ends_the_process(void **state)
{
	int status = child_run(panics, NULL, output, sizeof(output));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(
		strstr(output, "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled"));
}

/* ---- notifiers ---- */

static struct held *put_aside;
static unsigned int calls[2];
static unsigned int order_of_calls;

static int give(struct notifier_block *nb, unsigned long action, void *data)
{
	unsigned long *freed = data;
	struct held *page = put_aside;

	(void)nb;
	CHECK(action == 0 && *freed == 0);
	calls[0] = ++order_of_calls;
	for (int i = 0; page && i < 400; i++) {
		put_aside = page->next;
		free_page((unsigned long)page);
		page = put_aside;
		++*freed;
	}
	return NOTIFY_OK;
}

static int look(struct notifier_block *nb, unsigned long action, void *data)
{
	(void)nb;
	(void)action;
	(void)data;
	calls[1] = ++order_of_calls;
	return NOTIFY_DONE;
}

static void notified(void *arg)
{
	struct notifier_block giver = {.notifier_call = give, .priority = 1}, looker = {.notifier_call = look};
	struct held *page, *held = NULL;
	size_t used;

	(void)arg;
	start(OOM_FAIL);
	used = pages_in_use();
	CHECK(!register_oom_notifier(&looker));
	CHECK(!register_oom_notifier(&giver));
	CHECK(register_oom_notifier(&giver) == -EEXIST);
	for (int i = 0; i < 800; i++) {
		page = (void *)__get_free_page(GFP_KERNEL);
		page->next = put_aside;
		put_aside = page;
	}
	/* All of that is given up before a request fails. */
	while ((page = (void *)__get_free_page(GFP_KERNEL | __GFP_NOWARN))) {
		page->next = held;
		held = page;
	}
	CHECK(!put_aside);
	CHECK(calls[0] && calls[1] == calls[0] + 1);
	CHECK(!unregister_oom_notifier(&giver));
	CHECK(!unregister_oom_notifier(&looker));
	CHECK(unregister_oom_notifier(&looker) == -ENOENT);
	for (; held; held = page) {
		page = held->next;
		free_page((unsigned long)held);
	}
	finish(used);
}

static void notifiers_are_asked_first(void **state)
{
	(void)state;
	expect_end(notified, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_task_with_the_most_memory_is_chosen),
		cmocka_unit_test(one_after_the_other_ends),
		cmocka_unit_test(without_a_victim_requests_fail),
		cmocka_unit_test(panic_ends_the_process),
		cmocka_unit_test(notifiers_are_asked_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
