/*
 * linux/seqlock.h: data that readers copy without a lock, and copy again if a writer was at it meanwhile.
 *
 * Semantics: Linux, Documentation/locking/seqlock.rst. A reader:
 *
 *	do {
 *		seq = read_seqbegin(&lock);
 *		copy = data;
 *	} while (read_seqretry(&lock, seq));
 *
 * It never keeps a writer waiting, may see anything before read_seqretry() says that it was whole, and so must follow no pointers there.
 * Readers: any context, unless it may interrupt a writer on its own CPU: then the writer masks it (_bh, _irq), or the reader waits for
 * ever. Writers of a seqlock_t hold its spinlock; those of a seqcount_t see for themselves to it that there is one at a time, and that
 * it is not preempted: a report where locks are checked. There, counts are classes of locks, too: who reads what it writes itself, or
 * may do so in an interrupt, is reported. Functions that begin with raw_ or __ are not checked so.
 *
 * ThreadSanitizer ignores what a thread reads from its read_seqbegin() or read_seqcount_begin() to the retry that ends it.
 */
#ifndef FLAGSTONE_LINUX_SEQLOCK_H
#define FLAGSTONE_LINUX_SEQLOCK_H

#include <asm/barrier.h>
#include <linux/bug.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- seqcount_t: the count alone ---- */

typedef struct seqcount {
	unsigned int sequence; /* odd while a writer is at it. Synchronization: atomic, written by the one writer */
	struct lockdep_map dep_map;
} seqcount_t;

/* clang-format off */
#define SEQCNT_ZERO(name) { 0, FLAGSTONE_LOCKDEP_MAP(name) }
/* clang-format on */

void flagstone_seqcount_init(seqcount_t *s, const char *name, const struct lock_class_key *key);
/* Before the first use. */
#define seqcount_init(s)                                  \
	do {                                              \
		static struct lock_class_key __key;       \
		flagstone_seqcount_init((s), #s, &__key); \
	} while (0)

/* Waits until no writer is at it, and returns the count. */
unsigned int flagstone_seqcount_wait(const seqcount_t *s);

/* Lock checking of a reader, which returns false if this task writes it already: that was reported; and of a writer. */
bool flagstone_seqcount_check_reader(const seqcount_t *s);
void flagstone_seqcount_check_writer(seqcount_t *s, unsigned int subclass);
void flagstone_seqcount_check_written(seqcount_t *s);

/* What ThreadSanitizer is told of a reader; nothing without it. */
#ifdef FLAGSTONE_TSAN
void flagstone_seq_reads(bool on);
#else
static inline void flagstone_seq_reads(bool on)
{
	(void)on;
}
#endif

/* Begins to read without waiting: an odd count of another's makes the retry say so. */
static inline unsigned int flagstone_seqcount_peek(const seqcount_t *s)
{
	unsigned int sequence = smp_load_acquire(&s->sequence);

	flagstone_seq_reads(true);
	return sequence;
}

static inline unsigned int flagstone_seqcount_begin_unchecked(const seqcount_t *s)
{
	/* Pairs with the release in flagstone_seqcount_end(). */
	unsigned int sequence = smp_load_acquire(&s->sequence);

	if (unlikely(sequence & 1))
		sequence = flagstone_seqcount_wait(s);
	flagstone_seq_reads(true);
	return sequence;
}

static inline unsigned int flagstone_seqcount_begin(const seqcount_t *s)
{
	if (unlikely(lockdep_on) && unlikely(!flagstone_seqcount_check_reader(s)))
		return flagstone_seqcount_peek(s); /* it would wait for itself */
	return flagstone_seqcount_begin_unchecked(s);
}

static inline int flagstone_seqcount_retry(const seqcount_t *s, unsigned int start)
{
	flagstone_seq_reads(false);
	smp_rmb(); /* Pairs with the barrier in flagstone_seqcount_write(): who saw the writer's data sees its count */
	return unlikely(READ_ONCE(s->sequence) != start);
}

static inline void flagstone_seqcount_write(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, READ_ONCE(s->sequence) + 1);
	smp_wmb(); /* Pairs with flagstone_seqcount_retry() */
}

static inline void flagstone_seqcount_end(seqcount_t *s)
{
	/* Pairs with flagstone_seqcount_begin(). */
	smp_store_release(&s->sequence, READ_ONCE(s->sequence) + 1);
}

static inline void flagstone_seqcount_write_checked(seqcount_t *s, unsigned int subclass)
{
	if (unlikely(lockdep_on))
		flagstone_seqcount_check_writer(s, subclass);
	flagstone_seqcount_write(s);
}

static inline void flagstone_seqcount_end_checked(seqcount_t *s)
{
	if (unlikely(lockdep_on))
		flagstone_seqcount_check_written(s);
	flagstone_seqcount_end(s);
}

/* ---- seqcount_LOCKNAME_t: the count, and the lock that its writers hold; where locks are checked, that they do ---- */

typedef struct seqcount_spinlock {
	seqcount_t seqcount;
	spinlock_t *lock;
} seqcount_spinlock_t;
typedef seqcount_spinlock_t seqcount_raw_spinlock_t;
typedef struct seqcount_rwlock {
	seqcount_t seqcount;
	rwlock_t *lock;
} seqcount_rwlock_t;
typedef struct seqcount_mutex {
	seqcount_t seqcount;
	struct mutex *lock;
} seqcount_mutex_t;

/* clang-format off */
#define SEQCNT_SPINLOCK_ZERO(name, of) { SEQCNT_ZERO((name).seqcount), (of) }
#define SEQCNT_RAW_SPINLOCK_ZERO(name, of) SEQCNT_SPINLOCK_ZERO(name, of)
#define SEQCNT_RWLOCK_ZERO(name, of) SEQCNT_SPINLOCK_ZERO(name, of)
#define SEQCNT_MUTEX_ZERO(name, of) SEQCNT_SPINLOCK_ZERO(name, of)
/* clang-format on */
#define FLAGSTONE_SEQCOUNT_LOCK_INIT(s, of)    \
	do {                                   \
		seqcount_init(&(s)->seqcount); \
		(s)->lock = (of);              \
	} while (0)
#define seqcount_spinlock_init(s, of) FLAGSTONE_SEQCOUNT_LOCK_INIT(s, of)
#define seqcount_raw_spinlock_init(s, of) FLAGSTONE_SEQCOUNT_LOCK_INIT(s, of)
#define seqcount_rwlock_init(s, of) FLAGSTONE_SEQCOUNT_LOCK_INIT(s, of)
#define seqcount_mutex_init(s, of) FLAGSTONE_SEQCOUNT_LOCK_INIT(s, of)

void flagstone_seqcount_unpreemptible(const seqcount_t *s, const char *file, int line);

/* The count of any of them; that its writer may write; whether its writer has to turn preemption off. */
#ifndef __cplusplus
/* clang-format off */
#define FLAGSTONE_SEQCOUNT(s) (&_Generic(*(s),                                          \
	seqcount_t: *(const seqcount_t *)(s),                                           \
	seqcount_spinlock_t: ((const seqcount_spinlock_t *)(s))->seqcount,              \
	seqcount_rwlock_t: ((const seqcount_rwlock_t *)(s))->seqcount,                  \
	seqcount_mutex_t: ((const seqcount_mutex_t *)(s))->seqcount))
#define FLAGSTONE_SEQCOUNT_ASSERT(s) (_Generic(*(s),                                            \
	seqcount_t: flagstone_seqcount_unpreemptible((const seqcount_t *)(s), __FILE__, __LINE__),   \
	seqcount_spinlock_t: lockdep_assert_held(((const seqcount_spinlock_t *)(s))->lock),     \
	seqcount_rwlock_t: lockdep_assert_held_write(((const seqcount_rwlock_t *)(s))->lock),   \
	seqcount_mutex_t: lockdep_assert_held(((const seqcount_mutex_t *)(s))->lock)))
#define FLAGSTONE_SEQCOUNT_SLEEPS(s) _Generic(*(s), seqcount_mutex_t: true, default: false)
/* clang-format on */
#else
#define FLAGSTONE_SEQCOUNT(s) (s)
#define FLAGSTONE_SEQCOUNT_ASSERT(s) flagstone_seqcount_unpreemptible((s), __FILE__, __LINE__)
#define FLAGSTONE_SEQCOUNT_SLEEPS(s) false
#endif
#define FLAGSTONE_SEQCOUNT_WRITTEN(s) ((seqcount_t *)FLAGSTONE_SEQCOUNT(s))

/*
 * Begins to read: waits, busy, while a writer is at it. Returns the count, for the retry. s: a pointer to any of the types above, as in all
 * functions of this part; in C++ to a seqcount_t. raw_seqcount_begin() does not wait: the retry will say so.
 */
#define read_seqcount_begin(s) flagstone_seqcount_begin(FLAGSTONE_SEQCOUNT(s))
#define raw_read_seqcount_begin(s) flagstone_seqcount_begin_unchecked(FLAGSTONE_SEQCOUNT(s))
#define __read_seqcount_begin(s) raw_read_seqcount_begin(s)
#define raw_seqcount_begin(s) (flagstone_seqcount_peek(FLAGSTONE_SEQCOUNT(s)) & ~1u)
/* The count as it is, odd where a writer is at it. An acquire. Nothing begins. */
#define raw_read_seqcount(s) smp_load_acquire(&FLAGSTONE_SEQCOUNT(s)->sequence)
/* Ends to read. Returns whether a writer came meanwhile: then what was read is worth nothing. */
#define read_seqcount_retry(s, start) flagstone_seqcount_retry(FLAGSTONE_SEQCOUNT(s), (start))
#define __read_seqcount_retry(s, start) read_seqcount_retry(s, start)

/* Begins and ends to write. One at a time, not preempted in between, which a mutex's writer is kept from here. raw_: without checks. */
#define raw_write_seqcount_begin(s)                                      \
	do {                                                             \
		if (FLAGSTONE_SEQCOUNT_SLEEPS(s))                        \
			preempt_disable();                               \
		flagstone_seqcount_write(FLAGSTONE_SEQCOUNT_WRITTEN(s)); \
	} while (0)
#define raw_write_seqcount_end(s)                                      \
	do {                                                           \
		flagstone_seqcount_end(FLAGSTONE_SEQCOUNT_WRITTEN(s)); \
		if (FLAGSTONE_SEQCOUNT_SLEEPS(s))                      \
			preempt_enable();                              \
	} while (0)
#define write_seqcount_begin_nested(s, subclass)                                                           \
	do {                                                                                               \
		FLAGSTONE_SEQCOUNT_ASSERT(s);                                                              \
		if (FLAGSTONE_SEQCOUNT_SLEEPS(s))                                                          \
			preempt_disable();                                                                 \
		flagstone_seqcount_write_checked(FLAGSTONE_SEQCOUNT_WRITTEN(s), (unsigned int)(subclass)); \
	} while (0)
#define write_seqcount_begin(s) write_seqcount_begin_nested(s, 0)
#define write_seqcount_end(s)                                                  \
	do {                                                                   \
		flagstone_seqcount_end_checked(FLAGSTONE_SEQCOUNT_WRITTEN(s)); \
		if (FLAGSTONE_SEQCOUNT_SLEEPS(s))                              \
			preempt_enable();                                      \
	} while (0)
/* What is written before it is for readers that began before it not valid: they read again. No section. */
#define write_seqcount_invalidate(s)                                             \
	do {                                                                     \
		smp_wmb();                                                       \
		WRITE_ONCE(FLAGSTONE_SEQCOUNT_WRITTEN(s)->sequence,              \
			READ_ONCE(FLAGSTONE_SEQCOUNT_WRITTEN(s)->sequence) + 2); \
	} while (0)

/* ---- seqlock_t: the count, and a spinlock of its own ---- */

typedef struct {
	seqcount_t seqcount;
	spinlock_t lock;
} seqlock_t;

/* clang-format off */
#define __SEQLOCK_UNLOCKED(name) { SEQCNT_ZERO((name).seqcount), __SPIN_LOCK_INITIALIZER((name).lock) }
/* clang-format on */
#define DEFINE_SEQLOCK(name) seqlock_t name = __SEQLOCK_UNLOCKED(name)
/* Before the first use. */
#define seqlock_init(sl)                        \
	do {                                    \
		spin_lock_init(&(sl)->lock);    \
		seqcount_init(&(sl)->seqcount); \
	} while (0)

/* As flagstone_seqcount_wait(); where the lock's owner is known, who would wait for itself is reported, and goes on. */
unsigned int flagstone_seqlock_wait(const seqlock_t *sl);

/* As read_seqcount_begin() and read_seqcount_retry(). */
static inline unsigned int read_seqbegin(const seqlock_t *sl)
{
	unsigned int sequence;

	if (unlikely(lockdep_on) && unlikely(!flagstone_seqcount_check_reader(&sl->seqcount)))
		return flagstone_seqcount_peek(&sl->seqcount);
	/* Pairs with the release in flagstone_seqcount_end(). */
	sequence = smp_load_acquire(&sl->seqcount.sequence);
	if (unlikely(sequence & 1))
		sequence = flagstone_seqlock_wait(sl);
	flagstone_seq_reads(true);
	return sequence;
}

static inline unsigned int read_seqretry(const seqlock_t *sl, unsigned int start)
{
	return (unsigned int)flagstone_seqcount_retry(&sl->seqcount, start);
}

/* Takes the lock, as the spinlock's function of that ending does, and begins to write; ends that, and lets go. */
static inline void write_seqlock(seqlock_t *sl)
{
	spin_lock(&sl->lock);
	flagstone_seqcount_write_checked(&sl->seqcount, 0);
}

static inline void write_sequnlock(seqlock_t *sl)
{
	flagstone_seqcount_end_checked(&sl->seqcount);
	spin_unlock(&sl->lock);
}

static inline void write_seqlock_bh(seqlock_t *sl)
{
	spin_lock_bh(&sl->lock);
	flagstone_seqcount_write_checked(&sl->seqcount, 0);
}

static inline void write_sequnlock_bh(seqlock_t *sl)
{
	flagstone_seqcount_end_checked(&sl->seqcount);
	spin_unlock_bh(&sl->lock);
}

static inline void write_seqlock_irq(seqlock_t *sl)
{
	spin_lock_irq(&sl->lock);
	flagstone_seqcount_write_checked(&sl->seqcount, 0);
}

static inline void write_sequnlock_irq(seqlock_t *sl)
{
	flagstone_seqcount_end_checked(&sl->seqcount);
	spin_unlock_irq(&sl->lock);
}

#define write_seqlock_irqsave(sl, flags)                              \
	do {                                                          \
		spin_lock_irqsave(&(sl)->lock, flags);                \
		flagstone_seqcount_write_checked(&(sl)->seqcount, 0); \
	} while (0)

static inline void write_sequnlock_irqrestore(seqlock_t *sl, unsigned long flags)
{
	flagstone_seqcount_end_checked(&sl->seqcount);
	spin_unlock_irqrestore(&sl->lock, flags);
}

/* Reads with the lock: neither writers nor other such readers meanwhile, and nobody has to read again. */
static inline void read_seqlock_excl(seqlock_t *sl)
{
	spin_lock(&sl->lock);
}

static inline void read_sequnlock_excl(seqlock_t *sl)
{
	spin_unlock(&sl->lock);
}

static inline void read_seqlock_excl_bh(seqlock_t *sl)
{
	spin_lock_bh(&sl->lock);
}

static inline void read_sequnlock_excl_bh(seqlock_t *sl)
{
	spin_unlock_bh(&sl->lock);
}

static inline void read_seqlock_excl_irq(seqlock_t *sl)
{
	spin_lock_irq(&sl->lock);
}

static inline void read_sequnlock_excl_irq(seqlock_t *sl)
{
	spin_unlock_irq(&sl->lock);
}

#define read_seqlock_excl_irqsave(sl, flags) spin_lock_irqsave(&(sl)->lock, flags)
#define read_sequnlock_excl_irqrestore(sl, flags) spin_unlock_irqrestore(&(sl)->lock, flags)

/*
 * A reader that takes the lock the second time: *seq is 0 at first, and 1 for that turn. need_seqretry(): whether what was read without the
 * lock has to be read again. done_seqretry() lets the lock go if it was taken.
 */
static inline void read_seqbegin_or_lock(seqlock_t *lock, int *seq)
{
	if (*seq & 1)
		read_seqlock_excl(lock);
	else
		*seq = (int)read_seqbegin(lock);
}

static inline int need_seqretry(seqlock_t *lock, int seq)
{
	return !(seq & 1) && read_seqretry(lock, (unsigned int)seq);
}

static inline void done_seqretry(seqlock_t *lock, int seq)
{
	if (seq & 1)
		read_sequnlock_excl(lock);
}

/* The same, with interrupts off while the lock is held. Returns what done_ is given. */
static inline unsigned long read_seqbegin_or_lock_irqsave(seqlock_t *lock, int *seq)
{
	unsigned long flags = 0;

	if (*seq & 1)
		read_seqlock_excl_irqsave(lock, flags);
	else
		*seq = (int)read_seqbegin(lock);
	return flags;
}

static inline void done_seqretry_irqrestore(seqlock_t *lock, int seq, unsigned long flags)
{
	if (seq & 1)
		read_sequnlock_excl_irqrestore(lock, flags);
}

/*
 * ---- seqcount_latch_t: two copies, so that a reader that interrupts the writer has one that is whole ----
 *
 *	raw_write_seqcount_latch(&latch);               do {
 *	modify(data[0]);                                        seq = raw_read_seqcount_latch(&latch);
 *	raw_write_seqcount_latch(&latch);                       copy = data[seq & 1];
 *	modify(data[1]);                                } while (read_seqcount_latch_retry(&latch, seq));
 *
 * Semantics: Linux, Documentation/locking/seqlock.rst, "Latch sequence counters". One writer at a time. Readers: any context.
 */
typedef struct {
	seqcount_t seqcount;
} seqcount_latch_t;

/* clang-format off */
#define SEQCNT_LATCH_ZERO(name) { .seqcount = SEQCNT_ZERO((name).seqcount) }
/* clang-format on */
#define seqcount_latch_init(s) seqcount_init(&(s)->seqcount)

/* Readers use the other copy from here on: the second one while the count is odd. */
static inline void raw_write_seqcount_latch(seqcount_latch_t *s)
{
	smp_wmb(); /* what was modified is there before they look at it */
	WRITE_ONCE(s->seqcount.sequence, READ_ONCE(s->seqcount.sequence) + 1);
	smp_wmb(); /* Pairs with read_seqcount_latch_retry() */
}

static inline unsigned int raw_read_seqcount_latch(const seqcount_latch_t *s)
{
	return flagstone_seqcount_peek(&s->seqcount);
}

/* Not 0: the copy may have been modified meanwhile. */
static inline int read_seqcount_latch_retry(const seqcount_latch_t *s, unsigned int start)
{
	return flagstone_seqcount_retry(&s->seqcount, start);
}

#ifdef __cplusplus
}
#endif

#endif
