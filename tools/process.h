/*
 * process.h: another process, as flagstone-stat sees it: its memory, and where a symbol lies in it.
 */
#ifndef TOOLS_PROCESS_H
#define TOOLS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/lib/reader.h"

#define PROCESS_MAX_SYMBOLS 8

/* A reader of the memory of process pid, by process_vm_readv. */
struct reader process_reader(int pid);
/*
 * Addresses of a symbol in the process: in the dynamic symbols of each object that is mapped, then in the symbol table
 * of the executable. Returns how many there are, at most PROCESS_MAX_SYMBOLS, or -errno: -ENOENT or -ESRCH where there
 * is no such process, -EACCES or -EPERM where the kernel does not let us look, -ENOEXEC where it has no memory of its own.
 */
int process_find_symbol(const struct reader *reader, const char *name, uintptr_t *addresses);
/* Resident bytes; 0 if unknown. */
uint64_t process_resident_bytes(int pid);
/* The process's name, or "?". */
void process_name(int pid, char *name, size_t size);

#endif
