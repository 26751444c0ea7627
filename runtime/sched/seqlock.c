/*
 * seqlock.c: what readers and writers of sequence counts do seldom: wait, and be checked.
 *
 * Calls lockdep.c for classes, host to wait. Knows nothing of what is read.
 */
#include <linux/seqlock.h>
#include <linux/smp.h>

#include "runtime/lib/report.h"
#include "runtime/sched/locks.h"

#define SPINS 100 /* turns before others get the host's CPU: the writer may need it */

void flagstone_seqcount_init(seqcount_t *s, const char *name, const struct lock_class_key *key)
{
	WRITE_ONCE(s->sequence, 0);
	lockdep_init(&s->dep_map, name, key);
}

unsigned int flagstone_seqcount_wait(const seqcount_t *s)
{
	unsigned int sequence;

	/* Pairs with the release in flagstone_seqcount_end(). */
	for (unsigned int turn = 0; (sequence = smp_load_acquire(&s->sequence)) & 1; turn++) {
		if (turn < SPINS)
			host_relax();
		else
			host_yield();
		cpu_look();
	}
	return sequence;
}

unsigned int flagstone_seqlock_wait(const seqlock_t *sl)
{
	unsigned int sequence = smp_load_acquire(&sl->seqcount.sequence);

	if ((sequence & 1) && records_owners() && current &&
		unlikely(__atomic_load_n(&sl->lock.owner, __ATOMIC_RELAXED) == current)) {
		report_bug("seqlock recursion on CPU#%d, %s/%d: it reads what it is writing", raw_smp_processor_id(),
			current->comm, current->pid);
		return sequence;
	}
	return flagstone_seqcount_wait(&sl->seqcount);
}

/* ---- lock checking ---- */

static struct lockdep_map *map_of(const seqcount_t *s)
{
	return &((seqcount_t *)(uintptr_t)s)->dep_map;
}

/* With interrupts off: a reader waits for writers only, and is not held when one comes. */
bool flagstone_seqcount_check_reader(const seqcount_t *s)
{
	host_sigmask_t mask = host_signals_block();
	bool fine = lockdep_acquire(map_of(s), 0, HOW_RECURSIVE);

	lockdep_release(map_of(s));
	host_signals_restore(mask);
	return fine;
}

void flagstone_seqcount_check_writer(seqcount_t *s, unsigned int subclass)
{
	lockdep_acquire(&s->dep_map, subclass, HOW_WRITE);
}

void flagstone_seqcount_check_written(seqcount_t *s)
{
	lockdep_release(&s->dep_map);
}

void flagstone_seqcount_unpreemptible(const seqcount_t *s, const char *file, int line)
{
	static uint32_t told; /* Synchronization: atomic */

	if (likely(!lockdep_on) || !preemptible() || __atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		return;
	flagstone_warn(file, line, "write_seqcount_begin", "%s: a writer that may be preempted\n",
		s->dep_map.name ? s->dep_map.name : "seqcount");
}

#ifdef FLAGSTONE_TSAN
/* Of ThreadSanitizer's runtime: between the two, what this thread reads is not looked at. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);

/* Where this thread reads: a bit for a task, one for a softirq, and one for a hard interrupt. Synchronization: own thread, whose
 * interrupts leave it as they found it */
static __thread unsigned int reading __attribute__((tls_model("initial-exec")));

void flagstone_seq_reads(bool on)
{
	unsigned int level = in_hardirq() ? 4 : in_serving_softirq() ? 2 : 1, before = reading;

	reading = on ? before | level : before & ~level;
	if (on && !before)
		AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	else if (!on && before && !reading)
		AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

void seqlock_task_ends(void)
{
	reading &= 1; /* a reader may have given up without asking */
	flagstone_seq_reads(false);
}
#else
void seqlock_task_ends(void)
{
}
#endif
