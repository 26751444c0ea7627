/*
 * test_list.c: order, removal, and removal while walking.
 *
 * Links with nothing: list.h is all inline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/lib/list.h"

struct element {
	int number;
	struct list_head node;
};

/* The decimal digits of the elements, in order; the backward links must agree. */
static long digits(struct list_head *head)
{
	struct element *element;
	struct list_head *node;
	long forward = 0, backward = 0, place = 1;

	list_for_each_entry(element, head, node)
		forward = forward * 10 + element->number;
	for (node = head->prev; node != head; node = node->prev, place *= 10)
		backward += place * list_entry(node, struct element, node)->number;
	assert_int_equal(forward, backward);
	return forward;
}

static void test_elements_keep_their_order(void **state)
{
	struct element elements[] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
	struct list_head head = LIST_HEAD_INIT(head);

	(void)state;
	assert_true(list_empty(&head));
	assert_int_equal(digits(&head), 0);
	list_add(&elements[0].node, &head);
	list_add(&elements[1].node, &head);
	list_add_tail(&elements[2].node, &head);
	list_add_tail(&elements[3].node, &head);
	assert_int_equal(digits(&head), 2134);
	assert_ptr_equal(list_first_entry(&head, struct element, node), &elements[1]);
	list_del(&elements[0].node);
	assert_int_equal(digits(&head), 234);
	assert_null(elements[0].node.next);
	assert_null(elements[0].node.prev);
	list_add(&elements[0].node, &elements[2].node);
	assert_int_equal(digits(&head), 2314);
}

static void test_safe_walk_survives_removal(void **state)
{
	struct element elements[6], *element, *next;
	struct list_head head;
	int i;

	(void)state;
	list_init(&head);
	for (i = 0; i < 6; i++) {
		elements[i].number = i + 1;
		list_add_tail(&elements[i].node, &head);
	}
	list_for_each_entry_safe(element, next, &head, node)
		if (element->number % 2)
			list_del(&element->node);
	assert_int_equal(digits(&head), 246);
	list_for_each_entry_safe(element, next, &head, node)
		list_del(&element->node);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements_keep_their_order),
		cmocka_unit_test(test_safe_walk_survives_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
