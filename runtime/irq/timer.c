/*
 * timer.c: timers: each CPU's heap of them, the clock event that wakes it, and the softirq that runs them.
 *
 * Calls the clock of sched, due.c, softirq.c. Knows nothing of what a timer does.
 */
#include <linux/workqueue.h>
#include <string.h>

#include "runtime/irq/timer.h"

struct timer_base timer_bases[MAX_CPUS];

/* ---- each CPU's base ---- */

static unsigned int cpu_of(const struct timer_base *base)
{
	return (unsigned int)(base - timer_bases);
}

struct timer_base *base_lock(unsigned int *flags)
{
	for (;;) {
		unsigned int seen = __atomic_load_n(flags, __ATOMIC_RELAXED);
		struct timer_base *base = &timer_bases[seen & TIMER_CPUMASK];

		if (!(seen & TIMER_MIGRATING)) {
			lock_acquire(&base->lock);
			if (__atomic_load_n(flags, __ATOMIC_RELAXED) == seen)
				return base;
			lock_release(&base->lock);
		}
		host_relax();
	}
}

struct timer_base *__base_change(struct timer_base *base, unsigned int *flags, unsigned int cpu)
{
	struct timer_base *new_base = &timer_bases[cpu];
	unsigned int others = __atomic_load_n(flags, __ATOMIC_RELAXED) & ~TIMER_CPUMASK;

	if (base == new_base)
		return base;
	__atomic_store_n(flags, others | TIMER_MIGRATING | cpu, __ATOMIC_RELAXED);
	lock_release(&base->lock);
	lock_acquire(&new_base->lock);
	__atomic_store_n(flags, others | cpu, __ATOMIC_RELAXED);
	return new_base;
}

unsigned int base_here(unsigned int otherwise)
{
	unsigned int cpu = raw_smp_processor_id() < 0 ? otherwise : (unsigned int)raw_smp_processor_id();

	/* An interrupt may still come to a CPU that is offline. */
	for (unsigned int i = 0; !cpu_is_online(cpu) && i < sched_nr_cpus; i++)
		cpu = i;
	return cpu;
}

static uint64_t ns_of_jiffy(unsigned long when)
{
	unsigned long now = jiffies;

	return clock_after_jiffies(time_after(when, now) ? when - now : 0);
}

void __base_program(struct timer_base *base)
{
	uint64_t next = UINT64_MAX;

	if (base->timers && !base->softirq_raised)
		next = ns_of_jiffy(base->timers->when);
	if (base->hrtimers && base->hrtimers->when < next)
		next = base->hrtimers->when;
	if (next == UINT64_MAX)
		return;
	if (clock_set(&base->event, next))
		report_bug("timer: the clock has no room for another deadline");
}

static void deadline_met(struct clock_event *event)
{
	ipi_send(cpu_of(container_of(event, struct timer_base, event)), IPI_CLOCK);
}

static bool __is_due(const struct timer_base *base)
{
	return base->timers && time_after_eq(jiffies, base->timers->when);
}

void timer_interrupt(void)
{
	struct timer_base *base = &timer_bases[raw_smp_processor_id()];

	hrtimers_run(base);
	lock_acquire(&base->lock);
	if (!base->softirq_raised && __is_due(base)) {
		base->softirq_raised = true;
		__raise_softirq_irqoff(TIMER_SOFTIRQ);
	}
	__base_program(base);
	lock_release(&base->lock);
}

/* ---- running timers ---- */

static void check_count(struct timer_list *timer, unsigned int before)
{
	if (preempt_count() == before)
		return;
	report_bug("timer: %p preempt leak: %08x -> %08x", (void *)timer, before, preempt_count());
	flagstone_this.preempt_count = before;
}

/* The base's lock is held, and let go while the function runs. */
static void __run(struct timer_base *base, struct timer_list *timer, host_sigmask_t mask)
{
	void (*function)(struct timer_list *) = timer->function;
	struct lockdep_map map = map_copy(&timer->lockdep_map);
	bool irqs_off = timer->flags & TIMER_IRQSAFE;
	unsigned int before = preempt_count();

	due_remove(&base->timers, &timer->due);
	base->running = timer;
	lock_release(&base->lock);
	if (!irqs_off)
		host_signals_restore(mask);
	lock_map_acquire(&map);
	if (function)
		function(timer);
	lock_map_release(&map);
	check_count(timer, before);
	if (!irqs_off)
		host_signals_block();
	lock_acquire(&base->lock);
	base->running = NULL;
}

static void run_timers(void)
{
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = &timer_bases[raw_smp_processor_id()];

	lock_acquire(&base->lock);
	while (__is_due(base))
		__run(base, container_of(base->timers, struct timer_list, due), mask);
	base->softirq_raised = false;
	__base_program(base);
	lock_release_masked(&base->lock, mask);
}

/* ---- starting ---- */

void flagstone_timer_init(struct timer_list *timer, void (*function)(struct timer_list *timer), unsigned int flags,
	const char *name, const struct lock_class_key *key)
{
	host_sigmask_t mask = host_signals_block();

	*timer = (struct timer_list){
		.function = function, .flags = flags | base_here(0), .lockdep_map = STATIC_LOCKDEP_MAP_INIT(name, key)};
	host_signals_restore(mask);
}

enum { ONLY_PENDING = 1, ONLY_EARLIER = 2 };

/* cpu below 0: the caller's. */
static int start(struct timer_list *timer, unsigned long expires, int cpu, unsigned int how)
{
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = base_lock(&timer->flags);
	unsigned int target = cpu >= 0 ? (unsigned int)cpu : base_here(cpu_of(base));
	unsigned long next = jiffies + 1;
	bool pending = timer->due.queued;

	if (!timer->function || (!pending && (how & ONLY_PENDING)) ||
		(pending && (how & ONLY_EARLIER) && time_before_eq(timer->expires, expires)))
		goto out;
	if (pending)
		due_remove(&base->timers, &timer->due);
	/* One whose function runs stays, so that who waits for its end looks in the right place. */
	if (base->running != timer)
		base = __base_change(base, &timer->flags, target);
	timer->expires = expires;
	/* Not in this jiffy: a function that starts its timer again at once would keep all else off its CPU. */
	due_insert(&base->timers, &timer->due, time_before(expires, next) ? next : expires);
	if (base->timers == &timer->due)
		__base_program(base);
out:
	lock_release_masked(&base->lock, mask);
	return pending;
}

int mod_timer(struct timer_list *timer, unsigned long expires)
{
	return start(timer, expires, -1, 0);
}

int mod_timer_pending(struct timer_list *timer, unsigned long expires)
{
	return start(timer, expires, -1, ONLY_PENDING);
}

int timer_reduce(struct timer_list *timer, unsigned long expires)
{
	return start(timer, expires, -1, ONLY_EARLIER);
}

static void check_idle(const struct timer_list *timer)
{
	if (timer_pending(timer))
		report_bug("add_timer: timer %p (function %p) is pending already", (const void *)timer,
			(void *)(uintptr_t)timer->function);
}

void add_timer(struct timer_list *timer)
{
	check_idle(timer);
	start(timer, timer->expires, -1, 0);
}

void add_timer_on(struct timer_list *timer, int cpu)
{
	check_idle(timer);
	start(timer, timer->expires, cpu, 0);
}

/* ---- stopping ---- */

/* 1 if it was pending, 0 if not, -1 if its function runs and that matters. */
static int stop(struct timer_list *timer, bool sync, bool for_good)
{
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = base_lock(&timer->flags);
	int result = timer->due.queued != 0;

	if (sync && base->running == timer)
		result = -1;
	else if (result)
		due_remove(&base->timers, &timer->due);
	if (for_good)
		timer->function = NULL;
	lock_release_masked(&base->lock, mask);
	return result;
}

/* A function that waits for its own end would wait for ever. */
static bool runs_here(struct timer_list *timer)
{
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = base_lock(&timer->flags);
	bool here = base->running == timer && in_serving_softirq() && (int)cpu_of(base) == raw_smp_processor_id();

	lock_release_masked(&base->lock, mask);
	return here;
}

/* Who waits while it holds a lock that the function takes. Interrupts are off, as the class is held in softirqs, and nothing is held here
 * when one comes. */
static void check_held(struct timer_list *timer)
{
	host_sigmask_t mask;

	if (likely(!lockdep_on) || runs_here(timer))
		return;
	mask = host_signals_block();
	map_wait(&timer->lockdep_map);
	host_signals_restore(mask);
}

static int stop_and_wait(struct timer_list *timer, bool for_good)
{
	int result;

	if (in_hardirq() && !(__atomic_load_n(&timer->flags, __ATOMIC_RELAXED) & TIMER_IRQSAFE))
		report_bug("timer_delete_sync: of a timer that is not TIMER_IRQSAFE, in a hard interrupt");
	else
		check_held(timer);
	while ((result = stop(timer, true, for_good)) < 0) {
		if (runs_here(timer)) {
			report_bug("timer_delete_sync: timer %p waits for its own function", (void *)timer);
			return stop(timer, false, for_good);
		}
		wait_a_turn();
	}
	return result;
}

int flagstone_timer_delete(struct timer_list *timer)
{
	return stop(timer, false, false);
}

int try_to_del_timer_sync(struct timer_list *timer)
{
	return stop(timer, true, false);
}

int timer_delete_sync(struct timer_list *timer)
{
	return stop_and_wait(timer, false);
}

int timer_shutdown(struct timer_list *timer)
{
	return stop(timer, false, true);
}

int timer_shutdown_sync(struct timer_list *timer)
{
	return stop_and_wait(timer, true);
}

/* ---- a CPU goes offline ---- */

static bool __runs(const struct timer_base *base, const struct flagstone_due *due, bool hr)
{
	return hr ? base->hr_running == container_of(due, struct hrtimer, due)
		  : base->running == container_of(due, struct timer_list, due);
}

/* Moves the first of the heap of that base to this CPU's, unless its function runs: who waits for its end looks there.
 * Returns whether it has. */
static bool move_first(struct timer_base *from, bool hr)
{
	host_sigmask_t mask = lock_acquire_masked(&from->lock);
	struct flagstone_due **heap = hr ? &from->hrtimers : &from->timers, *due = *heap;
	struct timer_base *to = from;
	unsigned int *flags;
	bool moves = due && !__runs(from, due, hr);

	if (moves) {
		flags = hr ? &container_of(due, struct hrtimer, due)->flags
			   : &container_of(due, struct timer_list, due)->flags;
		due_remove(heap, due);
		to = __base_change(from, flags, base_here(cpu_of(from)));
		heap = hr ? &to->hrtimers : &to->timers;
		due_insert(heap, due, due->when);
		if (*heap == due)
			__base_program(to);
	}
	lock_release_masked(&to->lock, mask);
	return moves;
}

bool timer_cpu_down(unsigned int cpu)
{
	struct timer_base *base = &timer_bases[cpu];
	host_sigmask_t mask;
	bool empty;

	while (move_first(base, false))
		;
	while (move_first(base, true))
		;
	mask = lock_acquire_masked(&base->lock);
	base->softirq_raised = false;
	empty = !base->timers && !base->hrtimers;
	lock_release_masked(&base->lock, mask);
	return empty;
}

/* ---- boot and shutdown ---- */

void timer_boot(void)
{
	memset(timer_bases, 0, sizeof(timer_bases));
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		lock_init(&timer_bases[cpu].lock, LOCK_TASKS);
		timer_bases[cpu].event.fire = deadline_met;
	}
	open_softirq(TIMER_SOFTIRQ, run_timers);
}

static struct timer_list *__find_delayed(struct timer_base *base, const struct workqueue_struct *wq)
{
	for (struct flagstone_due *due = base->timers; due; due = due_next(due)) {
		struct timer_list *timer = container_of(due, struct timer_list, due);

		if (timer->function == delayed_work_timer_fn &&
			container_of(timer, struct delayed_work, timer)->wq == wq)
			return timer;
	}
	return NULL;
}

struct delayed_work *timer_take_delayed(const struct workqueue_struct *wq)
{
	struct timer_list *timer = NULL;

	for (unsigned int cpu = 0; cpu < sched_nr_cpus && !timer; cpu++) {
		struct timer_base *base = &timer_bases[cpu];
		host_sigmask_t mask = lock_acquire_masked(&base->lock);

		timer = __find_delayed(base, wq);
		if (timer)
			due_remove(&base->timers, &timer->due);
		lock_release_masked(&base->lock, mask);
	}
	return timer ? container_of(timer, struct delayed_work, timer) : NULL;
}

static void report_timer(struct timer_list *timer)
{
	struct delayed_work *dwork = container_of(timer, struct delayed_work, timer);

	if (timer->function == delayed_work_timer_fn)
		report_pending("delayed work", dwork, (uintptr_t)dwork->work.func);
	else
		report_pending("timer", timer, (uintptr_t)timer->function);
}

/* Returns how many there were. */
static unsigned int forget_timers(struct timer_base *base)
{
	unsigned int nr = 0;

	for (; base->timers; nr++) {
		struct timer_list *timer = container_of(base->timers, struct timer_list, due);

		report_timer(timer);
		due_remove(&base->timers, &timer->due);
	}
	for (; base->hrtimers; nr++) {
		struct hrtimer *timer = container_of(base->hrtimers, struct hrtimer, due);

		report_pending("hrtimer", timer, (uintptr_t)timer->function);
		due_remove(&base->hrtimers, &timer->due);
	}
	return nr;
}

unsigned int timer_shutdown_room(void)
{
	unsigned int nr = 0;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		host_sigmask_t mask;

		if (cpu < sched_nr_cpus)
			clock_cancel_sync(&timer_bases[cpu].event);
		mask = lock_acquire_masked(&timer_bases[cpu].lock);
		nr += forget_timers(&timer_bases[cpu]);
		lock_release_masked(&timer_bases[cpu].lock, mask);
	}
	return nr;
}
