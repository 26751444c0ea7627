/*
 * linux/version.h: which kernel's API this is.
 *
 * Semantics: Linux 6.1, which the answers in tests/kernel are of. What came later is there, too, where it takes no other name's place.
 */
#ifndef FLAGSTONE_LINUX_VERSION_H
#define FLAGSTONE_LINUX_VERSION_H

#define KERNEL_VERSION(major, minor, patch) (((major) << 16) + ((minor) << 8) + ((patch) > 255 ? 255 : (patch)))
#define LINUX_VERSION_MAJOR 6
#define LINUX_VERSION_PATCHLEVEL 1
#define LINUX_VERSION_SUBLEVEL 0
#define LINUX_VERSION_CODE KERNEL_VERSION(LINUX_VERSION_MAJOR, LINUX_VERSION_PATCHLEVEL, LINUX_VERSION_SUBLEVEL)

#endif
