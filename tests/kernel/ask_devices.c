// SPDX-License-Identifier: MIT
/*
 * ask_devices.c: in what order does what belongs to a device go back?
 *
 * Keep: (disk7: .*)$
 * Keep: does not have a release.. function
 * Keep: (.NULL device ..: .*)$
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

/* As in ask_arithmetic.c. */
#define ask(expression) pr_info("%s: %lld\n", #expression, (long long)(expression))

static void say(void *data)
{
	pr_info("action %s\n", (const char *)data);
}

static void resource_release(struct device *dev, void *resource)
{
	pr_info("resource %d of %s\n", *(int *)resource, dev_name(dev));
}

static int resource_match(struct device *dev, void *resource, void *wanted)
{
	return *(int *)resource == *(int *)wanted;
}

static void device_release(struct device *dev)
{
	pr_info("device %s\n", dev_name(dev));
}

static void add_resource(struct device *dev, int number)
{
	int *resource = devres_alloc(resource_release, sizeof(int), GFP_KERNEL);

	ask(*resource);
	*resource = number;
	devres_add(dev, resource);
}

static volatile size_t most = SIZE_MAX; /* no constant */

static void ask_order(struct device *dev)
{
	static char one[] = "one", two[] = "two", three[] = "three";
	int wanted = 12;
	char *memory;

	ask(devm_add_action(dev, say, one));
	add_resource(dev, 11);
	ask(devm_add_action_or_reset(dev, say, two));
	add_resource(dev, 12);
	add_resource(dev, 13);
	ask(devm_add_action(dev, say, three));
	ask(devm_add_action(dev, say, two));
	devm_remove_action(dev, say, two);
	devm_release_action(dev, say, three);
	ask(*(int *)devres_find(dev, resource_release, NULL, NULL));
	ask(*(int *)devres_find(dev, resource_release, resource_match, &wanted));
	ask(devres_release(dev, resource_release, resource_match, &wanted));
	ask(devres_release(dev, resource_release, resource_match, &wanted));
	ask(devres_destroy(dev, resource_release, resource_match, &wanted));
	ask(devm_kmalloc(dev, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	memory = devm_kzalloc(dev, 100, GFP_KERNEL);
	ask(memchr_inv(memory, 0, 100) == NULL);
	devm_kfree(dev, memory);
	devm_kfree(dev, NULL);
	ask(devm_kcalloc(dev, most, 2, GFP_KERNEL) == NULL);
	pr_info("%s\n", devm_kstrdup(dev, "a copy", GFP_KERNEL));
	pr_info("%s\n", devm_kasprintf(dev, GFP_KERNEL, "%s-%d", "text", 7));
	ask(devm_kstrdup(dev, NULL, GFP_KERNEL) == NULL);
}

static struct device device = {.release = device_release}, unreleased = {.init_name = "broken"};

static int __init ask_init(void)
{
	device_initialize(&device);
	ask(dev_set_name(&device, "disk%d", 7));
	dev_set_drvdata(&device, &device);
	ask(dev_get_drvdata(&device) == &device);
	dev_info(&device, "ready, %d sectors\n", 5);
	dev_err(NULL, "nobody\n");
	ask_order(&device);
	ask(get_device(&device) == &device);
	ask(get_device(NULL) == NULL);
	put_device(&device);
	pr_info("last\n");
	put_device(&device);
	put_device(NULL);
	device_initialize(&unreleased);
	dev_set_name(&unreleased, "broken");
	put_device(&unreleased);
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("GPL"); /* some of what is asked is exported to such only */
MODULE_DESCRIPTION("Asks about devices");
