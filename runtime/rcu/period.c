/*
 * period.c: grace periods by number, and the thread that waits for them.
 *
 * Calls readers.c, and the files that do something when a period has ended. The thread sleeps while nobody wants anything: it costs
 * nothing until then, and does not exist before the first use.
 *
 * Numbers: wanted counts the wishes, ended is the value that wanted had before the last period that has ended began. So whoever made
 * wanted n is served as soon as ended >= n: the period began after that.
 */
#include <errno.h>
#include <flagstone/rcu.h>
#include <pthread.h>
#include <signal.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/rcu/internal.h"
#include "runtime/rcu/readers.h"
#include "runtime/slab/slab.h"

#define BATCH_NS 5000000 /* wishes without hurry are served together */
#define DRAIN_NS 200000000 /* that magazines which are not full lie on CPUs, or twice that */

/* Synchronization: atomic */
static unsigned long wanted, ended;
static unsigned long begun, over; /* grace periods by numbers of their own, whoever waited for them: for who polls */
static unsigned long served; /* ended, when what was ready then is done */
static uint32_t rest; /* what was left to producers is to be done, too */
static uint32_t calls; /* changes when the thread is to look: a futex word */
static uint64_t rests; /* 1 << 32 | calls: the thread sleeps until that changes. 0: it does not */
static uint32_t hurried; /* the next period is to begin at once */
static uint32_t changes; /* of ended and served: a futex word */

/* Held by the thread but for while it sleeps or waits for readers, and by who moves magazines of other CPUs: fork takes it, and finds
 * everything in one piece. */
static pthread_mutex_t at_work = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t used = PTHREAD_ONCE_INIT;
static uint32_t runs; /* the thread exists. Synchronization: atomic, written under start_lock */
static pthread_t thread; /* Synchronization: start_lock */
static uint32_t stopping; /* Synchronization: atomic */
static uint32_t held; /* no period is to begin: so many fork; a futex word. Synchronization: atomic */
static uint32_t in_period; /* Synchronization: atomic; changes are told as those of ended */
static __thread bool is_self;
static __thread bool holds; /* this thread forks, and is one of those of held */
static const struct rcu_hooks *rcu_hooks; /* NULL: hosted. Synchronization: as rcu_boot_machine() */

static void fork_prepare(void);
static void fork_parent(void);
static void fork_child(void);

/* ---- the thread ---- */

void period_thread_call(void)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&calls, 1);
}

unsigned int rcu_nr_resting(void)
{
	uint64_t state = __atomic_load_n(&rests, __ATOMIC_SEQ_CST);

	return (state && (uint32_t)state == __atomic_load_n(&calls, __ATOMIC_SEQ_CST)) + stall_rests();
}

static bool has_wishes(void)
{
	return __atomic_load_n(&wanted, __ATOMIC_SEQ_CST) != __atomic_load_n(&ended, __ATOMIC_RELAXED);
}

/* What producers have left for a while. */
static void serve_rest(void)
{
	__atomic_store_n(&rest, 1, __ATOMIC_SEQ_CST);
	if (rcu_hooks) {
		rcu_hooks->changed();
		return;
	}
	pthread_mutex_lock(&at_work);
	rcu_serve();
	pthread_mutex_unlock(&at_work);
}

/* Whether it was asked first so long ago; then the next time is the first. */
static bool has_passed(uint64_t *due, uint64_t ns)
{
	uint64_t now = host_clock_ns();

	if (!*due)
		*due = now + ns;
	if (now < *due)
		return false;
	*due = 0;
	return true;
}

/* Takes magazines that are not full off their CPUs, once some have been there for DRAIN_NS. */
static void drain_if_due(void)
{
	static uint64_t due; /* Synchronization: the thread's; 0: there are none */

	if (!deferred_is_armed())
		due = 0;
	else if (has_passed(&due, DRAIN_NS))
		deferred_drain(true);
}

/* Whether the next period is to begin: somebody hurries, or the first wish has waited for others long enough. */
static bool is_due(void)
{
	static uint64_t due; /* Synchronization: the thread's; 0: nobody waits yet */

	if (!has_passed(&due, BATCH_NS) && !__atomic_load_n(&hurried, __ATOMIC_SEQ_CST))
		return false;
	due = 0;
	return true;
}

/* Until somebody wants a period; a wish without hurry waits for others. */
static void wait_for_wishes(void)
{
	for (;;) {
		uint32_t seen = __atomic_load_n(&calls, __ATOMIC_SEQ_CST);

		if (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST))
			return;
		drain_if_due();
		/* Who hurries says so after its wish, which may have been served by then: alone it is nothing. */
		if (has_wishes()) {
			if (is_due())
				return;
			host_futex_wait_for(&calls, seen, BATCH_NS);
			continue;
		}
		if (deferred_is_ready()) {
			host_futex_wait_for(&calls, seen, BATCH_NS);
			if (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) == seen)
				serve_rest();
		} else if (deferred_is_armed()) {
			host_futex_wait_for(&calls, seen, DRAIN_NS);
		} else {
			__atomic_store_n(&rests, 1ull << 32 | seen, __ATOMIC_SEQ_CST);
			host_futex_wait(&calls, seen);
			__atomic_store_n(&rests, 0, __ATOMIC_SEQ_CST);
		}
	}
}

/* Who waits is told that ended, served or what else he looks at has changed. */
void period_tell(void)
{
	__atomic_fetch_add(&changes, 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&changes, INT32_MAX);
	if (rcu_hooks)
		rcu_hooks->changed();
}

bool rcu_needs_service(void)
{
	return __atomic_load_n(&served, __ATOMIC_RELAXED) != __atomic_load_n(&ended, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&rest, __ATOMIC_RELAXED);
}

void rcu_serve(void)
{
	/* Pairs with run_period(): what was made ready for it is seen. */
	unsigned long period = __atomic_load_n(&ended, __ATOMIC_ACQUIRE);

	if (rcu_hooks)
		rcu_hooks->callbacks_begin();
	callbacks_run();
	if (rcu_hooks)
		rcu_hooks->callbacks_end();
	deferred_free(__atomic_exchange_n(&rest, 0, __ATOMIC_RELAXED));
	/* Pairs with is_served(): who sees it sees what was done. */
	__atomic_store_n(&served, period, __ATOMIC_RELEASE);
	period_tell();
}

/* False: not now. Pairs with hold(): either it sees the period, or that is not begun. */
static bool period_begin(void)
{
	__atomic_store_n(&in_period, 1, __ATOMIC_SEQ_CST);
	if (likely(!__atomic_load_n(&held, __ATOMIC_SEQ_CST)))
		return true;
	__atomic_store_n(&in_period, 0, __ATOMIC_SEQ_CST);
	period_tell();
	for (uint32_t seen; (seen = __atomic_load_n(&held, __ATOMIC_SEQ_CST));)
		host_futex_wait(&held, seen);
	return false;
}

static void wait_for_readers(void)
{
	unsigned long number = __atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST),
		      last = __atomic_load_n(&over, __ATOMIC_RELAXED);

	stall_wait_begin();
	readers_wait();
	stall_wait_end();
	/* Two at once end in any order. Pairs with poll_state_synchronize_rcu(). */
	while ((long)(number - last) > 0 &&
		!__atomic_compare_exchange_n(&over, &last, number, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void run_period(void)
{
	unsigned long period;

	if (!period_begin())
		return;
	pthread_mutex_lock(&at_work);
	__atomic_store_n(&hurried, 0, __ATOMIC_SEQ_CST);
	/* Before what waits is taken: what is wanted later may have come too late for this period. */
	period = __atomic_load_n(&wanted, __ATOMIC_SEQ_CST);
	callbacks_take();
	deferred_take();
	pthread_mutex_unlock(&at_work);
	wait_for_readers();
	pthread_mutex_lock(&at_work);
	callbacks_make_ready();
	deferred_make_ready();
	/* Pairs with has_ended(): who sees it sees what the sections did; and with rcu_serve(). */
	__atomic_store_n(&ended, period, __ATOMIC_RELEASE);
	if (!rcu_hooks)
		rcu_serve();
	pthread_mutex_unlock(&at_work);
	__atomic_store_n(&in_period, 0, __ATOMIC_SEQ_CST);
	period_tell();
}

static void *thread_body(void *arg)
{
	(void)arg;
	is_self = true;
	while (!__atomic_load_n(&stopping, __ATOMIC_SEQ_CST)) {
		wait_for_wishes();
		if (has_wishes())
			run_period();
	}
	return NULL;
}

int period_create_thread(pthread_t *created, void *(*body)(void *arg))
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(created, NULL, body, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static void first_use(void)
{
	/* Before: fork calls what was registered last first, and the thread is to be held off before the slab room's locks are taken, which
	 * it may need to get to rest. */
	slab_boot();
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

bool period_thread_start(void)
{
	bool up = __atomic_load_n(&runs, __ATOMIC_ACQUIRE);

	if (likely(up))
		return true;
	pthread_once(&used, first_use);
	pthread_mutex_lock(&start_lock);
	up = runs || !period_create_thread(&thread, thread_body);
	__atomic_store_n(&runs, up, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&start_lock);
	return up;
}

EXPORT int flagstone_rcu_start(void)
{
	return period_thread_start() ? 0 : -EAGAIN;
}

bool period_may_wait(void)
{
	return !is_self && !rcu_read_lock_held() && __atomic_load_n(&runs, __ATOMIC_ACQUIRE);
}

bool period_pause(uint64_t ns)
{
	uint32_t seen = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);

	if (rcu_hooks || !period_may_wait())
		return false;
	host_futex_wait_for(&changes, seen, ns);
	return true;
}

bool period_freeze(bool wait, host_sigmask_t *mask)
{
	/* A task that lost its CPU with it would keep those of others waiting, on theirs. */
	*mask = host_signals_block();
	if (wait)
		pthread_mutex_lock(&at_work);
	else if (pthread_mutex_trylock(&at_work)) {
		host_signals_restore(*mask);
		return false;
	}
	return true;
}

void period_thaw(host_sigmask_t mask)
{
	pthread_mutex_unlock(&at_work);
	host_signals_restore(mask);
}

/* ---- wishes ---- */

unsigned long period_want(bool hurry)
{
	unsigned long period = __atomic_add_fetch(&wanted, 1, __ATOMIC_SEQ_CST);

	if (hurry)
		__atomic_store_n(&hurried, 1, __ATOMIC_SEQ_CST);
	period_thread_call();
	return period;
}

static bool has_ended(unsigned long period)
{
	/* Pairs with run_period(). */
	return (long)(__atomic_load_n(&ended, __ATOMIC_ACQUIRE) - period) >= 0;
}

static bool is_served(unsigned long period)
{
	/* Pairs with rcu_serve(). */
	return (long)(__atomic_load_n(&served, __ATOMIC_ACQUIRE) - period) >= 0;
}

bool period_wait_until(bool (*is_over)(unsigned long arg), unsigned long arg, uint64_t ns)
{
	uint64_t end = ns == RCU_FOREVER ? 0 : host_clock_ns() + ns, now;

	if (rcu_hooks)
		return rcu_hooks->wait(is_over, arg, ns);
	for (;;) {
		uint32_t seen = __atomic_load_n(&changes, __ATOMIC_SEQ_CST);

		if (is_over(arg))
			return true;
		if (ns == RCU_FOREVER) {
			host_futex_wait(&changes, seen);
			continue;
		}
		now = host_clock_ns();
		if (now >= end)
			return false;
		host_futex_wait_for(&changes, seen, end - now);
	}
}

bool period_wait_served(unsigned long period, uint64_t ns)
{
	return period_wait_until(is_served, period, ns);
}

bool period_refuse_reader(const char *function)
{
	if (!rcu_read_lock_held())
		return false;
	report_bug("%s() between rcu_read_lock() and rcu_read_unlock(): it would wait for itself", function);
	return true;
}

bool period_refuse_callback(const char *function)
{
	if (!is_self)
		return false;
	report_bug("%s() in a function that call_rcu() was given: it would wait for itself", function);
	return true;
}

EXPORT void synchronize_rcu(void)
{
	if (period_refuse_reader("synchronize_rcu"))
		return;
	pthread_once(&used, first_use);
	/* A hosted thread has nothing to give up while it waits: no detour. */
	if (!rcu_hooks)
		wait_for_readers();
	else if (period_thread_start())
		period_wait_until(has_ended, period_want(true), RCU_FOREVER);
}

EXPORT unsigned long get_state_synchronize_rcu(void)
{
	/* The next one that begins. Written, since what the caller did before is to come before it on any CPU. */
	return __atomic_fetch_add(&begun, 0, __ATOMIC_SEQ_CST) + 1;
}

EXPORT unsigned long start_poll_synchronize_rcu(void)
{
	unsigned long state = get_state_synchronize_rcu();

	period_thread_start();
	period_want(false);
	return state;
}

EXPORT bool poll_state_synchronize_rcu(unsigned long state)
{
	/* Pairs with wait_for_readers(). */
	return (long)(__atomic_load_n(&over, __ATOMIC_ACQUIRE) - state) >= 0;
}

EXPORT void cond_synchronize_rcu(unsigned long state)
{
	if (!poll_state_synchronize_rcu(state))
		synchronize_rcu();
}

/* ---- a machine ---- */

bool rcu_task_name(uint32_t tid, char *name, size_t size)
{
	return rcu_hooks && rcu_hooks->task_name(tid, name, size);
}

void rcu_tell_signal(int number)
{
	if (rcu_hooks)
		rcu_hooks->signal_taken(number);
}

int rcu_boot_machine(const struct rcu_hooks *hooks)
{
	rcu_hooks = hooks;
	if (period_thread_start())
		return 0;
	rcu_hooks = NULL;
	return -EAGAIN;
}

void rcu_stop_machine(void)
{
	pthread_mutex_lock(&start_lock);
	__atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
	period_thread_call();
	pthread_join(thread, NULL);
	stall_stop();
	runs = stopping = hurried = 0;
	pthread_mutex_unlock(&start_lock);
}

unsigned int rcu_shutdown_machine(void)
{
	rcu_hooks = NULL;
	rest = 0;
	served = ended = wanted;
	deferred_reset();
	return callbacks_reset();
}

/* ---- fork: the child has no thread, and all that was waiting or set aside ---- */

/* Pairs with period_begin(), after hold() has said that it holds. */
static bool is_at_rest(unsigned long period)
{
	(void)period;
	return !__atomic_load_n(&in_period, __ATOMIC_SEQ_CST);
}

/* Until no period is under way, which waits for the readers of the current one, and none begins. */
static void hold(void)
{
	__atomic_fetch_add(&held, 1, __ATOMIC_SEQ_CST);
	period_wait_until(is_at_rest, 0, RCU_FOREVER);
}

static void release(void)
{
	if (!__atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST))
		host_futex_wake(&held, INT32_MAX);
}

/*
 * A function that call_rcu() was given may fork: then the child's only thread is the room's, at work, and goes on as that when the function
 * returns.
 */
static void fork_prepare(void)
{
	bool reads = period_refuse_reader("fork");

	if (!is_self) {
		if (!reads && __atomic_load_n(&runs, __ATOMIC_ACQUIRE)) {
			hold();
			holds = true;
		}
		pthread_mutex_lock(&start_lock);
		pthread_mutex_lock(&at_work);
	}
	readers_fork_prepare();
}

static void fork_parent(void)
{
	readers_fork_parent();
	if (is_self)
		return;
	pthread_mutex_unlock(&at_work);
	pthread_mutex_unlock(&start_lock);
	if (holds)
		release();
	holds = false;
}

static void fork_child(void)
{
	readers_fork_child();
	stall_fork_child();
	holds = false;
	if (is_self) {
		held = 0;
		/* Of another thread's, if anybody's. */
		pthread_mutex_init(&start_lock, NULL);
		callbacks_fork_child();
		deferred_fork_child();
		return;
	}
	pthread_mutex_unlock(&at_work);
	pthread_mutex_unlock(&start_lock);
	runs = held = in_period = rest = 0;
	if (rcu_hooks) {
		/* There is no machine in a child: what it had is nobody's. */
		rcu_hooks = NULL;
		served = ended = wanted;
		deferred_reset();
		callbacks_reset();
		return;
	}
	callbacks_fork_child();
	deferred_fork_child();
	if (has_wishes() || deferred_is_armed())
		period_thread_start();
}
