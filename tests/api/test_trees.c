/*
 * test_trees.c: red-black trees and tables of lists, against an array that is sorted.
 *
 * Broken if this fails: an element is lost, out of order, or reached by a way that is too long.
 */
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MOST 300

struct element {
	int key;
	bool inside;
	struct rb_node node;
	struct hlist_node link;
};

static struct element elements[MOST];
static struct rnd_state numbers;

static struct element *element_of(const struct rb_node *node)
{
	return rb_entry(node, struct element, node);
}

static bool less(struct rb_node *a, const struct rb_node *b)
{
	return element_of(a)->key < element_of(b)->key;
}

static int compare(struct rb_node *a, const struct rb_node *b)
{
	return element_of(a)->key - element_of(b)->key;
}

static int compare_key(const void *key, const struct rb_node *node)
{
	return *(const int *)key - element_of(node)->key;
}

/* Black nodes on each way down; no red one has a red child; children know their parent. Node by node. */
static int check_below(const struct rb_node *node, const struct rb_node *parent, bool parent_red, int *nr)
{
	bool red;
	int left, right;

	if (!node)
		return 1;
	assert_ptr_equal(rb_parent(node), parent);
	red = !(node->__rb_parent_color & 1);
	assert_false(red && parent_red);
	(*nr)++;
	left = check_below(node->rb_left, node, red, nr);
	right = check_below(node->rb_right, node, red, nr);
	assert_int_equal(left, right);
	return left + !red;
}

static void check_tree(const struct rb_root *root, int expected)
{
	const struct rb_node *last = NULL;
	int nr = 0, walked = 0;

	check_below(root->rb_node, NULL, true, &nr);
	assert_int_equal(nr, expected);
	for (const struct rb_node *node = rb_first(root); node; node = rb_next(node), walked++) {
		if (last)
			assert_true(element_of(last)->key <= element_of(node)->key);
		assert_ptr_equal(rb_prev(node), last);
		last = node;
	}
	assert_int_equal(walked, expected);
	assert_ptr_equal(rb_last(root), last);
}

static int nr_inside(void)
{
	int nr = 0;

	for (int i = 0; i < MOST; i++)
		nr += elements[i].inside;
	return nr;
}

static void setup_elements(unsigned int keys)
{
	prandom_seed_state(&numbers, keys);
	memset(elements, 0, sizeof(elements));
	for (int i = 0; i < MOST; i++)
		elements[i].key = (int)(prandom_u32_state(&numbers) % keys);
}

static void trees_stay_balanced_and_ordered(void **state)
{
	struct rb_root root = RB_ROOT;

	(void)state;
	setup_elements(100);
	check_tree(&root, 0);
	assert_null(rb_first(&root));
	/* In, out and replaced, in any order, often enough that each case of balancing comes up. */
	for (int turn = 0; turn < 4000; turn++) {
		struct element *element = &elements[prandom_u32_state(&numbers) % MOST], other;

		if (!element->inside) {
			rb_add(&element->node, &root, less);
		} else if (turn % 8 == 0) {
			other = *element;
			rb_replace_node(&element->node, &other.node, &root);
			rb_replace_node(&other.node, &element->node, &root);
			element->inside = false; /* in spite of it: it is toggled below */
		} else {
			rb_erase(&element->node, &root);
		}
		element->inside = !element->inside;
		if (turn % 16 == 0)
			check_tree(&root, nr_inside());
	}
	for (int i = 0; i < MOST; i++) {
		if (!elements[i].inside)
			continue;
		rb_erase(&elements[i].node, &root);
		elements[i].inside = false;
		check_tree(&root, nr_inside());
	}
	assert_true(RB_EMPTY_ROOT(&root));
}

static void keys_are_found(void **state)
{
	struct rb_root root = RB_ROOT;
	struct rb_node *node;
	int key, found, there;

	(void)state;
	setup_elements(60);
	for (int i = 0; i < MOST; i++)
		rb_add(&elements[i].node, &root, less);
	for (key = -1; key <= 60; key++) {
		for (int i = there = 0; i < MOST; i++)
			there += elements[i].key == key;
		found = 0;
		rb_for_each(node, &key, &root, compare_key)
		{
			assert_int_equal(element_of(node)->key, key);
			found++;
		}
		assert_int_equal(found, there);
		assert_int_equal(rb_find(&key, &root, compare_key) != NULL, there > 0);
	}
	root = RB_ROOT;
	for (int i = 0; i < MOST; i++) {
		node = rb_find_add(&elements[i].node, &root, compare);
		elements[i].inside = !node;
		assert_int_equal(node ? element_of(node)->key : elements[i].key, elements[i].key);
	}
	check_tree(&root, nr_inside());
	RB_CLEAR_NODE(&elements[0].node);
	assert_true(RB_EMPTY_NODE(&elements[0].node));
	assert_null(rb_next(&elements[0].node));
}

static void the_first_is_known(void **state)
{
	struct rb_root_cached root = RB_ROOT_CACHED;

	(void)state;
	setup_elements(1000);
	for (int i = 0; i < MOST; i++) {
		bool first = rb_add_cached(&elements[i].node, &root, less) != NULL;

		assert_int_equal(first, rb_first(&root.rb_root) == &elements[i].node);
		assert_ptr_equal(rb_first_cached(&root), rb_first(&root.rb_root));
	}
	for (int i = 0; i < MOST; i++) {
		rb_erase_cached(&elements[i].node, &root);
		assert_ptr_equal(rb_first_cached(&root), rb_first(&root.rb_root));
	}
}

static void children_come_before_their_parents(void **state)
{
	struct rb_root root = RB_ROOT;
	struct element *element, *next, *all = calloc(MOST, sizeof(*all));
	int seen = 0;

	(void)state;
	for (int i = 0; i < MOST; i++) {
		all[i].key = i * 7 % MOST;
		rb_add(&all[i].node, &root, less);
	}
	rbtree_postorder_for_each_entry_safe(element, next, &root, node)
	{
		assert_true(!element->node.rb_left || element_of(element->node.rb_left)->inside);
		assert_true(!element->node.rb_right || element_of(element->node.rb_right)->inside);
		element->inside = true;
		seen++;
	}
	assert_int_equal(seen, MOST);
	free(all);
}

static DEFINE_HASHTABLE(table, 5);

static int count_of(int key)
{
	struct element *element;
	int nr = 0;

	hash_for_each_possible(table, element, link, key) nr += element->key == key;
	return nr;
}

static void tables_have_what_was_entered(void **state)
{
	struct element *element;
	struct hlist_node *next;
	int bucket, seen = 0, filled = 0;

	(void)state;
	setup_elements(50);
	assert_int_equal(HASH_SIZE(table), 32);
	assert_int_equal(HASH_BITS(table), 5);
	hash_init(table);
	assert_true(hash_empty(table));
	for (int i = 0; i < MOST; i++)
		hash_add(table, &elements[i].link, elements[i].key);
	for (int key = 0; key <= 50; key++) {
		int there = 0;

		for (int i = 0; i < MOST; i++)
			there += elements[i].key == key;
		assert_int_equal(count_of(key), there);
	}
	for (int i = 0; i < 32; i++)
		filled += !hlist_empty(&table[i]);
	assert_true(filled > 16); /* 50 keys are spread */
	hash_for_each(table, bucket, element, link) seen++;
	assert_int_equal(seen, MOST);
	hash_for_each_safe(table, bucket, next, element, link)
	{
		if (element->key % 2)
			hash_del(&element->link);
	}
	for (int i = 0; i < MOST; i++)
		assert_int_equal(hash_hashed(&elements[i].link), elements[i].key % 2 == 0);
	assert_false(hash_empty(table));
	assert_int_equal(count_of(1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_stay_balanced_and_ordered),
		cmocka_unit_test(keys_are_found),
		cmocka_unit_test(the_first_is_known),
		cmocka_unit_test(children_come_before_their_parents),
		cmocka_unit_test(tables_have_what_was_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
