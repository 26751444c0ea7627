/*
 * linux/ktime.h: times in nanoseconds.
 *
 * Semantics: Linux, Documentation/core-api/timekeeping.rst. Simulated time is real time. Any context.
 */
#ifndef FLAGSTONE_LINUX_KTIME_H
#define FLAGSTONE_LINUX_KTIME_H

#include <linux/jiffies.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t ktime_t;

#define KTIME_MAX ((ktime_t)INT64_MAX)
#define KTIME_SEC_MAX (KTIME_MAX / NSEC_PER_SEC)

/* Nanoseconds since some moment before the machine's boot; never goes back. */
ktime_t ktime_get(void);
#define ktime_get_boottime() ktime_get()
#define ktime_get_ns() ((uint64_t)ktime_get())

static inline ktime_t ktime_set(int64_t seconds, unsigned long ns)
{
	return seconds >= KTIME_SEC_MAX ? KTIME_MAX : seconds * NSEC_PER_SEC + (ktime_t)ns;
}

#define ns_to_ktime(ns) ((ktime_t)(ns))
#define us_to_ktime(us) ((ktime_t)(us)*NSEC_PER_USEC)
#define ms_to_ktime(ms) ((ktime_t)(ms)*NSEC_PER_MSEC)
#define ktime_to_ns(time) ((int64_t)(time))
#define ktime_to_us(time) ((int64_t)(time) / NSEC_PER_USEC)
#define ktime_to_ms(time) ((int64_t)(time) / NSEC_PER_MSEC)
#define ktime_add(a, b) ((ktime_t)((a) + (b)))
#define ktime_sub(a, b) ((ktime_t)((a) - (b)))
#define ktime_add_ns(a, ns) ((ktime_t)((a) + (ktime_t)(ns)))
#define ktime_sub_ns(a, ns) ((ktime_t)((a) - (ktime_t)(ns)))
#define ktime_add_us(a, us) ((ktime_t)((a) + us_to_ktime(us)))
#define ktime_add_ms(a, ms) ((ktime_t)((a) + ms_to_ktime(ms)))
#define ktime_sub_us(a, us) ((ktime_t)((a)-us_to_ktime(us)))
#define ktime_sub_ms(a, ms) ((ktime_t)((a)-ms_to_ktime(ms)))
#define ktime_us_delta(later, earlier) ktime_to_us(ktime_sub(later, earlier))
#define ktime_ms_delta(later, earlier) ktime_to_ms(ktime_sub(later, earlier))
#define ktime_before(a, b) ((a) < (b))
#define ktime_after(a, b) ((a) > (b))

/* Below 0, 0, above 0: a is before, at, after b. */
static inline int ktime_compare(ktime_t a, ktime_t b)
{
	return a < b ? -1 : a > b;
}

/* The sum of two times from 0 up; KTIME_MAX if it is too large. */
static inline ktime_t ktime_add_safe(ktime_t a, ktime_t b)
{
	ktime_t sum;

	return __builtin_add_overflow(a, b, &sum) || sum < 0 ? KTIME_MAX : sum;
}

#ifdef __cplusplus
}
#endif

#endif
