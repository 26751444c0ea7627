/*
 * reach_module.c: what a module has by <linux/module.h> alone.
 */
#include <linux/module.h>
#include "reach.h"

static int reached_number = 4;
module_param(reached_number, int, 0444);

int reach_module(void)
{
	struct list_head list = LIST_HEAD_INIT(list);
	char *text = kasprintf(GFP_KERNEL, "%d", reached_number);
	int error = !text || strcmp(text, "4") || !list_empty(&list) ? -EINVAL : 0;

	WARN_ON(IS_ENABLED(CONFIG_NOT_THERE));
	kfree(text);
	return error;
}
