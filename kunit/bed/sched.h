/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that stop at named points of KVM's way until the script of a case lets
 * them go: a race, every time the same. A script that cannot be followed fails the
 * case and says where each thread is; it never hangs.
 */
#ifndef TDP_STRESS_KUNIT_SCHED_H
#define TDP_STRESS_KUNIT_SCHED_H

#include <linux/types.h>

struct bed;

/*
 * Points. The home says which it has (bed_has_point()): UML all of them, because
 * the file under test is compiled with its primitives wrapped; QEMU those at which
 * KVM calls out. A case whose points are missing is SKIP, and says which.
 */
enum bed_point {
	BED_START,		/* the thread has not begun */
	BED_BEFORE_FREEZE,	/* about to exchange an SPTE for FROZEN_SPTE */
	BED_AFTER_FREEZE,	/* has done so */
	BED_BEFORE_CMPXCHG,	/* about to exchange an SPTE for another value */
	BED_BEFORE_WRITE,	/* about to write an SPTE, mmu_lock held for write */
	BED_IN_EXTERNAL,	/* set_external_spte has been called */
	BED_AFTER_EXTERNAL,	/* ... is about to return */
	BED_IN_FREE,		/* free_external_spt has been called */
	BED_BEFORE_UNFREEZE,	/* about to write the SPTE that was frozen */
	BED_AFTER_WRITE,	/* an SPTE has got its new value and the books are kept */
	BED_WAIT_OWNER,		/* spins until the owner of a frozen SPTE is done */
	BED_BEFORE_PAGES_LOCK,	/* about to take tdp_mmu_pages_lock, of roots and NX pages */
	BED_BEFORE_CALL_RCU,	/* a table is about to be handed to RCU */
	BED_YIELD,		/* mmu_lock is about to be dropped in a walk */
	BED_YIELDED,		/* ... and has been taken again */
	BED_WALK,		/* a walk is about to look at an entry */
	BED_RETRY,		/* a fault has lost, and says so */
	BED_DONE,		/* the thread's function has returned */
	BED_NR_POINTS
};

const char *bed_point_name(enum bed_point p);
bool bed_has_point(enum bed_point p);

/* Called by home and bed at the points; any context, spins while the thread is held. */
void bed_point(enum bed_point p, gfn_t gfn, int level);
/* Make the next walks of this thread yield at every entry (needs BED_YIELD). */
void bed_want_yield(struct bed *b, bool yes);
/* For the home's wrapper: does the current thread want to? */
bool bed_wants_yield(void);

/*
 * mmu_lock, for what a case does itself: so that a script can see who has it and who
 * waits for it. Any thread.
 */
void bed_read_lock(struct bed *b);
void bed_read_unlock(struct bed *b);
void bed_write_lock(struct bed *b);
void bed_write_unlock(struct bed *b);

#define BED_THREADS	3

/**
 * struct bed_step - one step of a script
 * @thread: which ('A', 'B', 'C'); 0 ends the script
 * @to: let it run until it is at this point; it stops there
 * @nth: the how manyeth time it gets there, from now; 0 is 1
 * @level: only at entries of this level; 0: any
 * @gfn: only at this GFN, with @gfn_too
 * @gfn_too: see @gfn
 * @blocked: it must *not* get there as long as the others stand still: it waits for
 *	one of them. The step ends when it was seen to be blocked (spinning at
 *	BED_WAIT_OWNER, or waiting for mmu_lock); it runs on by itself when it can
 */
struct bed_step {
	char thread;
	enum bed_point to;
	u32 nth;
	int level;
	gfn_t gfn;
	bool gfn_too;
	bool blocked;
};

#define BED_RUN(t, p)		{ .thread = (t), .to = (p) }
#define BED_RUN_AT(t, p, l)	{ .thread = (t), .to = (p), .level = (l) }
#define BED_BLOCKS(t)		{ .thread = (t), .to = BED_DONE, .blocked = true }
#define BED_END			{ }

/* What a thread of a script does; its return value is kept. */
typedef long (*bed_fn)(struct bed *b, void *arg);

/**
 * struct bed_actor - a thread of a script
 * @fn: what it does
 * @arg: its argument
 * @ret: what it returned
 */
struct bed_actor {
	bed_fn fn;
	void *arg;
	long ret;
};

/*
 * Play a script. After the last step all threads are let go and joined. A step that is not
 * reached, with a thread that has not moved for 5 s, fails the case: number of the step, what
 * was wanted, where every thread stands. Everybody is let go then, too.
 */
bool bed_follow(struct bed *b, const struct bed_step *steps, struct bed_actor *actor, int nr);
/* The same, but what could not be followed is only said: NULL, or in words (the case's). */
const char *bed_play(struct bed *b, const struct bed_step *steps, struct bed_actor *actor, int nr);
/* Until the case ends, a thread that does not move is given up after so many ms, not 5 s. */
void bed_patience(u32 ms);

#endif
