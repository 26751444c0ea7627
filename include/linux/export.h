/*
 * linux/export.h: functions for other modules. All modules are of one program: whatever is not static is exported.
 */
#ifndef FLAGSTONE_LINUX_EXPORT_H
#define FLAGSTONE_LINUX_EXPORT_H

#define EXPORT_SYMBOL(name) extern __typeof__(name) name
#define EXPORT_SYMBOL_GPL(name) extern __typeof__(name) name

#endif
