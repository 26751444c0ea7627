/*
 * test_slab.c: each statement of include/linux/slab.h. The semantics were compared with those of Linux 6.1.
 *
 * Uses the public headers only. Run once a mode.
 */
#include <linux/slab.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/emulated.h"
#include "tests/unit/child.h"

#define MIB (1ul << 20)

/* Volatile: the compiler must not know what these return. */
static void *(*volatile do_kmalloc)(size_t size, gfp_t flags) = kmalloc;
static void *(*volatile do_kzalloc)(size_t size, gfp_t flags) = kzalloc;
static void *(*volatile do_kmalloc_array)(size_t n, size_t size, gfp_t flags) = kmalloc_array;
static void *(*volatile do_kcalloc)(size_t n, size_t size, gfp_t flags) = kcalloc;
static void *(*volatile do_krealloc)(const void *p, size_t size, gfp_t flags) = krealloc;
static void *(*volatile do_krealloc_array)(void *p, size_t n, size_t size, gfp_t flags) = krealloc_array;
static void (*volatile do_kfree)(const void *object) = kfree;

/* From 1 byte to the maximum: every size that is small, then the neighbours of eighths of powers of two. */
static size_t next_size(size_t size)
{
	size_t step = size < 2048 ? 1 : (size_t)1 << (63 - __builtin_clzl(size) - 3);
	size_t mark = (size / step + 1) * step;

	if (size < 2048)
		return size + 1;
	if (size % step == 0)
		return size + 1;
	return mark - size > 1 ? mark - 1 : mark;
}

static size_t first_nonzero(const unsigned char *bytes, size_t size)
{
	size_t at = 0;

	while (at < size && !bytes[at])
		at++;
	return at;
}

/* ---- kmalloc ---- */

static void kmalloc_holds_every_size(void **state)
{
	(void)state;
	for (size_t size = 1; size <= KMALLOC_MAX_SIZE; size = next_size(size)) {
		unsigned char *object = do_kmalloc(size, GFP_KERNEL);

		assert_non_null(object);
		assert_int_equal((uintptr_t)object % ARCH_KMALLOC_MINALIGN, 0);
		if (size > 8)
			assert_int_equal((uintptr_t)object % 16, 0);
		object[0] = 1;
		object[size - 1] = 2;
		assert_true(ksize(object) >= size);
		assert_int_equal(ksize(object), kmalloc_size_roundup(size));
		do_kfree(object);
	}
}

static void powers_of_two_are_aligned_to_themselves(void **state)
{
	void *objects[64];

	(void)state;
	for (size_t size = 8; size <= KMALLOC_MAX_SIZE; size *= 2) {
		int nr = size > MIB ? 4 : 64;

		for (int i = 0; i < nr; i++) {
			objects[i] = do_kmalloc(size, GFP_KERNEL);
			assert_non_null(objects[i]);
			assert_int_equal((uintptr_t)objects[i] % size, 0);
		}
		for (int i = 0; i < nr; i++)
			do_kfree(objects[i]);
	}
}

static void zero_bytes_are_zero_size_ptr(void **state)
{
	(void)state;
	assert_ptr_equal(do_kmalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	assert_ptr_equal(do_kzalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	assert_ptr_equal(do_kmalloc_array(0, 5, GFP_KERNEL), ZERO_SIZE_PTR);
	assert_ptr_equal(do_kcalloc(5, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	assert_ptr_equal(do_krealloc(NULL, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	assert_true(ZERO_OR_NULL_PTR(ZERO_SIZE_PTR));
	assert_true(ZERO_OR_NULL_PTR(NULL));
	assert_false(ZERO_OR_NULL_PTR((void *)4096));
	do_kfree(ZERO_SIZE_PTR);
	do_kfree(NULL);
	kfree_sensitive(NULL);
	kfree_sensitive(ZERO_SIZE_PTR);
	assert_int_equal(ksize(NULL), 0);
	assert_int_equal(ksize(ZERO_SIZE_PTR), 0);
	assert_int_equal(kmalloc_size_roundup(0), 0);
}

static void too_much_is_null(void **state)
{
	const size_t sizes[] = {KMALLOC_MAX_SIZE + 1, 64 * MIB, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_null(do_kmalloc(sizes[i], GFP_KERNEL));
		assert_null(do_kmalloc(sizes[i], GFP_KERNEL | __GFP_NOFAIL));
		assert_null(do_kzalloc(sizes[i], GFP_ATOMIC));
		assert_true(kmalloc_size_roundup(sizes[i]) >= sizes[i]);
	}
	assert_null(do_kmalloc_array(SIZE_MAX, 2, GFP_KERNEL));
	assert_null(do_kmalloc_array(1ul << 32, 1ul << 32, GFP_KERNEL));
	assert_null(do_kcalloc(SIZE_MAX / 4 + 2, 4, GFP_KERNEL));
}

static void cleared_is_zero_in_used_memory(void **state)
{
	(void)state;
	for (size_t size = 1; size <= KMALLOC_MAX_SIZE; size = next_size(next_size(next_size(size)))) {
		unsigned char *object = do_kmalloc(size, GFP_KERNEL);

		memset(object, 0xee, ksize(object));
		do_kfree(object);
		object = do_kzalloc(size, GFP_KERNEL);
		/* All that ksize allows. */
		assert_int_equal(first_nonzero(object, ksize(object)), ksize(object));
		memset(object, 0xee, ksize(object));
		do_kfree(object);
		object = do_kmalloc(size, GFP_ATOMIC | __GFP_ZERO);
		assert_int_equal(first_nonzero(object, size), size);
		memset(object, 0xee, size);
		do_kfree(object);
		object = do_kcalloc(1, size, GFP_KERNEL);
		assert_int_equal(first_nonzero(object, size), size);
		do_kfree(object);
	}
}

static void arrays_hold_their_product(void **state)
{
	unsigned char *object = do_kmalloc_array(100, 123, GFP_KERNEL);

	(void)state;
	assert_true(ksize(object) >= 12300);
	memset(object, 1, 12300);
	object = do_krealloc_array(object, 200, 123, GFP_KERNEL);
	assert_true(ksize(object) >= 24600);
	assert_int_equal(object[12299], 1);
	assert_null(do_krealloc_array(object, SIZE_MAX / 2, 3, GFP_KERNEL));
	assert_int_equal(object[0], 1);
	do_kfree(object);
}

static void kfree_sensitive_clears(void **state)
{
	char *object = do_kmalloc(1000, GFP_KERNEL);
	size_t size = ksize(object);
	char *again;

	(void)state;
	memset(object, 's', size);
	kfree_sensitive(object);
	/* The same memory comes back; on another CPU's magazine it may take a few. */
	for (int i = 0; i < 2000; i++) {
		again = do_kmalloc(1000, GFP_KERNEL);
		if (again == object)
			break;
	}
	assert_ptr_equal(again, object);
	assert_int_equal(first_nonzero((unsigned char *)again, size), size);
	do_kfree(again);
}

/* ---- krealloc ---- */

static void krealloc_keeps_contents(void **state)
{
	const size_t sizes[] = {1, 8, 9, 100, 1000, 5000, 32768, 40000, MIB, 4 * MIB};
	size_t nr = sizeof(sizes) / sizeof(sizes[0]);

	(void)state;
	for (size_t i = 0; i < nr * nr; i++) {
		size_t from = sizes[i / nr], to = sizes[i % nr], kept = from < to ? from : to;
		unsigned char *object = do_kmalloc(from, GFP_KERNEL);

		for (size_t n = 0; n < from; n++)
			object[n] = (unsigned char)(n * 31 + n / 256);
		object = do_krealloc(object, to, GFP_KERNEL);
		assert_non_null(object);
		assert_true(ksize(object) >= to);
		for (size_t n = 0; n < kept; n++)
			if (object[n] != (unsigned char)(n * 31 + n / 256))
				fail_msg("byte %zu lost from %zu to %zu", n, from, to);
		do_kfree(object);
	}
}

static void krealloc_of_nothing_is_kmalloc(void **state)
{
	void *object = do_krealloc(NULL, 50, GFP_KERNEL);

	(void)state;
	assert_true(ksize(object) >= 50);
	do_kfree(object);
	object = do_krealloc(ZERO_SIZE_PTR, 50, GFP_KERNEL | __GFP_ZERO);
	assert_int_equal(first_nonzero(object, 50), 50);
	assert_ptr_equal(do_krealloc(object, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	assert_ptr_equal(do_krealloc(ZERO_SIZE_PTR, 0, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void krealloc_to_too_much_keeps_the_object(void **state)
{
	unsigned char *object = do_kmalloc(100, GFP_KERNEL);

	(void)state;
	memset(object, 5, 100);
	assert_null(do_krealloc(object, KMALLOC_MAX_SIZE + 1, GFP_KERNEL));
	assert_null(do_krealloc(object, SIZE_MAX, GFP_KERNEL));
	for (int i = 0; i < 100; i++)
		assert_int_equal(object[i], 5);
	do_kfree(object);
}

/* With __GFP_ZERO at every step, whatever lies beyond the size of the last step is zero at the next. */
static void krealloc_zeroes_what_it_adds(void **state)
{
	const size_t sizes[] = {10, 16, 4, 16, 100, 50, 112, 3000, 60, 5000, 100000, 99, 102400, 50000, MIB};
	unsigned char *object = NULL;
	size_t kept = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		object = do_krealloc(object, sizes[i], GFP_KERNEL | __GFP_ZERO);
		for (size_t n = 0; n < sizes[i]; n++)
			if (object[n] != (n < kept ? 0xcc : 0))
				fail_msg("byte %zu is %#x, step %zu from %zu to %zu", n, object[n], i, kept, sizes[i]);
		kept = sizes[i];
		memset(object, 0xcc, kept);
	}
	do_kfree(object);
}

/* ---- nodes and copies ---- */

static void every_node_serves(void **state)
{
	volatile size_t too_many = SIZE_MAX / 4 + 2;
	void *objects[5];

	(void)state;
	for (int node = NUMA_NO_NODE; node < 3; node++) {
		objects[0] = kmalloc_node(100, GFP_KERNEL, node);
		objects[1] = kzalloc_node(100000, GFP_KERNEL, node);
		objects[2] = kmalloc_array_node(10, 10, GFP_KERNEL, node);
		objects[3] = kcalloc_node(10, 10, GFP_ATOMIC, node);
		objects[4] = kmalloc_node(0, GFP_KERNEL, node);
		assert_non_null(objects[0]);
		assert_int_equal(first_nonzero(objects[1], 100000), 100000);
		assert_true(ksize(objects[2]) >= 100);
		assert_int_equal(first_nonzero(objects[3], 100), 100);
		assert_ptr_equal(objects[4], ZERO_SIZE_PTR);
		kfree_bulk(5, objects);
	}
	assert_null(kmalloc_array_node(too_many, 4, GFP_KERNEL, 0));
	assert_null(kcalloc_node(too_many, 4, GFP_KERNEL, 0));
}

static void copies_are_equal(void **state)
{
	char bytes[1000];
	char *copy;

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	copy = kmemdup(bytes, sizeof(bytes), GFP_KERNEL);
	assert_memory_equal(copy, bytes, sizeof(bytes));
	kfree(copy);
	assert_ptr_equal(kmemdup(bytes, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	copy = kstrdup("a string", GFP_KERNEL);
	assert_string_equal(copy, "a string");
	kfree(copy);
	copy = kstrdup("", GFP_KERNEL);
	assert_string_equal(copy, "");
	kfree(copy);
	assert_null(kstrdup(NULL, GFP_KERNEL));
	copy = kstrndup("a string", 3, GFP_KERNEL);
	assert_string_equal(copy, "a s");
	kfree(copy);
	copy = kstrndup("a string", 300, GFP_KERNEL);
	assert_string_equal(copy, "a string");
	kfree(copy);
	assert_null(kstrndup(NULL, 3, GFP_KERNEL));
	copy = kmemdup_nul("a\0b", 3, GFP_KERNEL);
	assert_memory_equal(copy, "a\0b", 4);
	kfree(copy);
}

/* ---- caches ---- */

struct point {
	long x, y, z;
};

static void a_cache_by_its_struct(void **state)
{
	struct kmem_cache *cache = KMEM_CACHE(point, SLAB_HWCACHE_ALIGN | SLAB_NO_MERGE);
	struct point *point = kmem_cache_zalloc(cache, GFP_KERNEL);

	(void)state;
	assert_int_equal(kmem_cache_size(cache), sizeof(struct point));
	assert_int_equal(point->x + point->y + point->z, 0);
	kmem_cache_free(cache, point);
	kmem_cache_free(cache, NULL);
	assert_int_equal(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
	kmem_cache_destroy(NULL);
}

static void touch(void *object)
{
	*(char *)object = 1;
}

/* Four arguments, with and without kmem_cache_args, and the one of a struct with a part for user copies. */
static void caches_by_their_arguments(void **state)
{
	struct kmem_cache_args args = {.align = 64, .useroffset = 8, .usersize = 16, .ctor = touch};
	struct kmem_cache *caches[] = {kmem_cache_create("args", 40, &args, 0),
		kmem_cache_create("none", 40, NULL, SLAB_RECLAIM_ACCOUNT),
		kmem_cache_create_args("call", 40, &args, SLAB_HWCACHE_ALIGN),
		KMEM_CACHE_USERCOPY(point, SLAB_CACHE_DMA, y),
		kmem_cache_create_usercopy("user", 40, 0, SLAB_CACHE_DMA32, 0, 40, NULL)};

	(void)state;
	for (size_t i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		char *object = kmem_cache_alloc(caches[i], GFP_KERNEL);

		assert_non_null(object);
		if (i % 2 == 0 && i < 4) {
			assert_int_equal((uintptr_t)object % 64, 0);
			assert_int_equal(*object, 1);
		}
		kmem_cache_free(caches[i], object);
		object = kmem_cache_alloc_node(caches[i], GFP_KERNEL | __GFP_ZERO, 0);
		assert_int_equal(first_nonzero((unsigned char *)object, 24), 24);
		memset(object, 0, 24);
		touch(object);
		kmem_cache_free(caches[i], object);
		kmem_cache_destroy(caches[i]);
	}
	assert_null(kmem_cache_create_usercopy("beyond", 40, 0, 0, 8, 40, NULL));
	assert_null((kmem_cache_create)("", 40, 0, 0, NULL));
}

static void bulk_is_all_of_it(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("bulk", 100, 0, 0, NULL);
	void *objects[1000];

	(void)state;
	assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 0, objects), 0);
	assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_ZERO, 1000, objects), 1000);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(first_nonzero(objects[i], 100), 100);
		memset(objects[i], i, 100);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(*(unsigned char *)objects[i], i % 256);
	kmem_cache_free_bulk(cache, 1000, objects);
	kmem_cache_destroy(cache);
}

static void mark(void *object)
{
	((long *)object)[0] = 77;
	((long *)object)[1] = 0;
}

static void a_freed_object_stays_constructed(void **state)
{
	struct kmem_cache *cache = kmem_cache_create("ctor", 40, 8, 0, mark);
	long *objects[300];

	(void)state;
	for (int round = 0; round < 5; round++) {
		assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 300, (void **)objects), 300);
		for (int i = 0; i < 300; i++) {
			assert_int_equal(objects[i][0], 77);
			/* The rest is the object's own: nothing of the allocator's is kept in a free object. */
			assert_true(objects[i][1] == 0 || (round && objects[i][1] == (long)objects[i]));
			objects[i][1] = (long)objects[i];
		}
		kmem_cache_free_bulk(cache, 300, (void **)objects);
	}
	kmem_cache_destroy(cache);
}

static void the_name_may_go(void *unused)
{
	char name[] = "transient";
	struct kmem_cache *cache = kmem_cache_create(name, 100, 0, 0, NULL);
	void *object = kmem_cache_alloc(cache, GFP_KERNEL);

	(void)unused;
	memset(name, 'x', sizeof(name) - 1);
	if (!object)
		_exit(1);
	kmem_cache_destroy(cache);
}

static void a_cache_with_live_objects_is_named(void **state)
{
	char output[4000];

	(void)state;
	assert_int_equal(child_run(the_name_may_go, NULL, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "kmem_cache_destroy: cache transient still has 1 objects"));
	assert_non_null(strstr(output, "transient object 0x"));
}

/* ---- caches with checks ---- */

#define NR_CHECKED 100
#define NO_STACKS "caches that note each user's stack: qemu-user takes 40 ms to tell where a stack ends"
#define CHECKS (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER)

static void checked_caches_work(void **state)
{
	const slab_flags_t flags[] = {SLAB_RED_ZONE, SLAB_POISON, SLAB_STORE_USER, CHECKS, CHECKS | SLAB_HWCACHE_ALIGN};
	char *objects[NR_CHECKED];

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if ((flags[i] & SLAB_STORE_USER) && skip_emulated(NO_STACKS))
			continue;
		for (unsigned int size = 1; size <= 5000; size = size * 5 + 3) {
			struct kmem_cache *cache =
				kmem_cache_create("checked", size, 0, flags[i], size > 100 ? touch : NULL);

			for (int round = 0; round < 2; round++) {
				assert_int_equal(kmem_cache_alloc_bulk(cache, GFP_KERNEL, NR_CHECKED, (void **)objects),
					NR_CHECKED);
				for (int n = 0; n < NR_CHECKED; n++) {
					assert_int_equal(ksize(objects[n]), size);
					assert_int_equal((uintptr_t)objects[n] % 8, 0);
					memset(objects[n], n, size);
					*objects[n] = 1;
				}
				for (int n = 0; n < NR_CHECKED; n++)
					assert_int_equal(objects[n][size - 1], size > 1 ? (char)n : 1);
				kmem_cache_free_bulk(cache, NR_CHECKED / 2, (void **)objects);
				for (int n = NR_CHECKED / 2; n < NR_CHECKED; n++)
					kfree(objects[n]);
			}
			kmem_cache_destroy(cache);
		}
	}
}

enum damage { BEHIND, FREED, FREED_LAST, TWICE };

static void do_damage(void *arg)
{
	struct kmem_cache *cache = kmem_cache_create("damaged", 60, 0, CHECKS, NULL);
	void *keep = kmem_cache_alloc(cache, GFP_KERNEL);
	volatile char *object = kmem_cache_alloc(cache, GFP_KERNEL);

	(void)keep;
	if ((enum damage)(uintptr_t)arg == BEHIND)
		object[60] = 0;
	kmem_cache_free(cache, (void *)object);
	switch ((enum damage)(uintptr_t)arg) {
	case FREED:
		object[1] = 'x';
		break;
	case FREED_LAST:
		object[59] = 'y';
		break;
	case TWICE:
		kmem_cache_free(cache, (void *)object);
		break;
	default:
		break;
	}
	kmem_cache_alloc(cache, GFP_KERNEL);
}

static void damage_is_reported(void **state)
{
	const char *const first[] = {"BUG: damaged: Right Redzone overwritten\n", "BUG: damaged: Poison overwritten\n",
		"BUG: damaged: Poison overwritten\n", "BUG: double free of 0x"};
	const char *const details[] = {"@offset=60. First byte 0x0 instead of 0xcc",
		"@offset=1. First byte 0x78 instead of 0x6b", "@offset=59. First byte 0x79 instead of 0xa5", ""};

	(void)state;
	if (skip_emulated(NO_STACKS))
		return;
	for (uintptr_t damage = BEHIND; damage <= TWICE; damage++) {
		char output[8000];
		int status = child_run(do_damage, (void *)damage, output, sizeof(output));

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_non_null(strstr(output, first[damage]));
		assert_non_null(strstr(output, details[damage]));
		assert_non_null(strstr(output, "Allocated: age="));
		assert_true(damage == BEHIND || strstr(output, "Freed: age="));
	}
}

/* ---- faults: a report, and an abort ---- */

enum fault { FOREIGN, STACK, INSIDE_RUN, WRONG_CACHE, DOUBLE_PAGE_RUN };

static void commit_fault(void *arg)
{
	static long foreign[2];
	long local = 0;
	char *run = do_kmalloc(400000, GFP_KERNEL);
	struct kmem_cache *cache = kmem_cache_create("wrong", 64, 0, 0, NULL);

	switch ((enum fault)(uintptr_t)arg) {
	case FOREIGN:
		do_kfree(foreign);
		break;
	case STACK:
		do_kfree(&local);
		break;
	case INSIDE_RUN:
		do_kfree(run + 4096);
		break;
	case WRONG_CACHE:
		kmem_cache_free(cache, do_kmalloc(64, GFP_KERNEL));
		break;
	case DOUBLE_PAGE_RUN:
		do_kfree(run);
		do_kfree(run);
		break;
	}
}

static void faults_are_reported(void **state)
{
	(void)state;
	for (uintptr_t fault = FOREIGN; fault <= DOUBLE_PAGE_RUN; fault++) {
		char output[4000];
		int status = child_run(commit_fault, (void *)fault, output, sizeof(output));

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_int_equal(strncmp(output, "flagstone: BUG: ", 16), 0);
	}
}

/* ---- context ---- */

static volatile sig_atomic_t handled;

static void on_signal(int signal)
{
	void *object = do_kmalloc(100, GFP_ATOMIC);

	(void)signal;
	if (object)
		handled = handled + 1;
	do_kfree(object);
}

static void a_handler_may_allocate(void **state)
{
	(void)state;
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 100; i++)
		raise(SIGUSR1);
	assert_int_equal(handled, 100);
	signal(SIGUSR1, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kmalloc_holds_every_size),
		cmocka_unit_test(powers_of_two_are_aligned_to_themselves),
		cmocka_unit_test(zero_bytes_are_zero_size_ptr),
		cmocka_unit_test(too_much_is_null),
		cmocka_unit_test(cleared_is_zero_in_used_memory),
		cmocka_unit_test(arrays_hold_their_product),
		cmocka_unit_test(kfree_sensitive_clears),
		cmocka_unit_test(krealloc_keeps_contents),
		cmocka_unit_test(krealloc_of_nothing_is_kmalloc),
		cmocka_unit_test(krealloc_to_too_much_keeps_the_object),
		cmocka_unit_test(krealloc_zeroes_what_it_adds),
		cmocka_unit_test(every_node_serves),
		cmocka_unit_test(copies_are_equal),
		cmocka_unit_test(a_cache_by_its_struct),
		cmocka_unit_test(caches_by_their_arguments),
		cmocka_unit_test(checked_caches_work),
		cmocka_unit_test(damage_is_reported),
		cmocka_unit_test(bulk_is_all_of_it),
		cmocka_unit_test(a_freed_object_stays_constructed),
		cmocka_unit_test(a_cache_with_live_objects_is_named),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(a_handler_may_allocate),
	};

	return test_status(cmocka_run_group_tests(tests, NULL, NULL));
}
