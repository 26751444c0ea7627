/*
 * deferred.c: kfree_rcu(): a magazine of each CPU fills with objects of all sizes; a full one waits for a grace period as a whole.
 *
 * The magazine is of a slot of its own (SLOT_DEFERRED), so that putting an object there is what kfree() does, whatever the mode: one
 * store in a section that the kernel restarts. Full ones go onto a stack; the room's thread sets all of it aside for one period.
 * Afterwards they are ready: whoever needs an empty magazine takes one, and frees what is in it on the CPU that it is on, so that who
 * produces also clears away, and the thread does the rest.
 */
#include <linux/slab.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/rcu/internal.h"
#include "runtime/slab/slab.h"

#define CAPACITY MAGAZINE_MAX_CAPACITY
#define MOST_EMPTY 16 /* magazines kept for the next ones */
#define HURRY_AT 128 /* magazines that wait: more, and periods follow each other without a pause */
#define COUNT_WORD 2 /* of a magazine, below its floor: how many objects it has */

static_assert(COUNT_WORD < MAGAZINE_WORDS - 1 - CAPACITY &&
		      COUNT_WORD * sizeof(void *) >= offsetof(struct magazine, capacity) + 8,
	"a word of its own");

/* Magazines, linked by next. Synchronization: atomic */
static void *waiting; /* for a period that has not begun */
static uint32_t nr_waiting; /* >= length(waiting), but for a moment */
static struct magazine *set_aside; /* for the one that runs. Synchronization: at_work of period.c */

/* Heads of objects that there was no magazine for; func is how far the head is from the object's beginning. As the above. */
static void *waiting_heads;
static struct rcu_head *heads_set_aside;
static struct rcu_head *ready_heads; /* Synchronization: atomic; made longer by the room's thread only */

/* Ready: may be freed. Empty: nothing in them. Synchronization: taken, which is only tried: who does not get it does without. */
static struct {
	uint32_t taken; /* Synchronization: atomic */
	uint32_t nr_ready; /* a hint without */
	uint32_t nr_empty;
	struct magazine *ready, *empty;
} cache_aligned shelf;

/* CPUs may have magazines that are not full. Synchronization: atomic */
static uint32_t armed;

/* ---- the shelf ---- */

static bool shelf_try(void)
{
	return !__atomic_exchange_n(&shelf.taken, 1, __ATOMIC_ACQUIRE);
}

static void shelf_done(void)
{
	__atomic_store_n(&shelf.taken, 0, __ATOMIC_RELEASE);
}

static struct magazine *__pop(struct magazine **list, uint32_t *nr)
{
	struct magazine *magazine = *list;

	if (magazine) {
		*list = magazine->next;
		__atomic_store_n(nr, *nr - 1, __ATOMIC_RELAXED);
	}
	return magazine;
}

static void __push(struct magazine **list, uint32_t *nr, struct magazine *magazine)
{
	magazine->next = *list;
	*list = magazine;
	__atomic_store_n(nr, *nr + 1, __ATOMIC_RELAXED);
}

/* One whose objects may be freed, or none. */
static struct magazine *take_ready(void)
{
	struct magazine *magazine;

	if (!__atomic_load_n(&shelf.nr_ready, __ATOMIC_RELAXED) || !shelf_try())
		return NULL;
	magazine = __pop(&shelf.ready, &shelf.nr_ready);
	shelf_done();
	return magazine;
}

static void free_objects(struct magazine *magazine)
{
	kfree_bulk((size_t)magazine->word[COUNT_WORD], magazine_objects(magazine));
}

static struct magazine *new_magazine(void)
{
	host_sigmask_t mask = host_signals_block();
	struct magazine *magazine = magazine_get(CAPACITY);

	host_signals_restore(mask);
	return magazine;
}

/* An empty one; NULL when memory is out. */
static struct magazine *take_empty(void)
{
	struct magazine *magazine = take_ready();

	if (magazine) {
		free_objects(magazine);
		return magazine;
	}
	if (__atomic_load_n(&shelf.nr_empty, __ATOMIC_RELAXED) && shelf_try()) {
		magazine = __pop(&shelf.empty, &shelf.nr_empty);
		shelf_done();
	}
	return magazine ? magazine : new_magazine();
}

static void put_empty(struct magazine *magazine)
{
	host_sigmask_t mask;

	if (shelf_try()) {
		if (shelf.nr_empty < MOST_EMPTY) {
			__push(&shelf.empty, &shelf.nr_empty, magazine);
			magazine = NULL;
		}
		shelf_done();
	}
	if (!magazine)
		return;
	mask = host_signals_block();
	magazine_put(magazine);
	host_signals_restore(mask);
}

/* ---- objects come ---- */

/* A magazine that no CPU has any more, as far as it is filled. */
static void wait_for_period(magazine_top top)
{
	struct magazine *magazine = magazine_of(top);
	uint32_t nr;
	bool first;

	magazine->word[COUNT_WORD] = (void *)(uintptr_t)magazine_count(top, CAPACITY);
	nr = __atomic_add_fetch(&nr_waiting, 1, __ATOMIC_RELAXED);
	first = stack_push(&waiting, magazine, (void **)&magazine->next);
	if (first || nr == HURRY_AT)
		period_want(nr >= HURRY_AT);
}

/* What a drain takes off a CPU. */
static void sink(struct magazine_pair pair)
{
	if (pair.top)
		wait_for_period(pair.top);
	if (pair.spare)
		wait_for_period(pair.spare);
}

/* Gives this CPU an empty magazine, if its pair is still as seen. False: memory is out. */
static bool replace(const struct area_view *view)
{
	struct magazine *magazine = take_empty();

	if (!magazine)
		return false;
	if (!area_install(SLOT_DEFERRED, view, (struct magazine_pair){magazine_top_at(magazine, CAPACITY, 0), 0})) {
		put_empty(magazine);
		return true;
	}
	if (!__atomic_load_n(&armed, __ATOMIC_RELAXED)) {
		__atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
		period_thread_call();
	}
	if (view->pair.top)
		wait_for_period(view->pair.top);
	return true;
}

/* The object's own memory is what it waits with; without a head, it is waited for. */
static void do_without(struct rcu_head *head, void *object)
{
	if (head) {
		head->func = (rcu_callback_t)((uintptr_t)head - (uintptr_t)object);
		if (stack_push(&waiting_heads, head, (void **)&head->next))
			period_want(true);
		return;
	}
	synchronize_rcu();
	kfree(object);
}

static noinline void defer_slow(struct rcu_head *head, void *object)
{
	struct area_view view;

	if (slab_boot() && period_thread_start()) {
		slab_set_deferred(sink);
		while (area_snapshot(SLOT_DEFERRED, &view)) {
			if (area_push(SLOT_DEFERRED, object))
				return;
			if (!replace(&view))
				break;
		}
	}
	do_without(head, object);
}

EXPORT void kvfree_call_rcu(struct rcu_head *head, void *object)
{
	if (unlikely(!magazine_push(2ul * SLOT_DEFERRED, object)))
		defer_slow(head, object);
}

/* ---- objects go: on the room's thread ---- */

bool deferred_is_armed(void)
{
	return __atomic_load_n(&armed, __ATOMIC_SEQ_CST);
}

void deferred_drain(void)
{
	/* First: a CPU that gets a magazine after it was looked at arms again. */
	__atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
	area_drain(SLOT_DEFERRED, SLOT_DEFERRED + 1, slab_deferred_sink);
}

static void append(struct magazine *list)
{
	struct magazine **link = &set_aside;

	while (*link)
		link = &(*link)->next;
	*link = list;
}

void deferred_take(void)
{
	append(stack_take(&waiting));
	heads_append(&heads_set_aside, stack_take(&waiting_heads));
}

void deferred_make_ready(void)
{
	uint32_t nr = 0;

	heads_make_ready(&ready_heads, &heads_set_aside);
	if (!set_aside)
		return;
	while (!shelf_try())
		host_yield();
	while (set_aside) {
		struct magazine *next = set_aside->next;

		__push(&shelf.ready, &shelf.nr_ready, set_aside);
		set_aside = next;
		nr++;
	}
	shelf_done();
	__atomic_fetch_sub(&nr_waiting, nr, __ATOMIC_RELAXED);
}

static void free_heads(void)
{
	struct rcu_head *next;

	for (struct rcu_head *head = heads_take_ready(&ready_heads); head; head = next) {
		next = head->next;
		kfree((char *)head - (uintptr_t)head->func);
	}
}

void deferred_free(void)
{
	struct magazine *magazine;

	free_heads();
	while (__atomic_load_n(&shelf.nr_ready, __ATOMIC_RELAXED)) {
		magazine = take_ready();
		if (!magazine)
			continue; /* somebody has the shelf, for an instant */
		free_objects(magazine);
		put_empty(magazine);
	}
}

EXPORT void kvfree_rcu_barrier(void)
{
	if (period_refuse_reader("kvfree_rcu_barrier"))
		return;
	if (!period_thread_start())
		return;
	if (slab_boot())
		deferred_drain();
	period_wait_served(period_want(true));
}

/* ---- fork ---- */

void deferred_fork_child(void)
{
	shelf.taken = 0;
	if (set_aside || heads_set_aside || waiting || waiting_heads || ready_heads || shelf.nr_ready)
		period_want(true);
}

/* The magazines' memory is the machine's. */
void deferred_reset(void)
{
	waiting = waiting_heads = NULL;
	set_aside = NULL;
	heads_set_aside = ready_heads = NULL;
	nr_waiting = armed = 0;
	memset(&shelf, 0, sizeof(shelf));
}
