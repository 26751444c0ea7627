/*
 * test_contexts.c: every function that allocates, in every context, with every flag, while there is much memory, little, or none: each
 * cell of that matrix comes out as expected() says. FLAGSTONE_MATRIX=full: with every pair of modifiers, too.
 *
 * Broken if this fails: somewhere an allocation fails, succeeds, or is reported where its flags and context say otherwise.
 */
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "include/flagstone/irq.h"
#include "include/flagstone/machine.h"
#include "runtime/lib/report.h"
#include "runtime/pressure/internal.h"
#include "runtime/slab/machine.h"
#include "runtime/slab/slab.h"
#include "tests/unit/alloc_functions.h"

#define IRQ 9
#define MAX_WRONG 20
#define NR_CELLS 38558 /* a cell that falls out of the matrix is to be noticed */
#define NR_CELLS_FULL 217962

/* ---- flags ---- */

struct flag {
	const char *name;
	gfp_t gfp;
};
static const struct flag bases[] = {
	{"GFP_KERNEL", GFP_KERNEL},
	{"GFP_USER", GFP_USER},
	{"GFP_NOFS", GFP_NOFS},
	{"GFP_NOIO", GFP_NOIO},
	{"GFP_NOWAIT", GFP_NOWAIT},
	{"GFP_ATOMIC", GFP_ATOMIC},
};
static const struct flag modifiers[] = {
	{"0", 0},
	{"__GFP_NOWARN", __GFP_NOWARN},
	{"__GFP_NORETRY", __GFP_NORETRY},
	{"__GFP_ZERO", __GFP_ZERO},
	{"__GFP_HIGH", __GFP_HIGH},
	{"__GFP_MEMALLOC", __GFP_MEMALLOC},
	{"__GFP_NOMEMALLOC", __GFP_NOMEMALLOC},
	{"__GFP_THISNODE", __GFP_THISNODE},
	{"__GFP_ACCOUNT", __GFP_ACCOUNT},
	{"__GFP_RECLAIMABLE", __GFP_RECLAIMABLE},
};

/* ---- contexts ---- */

static struct completion ended;
static void (*in_context)(void);
static DEFINE_SPINLOCK(lock);

static void run_and_complete(void)
{
	in_context();
	complete(&ended);
}

static void in_task_itself(void)
{
	in_context();
}

static void without_preemption(void)
{
	preempt_disable();
	in_context();
	preempt_enable();
}

static void with_spinlock(void)
{
	spin_lock(&lock);
	in_context();
	spin_unlock(&lock);
}

static void without_interrupts(void)
{
	local_irq_disable();
	in_context();
	local_irq_enable();
}

static void without_softirqs(void)
{
	local_bh_disable();
	in_context();
	local_bh_enable();
}

static void tasklet_body(struct tasklet_struct *tasklet)
{
	(void)tasklet;
	run_and_complete();
}
static struct tasklet_struct tasklet;

static void in_tasklet(void)
{
	tasklet_schedule(&tasklet);
	wait_for_completion(&ended);
}

static irqreturn_t handler(int irq, void *unused)
{
	(void)irq;
	(void)unused;
	run_and_complete();
	return IRQ_HANDLED;
}

static void in_interrupt_handler(void)
{
	flagstone_irq_raise(IRQ);
	wait_for_completion(&ended);
}

static void timer_body(struct timer_list *timer)
{
	(void)timer;
	run_and_complete();
}
static struct timer_list timer;

static void in_timer(void)
{
	mod_timer(&timer, jiffies);
	wait_for_completion(&ended);
}

static void work_body(struct work_struct *work)
{
	(void)work;
	run_and_complete();
}
static struct work_struct work;

static void in_work(void)
{
	schedule_work(&work);
	wait_for_completion(&ended);
}

static void in_reclaim(void)
{
	unsigned int flags = memalloc_noreclaim_save();

	in_context();
	memalloc_noreclaim_restore(flags);
}

static void in_noio_scope(void)
{
	unsigned int flags = memalloc_noio_save();

	in_context();
	memalloc_noio_restore(flags);
}

static void in_nofs_scope(void)
{
	unsigned int flags = memalloc_nofs_save();

	in_context();
	memalloc_nofs_restore(flags);
}

static const struct context {
	const char *name;
	void (*run)(void);
	bool is_atomic; /* must not sleep */
	bool reclaims; /* PF_MEMALLOC */
	gfp_t removed; /* by a scope */
	bool is_slow; /* takes a jiffy to get there */
} contexts[] = {
	{.name = "a task", .run = in_task_itself},
	{.name = "a work item", .run = in_work},
	{.name = "a task with preemption off", .run = without_preemption, .is_atomic = true},
	{.name = "a task with a spinlock", .run = with_spinlock, .is_atomic = true},
	{.name = "a task with interrupts off", .run = without_interrupts, .is_atomic = true},
	{.name = "a task with softirqs off", .run = without_softirqs, .is_atomic = true},
	{.name = "a tasklet", .run = in_tasklet, .is_atomic = true},
	{.name = "a timer", .run = in_timer, .is_atomic = true, .is_slow = true},
	{.name = "an interrupt", .run = in_interrupt_handler, .is_atomic = true},
	{.name = "reclaim", .run = in_reclaim, .reclaims = true},
	{.name = "a noio scope", .run = in_noio_scope, .removed = __GFP_IO | __GFP_FS},
	{.name = "a nofs scope", .run = in_nofs_scope, .removed = __GFP_FS},
};

/* ---- how much memory there is ---- */

enum amount {
	PLENTY,
	CACHED, /* as LOW, but a shrinker has some, which it gives back to who may enter a file system */
	LOW, /* the reserve: nothing for those without a right to it */
	DRY,
	NR_MEMORY
};
static const char *const memory_names[] = {"plenty", "in a cache", "low", "none"};

struct held {
	struct held *next;
};
static struct held *pages, *objects, *cached;
static unsigned long nr_pages;
static struct task_struct *shrinks; /* for whom the shrinker has something */
static unsigned int nr_shrunk;

static bool push(struct held **list, void *object)
{
	struct held *held = object;

	if (!held)
		return false;
	held->next = *list;
	*list = held;
	return true;
}

static void *pop(struct held **list)
{
	struct held *held = *list;

	if (held)
		*list = held->next;
	return held;
}

static unsigned long drop_pages(unsigned long nr)
{
	unsigned long dropped = 0;

	for (void *page; dropped < nr && (page = pop(&pages)); dropped++, nr_pages--)
		free_page((unsigned long)page);
	return dropped;
}

static void drop_all(void)
{
	drop_pages(nr_pages);
	for (void *object; (object = pop(&objects));)
		kfree(object);
	for (void *object; (object = pop(&cached));)
		kmem_cache_free(cache, object);
}

/* Until there is no more for such a request, neither a page nor a free object of a slab that there is. */
static void hold_all(gfp_t gfp)
{
	bool any;

	do {
		any = false;
		slab_trim(0);
		while (push(&pages, (void *)__get_free_page(gfp))) {
			nr_pages++;
			any = true;
		}
		while (push(&objects, kmalloc(SIZE, gfp)))
			any = true;
		while (push(&cached, kmem_cache_alloc(cache, gfp)))
			any = true;
	} while (any);
}

static void set_memory(enum amount memory)
{
	if (memory == PLENTY)
		drop_all();
	else
		hold_all(__GFP_NOWARN | (memory == DRY ? GFP_ATOMIC | __GFP_MEMALLOC : GFP_NOWAIT));
}

static unsigned long count_pages(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return current == shrinks && nr_pages ? nr_pages : SHRINK_EMPTY;
}

static unsigned long scan_pages(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	if (current != shrinks || !(sc->gfp_mask & __GFP_FS))
		return SHRINK_STOP;
	nr_shrunk++;
	return drop_pages(sc->nr_to_scan);
}

/* ---- cells ---- */

struct cell {
	const struct function *function;
	const struct context *context;
	const struct flag *base, *modifier, *other;
	enum amount memory;
};

static gfp_t gfp_of(const struct cell *cell)
{
	return cell->base->gfp | cell->modifier->gfp | cell->other->gfp;
}

/* Outcomes: sets of these. */
enum { GIVES = 1, SHRINKS = 2, TELLS_OF_SLEEP = 4, TELLS_OF_FAILURE = 8, TELLS_ELSE = 16 };

/*
 * The rules. Semantics: Linux, Documentation/core-api/memory-allocation.rst and gfp_mask-from-fs-io.rst, include/linux/gfp_types.h.
 */
static unsigned int expected(const struct cell *cell)
{
	gfp_t gfp = gfp_of(cell) & ~cell->context->removed;
	bool sleeps = (gfp & __GFP_DIRECT_RECLAIM) && !cell->function->no_flags;
	/* Who frees more than it takes may have all; who says that it must not, must not. */
	bool has_all = !(gfp & __GFP_NOMEMALLOC) && ((gfp & __GFP_MEMALLOC) || cell->context->reclaims);
	bool has_reserve = has_all || (gfp & __GFP_HIGH);
	/* Who reclaims already does not do so again. */
	bool shrinks_cache = sleeps && (gfp & __GFP_FS) && !cell->context->reclaims && !has_reserve;
	bool may_sleep = sleeps && !(cell->function->prefers_large && cell->memory == PLENTY) &&
			 !(cell->function->wants_all && (gfp & GFP_KERNEL) != GFP_KERNEL);
	unsigned int outcome = may_sleep && cell->context->is_atomic ? TELLS_OF_SLEEP : 0;

	if (cell->memory == PLENTY || cell->function->has_own || (cell->memory != DRY && has_reserve))
		return outcome | GIVES;
	if (cell->memory == CACHED && shrinks_cache)
		return outcome | GIVES | SHRINKS;
	return outcome | (gfp & __GFP_NOWARN ? 0 : TELLS_OF_FAILURE);
}

/* Whether the cell means anything, and can be had without a wait of seconds. */
static bool is_in(const struct cell *cell)
{
	gfp_t gfp = gfp_of(cell);
	bool sleeps = gfp & __GFP_DIRECT_RECLAIM;

	if (gfp & cell->function->never || (cell->other != modifiers && cell->other <= cell->modifier))
		return false;
	if (cell->memory == PLENTY)
		return true;
	/* After the report, a sleep in the wrong place is what it is. */
	if (cell->context->is_slow || (sleeps && cell->context->is_atomic))
		return false;
	/* What neither gives up early nor gets any waits for a second, or here for 16 jiffies. */
	return cell->function->has_own || (expected(cell) & GIVES) || !sleeps || (gfp & __GFP_NORETRY) ||
	       cell->context->reclaims ||
	       (cell->function->is_patient && cell->memory == LOW && cell->modifier == modifiers);
}

static struct cell at; /* the cell, or with much memory the context, that is looked at */
static unsigned int nr_cells, nr_wrong;
static unsigned int nr_outcomes[32];
static int reports = -1; /* what stderr goes to meanwhile */
static int real_stderr;
static char told[1 << 16];

static void print_outcome(unsigned int outcome)
{
	dprintf(real_stderr, "%s%s%s%s%s", outcome & GIVES ? "gives" : "gives nothing",
		outcome & SHRINKS ? ", shrinks" : "", outcome & TELLS_OF_SLEEP ? ", tells of sleep" : "",
		outcome & TELLS_OF_FAILURE ? ", tells of failure" : "",
		outcome & TELLS_ELSE ? ", tells something else" : "");
}

static void print_wrong(const struct cell *cell, unsigned int outcome)
{
	if (nr_wrong++ >= MAX_WRONG)
		return;
	dprintf(real_stderr, "%s(%s | %s | %s) in %s, memory: %s: ", cell->function->name, cell->base->name,
		cell->modifier->name, cell->other->name, cell->context->name, memory_names[cell->memory]);
	print_outcome(outcome);
	dprintf(real_stderr, "; it should be: ");
	print_outcome(expected(cell));
	dprintf(real_stderr, "\n%s", told);
}

static unsigned int outcome_told(void)
{
	ssize_t length = pread(reports, told, sizeof(told) - 1, 0);
	bool sleep, failure;

	told[length > 0 ? length : 0] = '\0';
	if (length > 0 && ftruncate(reports, 0))
		abort();
	sleep = strstr(told, "sleeping function called from invalid context");
	failure = strstr(told, ": page allocation failure: ") || strstr(told, "alloc_percpu: allocation failed");
	return (sleep ? TELLS_OF_SLEEP : 0) | (failure ? TELLS_OF_FAILURE : 0) |
	       (length > 0 && !sleep && !failure && !strstr(told, " out of memory: ") ? TELLS_ELSE : 0);
}

static void try_cell(const struct cell *cell)
{
	unsigned int outcome;
	void *object;

	failure_reset();
	nr_shrunk = 0;
	/* Not kswapd, which an earlier cell may have woken. */
	shrinks = cell->memory == CACHED ? current : NULL;
	object = cell->function->alloc(gfp_of(cell));
	shrinks = NULL;
	outcome = (object ? GIVES : 0) | (nr_shrunk ? SHRINKS : 0) | outcome_told();
	if (object)
		cell->function->free(object);
	nr_cells++;
	nr_outcomes[outcome]++;
	if (outcome != expected(cell))
		print_wrong(cell, outcome);
}

static void try_one(void)
{
	try_cell(&at);
}

/* ---- the matrix ---- */

static bool full;

static void for_each_flags(struct cell *cell, void (*visit)(const struct cell *cell))
{
	for (unsigned int base = 0; base < ARRAY_SIZE(bases); base++) {
		cell->base = &bases[base];
		for (unsigned int modifier = 0; modifier < ARRAY_SIZE(modifiers); modifier++) {
			cell->modifier = &modifiers[modifier];
			for (unsigned int other = 0; other < (full ? ARRAY_SIZE(modifiers) : 1); other++) {
				cell->other = &modifiers[other];
				if (is_in(cell))
					visit(cell);
			}
		}
	}
}

static void for_each_cell(const struct cell *start, void (*visit)(const struct cell *cell))
{
	struct cell cell = *start;

	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		cell.function = &functions[i];
		for_each_flags(&cell, visit);
	}
}

/* All of one context at once. */
static void try_all(void)
{
	for_each_cell(&at, try_cell);
}

/* Short memory is made short again for each. */
static void try_alone(const struct cell *cell)
{
	set_memory(cell->memory);
	at = *cell;
	in_context = try_one;
	cell->context->run();
}

static void with_memory(enum amount memory)
{
	set_memory(memory);
	for (unsigned int i = 0; i < ARRAY_SIZE(contexts); i++) {
		const struct cell start = {.context = &contexts[i], .memory = memory};

		at = start;
		in_context = try_all;
		if (memory == PLENTY)
			contexts[i].run();
		else
			for_each_cell(&start, try_alone);
	}
	set_memory(PLENTY);
}

/* ---- __GFP_NOFAIL ---- */

static struct timer_list relief;

static void relieve(struct timer_list *unused)
{
	(void)unused;
	drop_pages(512); /* to above the watermark */
}

static void nofail_waits_until_there_is_some(void **state)
{
	(void)state;
	timer_setup(&relief, relieve, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		const struct function *function = &functions[i];
		void *object;

		if (function->has_own)
			continue;
		set_memory(DRY);
		mod_timer(&relief, jiffies + 1);
		object = function->alloc(GFP_KERNEL | __GFP_NOFAIL | __GFP_NOWARN);
		if (!object)
			print_error("%s gave nothing\n", function->name);
		assert_non_null(object);
		function->free(object);
		timer_delete_sync(&relief);
	}
	set_memory(PLENTY);
}

/* ---- all of it ---- */

static void report_to_file(void)
{
	reports = memfd_create("reports", 0);
	real_stderr = dup(2);
	assert_true(reports >= 0 && real_stderr >= 0);
	dup2(reports, 2);
	assert_int_equal(fcntl(2, F_SETFL, O_APPEND), 0);
}

static void every_cell_is_as_the_rules_say(void **state)
{
	struct shrinker *shrinker = shrinker_alloc(0, "matrix");

	(void)state;
	assert_non_null(shrinker);
	shrinker->count_objects = count_pages;
	shrinker->scan_objects = scan_pages;
	shrinker_register(shrinker);
	report_to_file();
	for (enum amount memory = PLENTY; memory < NR_MEMORY; memory++)
		with_memory(memory);
	dup2(real_stderr, 2);
	shrinker_free(shrinker);
	print_message("%u cells, %u of them wrong\n", nr_cells, nr_wrong);
	for (unsigned int i = 0; i < ARRAY_SIZE(nr_outcomes); i++) {
		if (!nr_outcomes[i])
			continue;
		print_message("%8u: ", nr_outcomes[i]);
		fflush(stdout);
		print_outcome(i);
		dprintf(real_stderr, "\n");
	}
	assert_int_equal(nr_cells, full ? NR_CELLS_FULL : NR_CELLS);
	assert_int_equal(nr_wrong, 0);
}

static int boot(void **state)
{
	(void)state;
	report_on_bug = REPORT_BUG_CONTINUE;
	if (flagstone_machine_boot_text("cpus=1,ram=16m,oom=fail,tracking=0,lockdep=0"))
		return -1;
	pressure_config.patience_ms = 1;
	full = getenv("FLAGSTONE_MATRIX") && !strcmp(getenv("FLAGSTONE_MATRIX"), "full");
	init_completion(&ended);
	tasklet_setup(&tasklet, tasklet_body);
	timer_setup(&timer, timer_body, 0);
	INIT_WORK(&work, work_body);
	return !functions_set_up() || request_irq(IRQ, handler, 0, "matrix", NULL);
}

static int shut_down(void **state)
{
	(void)state;
	free_irq(IRQ, NULL);
	timer_delete_sync(&timer);
	tasklet_kill(&tasklet);
	functions_tear_down();
	return flagstone_machine_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_cell_is_as_the_rules_say, boot, shut_down),
		cmocka_unit_test_setup_teardown(nofail_waits_until_there_is_some, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
