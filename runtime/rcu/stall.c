/*
 * stall.c: readers that keep a grace period waiting for long, told as Linux does, with their stacks.
 *
 * Calls libc for a thread of its own, and for the signal that asks a reader for its stack. liburcu tells nobody which threads it waits
 * for, so the list of readers is kept here: a thread enters at its first section, and leaves when it ends.
 *
 * The watchdog sleeps while no grace period is under way. One that ends no period for the timeout looks at each reader's word: who is in
 * a section of the phase before the current one is who is waited for, since nobody enters that phase any more.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/host/registers.h"
#include "runtime/lib/report.h"
#include "runtime/lib/tunables.h"
#include "runtime/rcu/internal.h"
#include "runtime/rcu/readers.h"

#define NR_ENTRIES 128 /* of a chunk */
#define MAX_CHUNKS 64
#define MAX_FRAMES 16
#define STACK_NS 500000000 /* that a reader has to answer */
#define LOOKS 4 /* within a timeout */
#define NS_PER_SECOND 1000000000ul
#define NAME_BYTES 64

/* ---- the readers ---- */

struct entry {
	uint32_t tid; /* 0: free. Synchronization: atomic */
	unsigned long *word; /* liburcu's, which stays mapped. Synchronization: atomic */
};

struct chunk {
	struct entry entry[NR_ENTRIES];
};

static struct chunk first_chunk;
static struct chunk *chunks[MAX_CHUNKS] = {&first_chunk}; /* only ever more. Synchronization: atomic */

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* of a thread that is a reader: its entry */

static void leave(void *arg)
{
	struct entry *entry = arg;

	/* liburcu gives the word to the next thread. */
	__atomic_store_n(&entry->word, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->tid, 0, __ATOMIC_RELEASE);
}

static void key_create(void)
{
	pthread_key_create(&key, leave);
}

static struct chunk *chunk_get(unsigned int i)
{
	struct chunk *chunk = __atomic_load_n(&chunks[i], __ATOMIC_ACQUIRE), *seen = NULL;

	if (chunk)
		return chunk;
	chunk = host_map(sizeof(*chunk));
	if (!chunk)
		return NULL;
	if (__atomic_compare_exchange_n(&chunks[i], &seen, chunk, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return chunk;
	host_unmap(chunk, sizeof(*chunk));
	return seen;
}

/* An entry of this thread's own; NULL: there are too many, and this one's stalls are told without its name. */
static struct entry *enter(uint32_t tid)
{
	for (unsigned int i = 0; i < MAX_CHUNKS; i++) {
		struct chunk *chunk = chunk_get(i);

		for (unsigned int j = 0; chunk && j < NR_ENTRIES; j++) {
			uint32_t nobody = 0;

			if (__atomic_compare_exchange_n(
				    &chunk->entry[j].tid, &nobody, tid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				return &chunk->entry[j];
		}
	}
	return NULL;
}

static void reader_enter(void)
{
	struct entry *entry;

	pthread_once(&key_once, key_create);
	entry = enter(host_gettid());
	if (!entry)
		return;
	__atomic_store_n(&entry->word, flagstone_rcu_reader, __ATOMIC_RELEASE);
	pthread_setspecific(key, entry);
}

/* In rcu_read_lock(), the first time; liburcu blocks signals as well while it does the same. */
EXPORT void flagstone_rcu_register(void)
{
	host_sigmask_t mask = host_signals_block();

	readers_register();
	reader_enter();
	host_signals_restore(mask);
}

/* Calls visit for each reader's entry until it returns false. */
static void for_each_reader(bool (*visit)(struct entry *entry, uint32_t tid, void *arg), void *arg)
{
	for (unsigned int i = 0; i < MAX_CHUNKS; i++) {
		struct chunk *chunk = __atomic_load_n(&chunks[i], __ATOMIC_ACQUIRE);

		for (unsigned int j = 0; chunk && j < NR_ENTRIES; j++) {
			uint32_t tid = __atomic_load_n(&chunk->entry[j].tid, __ATOMIC_ACQUIRE);

			if (tid && !visit(&chunk->entry[j], tid, arg))
				return;
		}
	}
}

/* Whether a grace period waits for the section that it is in. */
static bool is_waited_for(const struct entry *entry)
{
	const unsigned long *word = __atomic_load_n(&entry->word, __ATOMIC_ACQUIRE);
	unsigned long value = word ? __atomic_load_n(word, __ATOMIC_RELAXED) : 0;
	unsigned long period = __atomic_load_n(&flagstone_rcu_period, __ATOMIC_RELAXED);

	return (value & FLAGSTONE_RCU_NEST) && ((value ^ period) & (FLAGSTONE_RCU_NEST + 1));
}

/* ---- its stack: the reader stops in a signal handler until it has been read ---- */

static struct {
	uint32_t tid; /* of whom it is asked; 0: nobody. Synchronization: atomic */
	uint32_t number; /* of the question. Synchronization: tid */
	uint32_t answered; /* the last one with an answer, whose thread waits; a futex word. Synchronization: atomic */
	uint32_t done; /* the last one whose thread may go on; a futex word. Synchronization: atomic */
	struct host_registers at; /* Synchronization: answered */
} question;

static int stack_signal; /* 0: none yet. Synchronization: the watchdog */

/* Until a word has come to a number. False: not within that time. */
static bool wait_for(uint32_t *word, uint32_t number, uint64_t ns)
{
	uint64_t end = host_clock_ns() + ns, now;
	uint32_t seen;

	while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != number) {
		now = host_clock_ns();
		if (now >= end)
			return false;
		host_futex_wait_for(word, seen, end - now);
	}
	return true;
}

static void set(uint32_t *word, uint32_t number)
{
	__atomic_store_n(word, number, __ATOMIC_RELEASE);
	host_futex_wake(word, INT32_MAX);
}

static void on_question(int signal, siginfo_t *info, void *context)
{
	uint32_t tid = host_gettid();
	int saved = errno;

	(void)signal;
	(void)info;
	/* One who comes late answers nobody. Pairs with ask(). */
	if (__atomic_compare_exchange_n(&question.tid, &tid, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		uint32_t number = question.number;

		question.at = host_registers_of(context);
		set(&question.answered, number);
		/* The next question may come before this thread has seen that its own is done. */
		while ((int32_t)(__atomic_load_n(&question.done, __ATOMIC_ACQUIRE) - number) < 0)
			host_futex_wait(&question.done, number - 1);
	}
	errno = saved;
}

static bool signal_is_ours(void)
{
	struct sigaction now;

	return !sigaction(stack_signal, NULL, &now) && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_question;
}

/* A signal that the program does not use. The handler stays: the signal may come late. */
static bool signal_take(void)
{
	struct sigaction action = {.sa_sigaction = on_question, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK}, old;

	if (stack_signal && !signal_is_ours())
		stack_signal = 0;
	for (int number = SIGRTMAX; !stack_signal && number >= SIGRTMIN; number--) {
		if (sigaction(number, NULL, &old) || (old.sa_flags & SA_SIGINFO) || old.sa_handler != SIG_DFL)
			continue;
		if (!sigaction(number, &action, NULL))
			stack_signal = number;
	}
	if (stack_signal)
		rcu_tell_signal(stack_signal);
	return stack_signal;
}

/* False: it does not answer. Else it waits until the question is done. */
static bool ask(uint32_t tid)
{
	question.number++;
	__atomic_store_n(&question.tid, tid, __ATOMIC_SEQ_CST);
	host_kick(tid, stack_signal);
	if (wait_for(&question.answered, question.number, STACK_NS))
		return true;
	/* Pairs with on_question(): either it is withdrawn, or the answer is about to come. */
	if (__atomic_compare_exchange_n(&question.tid, &tid, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		set(&question.done, question.number);
		return false;
	}
	while (!wait_for(&question.answered, question.number, STACK_NS))
		;
	return true;
}

/* The return addresses of the stack of the thread that has answered, its own place first. */
static unsigned int stack_of_answer(uintptr_t *address)
{
	uintptr_t frame[2], at = question.at.frame;
	unsigned int nr = 0;

	address[nr++] = question.at.instruction;
	/* It may have any lock just now: nothing is called here that takes one. */
	while (nr < MAX_FRAMES && at % sizeof(at) == 0 && host_peek((const void *)at, frame, sizeof(frame)) &&
		frame[1]) {
		address[nr++] = frame[1];
		if (frame[0] <= at)
			break;
		at = frame[0];
	}
	return nr;
}

/* Of a reader that is waited for. 0: it does not answer, or has left its section by now. */
static unsigned int stack_of(const struct entry *entry, uint32_t tid, uintptr_t *address)
{
	unsigned int nr = 0;

	if (!signal_take() || !ask(tid))
		return 0;
	if (is_waited_for(entry))
		nr = stack_of_answer(address);
	set(&question.done, question.number);
	return nr;
}

/* ---- the report ---- */

struct stall {
	unsigned long seconds;
	unsigned int nr; /* readers that were named */
};

/* In words, for the report. */
static void name_of(uint32_t tid, char *name, size_t size)
{
	char comm[20], path[48];
	long length;

	if (rcu_task_name(tid, name, size))
		return;
	snprintf(path, sizeof(path), "/proc/self/task/%u/comm", tid);
	length = host_read_file(path, comm, sizeof(comm));
	comm[length > 0 ? strcspn(comm, "\n") : 0] = '\0';
	snprintf(name, size, "thread %u (%s)", tid, comm);
}

static bool report_reader(struct entry *entry, uint32_t tid, void *arg)
{
	struct stall *stall = arg;
	uintptr_t address[MAX_FRAMES];
	char name[NAME_BYTES];
	unsigned int nr;

	if (!is_waited_for(entry))
		return true;
	nr = stack_of(entry, tid, address);
	if (!nr && !is_waited_for(entry))
		return true;
	name_of(tid, name, sizeof(name));
	if (!stall->nr++)
		report_note("rcu: INFO: rcu detected stalls on threads, for which a grace period has waited for %lu s:",
			stall->seconds);
	report_note("rcu: %s has been between rcu_read_lock() and rcu_read_unlock() all the time; %s", name,
		nr ? "it is at:" : "it does not answer a signal, so its stack is not known");
	if (nr)
		report_stack(address, nr);
	return true;
}

static void report_stall(uint64_t ns)
{
	struct stall stall = {.seconds = ns / NS_PER_SECOND};

	for_each_reader(report_reader, &stall);
	if (!stall.nr)
		report_note("rcu: INFO: rcu detected a stall: a grace period has waited for %lu s, for a thread that "
			    "is not known here",
			stall.seconds);
	report_note("rcu: kfree_rcu() has about %zu KiB waiting", rcu_deferred_bytes() >> 10);
}

/* ---- the watchdog ---- */

static uint32_t nr_waits; /* grace periods under way. Synchronization: atomic */
static uint32_t nr_waits_ended; /* Synchronization: atomic */
static uint32_t awake; /* the watchdog looks now and then by itself; a futex word. Synchronization: atomic */
static uint32_t rests; /* it does not, until awake is set. Synchronization: atomic */
static uint32_t runs; /* it exists, or is about to. Synchronization: atomic */
static uint32_t stopping; /* a futex word. Synchronization: atomic */
static pthread_t thread; /* Synchronization: who set runs */

static uint32_t get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* While the same period is waited for. */
static void watch(uint64_t timeout_ns)
{
	uint64_t begin = host_clock_ns(), next = timeout_ns;
	uint32_t ended = get(&nr_waits_ended);

	while (!get(&stopping)) {
		uint64_t waited;

		host_futex_wait_for(&stopping, 0, timeout_ns / LOOKS);
		if (!get(&nr_waits) || get(&nr_waits_ended) != ended)
			return;
		waited = host_clock_ns() - begin;
		if (waited < next)
			continue;
		report_stall(waited);
		/* The next one when something else may be to see. */
		next = waited + 3 * timeout_ns;
	}
}

static void *watchdog(void *arg)
{
	uint64_t timeout_ns = tunable_rcu_stall_timeout * NS_PER_SECOND;

	(void)arg;
	while (!get(&stopping)) {
		watch(timeout_ns);
		if (get(&nr_waits))
			continue;
		/* Pairs with stall_wait_begin(): either the wait is seen, or it sees that this is to be woken. */
		__atomic_store_n(&awake, 0, __ATOMIC_SEQ_CST);
		if (get(&nr_waits) || get(&stopping))
			continue;
		__atomic_store_n(&rests, 1, __ATOMIC_SEQ_CST);
		host_futex_wait(&awake, 0);
		__atomic_store_n(&rests, 0, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void watchdog_start(void)
{
	uint32_t no = 0;

	if (!tunable_rcu_stall_timeout ||
		!__atomic_compare_exchange_n(&runs, &no, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return;
	/* Without, nothing is told. */
	if (period_create_thread(&thread, watchdog))
		__atomic_store_n(&runs, 0, __ATOMIC_SEQ_CST);
}

void stall_wait_begin(void)
{
	__atomic_fetch_add(&nr_waits, 1, __ATOMIC_SEQ_CST);
	if (unlikely(!get(&runs)))
		watchdog_start();
	if (!get(&awake)) {
		__atomic_store_n(&awake, 1, __ATOMIC_SEQ_CST);
		host_futex_wake(&awake, 1);
	}
}

void stall_wait_end(void)
{
	__atomic_fetch_add(&nr_waits_ended, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&nr_waits, 1, __ATOMIC_SEQ_CST);
}

bool stall_rests(void)
{
	return get(&rests) && !get(&awake);
}

void stall_stop(void)
{
	if (!get(&runs))
		return;
	__atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&stopping, 1);
	__atomic_store_n(&awake, 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&awake, 1);
	pthread_join(thread, NULL);
	runs = stopping = awake = 0;
}

static bool keep_own(struct entry *entry, uint32_t tid, void *arg)
{
	(void)tid;
	__atomic_store_n(&entry->tid, entry->word == arg && arg ? host_gettid() : 0, __ATOMIC_RELAXED);
	return true;
}

void stall_fork_child(void)
{
	for_each_reader(keep_own, flagstone_rcu_reader);
	question.tid = 0;
	nr_waits = awake = rests = runs = stopping = 0;
}
