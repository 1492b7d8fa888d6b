// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's calls out, by its static calls: external operations go to the bed, a VM's
 * end to the external backend. VMs that are not ours are answered as before.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/rcupdate.h>

#include "../../tdp_stress/kvm/chain.h"
#include "../../tdp_stress/kvm/insight.h"
#include "vm.h"

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

static int hook_set_external_spte(TDPS_SET_PARAMS)
{
	const struct tdps_set_args a = TDPS_SET_ARGS;

	if (tdps_external_owns(a.kvm))
		return bed_set_external_spte(&a);
	return tdps_chain_set_external_spte(&a);
}

static void hook_free_external_spt(TDPS_FREE_PARAMS)
{
	const struct tdps_free_args a = TDPS_FREE_ARGS;

	if (tdps_external_owns(a.kvm))
		bed_free_external_spt(&a);
	else
		tdps_chain_free_external_spt(&a);
}

static void hook_vm_pre_destroy(struct kvm *kvm)
{
	if (tdps_external_owns(kvm))
		tdps_external_pre_destroy(kvm);
	tdps_chain_vm_pre_destroy(kvm);
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
	tdps_chain_vm_destroy(kvm);
}

/* May sleep; KVM has been found, and there is no VM. */
void home_hooks_open(void)
{
	static const struct tdps_chain hooks = {
		.set_external_spte = hook_set_external_spte,
		.free_external_spt = hook_free_external_spt,
		.vm_pre_destroy = hook_vm_pre_destroy,
		.vm_destroy = hook_vm_destroy,
	};

	tdps_chain_hook(&hooks, true);
}

/* May sleep; the last VM of ours is gone, others do not come while suites run. */
void home_hooks_close(void)
{
	if (!tdps_chain_unhook())
		return;
	/* somebody may still be on the way into or out of a hook */
	synchronize_rcu();
	synchronize_rcu_tasks();
}
