/*
 * linux/notifier.h: functions to be told of an event.
 *
 * Semantics: Linux, kernel/notifier.c as documented in Documentation/driver-api/basics.rst.
 */
#ifndef FLAGSTONE_LINUX_NOTIFIER_H
#define FLAGSTONE_LINUX_NOTIFIER_H

#ifdef __cplusplus
extern "C" {
#endif

#define NOTIFY_DONE 0x0000
#define NOTIFY_OK 0x0001
#define NOTIFY_STOP_MASK 0x8000
#define NOTIFY_BAD (NOTIFY_STOP_MASK | 0x0002)
#define NOTIFY_STOP (NOTIFY_OK | NOTIFY_STOP_MASK)

struct notifier_block;
/* Is told what happened. Returns a NOTIFY_ word; one with NOTIFY_STOP_MASK ends the round. */
typedef int (*notifier_fn_t)(struct notifier_block *nb, unsigned long action, void *data);

/* Of those registered with one chain, higher priorities are told first. */
struct notifier_block {
	notifier_fn_t notifier_call;
	struct notifier_block *next; /* the chain's own */
	int priority;
};

#ifdef __cplusplus
}
#endif

#endif
