/*
 * timeout.c: sleeping for a time: schedule_timeout and what is made of it, delays, jiffies, and rounding these.
 *
 * Calls clock.c and cpu.c.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/smp.h>
#include <linux/timer.h>

#include "runtime/host/host.h"
#include "runtime/sched/locks.h"

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
	to_sched(sleeper.task)->has_deadline = true;
	schedule();
	to_sched(sleeper.task)->has_deadline = false;
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
	uint64_t end = host_clock_ns() + (uint64_t)ms * (uint64_t)NSEC_PER_MSEC, left;

	do {
		set_current_state(TASK_INTERRUPTIBLE);
		left = sleep_until(end);
	} while (left && !sleep_is_interrupted(TASK_INTERRUPTIBLE));
	return (unsigned long)(left / (uint64_t)NSEC_PER_MSEC);
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

void fsleep(unsigned long us)
{
	if (us <= 10)
		udelay(us);
	else if (us <= 20000)
		usleep_range(us, 2 * us);
	else
		msleep((unsigned int)((us + 999) / 1000));
}

/* ---- rounding ---- */

#define SKEW 3 /* jiffies between the full seconds of CPUs */

static unsigned long round_to_second(unsigned long j, int cpu, bool up)
{
	unsigned long skew = SKEW * (unsigned long)cpu, behind = (j + skew) % HZ;
	unsigned long rounded = !up && behind < HZ / 4 ? j - behind : j - behind + HZ;

	return time_is_after_jiffies(rounded) ? rounded : j;
}

static unsigned long round_relative(unsigned long j, int cpu, bool up)
{
	unsigned long now = jiffies;

	return round_to_second(j + now, cpu, up) - now;
}

/* Preemption may move the caller to another CPU: any is good. */
static int this_cpu(void)
{
	return raw_smp_processor_id() < 0 ? 0 : raw_smp_processor_id();
}

unsigned long __round_jiffies(unsigned long j, int cpu)
{
	return round_to_second(j, cpu, false);
}

unsigned long __round_jiffies_relative(unsigned long j, int cpu)
{
	return round_relative(j, cpu, false);
}

unsigned long __round_jiffies_up(unsigned long j, int cpu)
{
	return round_to_second(j, cpu, true);
}

unsigned long __round_jiffies_up_relative(unsigned long j, int cpu)
{
	return round_relative(j, cpu, true);
}

unsigned long round_jiffies(unsigned long j)
{
	return round_to_second(j, this_cpu(), false);
}

unsigned long round_jiffies_relative(unsigned long j)
{
	return round_relative(j, this_cpu(), false);
}

unsigned long round_jiffies_up(unsigned long j)
{
	return round_to_second(j, this_cpu(), true);
}

unsigned long round_jiffies_up_relative(unsigned long j)
{
	return round_relative(j, this_cpu(), true);
}
