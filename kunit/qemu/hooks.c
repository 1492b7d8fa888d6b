// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's calls out, by its static calls: external operations go to the bed, a VM's
 * end to the external backend. VMs that are not ours are answered as before.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/rcupdate.h>
#include <linux/static_call.h>

#include "../../tdp_stress/kvm/insight.h"
#include "vm.h"

static int hook_set_external_spte(struct kvm *kvm, gfn_t gfn, u64 old_spte, u64 new_spte,
				  enum pg_level level);
static void hook_free_external_spt(struct kvm *kvm, struct kvm_mmu_page *sp);
static void hook_vm_pre_destroy(struct kvm *kvm);
static void hook_vm_destroy(struct kvm *kvm);

static_assert(__same_type(((struct kvm_x86_ops *)0)->set_external_spte,
			  &hook_set_external_spte));
static_assert(__same_type(((struct kvm_x86_ops *)0)->free_external_spt,
			  &hook_free_external_spt));
static_assert(__same_type(((struct kvm_x86_ops *)0)->vm_pre_destroy, &hook_vm_pre_destroy));
static_assert(__same_type(((struct kvm_x86_ops *)0)->vm_destroy, &hook_vm_destroy));

/* What KVM would have called; on kvm_amd that is nothing, but for the VM's end. */
DEFINE_STATIC_CALL_RET0(home_set_external_spte, hook_set_external_spte);
DEFINE_STATIC_CALL_NULL(home_free_external_spt, hook_free_external_spt);
DEFINE_STATIC_CALL_NULL(home_vm_pre_destroy, hook_vm_pre_destroy);
DEFINE_STATIC_CALL_NULL(home_vm_destroy, hook_vm_destroy);

/* Whose end is of interest; set by the case's thread, which also ends the VM. */
static struct {
	struct kvm *kvm;
	struct bed_home *h;
} watched;

void home_watch_end(struct kvm *kvm, struct bed_home *h)
{
	watched.h = h;
	WRITE_ONCE(watched.kvm, kvm);
}

struct kvm *home_watched(void)
{
	return READ_ONCE(watched.kvm);
}

static int hook_set_external_spte(struct kvm *kvm, gfn_t gfn, u64 old_spte, u64 new_spte,
				  enum pg_level level)
{
	if (tdps_external_owns(kvm))
		return bed_set_external_spte(kvm, gfn, old_spte, new_spte, level);
	return static_call(home_set_external_spte)(kvm, gfn, old_spte, new_spte, level);
}

static void hook_free_external_spt(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	if (tdps_external_owns(kvm))
		bed_free_external_spt(kvm, sp);
	else
		static_call_cond(home_free_external_spt)(kvm, sp);
}

static void hook_vm_pre_destroy(struct kvm *kvm)
{
	if (tdps_external_owns(kvm))
		tdps_external_pre_destroy(kvm);
	static_call_cond(home_vm_pre_destroy)(kvm);
}

/* KVM's last word: all that it had for the VM's guest it has given back. */
static void look_at_the_end(struct kvm *kvm, struct bed_home *h)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(h->left.pages); i++)
		h->left.pages[i] = atomic64_read(&kvm->stat.pages[i]);
	h->left.tables = max(tdps_tables_counted(kvm), 0);
	h->left.roots = list_count_nodes(&kvm->arch.tdp_mmu_roots);
	h->ended = true;
}

static void hook_vm_destroy(struct kvm *kvm)
{
	if (kvm == watched.kvm)
		look_at_the_end(kvm, watched.h);
	if (tdps_external_owns(kvm))
		tdps_external_destroy(kvm);
	static_call_cond(home_vm_destroy)(kvm);
}

/* KVM's static calls as they were, to be put back. */
static struct {
	void *set, *free, *pre_destroy, *destroy;
	bool hooked;
} orig;

/* May sleep; KVM has been found, and there is no VM. */
void home_hooks_open(void)
{
	orig.set = READ_ONCE(tdps_sym.set_key->func);
	orig.free = READ_ONCE(tdps_sym.free_key->func);
	orig.pre_destroy = READ_ONCE(tdps_sym.pre_destroy_key->func);
	orig.destroy = READ_ONCE(tdps_sym.destroy_key->func);
	static_call_update(home_set_external_spte, orig.set);
	static_call_update(home_free_external_spt, orig.free);
	static_call_update(home_vm_pre_destroy, orig.pre_destroy);
	static_call_update(home_vm_destroy, orig.destroy);
	__static_call_update(tdps_sym.set_key, tdps_sym.set_tramp, hook_set_external_spte);
	__static_call_update(tdps_sym.free_key, tdps_sym.free_tramp, hook_free_external_spt);
	__static_call_update(tdps_sym.pre_destroy_key, tdps_sym.pre_destroy_tramp,
			     hook_vm_pre_destroy);
	__static_call_update(tdps_sym.destroy_key, tdps_sym.destroy_tramp, hook_vm_destroy);
	orig.hooked = true;
}

/* May sleep; the last VM of ours is gone, others do not come while suites run. */
void home_hooks_close(void)
{
	if (!orig.hooked)
		return;
	__static_call_update(tdps_sym.set_key, tdps_sym.set_tramp, orig.set);
	__static_call_update(tdps_sym.free_key, tdps_sym.free_tramp, orig.free);
	__static_call_update(tdps_sym.pre_destroy_key, tdps_sym.pre_destroy_tramp,
			     orig.pre_destroy);
	__static_call_update(tdps_sym.destroy_key, tdps_sym.destroy_tramp, orig.destroy);
	/* somebody may still be on the way into or out of a hook */
	synchronize_rcu();
	synchronize_rcu_tasks();
	orig.hooked = false;
}
