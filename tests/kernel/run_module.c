/*
 * run_module.c: boots a machine, loads the kernel modules of this program in a kernel thread on CPU 0, unloads them, shuts down.
 *
 * usage: run_module [LEAKS [MACHINE]]    how many things the modules leave behind (0); flagstone_machine_boot_text()'s text
 * Exit status: 0 if all went well and so much is left. What the modules print goes to stderr.
 */
#include <flagstone/machine.h>
#include <flagstone/module.h>
#include <stdio.h>
#include <stdlib.h>

static int load_and_unload(void *unused)
{
	int error = flagstone_modules_load();

	(void)unused;
	return error ? error : flagstone_modules_unload();
}

int main(int argc, char **argv)
{
	int error = flagstone_machine_boot_text(argc > 2 ? argv[2] : "cpus=4,ram=128m,dma=16m,dma32=128m");
	int left, expected = argc > 1 ? atoi(argv[1]) : 0;

	if (error)
		return 2;
	error = flagstone_machine_run(0, load_and_unload, NULL);
	if (error)
		fprintf(stderr, "run_module: %d\n", error);
	left = flagstone_machine_shutdown();
	if (left != expected)
		fprintf(stderr, "run_module: flagstone_machine_shutdown() returned %d\n", left);
	return error || left != expected;
}
