/*
 * linux/notifier.h: functions to be told of an event.
 *
 * Semantics: Linux, kernel/notifier.c as documented in Documentation/driver-api/basics.rst; include/linux/notifier.h of the
 * documentation tells the kinds of chain: those of atomic ones are called in atomic context, those of blocking ones may sleep, raw
 * ones leave all locking to who uses them.
 */
#ifndef FLAGSTONE_LINUX_NOTIFIER_H
#define FLAGSTONE_LINUX_NOTIFIER_H

#include <linux/errno.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

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

struct raw_notifier_head {
	struct notifier_block *head; /* Synchronization: the user's */
};

struct atomic_notifier_head {
	spinlock_t lock;
	struct notifier_block *head; /* Synchronization: written under lock, read without by rounds */
	unsigned int turn; /* Synchronization: atomic; which of nr_rounds new rounds are counted in */
	unsigned int nr_rounds[2]; /* under way. Synchronization: atomic */
};

struct blocking_notifier_head {
	struct rw_semaphore rwsem;
	struct notifier_block *head; /* Synchronization: rwsem */
};

#define RAW_NOTIFIER_INIT(name) \
	{                       \
		NULL            \
	}
#define ATOMIC_NOTIFIER_INIT(name)                             \
	{                                                      \
		__SPIN_LOCK_INITIALIZER((name).lock), NULL, 0, \
		{                                              \
			0, 0                                   \
		}                                              \
	}
#define BLOCKING_NOTIFIER_INIT(name)                    \
	{                                               \
		__RWSEM_INITIALIZER((name).rwsem), NULL \
	}
#define RAW_NOTIFIER_HEAD(name) struct raw_notifier_head name = RAW_NOTIFIER_INIT(name)
#define ATOMIC_NOTIFIER_HEAD(name) struct atomic_notifier_head name = ATOMIC_NOTIFIER_INIT(name)
#define BLOCKING_NOTIFIER_HEAD(name) struct blocking_notifier_head name = BLOCKING_NOTIFIER_INIT(name)

/* Make an empty chain. */
#define RAW_INIT_NOTIFIER_HEAD(name) \
	do {                         \
		(name)->head = NULL; \
	} while (0)
#define ATOMIC_INIT_NOTIFIER_HEAD(name)                                         \
	do {                                                                    \
		spin_lock_init(&(name)->lock);                                  \
		(name)->head = NULL;                                            \
		(name)->turn = (name)->nr_rounds[0] = (name)->nr_rounds[1] = 0; \
	} while (0)
#define BLOCKING_INIT_NOTIFIER_HEAD(name)   \
	do {                                \
		init_rwsem(&(name)->rwsem); \
		(name)->head = NULL;        \
	} while (0)

/*
 * Add a block behind those of its priority. 0; -EEXIST, with a warning, if it is in the chain. _unique_prio: -EBUSY if another
 * with its priority is. Context: atomic: any; blocking: task, may sleep; raw: as the user locks.
 */
int raw_notifier_chain_register(struct raw_notifier_head *nh, struct notifier_block *nb);
int atomic_notifier_chain_register(struct atomic_notifier_head *nh, struct notifier_block *nb);
int atomic_notifier_chain_register_unique_prio(struct atomic_notifier_head *nh, struct notifier_block *nb);
int blocking_notifier_chain_register(struct blocking_notifier_head *nh, struct notifier_block *nb);
int blocking_notifier_chain_register_unique_prio(struct blocking_notifier_head *nh, struct notifier_block *nb);
/* Take a block out; nobody is in its function any more then, except with raw chains. 0, or -ENOENT: it is not in the chain.
 * Context: atomic and blocking: task, may sleep. */
int raw_notifier_chain_unregister(struct raw_notifier_head *nh, struct notifier_block *nb);
int atomic_notifier_chain_unregister(struct atomic_notifier_head *nh, struct notifier_block *nb);
int blocking_notifier_chain_unregister(struct blocking_notifier_head *nh, struct notifier_block *nb);
/* Tell all of a chain, until one says stop. Returns what the last one returned, NOTIFY_DONE of an empty chain. Context: atomic:
 * any; blocking: task, may sleep. */
int raw_notifier_call_chain(struct raw_notifier_head *nh, unsigned long action, void *data);
int atomic_notifier_call_chain(struct atomic_notifier_head *nh, unsigned long action, void *data);
int blocking_notifier_call_chain(struct blocking_notifier_head *nh, unsigned long action, void *data);
/* Whether nobody is in the chain. A hint. Any context. */
bool atomic_notifier_call_chain_is_empty(struct atomic_notifier_head *nh);

/* An errno as a NOTIFY_ word that stops the round, and back. 0 is NOTIFY_OK. Any context. */
static inline int notifier_from_errno(int error)
{
	return error ? NOTIFY_STOP_MASK | (NOTIFY_OK - error) : NOTIFY_OK;
}

static inline int notifier_to_errno(int word)
{
	word &= ~NOTIFY_STOP_MASK;
	return word > NOTIFY_OK ? NOTIFY_OK - word : 0;
}

#ifdef __cplusplus
}
#endif

#endif
