// SPDX-License-Identifier: GPL-2.0
/*
 * SEAMCALL as an instruction: caught as #UD, handed to the core, and made to
 * look executed. Knows instruction encodings and pt_regs; does not know what
 * any leaf means.
 *
 * SEAMCALL is #UD on every CPU without SEAM. exc_invalid_op() asks the die
 * notifiers before it looks for the fixup in seamcall.S, so a notifier that
 * advances IP and writes the registers *is* the instruction, also in noinstr
 * code (TDH.VP.ENTER). It runs with IRQs off.
 */
#include <linux/compiler.h>
#include <linux/kdebug.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include <asm/ptrace.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>

#include "stub.h"

/* SEAMCALL: 66 0F 01 CF, as it is in memory */
#define INSN_SEAMCALL		0xcf010f66
#define INSN_SEAMCALL_LEN	4
#define INSN_MAX_LEN		15

#define INSN_OPSIZE		0x66
#define INSN_REX_MASK		0xf0
#define INSN_REX		0x40
#define INSN_REX_R		0x04

struct stub_trap_stats stub_trap_stats;

static void stub_regs_in(const struct pt_regs *regs, struct tdxm_regs *t)
{
	*t = (struct tdxm_regs) {
		.rax = regs->ax, .rbx = regs->bx, .rcx = regs->cx, .rdx = regs->dx,
		.rsi = regs->si, .rdi = regs->di,
		.r8 = regs->r8, .r9 = regs->r9, .r10 = regs->r10, .r11 = regs->r11,
		.r12 = regs->r12, .r13 = regs->r13, .r14 = regs->r14, .r15 = regs->r15,
	};
}

static void stub_regs_out(const struct tdxm_regs *t, struct pt_regs *regs)
{
	regs->ax = t->rax;
	regs->bx = t->rbx;
	regs->cx = t->rcx;
	regs->dx = t->rdx;
	regs->si = t->rsi;
	regs->di = t->rdi;
	regs->r8 = t->r8;
	regs->r9 = t->r9;
	regs->r10 = t->r10;
	regs->r11 = t->r11;
	regs->r12 = t->r12;
	regs->r13 = t->r13;
	regs->r14 = t->r14;
	regs->r15 = t->r15;
}

/* VMsucceed, SDM volume 3, "conventions": all arithmetic flags are cleared. */
static void stub_retire(struct pt_regs *regs, unsigned int len)
{
	regs->flags &= ~(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF |
			 X86_EFLAGS_SF | X86_EFLAGS_OF);
	regs->ip += len;
}

/* Length of ModRM and what it brings along: SIB, displacement. */
static unsigned int stub_modrm_len(const u8 *modrm)
{
	unsigned int mod = *modrm >> 6, rm = *modrm & 7, len = 1;

	if (mod == 3)
		return len;
	if (rm == 4) {
		len++;
		if (mod == 0 && (modrm[1] & 7) == 5)
			len += 4;
	} else if (mod == 0 && rm == 5) {
		len += 4;
	}
	if (mod == 1)
		len += 1;
	else if (mod == 2)
		len += 4;
	return len;
}

/* The register that ModRM's reg field names. */
static u64 stub_modrm_reg(struct pt_regs *regs, u8 rex, u8 modrm)
{
	static const u8 offset[] = {
		offsetof(struct pt_regs, ax), offsetof(struct pt_regs, cx),
		offsetof(struct pt_regs, dx), offsetof(struct pt_regs, bx),
		offsetof(struct pt_regs, sp), offsetof(struct pt_regs, bp),
		offsetof(struct pt_regs, si), offsetof(struct pt_regs, di),
		offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9),
		offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
		offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
		offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
	};

	return regs_get_register(regs, offset[(modrm >> 3 & 7) | (rex & INSN_REX_R ? 8 : 0)]);
}

/*
 * KVM flushes the TLB of shared memory by INVEPT. Without VMX that is #UD too.
 * 66 [REX] 0F 38 80 /r is INVEPT, 66 [REX] 0F 38 81 /r is INVVPID. Returns the
 * instruction's length, 0 if it is neither.
 *
 * Shared translations are tagged with the private EPTP, which KVM does not know (see
 * tdx_flush_tlb_current() in tdx.c): INVEPT of a single context leaves them alone.
 */
static unsigned int stub_vmx_inv(struct pt_regs *regs)
{
	const void *ip = (const void *)regs->ip;
	u8 insn[INSN_MAX_LEN] = {}, *p = insn, rex = 0;

	/* The instruction may be the last one before an unmapped page. */
	if (copy_from_kernel_nofault(insn, ip, sizeof(insn)) &&
	    copy_from_kernel_nofault(insn, ip, PAGE_SIZE - offset_in_page(ip)))
		return 0;

	if (*p++ != INSN_OPSIZE)
		return 0;
	if ((*p & INSN_REX_MASK) == INSN_REX)
		rex = *p++;
	if (p[0] != 0x0f || p[1] != 0x38)
		return 0;

	switch (p[2]) {
	case 0x80:
		atomic64_inc(&stub_trap_stats.invept);
		if (stub_modrm_reg(regs, rex, p[3]) == VMX_EPT_EXTENT_GLOBAL)
			tdxm_invept(stub_tdxm, smp_processor_id());
		stub_trace_invept();
		break;
	case 0x81:
		/* TDs have no VPID of KVM's; nothing cached is tagged with one. */
		atomic64_inc(&stub_trap_stats.invvpid);
		break;
	default:
		return 0;
	}
	p += 3;
	return p - insn + stub_modrm_len(p);
}

static int stub_die(struct notifier_block *nb, unsigned long event, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;
	struct tdxm_regs tregs;
	unsigned int len;
	u32 insn;

	if (event != DIE_TRAP || args->trapnr != X86_TRAP_UD || user_mode(regs))
		return NOTIFY_DONE;
	if (copy_from_kernel_nofault(&insn, (const void *)regs->ip, sizeof(insn)))
		return NOTIFY_DONE;

	if (insn == INSN_SEAMCALL) {
		atomic64_inc(&stub_trap_stats.seamcall);
		stub_regs_in(regs, &tregs);
		stub_seamcall(&tregs);
		stub_regs_out(&tregs, regs);
		stub_retire(regs, INSN_SEAMCALL_LEN);
		return NOTIFY_STOP;
	}

	if (stub_platform.fake_vmx && (u8)insn == INSN_OPSIZE) {
		len = stub_vmx_inv(regs);
		if (len) {
			stub_retire(regs, len);
			return NOTIFY_STOP;
		}
	}
	return NOTIFY_DONE;
}

static struct notifier_block stub_die_nb = {
	.notifier_call = stub_die,
	/* Before everybody who would take #UD for an oops; after kprobes. */
	.priority = INT_MAX - 1,
};

/**
 * stub_trap_init() - start to execute SEAMCALLs
 *
 * Context: stub_tdxm is set. May sleep.
 * Return: 0 or register_die_notifier()'s error.
 */
int stub_trap_init(void)
{
	return register_die_notifier(&stub_die_nb);
}

/**
 * stub_trap_exit() - stop; no SEAMCALL is under way when it returns
 *
 * Context: may sleep.
 */
void stub_trap_exit(void)
{
	unregister_die_notifier(&stub_die_nb);
}
