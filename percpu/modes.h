/*
 * modes.h: the operations of magazine.h in each mode without rseq, and the drain's parts. Private to the room.
 */
#ifndef PERCPU_MODES_H
#define PERCPU_MODES_H

#include "percpu/magazine.h"

/* Which slots of an area a drain takes. */
struct slot_set {
	uint64_t bits[PERCPU_AREA_SIZE / sizeof(struct magazine_pair) / 64];
};

static inline bool slot_set_has(const struct slot_set *set, unsigned int slot)
{
	return set->bits[slot / 64] >> slot % 64 & 1;
}

/* A digest of each pair, as of the last drain of idle ones: two that are equal by chance are drained for nothing. */
struct area_digest {
	uint16_t pair[AREA_SLOTS];
};

struct drain {
	unsigned int first, end; /* slots */
	bool idle; /* only those that have not changed since the last such drain */
	bool left; /* out, with idle: something is left, or may be */
	area_sink sink;
};
/* Fills in the slots to be taken, and brings the digest up to date. Returns whether there are any. */
bool drain_select(struct drain *drain, const struct area *area, struct area_digest *digest, struct slot_set *set);

/* The contract in C, on an area that nobody else operates on meanwhile (generic.c). */
void *generic_pop(struct area *area, unsigned int slot);
bool generic_push(struct area *area, unsigned int slot, void *object);
bool generic_install(
	struct area *area, unsigned int slot, const struct magazine_pair *old, struct magazine_pair new_pair);
/* Empties the slots of such an area into sink. */
void generic_drain(struct area *area, const struct slot_set *set, area_sink sink);
/* All of them. */
void generic_drain_all(struct area *area, area_sink sink);

/* Thread mode (thread.c). */
void thread_boot(void);
void *thread_pop(unsigned int slot);
bool thread_push(unsigned int slot, void *object);
bool thread_snapshot(unsigned int slot, struct area_view *view);
bool thread_install(unsigned int slot, const struct area_view *view, struct magazine_pair new_pair);
bool thread_for_each(const struct reader *reader, const struct percpu_root *root, area_visit visit, void *arg);
extern struct area_chunk *thread_chunks hidden;
void thread_drain(struct drain *drain);
void thread_fork_child(area_sink sink);

/* Locked mode (locked.c). */
void locked_boot(void);
unsigned int locked_nr_cpus(void);
void *locked_pop(unsigned int slot);
bool locked_push(unsigned int slot, void *object);
bool locked_snapshot(unsigned int slot, struct area_view *view);
bool locked_install(unsigned int slot, const struct area_view *view, struct magazine_pair new_pair);
void locked_drain(struct drain *drain);
void locked_fork_prepare(void);
void locked_fork_parent(void);
void locked_fork_child(void);

/* Simulated CPUs; 0: hosted. Synchronization: const after boot */
extern unsigned int machine_nr_cpus hidden;
/* Areas by number that may hold magazines, in rseq and locked mode. */
unsigned int percpu_nr_used(void);

/* The sink of threads that end; NULL until set. */
extern area_sink percpu_exit_sink hidden;
/* By area number, in rseq and locked mode. Synchronization: percpu_lock */
extern struct area_digest area_digests[CONFIG_NR_CPUS] hidden;
/* Serializes drains, and guards the list of thread areas. */
extern struct lock percpu_lock hidden;

#endif
