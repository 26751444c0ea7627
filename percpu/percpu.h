/*
 * percpu.h: CPUs and their areas: the interface of this room.
 *
 * A CPU's area is one 4 KiB page of magazine pairs, at a fixed distance from one address, the anchor. Everything that a
 * fast path reads lies at a constant distance from the anchor too, so that one load finds it all:
 *
 *	anchor - 4096   size table (bytes), ..., and a NULL word just below the anchor
 *	anchor + 0      area of CPU -2: always zero  (a thread without a CPU number goes here, and on to the slow path)
 *	anchor + 4096   area of CPU -1: always zero
 *	anchor + 8192   areas of CPUs 0 .. CONFIG_NR_CPUS - 1
 *	anchor + PERCPU_BYTES  free for the room above (the page room's class bytes)
 *
 * Before boot, percpu_fast is all zero: no size and no page number passes the fast paths' first comparison, and the
 * slow path boots. That happens before there is a second thread, so no fast path can see half of it: in the library's
 * constructor, or, where pthread_create() itself allocates here, at the first allocation.
 */
#ifndef PERCPU_PERCPU_H
#define PERCPU_PERCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "percpu/thread.h"
#include "runtime/config.h"

#define PERCPU_AREA_SIZE 4096
#define PERCPU_AREAS (2 * PERCPU_AREA_SIZE) /* anchor-relative start of CPU 0's area */
#define PERCPU_BYTES (PERCPU_AREAS + CONFIG_NR_CPUS * PERCPU_AREA_SIZE)
#define PERCPU_BELOW 4096 /* bytes below the anchor that belong to it */
#define PERCPU_SIZE_TABLE (-PERCPU_BELOW) /* anchor-relative; see the slab room */

/* What the fast paths load. One cache line, written at boot, read ever after (nr_pfns: written when memory grows). */
struct percpu_fast {
	char *anchor;
	long rseq; /* thread-pointer offset of this thread's rseq area */
	long cpu; /* thread-pointer offset of the signed 32-bit CPU number */
	unsigned long nr_pfns; /* page numbers below this have class bytes; 0 before boot. Monotonic */
	size_t size_limit; /* sizes below this have their class in the size table; 0 before boot */
};
extern struct percpu_fast percpu_fast hidden;

enum percpu_mode {
	PERCPU_BOOTING, /* no boot yet: every magazine operation reports "empty" or "full" */
	PERCPU_RSEQ, /* areas belong to CPUs, operations are rseq critical sections */
	PERCPU_THREAD, /* areas belong to threads */
	PERCPU_LOCKED, /* areas belong to fake CPUs, each under a lock: sanitizers, and trials with many CPUs */
};
extern enum percpu_mode percpu_mode hidden; /* Synchronization: const after boot */

/* Installs the anchor: memory of PERCPU_BELOW + PERCPU_BYTES around it is readable, writable and zero. Chooses the mode
 * from the tunables and from what the host offers. Called once, by the page room's memory_boot(). */
void percpu_boot(char *anchor);
/* The same for a machine: CPUs are simulated ones, numbers below nr_cpus that threads are given by percpu_set_cpu().
 * CPUs belong to the nodes in order, in equal parts. */
void percpu_boot_machine(char *anchor, unsigned int nr_cpus, unsigned int nr_nodes);
/* Undoes percpu_boot_machine(): no thread but this one uses the room any more, and none has a CPU. */
void percpu_shutdown(void);

#define PERCPU_NO_CPU (-2)
/*
 * The simulated CPU that this thread is on from now on; PERCPU_NO_CPU: none, it does without magazines and page lists.
 * At most one thread at a time is on a CPU: who gives a CPU to another thread leaves it first. Returns 0, -EINVAL, or
 * -errno where the host refuses the thread restartable sequences: it has no CPU then. Any context, with interrupts off.
 */
int percpu_set_cpu(int cpu);
/* This thread's; negative: none. Stale at once unless interrupts or preemption are off. Any context. */
static inline int percpu_this_cpu(void)
{
	return __atomic_load_n(&percpu_thread.machine_cpu, __ATOMIC_RELAXED);
}
/* Words for statistics: "rseq mm_cid", "rseq cpu_id", "rseq machine", "thread", "locked", "booting". */
const char *percpu_mode_name(enum percpu_mode mode, const struct percpu_fast *fast);
/* A CPU number below CONFIG_NR_CPUS that other CPUs rarely share: for choosing among locked shards. A hint: stale at
 * once. */
unsigned int percpu_cpu_hint(void);
/* The kernel's number of the CPU that runs this: for what depends on where a CPU is. As percpu_cpu_hint() where that is not
 * known at no cost. */
unsigned int percpu_host_cpu(void);

/* ---- topology: which CPUs, by the kernel's numbers, share a last-level cache or a memory node ---- */

#define TOPOLOGY_SHARDS 16 /* last-level caches that are told apart */
#define TOPOLOGY_NODES 16 /* memory nodes that are */

/* Asks the system, or the tunables depots and fake_nodes, once, and not before a second CPU came into use. Opens files: task
 * context, callers one at a time. Until then there is one of each. */
void topology_read(void);
/* Instead, in a machine: each of the nodes has a last-level cache, and CPUs belong to the nodes in order, in equal
 * parts. */
void topology_set(unsigned int nr_cpus, unsigned int nr_nodes);
/* There is one of each again, until topology_read(). */
void topology_reset(void);
unsigned int topology_nr_shards(void);
unsigned int topology_nr_nodes(void);
/* The number of the last-level cache, and of the memory node, of a CPU. Any context. */
unsigned int topology_shard(unsigned int cpu);
unsigned int topology_node(unsigned int cpu);

#endif
