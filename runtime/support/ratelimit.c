/*
 * ratelimit.c: whether something may be done once more in this while.
 *
 * Calls sched for interrupts and printk. Refuses to know what is done.
 */
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>

static void interval_begin(struct ratelimit_state *state, const char *function)
{
	int missed = state->missed;

	if (missed && !(state->flags & RATELIMIT_MSG_ON_RELEASE)) {
		WRITE_ONCE(state->missed, 0);
		printk(KERN_WARNING "%s: %d callbacks suppressed\n", function, missed);
	}
	state->begin = jiffies;
	state->begun = 1;
	state->printed = 0;
}

static int ratelimit_count(struct ratelimit_state *state, const char *function)
{
	if (!state->begun || time_is_before_jiffies(state->begin + (unsigned long)state->interval))
		interval_begin(state, function);
	if (state->printed < state->burst) {
		state->printed++;
		return 1;
	}
	WRITE_ONCE(state->missed, state->missed + 1);
	return 0;
}

int ___ratelimit(struct ratelimit_state *state, const char *function)
{
	unsigned long flags;
	int may = 0;

	if (!state->interval)
		return 1;
	/* An interrupt of this CPU that asks meanwhile is told no, as another CPU is: nobody waits. */
	local_irq_save(flags);
	if (!__atomic_exchange_n(&state->locked, 1, __ATOMIC_ACQUIRE)) {
		may = ratelimit_count(state, function);
		__atomic_store_n(&state->locked, 0, __ATOMIC_RELEASE);
	}
	local_irq_restore(flags);
	return may;
}

int flagstone_printk_ratelimit(const char *function)
{
	static DEFINE_RATELIMIT_STATE(state, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);

	return ___ratelimit(&state, function);
}
