/*
 * deferred.c: kfree_rcu(): a magazine of each CPU fills with objects of all sizes; a full one waits for a grace period as a whole.
 *
 * The magazine is of a slot of its own (SLOT_DEFERRED), so that putting an object there is what kfree() does, whatever the mode: one
 * store in a section that the kernel restarts. Full ones go onto a stack; the room's thread sets all of it aside for one period.
 * Afterwards they are ready: whoever needs an empty magazine takes one, and frees what is in it on the CPU that it is on, so that who
 * produces also clears away. The thread does the rest: at once what producers would not need soon, the last ones when nobody came for
 * them for a while.
 *
 * Pressure: how many bytes wait is estimated from a few objects of each magazine. With many, periods follow each other without a pause;
 * with more than BOUND_BYTES, who produces in a hosted program is slowed down, magazine by magazine, to what readers let go. Only slowed
 * down: he may hold a lock that a reader needs to get out of its section.
 */
#include <linux/slab.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/rcu/internal.h"
#include "runtime/slab/fast.h"

#define CAPACITY MAGAZINE_MAX_CAPACITY
#define MOST_EMPTY 16 /* magazines kept for the next ones */
#define MOST_LEFT 64 /* ready ones that are left to producers */
#define HURRY_AT 64 /* magazines that wait: more, and periods follow each other without a pause */
#define HURRY_BYTES (4ul << 20) /* as much of objects, and so */
#define BOUND_BYTES (32ul << 20)
#define LEFT_BYTES (1ul << 20) /* of objects that are left to producers */
#define RECLAIM_NS 500000000 /* that memory is waited for, when it is out */
#define SLOW_NS 1000000 /* a look at whether there is less */
#define SLOW_LOOKS 10 /* at most, for each magazine, and for each SLOW_BYTES of a large object */
#define SLOW_BYTES 65536
#define MOST_LOOKS 1000
#define SMALL_SIZE 8192 /* larger objects do not lie in a magazine until it is full */
#define NR_SAMPLES 8 /* objects of a magazine whose sizes stand for all */
#define FILL_WORD 2 /* of a magazine, below its floor: how many objects it has, and their bytes above COUNT_BITS */
#define COUNT_BITS 8
#define BUSY_BITS 32

static_assert(FILL_WORD < MAGAZINE_WORDS - 1 - CAPACITY &&
		      FILL_WORD * sizeof(void *) >= offsetof(struct magazine, capacity) + 8,
	"a word of its own");
static_assert(CAPACITY < 1 << COUNT_BITS, "a count fits");

/* Magazines, linked by next. Synchronization: atomic */
static void *waiting; /* for a period that has not begun */
static uint32_t nr_waiting; /* magazines; >= length(waiting), but for a moment */
static size_t bytes_waiting; /* of their objects, about; until their period has ended */
static size_t bytes_ready; /* from then on until they are free */
static struct magazine *set_aside; /* for the one that runs. Synchronization: at_work of period.c */

/* Heads of objects that there was no magazine for; func is how far the head is from the object's beginning. As the above. */
static void *waiting_heads;
static struct rcu_head *heads_set_aside;
static struct rcu_head *ready_heads; /* Synchronization: atomic; made longer by the room's thread only */

/* Ready: may be freed. Empty: nothing in them. Synchronization: taken, which is only tried: who does not get it does without. Each list is
 * in one piece at any moment, for a fork child, which counts anew. */
static struct {
	uint32_t taken; /* Synchronization: atomic */
	uint32_t nr_ready; /* a hint without */
	uint32_t nr_empty;
	struct magazine *ready, *empty;
} cache_aligned shelf;

/* CPUs may have magazines that are not full. Synchronization: atomic */
static uint32_t armed;
/* Who waits until all is free: while there are any, producers take no ready magazines. Synchronization: atomic */
static uint32_t nr_barriers;
/* Producers that have a magazine in hand, a full one that is nobody's for an instant, or a ready one whose objects they free: how many, and
 * above BUSY_BITS how often they became none. Synchronization: atomic */
static uint64_t busy;

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

static size_t fill_count(const struct magazine *magazine)
{
	return (uintptr_t)magazine->word[FILL_WORD] % (1 << COUNT_BITS);
}

static size_t fill_bytes(const struct magazine *magazine)
{
	return (uintptr_t)magazine->word[FILL_WORD] >> COUNT_BITS;
}

/* From every object's size, or from a few's, which are others in each magazine. */
static void fill_set(struct magazine *magazine, size_t count, bool exact)
{
	size_t step = exact || count < NR_SAMPLES ? 1 : count / NR_SAMPLES, bytes = 0, seen = 0;

	for (size_t i = (uintptr_t)magazine / MAGAZINE_SIZE % step; i < count; i += step, seen++)
		bytes += object_size(magazine_objects(magazine)[i]);
	if (seen)
		bytes = bytes / seen * count;
	magazine->word[FILL_WORD] = (void *)(bytes << COUNT_BITS | count);
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

/* Pairs with kvfree_rcu_barrier(): either that sees this, or this sees what that did before. */
static void busy_begin(void)
{
	__atomic_fetch_add(&busy, 1, __ATOMIC_SEQ_CST);
}

/* Below 0 in the child of a fork in a handler that interrupted one. */
static int32_t nr_busy(uint64_t state)
{
	return (int32_t)(uint32_t)state;
}

/* The last one counts itself in the same step: what another one begins in between would pass for put down. */
static void busy_end(void)
{
	uint64_t seen = __atomic_load_n(&busy, __ATOMIC_RELAXED), next;

	do {
		next = seen - 1;
		if (nr_busy(next) <= 0)
			next += 1ull << BUSY_BITS;
	} while (!__atomic_compare_exchange_n(&busy, &seen, next, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	if (nr_busy(next) <= 0 && __atomic_load_n(&nr_barriers, __ATOMIC_SEQ_CST))
		period_tell();
}

/* Whether all who were busy then have put down what they had. */
static bool has_rested(unsigned long state)
{
	uint64_t now = __atomic_load_n(&busy, __ATOMIC_SEQ_CST);

	return nr_busy(now) <= 0 || now >> BUSY_BITS != state >> BUSY_BITS;
}

static void free_objects(struct magazine *magazine)
{
	kfree_bulk(fill_count(magazine), magazine_objects(magazine));
	/* Only now: whoever looks for memory waits for those who are about to free it. */
	__atomic_fetch_sub(&bytes_ready, fill_bytes(magazine), __ATOMIC_RELAXED);
}

static struct magazine *new_magazine(void)
{
	host_sigmask_t mask = host_signals_block();
	struct magazine *magazine = magazine_get(CAPACITY);

	host_signals_restore(mask);
	return magazine;
}

/* One that was ready, whose objects are free now; or none. Busy. */
static struct magazine *take_and_free(void)
{
	struct magazine *magazine;

	if (__atomic_load_n(&nr_barriers, __ATOMIC_SEQ_CST))
		return NULL;
	magazine = take_ready();
	if (magazine)
		free_objects(magazine);
	return magazine;
}

/* An empty one; NULL when memory is out. Busy. */
static struct magazine *take_empty(void)
{
	struct magazine *magazine = take_and_free();

	if (magazine)
		return magazine;
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

/* A magazine that is no CPU's, with so many objects. exact: each one's size is looked at. */
static void wait_for_period(struct magazine *magazine, size_t count, bool exact)
{
	size_t bytes, before;
	uint32_t nr;
	bool first, hurry;

	fill_set(magazine, count, exact);
	bytes = fill_bytes(magazine);
	nr = __atomic_add_fetch(&nr_waiting, 1, __ATOMIC_RELAXED);
	before = __atomic_fetch_add(&bytes_waiting, bytes, __ATOMIC_RELAXED);
	first = stack_push(&waiting, magazine, (void **)&magazine->next);
	hurry = nr == HURRY_AT || (before < HURRY_BYTES && before + bytes >= HURRY_BYTES);
	if (first || hurry)
		period_want(hurry || nr >= HURRY_AT || before >= HURRY_BYTES);
}

/* One that a CPU had, as far as it is filled. */
static void wait_as_filled(magazine_top top, bool exact)
{
	wait_for_period(magazine_of(top), magazine_count(top, CAPACITY), exact);
}

/* What a drain takes off a CPU. */
static void sink(struct magazine_pair pair)
{
	if (pair.top)
		wait_as_filled(pair.top, true);
	if (pair.spare)
		wait_as_filled(pair.spare, true);
}

static bool is_beyond_bound(void)
{
	return __atomic_load_n(&bytes_waiting, __ATOMIC_RELAXED) > BOUND_BYTES;
}

/* Readers get the time that the producer would have used, for so many bytes. */
static noinline void slow_down(size_t bytes)
{
	size_t looks = SLOW_LOOKS * (1 + bytes / SLOW_BYTES);

	for (size_t i = 0; i < (looks < MOST_LOOKS ? looks : MOST_LOOKS) && is_beyond_bound() && period_pause(SLOW_NS);
		i++)
		;
}

static void reclaim(void);

/* Gives this CPU an empty magazine, if its pair is still as seen. Busy. False: memory is out. */
static bool exchange(const struct area_view *view)
{
	struct magazine *magazine = take_empty();

	if (!magazine)
		return false;
	if (!area_install(SLOT_DEFERRED, view, (struct magazine_pair){magazine_top_at(magazine, CAPACITY, 0), 0})) {
		put_empty(magazine);
		return true;
	}
	/* area_drain() makes each CPU run a barrier between deferred_drain()'s armed = 0 and its look: either it sees what was installed, or
	 * this sees the 0. */
	if (!__atomic_load_n(&armed, __ATOMIC_RELAXED)) {
		__atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
		period_thread_call();
	}
	if (view->pair.top)
		wait_as_filled(view->pair.top, false);
	return true;
}

/* As that, by who is not busy yet. */
static bool replace(const struct area_view *view)
{
	bool done;

	if (unlikely(is_beyond_bound()))
		slow_down(0);
	busy_begin();
	done = exchange(view);
	busy_end();
	return done;
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

static const struct slab_deferred slab_deferred = {.sink = sink, .reclaim = reclaim};

/* Whether the rooms are up. */
static bool start(void)
{
	if (!slab_boot() || !period_thread_start())
		return false;
	slab_set_deferred(&slab_deferred);
	return true;
}

static noinline void defer_slow(struct rcu_head *head, void *object)
{
	struct area_view view;

	if (start()) {
		while (area_snapshot(SLOT_DEFERRED, &view)) {
			if (area_push(SLOT_DEFERRED, object))
				return;
			if (!replace(&view))
				break;
		}
	}
	do_without(head, object);
}

/* A large one does not lie on a CPU until a magazine is full: it has one to itself. */
static bool defer_alone(void *object, size_t size)
{
	struct magazine *magazine;

	if (!start())
		return false;
	if (unlikely(is_beyond_bound()))
		slow_down(size);
	busy_begin();
	magazine = take_empty();
	if (magazine) {
		magazine_objects(magazine)[0] = object;
		wait_for_period(magazine, 1, true);
	}
	busy_end();
	return magazine;
}

static noinline void defer_any_size(struct rcu_head *head, void *object)
{
	size_t size = object_size(object);

	if (size > SMALL_SIZE) {
		if (!defer_alone(object, size))
			do_without(head, object);
	} else if (!magazine_push(2ul * SLOT_DEFERRED, object)) {
		defer_slow(head, object);
	}
}

/* Whether the object is in a slab of a class of small ones, or of a cache that has a class byte. */
static inline bool is_small(const void *object)
{
	const unsigned char *anchor = (const unsigned char *)percpu_fast.anchor;
	unsigned long pfn = ((uintptr_t)object - (uintptr_t)anchor) >> PAGE_SHIFT;
	unsigned int byte;

	if (unlikely(pfn >= FAST_READ(percpu_fast.nr_pfns)))
		return false;
	byte = anchor[CLASS_BYTES + pfn];
	return byte && (byte <= 2 * size_to_class(SMALL_SIZE) || byte >= 2 * SLOT_FIRST_CACHE);
}

EXPORT void kvfree_call_rcu(struct rcu_head *head, void *object)
{
	/* It goes on: only memory for a magazine may be waited for, and then that is reported, too. */
	if (unlikely(!head))
		period_refuse_reader("kfree_rcu_mightsleep");
	if (unlikely(!is_small(object)))
		defer_any_size(head, object);
	else if (unlikely(!magazine_push(2ul * SLOT_DEFERRED, object)))
		defer_slow(head, object);
}

/* ---- objects go: on the room's thread ---- */

bool deferred_is_armed(void)
{
	return __atomic_load_n(&armed, __ATOMIC_SEQ_CST);
}

void deferred_drain(bool wait)
{
	host_sigmask_t mask;

	if (!period_freeze(wait, &mask))
		return;
	/* First: a CPU that gets a magazine after it was looked at arms again. */
	__atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
	area_drain(SLOT_DEFERRED, SLOT_DEFERRED + 1, slab_deferred_sink);
	period_thaw(mask);
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
	size_t bytes = 0;
	uint32_t nr = 0;

	heads_make_ready(&ready_heads, &heads_set_aside);
	if (!set_aside)
		return;
	while (!shelf_try())
		host_yield();
	while (set_aside) {
		struct magazine *next = set_aside->next;

		bytes += fill_bytes(set_aside);
		nr++;
		__push(&shelf.ready, &shelf.nr_ready, set_aside);
		set_aside = next;
	}
	__atomic_fetch_add(&bytes_ready, bytes, __ATOMIC_RELAXED);
	shelf_done();
	__atomic_fetch_sub(&nr_waiting, nr, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&bytes_waiting, bytes, __ATOMIC_RELAXED);
}

static void free_heads(void)
{
	struct rcu_head *next;

	for (struct rcu_head *head = heads_take_ready(&ready_heads); head; head = next) {
		next = head->next;
		kfree((char *)head - (uintptr_t)head->func);
	}
}

bool deferred_is_ready(void)
{
	return __atomic_load_n(&shelf.nr_ready, __ATOMIC_RELAXED);
}

/* More than producers will soon need, or than should lie about meanwhile. */
static bool is_much_ready(void)
{
	uint32_t nr = __atomic_load_n(&shelf.nr_ready, __ATOMIC_RELAXED);

	return nr > MOST_LEFT || (nr && __atomic_load_n(&bytes_ready, __ATOMIC_RELAXED) > LEFT_BYTES);
}

void deferred_free(bool all)
{
	struct magazine *magazine;

	all |= __atomic_load_n(&nr_barriers, __ATOMIC_SEQ_CST) != 0;
	free_heads();
	while (all ? deferred_is_ready() : is_much_ready()) {
		magazine = take_ready();
		if (!magazine)
			continue; /* somebody has the shelf, for an instant */
		free_objects(magazine);
		put_empty(magazine);
	}
}

/* ---- pressure ---- */

/* Who serves what period_want() then yields frees all, until as many calls of end_hurry(). */
static void begin_hurry(void)
{
	/* Before the wish: who serves it sees this. Pairs with take_and_free() and busy_end(). */
	__atomic_fetch_add(&nr_barriers, 1, __ATOMIC_SEQ_CST);
}

static void end_hurry(void)
{
	__atomic_fetch_sub(&nr_barriers, 1, __ATOMIC_SEQ_CST);
}

size_t rcu_deferred_bytes(void)
{
	size_t bytes =
		__atomic_load_n(&bytes_waiting, __ATOMIC_RELAXED) + __atomic_load_n(&bytes_ready, __ATOMIC_RELAXED);

	/* What lies on CPUs is not known, and counts for one. */
	return bytes ? bytes : deferred_is_armed();
}

size_t rcu_reclaim(uint64_t ns)
{
	size_t bytes;
	bool done;

	if (!rcu_deferred_bytes() || !period_may_wait())
		return 0;
	/* Not waited for: the room's thread holds others off while it calls functions that may be waiting for locks of this thread's. */
	deferred_drain(false);
	begin_hurry();
	bytes = rcu_deferred_bytes();
	done = period_wait_served(period_want(true), ns);
	end_hurry();
	return done ? bytes : 0;
}

static void reclaim(void)
{
	rcu_reclaim(RECLAIM_NS);
}

EXPORT void kvfree_rcu_barrier(void)
{
	if (period_refuse_reader("kvfree_rcu_barrier") || period_refuse_callback("kvfree_rcu_barrier"))
		return;
	if (!period_thread_start())
		return;
	begin_hurry();
	if (slab_boot())
		deferred_drain(true);
	/* What producers had in hand during the drain waits or is free then, and they take no ready ones any more. */
	period_wait_until(has_rested, __atomic_load_n(&busy, __ATOMIC_SEQ_CST), RCU_FOREVER);
	period_wait_served(period_want(true), RCU_FOREVER);
	end_hurry();
}

/* ---- fork ---- */

static uint32_t length(const struct magazine *list, size_t *bytes)
{
	uint32_t nr = 0;

	for (; list; list = list->next, nr++)
		if (bytes)
			*bytes += fill_bytes(list);
	return nr;
}

void deferred_fork_child(void)
{
	/* Other threads are gone, with what they had in hand. */
	shelf.taken = nr_barriers = 0;
	busy = 0;
	bytes_ready = 0;
	bytes_waiting = 0;
	nr_waiting = length(waiting, &bytes_waiting) + length(set_aside, &bytes_waiting);
	shelf.nr_ready = length(shelf.ready, &bytes_ready);
	shelf.nr_empty = length(shelf.empty, NULL);
	if (set_aside || heads_set_aside || waiting || waiting_heads || ready_heads || shelf.nr_ready)
		period_want(true);
}

/* The magazines' memory is the machine's. */
void deferred_reset(void)
{
	waiting = waiting_heads = NULL;
	set_aside = NULL;
	heads_set_aside = ready_heads = NULL;
	nr_waiting = armed = nr_barriers = 0;
	busy = 0;
	bytes_waiting = bytes_ready = 0;
	memset(&shelf, 0, sizeof(shelf));
}
