/*
 * cpu.c: the token of each simulated CPU: who has it, who waits for it, and what a CPU has pending.
 *
 * Calls locks and futexes. Knows nothing of what tasks wait for, or of what interrupts do.
 *
 * The token goes from hand to hand: the giver makes the next task cpu->curr under the CPU's lock, then sets that task's token word
 * and wakes it. A thread that waits for its word touches nothing that belongs to a CPU. Interrupts are off from before the giver
 * decides until it has the token again, so no interrupt can run on a thread in between.
 */
#include <linux/irqflags.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/sched/internal.h"
#include "runtime/sched/locks.h"

struct sched_cpu sched_cpus[SCHED_MAX_CPUS];
unsigned int sched_nr_cpus;
__thread struct flagstone_this flagstone_this __attribute__((tls_model("initial-exec"))) = {.cpu = PERCPU_NO_CPU};
__thread struct sched_this sched_this;
void (*sched_irq_hook)(void);
void (*sched_use_cpu_hook)(unsigned int cpu);
void (*sched_worker_hook)(bool sleeps);

#define IDLE_SLEEP_NS 50000 /* between looks of an idle task in whose place others may run */

static void need_set(unsigned int what)
{
	__atomic_fetch_or(&flagstone_this.need_resched, what, __ATOMIC_RELAXED);
}

/* ---- interrupts off ---- */

/* The signal that makes a thread look at its CPU's events; see signals.c. */
static bool may_look(void)
{
	return !sched_this.masked && sched_this.cpu;
}

/* Sees to the events of this CPU until there are none. Interrupts are off inside, and on again at the end. */
static void look(void)
{
	while (may_look() && __atomic_load_n(&sched_this.cpu->pending, __ATOMIC_RELAXED)) {
		uint32_t events;

		sched_this.masked = 1;
		compiler_barrier();
		/* Pairs with cpu_raise(): what was written before the event is visible. */
		events = __atomic_exchange_n(&sched_this.cpu->pending, 0, __ATOMIC_ACQ_REL);
		if ((events & CPU_RESCHED) && !sched_this.is_idle) /* which gives way anyway */
			need_set(NEED_RESCHED);
		if ((events & CPU_IRQ) && sched_irq_hook)
			sched_irq_hook();
		compiler_barrier();
		sched_this.masked = 0;
	}
}

static void preempt_now(void);

void cpu_look_and_preempt(void)
{
	look();
	if (cpu_needs(NEED_RESCHED) && preempt_is_forced())
		preempt_now();
}

/* Called where an interrupt may come: with events that are pending, they happen here. */
void cpu_look(void)
{
	if (!sched_this.masked)
		cpu_look_if_needed();
}

void cpu_mask_open(void)
{
	compiler_barrier();
	sched_this.masked--;
	cpu_look();
}

void cpu_mask_close(void)
{
	sched_this.masked++;
	compiler_barrier();
}

static host_sigmask_t mask_block(void)
{
	sched_this.masked++;
	compiler_barrier();
	return 0;
}

static void mask_restore(host_sigmask_t mask)
{
	(void)mask;
	compiler_barrier();
	if (--sched_this.masked == 0)
		cpu_look_if_needed();
}

static const struct host_mask_ops mask_ops = {.block = mask_block, .restore = mask_restore};

void cpu_mask_on(bool on)
{
	host_mask_ops = on ? &mask_ops : NULL;
}

void local_irq_disable(void)
{
	if (!sched_this.irqs_off) {
		mask_block();
		sched_this.irqs_off = true;
		if (unlikely(flagstone_this.record))
			section_record(&sched_this.irqs_began);
	}
}

void local_irq_enable(void)
{
	if (sched_this.irqs_off) {
		if (unlikely(lockdep_on) && sched_this.masked == 1)
			__lockdep_irqs_on();
		sched_this.irqs_off = false;
		mask_restore(0);
	}
}

bool irqs_disabled(void)
{
	return sched_this.masked;
}

unsigned long flagstone_irq_save(void)
{
	unsigned long flags = sched_this.irqs_off;

	local_irq_disable();
	return flags;
}

void flagstone_irq_restore(unsigned long flags)
{
	if (!flags)
		local_irq_enable();
}

/* ---- tokens ---- */

static void token_give(struct sched_task *task)
{
	/* Pairs with token_wait(): what happened on the CPU so far is visible to whom it belongs now. */
	__atomic_store_n(&task->token, 1, __ATOMIC_RELEASE);
	host_futex_wake(&task->token, 1);
}

/* The thread's CPU number and what hangs on it become those of the task's CPU. */
static void use_cpu(struct sched_task *task)
{
	struct sched_cpu *cpu = &sched_cpus[task->cpu];

	if (sched_this.cpu == cpu)
		return;
	sched_this.cpu = cpu;
	flagstone_this.cpu = (int)cpu->number;
	percpu_set_cpu((int)cpu->number);
	if (sched_use_cpu_hook)
		sched_use_cpu_hook(cpu->number);
	task_pin(task, (int)cpu->number);
}

void token_wait(struct sched_task *task)
{
	/* Pairs with token_give(). */
	while (!__atomic_load_n(&task->token, __ATOMIC_ACQUIRE))
		host_futex_wait(&task->token, 0);
	__atomic_store_n(&task->token, 0, __ATOMIC_RELAXED);
	use_cpu(task);
}

/* ---- queues: the caller holds the CPU's lock ---- */

static bool is_idle(const struct sched_cpu *cpu, const struct sched_task *task)
{
	return task == cpu->idle;
}

static void __enqueue(struct sched_cpu *cpu, struct sched_task *task)
{
	list_add_tail(&task->queue, &cpu->queue);
	task->on_queue = true;
	__atomic_store_n(&cpu->nr_queued, cpu->nr_queued + 1, __ATOMIC_RELAXED);
}

void __dequeue(struct sched_cpu *cpu, struct sched_task *task)
{
	list_del(&task->queue);
	task->on_queue = false;
	__atomic_store_n(&cpu->nr_queued, cpu->nr_queued - 1, __ATOMIC_RELAXED);
}

static struct sched_task *__pick(struct sched_cpu *cpu)
{
	struct sched_task *task = cpu->idle;

	if (!list_empty(&cpu->queue)) {
		task = list_first_entry(&cpu->queue, struct sched_task, queue);
		__dequeue(cpu, task);
	}
	return task;
}

/* Whose turn it is after this CPU's lock was taken to decide it. An idle task that sleeps has to be told only if there are events. */
static bool __switch_to(struct sched_cpu *cpu, struct sched_task *next)
{
	__atomic_store_n(&cpu->curr, next, __ATOMIC_RELAXED);
	cpu->nr_switches++;
	if (!is_idle(cpu, next))
		return true;
	/* Pairs with cpu_raise(), which makes an event pending before it takes the lock: one of the two sees it. */
	if (cpu->idle_awake || !__atomic_load_n(&cpu->pending, __ATOMIC_RELAXED))
		return cpu->idle_awake;
	cpu->idle_awake = true;
	return true;
}

/* The CPU's lock is held; the task is on no queue. If the CPU is idle the task gets it. Returns whether the caller must give the token. */
static bool __make_runnable(struct sched_cpu *cpu, struct sched_task *task)
{
	if (is_idle(cpu, cpu->curr) && !cpu->idle_awake)
		return __switch_to(cpu, task);
	__enqueue(cpu, task);
	return false;
}

/* A task between two CPUs is waited for: whoever moves it has interrupts off and needs no lock that the caller holds. It begins to
 * move under the lock that is held here, so it does not while that is held. */
struct sched_cpu *task_lock_cpu(struct sched_task *task)
{
	for (;;) {
		unsigned int number = __atomic_load_n(&task->cpu, __ATOMIC_RELAXED);
		struct sched_cpu *cpu = &sched_cpus[number];

		lock_acquire(&cpu->lock);
		/* Pairs with task_place(): who has arrived is on the CPU that is read next. */
		if (!__atomic_load_n(&task->moving, __ATOMIC_ACQUIRE) &&
			__atomic_load_n(&task->cpu, __ATOMIC_RELAXED) == number)
			return cpu;
		lock_release(&cpu->lock);
		host_yield();
	}
}

bool task_may_be_on(const struct sched_task *task, unsigned int cpu)
{
	return __atomic_load_n(&task->allowed[cpu / 64], __ATOMIC_RELAXED) >> cpu % 64 & 1;
}

/* Where a task goes that cannot stay where it is: the allowed CPU with the fewest tasks. One that none is online for goes anywhere, as
 * the kernel breaks an affinity when its CPUs are gone. */
unsigned int task_choose_cpu(const struct sched_task *task)
{
	unsigned int best = 0, best_load = ~0u;

	for (int any = 0; any < 2 && best_load == ~0u; any++) {
		for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++) {
			unsigned int load =
				__atomic_load_n(&sched_cpus[cpu].nr_queued, __ATOMIC_RELAXED) +
				(sched_cpus[cpu].idle != __atomic_load_n(&sched_cpus[cpu].curr, __ATOMIC_RELAXED));

			if (cpu_is_online(cpu) && (any || task_may_be_on(task, cpu)) && load < best_load) {
				best = cpu;
				best_load = load;
			}
		}
	}
	return best;
}

static bool may_run_here(const struct sched_cpu *cpu, const struct sched_task *task)
{
	return cpu->online && task_may_be_on(task, cpu->number);
}

void task_place(struct sched_task *task, unsigned int number)
{
	struct sched_cpu *cpu = &sched_cpus[number];
	bool give;

	lock_acquire(&cpu->lock);
	/* It may have gone offline since it was chosen. */
	while (!cpu->online) {
		lock_release(&cpu->lock);
		cpu = &sched_cpus[task_choose_cpu(task)];
		lock_acquire(&cpu->lock);
	}
	__atomic_store_n(&task->cpu, cpu->number, __ATOMIC_RELAXED);
	/* Pairs with task_lock_cpu(). */
	__atomic_store_n(&task->moving, false, __ATOMIC_RELEASE);
	give = __make_runnable(cpu, task);
	lock_release(&cpu->lock);
	if (give)
		token_give(task);
}

/* ---- giving the CPU away ---- */

/* Whether this task's state takes it off its CPU. Not one that the OOM killer may interrupt and has chosen: it looked too early, or not at
 * all. The CPU's lock is held. */
static bool __sleeps(struct sched_task *task)
{
	uint32_t state = __atomic_load_n(&task->task.__state, __ATOMIC_RELAXED);

	if (state == TASK_RUNNING)
		return false;
	/* Pairs with __oom_kill(), which chooses before it looks at the state: one of the two sees the other's. */
	state = __atomic_fetch_or(&task->task.__state, 0, __ATOMIC_SEQ_CST);
	if (!sleep_is_interrupted(state))
		return state != TASK_RUNNING;
	__atomic_store_n(&task->task.__state, TASK_RUNNING, __ATOMIC_RELAXED);
	return false;
}

/* Decides what comes after this task, which may be this task. Interrupts off. preempted: it stays runnable whatever its state; an idle
 * task goes on when nobody else can run. */
static void switch_away(struct sched_task *task, bool preempted)
{
	struct sched_cpu *cpu = &sched_cpus[task->cpu];
	bool runnable, leaves, give = true;
	struct sched_task *next;

	lock_acquire(&cpu->lock);
	task->nr_switches++;
	task->sleeps_at = __builtin_frame_address(0);
	__atomic_store_n(&flagstone_this.need_resched, 0, __ATOMIC_RELAXED);
	runnable = !is_idle(cpu, task) && (preempted || !__sleeps(task));
	leaves = runnable && !may_run_here(cpu, task);
	__atomic_store_n(&task->moving, leaves, __ATOMIC_RELAXED);
	if (runnable && !leaves)
		__enqueue(cpu, task);
	if (is_idle(cpu, task))
		cpu->idle_awake = preempted;
	next = __pick(cpu);
	give = __switch_to(cpu, next);
	lock_release(&cpu->lock);
	if (next == task && !is_idle(cpu, task))
		return;
	if (give)
		token_give(next);
	if (leaves)
		task_place(task, task_choose_cpu(task));
	if (__atomic_load_n(&task->task.__state, __ATOMIC_RELAXED) == TASK_DEAD && !preempted)
		return;
	token_wait(task);
}

static bool sleep_is_wrong(void)
{
	return (flagstone_this.preempt_count || sched_this.irqs_off) && !sched_this.sleep_reported;
}

/* A handler on the idle task sleeps where it must not. The idle task is never asleep: it has its CPU whenever nobody else has. So
 * others run in its place until somebody wakes it. */
static void idle_sleeps(struct sched_task *task)
{
	uint32_t state;

	do {
		host_sigmask_t mask = host_signals_block();

		switch_away(task, true);
		host_signals_restore(mask);
		state = __atomic_load_n(&task->task.__state, __ATOMIC_RELAXED);
		if (state != TASK_RUNNING)
			host_futex_wait_for(&task->task.__state, state, IDLE_SLEEP_NS);
	} while (state != TASK_RUNNING);
}

void schedule(void)
{
	struct sched_task *task = sched_this.task;
	host_sigmask_t mask;
	bool is_worker;

	if (!task) {
		report_bug("schedule: this thread is attached to no CPU (sched_attach, flagstone_machine_attach)");
		return;
	}
	if (unlikely(sleep_is_wrong()))
		scheduling_while_atomic();
	else if (unlikely(sched_rcu_depth()))
		report_bug("Voluntary context switch within RCU read-side critical section, in task %s/%d",
			task->task.comm, task->task.pid);
	if (unlikely(sched_this.is_idle)) {
		idle_sleeps(task);
		return;
	}
	is_worker = (task->task.flags & PF_WQ_WORKER) && sched_worker_hook &&
		    __atomic_load_n(&task->task.__state, __ATOMIC_RELAXED) != TASK_RUNNING;
	if (unlikely(is_worker))
		sched_worker_hook(true);
	/* A sleep in the wrong place goes on sanely: the counts are the thread's, others run with their own. */
	mask = host_signals_block();
	switch_away(task, false);
	host_signals_restore(mask);
	if (unlikely(is_worker))
		sched_worker_hook(false);
}

static void preempt_now(void)
{
	host_sigmask_t mask;

	if (flagstone_this.preempt_count || sched_this.is_idle || !sched_this.task || !may_look())
		return;
	mask = host_signals_block();
	switch_away(sched_this.task, true);
	host_signals_restore(mask);
}

void preempt_schedule(void)
{
	if (cpu_needs(NEED_LOOK)) {
		__atomic_fetch_and(&flagstone_this.need_resched, ~(unsigned int)NEED_LOOK, __ATOMIC_RELAXED);
		cpu_look();
	}
	if (cpu_needs(NEED_RESCHED))
		preempt_now();
}

void idle_switch(struct sched_task *task)
{
	switch_away(task, false);
}

void task_die(struct sched_task *task)
{
	host_signals_block();
	__atomic_store_n(&task->task.__state, TASK_DEAD, __ATOMIC_RELAXED);
	switch_away(task, false);
	sched_this.cpu = NULL;
	flagstone_this.cpu = PERCPU_NO_CPU;
	percpu_set_cpu(PERCPU_NO_CPU);
	sched_this.task = NULL;
	host_signals_restore(0);
}

/* ---- waking ---- */

int wake_up_state(struct task_struct *task, unsigned int state)
{
	struct sched_task *sleeper = to_sched(task);
	bool give = false, woken = false, leaves = false;
	struct sched_cpu *cpu;
	host_sigmask_t mask;

	/* Pairs with set_current_state(): either the sleeper sees what we made true, or we see its state. */
	if (!(__atomic_fetch_or(&task->__state, 0, __ATOMIC_SEQ_CST) & state))
		return 0;
	mask = host_signals_block();
	cpu = task_lock_cpu(sleeper);
	if (__atomic_load_n(&task->__state, __ATOMIC_RELAXED) & state) {
		woken = true;
		__atomic_store_n(&task->__state, TASK_RUNNING, __ATOMIC_RELAXED);
		/* One that has not got as far as schedule() is still curr; one that was preempted on its way is queued. An idle task
		 * has its CPU when it looks again: see idle_sleeps(). */
		if (cpu->curr != sleeper && !sleeper->on_queue && !is_idle(cpu, sleeper)) {
			leaves = !may_run_here(cpu, sleeper);
			__atomic_store_n(&sleeper->moving, leaves, __ATOMIC_RELAXED);
			give = !leaves && __make_runnable(cpu, sleeper);
		}
	}
	lock_release(&cpu->lock);
	if (give)
		token_give(sleeper);
	else if (leaves)
		task_place(sleeper, task_choose_cpu(sleeper));
	host_signals_restore(mask);
	return woken;
}

int wake_up_process(struct task_struct *task)
{
	return wake_up_state(task, TASK_NORMAL);
}

/* Makes the thread that has the token look, unless that is this one. Builds without signals leave it a word for its next
 * preempt_enable(). The lock is held. Returns the thread to send the signal to, or 0. */
static uint32_t __tell(struct sched_task *task)
{
	struct flagstone_this *this;

	if (task == sched_this.task)
		return 0;
	if (!CONFIG_SANITIZED)
		return __atomic_load_n(&task->tid, __ATOMIC_RELAXED);
	/* Pairs with task_enter(). A thread that has not got there looks when it does. */
	this = __atomic_load_n(&task->this, __ATOMIC_ACQUIRE);
	if (this)
		__atomic_fetch_or(&this->need_resched, NEED_LOOK, __ATOMIC_RELAXED);
	return 0;
}

void cpu_raise(unsigned int number, uint32_t events)
{
	struct sched_cpu *cpu = &sched_cpus[number];
	host_sigmask_t mask = host_signals_block();
	uint32_t tid = 0;
	bool give = false;

	/* Pairs with look(), and with __switch_to(). */
	if ((__atomic_fetch_or(&cpu->pending, events, __ATOMIC_ACQ_REL) & events) != events) {
		lock_acquire(&cpu->lock);
		if (is_idle(cpu, cpu->curr) && !cpu->idle_awake)
			give = cpu->idle_awake = true;
		else
			tid = __tell(cpu->curr);
		cpu->nr_switches += give;
		lock_release(&cpu->lock);
		if (give)
			token_give(cpu->idle);
		else if (tid)
			host_kick(tid, SCHED_SIGNAL);
	}
	host_signals_restore(mask);
}

bool cpus_are_idle(unsigned long *nr_switches)
{
	bool idle = true;

	*nr_switches = 0;
	for (unsigned int i = 0; i < sched_nr_cpus; i++) {
		struct sched_cpu *cpu = &sched_cpus[i];

		lock_acquire(&cpu->lock);
		idle &= is_idle(cpu, cpu->curr) && !cpu->idle_awake && list_empty(&cpu->queue) &&
			!__atomic_load_n(&cpu->pending, __ATOMIC_RELAXED);
		*nr_switches += cpu->nr_switches;
		lock_release(&cpu->lock);
	}
	return idle;
}

bool need_resched(void)
{
	return cpu_needs(NEED_RESCHED) ||
	       (sched_this.cpu && __atomic_load_n(&sched_this.cpu->nr_queued, __ATOMIC_RELAXED));
}

int _cond_resched(void)
{
	cpu_look();
	if (!need_resched() || flagstone_this.preempt_count || sched_this.masked || !sched_this.task)
		return 0;
	preempt_now();
	return 1;
}

void yield(void)
{
	__set_current_state(TASK_RUNNING);
	schedule();
}

unsigned int task_cpu(const struct task_struct *task)
{
	return __atomic_load_n(&((const struct sched_task *)task)->cpu, __ATOMIC_RELAXED);
}
