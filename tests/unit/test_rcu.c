/*
 * test_rcu.c: sections, grace periods, callbacks and deferred frees in a hosted program.
 *
 * Broken if this fails: a period ends before a section that was open, callbacks are lost or run out of order, an object is
 * freed while a reader can see it or never, what waits takes memory without a bound, a stalled reader is not told, or a child of fork loses what its parent had queued.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <flagstone/rcu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "runtime/lib/report.h"
#include "runtime/lib/tunables.h"
#include "runtime/rcu/rcu.h"
#include "runtime/slab/internal.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"

#define NR_MANY 20000
#define POISON 0x6b6b6b6b6b6b6b6bul

struct node {
	unsigned long value;
	struct rcu_head rcu;
	unsigned long more[10];
};

/* ---- a reader that stays in its section until it is told to leave ---- */

struct sitter {
	pthread_t thread;
	int in, leave; /* Synchronization: atomic */
	int most; /* that it stays, in 100 us; 0: until it is told. Const */
};

static void *stay(void *arg)
{
	struct sitter *sitter = arg;

	rcu_read_lock();
	__atomic_store_n(&sitter->in, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; !__atomic_load_n(&sitter->leave, __ATOMIC_SEQ_CST) && i != sitter->most; i++)
		usleep(100);
	rcu_read_unlock();
	return NULL;
}

static void sitter_start_for(struct sitter *sitter, int most)
{
	sitter->most = most ? most : -1;
	sitter->in = sitter->leave = 0;
	assert_int_equal(pthread_create(&sitter->thread, NULL, stay, sitter), 0);
	while (!__atomic_load_n(&sitter->in, __ATOMIC_SEQ_CST))
		usleep(100);
}

static void sitter_start(struct sitter *sitter)
{
	sitter_start_for(sitter, 0);
}

static void sitter_end(struct sitter *sitter)
{
	__atomic_store_n(&sitter->leave, 1, __ATOMIC_SEQ_CST);
	pthread_join(sitter->thread, NULL);
}

/* ---- sections and periods ---- */

static void sections_nest(void **state)
{
	(void)state;
	assert_false(rcu_read_lock_held());
	for (int i = 0; i < 10; i++) {
		rcu_read_lock();
		assert_true(rcu_read_lock_held());
	}
	for (int i = 0; i < 10; i++) {
		assert_true(rcu_read_lock_held());
		rcu_read_unlock();
	}
	assert_false(rcu_read_lock_held());
}

static void *wait_for_period(void *arg)
{
	synchronize_rcu();
	__atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void a_period_waits_for_an_open_section(void **state)
{
	struct sitter sitter;
	pthread_t waiter;
	int waited = 0;

	(void)state;
	synchronize_rcu();
	sitter_start(&sitter);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_period, &waited), 0);
	usleep(50000);
	assert_int_equal(__atomic_load_n(&waited, __ATOMIC_SEQ_CST), 0);
	sitter_end(&sitter);
	pthread_join(waiter, NULL);
	assert_int_equal(waited, 1);
}

static void numbers_tell_when_a_period_has_ended(void **state)
{
	unsigned long before, started;
	struct sitter sitter;

	(void)state;
	sitter_start(&sitter);
	before = get_state_synchronize_rcu();
	started = start_poll_synchronize_rcu();
	usleep(30000);
	assert_false(poll_state_synchronize_rcu(before));
	assert_false(poll_state_synchronize_rcu(started));
	sitter_end(&sitter);
	while (!poll_state_synchronize_rcu(started))
		usleep(100);
	assert_true(poll_state_synchronize_rcu(before));
	cond_synchronize_rcu(started);
	/* Whoever waits for one ends it for those that poll. */
	before = get_state_synchronize_rcu();
	assert_false(poll_state_synchronize_rcu(before));
	cond_synchronize_rcu(before);
	assert_true(poll_state_synchronize_rcu(before));
}

static void wait_in_section(void *arg)
{
	(void)arg;
	report_on_bug = REPORT_BUG_CONTINUE;
	tunable_rcu_stall_timeout = 0; /* nor a thread that watches, which ThreadSanitizer refuses in a child */
	rcu_read_lock();
	synchronize_rcu();
	rcu_barrier();
	kvfree_rcu_barrier();
	rcu_read_unlock();
	synchronize_rcu();
}

static void waiting_in_a_section_is_reported(void **state)
{
	char output[8000];

	(void)state;
	assert_int_equal(child_run(wait_in_section, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output,
		"flagstone: BUG: synchronize_rcu() between rcu_read_lock() and rcu_read_unlock(): it would "
		"wait for itself\n"));
	assert_non_null(strstr(output, "flagstone: BUG: rcu_barrier() between"));
	assert_non_null(strstr(output, "flagstone: BUG: kvfree_rcu_barrier() between"));
}

/* ---- callbacks ---- */

static unsigned int nr_called; /* Synchronization: the room's thread; rcu_barrier() */
static bool in_order = true;

static void on_period(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu);

	in_order &= node->value == nr_called;
	nr_called++;
	kfree(node);
}

static struct node *node_create(unsigned long value)
{
	struct node *node = kmalloc(sizeof(*node), GFP_KERNEL);

	assert_non_null(node);
	node->value = value;
	return node;
}

static void callbacks_run_in_order_after_a_period(void **state)
{
	struct sitter sitter;

	(void)state;
	nr_called = 0;
	sitter_start(&sitter);
	call_rcu(&node_create(0)->rcu, on_period);
	usleep(50000);
	assert_int_equal(__atomic_load_n(&nr_called, __ATOMIC_SEQ_CST), 0);
	sitter_end(&sitter);
	rcu_barrier();
	assert_int_equal(nr_called, 1);
	assert_true(in_order);
}

static void again(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu);

	if (--node->value)
		call_rcu(head, again);
	else
		kfree(node);
	nr_called++;
}

static void a_callback_may_call_again(void **state)
{
	(void)state;
	nr_called = 0;
	call_rcu(&node_create(5)->rcu, again);
	for (int i = 1; i <= 5; i++) {
		rcu_barrier();
		assert_true(nr_called >= (unsigned int)i);
	}
	assert_int_equal(nr_called, 5);
}

static void *call_many(void *arg)
{
	(void)arg;
	for (unsigned long i = 0; i < NR_MANY; i++)
		call_rcu(&node_create(1)->rcu, again);
	return NULL;
}

static void none_is_lost(void **state)
{
	pthread_t threads[4];

	(void)state;
	nr_called = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	rcu_barrier();
	assert_int_equal(nr_called, 4 * NR_MANY);
}

static void wait_in_callback(struct rcu_head *head)
{
	(void)head;
	rcu_barrier();
}

static void barrier_in_callback(void *arg)
{
	static struct rcu_head head;

	(void)arg;
	report_on_bug = REPORT_BUG_CONTINUE;
	call_rcu(&head, wait_in_callback);
	rcu_barrier();
}

static void a_barrier_in_a_callback_is_reported(void **state)
{
	char output[4000];

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	assert_int_equal(child_run(barrier_in_callback, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: BUG: rcu_barrier() in a function that call_rcu() was given"));
}

/* ---- deferred frees: of a cache, whose live objects can be counted ---- */

static struct kmem_cache *cache;

static size_t live_objects(void)
{
	size_t nr_slabs, nr_free;

	slab_trim(0); /* what is in magazines is in no slab */
	slabs_count(cache, &nr_slabs, &nr_free);
	return nr_slabs * cache->nr_objects - nr_free;
}

static int create_cache(void **state)
{
	(void)state;
	cache = kmem_cache_create("test_rcu", sizeof(struct node), 0, 0, NULL);
	return cache ? 0 : -1;
}

static int destroy_cache(void **state)
{
	(void)state;
	kvfree_rcu_barrier();
	kmem_cache_destroy(cache);
	return 0;
}

static void objects_go_after_a_period(void **state)
{
	struct sitter sitter;

	(void)state;
	sitter_start(&sitter);
	for (unsigned long i = 0; i < NR_MANY; i++) {
		struct node *node = kmem_cache_alloc(cache, GFP_KERNEL);

		assert_non_null(node);
		if (i % 2)
			kfree_rcu(node, rcu);
		else
			kvfree_rcu_mightsleep(node);
	}
	/* Also those that lie in magazines that are not full: slab_trim() takes them off the CPUs. */
	usleep(50000);
	assert_int_equal(live_objects(), NR_MANY);
	sitter_end(&sitter);
	kvfree_rcu_barrier();
	assert_int_equal(live_objects(), 0);
}

static void null_is_nothing(void **state)
{
	struct node *node = NULL;

	(void)state;
	kfree_rcu(node, rcu);
	kfree_rcu_mightsleep(node);
	kvfree_rcu(node);
}

/* Nobody calls again: what lies in a magazine that is not full goes nevertheless. */
static void few_objects_go_by_themselves(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		kfree_rcu((struct node *)kmem_cache_alloc(cache, GFP_KERNEL), rcu);
	for (int i = 0; i < 3000; i++) {
		size_t nr_slabs, nr_free;

		slab_drain_idle();
		slab_drain_idle();
		slabs_count(cache, &nr_slabs, &nr_free);
		if (nr_slabs * cache->nr_objects == nr_free)
			return;
		usleep(10000);
	}
	fail_msg("objects were not freed within half a minute");
}

static void nothing_to_do(struct rcu_head *head)
{
	__atomic_store_n(&head->func, NULL, __ATOMIC_RELEASE);
}

/* Also where the room's thread always has something else to do. */
static void few_objects_go_beside_others_that_come(void **state)
{
	static struct rcu_head head;

	(void)state;
	kfree_rcu((struct node *)kmem_cache_alloc(cache, GFP_KERNEL), rcu);
	for (int i = 0; rcu_deferred_bytes() && i < 3000; i++) {
		if (!__atomic_load_n(&head.func, __ATOMIC_ACQUIRE))
			call_rcu(&head, nothing_to_do);
		usleep(10000);
	}
	assert_int_equal(rcu_deferred_bytes(), 0);
	rcu_barrier();
	assert_int_equal(live_objects(), 0);
}

static void sizes_of_all_kinds(void **state)
{
	(void)state;
	for (size_t size = sizeof(struct node); size <= 1 << 20; size = size * 3 / 2) {
		struct node *node = kmalloc(size, GFP_KERNEL);

		assert_non_null(node);
		memset(node, 1, size);
		kfree_rcu(node, rcu);
	}
	kvfree_rcu_barrier();
}

static int ends; /* threads that go on until then. Synchronization: atomic */

/* ---- pressure ---- */

/* A reader that stays in for a while must not cost more than the bound, and what passes while producers are slowed down. */
static void producers_beyond_the_bound_are_slowed_down(void **state)
{
	struct sitter sitter;
	size_t most = 0;

	(void)state;
	sitter_start_for(&sitter, 3000);
	while (pthread_tryjoin_np(sitter.thread, NULL)) {
		for (int i = 0; i < 1000; i++)
			kfree_rcu((struct node *)kmem_cache_alloc(cache, GFP_KERNEL), rcu);
		most = rcu_deferred_bytes() > most ? rcu_deferred_bytes() : most;
	}
	assert_in_range(most, 1, 64 << 20);
	kvfree_rcu_barrier();
	assert_int_equal(live_objects(), 0);
	assert_int_equal(rcu_deferred_bytes(), 0);
}

/* As long as it is on a CPU's magazine, an object is not counted. */
static void a_large_object_does_not_wait_for_others(void **state)
{
	struct sitter sitter;

	(void)state;
	kvfree_rcu_barrier();
	sitter_start(&sitter);
	kfree_rcu((struct node *)kmalloc(100, GFP_KERNEL), rcu);
	assert_in_range(rcu_deferred_bytes(), 1, 200);
	kfree_rcu((struct node *)kmalloc(1 << 20, GFP_KERNEL), rcu);
	assert_in_range(rcu_deferred_bytes(), 1 << 20, (1 << 20) + 200); /* a drain may have come for the other */
	sitter_end(&sitter);
	kvfree_rcu_barrier();
	assert_int_equal(rcu_deferred_bytes(), 0);
}

static void free_some_later(void)
{
	for (int i = 0; i < 300; i++)
		kfree_rcu((struct node *)kmem_cache_alloc(cache, GFP_KERNEL), rcu);
}

/* What an allocation asks for when memory is out. */
static void what_waits_can_be_had_at_once(void **state)
{
	struct sitter sitter;

	(void)state;
	free_some_later();
	/* What the room's thread is busy with is left to the next call. */
	for (int i = 0; i < 20 && live_objects(); i++)
		slab_deferred_reclaim();
	assert_int_equal(live_objects(), 0);

	/* Not by who is a reader himself, and for half a second at most where another is. */
	free_some_later();
	rcu_read_lock();
	slab_deferred_reclaim();
	assert_int_equal(live_objects(), 300);
	rcu_read_unlock();
	sitter_start(&sitter);
	slab_deferred_reclaim();
	assert_int_equal(live_objects(), 300);
	sitter_end(&sitter);
	kvfree_rcu_barrier();
}

/* ---- stalls ---- */

static void *stay_until_reported(void *path)
{
	FILE *reports = fopen(path, "r");
	char line[400];

	rcu_read_lock();
	do {
		clearerr(reports);
		if (!fgets(line, sizeof(line), reports))
			usleep(1000);
	} while (!strstr(line, "KiB waiting"));
	rcu_read_unlock();
	return NULL;
}

static void stall(void *arg)
{
	char path[] = "/tmp/test_rcu-XXXXXX", text[4000];
	int saved = dup(2), file = mkstemp(path);
	pthread_t reader;
	ssize_t length;

	(void)arg;
	tunable_rcu_stall_timeout = 1;
	dup2(file, 2);
	pthread_create(&reader, NULL, stay_until_reported, path);
	pthread_setname_np(reader, "stays");
	kfree_rcu((struct node *)kmalloc(2 << 20, GFP_KERNEL), rcu);
	pthread_join(reader, NULL);
	kvfree_rcu_barrier();
	dup2(saved, 2);
	length = pread(file, text, sizeof(text), 0);
	if (write(2, text, (size_t)length) != length)
		_exit(1);
	unlink(path);
}

static void a_reader_that_stalls_is_reported(void **state)
{
	static char output[8000];

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	assert_int_equal(child_run(stall, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output,
		"flagstone: rcu: INFO: rcu detected stalls on threads, for which a grace period has waited for "));
	assert_non_null(strstr(output,
		" (stays) has been between rcu_read_lock() and rcu_read_unlock() all the time; it is at:\n  #0 0x"));
	assert_non_null(strstr(output, "flagstone: rcu: kfree_rcu() has about 2048 KiB waiting\n"));
}

/* ---- barriers ---- */

static void *free_others(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&ends, __ATOMIC_RELAXED))
		kfree_rcu(node_create(0), rcu);
	return NULL;
}

/* Producers free each other's objects: also those that they have in hand at that moment are free after a barrier. */
static void a_barrier_waits_for_who_frees(void **state)
{
	pthread_t threads[2];

	(void)state;
	ends = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, free_others, NULL), 0);
	for (int round = 0; round < 100; round++) {
		free_some_later();
		usleep((useconds_t)round * 100); /* until some are ready */
		kvfree_rcu_barrier();
		/* Other modes' drains leave what a thread is about to change: a magazine of this cache, free as its objects are. */
		for (int i = 0; percpu_mode != PERCPU_RSEQ && i < 1000 && live_objects(); i++)
			usleep(100);
		assert_int_equal(live_objects(), 0);
	}
	__atomic_store_n(&ends, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* ---- readers and writers ---- */

static struct node *published; /* by rcu_assign_pointer() */

static void *look_at(void *arg)
{
	unsigned long *nr_poison = arg;

	while (!__atomic_load_n(&ends, __ATOMIC_RELAXED)) {
		rcu_read_lock();
		for (int i = 0; i < 100; i++) {
			struct node *node = rcu_dereference(published);
			unsigned long value = __atomic_load_n(&node->value, __ATOMIC_RELAXED);

			if (value != __atomic_load_n(&node->more[9], __ATOMIC_RELAXED) || value == POISON)
				++*nr_poison;
		}
		rcu_read_unlock();
	}
	return NULL;
}

static struct node *node_publish(unsigned long value)
{
	struct node *node = node_create(value), *old;

	node->more[9] = value;
	old = published;
	rcu_assign_pointer(published, node);
	return old;
}

static void poison_and_free(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu);

	__atomic_store_n(&node->value, POISON, __ATOMIC_RELAXED);
	kfree(node);
}

static void no_reader_sees_what_is_free(void **state)
{
	pthread_t readers[3];
	unsigned long nr_poison[3] = {0};

	(void)state;
	ends = 0;
	node_publish(0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look_at, &nr_poison[i]), 0);
	for (unsigned long i = 1; i <= NR_MANY; i++) {
		struct node *old = node_publish(i);

		if (i % 2)
			call_rcu(&old->rcu, poison_and_free);
		else
			kfree_rcu(old, rcu);
	}
	__atomic_store_n(&ends, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) {
		pthread_join(readers[i], NULL);
		assert_int_equal(nr_poison[i], 0);
	}
	rcu_barrier();
	kvfree_rcu_barrier();
	kfree(published);
	published = NULL;
}

/* ---- a signal handler ---- */

static unsigned int nr_handled;

static void handle(int signal)
{
	(void)signal;
	rcu_read_lock();
	nr_handled += rcu_read_lock_held() != 0;
	kfree_rcu((struct node *)kmalloc(sizeof(struct node), GFP_ATOMIC), rcu);
	rcu_read_unlock();
}

static void a_handler_reads_and_frees(void **state)
{
	(void)state;
	signal(SIGUSR1, handle);
	nr_handled = 0;
	for (int i = 0; i < 1000; i++) {
		if (i % 2)
			rcu_read_lock();
		raise(SIGUSR1);
		assert_int_equal(!!rcu_read_lock_held(), i % 2);
		if (i % 2)
			rcu_read_unlock();
	}
	assert_int_equal(nr_handled, 1000);
	signal(SIGUSR1, SIG_DFL);
	kvfree_rcu_barrier();
}

/* ---- fork ---- */

static void go_on(void *arg)
{
	(void)arg;
	if (flagstone_rcu_start())
		_exit(3);
	rcu_barrier();
	kvfree_rcu_barrier();
	if (nr_called != 1 || live_objects() != 0)
		_exit(1);
	for (int i = 0; i < 1000; i++)
		kfree_rcu((struct node *)kmem_cache_alloc(cache, GFP_KERNEL), rcu);
	kvfree_rcu_barrier();
	if (live_objects() != 0)
		_exit(2);
}

static void a_child_goes_on_with_what_was_queued(void **state)
{
	struct sitter sitter;
	char output[1000];

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	for (int round = 0; round < 20; round++) {
		nr_called = 0;
		sitter_start_for(&sitter, 200);
		for (int i = 0; i < 300; i++)
			kfree_rcu((struct node *)kmem_cache_alloc(cache, GFP_KERNEL), rcu);
		call_rcu(&node_create(1)->rcu, again);
		usleep((useconds_t)round * 1000);
		/* Fork waits for the reader, if a period is waiting for it. The child does not have it. */
		assert_int_equal(child_run(go_on, NULL, output, sizeof(output)), 0);
		sitter_end(&sitter);
		rcu_barrier();
		kvfree_rcu_barrier();
		assert_int_equal(nr_called, 1);
		assert_int_equal(live_objects(), 0);
	}
}

static void end_child(struct rcu_head *head)
{
	(void)head;
	_exit(7);
}

static int status_of_child; /* Synchronization: rcu_barrier() */

static void fork_in_callback(struct rcu_head *head)
{
	pid_t child = fork();

	if (child)
		waitpid(child, &status_of_child, 0);
	else
		call_rcu(head, end_child);
}

/* Its only thread is then the one that ends grace periods, and goes on with that. */
static void a_callback_may_fork(void **state)
{
	static struct rcu_head head;

	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK))
		return;
	call_rcu(&head, fork_in_callback);
	rcu_barrier();
	assert_true(WIFEXITED(status_of_child));
	assert_int_equal(WEXITSTATUS(status_of_child), 7);
}

#define WITH_CACHE(name) cmocka_unit_test_setup_teardown(name, create_cache, destroy_cache)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_nest),
		cmocka_unit_test(a_period_waits_for_an_open_section),
		cmocka_unit_test(numbers_tell_when_a_period_has_ended),
		cmocka_unit_test(waiting_in_a_section_is_reported),
		cmocka_unit_test(callbacks_run_in_order_after_a_period),
		cmocka_unit_test(a_callback_may_call_again),
		cmocka_unit_test(none_is_lost),
		cmocka_unit_test(a_barrier_in_a_callback_is_reported),
		WITH_CACHE(objects_go_after_a_period),
		cmocka_unit_test(null_is_nothing),
		WITH_CACHE(few_objects_go_by_themselves),
		WITH_CACHE(few_objects_go_beside_others_that_come),
		cmocka_unit_test(sizes_of_all_kinds),
		WITH_CACHE(producers_beyond_the_bound_are_slowed_down),
		cmocka_unit_test(a_large_object_does_not_wait_for_others),
		WITH_CACHE(what_waits_can_be_had_at_once),
		cmocka_unit_test(a_reader_that_stalls_is_reported),
		WITH_CACHE(a_barrier_waits_for_who_frees),
		cmocka_unit_test(no_reader_sees_what_is_free),
		cmocka_unit_test(a_handler_reads_and_frees),
		WITH_CACHE(a_child_goes_on_with_what_was_queued),
		cmocka_unit_test(a_callback_may_fork),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
