/*
 * magazine_ops.h: pop, push and install as rseq critical sections on x86-64, and the pair's compare-and-swap.
 *
 * Shape of a section: arm (store the descriptor's address to rseq_cs), then from label 71 to 72 the body whose last
 * instruction is the commit. If the kernel finds the thread between the two after a preemption, migration or signal, it
 * continues at 74, which starts over. Leaving the body early needs no disarming: the kernel ignores a descriptor that the
 * thread is not inside of. Nothing here touches memory that another CPU writes.
 */
#ifndef PERCPU_X86_64_MAGAZINE_OPS_H
#define PERCPU_X86_64_MAGAZINE_OPS_H

#include "percpu/inject.h"
#include "percpu/magazine.h"

#define RSEQ_SIGNATURE 0x53053053

#define OPS_STRING(x) #x
#define OPS_VALUE(x) OPS_STRING(x)

/* clang-format off */
#if FLAGSTONE_INJECT
#define INJECT(n)                                                          \
	"\tmov percpu_inject_delay+8*(" OPS_VALUE(n) ")(%%rip), %%rcx\n"   \
	"76:\tjrcxz 75f\n\tlea -1(%%rcx), %%rcx\n\tjmp 76b\n75:\n"
#else
#define INJECT(n)
#endif

#ifdef FLAGSTONE_UNARMED /* negative control of the preemption tests: never restarted */
#define OPS_ARM "70:\n71:\n"
#else
#define OPS_ARM "70:\tlea 77b(%%rip), %%rcx\n\tmov %%rcx, %%fs:8(%[rseq])\n71:\n"
#endif

#define OPS_BEGIN                                                          \
	".pushsection __rseq_cs, \"aw\"\n\t.balign 32\n"                   \
	"77:\t.long 0, 0\n\t.quad 71f, 72f - 71f, 74f\n\t.popsection\n"    \
	OPS_ARM
#define OPS_END                                                            \
	"72:\n\t.pushsection .text.unlikely, \"ax\"\n"                     \
	"\t.byte 0x0f, 0xb9, 0x3d\n\t.long " OPS_VALUE(RSEQ_SIGNATURE) "\n" \
	"74:\tjmp 70b\n\t.popsection\n"
/* clang-format on */

static inline char *thread_pointer(void)
{
	char *tp;

	__asm__("mov %%fs:0, %0" : "=r"(tp));
	return tp;
}

/*
 * area = anchor + AREAS + cpu * 4096; top = area[slot].top; object = top[-1]; if (!object) return NULL;
 * area[slot].top = top - 8; return object
 *
 * slot2 is twice the slot number, as class bytes hold it: the scale of 8 does the rest.
 */
static inline __attribute__((always_inline)) void *rseq_pop(unsigned long slot2)
{
	void *object;
	unsigned long area, top;

	/* clang-format off */
	__asm__ volatile goto(
		OPS_BEGIN
		INJECT(0) "\tmovslq %%fs:(%[cpu]), %[area]\n"
		INJECT(1) "\tshl $12, %[area]\n"
		INJECT(2) "\tadd %[anchor], %[area]\n"
		INJECT(3) "\tmov %c[areas](%[area],%[slot],8), %[top]\n"
		INJECT(4) "\tmov -8(%[anchor],%[top]), %[object]\n"
		INJECT(5) "\ttest %[object], %[object]\n"
		INJECT(6) "\tjz %l[empty]\n"
		INJECT(7) "\tsub $8, %[top]\n"
		INJECT(8) "\tmov %[top], %c[areas](%[area],%[slot],8)\n"
		OPS_END
		: [object] "=&a"(object), [area] "=&r"(area), [top] "=&r"(top)
		: [slot] "r"(slot2), [anchor] "r"(percpu_fast.anchor), [rseq] "r"(percpu_fast.rseq),
		  [cpu] "r"(percpu_fast.cpu), [areas] "i"(PERCPU_AREAS)
		: "rcx", "memory", "cc"
		: empty);
	/* clang-format on */
	if (!object)
		__builtin_unreachable(); /* the section has tested it: callers need not again */
	return object;
empty:
	return NULL;
}

/*
 * area = anchor + AREAS + cpu * 4096; top = area[slot].top; if (top % 1024 == 0) return false;
 * top[0] = object; area[slot].top = top + 8; return true
 */
static inline __attribute__((always_inline)) bool rseq_push(unsigned long slot2, void *object)
{
	unsigned long area, top;

	/* clang-format off */
	__asm__ volatile goto(
		OPS_BEGIN
		INJECT(10) "\tmovslq %%fs:(%[cpu]), %[area]\n"
		INJECT(11) "\tshl $12, %[area]\n"
		INJECT(12) "\tadd %[anchor], %[area]\n"
		INJECT(13) "\tmov %c[areas](%[area],%[slot],8), %[top]\n"
		INJECT(14) "\ttest $1023, %k[top]\n"
		INJECT(15) "\tjz %l[full]\n"
		INJECT(16) "\tmov %[object], (%[anchor],%[top])\n"
		INJECT(17) "\tadd $8, %[top]\n"
		INJECT(18) "\tmov %[top], %c[areas](%[area],%[slot],8)\n"
		OPS_END
		: [area] "=&r"(area), [top] "=&r"(top)
		: [object] "r"(object), [slot] "r"(slot2), [anchor] "r"(percpu_fast.anchor),
		  [rseq] "r"(percpu_fast.rseq), [cpu] "r"(percpu_fast.cpu), [areas] "i"(PERCPU_AREAS)
		: "rcx", "memory", "cc"
		: full);
	/* clang-format on */
	return true;
full:
	return false;
}

/*
 * if (cpu != want || pair->top != old.top || pair->spare != old.spare || *stopped) return false;
 * *pair = new (one 16-byte store); return true
 *
 * The pair is read before `stopped`. Pairs with victim_take(): who sees the pair as it left it sees the area stopped.
 */
static inline bool rseq_install(int want, struct magazine_pair *pair, const struct magazine_pair *old,
	const struct magazine_pair *new_pair, const uint32_t *stopped)
{
	/* clang-format off */
	__asm__ volatile goto(
		"\tmovaps %[new], %%xmm0\n"
		OPS_BEGIN
		INJECT(20) "\tcmp %[want], %%fs:(%[cpu])\n"
		INJECT(21) "\tjne %l[fail]\n"
		INJECT(22) "\tcmp %[top], (%[pair])\n"
		INJECT(23) "\tjne %l[fail]\n"
		INJECT(24) "\tcmp %[spare], 8(%[pair])\n"
		INJECT(25) "\tjne %l[fail]\n"
		INJECT(26) "\tcmpl $0, (%[stopped])\n"
		INJECT(27) "\tjne %l[fail]\n"
		INJECT(28) "\tmovaps %%xmm0, (%[pair])\n"
		OPS_END
		:
		: [want] "r"(want), [pair] "r"(pair), [top] "r"(old->top), [spare] "r"(old->spare), [new] "m"(*new_pair),
		  [stopped] "r"(stopped), [rseq] "r"(percpu_fast.rseq), [cpu] "r"(percpu_fast.cpu)
		: "rcx", "xmm0", "memory", "cc"
		: fail);
	/* clang-format on */
	return true;
fail:
	return false;
}

/* if (*pair == *old) *pair = new, for all CPUs at once. Returns whether it did; else *old is what was found. */
static inline bool pair_compare_swap(
	struct magazine_pair *pair, struct magazine_pair *old, struct magazine_pair new_pair)
{
	bool done;

	__asm__ volatile("lock cmpxchg16b %[pair]"
			 : [pair] "+m"(*pair), "+a"(old->top), "+d"(old->spare), "=@ccz"(done)
			 : "b"(new_pair.top), "c"(new_pair.spare)
			 : "memory");
	return done;
}

#endif
