/*
 * linux/might_sleep.h: saying that code may sleep, or must not; reports where that is wrong.
 *
 * Semantics: Linux, include/linux/kernel.h's documentation of might_sleep(). <linux/kernel.h> has these too.
 */
#ifndef FLAGSTONE_LINUX_MIGHT_SLEEP_H
#define FLAGSTONE_LINUX_MIGHT_SLEEP_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

void flagstone_might_sleep(const char *file, int line);
void flagstone_cant_sleep(const char *file, int line);
int _cond_resched(void);

/*
 * What follows may sleep. "BUG: sleeping function called from invalid context" unless this is a task with preemption and interrupts on,
 * with the stack here and those where the sections began; then it goes on. Then the other tasks of this CPU may get a turn.
 */
#define might_sleep()                                      \
	do {                                               \
		flagstone_might_sleep(__FILE__, __LINE__); \
		might_resched();                           \
	} while (0)
#define might_sleep_if(condition)      \
	do {                           \
		if (condition)         \
			might_sleep(); \
	} while (0)
/* A place where a task may give its CPU to others, in a machine that preempts at will only. */
void might_resched(void);
/* "BUG: assuming atomic context" unless preemption or interrupts are off. */
#define cant_sleep() flagstone_cant_sleep(__FILE__, __LINE__)

/* Between them this task must not sleep though it could. Nests. Task context. */
void non_block_start(void);
void non_block_end(void);

/* Flagstone's own: whether sections are recorded for reports and sleeping, spinlocks and smp_processor_id() are checked: from a task's
 * start on. Synchronization: set while one thread uses the machine; default true. */
extern bool sched_debug;

#ifdef __cplusplus
}
#endif

#endif
