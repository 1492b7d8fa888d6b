// SPDX-License-Identifier: GPL-2.0
/*
 * The hardware's walk of the page tables under SHARED_EPT_POINTER, which are
 * KVM's own: in Intel's EPT format, or in AMD's NPT format where the core stands
 * beside kvm_amd. Whatever the format, the guest meets EPT violations. Knows
 * nothing of TLBs.
 */
#include "internal.h"

/**
 * struct format - how a format says what the walk needs to know
 * @accessed: bit of an entry that was walked
 * @dirty: bit of a leaf that was written through
 * @decode: permissions of an entry as EPT_R, EPT_W, EPT_X; the result is OK,
 *	    EPT_VIOLATION for an entry that is not present, VE for MMIO
 */
struct format {
	u64 accessed, dirty;
	enum tdxm_access_result (*decode)(struct tdxm *m, u64 value, u64 *prot);
};

/* KVM lets the MMIO SPTEs of a TD cause #VE: they do not suppress it. */
static enum tdxm_access_result decode_ept(struct tdxm *m, u64 value, u64 *prot)
{
	*prot = value & EPT_RWX;
	if (*prot)
		return TDXM_ACCESS_OK;
	return value & EPT_SVE ? TDXM_ACCESS_EPT_VIOLATION : TDXM_ACCESS_VE;
}

/*
 * Nested paging makes every access of the guest a user's. KVM marks MMIO SPTEs by
 * physical address bits that the CPU does not have; all their other bits are KVM's.
 */
static enum tdxm_access_result decode_npt(struct tdxm *m, u64 value, u64 *prot)
{
	*prot = 0;
	if (!(value & NPT_P))
		return TDXM_ACCESS_EPT_VIOLATION;
	if (m->cfg.phys_bits < 52 && value & GENMASK_ULL(51, m->cfg.phys_bits))
		return TDXM_ACCESS_VE;
	if (!(value & NPT_U))
		return TDXM_ACCESS_EPT_VIOLATION;
	*prot = EPT_R | (value & NPT_W ? EPT_W : 0) | (value & NPT_NX ? 0 : EPT_X);
	return TDXM_ACCESS_OK;
}

static const struct format formats[] = {
	[TDXM_SHARED_EPT] = { EPT_A, EPT_D, decode_ept },
	[TDXM_SHARED_NPT] = { NPT_A, NPT_D, decode_npt },
};

static void check_entry(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa, u64 value, u64 prot,
			int level)
{
	const struct tdxm_finding f = {
		.id = "T1", .what = "shared EPT entry is writable but not readable",
		.tdr = vcpu->tdr->pa, .gpa = gpa, .pa = value & EPT_HPA,
		.leaf = -1, .level = level, .state = -1,
	};

	if ((prot & EPT_W) && !(prot & EPT_R))
		tdxm_report(m, VIOLATION_T1, &f);
}

static enum tdxm_access_result violation(struct tdxm *m, u64 gpa, bool write, u64 prot,
					 struct tdxm_regs *regs)
{
	tdxm_count(&m->lp[tdxm_env_lp()].guest[GUEST_EPT_VIOLATION]);
	tdxm_ept_violation(regs, gpa, (write ? EPT_QUAL_WRITE : EPT_QUAL_READ) |
			   prot << EPT_QUAL_PROT_SHIFT);
	return TDXM_ACCESS_EPT_VIOLATION;
}

/* Set accessed and dirty bits as a CPU does; false: the entry has changed. */
static bool set_bits(u64 *entry, u64 value, u64 bits)
{
	return (value & bits) == bits || tdxm_cmpxchg(entry, value, value | bits) == value;
}

/**
 * tdxm_walk_shared - walk KVM's direct root for one access
 * @m: the module
 * @vcpu: the vCPU that runs here
 * @gpa: guest physical address with the SHARED bit
 * @write: write, else read
 * @regs: filled in as an EPT violation exit if that is the result
 * @val: the 4K page that @gpa is in, | TLB_W, TLB_D
 *
 * The walk has as many levels as the TD's S-EPT. KVM changes the tables meanwhile,
 * as it does under a CPU's walk: each entry is read once, accessed and dirty bits
 * are set by cmpxchg, and if that fails the walk starts again.
 *
 * Context: inside struct tdxm_hooks.guest only. IRQs are off, so that this is a
 * reader to RCU, after whose grace period KVM frees tables.
 * Return: TDXM_ACCESS_OK, EPT_VIOLATION or VE.
 */
enum tdxm_access_result tdxm_walk_shared(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					 bool write, struct tdxm_regs *regs, u64 *val)
{
	const struct format *format = &formats[m->cfg.shared_format];
	u64 table, value, *entry, prot, all_prot, bits, mask;
	enum tdxm_access_result r;
	int level;
	bool leaf;

restart:
	table = vcpu->shared_eptp & EPT_HPA;
	all_prot = EPT_RWX;
	for (level = vcpu->tdcs->sept_levels - 1; ; level--) {
		if (!tdxm_pamt(m, table))
			return violation(m, gpa, write, 0, regs);
		entry = (u64 *)tdxm_env_va(table) + (gpa >> (PAGE_SHIFT + 9 * level) & 511);
		value = tdxm_load_acquire(entry);
		r = format->decode(m, tdxm_env_clear_enc(value), &prot);
		if (r == TDXM_ACCESS_VE)
			return r;
		if (r != TDXM_ACCESS_OK)
			return violation(m, gpa, write, 0, regs);
		check_entry(m, vcpu, gpa, value, prot, level);
		all_prot &= prot;
		if (write && !(all_prot & EPT_W))
			return violation(m, gpa, write, all_prot, regs);
		leaf = !level || (level <= 2 && value & EPT_PS);
		bits = format->accessed | (leaf && write ? format->dirty : 0);
		if (!set_bits(entry, value, bits))
			goto restart;
		if (leaf)
			break;
		table = tdxm_env_clear_enc(value) & EPT_HPA;
	}

	if (write && !(value & format->dirty) && m->hooks.dirtied)
		m->hooks.dirtied(m, vcpu, gpa);
	mask = tdxm_size(level) - 1;
	*val = (((tdxm_env_clear_enc(value) & ~mask) | (gpa & mask)) & EPT_HPA) |
	       (all_prot & EPT_W ? TLB_W : 0) | (write || value & format->dirty ? TLB_D : 0);
	return TDXM_ACCESS_OK;
}
