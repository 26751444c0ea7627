/*
 * linux/atomic.h: numbers that several CPUs change at once: atomic_t (int), atomic64_t, atomic_long_t.
 *
 * Semantics: Linux, Documentation/atomic_t.txt. Operations that return something are full barriers, unless their name ends in _relaxed,
 * _acquire or _release; those that return nothing are none. Numbers wrap. Any context.
 */
#ifndef FLAGSTONE_LINUX_ATOMIC_H
#define FLAGSTONE_LINUX_ATOMIC_H

#include <asm/barrier.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATOMIC_INIT(i) \
	{              \
		(i)    \
	}
#define ATOMIC64_INIT(i) ATOMIC_INIT(i)
#define ATOMIC_LONG_INIT(i) ATOMIC_INIT(i)

/* One operation in one order: name_return is the value after it, fetch_name the one before. */
#define FLAGSTONE_ATOMIC_ORDER(prefix, type, name, builtin, suffix, order)      \
	static inline type prefix##_fetch_##name##suffix(type i, prefix##_t *v) \
	{                                                                       \
		return __atomic_fetch_##builtin(&v->counter, i, order);         \
	}
#define FLAGSTONE_ATOMIC_RETURN_ORDER(prefix, type, name, builtin, suffix, order)  \
	static inline type prefix##_##name##_return##suffix(type i, prefix##_t *v) \
	{                                                                          \
		return __atomic_##builtin##_fetch(&v->counter, i, order);          \
	}
/* What follows from these. */
#define FLAGSTONE_ATOMIC_BY_ONE(prefix, type, name, builtin, suffix, order)     \
	static inline type prefix##_inc_return##suffix(prefix##_t *v)           \
	{                                                                       \
		return prefix##_add_return##suffix(1, v);                       \
	}                                                                       \
	static inline type prefix##_dec_return##suffix(prefix##_t *v)           \
	{                                                                       \
		return prefix##_sub_return##suffix(1, v);                       \
	}                                                                       \
	static inline type prefix##_fetch_inc##suffix(prefix##_t *v)            \
	{                                                                       \
		return prefix##_fetch_add##suffix(1, v);                        \
	}                                                                       \
	static inline type prefix##_fetch_dec##suffix(prefix##_t *v)            \
	{                                                                       \
		return prefix##_fetch_sub##suffix(1, v);                        \
	}                                                                       \
	static inline type prefix##_fetch_andnot##suffix(type i, prefix##_t *v) \
	{                                                                       \
		return prefix##_fetch_and##suffix(~i, v);                       \
	}                                                                       \
	static inline bool prefix##_add_negative##suffix(type i, prefix##_t *v) \
	{                                                                       \
		return prefix##_add_return##suffix(i, v) < 0;                   \
	}
#define FLAGSTONE_ATOMIC_ORDERS(what, prefix, type, name, builtin)                    \
	what(prefix, type, name, builtin, , __ATOMIC_SEQ_CST)                         \
		what(prefix, type, name, builtin, _relaxed, __ATOMIC_RELAXED)         \
			what(prefix, type, name, builtin, _acquire, __ATOMIC_ACQUIRE) \
				what(prefix, type, name, builtin, _release, __ATOMIC_RELEASE)
#define FLAGSTONE_ATOMIC_VOID(prefix, type, name, builtin)                        \
	static inline void prefix##_##name(type i, prefix##_t *v)                 \
	{                                                                         \
		(void)__atomic_fetch_##builtin(&v->counter, i, __ATOMIC_RELAXED); \
	}
#define FLAGSTONE_ATOMIC_EXCHANGE(prefix, type, suffix, order)                                           \
	static inline type prefix##_xchg##suffix(prefix##_t *v, type i)                                  \
	{                                                                                                \
		return __atomic_exchange_n(&v->counter, i, order);                                       \
	}                                                                                                \
	static inline type prefix##_cmpxchg##suffix(prefix##_t *v, type old, type i)                     \
	{                                                                                                \
		__atomic_compare_exchange_n(&v->counter, &old, i, false, order, __ATOMIC_RELAXED);       \
		return old;                                                                              \
	}                                                                                                \
	static inline bool prefix##_try_cmpxchg##suffix(prefix##_t *v, type *old, type i)                \
	{                                                                                                \
		return __atomic_compare_exchange_n(&v->counter, old, i, false, order, __ATOMIC_RELAXED); \
	}

/*
 * All operations of a type. add_negative: whether it is below 0 afterwards; fetch_add_unless: adds unless it is u, returns what it was;
 * inc_not_zero: whether it was not 0, and was incremented; dec_if_positive: decremented unless below 0 after that, returns that.
 */
#define FLAGSTONE_ATOMIC_TYPE(prefix, type)                                            \
	typedef struct {                                                               \
		type counter; /* Synchronization: atomic */                            \
	} prefix##_t;                                                                  \
	static inline type prefix##_read(const prefix##_t *v)                          \
	{                                                                              \
		return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);                 \
	}                                                                              \
	static inline type prefix##_read_acquire(const prefix##_t *v)                  \
	{                                                                              \
		return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);                 \
	}                                                                              \
	static inline void prefix##_set(prefix##_t *v, type i)                         \
	{                                                                              \
		__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);                    \
	}                                                                              \
	static inline void prefix##_set_release(prefix##_t *v, type i)                 \
	{                                                                              \
		__atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);                    \
	}                                                                              \
	FLAGSTONE_ATOMIC_VOID(prefix, type, add, add)                                  \
	FLAGSTONE_ATOMIC_VOID(prefix, type, sub, sub)                                  \
	FLAGSTONE_ATOMIC_VOID(prefix, type, and, and)                                  \
	FLAGSTONE_ATOMIC_VOID(prefix, type, or, or)                                    \
	FLAGSTONE_ATOMIC_VOID(prefix, type, xor, xor)                                  \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_ORDER, prefix, type, add, add)        \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_ORDER, prefix, type, sub, sub)        \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_ORDER, prefix, type, and, and)        \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_ORDER, prefix, type, or, or)          \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_ORDER, prefix, type, xor, xor)        \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_RETURN_ORDER, prefix, type, add, add) \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_RETURN_ORDER, prefix, type, sub, sub) \
	FLAGSTONE_ATOMIC_EXCHANGE(prefix, type, , __ATOMIC_SEQ_CST)                    \
	FLAGSTONE_ATOMIC_EXCHANGE(prefix, type, _relaxed, __ATOMIC_RELAXED)            \
	FLAGSTONE_ATOMIC_EXCHANGE(prefix, type, _acquire, __ATOMIC_ACQUIRE)            \
	FLAGSTONE_ATOMIC_EXCHANGE(prefix, type, _release, __ATOMIC_RELEASE)            \
	static inline void prefix##_andnot(type i, prefix##_t *v)                      \
	{                                                                              \
		prefix##_and(~i, v);                                                   \
	}                                                                              \
	static inline void prefix##_inc(prefix##_t *v)                                 \
	{                                                                              \
		prefix##_add(1, v);                                                    \
	}                                                                              \
	static inline void prefix##_dec(prefix##_t *v)                                 \
	{                                                                              \
		prefix##_sub(1, v);                                                    \
	}                                                                              \
	FLAGSTONE_ATOMIC_ORDERS(FLAGSTONE_ATOMIC_BY_ONE, prefix, type, , )             \
	static inline bool prefix##_sub_and_test(type i, prefix##_t *v)                \
	{                                                                              \
		return prefix##_sub_return(i, v) == 0;                                 \
	}                                                                              \
	static inline bool prefix##_dec_and_test(prefix##_t *v)                        \
	{                                                                              \
		return prefix##_sub_return(1, v) == 0;                                 \
	}                                                                              \
	static inline bool prefix##_inc_and_test(prefix##_t *v)                        \
	{                                                                              \
		return prefix##_add_return(1, v) == 0;                                 \
	}                                                                              \
	static inline type prefix##_fetch_add_unless(prefix##_t *v, type a, type u)    \
	{                                                                              \
		type old = prefix##_read(v);                                           \
                                                                                       \
		while (old != u && !prefix##_try_cmpxchg(v, &old, old + a))            \
			;                                                              \
		return old;                                                            \
	}                                                                              \
	static inline bool prefix##_add_unless(prefix##_t *v, type a, type u)          \
	{                                                                              \
		return prefix##_fetch_add_unless(v, a, u) != u;                        \
	}                                                                              \
	static inline bool prefix##_inc_not_zero(prefix##_t *v)                        \
	{                                                                              \
		return prefix##_add_unless(v, 1, 0);                                   \
	}                                                                              \
	static inline bool prefix##_inc_unless_negative(prefix##_t *v)                 \
	{                                                                              \
		type old = prefix##_read(v);                                           \
                                                                                       \
		while (old >= 0 && !prefix##_try_cmpxchg(v, &old, old + 1))            \
			;                                                              \
		return old >= 0;                                                       \
	}                                                                              \
	static inline bool prefix##_dec_unless_positive(prefix##_t *v)                 \
	{                                                                              \
		type old = prefix##_read(v);                                           \
                                                                                       \
		while (old <= 0 && !prefix##_try_cmpxchg(v, &old, old - 1))            \
			;                                                              \
		return old <= 0;                                                       \
	}                                                                              \
	static inline type prefix##_dec_if_positive(prefix##_t *v)                     \
	{                                                                              \
		type old = prefix##_read(v);                                           \
                                                                                       \
		while (old > 0 && !prefix##_try_cmpxchg(v, &old, old - 1))             \
			;                                                              \
		return old - 1;                                                        \
	}

FLAGSTONE_ATOMIC_TYPE(atomic, int)
FLAGSTONE_ATOMIC_TYPE(atomic64, long long)
FLAGSTONE_ATOMIC_TYPE(atomic_long, long)

/* The value, once the condition holds, which calls it VAL: see smp_cond_load_acquire(). */
#define atomic_cond_read_relaxed(v, condition) smp_cond_load_relaxed(&(v)->counter, (condition))
#define atomic_cond_read_acquire(v, condition) smp_cond_load_acquire(&(v)->counter, (condition))
#define atomic64_cond_read_relaxed(v, condition) atomic_cond_read_relaxed(v, condition)
#define atomic64_cond_read_acquire(v, condition) atomic_cond_read_acquire(v, condition)
#define atomic_long_cond_read_relaxed(v, condition) atomic_cond_read_relaxed(v, condition)
#define atomic_long_cond_read_acquire(v, condition) atomic_cond_read_acquire(v, condition)

/*
 * The same for a plain variable of 1, 2, 4 or 8 bytes, a pointer too. xchg() and cmpxchg() return what it was; try_cmpxchg() returns
 * whether it was *old, and stores what it was there if not. Full barriers where the name does not say otherwise; of a comparison that
 * fails, none.
 */
#define FLAGSTONE_CMPXCHG(ptr, old, value, order)                                                          \
	({                                                                                                 \
		__typeof__(*(ptr)) __was = (old);                                                          \
		(void)__atomic_compare_exchange_n((ptr), &__was, (value), false, order, __ATOMIC_RELAXED); \
		__was;                                                                                     \
	})
#define FLAGSTONE_TRY_CMPXCHG(ptr, old, value, order) \
	__atomic_compare_exchange_n((ptr), (old), (value), false, order, __ATOMIC_RELAXED)
#define xchg(ptr, value) __atomic_exchange_n((ptr), (value), __ATOMIC_SEQ_CST)
#define xchg_relaxed(ptr, value) __atomic_exchange_n((ptr), (value), __ATOMIC_RELAXED)
#define xchg_acquire(ptr, value) __atomic_exchange_n((ptr), (value), __ATOMIC_ACQUIRE)
#define xchg_release(ptr, value) __atomic_exchange_n((ptr), (value), __ATOMIC_RELEASE)
#define cmpxchg(ptr, old, value) FLAGSTONE_CMPXCHG(ptr, old, value, __ATOMIC_SEQ_CST)
#define cmpxchg_relaxed(ptr, old, value) FLAGSTONE_CMPXCHG(ptr, old, value, __ATOMIC_RELAXED)
#define cmpxchg_acquire(ptr, old, value) FLAGSTONE_CMPXCHG(ptr, old, value, __ATOMIC_ACQUIRE)
#define cmpxchg_release(ptr, old, value) FLAGSTONE_CMPXCHG(ptr, old, value, __ATOMIC_RELEASE)
#define try_cmpxchg(ptr, old, value) FLAGSTONE_TRY_CMPXCHG(ptr, old, value, __ATOMIC_SEQ_CST)
#define try_cmpxchg_relaxed(ptr, old, value) FLAGSTONE_TRY_CMPXCHG(ptr, old, value, __ATOMIC_RELAXED)
#define try_cmpxchg_acquire(ptr, old, value) FLAGSTONE_TRY_CMPXCHG(ptr, old, value, __ATOMIC_ACQUIRE)
#define try_cmpxchg_release(ptr, old, value) FLAGSTONE_TRY_CMPXCHG(ptr, old, value, __ATOMIC_RELEASE)
/* Of eight bytes. */
#define cmpxchg64(ptr, old, value) cmpxchg(ptr, old, value)
#define cmpxchg64_relaxed(ptr, old, value) cmpxchg_relaxed(ptr, old, value)
#define cmpxchg64_acquire(ptr, old, value) cmpxchg_acquire(ptr, old, value)
#define cmpxchg64_release(ptr, old, value) cmpxchg_release(ptr, old, value)
#define try_cmpxchg64(ptr, old, value) try_cmpxchg(ptr, old, value)
/* Of what only this CPU, and its interrupts, change. */
#define cmpxchg_local(ptr, old, value) cmpxchg_relaxed(ptr, old, value)
#define cmpxchg64_local(ptr, old, value) cmpxchg_relaxed(ptr, old, value)

#ifdef __cplusplus
}
#endif

#endif
