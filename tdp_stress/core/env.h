/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the core lives: the kernel or user space. The only file of the core
 * that knows which; the rest uses what is defined here. Nothing here sleeps
 * but tdxm_env_alloc(), tdxm_env_free() and tdxm_env_is_ram().
 */
#ifndef TDP_STRESS_CORE_ENV_H
#define TDP_STRESS_CORE_ENV_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/ioport.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/types.h>
#include <linux/vmalloc.h>
#include <asm/page.h>
/* 7.2 and newer; abi.h has what older kernels lack. */
#if __has_include(<asm/shared/tdx_errno.h>)
#include <asm/shared/tdx_errno.h>
#endif

#define tdxm_read(p)			READ_ONCE(*(p))
#define tdxm_write(p, v)		WRITE_ONCE(*(p), (v))
/* Pairs with tdxm_store_release() of the same place, in user space too. */
#define tdxm_load_acquire(p)		smp_load_acquire(p)
/* Pairs with tdxm_load_acquire() of the same place. */
#define tdxm_store_release(p, v)	smp_store_release(p, v)
/* Both are full barriers and return the value before. */
#define tdxm_cmpxchg(p, old, new)	cmpxchg(p, old, new)
#define tdxm_fetch_add(p, n)		xadd(p, n)

static inline void *tdxm_env_va(u64 pa)
{
	return __va(pa);
}

/* A page table entry without the bit by which AMD encrypts the host's memory. */
static inline u64 tdxm_env_clear_enc(u64 entry)
{
	return __sme_clr(entry);
}

static inline u32 tdxm_env_lp(void)
{
	return raw_smp_processor_id();
}

static inline u32 tdxm_env_package(u32 lp)
{
#ifdef topology_logical_package_id
	return topology_logical_package_id(lp);
#else
	return 0;
#endif
}

static inline void tdxm_env_delay(u32 ns)
{
	ndelay(ns);
}

static inline void *tdxm_env_alloc(size_t size)
{
	return vzalloc(size);
}

static inline void tdxm_env_free(void *p)
{
	vfree(p);
}

#ifdef CONFIG_UML
/* User Mode Linux keeps no map of its memory: what is there is RAM. */
static inline bool tdxm_env_is_ram(u64 pfn, u64 *nr)
{
	*nr = 1;
	return pfn_valid(pfn);
}
#else
#define TDXM_ENV_RAM_CHUNK	512	/* pages looked at together */

static inline bool tdxm_env_chunk_is_ram(u64 pfn)
{
	u64 size = TDXM_ENV_RAM_CHUNK << PAGE_SHIFT;

	return page_is_ram(pfn) && page_is_ram(pfn + TDXM_ENV_RAM_CHUNK - 1) &&
	       region_intersects(pfn << PAGE_SHIFT, size, IORESOURCE_SYSTEM_RAM,
				 IORES_DESC_NONE) == REGION_INTERSECTS;
}

/* Is @pfn RAM, and how many pages from there on (1 or more) are what it is? May sleep. */
static inline bool tdxm_env_is_ram(u64 pfn, u64 *nr)
{
	*nr = 1;
	if (pfn % TDXM_ENV_RAM_CHUNK || !tdxm_env_chunk_is_ram(pfn))
		return page_is_ram(pfn);
	*nr = TDXM_ENV_RAM_CHUNK;
	return true;
}
#endif

#else /* user space */

#include <assert.h>
#include <errno.h>
#include <linux/const.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define BIT(n)			_BITUL(n)
#define BIT_ULL(n)		_BITULL(n)
#define PAGE_SHIFT		12
#define PAGE_SIZE		BIT(PAGE_SHIFT)
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(c)		static_assert(!(c), #c)
#define unlikely(c)		__builtin_expect(!!(c), 0)

#define tdxm_read(p)			__atomic_load_n(p, __ATOMIC_RELAXED)
#define tdxm_write(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define tdxm_load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define tdxm_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define tdxm_cmpxchg(p, old, new)						\
({										\
	__auto_type __p = (p);							\
	__typeof__(*__p) __old = (old);						\
										\
	__atomic_compare_exchange_n(__p, &__old, new, false, __ATOMIC_SEQ_CST,	\
				    __ATOMIC_SEQ_CST);				\
	__old;									\
})
#define tdxm_fetch_add(p, n)		__atomic_fetch_add(p, n, __ATOMIC_SEQ_CST)

void *tdxm_env_va(u64 pa);
static inline u64 tdxm_env_clear_enc(u64 entry)
{
	return entry;
}

u32 tdxm_env_lp(void);
u32 tdxm_env_package(u32 lp);
void tdxm_env_delay(u32 ns);
void *tdxm_env_alloc(size_t size);
void tdxm_env_free(void *p);
bool tdxm_env_is_ram(u64 pfn, u64 *nr);

/*
 * env_user.c's fake machine. The memory is zeroed RAM from physical address 0,
 * but for the hole; each thread is the logical processor it says it is (0 until
 * then); packages have @lps_per_package of them each.
 */
int tdxm_env_user_init(u64 nr_pages, u64 hole_pfn, u64 hole_pages);
void tdxm_env_user_exit(void);
void tdxm_env_user_set_lp(u32 lp);
void tdxm_env_user_set_lps_per_package(u32 lps_per_package);
/* Let the next @n allocations succeed and the one after them fail; -1: all succeed. */
void tdxm_env_user_fail_alloc(int n);
int tdxm_env_user_live_allocs(void);

#endif /* __KERNEL__ */

/* Set and clear bits of *@p, which others change at the same time; the value before. */
static inline u64 tdxm_fetch_or(u64 *p, u64 bits)
{
	u64 old = tdxm_read(p), seen;

	while ((seen = tdxm_cmpxchg(p, old, old | bits)) != old)
		old = seen;
	return old;
}

static inline u64 tdxm_fetch_andnot(u64 *p, u64 bits)
{
	u64 old = tdxm_read(p), seen;

	while ((seen = tdxm_cmpxchg(p, old, old & ~bits)) != old)
		old = seen;
	return old;
}

#endif
