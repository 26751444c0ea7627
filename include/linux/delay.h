/*
 * linux/delay.h: waiting for a time to pass.
 *
 * Semantics: Linux, Documentation/timers/timers-howto.rst.
 */
#ifndef FLAGSTONE_LINUX_DELAY_H
#define FLAGSTONE_LINUX_DELAY_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sleep, at least as long, whoever wakes this task. msleep_interruptible(): until the OOM killer chooses it; returns the milliseconds that
 * were left then. Context: task. */
void msleep(unsigned int ms);
unsigned long msleep_interruptible(unsigned int ms);
void usleep_range(unsigned long min, unsigned long max);
void ssleep(unsigned int seconds);
/* As suits the time: udelay() up to 10 us, usleep_range() up to 20 ms, msleep(). Context: task, may sleep. */
void fsleep(unsigned long us);
/* Keep the CPU busy, at least as long. Any context. */
void udelay(unsigned long us);
void ndelay(unsigned long ns);
void mdelay(unsigned long ms);

#ifdef __cplusplus
}
#endif

#endif
