// SPDX-License-Identifier: GPL-2.0
/*
 * The code of the small guest: copied into its memory as it is, so it is position
 * independent, calls nothing, and has no data but what struct ks_home has. 64-bit
 * mode, no interrupts, no exceptions: any of these ends it by a triple fault.
 */
#include "ks_guest.h"

/* Knuth's MMIX generator: its upper bits are good enough to choose a page. */
static __always_inline u64 draw(struct ks_box *box)
{
	box->random = box->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return box->random >> 33;
}

/* Any page of this vCPU's that the host lets it touch. */
static __always_inline u64 choose(struct ks_box *box, u64 cpu)
{
	u64 first = box->kept_off & 1 ? KS_MOVING : 0;
	u64 page = first + draw(box) % (KS_GUEST_PAGES - first);

	return page - page % box->nr_cpus + cpu;
}

static __always_inline u64 *word_of(const struct ks_box *box, u64 page)
{
	u64 at = page < KS_MOVING ? KS_GET(box->moving_at) + page * 4096 :
				    KS_STAYING_AT + (page - KS_MOVING) * 4096;

	return (u64 *)(at + ks_word_offset(page));
}

/* The host looks at it; what is in memory stays as it is. */
static __always_inline void fail(struct ks_box *box, u64 page, u64 wanted, u64 got)
{
	KS_SET(box->page, page);
	KS_SET(box->wanted, wanted);
	KS_SET(box->got, got);
	KS_SET(box->failed, 1);
	for (;;)
		KS_SET(box->kept_off, KS_GET(box->keep_off));
}

/*
 * Look at a page: as it was left, or empty if the host has begun to take it since it
 * had ended to do so before the last write.
 */
static __always_inline void check(struct ks_home *home, struct ks_box *box, u64 page, u64 *word)
{
	u64 got = KS_GET(*word), wanted = home->wrote[page];

	if (got == wanted) {
		KS_SET(box->reads, box->reads + 1);
		return;
	}
	if (got || KS_GET(home->taken[page]) == home->seen[page])
		fail(box, page, wanted, got);
	/* from now on it must not come back */
	KS_SET(home->wrote[page], 0);
	KS_SET(box->blanks, box->blanks + 1);
}

static __always_inline void write(struct ks_home *home, struct ks_box *box, u64 cpu, u64 page,
				  u64 *word)
{
	u64 value = KS_WORD(box->writes + 1, page, cpu);

	/* in this order, which is what the host goes by */
	KS_SET(box->writes, box->writes + 1);
	KS_SET(*word, value);
	KS_SET(home->wrote[page], value);
}

/**
 * ks_payload() - the guest
 * @home: its memory
 * @cpu: which vCPU it is
 *
 * Never returns.
 */
void ks_payload(struct ks_home *home, u64 cpu)
{
	struct ks_box *box = &home->box[cpu];

	for (;;) {
		u64 page, given, *word;

		KS_SET(box->kept_off, KS_GET(box->keep_off));
		page = choose(box, cpu);
		word = word_of(box, page);
		given = KS_GET(home->given[page]);
		check(home, box, page, word);
		/* pages that are only read are other SPTEs */
		if (draw(box) % 4 == 0)
			continue;
		write(home, box, cpu, page, word);
		KS_SET(home->seen[page], given);
	}
}
