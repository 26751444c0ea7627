/*
 * test_other_build.c: a program with a root as a later version of flagstone might have it.
 *
 * Knows only what no version may change: the first two fields.
 */
#include <stdint.h>
#include <stdio.h>

extern const struct future_root {
	uint64_t magic;
	uint32_t version;
	uint32_t size;
	char more[4096];
} flagstone_root;

__attribute__((visibility("default"))) const struct future_root flagstone_root = {
	.magic = 0x656e6f7473676c66, .version = 999, .size = sizeof(struct future_root)};

int main(void)
{
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
