/*
 * test_limits.c: which files tell of scarce memory, and what they must say, below a root directory of the test's own.
 *
 * Links with the reclaim room and those below only.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/config.h"
#include "runtime/reclaim/limits.h"

#define V1 "/sys/fs/cgroup/memory"
#define V2 "/sys/fs/cgroup"
#define NO_V1_LIMIT "9223372036854771712\n"

static char root[64];

/* Writes a file below root, and the folders that it lies in. */
static void put(const char *path, const char *text)
{
	char full[4096];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		mkdir(full, 0755);
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static bool scarce(void)
{
	struct limits limits;

	limits_find(&limits, root);
	return limits_scarce(&limits);
}

static void assert_path(const char *path, const char *expected)
{
	if (*expected)
		assert_int_equal(strncmp(path, root, strlen(root)), 0);
	assert_string_equal(*path ? path + strlen(root) : path, expected);
}

static int root_make(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_limits.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int root_remove(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- version 1 ---- */

static void put_v1(const char *cgroup, const char *usage, const char *limit)
{
	char path[512];

	snprintf(path, sizeof(path), V1 "%s/memory.usage_in_bytes", cgroup);
	put(path, usage);
	snprintf(path, sizeof(path), V1 "%s/memory.limit_in_bytes", cgroup);
	put(path, limit);
}

static void version_1_is_found_among_other_controllers(void **state)
{
	struct limits limits;

	(void)state;
	put("/proc/self/cgroup", "9:name=systemd:/s\n8:cpuset,memory2:/wrong\n4:cpu,memory:/a/b\n0::/unified\n");
	put_v1("/a/b", "1000\n", "2000\n");
	put_v1("", "1\n", "1\n");
	limits_find(&limits, root);
	assert_path(limits.level[0].usage, V1 "/a/b/memory.usage_in_bytes");
	assert_path(limits.level[0].max, V1 "/a/b/memory.limit_in_bytes");
	assert_path(limits.level[0].high, "");
	assert_path(limits.pressure, "/proc/pressure/memory");
}

static void a_container_sees_its_own_cgroup_as_the_root(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "4:memory:/docker/0123\n");
	put_v1("", "999\n", "1000\n");
	assert_true(scarce());
	put("/proc/self/cgroup", "4:memory:/\n");
	assert_true(scarce());
	put_v1("", "1000\n", "2000\n");
	assert_false(scarce());
}

static void from_fifteen_sixteenths_on_a_limit_is_near(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "4:memory:/a\n");
	put_v1("/a", "1499\n", "1600\n");
	assert_false(scarce());
	put_v1("/a", "1500\n", "1600\n");
	assert_true(scarce());
	put_v1("/a", "99999\n", "1600\n");
	assert_true(scarce());
	put_v1("/a", "17179869184\n", "17179869184\n");
	assert_true(scarce());
	put_v1("/a", "17179869184\n", NO_V1_LIMIT);
	assert_false(scarce());
}

static void cached_files_are_not_counted(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "4:memory:/a\n");
	put_v1("/a", "1600\n", "1600\n");
	/* The cgroup's own numbers first, then those with the cgroups below it. */
	put(V1 "/a/memory.stat", "cache 1\ninactive_file 0\nactive_file 0\n"
				 "total_cache 1\ntotal_inactive_file 60\ntotal_active_file 41\n");
	assert_false(scarce());
	put(V1 "/a/memory.stat", "cache 1\ninactive_file 700\nactive_file 700\n"
				 "total_cache 1\ntotal_inactive_file 60\ntotal_active_file 40\n");
	assert_true(scarce());
	put(V1 "/a/memory.stat", "");
	assert_true(scarce());
}

/* ---- version 2 ---- */

static void put_v2(const char *cgroup, const char *current, const char *high, const char *max)
{
	static const char *const names[] = {"current", "high", "max"};
	const char *const texts[] = {current, high, max};
	char path[512];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), V2 "%s/memory.%s", cgroup, names[i]);
		put(path, texts[i]);
	}
}

static void version_2_has_two_limits(void **state)
{
	struct limits limits;

	(void)state;
	put("/proc/self/cgroup", "0::/user.slice/app.scope\n");
	put_v2("/user.slice/app.scope", "1000\n", "max\n", "max\n");
	put(V2 "/user.slice/app.scope/memory.stat", "");
	limits_find(&limits, root);
	assert_path(limits.level[0].usage, V2 "/user.slice/app.scope/memory.current");
	assert_false(limits_scarce(&limits));
	put_v2("/user.slice/app.scope", "1000\n", "1000\n", "max\n");
	assert_true(limits_scarce(&limits));
	put_v2("/user.slice/app.scope", "0\n", "0\n", "max\n");
	assert_true(limits_scarce(&limits));
	put_v2("/user.slice/app.scope", "1000\n", "max\n", "1000\n");
	assert_true(limits_scarce(&limits));
	put(V2 "/user.slice/app.scope/memory.stat", "anon 899\nfile 101\ninactive_file 50\nactive_file 51\n");
	assert_false(limits_scarce(&limits));
}

static void the_cgroups_around_ones_own_count(void **state)
{
	struct limits limits;

	(void)state;
	put("/proc/self/cgroup", "0::/pod.slice/box/inner\n");
	put_v2("/pod.slice/box/inner", "1000\n", "max\n", "max\n");
	put_v2("/pod.slice", "9000\n", "max\n", "20000\n");
	limits_find(&limits, root);
	assert_int_equal(limits.nr_levels, 2);
	assert_path(limits.level[1].usage, V2 "/pod.slice/memory.current");
	assert_false(limits_scarce(&limits));
	put_v2("/pod.slice", "19000\n", "max\n", "20000\n");
	assert_true(limits_scarce(&limits));
}

static void a_namespace_root_of_version_2_is_found(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/../../outside\n");
	put_v2("", "999\n", "max\n", "1000\n");
	assert_true(scarce());
	put("/proc/self/cgroup", "0::/\n");
	assert_true(scarce());
}

/* The memory controller may be version 1's although a version 2 hierarchy is there. */
static void version_2_without_memory_tells_nothing(void **state)
{
	struct limits limits;

	(void)state;
	put("/proc/self/cgroup", "1:name=systemd:/\n0::/\n");
	limits_find(&limits, root);
	assert_path(limits.level[0].usage, "");
	assert_path(limits.level[0].max, "");
	assert_false(limits_scarce(&limits));
}

/* ---- pressure ---- */

static void stalls_from_ten_percent_on_are_scarcity(void **state)
{
	(void)state;
	assert_false(scarce());
	put("/proc/pressure/memory", "some avg10=9.99 avg60=90.00 avg300=90.00 total=1\nfull avg10=99.00\n");
	assert_false(scarce());
	put("/proc/pressure/memory", "some avg10=10.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00\n");
	assert_true(scarce());
	put("/proc/pressure/memory", "full avg10=99.00\n");
	assert_false(scarce());
}

static void the_cgroups_own_pressure_goes_before_the_machines(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/a\n");
	put_v2("/a", "1\n", "max\n", "max\n");
	put("/proc/pressure/memory", "some avg10=50.00 avg60=0.00\n");
	assert_true(scarce());
	put(V2 "/a/memory.pressure", "some avg10=0.00 avg60=0.00\n");
	assert_false(scarce());
	put(V2 "/a/memory.pressure", "some avg10=100.00 avg60=0.00\n");
	assert_true(scarce());
}

/* ---- what makes no sense is no limit ---- */

static void nonsense_is_no_limit(void **state)
{
	static const char *const cgroups[] = {
		"", "\n", "memory", "4:memory", "4:memory:", "::", "0::", "4:memory:/a", ":::::\n:memory:\n"};
	static const char *const numbers[] = {"", "\n", "-1\n", "x\n", "max"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		put("/proc/self/cgroup", cgroups[i]);
		assert_false(scarce());
	}
	put("/proc/self/cgroup", "4:memory:/a\n");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		put_v1("/a", "1000\n", numbers[i]);
		assert_false(scarce());
		put_v1("/a", numbers[i], "1000\n");
		assert_false(scarce());
	}
	put_v1("/a", "1000\n", "1000\n");
	assert_true(scarce());
}

static void unreadable_files_are_no_limit(void **state)
{
	char path[200];

	(void)state;
	put("/proc/self/cgroup", "4:memory:/a\n");
	put_v1("/a", "1000\n", "1000\n");
	assert_true(scarce());
	snprintf(path, sizeof(path), "%s" V1 "/a/memory.limit_in_bytes", root);
	assert_int_equal(unlink(path), 0);
	assert_false(scarce());
	assert_int_equal(mkdir(path, 0755), 0); /* opens, but cannot be read */
	assert_false(scarce());
}

/* Longer than what a path may be here, and than what is read of the list of cgroups. */
static void long_paths_are_cut_off_without_harm(void **state)
{
	static char text[12000], name[5000];

	(void)state;
	for (size_t length = 300; length < sizeof(name); length += 37) {
		memset(name, 'a', length);
		for (size_t at = 99; at < length; at += 100)
			name[at] = '/';
		name[length] = '\0';
		snprintf(text, sizeof(text), "4:memory:/%s\n", name);
		put("/proc/self/cgroup", text);
		assert_false(scarce());
		snprintf(text, sizeof(text), "5:cpu:/%s\n4:memory:/a\n", name);
		put("/proc/self/cgroup", text);
		assert_false(scarce());
	}
	put_v1("/a", "1000\n", "1000\n");
	snprintf(text, sizeof(text), "5:cpu:/%.3000s\n4:memory:/a\n", name);
	put("/proc/self/cgroup", text);
	assert_true(scarce());
}

#define unit(test) cmocka_unit_test_setup_teardown(test, root_make, root_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(version_1_is_found_among_other_controllers),
		unit(a_container_sees_its_own_cgroup_as_the_root),
		unit(from_fifteen_sixteenths_on_a_limit_is_near),
		unit(cached_files_are_not_counted),
		unit(version_2_has_two_limits),
		unit(the_cgroups_around_ones_own_count),
		unit(a_namespace_root_of_version_2_is_found),
		unit(version_2_without_memory_tells_nothing),
		unit(stalls_from_ten_percent_on_are_scarcity),
		unit(the_cgroups_own_pressure_goes_before_the_machines),
		unit(nonsense_is_no_limit),
		unit(unreadable_files_are_no_limit),
		unit(long_paths_are_cut_off_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
