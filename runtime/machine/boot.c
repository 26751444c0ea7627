/*
 * boot.c: boots the machine room by room, ends it the other way round, and lets host threads join.
 *
 * Calls every room below. Refuses to know what they do: a room is a row of the table of stages.
 */
#include <errno.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/sched/mm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "percpu/vars.h"
#include "runtime/config.h"
#include "runtime/fault/fault.h"
#include "runtime/host/host.h"
#include "runtime/irq/irq.h"
#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"
#include "runtime/machine/machine.h"
#include "runtime/machine/steps.h"
#include "runtime/machine/tasks.h"
#include "runtime/pressure/pressure.h"
#include "runtime/sched/sched.h"
#include "runtime/slab/slab.h"
#include "runtime/support/support.h"

#define REPLAY_BYTES 2048
#define FILE_BYTES 65536

struct flagstone_machine_config machine_config;
static char replay[REPLAY_BYTES]; /* Synchronization: const while booted */
/* Synchronization: written by the thread that boots and ends the machine; others use it only in between */
static bool booted;

/* ---- stages ---- */

static int slab_start(const struct flagstone_machine_config *config)
{
	struct page_machine machine;

	if (!config_to_page_machine(config, &machine))
		return -EINVAL;
	slab_set_tracking(config->tracking);
	slab_set_slow(config_sees_all(config));
	slab_set_checks(machine_config.slub_debug);
	return slab_boot_machine(&machine);
}

static void use_cpu(unsigned int cpu)
{
	vars_use_cpu(cpu);
}

/* alloc_percpu() has no flags that its checks could go by, or has all of GFP_KERNEL. */
static void check_vars_sleep(void)
{
	might_alloc(GFP_KERNEL);
}

static int vars_start(const struct flagstone_machine_config *config)
{
	sched_use_cpu_hook = use_cpu;
	if (config->context)
		vars_set_sleep_check(check_vars_sleep);
	return vars_boot((unsigned int)config->cpus);
}

static int sched_start(const struct flagstone_machine_config *config)
{
	int error;

	sched_debug = config->context;
	lockdep_on = config->lockdep;
	error = sched_boot((unsigned int)config->cpus);
	resources_keep_stacks(config->tracking);
	if (error)
		return error;
	error = hung_task_boot(config->hung_task_timeout_secs, config->hung_task_panic);
	if (error)
		sched_shutdown();
	return error;
}

/* What an offline CPU has cached is everybody's again. */
static void drain_cpu(unsigned int cpu)
{
	(void)cpu;
	slab_trim(0);
}

static int irq_start(const struct flagstone_machine_config *config)
{
	(void)config;
	irq_cpu_dead_hook = drain_cpu;
	return irq_boot();
}

static unsigned int nr_left; /* that rooms have reported as they ended. Synchronization: shutdown */

static void irq_stop(void)
{
	nr_left += irq_shutdown();
}

static int fault_start(const struct flagstone_machine_config *config)
{
	const char *bad;

	fault_boot(config->seed, replay);
	fault_setup("failslab", config->failslab, &bad);
	fault_setup("fail_page_alloc", config->fail_page_alloc, &bad);
	return 0;
}

static int pressure_start(const struct flagstone_machine_config *config)
{
	const struct pressure_config pressure = {.oom = (enum oom_policy)config->oom};

	return pressure_boot(&pressure);
}

static int support_start(const struct flagstone_machine_config *config)
{
	static_assert(FLAGSTONE_MACHINE_PARAMETERS <= MODULES_TEXT, "or they are cut");
	modules_set_parameters(config->parameters);
	random_boot(config->seed);
	return 0;
}

static void support_stop(void)
{
}

static void pressure_stop(void)
{
	nr_left += pressure_shutdown();
}

static int hooks_start(const struct flagstone_machine_config *config)
{
	hooks_set(config);
	segv_boot();
	symbols_boot();
	return 0;
}

static int rcu_start(const struct flagstone_machine_config *config)
{
	(void)config;
	return machine_rcu_boot();
}

static int tasks_start(const struct flagstone_machine_config *config)
{
	tasks_mark_own();
	resources_forget();
	/* From here on: what the machine itself makes does not fail. */
	hooks_set_faults(config_sees_all(config));
	current->fail_nth = (unsigned int)config->fail_nth;
	return config->preempt ? preempt_force((unsigned int)config->preempt, config->seed) : 0;
}

static void tasks_stop(void)
{
	current->fail_nth = 0;
	hooks_set_faults(false);
	preempt_force(0, 0);
}

static void sched_stop(void)
{
	sched_shutdown();
	lockdep_reset();
}

/* In the order of boot. A stage that fails leaves nothing behind of its own. */
static const struct stage {
	int (*start)(const struct flagstone_machine_config *config);
	void (*stop)(void);
} stages[] = {
	{slab_start, slab_shutdown},
	{vars_start, vars_shutdown},
	{sched_start, sched_stop},
	{fault_start, fault_shutdown},
	{irq_start, irq_stop},
	{pressure_start, pressure_stop},
	{support_start, support_stop},
	{hooks_start, segv_shutdown},
	{rcu_start, machine_rcu_shutdown},
	{tasks_start, tasks_stop},
};

/* Those that own memory and threads of the machine: what is left when they have ended is leaked. */
#define NR_LOWER_STAGES 4

/* Ends stages to - 1 .. from. */
static void stop_stages(size_t from, size_t to)
{
	while (to-- > from)
		stages[to].stop();
}

/* ---- boot ---- */

int machine_boot_exactly(const struct flagstone_machine_config *config)
{
	struct text text = TEXT_INIT(replay, sizeof(replay), -1);
	int error = 0;

	machine_config = *config; /* some stages keep its texts */
	config_print(config, &text);
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		error = stages[i].start(config);
		if (error) {
			stop_stages(0, i);
			return error;
		}
	}
	booted = true;
	step_tell_boot();
	return 0;
}

/* What the environment says goes before what the program says. */
static int boot_checked(struct flagstone_machine_config *config)
{
	if (!config_apply(config, host_getenv(MACHINE_VARIABLE), MACHINE_VARIABLE) ||
		flagstone_machine_config_check(config))
		return -EINVAL;
	return machine_boot_exactly(config);
}

int flagstone_machine_boot(const struct flagstone_machine_config *config)
{
	struct flagstone_machine_config copy = FLAGSTONE_MACHINE_CONFIG_INIT;
	int error;

	if (booted)
		return -EBUSY;
	if (config)
		copy = *config;
	config_forget_origins();
	error = boot_checked(&copy);
	config_forget_origins();
	return error;
}

static int boot_text_of(const char *text, const char *source)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;
	int error;

	if (booted)
		return -EBUSY;
	config_forget_origins();
	error = config_apply(&config, text, source) ? boot_checked(&config) : -EINVAL;
	config_forget_origins();
	return error;
}

int flagstone_machine_boot_text(const char *text)
{
	return boot_text_of(text, MACHINE_TEXT);
}

static long read_all(const char *path, char *buffer)
{
	long length = host_read_file(path, buffer, FILE_BYTES);

	return length == FILE_BYTES - 1 ? -EFBIG : length;
}

int flagstone_machine_boot_file(const char *path)
{
	char *text = malloc(FILE_BYTES);
	long length = text ? read_all(path, text) : -ENOMEM;
	int error = (int)length;

	if (length < 0)
		report_note("machine: cannot read %s", path);
	else
		error = boot_text_of(text, path);
	free(text);
	return error;
}

int flagstone_machine_booted(void)
{
	return booted;
}

/* ---- shutdown ---- */

int flagstone_machine_shutdown(void)
{
	unsigned int leaks;

	if (!booted)
		return -ENODEV;
	if (!current)
		return -EPERM;
	if (tasks_report_others())
		return -EBUSY;
	if (machine_config.views[0])
		views_write(machine_config.views);
	booted = false;
	nr_left = 0;
	stop_stages(NR_LOWER_STAGES, ARRAY_SIZE(stages));
	leaks = leaks_report(nr_left);
	slab_check_free();
	stop_stages(0, NR_LOWER_STAGES);
	step_tell_shutdown();
	return (int)leaks;
}

/* ---- threads ---- */

int flagstone_machine_attach(unsigned int cpu)
{
	char name[TASK_COMM_LEN];
	struct text text = TEXT_INIT(name, sizeof(name), -1);

	if (!booted)
		return -ENODEV;
	text_printf(&text, "attached/%u", cpu);
	return sched_attach(cpu, name);
}

void flagstone_machine_detach(void)
{
	if (current)
		sched_detach();
}

/* A call of flagstone_machine_run(). */
struct call {
	int (*function)(void *arg);
	void *arg;
	int result; /* Synchronization: written before done */
	uint32_t done; /* Synchronization: atomic */
	struct task_struct *caller;
};

static int call_body(void *data)
{
	struct call *call = data;
	struct task_struct *caller = call->caller;

	call->result = call->function(call->arg);
	get_task_struct(caller);
	/* Pairs with call_wait(): the result is there. The call is the caller's again from here on. */
	__atomic_store_n(&call->done, 1, __ATOMIC_SEQ_CST);
	wake_up_process(caller);
	put_task_struct(caller);
	return 0;
}

static void call_wait(struct call *call)
{
	for (;;) {
		set_current_state(TASK_IDLE); /* it may well be long */
		/* Pairs with call_body(). */
		if (__atomic_load_n(&call->done, __ATOMIC_SEQ_CST))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static int run_in_task(unsigned int cpu, int (*function)(void *arg), void *arg)
{
	struct call call = {.function = function, .arg = arg, .caller = current};
	char name[TASK_COMM_LEN];
	struct text text = TEXT_INIT(name, sizeof(name), -1);
	struct task_struct *task;

	text_printf(&text, "run/%u", cpu);
	if (cpu >= sched_nr_cpus)
		return -ENODEV;
	task = sched_kthread_create(
		&(struct sched_kthread){.function = call_body, .data = &call, .cpu = (int)cpu, .name = name});
	if (IS_ERR(task))
		return (int)PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	call_wait(&call);
	kthread_stop(task);
	put_task_struct(task);
	return call.result;
}

int flagstone_machine_run(unsigned int cpu, int (*function)(void *arg), void *arg)
{
	bool attached = current != NULL;
	int result = booted ? 0 : -ENODEV;

	if (!result && !attached)
		result = flagstone_machine_attach(0);
	if (result)
		return result;
	result = run_in_task(cpu, function, arg);
	if (!attached)
		flagstone_machine_detach();
	return result;
}

int flagstone_fault_set(const char *attr, const char *knob, const char *value)
{
	if (!booted)
		return -ENODEV;
	return config_sees_all(&machine_config) ? fault_set(attr, knob, value) : -EPERM;
}

/* ---- processes ---- */

/* A failed allocation often ends a program before its shutdown: what it leaves behind is looked for here. After all that the program
 * itself does at its exit. */
static __attribute__((destructor(101))) void machine_destructor(void)
{
	if (!booted || !machine_config.fail_nth)
		return;
	/* A shutdown sleeps, and only a task can. */
	if (!current || in_atomic() || irqs_disabled()) {
		report_note("machine: ended without flagstone_machine_shutdown(): leaks not checked");
		return;
	}
	current->fail_nth = 0;
	flagstone_machine_shutdown();
}

/* A child of fork() has this one thread and no machine. */
static void fork_child(void)
{
	config_fork_child();
	if (!booted)
		return;
	booted = false;
	step_forget();
	sched_forget();
	pressure_forget();
	vars_fork_child();
	vars_shutdown();
	slab_shutdown();
	fault_shutdown();
	segv_shutdown();
}

/* Before any constructor that allocates: nothing boots by itself. */
static __attribute__((constructor(101))) void machine_constructor(void)
{
	slab_boot_by_machine();
	/* Its child's handler is the first: the slab room's, which frees locks, must not find the machine's memory, which is the
	 * parent's. */
	pthread_atfork(NULL, NULL, fork_child);
}
