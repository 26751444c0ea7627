/*
 * test_mempool.c: reserves: what an allocator is asked for, who gets an element when it has none, and in what order.
 *
 * Broken if this fails: a task that waits for an element is forgotten or overtaken, or elements are lost or doubled.
 */
#include <errno.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/sched/sched.h"
#include "tests/unit/cpus.h"
#include "tests/unit/machine.h"

#define MIN_NR 4
#define NR_TASKS 12
#define ROUNDS 300

/* An allocator that has so many elements, and writes down what it was asked. */
static int left; /* Synchronization: atomic */
static int given; /* elements that are not back. Synchronization: atomic */
static gfp_t asked[4]; /* Synchronization: one task */
static unsigned int nr_asked; /* Synchronization: atomic */

static void *take(gfp_t gfp, void *data)
{
	unsigned int n = __atomic_fetch_add(&nr_asked, 1, __ATOMIC_RELAXED);

	assert_ptr_equal(data, &left);
	if (n < 4)
		asked[n] = gfp;
	if (__atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED) <= 0) {
		__atomic_add_fetch(&left, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	__atomic_add_fetch(&given, 1, __ATOMIC_RELAXED);
	return sched_zalloc(64);
}

static void give_back(void *element, void *data)
{
	assert_ptr_equal(data, &left);
	__atomic_sub_fetch(&given, 1, __ATOMIC_RELAXED);
	sched_free(element);
}

static mempool_t *pool;

static int boot(void **state)
{
	(void)state;
	given = 0;
	nr_asked = 0;
	left = MIN_NR;
	if (test_machine_boot(test_cpus(4)))
		return -1;
	pool = mempool_create(MIN_NR, take, give_back, &left);
	return pool ? 0 : -1;
}

static int shut_down(void **state)
{
	(void)state;
	mempool_destroy(pool);
	return given ? -1 : test_machine_shutdown();
}

/* ---- one task ---- */

static void the_allocator_is_asked_before_the_reserve(void **state)
{
	const gfp_t easy = __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
	void *element;

	(void)state;
	nr_asked = 0;
	left = 1;
	element = mempool_alloc(pool, GFP_KERNEL);
	assert_int_equal(pool->curr_nr, MIN_NR);
	assert_int_equal(nr_asked, 1);
	assert_int_equal(asked[0], easy | __GFP_KSWAPD_RECLAIM | __GFP_FS);
	/* The reserve is full: it goes to the free function. */
	mempool_free(element, pool);
	assert_int_equal(given, MIN_NR);
	/* From the reserve, without trying harder. */
	nr_asked = 0;
	element = mempool_alloc(pool, GFP_NOIO);
	assert_non_null(element);
	assert_int_equal(nr_asked, 1);
	assert_int_equal(pool->curr_nr, MIN_NR - 1);
	assert_false(mempool_is_saturated(pool));
	mempool_free(element, pool);
	assert_int_equal(pool->curr_nr, MIN_NR);
	assert_int_equal(given, MIN_NR);
	mempool_free(NULL, pool);
}

static void without_sleep_an_empty_pool_gives_null(void **state)
{
	void *elements[MIN_NR];

	(void)state;
	for (int i = 0; i < MIN_NR; i++)
		assert_non_null(
			elements[i] = i % 2 ? mempool_alloc(pool, GFP_ATOMIC) : mempool_alloc_preallocated(pool));
	assert_null(mempool_alloc(pool, GFP_ATOMIC));
	assert_null(mempool_alloc(pool, GFP_NOWAIT));
	nr_asked = 0;
	left = 1;
	assert_null(mempool_alloc_preallocated(pool));
	assert_int_equal(nr_asked, 0);
	left = 0;
	for (int i = 0; i < MIN_NR; i++)
		mempool_free(elements[i], pool);
	assert_true(mempool_is_saturated(pool));
}

static void a_reserve_grows_and_shrinks(void **state)
{
	void *element;

	(void)state;
	left = 6;
	assert_int_equal(mempool_resize(pool, 10), 0);
	assert_int_equal(pool->min_nr, 10);
	assert_int_equal(pool->curr_nr, 10);
	element = mempool_alloc_preallocated(pool);
	assert_int_equal(mempool_resize(pool, 2), 0);
	assert_int_equal(pool->curr_nr, 2);
	assert_int_equal(given, 3);
	mempool_free(element, pool);
	assert_int_equal(given, 2);
	/* As far as there is memory; later frees do the rest. */
	left = 1;
	assert_int_equal(mempool_resize(pool, 5), 0);
	assert_int_equal(pool->min_nr, 5);
	assert_int_equal(pool->curr_nr, 3);
}

static void a_pool_that_cannot_be_filled_is_none(void **state)
{
	mempool_t own = {.min_nr = 0};

	(void)state;
	left = 2;
	assert_null(mempool_create(3, take, give_back, &left));
	assert_int_equal(given, MIN_NR);
	assert_false(mempool_initialized(&own));
	mempool_exit(&own);
	left = 2;
	assert_int_equal(mempool_init(&own, 3, take, give_back, &left), -ENOMEM);
	assert_false(mempool_initialized(&own));
	left = 3;
	assert_int_equal(mempool_init(&own, 3, take, give_back, &left), 0);
	assert_true(mempool_initialized(&own));
	mempool_exit(&own);
	mempool_exit(&own);
	assert_int_equal(given, MIN_NR);
	mempool_destroy(NULL);
}

static void pools_of_objects_sizes_and_pages(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("pooled", 200, 0, 0, NULL);
	mempool_t *pools[3] = {mempool_create_slab_pool(3, cache), mempool_create_kmalloc_pool(3, 1000),
		mempool_create_page_pool(3, 1)};

	(void)state;
	for (int i = 0; i < 3; i++) {
		void *element;

		assert_non_null(pools[i]);
		element = mempool_alloc(pools[i], GFP_KERNEL);
		assert_non_null(element);
		if (i == 1)
			assert_true(ksize(element) >= 1000);
		mempool_free(element, pools[i]);
		element = mempool_alloc_preallocated(pools[i]);
		assert_non_null(element);
		mempool_free(element, pools[i]);
		mempool_destroy(pools[i]);
	}
	kmem_cache_destroy(cache);
}

/* ---- several ---- */

static unsigned int next_served; /* Synchronization: atomic */
static unsigned int served[NR_TASKS]; /* which place each task got. Synchronization: atomic */

static int wait_once(void *data)
{
	uintptr_t number = (uintptr_t)data;
	void *element = mempool_alloc(pool, GFP_KERNEL);

	__atomic_store_n(&served[number], __atomic_fetch_add(&next_served, 1, __ATOMIC_ACQ_REL), __ATOMIC_RELEASE);
	assert_non_null(element);
	/* On to the next in line. */
	mempool_free(element, pool);
	return 0;
}

static bool sleeps(struct task_struct *task)
{
	return READ_ONCE(task->__state) == TASK_UNINTERRUPTIBLE;
}

static void who_came_first_is_served_first(void **state)
{
	struct task_struct *tasks[NR_TASKS];
	void *elements[MIN_NR];

	(void)state;
	next_served = 0;
	for (int i = 0; i < MIN_NR; i++)
		elements[i] = mempool_alloc(pool, GFP_ATOMIC);
	for (uintptr_t i = 0; i < NR_TASKS; i++) {
		unsigned int before = __atomic_load_n(&nr_asked, __ATOMIC_RELAXED);

		tasks[i] = get_task_struct(kthread_create(wait_once, (void *)i, "waits/%d", (int)i));
		wake_up_process(tasks[i]);
		/* It has asked twice, and sleeps. */
		while (__atomic_load_n(&nr_asked, __ATOMIC_RELAXED) < before + 2 || !sleeps(tasks[i]))
			schedule_timeout_uninterruptible(1);
	}
	assert_null(mempool_alloc(pool, GFP_ATOMIC));
	/* One element makes the round. */
	mempool_free(elements[0], pool);
	for (int i = 0; i < NR_TASKS; i++) {
		assert_int_equal(kthread_stop(tasks[i]), 0);
		put_task_struct(tasks[i]);
		assert_int_equal(served[i], i);
	}
	assert_int_equal(pool->curr_nr, 1);
	for (int i = 1; i < MIN_NR; i++)
		mempool_free(elements[i], pool);
}

static unsigned int nr_ended; /* Synchronization: atomic */

static int take_and_give(void *data)
{
	uint64_t random = (uintptr_t)data + 1;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t *element = mempool_alloc(pool, round % 3 ? GFP_NOIO : GFP_KERNEL);

		/* It is nobody else's. */
		*element = random;
		if (round % 2)
			_cond_resched();
		if (*element != random)
			return -EIO;
		mempool_free(element, pool);
		random = random * 6364136223846793005u + 1442695040888963407u;
		if (random >> 60 == 0)
			mempool_free(mempool_alloc(pool, GFP_ATOMIC), pool);
	}
	__atomic_add_fetch(&nr_ended, 1, __ATOMIC_RELEASE);
	return 0;
}

static void play(void)
{
	struct task_struct *tasks[NR_TASKS];

	nr_ended = 0;
	for (uintptr_t i = 0; i < NR_TASKS; i++) {
		tasks[i] = get_task_struct(kthread_create(take_and_give, (void *)i, "plays/%d", (int)i));
		wake_up_process(tasks[i]);
	}
	while (__atomic_load_n(&nr_ended, __ATOMIC_ACQUIRE) < NR_TASKS)
		schedule_timeout_uninterruptible(1);
	for (int i = 0; i < NR_TASKS; i++) {
		assert_int_equal(kthread_stop(tasks[i]), 0);
		put_task_struct(tasks[i]);
	}
	assert_int_equal(pool->curr_nr, MIN_NR);
	assert_int_equal(given, MIN_NR);
}

static void nobody_is_forgotten(void **state)
{
	(void)state;
	play();
}

static void nobody_is_forgotten_under_preemption(void **state)
{
	(void)state;
	assert_int_equal(preempt_force(50, 4321), 0);
	play();
	assert_int_equal(preempt_force(0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_allocator_is_asked_before_the_reserve, boot, shut_down),
		cmocka_unit_test_setup_teardown(without_sleep_an_empty_pool_gives_null, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_reserve_grows_and_shrinks, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_pool_that_cannot_be_filled_is_none, boot, shut_down),
		cmocka_unit_test_setup_teardown(pools_of_objects_sizes_and_pages, boot, shut_down),
		cmocka_unit_test_setup_teardown(who_came_first_is_served_first, boot, shut_down),
		cmocka_unit_test_setup_teardown(nobody_is_forgotten, boot, shut_down),
		cmocka_unit_test_setup_teardown(nobody_is_forgotten_under_preemption, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
