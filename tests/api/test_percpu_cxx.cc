/*
 * test_percpu_cxx.cc: linux/percpu.h is C++ too.
 */
#include <cstdio>

#include <linux/compiler.h>
#include <linux/percpu.h>

extern "C" int vars_boot(unsigned int nr_cpus);
extern "C" void vars_shutdown(void);

static DEFINE_PER_CPU(unsigned long, count) = 3;
static DEFINE_PER_CPU(int *, pointer);

int main()
{
	unsigned int cpu;
	unsigned long sum = 0;

	this_cpu_inc(count); /* before boot: the initial value */
	if (vars_boot(3) != 0)
		return 1;
	unsigned long *dynamic = alloc_percpu(unsigned long);
	for_each_possible_cpu(cpu)
	{
		per_cpu(count, cpu) += 10;
		per_cpu(pointer, cpu) = nullptr;
		*per_cpu_ptr(dynamic, cpu) = cpu;
		sum += READ_ONCE(per_cpu(count, cpu)) + *per_cpu_ptr(dynamic, cpu);
	}
	free_percpu(dynamic);
	vars_shutdown();
	std::printf("%s: test_percpu_cxx: sum is %lu\n", sum == 45 ? "PASS" : "FAIL", sum);
	return sum != 45;
}
