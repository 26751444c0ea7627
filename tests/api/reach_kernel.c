/*
 * reach_kernel.c: what kernel code has by <linux/kernel.h> and <linux/slab.h> alone, and without the C library's extensions.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include "reach.h"

int reach_kernel(void)
{
	char text[16], *end = strchrnul("abc", 'b');
	int number = 0;
	size_t bytes = struct_size((struct reached *)NULL, words, 3);

	strscpy(text, " 12 ", sizeof(text));
	if (kstrtoint(strim(text), 0, &number) || number != 12 || *end != 'b')
		return -EINVAL;
	snprintf(text, sizeof(text), "%pe", (void *)(long)-ENOTSUPP);
	return bytes == 16 && !strcmp(text, "-ENOTSUPP") && hweight32(7) == 3 && clamp(9, 1, 5) == 5 ? 0 : -ERANGE;
}
