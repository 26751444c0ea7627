/*
 * machine.c: one wrong use of the simulated machine a run. See run_machine.py, which knows the report that each must give.
 *
 * Usage: machine CASE; "machine --list" prints the cases. Exit status 0: nothing noticed.
 */
#include <flagstone/machine.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/misuse/cases.h"

static DEFINE_PER_CPU(long, counter);
static DEFINE_SPINLOCK(lock);

static void boot(void)
{
	if (flagstone_machine_boot_text("cpus=2,ram=16m,dma=4m,highmem=12m"))
		_exit(9);
}

static void shut_down(void)
{
	exit(flagstone_machine_shutdown() ? 3 : 0);
}

static void correct(void)
{
	boot();
	kfree(kmalloc(100, GFP_KERNEL));
	this_cpu_inc(counter);
	spin_lock(&lock);
	kfree(kmalloc(100, GFP_ATOMIC));
	spin_unlock(&lock);
	shut_down();
}

static void no_machine(void)
{
	kfree(kmalloc(100, GFP_KERNEL));
}

static void no_machine_any_more(void)
{
	boot();
	flagstone_machine_shutdown();
	kfree(kmalloc(100, GFP_KERNEL));
}

static void *allocate(void *unused)
{
	(void)unused;
	kfree(kmalloc(100, GFP_KERNEL));
	return NULL;
}

static void unattached(void)
{
	pthread_t thread;

	boot();
	pthread_create(&thread, NULL, allocate, NULL);
	pthread_join(thread, NULL);
}

static void in_fork_child(void)
{
	int status;

	boot();
	if (!fork()) {
		allocate(NULL);
		_exit(0);
	}
	wait(&status);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		abort();
}

static void leak_object(void)
{
	void *volatile object;

	boot();
	object = kmalloc(100, GFP_KERNEL);
	memset(object, 0, 100);
	shut_down();
}

static void leak_pages(void)
{
	boot();
	if (!alloc_pages(GFP_KERNEL, 2))
		_exit(9);
	shut_down();
}

static void sleep_without_preemption(void)
{
	boot();
	preempt_disable();
	kfree(kmalloc(100, GFP_KERNEL));
	preempt_enable();
}

static void sleep_under_spinlock(void)
{
	boot();
	spin_lock(&lock);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	spin_unlock(&lock);
}

static void double_free(void)
{
	void *volatile object;

	boot();
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	kfree(object);
	shut_down();
}

static void raw_percpu(void)
{
	boot();
	*(volatile long *)(uintptr_t)&counter = 1;
}

static void null_pointer(void)
{
	char *volatile nothing = NULL;

	boot();
	*(volatile char *)(nothing + 8) = 1;
}

static void zero_size(void)
{
	char *volatile object;

	boot();
	object = kmalloc(0, GFP_KERNEL);
	*(volatile char *)object = 1;
}

static void highmem_without_kmap(void)
{
	struct page *page;

	boot();
	page = alloc_pages(GFP_HIGHUSER, 0);
	/* Where it would lie: as far behind a low page as its number is. */
	*((volatile char *)phys_to_virt(0) + (page_to_pfn(page) << 12)) = 1;
}

static void nonsense(void)
{
	exit(flagstone_machine_boot_text("cpus=0") ? 3 : 0);
}

static const struct misuse_case cases[] = {ROW(correct), ROW(no_machine), ROW(no_machine_any_more), ROW(unattached),
	ROW(in_fork_child), ROW(leak_object), ROW(leak_pages), ROW(sleep_without_preemption), ROW(sleep_under_spinlock),
	ROW(double_free), ROW(raw_percpu), ROW(null_pointer), ROW(zero_size), ROW(highmem_without_kmap), ROW(nonsense)};

int main(int argc, char **argv)
{
	return cases_run(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
