/*
 * test_helpers.c: helpers that drivers are full of, on a machine: notifier chains, waiting loops, pools on a node.
 *
 * Broken if this fails: a notifier is called after it was taken out, a loop with cpu_relax() does not see what another CPU did, or a
 * pool's own memory is on another node than it was asked for.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <linux/genalloc.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define NR_ROUNDS 200

static int boot(void **state)
{
	(void)state;
	return flagstone_machine_boot_text("cpus=4,ram=64m,nodes=2");
}

static int shut_down(void **state)
{
	(void)state;
	return flagstone_machine_shutdown();
}

/* ---- notifiers ---- */

static ATOMIC_NOTIFIER_HEAD(chain);
static int ending; /* Synchronization: atomic */

/* A block that must not be called while it is out. */
struct guest {
	struct notifier_block block;
	int in; /* Synchronization: atomic */
	unsigned long calls; /* Synchronization: atomic */
};

static int guest_called(struct notifier_block *block, unsigned long action, void *data)
{
	struct guest *guest = container_of(block, struct guest, block);

	(void)data;
	__atomic_fetch_add(&guest->calls, 1, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&guest->in, __ATOMIC_RELAXED))
		__atomic_fetch_add((unsigned long *)action, 1, __ATOMIC_RELAXED);
	return NOTIFY_OK;
}

static int caller(void *late)
{
	while (!kthread_should_stop()) {
		atomic_notifier_call_chain(&chain, (unsigned long)late, NULL);
		cond_resched();
	}
	return 0;
}

static void nobody_is_called_once_taken_out(void **state)
{
	struct guest guest = {.block = {.notifier_call = guest_called}};
	struct task_struct *callers[2];
	unsigned long late = 0, seen = 0;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		callers[i] = kthread_create_on_cpu(caller, &late, i + 1, "caller/%u");
		assert_false(IS_ERR(callers[i]));
		wake_up_process(callers[i]);
	}
	for (int round = 0; round < NR_ROUNDS; round++) {
		__atomic_store_n(&guest.in, 1, __ATOMIC_RELAXED);
		assert_int_equal(atomic_notifier_chain_register(&chain, &guest.block), 0);
		while (__atomic_load_n(&guest.calls, __ATOMIC_RELAXED) == seen)
			cpu_relax();
		assert_int_equal(atomic_notifier_chain_unregister(&chain, &guest.block), 0);
		/* Plain: whoever was in it is out of it. */
		guest.in = 0;
		seen = guest.calls;
	}
	for (unsigned int i = 0; i < 2; i++)
		kthread_stop(callers[i]);
	assert_int_equal(late, 0);
	assert_int_equal(guest.calls, seen);
	assert_true(atomic_notifier_call_chain_is_empty(&chain));
	assert_int_equal(atomic_notifier_chain_unregister(&chain, &guest.block), -ENOENT);
}

static int count_call(struct notifier_block *block, unsigned long action, void *data)
{
	(void)block;
	(void)action;
	return ++*(int *)data, NOTIFY_OK;
}

static void a_priority_may_be_one_blocks_own(void **state)
{
	struct notifier_block first = {.notifier_call = count_call, .priority = 3}, second = first, lower = first;
	BLOCKING_NOTIFIER_HEAD(blocking);
	RAW_NOTIFIER_HEAD(raw);
	int calls = 0;

	(void)state;
	lower.priority = 2;
	assert_int_equal(blocking_notifier_chain_register_unique_prio(&blocking, &first), 0);
	assert_int_equal(blocking_notifier_chain_register_unique_prio(&blocking, &second), -EBUSY);
	assert_int_equal(blocking_notifier_chain_register_unique_prio(&blocking, &lower), 0);
	assert_int_equal(blocking_notifier_call_chain(&blocking, 0, &calls), NOTIFY_OK);
	assert_int_equal(calls, 2);
	assert_int_equal(raw_notifier_chain_register(&raw, &second), 0);
	assert_int_equal(raw_notifier_call_chain(&raw, 0, &calls), NOTIFY_OK);
	assert_int_equal(calls, 3);
	assert_int_equal(raw_notifier_chain_unregister(&raw, &second), 0);
	assert_int_equal(raw_notifier_call_chain(&raw, 0, &calls), NOTIFY_DONE);
}

/* ---- a loop that waits ---- */

static int set_flag(void *flag)
{
	__atomic_store_n((int *)flag, 1, __ATOMIC_RELEASE);
	return 0;
}

static void a_loop_sees_another_cpus_store(void **state)
{
	struct task_struct *task = kthread_create_on_cpu(set_flag, &ending, 1, "setter/%u");

	(void)state;
	assert_false(IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE))
		cpu_relax();
	kthread_stop(task);
	put_task_struct(task);
}

/* ---- pools ---- */

static int node_of(const void *object)
{
	return page_to_nid(virt_to_page(object));
}

static void pools_are_on_the_node_asked_for(void **state)
{
	(void)state;
	for (int node = 0; node < 2; node++) {
		mempool_t *reserve =
			mempool_create_node(4, mempool_kmalloc, mempool_kfree, (void *)100ul, GFP_KERNEL, node);
		struct gen_pool *pool = gen_pool_create(6, node);

		assert_non_null(reserve);
		assert_non_null(pool);
		assert_int_equal(node_of(reserve), node);
		assert_int_equal(node_of(reserve->elements), node);
		assert_int_equal(node_of(pool), node);
		assert_int_equal(gen_pool_add(pool, 0x10000, 4096, node), 0);
		gen_pool_destroy(pool);
		mempool_destroy(reserve);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_is_called_once_taken_out, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_priority_may_be_one_blocks_own, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_loop_sees_another_cpus_store, boot, shut_down),
		cmocka_unit_test_setup_teardown(pools_are_on_the_node_asked_for, boot, shut_down),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
