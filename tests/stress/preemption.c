/*
 * preemption.c: stress of the critical sections: every instruction boundary is interrupted, moved and drained.
 *
 * Built with delays at the boundaries of pop, push, install and drain (percpu/inject.h), which this program lengthens one
 * at a time or several together, while signals whose handlers use the magazines too arrive every 50 to 100 microseconds,
 * threads are moved between CPUs, end and are replaced, and one thread does nothing but drain. preemption_tokens.c checks
 * that no token is lost or doubled. FLAGSTONE_CONF chooses the mode.
 *
 * With --broken it is a negative control: the build is one that must fail, and the program passes if it does, by a report
 * of that kind or by a crash on a wild position.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "percpu/inject.h"
#include "percpu/magazine.h"
#include "runtime/host/host.h"
#include "tests/emulated.h"
#include "tests/stress/harness.h"
#include "tests/stress/preemption_tokens.h"

#define MAX_WORKERS 64
#define TICK_NS 200000 /* between two moves of threads */
#define PHASE_TICKS 50 /* between two choices of delays */
#define STORM SIGRTMIN
#define MAX_DELAY 20000 /* turns: well below the signals' interval, or no section would ever end */
#define MAX_DELAY_OF_MANY 1000
#define IDLE_DRAINS 8 /* in a row, each with what the last one saw; then as many of everything */

struct worker {
	pthread_t thread;
	timer_t timer;
	struct rng rng; /* Synchronization: the thread */
	struct rng handler_rng; /* Synchronization: its handlers */
	unsigned long nr_signals; /* Synchronization: its handlers */
	uint32_t tid; /* Synchronization: atomic; 0 before the thread runs */
	bool ended; /* Synchronization: atomic */
	struct holder *holder; /* [0]: the thread, [1]: its handlers */
};

static long option_seconds, option_seed, option_workers = 6, option_broken;
static const struct test_option options[] = {
	{"--seconds", &option_seconds, false, "time to run; 0: FLAGSTONE_SOAK_SECONDS, or 8"},
	{"--seed", &option_seed, false, "of all random choices; 0: from the clock"},
	{"--workers", &option_workers, false, "threads"},
	{"--broken", &option_broken, true, "pass if the run fails as a broken build must"},
};

static struct holder holders[2 * MAX_WORKERS];
static struct worker workers[MAX_WORKERS];
static __thread struct worker *self;
static bool stop; /* Synchronization: atomic */
static uint64_t seed;
static uint64_t lives; /* threads started so far. Synchronization: main thread */

/* ---- the threads ---- */

/* A burst in one direction, so that magazines run empty and full. */
static void burst(struct holder *holder, struct rng *rng, unsigned int longest)
{
	unsigned int s = (unsigned int)rng_below(rng, NR_TEST_SLOTS);
	unsigned int n = 1 + (unsigned int)rng_below(rng, longest);

	if (rng_below(rng, 2))
		while (n-- && holder->held[s].nr < MAX_HELD && tokens_pop(holder, s))
			;
	else
		while (n-- && holder->held[s].nr && tokens_push(holder, s))
			;
}

static void on_storm(int signal)
{
	struct worker *worker = self;
	int saved = errno;

	(void)signal;
	if (!worker)
		return;
	worker->nr_signals++;
	burst(&worker->holder[1], &worker->handler_rng, 2);
	errno = saved;
}

static void timer_begin(struct worker *worker)
{
	long interval = 50000 + (long)rng_below(&worker->rng, 50000);
	struct itimerspec when = {{0, interval}, {0, interval}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = STORM};

	event._sigev_un._tid = (pid_t)worker->tid;
	require(!timer_create(CLOCK_MONOTONIC, &event, &worker->timer), "timer_create: %s", strerror(errno));
	timer_settime(worker->timer, 0, &when, NULL);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	double end = now_seconds() + 0.02 + (double)rng_below(&worker->rng, 500) / 1000;

	self = worker;
	__atomic_store_n(&worker->tid, host_gettid(), __ATOMIC_RELEASE);
	timer_begin(worker);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && now_seconds() < end)
		for (int i = 0; i < 50; i++)
			burst(&worker->holder[0], &worker->rng, 48);
	/* The storm goes on while the exit handlers give the thread's magazines back. */
	__atomic_store_n(&worker->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static void worker_start(struct worker *worker)
{
	worker->rng = rng_stream(seed, 2 * ++lives);
	worker->handler_rng = rng_stream(seed, 2 * lives + 1);
	worker->tid = 0;
	worker->ended = false;
	require(!pthread_create(&worker->thread, NULL, work, worker), "pthread_create: %s", strerror(errno));
}

static void worker_reap(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	timer_delete(worker->timer);
}

static void *drain(void *arg)
{
	unsigned long *nr_drains = arg;

	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); ++*nr_drains) {
		if (*nr_drains / IDLE_DRAINS % 2)
			tokens_drain();
		else
			tokens_drain_idle();
		sched_yield();
	}
	return NULL;
}

/* ---- what the main thread does to them ---- */

static void move(struct worker *worker, struct rng *rng)
{
	uint32_t tid = __atomic_load_n(&worker->tid, __ATOMIC_ACQUIRE);
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(rng_below(rng, (uint64_t)nr_cpus), &set);
	if (rng_below(rng, 4) == 0)
		for (long cpu = 0; cpu < nr_cpus; cpu++)
			CPU_SET(cpu, &set);
	if (tid) /* may have ended meanwhile */
		sched_setaffinity((pid_t)tid, sizeof(set), &set);
}

static void set_delay(unsigned int point, unsigned long delay)
{
	__atomic_store_n(&percpu_inject_delay[point], delay, __ATOMIC_RELAXED);
}

/* Phase 3k, 3k + 1: one point, each in turn. Phase 3k + 2: short delays at random points. */
static void choose_delays(unsigned long phase, struct rng *rng)
{
	for (unsigned int point = 0; point < NR_INJECT_POINTS; point++)
		set_delay(point, 0);
	if (phase % 3 < 2)
		set_delay((phase / 3 * 2 + phase % 3) % NR_INJECT_POINTS, 100 + rng_below(rng, MAX_DELAY));
	else
		for (unsigned int point = 0; point < NR_INJECT_POINTS; point++)
			if (rng_below(rng, 4) == 0)
				set_delay(point, rng_below(rng, MAX_DELAY_OF_MANY));
}

static unsigned long disturb(double seconds, struct rng *rng)
{
	const struct timespec tick = {0, TICK_NS};
	double end = now_seconds() + seconds;
	unsigned long ticks = 0;

	for (; now_seconds() < end; ticks++) {
		struct worker *worker = &workers[rng_below(rng, (uint64_t)option_workers)];

		if (ticks % PHASE_TICKS == 0)
			choose_delays(ticks / PHASE_TICKS, rng);
		if (__atomic_load_n(&worker->ended, __ATOMIC_ACQUIRE)) {
			worker_reap(worker);
			worker_start(worker);
		}
		move(worker, rng);
		nanosleep(&tick, NULL);
	}
	return ticks;
}

static void finish(unsigned long ticks, unsigned long nr_drains)
{
	unsigned long popped = 0, pushed = 0, installed = 0, signals = 0;

	for (long i = 0; i < 2 * option_workers; i++) {
		popped += holders[i].nr_popped;
		pushed += holders[i].nr_pushed;
		installed += holders[i].nr_installed;
	}
	for (long i = 0; i < option_workers; i++)
		signals += workers[i].nr_signals;
	tokens_check_all(holders, 2 * (size_t)option_workers);
	printf("%lu pops, %lu pushes, %lu magazines installed, %lu signals, %lu moves, %lu threads\n", popped, pushed,
		installed, signals, ticks, (unsigned long)lives);
	printf("%lu drains took %lu magazines, and %lu idle ones\n", nr_drains, tokens_nr_drained(),
		tokens_nr_drained_idle());
	require(popped && pushed && installed && signals, "this run tested nothing");
	require(nr_drains && tokens_nr_drained(), "no drain found anything");
	require(tokens_nr_drained_idle(), "no drain found anything idle");
}

static void stress(double seconds)
{
	struct sigaction action = {.sa_handler = on_storm, .sa_flags = SA_RESTART};
	struct rng rng = rng_stream(seed, 0);
	unsigned long nr_drains = 0, ticks;
	pthread_t drainer;

	sigaction(STORM, &action, NULL);
	for (long i = 0; i < 2 * option_workers; i++)
		holders[i].id = (uint16_t)(i + 1);
	for (long i = 0; i < option_workers; i++) {
		workers[i].holder = &holders[2 * i];
		worker_start(&workers[i]);
	}
	require(!pthread_create(&drainer, NULL, drain, &nr_drains), "pthread_create: %s", strerror(errno));
	ticks = disturb(seconds, &rng);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (long i = 0; i < option_workers; i++)
		worker_reap(&workers[i]);
	pthread_join(drainer, NULL);
	finish(ticks, nr_drains);
}

/* ---- negative control ---- */

/* Reads what the child says until it ends. The text that matters is short. */
static void read_report(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = 0;
}

static bool is_expected_report(const char *text)
{
	static const char *const reports[] = {
		"is owned twice", "lost", "is not a token", "is overwritten", "is not in a magazine"};

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		if (strstr(text, "FAIL: ") && strstr(text, reports[i]))
			return true;
	return false;
}

static int judge(int status, const char *report)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED)
		return STATUS_SKIPPED;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS)) {
		printf("broken as expected: %s\nPASS\n", strsignal(WTERMSIG(status)));
		return 0;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && is_expected_report(report)) {
		printf("broken as expected: %sPASS\n", report);
		return 0;
	}
	printf("FAIL: the broken build ended with wait status %#x and said: %s\n", (unsigned int)status, report);
	return 1;
}

/* Runs the stress in a child, and ends this process with the verdict; returns in the child. */
static void run_control(void)
{
	char report[512];
	int fds[2], status;
	pid_t child;

	fflush(stdout);
	require(!pipe(fds), "pipe: %s", strerror(errno));
	child = fork();
	require(child >= 0, "fork: %s", strerror(errno));
	if (!child) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		return;
	}
	close(fds[1]);
	read_report(fds[0], report, sizeof(report));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(judge(status, report) + (fflush(stdout) ? 1 : 0));
}

int main(int argc, char **argv)
{
	double seconds;

	harness_options(argc, argv, options, ARRAY_SIZE(options));
	require(option_workers >= 1 && option_workers <= MAX_WORKERS, "--workers is 1 to %d", MAX_WORKERS);
	seconds = harness_seconds(option_seconds, 8);
	seed = harness_seed(option_seed);
	if (option_broken)
		run_control();
	tokens_boot();
	if (option_broken && percpu_mode != PERCPU_RSEQ) {
		skip_part("the control breaks restartable sequences: there are none here");
		return STATUS_SKIPPED;
	}
	printf("preemption: %s, %ld threads, %.0f s, seed %llu\n", percpu_mode_name(percpu_mode, &percpu_fast),
		option_workers, seconds, (unsigned long long)seed);
	fflush(stdout);
	watchdog_start(seconds + 60, "preemption");
	stress(seconds);
	watchdog_stop();
	printf("PASS\n");
	return 0;
}
