/*
 * magazine_ops.h: pop, push and install as rseq critical sections on aarch64, and the pair's compare-and-swap.
 *
 * As on x86-64; see there for the shape of a section.
 */
#ifndef PERCPU_AARCH64_MAGAZINE_OPS_H
#define PERCPU_AARCH64_MAGAZINE_OPS_H

#include "percpu/inject.h"
#include "percpu/magazine.h"

#define RSEQ_SIGNATURE 0xd428bc00

#define OPS_STRING(x) #x
#define OPS_VALUE(x) OPS_STRING(x)

/* clang-format off */
#if FLAGSTONE_INJECT
#define INJECT(n)                                                          \
	"\tadrp x9, percpu_inject_delay\n"                                 \
	"\tadd x9, x9, :lo12:percpu_inject_delay\n"                        \
	"\tldr x9, [x9, 8*(" OPS_VALUE(n) ")]\n"                           \
	"76:\tcbz x9, 75f\n\tsub x9, x9, 1\n\tb 76b\n75:\n"
#else
#define INJECT(n)
#endif

#ifdef FLAGSTONE_UNARMED /* negative control of the preemption tests: never restarted */
#define OPS_ARM "70:\n71:\n"
#else
#define OPS_ARM "70:\tadrp x9, 77b\n\tadd x9, x9, :lo12:77b\n\tstr x9, [%[rseq], 8]\n71:\n"
#endif

#define OPS_BEGIN                                                          \
	".pushsection __rseq_cs, \"aw\"\n\t.balign 32\n"                   \
	"77:\t.long 0, 0\n\t.quad 71f, 72f - 71f, 74f\n\t.popsection\n"    \
	OPS_ARM
#define OPS_END                                                            \
	"72:\n\t.pushsection .text.unlikely, \"ax\"\n"                     \
	"\t.inst " OPS_VALUE(RSEQ_SIGNATURE) "\n"                          \
	"74:\tb 70b\n\t.popsection\n"
/* clang-format on */

static inline char *thread_pointer(void)
{
	char *tp;

	__asm__("mrs %0, tpidr_el0" : "=r"(tp));
	return tp;
}

/*
 * area = anchor + AREAS + cpu * 4096; top = area[slot].top; object = top[-1]; if (!object) return NULL;
 * area[slot].top = top - 8; return object
 */
static inline __attribute__((always_inline)) void *rseq_pop(unsigned long slot2)
{
	char *tp = thread_pointer();
	long rseq = percpu_fast.rseq;
	void *object;
	unsigned long area, top;

	/* clang-format off */
	__asm__ volatile goto(
		OPS_BEGIN
		INJECT(0) "\tldrsw %[area], [%[cpu]]\n"
		INJECT(1) "\tadd %[area], %[anchor], %[area], lsl 12\n"
		INJECT(2) "\tadd %[area], %[area], %[areas]\n"
		INJECT(3) "\tldr %[top], [%[area], %[slot], lsl 3]\n"
		INJECT(4) "\tadd %[object], %[anchor], %[top]\n"
		INJECT(5) "\tldur %[object], [%[object], -8]\n"
		INJECT(6) "\tcbz %[object], %l[empty]\n"
		INJECT(7) "\tsub %[top], %[top], 8\n"
		INJECT(8) "\tstr %[top], [%[area], %[slot], lsl 3]\n"
		OPS_END
		: [object] "=&r"(object), [area] "=&r"(area), [top] "=&r"(top)
		: [slot] "r"(slot2), [anchor] "r"(percpu_fast.anchor), [rseq] "r"(tp + rseq),
		  [cpu] "r"(tp + percpu_fast.cpu), [areas] "i"(PERCPU_AREAS)
		: "x9", "memory", "cc"
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
	char *tp = thread_pointer();
	long rseq = percpu_fast.rseq;
	unsigned long area, top;

	/* clang-format off */
	__asm__ volatile goto(
		OPS_BEGIN
		INJECT(10) "\tldrsw %[area], [%[cpu]]\n"
		INJECT(11) "\tadd %[area], %[anchor], %[area], lsl 12\n"
		INJECT(12) "\tadd %[area], %[area], %[areas]\n"
		INJECT(13) "\tldr %[top], [%[area], %[slot], lsl 3]\n"
		INJECT(14) "\ttst %[top], 1023\n"
		INJECT(15) "\tb.eq %l[full]\n"
		INJECT(16) "\tstr %[object], [%[anchor], %[top]]\n"
		INJECT(17) "\tadd %[top], %[top], 8\n"
		INJECT(18) "\tstr %[top], [%[area], %[slot], lsl 3]\n"
		OPS_END
		: [area] "=&r"(area), [top] "=&r"(top)
		: [object] "r"(object), [slot] "r"(slot2), [anchor] "r"(percpu_fast.anchor), [rseq] "r"(tp + rseq),
		  [cpu] "r"(tp + percpu_fast.cpu), [areas] "i"(PERCPU_AREAS)
		: "x9", "memory", "cc"
		: full);
	/* clang-format on */
	return true;
full:
	return false;
}

/*
 * if (cpu != want || *pair != *old || *stopped) return false; *pair = new; return true
 *
 * A store pair may be seen half done by an interrupt, the exclusive pair store may not: that is the commit, and when it
 * fails (someone else wrote the line) the section starts over. The pair is read before `stopped`, in that order for other
 * CPUs too (ldaxp). Pairs with victim_take(): who sees the pair as it left it sees the area stopped.
 */
static inline bool rseq_install(int want, struct magazine_pair *pair, const struct magazine_pair *old,
	const struct magazine_pair *new_pair, const uint32_t *stopped)
{
	char *tp = thread_pointer();
	long rseq = percpu_fast.rseq;

	/* clang-format off */
	__asm__ volatile goto(
		OPS_BEGIN
		INJECT(20) "\tldr w10, [%[cpu]]\n"
		INJECT(21) "\tcmp w10, %w[want]\n"
		INJECT(22) "\tb.ne %l[fail]\n"
		INJECT(23) "\tldaxp x11, x12, [%[pair]]\n"
		INJECT(24) "\tcmp x11, %[top]\n"
		INJECT(25) "\tccmp x12, %[spare], 0, eq\n"
		INJECT(26) "\tb.ne %l[fail]\n"
		INJECT(27) "\tldr w10, [%[stopped]]\n"
		INJECT(28) "\tcbnz w10, %l[fail]\n"
		INJECT(29) "\tstxp w10, %[new_top], %[new_spare], [%[pair]]\n"
		OPS_END
		"\tcbnz w10, 70b\n"
		:
		: [want] "r"(want), [pair] "r"(pair), [top] "r"(old->top), [spare] "r"(old->spare),
		  [new_top] "r"(new_pair->top), [new_spare] "r"(new_pair->spare), [stopped] "r"(stopped),
		  [rseq] "r"(tp + rseq), [cpu] "r"(tp + percpu_fast.cpu)
		: "x9", "x10", "x11", "x12", "memory", "cc"
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
	struct magazine_pair found;
	uint32_t failed;

	do {
		__asm__ volatile("ldaxp %[top], %[spare], [%[pair]]"
				 : [top] "=&r"(found.top), [spare] "=&r"(found.spare)
				 : [pair] "r"(pair)
				 : "memory");
		if (found.top != old->top || found.spare != old->spare) {
			*old = found;
			return false;
		}
		__asm__ volatile("stlxp %w[failed], %[top], %[spare], [%[pair]]"
				 : [failed] "=&r"(failed)
				 : [top] "r"(new_pair.top), [spare] "r"(new_pair.spare), [pair] "r"(pair)
				 : "memory");
	} while (failed);
	return true;
}

#endif
