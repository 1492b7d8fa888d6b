// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_tcg: an int3 that is no longer there kills nobody.
 *
 * QEMU's emulator throws away what it translated of some code before the store
 * that changes this code, and does not hold off other CPUs in between. What
 * another CPU translates there at that moment stays, although it is out of date.
 * text_poke() last replaces an int3 by the first byte of an instruction; so it is
 * an int3 that stays, and hits CPUs when text_poke() does not expect it any more.
 * This module does what the instruction would have done that is there by now.
 *
 * Knows the instructions that text_poke() puts in; must not know KVM.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/percpu.h>

#include <asm/msr.h>
#include <asm/ptrace.h>
#include <asm/text-patching.h>
#include <asm/tsc.h>

/* an int3 that stays is somebody else's after so many tries, */
#define TRIES_MAX	16
/* each within so many cycles of the last one, some 0.1 s */
#define TRY_CYCLES	BIT_ULL(28)

static atomic_t stale;

struct tries {
	unsigned long ip;
	u64 when;
	int count;
};

static DEFINE_PER_CPU(struct tries, cpu_tries);

static int stale_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&stale));
}

static const struct kernel_param_ops stale_ops = { .get = stale_get };
module_param_cb(stale, &stale_ops, NULL, 0444);
MODULE_PARM_DESC(stale, "how many int3s were hit that are no longer there (read only)");

/* The 32-bit displacement at @p, wherever it is aligned. */
static long disp32(const u8 *p)
{
	s32 disp;

	memcpy(&disp, p, sizeof(disp));
	return disp;
}
NOKPROBE_SYMBOL(disp32);

/*
 * Do what the instruction at @insn does. Its tail does not change meanwhile: who
 * wants to change it puts an int3 first, and waits for all CPUs, of which this one
 * has its interrupts off.
 */
static bool emulate(struct pt_regs *regs, const u8 *insn)
{
	static const u8 nop5[] = { BYTES_NOP5 }, nop2[] = { BYTES_NOP2 };
	static const u8 ret0[] = { 0x2e, 0x2e, 0x2e, 0x31, 0xc0 };
	unsigned long ip = (unsigned long)insn;

	switch (READ_ONCE(insn[0])) {
	case CALL_INSN_OPCODE:
		ip += CALL_INSN_SIZE;
		int3_emulate_push(regs, ip);
		int3_emulate_jmp(regs, ip + disp32(insn + 1));
		return true;
	case JMP32_INSN_OPCODE:
		int3_emulate_jmp(regs, ip + JMP32_INSN_SIZE + disp32(insn + 1));
		return true;
	case JMP8_INSN_OPCODE:
		int3_emulate_jmp(regs, ip + JMP8_INSN_SIZE + (s8)insn[1]);
		return true;
	case RET_INSN_OPCODE:
		int3_emulate_ret(regs);
		return true;
	case 0x0f:
		if ((insn[1] & 0xf0) == 0x80) {
			int3_emulate_jcc(regs, insn[1] & 0xf, ip + 6, disp32(insn + 2));
			return true;
		}
		break;
	}
	if (!memcmp(insn, nop5, sizeof(nop5))) {
		int3_emulate_jmp(regs, ip + sizeof(nop5));
	} else if (!memcmp(insn, nop2, sizeof(nop2))) {
		int3_emulate_jmp(regs, ip + sizeof(nop2));
	} else if (!memcmp(insn, ret0, sizeof(ret0))) {
		/* a static call that returns 0 */
		regs->ax = 0;
		int3_emulate_jmp(regs, ip + sizeof(ret0));
	} else {
		return false;
	}
	return true;
}
NOKPROBE_SYMBOL(emulate);

/*
 * There is an int3 where one was hit. text_poke() may have put in the next one since
 * the old one was hit: then it handles it if it is hit once more.
 */
static bool again(struct pt_regs *regs)
{
	struct tries *tries = this_cpu_ptr(&cpu_tries);
	u64 now = rdtsc();

	if (tries->ip != regs->ip || now - tries->when > TRY_CYCLES)
		tries->count = 0;
	tries->ip = regs->ip;
	tries->when = now;
	if (tries->count++ == TRIES_MAX)
		return false;
	int3_emulate_jmp(regs, regs->ip - INT3_INSN_SIZE);
	return true;
}
NOKPROBE_SYMBOL(again);

static int stale_int3(struct notifier_block *nb, unsigned long what, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;
	const u8 *insn = (const u8 *)regs->ip - INT3_INSN_SIZE;

	if (what != DIE_INT3 || user_mode(regs))
		return NOTIFY_DONE;
	if (READ_ONCE(*insn) == INT3_INSN_OPCODE)
		return again(regs) ? NOTIFY_STOP : NOTIFY_DONE;
	if (!emulate(regs, insn))
		return NOTIFY_DONE;
	atomic_inc(&stale);
	return NOTIFY_STOP;
}
NOKPROBE_SYMBOL(stale_int3);

static struct notifier_block notifier = { .notifier_call = stale_int3 };

static int __init tdp_tcg_init(void)
{
	return register_die_notifier(&notifier);
}
module_init(tdp_tcg_init);

static void __exit tdp_tcg_exit(void)
{
	unregister_die_notifier(&notifier);
}
module_exit(tdp_tcg_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("QEMU's emulator may hit an int3 that is no longer there");
