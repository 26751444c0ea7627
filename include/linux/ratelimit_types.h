/*
 * linux/ratelimit_types.h: how often something may be done; see linux/ratelimit.h.
 */
#ifndef FLAGSTONE_LINUX_RATELIMIT_TYPES_H
#define FLAGSTONE_LINUX_RATELIMIT_TYPES_H

#include <linux/jiffies.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DEFAULT_RATELIMIT_INTERVAL (5 * HZ)
#define DEFAULT_RATELIMIT_BURST 10
#define RATELIMIT_MSG_ON_RELEASE 1u /* what was left out is told by ratelimit_state_exit() alone */

struct ratelimit_state {
	unsigned int locked; /* Synchronization: atomic */
	int interval; /* jiffies; 0: no limit. Synchronization: const, or the caller's */
	int burst; /* that many within it. Synchronization: as interval */
	int printed, missed; /* Synchronization: locked; missed also read without */
	unsigned long begin; /* of the interval; Synchronization: locked */
	unsigned int begun; /* there was a first call; Synchronization: locked */
	unsigned long flags; /* Synchronization: as interval */
};

#define RATELIMIT_STATE_INIT_FLAGS(name, interval_, burst_, flags_) \
	{                                                           \
		0, (interval_), (burst_), 0, 0, 0, 0, (flags_)      \
	}
#define RATELIMIT_STATE_INIT(name, interval_, burst_) RATELIMIT_STATE_INIT_FLAGS(name, interval_, burst_, 0)
#define DEFINE_RATELIMIT_STATE(name, interval_, burst_) \
	struct ratelimit_state name = RATELIMIT_STATE_INIT(name, interval_, burst_)

/*
 * Not 0 if it may be done once more. The first time after an interval in which something was left out, says so: "FUNCTION: N callbacks
 * suppressed". 0, too, while another CPU asks of the same state. Context: any.
 */
int ___ratelimit(struct ratelimit_state *state, const char *function);
#define __ratelimit(state) ___ratelimit(state, __func__)

#ifdef __cplusplus
}
#endif

#endif
