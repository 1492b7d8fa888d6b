/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the guest of a TD does, in the order in which it does it. One description for
 * three readers, so that they cannot differ:
 *
 *   selftests/payload/   the code that a TD runs on real hardware
 *   tdp_stress/stub/     the emulated TDX module, which runs no guest code: it plays this
 *   selftests/lib/       the host, which knows by it what the guest has to ask for next
 *
 * Hence in uapi/, which is what user space and the modules agree on. Compiles in the
 * kernel, in user space and without either; knows no TDCALL and no ioctl.
 *
 * A vCPU repeats td_payload_script[] for ever. Where it works and how it chooses comes
 * from the one number that TDH.VP.INIT gives it (RCX, and R8, which survives the way to
 * 64-bit mode). Each vCPU has pages of its own, which no other vCPU touches, and there
 * are pages that all of them touch, so that they fault on the same GFN.
 */
#ifndef _UAPI_TD_PAYLOAD_H
#define _UAPI_TD_PAYLOAD_H

/* The image ends where a 32-bit address does; the reset vector is 16 bytes below. */
#define TD_PAYLOAD_END		0x100000000ULL

/* Ports of TDVMCALL<IO>, 4 bytes: progress, and what the guest has found to be wrong. */
#define TD_PAYLOAD_PORT		0x80
#define TD_PAYLOAD_BAD_PORT	0x84

/* The initial memory, from GFN 0, which all vCPUs touch; it is there and accepted. */
#define TD_PAYLOAD_COMMON	16
/* A window: pages in a row that a round is about. */
#define TD_PAYLOAD_WINDOW	16

/* More vCPUs the image has no stacks for. */
#define TD_PAYLOAD_VCPUS	32

#ifndef __ASSEMBLER__

#include <linux/types.h>

/*
 * The number of TDH.VP.INIT: GFN of the vCPU's own pages in bits 19:0, how many there
 * are in bits 39:20, the vCPU in bits 45:40, seed in bits 62:46. Bit 63 tells it from
 * TDX_STUB_GUEST_LAYOUT().
 */
#define TD_PAYLOAD_ARG(gfn, nr, vcpu, seed) \
	(1ULL << 63 | (unsigned long long)((seed) & 0x1ffff) << 46 | \
	 (unsigned long long)((vcpu) & 0x3f) << 40 | \
	 (unsigned long long)((nr) & 0xfffff) << 20 | (unsigned long long)((gfn) & 0xfffff))
#define TD_PAYLOAD_IS(arg)	((arg) >> 63)
#define TD_PAYLOAD_GFN(arg)	((__u32)((arg) & 0xfffff))
#define TD_PAYLOAD_NR(arg)	((__u32)((arg) >> 20 & 0xfffff))
#define TD_PAYLOAD_VCPU(arg)	((__u32)((arg) >> 40 & 0x3f))

/* What the guest finds to be wrong, in bits 31:24 of what it writes to the bad port. */
enum td_payload_bad {
	TD_PAYLOAD_BAD_ACCEPT = 1,	/* TDG.MEM.PAGE.ACCEPT: status bits 55:32 in 23:0 */
	TD_PAYLOAD_BAD_VE,		/* a #VE that nothing explains: exit reason */
	TD_PAYLOAD_BAD_MEMORY,		/* private memory has what nobody wrote: GFN */
	TD_PAYLOAD_BAD_ARG,		/* TDH.VP.INIT gave no number of ours */
};

enum td_payload_what {
	TD_PAYLOAD_NONE,
	TD_PAYLOAD_ACCEPT,		/* TDG.MEM.PAGE.ACCEPT; accepted already is as good */
	TD_PAYLOAD_WRITE,		/* private */
	TD_PAYLOAD_READ,		/* private: 0, or what was written in this round */
	TD_PAYLOAD_READ_ZERO,		/* private: 0 */
	TD_PAYLOAD_WRITE_SHARED,
	TD_PAYLOAD_READ_SHARED,		/* the host may have written anything */
	TD_PAYLOAD_MAP_SHARED,		/* TDVMCALL<MapGPA>, all of the window */
	TD_PAYLOAD_MAP_PRIVATE,
	TD_PAYLOAD_PROGRESS,		/* TDVMCALL<IO>: the round's random number */
};

/**
 * struct td_payload_step - a line of the script
 * @what: enum td_payload_what
 * @pages: where: 'w' each page of the window, 'c' one of the common pages, '-': one call
 * @converting: only in the rounds that convert
 */
struct td_payload_step {
	__u8 what;
	char pages;
	__u8 converting;
};

static const struct td_payload_step td_payload_script[] = {
	{ TD_PAYLOAD_ACCEPT,		'w', 0 },
	{ TD_PAYLOAD_WRITE,		'w', 0 },
	{ TD_PAYLOAD_READ,		'w', 0 },
	{ TD_PAYLOAD_ACCEPT,		'c', 0 },
	{ TD_PAYLOAD_WRITE,		'c', 0 },
	{ TD_PAYLOAD_READ,		'c', 0 },
	{ TD_PAYLOAD_MAP_SHARED,	'-', 1 },
	{ TD_PAYLOAD_WRITE_SHARED,	'w', 1 },
	{ TD_PAYLOAD_READ_SHARED,	'w', 1 },
	{ TD_PAYLOAD_MAP_PRIVATE,	'-', 1 },
	{ TD_PAYLOAD_ACCEPT,		'w', 1 },
	{ TD_PAYLOAD_READ_ZERO,		'w', 1 },
	{ TD_PAYLOAD_PROGRESS,		'-', 0 },
	{ TD_PAYLOAD_NONE,		'-', 0 },
};

/**
 * struct td_payload_act - one thing to do
 * @gfn: first or only page
 * @value: to be written (WRITE), or what may be there besides 0 (READ), or the number
 *	   (PROGRESS)
 * @nr: number of pages (MAP_*)
 * @what: enum td_payload_what
 * @asked: for whoever does it: it is under way
 */
struct td_payload_act {
	__u32 gfn;
	__u32 value;
	__u16 nr;
	__u8 what;
	__u8 asked;
};

/**
 * struct td_payload - where a vCPU is in its script
 * @random: state of the random numbers
 * @gfn: first of its own pages
 * @nr: how many it has, 0: none
 * @first: first page of the window, a GFN
 * @common: the common page of this round
 * @page: page of the window that is next
 * @offset: of the word that it uses in each page, in bytes: common pages have one for each vCPU
 * @window: pages of the window
 * @step: line of the script
 * @converting: this round converts
 */
struct td_payload {
	__u64 random;
	__u32 gfn;
	__u32 nr;
	__u32 first;
	__u32 common;
	__u16 page;
	__u16 offset;
	__u8 window;
	__u8 step;
	__u8 converting;
};

/* Knuth's MMIX generator: its upper bits are good. */
static inline __u32 td_payload_draw(struct td_payload *p)
{
	p->random = p->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return p->random >> 32;
}

static inline void td_payload_round(struct td_payload *p)
{
	__u32 chance = td_payload_draw(p);

	p->step = 0;
	p->page = 0;
	p->window = 0;
	p->common = chance % TD_PAYLOAD_COMMON;
	p->converting = p->nr && chance >> 28 < 6;
	if (p->nr) {
		p->window = 1 + (chance >> 8) % (p->nr < TD_PAYLOAD_WINDOW ? p->nr :
						 TD_PAYLOAD_WINDOW);
		p->first = p->gfn + td_payload_draw(p) % (p->nr - p->window + 1);
	}
}

/**
 * td_payload_init() - the beginning
 * @p: filled in
 * @arg: TDH.VP.INIT's number; common pages in it are nobody's own
 */
static inline void td_payload_init(struct td_payload *p, __u64 arg)
{
	p->random = arg;
	p->gfn = TD_PAYLOAD_GFN(arg);
	p->nr = TD_PAYLOAD_NR(arg);
	p->offset = 8 * TD_PAYLOAD_VCPU(arg);
	p->first = 0;
	if (p->gfn < TD_PAYLOAD_COMMON) {
		__u32 lost = TD_PAYLOAD_COMMON - p->gfn;

		p->nr = p->nr > lost ? p->nr - lost : 0;
		p->gfn = TD_PAYLOAD_COMMON;
	}
	td_payload_draw(p);
	td_payload_round(p);
}

/**
 * td_payload_next() - the next thing to do
 * @p: where the vCPU is; moved on
 * @act: filled in
 */
static inline void td_payload_next(struct td_payload *p, struct td_payload_act *act)
{
	const struct td_payload_step *s;

	for (;;) {
		if (td_payload_script[p->step].what == TD_PAYLOAD_NONE)
			td_payload_round(p);
		s = &td_payload_script[p->step];
		if ((!s->converting || p->converting) &&
		    p->page < (s->pages == 'w' ? p->window : 1))
			break;
		p->step++;
		p->page = 0;
	}
	act->what = s->what;
	act->asked = 0;
	act->nr = s->pages == '-' ? p->window : 1;
	act->gfn = s->pages == 'c' ? p->common : p->first + p->page;
	/* never 0, and another one in each round */
	act->value = (__u32)(p->random >> 32) | 1;
	p->page++;
}

/**
 * td_payload_refused() - the host did not do what a MAP_* asked for
 * @p: where the vCPU is: the rest of the conversion is left out
 */
static inline void td_payload_refused(struct td_payload *p)
{
	p->converting = 0;
}

/**
 * td_payload_visible() - does the host see this, whatever the state of its memory?
 * @act: what is done
 *
 * Return: true for what leaves the TD for user space: a page that is there is touched
 *	   without the host's knowing.
 */
static inline int td_payload_visible(const struct td_payload_act *act)
{
	return act->what == TD_PAYLOAD_MAP_SHARED || act->what == TD_PAYLOAD_MAP_PRIVATE ||
	       act->what == TD_PAYLOAD_PROGRESS;
}

#endif
#endif
