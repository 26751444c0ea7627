/*
 * percpu.c: chooses how CPUs are told apart, and the area operations of slow paths in every mode.
 *
 * Calls thread.c and locked.c for the modes without rseq, the ISA's magazine_ops.h for the one with. Knows nothing of what
 * the magazines hold.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>

#include "ops.h"
#include "percpu/modes.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/tunables.h"

#define MM_CID_OFFSET ((long)offsetof(struct percpu_thread, mm_cid))
#define CPU_ID_OFFSET ((long)offsetof(struct percpu_thread, cpu_id))
#define MAX_HINTS 16 /* shards that threads without a CPU number are spread over */
#define RSEQ_SIZE 32 /* of percpu_thread's own area */
#define RSEQ_FEATURES_MM_CID 28 /* host_rseq_feature_size() from which mm_cid is filled in */

#pragma weak __rseq_offset
#pragma weak __rseq_size

enum percpu_mode percpu_mode;
__thread struct percpu_thread percpu_thread = {
	.cpu_id = THREAD_NO_CPU, .mm_cid = THREAD_NO_CPU, .machine_cpu = PERCPU_NO_CPU};
struct percpu_fast percpu_fast cache_aligned;
unsigned long percpu_inject_delay[NR_INJECT_POINTS];

/* Areas with numbers below this may hold magazines; 0 in thread mode. Synchronization: atomic, only grows. */
static unsigned int nr_cpus;
static unsigned int nr_hints; /* what percpu_cpu_hint() spreads over, without rseq. Synchronization: const after boot */
static bool own_rseq; /* threads register percpu_thread. Synchronization: const after boot */
unsigned int machine_nr_cpus;

static long own_offset(void)
{
	return (char *)&percpu_thread - thread_pointer();
}

/* Points the fast paths at this thread-pointer offset: of a live struct rseq, or of one that always says "no CPU". */
static void use_rseq_at(long offset)
{
	bool mm_cid = host_rseq_feature_size() >= RSEQ_FEATURES_MM_CID && tunable_cpu_number != CPU_NUMBER_CPU_ID;

	percpu_fast.rseq = offset;
	percpu_fast.cpu = offset + (mm_cid ? (long)offsetof(struct percpu_thread, mm_cid)
					   : (long)offsetof(struct percpu_thread, cpu_id));
}

static int32_t current_cpu(void)
{
	return *(volatile int32_t *)(thread_pointer() + percpu_fast.cpu);
}

static bool rseq_usable(unsigned int nr_cpu_ids)
{
	if (!CONFIG_RSEQ || tunable_magazine == MAGAZINE_THREAD || tunable_magazine == MAGAZINE_LOCKED)
		return false;
	if (tunable_magazine == MAGAZINE_AUTO && ops_avoided())
		return false;
	if (nr_cpu_ids > CONFIG_NR_CPUS)
		return false;
	/* Drains need it (kernel 5.10, and no filter against it). */
	if (host_membarrier_register() && tunable_magazine == MAGAZINE_AUTO)
		return false;
	if (&__rseq_size && __rseq_size) {
		use_rseq_at(__rseq_offset);
		return current_cpu() >= 0;
	}
	/* It stays registered when a machine goes. */
	if (percpu_thread.cpu_id < 0 && host_rseq_register(&percpu_thread, RSEQ_SIZE, RSEQ_SIGNATURE))
		return false;
	own_rseq = true;
	use_rseq_at(own_offset());
	return true;
}

void percpu_boot(char *anchor)
{
	unsigned int nr_cpu_ids = host_nr_cpu_ids();

	percpu_fast.anchor = anchor;
	nr_hints = nr_cpu_ids < MAX_HINTS ? nr_cpu_ids : MAX_HINTS;
	if (rseq_usable(nr_cpu_ids)) {
		percpu_mode = PERCPU_RSEQ;
		return;
	}
	use_rseq_at(own_offset());
	if (tunable_magazine == MAGAZINE_RSEQ)
		report_note("magazine=rseq is not available here (kernel or build without it); using magazine=thread");
	if (tunable_magazine == MAGAZINE_LOCKED) {
		locked_boot();
		nr_cpus = locked_nr_cpus();
		percpu_mode = PERCPU_LOCKED;
		return;
	}
	thread_boot();
	percpu_mode = PERCPU_THREAD;
}

void percpu_boot_machine(char *anchor, unsigned int cpus, unsigned int nodes)
{
	percpu_fast.anchor = anchor;
	nr_hints = cpus;
	machine_nr_cpus = cpus;
	topology_set(cpus, nodes);
	if (rseq_usable(cpus)) {
		percpu_mode = PERCPU_RSEQ;
		percpu_fast.cpu = (char *)&percpu_thread.machine_cpu - thread_pointer();
	} else {
		/* The fast paths' sections do not know of the areas' locks: they stay with the area that is empty and full. */
		use_rseq_at(own_offset());
		locked_boot();
		nr_cpus = cpus;
		percpu_mode = PERCPU_LOCKED;
	}
	percpu_set_cpu(PERCPU_NO_CPU);
}

void percpu_shutdown(void)
{
	percpu_set_cpu(PERCPU_NO_CPU);
	percpu_mode = PERCPU_BOOTING;
	memset(&percpu_fast, 0, sizeof(percpu_fast));
	memset(area_digests, 0, sizeof(area_digests));
	percpu_exit_sink = NULL;
	nr_cpus = 0;
	nr_hints = 0;
	machine_nr_cpus = 0;
	own_rseq = false;
	topology_reset();
}

int percpu_set_cpu(int cpu)
{
	int err = 0;

	if (cpu >= (int)machine_nr_cpus)
		err = -EINVAL;
	else if (cpu >= 0 && own_rseq && percpu_thread.cpu_id < 0)
		err = host_rseq_register(&percpu_thread, RSEQ_SIZE, RSEQ_SIGNATURE);
	__atomic_store_n(&percpu_thread.machine_cpu, err ? PERCPU_NO_CPU : cpu, __ATOMIC_RELAXED);
	return err;
}

const char *percpu_mode_name(enum percpu_mode mode, const struct percpu_fast *fast)
{
	switch (mode) {
	case PERCPU_RSEQ:
		if (fast->cpu - fast->rseq == MM_CID_OFFSET)
			return "rseq mm_cid";
		return fast->cpu - fast->rseq == CPU_ID_OFFSET ? "rseq cpu_id" : "rseq machine";
	case PERCPU_THREAD:
		return "thread";
	case PERCPU_LOCKED:
		return "locked";
	default:
		return "booting";
	}
}

unsigned int percpu_cpu_hint(void)
{
	int32_t cpu = machine_nr_cpus ? percpu_this_cpu() : current_cpu();

	if ((percpu_mode == PERCPU_RSEQ || machine_nr_cpus) && cpu >= 0)
		return (unsigned int)cpu;
	/* Threads' storage lies at least a page apart: spread by its address. */
	return (unsigned int)(((uintptr_t)&percpu_thread >> 12) * 2654435761u >> 16) % nr_hints;
}

void percpu_prepare_thread(char *thread_pointer_of_it)
{
	long own = own_offset();
	struct percpu_thread *thread = (struct percpu_thread *)(thread_pointer_of_it + own);

	memset(thread, 0, sizeof(*thread));
	thread->cpu_id = THREAD_NO_CPU;
	thread->mm_cid = THREAD_NO_CPU;
	thread->machine_cpu = PERCPU_NO_CPU;
	thread->nr_releases = RELEASE_ROUND; /* nothing would give back an area that it takes in thread mode */
	/* Where libc registers its threads' areas nothing is registered for this one. */
	*(int32_t *)(thread_pointer_of_it + percpu_fast.cpu) = THREAD_NO_CPU;
}

size_t percpu_thread_reach(void)
{
	size_t own = (size_t)labs(own_offset());
	size_t cpu = (size_t)labs(percpu_fast.cpu);

	return (own > cpu ? own : cpu) + sizeof(struct percpu_thread);
}

unsigned int percpu_host_cpu(void)
{
	const struct percpu_thread *rseq = (struct percpu_thread *)(thread_pointer() + percpu_fast.rseq);
	int32_t cpu = *(const volatile int32_t *)&rseq->cpu_id;

	return percpu_mode == PERCPU_RSEQ && !machine_nr_cpus && cpu >= 0 ? (unsigned int)cpu : percpu_cpu_hint();
}

static struct area *area_of(int cpu)
{
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + cpu;
}

/* The CPU number of this thread, registering it first where that is up to us; negative if it has none. */
static int32_t rseq_this_cpu(void)
{
	int32_t cpu = current_cpu();

	if (cpu < 0 && own_rseq && !host_rseq_register(&percpu_thread, RSEQ_SIZE, RSEQ_SIGNATURE))
		cpu = current_cpu();
	return cpu;
}

/* Before a magazine comes into a CPU's area, drains and statistics must know that there is one. */
static void rseq_count_cpu(unsigned int cpu)
{
	unsigned int seen = __atomic_load_n(&nr_cpus, __ATOMIC_RELAXED);

	/* Pairs with percpu_nr_used(). */
	while (unlikely(cpu >= seen) &&
		!__atomic_compare_exchange_n(&nr_cpus, &seen, cpu + 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

unsigned int percpu_nr_used(void)
{
	/* Pairs with rseq_count_cpu(). */
	return __atomic_load_n(&nr_cpus, __ATOMIC_ACQUIRE);
}

static bool rseq_snapshot(unsigned int slot, struct area_view *view)
{
	int32_t cpu = rseq_this_cpu();
	struct area *area;

	if (cpu < 0)
		return false;
	area = area_of(cpu);
	/* A hint: the install section reads it again. */
	if (__atomic_load_n(&area->stopped, __ATOMIC_RELAXED))
		return false;
	rseq_count_cpu((unsigned int)cpu);
	view->cpu = cpu;
	view->pair.top = __atomic_load_n(&area->pair[slot].top, __ATOMIC_RELAXED);
	view->pair.spare = __atomic_load_n(&area->pair[slot].spare, __ATOMIC_RELAXED);
	return true;
}

void *area_pop(unsigned int slot)
{
	switch (percpu_mode) {
	case PERCPU_RSEQ:
		return rseq_pop(2ul * slot);
	case PERCPU_THREAD:
		return thread_pop(slot);
	case PERCPU_LOCKED:
		return locked_pop(slot);
	default:
		return NULL;
	}
}

bool area_push(unsigned int slot, void *object)
{
	switch (percpu_mode) {
	case PERCPU_RSEQ:
		return rseq_push(2ul * slot, object);
	case PERCPU_THREAD:
		return thread_push(slot, object);
	case PERCPU_LOCKED:
		return locked_push(slot, object);
	default:
		return false;
	}
}

bool area_snapshot(unsigned int slot, struct area_view *view)
{
	switch (percpu_mode) {
	case PERCPU_RSEQ:
		return rseq_snapshot(slot, view);
	case PERCPU_THREAD:
		return thread_snapshot(slot, view);
	case PERCPU_LOCKED:
		return locked_snapshot(slot, view);
	default:
		return false;
	}
}

bool area_install(unsigned int slot, const struct area_view *view, struct magazine_pair new_pair)
{
	switch (percpu_mode) {
	case PERCPU_RSEQ: {
		struct area *area = area_of(view->cpu);

		return rseq_install(view->cpu, &area->pair[slot], &view->pair, &new_pair, &area->stopped);
	}
	case PERCPU_THREAD:
		return thread_install(slot, view, new_pair);
	case PERCPU_LOCKED:
		return locked_install(slot, view, new_pair);
	default:
		return false;
	}
}

const struct percpu_root percpu_root = {&percpu_fast, &percpu_mode, &nr_cpus, &thread_chunks};

bool area_for_each_read(const struct reader *reader, const struct percpu_root *root, area_visit visit, void *arg)
{
	struct percpu_fast fast;
	enum percpu_mode mode;
	unsigned int cpus;

	if (!reader_get(reader, root->mode, &mode) || !reader_get(reader, root->fast, &fast) ||
		!reader_get(reader, root->nr_cpus, &cpus) || cpus > CONFIG_NR_CPUS)
		return false;
	if (mode == PERCPU_THREAD)
		return thread_for_each(reader, root, visit, arg);
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		visit((struct area *)(fast.anchor + PERCPU_AREAS) + cpu, (int)cpu, arg);
	return true;
}

void area_for_each(area_visit visit, void *arg)
{
	area_for_each_read(&reader_local, &percpu_root, visit, arg);
}
