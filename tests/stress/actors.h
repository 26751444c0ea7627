/*
 * actors.h: tasks and handlers of a machine that must all get on, and the watchdog that sees to it.
 *
 * For a stress of one file, which sets actors_program and actor_kinds first. Calls the rooms that pressure_machine.h does.
 */
#ifndef TESTS_STRESS_ACTORS_H
#define TESTS_STRESS_ACTORS_H

#include <stdio.h>
#include <stdlib.h>

#include "runtime/host/host.h"
#include "tests/stress/variable.h"
#include "tests/unit/pressure_machine.h"
#include "tests/unit/random.h"

#define MAX_CPUS 64
#define MAX_ACTORS (8 * MAX_CPUS)
#define LOOK_NS 100000000ull
#define STUCK_LOOKS 600 /* a minute of the watchdog's: where the host has no time for it, it waits as long as that */

static const char *actors_program; /* Synchronization: const after the start */
static const char *const *actor_kinds; /* their names. Synchronization: const after the start */
static void last_words(void); /* what else to print when all is lost */
static void look_further(void); /* the watchdog's other cares */

static uint32_t stop; /* 1: actors end; 2: the watchdog too. Synchronization: atomic */

static inline bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

struct actor {
	unsigned long turns; /* Synchronization: atomic */
	unsigned long failures; /* what it was refused. Synchronization: atomic */
	struct task_struct *task; /* NULL: a handler */
	unsigned int kind, number;
	uint32_t random; /* Synchronization: the actor */
	/* The watchdog's: */
	unsigned long seen;
	unsigned int still; /* looks since it moved */
};

static struct actor actors[MAX_ACTORS];
static unsigned int nr_actors; /* Synchronization: one task; atomic for the watchdog, release: they are there */
static unsigned int nr_ended; /* tasks. Synchronization: atomic */

static inline void turn(struct actor *actor)
{
	__atomic_add_fetch(&actor->turns, 1, __ATOMIC_RELAXED);
}

static inline void failed(struct actor *actor)
{
	__atomic_add_fetch(&actor->failures, 1, __ATOMIC_RELAXED);
}

static inline struct actor *actor_new(unsigned int kind, unsigned int number)
{
	struct actor *actor = &actors[nr_actors];

	if (nr_actors == MAX_ACTORS)
		abort();
	*actor = (struct actor){.kind = kind, .number = number};
	actor->random = (uint32_t)variable("FLAGSTONE_SOAK_SEED", 1) * 7919 + nr_actors + 1;
	__atomic_store_n(&nr_actors, nr_actors + 1, __ATOMIC_RELEASE);
	return actor;
}

static inline void actor_print(const struct actor *actor)
{
	struct task_struct *task = READ_ONCE(actor->task);

	fprintf(stderr, "  %s/%u: %lu turns, %lu failures, state %x\n", actor_kinds[actor->kind], actor->number,
		__atomic_load_n(&actor->turns, __ATOMIC_RELAXED), __atomic_load_n(&actor->failures, __ATOMIC_RELAXED),
		task ? READ_ONCE(task->__state) : 0);
}

__attribute__((noreturn)) static void die(const char *why, const struct actor *actor)
{
	fprintf(stderr, "%s: %s, seed %lu, at\n", actors_program, why, variable("FLAGSTONE_SOAK_SEED", 1));
	actor_print(actor);
	fprintf(stderr, "all:\n");
	for (unsigned int i = 0; i < nr_actors; i++)
		actor_print(&actors[i]);
	last_words();
	abort();
}

static inline void look_at(struct actor *actor)
{
	unsigned long turns = __atomic_load_n(&actor->turns, __ATOMIC_RELAXED);

	actor->still = turns == actor->seen && !stopped() ? actor->still + 1 : 0;
	actor->seen = turns;
	if (actor->still == STUCK_LOOKS)
		die("does not get on", actor);
}

/* At the start and at the end, when not everybody has to get on, somebody has to. */
static inline void look_at_all(unsigned int nr)
{
	static unsigned long seen;
	static unsigned int still;
	unsigned long now = nr + __atomic_load_n(&nr_ended, __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < nr; i++)
		now += __atomic_load_n(&actors[i].turns, __ATOMIC_RELAXED);
	still = now == seen ? still + 1 : 0;
	seen = now;
	if (still == STUCK_LOOKS)
		die(stopped() ? "the end does not come" : "nobody gets on", &actors[0]);
}

/* A host thread, which is on no CPU: nothing in the machine can hold it up. */
static inline void *watchdog(void *arg)
{
	uint32_t never = 0;

	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) < 2) {
		unsigned int nr = __atomic_load_n(&nr_actors, __ATOMIC_ACQUIRE);

		host_futex_wait_for(&never, 0, LOOK_NS);
		for (unsigned int i = 0; i < nr; i++)
			look_at(&actors[i]);
		look_at_all(nr);
		look_further();
	}
	return arg;
}

static inline void watchdog_start(pthread_t *dog)
{
	host_sigmask_t mask = host_signals_block();

	if (pthread_create(dog, NULL, watchdog, NULL))
		abort();
	host_signals_restore(mask);
}

static inline void watchdog_end(pthread_t dog)
{
	host_sigmask_t mask;

	__atomic_store_n(&stop, 2, __ATOMIC_RELEASE);
	mask = host_signals_block();
	pthread_join(dog, NULL);
	host_signals_restore(mask);
}

/* on_cpus: number i is bound to CPU i. */
static inline void actors_start(unsigned int kind, unsigned int nr, int (*body)(void *data), bool on_cpus)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct actor *actor = actor_new(kind, i);
		struct task_struct *task = on_cpus ? kthread_create_on_cpu(body, actor, i, "soak/%u")
						   : kthread_create(body, actor, "%s/%u", actor_kinds[kind], i);

		if (IS_ERR(task))
			die("no thread", actor);
		WRITE_ONCE(actor->task, get_task_struct(task));
		wake_up_process(task);
	}
}

/* Waits for the tasks of that kind, or of any kind if it is negative, to end. */
static inline void actors_join(int kind)
{
	for (unsigned int i = 0; i < nr_actors; i++) {
		if (!actors[i].task || (kind >= 0 && actors[i].kind != (unsigned int)kind))
			continue;
		thread_join(actors[i].task);
		WRITE_ONCE(actors[i].task, NULL);
		__atomic_add_fetch(&nr_ended, 1, __ATOMIC_RELAXED);
	}
}

static inline void actors_print(unsigned int nr_kinds)
{
	for (unsigned int kind = 0; kind < nr_kinds; kind++) {
		unsigned long turns = 0, failures = 0, least = ~0ul;

		for (unsigned int i = 0; i < nr_actors; i++) {
			if (actors[i].kind != kind)
				continue;
			turns += actors[i].turns;
			failures += actors[i].failures;
			least = actors[i].turns < least ? actors[i].turns : least;
		}
		printf("%s: %lu turns, least %lu, %lu failures\n", actor_kinds[kind], turns, least, failures);
	}
}

#endif
