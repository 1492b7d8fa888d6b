// SPDX-License-Identifier: GPL-2.0
/*
 * Running a vCPU of our own: vcpu_run() and vcpu_enter_guest() without the parts
 * that are about a real CPU, with the emulated TDX module in the place of
 * TDH.VP.ENTER, and tdx.c's handling of EPT violations. Does not know what the
 * guest does.
 */
#include <linux/delay.h>
#include <linux/static_call.h>
#include <asm/shared/tdx.h>

#include "external.h"
#include "own_vm.h"

DECLARE_STATIC_CALL(own_vcpu_load, vcpu_load);
DECLARE_STATIC_CALL(own_vcpu_put, vcpu_put);

#define RUN_ENTRIES	32	/* entries until other users of vcpu->mutex get a turn */
#define RUN_SPINS	8
#define RUN_RETRIES	64	/* of one fault, until the guest has its own try */

/* A fault of a guest; retried here like tdx_handle_ept_violation() does. */
static enum tdps_result handle_violation(struct tdps_vm *vm, struct own_vcpu *v, u64 gpa,
					 u64 qual, u32 random)
{
	u64 gfn = gpa_to_gfn(gpa) & ~kvm_gfn_direct_bits(vm->kvm);
	bool private = !kvm_is_addr_direct(vm->kvm, gpa);
	enum tdps_region id = own_region_of(vm, gfn);
	u64 err = PFERR_GUEST_FINAL_MASK;
	enum tdps_result res;
	int tries;

	if (private)
		/* the module never says which access it was */
		err |= PFERR_PRIVATE_ACCESS | PFERR_WRITE_MASK;
	else
		err |= (qual & EPT_VIOLATION_ACC_WRITE ? PFERR_WRITE_MASK : 0) |
		       (qual & EPT_VIOLATION_PROT_MASK ? PFERR_PRESENT_MASK : 0);

	for (tries = 0; tries < RUN_RETRIES; tries++) {
		if (private && (id == TDPS_CRAFT || id == TDPS_GIANT))
			/* what is there already decides which size fits */
			res = own_craft(vm, v, gfn, vm->region[id].huge && (random + tries) & 1 ?
					PG_LEVEL_2M : PG_LEVEL_4K);
		else
			res = own_fault_result(own_fault(vm, v, gpa, err,
							 KVM_MAX_HUGEPAGE_LEVEL, false));
		/* a request may be what it takes to get on */
		if (res != TDPS_RETRY || kvm_request_pending(v->vcpu))
			break;
		/* whoever is in the way may need this CPU */
		if (tries < RUN_SPINS)
			cond_resched();
		else
			usleep_range(20, 100);
	}
	return res;
}

/* Was the fault refused because guest and attributes do not agree about the page? */
static bool wants_conversion(struct tdps_vm *vm, u64 gpa, struct tdps_run_counts *n)
{
	n->gfn = gpa_to_gfn(gpa) & ~kvm_gfn_direct_bits(vm->kvm);
	n->private = !kvm_is_addr_direct(vm->kvm, gpa);
	return own_region_of(vm, n->gfn) == TDPS_PRIVATE &&
	       n->private != kvm_mem_is_private(vm->kvm, n->gfn);
}

/* One entry, as in vcpu_enter_guest(). False: it did not come to it. */
static bool enter(struct own_vcpu *v, struct tdxm_regs *regs, u64 *status)
{
	struct kvm_vcpu *vcpu = v->vcpu;
	bool flush;

	preempt_disable();
	tdps_external_load(vcpu);
	local_irq_disable();
	/* as vcpu_enter_guest() does it, for whoever sends requests */
	smp_store_release(&vcpu->mode, IN_GUEST_MODE);
	kvm_vcpu_srcu_read_unlock(vcpu);
	/* mode before requests, and before page tables are read: see vcpu_enter_guest() */
	smp_mb__after_srcu_read_unlock();

	if (vcpu->mode == EXITING_GUEST_MODE || kvm_request_pending(vcpu) || need_resched()) {
		vcpu->mode = OUTSIDE_GUEST_MODE;
		/* as below */
		smp_wmb();
		local_irq_enable();
		preempt_enable();
		kvm_vcpu_srcu_read_lock(vcpu);
		return false;
	}
	flush = v->flush_due;
	v->flush_due = false;
	*status = tdps_external_enter(vcpu, regs, flush);

	vcpu->mode = OUTSIDE_GUEST_MODE;
	/* before IRQs are on, and with them whoever waits for us to be outside */
	smp_wmb();
	local_irq_enable();
	preempt_enable();
	kvm_vcpu_srcu_read_lock(vcpu);
	return true;
}

/**
 * tdps_run() - enter a vCPU some times
 * @vm: VM
 * @index: vCPU
 * @random: for choices
 * @n: counters, added to
 *
 * Context: may sleep; the VM's address space is in use.
 *
 * Return: why it has ended.
 */
enum tdps_exit tdps_run(struct tdps_vm *vm, u32 index, u32 random, struct tdps_run_counts *n)
{
	struct own_vcpu *v = &vm->vcpu[index];
	enum tdps_exit why = TDPS_EXIT_NONE;
	enum tdps_result res;
	struct tdxm_regs regs;
	u64 status;
	int i;

	mutex_lock(&v->vcpu->mutex);
	static_call(own_vcpu_load)(v->vcpu);
	kvm_vcpu_srcu_read_lock(v->vcpu);
	for (i = 0; i < RUN_ENTRIES; i++) {
		if (own_prepare(v)) {
			why = TDPS_EXIT_DEAD;
			break;
		}
		regs = (struct tdxm_regs) {};
		if (!enter(v, &regs, &status)) {
			n->turned++;
			kvm_vcpu_srcu_read_unlock(v->vcpu);
			cond_resched();
			kvm_vcpu_srcu_read_lock(v->vcpu);
			continue;
		}
		n->entries++;
		if (status == EXIT_REASON_EPT_VIOLATION) {
			n->violations++;
			res = handle_violation(vm, v, regs.r8, regs.rcx, random + i);
			n->faults[res]++;
			if (res == TDPS_REFUSED && wants_conversion(vm, regs.r8, n)) {
				why = TDPS_EXIT_MEMORY;
				break;
			}
		} else if (status >> 32 == TDX_OPERAND_BUSY >> 32) {
			n->busy++;
		} else if (status != EXIT_REASON_EXTERNAL_INTERRUPT) {
			n->other++;
		}
	}
	kvm_vcpu_srcu_read_unlock(v->vcpu);
	static_call(own_vcpu_put)(v->vcpu);
	mutex_unlock(&v->vcpu->mutex);
	return why;
}
