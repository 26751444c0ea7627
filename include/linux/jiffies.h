/*
 * linux/jiffies.h: the machine's coarse time.
 *
 * Semantics: Linux, Documentation/core-api/timekeeping.rst. Simulated time is real time. Any context.
 */
#ifndef FLAGSTONE_LINUX_JIFFIES_H
#define FLAGSTONE_LINUX_JIFFIES_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HZ 250
#define USEC_PER_SEC 1000000L
#define NSEC_PER_SEC 1000000000L
#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_USEC 1000L
#define MSEC_PER_SEC 1000L
#define MAX_JIFFY_OFFSET ((~0UL >> 1) - 1)

/* Ticks of 1/HZ seconds since the process first asked, beginning some minutes before 2^32. */
unsigned long flagstone_jiffies(void);
#define jiffies flagstone_jiffies()
#define get_jiffies_64() ((uint64_t)flagstone_jiffies())

/* Rounded up, as the kernel does. */
static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return (int)ms < 0 ? MAX_JIFFY_OFFSET : ((unsigned long)ms * HZ + MSEC_PER_SEC - 1) / MSEC_PER_SEC;
}

static inline unsigned long usecs_to_jiffies(unsigned int us)
{
	return ((unsigned long)us * HZ + USEC_PER_SEC - 1) / USEC_PER_SEC;
}

static inline unsigned int jiffies_to_msecs(unsigned long j)
{
	return (unsigned int)(j * (MSEC_PER_SEC / HZ));
}

static inline unsigned int jiffies_to_usecs(unsigned long j)
{
	return (unsigned int)(j * (USEC_PER_SEC / HZ));
}

/* Right across an overflow. */
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) ((long)((a) - (b)) >= 0)
#define time_before_eq(a, b) time_after_eq(b, a)
#define time_is_before_jiffies(a) time_after(jiffies, a)
#define time_is_after_jiffies(a) time_before(jiffies, a)

#ifdef __cplusplus
}
#endif

#endif
