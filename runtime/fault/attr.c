/*
 * attr.c: whether a call fails: knobs, filters, and a number that follows from seed, task and count.
 *
 * Calls sched for the task and its stack. Refuses to know what fails.
 */
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <string.h>

#include "runtime/fault/internal.h"
#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/sched/sched.h"

#define REPORT_BYTES 960 /* of what report_note() takes */

static uint64_t fault_seed; /* Synchronization: const after boot */
static const char *fault_replay; /* Synchronization: const after boot */

/* Of interrupts, CPU by CPU; of threads that are no tasks, the last one. Synchronization: atomic, since CPUs are taken over */
static struct fault_counts cpu_counts[SCHED_MAX_CPUS + 1];

void attr_boot(uint64_t seed, const char *replay)
{
	fault_seed = seed;
	fault_replay = replay;
	memset(cpu_counts, 0, sizeof(cpu_counts));
}

/* ---- what is random ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return hash;
}

static bool of_task(void)
{
	return in_task() && current;
}

static struct fault_counts *counts_here(void)
{
	int cpu = flagstone_this.cpu;

	if (of_task())
		return &current->fault;
	return &cpu_counts[cpu >= 0 && cpu < SCHED_MAX_CPUS ? cpu : SCHED_MAX_CPUS];
}

/* 0 .. 99, for the nth call of this attribute here. */
static unsigned int roll(const struct fault_attr *attr, unsigned long nth)
{
	uint64_t who = of_task() ? hash_name(current->comm) : (uint64_t)flagstone_this.cpu + 1;

	return (unsigned int)(mix(mix(mix(fault_seed ^ hash_name(attr->dname)) ^ who) + nth) % 100);
}

/* ---- filters ---- */

static bool within(uintptr_t address, unsigned long start, unsigned long end)
{
	return start <= address && address < end;
}

static bool stack_passes(const struct fault_attr *attr)
{
	uintptr_t frames[MAX_STACK_TRACE_DEPTH];
	bool found = attr->require_start == 0 && attr->require_end == ~0ul;
	unsigned int depth = (unsigned int)attr->stacktrace_depth, nr;

	if (!depth || (found && attr->reject_start >= attr->reject_end))
		return found;
	nr = sched_stack(frames, depth < MAX_STACK_TRACE_DEPTH ? depth : MAX_STACK_TRACE_DEPTH);
	for (unsigned int i = 0; i < nr; i++) {
		if (within(frames[i], attr->reject_start, attr->reject_end))
			return false;
		found |= within(frames[i], attr->require_start, attr->require_end);
	}
	return found;
}

/* Whether bytes that must succeed first are left; they are used up by this. */
static bool space_left(struct fault_attr *attr, ssize_t size)
{
	int space = __atomic_load_n(&attr->space, __ATOMIC_RELAXED);

	if (space <= size)
		return false;
	__atomic_sub_fetch(&attr->space, (int)size, __ATOMIC_RELAXED);
	return true;
}

static void use_up(struct fault_attr *attr)
{
	int times = __atomic_load_n(&attr->times, __ATOMIC_RELAXED);

	while (times > 0 &&
		!__atomic_compare_exchange_n(&attr->times, &times, times - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* ---- reports ---- */

/* Of the caller, which is on the stack: what lies inside is nobody's business. */
static void report_stack_from(const void *caller)
{
	uintptr_t frames[FAULT_FRAMES];
	unsigned int nr = sched_stack(frames, FAULT_FRAMES), first = 0;

	while (first < nr && frames[first] != (uintptr_t)caller)
		first++;
	if (first == nr)
		first = 0;
	report_stack(frames + first, nr - first);
}

/* The nth of the task's calls. */
static void dump(const struct fault_attr *attr, unsigned long nth, bool by_nth, const void *caller)
{
	char buffer[REPORT_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);

	text_printf(&text,
		"FAULT_INJECTION: forcing a failure.\nname %s, interval %lu, probability %lu, space %d, times %d\n",
		attr->dname, attr->interval, attr->probability, __atomic_load_n(&attr->space, __ATOMIC_RELAXED),
		__atomic_load_n(&attr->times, __ATOMIC_RELAXED));
	if (of_task())
		text_printf(&text, "task %s, its call %lu%s, ", current->comm, nth, by_nth ? " by fail_nth" : "");
	else
		text_printf(&text, "interrupt on CPU %d, its call %lu, ", flagstone_this.cpu, nth);
	text_printf(&text, "seed %llu, replay: FLAGSTONE_MACHINE=%s", (unsigned long long)fault_seed,
		fault_replay ? fault_replay : "");
	report_note("%s", buffer);
	if (attr->verbose > 1)
		report_stack_from(caller);
}

/* ---- the decision ---- */

enum verdict { PASS, FAIL, FAIL_NTH };

static enum verdict decide(struct fault_attr *attr, ssize_t size, struct fault_counts *counts, unsigned long nth)
{
	unsigned long probability = __atomic_load_n(&attr->probability, __ATOMIC_RELAXED);
	unsigned long interval = __atomic_load_n(&attr->interval, __ATOMIC_RELAXED);

	if (of_task() && current->fail_nth)
		return --current->fail_nth ? PASS : FAIL_NTH;
	if (!probability || !__atomic_load_n(&attr->times, __ATOMIC_RELAXED))
		return PASS;
	if (attr->task_filter && !(of_task() && current->make_it_fail))
		return PASS;
	if (space_left(attr, size) || !stack_passes(attr))
		return PASS;
	if (interval > 1 && __atomic_add_fetch(&counts->passed[attr->slot], 1, __ATOMIC_RELAXED) % interval)
		return PASS;
	return roll(attr, nth) < probability ? FAIL : PASS;
}

bool attr_should_fail(struct fault_attr *attr, ssize_t size, int flags, const void *caller)
{
	struct fault_counts *counts = counts_here();
	unsigned long nth = __atomic_add_fetch(&counts->calls[attr->slot], 1, __ATOMIC_RELAXED);
	enum verdict verdict = decide(attr, size, counts, nth);

	if (verdict == PASS)
		return false;
	/* One that was asked for by its number is always told of. */
	if (attr->verbose && (verdict == FAIL_NTH || !(flags & FAULT_NOWARN)))
		dump(attr, nth, verdict == FAIL_NTH, caller);
	use_up(attr);
	return true;
}

bool should_fail_ex(struct fault_attr *attr, ssize_t size, int flags)
{
	return attr_should_fail(attr, size, flags, __builtin_return_address(0));
}

bool should_fail(struct fault_attr *attr, ssize_t size)
{
	return attr_should_fail(attr, size, 0, __builtin_return_address(0));
}
