/*
 * test_pressure.c: memory that runs out: reserves, kswapd, direct reclaim, shrinkers, who waits and in what order.
 *
 * Broken if this fails: an allocation fails or waits where its flags say otherwise, memory that could be reclaimed is
 * not.
 */
#include <errno.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/host/host.h"
#include "runtime/page/page.h"
#include "runtime/pressure/internal.h"
#include "tests/unit/pressure_test.h"

#define NR_PAGES (TEST_RAM / PAGE_SIZE)

static const struct pressure_config config = {.oom = OOM_FAIL, .patience_ms = 100};

static int boot(void **state)
{
	(void)state;
	return pressure_test_boot(&config);
}

static struct page_zone_info zone_now(void)
{
	struct page_zone_info info;

	slab_trim(0);
	page_zone_get(0, &info);
	return info;
}

/* ---- memory held by this test: pages in a chain ---- */

struct held {
	struct held *next;
};
static struct held *held;
static size_t nr_held;

static bool hold_one(gfp_t gfp)
{
	struct held *page = (void *)__get_free_page(gfp);

	if (!page)
		return false;
	page->next = held;
	held = page;
	nr_held++;
	return true;
}

static void hold_all(gfp_t gfp)
{
	/* Pages on the lists of this CPU and others were taken off the zone in batches. */
	do
		slab_trim(0);
	while (hold_one(gfp | __GFP_NOWARN));
}

static void drop(size_t nr)
{
	while (nr-- && held) {
		struct held *page = held;

		held = page->next;
		nr_held--;
		free_page((unsigned long)page);
	}
}

/* ---- reserves ---- */

static void each_kind_of_request_goes_to_its_own_depth(void **state)
{
	struct page_zone_info zone = zone_now();
	unsigned int flags;

	(void)state;
	hold_all(GFP_NOWAIT);
	assert_in_range(zone_now().free, zone.min - 1, zone.min + 1);
	hold_all(GFP_ATOMIC);
	assert_in_range(zone_now().free, zone.min * 3 / 8 - 1, zone.min * 3 / 8 + 2);
	assert_false(hold_one(GFP_ATOMIC | __GFP_NOWARN));
	/* What frees more than it takes may have all. */
	flags = memalloc_noreclaim_save();
	assert_false(hold_one(GFP_ATOMIC | __GFP_NOMEMALLOC | __GFP_NOWARN));
	hold_all(GFP_KERNEL);
	memalloc_noreclaim_restore(flags);
	assert_in_range(zone_now().free, 0, 1);
	assert_false(hold_one(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));
	drop(nr_held);
	hold_all(GFP_ATOMIC | __GFP_MEMALLOC);
	assert_in_range(zone_now().free, 0, 1);
	drop(nr_held);
}

static void scopes_change_what_flags_mean(void **state)
{
	unsigned int outer, inner;

	(void)state;
	assert_int_equal(current_gfp_context(GFP_KERNEL), GFP_KERNEL);
	outer = memalloc_nofs_save();
	assert_int_equal(current_gfp_context(GFP_KERNEL), GFP_NOFS);
	inner = memalloc_noio_save();
	assert_int_equal(current_gfp_context(GFP_KERNEL), GFP_NOIO);
	memalloc_noio_restore(inner);
	inner = memalloc_nofs_save();
	memalloc_nofs_restore(inner);
	assert_int_equal(current_gfp_context(GFP_KERNEL), GFP_NOFS);
	memalloc_nofs_restore(outer);
	assert_int_equal(current_gfp_context(GFP_KERNEL), GFP_KERNEL);
}

/* ---- shrinkers ---- */

static struct {
	unsigned long freeable;
	unsigned long calls, asked, largest; /* of scan_objects */
	gfp_t gfp, gfp_never; /* seen in all calls; in none */
	int nid;
	bool stop;
} shrunk;

static unsigned long count_fake(struct shrinker *shrinker, struct shrink_control *sc)
{
	assert_ptr_equal(shrinker->private_data, &shrunk);
	shrunk.gfp = sc->gfp_mask;
	shrunk.nid = sc->nid;
	return shrunk.freeable ? shrunk.freeable : SHRINK_EMPTY;
}

static unsigned long scan_fake(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	assert_int_equal(sc->nr_to_scan, sc->nr_scanned);
	shrunk.calls++;
	if (shrunk.stop)
		return SHRINK_STOP;
	shrunk.asked += sc->nr_to_scan;
	if (sc->nr_to_scan > shrunk.largest)
		shrunk.largest = sc->nr_to_scan;
	return 0;
}

static unsigned long asked_for(unsigned long freeable, unsigned int priority)
{
	shrunk.freeable = freeable;
	shrunk.asked = 0;
	shrunk.calls = 0;
	shrunk.largest = 0;
	shrink_slab(GFP_NOFS, 0, priority);
	return shrunk.asked;
}

static void a_shrinker_is_asked_for_its_part(void **state)
{
	struct shrinker *shrinker = shrinker_alloc(0, "fake-%d", 1);

	(void)state;
	assert_non_null(shrinker);
	assert_int_equal(shrinker->seeks, DEFAULT_SEEKS);
	shrinker->count_objects = count_fake;
	shrinker->scan_objects = scan_fake;
	shrinker->private_data = &shrunk;
	shrinker_register(shrinker);
	/* 4 / seeks of the 2^-priority-th part, in batches of 128; the rest is put off. */
	assert_int_equal(asked_for(4096, 3), 1024);
	assert_int_equal(shrunk.calls, 8);
	assert_int_equal(shrunk.largest, 128);
	assert_int_equal(shrunk.gfp, GFP_NOFS);
	assert_int_equal(asked_for(4096, 6), 128);
	/* Too little for a batch: 100 are put off, until they are one. */
	assert_int_equal(asked_for(3200, 6), 0);
	assert_int_equal(asked_for(3200, 6), 0);
	assert_true(asked_for(3200, 0) >= 3200);
	/* Fewer than a batch in all. */
	shrunk.stop = true;
	assert_int_equal(asked_for(100, 0), 0);
	assert_int_equal(shrunk.calls, 1);
	shrunk.stop = false;
	/* What was put off is twice what there is at most: one batch, and 72 that are too few for another. */
	assert_int_equal(asked_for(100, 0), 128);
	assert_int_equal(asked_for(0, 0), 0);
	assert_int_equal(shrunk.calls, 0);
	shrinker_free(shrinker);
	shrinker_free(NULL);
	assert_int_equal(asked_for(4096, 0), 0);
}

static void old_registrations_work(void **state)
{
	struct shrinker shrinker = {.count_objects = count_fake,
		.scan_objects = scan_fake,
		.seeks = 0,
		.batch = 10,
		.private_data = &shrunk};

	(void)state;
	assert_int_equal(register_shrinker(&shrinker), 0);
	assert_int_equal(asked_for(100, 12), 50);
	assert_int_equal(shrunk.largest, 10);
	unregister_shrinker(&shrinker);
	assert_int_equal(register_shrinker(&shrinker, "old-%s", "named"), 0);
	shrinker.flags = SHRINKER_NUMA_AWARE;
	shrink_slab(GFP_KERNEL, 3, 0);
	assert_int_equal(shrunk.nid, 3);
	unregister_shrinker(&shrinker);
	unregister_shrinker(&shrinker);
}

/* A cache of kernel code: objects in a list, which the shrinker frees from. */
static struct list_head objects = LIST_HEAD_INIT(objects); /* Synchronization: objects_lock */
static struct lock objects_lock = {.rank = LOCK_TASKS};
static unsigned long nr_objects; /* Synchronization: objects_lock; a hint without */
static struct kmem_cache *object_cache;
static unsigned int forbidden_calls; /* Synchronization: atomic */
static gfp_t forbidden; /* Synchronization: atomic */

static unsigned long count_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	if (sc->gfp_mask & __atomic_load_n(&forbidden, __ATOMIC_RELAXED))
		__atomic_add_fetch(&forbidden_calls, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&nr_objects, __ATOMIC_RELAXED);
}

static struct list_head *object_take(void)
{
	host_sigmask_t mask = host_signals_block();
	struct list_head *object = NULL;

	lock_acquire(&objects_lock);
	if (!list_empty(&objects)) {
		object = objects.prev;
		list_del(object);
		__atomic_store_n(&nr_objects, nr_objects - 1, __ATOMIC_RELAXED);
	}
	lock_release(&objects_lock);
	host_signals_restore(mask);
	return object;
}

static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;

	(void)shrinker;
	for (unsigned long i = 0; i < sc->nr_to_scan; i++) {
		struct list_head *object = object_take();

		if (!object)
			break;
		kmem_cache_free(object_cache, object);
		freed++;
	}
	return freed;
}

static bool object_add(gfp_t gfp)
{
	struct list_head *object = kmem_cache_alloc(object_cache, gfp);
	host_sigmask_t mask;

	if (!object)
		return false;
	mask = host_signals_block();
	lock_acquire(&objects_lock);
	list_add(object, &objects);
	__atomic_store_n(&nr_objects, nr_objects + 1, __ATOMIC_RELAXED);
	lock_release(&objects_lock);
	host_signals_restore(mask);
	return true;
}

static struct shrinker *objects_create(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "objects");

	object_cache = kmem_cache_create("objects", 512, 0, 0, NULL);
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	shrinker_register(shrinker);
	return shrinker;
}

static void objects_destroy(struct shrinker *shrinker)
{
	struct list_head *object;

	shrinker_free(shrinker);
	while ((object = object_take()))
		kmem_cache_free(object_cache, object);
	kmem_cache_destroy(object_cache);
}

static void shrinkers_give_what_a_gfp_kernel_request_needs(void **state)
{
	struct shrinker *shrinker = objects_create();

	(void)state;
	for (size_t i = 0; i < 2 * TEST_RAM / 512; i++)
		assert_true(object_add(GFP_KERNEL));
	assert_true(__atomic_load_n(&nr_objects, __ATOMIC_RELAXED) < TEST_RAM / 512);
	assert_true(vmstat_get(VMSTAT_slabs_scanned) > 0);
	/* Most of the memory, for somebody else. */
	for (size_t i = 0; i < NR_PAGES * 3 / 4; i++)
		assert_true(hold_one(GFP_KERNEL));
	drop(nr_held);
	/* Blocks, too. */
	for (int i = 0; i < 200; i++) {
		void *block = (void *)__get_free_pages(GFP_KERNEL, 3);

		assert_true(object_add(GFP_KERNEL));
		assert_non_null(block);
		free_pages((unsigned long)block, 3);
	}
	objects_destroy(shrinker);
}

static void a_shrinker_sees_the_flags_of_the_request(void **state)
{
	struct shrinker *shrinker = objects_create();
	unsigned int flags;

	(void)state;
	/* kswapd asks with GFP_KERNEL: nobody wakes it. */
	page_set_pressure(NULL);
	while (__atomic_load_n(&nr_objects, __ATOMIC_RELAXED) < TEST_RAM / 512 / 2 && object_add(__GFP_NOWARN))
		;
	hold_all(__GFP_HIGH);
	forbidden_calls = 0;
	forbidden = __GFP_FS | __GFP_IO;
	flags = memalloc_noio_save();
	for (int i = 0; i < 200; i++)
		assert_true(hold_one(GFP_KERNEL & ~__GFP_KSWAPD_RECLAIM));
	memalloc_noio_restore(flags);
	assert_true(vmstat_get(VMSTAT_slabs_scanned) > 0);
	assert_int_equal(forbidden_calls, 0);
	drop(nr_held);
	forbidden = 0;
	objects_destroy(shrinker);
}

static uint32_t scan_may_end, scan_has_begun; /* Synchronization: atomic */

static unsigned long count_one(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return 1;
}

static unsigned long scan_slowly(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	__atomic_store_n(&scan_has_begun, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&scan_may_end, __ATOMIC_ACQUIRE))
		schedule_timeout_uninterruptible(1);
	return SHRINK_STOP;
}

static int shrink_once(void *data)
{
	(void)data;
	shrink_slab(GFP_KERNEL, 0, 0);
	return 0;
}

static int free_shrinker(void *data)
{
	shrinker_free(data);
	return (int)__atomic_load_n(&scan_may_end, __ATOMIC_ACQUIRE);
}

static void a_shrinker_ends_after_its_last_call(void **state)
{
	struct shrinker *shrinker = shrinker_alloc(0, "slow");
	struct task_struct *scanner, *ender;

	(void)state;
	scan_may_end = 0;
	scan_has_begun = 0;
	shrinker->count_objects = count_one;
	shrinker->scan_objects = scan_slowly;
	shrinker_register(shrinker);
	scanner = thread_start(shrink_once, NULL, "scans");
	while (!__atomic_load_n(&scan_has_begun, __ATOMIC_ACQUIRE))
		schedule_timeout_uninterruptible(1);
	ender = thread_start(free_shrinker, shrinker, "ends");
	while (READ_ONCE(ender->__state) != TASK_UNINTERRUPTIBLE)
		schedule_timeout_uninterruptible(1);
	__atomic_store_n(&scan_may_end, 1, __ATOMIC_RELEASE);
	assert_int_equal(thread_join(scanner), 0);
	assert_int_equal(thread_join(ender), 1);
}

/* ---- who waits ---- */

static void flags_say_when_to_give_up(void **state)
{
	unsigned long sleeps;
	void *block;

	(void)state;
	hold_all(GFP_ATOMIC);
	sleeps = vmstat_get(VMSTAT_direct_sleeps);
	assert_false(hold_one(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN));
	assert_null(alloc_pages(GFP_KERNEL | __GFP_NOWARN, 4));
	assert_int_equal(vmstat_get(VMSTAT_direct_sleeps), sleeps);
	assert_false(hold_one(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN));
	assert_true(vmstat_get(VMSTAT_direct_sleeps) > sleeps);
	assert_true(vmstat_get(VMSTAT_allocstall_normal) > 0);
	/* In the end every request fails, by policy. */
	assert_false(hold_one(GFP_KERNEL | __GFP_NOWARN));
	assert_false(hold_one(GFP_NOIO | __GFP_NOWARN));
	block = kmalloc(100000, GFP_KERNEL | __GFP_NOWARN);
	assert_null(block);
	drop(nr_held);
}

#define NR_SLEEPERS 6

static unsigned int next_place; /* Synchronization: atomic */
static unsigned int place[NR_SLEEPERS];
static unsigned long got[NR_SLEEPERS]; /* Synchronization: written before the thread ends */

static int take_nofail(void *data)
{
	uintptr_t number = (uintptr_t)data;

	got[number] = __get_free_page(GFP_KERNEL | __GFP_NOFAIL | __GFP_NOWARN);
	return 0;
}

static void sleepers_get_what_is_freed(void **state)
{
	struct task_struct *tasks[NR_SLEEPERS];
	unsigned long sleeps;

	(void)state;
	hold_all(GFP_ATOMIC);
	sleeps = vmstat_get(VMSTAT_direct_sleeps);
	for (uintptr_t i = 0; i < NR_SLEEPERS; i++)
		tasks[i] = thread_start(take_nofail, (void *)i, "sleeps");
	while (vmstat_get(VMSTAT_direct_sleeps) < sleeps + 3 * NR_SLEEPERS)
		schedule_timeout_uninterruptible(1);
	for (int i = 0; i < NR_SLEEPERS; i++)
		assert_false(thread_has_ended(tasks[i]));
	drop(nr_held / 2);
	for (int i = 0; i < NR_SLEEPERS; i++) {
		assert_int_equal(thread_join(tasks[i]), 0);
		assert_int_not_equal(got[i], 0);
		free_page(got[i]);
	}
	drop(nr_held);
}

static int sleep_in_line(void *data)
{
	const struct page_request request = PAGE_REQUEST_INIT;
	unsigned long ticket = 0;
	uintptr_t number = (uintptr_t)data;

	sleepers_wait(&request, 0, MAX_SCHEDULE_TIMEOUT, &ticket);
	place[number] = __atomic_fetch_add(&next_place, 1, __ATOMIC_ACQ_REL);
	return 0;
}

/* Several may be woken at once: all on one CPU, they go on in the order in which they were. */
static void sleepers_are_woken_in_order(void **state)
{
	struct task_struct *tasks[NR_SLEEPERS];

	(void)state;
	next_place = 0;
	hold_all(GFP_ATOMIC);
	for (uintptr_t i = 0; i < NR_SLEEPERS; i++) {
		unsigned long sleeps = vmstat_get(VMSTAT_direct_sleeps);

		tasks[i] = kthread_create_on_cpu(sleep_in_line, (void *)i, 1 % TEST_CPUS, "line/%u");
		assert_false(IS_ERR(tasks[i]));
		get_task_struct(tasks[i]);
		wake_up_process(tasks[i]);
		while (vmstat_get(VMSTAT_direct_sleeps) == sleeps ||
			!(READ_ONCE(tasks[i]->__state) & TASK_UNINTERRUPTIBLE))
			schedule_timeout_uninterruptible(1);
	}
	drop(nr_held / 2);
	for (unsigned int i = 0; i < NR_SLEEPERS; i++) {
		assert_int_equal(thread_join(tasks[i]), 0);
		assert_int_equal(place[i], i);
	}
	drop(nr_held);
}

/* Neither kswapd nor the sleeper looks again by itself. */
static const struct pressure_config blind_config = {
	.oom = OOM_FAIL, .patience_ms = 3600000, .look_jiffies = MAX_SCHEDULE_TIMEOUT};

static int boot_blind(void **state)
{
	(void)state;
	return pressure_test_boot(&blind_config);
}

static void find_kswapd(struct sched_task *task, void *found)
{
	if (kswapd_is(&task->task))
		*(struct task_struct **)found = &task->task;
}

/* Everybody sleeps: the task for memory, and kswapd, which has seen that and has nothing left to do. */
static void wait_until_asleep(struct task_struct *sleeper)
{
	struct task_struct *kswapd = NULL;
	unsigned long rounds;

	sched_for_each_task(find_kswapd, &kswapd);
	assert_non_null(kswapd);
	while (!sleepers_any() || !(READ_ONCE(sleeper->__state) & TASK_UNINTERRUPTIBLE))
		schedule_timeout_uninterruptible(1);
	do {
		rounds = vmstat_get(VMSTAT_kswapd_wake) + vmstat_get(VMSTAT_mem_drains);
		do
			schedule_timeout_uninterruptible(1);
		while (READ_ONCE(kswapd->__state) != TASK_INTERRUPTIBLE);
	} while (rounds != vmstat_get(VMSTAT_kswapd_wake) + vmstat_get(VMSTAT_mem_drains));
}

static int take_one(void *data)
{
	*(unsigned long *)data = __get_free_page(GFP_KERNEL | __GFP_NOWARN);
	return 0;
}

#define RUN_BYTES (2ul << 20)
static void *run;

static int free_pages_of_cpus(void *data)
{
	(void)data;
	drop(nr_held / 2);
	return 0;
}

static int free_run(void *data)
{
	(void)data;
	free_pages_exact(run, RUN_BYTES);
	return 0;
}

static struct task_struct *run_on(unsigned int cpu, int (*function)(void *data), void *data)
{
	struct task_struct *task = kthread_create_on_cpu(function, data, cpu, "on/%u");

	assert_false(IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

/* The free itself wakes: by its end nobody waits any more, whatever the time. */
static void a_free_on_another_cpu_alone_wakes_who_sleeps_for_memory(void **state)
{
	int (*const ways[])(void *data) = {free_pages_of_cpus, free_run};

	(void)state;
	if (skip_below(3, TEST_CPUS, "who frees on another CPU than the sleeper's and this one"))
		return;
	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		unsigned long page = 0;
		struct task_struct *sleeper;
		bool woken;

		run = ways[i] == free_run ? alloc_pages_exact(RUN_BYTES, GFP_KERNEL) : NULL;
		hold_all(GFP_ATOMIC);
		sleeper = run_on(1, take_one, &page);
		wait_until_asleep(sleeper);
		assert_int_equal(thread_join(run_on(2, ways[i], NULL)), 0);
		woken = !sleepers_any();
		sleepers_wake(); /* so that this ends */
		assert_int_equal(thread_join(sleeper), 0);
		assert_true(woken);
		assert_int_not_equal(page, 0);
		free_page(page);
		drop(nr_held);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_kind_of_request_goes_to_its_own_depth, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(scopes_change_what_flags_mean, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(a_shrinker_is_asked_for_its_part, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(old_registrations_work, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(
			shrinkers_give_what_a_gfp_kernel_request_needs, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(
			a_shrinker_sees_the_flags_of_the_request, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(a_shrinker_ends_after_its_last_call, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(flags_say_when_to_give_up, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(sleepers_get_what_is_freed, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(sleepers_are_woken_in_order, boot, pressure_test_shut_down),
		cmocka_unit_test_setup_teardown(
			a_free_on_another_cpu_alone_wakes_who_sleeps_for_memory, boot_blind, pressure_test_shut_down),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
