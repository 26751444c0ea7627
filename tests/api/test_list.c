/*
 * test_list.c: <linux/list.h>: what each function leaves behind.
 *
 * Links with nothing: all inline.
 */
#include <linux/list.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct element {
	int number;
	struct list_head node;
	struct hlist_node hash;
};

static struct element elements[6];

static void make(struct list_head *head, unsigned int from, unsigned int to)
{
	INIT_LIST_HEAD(head);
	for (unsigned int i = from; i <= to; i++) {
		elements[i].number = (int)i;
		list_add_tail(&elements[i].node, head);
	}
}

/* The numbers of the elements as decimal digits; backwards they must be the same. */
static long digits(struct list_head *head)
{
	long forward = 0, backward = 0, place = 1;
	struct element *element;

	list_for_each_entry(element, head, node)
		forward = forward * 10 + element->number;
	list_for_each_entry_reverse(element, head, node)
	{
		backward += place * element->number;
		place *= 10;
	}
	assert_int_equal(forward, backward);
	return forward;
}

static void elements_go_where_they_should(void **state)
{
	LIST_HEAD(head);
	LIST_HEAD(other);

	(void)state;
	assert_true(list_empty(&head));
	assert_null(list_first_entry_or_null(&head, struct element, node));
	make(&head, 1, 5);
	assert_int_equal(list_count_nodes(&head), 5);
	list_move(&elements[3].node, &head);
	assert_int_equal(digits(&head), 31245);
	list_move_tail(&elements[3].node, &head);
	assert_int_equal(digits(&head), 12453);
	list_del_init(&elements[4].node);
	assert_true(list_empty(&elements[4].node));
	list_replace(&elements[2].node, &elements[4].node);
	assert_int_equal(digits(&head), 1453);
	list_swap(&elements[1].node, &elements[5].node);
	assert_int_equal(digits(&head), 5413);
	list_swap(&elements[5].node, &elements[4].node);
	assert_int_equal(digits(&head), 4513);
	list_rotate_left(&head);
	assert_int_equal(digits(&head), 5134);
	list_rotate_to_front(&elements[3].node, &head);
	assert_int_equal(digits(&head), 3451);
	assert_true(list_is_first(&elements[3].node, &head));
	assert_true(list_is_last(&elements[1].node, &head));
	assert_false(list_is_singular(&head));
	list_bulk_move_tail(&other, &elements[4].node, &elements[5].node);
	assert_int_equal(digits(&head), 31);
	assert_int_equal(digits(&other), 45);
	list_del_init_careful(&elements[4].node);
	assert_true(list_empty_careful(&elements[4].node));
	assert_true(list_is_singular(&other));
	assert_int_equal(list_last_entry(&head, struct element, node)->number, 1);
	assert_ptr_equal(list_next_entry(&elements[3], node), &elements[1]);
	assert_ptr_equal(list_prev_entry(&elements[1], node), &elements[3]);
}

static void lists_are_joined_and_cut(void **state)
{
	struct list_head head, other;

	(void)state;
	make(&head, 1, 2);
	make(&other, 3, 5);
	list_splice_init(&other, &head);
	assert_int_equal(digits(&head), 34512);
	assert_true(list_empty(&other));
	list_splice_tail_init(&other, &head);
	list_cut_position(&other, &head, &elements[4].node);
	assert_int_equal(digits(&other), 34);
	assert_int_equal(digits(&head), 512);
	list_splice_tail_init(&other, &head);
	assert_int_equal(digits(&head), 51234);
	list_cut_before(&other, &head, &elements[2].node);
	assert_int_equal(digits(&other), 51);
	list_splice(&other, &head);
	assert_int_equal(digits(&head), 51234);
	list_cut_position(&other, &head, &head);
	assert_true(list_empty(&other));
	list_cut_before(&other, &head, &elements[5].node);
	assert_true(list_empty(&other));
	assert_int_equal(digits(&head), 51234);
}

static void walks_survive_removal(void **state)
{
	struct element *element, *next;
	struct list_head head, *node;
	long seen = 0;

	(void)state;
	make(&head, 1, 5);
	list_for_each_entry_safe(element, next, &head, node)
		if (element->number % 2)
			list_del(&element->node);
	assert_int_equal(digits(&head), 24);
	element = &elements[2];
	list_for_each_entry_continue(element, &head, node) seen = seen * 10 + element->number;
	element = &elements[2];
	list_for_each_entry_from(element, &head, node) seen = seen * 10 + element->number;
	list_for_each(node, &head) seen = seen * 10 + list_entry(node, struct element, node)->number;
	assert_int_equal(seen, 42424);
	list_for_each_entry_safe_reverse(element, next, &head, node) list_del(&element->node);
	assert_true(list_empty(&head));
}

static long hash_digits(struct hlist_head *head)
{
	struct element *element;
	long result = 0;

	hlist_for_each_entry(element, head, hash) result = result * 10 + element->number;
	return result;
}

static void hash_lists_work(void **state)
{
	HLIST_HEAD(head);
	HLIST_HEAD(other);
	struct element *element;
	struct hlist_node *next;

	(void)state;
	for (int i = 1; i <= 4; i++) {
		elements[i].number = i;
		INIT_HLIST_NODE(&elements[i].hash);
	}
	assert_true(hlist_unhashed(&elements[1].hash));
	hlist_del_init(&elements[1].hash);
	hlist_add_head(&elements[1].hash, &head);
	assert_true(hlist_is_singular_node(&elements[1].hash, &head));
	hlist_add_head(&elements[2].hash, &head);
	hlist_add_behind(&elements[3].hash, &elements[2].hash);
	hlist_add_before(&elements[4].hash, &elements[2].hash);
	assert_int_equal(hash_digits(&head), 4231);
	hlist_move_list(&head, &other);
	assert_true(hlist_empty(&head));
	hlist_del_init(&elements[2].hash);
	assert_int_equal(hash_digits(&other), 431);
	hlist_for_each_entry_safe(element, next, &other, hash) hlist_del(&element->hash);
	assert_true(hlist_empty(&other));
	INIT_HLIST_NODE(&elements[1].hash);
	hlist_add_fake(&elements[1].hash);
	assert_true(hlist_fake(&elements[1].hash));
	hlist_del(&elements[1].hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_go_where_they_should),
		cmocka_unit_test(lists_are_joined_and_cut),
		cmocka_unit_test(walks_survive_removal),
		cmocka_unit_test(hash_lists_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
