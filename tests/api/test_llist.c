/*
 * test_llist.c: <linux/llist.h> and <linux/kref.h> with several threads: under ThreadSanitizer, the orders that they promise.
 *
 * Broken if this fails: a node that was added to a list without a lock is lost, taken out twice, or not yet written when it is seen; or
 * an object goes while somebody has it.
 */
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define THREADS 3
#define NODES 5000 /* of each */

struct element {
	unsigned int thread, number; /* plain: the list orders them */
	struct llist_node node;
};

static LLIST_HEAD(list);
static struct element *elements; /* of each thread NODES */
static unsigned int became_not_empty; /* Synchronization: atomic */

static void *adds(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; i < NODES;) {
		struct element *first = &elements[thread * NODES + i];

		first->thread = thread;
		first->number = i++;
		if (i < NODES && i % 3 == 0) { /* two at once: the second was added first */
			first[1].thread = thread;
			first[1].number = i++;
			first->number++;
			first[1].number--;
			first->node.next = &first[1].node;
			if (llist_add_batch(&first->node, &first[1].node, &list))
				__atomic_fetch_add(&became_not_empty, 1, __ATOMIC_RELAXED);
		} else if (llist_add(&first->node, &list)) {
			__atomic_fetch_add(&became_not_empty, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

/* Each thread's come in the order in which it added them. Returns how many. */
static unsigned int take_all(unsigned int *next)
{
	struct llist_node *taken = llist_reverse_order(llist_del_all(&list));
	struct element *element, *after;
	unsigned int nr = 0;

	llist_for_each_entry_safe(element, after, taken, node)
	{
		assert_int_equal(element->number, next[element->thread]++);
		element->node.next = NULL; /* it is the taker's */
		nr++;
	}
	return nr;
}

static void begin(pthread_t *threads, void *(*body)(void *))
{
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)i), 0);
}

static void end(pthread_t *threads)
{
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void nothing_added_is_lost_or_seen_too_early(void **state)
{
	unsigned int next[THREADS] = {0}, nr = 0, batches = 0;
	pthread_t threads[THREADS];

	(void)state;
	elements = calloc(THREADS * NODES, sizeof(*elements));
	became_not_empty = 0;
	begin(threads, adds);
	while (nr < THREADS * NODES) {
		unsigned int took = take_all(next);

		nr += took;
		batches += took != 0;
		if (!took)
			sched_yield();
	}
	end(threads);
	assert_int_equal(nr, THREADS * NODES);
	assert_true(llist_empty(&list));
	assert_int_equal(became_not_empty, batches); /* whoever made it not empty was told, nobody else */
	free(elements);
}

static void the_first_is_taken_once(void **state)
{
	bool *seen = calloc(THREADS * NODES, sizeof(*seen));
	pthread_t threads[THREADS];

	(void)state;
	elements = calloc(THREADS * NODES, sizeof(*elements));
	begin(threads, adds);
	for (unsigned int nr = 0; nr < THREADS * NODES;) {
		struct llist_node *node = llist_del_first(&list);
		struct element *element = llist_entry(node, struct element, node);

		if (!node) {
			sched_yield();
			continue;
		}
		assert_false(seen[element->thread * NODES + element->number]);
		seen[element->thread * NODES + element->number] = true;
		node->next = NULL;
		nr++;
	}
	end(threads);
	assert_null(llist_del_first(&list));
	free(elements);
	free(seen);
}

static void lists_of_one_owner_are_walked_over(void **state)
{
	struct element three[3] = {{.number = 0}, {.number = 1}, {.number = 2}}, *element;
	struct llist_node *pos, *next;
	LLIST_HEAD(own);
	unsigned int digits = 0;

	(void)state;
	assert_true(__llist_add(&three[0].node, &own));
	assert_false(__llist_add(&three[1].node, &own));
	assert_false(llist_add(&three[2].node, &own));
	llist_for_each_entry(element, own.first, node) digits = digits * 10 + element->number;
	assert_int_equal(digits, 210);
	llist_for_each_safe(pos, next, llist_reverse_order(__llist_del_all(&own)))
	{
		digits = digits * 10 + llist_entry(pos, struct element, node)->number;
		pos->next = pos;
	}
	assert_int_equal(digits, 210012);
	assert_true(llist_empty(&own));
	llist_for_each_entry(element, own.first, node) fail();
	llist_for_each(pos, own.first) fail();
	init_llist_head(&own);
	assert_null(llist_del_all(&own));
}

/* ---- references ---- */

#define TURNS 3000

static struct object {
	struct kref kref;
	unsigned int used[THREADS]; /* plain: each thread its own, and release() after all */
} object;
static unsigned int released; /* Synchronization: the last to have a reference */

static void release(struct kref *kref)
{
	struct object *o = container_of(kref, struct object, kref);

	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(o->used[i], TURNS);
	released++;
}

static void *uses(void *arg)
{
	unsigned int *used = &object.used[(uintptr_t)arg];

	for (unsigned int i = 0; i < TURNS; i++) {
		kref_get(&object.kref);
		++*used;
		kref_put(&object.kref, release);
	}
	kref_put(&object.kref, release); /* the thread's own */
	if (kref_get_unless_zero(&object.kref)) /* maybe another thread has it */
		kref_put(&object.kref, release);
	return NULL;
}

static void the_last_reference_releases_once(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	released = 0;
	kref_init(&object.kref);
	for (unsigned int i = 0; i < THREADS; i++)
		kref_get(&object.kref);
	assert_int_equal(kref_read(&object.kref), THREADS + 1);
	begin(threads, uses);
	kref_put(&object.kref, release);
	end(threads);
	assert_int_equal(released, 1);
	assert_int_equal(kref_read(&object.kref), 0);
	assert_false(kref_get_unless_zero(&object.kref));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_added_is_lost_or_seen_too_early),
		cmocka_unit_test(the_first_is_taken_once),
		cmocka_unit_test(lists_of_one_owner_are_walked_over),
		cmocka_unit_test(the_last_reference_releases_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
