/*
 * linux/ratelimit.h: lets something be done so many times within so long.
 *
 * Semantics: Linux, Documentation/admin-guide/sysctl/kernel.rst (printk_ratelimit, printk_ratelimit_burst), and asked of one. Any context.
 */
#ifndef FLAGSTONE_LINUX_RATELIMIT_H
#define FLAGSTONE_LINUX_RATELIMIT_H

#include <linux/printk.h>
#include <linux/ratelimit_types.h>
#include <linux/sched.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* interval: jiffies. burst times within it; 0: never. */
static inline void ratelimit_state_init(struct ratelimit_state *state, int interval, int burst)
{
	memset(state, 0, sizeof(*state));
	state->interval = interval;
	state->burst = burst;
}

static inline void ratelimit_default_init(struct ratelimit_state *state)
{
	ratelimit_state_init(state, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
}

static inline void ratelimit_set_flags(struct ratelimit_state *state, unsigned long flags)
{
	state->flags = flags;
}

/* With RATELIMIT_MSG_ON_RELEASE: says what was left out since the last time. Nobody else uses the state. */
static inline void ratelimit_state_exit(struct ratelimit_state *state)
{
	if (!(state->flags & RATELIMIT_MSG_ON_RELEASE) || !state->missed)
		return;
	pr_warn("%s: %d output lines suppressed due to ratelimiting\n", current ? current->comm : "-", state->missed);
	state->missed = 0;
}

#define WARN_ON_RATELIMIT(condition, state)                          \
	({                                                           \
		bool flagstone_warns_often = !!(condition);          \
		WARN_ON(flagstone_warns_often &&__ratelimit(state)); \
		flagstone_warns_often;                               \
	})
#define WARN_RATELIMIT(condition, format, ...)                                                           \
	({                                                                                               \
		static DEFINE_RATELIMIT_STATE(_rs, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST); \
		bool flagstone_warns_often = !!(condition);                                              \
		if (unlikely(flagstone_warns_often) && __ratelimit(&_rs))                                \
			WARN(1, format, ##__VA_ARGS__);                                                  \
		flagstone_warns_often;                                                                   \
	})

#ifdef __cplusplus
}
#endif

#endif
