/*
 * linux/pfn.h: page frame numbers and physical addresses. Any context.
 */
#ifndef FLAGSTONE_LINUX_PFN_H
#define FLAGSTONE_LINUX_PFN_H

#include <linux/mm.h>
#include <linux/types.h>

/* The frame at or above an address, at or below it; the address of a frame. */
#define PFN_UP(address) (((address) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(address) ((address) >> PAGE_SHIFT)
#define PFN_PHYS(pfn) ((phys_addr_t)(pfn) << PAGE_SHIFT)

#endif
