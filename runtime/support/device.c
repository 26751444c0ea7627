/*
 * device.c: devices, and what goes back with them.
 *
 * Calls kmalloc for resources, sched for the lock, printk. Refuses to know buses and drivers.
 */
#include <linux/bug.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/string.h>

/* What belongs to a device. The caller's part is aligned as any object of kmalloc's. */
struct resource_node {
	struct list_head entry; /* Synchronization: the device's devres_lock */
	dr_release_t release; /* Synchronization: const */
	size_t size;
	unsigned char data[] __aligned(16);
};

static struct resource_node *node_of(void *resource)
{
	return container_of(resource, struct resource_node, data);
}

/* ---- resources ---- */

static struct resource_node *node_alloc(dr_release_t release, size_t size, gfp_t gfp)
{
	size_t whole = size_add(sizeof(struct resource_node), size);
	struct resource_node *node = whole == SIZE_MAX ? NULL : kmalloc(whole, gfp);

	if (!node)
		return NULL;
	INIT_LIST_HEAD(&node->entry);
	node->release = release;
	node->size = size;
	return node;
}

void *devres_alloc(dr_release_t release, size_t size, gfp_t gfp)
{
	struct resource_node *node = node_alloc(release, size, gfp | __GFP_ZERO);

	return node ? node->data : NULL;
}

void devres_free(void *resource)
{
	if (!resource)
		return;
	WARN_ON(!list_empty(&node_of(resource)->entry));
	kfree(node_of(resource));
}

void devres_add(struct device *dev, void *resource)
{
	unsigned long flags;

	spin_lock_irqsave(&dev->devres_lock, flags);
	WARN_ON(!list_empty(&node_of(resource)->entry));
	list_add(&node_of(resource)->entry, &dev->devres_head);
	spin_unlock_irqrestore(&dev->devres_lock, flags);
}

static struct resource_node *__find(struct device *dev, dr_release_t release, dr_match_t match, void *match_data)
{
	struct resource_node *node;

	list_for_each_entry(node, &dev->devres_head, entry)
		if (node->release == release && (!match || match(dev, node->data, match_data)))
			return node;
	return NULL;
}

void *devres_find(struct device *dev, dr_release_t release, dr_match_t match, void *match_data)
{
	struct resource_node *node;
	unsigned long flags;

	spin_lock_irqsave(&dev->devres_lock, flags);
	node = __find(dev, release, match, match_data);
	spin_unlock_irqrestore(&dev->devres_lock, flags);
	return node ? node->data : NULL;
}

void *devres_remove(struct device *dev, dr_release_t release, dr_match_t match, void *match_data)
{
	struct resource_node *node;
	unsigned long flags;

	spin_lock_irqsave(&dev->devres_lock, flags);
	node = __find(dev, release, match, match_data);
	if (node)
		list_del_init(&node->entry);
	spin_unlock_irqrestore(&dev->devres_lock, flags);
	return node ? node->data : NULL;
}

int devres_destroy(struct device *dev, dr_release_t release, dr_match_t match, void *match_data)
{
	void *resource = devres_remove(dev, release, match, match_data);

	devres_free(resource);
	return resource ? 0 : -ENOENT;
}

int devres_release(struct device *dev, dr_release_t release, dr_match_t match, void *match_data)
{
	void *resource = devres_remove(dev, release, match, match_data);

	if (!resource)
		return -ENOENT;
	release(dev, resource);
	devres_free(resource);
	return 0;
}

/* The newest; none. */
static struct resource_node *take_newest(struct device *dev)
{
	struct resource_node *node;
	unsigned long flags;

	spin_lock_irqsave(&dev->devres_lock, flags);
	node = list_first_entry_or_null(&dev->devres_head, struct resource_node, entry);
	if (node)
		list_del_init(&node->entry);
	spin_unlock_irqrestore(&dev->devres_lock, flags);
	return node;
}

static void release_all(struct device *dev)
{
	struct resource_node *node;

	while ((node = take_newest(dev))) {
		node->release(dev, node->data);
		kfree(node);
	}
}

/* ---- memory ---- */

static void memory_release(struct device *dev, void *resource)
{
	(void)dev;
	(void)resource;
}

static int memory_match(struct device *dev, void *resource, void *memory)
{
	(void)dev;
	return resource == memory;
}

void *devm_kmalloc(struct device *dev, size_t size, gfp_t gfp)
{
	struct resource_node *node;

	if (!size)
		return ZERO_SIZE_PTR;
	node = node_alloc(memory_release, size, gfp);
	if (!node)
		return NULL;
	devres_add(dev, node->data);
	return node->data;
}

void devm_kfree(struct device *dev, const void *memory)
{
	if (!ZERO_OR_NULL_PTR(memory))
		WARN_ON(devres_destroy(dev, memory_release, memory_match, (void *)memory));
}

void *devm_kmemdup(struct device *dev, const void *from, size_t length, gfp_t gfp)
{
	void *copy = devm_kmalloc(dev, length, gfp);

	return ZERO_OR_NULL_PTR(copy) ? copy : memcpy(copy, from, length);
}

char *devm_kstrdup(struct device *dev, const char *text, gfp_t gfp)
{
	return text ? devm_kmemdup(dev, text, strlen(text) + 1, gfp) : NULL;
}

char *devm_kasprintf(struct device *dev, gfp_t gfp, const char *format, ...)
{
	va_list args;
	size_t length;
	char *text;

	va_start(args, format);
	length = (size_t)vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = devm_kmalloc(dev, length + 1, gfp);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, length + 1, format, args);
	va_end(args);
	return text;
}

/* ---- functions ---- */

struct action {
	void (*function)(void *data);
	void *data;
};

static void action_release(struct device *dev, void *resource)
{
	struct action *action = resource;

	(void)dev;
	action->function(action->data);
}

static int action_match(struct device *dev, void *resource, void *wanted)
{
	const struct action *a = resource, *b = wanted;

	(void)dev;
	return a->function == b->function && a->data == b->data;
}

int devm_add_action(struct device *dev, void (*function)(void *data), void *data)
{
	struct action *action = devres_alloc(action_release, sizeof(*action), GFP_KERNEL);

	if (!action)
		return -ENOMEM;
	*action = (struct action){function, data};
	devres_add(dev, action);
	return 0;
}

void devm_remove_action(struct device *dev, void (*function)(void *data), void *data)
{
	struct action wanted = {function, data};

	WARN_ON(devres_destroy(dev, action_release, action_match, &wanted));
}

void devm_release_action(struct device *dev, void (*function)(void *data), void *data)
{
	struct action wanted = {function, data};

	WARN_ON(devres_release(dev, action_release, action_match, &wanted));
}

/* ---- devices ---- */

void device_initialize(struct device *dev)
{
	kref_init(&dev->kref);
	spin_lock_init(&dev->devres_lock);
	INIT_LIST_HEAD(&dev->devres_head);
}

struct device *get_device(struct device *dev)
{
	if (dev)
		kref_get(&dev->kref);
	return dev;
}

/* The name goes last: release() may print it. Where the device itself lies in memory that it frees, only what was read before is used. */
static void device_release(struct kref *kref)
{
	struct device *dev = container_of(kref, struct device, kref);
	const char *name = dev->name;

	release_all(dev);
	if (dev->release)
		dev->release(dev);
	else
		WARN(1, "Device '%s' does not have a release() function, it is broken and must be fixed.\n",
			dev_name(dev));
	kfree_const(name);
}

void put_device(struct device *dev)
{
	if (dev)
		kref_put(&dev->kref, device_release);
}

int dev_set_name(struct device *dev, const char *format, ...)
{
	const char *old = dev->name, *name;
	va_list args;

	va_start(args, format);
	name = kvasprintf_const(GFP_KERNEL, format, args);
	va_end(args);
	if (!name)
		return -ENOMEM;
	dev->name = name;
	kfree_const(old);
	return 0;
}

void flagstone_dev_printk(const char *level, const struct device *dev, const char *format, ...)
{
	struct va_format message = {.fmt = format};
	va_list args;

	va_start(args, format);
	message.va = &args;
	if (dev)
		printk("%s %s: %pV", level, dev_name(dev), &message);
	else
		printk("%s(NULL device *): %pV", level, &message);
	va_end(args);
}
