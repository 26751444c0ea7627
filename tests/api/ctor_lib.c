/*
 * ctor_lib.c: see ctor_lib.h. Its constructor may run before the allocator's own, its destructor after.
 *
 * Calls malloc, free, atexit; refuses to know who answers them. Says on stderr with write(), and aborts, when a block
 * is not as it was left.
 */
#include "tests/api/ctor_lib.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

unsigned char *early_blocks[NR_EARLY];
int constructor_ran;

static unsigned char *late_block; /* allocated by the first call of finish(), freed by the second */

static void require_late(int condition)
{
	static const char text[] = "FAIL: ctor_lib: a block was lost or changed between constructor and destructor\n";

	if (condition)
		return;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	abort();
}

static void allocate_and_free(void)
{
	void *blocks[64];

	for (size_t i = 0; i < 64; i++) {
		blocks[i] = malloc(i * i * i + 1);
		require_late(blocks[i] != NULL);
		memset(blocks[i], (int)i, i * i * i + 1);
	}
	for (size_t i = 0; i < 64; i++)
		free(blocks[i]);
}

/* Runs twice at the end, as atexit handler and as destructor, in whichever order libc likes. */
static void finish(void)
{
	static const char text[] = "ctor_lib: end\n";

	allocate_and_free();
	if (!late_block) {
		late_block = malloc(5000);
		require_late(late_block != NULL);
		memset(late_block, 0x77, 5000);
		return;
	}
	require_late(late_block[0] == 0x77 && late_block[4999] == 0x77);
	free(late_block);
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
}

static void __attribute__((constructor)) at_start(void)
{
	for (size_t i = 0; i < NR_EARLY; i++) {
		early_blocks[i] = malloc(early_size(i));
		require_late(early_blocks[i] != NULL);
		memset(early_blocks[i], (int)i, early_size(i));
	}
	allocate_and_free();
	atexit(finish);
	constructor_ran = 1;
}

static void __attribute__((destructor)) at_end(void)
{
	finish();
}
