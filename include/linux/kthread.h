/*
 * linux/kthread.h: kernel threads.
 *
 * Semantics: Linux, Documentation/driver-api/basics.rst. Everything here may sleep, and is for task context.
 */
#ifndef FLAGSTONE_LINUX_KTHREAD_H
#define FLAGSTONE_LINUX_KTHREAD_H

#include <linux/sched.h>
#include <linux/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A thread that will run threadfn(data), once it is woken with wake_up_process(). Returns it, or ERR_PTR(-ENOMEM). On the CPU with the
 * fewest tasks; _on_cpu: on that CPU, which it does not leave, with %u in the name replaced by its number. */
struct task_struct *kthread_create_on_node(int (*threadfn)(void *data), void *data, int node, const char *namefmt, ...)
	__attribute__((format(printf, 4, 5)));
struct task_struct *kthread_create_on_cpu(
	int (*threadfn)(void *data), void *data, unsigned int cpu, const char *namefmt);
#define kthread_create(threadfn, data, namefmt, ...) kthread_create_on_node(threadfn, data, -1, namefmt, ##__VA_ARGS__)
/* Creates and wakes. */
#define kthread_run(threadfn, data, namefmt, ...)                                                    \
	({                                                                                           \
		struct task_struct *__task = kthread_create(threadfn, data, namefmt, ##__VA_ARGS__); \
		if (!IS_ERR(__task))                                                                 \
			wake_up_process(__task);                                                     \
		__task;                                                                              \
	})
/* Ties a thread that has not run yet to a CPU. */
void kthread_bind(struct task_struct *task, unsigned int cpu);

/* Makes kthread_should_stop() true for the thread, wakes it, waits until it has ended. Returns what threadfn returned; -EINTR if it
 * never ran. A thread may be stopped once; one that may end by itself has to be held with get_task_struct(). */
int kthread_stop(struct task_struct *task);
bool kthread_should_stop(void);
/* Parks the thread: it sleeps inside kthread_parkme() until kthread_unpark(). 0, or -ENOSYS if it has ended. */
int kthread_park(struct task_struct *task);
void kthread_unpark(struct task_struct *task);
bool kthread_should_park(void);
void kthread_parkme(void);
/* Ends the calling thread as if threadfn had returned result. */
void kthread_exit(long result) __attribute__((noreturn));
/* What kthread_create was given. */
void *kthread_data(struct task_struct *task);

#ifdef __cplusplus
}
#endif

#endif
