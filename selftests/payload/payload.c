// SPDX-License-Identifier: GPL-2.0
/*
 * The guest of a TD on real hardware: follows the script in uapi/td_payload.h. Knows
 * TDCALL and where its own page tables have shared memory; no variables, no library,
 * no interrupts but #VE.
 */
#include "../lib/types.h"
#include "../../tdp_stress/uapi/td_payload.h"
#include "payload.h"

/* TDCALL leaves */
#define TDG_VP_VMCALL		0
#define TDG_VP_VEINFO_GET	3
#define TDG_MEM_PAGE_ACCEPT	6

/* Sub-functions of TDG.VP.VMCALL: VM exit reasons, and one of the GHCI */
#define CALL_HLT		12
#define CALL_IO			30
#define CALL_MMIO		48
#define CALL_MAP_GPA		0x10001

#define EXIT_EPT_VIOLATION	48
#define QUALIFICATION_WRITE	2

/* TDG.MEM.PAGE.ACCEPT: bits 63:32 of the status say what it is, the rest which operand */
#define STATUS(s)		((u32)((s) >> 32))
#define OPERAND_BUSY		0x80000200
#define ALREADY_ACCEPTED	0x00000b0a
#define SIZE_MISMATCH		0xc0000b0b

#define LEVEL_2M		1
#define SIZE_2M			(1ULL << 21)

#define MAP_GPA_RETRY		1

/* Second entry of the PML4: shared memory */
#define SHARED_VA		BIT(39)
#define PAGE_SHIFT		12

/**
 * struct regs - what a TDCALL takes and gives
 * @rax: leaf, then status
 * @rcx: by the leaf, as all others
 * @rdx: likewise
 * @r8: likewise
 * @r9: likewise
 * @r10: likewise
 * @r11: likewise
 * @r12: likewise
 * @r13: likewise
 * @r14: likewise
 * @r15: likewise
 */
struct regs {
	u64 rax, rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* Each is one instruction at one place (payload.mk), for whoever watches. */
static void tdcall(struct regs *r)
{
	register u64 r8 asm("r8") = r->r8;
	register u64 r9 asm("r9") = r->r9;
	register u64 r10 asm("r10") = r->r10;
	register u64 r11 asm("r11") = r->r11;
	register u64 r12 asm("r12") = r->r12;
	register u64 r13 asm("r13") = r->r13;
	register u64 r14 asm("r14") = r->r14;
	register u64 r15 asm("r15") = r->r15;

	asm volatile("payload_tdcall: .byte 0x66, 0x0f, 0x01, 0xcc"
		     : "+a"(r->rax), "+c"(r->rcx), "+d"(r->rdx), "+r"(r8), "+r"(r9),
		       "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
		     : : "memory", "cc");
	r->r8 = r8;
	r->r9 = r9;
	r->r10 = r10;
	r->r11 = r11;
}

static u64 load(u64 va)
{
	u64 value;

	/* a read of MMIO is passed over by payload_ve(), and leaves what was there */
	asm volatile("payload_load: movq (%1), %0\n"
		     "payload_load_end:"
		     : "=r"(value) : "r"(va), "0"(0ULL) : "memory");
	return value;
}

static void store(u64 va, u64 value)
{
	asm volatile("payload_store: movq %1, (%0)\n"
		     "payload_store_end:"
		     : : "r"(va), "r"(value) : "memory");
}

static u64 vmcall(struct regs *r, u64 fn, u64 r12, u64 r13, u64 r14, u64 r15)
{
	*r = (struct regs) {
		.rax = TDG_VP_VMCALL, .rcx = 0xfc00, .r11 = fn,
		.r12 = r12, .r13 = r13, .r14 = r14, .r15 = r15,
	};
	tdcall(r);
	return r->r10;
}

static void write_port(u32 port, u32 value)
{
	struct regs r;

	vmcall(&r, CALL_IO, sizeof(value), 1, port, value);
}

/* Tell, and do nothing more: the host ends the TD. */
static void bad(enum td_payload_bad what, u32 value)
{
	struct regs r;

	for (;;) {
		write_port(TD_PAYLOAD_BAD_PORT, (u32)what << 24 | (value & 0xffffff));
		vmcall(&r, CALL_HLT, 0, 0, 0, 0);
	}
}

/*
 * The host may have the page mapped, or not yet, or as a part of a huge one, which can be
 * accepted as a whole only; accepted before is as good.
 */
static void accept_page(u64 gpa)
{
	bool huge = false;
	struct regs r;

	do {
		r = (struct regs) {
			.rax = TDG_MEM_PAGE_ACCEPT,
			.rcx = huge ? (gpa & ~(SIZE_2M - 1)) | LEVEL_2M : gpa,
		};
		tdcall(&r);
		if (STATUS(r.rax) == SIZE_MISMATCH)
			huge = !huge;
	} while (STATUS(r.rax) == OPERAND_BUSY || STATUS(r.rax) == SIZE_MISMATCH);
	if (r.rax && STATUS(r.rax) != ALREADY_ACCEPTED)
		bad(TD_PAYLOAD_BAD_ACCEPT, STATUS(r.rax));
}

/* For #VE of an EPT violation the TDX module does not tell the length of the instruction. */
static u64 behind(u64 rip)
{
	if (rip == (uintptr_t)payload_load)
		return (uintptr_t)payload_load_end;
	if (rip != (uintptr_t)payload_store)
		bad(TD_PAYLOAD_BAD_VE, rip);
	return (uintptr_t)payload_store_end;
}

/**
 * payload_ve() - #VE: a page that is not accepted, or MMIO
 * @frame: RIP and what else IRETQ takes
 */
void payload_ve(u64 *frame)
{
	struct regs info = { .rax = TDG_VP_VEINFO_GET }, r;
	bool shared;

	tdcall(&info);
	/* GPA bits 51 and 47: ours are below 4 GiB */
	shared = info.r9 >> 32;
	if ((u32)info.rcx != EXIT_EPT_VIOLATION)
		bad(TD_PAYLOAD_BAD_VE, info.rcx);
	if (!shared) {
		/* the host took it away, and brought another: the access is made again */
		accept_page(info.r9 >> PAGE_SHIFT << PAGE_SHIFT);
		return;
	}
	vmcall(&r, CALL_MMIO, sizeof(u64), !!(info.rdx & QUALIFICATION_WRITE), info.r9, 0);
	*frame = behind(*frame);
}

/* Returns whether the host has made all of it what was asked for. */
static bool map_gpa(u64 gpa, u64 size)
{
	u64 end = gpa + size;
	struct regs r;
	u64 status;

	do {
		status = vmcall(&r, CALL_MAP_GPA, gpa, end - gpa, 0, 0);
		if (status == MAP_GPA_RETRY && r.r11 >= gpa && r.r11 < end)
			gpa = r.r11;
		else if (status)
			return false;
	} while (status);
	return true;
}

static void check(const struct td_payload_act *act, u64 got, u64 wanted)
{
	/* the host may take a page at any time: then it is empty */
	if (got && got != wanted)
		bad(TD_PAYLOAD_BAD_MEMORY, act->gfn);
}

static void perform(struct td_payload *p, const struct td_payload_act *act, u64 shared_bit)
{
	u64 gpa = (u64)act->gfn << PAGE_SHIFT, va = gpa + p->offset;
	u64 size = (u64)act->nr << PAGE_SHIFT;

	if (act->what == TD_PAYLOAD_ACCEPT)
		accept_page(gpa);
	else if (act->what == TD_PAYLOAD_WRITE)
		store(va, act->value);
	else if (act->what == TD_PAYLOAD_READ)
		check(act, load(va), act->value);
	else if (act->what == TD_PAYLOAD_READ_ZERO)
		check(act, load(va), 0);
	else if (act->what == TD_PAYLOAD_WRITE_SHARED)
		store(va | SHARED_VA, act->value);
	else if (act->what == TD_PAYLOAD_READ_SHARED)
		load(va | SHARED_VA);
	else if (act->what == TD_PAYLOAD_PROGRESS)
		write_port(TD_PAYLOAD_PORT, act->value);
	else if (!map_gpa(act->what == TD_PAYLOAD_MAP_SHARED ? gpa | shared_bit : gpa, size))
		td_payload_refused(p);
}

/**
 * payload_main() - what a vCPU does
 * @arg: TDH.VP.INIT's number
 * @gpaw: width of guest physical addresses
 */
void payload_main(u64 arg, u32 gpaw)
{
	struct td_payload_act act;
	struct td_payload p;

	if (!TD_PAYLOAD_IS(arg))
		bad(TD_PAYLOAD_BAD_ARG, arg);
	td_payload_init(&p, arg);
	for (;;) {
		td_payload_next(&p, &act);
		perform(&p, &act, BIT(gpaw - 1));
	}
}
