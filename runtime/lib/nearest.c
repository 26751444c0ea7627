/*
 * nearest.c: suggests what a wrong word may have been meant as. Calls nothing.
 */
#include "runtime/lib/nearest.h"

#include <string.h>

#include "runtime/config.h"

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * Three rows of the table in which the distance of a[0, i) and b[0, j) is the least of what a step to it costs from shorter
 * ones: above of the row before, and for two swapped letters of the one before that.
 */
static unsigned int distance_of(const char *a, const char *b)
{
	unsigned int rows[3][NEAREST_BYTES], *row = rows[0], *above = rows[1], *before = rows[2], *reused;
	size_t length = strnlen(b, NEAREST_BYTES - 1);

	for (unsigned int j = 0; j <= length; j++)
		row[j] = j;
	for (unsigned int i = 0; a[i] && i < NEAREST_BYTES - 1; i++) {
		reused = before;
		before = above;
		above = row;
		row = reused;
		row[0] = i + 1;
		for (unsigned int j = 0; j < length; j++) {
			row[j + 1] = least(least(row[j], above[j + 1]) + 1, above[j] + (a[i] != b[j]));
			if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j])
				row[j + 1] = least(row[j + 1], before[j - 1] + 1);
		}
	}
	return row[length];
}

static unsigned int allowed_for(size_t length)
{
	if (length <= 3)
		return 1;
	return length < 9 ? 2 : (unsigned int)length / 3;
}

static bool begins(const char *start, const char *word)
{
	size_t length = strlen(start);

	return length && !strncmp(start, word, length);
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t length = strnlen(nearest->word, NEAREST_BYTES - 1);
	unsigned int distance = distance_of(nearest->word, candidate);
	bool near = distance <= allowed_for(length) && distance < length;

	if (!near && !begins(nearest->word, candidate) && !begins(candidate, nearest->word))
		return;
	if (nearest->best && distance >= nearest->distance)
		return;
	nearest->best = candidate;
	nearest->distance = distance;
}
