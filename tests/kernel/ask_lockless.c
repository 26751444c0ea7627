// SPDX-License-Identifier: MIT
/*
 * ask_lockless.c: what do maps of bits, lists without locks, references and the other forms of atomic operations return?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/spinlock.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static DECLARE_BITMAP(map, 100);
static DECLARE_BITMAP(other, 100);
static DECLARE_BITMAP(to, 100);

static void ask_maps(void)
{
	u32 words[4];

	bitmap_set(map, 60, 10);
	ask(map[0] == 0xf000000000000000UL);
	ask(map[1]);
	ask(bitmap_weight(map, 100));
	ask(bitmap_weight(map, 65));
	bitmap_clear(map, 62, 4);
	ask(bitmap_weight(map, 100));
	ask(bitmap_empty(map, 60));
	ask(bitmap_full(map, 60));
	bitmap_set(other, 61, 3);
	ask(bitmap_and(to, map, other, 100));
	ask(find_first_bit(to, 100));
	ask(bitmap_andnot(to, other, map, 100));
	ask(find_first_bit(to, 100));
	ask(bitmap_subset(to, other, 100));
	ask(bitmap_subset(other, to, 100));
	ask(bitmap_intersects(map, to, 100));
	ask(bitmap_equal(map, map, 100));
	ask(find_next_and_bit(map, other, 100, 0));
	ask(find_nth_bit(map, 100, 2));
	ask(find_nth_bit(map, 100, 20));
	ask(find_last_bit(map, 100));
	ask(bitmap_find_next_zero_area(map, 100, 58, 4, 0));
	ask(bitmap_find_next_zero_area(map, 100, 58, 4, 7));
	ask(bitmap_find_next_zero_area(map, 100, 58, 40, 0) > 100);
	bitmap_shift_left(to, map, 10, 100);
	ask(find_first_bit(to, 100));
	bitmap_shift_right(to, map, 60, 100);
	ask(to[0]);
	bitmap_to_arr32(words, map, 100);
	ask(words[1]);
	bitmap_zero(map, 100);
	ask(bitmap_allocate_region(map, 4, 2));
	ask(bitmap_allocate_region(map, 4, 0));
	ask(bitmap_find_free_region(map, 100, 2));
	ask(bitmap_find_free_region(map, 100, 2));
	ask(bitmap_find_free_region(map, 100, 6));
	bitmap_release_region(map, 4, 2);
	ask(bitmap_find_free_region(map, 100, 1));
	ask(bitmap_weight(map, 100));
}

static void ask_bits(void)
{
	unsigned long bits[2] = {6, 0};
	u32 word = 0xff;

	ask(__test_and_change_bit(1, bits));
	ask(bits[0]);
	ask(__test_and_change_bit(65, bits));
	ask(bits[1]);
	ask(set_mask_bits(&word, 0xf0, 0x30));
	ask(word);
	ask(sign_extend32(0x80, 7));
	ask(sign_extend32(0x17f, 7));
	ask(sign_extend64(1ULL << 40, 40));
	ask(get_count_order(0));
	ask(get_count_order(1));
	ask(get_count_order(9));
	ask(get_count_order_long(1UL << 40));
	ask(__ffs64(1ULL << 40));
}

struct element {
	int number;
	struct llist_node node;
};

static void ask_lists(void)
{
	LLIST_HEAD(list);
	struct element three[3] = {{.number = 1}, {.number = 2}, {.number = 3}}, *element, *next;
	struct llist_node *taken;

	ask(llist_empty(&list));
	ask(llist_del_all(&list) == NULL);
	ask(llist_del_first(&list) == NULL);
	ask(llist_add(&three[0].node, &list));
	three[2].node.next = &three[1].node;
	ask(llist_add_batch(&three[2].node, &three[1].node, &list));
	ask(llist_empty(&list));
	taken = llist_del_all(&list);
	llist_for_each_entry(element, taken, node) ask(element->number);
	taken = llist_reverse_order(taken);
	llist_for_each_entry_safe(element, next, taken, node) ask(element->number);
	ask(llist_add(&three[1].node, &list));
	ask(llist_add(&three[2].node, &list));
	ask(llist_entry(llist_del_first(&list), struct element, node)->number);
	ask(llist_entry(llist_del_first(&list), struct element, node)->number);
	ask(llist_empty(&list));
}

static void released(struct kref *kref)
{
	pr_info("released, with %u references\n", kref_read(kref));
}

static DEFINE_SPINLOCK(lock);

static void released_locked(struct kref *kref)
{
	pr_info("released, locked %d\n", spin_is_locked(&lock));
	spin_unlock(&lock);
}

static void ask_references(void)
{
	refcount_t count = REFCOUNT_INIT(2);
	struct kref kref = KREF_INIT(3);
	unsigned long flags;

	ask(kref_read(&kref));
	ask(kref_put(&kref, released));
	kref_init(&kref);
	kref_get(&kref);
	ask(kref_read(&kref));
	ask(kref_put(&kref, released));
	ask(kref_get_unless_zero(&kref));
	ask(kref_put(&kref, released));
	ask(kref_put(&kref, released));
	ask(kref_get_unless_zero(&kref));
	kref_init(&kref);
	ask(kref_put_lock(&kref, released_locked, &lock));
	ask(refcount_dec_and_lock_irqsave(&count, &lock, &flags));
	ask(refcount_dec_and_lock_irqsave(&count, &lock, &flags));
	ask(irqs_disabled());
	spin_unlock_irqrestore(&lock, flags);
	ask(irqs_disabled());
}

static void ask_atomics(void)
{
	atomic_t v = ATOMIC_INIT(5);
	atomic64_t w = ATOMIC64_INIT(5);
	int old = 7;
	u8 byte = 1;
	u64 whole = 4;

	ask(atomic_fetch_inc_acquire(&v));
	ask(atomic_dec_return_relaxed(&v));
	ask(atomic_fetch_andnot_release(1, &v));
	ask(atomic_cmpxchg_acquire(&v, 4, 8));
	ask(atomic_try_cmpxchg_release(&v, &old, 9));
	ask(old);
	ask(atomic_xchg_relaxed(&v, -1));
	ask(atomic_inc_unless_negative(&v));
	ask(atomic_dec_unless_positive(&v));
	ask(atomic_fetch_add_unless(&v, 5, -2));
	ask(atomic_cond_read_acquire(&v, VAL < 0));
	ask(atomic64_fetch_dec_relaxed(&w));
	ask(atomic64_inc_return_release(&w));
	ask(atomic64_dec_if_positive(&w));
	ask(xchg(&byte, 255));
	ask(cmpxchg(&byte, 1, 2));
	ask(byte);
	ask(cmpxchg64(&whole, 4, 6));
	ask(cmpxchg_release(&whole, 4, 7));
	ask(smp_load_acquire(&whole));
}

static int __init ask_init(void)
{
	ask_maps();
	ask_bits();
	ask_lists();
	ask_references();
	ask_atomics();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about maps of bits, lists without locks and references");
