/*
 * huge.c: which memory is to lie on huge pages.
 *
 * A huge page costs a quarter of the faults that its small pages cost, and all of its frames at the first touch. So the
 * beginning of the direct map lies on small pages, where a small program pays for what it touches alone; what a process
 * grows beyond lies on huge ones, where at most the last of them is used in part.
 *
 * The kernel is asked when frameless memory is about to be used (huge_claim), not for the whole range beforehand: else a
 * kernel set to "always" would collect small pages into huge ones behind our back, also around what was given back.
 *
 * Calls host for advice, which is best effort: on other sizes of pages, or without huge pages, nothing changes.
 */
#include "runtime/page/internal.h"

#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"

#define HUGE_PAGES (1ul << HUGE_ORDER)
#define HUGE_BYTES (HUGE_PAGES << PAGE_SHIFT)
#define SMALL_BYTES (32ul << 20) /* of the direct map, that a process may fill before it gets huge pages */

static unsigned long first_huge_pfn; /* Synchronization: const after boot */

void huge_boot(void)
{
	first_huge_pfn = memory.first_pfn + (tunable_thp == THP_ALWAYS ? 0 : SMALL_BYTES >> PAGE_SHIFT);
	if (memory.limited || tunable_thp == THP_NEVER || first_huge_pfn > memory.limit_pfn)
		first_huge_pfn = memory.limit_pfn;
}

unsigned long huge_first_pfn(void)
{
	return first_huge_pfn;
}

bool huge_wanted(unsigned long pfn)
{
	return pfn >= first_huge_pfn;
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

/* A process with a mapping of its own for one block has grown as far as it takes, once the block is large enough. */
void huge_advise_mapping(void *addr, size_t size)
{
	if (tunable_thp == THP_NEVER)
		host_advise_thp(addr, size, HOST_THP_NEVER);
	else if (!memory.limited &&
		 (size >= SMALL_BYTES || huge_wanted(__atomic_load_n(&memory.end_pfn, __ATOMIC_RELAXED) - 1)))
		host_advise_thp(addr, size, HOST_THP_ALWAYS);
}
