// SPDX-License-Identifier: MIT
/*
 * ask_percpu.c: per-CPU variables and memory, what their operations return, which CPUs there are.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

struct statistics {
	u64 packets;
	u32 errors;
};

static DEFINE_PER_CPU(int, counter) = 5;
static DEFINE_PER_CPU(u8, small);
static DEFINE_PER_CPU(u64, large) = 1ULL << 40;
static DEFINE_PER_CPU(struct statistics, statistics);
static DEFINE_PER_CPU_SHARED_ALIGNED(int, aligned);
static DEFINE_PER_CPU(int[3], array);
static DEFINE_PER_CPU(void *, pointer);

static void ask_cpus(void)
{
	unsigned int cpu, possible = 0, online = 0, first = cpumask_first(cpu_online_mask);

	for_each_possible_cpu(cpu) possible++;
	for_each_online_cpu(cpu) online++;
	pr_info("CPUs: %u possible, %u online, num_online_cpus %u, nr_cpu_ids %u, first %u\n", possible, online,
		num_online_cpus(), nr_cpu_ids, first);
	pr_info("cpu_online(0) %d, cpu_possible(0) %d, cpu_online(3) %d\n", cpu_online(0), cpu_possible(0),
		cpu_online(3));
	cpu = get_cpu();
	pr_info("get_cpu is smp_processor_id %d, is online %d\n", cpu == smp_processor_id(), cpu_online(cpu));
	put_cpu();
}

static void ask_initial(void)
{
	int cpu, sum = 0;
	u64 large_sum = 0;

	for_each_possible_cpu(cpu)
	{
		sum += per_cpu(counter, cpu);
		large_sum += per_cpu(large, cpu);
	}
	pr_info("every CPU has its initial value: sum %d of 5 each, %llx of 1 << 40 each\n", sum, large_sum);
}

static void ask_operations(void)
{
	preempt_disable();
	this_cpu_write(counter, 10);
	this_cpu_add(counter, 5);
	this_cpu_sub(counter, 2);
	this_cpu_inc(counter);
	this_cpu_dec(counter);
	pr_info("10 + 5 - 2 + 1 - 1: %d\n", this_cpu_read(counter));
	this_cpu_or(counter, 0x50);
	this_cpu_and(counter, 0x5c);
	pr_info("or 0x50, and 0x5c: %x\n", this_cpu_read(counter));
	ask(this_cpu_add_return(counter, 4));
	ask(this_cpu_inc_return(counter));
	ask(this_cpu_sub_return(counter, 1));
	ask(this_cpu_dec_return(counter));
	ask(this_cpu_xchg(counter, 7));
	ask(this_cpu_cmpxchg(counter, 7, 8));
	ask(this_cpu_cmpxchg(counter, 7, 9));
	ask(this_cpu_read(counter));
	this_cpu_write(small, 250);
	this_cpu_add(small, 10);
	pr_info("u8 250 + 10: %d\n", this_cpu_read(small));
	this_cpu_add(large, (1ULL << 41) + 3);
	pr_info("u64: %llx\n", this_cpu_read(large));
	__this_cpu_inc(statistics.packets);
	__this_cpu_add(statistics.errors, 3);
	pr_info("members: %llu %u\n", __this_cpu_read(statistics.packets), __this_cpu_read(statistics.errors));
	this_cpu_write(array[1], 11);
	pr_info("arrays: %d %d %d\n", this_cpu_read(array[0]), this_cpu_read(array[1]), this_cpu_read(array[2]));
	this_cpu_write(pointer, &counter);
	pr_info("pointers: %d\n", this_cpu_read(pointer) == (void *)&counter);
	preempt_enable();
}

static void ask_places(void)
{
	int *mine = &get_cpu_var(counter);

	pr_info("get_cpu_var, this_cpu_ptr, raw_cpu_ptr, per_cpu_ptr, per_cpu are the same: %d %d %d %d\n",
		mine == this_cpu_ptr(&counter), mine == raw_cpu_ptr(&counter),
		mine == per_cpu_ptr(&counter, smp_processor_id()), mine == &per_cpu(counter, smp_processor_id()));
	put_cpu_var(counter);
	pr_info("two CPUs' differ: %d\n", per_cpu_ptr(&counter, 0) != per_cpu_ptr(&counter, 1));
	pr_info("shared aligned is a multiple of SMP_CACHE_BYTES: %d\n",
		IS_ALIGNED((unsigned long)per_cpu_ptr(&aligned, 1), SMP_CACHE_BYTES));
}

static void ask_dynamic(void)
{
	struct statistics __percpu *dynamic;
	u64 sum = 0;
	int cpu, turn, aligned_count = 0;

	for (turn = 0; turn < 20; turn++) {
		dynamic = alloc_percpu(struct statistics);
		for_each_possible_cpu(cpu)
		{
			sum += per_cpu_ptr(dynamic, cpu)->packets + per_cpu_ptr(dynamic, cpu)->errors;
			per_cpu_ptr(dynamic, cpu)->packets = 77;
			per_cpu_ptr(dynamic, cpu)->errors = 77;
			aligned_count +=
				IS_ALIGNED((unsigned long)per_cpu_ptr(dynamic, cpu), __alignof__(struct statistics));
		}
		free_percpu(dynamic);
	}
	pr_info("alloc_percpu is cleared: sum %llu, aligned %d times\n", sum, aligned_count);
	dynamic = __alloc_percpu(256, 64);
	pr_info("__alloc_percpu(256, 64): aligned %d\n", IS_ALIGNED((unsigned long)per_cpu_ptr(dynamic, 1), 64));
	free_percpu(dynamic);
	dynamic = alloc_percpu_gfp(struct statistics, GFP_ATOMIC);
	pr_info("alloc_percpu_gfp(GFP_ATOMIC): memory %d\n", dynamic != NULL);
	preempt_disable();
	this_cpu_inc(dynamic->packets);
	this_cpu_ptr(dynamic)->packets++;
	pr_info("dynamic: %llu\n", this_cpu_read(dynamic->packets));
	preempt_enable();
	free_percpu(dynamic);
	free_percpu(NULL);
	pr_info("__alloc_percpu of 1 MiB: memory %d\n",
		__alloc_percpu_gfp(1 << 20, 8, GFP_KERNEL | __GFP_NOWARN) != NULL);
}

static void add_one(void *info)
{
	this_cpu_inc(*(int __percpu *)info);
}

static void ask_everywhere(void)
{
	int __percpu *count = alloc_percpu(int);
	int cpu, sum = 0;

	on_each_cpu(add_one, (void *)count, 1);
	for_each_online_cpu(cpu) sum += *per_cpu_ptr(count, cpu);
	pr_info("on_each_cpu ran on %d CPUs\n", sum);
	free_percpu(count);
}

static int __init ask_init(void)
{
	ask_cpus();
	ask_initial();
	ask_operations();
	ask_places();
	ask_dynamic();
	ask_everywhere();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about per-CPU variables");
