/*
 * test_typesafe.c: caches with SLAB_TYPESAFE_BY_RCU in a hosted program.
 *
 * Broken if this fails: memory of such a cache goes back, or changes, while a reader may be in it; or it never goes back, or the cache
 * ends before.
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "runtime/lib/report.h"
#include "runtime/slab/internal.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"

#define NR_OBJECTS 3000
#define FEW 64 /* one of so many */
#define MADE 0x1badf00d1badf00dul

struct thing {
	unsigned long made; /* MADE, by the constructor: nobody else writes it */
	unsigned long value;
	struct rcu_head rcu;
	unsigned long more[8];
};

static struct kmem_cache *cache;
static struct thing *things[NR_OBJECTS];
static unsigned int nr_made; /* calls of the constructor. Synchronization: atomic */

static void make(void *object)
{
	struct thing *thing = object;

	thing->made = MADE;
	thing->value = 0;
	__atomic_fetch_add(&nr_made, 1, __ATOMIC_RELAXED);
}

static struct kmem_cache *cache_create(slab_flags_t flags)
{
	struct kmem_cache *made = kmem_cache_create("things", sizeof(struct thing), 0, flags, make);

	assert_non_null(made);
	return made;
}

static void fill(struct kmem_cache *from, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		things[i] = kmem_cache_alloc(from, GFP_KERNEL);
		assert_non_null(things[i]);
		things[i]->value = i;
	}
}

static void empty(struct kmem_cache *to, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		kmem_cache_free(to, things[i]);
}

/* How many of the objects still lie in a slab of the cache, with what was in them. */
static unsigned int nr_whole(const struct kmem_cache *in, unsigned int nr)
{
	unsigned int whole = 0;

	for (unsigned int i = 0; i < nr; i++) {
		const struct page *slab = slab_of(things[i]);

		whole += slab && slab->cache == in && things[i]->made == MADE && things[i]->value == i;
	}
	return whole;
}

static unsigned int nr_in_slabs(unsigned int nr)
{
	unsigned int in = 0;

	for (unsigned int i = 0; i < nr; i++)
		in += slab_of(things[i]) != NULL;
	return in;
}

static int set_up(void **state)
{
	(void)state;
	cache = cache_create(SLAB_TYPESAFE_BY_RCU);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kmem_cache_destroy(cache);
	return 0;
}

/* ---- a section in this thread: no period ends in it ---- */

static void empty_slabs_stay_while_a_reader_is_in_a_section(void **state)
{
	(void)state;
	fill(cache, NR_OBJECTS);
	rcu_read_lock();
	empty(cache, NR_OBJECTS);
	kmem_cache_shrink(cache);
	usleep(50000); /* time for a period that did not wait */
	assert_true(typesafe_nr_waiting(cache) > 1);
	assert_int_equal(nr_whole(cache, NR_OBJECTS), NR_OBJECTS);
	rcu_read_unlock();
	rcu_barrier();
	assert_int_equal(typesafe_nr_waiting(cache), 0);
	assert_int_equal(nr_in_slabs(NR_OBJECTS), 0);
}

/* What the test above would find if slabs did not wait. */
static void slabs_of_other_caches_go_at_once(void **state)
{
	struct kmem_cache *other = cache_create(0);

	(void)state;
	fill(other, NR_OBJECTS);
	rcu_read_lock();
	empty(other, NR_OBJECTS);
	kmem_cache_shrink(other);
	assert_int_equal(nr_in_slabs(NR_OBJECTS), 0);
	rcu_read_unlock();
	kmem_cache_destroy(other);
}

static void trims_and_epochs_hand_over_too(void **state)
{
	(void)state;
	fill(cache, NR_OBJECTS);
	rcu_read_lock();
	empty(cache, NR_OBJECTS);
	for (int i = 0; i < 20; i++)
		slab_age();
	slab_trim(0);
	assert_true(typesafe_nr_waiting(cache) > 1);
	assert_int_equal(nr_whole(cache, NR_OBJECTS), NR_OBJECTS);
	rcu_read_unlock();
	rcu_barrier();
	assert_int_equal(nr_in_slabs(NR_OBJECTS), 0);
}

/* Frees all but a few, so that no slab is empty. */
static void thin_out(struct kmem_cache *to)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		if (i % FEW)
			kmem_cache_free(to, things[i]);
}

static void empty_the_rest(struct kmem_cache *to)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i += FEW)
		kmem_cache_free(to, things[i]);
}

static void free_pages_of_slabs_keep_what_is_in_them(void **state)
{
	/* A constructor would be enough for that. */
	struct kmem_cache *plain = kmem_cache_create("plain", sizeof(struct thing), 0, SLAB_TYPESAFE_BY_RCU, NULL);

	(void)state;
	assert_non_null(plain);
	fill(plain, NR_OBJECTS);
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		things[i]->made = MADE;
	thin_out(plain);
	slab_trim(0);
	for (int i = 0; i < 10; i++)
		slab_purge();
	assert_int_equal(nr_whole(plain, NR_OBJECTS), NR_OBJECTS);
	empty_the_rest(plain);
	kmem_cache_destroy(plain);
}

static void objects_are_had_again_at_once(void **state)
{
	struct thing *first, *again;
	int tries = 0;

	(void)state;
	rcu_read_lock();
	/* Now and then the thread has come to another CPU in between. */
	do {
		first = kmem_cache_alloc(cache, GFP_KERNEL);
		first->value = 7;
		kmem_cache_free(cache, first);
		again = kmem_cache_alloc(cache, GFP_KERNEL);
		assert_int_equal(again->made, MADE);
		if (again == first)
			assert_int_equal(again->value, 7);
		kmem_cache_free(cache, again);
	} while (again != first && tries++ < 10000);
	rcu_read_unlock();
	assert_ptr_equal(again, first);
}

static void objects_are_made_with_their_slab_only(void **state)
{
	unsigned int before;
	cpu_set_t all, one;

	(void)state;
	/* On another CPU free objects would be missed that this one has, and slabs made for them. */
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_true(cache->nr_objects > 2 * FEW);
	nr_made = 0;
	fill(cache, NR_OBJECTS);
	assert_true(nr_made >= NR_OBJECTS);
	assert_int_equal(nr_made % cache->nr_objects, 0);
	before = nr_made;
	for (int round = 0; round < 5; round++) {
		thin_out(cache);
		kmem_cache_shrink(cache);
		for (unsigned int i = 0; i < NR_OBJECTS; i++) {
			if (i % FEW)
				things[i] = kmem_cache_alloc(cache, GFP_KERNEL);
			assert_int_equal(things[i]->made, MADE);
		}
	}
	assert_int_equal(nr_made, before);
	thin_out(cache);
	empty_the_rest(cache);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* ---- checks ---- */

static void checks_leave_objects_as_they_are(void **state)
{
	const slab_flags_t flags[] = {
		SLAB_POISON, SLAB_RED_ZONE, SLAB_STORE_USER, SLAB_POISON | SLAB_RED_ZONE | SLAB_STORE_USER};

	(void)state;
	for (unsigned int i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		/* Without a constructor, which would be enough for that. */
		struct kmem_cache *checked =
			kmem_cache_create("checked", sizeof(struct thing), 0, SLAB_TYPESAFE_BY_RCU | flags[i], NULL);

		assert_non_null(checked);
		for (int round = 0; round < 3; round++) {
			fill(checked, 100);
			for (unsigned int object = 0; object < 100; object++)
				things[object]->made = MADE;
			rcu_read_lock();
			empty(checked, 100);
			assert_int_equal(nr_whole(checked, 100), 100);
			rcu_read_unlock();
		}
		kmem_cache_destroy(checked);
	}
}

static void write_behind(void *arg)
{
	struct kmem_cache *checked = kmem_cache_create("checked", 40, 8, SLAB_TYPESAFE_BY_RCU | SLAB_RED_ZONE, NULL);
	char *object = kmem_cache_alloc(checked, GFP_KERNEL);

	(void)arg;
	report_on_bug = REPORT_BUG_CONTINUE;
	object[40] = 1;
	kmem_cache_free(checked, object);
}

static void red_zones_are_looked_at(void **state)
{
	char output[4000];

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	assert_int_equal(child_run(write_behind, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "BUG: checked: Right Redzone overwritten"));
}

/* ---- the end of a cache ---- */

struct sitter {
	pthread_t thread;
	int in, left; /* Synchronization: atomic */
};

/* In a section for a while. */
static void *stay(void *arg)
{
	struct sitter *sitter = arg;

	rcu_read_lock();
	__atomic_store_n(&sitter->in, 1, __ATOMIC_SEQ_CST);
	usleep(30000);
	__atomic_store_n(&sitter->left, 1, __ATOMIC_SEQ_CST);
	rcu_read_unlock();
	return NULL;
}

static void sitter_start(struct sitter *sitter)
{
	sitter->in = sitter->left = 0;
	assert_int_equal(pthread_create(&sitter->thread, NULL, stay, sitter), 0);
	while (!__atomic_load_n(&sitter->in, __ATOMIC_SEQ_CST))
		usleep(100);
}

static void a_cache_ends_after_its_slabs(void **state)
{
	struct kmem_cache *ends = cache_create(SLAB_TYPESAFE_BY_RCU);
	struct sitter sitter;

	(void)state;
	fill(ends, NR_OBJECTS);
	sitter_start(&sitter);
	empty(ends, NR_OBJECTS);
	kmem_cache_destroy(ends);
	assert_int_equal(__atomic_load_n(&sitter.left, __ATOMIC_SEQ_CST), 1);
	assert_int_equal(nr_in_slabs(NR_OBJECTS), 0);
	pthread_join(sitter.thread, NULL);
}

/* Of caches of all kinds: objects that are on their way to be freed do not live. */
static void a_cache_ends_after_its_deferred_frees(void **state)
{
	const slab_flags_t flags[] = {0, SLAB_TYPESAFE_BY_RCU};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct kmem_cache *ends = cache_create(flags[i]);
		size_t nr_caches = 0;
		struct kmem_cache *other;
		struct sitter sitter;

		fill(ends, NR_OBJECTS);
		sitter_start(&sitter);
		for (unsigned int object = 0; object < NR_OBJECTS; object++)
			kfree_rcu(things[object], rcu);
		kmem_cache_destroy(ends);
		assert_int_equal(__atomic_load_n(&sitter.left, __ATOMIC_SEQ_CST), 1);
		pthread_join(sitter.thread, NULL);
		lock_acquire(&cache_list_lock);
		list_for_each_entry(other, &cache_list, list)
			nr_caches += !strcmp(other->name, "things");
		lock_release(&cache_list_lock);
		assert_int_equal(nr_caches, 0);
	}
}

static void end_in_section(void *arg)
{
	(void)arg;
	report_on_bug = REPORT_BUG_CONTINUE;
	fill(cache, NR_OBJECTS);
	empty(cache, NR_OBJECTS);
	rcu_read_lock();
	kmem_cache_destroy(cache);
	rcu_read_unlock();
	/* It was kept. */
	fill(cache, NR_OBJECTS);
	empty(cache, NR_OBJECTS);
	kmem_cache_destroy(cache);
}

static void an_end_in_a_section_is_reported(void **state)
{
	char output[4000];

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	assert_int_equal(child_run(end_in_section, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "BUG: kmem_cache_destroy() between rcu_read_lock() and rcu_read_unlock()"));
	assert_non_null(strstr(output, "it is kept"));
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct kmem_cache_args args = {.use_freeptr_offset = true, .freeptr_offset = offsetof(struct thing, rcu)};
	struct kmem_cache *made;

	(void)state;
	assert_null(kmem_cache_create("refused", sizeof(struct thing), &args, 0));
	made = kmem_cache_create("accepted", sizeof(struct thing), &args, SLAB_TYPESAFE_BY_RCU);
	assert_non_null(made);
	kmem_cache_destroy(made);
	args.freeptr_offset = sizeof(struct thing);
	assert_null(kmem_cache_create("refused", sizeof(struct thing), &args, SLAB_TYPESAFE_BY_RCU));
	args.freeptr_offset = 4;
	assert_null(kmem_cache_create("refused", sizeof(struct thing), &args, SLAB_TYPESAFE_BY_RCU));
}

/* ---- signal handlers, fork ---- */

static void handle(int signal)
{
	(void)signal;
	empty(cache, NR_OBJECTS);
}

static void a_handler_empties_slabs(void **state)
{
	(void)state;
	signal(SIGUSR1, handle);
	for (int i = 0; i < 20; i++) {
		fill(cache, NR_OBJECTS);
		raise(SIGUSR1);
		kmem_cache_shrink(cache);
	}
	signal(SIGUSR1, SIG_DFL);
	rcu_barrier();
	assert_int_equal(typesafe_nr_waiting(cache), 0);
	assert_int_equal(nr_in_slabs(NR_OBJECTS), 0);
}

static void wait_for_none_waiting(void)
{
	for (int i = 0; typesafe_nr_waiting(cache); i++) {
		if (i == 30000)
			_exit(1);
		usleep(1000);
	}
}

static unsigned int nr_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int nr = 0;

	assert_non_null(tasks);
	while (readdir(tasks))
		nr++;
	closedir(tasks);
	return nr - 2; /* . and .. */
}

/* What the parent's slabs wait for comes by itself, and for those that a handler of the child empties, too. */
static void go_on(void *arg)
{
	(void)arg;
	/* The room's, without that anything waits: a handler could not start it. */
	if (nr_threads() < 2)
		_exit(4);
	wait_for_none_waiting();
	if (nr_in_slabs(NR_OBJECTS))
		_exit(2);
	fill(cache, NR_OBJECTS);
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	slab_trim(0);
	wait_for_none_waiting();
	if (nr_in_slabs(NR_OBJECTS))
		_exit(3);
	kmem_cache_destroy(cache);
}

static void a_child_goes_on_with_slabs_that_wait(void **state)
{
	struct sitter sitter;
	char output[1000];

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	for (int round = 0; round < 5; round++) {
		fill(cache, NR_OBJECTS);
		if (round)
			sitter_start(&sitter);
		empty(cache, NR_OBJECTS);
		kmem_cache_shrink(cache);
		usleep((useconds_t)round * 3000);
		if (!round)
			rcu_barrier(); /* nothing waits */
		assert_int_equal(child_run(go_on, NULL, output, sizeof(output)), 0);
		if (round)
			pthread_join(sitter.thread, NULL);
		rcu_barrier();
		assert_int_equal(typesafe_nr_waiting(cache), 0);
	}
}

/* ---- threads ---- */

static void *fill_and_empty(void *arg)
{
	struct thing *mine[200];

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 200; i++) {
			mine[i] = kmem_cache_alloc(cache, GFP_KERNEL);
			if (mine[i]->made != MADE)
				++*(unsigned long *)arg;
		}
		for (int i = 0; i < 200; i++) {
			if (i % 3)
				kmem_cache_free(cache, mine[i]);
			else
				kfree_rcu(mine[i], rcu);
		}
		if (round % 10 == 0)
			kmem_cache_shrink(cache);
	}
	return NULL;
}

static void none_is_lost(void **state)
{
	unsigned long wrong[4] = {0};
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fill_and_empty, &wrong[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(wrong[i], 0);
	}
	kvfree_rcu_barrier();
	kmem_cache_shrink(cache);
	slabs_check(cache);
	rcu_barrier();
	assert_int_equal(typesafe_nr_waiting(cache), 0);
}

#define WITH_CACHE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(empty_slabs_stay_while_a_reader_is_in_a_section),
		cmocka_unit_test(slabs_of_other_caches_go_at_once),
		WITH_CACHE(trims_and_epochs_hand_over_too),
		cmocka_unit_test(free_pages_of_slabs_keep_what_is_in_them),
		WITH_CACHE(objects_are_had_again_at_once),
		WITH_CACHE(objects_are_made_with_their_slab_only),
		cmocka_unit_test(checks_leave_objects_as_they_are),
		cmocka_unit_test(red_zones_are_looked_at),
		cmocka_unit_test(a_cache_ends_after_its_slabs),
		cmocka_unit_test(a_cache_ends_after_its_deferred_frees),
		WITH_CACHE(an_end_in_a_section_is_reported),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		WITH_CACHE(a_handler_empties_slabs),
		WITH_CACHE(a_child_goes_on_with_slabs_that_wait),
		WITH_CACHE(none_is_lost),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
