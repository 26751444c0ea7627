/*
 * linux/slab.h: kmalloc and slab caches.
 *
 * Semantics: Linux, Documentation/core-api/memory-allocation.rst and slab.rst. Everything here but kmem_cache_create,
 * _destroy and _shrink may be called in any context, a signal handler that interrupted another call included; in a hosted
 * program nothing sleeps. In a machine, allocations sleep where their flags allow it (see linux/gfp.h), frees never do.
 */
#ifndef FLAGSTONE_LINUX_SLAB_H
#define FLAGSTONE_LINUX_SLAB_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/overflow.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kmalloc(0) returns: not NULL, not to be dereferenced, taken by kfree. */
#define ZERO_SIZE_PTR ((void *)16)
#define ZERO_OR_NULL_PTR(x) ((unsigned long)(x) <= (unsigned long)ZERO_SIZE_PTR)

#define KMALLOC_MAX_SIZE (1UL << 22)
#define ARCH_KMALLOC_MINALIGN 8

/*
 * size bytes, physically contiguous, uncleared. A power of two is aligned to itself, other sizes above 8 to 16.
 * Returns ZERO_SIZE_PTR for 0, NULL when memory is out or size is above KMALLOC_MAX_SIZE, which a machine warns
 * of as alloc_pages() does of its order.
 */
void *kmalloc(size_t size, gfp_t flags) __attribute__((malloc, alloc_size(1)));
/* As kmalloc, cleared. */
void *kzalloc(size_t size, gfp_t flags) __attribute__((malloc, alloc_size(1)));
/* n elements of size bytes; NULL too if the product overflows. kcalloc clears. */
void *kmalloc_array(size_t n, size_t size, gfp_t flags) __attribute__((malloc, alloc_size(1, 2)));
void *kcalloc(size_t n, size_t size, gfp_t flags) __attribute__((malloc, alloc_size(1, 2)));
/* The same on a node: its memory first, with __GFP_THISNODE no other. NUMA_NO_NODE: the CPU's own. Hosted, any. */
void *kmalloc_node(size_t size, gfp_t flags, int node) __attribute__((malloc, alloc_size(1)));
void *kzalloc_node(size_t size, gfp_t flags, int node) __attribute__((malloc, alloc_size(1)));
void *kmalloc_array_node(size_t n, size_t size, gfp_t flags, int node) __attribute__((malloc, alloc_size(1, 2)));
void *kcalloc_node(size_t n, size_t size, gfp_t flags, int node) __attribute__((malloc, alloc_size(1, 2)));
/*
 * Makes p usable for new_size bytes, moving it if it must; contents are kept up to the smaller size. p NULL or
 * ZERO_SIZE_PTR: kmalloc. new_size 0: kfree, returns ZERO_SIZE_PTR. NULL when memory is out: p stays valid.
 */
void *krealloc(const void *p, size_t new_size, gfp_t flags) __attribute__((warn_unused_result, alloc_size(2)));
/* As krealloc, for n elements of size bytes; NULL too if the product overflows. */
void *krealloc_array(void *p, size_t n, size_t size, gfp_t flags) __attribute__((warn_unused_result, alloc_size(2, 3)));
/* Frees what any function above returned; NULL and ZERO_SIZE_PTR are no-ops. A BUG report on anything else. */
void kfree(const void *object);
/* As kfree, after clearing the object. */
void kfree_sensitive(const void *object);
/* As kfree, of each of nr objects. */
void kfree_bulk(size_t nr, void **objects);
/* Bytes that may be used of the object, at least those asked for; 0 for NULL and ZERO_SIZE_PTR. */
size_t ksize(const void *object);
/* What ksize would say of an object of that size. */
size_t kmalloc_size_roundup(size_t size);

/* A copy of length bytes; of a string, or NULL of NULL; of its first max bytes at most, or of length bytes, with a
 * zero behind. NULL when memory is out. Semantics: Linux, linux/string.h, which declares these too. */
void *kmemdup(const void *src, size_t length, gfp_t flags) __attribute__((alloc_size(2)));
char *kstrdup(const char *s, gfp_t flags) __attribute__((malloc));
char *kstrndup(const char *s, size_t max, gfp_t flags) __attribute__((malloc));
char *kmemdup_nul(const char *s, size_t length, gfp_t flags) __attribute__((malloc));

struct kmem_cache;

/*
 * Of a cache with one of these three, every object is looked at when it is allocated and freed, which is slow. What
 * is wrong is a report: "BUG: NAME: Right Redzone overwritten", "BUG: NAME: Poison overwritten", "BUG: double free
 * of ...".
 */
#define SLAB_RED_ZONE 0x400u /* bytes behind each object: nobody may have written there */
#define SLAB_POISON 0x800u /* free objects read as 0x6b, at their end 0xa5; not with a constructor */
#define SLAB_STORE_USER 0x10000u /* reports tell who allocated the object last, and who freed it */
#define SLAB_HWCACHE_ALIGN 0x2000u /* objects start on cache lines */
#define SLAB_CACHE_DMA 0x4000u /* the cache's memory is of zone DMA */
#define SLAB_CACHE_DMA32 0x8000u /* or DMA32 */
#define SLAB_RECLAIM_ACCOUNT 0x20000u /* a shrinker can free its objects: its slabs count as reclaimable */
/*
 * Only slabs wait for a grace period (linux/rcupdate.h) before their memory goes back; an object is free, and may be had again, at once.
 * So who finds one in a section finds an object of the cache until the section ends, but maybe another one: take a reference or a lock
 * that is in the object, then look again whether it is what was looked for (tests/kernel/typesafe.c). What lies in a free object stays
 * as it was freed; SLAB_POISON is of no effect. In a program that flagstone-malloc is linked into, such a cache cannot be created: that
 * has no grace periods. Semantics: Linux, Documentation/RCU/rculist_nulls.rst, include/linux/slab.h.
 */
#define SLAB_TYPESAFE_BY_RCU 0x80000u
#define SLAB_PANIC 0x40000u /* kmem_cache_create aborts instead of returning NULL */
#define SLAB_NO_MERGE 0x1000000u /* accepted: caches are never merged */
/* Fails by failslab's cache-filter. In Linux, /sys/kernel/slab/NAME/failslab sets it. */
#define SLAB_FAILSLAB 0x2000000u

/*
 * Creates a cache of objects of size bytes, aligned to align (a power of two; 0: 8). ctor, if not NULL, runs once for each
 * object when its slab is made, not at each allocation; a freed object must be in the constructed state.
 * Context: task. Returns NULL when memory is out or an argument makes no sense, with a line on stderr.
 */
struct kmem_cache *kmem_cache_create(
	const char *name, unsigned int size, unsigned int align, slab_flags_t flags, void (*ctor)(void *object));

/* What may be said of a cache beside its size. Zero: nothing. */
struct kmem_cache_args {
	unsigned int align; /* as in kmem_cache_create */
	unsigned int useroffset,
		usersize; /* the part of an object that may be copied to and from user space, in bytes */
	void (*ctor)(void *object);
	/* With SLAB_TYPESAFE_BY_RCU: bytes of an object that the allocator might use while it is free, if use_freeptr_offset says so. It is
	 * only looked at whether they make sense, since nothing is written into free objects. */
	unsigned int freeptr_offset;
	bool use_freeptr_offset;
};
/* As kmem_cache_create; args may be NULL. In C, kmem_cache_create() itself takes these four arguments, too. */
struct kmem_cache *kmem_cache_create_args(
	const char *name, unsigned int size, const struct kmem_cache_args *args, slab_flags_t flags);
/* As kmem_cache_create, with the part that may be copied to and from user space. Outside of the object: refused. */
struct kmem_cache *kmem_cache_create_usercopy(const char *name, unsigned int size, unsigned int align,
	slab_flags_t flags, unsigned int useroffset, unsigned int usersize, void (*ctor)(void *object));

#ifndef __cplusplus
#define __FLAGSTONE_CACHE_FORM(a1, a2, a3, a4, a5, form, ...) form
#define kmem_cache_create(...) \
	__FLAGSTONE_CACHE_FORM(__VA_ARGS__, (kmem_cache_create), kmem_cache_create_args, 0, 0, 0)(__VA_ARGS__)
#endif
#define KMEM_CACHE(type, flags) kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), (flags), NULL)
#define KMEM_CACHE_USERCOPY(type, flags, field)                                                   \
	kmem_cache_create_usercopy(#type, sizeof(struct type), __alignof__(struct type), (flags), \
		offsetof(struct type, field), sizeof(((struct type *)0)->field), NULL)
/* Ends an empty cache that nobody uses any more; NULL is a no-op. With live objects: reports them, and keeps the cache. Objects that
 * kfree_rcu() was given, and slabs that wait for a grace period, are waited for. Context: task, may sleep; not in a section. */
void kmem_cache_destroy(struct kmem_cache *cache);
/* Gives back what the cache holds in magazines, depot and empty slabs: with SLAB_TYPESAFE_BY_RCU, to the next grace period. Returns 0.
 * Context: task. */
int kmem_cache_shrink(struct kmem_cache *cache);
/* Size of the objects as asked for at creation. */
unsigned int kmem_cache_size(struct kmem_cache *cache);

/* An object of the cache; NULL when memory is out. _zalloc clears it (not for caches with a constructor). */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags) __attribute__((malloc));
void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags) __attribute__((malloc));
/* As kmem_cache_alloc, on a node as kmalloc_node. */
void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t flags, int node) __attribute__((malloc));
/* Gives an object back to its cache; NULL is a no-op. A BUG report if it is of another cache. */
void kmem_cache_free(struct kmem_cache *cache, void *object);
/* nr objects into p. Returns nr, or 0 when memory is out: then none is allocated. */
int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t nr, void **p);
void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **p);

#ifdef __cplusplus
}
#endif

#endif
