/*
 * linux/hrtimer.h: functions that run at some nanosecond, in hard interrupt context.
 *
 * Semantics: Linux, Documentation/timers/hrtimers.rst. Any context unless a function says otherwise. Clocks:
 * CLOCK_MONOTONIC and CLOCK_BOOTTIME, which are the same here.
 */
#ifndef FLAGSTONE_LINUX_HRTIMER_H
#define FLAGSTONE_LINUX_HRTIMER_H

#include <linux/ktime.h>
#include <linux/timer.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef CLOCK_MONOTONIC
#define CLOCK_MONOTONIC 1
#endif
#ifndef CLOCK_BOOTTIME
#define CLOCK_BOOTTIME 7
#endif

enum hrtimer_mode {
	HRTIMER_MODE_ABS = 0,
	HRTIMER_MODE_REL = 1,
	HRTIMER_MODE_PINNED = 2,
	HRTIMER_MODE_HARD = 8,
	HRTIMER_MODE_ABS_PINNED = HRTIMER_MODE_ABS | HRTIMER_MODE_PINNED,
	HRTIMER_MODE_REL_PINNED = HRTIMER_MODE_REL | HRTIMER_MODE_PINNED,
	HRTIMER_MODE_ABS_HARD = HRTIMER_MODE_ABS | HRTIMER_MODE_HARD,
	HRTIMER_MODE_REL_HARD = HRTIMER_MODE_REL | HRTIMER_MODE_HARD,
	HRTIMER_MODE_ABS_PINNED_HARD = HRTIMER_MODE_ABS_PINNED | HRTIMER_MODE_HARD,
	HRTIMER_MODE_REL_PINNED_HARD = HRTIMER_MODE_REL_PINNED | HRTIMER_MODE_HARD,
};

enum hrtimer_restart {
	HRTIMER_NORESTART,
	HRTIMER_RESTART, /* at the time that the function moved it to with hrtimer_forward() */
};

struct hrtimer {
	struct flagstone_due due; /* when: nanoseconds */
	ktime_t _softexpires; /* when it may run at the earliest. Synchronization: as due */
	enum hrtimer_restart (*function)(struct hrtimer *timer);
	unsigned int flags; /* the CPU that it is on. Synchronization: atomic */
};

/* Before its first use. clock_id: CLOCK_MONOTONIC or CLOCK_BOOTTIME, others are a report. */
void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *timer), int clock_id,
	enum hrtimer_mode mode);
#define hrtimer_setup_on_stack(timer, body, clock, mode) hrtimer_setup(timer, body, clock, mode)
/* The older form: set timer->function afterwards. */
#define hrtimer_init(timer, clock, mode) hrtimer_setup(timer, NULL, clock, mode)
#define hrtimer_init_on_stack(timer, clock, mode) hrtimer_setup(timer, NULL, clock, mode)
#define destroy_hrtimer_on_stack(timer) ((void)(timer))

/* Starts it, or moves it: at that time, or (HRTIMER_MODE_REL) that long from now; within delta ns after it. */
void hrtimer_start_range_ns(struct hrtimer *timer, ktime_t time, uint64_t delta, enum hrtimer_mode mode);
#define hrtimer_start(timer, time, mode) hrtimer_start_range_ns(timer, time, 0, mode)
/* Starts it at the time that it has. */
void hrtimer_start_expires(struct hrtimer *timer, enum hrtimer_mode mode);
static inline void hrtimer_restart(struct hrtimer *timer)
{
	hrtimer_start_expires(timer, HRTIMER_MODE_ABS);
}

/* Stops it. 1 if it was pending, 0 if not, -1 if its function runs. */
int hrtimer_try_to_cancel(struct hrtimer *timer);
/* Stops it and waits until its function does not run: not from that function. 1 if it was pending, 0 if not. Spins. */
int hrtimer_cancel(struct hrtimer *timer);

/* Moves the time of a timer that is not pending, its own function's usually, on by as many intervals as take it past
 * now. Returns how many. */
uint64_t hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval);
#define hrtimer_forward_now(timer, interval) hrtimer_forward(timer, ktime_get(), interval)

/* Whether it is pending or its function runs; is pending; runs. Hints. */
bool hrtimer_active(const struct hrtimer *timer);
bool hrtimer_callback_running(const struct hrtimer *timer);
static inline bool hrtimer_is_queued(const struct hrtimer *timer)
{
	return READ_ONCE(timer->due.queued) != 0;
}

/* The time of a timer that is not pending; for its own function too. */
static inline ktime_t hrtimer_get_expires(const struct hrtimer *timer)
{
	return READ_ONCE(timer->_softexpires);
}

static inline void hrtimer_set_expires(struct hrtimer *timer, ktime_t time)
{
	WRITE_ONCE(timer->_softexpires, time);
}

/* How long until it runs; below 0: it should have. */
ktime_t hrtimer_get_remaining(const struct hrtimer *timer);
#define hrtimer_cb_get_time(timer) ((void)(timer), ktime_get())

#ifdef __cplusplus
}
#endif

#endif
