/*
 * vars.c: the copies of per-CPU variables, and operations on them for those who have no instruction for it.
 *
 * Every section of per-CPU variables, and the range that names objects of alloc_percpu(), is a span of link addresses. CPU c
 * has a copy of each at one distance: mapped where nothing was, found by trying distances. Sections are whole pages, so
 * that their rights can be taken away while a machine runs, and their contents stay the initial values.
 *
 * Calls host for maps and interrupts, vars_alloc.c for objects made at run time, masks.c. Refuses to know tasks, tokens, and
 * when a thread changes its CPU.
 */
#include "percpu/vars.h"

#include <errno.h>
#include <string.h>

#include "percpu/vars_alloc.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/report.h"

#define EXPORT __attribute__((visibility("default")))
#define STRIDE (2 * VARS_DYNAMIC_BYTES) /* between the copies of neighbouring CPUs, where nothing is in the way */
#define AWAY ((size_t)16 << 30) /* from a program to its copies: room for its heap, and for libraries to come */
#define MAX_DISTANCES 4096 /* tried below the program, and as many above */
#define MAX_NAMES 64 /* places tried for the range of names, on either side */
#define LOWEST_ADDRESS 65536 /* what no system maps */

EXPORT unsigned long flagstone_percpu_distance[FLAGSTONE_PERCPU_CPUS];
__thread unsigned long vars_distance;
bool vars_have_fsgsbase;
bool vars_avoid_fsgsbase;
struct lock vars_lock = LOCK_INIT(LOCK_AREA);

static struct flagstone_percpu_section *sections; /* Synchronization: vars_lock; readers without it: atomic */
static char *names; /* VARS_DYNAMIC_BYTES; NULL: not booted. Synchronization: boot and shutdown */
static unsigned int nr_copies; /* CPUs 0 .. nr_copies - 1 have copies of each span. Synchronization: vars_lock */

/* ---- spans ---- */

static size_t section_bytes(const struct flagstone_percpu_section *section)
{
	return (size_t)(section->stop - section->start);
}

static bool section_is_whole_pages(const struct flagstone_percpu_section *section)
{
	return !(((uintptr_t)section->start | (uintptr_t)section->stop) & (host_page_size() - 1));
}

static char *copy_of(const void *start, unsigned long distance)
{
	return (char *)((uintptr_t)start + distance);
}

static void section_unmap(const struct flagstone_percpu_section *section, unsigned long distance)
{
	host_unmap(copy_of(section->start, distance), section_bytes(section));
}

/* Reserves the copies of all sections before end. On failure, none. */
static bool sections_reserve(const struct flagstone_percpu_section *end, unsigned long distance)
{
	const struct flagstone_percpu_section *section, *undo;

	for (section = sections; section != end; section = section->next)
		if (host_reserve_at(copy_of(section->start, distance), section_bytes(section)) != 0)
			goto taken;
	return true;
taken:
	for (undo = sections; undo != section; undo = undo->next)
		section_unmap(undo, distance);
	return false;
}

/* Reserves the copies of all spans at a distance. On failure, none. */
static bool spans_reserve(unsigned long distance)
{
	if (!sections_reserve(NULL, distance))
		return false;
	if (host_reserve_at(copy_of(names, distance), VARS_DYNAMIC_BYTES) == 0)
		return true;
	for (struct flagstone_percpu_section *section = sections; section; section = section->next)
		section_unmap(section, distance);
	return false;
}

/* Fills a reserved copy with initial values. */
static int section_fill(const struct flagstone_percpu_section *section, unsigned long distance)
{
	int err = host_commit(copy_of(section->start, distance), section_bytes(section));

	if (err)
		return err;
	memcpy(copy_of(section->start, distance), section->start, section_bytes(section));
	*(unsigned long *)copy_of(section->self, distance) = distance;
	return 0;
}

/* ---- places ---- */

/* The lowest of all link addresses; NULL without sections. */
static char *lowest_section(void)
{
	char *lowest = NULL;

	for (struct flagstone_percpu_section *section = sections; section; section = section->next)
		lowest = !lowest || section->start < lowest ? section->start : lowest;
	return lowest;
}

/*
 * Reserves the range of names near the lowest section, most often the program's own: where that can be moved, they can too.
 * Rather below than above, where the program's heap grows.
 */
static char *names_reserve(void)
{
	uintptr_t program = (uintptr_t)lowest_section();
	uintptr_t at;

	if (!program)
		return host_reserve(VARS_DYNAMIC_BYTES, host_page_size());
	for (size_t i = 1; i <= MAX_NAMES && program > LOWEST_ADDRESS + i * STRIDE; i++) {
		at = program - i * STRIDE;
		if (host_reserve_at((void *)at, VARS_DYNAMIC_BYTES) == 0)
			return (char *)at;
	}
	for (size_t i = 0; i < MAX_NAMES; i++) {
		at = program + AWAY / 2 + i * STRIDE;
		if (host_reserve_at((void *)at, VARS_DYNAMIC_BYTES) == 0)
			return (char *)at;
	}
	return NULL;
}

/* The number-th distance to try: below the program, then above. 0: not a distance at all. */
static unsigned long distance_candidate(unsigned int number)
{
	size_t away = AWAY + number % MAX_DISTANCES * STRIDE;

	if (number >= MAX_DISTANCES)
		return away;
	return (uintptr_t)names > LOWEST_ADDRESS + away ? -away : 0;
}

/* Finds a place for the spans of one more CPU. *number is the first candidate to try, and then the next one. */
static int cpu_place(unsigned int *number)
{
	while (*number < 2 * MAX_DISTANCES) {
		unsigned long distance = distance_candidate((*number)++);

		if (distance && spans_reserve(distance)) {
			flagstone_percpu_distance[nr_copies++] = distance;
			return 0;
		}
	}
	return -ENOMEM;
}

static int cpu_fill(unsigned int cpu)
{
	for (struct flagstone_percpu_section *section = sections; section; section = section->next) {
		int err = section_fill(section, flagstone_percpu_distance[cpu]);

		if (err)
			return err;
	}
	return 0;
}

/* ---- boot ---- */

static int sections_check(void)
{
	for (struct flagstone_percpu_section *section = sections; section; section = section->next) {
		if (section_is_whole_pages(section))
			continue;
		report_note("per-CPU variables from %p to %p share a page with others", (void *)section->start,
			(void *)section->stop);
		return -EINVAL;
	}
	return 0;
}

static int sections_forbid(void)
{
	for (struct flagstone_percpu_section *section = sections; section; section = section->next) {
		int err = host_forbid(section->start, section_bytes(section));

		if (err)
			return err;
	}
	return 0;
}

static void sections_permit(void)
{
	for (struct flagstone_percpu_section *section = sections; section; section = section->next)
		host_commit(section->start, section_bytes(section));
}

static int __vars_boot(unsigned int nr_cpus)
{
	unsigned int number = ops_base_may_be_negative(vars_have_fsgsbase) ? 0 : MAX_DISTANCES;
	int err = sections_check();

	if (err)
		return err;
	names = names_reserve();
	if (!names)
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < nr_cpus && !err; cpu++) {
		err = cpu_place(&number);
		if (!err)
			err = cpu_fill(cpu);
	}
	if (!err)
		err = vars_alloc_boot(names, nr_cpus);
	return err ? err : sections_forbid();
}

/* From any state that __vars_boot() leaves. */
static void __vars_shutdown(void)
{
	vars_alloc_shutdown();
	sections_permit();
	for (unsigned int cpu = 0; cpu < nr_copies; cpu++) {
		unsigned long distance = flagstone_percpu_distance[cpu];

		for (struct flagstone_percpu_section *section = sections; section; section = section->next)
			section_unmap(section, distance);
		host_unmap(copy_of(names, distance), VARS_DYNAMIC_BYTES);
		flagstone_percpu_distance[cpu] = 0;
	}
	nr_copies = 0;
	if (names)
		host_unmap(names, VARS_DYNAMIC_BYTES);
	__atomic_store_n(&names, NULL, __ATOMIC_RELAXED);
	vars_set_sleep_check(NULL);
	vars_set_fault(NULL);
	masks_boot(0);
}

int vars_boot(unsigned int nr_cpus)
{
	host_sigmask_t mask;
	int err;

	if (!nr_cpus || nr_cpus > FLAGSTONE_PERCPU_CPUS)
		return -EINVAL;
	if (names)
		return -EBUSY;
	mask = host_signals_block();
	lock_acquire(&vars_lock);
	vars_have_fsgsbase = host_has_fsgsbase() && !vars_avoid_fsgsbase;
	err = __vars_boot(nr_cpus);
	if (err)
		__vars_shutdown();
	else
		masks_boot(nr_cpus);
	lock_release(&vars_lock);
	host_signals_restore(mask);
	return err;
}

void vars_fork_child(void)
{
	lock_reinit(&vars_lock);
}

void vars_shutdown(void)
{
	host_sigmask_t mask = host_signals_block();

	if (names) {
		vars_use_none();
		lock_acquire(&vars_lock);
		__vars_shutdown();
		lock_release(&vars_lock);
	}
	host_signals_restore(mask);
}

bool vars_is_percpu_pointer(const void *address)
{
	const struct flagstone_percpu_section *section = __atomic_load_n(&sections, __ATOMIC_ACQUIRE);
	char *range = __atomic_load_n(&names, __ATOMIC_RELAXED);

	/* Pairs with flagstone_percpu_register(): who sees a section sees what is in it. */
	for (; section; section = section->next)
		if ((uintptr_t)address - (uintptr_t)section->start < section_bytes(section))
			return true;
	return range && (uintptr_t)address - (uintptr_t)range < VARS_DYNAMIC_BYTES;
}

void vars_stats_read(struct vars_stats *stats)
{
	host_sigmask_t mask = host_signals_block();

	*stats = (struct vars_stats){0};
	lock_acquire(&vars_lock);
	for (struct flagstone_percpu_section *section = sections; section; section = section->next)
		stats->static_bytes += section_bytes(section);
	vars_alloc_stats(stats);
	lock_release(&vars_lock);
	host_signals_restore(mask);
}

/* ---- programs and libraries come and go ---- */

/* Gives the CPUs of a running machine their copies. On failure, nothing has changed. */
static int __section_attach(struct flagstone_percpu_section *section)
{
	unsigned int cpu;
	int err = section_is_whole_pages(section) ? 0 : -EINVAL;

	for (cpu = 0; cpu < nr_copies && !err; cpu++) {
		unsigned long distance = flagstone_percpu_distance[cpu];

		err = host_reserve_at(copy_of(section->start, distance), section_bytes(section));
		if (err)
			break;
		err = section_fill(section, distance);
	}
	if (!err)
		err = host_forbid(section->start, section_bytes(section));
	while (err && cpu-- > 0)
		section_unmap(section, flagstone_percpu_distance[cpu]);
	return err;
}

static bool __section_known(const struct flagstone_percpu_section *section)
{
	const struct flagstone_percpu_section *other;

	for (other = sections; other && other != section; other = other->next)
		;
	return other != NULL;
}

EXPORT void flagstone_percpu_register(struct flagstone_percpu_section *section)
{
	host_sigmask_t mask = host_signals_block();
	int err = 0;

	lock_acquire(&vars_lock);
	if (!__section_known(section)) {
		if (nr_copies)
			err = __section_attach(section);
		section->next = sections;
		/* Pairs with vars_is_percpu_pointer(). */
		if (!err)
			__atomic_store_n(&sections, section, __ATOMIC_RELEASE);
	}
	lock_release(&vars_lock);
	host_signals_restore(mask);
	if (err)
		report_bug("no room for the per-CPU variables of a library loaded after boot (error %d)", err);
}

EXPORT void flagstone_percpu_unregister(struct flagstone_percpu_section *section)
{
	host_sigmask_t mask = host_signals_block();
	struct flagstone_percpu_section **link;

	lock_acquire(&vars_lock);
	for (link = &sections; *link && *link != section; link = &(*link)->next)
		;
	if (*link) {
		__atomic_store_n(link, section->next, __ATOMIC_RELEASE);
		host_commit(section->start, section_bytes(section));
		for (unsigned int cpu = 0; cpu < nr_copies; cpu++)
			section_unmap(section, flagstone_percpu_distance[cpu]);
	}
	lock_release(&vars_lock);
	host_signals_restore(mask);
}

/* ---- operations ---- */

EXPORT unsigned long flagstone_percpu_this_distance(void)
{
	return vars_distance;
}

/* Other CPUs may read meanwhile: a relaxed access is the plain one, and says so to a sanitizer. */
static uint64_t load(const void *p, size_t size)
{
	switch (size) {
	case 1:
		return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
	case 2:
		return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
	}
}

static void store(void *p, size_t size, uint64_t value)
{
	switch (size) {
	case 1:
		__atomic_store_n((uint8_t *)p, (uint8_t)value, __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n((uint16_t *)p, (uint16_t)value, __ATOMIC_RELAXED);
		break;
	case 4:
		__atomic_store_n((uint32_t *)p, (uint32_t)value, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n((uint64_t *)p, value, __ATOMIC_RELAXED);
	}
}

/* What an operation makes of old. Bits beyond the variable's size are anything. */
static uint64_t result_of(enum flagstone_percpu_operation operation, uint64_t old, uint64_t value, uint64_t expected)
{
	switch (operation) {
	case FLAGSTONE_PERCPU_READ:
		return old;
	case FLAGSTONE_PERCPU_ADD:
		return old + value;
	case FLAGSTONE_PERCPU_AND:
		return old & value;
	case FLAGSTONE_PERCPU_OR:
		return old | value;
	case FLAGSTONE_PERCPU_CMPXCHG:
		return old == expected ? value : old;
	case FLAGSTONE_PERCPU_WRITE:
	case FLAGSTONE_PERCPU_XCHG:
		break;
	}
	return value;
}

EXPORT uint64_t flagstone_percpu_op(
	void *variable, size_t size, enum flagstone_percpu_operation operation, uint64_t value, uint64_t expected)
{
	host_sigmask_t mask = host_signals_block();
	void *here = copy_of(variable, vars_distance);
	uint64_t old = load(here, size);

	if (operation != FLAGSTONE_PERCPU_READ)
		store(here, size, result_of(operation, old, value, expected));
	host_signals_restore(mask);
	return old;
}
