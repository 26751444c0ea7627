/*
 * test_machine_subject.c: a program on a simulated machine that handles failed allocations well, or leaks.
 */
#include <flagstone/machine.h>
#include <linux/slab.h>
#include <string.h>

static int allocate(bool careful)
{
	void *first = kmalloc(100, GFP_KERNEL), *second = first ? kmalloc(200, GFP_KERNEL) : NULL;
	void *third = careful && second ? kmalloc(300, GFP_KERNEL) : NULL;

	if (!careful && first && !second)
		return -1;
	kfree(third);
	kfree(second);
	kfree(first);
	return 0;
}

int main(int argc, char **argv)
{
	bool careful = argc > 1 && !strcmp(argv[1], "careful");

	if (flagstone_machine_boot(NULL))
		return 1;
	allocate(careful);
	return flagstone_machine_shutdown() != 0;
}
