/*
 * test_list_lru.c: lists of objects by the node of their memory.
 *
 * Broken if this fails: an item is on the wrong node's list or on two, or a walk misses items, meets one twice, or counts wrongly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/pressure_machine.h"

#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/slab.h>

#define NR_ITEMS 20

struct item {
	struct list_head list;
	int number;
	unsigned int seen;
	enum lru_status answer;
};

static struct list_lru lru;
static struct item *items[2][NR_ITEMS]; /* by node */
static struct list_head away;

static int boot(void **state)
{
	struct page_machine machine = {.nr_nodes = 2, .node_bytes = {8ul << 20, 8ul << 20}};
	const struct pressure_config config = {.oom = OOM_FAIL};

	(void)state;
	if (pressure_machine_boot_config(2, &machine, &config) || list_lru_init(&lru))
		return -1;
	list_init(&away);
	for (int node = 0; node < 2; node++) {
		for (int i = 0; i < NR_ITEMS; i++) {
			items[node][i] =
				(struct item *)page_address(alloc_pages_node(node, GFP_KERNEL | __GFP_THISNODE, 0));
			*items[node][i] = (struct item){.number = i, .answer = LRU_SKIP};
			list_init(&items[node][i]->list);
		}
	}
	return 0;
}

static int shut_down(void **state)
{
	(void)state;
	list_lru_destroy(&lru);
	for (int node = 0; node < 2; node++)
		for (int i = 0; i < NR_ITEMS; i++)
			free_page((unsigned long)items[node][i]);
	return pressure_machine_shutdown();
}

static enum lru_status look(struct list_head *head, struct list_lru_one *list, spinlock_t *lock, void *arg)
{
	struct item *item = container_of(head, struct item, list);
	enum lru_status answer = item->answer;

	item->seen++;
	if (arg)
		assert_int_equal(item->number, (*(int *)arg)++);
	if (answer == LRU_REMOVED)
		list_lru_isolate(list, head);
	if (answer == LRU_REMOVED_RETRY) {
		list_lru_isolate_move(list, head, &away);
		spin_unlock(lock);
		spin_lock(lock);
	}
	if (answer == LRU_RETRY)
		item->answer = LRU_SKIP;
	return answer;
}

static void add_all(void)
{
	for (int node = 0; node < 2; node++) {
		for (int i = 0; i < NR_ITEMS; i++) {
			assert_true(list_lru_add(&lru, &items[node][i]->list));
			assert_false(list_lru_add_obj(&lru, &items[node][i]->list));
		}
	}
}

static void items_are_listed_by_node(void **state)
{
	struct shrink_control sc = {.nid = 1, .nr_to_scan = 5};
	unsigned long nr = 100;
	int next = 0;

	(void)state;
	add_all();
	assert_int_equal(list_lru_count(&lru), 2 * NR_ITEMS);
	assert_int_equal(list_lru_count_node(&lru, 0), NR_ITEMS);
	assert_int_equal(list_lru_shrink_count(&lru, &sc), NR_ITEMS);
	assert_int_equal(list_lru_walk_node(&lru, 0, look, &next, &nr), 0);
	assert_int_equal(nr, 100 - NR_ITEMS);
	for (int i = 0; i < NR_ITEMS; i++) {
		assert_int_equal(items[0][i]->seen, 1);
		assert_int_equal(items[1][i]->seen, 0);
	}
	/* As a shrinker does it: of its node, so many. */
	for (int i = 0; i < NR_ITEMS; i++)
		items[1][i]->answer = LRU_REMOVED;
	assert_int_equal(list_lru_shrink_walk(&lru, &sc, look, NULL), 5);
	assert_int_equal(sc.nr_to_scan, 0);
	assert_int_equal(list_lru_count(&lru), 2 * NR_ITEMS - 5);
	assert_false(list_lru_del(&lru, &items[1][4]->list));
	assert_true(list_lru_del_obj(&lru, &items[1][5]->list));
	assert_int_equal(list_lru_walk(&lru, look, NULL, 1000), NR_ITEMS - 6);
	assert_int_equal(list_lru_count(&lru), NR_ITEMS);
	for (int i = 0; i < NR_ITEMS; i++)
		assert_true(list_lru_del(&lru, &items[0][i]->list));
}

static void walks_do_what_each_item_says(void **state)
{
	unsigned long nr = 100;
	int next = 1;

	(void)state;
	add_all();
	items[0][0]->answer = LRU_ROTATE;
	assert_int_equal(list_lru_walk_node(&lru, 0, look, NULL, &nr), 0);
	assert_int_equal(items[0][0]->seen, 1);
	/* It is the youngest now. */
	items[0][0]->answer = LRU_SKIP;
	nr = NR_ITEMS - 1;
	list_lru_walk_node(&lru, 0, look, &next, &nr);
	assert_int_equal(items[0][0]->seen, 1);
	/* The last but it: the walk begins anew, and goes on to the end. */
	items[0][NR_ITEMS - 1]->answer = LRU_RETRY;
	nr = 100;
	list_lru_walk_node(&lru, 0, look, NULL, &nr);
	assert_int_equal(items[0][0]->seen, 2);
	assert_int_equal(nr, 100 - 2 * NR_ITEMS + 1);
	for (int i = 0; i < NR_ITEMS; i++)
		items[0][i]->answer = LRU_REMOVED_RETRY;
	nr = 100;
	assert_int_equal(list_lru_walk_node(&lru, 0, look, NULL, &nr), NR_ITEMS);
	assert_int_equal(list_lru_count(&lru), NR_ITEMS);
	for (int i = 0; i < NR_ITEMS; i++)
		assert_true(list_lru_del(&lru, &items[1][i]->list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(items_are_listed_by_node, boot, shut_down),
		cmocka_unit_test_setup_teardown(walks_do_what_each_item_says, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
