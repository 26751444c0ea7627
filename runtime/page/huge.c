/*
 * huge.c: which memory is to lie on huge pages.
 *
 * A huge page costs fewer faults than its small pages, and all of its frames at the first touch. So the beginning of the
 * direct map lies on small pages, where a small program pays for what it touches alone, whatever the kernel is set to. What
 * a process grows beyond tunable_thp_after lies on huge pages; beyond the first SMALL_BYTES already, if the kernel is set to
 * give them to everybody.
 *
 * The whole range is advised against them at boot, and the kernel is asked for them when frameless memory is about to be
 * used (huge_claim): else it would collect small pages into huge ones behind our back, also around what was given back.
 *
 * Calls host for advice, which is best effort: on other sizes of pages, or without huge pages, nothing changes.
 */
#include <string.h>

#include "runtime/page/internal.h"

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"

#define HUGE_PAGES (1ul << HUGE_ORDER)
#define HUGE_BYTES (HUGE_PAGES << PAGE_SHIFT)
#define SMALL_BYTES (32ul << 20) /* of the direct map, that lie on small pages whatever the kernel is set to */
#define KERNEL_SETTING "/sys/kernel/mm/transparent_hugepage/enabled"

static unsigned long
	first_huge_pfn; /* Synchronization: const after boot, but for huge_look(): memory.lock; atomic to read */
static size_t huge_after; /* bytes of mappings after which they get huge pages. As first_huge_pfn */

static void set_after(size_t bytes)
{
	unsigned long pfn = memory.first_pfn + (bytes >> PAGE_SHIFT);

	__atomic_store_n(&huge_after, bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&first_huge_pfn, pfn < memory.limit_pfn ? pfn : memory.limit_pfn, __ATOMIC_RELAXED);
}

void huge_boot(void)
{
	if (memory.limited || tunable_thp == THP_NEVER)
		set_after((memory.limit_pfn - memory.first_pfn) << PAGE_SHIFT);
	else
		set_after(tunable_thp == THP_ALWAYS ? 0 : tunable_thp_after);
}

void huge_look(void)
{
	char setting[64];

	if (tunable_thp != THP_AUTO || memory.limited || host_read_file(KERNEL_SETTING, setting, sizeof(setting)) <= 0)
		return;
	if (strstr(setting, "[never]"))
		set_after((memory.limit_pfn - memory.first_pfn) << PAGE_SHIFT);
	else if (strstr(setting, "[always]") && tunable_thp_after > SMALL_BYTES)
		set_after(SMALL_BYTES);
}

bool huge_wanted(unsigned long pfn)
{
	return pfn >= __atomic_load_n(&first_huge_pfn, __ATOMIC_RELAXED);
}

bool huge_claim(unsigned long pfn, unsigned int order)
{
	if (!huge_wanted(pfn))
		return false;
	host_advise_thp(pfn_to_addr(pfn), PAGE_SIZE << (order > HUGE_ORDER ? order : HUGE_ORDER), HOST_THP_ALWAYS);
	return true;
}

void huge_disclaim(unsigned long pfn, unsigned long end)
{
	unsigned long first = ALIGN_DOWN(pfn, HUGE_PAGES);
	unsigned long last = ALIGN_DOWN(end, HUGE_PAGES);

	if (!huge_wanted(end - 1))
		return;
	if (first != pfn)
		host_advise_thp(pfn_to_addr(first), HUGE_BYTES, HOST_THP_NEVER);
	if (last != end && (last != first || first == pfn))
		host_advise_thp(pfn_to_addr(last), HUGE_BYTES, HOST_THP_NEVER);
}

/* Mappings of their own count as growth, too. */
void huge_advise_mapping(void *addr, size_t size)
{
	size_t mapped = __atomic_load_n(&large_counts.bytes, __ATOMIC_RELAXED);

	if (tunable_thp == THP_NEVER)
		host_advise_thp(addr, size, HOST_THP_NEVER);
	else if (size + mapped >= __atomic_load_n(&huge_after, __ATOMIC_RELAXED))
		host_advise_thp(addr, size, HOST_THP_ALWAYS);
}
