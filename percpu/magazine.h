/*
 * magazine.h: magazines, and the operations on the pair of them that each CPU keeps for each slot.
 *
 * A slot is a size class or a cache; slab.h gives the numbers out. This room knows neither objects nor depots: on empty
 * or full it says so, and the caller brings another magazine with area_install().
 *
 * The contract, the same for every mode (percpu_mode) and every ISA:
 *
 *	pop(slot):		push(slot, object):		install(slot, view, new):
 *	  top = pair.top	  top = pair.top		  if this CPU is not view.cpu, or
 *	  object = top[-1]	  if top % 1024 == 0		     pair is not view.pair, or the
 *	  if object == NULL	     return full		     area is stopped: fail
 *	     return empty	  top[0] = object		  pair = new
 *	  pair.top = top - 8	  pair.top = top + 8
 *	  return object
 *
 * Each is indivisible for the threads of a CPU and for signal handlers. With rseq the kernel sees to that: it restarts a
 * section that was preempted, moved or interrupted before its last store.
 */
#ifndef PERCPU_MAGAZINE_H
#define PERCPU_MAGAZINE_H

#include "percpu/percpu.h"
#include "runtime/lib/reader.h"

#define MAGAZINE_SIZE 1024
#define MAGAZINE_WORDS (MAGAZINE_SIZE / sizeof(void *))
#define MAGAZINE_MAX_CAPACITY (MAGAZINE_WORDS - 4)

/*
 * A bounded stack of object pointers, aligned to its size. word[MAGAZINE_WORDS - 1 - capacity] is NULL, the floor that
 * stops pop; objects lie above it; the end of the block stops push.
 *
 * Synchronization: who owns the magazine. While a CPU holds it, that is nobody's thread: even the words below the floor
 * may be read only by who has taken it out, since it may be elsewhere, or unmapped, as soon as one looks.
 */
struct magazine {
	union {
		struct {
			struct magazine *next; /* on a depot or pool list. Synchronization: that list's lock */
			uintptr_t capacity; /* changes only while it is empty and no CPU's */
		};
		void *word[MAGAZINE_WORDS];
	};
};
static_assert(sizeof(struct magazine) == MAGAZINE_SIZE, "top & (MAGAZINE_SIZE - 1) tells a full magazine");

/*
 * A position in a magazine, as the distance of its next free word from the anchor: one word that names the magazine and
 * its fill. 0 is no magazine, and reads as empty (the word below the anchor is NULL) and as full (it is a multiple of
 * MAGAZINE_SIZE): zeroed memory is a valid area without magazines.
 */
typedef uint64_t magazine_top;

struct magazine_pair {
	magazine_top top; /* main */
	magazine_top spare;
} __attribute__((aligned(16)));

#define AREA_SLOTS (PERCPU_AREA_SIZE / sizeof(struct magazine_pair) - 1)

/*
 * One CPU's page. Synchronization: pairs: the CPU's owner (rseq section, own thread, or lock); another thread may only
 * take them with area_drain(). Slot 0 stays zero: class byte 0 leads there and on to the slow path.
 */
struct area {
	struct magazine_pair pair[AREA_SLOTS];
	uint32_t stopped; /* no install while set. Synchronization: atomic; see area_drain() */
	uint32_t busy; /* thread mode: an operation is under way. Synchronization: atomic */
	uint32_t lock_state;
	uint32_t lock_rank;
};
static_assert(sizeof(struct area) == PERCPU_AREA_SIZE, "one page a CPU");

static inline void **magazine_word(magazine_top top)
{
	return (void **)(percpu_fast.anchor + top);
}

static inline struct magazine *magazine_of(magazine_top top)
{
	return (struct magazine *)ALIGN_DOWN((uintptr_t)percpu_fast.anchor + top - 1, (uintptr_t)MAGAZINE_SIZE);
}

/* The position in a magazine that holds count of capacity objects. */
static inline magazine_top magazine_top_at(struct magazine *magazine, unsigned int capacity, unsigned int count)
{
	return (uintptr_t)&magazine->word[MAGAZINE_WORDS - capacity + count] - (uintptr_t)percpu_fast.anchor;
}

/* Makes a magazine that is empty and no CPU's one of that capacity. */
static inline void magazine_set_capacity(struct magazine *magazine, unsigned int capacity)
{
	magazine->capacity = capacity;
	magazine->word[MAGAZINE_WORDS - 1 - capacity] = NULL;
}

/* Where the objects of a magazine begin. */
static inline void **magazine_objects(struct magazine *magazine)
{
	return &magazine->word[MAGAZINE_WORDS - magazine->capacity];
}

static inline bool magazine_is_empty(magazine_top top)
{
	return magazine_word(top)[-1] == NULL;
}

static inline bool magazine_is_full(magazine_top top)
{
	return top % MAGAZINE_SIZE == 0;
}

/* Objects in the magazine at top, which has that capacity; 0 for no magazine. */
static inline unsigned int magazine_count(magazine_top top, unsigned int capacity)
{
	if (!top)
		return 0;
	return (unsigned int)(capacity - (ALIGN_UP(top, (magazine_top)MAGAZINE_SIZE) - top) / sizeof(void *));
}

/* What a CPU held in a slot at some moment: to decide by, then to hand to area_install(), which checks it. */
struct area_view {
	int cpu;
	struct magazine_pair pair;
};

/* The operations as calls, for slow paths, in any mode. Any context, signal handlers too. */
void *area_pop(unsigned int slot);
bool area_push(unsigned int slot, void *object);
/* False: this thread has no area just now (no boot yet, an interrupted operation below us, a drain): do without. */
bool area_snapshot(unsigned int slot, struct area_view *view);
/*
 * False: the area is not as in view any more, or a drain is at work; nothing has changed. new_pair.top is a magazine, and
 * not the one of view->pair.top: a drain tells by that who owns what was replaced.
 */
bool area_install(unsigned int slot, const struct area_view *view, struct magazine_pair new_pair);

/* Receives what a drain takes out. Either position may be 0. */
typedef void (*area_sink)(unsigned int slot, struct magazine_pair pair);
/* What becomes of the magazines of a thread that ends (thread mode). Set once, before threads allocate. */
void percpu_set_exit_sink(area_sink sink);
/*
 * Takes the magazines of slots [first, end) out of every area, other CPUs' too, without stopping their threads. Those
 * that are changing at that moment are left. Task context; must not be called with locks of rank LOCK_AREA or above.
 */
void area_drain(unsigned int first, unsigned int end, area_sink sink);
/*
 * As area_drain(), of each pair that has not changed since the last call: of CPUs, and of slots on busy CPUs, that nobody
 * used meanwhile. Returns whether any pair is left that a later call could find idle. For one thread.
 */
bool area_drain_idle(area_sink sink);
/* Makes a thread that libc did not start one without a CPU: see host_thread_start(). */
void percpu_prepare_thread(char *thread_pointer);
/* How far from the thread pointer, on either side, lies what that and the area operations touch, in bytes. */
size_t percpu_thread_reach(void);
/* Calls visit for every area that may hold magazines; racy, for statistics. */
typedef void (*area_visit)(const struct area *area, int cpu, void *arg);
void area_for_each(area_visit visit, void *arg);

/* Where this room's state lies, for readers of another process too. */
struct percpu_root {
	const struct percpu_fast *fast;
	const enum percpu_mode *mode;
	const unsigned int *nr_cpus;
	struct area_chunk *const *chunks;
};
extern const struct percpu_root percpu_root hidden;
/* As area_for_each, of the process that the reader reads: the addresses are of that process. Returns false, possibly after
 * some visits, if what it read makes no sense. */
bool area_for_each_read(const struct reader *reader, const struct percpu_root *root, area_visit visit, void *arg);

void percpu_fork_prepare(void);
void percpu_fork_parent(void);
/* Empties areas of threads that the child does not have into the exit sink. */
void percpu_fork_child(void);

#endif
