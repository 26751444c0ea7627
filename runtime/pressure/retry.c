/*
 * retry.c: what an allocation that failed does before it is tried again.
 *
 * Calls the rest of the room. Knows nothing of what is allocated.
 *
 * The order is the kernel's: kswapd is woken; whoever may use the reserves does; who may not sleep fails; cached free
 * memory is drained; rounds of direct reclaim, as long as they free something; sleeping in line; the OOM killer. Who
 * reclaims has PF_MEMALLOC set, so that its own allocations come here and go no further.
 */
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>

#include "runtime/pressure/internal.h"
#include "runtime/sched/sched.h"

struct pressure_config pressure_config;

/* Of the allocation that this task is retrying; a nested one, while reclaiming, does not get as far. */
struct retries {
	bool drained; /* since the last progress */
	bool reclaimed; /* at least one round ran */
	unsigned int without_progress; /* rounds in a row */
	unsigned long ticket; /* place in the line of sleepers; 0: none yet */
};
static __thread struct retries retries; /* Synchronization: own task */

/* ---- reserves ---- */

static bool may_use_all(gfp_t gfp)
{
	if (gfp & __GFP_NOMEMALLOC)
		return false;
	return (gfp & __GFP_MEMALLOC) || (!in_interrupt() && (current->flags & PF_MEMALLOC));
}

/* How deep the task may go beyond what its flags say. */
static enum page_level task_level(gfp_t gfp, enum page_level level)
{
	if (may_use_all(gfp))
		return PAGE_TO_NOTHING;
	if (!in_interrupt() && !(gfp & __GFP_NOMEMALLOC) && fatal_signal_pending(current) && level < PAGE_TO_RESERVE)
		return PAGE_TO_RESERVE;
	return level;
}

/* Whether the next attempt goes deeper than the last. */
static bool go_deeper(gfp_t gfp)
{
	struct page_request request = page_request_get();
	enum page_level level = task_level(gfp, (enum page_level)request.level);

	if (level == request.level)
		return false;
	request.level = (uint8_t)level;
	page_request_set(request);
	return true;
}

/* ---- direct reclaim ---- */

static enum vmstat_event allocstall_of(unsigned int type)
{
	static const enum vmstat_event events[NR_PAGE_ZONE_TYPES] = {
		VMSTAT_allocstall_dma, VMSTAT_allocstall_dma32, VMSTAT_allocstall_normal, VMSTAT_allocstall_movable};

	return events[type];
}

/* Rounds of rising priority until one batch is free. Returns whether that helped. */
static bool reclaim(gfp_t gfp, const struct page_request *request)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	unsigned long freed = 0;
	bool cleaned = false;

	vmstat_add(allocstall_of(request->type), 1);
	for (int priority = DEF_PRIORITY; priority >= 0 && freed < RECLAIM_BATCH; priority--) {
		struct scan scan = {.gfp = gfp,
			.node = request->this_node ? request->node : -1,
			.priority = (unsigned int)priority};

		scan_round(&scan);
		vmstat_add(VMSTAT_pgscan_direct, scan.scanned);
		vmstat_add(VMSTAT_pgsteal_direct, scan.reclaimed);
		freed += scan.reclaimed;
		cleaned |= scan.cleaned;
	}
	memalloc_noreclaim_restore(noreclaim);
	if (freed)
		kswapd_hope();
	/* kswapd, which was woken on this CPU, and those who wait for what was freed. */
	_cond_resched();
	return freed || cleaned;
}

static bool drain_first(void)
{
	unsigned int noreclaim;

	if (retries.drained)
		return false;
	retries.drained = true;
	noreclaim = memalloc_noreclaim_save();
	scan_drain();
	memalloc_noreclaim_restore(noreclaim);
	return true;
}

static bool request_suffices(const struct page_request *request, unsigned int order)
{
	return zones_suffice(request->this_node ? request->node : -1, order, (enum page_zone_type)request->type,
		(enum page_level)request->level);
}

/* ---- what comes after ---- */

static long patience(void)
{
	unsigned int ms = pressure_config.patience_ms ? pressure_config.patience_ms : 1000;

	return (long)msecs_to_jiffies(ms / MAX_RECLAIM_RETRIES + 1);
}

/* Whether the flags say to give up once a round of reclaim did not help. */
static bool gives_up_early(gfp_t gfp, unsigned int order)
{
	if (gfp & __GFP_NOFAIL)
		return false;
	return (gfp & __GFP_NORETRY) || (order > COSTLY_ORDER && !(gfp & __GFP_RETRY_MAYFAIL));
}

static bool out_of_patience(gfp_t gfp, unsigned int order, const struct page_request *request)
{
	bool again = oom_decide(gfp, order, request) == OOM_TRY_AGAIN;

	retries.without_progress = 0;
	retries.drained = false;
	if (!again && !(gfp & __GFP_NOFAIL))
		return false;
	/* A victim needs its time; who may not fail needs somebody else's. */
	if (!go_deeper(gfp))
		sleepers_wait(request, order, patience(), &retries.ticket);
	return true;
}

static bool try_harder(gfp_t gfp, unsigned int order)
{
	struct page_request request = page_request_get();

	if (drain_first() && request_suffices(&request, order))
		return true;
	if (retries.reclaimed && gives_up_early(gfp, order))
		return false;
	/* A victim that has had its share of the reserves ends sooner if it fails. */
	if (fatal_signal_pending(current) && request.level >= PAGE_TO_RESERVE && !(gfp & __GFP_NOFAIL))
		return false;
	if (retries.without_progress >= MAX_RECLAIM_RETRIES)
		return out_of_patience(gfp, order, &request);
	retries.reclaimed = true;
	if (reclaim(gfp, &request)) {
		retries.without_progress = 0;
		retries.drained = false;
		sleepers_wake();
	} else {
		retries.without_progress++;
		retries.drained = false;
		if (!gives_up_early(gfp, order) && !request_suffices(&request, order))
			sleepers_wait(&request, order, patience(), &retries.ticket);
	}
	return true;
}

/* Whether this task is one that may wait for memory here: it is not in an interrupt, and is not reclaiming itself. */
static bool may_reclaim(void)
{
	return !in_interrupt() && !(current->flags & PF_MEMALLOC);
}

bool pressure_retry(unsigned int gfp, unsigned int order, unsigned int attempt)
{
	if (!current)
		return false;
	gfp = current_gfp_context(gfp);
	if (attempt == 1 && may_reclaim())
		retries = (struct retries){.drained = false};
	if (attempt == 1 && (gfp & __GFP_KSWAPD_RECLAIM))
		kswapd_wake(-1, order, (enum page_zone_type)page_request_get().type);
	if (attempt == 1 && go_deeper(gfp))
		return true;
	if (!(gfp & __GFP_DIRECT_RECLAIM))
		return false;
	if (may_reclaim())
		return try_harder(gfp, order);
	if (in_interrupt() || !(gfp & __GFP_NOFAIL))
		return false;
	schedule_timeout_uninterruptible(1);
	return true;
}
