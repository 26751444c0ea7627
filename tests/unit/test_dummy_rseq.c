/*
 * test_dummy_rseq.c: the instruction sequences of the critical sections, on an rseq area that no kernel knows.
 *
 * One thread, no aborts: what is proved is that each section computes the contract, touches only its CPU's area, and arms
 * itself with a well-formed descriptor. Runs where rseq does not exist: under qemu-user and valgrind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bench/rseq_area.h"
#include "percpu/ops.h"
#include "runtime/host/host.h"

#define ANCHOR_ALIGN (4ul << 20)
#define FLOOR_OF(capacity) (MAGAZINE_WORDS - 1 - (capacity))

static __thread struct dummy_rseq dummy;
static char *memory;
static struct magazine *magazines;

static struct area *area(int cpu)
{
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + cpu;
}

static int setup(void **state)
{
	(void)state;
	memory = host_map_aligned(2 * ANCHOR_ALIGN, ANCHOR_ALIGN);
	magazines = host_map_aligned(16 * MAGAZINE_SIZE, 4096);
	return memory && magazines ? 0 : -1;
}

static int clear(void **state)
{
	(void)state;
	memset(memory + ANCHOR_ALIGN - PERCPU_BELOW, 0, PERCPU_BELOW + PERCPU_BYTES);
	memset(magazines, 0, 16 * sizeof(*magazines));
	memset(&dummy, 0, sizeof(dummy));
	percpu_fast.anchor = memory + ANCHOR_ALIGN;
	percpu_fast.rseq = (char *)&dummy - thread_pointer();
	percpu_fast.cpu = percpu_fast.rseq + (long)offsetof(struct dummy_rseq, mm_cid);
	return 0;
}

static void *token(unsigned long i)
{
	return (void *)(0x5000 + 16 * i);
}

static void test_pop_and_push_are_a_stack_of_every_capacity(void **state)
{
	(void)state;
	for (unsigned int capacity = 4; capacity <= MAGAZINE_MAX_CAPACITY; capacity++) {
		struct magazine_pair *pair = &area(0)->pair[capacity];

		magazines->word[FLOOR_OF(capacity)] = NULL;
		pair->top = magazine_top_at(magazines, capacity, 0);
		assert_null(rseq_pop(2 * capacity));
		for (unsigned int i = 0; i < capacity; i++) {
			assert_true(rseq_push(2 * capacity, token(i)));
			assert_int_equal(pair->top, magazine_top_at(magazines, capacity, i + 1));
		}
		assert_false(rseq_push(2 * capacity, token(capacity)));
		for (unsigned int i = capacity; i-- > 0;)
			assert_ptr_equal(rseq_pop(2 * capacity), token(i));
		assert_null(rseq_pop(2 * capacity));
		assert_int_equal(pair->top, magazine_top_at(magazines, capacity, 0));
		assert_null(magazines->word[FLOOR_OF(capacity)]);
	}
}

static void test_each_cpu_and_slot_has_a_pair_of_its_own(void **state)
{
	static const int cpus[] = {0, 1, 7, CONFIG_NR_CPUS - 1};
	static const unsigned int slots[] = {1, 2, 128, AREA_SLOTS - 1};
	unsigned int n = 0;

	(void)state;
	for (unsigned int c = 0; c < ARRAY_SIZE(cpus); c++)
		for (unsigned int s = 0; s < ARRAY_SIZE(slots); s++, n++) {
			area(cpus[c])->pair[slots[s]].top = magazine_top_at(&magazines[n], 4, 0);
			dummy.mm_cid = cpus[c];
			assert_true(rseq_push(2 * slots[s], token(n)));
		}
	for (unsigned int c = ARRAY_SIZE(cpus); c-- > 0;)
		for (unsigned int s = ARRAY_SIZE(slots); s-- > 0;) {
			dummy.mm_cid = cpus[c];
			assert_ptr_equal(rseq_pop(2 * slots[s]), token(--n));
			assert_null(rseq_pop(2 * slots[s]));
		}
}

static void test_thread_without_a_cpu_number_finds_nothing(void **state)
{
	(void)state;
	for (int cpu = -2; cpu < 0; cpu++) {
		dummy.mm_cid = cpu;
		for (unsigned long slot2 = 0; slot2 < 2 * AREA_SLOTS; slot2 += 2) {
			assert_null(rseq_pop(slot2));
			assert_false(rseq_push(slot2, token(1)));
		}
	}
	for (long at = -PERCPU_BELOW; at < PERCPU_BYTES; at++)
		assert_int_equal(percpu_fast.anchor[at], 0);
}

static void test_sections_read_the_number_that_percpu_fast_names(void **state)
{
	(void)state;
	percpu_fast.cpu = percpu_fast.rseq + (long)offsetof(struct dummy_rseq, cpu_id);
	dummy.mm_cid = 1;
	dummy.cpu_id = 2;
	area(1)->pair[3].top = magazine_top_at(&magazines[1], 4, 0);
	area(2)->pair[3].top = magazine_top_at(&magazines[2], 4, 0);
	assert_true(rseq_push(6, token(9)));
	assert_ptr_equal(magazines[2].word[MAGAZINE_WORDS - 4], token(9));
}

static bool install(int cpu, struct magazine_pair old, struct magazine_pair new_pair)
{
	struct magazine_pair *pair = &area(cpu)->pair[5];

	return rseq_install(cpu, pair, &old, &new_pair, &area(cpu)->stopped);
}

static void assert_pair(int cpu, struct magazine_pair pair)
{
	assert_int_equal(area(cpu)->pair[5].top, pair.top);
	assert_int_equal(area(cpu)->pair[5].spare, pair.spare);
}

static void test_install_wants_cpu_pair_and_no_drain(void **state)
{
	struct magazine_pair old = {0x1008, 0x2010}, new_pair = {0x3018, 0x4020};

	(void)state;
	dummy.mm_cid = 3;
	area(3)->pair[5] = old;
	area(4)->pair[5] = old;
	assert_false(install(4, old, new_pair));
	assert_false(install(3, (struct magazine_pair){old.top + 8, old.spare}, new_pair));
	assert_false(install(3, (struct magazine_pair){old.top, old.spare + 8}, new_pair));
	assert_false(install(3, (struct magazine_pair){old.top | 1ull << 40, old.spare}, new_pair));
	assert_false(install(3, (struct magazine_pair){old.top, old.spare | 1ull << 40}, new_pair));
	area(3)->stopped = 1;
	assert_false(install(3, old, new_pair));
	assert_pair(3, old);
	area(3)->stopped = 0;
	assert_true(install(3, old, new_pair));
	assert_pair(3, new_pair);
	assert_pair(4, old);
}

static void test_compare_swap_reports_what_it_found(void **state)
{
	struct magazine_pair first = {1, 2}, second = {3, 4}, old = first;
	struct magazine_pair *pair = &area(0)->pair[5];

	(void)state;
	*pair = first;
	assert_true(pair_compare_swap(pair, &old, second));
	assert_pair(0, second);
	assert_false(pair_compare_swap(pair, &old, first));
	assert_pair(0, second);
	assert_int_equal(old.top, second.top);
	assert_int_equal(old.spare, second.spare);
	old.spare++;
	assert_false(pair_compare_swap(pair, &old, first));
	assert_pair(0, second);
}

static void assert_armed(void)
{
	const struct section *section = (const void *)(uintptr_t)dummy.rseq_cs;

	assert_non_null(section);
	assert_int_equal((uintptr_t)section % 32, 0);
	assert_int_equal(section->version, 0);
	assert_int_equal(section->flags, 0);
	assert_in_range(section->length, 8, 1024);
	/* The kernel kills a thread whose abort lies inside the section, or has no signature before it. */
	assert_true(section->abort - section->start >= section->length);
	assert_int_equal(*(const uint32_t *)(uintptr_t)(section->abort - 4), RSEQ_SIGNATURE);
	dummy.rseq_cs = 0;
}

static void test_every_section_arms_itself_with_a_descriptor_of_its_own(void **state)
{
	struct magazine_pair none = {0, 0};

	(void)state;
	rseq_pop(0);
	assert_armed();
	rseq_push(0, token(1));
	assert_armed();
	install(0, none, none);
	assert_armed();
}

#define unit(test) cmocka_unit_test_setup(test, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(test_pop_and_push_are_a_stack_of_every_capacity),
		unit(test_each_cpu_and_slot_has_a_pair_of_its_own),
		unit(test_thread_without_a_cpu_number_finds_nothing),
		unit(test_sections_read_the_number_that_percpu_fast_names),
		unit(test_install_wants_cpu_pair_and_no_drain),
		unit(test_compare_swap_reports_what_it_found),
		unit(test_every_section_arms_itself_with_a_descriptor_of_its_own),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
