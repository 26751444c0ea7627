// SPDX-License-Identifier: MIT
/*
 * ask_structures.c: what do trees, tables, counts of references and bits as locks say of themselves?
 *
 * Keep: (percpu_ref_kill_and_confirm called more than once!)
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/bit_spinlock.h>
#include <linux/completion.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu-refcount.h>
#include <linux/preempt.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/seqlock.h>
#include <linux/version.h>

/* As in ask_arithmetic.c. */
#define ask(expression) pr_info("%s: %lld\n", #expression, (long long)(expression))

struct element {
	int key, nr;
	struct rb_node node;
	struct hlist_node link;
};

static struct element elements[8];

static bool less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct element, node)->key < rb_entry(b, struct element, node)->key;
}

static int compare(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct element, node)->key - rb_entry(b, struct element, node)->key;
}

static int compare_key(const void *key, const struct rb_node *node)
{
	return *(const int *)key - rb_entry(node, struct element, node)->key;
}

static void say_tree(const char *what, struct rb_root *root)
{
	struct element *element, *next;
	struct rb_node *node;

	pr_info("%s:", what);
	for (node = rb_first(root); node; node = rb_next(node)) {
		element = rb_entry(node, struct element, node);
		pr_cont(" %d/%d", element->key, element->nr);
	}
	pr_cont(", root %d", rb_entry(root->rb_node, struct element, node)->key);
	pr_cont(", from below");
	rbtree_postorder_for_each_entry_safe(element, next, root, node) pr_cont(" %d", element->nr);
	pr_cont("\n");
}

static void ask_trees(void)
{
	static const int keys[] = {5, 3, 5, 8, 1, 3, 9, 5};
	struct rb_root root = RB_ROOT;
	struct rb_root_cached cached = RB_ROOT_CACHED;
	struct rb_node *node;
	int key = 5;

	ask(RB_EMPTY_ROOT(&root));
	ask(rb_first(&root) == NULL);
	for (int i = 0; i < 8; i++) {
		elements[i].key = keys[i];
		elements[i].nr = i;
		rb_add(&elements[i].node, &root, less);
	}
	say_tree("added", &root);
	rb_for_each(node, &key, &root, compare_key) pr_info("match %d\n", rb_entry(node, struct element, node)->nr);
	key = 4;
	ask(rb_find(&key, &root, compare_key) == NULL);
	ask(rb_find_first(&key, &root, compare_key) == NULL);
	rb_erase(&elements[3].node, &root);
	rb_erase(&elements[0].node, &root);
	say_tree("erased", &root);
	ask(rb_entry(rb_find_add(&elements[0].node, &root, compare), struct element, node)->key);
	ask(rb_find_add(&elements[3].node, &root, compare) == NULL);
	rb_replace_node(&elements[3].node, &elements[0].node, &root);
	elements[0].key = 8;
	say_tree("replaced", &root);
	RB_CLEAR_NODE(&elements[3].node);
	ask(RB_EMPTY_NODE(&elements[3].node));
	ask(RB_EMPTY_NODE(&elements[0].node));
	ask(rb_next(&elements[3].node) == NULL);
	for (int i = 0; i < 4; i++) {
		node = rb_add_cached(&elements[i].node, &cached, less);
		pr_info("first %d, is %d\n", node != NULL,
			rb_entry(rb_first_cached(&cached), struct element, node)->nr);
	}
	node = rb_erase_cached(&elements[1].node, &cached);
	pr_info("first is %d\n", rb_entry(node, struct element, node)->nr);
	ask(rb_erase_cached(&elements[3].node, &cached) == NULL);
}

static DEFINE_HASHTABLE(table, 4);

static void ask_tables(void)
{
	struct element *element;
	struct hlist_node *next;
	int bucket;

	ask(hash_32(1, 8));
	ask(hash_32(0xdeadbeef, 32));
	ask(hash_64(1, 8));
	ask(hash_64(0x123456789abcdefULL, 32));
	ask(hash_long(77, 10));
	ask(hash_ptr((void *)0x1000, 12));
	ask(hash32_ptr((void *)0x123456789abcdefUL));
	ask(hash_min((u8)200, 4));
	ask(hash_min(200ULL, 4));
	ask(HASH_SIZE(table));
	ask(HASH_BITS(table));
	ask(hash_empty(table));
	for (int i = 0; i < 8; i++)
		hash_add(table, &elements[i].link, elements[i].key);
	ask(hash_empty(table));
	hash_for_each(table, bucket, element, link) pr_info("in %d: %d/%d\n", bucket, element->key, element->nr);
	hash_for_each_possible(table, element, link, 5) pr_info("possible %d/%d\n", element->key, element->nr);
	hash_for_each_safe(table, bucket, next, element, link) hash_del(&element->link);
	ask(hash_hashed(&elements[0].link));
	ask(hash_empty(table));
}

static struct percpu_ref ref;
static DECLARE_COMPLETION(confirmed);

static void on_release(struct percpu_ref *which)
{
	pr_info("released, dying %d\n", percpu_ref_is_dying(which)); /* no more: Linux may hold its lock here */
}

static void on_confirm(struct percpu_ref *which)
{
	pr_info("confirmed, dying %d\n", percpu_ref_is_dying(which));
	complete(&confirmed);
}

static void ask_counts(void)
{
	ask(percpu_ref_init(&ref, on_release, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL));
	ask(percpu_ref_is_zero(&ref));
	percpu_ref_get_many(&ref, 3);
	percpu_ref_put(&ref);
	ask(percpu_ref_tryget_live(&ref));
	percpu_ref_put(&ref);
	percpu_ref_kill_and_confirm(&ref, on_confirm);
	ask(percpu_ref_is_dying(&ref));
	wait_for_completion(&confirmed);
	rcu_barrier();
	ask(percpu_ref_tryget_live(&ref));
	ask(percpu_ref_tryget(&ref));
	percpu_ref_put_many(&ref, 2);
	percpu_ref_put(&ref);
	ask(percpu_ref_is_zero(&ref));
	ask(percpu_ref_tryget(&ref));
	percpu_ref_reinit(&ref);
	ask(percpu_ref_is_dying(&ref));
	ask(percpu_ref_is_zero(&ref));
	percpu_ref_switch_to_atomic_sync(&ref);
	percpu_ref_get(&ref);
	percpu_ref_switch_to_percpu(&ref);
	percpu_ref_put(&ref);
	percpu_ref_switch_to_atomic(&ref, on_confirm);
	wait_for_completion(&confirmed);
	rcu_barrier();
	percpu_ref_switch_to_atomic(&ref, on_confirm);
	wait_for_completion(&confirmed);
	percpu_ref_get(&ref);
	percpu_ref_kill_and_confirm(&ref, on_confirm);
	wait_for_completion(&confirmed);
	percpu_ref_resurrect(&ref);
	percpu_ref_put(&ref);
	ask(percpu_ref_tryget_live(&ref));
	percpu_ref_put(&ref);
	percpu_ref_kill(&ref);
	percpu_ref_exit(&ref);
	ask(percpu_ref_init(&ref, on_release, PERCPU_REF_INIT_DEAD, GFP_KERNEL));
	ask(percpu_ref_is_zero(&ref));
	ask(percpu_ref_is_dying(&ref));
	ask(percpu_ref_tryget_live(&ref));
	percpu_ref_exit(&ref);
}

static void ask_locks(void)
{
	seqcount_latch_t latch = SEQCNT_LATCH_ZERO(latch);
	unsigned long word = 0x10;
	unsigned int sequence = raw_read_seqcount_latch(&latch);

	ask(bit_spin_trylock(3, &word));
	ask(word);
	ask(bit_spin_trylock(3, &word));
	ask(bit_spin_is_locked(3, &word));
	bit_spin_unlock(3, &word);
	bit_spin_lock(0, &word);
	ask(word);
	__bit_spin_unlock(0, &word);
	ask(word);
	ask(sequence);
	ask(read_seqcount_latch_retry(&latch, sequence));
	raw_write_seqcount_latch(&latch);
	ask(read_seqcount_latch_retry(&latch, sequence));
	ask(raw_read_seqcount_latch(&latch));
	ask(read_seqcount_latch_retry(&latch, 1));
}

static void ask_build(void)
{
	ask(KERNEL_VERSION(6, 1, 0));
	ask(KERNEL_VERSION(6, 1, 300));
	ask(LINUX_VERSION_CODE >> 8);
	ask(IS_ENABLED(CONFIG_SMP));
	ask(IS_ENABLED(CONFIG_NO_SUCH_OPTION));
	ask(IS_BUILTIN(CONFIG_64BIT));
	ask(IS_MODULE(CONFIG_64BIT));
	ask(IS_REACHABLE(CONFIG_MMU));
}

static int __init ask_init(void)
{
	ask_trees();
	ask_tables();
	ask_counts();
	ask_locks();
	ask_build();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("GPL"); /* some of what is asked is exported to such only */
MODULE_DESCRIPTION("Asks about trees, tables and counts");
