// SPDX-License-Identifier: GPL-2.0
/*
 * A TD's vCPUs: TDVPS, association with logical processors, entry by epoch,
 * the VMCS fields that KVM writes. What the guest does inside is the
 * embedder's, how it reaches memory is tlb.c's.
 */
#include "internal.h"

/**
 * tdxm_vcpu_lock - lock the vCPU that an operand names
 * @c: the call
 * @pa: TDVPR page, an operand
 * @operand: its operand id
 * @mode: how to lock it
 *
 * Return: TDX_SUCCESS with c->vcpu set; OPERAND_INVALID, OPERAND_BUSY or
 * PAGE_METADATA_INCORRECT, each with @operand.
 */
u64 tdxm_vcpu_lock(struct tdxm_call *c, u64 pa, u32 operand, enum tdxm_lock_mode mode)
{
	struct pamt_entry *p;
	u64 status;

	status = tdxm_page_check(c->m, pa, operand);
	if (status)
		return status;
	p = tdxm_pamt(c->m, pa);
	if (!tdxm_call_lock(c, LOCK_TDVPR, &p->lock, mode))
		return tdxm_status(TDX_OPERAND_BUSY, operand);
	if (PAMT_TYPE(tdxm_read(&p->type)) != PT_TDVPR)
		return tdxm_status(TDX_PAGE_METADATA_INCORRECT, operand);
	c->vcpu = tdxm_env_va(pa);
	if (c->vcpu->magic != TDXM_TDVPS_MAGIC)
		return tdxm_control_damage(c, pa, operand);
	return TDX_SUCCESS;
}

/* Lock vCPU and TD, check the TD's state: how most TDH.VP leaves begin. */
static u64 lock_vcpu_and_td(struct tdxm_call *c, u64 pa, u32 operand, enum tdxm_lock_mode vcpu_mode,
			    enum tdxm_lock_mode tdr_mode, u32 op_states)
{
	u64 status;

	status = tdxm_vcpu_lock(c, pa, operand, vcpu_mode);
	if (!status)
		status = tdxm_td_lock_owner(c, pa, tdr_mode);
	return status ?: tdxm_td_state(c, op_states);
}

/* TDH.VP.CREATE: RCX page for the TDVPR, RDX TDR. */
u64 tdh_vp_create(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, status;
	struct tdxm_vcpu *vcpu;

	BUILD_BUG_ON(sizeof(*vcpu) > PAGE_SIZE);
	status = tdxm_td_lock(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED);
	if (!status)
		status = tdxm_td_state(c, BIT(OP_STATE_INITIALIZED));
	if (!status)
		status = tdxm_page_lock_free(c, pa, 0, TDX_OPERAND_ID_RCX, LOCK_TDVPR);
	if (status)
		return status;

	vcpu = tdxm_env_va(pa);
	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->pa = pa;
	vcpu->tdr = c->tdr;
	vcpu->tdcs = c->tdcs;
	vcpu->assoc_lp = TDXM_NO_LP;
	vcpu->magic = TDXM_TDVPS_MAGIC;
	tdxm_page_assign(c, pa, PT_TDVPR, c->tdr->pa);
	tdxm_canary_fill(c->m, pa, sizeof(*vcpu));
	tdxm_count(&c->lp->vcpus);
	return TDX_SUCCESS;
}

/* TDH.VP.ADDCX: RCX page for the TDVPS, RDX TDVPR. */
u64 tdh_vp_addcx(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, status;

	status = lock_vcpu_and_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_EXCLUSIVE,
				  LOCK_SHARED, BIT(OP_STATE_INITIALIZED));
	if (status)
		return status;
	if (c->vcpu->state != VCPU_UNINITIALIZED)
		return tdxm_status(TDX_VCPU_STATE_INCORRECT, c->vcpu->state);
	if (c->vcpu->nr_tdcx + 1 >= c->m->cfg.tdvps_pages)
		return TDX_TDCX_NUM_INCORRECT;
	status = tdxm_page_lock_free(c, pa, 0, TDX_OPERAND_ID_RCX, LOCK_PAGE);
	if (status)
		return status;

	tdxm_page_assign(c, pa, PT_TDCX, c->tdr->pa);
	tdxm_canary_fill(c->m, pa, 0);
	c->vcpu->nr_tdcx++;
	return TDX_SUCCESS;
}

/* The vCPU belongs to this processor from now on. Its TLB is empty: new or flushed. */
static void associate(struct tdxm_call *c, struct tdxm_vcpu *vcpu)
{
	tdxm_fetch_add(&c->tdcs->num_assoc_vcpus, 1);
	vcpu->invept_gen = tdxm_read(&c->lp->invept_gen);
}

static u64 check_and_associate(struct tdxm_call *c)
{
	struct tdxm_vcpu *vcpu = c->vcpu;
	u32 lp = tdxm_env_lp(), old;

	if (tdxm_read(&vcpu->state) != VCPU_READY)
		return tdxm_status(TDX_VCPU_STATE_INCORRECT, vcpu->state);
	old = tdxm_cmpxchg(&vcpu->assoc_lp, TDXM_NO_LP, lp);
	if (old != TDXM_NO_LP && old != lp)
		return TDX_VCPU_ASSOCIATED;
	if (old == TDXM_NO_LP)
		associate(c, vcpu);
	return TDX_SUCCESS;
}

static bool x2apic_id_is_unique(struct tdxm_call *c, u32 id)
{
	u32 i, pfn;

	for (i = 0; i < c->tdcs->num_vcpus; i++) {
		struct tdxm_vcpu *other;

		pfn = tdxm_read(&c->tdcs->vcpu_pfn[i]);
		if (!pfn)
			continue;
		other = tdxm_env_va((u64)pfn << PAGE_SHIFT);
		if (other->x2apic_id == id)
			return false;
	}
	return true;
}

/*
 * TDH.VP.INIT: RCX TDVPR, RDX initial RCX of the guest; version 1: R8 x2APIC ID,
 * and the TDR is locked exclusively, since the IDs of all vCPUs are compared.
 */
u64 tdh_vp_init(struct tdxm_call *c)
{
	u64 initial_rcx = c->regs->rdx, x2apic_id = c->regs->r8, status;
	struct tdxm_vcpu *vcpu;
	u32 index;

	status = lock_vcpu_and_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE,
				  c->version ? LOCK_EXCLUSIVE : LOCK_SHARED,
				  BIT(OP_STATE_INITIALIZED));
	if (status)
		return status;
	vcpu = c->vcpu;
	if (vcpu->nr_tdcx + 1 < c->m->cfg.tdvps_pages)
		return TDX_TDCX_NUM_INCORRECT;
	if (vcpu->state != VCPU_UNINITIALIZED)
		return tdxm_status(TDX_VCPU_STATE_INCORRECT, vcpu->state);
	if (c->version && x2apic_id >> 32)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	if (c->version && !x2apic_id_is_unique(c, x2apic_id))
		return tdxm_status(TDX_X2APIC_ID_NOT_UNIQUE, x2apic_id);
	index = tdxm_fetch_add(&c->tdcs->num_vcpus, 1);
	if (index >= c->tdcs->max_vcpus) {
		tdxm_fetch_add(&c->tdcs->num_vcpus, -1);
		return TDX_MAX_VCPUS_EXCEEDED;
	}

	vcpu->index = index;
	vcpu->x2apic_id = c->version ? x2apic_id : index;
	vcpu->initial_rcx = initial_rcx;
	vcpu->random = tdxm_seed(c->m->cfg.seed ^ (u64)c->tdr->serial << 32 ^ index);
	vcpu->rip = 1;
	tdxm_write(&vcpu->assoc_lp, tdxm_env_lp());
	associate(c, vcpu);
	tdxm_write(&c->tdcs->vcpu_pfn[index], vcpu->pa >> PAGE_SHIFT);
	tdxm_store_release(&vcpu->state, VCPU_READY);
	return TDX_SUCCESS;
}

/* TDH.VP.FLUSH: RCX TDVPR; on the processor it is associated with. */
u64 tdh_vp_flush(struct tdxm_call *c)
{
	u64 status;

	status = lock_vcpu_and_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE,
				  LOCK_SHARED, ~0U);
	if (status)
		return status;
	if (tdxm_read(&c->vcpu->assoc_lp) != tdxm_env_lp())
		return TDX_VCPU_NOT_ASSOCIATED;

	tdxm_tlb_flush(c->lp, c->vcpu, true, true);
	tdxm_fetch_add(&c->tdcs->num_assoc_vcpus, -1);
	tdxm_store_release(&c->vcpu->assoc_lp, TDXM_NO_LP);
	return TDX_SUCCESS;
}

enum field_access {
	FIELD_UNKNOWN,
	FIELD_READ_ONLY,
	FIELD_READ_WRITE,
};

/* TDVPS fields that KVM uses; *p64 or *p32 is where the value lives. */
static enum field_access vcpu_field(struct tdxm_vcpu *vcpu, u64 field, u64 **p64, u32 **p32)
{
	*p64 = NULL;
	*p32 = NULL;
	switch (field) {
	case MD_VMCS_SHARED_EPTP:
		*p64 = &vcpu->shared_eptp;
		return FIELD_READ_WRITE;
	case MD_VMCS_POSTED_INTR_DESC:
		*p64 = &vcpu->posted_intr_desc;
		return FIELD_READ_WRITE;
	case MD_VMCS_POSTED_INTR_NV:
		*p32 = &vcpu->posted_intr_nv;
		return FIELD_READ_WRITE;
	case MD_VMCS_PIN_BASED:
		*p32 = &vcpu->pin_based;
		return FIELD_READ_WRITE;
	case MD_VMCS_SECONDARY:
		*p32 = &vcpu->secondary;
		return FIELD_READ_WRITE;
	case MD_VMCS_NOTIFY_WINDOW:
		*p32 = &vcpu->notify_window;
		return FIELD_READ_WRITE;
	case MD_TDVPS_PEND_NMI:
		*p32 = &vcpu->pend_nmi;
		return FIELD_READ_WRITE;
	case MD_TDVPS_STATE_DETAILS:
		return FIELD_READ_ONLY;	/* no interrupt is ever pending: reads 0 */
	default:
		return FIELD_UNKNOWN;
	}
}

static u64 field_value(const u64 *p64, const u32 *p32)
{
	return p64 ? *p64 : p32 ? *p32 : 0;
}

/* TDH.VP.RD: RCX TDVPR, RDX field; R8 gets the value, 0 in case of error. */
u64 tdh_vp_rd(struct tdxm_call *c)
{
	u64 field = c->regs->rdx, status, *p64;
	u32 *p32;

	c->regs->r8 = 0;
	status = lock_vcpu_and_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_SHARED, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = check_and_associate(c);
	if (status)
		return status;
	if (vcpu_field(c->vcpu, field, &p64, &p32) == FIELD_UNKNOWN)
		return TDX_METADATA_FIELD_ID_INCORRECT;

	c->regs->r8 = field_value(p64, p32);
	return TDX_SUCCESS;
}

/* TDH.VP.WR: RCX TDVPR, RDX field, R8 value, R9 mask; R8 gets the old value. */
u64 tdh_vp_wr(struct tdxm_call *c)
{
	u64 field = c->regs->rdx, value = c->regs->r8, mask = c->regs->r9, status, *p64;
	u32 *p32;

	c->regs->r8 = 0;
	status = lock_vcpu_and_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_SHARED, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = check_and_associate(c);
	if (status)
		return status;
	switch (vcpu_field(c->vcpu, field, &p64, &p32)) {
	case FIELD_UNKNOWN:
		return TDX_METADATA_FIELD_ID_INCORRECT;
	case FIELD_READ_ONLY:
		return TDX_METADATA_FIELD_NOT_WRITABLE;
	default:
		break;
	}

	c->regs->r8 = field_value(p64, p32);
	value = (c->regs->r8 & ~mask) | (value & mask);
	if (field == MD_VMCS_SHARED_EPTP && tdxm_page_check(c->m, value, 0))
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	if (p64)
		*p64 = value;
	else
		*p32 = value;
	return TDX_SUCCESS;
}

/*
 * Enter in the current epoch. A vCPU that was last inside in an older one may
 * hold translations of blocked pages: they go now. Whoever tracks counts on it.
 */
static u64 enter_epoch(struct tdxm_call *c, u64 *epoch)
{
	struct tdxm_tdcs *tdcs = c->tdcs;

	if (!tdxm_trylock(c->lp, LOCK_TD_EPOCH, &tdcs->epoch_lock, LOCK_SHARED))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_TD_EPOCH);
	*epoch = tdxm_load_acquire(&tdcs->td_epoch);
	tdxm_fetch_add(&tdcs->refcount[*epoch & 1], 1);
	if (c->m->cfg.hold_ns)
		tdxm_env_delay(c->m->cfg.hold_ns);
	tdxm_unlock(&tdcs->epoch_lock, LOCK_SHARED);

	if (c->vcpu->epoch != *epoch) {
		if (tdxm_read(&c->m->plant) != TDXM_PLANT_L1_PRIVATE)
			tdxm_tlb_flush(c->lp, c->vcpu, true, false);
		c->vcpu->epoch = *epoch;
	}
	return TDX_SUCCESS;
}

/*
 * TDH.VP.ENTER: RCX TDVPR; the other registers are the guest's. No lock is held
 * while the guest runs; the association keeps others away from the vCPU.
 */
u64 tdh_vp_enter(struct tdxm_call *c)
{
	struct tdxm_vcpu *vcpu;
	u64 status, epoch;

	status = lock_vcpu_and_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_SHARED, LOCK_SHARED,
				  BIT(OP_STATE_RUNNABLE));
	if (!status)
		status = check_and_associate(c);
	if (!status)
		status = tdxm_zero_step_check(c);
	if (!status)
		status = enter_epoch(c, &epoch);
	if (status)
		return status;
	vcpu = c->vcpu;
	tdxm_call_unlock_all(c);

	if (c->m->cfg.shared_tlb_volatile)
		tdxm_tlb_flush(c->lp, vcpu, false, true);
	status = c->m->hooks.guest(c->m, vcpu, c->regs);

	tdxm_fetch_add(&vcpu->tdcs->refcount[epoch & 1], -1);
	return status;
}

/**
 * tdxm_vcpu_initial_rcx - what KVM_TDX_INIT_VCPU passed
 * @vcpu: the vCPU
 *
 * Return: RDX of TDH.VP.INIT.
 */
u64 tdxm_vcpu_initial_rcx(const struct tdxm_vcpu *vcpu)
{
	return vcpu->initial_rcx;
}

/**
 * tdxm_vcpu_index - number of the vCPU in its TD
 * @vcpu: the vCPU
 *
 * Return: 0 for the first that was initialized, and so on.
 */
u32 tdxm_vcpu_index(const struct tdxm_vcpu *vcpu)
{
	return vcpu->index;
}

/**
 * tdxm_vcpu_shared_bit - the SHARED bit of the TD's GPAs
 * @vcpu: the vCPU
 *
 * Return: bit 47 or, with GPAW 52, bit 51.
 */
u64 tdxm_vcpu_shared_bit(const struct tdxm_vcpu *vcpu)
{
	return vcpu->tdcs->shared_bit;
}

/**
 * tdxm_vcpu_random - next number of the vCPU's own random stream
 * @vcpu: the vCPU
 *
 * Context: inside struct tdxm_hooks.guest only.
 * Return: 32 random bits; the stream depends on the seed, the order in which
 * TDs were created and the vCPU's index.
 */
u32 tdxm_vcpu_random(struct tdxm_vcpu *vcpu)
{
	return tdxm_random_next(&vcpu->random) >> 32;
}

/**
 * tdxm_vcpu_guest_state - 64 bytes that the embedder's guest may use
 * @vcpu: the vCPU
 *
 * Return: memory that is zeroed by TDH.VP.CREATE and lives as long as the vCPU.
 */
void *tdxm_vcpu_guest_state(struct tdxm_vcpu *vcpu)
{
	return vcpu->guest;
}

/**
 * tdxm_vcpu_set_rip - pin or release the guest's instruction pointer
 * @vcpu: the vCPU
 * @rip: RIP of the next accesses, as of a repeated string instruction, or 0:
 *	 each successful access moves it (the default)
 *
 * Only the zero-step filter looks at it. Context: as tdxm_vcpu_random().
 */
void tdxm_vcpu_set_rip(struct tdxm_vcpu *vcpu, u64 rip)
{
	vcpu->rip_fixed = !!rip;
	if (rip)
		vcpu->rip = rip;
	else
		vcpu->rip++;
}
