/*
 * signals.c: the signal that makes a thread look at its CPU's events, and the thread that forces preemption at random moments.
 *
 * Builds with a sanitizer send no signals, which it would hold back: there a CPU looks whenever its interrupts come on.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/sched/internal.h"

static struct sigaction old_action; /* Synchronization: boot and shutdown */

static struct {
	pthread_t thread;
	bool runs;
	unsigned int mean_us; /* Synchronization: const while it runs */
	uint64_t random;
	uint32_t stop; /* Synchronization: atomic */
} preempter;

bool preempt_is_forced(void)
{
	return __atomic_load_n(&preempter.runs, __ATOMIC_RELAXED);
}

static void on_signal(int signal)
{
	int saved = errno;

	(void)signal;
	cpu_look();
	errno = saved;
}

void signals_boot(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	/* The signal stays blocked inside the handler, also while the task waits there for its next turn: else handlers would nest
	 * without bound. Events that come meanwhile are seen when the mask opens, or when the handler returns. */
	action.sa_flags = SA_RESTART;
	sigaction(SCHED_SIGNAL, &action, &old_action);
}

void signals_shutdown(void)
{
	sigaction(SCHED_SIGNAL, &old_action, NULL);
}

void signals_forget(void)
{
	memset(&preempter, 0, sizeof(preempter));
	signals_shutdown();
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void *preempter_body(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&preempter.stop, __ATOMIC_RELAXED)) {
		uint64_t us = random_next(&preempter.random) % (2 * preempter.mean_us) + 1;

		host_futex_wait_for(&preempter.stop, 0, us * 1000);
		cpu_raise((unsigned int)(random_next(&preempter.random) % sched_nr_cpus), CPU_RESCHED);
	}
	return NULL;
}

int preempt_force(unsigned int mean_us, uint64_t seed)
{
	host_sigmask_t mask = host_signals_block();
	int error = 0;

	if (preempter.runs) {
		__atomic_store_n(&preempter.stop, 1, __ATOMIC_RELAXED);
		host_futex_wake(&preempter.stop, 1);
		pthread_join(preempter.thread, NULL);
		__atomic_store_n(&preempter.runs, false, __ATOMIC_RELAXED);
	}
	if (mean_us) {
		preempter.mean_us = mean_us;
		preempter.random = seed | 1;
		__atomic_store_n(&preempter.stop, 0, __ATOMIC_RELAXED);
		error = pthread_create(&preempter.thread, NULL, preempter_body, NULL);
		__atomic_store_n(&preempter.runs, !error, __ATOMIC_RELAXED);
	}
	host_signals_restore(mask);
	return -error;
}
