/*
 * test_resource.c: the records of what was made: which are there, how they are told, and that none is lost or told twice.
 *
 * Links with resource, lib and host. Broken if this fails: something that has ended is told as a leak, or what has not is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/resource.h"
#include "tests/unit/child.h"

#define NR_MANY 5000 /* more than a chunk of records */

static char objects[NR_MANY];
static char output[1 << 16];

static void who(char *comm, int *pid, int *cpu)
{
	strcpy(comm, "maker");
	*pid = 7;
	*cpu = 3;
}

/* Two frames of somebody's between the record and the caller. */
static unsigned int stack(uintptr_t *address, unsigned int max)
{
	static const uintptr_t frames[] = {0x10, 0x20, 0x30, 0x40, 0x50};
	unsigned int nr = 0;

	for (; nr < 5 && nr < max; nr++)
		address[nr] = frames[nr];
	return nr;
}

static const struct resource_hooks hooks = {who, stack};

static void made(enum resource_type type, const void *object, size_t size, const char *name, uintptr_t caller)
{
	resource_made(&(struct resource){
		.type = type, .object = object, .size = size, .name = name, .caller = (void *)caller});
}

static int begin(void **state)
{
	(void)state;
	resources_begin(&hooks);
	return 0;
}

static int end(void **state)
{
	(void)state;
	resources_end();
	return 0;
}

static void what_has_not_ended_is_counted(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NR_MANY; i++)
		made(RESOURCE_PERCPU, &objects[i], 8, NULL, 0x30);
	for (unsigned int i = 0; i < NR_MANY; i++)
		if (i % 3)
			resource_ended(RESOURCE_PERCPU, &objects[i]);
	/* Another type at the same address is another thing. */
	resource_ended(RESOURCE_CACHE, &objects[0]);
	assert_int_equal(resources_report(RESOURCE_CACHE), 0);
	assert_int_equal(resources_report(RESOURCE_PERCPU), (NR_MANY + 2) / 3);
	assert_int_equal(resources_report(RESOURCE_PERCPU), 0);
}

static void who_made_it_for_itself_is_not_recorded(void **state)
{
	(void)state;
	made(RESOURCE_CACHE, objects, 8, "own", 0);
	assert_int_equal(resources_report(RESOURCE_CACHE), 0);
	made(RESOURCE_CACHE, objects, 8, "forgotten", 0x30);
	resources_forget();
	assert_int_equal(resources_report(RESOURCE_CACHE), 0);
	resources_end();
	made(RESOURCE_CACHE, objects, 8, "late", 0x30);
	resources_begin(&hooks);
	assert_int_equal(resources_report(RESOURCE_CACHE), 0);
}

static void tell(void *keep)
{
	resources_keep_stacks(keep != NULL);
	made(RESOURCE_MEMPOOL, &objects[0], 4, NULL, 0x30);
	resource_resized(RESOURCE_MEMPOOL, &objects[0], 9);
	made(RESOURCE_IRQ, &objects[1], 0, "5 (a name that is longer than there is room for it)", 0x30);
	made(RESOURCE_WORKQUEUE, &objects[2], 0, "first", 0x30);
	made(RESOURCE_WORKQUEUE, &objects[3], 0, "other", 0x40);
	made(RESOURCE_WORKQUEUE, &objects[4], 0, "second", 0x30);
	/* Its end was not seen. */
	made(RESOURCE_WORKQUEUE, &objects[3], 0, "again", 0x40);
	for (int type = 0; type < NR_RESOURCES; type++)
		resources_report((enum resource_type)type);
	resource_describe(RESOURCE_WORKQUEUE, &objects[2]);
	resource_describe(RESOURCE_WORKQUEUE, &objects[5]);
}

/* Without what differs from run to run. */
static char *plain(char *text)
{
	char *to = text;

	for (const char *at = text; *at;) {
		if (!strncmp(at, " at 0x", 6)) {
			at += 6 + strspn(at + 6, "0123456789abcdef");
		} else if (!strncmp(at, "age=", 4)) {
			at += 4 + strspn(at + 4, "0123456789");
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
	return text;
}

#define EVENT "ms cpu=3 pid=7 comm=maker"

static void they_are_told_in_order_of_types_and_by_call(void **state)
{
	(void)state;
	assert_int_equal(child_run(tell, NULL, output, sizeof(output)), 0);
	assert_string_equal(plain(output), "flagstone: leak: irq 5 (a name that is longer than there is , " EVENT "\n"
					   "  #0 0x30\n"
					   "flagstone: leak: workqueue first, " EVENT ", the first of 2\n"
					   "  #0 0x30\n"
					   "flagstone: leak: workqueue again, " EVENT "\n"
					   "  #0 0x40\n"
					   "flagstone: leak: mempool, a reserve of 9 elements, " EVENT "\n"
					   "  #0 0x30\n"
					   "flagstone: Created: workqueue, " EVENT "\n"
					   "  #0 0x30\n");
}

static void stacks_begin_at_the_caller(void **state)
{
	(void)state;
	assert_int_equal(child_run(tell, output, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "  #0 0x30\n  #1 0x40\n  #2 0x50\nflagstone: leak: workqueue again"));
}

static unsigned int nr_visited;

static void end_it(const void *object, const void *extra)
{
	assert_null(extra);
	nr_visited++;
	resource_ended(RESOURCE_GEN_POOL, object);
}

static void a_visit_may_end_them(void **state)
{
	(void)state;
	nr_visited = 0;
	for (unsigned int i = 0; i < 10; i++)
		made(i % 2 ? RESOURCE_GEN_POOL : RESOURCE_CACHE, &objects[i], 0, NULL, 0x30);
	resources_for_each(RESOURCE_GEN_POOL, end_it);
	assert_int_equal(nr_visited, 5);
	assert_int_equal(resources_report(RESOURCE_GEN_POOL), 0);
	assert_int_equal(resources_report(RESOURCE_CACHE), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_has_not_ended_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(who_made_it_for_itself_is_not_recorded, begin, end),
		cmocka_unit_test_setup_teardown(they_are_told_in_order_of_types_and_by_call, begin, end),
		cmocka_unit_test_setup_teardown(stacks_begin_at_the_caller, begin, end),
		cmocka_unit_test_setup_teardown(a_visit_may_end_them, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
