/*
 * linux/lockdep.h: classes of locks, and the check of the order in which they are taken.
 *
 * Semantics: Linux, Documentation/locking/lockdep-design.rst. Locks that one place initialises are one class. Debug builds check, and
 * machines that are told to. One report each, then it goes on.
 */
#ifndef FLAGSTONE_LINUX_LOCKDEP_H
#define FLAGSTONE_LINUX_LOCKDEP_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAX_LOCKDEP_SUBCLASSES 8u

/* Only its address matters: one a class. */
struct lock_class_key {
	char unused;
};

/* What the check knows of a lock. */
struct lockdep_map {
	const struct lock_class_key
		*key; /* NULL: the lock is static and a class of its own. Synchronization: const after init */
	const char *name; /* NULL: never initialised. Synchronization: const after init */
	uint32_t cache; /* the class of subclass 0, if of this boot. Synchronization: atomic */
};

/* In an initialiser of a static lock. */
#define FLAGSTONE_LOCKDEP_MAP(lockname) \
	{                               \
		NULL, #lockname, 0      \
	}
/* In one of a lock on the stack: a class of this place. */
#define FLAGSTONE_LOCKDEP_MAP_ONSTACK(lockname)             \
	{                                                   \
		({                                          \
			static struct lock_class_key __key; \
			&__key;                             \
		}),                                         \
			#lockname, 0                        \
	}

/* Locks of this map are of the class of this key from now on. Nobody holds it. Any context. */
void lockdep_init_map(struct lockdep_map *map, const char *name, const struct lock_class_key *key, int subclass);
#define lockdep_set_class(lock, key) lockdep_init_map(&(lock)->dep_map, #key, (key), 0)
#define lockdep_set_class_and_name(lock, key, name) lockdep_init_map(&(lock)->dep_map, (name), (key), 0)
/* The class whose locks are not checked. */
extern struct lock_class_key __lockdep_no_validate__;
#define lockdep_set_novalidate_class(lock) lockdep_init_map(&(lock)->dep_map, #lock, &__lockdep_no_validate__, 0)

/* Whether this task holds it; read: 0 as a writer, 1 as a reader, -1 either. True where locks are not checked. */
bool flagstone_lock_is_held(const struct lockdep_map *map, int read);
#define lockdep_is_held(lock) flagstone_lock_is_held(&(lock)->dep_map, -1)
#define lockdep_is_held_type(lock, read) flagstone_lock_is_held(&(lock)->dep_map, (read))
void flagstone_assert_held(const struct lockdep_map *map, int read, const char *file, int line);
/* A report unless this task holds the lock, where locks are checked. */
#define lockdep_assert_held(lock) flagstone_assert_held(&(lock)->dep_map, -1, __FILE__, __LINE__)
#define lockdep_assert_held_write(lock) flagstone_assert_held(&(lock)->dep_map, 0, __FILE__, __LINE__)
#define lockdep_assert_held_read(lock) flagstone_assert_held(&(lock)->dep_map, 1, __FILE__, __LINE__)

/*
 * What is no lock but is waited for, as one class: who does it acquires the map meanwhile, and who waits acquires and releases it before.
 * So it is reported that somebody waits while holding a lock that the other may want. Any context.
 */
void flagstone_map_acquire(struct lockdep_map *map, unsigned int reads);
void flagstone_map_release(struct lockdep_map *map);
#define lock_map_acquire(map) flagstone_map_acquire((map), 0)
#define lock_map_acquire_read(map) flagstone_map_acquire((map), 1)
#define lock_map_release(map) flagstone_map_release(map)
/* In an initialiser of a static map, whose key is its own address. */
#define STATIC_LOCKDEP_MAP_INIT(map_name, map_key)                      \
	{                                                               \
		(const struct lock_class_key *)(map_key), (map_name), 0 \
	}

/* Flagstone's own: whether locks are checked. Synchronization: set while one thread uses the machine; true in debug builds. */
extern bool lockdep_on;
/* Forgets all classes and dependencies. Nobody holds a lock. */
void lockdep_reset(void);

#ifdef __cplusplus
}
#endif

#endif
