// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's calls out, by its static calls: taken over, put back, and what was there
 * before still called. Built where KVM has mirror roots.
 */
#include <linux/static_call.h>

#include "chain.h"
#include "insight.h"

DEFINE_STATIC_CALL_RET0(tdps_orig_set_external_spte,
			*((struct tdps_chain *)0)->set_external_spte);
DEFINE_STATIC_CALL_NULL(tdps_orig_free_external_spt,
			*((struct tdps_chain *)0)->free_external_spt);
DEFINE_STATIC_CALL_NULL(tdps_orig_vm_pre_destroy, tdps_chain_vm_pre_destroy);
DEFINE_STATIC_CALL_NULL(tdps_orig_vm_destroy, tdps_chain_vm_destroy);

int tdps_chain_set_external_spte(const struct tdps_set_args *a)
{
	return TDPS_SET_CALL(static_call(tdps_orig_set_external_spte), a);
}

void tdps_chain_free_external_spt(const struct tdps_free_args *a)
{
	TDPS_FREE_CALL(static_call_cond(tdps_orig_free_external_spt), a);
}

void tdps_chain_vm_pre_destroy(struct kvm *kvm)
{
	static_call_cond(tdps_orig_vm_pre_destroy)(kvm);
}

void tdps_chain_vm_destroy(struct kvm *kvm)
{
	static_call_cond(tdps_orig_vm_destroy)(kvm);
}

/* KVM's static calls as they were, to be put back. */
static struct {
	struct tdps_chain orig;
	bool hooked, ends_hooked;
} chain;

/**
 * tdps_chain_hook() - have KVM call other functions
 * @hooks: these
 * @ends: those of a VM's end, too
 *
 * Context: may sleep; KVM has been found.
 */
void tdps_chain_hook(const struct tdps_chain *hooks, bool ends)
{
	struct tdps_chain *orig = &chain.orig;

	orig->set_external_spte = READ_ONCE(tdps_sym.set_key->func);
	orig->free_external_spt = READ_ONCE(tdps_sym.free_key->func);
	static_call_update(tdps_orig_set_external_spte, orig->set_external_spte);
	static_call_update(tdps_orig_free_external_spt, orig->free_external_spt);
	__static_call_update(tdps_sym.set_key, tdps_sym.set_tramp, hooks->set_external_spte);
	__static_call_update(tdps_sym.free_key, tdps_sym.free_tramp, hooks->free_external_spt);
	chain.hooked = true;
	if (!ends)
		return;
	orig->vm_pre_destroy = READ_ONCE(tdps_sym.pre_destroy_key->func);
	orig->vm_destroy = READ_ONCE(tdps_sym.destroy_key->func);
	static_call_update(tdps_orig_vm_pre_destroy, orig->vm_pre_destroy);
	static_call_update(tdps_orig_vm_destroy, orig->vm_destroy);
	__static_call_update(tdps_sym.pre_destroy_key, tdps_sym.pre_destroy_tramp,
			     hooks->vm_pre_destroy);
	__static_call_update(tdps_sym.destroy_key, tdps_sym.destroy_tramp, hooks->vm_destroy);
	chain.ends_hooked = true;
}

/**
 * tdps_chain_unhook() - put KVM's own back
 *
 * Context: may sleep. Threads may still be inside the hooks, or on the way into and
 * out of them: waiting for them is the caller's.
 *
 * Return: was anything hooked?
 */
bool tdps_chain_unhook(void)
{
	const struct tdps_chain *orig = &chain.orig;

	if (!chain.hooked)
		return false;
	__static_call_update(tdps_sym.set_key, tdps_sym.set_tramp, orig->set_external_spte);
	__static_call_update(tdps_sym.free_key, tdps_sym.free_tramp, orig->free_external_spt);
	if (chain.ends_hooked) {
		__static_call_update(tdps_sym.pre_destroy_key, tdps_sym.pre_destroy_tramp,
				     orig->vm_pre_destroy);
		__static_call_update(tdps_sym.destroy_key, tdps_sym.destroy_tramp,
				     orig->vm_destroy);
	}
	chain.hooked = false;
	chain.ends_hooked = false;
	return true;
}
