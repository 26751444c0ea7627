/*
 * booted.h: each test of a program on a small machine of its own, by the public functions: setup and teardown.
 *
 * For tests that are one file each.
 */
#ifndef TESTS_API_BOOTED_H
#define TESTS_API_BOOTED_H

#include <flagstone/machine.h>

static int boot(void **state)
{
	(void)state;
	return flagstone_machine_boot_text("cpus=4,ram=32m");
}

static int shut_down(void **state)
{
	(void)state;
	return flagstone_machine_shutdown();
}

#endif
