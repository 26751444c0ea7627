/*
 * resource.h: what a machine's program has made and has to end: who made it, where and when.
 *
 * Objects and pages are not here: the slab room tracks those, as far as it is told to. These are few, and made where nobody is in a
 * hurry. In a library of its own, which hosted programs do not link.
 */
#ifndef RUNTIME_LIB_RESOURCE_H
#define RUNTIME_LIB_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOURCE_FRAMES 8

/* In the order of reports. */
enum resource_type {
	RESOURCE_IRQ,
	RESOURCE_WORKQUEUE,
	RESOURCE_DISK,
	RESOURCE_SHRINKER,
	RESOURCE_OOM_NOTIFIER,
	RESOURCE_CPUHP_STATE,
	RESOURCE_PERCPU,
	RESOURCE_PERCPU_COUNTER,
	RESOURCE_CACHE,
	RESOURCE_MEMPOOL,
	RESOURCE_GEN_POOL,
	RESOURCE_KTHREAD,
	RESOURCE_KTHREAD_WORKER, /* by its thread */
	NR_RESOURCES,
};

struct resource {
	enum resource_type type;
	const void *object; /* with type, what it is known by */
	size_t size; /* in what its type is counted in */
	const char *name; /* or NULL. Copied */
	const void *
		caller; /* return address in who asked for it; NULL: the machine did, for itself, and nothing is recorded */
	const void *extra; /* of who calls resource_made() */
};

/* What the rooms above know of who is running. Any context. */
struct resource_hooks {
	/* comm: 16 bytes, empty if it is no task. */
	void (*who)(char *comm, int *pid, int *cpu);
	/* This thread's stack by return addresses. */
	unsigned int (*stack)(uintptr_t *address, unsigned int max);
};

/* From here on what is made is recorded. One thread. */
void resources_begin(const struct resource_hooks *hooks);
/* Whether more than the call site is kept: the whole stack. One thread. */
void resources_keep_stacks(bool on);
/* What was made so far is the machine's own. One thread. */
void resources_forget(void);
/* Nothing is recorded any more, and all is forgotten. One thread, as in a fork child. */
void resources_end(void);

/* Records; a no-op before resources_begin(). Any context. */
void resource_made(const struct resource *resource);
/* It is no more; what is not recorded is a no-op. Any context. */
void resource_ended(enum resource_type type, const void *object);
/* It has another size now. Any context. */
void resource_resized(enum resource_type type, const void *object, size_t size);

/* Reports as leaks what of a type has not ended: once for all that were made by the same call. Returns how many there are. Nobody
 * else makes or ends any of that type. */
unsigned int resources_report(enum resource_type type);
/* Visits what of a type has not ended: visit may end it. As resources_report(). */
void resources_for_each(enum resource_type type, void (*visit)(const void *object, const void *extra));
/* Prints who made it, if that is recorded: "Created: ..." and the stack, as notes. Any context, with no lock of rank REPORT. */
void resource_describe(enum resource_type type, const void *object);

#endif
