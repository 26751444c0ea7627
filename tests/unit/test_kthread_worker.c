/*
 * test_kthread_worker.c: kernel threads that run items one after the other: none is lost, run twice, or run after it was cancelled.
 *
 * Broken if this fails: a driver's item is lost, runs beside itself, or uses what was freed once its cancelling had returned.
 */
#include <linux/completion.h>
#include <linux/spinlock.h>
#include <string.h>

#include "tests/unit/child.h"
#include "tests/unit/irq_fixture.h"

#define ITEMS 20
#define ROUNDS 200

static struct kthread_worker *worker;

static int set_up(void **state)
{
	int error = fixture_boot(state);

	if (!error)
		worker = kthread_create_worker(0, "worker-%d", 7);
	return error ? error : IS_ERR(worker);
}

static int tear_down(void **state)
{
	kthread_destroy_worker(worker);
	return fixture_shut_down(state);
}

struct item {
	struct kthread_work work;
	unsigned int number;
	unsigned int runs; /* Synchronization: written by the worker, atomic */
};

static struct item items[ITEMS];
static unsigned int order[ITEMS], nr_run; /* plain, as above */
static unsigned int running, wrong; /* Synchronization: atomic */
static struct completion gate, arrived;

static void run_item(struct kthread_work *work)
{
	struct item *item = container_of(work, struct item, work);

	if (add(running, 1) != 1)
		add(wrong, 1);
	order[nr_run++ % ITEMS] = item->number;
	__atomic_fetch_add(&item->runs, 1, __ATOMIC_RELAXED); /* looked at while it runs */
	add(running, -1u);
}

static void init_items(kthread_work_func_t func)
{
	nr_run = 0;
	wrong = 0;
	for (unsigned int i = 0; i < ITEMS; i++) {
		items[i] = (struct item){.number = i};
		kthread_init_work(&items[i].work, func);
	}
}

/* An item that holds its worker up until the gate is open. */
static void hold(struct kthread_work *work)
{
	(void)work;
	complete(&arrived);
	wait_for_completion(&gate);
}
static DEFINE_KTHREAD_WORK(holder, hold);

static void hold_up(void)
{
	init_completion(&gate);
	init_completion(&arrived);
	kthread_init_work(&holder, hold);
	assert_true(kthread_queue_work(worker, &holder));
	wait_for_completion(&arrived);
}

static void items_run_in_order(void **state)
{
	(void)state;
	assert_string_equal(worker->task->comm, "worker-7");
	init_items(run_item);
	hold_up();
	for (unsigned int i = 0; i < ITEMS; i++)
		assert_true(kthread_queue_work(worker, &items[i].work));
	assert_false(kthread_queue_work(worker, &items[3].work)); /* pending */
	assert_true(kthread_queue_work(worker, &holder)); /* it runs, and will again */
	complete_all(&gate);
	kthread_flush_worker(worker);
	assert_int_equal(nr_run, ITEMS);
	for (unsigned int i = 0; i < ITEMS; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(wrong, 0);
}

static void a_flush_waits_for_its_item_alone(void **state)
{
	(void)state;
	init_items(run_item);
	kthread_flush_work(&items[0].work); /* never queued */
	hold_up();
	kthread_queue_work(worker, &items[0].work);
	kthread_queue_work(worker, &items[1].work);
	assert_true(kthread_cancel_work_sync(&items[1].work)); /* though the worker is busy */
	assert_false(kthread_cancel_work_sync(&items[1].work));
	kthread_flush_work(&items[1].work);
	complete_all(&gate);
	kthread_flush_work(&items[0].work);
	assert_int_equal(items[0].runs, 1);
	assert_int_equal(items[1].runs, 0);
	kthread_flush_work(&items[0].work);
}

/* Queues itself for ever. */
static void run_again(struct kthread_work *work)
{
	run_item(work);
	kthread_queue_work(worker, work);
}

static void what_is_cancelled_does_not_run(void **state)
{
	(void)state;
	init_items(run_again);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct item *item = &items[round % ITEMS];
		unsigned int before = item->runs;

		kthread_queue_work(worker, &item->work);
		if (round % 2)
			wait_until(load(item->runs) != before);
		kthread_cancel_work_sync(&item->work);
		before = item->runs; /* plain: it does not run */
		assert_false(kthread_cancel_work_sync(&item->work));
		assert_int_equal(item->runs, before);
	}
	kthread_flush_worker(worker);
	assert_int_equal(wrong, 0);
}

/* ---- later ---- */

static struct kthread_delayed_work later;
static unsigned long ran_at; /* plain: the worker's, and after a flush the test's */
static unsigned int later_runs; /* Synchronization: atomic */

static void run_later(struct kthread_work *work)
{
	assert_true(work == &later.work);
	ran_at = jiffies;
	add(later_runs, 1);
}

static void delays_are_kept(void **state)
{
	unsigned long began = jiffies;

	(void)state;
	later_runs = 0;
	kthread_init_delayed_work(&later, run_later);
	assert_true(kthread_queue_delayed_work(worker, &later, 5));
	assert_false(kthread_queue_delayed_work(worker, &later, 0));
	assert_false(kthread_queue_work(worker, &later.work));
	kthread_flush_work(&later.work); /* its time is to come: returns */
	wait_until(load(later_runs) == 1);
	kthread_flush_work(&later.work);
	assert_true(ran_at - began >= 5);
	assert_true(kthread_queue_delayed_work(worker, &later, 1000000));
	assert_true(kthread_mod_delayed_work(worker, &later, 0));
	wait_until(load(later_runs) == 2);
	kthread_flush_work(&later.work);
	assert_false(kthread_mod_delayed_work(worker, &later, 1000000)); /* was idle */
	assert_true(kthread_cancel_delayed_work_sync(&later));
	assert_false(kthread_cancel_delayed_work_sync(&later));
	assert_int_equal(load(later_runs), 2);
}

/* Its timer fires about when it is cancelled or moved. */
static void a_cancelled_delay_never_ends(void **state)
{
	(void)state;
	later_runs = 0;
	kthread_init_delayed_work(&later, run_later);
	for (unsigned int round = 0; round < 40; round++) {
		unsigned int runs;

		kthread_queue_delayed_work(worker, &later, 1 + round % 2);
		if (round % 4 == 0)
			kthread_mod_delayed_work(worker, &later, 2);
		schedule_timeout_uninterruptible(round % 3);
		kthread_cancel_delayed_work_sync(&later);
		runs = load(later_runs);
		assert_true(list_empty(&later.work.node) && !timer_pending(&later.timer));
		assert_int_equal(load(later_runs), runs);
	}
}

/* ---- CPUs ---- */

static void note_cpu(struct kthread_work *work)
{
	container_of(work, struct item, work)->number = (unsigned int)raw_smp_processor_id();
}

static void a_worker_stays_on_its_cpu(void **state)
{
	(void)state;
	for (int cpu = 0; cpu < (int)nr_cpu_ids; cpu++) {
		struct kthread_worker *here = kthread_create_worker_on_cpu(cpu, 0, "here/%d", cpu);
		struct item item = {.number = 999};

		assert_false(IS_ERR(here));
		kthread_init_work(&item.work, note_cpu);
		assert_true(kthread_queue_work(here, &item.work));
		kthread_destroy_worker(here); /* runs it first */
		assert_int_equal(item.number, cpu);
	}
}

static void a_thread_may_be_ones_own(void **state)
{
	DEFINE_KTHREAD_WORKER(own);
	struct task_struct *task;

	(void)state;
	init_items(run_item);
	kthread_init_worker(&own);
	kthread_queue_work(&own, &items[0].work); /* kept for the thread */
	task = kthread_run(kthread_worker_fn, &own, "own");
	assert_false(IS_ERR(task));
	kthread_flush_worker(&own);
	assert_int_equal(items[0].runs, 1);
	kthread_stop(task);
	assert_null(own.task);
}

static void serve_two(void *unused)
{
	struct kthread_worker *second;

	(void)unused;
	if (set_up(NULL))
		return;
	second = kthread_create_worker(0, "second");
	init_items(run_item);
	kthread_queue_work(worker, &items[0].work);
	kthread_flush_worker(worker);
	kthread_queue_work(worker, &items[0].work); /* as often as one likes */
	kthread_flush_worker(worker);
	kthread_queue_work(second, &items[0].work);
	kthread_destroy_worker(second);
	tear_down(NULL);
}

static void an_item_of_two_workers_is_told(void **state)
{
	static char output[4096];
	const char *warning;

	(void)state;
	assert_int_equal(child_run(serve_two, NULL, output, sizeof(output)), 0);
	warning = strstr(output, "WARNING: ");
	assert_non_null(warning);
	assert_non_null(strstr(warning, "kthread_worker.c"));
	assert_null(strstr(warning + 1, "WARNING: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(items_run_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flush_waits_for_its_item_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_cancelled_does_not_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(delays_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cancelled_delay_never_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_worker_stays_on_its_cpu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_thread_may_be_ones_own, set_up, tear_down),
		cmocka_unit_test(an_item_of_two_workers_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
