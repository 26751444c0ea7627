/*
 * flagstone/rcu.h: <linux/rcupdate.h> in an ordinary program.
 *
 * Nothing is to be set up: any thread may read, from its first rcu_read_lock() on, in signal handlers too, and leaves by ending. The
 * first use that defers or waits starts up to two threads of flagstone's, with all signals blocked: one waits for readers, and then frees
 * and calls; one watches whether readers ever leave. Programs that use none of it have neither, and libflagstone-malloc has not the
 * code.
 *
 * Where a program differs from a kernel:
 * - synchronize_rcu(), rcu_barrier() and kvfree_rcu_barrier() block the calling thread: not in signal handlers.
 * - call_rcu()'s functions run one after the other on flagstone's thread: they should be short, and must not wait for a thread that
 *   waits for them.
 * - While more than 32 MiB wait for readers, kfree_rcu() slows its caller down: by about 10 ms for 124 objects, or for 64 KiB of a large
 *   one, and by a second at most; a reader never (in a machine nobody: there memory pressure hurries what waits).
 * - In synchronize_rcu(), liburcu has all signals of the calling thread blocked.
 * - A signal handler that interrupted kfree_rcu() must not wait for kvfree_rcu_barrier(), which may wait for what it interrupted.
 * - fork() waits for a grace period that is under way, so not in a section, which is reported once anything was deferred or waited for; the
 *   child has everything that was deferred, and its own
 *   threads when it needs them.
 * - A reader that keeps a grace period waiting for 21 s (FLAGSTONE_CONF=rcu_stall_timeout=SECONDS; 0: never) is reported on stderr with
 *   its stack, which the highest real-time signal that the program has no handler for asks for.
 */
#ifndef FLAGSTONE_RCU_H
#define FLAGSTONE_RCU_H

#include <linux/rcupdate.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts what the first use would: for a program that will call call_rcu() or kfree_rcu() first in a signal handler, where threads
 * cannot be started, or that wants to know that it works. 0, or -EAGAIN: the system has no thread left, and what is deferred waits until one
 * can be started. Again, or in a machine: nothing. Context: not a signal handler.
 */
int flagstone_rcu_start(void);

#ifdef __cplusplus
}
#endif

#endif
