/*
 * test_boot.c: the room is up before main, and whole in a forked child.
 *
 * Broken if this fails: a child of a program with threads hangs or finds its caches half changed. Run once a mode.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/slab.h>

#include "runtime/slab/internal.h"
#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/random.h"

#define NR_THREADS 3
#define NR_FORKS 60
#define NR_FORKS_EMULATED 5 /* each takes seconds */
#define CHILD_SECONDS 10

static void booted_before_main(void **state)
{
	(void)state;
	assert_int_not_equal(percpu_mode, PERCPU_BOOTING);
	assert_int_equal(percpu_fast.size_limit, SIZE_TABLE_MAX + 1);
	assert_true(slab_boot());
	for (unsigned int class = 1; class <= NR_CLASSES; class ++)
		assert_ptr_equal(cache_by_slot[class], &kmalloc_caches[class]);
	assert_null(cache_by_slot[0]);
}

static struct kmem_cache *shared;
static int stop; /* Synchronization: atomic */
static int nr_started; /* Synchronization: atomic */

static void *churn(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg + 5;
	void *mine[100] = {0};

	__atomic_add_fetch(&nr_started, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned int at = random_below(&seed, 100);

		kfree(mine[at]);
		mine[at] = at % 4 ? kmalloc(1 + random_below(&seed, 3000), GFP_KERNEL)
				  : kmem_cache_alloc(shared, GFP_KERNEL);
		if (at == 99) {
			struct kmem_cache *cache = kmem_cache_create("short", 500, 0, 0, NULL);

			kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
			kmem_cache_destroy(cache);
		}
		if (at == 98)
			slab_trim(1 << 20);
	}
	for (int i = 0; i < 100; i++)
		kfree(mine[i]);
	return NULL;
}

static void *allocate_in_a_thread(void *arg)
{
	void *objects[500];

	(void)arg;
	for (size_t i = 0; i < 500; i++) {
		objects[i] = kmalloc(1 + i * 9, GFP_KERNEL);
		memset(objects[i], 1, 1 + i * 9);
	}
	for (size_t i = 0; i < 500; i++)
		kfree(objects[i]);
	return NULL;
}

static void check_all(void)
{
	struct list_head *node;

	for (node = cache_list.next; node != &cache_list; node = node->next)
		slabs_check(container_of(node, struct kmem_cache, list));
	page_check();
}

/* Everything once: classes, runs, mappings, the shared cache, a new one, a thread, a grandchild. */
static void live_in_a_child(unsigned char *inherited, size_t size)
{
	struct kmem_cache *cache;
	pthread_t thread;
	int status;

	alarm(CHILD_SECONDS);
	check_all();
	for (size_t i = 0; i < size; i++)
		if (inherited[i] != 0x77)
			_exit(1);
	kfree(inherited);
	for (size_t bytes = 1; bytes < 5 << 20; bytes += bytes / 3 + 1)
		object_free(object_alloc(bytes, 8, 0));
	cache = kmem_cache_create("child", 200, 0, 0, NULL);
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	kmem_cache_free(shared, kmem_cache_alloc(shared, GFP_KERNEL));
	kmem_cache_destroy(cache);
	/* Sanitizers and emulators have no threads in such a child. */
	if (!SANITIZED && !emulated() &&
		(pthread_create(&thread, NULL, allocate_in_a_thread, NULL) || pthread_join(thread, NULL)))
		_exit(2);
	slab_trim(0);
	check_all();
	if (fork() == 0)
		_exit(kmalloc(100, GFP_KERNEL) ? 0 : 3);
	if (wait(&status) < 0 || status)
		_exit(4);
	_exit(0);
}

static void a_child_of_many_threads_allocates(void **state)
{
	pthread_t threads[NR_THREADS];

	(void)state;
	(void)(skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK));
	shared = kmem_cache_create("shared", 120, 0, 0, NULL);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	/* Sanitizers do not expect a fork while a thread starts. */
	while (__atomic_load_n(&nr_started, __ATOMIC_RELAXED) < NR_THREADS)
		sched_yield();
	for (int i = 0; i < (emulated() ? NR_FORKS_EMULATED : NR_FORKS); i++) {
		size_t size = 64u << (i % 12);
		unsigned char *inherited = kmalloc(size, GFP_KERNEL);
		int status;
		pid_t pid;

		memset(inherited, 0x77, size);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			live_in_a_child(inherited, size);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		kfree(inherited);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	kmem_cache_destroy(shared);
	assert_null(cache_by_slot[SLOT_FIRST_CACHE]);
	check_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booted_before_main),
		cmocka_unit_test(a_child_of_many_threads_allocates),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
