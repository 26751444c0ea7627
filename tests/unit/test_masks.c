/*
 * test_masks.c: CPU masks against arrays of bool.
 *
 * Links with the variables, lib and host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/cpumask.h>

#include "percpu/vars.h"
#include "tests/unit/random.h"

#define ROUNDS 300

struct model {
	bool has[NR_CPUS];
};

static void expect(const struct cpumask *mask, const struct model *model)
{
	unsigned int weight = 0, cpu, i = 0, last = NR_CPUS;

	for_each_cpu(cpu, mask) {
		for (; i < cpu; i++)
			assert_false(model->has[i]);
		assert_true(model->has[i++]);
		last = cpu;
		weight++;
	}
	for (; i < NR_CPUS; i++)
		assert_false(model->has[i]);
	assert_true(cpu >= nr_cpu_ids);
	assert_int_equal(cpumask_weight(mask), weight);
	assert_int_equal(cpumask_empty(mask), !weight);
	assert_int_equal(cpumask_last(mask), last);
}

/* Few bits, many, or about half. */
static void draw(uint32_t *seed, struct cpumask *mask, struct model *model)
{
	unsigned int share = random_below(seed, 3) * 127 + 1;

	cpumask_clear(mask);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		model->has[cpu] = random_below(seed, 256) < share;
		if (model->has[cpu])
			cpumask_set_cpu(cpu, mask);
	}
	expect(mask, model);
}

static void whole_masks_are_combined(void **state)
{
	uint32_t seed = 3;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct cpumask a, b, c;
		struct model ma, mb, and, or, xor, andnot;
		bool any;

		draw(&seed, &a, &ma);
		draw(&seed, &b, &mb);
		for (int cpu = 0; cpu < NR_CPUS; cpu++) {
			and.has[cpu] = ma.has[cpu] && mb.has[cpu];
			or.has[cpu] = ma.has[cpu] || mb.has[cpu];
			xor.has[cpu] = ma.has[cpu] != mb.has[cpu];
			andnot.has[cpu] = ma.has[cpu] && !mb.has[cpu];
		}
		any = cpumask_and(&c, &a, &b);
		assert_int_equal(any, !cpumask_empty(&c));
		expect(&c, &and);
		assert_int_equal(cpumask_intersects(&a, &b), !cpumask_empty(&c));
		assert_int_equal(cpumask_first_and(&a, &b), cpumask_first(&c));
		assert_true(cpumask_subset(&c, &a));
		assert_int_equal(cpumask_subset(&a, &b), cpumask_equal(&a, &c));
		any = cpumask_andnot(&c, &a, &b);
		assert_int_equal(any, !cpumask_empty(&c));
		expect(&c, &andnot);
		cpumask_or(&c, &a, &b);
		expect(&c, & or);
		cpumask_xor(&c, &a, &b);
		expect(&c, &xor);
		cpumask_copy(&c, &a);
		expect(&c, &ma);
		assert_true(cpumask_equal(&a, &c));
	}
}

static void one_cpu_is_set_and_cleared(void **state)
{
	struct cpumask mask = {{0}};
	struct model model = {{0}};
	uint32_t seed = 5;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int cpu = random_below(&seed, NR_CPUS);
		unsigned int other = random_below(&seed, NR_CPUS);

		assert_int_equal(cpumask_test_and_set_cpu(cpu, &mask), model.has[cpu]);
		model.has[cpu] = true;
		assert_int_equal(cpumask_test_and_clear_cpu(other, &mask), model.has[other]);
		model.has[other] = false;
		assert_int_equal(cpumask_test_cpu(cpu, &mask), cpu != other);
		expect(&mask, &model);
	}
	cpumask_clear(&mask);
	cpumask_set_cpu(NR_CPUS - 1, &mask);
	assert_true(cpumask_equal(&mask, cpumask_of(NR_CPUS - 1)));
	cpumask_clear_cpu(NR_CPUS - 1, &mask);
	assert_true(cpumask_empty(&mask));
}

static void the_machine_says_which_cpus_it_has(void **state)
{
	struct cpumask all;
	unsigned int cpu, n = 0;

	(void)state;
	assert_int_equal(vars_boot(70), 0);
	assert_int_equal(nr_cpu_ids, 70);
	for_each_possible_cpu(cpu) assert_int_equal(cpu, n++);
	assert_int_equal(n, 70);
	cpumask_setall(&all);
	assert_true(cpumask_full(&all));
	assert_true(cpumask_equal(&all, cpu_present_mask));
	assert_true(cpu_online(69) && cpu_possible(69) && cpu_present(69) && !cpu_online(70));
	cpumask_clear_cpu(3, &__cpu_online_mask);
	assert_false(cpu_online(3));
	assert_int_equal(num_online_cpus(), 69);
	assert_int_equal(num_possible_cpus(), 70);
	assert_int_equal(num_present_cpus(), 70);
	assert_int_equal(cpumask_next(2, cpu_online_mask), 4);
	assert_int_equal(cpumask_weight(cpumask_of(69)), 1);
	assert_int_equal(cpumask_first(cpumask_of(69)), 69);
	vars_shutdown();
	assert_int_equal(num_possible_cpus(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_masks_are_combined),
		cmocka_unit_test(one_cpu_is_set_and_cleared),
		cmocka_unit_test(the_machine_says_which_cpus_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
