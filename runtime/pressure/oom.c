/*
 * oom.c: who ends when memory is out.
 *
 * Calls the notifiers, show.c for the report. Knows nothing of what tasks do with memory: those that may be chosen
 * tell.
 */
#include <errno.h>
#include <flagstone/oom.h>
#include <linux/jiffies.h>
#include <linux/oom.h>

#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/pressure/internal.h"
#include "runtime/sched/sched.h"
#include "runtime/slab/slab.h"

#define VICTIM_TIME (10 * HZ) /* until another is chosen beside one that does not end */
#define GFP_TEXT 400
#define REPORT_INTERVAL (5 * HZ) /* the kernel's numbers */
#define REPORT_BURST 10

/* A task that may be chosen; the list holds a reference to it. */
struct killable {
	struct list_head list; /* Synchronization: oom_lock */
	struct task_struct *task; /* Synchronization: const */
	long nr_pages; /* Synchronization: oom_lock */
	int adj; /* Synchronization: oom_lock */
	bool chosen; /* Synchronization: oom_lock */
};

static struct lock oom_lock = {.rank = LOCK_PRESSURE};
static struct list_head killables = LIST_HEAD_INIT(killables); /* Synchronization: oom_lock */
static unsigned long chosen_at; /* jiffies of the last choice. Synchronization: oom_lock */
static bool deciding; /* one task at a time goes through with it. Synchronization: oom_lock */
static unsigned long reports_since; /* Synchronization: deciding, as the next */
static unsigned int nr_reports;

int fatal_signal_pending(struct task_struct *task)
{
	/* Pairs with oom_kill(): who says that it sleeps and then looks sees this, or is woken. */
	return __atomic_load_n(&task->oom_reserve_access, __ATOMIC_SEQ_CST) != NULL;
}

/* ---- notifiers ---- */

static struct notifier_block *chain; /* by falling priority. Synchronization: oom_lock */
static unsigned int nr_notifying; /* rounds that are under way. Synchronization: oom_lock */
static struct list_head notify_line = LIST_HEAD_INIT(notify_line); /* Synchronization: oom_lock */

int register_oom_notifier(struct notifier_block *nb)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct notifier_block **link = &chain, *at;
	int error = 0;

	for (at = chain; at; at = at->next)
		if (at == nb)
			error = -EEXIST;
	while (*link && (*link)->priority >= nb->priority)
		link = &(*link)->next;
	if (!error) {
		nb->next = *link;
		*link = nb;
	}
	lock_release_masked(&oom_lock, mask);
	if (!error)
		resource_made(&(struct resource){
			.type = RESOURCE_OOM_NOTIFIER, .object = nb, .caller = __builtin_return_address(0)});
	return error;
}

int unregister_oom_notifier(struct notifier_block *nb)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct notifier_block **link = &chain;
	int error = -ENOENT;

	/* A round goes along the links without the lock. */
	while (nr_notifying) {
		struct waiter waiter;

		__waiter_enter(&notify_line, &waiter);
		__waiter_sleep(&oom_lock, &mask, &waiter, MAX_SCHEDULE_TIMEOUT, false);
		__waiter_leave(&waiter);
	}
	while (*link && *link != nb)
		link = &(*link)->next;
	if (*link) {
		*link = nb->next;
		error = 0;
	}
	lock_release_masked(&oom_lock, mask);
	if (!error)
		resource_ended(RESOURCE_OOM_NOTIFIER, nb);
	return error;
}

/* Returns the pages that notifiers say they freed. */
static unsigned long notify(void)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct notifier_block *nb = chain;
	unsigned long freed = 0;

	nr_notifying++;
	lock_release_masked(&oom_lock, mask);
	for (; nb; nb = nb->next)
		if (nb->notifier_call(nb, 0, &freed) & NOTIFY_STOP_MASK)
			break;
	mask = lock_acquire_masked(&oom_lock);
	if (!--nr_notifying)
		__waiters_wake_all(&notify_line);
	lock_release_masked(&oom_lock, mask);
	return freed;
}

/* ---- tasks that may be chosen ---- */

static struct killable *__find(const struct task_struct *task)
{
	struct killable *killable;

	list_for_each_entry(killable, &killables, list)
		if (killable->task == task)
			return killable;
	return NULL;
}

/* Off the list; frees it after the lock is let go. */
static void killable_free(struct killable *killable)
{
	if (!killable)
		return;
	put_task_struct(killable->task);
	sched_free(killable);
}

static struct killable *__remove(struct killable *killable)
{
	if (killable)
		list_del(&killable->list);
	return killable;
}

int flagstone_oom_killable(int oom_score_adj)
{
	struct killable *fresh = sched_zalloc(sizeof(*fresh));
	struct killable *killable;
	host_sigmask_t mask;

	if (!fresh)
		return -ENOMEM;
	mask = lock_acquire_masked(&oom_lock);
	killable = __find(current);
	if (!killable) {
		killable = fresh;
		fresh = NULL;
		killable->task = get_task_struct(current);
		list_add_tail(&killable->list, &killables);
	}
	killable->adj = oom_score_adj;
	lock_release_masked(&oom_lock, mask);
	sched_free(fresh);
	return 0;
}

void flagstone_oom_account(long nr_pages)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct killable *killable = __find(current);

	if (killable)
		killable->nr_pages += nr_pages;
	lock_release_masked(&oom_lock, mask);
}

void flagstone_oom_unkillable(void)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct killable *killable = __remove(__find(current));

	lock_release_masked(&oom_lock, mask);
	__atomic_store_n(&current->oom_reserve_access, NULL, __ATOMIC_RELAXED);
	killable_free(killable);
	sleepers_wake();
}

/* Kernel threads say so; threads of the host that are detached are dead tasks. */
static bool has_ended(const struct killable *killable)
{
	return sched_has_ended(to_sched(killable->task)) ||
	       __atomic_load_n(&killable->task->__state, __ATOMIC_RELAXED) == TASK_DEAD;
}

static struct killable *__first_ended(void)
{
	struct killable *killable;

	list_for_each_entry(killable, &killables, list)
		if (has_ended(killable))
			return killable;
	return NULL;
}

void oom_forget_ended(void)
{
	struct killable *killable;

	do {
		host_sigmask_t mask = lock_acquire_masked(&oom_lock);

		killable = __remove(__first_ended());
		lock_release_masked(&oom_lock, mask);
		killable_free(killable);
	} while (killable);
}

/* ---- the choice ---- */

static unsigned long machine_pages(void)
{
	return page_nr_phys();
}

static long badness(const struct killable *killable)
{
	long points = killable->nr_pages + killable->adj * (long)(machine_pages() / 1000);

	if (killable->adj == OOM_SCORE_ADJ_MIN)
		return -1;
	return points > 0 ? points : 1;
}

/* The worst that was not chosen yet; of equals the one that came first. */
static struct killable *__choose(void)
{
	struct killable *killable, *worst = NULL;

	list_for_each_entry(killable, &killables, list)
		if (!killable->chosen && badness(killable) > (worst ? badness(worst) : 0))
			worst = killable;
	return worst;
}

/* Whether a task that was chosen has not ended yet, and has had too little time for it. */
static bool __victim_is_ending(void)
{
	struct killable *killable;

	list_for_each_entry(killable, &killables, list)
		if (killable->chosen && time_before(jiffies, chosen_at + VICTIM_TIME))
			return true;
	return false;
}

/* Under the lock, so that it does not end meanwhile. */
static void __oom_kill(struct killable *victim)
{
	victim->chosen = true;
	chosen_at = jiffies;
	vmstat_add(VMSTAT_oom_kill, 1);
	__atomic_store_n(&victim->task->oom_reserve_access, (void *)victim->task, __ATOMIC_SEQ_CST);
	wake_up_state(victim->task, TASK_INTERRUPTIBLE | TASK_WAKEKILL);
}

/* ---- the report ---- */

static bool is_suppressed(void)
{
	if (time_after(jiffies, reports_since + REPORT_INTERVAL)) {
		reports_since = jiffies;
		nr_reports = 0;
	}
	return nr_reports++ >= REPORT_BURST;
}

struct row {
	int pid, adj;
	long nr_pages;
	char comm[TASK_COMM_LEN];
};

/* The killable task number i. False: there are no more. */
static bool row_get(unsigned int i, struct row *row)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct killable *killable;
	bool found = false;

	list_for_each_entry(killable, &killables, list) {
		if (i--)
			continue;
		*row = (struct row){.pid = killable->task->pid, .adj = killable->adj, .nr_pages = killable->nr_pages};
		__builtin_memcpy(row->comm, killable->task->comm, sizeof(row->comm));
		found = true;
		break;
	}
	lock_release_masked(&oom_lock, mask);
	return found;
}

static void report_tasks(void)
{
	struct row row;

	report_note("Tasks state (memory values in pages):");
	report_note("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name");
	for (unsigned int i = 0; row_get(i, &row); i++)
		report_note("[%7d] %5d %5d %8ld %8ld %8d %8d %13d %s", row.pid, 0, row.pid, row.nr_pages, row.nr_pages,
			0, 0, row.adj, row.comm);
}

static void report(gfp_t gfp, unsigned int order)
{
	char names[GFP_TEXT];
	struct text text = TEXT_INIT(names, sizeof(names), -1);
	struct row row = {.adj = 0};

	slab_print_gfp(&text, gfp);
	for (unsigned int i = 0; row_get(i, &row) && row.pid != current->pid; i++)
		row.adj = 0;
	/* The kernel always has a killer to invoke; where a request fails instead, nobody is looked for. */
	report_note("%s %s: gfp_mask=0x%x(%s), order=%u, oom_score_adj=%d", current->comm,
		pressure_config.oom == OOM_FAIL ? "is out of memory" : "invoked oom-killer", gfp, names, order,
		row.pid == current->pid ? row.adj : 0);
	report_note("CPU: %d PID: %d Comm: %s", flagstone_this.cpu, current->pid, current->comm);
	show_mem();
	report_tasks();
}

/* ---- the decision ---- */

static enum oom_verdict kill_one(void)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);
	struct killable *victim = __choose();
	struct row row = {.pid = 0};

	if (victim) {
		row = (struct row){.pid = victim->task->pid, .adj = victim->adj, .nr_pages = victim->nr_pages};
		__builtin_memcpy(row.comm, victim->task->comm, sizeof(row.comm));
		__oom_kill(victim);
	}
	lock_release_masked(&oom_lock, mask);
	if (!victim) {
		report_note("Out of memory and no killable processes...");
		return OOM_GIVE_UP;
	}
	report_note("Out of memory: Killed process %d (%s) total-vm:%ldkB, anon-rss:%ldkB, file-rss:0kB, "
		    "shmem-rss:0kB, UID:0 "
		    "pgtables:0kB oom_score_adj:%d",
		row.pid, row.comm, row.nr_pages * 4, row.nr_pages * 4, row.adj);
	return OOM_TRY_AGAIN;
}

static enum oom_verdict by_policy(gfp_t gfp, unsigned int order)
{
	bool told = !is_suppressed();

	if (told)
		report(gfp, order);
	if (pressure_config.oom == OOM_PANIC) {
		report_note("Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled");
		host_abort();
	}
	if (pressure_config.oom == OOM_KILL)
		return kill_one();
	if (told)
		report_note("Out of memory: the request fails, no process is killed (oom=fail)");
	return OOM_GIVE_UP;
}

/* Some requests are not worth a task, or cannot be helped by its end. */
static bool is_worth_it(gfp_t gfp, unsigned int order, const struct page_request *request)
{
	if (order > COSTLY_ORDER || (gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)))
		return false;
	return request->type >= PAGE_ZONE_NORMAL;
}

/* Returns whether nobody else is deciding: then oom_end(). */
static bool oom_begin(bool *victim_is_ending, bool *any)
{
	host_sigmask_t mask;
	bool mine;

	oom_forget_ended();
	mask = lock_acquire_masked(&oom_lock);
	mine = !deciding;
	deciding = true;
	*victim_is_ending = __victim_is_ending();
	*any = !list_empty(&killables);
	lock_release_masked(&oom_lock, mask);
	return mine;
}

static void oom_end(void)
{
	host_sigmask_t mask = lock_acquire_masked(&oom_lock);

	deciding = false;
	lock_release_masked(&oom_lock, mask);
}

enum oom_verdict oom_decide(gfp_t gfp, unsigned int order, const struct page_request *request)
{
	enum oom_verdict verdict = OOM_TRY_AGAIN;
	bool ending, any;

	if (!is_worth_it(gfp, order, request))
		return OOM_GIVE_UP;
	if (!oom_begin(&ending, &any))
		return OOM_TRY_AGAIN;
	/* Who must not enter a file system may be what all others wait for: it goes on trying, where somebody else
	 * can be killed. */
	if (!(gfp & __GFP_FS))
		verdict = pressure_config.oom == OOM_KILL && any ? OOM_TRY_AGAIN : OOM_GIVE_UP;
	else if (!ending && !notify() && !zones_suffice(-1, order, (enum page_zone_type)request->type, PAGE_TO_HIGH))
		verdict = by_policy(gfp, order);
	oom_end();
	return verdict;
}

void oom_reset(void)
{
	struct killable *killable;

	while (!list_empty(&killables)) {
		killable = list_first_entry(&killables, struct killable, list);
		__atomic_store_n(&killable->task->oom_reserve_access, NULL, __ATOMIC_RELAXED);
		killable_free(__remove(killable));
	}
	chain = NULL;
	deciding = false;
	nr_reports = 0;
	reports_since = 0;
}

void oom_forget(void)
{
	lock_reinit(&oom_lock);
	list_init(&killables);
	list_init(&notify_line);
	nr_notifying = 0;
	chain = NULL;
	oom_reset();
}
