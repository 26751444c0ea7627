/*
 * test_rculist.c: <linux/rculist.h>, <linux/list_nulls.h> and <linux/rculist_nulls.h>: what each function leaves behind, and what readers
 * meet meanwhile.
 *
 * Broken if this fails: lists without locks lose elements, or show readers what is not there or not written yet.
 */
#include <linux/rculist.h>
#include <linux/rculist_nulls.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define PASSES 200000 /* of readers, at the least */

struct element {
	int number;
	struct list_head node;
	struct hlist_node hash;
	struct hlist_nulls_node nulls;
};

static struct element elements[10];

static void number_all(void)
{
	memset(elements, 0, sizeof(elements));
	for (int i = 0; i < 10; i++)
		elements[i].number = i;
}

/* ---- lists ---- */

/* The numbers of the elements as decimal digits, as a reader and as a writer sees them; backwards they must be the same. */
static long digits(struct list_head *head)
{
	long seen = 0, forward = 0, backward = 0, place = 1, raw = 0;
	struct element *element;
	struct list_head *pos;

	rcu_read_lock();
	list_for_each_entry_rcu(element, head, node, rcu_read_lock_held())
		seen = seen * 10 + element->number;
	list_for_each_rcu(pos, head) raw = raw * 10 + list_entry_rcu(pos, struct element, node)->number;
	rcu_read_unlock();
	list_for_each_entry(element, head, node)
		forward = forward * 10 + element->number;
	for (pos = list_bidir_prev_rcu(head); pos != head; pos = list_bidir_prev_rcu(pos), place *= 10)
		backward += place * list_entry(pos, struct element, node)->number;
	assert_int_equal(seen, forward);
	assert_int_equal(raw, forward);
	assert_int_equal(backward, forward);
	return seen;
}

static void make(struct list_head *head, int from, int to)
{
	INIT_LIST_HEAD_RCU(head);
	for (int i = from; i <= to; i++)
		list_add_tail_rcu(&elements[i].node, head);
}

static void elements_go_where_they_should(void **state)
{
	LIST_HEAD(head);

	(void)state;
	number_all();
	assert_int_equal(digits(&head), 0);
	make(&head, 2, 4);
	list_add_rcu(&elements[1].node, &head);
	assert_int_equal(digits(&head), 1234);
	list_replace_rcu(&elements[3].node, &elements[7].node);
	assert_int_equal(digits(&head), 1274);
	assert_ptr_equal(elements[3].node.next, &elements[4].node); /* readers on it go on */
	assert_ptr_equal(elements[3].node.prev, LIST_POISON2);
	list_del_rcu(&elements[1].node);
	assert_int_equal(digits(&head), 274);
	assert_ptr_equal(elements[1].node.next, &elements[2].node);
	assert_ptr_equal(elements[1].node.prev, LIST_POISON2);
	list_bidir_del_rcu(&elements[7].node);
	assert_int_equal(digits(&head), 24);
	assert_ptr_equal(elements[7].node.next, &elements[4].node);
	assert_ptr_equal(elements[7].node.prev, &elements[2].node);
}

static void a_reader_finds_the_next(void **state)
{
	struct element *element;
	LIST_HEAD(head);

	(void)state;
	number_all();
	assert_null(list_first_or_null_rcu(&head, struct element, node));
	make(&head, 1, 5);
	element = list_first_or_null_rcu(&head, struct element, node);
	assert_ptr_equal(element, &elements[1]);
	element = list_next_or_null_rcu(&head, &element->node, struct element, node);
	assert_ptr_equal(element, &elements[2]);
	assert_null(list_next_or_null_rcu(&head, &elements[5].node, struct element, node));
	list_for_each_entry_continue_rcu(element, &head, node) break;
	assert_ptr_equal(element, &elements[3]);
	list_for_each_entry_from_rcu(element, &head, node) if (element->number == 5) break;
	assert_ptr_equal(element, &elements[5]);
	assert_ptr_equal(list_entry_lockless(head.next, struct element, node), &elements[1]);
}

static struct list_head *splices; /* from it, while sync() is called */
static unsigned int nr_synced;

/* Readers that are on the list still come to its end, and others find nothing there. */
static void sync(void)
{
	struct list_head *pos = &elements[1].node;
	int nr = 1;

	for (; pos->next != splices; pos = pos->next)
		nr++;
	assert_int_equal(nr, 3);
	assert_true(list_empty(splices));
	nr_synced++;
}

static void lists_are_joined(void **state)
{
	LIST_HEAD(head);
	LIST_HEAD(other);

	(void)state;
	number_all();
	splices = &other;
	nr_synced = 0;
	make(&head, 4, 6);
	make(&other, 1, 3);
	list_splice_init_rcu(&other, &head, sync);
	assert_int_equal(digits(&head), 123456);
	assert_true(list_empty(&other));
	list_splice_init_rcu(&other, &head, sync);
	assert_int_equal(nr_synced, 1);
	make(&head, 4, 6);
	make(&other, 1, 3);
	list_splice_tail_init_rcu(&other, &head, sync);
	assert_int_equal(digits(&head), 456123);
	assert_int_equal(nr_synced, 2);
}

/* ---- hash lists ---- */

static long hash_digits(struct hlist_head *head)
{
	struct hlist_node **pprev = &head->first, *pos;
	struct element *element;
	long seen = 0, raw = 0;

	rcu_read_lock();
	hlist_for_each_entry_rcu(element, head, hash)
		seen = seen * 10 + element->number;
	__hlist_for_each_rcu(pos, head)
	{
		raw = raw * 10 + hlist_entry(pos, struct element, hash)->number;
		assert_ptr_equal(pos->pprev, pprev);
		pprev = &pos->next;
	}
	rcu_read_unlock();
	assert_int_equal(raw, seen);
	return seen;
}

static void hashed_elements_go_where_they_should(void **state)
{
	struct element *element;
	HLIST_HEAD(head);
	HLIST_HEAD(other);

	(void)state;
	number_all();
	assert_int_equal(hash_digits(&head), 0);
	hlist_add_tail_rcu(&elements[4].hash, &head);
	hlist_add_head_rcu(&elements[2].hash, &head);
	hlist_add_before_rcu(&elements[1].hash, &elements[2].hash);
	hlist_add_behind_rcu(&elements[3].hash, &elements[2].hash);
	hlist_add_tail_rcu(&elements[5].hash, &head);
	assert_int_equal(hash_digits(&head), 12345);
	hlist_replace_rcu(&elements[5].hash, &elements[6].hash);
	hlist_replace_rcu(&elements[1].hash, &elements[7].hash);
	assert_int_equal(hash_digits(&head), 72346);
	hlist_del_rcu(&elements[3].hash);
	assert_ptr_equal(elements[3].hash.next, &elements[4].hash);
	assert_false(hlist_unhashed_lockless(&elements[3].hash));
	hlist_del_init_rcu(&elements[2].hash);
	hlist_del_init_rcu(&elements[2].hash);
	assert_ptr_equal(elements[2].hash.next, &elements[4].hash);
	assert_true(hlist_unhashed_lockless(&elements[2].hash));
	assert_int_equal(hash_digits(&head), 746);
	hlists_swap_heads_rcu(&head, &other);
	assert_int_equal(hash_digits(&head), 0);
	assert_int_equal(hash_digits(&other), 746);
	hlist_add_head_rcu(&elements[1].hash, &head);
	hlists_swap_heads_rcu(&head, &other);
	assert_int_equal(hash_digits(&head), 746);
	assert_int_equal(hash_digits(&other), 1);
	element = &elements[7];
	hlist_for_each_entry_continue_rcu(element, hash) break;
	assert_ptr_equal(element, &elements[4]);
	hlist_for_each_entry_from_rcu(element, hash) if (element->number == 6) break;
	assert_ptr_equal(element, &elements[6]);
}

/* ---- lists whose end has a number ---- */

static long nulls_digits(struct hlist_nulls_head *head, unsigned long end)
{
	struct hlist_nulls_node **pprev = &head->first, *pos;
	struct element *element;
	long seen = 0, raw = 0;

	rcu_read_lock();
	hlist_nulls_for_each_entry_rcu(element, pos, head, nulls)
		seen = seen * 10 + element->number;
	rcu_read_unlock();
	assert_int_equal(get_nulls_value(pos), end);
	hlist_nulls_for_each_entry(element, pos, head, nulls) {
		raw = raw * 10 + element->number;
		assert_ptr_equal(pos->pprev, pprev);
		pprev = &pos->next;
	}
	assert_int_equal(raw, seen);
	assert_int_equal(hlist_nulls_empty(head), !seen);
	return seen;
}

static void ends_have_numbers(void **state)
{
	struct hlist_nulls_head head;
	struct hlist_nulls_node *pos;
	struct element *element;
	int nr = 0;

	(void)state;
	number_all();
	INIT_HLIST_NULLS_HEAD(&head, 12345678901ul);
	assert_int_equal(nulls_digits(&head, 12345678901ul), 0);
	hlist_nulls_add_tail_rcu(&elements[4].nulls, &head);
	hlist_nulls_add_head_rcu(&elements[3].nulls, &head);
	hlist_nulls_add_head(&elements[2].nulls, &head);
	hlist_nulls_add_tail_rcu(&elements[5].nulls, &head);
	assert_int_equal(nulls_digits(&head, 12345678901ul), 2345);
	hlist_nulls_del_rcu(&elements[3].nulls);
	assert_ptr_equal(elements[3].nulls.next, &elements[4].nulls);
	assert_false(hlist_nulls_unhashed(&elements[3].nulls));
	hlist_nulls_del_init_rcu(&elements[5].nulls);
	hlist_nulls_del_init_rcu(&elements[5].nulls);
	assert_true(is_a_nulls(elements[5].nulls.next));
	assert_true(hlist_nulls_unhashed(&elements[5].nulls) && hlist_nulls_unhashed_lockless(&elements[5].nulls));
	assert_int_equal(nulls_digits(&head, 12345678901ul), 24);
	hlist_nulls_for_each_entry_safe(element, pos, &head, nulls)
	{
		hlist_nulls_del(&element->nulls);
		memset(&element->nulls, 0x11, sizeof(element->nulls));
		nr++;
	}
	assert_int_equal(nr, 2);
	assert_true(hlist_nulls_empty(&head));
	hlist_nulls_add_fake(&elements[1].nulls);
	assert_false(hlist_nulls_unhashed(&elements[1].nulls));
	hlist_nulls_del(&elements[1].nulls);
	assert_null(hlist_nulls_entry_safe(head.first, struct element, nulls));
}

/* ---- a reader beside a writer: elements 0, 3, 6, 9 are always there, and each is met as it was written ---- */

static struct list_head shared = LIST_HEAD_INIT(shared);
static HLIST_HEAD(shared_hash);
static int ends, nr_passes; /* Synchronization: atomic */

static unsigned long read_once(void)
{
	struct element *element;
	unsigned long wrong = 0;
	int last = -1, constant = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(element, &shared, node) {
		wrong += element->number <= last;
		last = element->number;
		constant += last % 3 == 0;
	}
	wrong += constant != 4;
	last = 10;
	constant = 0;
	hlist_for_each_entry_rcu(element, &shared_hash, hash) {
		wrong += element->number >= last;
		last = element->number;
		constant += last % 3 == 0;
	}
	wrong += constant != 4;
	rcu_read_unlock();
	return wrong;
}

static void *read_all(void *arg)
{
	unsigned long *nr_wrong = arg;

	while (!__atomic_load_n(&ends, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 100; i++)
			*nr_wrong += read_once();
		__atomic_fetch_add(&nr_passes, 100, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* Out for a grace period, overwritten, and in again behind the one before. */
static void go_out_and_in(struct element *element)
{
	int number = element->number;

	list_del_rcu(&element->node);
	hlist_del_rcu(&element->hash);
	synchronize_rcu();
	memset(element, 0x5a, sizeof(*element));
	sched_yield();
	element->number = number;
	list_add_rcu(&element->node, &element[-1].node);
	hlist_add_before_rcu(&element->hash, &element[-1].hash);
}

static void replace(struct element *element)
{
	struct element fresh = {.number = element->number};

	list_replace_rcu(&element->node, &fresh.node);
	hlist_replace_rcu(&element->hash, &fresh.hash);
	synchronize_rcu();
	memset(element, 0x5a, sizeof(*element));
	sched_yield();
	element->number = fresh.number;
	list_replace_rcu(&fresh.node, &element->node);
	hlist_replace_rcu(&fresh.hash, &element->hash);
	synchronize_rcu();
}

static void readers_meet_what_is_there(void **state)
{
	unsigned long wrong[2] = {0};
	pthread_t readers[2];

	(void)state;
	number_all();
	for (int i = 0; i < 10; i++) {
		list_add_tail_rcu(&elements[i].node, &shared);
		hlist_add_head_rcu(&elements[i].hash, &shared_hash);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all, &wrong[i]), 0);
	for (int i = 0; i < 60 || __atomic_load_n(&nr_passes, __ATOMIC_RELAXED) < PASSES; i++) {
		go_out_and_in(&elements[i % 3 * 3 + 1 + i % 2]);
		replace(&elements[i % 10]);
	}
	__atomic_store_n(&ends, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++) {
		pthread_join(readers[i], NULL);
		assert_int_equal(wrong[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_go_where_they_should),
		cmocka_unit_test(a_reader_finds_the_next),
		cmocka_unit_test(lists_are_joined),
		cmocka_unit_test(hashed_elements_go_where_they_should),
		cmocka_unit_test(ends_have_numbers),
		cmocka_unit_test(readers_meet_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
