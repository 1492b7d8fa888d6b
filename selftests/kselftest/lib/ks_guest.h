/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that a real CPU (or a CPU model) runs under KVM_RUN: a page of code that
 * writes to its memory and looks whether it reads what it has written. Seen by both
 * sides: the guest's code (ks_payload.c) includes this, too, and nothing else of ours.
 *
 * All of its memory is shared memory, so that direct roots are what its CPU walks.
 * There is nobody to emulate an instruction for it where KVM cannot read its code (a
 * VM that was adopted): no port I/O, no MMIO, no HLT, no CPUID; it talks through memory,
 * and ends when it is not entered any more.
 */
#ifndef KSELFTEST_KS_GUEST_H
#define KSELFTEST_KS_GUEST_H

#include "../../lib/types.h"

#define KS_GUEST_CPUS	2

/*
 * Its pages: those of the mobile slot (they move, are logged, get other memory), then
 * some of the main slot (which never goes).
 */
#define KS_MOVING	1024ULL
#define KS_STAYING	512ULL
#define KS_GUEST_PAGES	(KS_MOVING + KS_STAYING)

/* Guest virtual addresses, which are physical ones without the shared bit. */
#define KS_CODE_AT	0x1000UL
#define KS_TABLES_AT	0x2000UL	/* PML4, PDPT, PD */
#define KS_STACKS_AT	0x8000UL	/* a page each */
#define KS_HOME_AT	0x10000UL
#define KS_STAYING_AT	0x200000UL

/* What the guest keeps in a page: who wrote it, where, as its how manieth write. */
#define KS_WORD(write, page, cpu)	((write) << 24 | (page) << 8 | ((cpu) + 1))
#define KS_WORD_WRITE(word)		((word) >> 24)

/**
 * ks_word_offset() - where in page @page its word is: not everywhere the same
 * @page: number of the guest's page
 *
 * Return: bytes from the beginning of the page.
 */
static inline u64 ks_word_offset(u64 page)
{
	return page % 512 * sizeof(u64);
}

/**
 * struct ks_box - what the host and one vCPU tell each other
 * @moving_at: host: virtual address of the moving pages
 * @keep_off: host: an odd number: do not touch the moving pages
 * @kept_off: guest: the @keep_off that it goes by; it is not in the middle of an access
 * @nr_cpus: host: vCPUs that share the pages: page p is vCPU p % nr_cpus' own
 * @random: guest: what it draws pages from; host: the first one
 * @writes: guest: writes begun; what it keeps in a page has this number
 * @reads: guest: pages that it has found as they should be
 * @blanks: guest: pages that it has found empty, because the host had taken them
 * @failed: guest: it has found what should not be, and has stopped
 * @page: guest: where that was
 * @wanted: guest: what should have been there
 * @got: guest: what was
 */
struct ks_box {
	u64 moving_at;
	u64 keep_off;
	u64 kept_off;
	u64 nr_cpus;
	u64 random;
	u64 writes;
	u64 reads;
	u64 blanks;
	u64 failed;
	u64 page;
	u64 wanted;
	u64 got;
};

/**
 * struct ks_home - the guest's own memory, which no test takes away
 * @box: one for each vCPU
 * @wrote: guest: what is in each page, written after it was
 * @taken: host: how often it has begun to take each page's memory; the page is
 *	empty from some moment after that on
 * @given: host: how often it has ended
 * @seen: guest: @given of each page, read before its last write
 */
struct ks_home {
	struct ks_box box[KS_GUEST_CPUS];
	u64 wrote[KS_GUEST_PAGES];
	u64 taken[KS_GUEST_PAGES];
	u64 given[KS_GUEST_PAGES];
	u64 seen[KS_GUEST_PAGES];
};

/* One side reads what the other one writes, in that order. */
#define KS_GET(x)	__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define KS_SET(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELEASE)

/* The section that ks_payload() is in: the linker's names. */
extern const char __start_ks_guest_code[], __stop_ks_guest_code[];

__section("ks_guest_code") void ks_payload(struct ks_home *home, u64 cpu);

#endif
