/*
 * hrtimer.c: high resolution timers, which run in the clock's own interrupt.
 *
 * Calls timer.c for the CPU's base.
 */
#include "runtime/irq/timer.h"

#define MAX_AT_ONCE 64 /* in one interrupt, should a function restart its timer without moving it on */

ktime_t ktime_get(void)
{
	return (ktime_t)host_clock_ns();
}

void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *timer), int clock_id,
	enum hrtimer_mode mode)
{
	host_sigmask_t mask = host_signals_block();

	(void)mode;
	if (clock_id != CLOCK_MONOTONIC && clock_id != CLOCK_BOOTTIME)
		report_bug("hrtimer_setup: clock %d is not there: CLOCK_MONOTONIC and CLOCK_BOOTTIME are", clock_id);
	*timer = (struct hrtimer){.function = function, .flags = base_here(0)};
	host_signals_restore(mask);
}

static void __insert(struct timer_base *base, struct hrtimer *timer)
{
	due_insert(&base->hrtimers, &timer->due, (uint64_t)timer->_softexpires);
}

void hrtimer_start_range_ns(struct hrtimer *timer, ktime_t time, uint64_t delta, enum hrtimer_mode mode)
{
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = base_lock(&timer->flags);

	(void)delta;
	if (timer->due.queued)
		due_remove(&base->hrtimers, &timer->due);
	if (base->hr_running != timer)
		base = __base_change(base, &timer->flags, base_here(timer->flags & TIMER_CPUMASK));
	WRITE_ONCE(timer->_softexpires, mode & HRTIMER_MODE_REL ? ktime_add_safe(ktime_get(), time) : time);
	__insert(base, timer);
	if (base->hrtimers == &timer->due)
		__base_program(base);
	lock_release_masked(&base->lock, mask);
}

void hrtimer_start_expires(struct hrtimer *timer, enum hrtimer_mode mode)
{
	hrtimer_start_range_ns(timer, timer->_softexpires, 0, mode & ~(unsigned int)HRTIMER_MODE_REL);
}

/* The base's lock is held, and let go while the function runs. */
static void __run(struct timer_base *base, struct hrtimer *timer)
{
	enum hrtimer_restart restart = HRTIMER_NORESTART;

	due_remove(&base->hrtimers, &timer->due);
	base->hr_running = timer;
	lock_release(&base->lock);
	if (timer->function)
		restart = timer->function(timer);
	lock_acquire(&base->lock);
	/* The function may have started it itself; one that does not restart may have freed it. */
	if (restart == HRTIMER_RESTART && !timer->due.queued)
		__insert(base, timer);
	base->hr_running = NULL;
}

void hrtimers_run(struct timer_base *base)
{
	uint64_t now = host_clock_ns();

	lock_acquire(&base->lock);
	for (unsigned int nr = 0; nr < MAX_AT_ONCE && base->hrtimers && base->hrtimers->when <= now; nr++)
		__run(base, container_of(base->hrtimers, struct hrtimer, due));
	lock_release(&base->lock);
}

int hrtimer_try_to_cancel(struct hrtimer *timer)
{
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = base_lock(&timer->flags);
	int result = timer->due.queued != 0;

	if (base->hr_running == timer)
		result = -1;
	else if (result)
		due_remove(&base->hrtimers, &timer->due);
	lock_release_masked(&base->lock, mask);
	return result;
}

int hrtimer_cancel(struct hrtimer *timer)
{
	int result;

	while ((result = hrtimer_try_to_cancel(timer)) < 0)
		wait_a_turn();
	return result;
}

uint64_t hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval)
{
	uint64_t periods = 0;
	ktime_t late = now - timer->_softexpires;

	if (late < 0)
		return 0;
	if (timer->due.queued) {
		report_bug("hrtimer_forward: timer %p is pending", (void *)timer);
		return 0;
	}
	interval = interval > 0 ? interval : 1;
	periods = (uint64_t)(late / interval) + 1;
	WRITE_ONCE(timer->_softexpires, ktime_add_safe(timer->_softexpires, (ktime_t)periods * interval));
	return periods;
}

bool hrtimer_callback_running(const struct hrtimer *timer)
{
	struct hrtimer *own = (struct hrtimer *)(uintptr_t)timer;
	host_sigmask_t mask = host_signals_block();
	struct timer_base *base = base_lock(&own->flags);
	bool runs = base->hr_running == timer;

	lock_release_masked(&base->lock, mask);
	return runs;
}

bool hrtimer_active(const struct hrtimer *timer)
{
	return hrtimer_is_queued(timer) || hrtimer_callback_running(timer);
}

ktime_t hrtimer_get_remaining(const struct hrtimer *timer)
{
	return READ_ONCE(timer->_softexpires) - ktime_get();
}
