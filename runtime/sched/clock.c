/*
 * clock.c: the machine's clock: a heap of deadlines and the host thread that meets them.
 *
 * Calls host for time and waiting. Knows nothing of timers or of tasks: an event has a function.
 */
#include <errno.h>

#include "runtime/host/host.h"
#include "runtime/sched/internal.h"

#define MAX_EVENTS 65536
#define LONGEST_WAIT 1000000000u

/* Under lock: heap[i / 2] is not later than heap[i], from 1; heap[i]->place == i; places of events not in it are 0. */
static struct {
	struct lock lock; /* rank CLOCK, interrupts off */
	struct clock_event **heap; /* heap[1 .. nr]. Synchronization: lock */
	unsigned int nr; /* Synchronization: lock */
	struct clock_event *firing; /* Synchronization: lock to write, atomic */
	uint32_t changed; /* the thread is to look again. Synchronization: atomic */
	bool stop; /* Synchronization: lock */
	pthread_t thread;
} the_clock = {.lock = LOCK_INIT(LOCK_CLOCK)};

static void __put(unsigned int place, struct clock_event *event)
{
	the_clock.heap[place] = event;
	event->place = place;
}

static void __sift_up(unsigned int place, struct clock_event *event)
{
	for (; place > 1 && the_clock.heap[place / 2]->when > event->when; place /= 2)
		__put(place, the_clock.heap[place / 2]);
	__put(place, event);
}

static void __sift_down(unsigned int place, struct clock_event *event)
{
	for (unsigned int child; (child = 2 * place) <= the_clock.nr; place = child) {
		if (child < the_clock.nr && the_clock.heap[child + 1]->when < the_clock.heap[child]->when)
			child++;
		if (the_clock.heap[child]->when >= event->when)
			break;
		__put(place, the_clock.heap[child]);
	}
	__put(place, event);
}

static void __remove(struct clock_event *event)
{
	unsigned int place = event->place;
	struct clock_event *last = the_clock.heap[the_clock.nr--];

	event->place = 0;
	if (last == event)
		return;
	if (place > 1 && the_clock.heap[place / 2]->when > last->when)
		__sift_up(place, last);
	else
		__sift_down(place, last);
}

int clock_set(struct clock_event *event, uint64_t when)
{
	host_sigmask_t mask = host_signals_block();
	int error = 0;
	bool first = false;

	lock_acquire(&the_clock.lock);
	if (event->place)
		__remove(event);
	if (the_clock.nr == MAX_EVENTS - 1) {
		error = -ENOMEM;
	} else {
		event->when = when;
		__sift_up(++the_clock.nr, event);
		first = event->place == 1;
	}
	lock_release(&the_clock.lock);
	if (first) {
		/* Pairs with clock_body(): it looks at the heap after it has seen this. */
		__atomic_store_n(&the_clock.changed, 1, __ATOMIC_RELEASE);
		host_futex_wake(&the_clock.changed, 1);
	}
	host_signals_restore(mask);
	return error;
}

bool clock_is_empty(void)
{
	bool empty;

	lock_acquire(&the_clock.lock);
	empty = !the_clock.nr;
	lock_release(&the_clock.lock);
	return empty;
}

bool clock_cancel(struct clock_event *event)
{
	host_sigmask_t mask = host_signals_block();
	bool was_set;

	lock_acquire(&the_clock.lock);
	was_set = event->place;
	if (was_set)
		__remove(event);
	lock_release(&the_clock.lock);
	host_signals_restore(mask);
	return was_set;
}

bool clock_cancel_sync(struct clock_event *event)
{
	bool was_set = clock_cancel(event);

	/* Pairs with clock_body(): when it is no longer firing, what fire() wrote is visible. */
	while (__atomic_load_n(&the_clock.firing, __ATOMIC_ACQUIRE) == event)
		host_yield();
	return was_set;
}

/* Fires what is due. Returns the nanoseconds until the next deadline. The lock is held, and let go while an event fires. */
static uint64_t __fire_due(void)
{
	uint64_t now = host_clock_ns();

	while (the_clock.nr && the_clock.heap[1]->when <= now) {
		struct clock_event *event = the_clock.heap[1];

		__remove(event);
		__atomic_store_n(&the_clock.firing, event, __ATOMIC_RELAXED);
		lock_release(&the_clock.lock);
		event->fire(event);
		/* Pairs with clock_cancel_sync(). */
		__atomic_store_n(&the_clock.firing, NULL, __ATOMIC_RELEASE);
		lock_acquire(&the_clock.lock);
		now = host_clock_ns();
	}
	return the_clock.nr && the_clock.heap[1]->when - now < LONGEST_WAIT ? the_clock.heap[1]->when - now
									    : LONGEST_WAIT;
}

static void *clock_body(void *unused)
{
	bool stop = false;

	(void)unused;
	host_signals_block();
	while (!stop) {
		uint64_t wait;

		__atomic_store_n(&the_clock.changed, 0, __ATOMIC_RELAXED);
		lock_acquire(&the_clock.lock);
		wait = __fire_due();
		stop = the_clock.stop;
		lock_release(&the_clock.lock);
		/* Pairs with clock_set(): whatever changed after the heap was looked at has set the word. */
		if (!stop && !__atomic_load_n(&the_clock.changed, __ATOMIC_ACQUIRE))
			host_futex_wait_for(&the_clock.changed, 0, wait);
	}
	return NULL;
}

int clock_boot(void)
{
	int error;

	the_clock.heap = host_map(MAX_EVENTS * sizeof(*the_clock.heap));
	if (!the_clock.heap)
		return -ENOMEM;
	the_clock.nr = 0;
	the_clock.stop = false;
	error = pthread_create(&the_clock.thread, NULL, clock_body, NULL);
	if (error) {
		host_unmap(the_clock.heap, MAX_EVENTS * sizeof(*the_clock.heap));
		the_clock.heap = NULL;
	}
	return -error;
}

void clock_forget(void)
{
	lock_reinit(&the_clock.lock);
	the_clock.firing = NULL;
	if (the_clock.heap)
		host_unmap(the_clock.heap, MAX_EVENTS * sizeof(*the_clock.heap));
	the_clock.heap = NULL;
}

void clock_shutdown(void)
{
	host_sigmask_t mask;

	if (!the_clock.heap)
		return;
	mask = host_signals_block();
	lock_acquire(&the_clock.lock);
	the_clock.stop = true;
	lock_release(&the_clock.lock);
	host_signals_restore(mask);
	__atomic_store_n(&the_clock.changed, 1, __ATOMIC_RELEASE);
	host_futex_wake(&the_clock.changed, 1);
	pthread_join(the_clock.thread, NULL);
	host_unmap(the_clock.heap, MAX_EVENTS * sizeof(*the_clock.heap));
	the_clock.heap = NULL;
}
