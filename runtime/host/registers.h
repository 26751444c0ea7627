/*
 * registers.h: where a thread was when a signal interrupted it.
 */
#ifndef RUNTIME_HOST_REGISTERS_H
#define RUNTIME_HOST_REGISTERS_H

#include <stdint.h>
#include <ucontext.h>

struct host_registers {
	uintptr_t instruction, frame, stack;
};

#if defined(__x86_64__)
static inline struct host_registers host_registers_of(const ucontext_t *context)
{
	const greg_t *registers = context->uc_mcontext.gregs;

	return (struct host_registers){
		(uintptr_t)registers[REG_RIP], (uintptr_t)registers[REG_RBP], (uintptr_t)registers[REG_RSP]};
}
#elif defined(__aarch64__)
static inline struct host_registers host_registers_of(const ucontext_t *context)
{
	const mcontext_t *machine = &context->uc_mcontext;

	return (struct host_registers){machine->pc, machine->regs[29], machine->sp};
}
#endif

#endif
