/*
 * kswapd.c: one thread a node that frees memory up to the high watermark when a zone has fallen below the low one.
 *
 * Calls scan.c. Knows nothing of the allocations that woke it.
 *
 * While tasks sleep for memory, the first node's thread has every free of pages wake them (page_set_freed), and looks
 * every jiffy whether memory has come that no free list shows: objects go back to magazines, which only a drain empties.
 * A wake-up that the hook fails to give would be hidden by that look: a test has it left out (look_jiffies).
 */
#include <errno.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/pressure/internal.h"
#include "runtime/sched/sched.h"

#define ORDER 256u

struct kswapd {
	struct task_struct *task; /* Synchronization: const while booted */
	/* 0, or 1 + the highest zone type that was asked for + ORDER times the largest order: one word, so that none is
	 * taken without the other. Synchronization: atomic */
	uint32_t wish;
	uint32_t failures; /* rounds in a row that freed nothing. Synchronization: atomic */
} cache_aligned;

static struct kswapd kswapds[PAGE_MAX_NODES];

/* ---- waking ---- */

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Returns whether it was not wished for already. */
static bool wish_add(uint32_t *wish, uint32_t order, uint32_t wanted)
{
	uint32_t old = __atomic_load_n(wish, __ATOMIC_RELAXED), both;

	do {
		both = larger(old / ORDER, order) * ORDER + larger(old % ORDER, wanted);
		if (both == old)
			return false;
		/* Pairs with kswapd_sleep(): it sees the wish, or is woken. */
	} while (!__atomic_compare_exchange_n(wish, &old, both, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return true;
}

static bool has_given_up(const struct kswapd *kswapd)
{
	return __atomic_load_n(&kswapd->failures, __ATOMIC_RELAXED) >= MAX_RECLAIM_RETRIES;
}

static void wake_one(struct kswapd *kswapd, unsigned int order, enum page_zone_type type)
{
	if (!kswapd->task || has_given_up(kswapd))
		return;
	if (wish_add(&kswapd->wish, order, (uint32_t)type + 1))
		wake_up_process(kswapd->task);
}

void kswapd_wake(int node, unsigned int order, enum page_zone_type type)
{
	for (int i = 0; i < (int)page_nr_nodes(); i++)
		if (node < 0 || node == i)
			wake_one(&kswapds[i], order, type);
}

void kswapd_watch(void)
{
	/* Pairs with kswapd_sleep(): it sees that somebody sleeps for memory, or is woken. */
	if (kswapds[0].task)
		wake_up_process(kswapds[0].task);
}

static void pressure_hook(unsigned int node, unsigned int order, enum page_zone_type type)
{
	kswapd_wake((int)node, order, type);
}

void kswapd_hope(void)
{
	for (unsigned int i = 0; i < page_nr_nodes(); i++)
		if (__atomic_load_n(&kswapds[i].failures, __ATOMIC_RELAXED))
			__atomic_store_n(&kswapds[i].failures, 0, __ATOMIC_RELAXED);
}

/* ---- working ---- */

static bool is_balanced(int node, unsigned int order, enum page_zone_type type)
{
	return zones_suffice(node, order, type, PAGE_TO_HIGH);
}

/* Rounds of rising priority until the node is balanced. Returns what was freed. */
static unsigned long reclaim_node(int node, unsigned int order, enum page_zone_type type)
{
	unsigned long freed = 0;

	for (int priority = DEF_PRIORITY; priority >= 0 && !is_balanced(node, order, type); priority--) {
		struct scan scan = {
			.gfp = GFP_KERNEL, .node = node, .priority = (unsigned int)priority, .kswapd = true};

		scan_round(&scan);
		vmstat_add(VMSTAT_pgscan_kswapd, scan.scanned);
		vmstat_add(VMSTAT_pgsteal_kswapd, scan.reclaimed);
		freed += scan.reclaimed;
		/* As long as a round pays, the next is no more thorough. */
		if (scan.reclaimed >= RECLAIM_BATCH)
			priority++;
		sleepers_wake();
		_cond_resched();
		if (kthread_should_stop())
			break;
	}
	return freed;
}

static void balance(struct kswapd *kswapd, int node, unsigned int order, enum page_zone_type type)
{
	unsigned long freed;

	vmstat_add(VMSTAT_pageoutrun, 1);
	if (is_balanced(node, order, type)) {
		vmstat_add(VMSTAT_kswapd_low_wmark_hit_quickly, 1);
		return;
	}
	freed = scan_drain();
	freed += reclaim_node(node, order, type);
	/* What is reclaimed of slabs, and of blocks that are larger than what was freed, shows after a drain. */
	if (!is_balanced(node, order, type))
		freed += scan_drain();
	if (freed || is_balanced(node, order, type))
		__atomic_store_n(&kswapd->failures, 0, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&kswapd->failures, 1, __ATOMIC_RELAXED);
}

static void kswapd_sleep(struct kswapd *kswapd, bool watches)
{
	long look = pressure_config.look_jiffies ? pressure_config.look_jiffies : 1;
	bool any, unwatched;

	set_current_state(TASK_INTERRUPTIBLE);
	/* Pairs with kswapd_watch(): who came to the line since this thread looked found it running, and woke nobody. */
	any = sleepers_any();
	unwatched = any && kswapd == &kswapds[0] && !watches;
	/* Pairs with wish_add(). */
	if (!unwatched && !__atomic_load_n(&kswapd->wish, __ATOMIC_SEQ_CST) && !kthread_should_stop())
		schedule_timeout(any ? look : MAX_SCHEDULE_TIMEOUT);
	__set_current_state(TASK_RUNNING);
}

static void freed_hook(unsigned int node)
{
	(void)node;
	sleepers_wake();
}

/*
 * Only the first node's thread does this, so the hook is set exactly as it was last said. After it has been set, no
 * free misses it; what was freed before is found by the drain that follows. Who comes to the line later wakes this
 * thread (kswapd_watch()), so one that came while the hook was being removed has it set again.
 */
static void watch_frees(const struct kswapd *kswapd, bool *watches, bool on)
{
	host_sigmask_t mask;

	if (kswapd != &kswapds[0] || *watches == on)
		return;
	mask = host_signals_block();
	page_set_freed(on ? freed_hook : NULL);
	host_signals_restore(mask);
	*watches = on;
}

static int kswapd_body(void *data)
{
	struct kswapd *kswapd = data;
	int node = (int)(kswapd - kswapds);
	bool watches = false;

	while (!kthread_should_stop()) {
		uint32_t wish = __atomic_exchange_n(&kswapd->wish, 0, __ATOMIC_SEQ_CST);

		watch_frees(kswapd, &watches, sleepers_any());
		if (wish) {
			vmstat_add(VMSTAT_kswapd_wake, 1);
			balance(kswapd, node, wish / ORDER, (enum page_zone_type)(wish % ORDER - 1));
		} else if (sleepers_any()) {
			scan_drain();
		}
		sleepers_wake();
		kswapd_sleep(kswapd, watches);
	}
	watch_frees(kswapd, &watches, false);
	return 0;
}

/* ---- boot ---- */

static int start_one(struct kswapd *kswapd, int node)
{
	struct task_struct *task = kthread_create_on_node(kswapd_body, kswapd, node, "kswapd%d", node);

	*kswapd = (struct kswapd){.task = NULL};
	if (IS_ERR(task))
		return (int)PTR_ERR(task);
	kswapd->task = task;
	task->flags |= PF_MEMALLOC | PF_KSWAPD;
	wake_up_process(task);
	return 0;
}

int kswapd_boot(void)
{
	for (int node = 0; node < (int)page_nr_nodes(); node++) {
		int error = start_one(&kswapds[node], node);

		if (!error)
			continue;
		kswapd_shutdown();
		return error;
	}
	page_set_pressure(pressure_hook);
	return 0;
}

void kswapd_shutdown(void)
{
	page_set_pressure(NULL);
	for (unsigned int node = 0; node < PAGE_MAX_NODES; node++) {
		struct task_struct *task = kswapds[node].task;

		kswapds[node].task = NULL;
		if (task)
			kthread_stop(task);
		kswapds[node] = (struct kswapd){.task = NULL};
	}
}

bool kswapd_is(const struct task_struct *task)
{
	for (unsigned int node = 0; node < PAGE_MAX_NODES; node++)
		if (task && kswapds[node].task == task)
			return true;
	return false;
}

void kswapd_forget(void)
{
	page_set_pressure(NULL);
	memset(kswapds, 0, sizeof(kswapds));
}
