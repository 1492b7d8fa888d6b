/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the KVM room: the external-ops backend. It keeps the external page
 * tables of VMs of ours in the emulated TDX module (core/), by the leaves that a
 * tdx.c would use, where there is no tdx.c (kvm_amd, or kvm_intel built without
 * TDX) or where tdx.c cannot follow (huge pages, split, promotion).
 *
 * Everybody else's VMs pass through untouched.
 */
#ifndef TDP_STRESS_KVM_EXTERNAL_H
#define TDP_STRESS_KVM_EXTERNAL_H

#include "../core/tdxm.h"

/* KVM's own; no KVM header is needed to include this one. */
struct kvm;
struct kvm_vcpu;
struct kvm_mmu_page;
struct tdxm_view;

/**
 * enum tdps_split_mode - what a split without an external page meets
 * @TDPS_SPLIT_STRICT: refusal (-EIO), as by a tdx.c that was handed no page
 * @TDPS_SPLIT_LENIENT: the backend brings its own page, and promotes, too
 *
 * A kernel that brings the page itself (VARIANT=mirror-split) gets a DEMOTE in
 * both modes.
 */
enum tdps_split_mode {
	TDPS_SPLIT_STRICT,
	TDPS_SPLIT_LENIENT,
};

/**
 * struct tdps_external_config - what the backend is made with
 * @seed: of the module's random choices
 * @busy: one call in so many is BUSY, 0: none
 * @hold_ns: see struct tdxm_config
 * @max_vcpus: of each VM
 * @max_leaf_level: see struct tdxm_config
 * @split: enum tdps_split_mode
 * @extra_pfn: first of the frames that are no RAM of this machine, but may be mapped
 * @extra_pages: how many
 * @guest: plays a vCPU's guest, see struct tdxm_hooks; NULL if no vCPU is entered
 * @dirtied: see struct tdxm_hooks, may be NULL
 */
struct tdps_external_config {
	u64 seed;
	u32 busy;
	u32 hold_ns;
	u32 max_vcpus;
	u32 max_leaf_level;
	enum tdps_split_mode split;
	u64 extra_pfn;
	u64 extra_pages;
	u64 (*guest)(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs);
	void (*dirtied)(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa);
};

/*
 * start: makes the emulated module; before tdps_kvm_hook(), so that the hooks
 * find it. stop: after tdps_kvm_unhook() and after the last VM of ours is gone.
 * Both may sleep; start prints why it refuses.
 */
int tdps_external_start(const struct tdps_external_config *cfg);
void tdps_external_stop(void);
/*
 * Before tdps_kvm_unhook(): KVM destroys VMs some time after their last file was
 * closed. Then, while the oracles are there: is any page still a TD's? (A1)
 */
int tdps_external_wait_idle(unsigned int ms);
void tdps_external_check_empty(void);
u32 tdps_external_live(void);	/* VMs of ours that KVM has not destroyed */
const struct tdxm_view *tdps_external_view(void);	/* NULL: not started */
struct tdxm *tdps_external_module(void);

/* What the hooks ask of a VM's end; only for VMs of ours. Both may sleep. */
void tdps_external_pre_destroy(struct kvm *kvm);
void tdps_external_destroy(struct kvm *kvm);
/* Who destroys a VM of our own says so: KVM tells only where it has mirror roots. */
void tdps_external_gone(struct kvm *kvm);
/*
 * Where a VM has its memory, GFN: 0, or without mirror roots the upper half of the
 * module's GPAs, which it takes for shared ones and looks up as they are.
 */
u64 tdps_external_base_gfn(void);

/*
 * Is this a VM of ours? Any context, lock-free, cheap enough for every external
 * operation: the VM is alive because the caller uses it.
 */
bool tdps_external_owns(const struct kvm *kvm);

/*
 * Make @kvm ours: mirror roots from now on, and a TD in the emulated module.
 * It must have no vCPU and no memslot yet. -EBUSY: it has; -EEXIST: it is ours
 * already; -EOPNOTSUPP: backend=tdx; -EPROTOTYPE: no default VM; -ENOMEM. May sleep. It stays ours
 * until KVM destroys it; tables and TD are then taken down by the backend.
 */
int tdps_external_adopt(struct kvm *kvm);
/* A vCPU of the TD for @vcpu (TDH.VP.CREATE, ADDCX, INIT); before finalize. */
int tdps_external_add_vcpu(struct kvm_vcpu *vcpu);
/* TDH.MR.FINALIZE: vCPUs may be entered, pages are AUGed. */
int tdps_external_finalize(struct kvm *kvm);
/*
 * Keep this module loaded until @kvm is destroyed: for VMs whose life others
 * decide. Once, after tdps_external_adopt().
 */
void tdps_external_pin_module(struct kvm *kvm);

/*
 * Make this CPU the vCPU's: TDH.VP.FLUSH on the one it was entered on before, by
 * an IPI. Preemption off, IRQs on, before every entry; nothing if it is here
 * already. (tdx.c does it in vcpu_load.)
 */
void tdps_external_load(struct kvm_vcpu *vcpu);
/*
 * TDH.VP.ENTER on this CPU, IRQs off, vcpu->mode IN_GUEST_MODE. Returns the
 * status; exit information is in @regs. The direct root is taken from
 * vcpu->arch.mmu->root. @flush: KVM wants the vCPU's shared TLB flushed first.
 * TDX_VCPU_ASSOCIATED: tdps_external_load() was not called on this CPU.
 */
u64 tdps_external_enter(struct kvm_vcpu *vcpu, struct tdxm_regs *regs, bool flush);

/* What the hooks answer KVM with; only for VMs of ours. */
int tdps_external_set_spte(struct kvm *kvm, u64 gfn, u64 old_spte, u64 new_spte, int level);
void tdps_external_free_spt(struct kvm *kvm, struct kvm_mmu_page *sp);

/* The TD behind a VM of ours, for insight.h's questions. */
u64 tdps_external_tdr(const struct kvm *kvm);
bool tdps_external_runnable(const struct kvm *kvm);
bool tdps_external_has_hkid(const struct kvm *kvm);

/*
 * Splits (and the like) that were refused for want of an external page, which
 * this kernel cannot bring: the reason for a verdict of UNSUPPORTED.
 */
u64 tdps_external_unsupported(void);
/* Counters backend.<name>, in a stable order. */
void tdps_external_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

/* From now on; nobody may be in an operation. */
void tdps_external_set_split(enum tdps_split_mode split);

/*
 * Whoever stands before the backend has refused what KVM cannot take back: mirror and
 * S-EPT disagree from now on, and removals make sure that the page is out, however.
 */
void tdps_external_break(struct kvm *kvm);

/*
 * A GFN range whose mirror leafs are crafted: pages that KVM never faulted in,
 * so its attributes say nothing about it (H1 asks). One range per VM; set before
 * the first such leaf.
 */
void tdps_external_set_crafted(struct kvm *kvm, u64 start, u64 end);
bool tdps_external_is_crafted(const struct kvm *kvm, u64 gfn);

#endif
