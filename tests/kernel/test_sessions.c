/*
 * test_sessions.c: loads the session table, uses it, unloads it; nothing of it is left.
 *
 * Broken if this fails: kernel code does not build on the public headers, or loses memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <flagstone/stats.h>
#include <linux/gfp.h>

#include "sessions.h"

#define NR_SESSIONS 5000

static struct flagstone_stats before = {.version = FLAGSTONE_STATS_VERSION};
static struct flagstone_stats after = {.version = FLAGSTONE_STATS_VERSION};

static void sessions_keep_their_logs(void **state)
{
	char line[64], log[64 * 20];

	(void)state;
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int id = 0; id < NR_SESSIONS; id++) {
			if (round == 0)
				assert_int_equal(session_open(id * 7, GFP_KERNEL), 0);
			memset(line, (int)(id + round), sizeof(line));
			assert_int_equal(session_log(id * 7, line, 1 + (id + round) % 64, GFP_ATOMIC), 0);
		}
	}
	assert_int_equal(session_open(7, GFP_KERNEL), -EEXIST);
	assert_int_equal(session_log(6, line, 1, GFP_KERNEL), -ENOENT);
	for (unsigned int id = 0; id < NR_SESSIONS; id++) {
		long length = session_read(id * 7, log, sizeof(log)), at = 0;

		for (unsigned int round = 0; round < 20; round++)
			for (unsigned int i = 0; i < 1 + (id + round) % 64; i++, at++)
				assert_int_equal((unsigned char)log[at], (id + round) % 256);
		assert_int_equal(length, at);
	}
}

static void half_are_closed_by_hand(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < NR_SESSIONS; id += 2)
		assert_int_equal(session_close(id * 7), 0);
	assert_int_equal(session_close(0), -ENOENT);
}

static int load(void **state)
{
	(void)state;
	flagstone_stats_get(&before);
	return sessions_init();
}

static int unload(void **state)
{
	(void)state;
	sessions_exit();
	flagstone_stats_get(&after);
	return after.live_objects != before.live_objects || after.block_bytes != before.block_bytes ||
	       after.nr_caches != before.nr_caches;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_keep_their_logs),
		cmocka_unit_test(half_are_closed_by_hand),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
