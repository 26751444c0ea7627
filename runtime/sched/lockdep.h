/*
 * lockdep.h: what the files of the lock check share: classes, the graph of their order, what a task holds.
 *
 * Everything is in static tables: a check never allocates. A table that is full is a note, and what does not fit is not checked.
 */
#ifndef RUNTIME_SCHED_LOCKDEP_H
#define RUNTIME_SCHED_LOCKDEP_H

#include "runtime/sched/locks.h"

#define LOCKDEP_CLASSES 4096
#define LOCKDEP_EDGES 32768
#define LOCKDEP_HELD 48
#define NO_EDGE 0

/*
 * How a class was ever taken, as bits of its usage: in an interrupt of a kind, or with that kind of interrupt on; by a writer, or by a
 * reader. The number is 4 * on + 2 * softirq + read.
 */
enum lock_usage {
	IN_HARDIRQ,
	IN_HARDIRQ_READ,
	IN_SOFTIRQ,
	IN_SOFTIRQ_READ,
	ON_HARDIRQ,
	ON_HARDIRQ_READ,
	ON_SOFTIRQ,
	ON_SOFTIRQ_READ,
	NR_LOCK_USAGES,
};
#define USAGE_READS 0xaau /* the bits of readers */

struct lock_class {
	const void *key; /* Synchronization: const once it is found */
	unsigned int subclass; /* Synchronization: as key */
	const char *name; /* Synchronization: as key */
	uint32_t next; /* of this hash, its index + 1. Synchronization: as key */
	uint32_t usage; /* 1 << enum lock_usage. Synchronization: graph lock to write; atomic */
	bool recursion_told; /* Synchronization: graph lock */
	uint32_t forward, backward; /* edges from, and to, this class. Synchronization: graph lock */
	struct sched_section where[NR_LOCK_USAGES]; /* the first of each usage. Synchronization: graph lock */
};

/* One class was held while another was taken. */
struct lock_edge {
	uint32_t from, to; /* classes. Synchronization: const once it is found */
	uint32_t modes; /* 1 << (3 * mode of from + mode of to). Synchronization: graph lock to write; atomic */
	uint32_t next_forward, next_backward; /* Synchronization: graph lock */
	struct sched_section where; /* to was taken first. Synchronization: graph lock */
};

struct held_lock {
	struct lockdep_map *map;
	struct lock_class *class;
	unsigned int how;
	unsigned int context; /* 0 task, 1 softirq, 2 interrupt */
	struct sched_section where;
};

/* Synchronization: the task and the interrupts on it, with interrupts off. */
struct held_locks {
	unsigned int nr;
	bool incomplete; /* one did not fit */
	struct held_lock locks[LOCKDEP_HELD];
};

extern struct lock_class lock_classes[LOCKDEP_CLASSES];
extern struct lock_edge lock_edges[LOCKDEP_EDGES]; /* from 1 */
extern uint32_t lockdep_graph_lock; /* a word lock, with interrupts off */

static inline unsigned int mode_of(const struct held_lock *lock)
{
	return lock->how & HOW_MODE;
}

static inline uint32_t class_number(const struct lock_class *class)
{
	return (uint32_t)(class - lock_classes);
}

/* ---- lockdep_graph.c: the graph lock is held, where a name begins with __ ---- */

/* Whether the graph has it. Without the lock. */
bool edge_known(const struct held_lock *from, const struct held_lock *to);
/* Checks the new order, and enters it. */
void __edge_add(struct held_lock *from, struct held_lock *to);
/* Checks a new usage of the class of the lock against the others', and enters it. */
void __usage_add(struct held_lock *lock, enum lock_usage usage);
void __graph_reset(void);

/* A way through the graph, the last first: edge[0] leads to its end, edge[nr - 1] from its start. */
struct lock_path {
	unsigned int nr;
	uint32_t edges[LOCKDEP_HELD];
};

/* ---- lockdep_report.c: the graph lock is held ---- */

void __report_recursion(const struct held_lock *held, const struct held_lock *next);
/* path leads from next to prev. */
void __report_circular(const struct held_lock *prev, const struct held_lock *next, const struct lock_path *path);
void __report_inconsistent(const struct held_lock *lock, enum lock_usage before, enum lock_usage now);
/* path leads from the class of the lock to other, or the other way round: backwards. */
void __report_inversion(const struct held_lock *lock, const struct lock_class *other, enum lock_usage usage,
	enum lock_usage others, const struct lock_path *path, bool backwards);
void __report_unsafe_order(const struct held_lock *prev, const struct held_lock *next, const struct lock_class *safe,
	enum lock_usage safe_usage, const struct lock_class *unsafe, enum lock_usage unsafe_usage);
/* What a task holds, or held when it was copied. */
void lockdep_print_locks(const struct held_locks *held, const struct task_struct *task);
void report_held_at_end(void);
void report_held_freed(const struct held_lock *lock, const void *from, size_t size);
void report_unbalanced(const struct lockdep_map *map, const struct held_locks *held);

#endif
