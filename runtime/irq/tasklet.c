/*
 * tasklet.c: tasklets: functions that run once in softirq context for any number of times that they were scheduled.
 *
 * Calls softirq.c. A tasklet that is disabled is on no list: enabling puts it back, so nobody polls it.
 */
#include "runtime/irq/internal.h"

enum { SCHED = 1ul << TASKLET_STATE_SCHED, RUN = 1ul << TASKLET_STATE_RUN, PARKED = 4, HI = 8 };

void tasklet_setup(struct tasklet_struct *tasklet, void (*callback)(struct tasklet_struct *tasklet))
{
	*tasklet = (struct tasklet_struct)FLAGSTONE_TASKLET(callback, 0);
}

void tasklet_init(struct tasklet_struct *tasklet, void (*func)(unsigned long data), unsigned long data)
{
	*tasklet = (struct tasklet_struct)FLAGSTONE_TASKLET_OLD(func, data, 0);
}

static unsigned long state_of(const struct tasklet_struct *tasklet)
{
	return __atomic_load_n(&tasklet->state, __ATOMIC_ACQUIRE);
}

static unsigned long set_state(struct tasklet_struct *tasklet, unsigned long bits)
{
	return __atomic_fetch_or(&tasklet->state, bits, __ATOMIC_SEQ_CST);
}

static unsigned long clear_state(struct tasklet_struct *tasklet, unsigned long bits)
{
	return __atomic_fetch_and(&tasklet->state, ~bits, __ATOMIC_SEQ_CST);
}

static int count_of(struct tasklet_struct *tasklet)
{
	return __atomic_fetch_add(&tasklet->count, 0, __ATOMIC_SEQ_CST);
}

/* ---- lists ---- */

static void append(struct tasklets *list, struct tasklet_struct *tasklet)
{
	tasklet->next = NULL;
	lock_acquire(&list->lock);
	*list->last = tasklet;
	list->last = &tasklet->next;
	lock_release(&list->lock);
}

static struct tasklet_struct *take_all(struct tasklets *list)
{
	host_sigmask_t mask = lock_acquire_masked(&list->lock);
	struct tasklet_struct *first = list->first;

	list->first = NULL;
	list->last = &list->first;
	lock_release_masked(&list->lock, mask);
	return first;
}

/* Puts a tasklet that is SCHED, and on no list, on this CPU's. */
static void put(struct tasklet_struct *tasklet, bool hi, bool wake)
{
	host_sigmask_t mask = host_signals_block();

	if (raw_smp_processor_id() >= 0)
		append(&this_irq_cpu()->tasklets[hi], tasklet);
	if (wake)
		raise_softirq_irqoff(hi ? HI_SOFTIRQ : TASKLET_SOFTIRQ);
	else
		__raise_softirq_irqoff(hi ? HI_SOFTIRQ : TASKLET_SOFTIRQ);
	host_signals_restore(mask);
}

void tasklet_schedule(struct tasklet_struct *tasklet)
{
	/* Pairs with run(): a tasklet that was SCHED already sees what its scheduler wrote before. */
	if (!(set_state(tasklet, SCHED) & SCHED))
		put(tasklet, false, true);
}

void tasklet_hi_schedule(struct tasklet_struct *tasklet)
{
	if (!(set_state(tasklet, SCHED) & SCHED))
		put(tasklet, true, true);
}

/* ---- running ---- */

/* It is disabled: it stays SCHED, on no list, until it is enabled, which may have happened already. Returns whether
 * it has. */
static bool park(struct tasklet_struct *tasklet, bool hi)
{
	/* Pairs with tasklet_enable(): either it sees PARKED, or this sees that it is enabled. */
	set_state(tasklet, hi ? PARKED | HI : PARKED);
	return !count_of(tasklet) && (clear_state(tasklet, PARKED | HI) & PARKED);
}

static void call(struct tasklet_struct *tasklet)
{
	if (tasklet->use_callback)
		tasklet->callback(tasklet);
	else
		tasklet->func(tasklet->data);
}

/* Returns false if it cannot run now: it goes to the end of the list. */
static bool run(struct tasklet_struct *tasklet, bool hi)
{
	bool ran;

	if (set_state(tasklet, RUN) & RUN)
		return false;
	ran = !count_of(tasklet);
	if (ran) {
		/* Pairs with tasklet_schedule(). */
		clear_state(tasklet, SCHED);
		call(tasklet);
	}
	/* Pairs with those who wait for the end. */
	clear_state(tasklet, RUN);
	wake_on(tasklet);
	return ran || !park(tasklet, hi);
}

static void run_list(bool hi)
{
	struct tasklet_struct *next, *tasklet = take_all(&this_irq_cpu()->tasklets[hi]);

	for (; tasklet; tasklet = next) {
		next = tasklet->next;
		if (!run(tasklet, hi))
			put(tasklet, hi, false);
	}
}

static void tasklet_action(void)
{
	run_list(false);
}

static void tasklet_hi_action(void)
{
	run_list(true);
}

/* ---- disabling and ending ---- */

static bool not_running(void *tasklet)
{
	return !(state_of(tasklet) & RUN);
}

void tasklet_unlock_wait(struct tasklet_struct *tasklet)
{
	might_sleep();
	sleep_on(tasklet, not_running, tasklet);
}

void tasklet_disable_nosync(struct tasklet_struct *tasklet)
{
	/* Pairs with run(): it counts after it has set RUN, which we look at afterwards. */
	__atomic_fetch_add(&tasklet->count, 1, __ATOMIC_SEQ_CST);
}

void tasklet_disable(struct tasklet_struct *tasklet)
{
	tasklet_disable_nosync(tasklet);
	tasklet_unlock_wait(tasklet);
}

void tasklet_disable_in_atomic(struct tasklet_struct *tasklet)
{
	tasklet_disable_nosync(tasklet);
	while (!not_running(tasklet))
		wait_a_turn();
}

void tasklet_enable(struct tasklet_struct *tasklet)
{
	unsigned long state;

	/* Pairs with park(). */
	if (__atomic_sub_fetch(&tasklet->count, 1, __ATOMIC_SEQ_CST) || !(set_state(tasklet, 0) & PARKED))
		return;
	state = clear_state(tasklet, PARKED | HI);
	if (state & PARKED)
		put(tasklet, state & HI, true);
}

static bool is_mine(void *tasklet)
{
	return !(set_state(tasklet, SCHED) & SCHED);
}

void tasklet_kill(struct tasklet_struct *tasklet)
{
	if (in_interrupt())
		report_note("Attempt to kill tasklet from interrupt");
	sleep_on(tasklet, is_mine, tasklet);
	tasklet_unlock_wait(tasklet);
	clear_state(tasklet, SCHED);
	wake_on(tasklet);
}

void tasklet_cpu_down(unsigned int cpu)
{
	for (unsigned int hi = 0; hi < 2; hi++) {
		struct tasklet_struct *next, *tasklet = take_all(&irq_cpus[cpu].tasklets[hi]);

		for (; tasklet; tasklet = next) {
			next = tasklet->next;
			put(tasklet, hi, true);
		}
	}
}

void tasklet_boot(void)
{
	for (unsigned int i = 0; i < 2 * MAX_CPUS; i++) {
		struct tasklets *list = &irq_cpus[i / 2].tasklets[i % 2];

		lock_init(&list->lock, LOCK_TASKS);
		list->first = NULL;
		list->last = &list->first;
	}
	open_softirq(TASKLET_SOFTIRQ, tasklet_action);
	open_softirq(HI_SOFTIRQ, tasklet_hi_action);
}

unsigned int tasklet_shutdown(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 2 * MAX_CPUS; i++) {
		struct tasklet_struct *tasklet = irq_cpus[i / 2].tasklets[i % 2].first;

		for (; tasklet; tasklet = tasklet->next, nr++)
			report_pending("tasklet", tasklet, (uintptr_t)tasklet->callback);
	}
	return nr;
}
