/*
 * timeout.c: sleeping for a time: schedule_timeout and what is made of it, delays, jiffies.
 *
 * Calls clock.c and cpu.c.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "runtime/host/host.h"
#include "runtime/sched/internal.h"

#define NS_PER_JIFFY (NSEC_PER_SEC / HZ)
#define FIRST_JIFFY ((1ul << 32) - 300ul * HZ)

struct sleeper {
	struct clock_event event;
	struct task_struct *task;
};

static uint64_t time_zero; /* Synchronization: atomic, set once */

static uint64_t now_since_zero(void)
{
	uint64_t now = host_clock_ns(), zero = 0;

	if (__atomic_load_n(&time_zero, __ATOMIC_RELAXED) == 0)
		__atomic_compare_exchange_n(&time_zero, &zero, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return now - __atomic_load_n(&time_zero, __ATOMIC_RELAXED);
}

unsigned long flagstone_jiffies(void)
{
	return FIRST_JIFFY + (unsigned long)(now_since_zero() / (uint64_t)NS_PER_JIFFY);
}

uint64_t clock_after_jiffies(unsigned long nr)
{
	uint64_t ns, when;

	if (__builtin_mul_overflow(nr, (uint64_t)NS_PER_JIFFY, &ns) ||
		__builtin_add_overflow(host_clock_ns(), ns, &when))
		return UINT64_MAX;
	return when;
}

static void wake_sleeper(struct clock_event *event)
{
	wake_up_process(container_of(event, struct sleeper, event)->task);
}

/* Sleeps until woken or until that time. Returns the nanoseconds left. */
static uint64_t sleep_until(uint64_t when)
{
	struct sleeper sleeper = {.event.fire = wake_sleeper, .task = current};
	uint64_t now;

	if (clock_set(&sleeper.event, when))
		__set_current_state(TASK_RUNNING); /* too many deadlines: sleeps in steps of nothing */
	schedule();
	clock_cancel_sync(&sleeper.event);
	now = host_clock_ns();
	return now < when ? when - now : 0;
}

long schedule_timeout(long timeout)
{
	uint64_t left;

	if (timeout == MAX_SCHEDULE_TIMEOUT) {
		schedule();
		return timeout;
	}
	if (timeout < 0) {
		__set_current_state(TASK_RUNNING);
		return 0;
	}
	left = sleep_until(clock_after_jiffies((unsigned long)timeout));
	return (long)(left / (uint64_t)NS_PER_JIFFY + (left % (uint64_t)NS_PER_JIFFY != 0));
}

long schedule_timeout_interruptible(long timeout)
{
	__set_current_state(TASK_INTERRUPTIBLE);
	return schedule_timeout(timeout);
}

long schedule_timeout_uninterruptible(long timeout)
{
	__set_current_state(TASK_UNINTERRUPTIBLE);
	return schedule_timeout(timeout);
}

long io_schedule_timeout(long timeout)
{
	return schedule_timeout(timeout);
}

void io_schedule(void)
{
	schedule();
}

static void sleep_for_ns(uint64_t ns)
{
	uint64_t end = host_clock_ns() + ns;

	do
		set_current_state(TASK_UNINTERRUPTIBLE);
	while (sleep_until(end));
}

void msleep(unsigned int ms)
{
	sleep_for_ns((uint64_t)ms * (uint64_t)NSEC_PER_MSEC);
}

void ssleep(unsigned int seconds)
{
	msleep(seconds * 1000);
}

unsigned long msleep_interruptible(unsigned int ms)
{
	set_current_state(TASK_INTERRUPTIBLE);
	return (unsigned long)(sleep_until(host_clock_ns() + (uint64_t)ms * (uint64_t)NSEC_PER_MSEC) /
			       (uint64_t)NSEC_PER_MSEC);
}

void usleep_range(unsigned long min, unsigned long max)
{
	(void)max;
	sleep_for_ns(min * (uint64_t)NSEC_PER_USEC);
}

void ndelay(unsigned long ns)
{
	uint64_t end = host_clock_ns() + ns;

	while (host_clock_ns() < end) {
		host_relax();
		cpu_look();
	}
}

void udelay(unsigned long us)
{
	ndelay(us * (unsigned long)NSEC_PER_USEC);
}

void mdelay(unsigned long ms)
{
	ndelay(ms * (unsigned long)NSEC_PER_MSEC);
}
