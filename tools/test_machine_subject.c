/*
 * test_machine_subject.c: a program on a simulated machine that handles failed allocations well, or leaks; or holds what is to be seen from outside.
 */
#include <flagstone/machine.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static DEFINE_MUTEX(outer);
static DEFINE_MUTEX(inner);

static void lock_both(struct mutex *first, struct mutex *second)
{
	mutex_lock(first);
	mutex_lock(second);
	mutex_unlock(second);
	mutex_unlock(first);
}

/* Takes locks the other way round where an allocation failed. */
static void invert(void)
{
	void *object = kmalloc(100, GFP_KERNEL);

	lock_both(&outer, &inner);
	if (!object)
		lock_both(&inner, &outer);
	kfree(object);
}

#define NR_HELD 700

/* Until its input ends. */
static int hold(void)
{
	static void *objects[NR_HELD];
	struct kmem_cache *cache;
	struct page *pages;

	if (flagstone_machine_boot_text("cpus=2,nodes=2,ram=32m,dma=8m"))
		return 1;
	cache = kmem_cache_create("held", 200, 0, 0, NULL);
	for (int i = 0; i < NR_HELD; i++)
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	pages = alloc_pages(GFP_KERNEL, 6);
	puts("ready");
	fflush(stdout);
	getchar();
	__free_pages(pages, 6);
	kmem_cache_free_bulk(cache, NR_HELD, objects);
	kmem_cache_destroy(cache);
	return flagstone_machine_shutdown() != 0;
}

int main(int argc, char **argv)
{
	bool careful = argc > 1 && !strcmp(argv[1], "careful");

	if (argc > 1 && !strcmp(argv[1], "hold"))
		return hold();
	if (flagstone_machine_boot(NULL))
		return 1;
	if (argc > 1 && !strcmp(argv[1], "inverting"))
		invert();
	else if (allocate(careful) && argc > 1 && !strcmp(argv[1], "leaving"))
		return 1;
	else if (argc > 1 && !strcmp(argv[1], "vanishing"))
		_exit(0);
	return flagstone_machine_shutdown() != 0;
}
