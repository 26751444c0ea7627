/*
 * pressure_test.h: boots and shuts down a machine of the pressure room for each test, and says whether memory is left in use.
 *
 * Calls pressure_machine.h. For files whose every test wants the same small machine; after cmocka.h.
 */
#ifndef TESTS_UNIT_PRESSURE_TEST_H
#define TESTS_UNIT_PRESSURE_TEST_H

#include <linux/slab.h>

#include "tests/unit/cpus.h"
#include "tests/unit/pressure_machine.h"

/* A machine of TEST_RAM for each test, with nothing of it in use at the end that was not at the beginning. */
#define TEST_CPUS test_cpus(4)
#define TEST_RAM (16ul << 20)
static size_t used_before;

static inline int pressure_test_boot(const struct pressure_config *config)
{
	if (pressure_machine_boot(TEST_CPUS, TEST_RAM, config))
		return -1;
	kfree(kmalloc(1, GFP_KERNEL));
	used_before = pages_in_use();
	return 0;
}

static inline int pressure_test_shut_down(void **state)
{
	size_t used = pages_in_use();

	(void)state;
	if (used > used_before)
		print_error("%zu pages in use, %zu before\n", used, used_before);
	return used > used_before ? -1 : pressure_machine_shutdown();
}

#endif
