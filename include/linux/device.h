/*
 * linux/device.h: a device, as far as what is given back with it.
 *
 * Semantics: Linux, Documentation/driver-api/driver-model/devres.rst and device.rst. What a driver gets by devm_ functions belongs to the
 * device, and goes back when the device's last reference is put, the newest first. There are no buses, drivers and probes: a device is
 * made by device_initialize().
 */
#ifndef FLAGSTONE_LINUX_DEVICE_H
#define FLAGSTONE_LINUX_DEVICE_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct device {
	struct device *parent; /* held by a reference of the caller's, if at all */
	const char *init_name; /* dev_name() until dev_set_name() */
	void *platform_data, *driver_data;
	void (*release)(struct device *dev); /* frees the device; what belongs to it is gone then */
	struct kref kref;
	const char *name; /* Synchronization: the caller's */
	spinlock_t devres_lock;
	struct list_head devres_head; /* the newest first. Synchronization: devres_lock */
};

/* One reference, the caller's. The device is all zeros before, but for parent, init_name, platform_data, release. Any context. */
void device_initialize(struct device *dev);
/* One reference more; NULL is a no-op. Returns the device. Any context. */
struct device *get_device(struct device *dev);
/* One less; NULL is a no-op. The last: what belongs to the device goes back, then release() is called; none: a warning. Context: as what belongs to it. */
void put_device(struct device *dev);
/* 0 or -ENOMEM. Context: task, may sleep. */
int dev_set_name(struct device *dev, const char *format, ...) __printf(2, 3);

static inline const char *dev_name(const struct device *dev)
{
	return dev->name ? dev->name : dev->init_name;
}

static inline void *dev_get_drvdata(const struct device *dev)
{
	return dev->driver_data;
}

static inline void dev_set_drvdata(struct device *dev, void *data)
{
	dev->driver_data = data;
}

static inline void *dev_get_platdata(const struct device *dev)
{
	return dev->platform_data;
}

/* Messages that begin with a blank, for there is no driver to name, the device's name and ": ". Context: any. */
#ifndef dev_fmt
#define dev_fmt(fmt) fmt
#endif
void flagstone_dev_printk(const char *level, const struct device *dev, const char *format, ...) __printf(3, 4);
#define dev_printk(level, dev, fmt, ...) flagstone_dev_printk(level, dev, fmt, ##__VA_ARGS__)
#define dev_emerg(dev, fmt, ...) flagstone_dev_printk(KERN_EMERG, dev, dev_fmt(fmt), ##__VA_ARGS__)
#define dev_alert(dev, fmt, ...) flagstone_dev_printk(KERN_ALERT, dev, dev_fmt(fmt), ##__VA_ARGS__)
#define dev_crit(dev, fmt, ...) flagstone_dev_printk(KERN_CRIT, dev, dev_fmt(fmt), ##__VA_ARGS__)
#define dev_err(dev, fmt, ...) flagstone_dev_printk(KERN_ERR, dev, dev_fmt(fmt), ##__VA_ARGS__)
#define dev_warn(dev, fmt, ...) flagstone_dev_printk(KERN_WARNING, dev, dev_fmt(fmt), ##__VA_ARGS__)
#define dev_notice(dev, fmt, ...) flagstone_dev_printk(KERN_NOTICE, dev, dev_fmt(fmt), ##__VA_ARGS__)
#define dev_info(dev, fmt, ...) flagstone_dev_printk(KERN_INFO, dev, dev_fmt(fmt), ##__VA_ARGS__)
#ifdef DEBUG
#define dev_dbg(dev, fmt, ...) flagstone_dev_printk(KERN_DEBUG, dev, dev_fmt(fmt), ##__VA_ARGS__)
#else
#define dev_dbg(dev, fmt, ...)                                                              \
	do {                                                                                \
		if (0)                                                                      \
			flagstone_dev_printk(KERN_DEBUG, dev, dev_fmt(fmt), ##__VA_ARGS__); \
	} while (0)
#endif

/* ---- resources: memory of any kind, with a function that is called before it is freed ---- */

typedef void (*dr_release_t)(struct device *dev, void *resource);
typedef int (*dr_match_t)(struct device *dev, void *resource, void *match_data);

/* One of that size, cleared, that belongs to no device yet; NULL when memory is out. devres_free(): which still belongs to none; NULL is a
 * no-op. Context: by gfp; any. */
void *devres_alloc(dr_release_t release, size_t size, gfp_t gfp) __attribute__((malloc));
void devres_free(void *resource);
/* From now on it belongs to the device. Any context. */
void devres_add(struct device *dev, void *resource);
/* The newest one with that release function, for which match() is not 0; match NULL: any. NULL: there is none. */
void *devres_find(struct device *dev, dr_release_t release, dr_match_t match, void *match_data);
/* The same, which then belongs to the device no more. */
void *devres_remove(struct device *dev, dr_release_t release, dr_match_t match, void *match_data);
/* The same, which is then freed; _release: after its function was called. 0 or -ENOENT. */
int devres_destroy(struct device *dev, dr_release_t release, dr_match_t match, void *match_data);
int devres_release(struct device *dev, dr_release_t release, dr_match_t match, void *match_data);

/* ---- memory ---- */

/* As kmalloc() and its kin; freed with the device, or before it by devm_kfree(), which warns of what is none of the device's. */
void *devm_kmalloc(struct device *dev, size_t size, gfp_t gfp) __attribute__((malloc, alloc_size(2)));
static inline void *devm_kzalloc(struct device *dev, size_t size, gfp_t gfp)
{
	return devm_kmalloc(dev, size, gfp | __GFP_ZERO);
}

static inline void *devm_kmalloc_array(struct device *dev, size_t n, size_t size, gfp_t gfp)
{
	return devm_kmalloc(dev, array_size(n, size), gfp);
}

static inline void *devm_kcalloc(struct device *dev, size_t n, size_t size, gfp_t gfp)
{
	return devm_kmalloc_array(dev, n, size, gfp | __GFP_ZERO);
}

void devm_kfree(struct device *dev, const void *memory);
void *devm_kmemdup(struct device *dev, const void *from, size_t length, gfp_t gfp);
char *devm_kstrdup(struct device *dev, const char *text, gfp_t gfp);
char *devm_kasprintf(struct device *dev, gfp_t gfp, const char *format, ...) __printf(3, 4);

/* ---- functions ---- */

/* action(data) is called with the device's end. 0, or -ENOMEM; _or_reset: and then it has been called. Context: task, may sleep. */
int __must_check devm_add_action(struct device *dev, void (*action)(void *data), void *data);
static inline int __must_check devm_add_action_or_reset(struct device *dev, void (*action)(void *data), void *data)
{
	int error = devm_add_action(dev, action, data);

	if (error)
		action(data);
	return error;
}

/* The newest such one is not called any more; _release_: is called now. A warning if there is none. */
void devm_remove_action(struct device *dev, void (*action)(void *data), void *data);
void devm_release_action(struct device *dev, void (*action)(void *data), void *data);

#ifdef __cplusplus
}
#endif

#endif
