// SPDX-License-Identifier: GPL-2.0
/*
 * How the guest reaches memory: the per-vCPU TLB, the hardware's walk of the
 * S-EPT (of KVM's shared tables: walk.c), TDG.MEM.PAGE.ACCEPT, and the module's
 * filter against zero-stepping. Stale translations are found here and never used.
 */
#include "internal.h"

static struct tdxm_lp *this_lp(struct tdxm *m)
{
	return &m->lp[tdxm_env_lp()];
}

static struct tlb_entry *tlb_slot(struct tlb_entry *tlb, u64 gpa)
{
	u64 gfn = gpa >> PAGE_SHIFT;

	return &tlb[(gfn ^ gfn >> 5 ^ gfn >> 10) % TDXM_TLB_ENTRIES];
}

static bool tlb_hit(const struct tlb_entry *e, u64 gpa)
{
	return e->tag == ((gpa & ~(u64)(PAGE_SIZE - 1)) | 1);
}

/* Others mark entries dead (tdxm_shared_given_back()): tag last, tag away first. */
static void tlb_fill(struct tlb_entry *e, u64 gpa, u64 val, u32 generation, int level)
{
	tdxm_store_release(&e->tag, 0);
	tdxm_store_release(&e->val, val);
	e->generation = generation;
	e->level = level;
	tdxm_store_release(&e->tag, (gpa & ~(u64)(PAGE_SIZE - 1)) | 1);
}

void tdxm_tlb_flush(struct tdxm_lp *lp, struct tdxm_vcpu *vcpu, bool private, bool shared)
{
	int i;

	for (i = 0; i < TDXM_TLB_ENTRIES; i++) {
		if (private)
			tdxm_store_release(&vcpu->private_tlb[i].tag, 0);
		if (shared)
			tdxm_store_release(&vcpu->shared_tlb[i].tag, 0);
	}
	tdxm_count(&lp->guest[GUEST_TLB_FLUSH]);
}

static void report_stale(struct tdxm *m, struct tdxm_vcpu *vcpu, const char *what, u64 gpa, u64 pa)
{
	const struct tdxm_finding f = {
		.id = "L1", .what = what, .tdr = vcpu->tdr->pa, .gpa = gpa, .pa = pa,
		.leaf = -1, .level = -1, .state = -1,
	};

	tdxm_report(m, VIOLATION_L1, &f);
}

static void report_shared_private(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa, u64 pa)
{
	const struct tdxm_finding f = {
		.id = "H1", .what = "shared EPT maps a TD's private page",
		.tdr = vcpu->tdr->pa, .gpa = gpa, .pa = pa,
		.leaf = -1, .level = -1, .state = -1,
	};

	tdxm_report(m, VIOLATION_H1, &f);
}

/* An EPT violation exit as the host gets to see it. */
void tdxm_ept_violation(struct tdxm_regs *regs, u64 gpa, u64 qual)
{
	regs->rcx = qual;
	regs->rdx = 0;
	regs->r8 = gpa & ~(u64)(PAGE_SIZE - 1);
	regs->r9 = 0;
}

/* The filter remembers the private GPAs that faulted at one RIP. */
static enum tdxm_access_result private_violation(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
						 bool write, struct tdxm_regs *regs)
{
	tdxm_count(&this_lp(m)->guest[GUEST_EPT_VIOLATION]);
	if (vcpu->zs_rip != vcpu->rip) {
		vcpu->zs_rip = vcpu->rip;
		vcpu->zs_count = 0;
	}
	vcpu->zs_gpa[vcpu->zs_count % TDXM_ZERO_STEP_FAULTS] = gpa;
	vcpu->zs_count++;
	tdxm_ept_violation(regs, gpa, write ? EPT_QUAL_WRITE : EPT_QUAL_READ);
	return TDXM_ACCESS_EPT_VIOLATION;
}

/**
 * tdxm_zero_step_check - is this vCPU being zero-stepped?
 * @c: TDH.VP.ENTER, with the TD locked
 *
 * After six EPT violations at one RIP the module looks itself whether the host
 * has mapped the pages, with the S-EPT tree locked against everybody. If one is
 * missing the guest is not entered: the violation is reported again.
 *
 * Return: TDX_SUCCESS: enter; OPERAND_BUSY | SEPT; EXIT_REASON_EPT_VIOLATION.
 */
u64 tdxm_zero_step_check(struct tdxm_call *c)
{
	struct tdxm_vcpu *vcpu = c->vcpu;
	u64 root = tdxm_sept_root(c->tdr);
	int i, level;

	if (vcpu->zs_count < TDXM_ZERO_STEP_FAULTS || vcpu->zs_rip != vcpu->rip)
		return TDX_SUCCESS;
	tdxm_count(&c->lp->guest[GUEST_ZERO_STEP]);
	if (!tdxm_call_lock(c, LOCK_SEPT_TREE, &c->tdcs->sept_lock, LOCK_EXCLUSIVE))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_SEPT);

	for (i = 0; i < TDXM_ZERO_STEP_FAULTS; i++) {
		u64 *entry = tdxm_sept_walk(c->tdcs, root, vcpu->zs_gpa[i], 0, &level);
		enum sept_state state = tdxm_sept_state(tdxm_load_acquire(entry));

		if (state != SEPT_MAPPED && state != SEPT_PENDING) {
			tdxm_ept_violation(c->regs, vcpu->zs_gpa[i], EPT_QUAL_WRITE);
			return TDX_EXIT_REASON_EPT_VIOLATION;
		}
	}
	vcpu->zs_count = 0;
	return TDX_SUCCESS;
}

/* Is the page still what it was when it was cached: the TD's, and of that size? */
static bool private_page_current(struct tdxm *m, const struct tlb_entry *e)
{
	int level;
	u32 word = tdxm_load_acquire(&tdxm_pamt_leaf(m, e->val, &level)->type);

	return PAMT_TYPE(word) == PT_REG && PAMT_GENERATION(word) == e->generation &&
	       level == e->level;
}

/*
 * Touch a private page. Only where the module was told to forget its checks can
 * the page go away between the check and the access: hold it then, so that the
 * plant does not corrupt the host.
 */
static void touch_private(struct tdxm *m, struct tdxm_vcpu *vcpu, const struct tlb_entry *e,
			  u64 gpa, bool write)
{
	u64 pa = e->val & SEPT_HPA, *word;
	bool pin = tdxm_read(&m->plant) == TDXM_PLANT_L1_PRIVATE;
	u32 *lock = &tdxm_pamt_at(m, pa, e->level)->lock;

	if (tdxm_read(&vcpu->tdcs->distrust))
		return;
	if (pin && !tdxm_trylock(this_lp(m), LOCK_PAGE, lock, LOCK_SHARED))
		return;
	if (!tdxm_is_extra(m, pa >> PAGE_SHIFT) && (!pin || private_page_current(m, e))) {
		word = (u64 *)tdxm_env_va(pa) + (gpa & (PAGE_SIZE - 1)) / sizeof(u64);
		if (write)
			tdxm_write(word, tdxm_guest_word(m, pa, vcpu->sequence++));
		else
			(void)tdxm_read(word);
	}
	if (pin)
		tdxm_unlock(lock, LOCK_SHARED);
}

static enum tdxm_access_result private_access(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					      bool write, struct tdxm_regs *regs)
{
	struct tlb_entry *e = tlb_slot(vcpu->private_tlb, gpa);
	u64 value, pa;
	int level;
	u32 word;

	if (tlb_hit(e, gpa)) {
		tdxm_count(&this_lp(m)->guest[GUEST_TLB_HIT]);
		if (private_page_current(m, e))
			goto touch;
		report_stale(m, vcpu, "private access through a translation that is gone",
			     gpa, e->val & SEPT_HPA);
		tdxm_store_release(&e->tag, 0);
	}

	value = tdxm_load_acquire(tdxm_sept_walk(vcpu->tdcs, tdxm_sept_root(vcpu->tdr), gpa, 0,
						 &level));
	switch (tdxm_sept_state(value)) {
	case SEPT_MAPPED:
		pa = tdxm_sept_pa(value) + (gpa & (tdxm_size(level) - 1));
		break;
	case SEPT_PENDING:
		return TDXM_ACCESS_PENDING;
	default:
		return private_violation(m, vcpu, gpa, write, regs);
	}
	pa &= SEPT_HPA;
	word = tdxm_load_acquire(&tdxm_pamt_at(m, pa, level)->type);
	tlb_fill(e, gpa, pa, PAMT_GENERATION(word), level);
touch:
	touch_private(m, vcpu, e, gpa, write);
	return TDXM_ACCESS_OK;
}

static bool shared_page_is_private(struct tdxm *m, u64 pa)
{
	u32 type = tdxm_page_type(m, pa);

	return type != PT_NDA && type != PT_RSVD;
}

/* Memory that the PAMT calls reserved is MMIO: the access has no effect here. */
static void touch_shared(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 val, u64 gpa, bool write)
{
	u64 pa = val & EPT_HPA, *word;

	if (tdxm_page_type(m, pa) != PT_NDA || tdxm_is_extra(m, pa >> PAGE_SHIFT) ||
	    tdxm_read(&vcpu->tdcs->distrust))
		return;
	word = (u64 *)tdxm_env_va(pa) + (gpa & (PAGE_SIZE - 1)) / sizeof(u64);
	if (write)
		tdxm_write(word, tdxm_mix(gpa ^ vcpu->sequence++));
	else
		(void)tdxm_read(word);
}

/* INVEPT on this processor since the vCPU last looked drops its shared TLB. */
static void shared_tlb_sync(struct tdxm *m, struct tdxm_vcpu *vcpu)
{
	u64 gen = tdxm_read(&this_lp(m)->invept_gen);

	if (vcpu->invept_gen == gen)
		return;
	vcpu->invept_gen = gen;
	tdxm_tlb_flush(this_lp(m), vcpu, false, true);
}

static enum tdxm_access_result shared_access(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					     bool write, struct tdxm_regs *regs)
{
	struct tlb_entry *e = tlb_slot(vcpu->shared_tlb, gpa);
	enum tdxm_access_result r;
	u64 val = 0;

	shared_tlb_sync(m, vcpu);
	if (tlb_hit(e, gpa)) {
		val = tdxm_load_acquire(&e->val);
		tdxm_count(&this_lp(m)->guest[GUEST_TLB_HIT]);
		if (val & TLB_DEAD || shared_page_is_private(m, val & EPT_HPA)) {
			report_stale(m, vcpu, "shared access through a translation that is gone",
				     gpa, val & EPT_HPA);
		} else if (!write || (val & (TLB_W | TLB_D)) == (TLB_W | TLB_D)) {
			touch_shared(m, vcpu, val, gpa, write);
			return TDXM_ACCESS_OK;
		}
		/* Stale, or the first write: walk again. */
		tdxm_store_release(&e->tag, 0);
	}

	r = tdxm_walk_shared(m, vcpu, gpa, write, regs, &val);
	if (r != TDXM_ACCESS_OK)
		return r;
	if (shared_page_is_private(m, val & EPT_HPA)) {
		report_shared_private(m, vcpu, gpa, val & EPT_HPA);
		return TDXM_ACCESS_OK;
	}
	tlb_fill(e, gpa, val, 0, 0);
	touch_shared(m, vcpu, val, gpa, write);
	return TDXM_ACCESS_OK;
}

/**
 * tdxm_guest_access - one access of 8 bytes by the guest
 * @m: the module
 * @vcpu: the vCPU that runs here
 * @gpa: guest physical address, with the SHARED bit if the access is shared
 * @write: write, else read
 * @regs: filled in as an EPT violation exit if that is the result
 *
 * Context: inside struct tdxm_hooks.guest only. Never waits.
 * Return: see enum tdxm_access_result. A stale translation is reported, dropped
 * and not used; the access then continues with a walk.
 */
enum tdxm_access_result tdxm_guest_access(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					  bool write, struct tdxm_regs *regs)
{
	enum tdxm_access_result r;

	tdxm_count(&this_lp(m)->guest[GUEST_ACCESS]);
	gpa &= vcpu->tdcs->shared_bit * 2 - 1;
	if (gpa & vcpu->tdcs->shared_bit)
		r = shared_access(m, vcpu, gpa, write, regs);
	else
		r = private_access(m, vcpu, gpa, write, regs);
	if (r == TDXM_ACCESS_OK && !vcpu->rip_fixed)
		vcpu->rip++;
	return r;
}

/**
 * tdxm_guest_unaccepted - the guest insists on a private page that it has not accepted
 * @m: the module
 * @vcpu: the vCPU that runs here
 * @gpa: private GPA, of which tdxm_guest_access() has just said PENDING
 * @write: as there
 * @regs: filled in as an EPT violation exit if that is the result
 *
 * With ATTRIBUTES.SEPT_VE_DISABLE that is an exit to the host, which can do nothing about
 * it: KVM ends the TD. Without it the guest gets #VE.
 *
 * Context: inside struct tdxm_hooks.guest only. Never waits.
 * Return: TDXM_ACCESS_EPT_VIOLATION, or PENDING: #VE.
 */
enum tdxm_access_result tdxm_guest_unaccepted(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					      bool write, struct tdxm_regs *regs)
{
	if (!(vcpu->tdcs->attributes & TD_ATTRIBUTE_SEPT_VE_DISABLE))
		return TDXM_ACCESS_PENDING;
	tdxm_count(&this_lp(m)->guest[GUEST_EPT_VIOLATION]);
	tdxm_ept_violation(regs, gpa, write ? EPT_QUAL_WRITE : EPT_QUAL_READ);
	regs->rdx = EPT_EXT_QUAL_PENDING;
	return TDXM_ACCESS_EPT_VIOLATION;
}

/**
 * tdxm_guest_accept - TDG.MEM.PAGE.ACCEPT of the page at a GPA, whatever its size
 * @m: the module
 * @vcpu: the vCPU that runs here
 * @gpa: private GPA
 * @regs: filled in as an EPT violation exit if that is the result
 *
 * A guest of the ABI names the size and has to guess: 2M first, 4K if that was
 * wrong. This one knows, and accepts a huge page at once.
 *
 * Context: inside struct tdxm_hooks.guest only. Never waits; holds the entry's
 * lock for struct tdxm_config.hold_ns.
 * Return: TDXM_ACCESS_OK (also if it was accepted before), BUSY or EPT_VIOLATION.
 */
enum tdxm_access_result tdxm_guest_accept(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					  struct tdxm_regs *regs)
{
	u64 *entry, value;
	int level;

	gpa &= vcpu->tdcs->shared_bit - 1;
	entry = tdxm_sept_walk(vcpu->tdcs, tdxm_sept_root(vcpu->tdr), gpa, 0, &level);
	value = tdxm_load_acquire(entry);
	if (tdxm_sept_state(value) == SEPT_MAPPED)
		return TDXM_ACCESS_OK;
	if (tdxm_sept_state(value) != SEPT_PENDING)
		return private_violation(m, vcpu, gpa, true, regs);
	if (tdxm_entry_lock_guest(this_lp(m), entry))
		return TDXM_ACCESS_BUSY;

	/* Locked: look again, the host may have been faster. */
	value = tdxm_load_acquire(entry);
	if (tdxm_sept_state(value) == SEPT_PENDING) {
		tdxm_sept_accept(entry);
		tdxm_count(&this_lp(m)->guest[GUEST_ACCEPT]);
	}
	if (m->cfg.hold_ns)
		tdxm_env_delay(m->cfg.hold_ns);
	tdxm_entry_unlock(entry);
	switch (tdxm_sept_state(value)) {
	case SEPT_MAPPED:
	case SEPT_PENDING:
		return TDXM_ACCESS_OK;
	default:
		return private_violation(m, vcpu, gpa, true, regs);
	}
}

/**
 * tdxm_invept - the CPU executed INVEPT
 * @m: the module
 * @lp: logical processor
 *
 * Shared translations of vCPUs associated with @lp are gone. Private ones stay:
 * the ABI has the VMM rely on TDH.MEM.TRACK for them, and nothing else.
 *
 * Context: on @lp, IRQs off.
 */
void tdxm_invept(struct tdxm *m, u32 lp)
{
	if (tdxm_read(&m->plant) != TDXM_PLANT_L1_SHARED)
		tdxm_count(&m->lp[lp].invept_gen);
}

static void give_back(struct tlb_entry *e, u64 shared_bit, u64 gpa, u64 size)
{
	u64 tag = tdxm_load_acquire(&e->tag), val = tdxm_load_acquire(&e->val);

	if (!tag || (tag & ~shared_bit & ~1ULL) - gpa >= size)
		return;
	/* If the vCPU replaced the entry meanwhile, tag or value differ now. */
	if (tdxm_load_acquire(&e->tag) == tag)
		tdxm_cmpxchg(&e->val, val, val | TLB_DEAD);
}

/**
 * tdxm_shared_given_back - the host has taken shared memory away
 * @m: the module
 * @tdr: TDR page of the TD; unknown ones are ignored
 * @gpa: start of the range, with or without the SHARED bit
 * @size: bytes
 *
 * To be called when the range is zapped and flushed and before it can be mapped
 * again, that is with mmu_lock still held: a translation found in a TLB is
 * reported when it is used. With struct tdxm_config.shared_tlb_volatile there
 * is nothing to know, and nothing happens.
 *
 * Context: any; lock-free.
 */
void tdxm_shared_given_back(struct tdxm *m, u64 tdr, u64 gpa, u64 size)
{
	struct tdxm_tdr *td = tdxm_td_peek(m, tdr);
	struct tdxm_tdcs *tdcs;
	struct tdxm_vcpu *vcpu;
	u32 i, n, pfn;
	int j;

	if (!td || !td->tdcx[0] || m->cfg.shared_tlb_volatile)
		return;
	tdcs = tdxm_env_va(td->tdcx[0]);
	n = tdxm_load_acquire(&tdcs->num_vcpus);
	gpa &= ~tdcs->shared_bit;
	for (i = 0; i < n && i < TDXM_MAX_VCPUS; i++) {
		pfn = tdxm_load_acquire(&tdcs->vcpu_pfn[i]);
		if (!pfn)
			continue;
		vcpu = tdxm_env_va((u64)pfn << PAGE_SHIFT);
		for (j = 0; j < TDXM_TLB_ENTRIES; j++)
			give_back(&vcpu->shared_tlb[j], tdcs->shared_bit, gpa, size);
	}
}
