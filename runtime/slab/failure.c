/*
 * failure.c: reports of allocations that failed, and of flags that make no sense, in the kernel's words.
 *
 * Calls report and text, and the hooks for the task's name and the zones. Refuses to know why memory is out.
 */
#include <linux/gfp.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/slab/machine.h"

#define BURST 10 /* reports in an interval; the kernel's numbers */
#define INTERVAL_NS 5000000000ul
#define NAMES_BYTES 400
#define NR_FUNCTIONS 8
#define NR_STACK 16

/* ---- flags ---- */

struct gfp_name {
	gfp_t gfp;
	const char *name;
};

#define NAME(flag)          \
	{                   \
		flag, #flag \
	}

/* Those that stand for several first. */
static const struct gfp_name gfp_names[] = {NAME(GFP_HIGHUSER_MOVABLE), NAME(GFP_HIGHUSER), NAME(GFP_USER),
	NAME(GFP_KERNEL_ACCOUNT), NAME(GFP_KERNEL), NAME(GFP_NOFS), NAME(GFP_ATOMIC), NAME(GFP_NOIO), NAME(GFP_NOWAIT),
	NAME(GFP_DMA), NAME(__GFP_HIGHMEM), NAME(GFP_DMA32), NAME(__GFP_HIGH), NAME(__GFP_IO), NAME(__GFP_FS),
	NAME(__GFP_NOWARN), NAME(__GFP_RETRY_MAYFAIL), NAME(__GFP_NOFAIL), NAME(__GFP_NORETRY), NAME(__GFP_COMP),
	NAME(__GFP_ZERO), NAME(__GFP_NOMEMALLOC), NAME(__GFP_MEMALLOC), NAME(__GFP_HARDWALL), NAME(__GFP_THISNODE),
	NAME(__GFP_RECLAIMABLE), NAME(__GFP_MOVABLE), NAME(__GFP_ACCOUNT), NAME(__GFP_WRITE), NAME(__GFP_RECLAIM),
	NAME(__GFP_DIRECT_RECLAIM), NAME(__GFP_KSWAPD_RECLAIM)};

void failure_print_gfp(struct text *text, gfp_t gfp)
{
	const char *between = "";

	if (!gfp)
		text_printf(text, "0");
	for (size_t i = 0; i < ARRAY_SIZE(gfp_names); i++) {
		if ((gfp & gfp_names[i].gfp) != gfp_names[i].gfp)
			continue;
		text_printf(text, "%s%s", between, gfp_names[i].name);
		gfp &= ~gfp_names[i].gfp;
		between = "|";
	}
	if (gfp)
		text_printf(text, "%s0x%x", between, gfp);
}

void slab_print_gfp(struct text *text, unsigned int gfp)
{
	failure_print_gfp(text, gfp);
}

/* ---- failures ---- */

static uint64_t interval_start; /* Synchronization: atomic; two that begin one at once allow a few more reports */
static unsigned int nr_reports, nr_suppressed; /* in the interval. Synchronization: atomic */

/* Whether this is one report too many. */
static bool is_suppressed(void)
{
	uint64_t now = host_clock_ns(), start = __atomic_load_n(&interval_start, __ATOMIC_RELAXED);
	unsigned int missed;

	if (now - start > INTERVAL_NS) {
		__atomic_store_n(&interval_start, now, __ATOMIC_RELAXED);
		__atomic_store_n(&nr_reports, 0, __ATOMIC_RELAXED);
		missed = __atomic_exchange_n(&nr_suppressed, 0, __ATOMIC_RELAXED);
		if (missed)
			report_note("page allocation failure: %u reports suppressed", missed);
	}
	if (__atomic_fetch_add(&nr_reports, 1, __ATOMIC_RELAXED) < BURST)
		return false;
	__atomic_fetch_add(&nr_suppressed, 1, __ATOMIC_RELAXED);
	return true;
}

static void stack_report(const struct alloc_who *who)
{
	const void *frame = __builtin_frame_address(0);
	uintptr_t address[NR_STACK], start, end;

	report_note("CPU: %d PID: %d Comm: %s", who->cpu, who->pid, who->comm);
	if (report_mapping((uintptr_t)frame, &start, &end))
		report_stack(address, report_walk(frame, end, address, NR_STACK));
}

/* Of what the pages were to become a part. */
static void object_report(const struct attempt *attempt, const char *gfp)
{
	const struct kmem_cache *cache = attempt->cache;

	if (!cache && attempt->size <= CLASS_MAX_SIZE)
		cache = &kmalloc_caches[size_to_class(attempt->size)];
	report_note("SLUB: Unable to allocate memory on node %d, gfp=0x%x(%s)", attempt->node, attempt->gfp, gfp);
	if (cache && !cache->run)
		report_note("  cache: %s, object size: %u, buffer size: %u, default order: %u, min order: %u",
			cache->name, cache->object_size, cache->size, cache->order, cache->order);
}

void failure_report(const struct attempt *attempt)
{
	char buffer[NAMES_BYTES];
	struct text gfp = TEXT_INIT(buffer, sizeof(buffer), -1);
	struct alloc_who who = machine_who();

	if (is_suppressed())
		return;
	failure_print_gfp(&gfp, attempt->gfp);
	report_note("%s: page allocation failure: order:%u, mode:0x%x(%s), nodemask=(null)",
		who.comm[0] ? who.comm : "?", attempt->order, attempt->gfp, buffer);
	stack_report(&who);
	if (attempt->kind == ATTEMPT_SLAB)
		object_report(attempt, buffer);
	if (machine_hooks->report_zones)
		machine_hooks->report_zones(attempt->gfp, attempt->order);
}

/* ---- flags that make no sense: once for each function that was called with them ---- */

static const char *told[NR_FUNCTIONS]; /* the functions' names. Synchronization: atomic */

static bool is_first_of(const char *function)
{
	for (unsigned int i = 0; i < NR_FUNCTIONS; i++) {
		const char *nobody = NULL;

		if (__atomic_compare_exchange_n(&told[i], &nobody, function, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
		if (nobody == function)
			return false;
	}
	return false;
}

gfp_t failure_drop_highmem(const char *function, gfp_t gfp)
{
	char before[NAMES_BYTES], after[NAMES_BYTES];
	struct text before_text = TEXT_INIT(before, sizeof(before), -1);
	struct text after_text = TEXT_INIT(after, sizeof(after), -1);
	gfp_t fixed = gfp & ~__GFP_HIGHMEM;

	if (!is_first_of(function))
		return fixed;
	failure_print_gfp(&before_text, gfp & __GFP_HIGHMEM);
	failure_print_gfp(&after_text, fixed);
	report_note("%s: Unexpected gfp: 0x%x (%s). Fixing up to gfp: 0x%x (%s). Fix your code!", function,
		gfp & __GFP_HIGHMEM, before, fixed, after);
	return fixed;
}

void failure_report_nofail(const struct attempt *attempt)
{
	static const char function[] = "__GFP_NOFAIL";
	char buffer[NAMES_BYTES];
	struct text gfp = TEXT_INIT(buffer, sizeof(buffer), -1);

	if (!is_first_of(function))
		return;
	failure_print_gfp(&gfp, attempt->gfp);
	report_note("WARNING: %s without __GFP_DIRECT_RECLAIM: order:%u, mode:0x%x(%s)", function, attempt->order,
		attempt->gfp, buffer);
}

void failure_report_too_large(gfp_t gfp, unsigned int order)
{
	static const char function[] = "__alloc_pages";
	char buffer[NAMES_BYTES];
	struct text names = TEXT_INIT(buffer, sizeof(buffer), -1);
	struct alloc_who who = machine_who();

	if (!is_first_of(function))
		return;
	failure_print_gfp(&names, gfp);
	report_note("WARNING: CPU: %d PID: %d at mm/page_alloc.c %s: order:%u is above %u, mode:0x%x(%s)", who.cpu,
		who.pid, function, order, MAX_ORDER, gfp, buffer);
	stack_report(&who);
}

void failure_reset(void)
{
	for (unsigned int i = 0; i < NR_FUNCTIONS; i++)
		told[i] = NULL;
	interval_start = 0;
	nr_reports = 0;
	nr_suppressed = 0;
}
