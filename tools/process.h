/*
 * process.h: another process, as the tools see it: its memory, and where a symbol lies in it.
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
/* The process's name, or "?". What is not printable ASCII is '?' in it, as in process_command(). */
void process_name(int pid, char *name, size_t size);
/* The words that it was started with, the first without its directory; its name if there are none. */
void process_command(int pid, char *command, size_t size);

/* What changes when a pid is another process's, and when a process executes another program. */
struct process_identity {
	uint64_t start_time; /* in clock ticks since boot */
	uint64_t code; /* addresses; the kernel tells them only to those who may read the process */
	uint64_t stack;
};
/* False: no such process, or one without memory: it has ended, or belongs to the kernel. */
bool process_identify(int pid, struct process_identity *identity);

#endif
