/*
 * test_abort_points.c: every section aborted before every one of its instructions, by playing the kernel (x86-64).
 *
 * The sections run on an rseq area that no kernel knows, one instruction at a time (the trap flag). At the chosen
 * instruction the trap handler does what the kernel does to a preempted thread: lets "someone else" use the magazines, and
 * continues at the abort address. Whatever the instruction, the operation must then have happened exactly once, after
 * the other's. Chance plays no part: this proves that no instruction is without a restart, which stress can only suggest.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <cmocka.h>

#include "bench/rseq_area.h"
#include "percpu/modes.h"
#include "percpu/ops.h"
#include "runtime/host/host.h"

#define ANCHOR_ALIGN (4ul << 20)
#define SLOT 9
#define CAPACITY 8
#define TRAP_FLAG 0x100
#define NEVER (-1)
#define BELOW_RED_ZONE(on_flags) "lea -128(%%rsp), %%rsp\n\tpushf\n\t" on_flags "\n\tpopf\n\tlea 128(%%rsp), %%rsp"

static struct dummy_rseq *volatile rseq; /* of the one thread */
static __thread struct dummy_rseq dummy;
static struct magazine *magazines;
static char *memory;
static volatile int abort_at, steps, aborts; /* abort_at: which instruction of the section, from 0 */
static void (*interfere)(void);

static struct area *area(int cpu)
{
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + cpu;
}

static void *token(unsigned long i)
{
	return (void *)(0x5000 + 16 * i);
}

/* Before each instruction while the trap flag is set. */
static void on_trap(int signal, siginfo_t *info, void *context)
{
	greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	const struct section *section = (const void *)(uintptr_t)rseq->rseq_cs;

	(void)signal;
	(void)info;
	if (!section || (uint64_t)*ip - section->start >= section->length)
		return;
	if (steps++ != abort_at)
		return;
	rseq->rseq_cs = 0;
	*ip = (greg_t)section->abort;
	aborts++;
	interfere();
}

static int setup(void **state)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	(void)state;
	memory = host_map_aligned(2 * ANCHOR_ALIGN, ANCHOR_ALIGN);
	magazines = host_map_aligned(4 * MAGAZINE_SIZE, 4096);
	percpu_fast.anchor = memory + ANCHOR_ALIGN;
	percpu_fast.rseq = (char *)&dummy - thread_pointer();
	percpu_fast.cpu = percpu_fast.rseq + (long)offsetof(struct dummy_rseq, cpu_id);
	rseq = &dummy;
	sigaction(SIGTRAP, &action, NULL);
	return memory && magazines ? 0 : -1;
}

/* CPUs 0 and 1 each have a magazine with tokens 0 .. count - 1, or 100 .. 100 + count - 1. */
static void fill(unsigned int count)
{
	memset(&dummy, 0, sizeof(dummy));
	memset(magazines, 0, 4 * sizeof(*magazines));
	memset(area(0), 0, 2 * sizeof(struct area));
	for (int cpu = 0; cpu < 2; cpu++) {
		for (unsigned int i = 0; i < count; i++)
			magazines[cpu].word[MAGAZINE_WORDS - CAPACITY + i] = token(100u * (unsigned int)cpu + i);
		area(cpu)->pair[SLOT].top = magazine_top_at(&magazines[cpu], CAPACITY, count);
	}
}

static void trap_on(int at)
{
	abort_at = at;
	steps = 0;
	aborts = 0;
	__asm__ volatile(BELOW_RED_ZONE("orq %0, (%%rsp)")::"i"(TRAP_FLAG) : "memory", "cc");
}

static void trap_off(void)
{
	__asm__ volatile(BELOW_RED_ZONE("andq %0, (%%rsp)")::"i"(~TRAP_FLAG) : "memory", "cc");
}

static void *trapped_pop(int at)
{
	void *object;

	trap_on(at);
	object = rseq_pop(2 * SLOT);
	trap_off();
	return object;
}

static bool trapped_push(int at, void *object)
{
	bool done;

	trap_on(at);
	done = rseq_push(2 * SLOT, object);
	trap_off();
	return done;
}

static bool trapped_install(int at, const struct magazine_pair *old, const struct magazine_pair *new_pair)
{
	bool done;

	trap_on(at);
	done = rseq_install(0, &area(0)->pair[SLOT], old, new_pair, &area(0)->stopped);
	trap_off();
	return done;
}

/* ---- what others do meanwhile ---- */

static void other_pops(void)
{
	assert_ptr_equal(generic_pop(area(0), SLOT), token(3));
}

static void other_pushes(void)
{
	assert_true(generic_push(area(0), SLOT, token(50)));
}

static void other_empties(void)
{
	while (generic_pop(area(0), SLOT))
		;
}

static void other_fills(void)
{
	while (generic_push(area(0), SLOT, token(51)))
		;
}

static void thread_moves(void)
{
	dummy.cpu_id = 1;
}

static void drain_takes(void)
{
	area(0)->stopped = 1;
	area(0)->pair[SLOT] = (struct magazine_pair){0, 0};
}

static void drain_only_stops(void)
{
	area(0)->stopped = 1;
}

static void nobody(void)
{
}

/* ---- the operations ---- */

static unsigned int count(int cpu)
{
	return magazine_count(area(cpu)->pair[SLOT].top, CAPACITY);
}

/* Instructions of the section, found by a run that is not aborted. */
static int pop_length(void)
{
	fill(4);
	interfere = nobody;
	assert_ptr_equal(trapped_pop(NEVER), token(3));
	return steps;
}

static int push_length(void)
{
	fill(4);
	interfere = nobody;
	assert_true(trapped_push(NEVER, token(60)));
	return steps;
}

static void test_sections_have_the_reviewed_number_of_instructions(void **state)
{
	(void)state;
	assert_int_equal(pop_length(), 9);
	assert_int_equal(push_length(), 9);
}

static void test_pop_aborted_anywhere_pops_once(void **state)
{
	int length = pop_length();

	(void)state;
	for (int at = 0; at < length; at++) {
		fill(4);
		interfere = other_pops;
		assert_ptr_equal(trapped_pop(at), token(2));
		assert_int_equal(aborts, 1);
		assert_int_equal(count(0), 2);

		fill(4);
		interfere = other_pushes;
		assert_ptr_equal(trapped_pop(at), token(50));
		assert_int_equal(count(0), 4);

		fill(4);
		interfere = other_empties;
		assert_null(trapped_pop(at));
		assert_int_equal(count(0), 0);
	}
}

static void test_push_aborted_anywhere_pushes_once(void **state)
{
	int length = push_length();

	(void)state;
	for (int at = 0; at < length; at++) {
		fill(4);
		interfere = other_pops;
		assert_true(trapped_push(at, token(60)));
		assert_int_equal(aborts, 1);
		assert_int_equal(count(0), 4);
		assert_ptr_equal(generic_pop(area(0), SLOT), token(60));
		assert_ptr_equal(generic_pop(area(0), SLOT), token(2));

		fill(4);
		interfere = other_pushes;
		assert_true(trapped_push(at, token(60)));
		assert_ptr_equal(generic_pop(area(0), SLOT), token(60));
		assert_ptr_equal(generic_pop(area(0), SLOT), token(50));

		fill(4);
		interfere = other_fills;
		assert_false(trapped_push(at, token(60)));
		assert_int_equal(count(0), CAPACITY);
		assert_ptr_equal(generic_pop(area(0), SLOT), token(51));
	}
}

static void test_moved_thread_uses_its_new_cpu(void **state)
{
	int length = pop_length();

	(void)state;
	interfere = thread_moves;
	for (int at = 0; at < length; at++) {
		fill(4);
		assert_ptr_equal(trapped_pop(at), token(103));
		assert_int_equal(count(0), 4);
		assert_int_equal(count(1), 3);
		fill(4);
		assert_true(trapped_push(at, token(60)));
		assert_int_equal(count(0), 4);
		assert_ptr_equal(generic_pop(area(1), SLOT), token(60));
	}
}

static void test_drained_pair_is_left_alone(void **state)
{
	int length = pop_length();

	(void)state;
	interfere = drain_takes;
	for (int at = 0; at < length; at++) {
		fill(4);
		assert_null(trapped_pop(at));
		assert_int_equal(area(0)->pair[SLOT].top, 0);
		fill(4);
		assert_false(trapped_push(at, token(60)));
		assert_int_equal(area(0)->pair[SLOT].top, 0);
	}
}

static void test_install_aborted_anywhere_looks_again(void **state)
{
	static void (*const others[])(void) = {other_pops, other_pushes, thread_moves, drain_takes, drain_only_stops};
	struct magazine_pair old, new_pair = {0x3018, 0x4020};
	int length;

	(void)state;
	fill(4);
	interfere = nobody;
	old = area(0)->pair[SLOT];
	assert_true(trapped_install(NEVER, &old, &new_pair));
	length = steps;
	assert_int_equal(length, 9);
	for (int at = 0; at < length; at++) {
		fill(4);
		interfere = nobody;
		assert_true(trapped_install(at, &old, &new_pair));
		assert_int_equal(aborts, 1);
		for (size_t other = 0; other < ARRAY_SIZE(others); other++) {
			fill(4);
			interfere = others[other];
			assert_false(trapped_install(at, &old, &new_pair));
			assert_int_not_equal(area(0)->pair[SLOT].top, new_pair.top);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_have_the_reviewed_number_of_instructions),
		cmocka_unit_test(test_pop_aborted_anywhere_pops_once),
		cmocka_unit_test(test_push_aborted_anywhere_pushes_once),
		cmocka_unit_test(test_moved_thread_uses_its_new_cpu),
		cmocka_unit_test(test_drained_pair_is_left_alone),
		cmocka_unit_test(test_install_aborted_anywhere_looks_again),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
