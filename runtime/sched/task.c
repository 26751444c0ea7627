/*
 * task.c: tasks: their creation and end, boot and shutdown of the CPUs they run on, host threads that join, affinity, hotplug.
 *
 * Calls cpu.c for whose turn it is, libc for threads. Refuses to know what a task runs.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"
#include "runtime/sched/internal.h"
#include "runtime/sched/locks.h"

#define STACK_SIZE (512ul << 10)

struct lock task_list_lock = LOCK_INIT(LOCK_TASKS);
struct list_head task_list = LIST_HEAD_INIT(task_list);
static int next_pid; /* Synchronization: task_list_lock */
static cpu_set_t host_cpus; /* that this process may use. Synchronization: const after boot */
static unsigned int nr_host_cpus;

bool (*sched_fault_hook)(size_t size, const void *caller);

struct sched_task *sched_current(void)
{
	return sched_this.task;
}

struct task_struct *flagstone_current(void)
{
	return sched_this.task ? &sched_this.task->task : NULL;
}

void *sched_zalloc(size_t size)
{
	host_sigmask_t mask = host_signals_block();
	void *memory = calloc(1, size);

	host_signals_restore(mask);
	return memory;
}

void sched_free(void *memory)
{
	host_sigmask_t mask = host_signals_block();

	free(memory);
	host_signals_restore(mask);
}

/* ---- host CPUs ---- */

void pin_boot(void)
{
	CPU_ZERO(&host_cpus);
	sched_getaffinity(0, sizeof(host_cpus), &host_cpus);
	nr_host_cpus = (unsigned int)CPU_COUNT(&host_cpus);
}

static int nth_host_cpu(unsigned int n)
{
	int cpu = 0;

	for (n %= nr_host_cpus;; cpu++)
		if (CPU_ISSET((size_t)cpu, &host_cpus) && !n--)
			return cpu;
}

void task_pin(struct sched_task *task, int cpu)
{
	cpu_set_t set = host_cpus;
	unsigned int host_cpu = 0;

	if (nr_host_cpus < 2)
		return;
	if (cpu >= 0) {
		host_cpu = 1 + (unsigned int)nth_host_cpu((unsigned int)cpu);
		CPU_ZERO(&set);
		CPU_SET(host_cpu - 1, &set);
	}
	if (host_cpu == task->host_cpu)
		return;
	task->host_cpu = host_cpu;
	sched_setaffinity(0, sizeof(set), &set);
}

/* ---- tasks ---- */

struct sched_task *task_create(const char *name, unsigned int cpu)
{
	struct sched_task *task = sched_zalloc(sizeof(*task));
	host_sigmask_t mask;

	if (!task)
		return NULL;
	strncpy(task->task.comm, name, sizeof(task->task.comm) - 1);
	task->cpu = cpu;
	task->refs = 1;
	task->task.held = lockdep_new_held();
	memset(task->allowed, 0xff, sizeof(task->allowed));
	list_init(&task->waiters);
	mask = host_signals_block();
	lock_acquire(&task_list_lock);
	task->task.pid = next_pid++;
	list_add_tail(&task->all, &task_list);
	lock_release(&task_list_lock);
	host_signals_restore(mask);
	return task;
}

struct task_struct *get_task_struct(struct task_struct *task)
{
	__atomic_add_fetch(&to_sched(task)->refs, 1, __ATOMIC_RELAXED);
	return task;
}

/* A reference, if somebody has one: not if the last one is being put, or only the thread, which has ended, has still its own. */
static bool __get(struct sched_task *task)
{
	int least = sched_has_ended(task) && !task->left ? 1 : 0, refs = __atomic_load_n(&task->refs, __ATOMIC_RELAXED);

	while (refs > least &&
		!__atomic_compare_exchange_n(&task->refs, &refs, refs + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return refs > least;
}

bool task_get_listed(const struct sched_task *wanted)
{
	host_sigmask_t mask = lock_acquire_masked(&task_list_lock);
	struct sched_task *task;
	bool got = false;

	list_for_each_entry(task, &task_list, all) {
		if (task != wanted)
			continue;
		got = __get(task);
		break;
	}
	lock_release_masked(&task_list_lock, mask);
	return got;
}

/* Returns whether it was the last. Pairs with itself: what any holder did with the task is over before it is freed. */
static bool put(struct sched_task *task)
{
	return !__atomic_sub_fetch(&task->refs, 1, __ATOMIC_ACQ_REL);
}

static void task_free(struct sched_task *task)
{
	host_sigmask_t mask = lock_acquire_masked(&task_list_lock);

	list_del(&task->all);
	lock_release_masked(&task_list_lock, mask);
	resource_ended(RESOURCE_KTHREAD, task);
	resource_ended(RESOURCE_KTHREAD_WORKER, task);
	sched_free(task->task.held);
	sched_free(task);
}

void put_task_struct(struct task_struct *p)
{
	if (put(to_sched(p)))
		task_free(to_sched(p));
}

void task_leave(struct sched_task *task)
{
	host_sigmask_t mask = lock_acquire_masked(&task_list_lock);
	bool last;

	/* Pairs with __get(): the lock makes one of both. */
	task->left = true;
	last = put(task);
	lock_release_masked(&task_list_lock, mask);
	if (last)
		task_free(task);
}

void task_enter(struct sched_task *task)
{
	host_sigmask_t mask = host_signals_block();
	const char *stack_end = thread_stack_end();

	altstack_enter();
	host_signals_restore(mask);
	sched_this = (struct sched_this){.masked = 1, .task = task, .stack_end = stack_end};
	flagstone_this = (struct flagstone_this){.cpu = PERCPU_NO_CPU, .record = sched_debug};
	task->stack_end = stack_end;
	/* Pairs with __tell(). */
	__atomic_store_n(&task->this, &flagstone_this, __ATOMIC_RELEASE);
	__atomic_store_n(&task->tid, host_gettid(), __ATOMIC_RELAXED);
}

void sched_for_each_task(void (*visit)(struct sched_task *task, void *arg), void *arg)
{
	host_sigmask_t mask = host_signals_block();
	struct sched_task *task;

	lock_acquire(&task_list_lock);
	list_for_each_entry(task, &task_list, all)
		visit(task, arg);
	lock_release(&task_list_lock);
	host_signals_restore(mask);
}

int sched_start_thread(struct sched_task *task, void *(*body)(void *task))
{
	host_sigmask_t mask = host_signals_block();
	pthread_attr_t attr;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	error = pthread_create(&task->thread, &attr, body, task);
	pthread_attr_destroy(&attr);
	host_signals_restore(mask);
	return -error;
}

/* ---- attaching ---- */

int sched_attach(unsigned int cpu, const char *name)
{
	struct sched_task *task;

	if (!cpu_is_online(cpu))
		return -ENODEV;
	if (sched_this.task)
		return -EBUSY;
	task = task_create(name, cpu);
	if (!task)
		return -ENOMEM;
	task_enter(task);
	task_place(task, cpu);
	token_wait(task);
	host_signals_restore(0);
	return 0;
}

void sched_detach(void)
{
	struct sched_task *task = sched_this.task;

	lockdep_task_ends();
	seqlock_task_ends();
	task_pin(task, -1);
	task_die(task);
	put_task_struct(&task->task);
	altstack_leave();
}

/* ---- idle ---- */

static uint32_t idle_stop; /* Synchronization: atomic */

static void *idle_body(void *arg)
{
	struct sched_task *task = arg;

	task_enter(task);
	sched_this.is_idle = true;
	token_wait(task);
	for (;;) {
		/* Off and on again: pending events happen in between. */
		host_signals_restore(0);
		host_signals_block();
		/* Asked after the event of cpus_stop() was seen to, and before sleeping without one: it is not missed. */
		if (__atomic_load_n(&idle_stop, __ATOMIC_RELAXED))
			break;
		idle_switch(task);
	}
	sched_this.cpu = NULL;
	percpu_set_cpu(PERCPU_NO_CPU);
	altstack_leave();
	return NULL;
}

static int idle_start(struct sched_cpu *cpu)
{
	struct sched_task *task;
	char name[16];
	struct text text = TEXT_INIT(name, sizeof(name), -1);

	text_printf(&text, "swapper/%u", cpu->number);
	task = task_create(name, cpu->number);
	if (!task)
		return -ENOMEM;
	cpu->idle = task;
	cpu->curr = task;
	return sched_start_thread(task, idle_body);
}

static void cpus_set_up(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct sched_cpu *cpu = &sched_cpus[i];

		memset(cpu, 0, sizeof(*cpu));
		lock_init(&cpu->lock, LOCK_RUNQUEUE);
		list_init(&cpu->queue);
		cpu->number = i;
		cpu->online = true;
	}
}

static void cpus_stop(void)
{
	__atomic_store_n(&idle_stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < sched_nr_cpus; i++) {
		struct sched_task *idle = sched_cpus[i].idle;

		if (!idle)
			continue;
		cpu_raise(i, CPU_RESCHED);
		if (idle->thread)
			pthread_join(idle->thread, NULL);
		put_task_struct(&idle->task);
		sched_cpus[i].idle = NULL;
	}
	__atomic_store_n(&idle_stop, 0, __ATOMIC_RELAXED);
}

static void resource_who(char *comm, int *pid, int *cpu)
{
	const struct task_struct *task = current;

	*cpu = flagstone_this.cpu;
	if (!task)
		return;
	memcpy(comm, task->comm, sizeof(task->comm));
	*pid = task->pid;
}

static const struct resource_hooks resource_hooks = {.who = resource_who, .stack = sched_stack};

int sched_boot(unsigned int nr_cpus)
{
	int error = 0;

	if (!nr_cpus || nr_cpus > SCHED_MAX_CPUS)
		return -EINVAL;
	if (sched_nr_cpus)
		return -EBUSY;
	pin_boot();
	cpus_set_up(nr_cpus);
	nodes_boot(nr_cpus);
	wait_bit_boot();
	next_pid = 0;
	resources_begin(&resource_hooks);
	sched_nr_cpus = nr_cpus;
	cpu_mask_on(true);
	signals_boot();
	error = clock_boot();
	for (unsigned int i = 0; i < nr_cpus && !error; i++)
		error = idle_start(&sched_cpus[i]);
	if (!error)
		error = sched_attach(0, "boot");
	if (!error)
		return 0;
	cpus_stop();
	clock_shutdown();
	signals_shutdown();
	cpu_mask_on(false);
	resources_end();
	sched_nr_cpus = 0;
	return error;
}

void sched_report_left(const struct sched_task *task)
{
	report_note("machine: task %s (pid %d) on CPU %u has not ended", task->task.comm, task->task.pid, task->cpu);
	resource_describe(RESOURCE_KTHREAD, task);
	resource_describe(RESOURCE_KTHREAD_WORKER, task);
}

/* Pairs with finish(). */
void sched_wait_for_ends(void)
{
	while (__atomic_load_n(&sched_nr_ending, __ATOMIC_ACQUIRE))
		schedule_timeout_uninterruptible(1);
}

static void report_unput(struct sched_task *task, void *arg)
{
	if (!sched_has_ended(task))
		return;
	++*(unsigned int *)arg;
	report_note("leak: task_struct %s (pid %d) at %p, which has ended: references that were not put: %d",
		task->task.comm, task->task.pid, (void *)task, __atomic_load_n(&task->refs, __ATOMIC_RELAXED));
	resource_describe(RESOURCE_KTHREAD, task);
	resource_describe(RESOURCE_KTHREAD_WORKER, task);
}

unsigned int sched_report_unput(void)
{
	unsigned int nr = 0;

	sched_wait_for_ends();
	sched_for_each_task(report_unput, &nr);
	return nr;
}

/* Frees those that have ended: whoever had a reference will not put it any more. */
static void forget_ended(void)
{
	struct sched_task *task, *next;

	list_for_each_entry_safe(task, next, &task_list, all) {
		if (!sched_has_ended(task))
			continue;
		__atomic_store_n(&task->refs, 1, __ATOMIC_RELAXED);
		put_task_struct(&task->task);
	}
}

static void count_others(struct sched_task *task, void *arg)
{
	if (task == sched_this.task || sched_cpus[task->cpu].idle == task || sched_has_ended(task))
		return;
	++*(unsigned int *)arg;
	sched_report_left(task);
}

int sched_shutdown(void)
{
	unsigned int others = 0;

	if (!sched_this.task)
		return -EPERM;
	sched_wait_for_ends();
	sched_for_each_task(count_others, &others);
	if (others)
		return -EBUSY;
	hung_task_shutdown();
	forget_ended();
	preempt_force(0, 0);
	sched_detach();
	cpus_stop();
	clock_shutdown();
	signals_shutdown();
	lockdep_reset();
	context_reset();
	cpu_mask_on(false);
	resources_end();
	sched_fault_hook = NULL;
	sched_nr_cpus = 0;
	return 0;
}

void sched_forget(void)
{
	if (sched_this.task)
		task_pin(sched_this.task, -1);
	sched_nr_cpus = 0;
	resources_end();
	sched_fault_hook = NULL;
	sched_this = (struct sched_this){.task = NULL};
	flagstone_this = (struct flagstone_this){.cpu = PERCPU_NO_CPU};
	list_init(&task_list);
	lock_reinit(&task_list_lock);
	idle_stop = 0;
	kthreads_forget();
	hung_task_forget();
	clock_forget();
	signals_forget();
	cpu_mask_on(false);
	lockdep_forget();
	context_reset();
}

/* ---- affinity and hotplug ---- */

static void queue_away(struct sched_task *task);

int sched_set_allowed(struct task_struct *p, const uint64_t *allowed)
{
	struct sched_task *task = to_sched(p);
	bool any = false;

	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		any |= (allowed[cpu / 64] >> cpu % 64 & 1) && cpu_is_online(cpu);
	if (!any)
		return -EINVAL;
	for (unsigned int word = 0; word < ARRAY_SIZE(task->allowed); word++)
		__atomic_store_n(&task->allowed[word], allowed[word], __ATOMIC_RELAXED);
	if (task == sched_this.task)
		yield();
	else
		queue_away(task);
	return 0;
}

void sched_move_to(unsigned int cpu)
{
	uint64_t allowed[SCHED_MAX_CPUS / 64] = {0};

	allowed[cpu / 64] = 1ull << cpu % 64;
	sched_set_allowed(&sched_this.task->task, allowed);
}

/* A task that waits on a CPU's queue where it may not be goes elsewhere. One that runs there, or sleeps, sees to that itself: when it is
 * switched away, or at its first turn. */
static void queue_away(struct sched_task *task)
{
	host_sigmask_t mask = host_signals_block();
	struct sched_cpu *cpu = task_lock_cpu(task);
	bool goes = task->on_queue && (!cpu->online || !task_may_be_on(task, cpu->number));
	bool runs = cpu->curr == task && cpu->idle != task;

	if (goes) {
		__dequeue(cpu, task);
		__atomic_store_n(&task->moving, true, __ATOMIC_RELAXED);
	}
	lock_release(&cpu->lock);
	if (goes)
		task_place(task, task_choose_cpu(task));
	else if (runs)
		cpu_raise(cpu->number, CPU_RESCHED);
	host_signals_restore(mask);
}

static struct sched_task *first_queued(struct sched_cpu *cpu)
{
	struct sched_task *task = NULL;

	lock_acquire(&cpu->lock);
	if (!list_empty(&cpu->queue)) {
		task = list_first_entry(&cpu->queue, struct sched_task, queue);
		__dequeue(cpu, task);
		__atomic_store_n(&task->moving, true, __ATOMIC_RELAXED);
	}
	lock_release(&cpu->lock);
	return task;
}

unsigned int cpus_online(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < sched_nr_cpus; i++)
		nr += cpu_is_online(i);
	return nr;
}

static bool has_left(struct sched_cpu *cpu)
{
	host_sigmask_t mask = host_signals_block();
	bool left;

	lock_acquire(&cpu->lock);
	left = cpu->curr == cpu->idle && list_empty(&cpu->queue);
	lock_release(&cpu->lock);
	host_signals_restore(mask);
	return left;
}

int sched_cpu_down(unsigned int number)
{
	struct sched_cpu *cpu = &sched_cpus[number];
	struct sched_task *task;
	host_sigmask_t mask;

	if (number >= sched_nr_cpus || !cpu->online)
		return -EINVAL;
	if (cpus_online() == 1 || task_cpu(current) == number)
		return -EBUSY;
	mask = host_signals_block();
	lock_acquire(&cpu->lock);
	__atomic_store_n(&cpu->online, false, __ATOMIC_RELAXED);
	lock_release(&cpu->lock);
	while ((task = first_queued(cpu)))
		task_place(task, task_choose_cpu(task));
	cpu_raise(number, CPU_RESCHED);
	host_signals_restore(mask);
	/* Whoever runs there leaves when it gives the CPU away. */
	while (!has_left(cpu))
		schedule_timeout_uninterruptible(1);
	nodes_cpu_is(number, false);
	return 0;
}

int sched_cpu_up(unsigned int number)
{
	struct sched_cpu *cpu = &sched_cpus[number];
	host_sigmask_t mask;

	if (number >= sched_nr_cpus || cpu->online)
		return -EINVAL;
	mask = host_signals_block();
	lock_acquire(&cpu->lock);
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELAXED);
	lock_release(&cpu->lock);
	host_signals_restore(mask);
	nodes_cpu_is(number, true);
	return 0;
}
