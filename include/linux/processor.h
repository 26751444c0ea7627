/*
 * linux/processor.h: what a loop that waits for another CPU does meanwhile.
 *
 * Semantics: Linux, Documentation/process/volatile-considered-harmful.rst. Any context.
 */
#ifndef FLAGSTONE_LINUX_PROCESSOR_H
#define FLAGSTONE_LINUX_PROCESSOR_H

#include <asm/processor.h>

#endif
