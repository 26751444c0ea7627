/*
 * linux/spinlock_types.h: the types of spinlocks; they come with the functions.
 */
#ifndef FLAGSTONE_LINUX_SPINLOCK_TYPES_H
#define FLAGSTONE_LINUX_SPINLOCK_TYPES_H

#include <linux/spinlock.h>

#endif
