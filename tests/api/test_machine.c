/*
 * test_machine.c: machines boot and end, again and again, with whatever is in use on them; leaks, attached threads, failures.
 *
 * Broken if this fails: a machine cannot be booted twice, forgets a leak or a task, or the same seed does not fail the same.
 */
#include <errno.h>
#include <flagstone/machine.h>
#include <fcntl.h>
#include <flagstone/oom.h>
#include <linux/cpu.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/emulated.h"
#include "tests/sanitized.h"
#include "tests/unit/child.h"

#define NR_ROUNDS 20
#define NR_LARGE_ROUNDS 4 /* of machines with hundreds of threads; FLAGSTONE_SOAK_SECONDS: as many as of the others */

static char output[1 << 20], output_again[1 << 20];

static DEFINE_PER_CPU(unsigned long, nr_bodies);

/* ---- everything at once ---- */

static int use_everything(void *arg)
{
	void *objects[64];
	struct page *pages[4];
	unsigned long *counter;

	(void)arg;
	for (unsigned int i = 0; i < 64; i++) {
		objects[i] = kmalloc(8u << i % 10, GFP_KERNEL);
		assert_non_null(objects[i]);
		memset(objects[i], 0x5a, 8u << i % 10);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pages[i] = alloc_pages(GFP_KERNEL, i);
		assert_non_null(pages[i]);
	}
	counter = alloc_percpu(unsigned long);
	assert_non_null(counter);
	this_cpu_inc(*counter);
	this_cpu_inc(nr_bodies);
	for (unsigned int i = 0; i < 4; i++)
		__free_pages(pages[i], i);
	for (unsigned int i = 0; i < 64; i++)
		kfree(objects[i]);
	free_percpu(counter);
	return raw_smp_processor_id();
}

static int in_kthread(void *arg)
{
	use_everything(arg);
	return 0;
}

static void boot_and_use(unsigned int cpus, unsigned int rounds)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	config.cpus = cpus;
	for (unsigned int round = 0; round < rounds; round++) {
		config.tracking = round % 2;
		assert_int_equal(flagstone_machine_boot(&config), 0);
		assert_int_equal(flagstone_machine_booted(), 1);
		assert_int_equal(flagstone_machine_boot(&config), -EBUSY);
		assert_int_equal(per_cpu(nr_bodies, 0), 0);
		for (unsigned int cpu = 0; cpu < cpus; cpu += 1 + cpus / 4)
			assert_int_equal(flagstone_machine_run(cpu, use_everything, NULL), cpu);
		assert_int_equal(flagstone_machine_run(cpus, use_everything, NULL), -ENODEV);
		/* Nobody waits for these but the shutdown. */
		for (unsigned int i = 0; i < 3; i++)
			assert_false(IS_ERR(kthread_run(in_kthread, NULL, "left/%u", i)));
		use_everything(NULL);
		while (flagstone_machine_shutdown() == -EBUSY)
			schedule_timeout_uninterruptible(1);
		assert_int_equal(flagstone_machine_booted(), 0);
	}
	assert_int_equal(flagstone_machine_shutdown(), -ENODEV);
}

static void one_cpu_boots_twenty_times(void **state)
{
	(void)state;
	boot_and_use(1, NR_ROUNDS);
}

static void two_cpus_boot_twenty_times(void **state)
{
	(void)state;
	boot_and_use(2, NR_ROUNDS);
}

static void eight_cpus_boot_twenty_times(void **state)
{
	(void)state;
	boot_and_use(8, NR_ROUNDS);
}

static void sixty_four_cpus_boot_again_and_again(void **state)
{
	(void)state;
	boot_and_use(64, getenv("FLAGSTONE_SOAK_SECONDS") ? NR_ROUNDS : NR_LARGE_ROUNDS);
}

static void zones_and_nodes_boot(void **state)
{
	(void)state;
	assert_int_equal(
		flagstone_machine_boot_text(
			"cpus=4,ram=128m,nodes=2,dma=16m,dma32=32m,highmem=96m,distances=10:15:15:10,preempt=200"),
		0);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		assert_int_equal(flagstone_machine_run(cpu, use_everything, NULL), cpu);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static int cache_much(void *arg)
{
	struct page *pages[20];

	(void)arg;
	for (int i = 0; i < 20; i++)
		pages[i] = alloc_pages(GFP_KERNEL, 0);
	for (int i = 0; i < 20; i++)
		__free_pages(pages[i], 0);
	for (int i = 0; i < 20; i++)
		kfree(kmalloc(64, GFP_KERNEL));
	return 0;
}

/* The pages on a CPU's list, by the view of a machine with one zone. */
static unsigned long pages_on(const char *cpu)
{
	const char *at;

	assert_true(flagstone_view("zoneinfo", output, sizeof(output)) > 0);
	at = strstr(strstr(output, cpu), "count: ");
	return strtoul(at + strlen("count: "), NULL, 10);
}

static void an_offline_cpu_keeps_no_memory(void **state)
{
	(void)state;
	assert_int_equal(flagstone_machine_boot_text("cpus=3,ram=16m,tracking=0"), 0);
	assert_int_equal(flagstone_machine_run(1, cache_much, NULL), 0);
	assert_true(pages_on("cpu: 1") > 0);
	assert_int_equal(remove_cpu(1), 0);
	assert_int_equal(pages_on("cpu: 1"), 0);
	assert_int_equal(add_cpu(1), 0);
	assert_int_equal(flagstone_machine_run(1, cache_much, NULL), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

/* ---- threads of the host ---- */

static void *join_machine(void *arg)
{
	unsigned int cpu = *(unsigned int *)arg;

	assert_int_equal(flagstone_machine_attach(cpu), 0);
	assert_int_equal(flagstone_machine_attach(cpu), -EBUSY);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(use_everything(NULL), cpu);
	flagstone_machine_detach();
	/* As an ordinary thread again. */
	assert_int_equal(flagstone_machine_run(1, use_everything, NULL), 1);
	return NULL;
}

static void host_threads_attach(void **state)
{
	pthread_t threads[6];
	unsigned int cpus[6];

	(void)state;
	assert_int_equal(flagstone_machine_attach(0), -ENODEV);
	assert_int_equal(flagstone_machine_boot_text("cpus=3"), 0);
	assert_int_equal(flagstone_machine_attach(0), -EBUSY);
	for (unsigned int i = 0; i < 6; i++) {
		cpus[i] = i % 3;
		assert_int_equal(pthread_create(&threads[i], NULL, join_machine, &cpus[i]), 0);
	}
	/* This thread waits outside, or CPU 0 would wait for it. */
	flagstone_machine_detach();
	for (unsigned int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(flagstone_machine_shutdown(), -EPERM);
	assert_int_equal(flagstone_machine_attach(0), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

/* ---- what is left ---- */

static int leak(void *arg)
{
	struct page *page = alloc_pages(GFP_KERNEL, 1);

	(void)arg;
	assert_non_null(kmalloc(100, GFP_KERNEL));
	assert_non_null(page);
	assert_non_null(alloc_percpu(long));
	assert_non_null(kmem_cache_create("kept", 24, 0, 0, NULL));
	return 0;
}

static void leak_in_machine(void *arg)
{
	(void)arg;
	assert_int_equal(flagstone_machine_boot_text("cpus=2"), 0);
	assert_int_equal(flagstone_machine_run(1, leak, NULL), 0);
	assert_int_equal(flagstone_machine_shutdown(), 4);
	/* The next machine has none of it. */
	assert_int_equal(flagstone_machine_boot_text("cpus=2"), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void leaks_are_reported(void **state)
{
	(void)state;
	assert_int_equal(child_run(leak_in_machine, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: leak: kmalloc-112 at 0x"));
	assert_non_null(strstr(output, ", 100 bytes, age="));
	assert_non_null(strstr(output, "cpu=1 pid="));
	assert_non_null(strstr(output, " comm=run/1\n  #0 0x"));
	assert_non_null(strstr(output, "flagstone: leak: pages at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: per-CPU memory at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: cache kept at 0x"));
	assert_non_null(strstr(output, "flagstone: machine: 4 leaks\n"));
}

static int wait_for_stop(void *arg)
{
	(void)arg;
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static void forget_task(void *arg)
{
	struct task_struct *task;

	(void)arg;
	assert_int_equal(flagstone_machine_boot_text("cpus=1"), 0);
	task = kthread_run(wait_for_stop, NULL, "forgotten");
	assert_int_equal(flagstone_machine_shutdown(), -EBUSY);
	assert_int_equal(flagstone_machine_booted(), 1);
	kthread_stop(task);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void tasks_that_have_not_ended_are_named(void **state)
{
	(void)state;
	assert_int_equal(child_run(forget_task, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: machine: task forgotten (pid "));
	assert_non_null(strstr(output, ") on CPU 0 has not ended\n"));
}

/* ---- what the OOM killer knows ---- */

static int be_killable(void *arg)
{
	(void)arg;
	assert_int_equal(flagstone_oom_killable(0), 0);
	return 0;
}

static void *be_killable_for_a_while(void *arg)
{
	assert_int_equal(flagstone_machine_attach(1), 0);
	be_killable(arg);
	flagstone_machine_detach();
	return NULL;
}

static void eat_until_one_is_chosen(void)
{
	void **held = NULL, **page;

	while ((page = (void **)__get_free_page(GFP_KERNEL | __GFP_NOWARN))) {
		*page = held;
		held = page;
	}
	for (; held; held = page) {
		page = *held;
		free_page((unsigned long)held);
	}
}

static int eat_and_end(void *arg)
{
	be_killable(arg);
	eat_until_one_is_chosen();
	return fatal_signal_pending(current);
}

static void tasks_end_as_killable_ones(void *arg)
{
	pthread_t thread;

	(void)arg;
	assert_int_equal(flagstone_machine_boot_text("cpus=2,ram=8m"), 0);
	assert_int_equal(flagstone_machine_run(1, be_killable, NULL), 0);
	assert_int_equal(flagstone_machine_run(0, eat_and_end, NULL), 1);
	assert_int_equal(pthread_create(&thread, NULL, be_killable_for_a_while, NULL), 0);
	flagstone_machine_detach();
	pthread_join(thread, NULL);
	assert_int_equal(flagstone_machine_attach(0), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void killable_tasks_end(void **state)
{
	(void)state;
	assert_int_equal(child_run(tasks_end_as_killable_ones, NULL, output, sizeof(output)), 0);
}

/* ---- interrupts and work that are left ---- */

static struct timer_list left_timer;
static struct delayed_work left_work;

static void on_timer(struct timer_list *timer)
{
	(void)timer;
}

static void on_work(struct work_struct *work)
{
	(void)work;
}

static irqreturn_t on_irq(int irq, void *dev)
{
	(void)irq;
	(void)dev;
	return IRQ_HANDLED;
}

static void leave_all(void *arg)
{
	static int device;

	(void)arg;
	assert_int_equal(flagstone_machine_boot_text("cpus=2"), 0);
	timer_setup(&left_timer, on_timer, 0);
	mod_timer(&left_timer, jiffies + 3600 * HZ);
	INIT_DELAYED_WORK(&left_work, on_work);
	schedule_delayed_work(&left_work, 3600 * HZ);
	assert_int_equal(request_irq(5, on_irq, 0, "left", &device), 0);
	assert_non_null(alloc_workqueue("left", 0, 0));
	assert_int_equal(flagstone_machine_shutdown(), 4);
	assert_int_equal(flagstone_machine_boot_text("cpus=2"), 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void what_is_pending_is_a_leak(void **state)
{
	(void)state;
	assert_int_equal(child_run(leave_all, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "flagstone: leak: timer at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: delayed work at 0x"));
	assert_non_null(strstr(output, "flagstone: leak: irq 5 (left), age="));
	assert_non_null(strstr(output, "flagstone: leak: workqueue left at 0x"));
	assert_non_null(strstr(output, "flagstone: machine: 4 leaks\n"));
}

/* ---- processes ---- */

/* In the child: the thread's own mask and CPUs, no machine, and room for another. */
static void look_around(cpu_set_t *cpus)
{
	sigset_t mask;
	cpu_set_t now;

	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	assert_true(sigismember(&mask, SIGUSR2));
	assert_false(sigismember(&mask, SIGUSR1));
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_true(CPU_EQUAL(&now, cpus));
	assert_int_equal(flagstone_machine_booted(), 0);
	if (SANITIZED) /* said by the parent */
		return;
	assert_int_equal(flagstone_machine_boot_text("cpus=2,preempt=100"), 0);
	assert_int_equal(flagstone_machine_run(1, use_everything, NULL), 1);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void fork_with_a_machine(void *arg)
{
	sigset_t mask;
	cpu_set_t cpus;
	int status;
	pid_t child;

	(void)arg;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	assert_int_equal(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	assert_int_equal(flagstone_machine_boot_text("cpus=2,preempt=100"), 0);
	child = fork();
	if (!child) {
		look_around(&cpus);
		child_end(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void a_child_has_the_threads_mask_and_cpus(void **state)
{
	(void)state;
	if (skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	skip_sanitized(SANITIZERS_THREADS_AFTER_FORK);
	if (child_run(fork_with_a_machine, NULL, output, sizeof(output)))
		fail_msg("%s", output);
}

/* Where other tasks of the parent's are when it forks: in line for a lock that is held, and anywhere in the calls that they make
 * again and again. The child has neither them nor their locks. */

static unsigned int in_line; /* Synchronization: atomic */

static int stands_in_line(void *unused)
{
	__atomic_add_fetch(&in_line, 1, __ATOMIC_RELAXED);
	cpus_read_lock();
	cpus_read_unlock();
	return unused != NULL;
}

static int ends_at_once(void *unused)
{
	return unused != NULL;
}

static void starts_again(struct timer_list *timer)
{
	mod_timer(timer, jiffies + 1);
}

static int keeps_busy(void *unused)
{
	struct timer_list timer;

	timer_setup(&timer, starts_again, 0);
	mod_timer(&timer, jiffies);
	while (!kthread_should_stop()) {
		struct task_struct *task = kthread_create(ends_at_once, NULL, "short");

		if (IS_ERR(task))
			continue;
		wake_up_process(get_task_struct(task));
		schedule_timeout_uninterruptible(0);
		kthread_stop(task);
		put_task_struct(task);
	}
	del_timer_sync(&timer);
	return unused != NULL;
}

static int goes_down_and_up(void *unused)
{
	return unused || remove_cpu(1) || add_cpu(1);
}

static void boot_in_child(void)
{
	alarm(100);
	assert_int_equal(flagstone_machine_boot_text("cpus=4,lockdep=1"), 0);
	assert_int_equal(flagstone_machine_run(2, goes_down_and_up, NULL), 0);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		assert_int_equal(flagstone_machine_run(cpu, use_everything, NULL), cpu);
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void fork_among_others(void *arg)
{
	struct task_struct *tasks[4];
	int status;

	(void)arg;
	assert_int_equal(flagstone_machine_boot_text("cpus=4,lockdep=1"), 0);
	cpus_write_lock();
	for (unsigned int i = 0; i < 4; i++)
		tasks[i] = kthread_run(i ? keeps_busy : stands_in_line, NULL, "busy/%u", i);
	while (!__atomic_load_n(&in_line, __ATOMIC_RELAXED) || READ_ONCE(tasks[0]->__state) == TASK_RUNNING)
		schedule_timeout_uninterruptible(1);
	for (unsigned int i = 0; i < 10; i++) {
		pid_t child = fork();

		if (!child) {
			boot_in_child();
			child_end(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	cpus_write_unlock();
	for (unsigned int i = 1; i < 4; i++)
		kthread_stop(tasks[i]);
	while (flagstone_machine_shutdown() == -EBUSY)
		schedule_timeout_uninterruptible(1);
}

static void a_child_boots_wherever_others_were(void **state)
{
	(void)state;
	if (skip_sanitized(SANITIZERS_THREADS_AFTER_FORK) || skip_emulated(NO_THREADS_AFTER_FORK))
		return;
	if (child_run(fork_among_others, NULL, output, sizeof(output)))
		fail_msg("%s", output);
}

/* ---- failures ---- */

static unsigned int nr_done; /* Synchronization: atomic */

static int allocate_often(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 60; i++) {
		void *object = kmalloc(16u << i % 5, i % 3 ? GFP_KERNEL : GFP_ATOMIC);
		struct page *page = alloc_pages(GFP_NOWAIT, i % 3);

		kfree(object);
		if (page)
			__free_pages(page, i % 3);
	}
	__atomic_add_fetch(&nr_done, 1, __ATOMIC_RELEASE);
	return 0;
}

static void fail_on_eight_cpus(void *arg)
{
	struct task_struct *tasks[8];

	assert_int_equal(flagstone_machine_boot_text(arg), 0);
	for (unsigned int cpu = 0; cpu < 8; cpu++) {
		/* That takes memory, too. */
		do
			tasks[cpu] = kthread_create_on_cpu(allocate_often, NULL, cpu, "often/%u");
		while (IS_ERR(tasks[cpu]));
		get_task_struct(tasks[cpu]);
		wake_up_process(tasks[cpu]);
	}
	while (__atomic_load_n(&nr_done, __ATOMIC_ACQUIRE) < 8)
		schedule_timeout_uninterruptible(1);
	for (unsigned int cpu = 0; cpu < 8; cpu++) {
		kthread_stop(tasks[cpu]);
		put_task_struct(tasks[cpu]);
	}
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines that name a failing call, in order. Returns how many. */
static size_t failing_calls(char *text, char **lines, size_t max)
{
	size_t nr = 0;
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "task often/", 11) && nr < max)
			lines[nr++] = line;
	qsort(lines, nr, sizeof(*lines), compare_lines);
	return nr;
}

static void the_same_seed_fails_the_same_allocations(void **state)
{
	static char text[] = "cpus=8,seed=5,preempt=100,failslab=1:20:0:-1:verbose=1:ignore-gfp-wait=N,"
			     "fail_page_alloc=1:10:0:-1:verbose=1:min-order=0";
	static char *lines[1000], *lines_again[1000];
	size_t nr;

	(void)state;
	assert_int_equal(child_run(fail_on_eight_cpus, text, output, sizeof(output)), 0);
	assert_int_equal(child_run(fail_on_eight_cpus, text, output_again, sizeof(output_again)), 0);
	nr = failing_calls(output, lines, 1000);
	assert_true(nr > 8);
	assert_int_equal(failing_calls(output_again, lines_again, 1000), nr);
	for (size_t i = 0; i < nr; i++)
		assert_string_equal(lines[i], lines_again[i]);
}

static void knobs_are_set_by_name(void **state)
{
	(void)state;
	assert_int_equal(flagstone_machine_boot_text("cpus=1,fail_nth=2"), 0);
	assert_int_equal(flagstone_fault_set("failslab", "verbose", "0"), 0);
	kfree(kmalloc(8, GFP_KERNEL));
	assert_null(kmalloc(8, GFP_KERNEL));
	kfree(kmalloc(8, GFP_KERNEL));
	assert_int_equal(flagstone_fault_set("failslab", "probability", "100"), 0);
	assert_int_equal(flagstone_fault_set("failslab", "times", "-1"), 0);
	assert_int_equal(flagstone_fault_set("failslab", "no-such", "1"), -ENOENT);
	assert_null(kmalloc(8, GFP_ATOMIC));
	assert_int_equal(flagstone_machine_shutdown(), 0);
	/* Where fast paths serve, no knob is seen. */
	assert_int_equal(flagstone_machine_boot_text("cpus=1,tracking=0,context=0"), 0);
	assert_int_equal(flagstone_fault_set("failslab", "probability", "100"), -EPERM);
	assert_int_equal(flagstone_machine_shutdown(), 0);
	assert_int_equal(flagstone_fault_set("failslab", "probability", "100"), -ENODEV);
}

/* ---- files ---- */

static void a_file_describes_a_machine(void **state)
{
	char path[] = "/tmp/flagstone-machine-XXXXXX";
	const char text[] = "# two\ncpus=2\nram=16m # small\n";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	assert_int_equal(flagstone_machine_boot_file(path), 0);
	assert_int_equal(flagstone_machine_run(1, use_everything, NULL), 1);
	assert_int_equal(flagstone_machine_run(2, use_everything, NULL), -ENODEV);
	assert_int_equal(flagstone_machine_shutdown(), 0);
	unlink(path);
	assert_int_equal(flagstone_machine_boot_file(path), -ENOENT);
}

static void boot_from_environment(void *arg)
{
	(void)arg;
	setenv("FLAGSTONE_MACHINE", "cpus=3,ram=16m", 1);
	assert_int_equal(flagstone_machine_boot_text("cpus=1,ram=32m"), 0);
	/* What the environment says goes first. */
	assert_int_equal(flagstone_machine_run(2, use_everything, NULL), 2);
	assert_int_equal(flagstone_machine_shutdown(), 0);
	setenv("FLAGSTONE_MACHINE", "cpus=0", 1);
	assert_int_equal(flagstone_machine_boot(NULL), -EINVAL);
}

static void the_environment_goes_first(void **state)
{
	(void)state;
	assert_int_equal(child_run(boot_from_environment, NULL, output, sizeof(output)), 0);
	assert_string_equal(output, "flagstone: FLAGSTONE_MACHINE: value '0' of cpus is out of range. Valid: 1..256\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaks_are_reported),
		cmocka_unit_test(tasks_that_have_not_ended_are_named),
		cmocka_unit_test(killable_tasks_end),
		cmocka_unit_test(what_is_pending_is_a_leak),
		cmocka_unit_test(a_child_has_the_threads_mask_and_cpus),
		cmocka_unit_test(a_child_boots_wherever_others_were),
		cmocka_unit_test(the_same_seed_fails_the_same_allocations),
		cmocka_unit_test(the_environment_goes_first),
		cmocka_unit_test(one_cpu_boots_twenty_times),
		cmocka_unit_test(two_cpus_boot_twenty_times),
		cmocka_unit_test(eight_cpus_boot_twenty_times),
		cmocka_unit_test(sixty_four_cpus_boot_again_and_again),
		cmocka_unit_test(zones_and_nodes_boot),
		cmocka_unit_test(an_offline_cpu_keeps_no_memory),
		cmocka_unit_test(host_threads_attach),
		cmocka_unit_test(knobs_are_set_by_name),
		cmocka_unit_test(a_file_describes_a_machine),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
