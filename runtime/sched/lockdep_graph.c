/*
 * lockdep_graph.c: the graph of classes of locks: which was taken while which was held, and whether a new order, or a new way of taking
 * one, can deadlock.
 *
 * Calls lockdep_report.c for words. Under the graph lock, but for edge_known().
 *
 * A way through the graph can deadlock if each lock on it may block: where it enters a class as a recursive reader, it must not leave it
 * as a reader. So the search goes over nodes 2 * class + constrained: see leads_on().
 */
#include <linux/preempt.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/sched/lockdep.h"

#define SLOTS (2 * LOCKDEP_EDGES)
#define NODES (2 * LOCKDEP_CLASSES)

struct lock_edge lock_edges[LOCKDEP_EDGES];

static uint32_t nr_edges = 1; /* 0 is none. Synchronization: graph lock */
static uint32_t slots[SLOTS]; /* edges by hash; 0: free. Synchronization: graph lock to write; atomic */
static bool full_told; /* Synchronization: graph lock */

/* The search. Synchronization: graph lock */
static struct {
	uint32_t round;
	uint32_t seen[NODES]; /* == round: found in this search */
	uint16_t from[NODES]; /* the node that it was found from */
	uint32_t by[NODES]; /* the edge; NO_EDGE: the search began here */
	uint16_t queue[NODES];
	unsigned int head, tail;
} search;

static uint32_t slot_of(uint32_t from, uint32_t to)
{
	return ((from * LOCKDEP_CLASSES + to) * 0x9e3779b1u) >> 8;
}

static uint32_t mode_bit(const struct held_lock *from, const struct held_lock *to)
{
	return 1u << (3 * mode_of(from) + mode_of(to));
}

static struct lock_edge *find(uint32_t from, uint32_t to)
{
	for (uint32_t i = slot_of(from, to);; i++) {
		/* Pairs with __insert(): an edge that is found is filled in. */
		uint32_t number = __atomic_load_n(&slots[i % SLOTS], __ATOMIC_ACQUIRE);

		if (!number)
			return NULL;
		if (lock_edges[number].from == from && lock_edges[number].to == to)
			return &lock_edges[number];
	}
}

bool edge_known(const struct held_lock *from, const struct held_lock *to)
{
	struct lock_edge *edge = find(class_number(from->class), class_number(to->class));

	return edge && (__atomic_load_n(&edge->modes, __ATOMIC_RELAXED) & mode_bit(from, to));
}

static void __insert(struct held_lock *from, struct held_lock *to)
{
	uint32_t number = nr_edges, i = slot_of(class_number(from->class), class_number(to->class));
	struct lock_edge *edge = &lock_edges[number];

	if (nr_edges == LOCKDEP_EDGES) {
		if (!full_told)
			report_note("lock checking: more than %d orders of locks: the others are not checked",
				LOCKDEP_EDGES - 1);
		full_told = true;
		return;
	}
	nr_edges++;
	edge->from = class_number(from->class);
	edge->to = class_number(to->class);
	edge->modes = mode_bit(from, to);
	edge->where = to->where;
	edge->next_forward = from->class->forward;
	from->class->forward = number;
	edge->next_backward = to->class->backward;
	to->class->backward = number;
	while (slots[i % SLOTS])
		i++;
	/* Pairs with find(). */
	__atomic_store_n(&slots[i % SLOTS], number, __ATOMIC_RELEASE);
}

void __graph_reset(void)
{
	memset(lock_edges, 0, nr_edges * sizeof(lock_edges[0]));
	if (nr_edges > 1)
		memset(slots, 0, sizeof(slots));
	nr_edges = 1;
	full_told = false;
}

/* ---- the search ---- */

/*
 * Whether an edge leads on, and how: 0 not, 1 to a node that goes on any way, 2 to one that goes on as a lock that blocks only.
 * constrained: it is such a one. Forwards that is one entered as a recursive reader, which must not be left as a reader. Backwards it is
 * one left as a reader, which must not be entered as a recursive one.
 */
static unsigned int leads_on(const struct lock_edge *edge, bool constrained, bool backwards)
{
	unsigned int best = 0;

	for (unsigned int from = 0; from < 3; from++) {
		for (unsigned int to = 0; to < 3; to++) {
			bool shares = from != HOW_WRITE, recurs = to == HOW_RECURSIVE;

			if (!(edge->modes >> (3 * from + to) & 1) || (constrained && (backwards ? recurs : shares)))
				continue;
			if (!(backwards ? shares : recurs))
				return 1;
			best = 2;
		}
	}
	return best;
}

static void __found(uint32_t class, bool constrained, unsigned int from, uint32_t by)
{
	uint32_t node = 2 * class + constrained;

	/* One without the constraint leads wherever one with it does. */
	if (search.seen[node] == search.round || search.seen[2 * class] == search.round)
		return;
	search.seen[node] = search.round;
	search.from[node] = (uint16_t)from;
	search.by[node] = by;
	search.queue[search.tail++] = (uint16_t)node;
}

static void __search_begin(uint32_t class, bool constrained)
{
	search.round++;
	search.head = 0;
	search.tail = 0;
	__found(class, constrained, 0, NO_EDGE);
}

/* The next node in order of distance, or -1. */
static int __search_next(bool backwards)
{
	struct lock_class *class;
	unsigned int node;

	if (search.head == search.tail)
		return -1;
	node = search.queue[search.head++];
	class = &lock_classes[node / 2];
	for (uint32_t number = backwards ? class->backward : class->forward; number;) {
		struct lock_edge *edge = &lock_edges[number];
		unsigned int leads = leads_on(edge, node % 2, backwards);

		if (leads)
			__found(backwards ? edge->from : edge->to, leads == 2, node, number);
		number = backwards ? edge->next_backward : edge->next_forward;
	}
	return (int)node;
}

static void __path_to(unsigned int node, struct lock_path *path)
{
	for (path->nr = 0; search.by[node] != NO_EDGE && path->nr < ARRAY_SIZE(path->edges); node = search.from[node])
		path->edges[path->nr++] = search.by[node];
}

/* The usages of a node that count in a way through it. */
static unsigned int __usages_at(int node)
{
	unsigned int usages = lock_classes[node / 2].usage;

	return node % 2 ? usages & ~USAGE_READS : usages;
}

/* Looks for the nearest class that has one of the usages. Returns its node, or -1. */
static int __search_usage(uint32_t class, bool constrained, bool backwards, unsigned int usages)
{
	int node;

	__search_begin(class, constrained);
	while ((node = __search_next(backwards)) >= 0)
		if (__usages_at(node) & usages)
			break;
	return node;
}

/* ---- a new usage ---- */

/* Those that cannot be together with one, in one class or on the two ends of a way: an interrupt's and one with that interrupt on, unless
 * both read. */
static unsigned int conflicts_of(enum lock_usage usage)
{
	unsigned int other = (usage ^ 4u) & ~1u;

	return usage & 1 ? 1u << other : 3u << other;
}

static enum lock_usage first_usage(unsigned int usages)
{
	return (enum lock_usage)__builtin_ctz(usages);
}

/* An interrupt takes it, and another that is taken under it is held with those interrupts on; or the other way round. */
static void __check_inversion(struct held_lock *lock, enum lock_usage usage)
{
	bool backwards = usage >= ON_HARDIRQ;
	bool constrained = backwards ? mode_of(lock) != HOW_WRITE : mode_of(lock) == HOW_RECURSIVE;
	unsigned int conflicts = conflicts_of(usage);
	int node = __search_usage(class_number(lock->class), constrained, backwards, conflicts);
	struct lock_path path;

	if (node < 0 || &lock_classes[node / 2] == lock->class)
		return;
	__path_to((unsigned int)node, &path);
	__report_inversion(
		lock, &lock_classes[node / 2], usage, first_usage(__usages_at(node) & conflicts), &path, backwards);
}

void __usage_add(struct held_lock *lock, enum lock_usage usage)
{
	unsigned int before = lock->class->usage & conflicts_of(usage);

	lock->class->where[usage] = lock->where;
	__atomic_store_n(&lock->class->usage, lock->class->usage | 1u << usage, __ATOMIC_RELAXED);
	if (before)
		__report_inconsistent(lock, first_usage(before), usage);
	else
		__check_inversion(lock, usage);
}

/* ---- a new order ---- */

static bool __check_circle(struct held_lock *from, struct held_lock *to)
{
	uint32_t target = class_number(from->class);
	struct lock_path path;
	int node;

	__search_begin(class_number(to->class), mode_of(to) == HOW_RECURSIVE);
	while ((node = __search_next(false)) >= 0) {
		/* It closes if the last one on the way blocks whom this task keeps out. */
		if ((uint32_t)node / 2 != target || (node % 2 && mode_of(from) != HOW_WRITE))
			continue;
		__path_to((unsigned int)node, &path);
		__report_circular(from, to, &path);
		return true;
	}
	return false;
}

/* Whether the new edge connects one that an interrupt of the kind takes with one that is held while such interrupts are on. */
static bool __check_safety(struct held_lock *from, struct held_lock *to, enum lock_usage in)
{
	unsigned int safe, unsafe, on = in + 4u;
	int at, end;

	at = __search_usage(class_number(from->class), mode_of(from) != HOW_WRITE, true, 3u << in);
	if (at < 0)
		return false;
	safe = __usages_at(at) & 3u << in;
	end = __search_usage(
		class_number(to->class), mode_of(to) == HOW_RECURSIVE, false, safe & 1u << in ? 3u << on : 1u << on);
	if (end < 0)
		return false;
	unsafe = __usages_at(end) & 3u << on;
	__report_unsafe_order(
		from, to, &lock_classes[at / 2], first_usage(safe), &lock_classes[end / 2], first_usage(unsafe));
	return true;
}

void __edge_add(struct held_lock *from, struct held_lock *to)
{
	struct lock_edge *edge;

	if (edge_known(from, to))
		return;
	if (!__check_circle(from, to) && !__check_safety(from, to, IN_HARDIRQ))
		__check_safety(from, to, IN_SOFTIRQ);
	edge = find(class_number(from->class), class_number(to->class));
	if (edge)
		__atomic_store_n(&edge->modes, edge->modes | mode_bit(from, to), __ATOMIC_RELAXED);
	else
		__insert(from, to);
}
