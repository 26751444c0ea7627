/*
 * kthread.c: kernel threads: tasks that run a function, can be stopped and parked, and leave a result.
 *
 * Calls task.c and cpu.c.
 */
#include <errno.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"
#include "runtime/sched/internal.h"
#include "runtime/sched/locks.h"

enum { KTHREAD_STOP = 1, KTHREAD_PARK = 2, KTHREAD_PARKED = 4 };

struct waiter {
	struct task_struct *task;
	struct list_head list; /* Synchronization: wait_lock */
};

uint32_t sched_nr_ending;
static struct lock wait_lock = LOCK_INIT(LOCK_TASKS); /* lists of waiters, and ended */

static uint32_t request_of(struct sched_task *task)
{
	return __atomic_load_n(&task->request, __ATOMIC_SEQ_CST);
}

static void wake_waiters(struct sched_task *task)
{
	host_sigmask_t mask = host_signals_block();
	struct waiter *waiter;

	lock_acquire(&wait_lock);
	list_for_each_entry(waiter, &task->waiters, list)
		wake_up_process(waiter->task);
	lock_release(&wait_lock);
	host_signals_restore(mask);
}

static void print_wait(const struct sched_wait *wait, struct text *text)
{
	const struct task_struct *task = wait->what;

	text_printf(text, "the end of task %s:%d, or that it parks", task->comm, task->pid);
}

/* Sleeps until the task has ended or, where asked, parked. */
static void wait_for(struct sched_task *task, bool parked)
{
	const struct sched_wait wait = {print_wait, &task->task};
	struct waiter waiter = {.task = current};
	host_sigmask_t mask = host_signals_block();

	lock_acquire(&wait_lock);
	list_add_tail(&waiter.list, &task->waiters);
	lock_release(&wait_lock);
	host_signals_restore(mask);
	sched_waits_for(&wait);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (sched_has_ended(task) || (parked && (request_of(task) & KTHREAD_PARKED)))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	sched_waits_for(NULL);
	mask = host_signals_block();
	lock_acquire(&wait_lock);
	list_del(&waiter.list);
	lock_release(&wait_lock);
	host_signals_restore(mask);
}

static void __attribute__((noreturn)) finish(struct sched_task *task, long result)
{
	if (preempt_count() || irqs_disabled())
		report_bug("kthread %s ends with preemption or interrupts off (preempt_count 0x%08x)", task->task.comm,
			preempt_count());
	if (sched_rcu_depth())
		report_bug("kthread %s ends between rcu_read_lock() and rcu_read_unlock()", task->task.comm);
	while (sched_rcu_depth())
		sched_rcu_leave_hook();
	lockdep_task_ends();
	seqlock_task_ends();
	flagstone_this.preempt_count = 0;
	local_irq_enable();
	task->result = result;
	__atomic_add_fetch(&sched_nr_ending, 1, __ATOMIC_RELAXED);
	/* Pairs with sched_has_ended(). */
	__atomic_store_n(&task->ended, 1, __ATOMIC_SEQ_CST);
	wake_waiters(task);
	task_die(task);
	task_leave(task);
	altstack_leave();
	/* Pairs with sched_wait_for_ends(): this thread touches nothing of the machine any more. */
	__atomic_sub_fetch(&sched_nr_ending, 1, __ATOMIC_RELEASE);
	pthread_exit(NULL);
}

static void *kthread_body(void *arg)
{
	struct sched_task *task = arg;

	task_enter(task);
	pthread_detach(pthread_self());
	/* Its first turn comes when somebody wakes it. */
	token_wait(task);
	host_signals_restore(0);
	if (!(request_of(task) & KTHREAD_STOP))
		finish(task, task->function(task->data));
	finish(task, -EINTR);
}

struct task_struct *sched_kthread_create(const struct sched_kthread *kthread)
{
	struct sched_task *task;
	int error;

	if (sched_fault(sizeof(*task), kthread->caller))
		return ERR_PTR(-ENOMEM);
	task = task_create(kthread->name, 0);
	if (!task)
		return ERR_PTR(-ENOMEM);
	__atomic_store_n(&task->function, kthread->function, __ATOMIC_RELAXED);
	task->data = kthread->data;
	task->serves = kthread->serves;
	task->task.flags = PF_KTHREAD;
	__atomic_store_n(&task->task.__state, TASK_UNINTERRUPTIBLE, __ATOMIC_RELAXED);
	if (kthread->cpu >= 0)
		kthread_bind(&task->task, (unsigned int)kthread->cpu);
	else
		__atomic_store_n(&task->cpu, task_choose_cpu(task), __ATOMIC_RELAXED);
	resource_made(&(struct resource){
		.type = RESOURCE_KTHREAD, .object = task, .name = kthread->name, .caller = kthread->caller});
	error = sched_start_thread(task, kthread_body);
	if (!error)
		return &task->task;
	put_task_struct(&task->task);
	return ERR_PTR(error == -EAGAIN ? -ENOMEM : error);
}

struct task_struct *kthread_create_on_node(int (*threadfn)(void *data), void *data, int node, const char *namefmt, ...)
{
	char name[TASK_COMM_LEN];
	host_sigmask_t mask = host_signals_block();
	va_list args;

	(void)node;
	va_start(args, namefmt);
	vsnprintf(name, sizeof(name), namefmt, args);
	va_end(args);
	host_signals_restore(mask);
	return sched_kthread_create(&(struct sched_kthread){
		.function = threadfn, .data = data, .cpu = -1, .name = name, .caller = __builtin_return_address(0)});
}

void kthread_bind(struct task_struct *p, unsigned int cpu)
{
	struct sched_task *task = to_sched(p);

	for (unsigned int word = 0; word < ARRAY_SIZE(task->allowed); word++)
		__atomic_store_n(&task->allowed[word], word == cpu / 64 ? 1ull << cpu % 64 : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&task->cpu, cpu, __ATOMIC_RELAXED);
}

struct task_struct *kthread_create_on_cpu(
	int (*threadfn)(void *data), void *data, unsigned int cpu, const char *namefmt)
{
	char name[TASK_COMM_LEN];
	struct text text = TEXT_INIT(name, sizeof(name), -1);

	for (const char *at = namefmt; *at; at++) {
		if (at[0] == '%' && at[1] == 'u') {
			text_printf(&text, "%u", cpu);
			at++;
		} else {
			text_printf(&text, "%c", *at);
		}
	}
	if (cpu >= sched_nr_cpus)
		return ERR_PTR(-EINVAL);
	return sched_kthread_create(&(struct sched_kthread){.function = threadfn,
		.data = data,
		.cpu = (int)cpu,
		.name = name,
		.caller = __builtin_return_address(0)});
}

int kthread_stop(struct task_struct *p)
{
	struct sched_task *task = to_sched(p);
	int result;

	if (!task_get_listed(task)) {
		report_bug("kthread_stop of %p, which is no thread any more: it was stopped, or has ended, and no "
			   "reference "
			   "was held",
			(void *)p);
		return -EINTR;
	}
	__atomic_fetch_or(&task->request, KTHREAD_STOP, __ATOMIC_SEQ_CST);
	kthread_unpark(p);
	wake_up_process(p);
	wait_for(task, false);
	result = (int)task->result;
	put_task_struct(p);
	return result;
}

bool kthread_should_stop(void)
{
	return request_of(sched_this.task) & KTHREAD_STOP;
}

bool kthread_should_park(void)
{
	return request_of(sched_this.task) & KTHREAD_PARK;
}

void kthread_parkme(void)
{
	struct sched_task *task = sched_this.task;

	for (;;) {
		uint32_t request;

		set_current_state(TASK_PARKED);
		request = request_of(task);
		if (!(request & KTHREAD_PARK))
			break;
		if (!(request & KTHREAD_PARKED)) {
			/* Only while it is asked for: kthread_unpark() takes both back at once. */
			if (!__atomic_compare_exchange_n(&task->request, &request, request | KTHREAD_PARKED, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
				continue;
			wake_waiters(task);
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

int kthread_park(struct task_struct *p)
{
	struct sched_task *task = to_sched(p);

	if (sched_has_ended(task))
		return -ENOSYS;
	__atomic_fetch_or(&task->request, KTHREAD_PARK, __ATOMIC_SEQ_CST);
	if (p == current)
		return 0;
	wake_up_process(p);
	wait_for(task, true);
	return sched_has_ended(task) ? -ENOSYS : 0;
}

void kthread_unpark(struct task_struct *p)
{
	__atomic_fetch_and(&to_sched(p)->request, ~(uint32_t)(KTHREAD_PARK | KTHREAD_PARKED), __ATOMIC_SEQ_CST);
	wake_up_state(p, TASK_PARKED);
}

void kthreads_forget(void)
{
	lock_reinit(&wait_lock);
	sched_nr_ending = 0;
}

void kthread_exit(long result)
{
	finish(sched_this.task, result);
}

void *kthread_data(struct task_struct *task)
{
	return to_sched(task)->data;
}
