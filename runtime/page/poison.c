/*
 * poison.c: free pages of a machine read as poison, which is checked when they are allocated, and at the end.
 *
 * Stands between the room's functions and requests.c, where a machine is to have it. Which pages were poisoned is kept
 * beside them: those that were never used read as 0. Highmem pages, which have no address, are left alone.
 *
 * Calls report. Refuses to know who had a page: that is up to a hook of the room above. The value is the kernel's
 * (linux/poison.h, PAGE_POISON).
 */
#include <errno.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/page/machine.h"

#define POISON_PAGE 0xaa
#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define POISON_WORD (POISON_PAGE * (~0ul / 0xff))

/* A byte for each page of RAM: 1, it is free and poisoned. Synchronization: the page's owner, until it is free and from
 * when it is not */
static unsigned char *poisoned;
static void (*history_hook)(const void *page); /* Synchronization: atomic */

void page_set_poison_history(void (*hook)(const void *page))
{
	__atomic_store_n(&history_hook, hook, __ATOMIC_RELEASE);
}

static size_t marks_size(void)
{
	return ALIGN_UP(memory.limit_pfn - memory.first_pfn, PAGE_SIZE);
}

static unsigned char *mark_of(unsigned long pfn)
{
	return &poisoned[pfn - memory.first_pfn];
}

/* ---- one page ---- */

static void report(unsigned long pfn)
{
	const unsigned char *page = pfn_to_addr(pfn);
	size_t first = 0, last = PAGE_SIZE - 1;
	void (*hook)(const void *) = __atomic_load_n(&history_hook, __ATOMIC_ACQUIRE);

	while (page[first] == POISON_PAGE && first < last)
		first++;
	while (page[last] == POISON_PAGE && last > first)
		last--;
	report_note("BUG: pagealloc: memory corruption");
	report_note("%p-%p @offset=%zu. First byte 0x%x instead of 0x%x, free page %p pfn 0x%lx", page + first,
		page + last, first, page[first], POISON_PAGE, page, pfn - memory.first_pfn);
	if (hook)
		hook(page);
	report_bug_end();
}

static void check(unsigned long pfn)
{
	const uint64_t *word = pfn_to_addr(pfn);
	uint64_t other = 0;

	if (!*mark_of(pfn))
		return;
	for (size_t i = 0; i < WORDS; i++)
		other |= word[i] ^ POISON_WORD;
	if (unlikely(other))
		report(pfn);
}

static void check_taken(unsigned long pfn, unsigned long end)
{
	for (; pfn < end; pfn++) {
		check(pfn);
		*mark_of(pfn) = 0;
	}
}

static void poison(unsigned long pfn, unsigned long end)
{
	for (; pfn < end && pfn < machine->shape.highmem_pfn; pfn++) {
		memset(pfn_to_addr(pfn), POISON_PAGE, PAGE_SIZE);
		*mark_of(pfn) = 1;
	}
}

void page_check_poison(void)
{
	for (unsigned long pfn = memory.first_pfn; poisoned && pfn < memory.limit_pfn; pfn++)
		check(pfn);
}

/* ---- what stands between ---- */

static struct machine_functions inner; /* what requests.c does. Synchronization: const after boot */

static struct page *checked(struct page *page, size_t nr_pages, unsigned int flags)
{
	unsigned long pfn;

	if (!page)
		return NULL;
	pfn = page_struct_to_pfn(page);
	check_taken(pfn, pfn + nr_pages);
	return flags & PAGE_ALLOC_ZERO ? requests_clear(page, nr_pages) : page;
}

static struct page *poison_alloc(unsigned int order, unsigned int flags)
{
	return checked(inner.alloc(order, flags & ~(unsigned int)PAGE_ALLOC_ZERO), 1ul << order, flags);
}

static struct page *poison_alloc_run(size_t nr_pages, unsigned int flags)
{
	return checked(inner.alloc_run(nr_pages, flags & ~(unsigned int)PAGE_ALLOC_ZERO), nr_pages, flags);
}

static void poison_free(struct page *page, unsigned int order)
{
	unsigned long pfn = page_struct_to_pfn(page);

	poison(pfn, pfn + (1ul << order));
	inner.free(page, order);
}

static void poison_free_run(unsigned long pfn, unsigned long end)
{
	poison(pfn, end);
	inner.free_run(pfn, end);
}

static bool poison_grow_run(unsigned long pfn, unsigned long end)
{
	bool grown = inner.grow_run(pfn, end);

	if (grown)
		check_taken(pfn, end);
	return grown;
}

int poison_boot(void)
{
	poisoned = host_map(marks_size());
	if (!poisoned)
		return -ENOMEM;
	inner = machine->does;
	machine->does = (struct machine_functions){.alloc = poison_alloc,
		.alloc_run = poison_alloc_run,
		.free = poison_free,
		.free_run = poison_free_run,
		.grow_run = poison_grow_run,
		.drain = inner.drain,
		.check = inner.check};
	return 0;
}

void poison_shutdown(void)
{
	if (poisoned)
		host_unmap(poisoned, marks_size());
	poisoned = NULL;
	page_set_poison_history(NULL);
}
