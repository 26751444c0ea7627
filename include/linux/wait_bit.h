/*
 * linux/wait_bit.h: waiting for a bit to be clear, and for a variable, without a wait queue of their own.
 *
 * Semantics: Linux, the kernel's header of this name. The queues are shared: an address and bit find theirs by a hash. Who clears the bit,
 * or makes the condition true, wakes after that, with a full barrier in between: clear_and_wake_up_bit() has it. <linux/wait.h> has
 * these too.
 */
#ifndef FLAGSTONE_LINUX_WAIT_BIT_H
#define FLAGSTONE_LINUX_WAIT_BIT_H

#pragma GCC system_header /* its macros nest, with locals of the same names */
#include <linux/bitops.h>
#include <linux/might_sleep.h>
#include <linux/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is waited for: a bit, or with bit_nr -1, a variable. */
struct wait_bit_key {
	void *flags;
	int bit_nr;
	unsigned long timeout; /* jiffies: until when, for bit_wait_timeout() */
};

struct wait_bit_queue_entry {
	struct wait_bit_key key;
	struct wait_queue_entry wq_entry;
};

/* Sleeps: the state is set. 0, or -errno, which ends the wait. */
typedef int wait_bit_action_f(struct wait_bit_key *key, int mode);
/* schedule(); for I/O; until key->timeout, and -EAGAIN once that is over. -EINTR when the OOM killer has chosen this task and mode lets
 * it interrupt. */
int bit_wait(struct wait_bit_key *key, int mode);
int bit_wait_io(struct wait_bit_key *key, int mode);
int bit_wait_timeout(struct wait_bit_key *key, int mode);
int bit_wait_io_timeout(struct wait_bit_key *key, int mode);

/* The queue of a bit; of a variable. */
struct wait_queue_head *bit_waitqueue(unsigned long *word, int bit);
struct wait_queue_head *__var_waitqueue(void *var);

int out_of_line_wait_on_bit(unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode);
int out_of_line_wait_on_bit_timeout(
	unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode, unsigned long timeout);
int out_of_line_wait_on_bit_lock(unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode);

/*
 * Sleeps in that state until the bit is clear: bit of the array of longs at word. What its last holder wrote before it cleared the bit is
 * seen then. 0; -EINTR as above, where mode is TASK_INTERRUPTIBLE or TASK_KILLABLE; _timeout: -EAGAIN if it is not clear after so many
 * jiffies. _io: counts as waiting for I/O. _action: what sleeps, and may say -errno. Context: task, may sleep.
 */
static inline int wait_on_bit_action(unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode)
{
	might_sleep();
	return test_bit_acquire(bit, word) ? out_of_line_wait_on_bit(word, bit, action, mode) : 0;
}

static inline int wait_on_bit(unsigned long *word, int bit, unsigned int mode)
{
	return wait_on_bit_action(word, bit, bit_wait, mode);
}

static inline int wait_on_bit_io(unsigned long *word, int bit, unsigned int mode)
{
	return wait_on_bit_action(word, bit, bit_wait_io, mode);
}

static inline int wait_on_bit_timeout(unsigned long *word, int bit, unsigned int mode, unsigned long timeout)
{
	might_sleep();
	if (!test_bit_acquire(bit, word))
		return 0;
	return out_of_line_wait_on_bit_timeout(word, bit, bit_wait_timeout, mode, timeout);
}

/* The same, and sets the bit when it is clear: this task has it then. Others wait on. Not set where the result is not 0. */
static inline int wait_on_bit_lock_action(unsigned long *word, int bit, wait_bit_action_f *action, unsigned int mode)
{
	might_sleep();
	return test_and_set_bit(bit, word) ? out_of_line_wait_on_bit_lock(word, bit, action, mode) : 0;
}

static inline int wait_on_bit_lock(unsigned long *word, int bit, unsigned int mode)
{
	return wait_on_bit_lock_action(word, bit, bit_wait, mode);
}

static inline int wait_on_bit_lock_io(unsigned long *word, int bit, unsigned int mode)
{
	return wait_on_bit_lock_action(word, bit, bit_wait_io, mode);
}

/* Wakes all that wait for the bit and one that waits to set it. Any context. */
void wake_up_bit(unsigned long *word, int bit);
/* Clears the bit as clear_bit_unlock() does, and wakes. */
void clear_and_wake_up_bit(int bit, unsigned long *word);

/* ---- variables ---- */

/* Wakes all that wait for the variable, known by its address. The condition is true; a barrier came after. Any context. */
void wake_up_var(void *var);
void init_wait_var_entry(struct wait_bit_queue_entry *entry, void *var, int flags);

#define ___wait_var_event(var, condition, state, exclusive, ret, cmd)                                          \
	({                                                                                                     \
		struct wait_queue_head *__queue = __var_waitqueue(var);                                        \
		struct wait_bit_queue_entry __entry;                                                           \
		long __ret = (ret);                                                                            \
		init_wait_var_entry(&__entry, (var), (exclusive) ? (int)WQ_FLAG_EXCLUSIVE : 0);                \
		___wait_loop(prepare_to_wait_event(__queue, &__entry.wq_entry, (int)(state)), condition, cmd); \
		finish_wait(__queue, &__entry.wq_entry);                                                       \
		__ret;                                                                                         \
	})

/* Sleeps until the condition is true: as wait_event() and its like. Context: task, may sleep. */
#define wait_var_event(var, condition) \
	((void)___wait_unless(condition, ___wait_var_event(var, condition, TASK_UNINTERRUPTIBLE, 0, 0, schedule())))
#define wait_var_event_killable(var, condition) \
	___wait_unless(condition, ___wait_var_event(var, condition, TASK_KILLABLE, 0, 0, schedule()))
#define wait_var_event_interruptible(var, condition) \
	___wait_unless(condition, ___wait_var_event(var, condition, TASK_INTERRUPTIBLE, 0, 0, schedule()))
#define wait_var_event_timeout(var, condition, timeout)                                                  \
	___wait_timed(condition, timeout,                                                                \
		___wait_var_event(var, ___wait_cond_timeout(condition), TASK_UNINTERRUPTIBLE, 0, __left, \
			__ret = schedule_timeout(__ret)))

#ifdef __cplusplus
}
#endif

#endif
