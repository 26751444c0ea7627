/*
 * test_vars.c: per-CPU variables: every operation at every width, alone, interrupted, and on a CPU that changes in between.
 *
 * Links with the variables, lib and host. Built twice on x86-64: with %gs, and as other ISAs have it.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/percpu-defs.h>

#include "percpu/vars.h"
#include "runtime/host/host.h"
#include "tests/emulated.h"
#include "tests/unit/child.h"
#include "tests/unit/random.h"
#include "tests/unit/vars_other.h"

#define CPUS 4
#define ROUNDS 20000
#define STEPPED_ROUNDS 100
#define DEADLINE_NS (60ull * 1000000000u)

static DEFINE_PER_CPU(unsigned long, count) = 7;
static DEFINE_PER_CPU(unsigned long, zero);
static DEFINE_PER_CPU_ALIGNED(int, aligned);
static DEFINE_PER_CPU_PAGE_ALIGNED(char[100], page);
static DEFINE_PER_CPU(void *, self_pointer) = &self_pointer;

static int boot(void **state)
{
	(void)state;
	assert_int_equal(vars_boot(CPUS), 0);
	vars_use_cpu(0);
	return 0;
}

static int shut_down(void **state)
{
	(void)state;
	vars_shutdown();
	return 0;
}

/* ---- operations against a plain variable ---- */

#define OPERATIONS 14

/*
 * One variable of each type on every CPU, and what it should be. A step does one operation on the CPU that the random numbers
 * say, and compares its result, and then all copies.
 */
#define OPERATION_TEST(name, type)                                                            \
	static DEFINE_PER_CPU(type, variable_##name);                                         \
                                                                                              \
	static void step_##name(uint32_t kind, type v, type *model)                           \
	{                                                                                     \
		type old = *model, expected = v & 1 ? old : (type)((uint64_t)old + 1);        \
                                                                                              \
		switch (kind) {                                                               \
		case 0:                                                                       \
			this_cpu_write(variable_##name, v);                                   \
			*model = v;                                                           \
			break;                                                                \
		case 1:                                                                       \
			this_cpu_add(variable_##name, v);                                     \
			*model = (type)((uint64_t)old + (uint64_t)v);                         \
			break;                                                                \
		case 2:                                                                       \
			this_cpu_sub(variable_##name, v);                                     \
			*model = (type)((uint64_t)old - (uint64_t)v);                         \
			break;                                                                \
		case 3:                                                                       \
			this_cpu_inc(variable_##name);                                        \
			*model = (type)((uint64_t)old + 1);                                   \
			break;                                                                \
		case 4:                                                                       \
			__this_cpu_dec(variable_##name);                                      \
			*model = (type)((uint64_t)old - 1);                                   \
			break;                                                                \
		case 5:                                                                       \
			raw_cpu_and(variable_##name, v);                                      \
			*model = old & v;                                                     \
			break;                                                                \
		case 6:                                                                       \
			this_cpu_or(variable_##name, v);                                      \
			*model = old | v;                                                     \
			break;                                                                \
		case 7:                                                                       \
			*model = (type)((uint64_t)old + (uint64_t)v);                         \
			assert_true(this_cpu_add_return(variable_##name, v) == *model);       \
			break;                                                                \
		case 8:                                                                       \
			*model = (type)((uint64_t)old - (uint64_t)v);                         \
			assert_true(this_cpu_sub_return(variable_##name, v) == *model);       \
			break;                                                                \
		case 9:                                                                       \
			*model = (type)((uint64_t)old + 1);                                   \
			assert_true(this_cpu_inc_return(variable_##name) == *model);          \
			break;                                                                \
		case 10:                                                                      \
			*model = (type)((uint64_t)old - 1);                                   \
			assert_true(this_cpu_dec_return(variable_##name) == *model);          \
			break;                                                                \
		case 11:                                                                      \
			assert_true(this_cpu_xchg(variable_##name, v) == old);                \
			*model = v;                                                           \
			break;                                                                \
		case 12:                                                                      \
			assert_true(this_cpu_cmpxchg(variable_##name, expected, v) == old);   \
			*model = v & 1 ? v : old;                                             \
			break;                                                                \
		default:                                                                      \
			*this_cpu_ptr(&variable_##name) = v;                                  \
			*model = v;                                                           \
		}                                                                             \
		assert_true(this_cpu_read(variable_##name) == *model);                        \
	}                                                                                     \
                                                                                              \
	static void operations_on_##name(void **state)                                        \
	{                                                                                     \
		type model[CPUS] = {0};                                                       \
		uint32_t seed = 1;                                                            \
                                                                                              \
		(void)state;                                                                  \
		for (int i = 0; i < ROUNDS; i++) {                                            \
			unsigned int cpu = random_below(&seed, CPUS);                         \
			uint64_t v = (uint64_t)random_next(&seed) << 32 | random_next(&seed); \
                                                                                              \
			vars_use_cpu(cpu);                                                    \
			step_##name(random_below(&seed, OPERATIONS), (type)v, &model[cpu]);   \
			for (cpu = 0; cpu < CPUS; cpu++)                                      \
				assert_true(per_cpu(variable_##name, cpu) == model[cpu]);     \
		}                                                                             \
	}

OPERATION_TEST(u8, uint8_t)
OPERATION_TEST(s8, int8_t)
OPERATION_TEST(u16, uint16_t)
OPERATION_TEST(s16, int16_t)
OPERATION_TEST(u32, uint32_t)
OPERATION_TEST(s32, int32_t)
OPERATION_TEST(u64, uint64_t)
OPERATION_TEST(s64, int64_t)

static void constants_of_every_sign_and_width_are_added(void **state)
{
	(void)state;
	vars_use_cpu(1);
	this_cpu_write(variable_u8, 250);
	this_cpu_add(variable_u8, 200);
	assert_int_equal(this_cpu_read(variable_u8), (uint8_t)450);
	this_cpu_write(variable_u64, 0x8000000000000000u);
	this_cpu_or(variable_u64, 0x123456789abcdef0u);
	this_cpu_sub(variable_u64, 0x80000000u);
	assert_true(this_cpu_read(variable_u64) == 0x923456789abcdef0u - 0x80000000u);
	this_cpu_write(variable_s64, -5);
	this_cpu_add(variable_s64, -6);
	assert_int_equal(this_cpu_sub_return(variable_s64, -1), -10);
	this_cpu_write(variable_u32, 0xffffffffu);
	this_cpu_and(variable_u32, ~0xffu);
	assert_true(this_cpu_inc_return(variable_u32) == 0xffffff01u);
}

struct wide {
	int x;
	void *pointer;
	double real;
	uint16_t small;
};
static DEFINE_PER_CPU(struct wide, wide);

static void members_pointers_and_reals_are_read_and_written(void **state)
{
	struct wide *names = &wide;

	(void)state;
	vars_use_cpu(2);
	this_cpu_write(wide.pointer, &names);
	this_cpu_write(wide.real, 2.5);
	this_cpu_add(names->small, 3);
	this_cpu_inc(names->x);
	assert_ptr_equal(this_cpu_xchg(wide.pointer, NULL), &names);
	assert_null(this_cpu_cmpxchg(wide.pointer, NULL, names));
	assert_ptr_equal(per_cpu(wide, 2).pointer, names);
	assert_true(this_cpu_read(wide.real) == 2.5);
	assert_int_equal(per_cpu_ptr(names, 2)->small, 3);
	assert_int_equal(this_cpu_ptr(names)->x, 1);
	assert_ptr_equal(this_cpu_ptr(names), per_cpu_ptr(&wide, 2));
	assert_ptr_equal(raw_cpu_ptr(&wide.small), &per_cpu(wide, 2).small);
	assert_int_equal(per_cpu(wide, 1).x, 0);
}

/* ---- many CPUs ---- */

#define MANY_CPUS 64
#define INCREMENTS (FLAGSTONE_PERCPU_GS ? 20000 : 2000)

static void *increment(void *cpu)
{
	vars_use_cpu((unsigned int)(uintptr_t)cpu);
	for (int i = 0; i < INCREMENTS; i++) {
		this_cpu_inc(zero);
		this_cpu_add(count, 2);
	}
	return NULL;
}

static void sums_over_64_cpus_are_exact(void **state)
{
	pthread_t threads[MANY_CPUS];
	unsigned long sum = 0, total = 0;
	unsigned int cpu;

	(void)state;
	assert_int_equal(vars_boot(MANY_CPUS), 0);
	for (cpu = 0; cpu < MANY_CPUS; cpu++)
		assert_int_equal(pthread_create(&threads[cpu], NULL, increment, (void *)(uintptr_t)cpu), 0);
	for_each_possible_cpu(cpu) /* while they run: any value will do */
		total += READ_ONCE(per_cpu(zero, cpu));
	assert_true(total <= (unsigned long)MANY_CPUS * INCREMENTS);
	for (cpu = 0; cpu < MANY_CPUS; cpu++)
		pthread_join(threads[cpu], NULL);
	total = 0;
	for_each_possible_cpu(cpu)
	{
		assert_int_equal(per_cpu(zero, cpu), INCREMENTS);
		sum += per_cpu(count, cpu);
		total += per_cpu(zero, cpu);
	}
	assert_int_equal(total, (unsigned long)MANY_CPUS * INCREMENTS);
	assert_int_equal(sum, MANY_CPUS * (7 + 2ul * INCREMENTS));
}

/* ---- interrupted ---- */

static unsigned long nr_interrupts; /* Synchronization: main thread, its handler */
static bool migrates; /* as nr_interrupts */

static void interrupt(int signal)
{
	unsigned int cpu = (unsigned int)++nr_interrupts % CPUS;

	(void)signal;
	this_cpu_inc(zero);
	if (migrates)
		vars_use_cpu(cpu);
	this_cpu_inc(zero);
}

/* Increments until the timer's handler has interrupted that often. */
static void increment_interrupted(unsigned long enough)
{
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART}, before;
	struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	uint64_t deadline = host_clock_ns() + DEADLINE_NS;
	unsigned long done = 0, sum = 0;
	unsigned int cpu;

	nr_interrupts = 0;
	vars_use_cpu(0);
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	for (; READ_ONCE(nr_interrupts) < enough && (done % 1024 || host_clock_ns() < deadline); done++)
		this_cpu_inc(zero);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_true(nr_interrupts >= enough);
	for_each_possible_cpu(cpu) sum += per_cpu(zero, cpu);
	assert_int_equal(sum, done + 2 * nr_interrupts);
}

static void increments_of_an_interrupt_are_not_lost(void **state)
{
	(void)state;
	migrates = false;
	increment_interrupted(100);
}

static void increments_survive_a_migration_inside_an_interrupt(void **state)
{
	(void)state;
	migrates = true;
	increment_interrupted(100);
}

#if defined(__x86_64__) && FLAGSTONE_PERCPU_GS
#define CAN_STEP 1
#define TRAP_FLAG 0x100ul

/* From here on a SIGTRAP follows every instruction. */
static inline void step_begin(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n"
			 "\tpushf\n\torq %0, (%%rsp)\n\tpopf\n"
			 "\tlea 128(%%rsp), %%rsp"
			 :
			 : "i"(TRAP_FLAG)
			 : "memory", "cc");
}

static inline void step_end(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n"
			 "\tpushf\n\tandq %0, (%%rsp)\n\tpopf\n"
			 "\tlea 128(%%rsp), %%rsp"
			 :
			 : "i"(~(long)TRAP_FLAG)
			 : "memory", "cc");
}
#else
#define CAN_STEP 0
static inline void step_begin(void)
{
}
static inline void step_end(void)
{
}
#endif

/* An interrupt that leaves the CPU to one of another value, between any two instructions of an operation. */
static void every_operation_is_whole_between_any_two_instructions(void **state)
{
	struct sigaction action = {.sa_handler = interrupt}, before;
	unsigned long drawn = 0, returned = 0, sum = 0;
	unsigned int cpu;

	(void)state;
	if (!CAN_STEP || skip_emulated("steps of one instruction: emulators need not have the trap flag"))
		return;
	migrates = true;
	nr_interrupts = 0;
	for_each_possible_cpu(cpu) per_cpu(zero, cpu) = cpu * 1000;
	sigaction(SIGTRAP, &action, &before);
	step_begin();
	for (int i = 0; i < STEPPED_ROUNDS; i++) {
		this_cpu_inc(zero);
		this_cpu_add(zero, 5);
		returned += this_cpu_add_return(zero, 10) >= 10;
		this_cpu_sub(zero, 3);
		drawn += this_cpu_xchg(zero, 500);
	}
	step_end();
	sigaction(SIGTRAP, &before, NULL);
	assert_true(nr_interrupts > 5 * STEPPED_ROUNDS);
	assert_int_equal(returned, STEPPED_ROUNDS);
	for_each_possible_cpu(cpu) sum += per_cpu(zero, cpu);
	assert_int_equal(sum + drawn, 6000 + STEPPED_ROUNDS * (13 + 500) + 2 * nr_interrupts);
}

/* ---- rights ---- */

static void touch(void *address)
{
	(*(volatile unsigned long *)address)++;
}

static void use_none(void *unused)
{
	(void)unused;
	vars_use_none();
	this_cpu_inc(zero);
}

static void assert_faults(void (*body)(void *), void *argument)
{
	char output[4096];
	int status = child_run(body, argument, output, sizeof(output));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void a_raw_dereference_faults(void **state)
{
	static unsigned long beside = 1;
	char output[256];

	(void)state;
	assert_faults(touch, &count);
	assert_faults(touch, &self_pointer);
	assert_faults(touch, &page);
	assert_int_equal(child_run(touch, &beside, output, sizeof(output)), 0);
	assert_int_equal(child_run(touch, per_cpu_ptr(&count, CPUS - 1), output, sizeof(output)), 0);
}

static void a_cpu_that_does_not_exist_and_no_cpu_fault(void **state)
{
	(void)state;
	assert_faults(touch, per_cpu_ptr(&count, CPUS));
	assert_faults(use_none, NULL);
}

static void names_are_told_from_addresses(void **state)
{
	static int plain;
	int local;

	(void)state;
	assert_true(vars_is_percpu_pointer(&count));
	assert_true(vars_is_percpu_pointer(&page[99]));
	assert_true(vars_is_percpu_pointer(&other_count));
	assert_false(vars_is_percpu_pointer(per_cpu_ptr(&count, 0)));
	assert_false(vars_is_percpu_pointer(&plain));
	assert_false(vars_is_percpu_pointer(&local));
	assert_false(vars_is_percpu_pointer(NULL));
}

static void alignment_is_as_defined(void **state)
{
	unsigned int cpu;

	(void)state;
	for_each_possible_cpu(cpu)
	{
		assert_int_equal((uintptr_t)per_cpu_ptr(&aligned, cpu) % 64, 0);
		assert_int_equal((uintptr_t)per_cpu_ptr(&page, cpu) % 4096, 0);
	}
}

static void the_base_is_set_without_the_instruction_too(void **state)
{
	unsigned int cpu;

	(void)state;
	vars_avoid_fsgsbase = true;
	assert_int_equal(vars_boot(CPUS), 0);
	vars_avoid_fsgsbase = false;
	assert_false(vars_have_fsgsbase);
	for_each_possible_cpu(cpu)
	{
		vars_use_cpu(cpu);
		this_cpu_write(count, cpu);
		assert_int_equal(per_cpu(count, cpu), cpu);
	}
	vars_use_none();
	assert_faults(use_none, NULL);
}

/* ---- boot ---- */

static void expect_initial_values(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
	{
		assert_int_equal(per_cpu(count, cpu), 7);
		assert_int_equal(per_cpu(zero, cpu), 0);
		assert_ptr_equal(per_cpu(self_pointer, cpu), &self_pointer);
		assert_int_equal(*other_ptr(cpu), 11);
		assert_int_equal(per_cpu(page, cpu)[50], 0);
	}
}

static void initial_values_come_back_with_each_boot(void **state)
{
	static const unsigned int nr_cpus[] = {2, FLAGSTONE_PERCPU_CPUS, 1, 3};
	unsigned int cpu;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(vars_boot(nr_cpus[i]), 0);
		assert_int_equal(nr_cpu_ids, nr_cpus[i]);
		assert_int_equal(num_online_cpus(), nr_cpus[i]);
		assert_int_equal(num_possible_cpus(), nr_cpus[i]);
		expect_initial_values();
		for_each_online_cpu(cpu)
		{
			vars_use_cpu(cpu);
			this_cpu_add(count, cpu + 1);
			this_cpu_write(self_pointer, NULL);
			other_increment();
			assert_int_equal(this_cpu_read(count), 7 + cpu + 1);
			assert_int_equal(*other_ptr(cpu), 12);
			memset(per_cpu(page, cpu), 1, 100);
		}
		vars_shutdown();
		assert_int_equal(count, 7);
		assert_int_equal(this_cpu_read(count), 7);
		assert_int_equal(num_online_cpus(), 0);
		assert_int_equal(nr_cpu_ids, 0);
	}
}

static void a_boot_that_cannot_be_says_so(void **state)
{
	(void)state;
	assert_int_equal(vars_boot(0), -EINVAL);
	assert_int_equal(vars_boot(FLAGSTONE_PERCPU_CPUS + 1), -EINVAL);
	vars_shutdown();
	assert_int_equal(vars_boot(1), 0);
	assert_int_equal(vars_boot(1), -EBUSY);
	vars_shutdown();
	vars_shutdown();
}

static void a_section_that_shares_pages_is_refused(void **state)
{
	static unsigned long self;
	static struct flagstone_percpu_section odd;

	(void)state;
	odd = (struct flagstone_percpu_section){(char *)&self, (char *)(&self + 1), &self, NULL};
	flagstone_percpu_register(&odd);
	assert_int_equal(vars_boot(2), -EINVAL);
	flagstone_percpu_unregister(&odd);
	assert_int_equal(vars_boot(2), 0);
	vars_shutdown();
}

#define BOOTED(test) cmocka_unit_test_setup_teardown(test, boot, shut_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED(operations_on_u8),
		BOOTED(operations_on_s8),
		BOOTED(operations_on_u16),
		BOOTED(operations_on_s16),
		BOOTED(operations_on_u32),
		BOOTED(operations_on_s32),
		BOOTED(operations_on_u64),
		BOOTED(operations_on_s64),
		BOOTED(constants_of_every_sign_and_width_are_added),
		BOOTED(members_pointers_and_reals_are_read_and_written),
		cmocka_unit_test_teardown(sums_over_64_cpus_are_exact, shut_down),
		BOOTED(increments_of_an_interrupt_are_not_lost),
		BOOTED(increments_survive_a_migration_inside_an_interrupt),
		BOOTED(every_operation_is_whole_between_any_two_instructions),
		BOOTED(a_raw_dereference_faults),
		BOOTED(a_cpu_that_does_not_exist_and_no_cpu_fault),
		BOOTED(names_are_told_from_addresses),
		BOOTED(alignment_is_as_defined),
		cmocka_unit_test_teardown(the_base_is_set_without_the_instruction_too, shut_down),
		cmocka_unit_test(initial_values_come_back_with_each_boot),
		cmocka_unit_test(a_boot_that_cannot_be_says_so),
		cmocka_unit_test(a_section_that_shares_pages_is_refused),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
