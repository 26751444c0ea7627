/*
 * due.c: a pairing heap of deadlines. Counts what is in heaps for freed.c.
 *
 * Of each: child is the first of those that are later; next is its sibling; prev its sibling before it, or, of a first
 * child, its parent; NULL of the root. No child is before its parent.
 */
#include "runtime/irq/due.h"

#include "runtime/irq/freed.h"

/* Two roots become one. Of equals the older one, a, stays in front. */
static struct flagstone_due *meld(struct flagstone_due *a, struct flagstone_due *b)
{
	struct flagstone_due *low = a, *high = b;

	if (!a || !b)
		return a ? a : b;
	if (due_before(b->when, a->when)) {
		low = b;
		high = a;
	}
	high->prev = low;
	high->next = low->child;
	if (low->child)
		low->child->prev = high;
	low->child = high;
	return low;
}

/* Siblings become one root: pairwise from the left, then all pairs from the right. */
static struct flagstone_due *meld_siblings(struct flagstone_due *first)
{
	struct flagstone_due *pairs = NULL, *root = NULL;

	while (first) {
		struct flagstone_due *a = first, *b = a->next;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct flagstone_due *next = pairs->next;

		pairs->next = NULL;
		root = meld(pairs, root);
		pairs = next;
	}
	return root;
}

void due_insert(struct flagstone_due **heap, struct flagstone_due *due, uint64_t when)
{
	due->child = due->next = due->prev = NULL;
	due->when = when;
	freed_watch(due);
	__atomic_store_n(&due->queued, 1, __ATOMIC_RELAXED);
	*heap = meld(*heap, due);
}

static void cut(struct flagstone_due *due)
{
	if (due->prev->child == due)
		due->prev->child = due->next;
	else
		due->prev->next = due->next;
	if (due->next)
		due->next->prev = due->prev;
}

void due_remove(struct flagstone_due **heap, struct flagstone_due *due)
{
	struct flagstone_due *below = meld_siblings(due->child);

	if (*heap == due) {
		*heap = below;
	} else {
		cut(due);
		*heap = meld(*heap, below);
	}
	due->child = due->next = due->prev = NULL;
	freed_unwatch(due);
	__atomic_store_n(&due->queued, 0, __ATOMIC_RELAXED);
}

/* In the order parent, children, siblings. */
struct flagstone_due *due_next(const struct flagstone_due *due)
{
	if (due->child)
		return due->child;
	while (due && !due->next) {
		while (due->prev && due->prev->child != due)
			due = due->prev;
		due = due->prev;
	}
	return due ? due->next : NULL;
}

struct flagstone_due *due_find(struct flagstone_due *heap, const void *from, size_t size)
{
	const struct flagstone_due *due = heap;

	while (due && (size_t)((const char *)due - (const char *)from) >= size)
		due = due_next(due);
	return (struct flagstone_due *)due;
}

long due_check(const struct flagstone_due *heap)
{
	const struct flagstone_due *due = heap;
	long nr = 0;

	while (due) {
		nr++;
		if (!due->queued || (due->child && (due->child->prev != due)) || (due->next && due->next->prev != due))
			return -1;
		for (const struct flagstone_due *child = due->child; child; child = child->next)
			if (due_before(child->when, due->when))
				return -1;
		due = due_next(due);
	}
	return nr;
}
