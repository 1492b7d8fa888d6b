// SPDX-License-Identifier: GPL-2.0
/*
 * The core's environment in user space: a fake physical memory, threads that
 * play logical processors. Knows POSIX, nothing of TDX.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "env.h"

static char *memory;
static u64 memory_pages, hole_start, hole_size;
static u32 package_lps = 64;
static int allocs_left = -1, live_allocs;
static __thread u32 this_lp;

int tdxm_env_user_init(u64 nr_pages, u64 hole_pfn, u64 hole_pages)
{
	if (memory)
		return -EBUSY;
	memory = mmap(NULL, nr_pages << PAGE_SHIFT, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		memory = NULL;
		return -ENOMEM;
	}
	memory_pages = nr_pages;
	hole_start = hole_pfn;
	hole_size = hole_pages;
	package_lps = 64;
	return 0;
}

void tdxm_env_user_exit(void)
{
	munmap(memory, memory_pages << PAGE_SHIFT);
	memory = NULL;
}

void tdxm_env_user_set_lp(u32 lp)
{
	this_lp = lp;
}

void tdxm_env_user_set_lps_per_package(u32 lps_per_package)
{
	package_lps = lps_per_package;
}

void tdxm_env_user_fail_alloc(int n)
{
	allocs_left = n;
}

void *tdxm_env_va(u64 pa)
{
	return memory + pa;
}

u32 tdxm_env_lp(void)
{
	return this_lp;
}

u32 tdxm_env_package(u32 lp)
{
	return lp / package_lps;
}

void tdxm_env_delay(u32 ns)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += ns;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

void *tdxm_env_alloc(size_t size)
{
	if (!allocs_left)
		return NULL;
	if (allocs_left > 0)
		allocs_left--;
	live_allocs++;
	return calloc(1, size);
}

int tdxm_env_user_live_allocs(void)
{
	return live_allocs;
}

void tdxm_env_free(void *p)
{
	live_allocs -= !!p;
	free(p);
}

bool tdxm_env_is_ram(u64 pfn, u64 *nr)
{
	*nr = 1;
	return pfn < memory_pages && pfn - hole_start >= hole_size;
}
