/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the live suite: a memslot with memory behind it, private and shared, and KVM's
 * own ways to it: page faults, ioctls, what the host's memory management does.
 */
#ifndef TDP_STRESS_KUNIT_QEMU_LIVE_H
#define TDP_STRESS_KUNIT_QEMU_LIVE_H

#include "../bed/bed.h"

/**
 * enum live_part - memslots of the live suite
 * @LIVE_GMEM: guest_memfd for private pages, anonymous memory for shared ones
 * @LIVE_PLAIN: shared only; its memory is the bed's, so that leafs of 2M and 1G fit
 */
enum live_part {
	LIVE_GMEM,
	LIVE_PLAIN,
};

/* Behind the bed's memslot. */
#define LIVE_GMEM_GFN		(BED_GFN + BED_PAGES)
#define LIVE_GMEM_PAGES		1024
#define LIVE_PLAIN_GFN		(LIVE_GMEM_GFN + ((gfn_t)1 << 18))
#define LIVE_PLAIN_PAGES	((u64)1 << 18)

/*
 * All may sleep; the case's thread, unless it says otherwise. 0 or -errno.
 * slot: make, move, change flags; at @gfn 0: delete.
 */
int live_slot(struct bed *b, enum live_part part, gfn_t gfn, u32 flags);
int live_make(struct bed *b);	/* memory, and both slots */

/* A page fault of a vCPU, as kvm_mmu_do_page_fault(): RET_PF_* or -errno. Any thread. */
int live_fault(struct bed *b, int vcpu, enum bed_kind kind, gfn_t gfn, bool write, u8 max_level);
/* KVM_PRE_FAULT_MEMORY of private pages: how many, or -errno. */
long live_prefault(struct bed *b, int vcpu, gfn_t gfn, u64 pages);
int live_convert(struct bed *b, gfn_t gfn, u64 pages, bool private);
int live_punch(struct bed *b, gfn_t gfn, u64 pages);
/* The host takes shared pages away, and tells KVM by its MMU notifier. */
int live_discard(struct bed *b, gfn_t gfn, u64 pages);
/* KVM_GET_DIRTY_LOG of LIVE_PLAIN: marked pages, of which the first and the last are said. */
long live_log(struct bed *b, gfn_t *first, gfn_t *last);

#endif
