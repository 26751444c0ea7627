/*
 * test_rcu_pressure.c: kfree_rcu() in a machine whose memory runs out.
 *
 * Broken if this fails: an allocation fails while memory waits that no reader holds any more, or an object is lost that there was no
 * magazine for.
 */
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <flagstone/machine.h>

#define NR_LARGE 100
#define LARGE 8192
#define NR_MANY 5000
#define ONE_ROUND (GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

struct node {
	struct node *next;
	struct rcu_head rcu;
	char rest[100];
};

static int boot(void **state)
{
	(void)state;
	return flagstone_machine_boot_text("cpus=2,ram=16m,oom=fail,tracking=1");
}

/* What is still allocated is a leak, and a failure. */
static int shut_down(void **state)
{
	(void)state;
	return flagstone_machine_shutdown();
}

static void *hoard; /* pages, linked by their first word */

static void hoard_all(void)
{
	void **page;

	while ((page = (void **)__get_free_page(ONE_ROUND))) {
		*page = hoard;
		hoard = page;
	}
}

static void hoard_free(void)
{
	while (hoard) {
		void *page = hoard;

		hoard = *(void **)page;
		free_page((unsigned long)page);
	}
}

/* By who looks for memory, not by themselves. */
static void what_waits_is_reclaimed(void **state)
{
	struct node *large[NR_LARGE];
	struct page *page;

	(void)state;
	kvfree_rcu_barrier();
	for (int i = 0; i < NR_LARGE; i++) {
		large[i] = kmalloc(LARGE, GFP_KERNEL);
		assert_non_null(large[i]);
	}
	hoard_all();
	assert_null(alloc_pages(ONE_ROUND, 0));
	for (int i = 0; i < NR_LARGE; i++)
		kfree_rcu(large[i], rcu);
	/* kswapd may be about to free it already. The thread that would take it off the CPU by itself has something else to do. */
	for (int i = 0; !(page = alloc_pages(ONE_ROUND, 0)) && i < 200; i++) {
		start_poll_synchronize_rcu();
		schedule_timeout_uninterruptible(1);
	}
	assert_non_null(page);
	__free_pages(page, 0);
	hoard_free();
}

static struct node *list_of(unsigned int nr)
{
	struct node *list = NULL, *node;

	for (unsigned int i = 0; i < nr; i++) {
		node = kmalloc(sizeof(*node), GFP_KERNEL);
		assert_non_null(node);
		node->next = list;
		list = node;
	}
	return list;
}

static unsigned int entered, leave; /* Synchronization: atomic */

static int stay(void *arg)
{
	(void)arg;
	rcu_read_lock();
	__atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&leave, __ATOMIC_SEQ_CST))
		cpu_relax();
	rcu_read_unlock();
	return 0;
}

/* More objects than there are magazines for, and no page to make one of: they wait by their own heads; one without is waited for. */
static void without_memory_for_a_batch_the_heads_serve(void **state)
{
	struct node *list = list_of(NR_MANY), *node, *headless = list_of(1);
	struct task_struct *reader = kthread_create_on_cpu(stay, NULL, 1, "stays/%u");

	(void)state;
	entered = leave = 0;
	wake_up_process(reader);
	while (!__atomic_load_n(&entered, __ATOMIC_SEQ_CST))
		schedule_timeout_uninterruptible(1);
	hoard_all();
	while ((node = list)) {
		list = node->next;
		memset(node->rest, 1, sizeof(node->rest));
		kfree_rcu(node, rcu);
		assert_int_equal(node->rest[sizeof(node->rest) - 1], 1); /* a reader can still see it */
	}
	__atomic_store_n(&leave, 1, __ATOMIC_SEQ_CST);
	kfree_rcu_mightsleep(headless);
	kvfree_rcu_barrier();
	hoard_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_waits_is_reclaimed, boot, shut_down),
		cmocka_unit_test_setup_teardown(without_memory_for_a_batch_the_heads_serve, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
