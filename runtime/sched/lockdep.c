/*
 * lockdep.c: lock checking: classes of locks, and what each task holds.
 *
 * Calls lockdep_graph.c for the order of classes, lockdep_report.c for words. Knows nothing of how locks work.
 */
#include <linux/preempt.h>
#include <linux/irqflags.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/sched/lockdep.h"

#define HASH_SIZE 4096

bool lockdep_on = CONFIG_DEBUG;
struct lock_class_key __lockdep_no_validate__;
struct lock_class lock_classes[LOCKDEP_CLASSES];
uint32_t lockdep_graph_lock;

static uint32_t nr_classes; /* Synchronization: graph lock */
static uint32_t hash_heads[HASH_SIZE]; /* index + 1. Synchronization: graph lock to write; atomic */
static uint32_t generation = 1; /* of the tables; maps remember classes of one. Synchronization: atomic */
static uint32_t classes_full; /* Synchronization: atomic */

/* ---- maps and classes ---- */

void lockdep_init(struct lockdep_map *map, const char *name, const struct lock_class_key *key)
{
	map->key = key;
	map->name = name;
	__atomic_store_n(&map->cache, 0, __ATOMIC_RELAXED);
}

void lockdep_init_map(struct lockdep_map *map, const char *name, const struct lock_class_key *key, int subclass)
{
	(void)subclass;
	lockdep_init(map, name, key);
}

/* What makes locks one class. A static lock is its own; one on the stack without a key goes by its name, which is a constant. */
static const void *key_of(const struct lockdep_map *map)
{
	const char *here = __builtin_frame_address(0);

	if (map->key)
		return map->key;
	return (const char *)map > here && (const char *)map < sched_this.stack_end ? (const void *)map->name : map;
}

static uint32_t hash_of(const void *key, unsigned int subclass)
{
	return (uint32_t)(((uintptr_t)key + subclass) * 0x9e3779b97f4a7c15ul >> 40) % HASH_SIZE;
}

static struct lock_class *find(const void *key, unsigned int subclass, const char *name)
{
	/* Pairs with __new_class(): a class that is found is filled in. */
	uint32_t at = __atomic_load_n(&hash_heads[hash_of(key, subclass)], __ATOMIC_ACQUIRE);

	for (; at; at = lock_classes[at - 1].next) {
		struct lock_class *class = &lock_classes[at - 1];

		if (class->key == key && class->subclass == subclass &&
			(class->name == name || !strcmp(class->name, name)))
			return class;
	}
	return NULL;
}

static struct lock_class *__new_class(const void *key, unsigned int subclass, const char *name)
{
	uint32_t *head = &hash_heads[hash_of(key, subclass)];
	struct lock_class *class;

	if (nr_classes == LOCKDEP_CLASSES) {
		if (!__atomic_exchange_n(&classes_full, 1, __ATOMIC_RELAXED))
			report_note("lock checking: more than %d classes of locks: the others are not checked",
				LOCKDEP_CLASSES);
		return NULL;
	}
	class = &lock_classes[nr_classes++];
	class->key = key;
	class->subclass = subclass;
	class->name = name;
	class->next = *head;
	/* Pairs with find(). */
	__atomic_store_n(head, nr_classes, __ATOMIC_RELEASE);
	return class;
}

/* Interrupts off. NULL: the table is full. */
static struct lock_class *class_of(struct lockdep_map *map, unsigned int subclass)
{
	uint32_t now = __atomic_load_n(&generation, __ATOMIC_RELAXED);
	/* Pairs with itself: whoever sees the number sees the class. */
	uint32_t cached = __atomic_load_n(&map->cache, __ATOMIC_ACQUIRE);
	const char *name = map->name ? map->name : "?";
	const void *key = key_of(map);
	struct lock_class *class;

	if (!subclass && cached >> 16 == now)
		return &lock_classes[cached & 0xffff];
	class = find(key, subclass, name);
	if (!class) {
		word_acquire(&lockdep_graph_lock);
		class = find(key, subclass, name);
		if (!class)
			class = __new_class(key, subclass, name);
		word_release(&lockdep_graph_lock);
	}
	if (class && !subclass)
		__atomic_store_n(&map->cache, now << 16 | class_number(class), __ATOMIC_RELEASE);
	return class;
}

void lockdep_reset(void)
{
	host_sigmask_t mask = inner_lock(&lockdep_graph_lock);

	memset(lock_classes, 0, nr_classes * sizeof(lock_classes[0]));
	memset(hash_heads, 0, sizeof(hash_heads));
	nr_classes = 0;
	classes_full = 0;
	generation = generation % 0xffff + 1;
	__graph_reset();
	inner_unlock(&lockdep_graph_lock, mask);
}

void lockdep_forget(void)
{
	lockdep_graph_lock = 0;
	lockdep_reset();
}

/* ---- what a task holds ---- */

struct held_locks *lockdep_new_held(void)
{
	return lockdep_on ? sched_zalloc(sizeof(struct held_locks)) : NULL;
}

static struct held_locks *held_by_this(const struct lockdep_map *map)
{
	struct task_struct *task = current;

	return task && map->key != &__lockdep_no_validate__ ? task->held : NULL;
}

/* Fills in the next place, which counts once the lock is held: reports of the checks before that list what was held so far. */
static struct held_lock *prepare(
	struct held_locks *held, struct lockdep_map *map, struct lock_class *class, unsigned int how, const void *frame)
{
	struct held_lock *lock = &held->locks[held->nr];

	if (held->nr == LOCKDEP_HELD) {
		if (!held->incomplete)
			report_note("lock checking: %s/%d holds more than %d locks: the others are not checked",
				current->comm, current->pid, LOCKDEP_HELD);
		held->incomplete = true;
		return NULL;
	}
	lock->map = map;
	lock->class = class;
	lock->how = how;
	lock->context = in_hardirq() ? 2 : in_serving_softirq() != 0;
	section_record_from(&lock->where, frame);
	return lock;
}

/* Enters those usages that the class has not had so far. */
static void add_usages(struct held_lock *lock, unsigned int usages)
{
	usages &= ~__atomic_load_n(&lock->class->usage, __ATOMIC_RELAXED);
	if (likely(!usages))
		return;
	word_acquire(&lockdep_graph_lock);
	for (; usages; usages &= usages - 1) {
		enum lock_usage usage = (enum lock_usage)__builtin_ctz(usages);

		if (!(lock->class->usage >> usage & 1))
			__usage_add(lock, usage);
	}
	word_release(&lockdep_graph_lock);
}

/* As bits of writers, and what makes them those of readers. */
static unsigned int usages_of(const struct held_lock *lock, bool irqs_on)
{
	unsigned int usages = 0;

	if (lock->context && !(lock->how & HOW_TRY))
		usages |= lock->context == 2 ? 1u << IN_HARDIRQ : 1u << IN_SOFTIRQ;
	if (irqs_on)
		usages |= 1u << ON_HARDIRQ;
	if (irqs_on && !softirq_count())
		usages |= 1u << ON_SOFTIRQ;
	return mode_of(lock) == HOW_WRITE ? usages : usages << 1;
}

/* Whether one that is about to be taken is held already. Returns false where this task would wait for itself. */
static bool check_recursion(struct held_locks *held, struct held_lock *lock)
{
	bool fine = true;

	for (struct held_lock *before = held->locks; before < lock; before++) {
		if (before->class != lock->class || (mode_of(lock) == HOW_RECURSIVE && mode_of(before) != HOW_WRITE))
			continue;
		word_acquire(&lockdep_graph_lock);
		if (!lock->class->recursion_told)
			__report_recursion(before, lock);
		lock->class->recursion_told = true;
		word_release(&lockdep_graph_lock);
		if (before->map == lock->map)
			fine = false;
	}
	return fine;
}

/* From the last lock held, and those that were only tried after it, of the same context. Others have their own edges to those. */
static void check_order(struct held_locks *held, struct held_lock *lock)
{
	for (struct held_lock *before = lock - 1; before >= held->locks; before--) {
		if (before->context != lock->context)
			break;
		if (before->class != lock->class && unlikely(!edge_known(before, lock))) {
			word_acquire(&lockdep_graph_lock);
			__edge_add(before, lock);
			word_release(&lockdep_graph_lock);
		}
		if (!(before->how & HOW_TRY))
			break;
	}
}

noinline bool __lockdep_acquire(struct lockdep_map *map, unsigned int subclass, unsigned int how)
{
	struct held_locks *held = held_by_this(map);
	bool irqs_on = !irqs_disabled(), fine = true;
	struct held_lock *lock = NULL;
	struct lock_class *class;
	host_sigmask_t mask;

	if (!held)
		return true;
	mask = host_signals_block();
	class = class_of(map, subclass);
	if (class)
		lock = prepare(held, map, class, how, __builtin_frame_address(0));
	if (lock)
		add_usages(lock, usages_of(lock, irqs_on));
	if (lock && !(how & HOW_TRY)) {
		fine = check_recursion(held, lock);
		check_order(held, lock);
	}
	held->nr += lock != NULL;
	host_signals_restore(mask);
	return fine;
}

bool __lockdep_release(struct lockdep_map *map)
{
	struct held_locks *held = held_by_this(map);
	host_sigmask_t mask;
	unsigned int at;
	bool found;

	if (!held)
		return true;
	mask = host_signals_block();
	for (at = held->nr; at && held->locks[at - 1].map != map;)
		at--;
	found = at;
	if (found) {
		memmove(&held->locks[at - 1], &held->locks[at], (held->nr - at) * sizeof(held->locks[0]));
		held->nr--;
	}
	if (!found && !held->incomplete && !__atomic_load_n(&classes_full, __ATOMIC_RELAXED)) {
		report_unbalanced(map, held);
		host_signals_restore(mask);
		return false;
	}
	host_signals_restore(mask);
	return true;
}

void flagstone_map_acquire(struct lockdep_map *map, unsigned int reads)
{
	if (unlikely(lockdep_on) && map->name)
		__lockdep_acquire(map, 0, reads ? HOW_RECURSIVE : HOW_WRITE);
}

void flagstone_map_release(struct lockdep_map *map)
{
	if (unlikely(lockdep_on) && map->name)
		__lockdep_release(map);
}

/* What the task holds was not let go before a kind of interrupts came on. */
static void mark_held(unsigned int usages)
{
	struct task_struct *task = current;
	struct held_locks *held = task ? task->held : NULL;
	host_sigmask_t mask;

	if (!held || in_hardirq())
		return;
	mask = host_signals_block();
	for (unsigned int i = 0; i < held->nr; i++)
		add_usages(&held->locks[i], mode_of(&held->locks[i]) == HOW_WRITE ? usages : usages << 1);
	host_signals_restore(mask);
}

void __lockdep_irqs_on(void)
{
	mark_held(softirq_count() ? 1u << ON_HARDIRQ : 1u << ON_HARDIRQ | 1u << ON_SOFTIRQ);
}

void __lockdep_softirqs_on(void)
{
	mark_held(1u << ON_SOFTIRQ);
}

void lockdep_task_ends(void)
{
	struct task_struct *task = current;
	struct held_locks *held = lockdep_on && task ? task->held : NULL;

	if (unlikely(held && held->nr))
		report_held_at_end();
}

void lockdep_check_freed(const void *from, size_t size)
{
	struct task_struct *task = current;
	struct held_locks *held = lockdep_on && task ? task->held : NULL;
	host_sigmask_t mask;

	if (likely(!held || !held->nr))
		return;
	mask = host_signals_block();
	for (unsigned int i = 0; i < held->nr; i++) {
		if ((size_t)((const char *)held->locks[i].map - (const char *)from) >= size)
			continue;
		report_held_freed(&held->locks[i], from, size);
		break;
	}
	host_signals_restore(mask);
}

/* ---- questions ---- */

bool flagstone_lock_is_held(const struct lockdep_map *map, int read)
{
	struct held_locks *held = lockdep_on ? held_by_this(map) : NULL;
	host_sigmask_t mask;
	bool found = false;

	if (!held || held->incomplete || __atomic_load_n(&classes_full, __ATOMIC_RELAXED))
		return true;
	mask = host_signals_block();
	for (unsigned int i = 0; i < held->nr && !found; i++)
		found = held->locks[i].map == map &&
			(read < 0 || (mode_of(&held->locks[i]) != HOW_WRITE) == (read != 0));
	host_signals_restore(mask);
	return found;
}

void flagstone_assert_held(const struct lockdep_map *map, int read, const char *file, int line)
{
	if (unlikely(!flagstone_lock_is_held(map, read)))
		report_bug("lockdep_assert_held at %s:%d: %s/%d does not hold %s", file, line, current->comm,
			current->pid, map->name ? map->name : "?");
}
