// SPDX-License-Identifier: GPL-2.0
/*
 * VMs: the state of a TD as KVM keeps it, and the audit of all tables of all TDs.
 * Judges nothing: hands entries to the oracles.
 */
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "external.h"
#include "hold.h"
#include "insight.h"
#include "kvm.h"

static bool is_external(void)
{
	return tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL;
}

/* Physical address of the TDR page, 0 before the TD is made and after its end. */
u64 tdps_tdr_of(struct kvm *kvm)
{
	return is_external() ? tdps_external_tdr(kvm) : tdps_tdx_tdr(kvm);
}

/* Finalised: vCPUs may be inside, so that removals need TLB tracking. */
bool tdps_runnable(struct kvm *kvm)
{
	return is_external() ? tdps_external_runnable(kvm) : tdps_tdx_runnable(kvm);
}

/* The TD lives: what the S-EPT maps, it maps. */
bool tdps_has_hkid(struct kvm *kvm)
{
	return is_external() ? tdps_external_has_hkid(kvm) : tdps_tdx_has_hkid(kvm);
}

/* One audit at a time; also guards the oracles' tables of audits. */
static DEFINE_MUTEX(audit_mutex);

struct audit {
	struct tdps_audit a;
	struct kvm *kvm;
	struct kvm_mmu_page *root;
	gfn_t bits;
	u64 *planted;		/* an entry frozen on purpose */
	gfn_t resume;		/* X1: where to go on after letting go of mmu_lock */
	u32 budget;		/* X1: entries until then */
};

/*
 * A page table is linked that KVM has given back, as after a failure that was not undone: the
 * page is somebody else's, and whoever goes on there dies.
 */
static bool is_given_back(const struct audit *au, u64 raw, gfn_t gfn, int level)
{
	const struct tdps_where w = {
		.vm = au->a.vm, .gfn = gfn & ~au->bits, .level = level, .lock = TDPS_LOCK_WRITE,
	};

	if (!is_shadow_present_pte(raw) || is_last_spte(raw, level) || spte_to_child_sp(raw))
		return false;
	if (tdps_wants(TDPS_A1))
		tdps_violation(TDPS_A1, &w, "%s root links a page table that KVM has freed: 0x%llx",
			       is_mirror_sp(au->root) ? "mirror" : "direct", raw);
	return true;
}

/* The first of these GFNs whose attribute says private, or shared; @end: none. */
#ifdef CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES
static gfn_t find_kind(struct kvm *kvm, gfn_t start, gfn_t end, bool private)
{
	XA_STATE(xas, &kvm->mem_attr_array, start);
	gfn_t shared = start;
	bool is_private;
	void *entry;

	guard(rcu)();
	xas_for_each(&xas, entry, end - 1) {
		if (xas_retry(&xas, entry))
			continue;
		is_private = xa_to_value(entry) & KVM_MEMORY_ATTRIBUTE_PRIVATE;
		if (private && is_private)
			return xas.xa_index;
		if (!private && (!is_private || xas.xa_index != shared))
			return shared;
		shared = xas.xa_index + 1;
	}
	return private ? end : shared;
}
#else
static gfn_t find_kind(struct kvm *kvm, gfn_t start, gfn_t end, bool private)
{
	while (start < end && kvm_mem_is_private(kvm, start) != private)
		start++;
	return start;
}
#endif

/* H1, H2: does a leaf map what the attributes, and the host, say? */
static void ask_host(const struct audit *au, struct tdps_audit_spte *s)
{
	gfn_t end = s->gfn + KVM_PAGES_PER_HPAGE(s->level);
	struct kvm *kvm = au->kvm;

	if (kvm->mmu_invalidate_in_progress && end > kvm->mmu_invalidate_range_start &&
	    s->gfn < kvm->mmu_invalidate_range_end)
		return;
	/* what was crafted was never faulted in */
	if (s->mirror && tdps_external_owns(kvm) && tdps_external_is_crafted(kvm, s->gfn))
		return;
	if (tdps_wants(TDPS_H1)) {
		s->misplaced_gfn = find_kind(kvm, s->gfn, end, !s->mirror);
		s->misplaced = s->misplaced_gfn < end;
	}
	if (tdps_wants(TDPS_H2)) {
		s->writable = s->spte.raw & PT_WRITABLE_MASK;
		tdps_host_look(kvm, kvm_mmu_page_as_id(au->root), s->gfn, s->mirror, &s->host);
	}
}

static void fill(const struct audit *au, struct tdps_audit_spte *s, u64 raw, gfn_t gfn, int level)
{
	struct kvm *kvm = au->kvm;

	*s = (struct tdps_audit_spte) {
		.gfn = gfn & ~au->bits,
		.level = level,
		.mirror = is_mirror_sp(au->root),
		.invalid = au->root->role.invalid,
		.shared_alias = gfn & au->bits,
	};
	tdps_decode(kvm, raw, level, &s->spte);
	if (s->spte.present && !s->spte.leaf && s->mirror)
		s->child_page = __pa(tdps_external_spt(spte_to_child_sp(raw)));
}

static bool audit_entry(struct tdps_walk *w, u64 *sptep, u64 raw, gfn_t gfn, int level)
{
	struct audit *au = w->arg;
	struct tdps_audit_spte s;

	if (is_given_back(au, raw, gfn, level))
		return false;
	fill(au, &s, raw, gfn, level);
	au->a.sptes++;
	if (s.spte.leaf) {
		if (level <= ARRAY_SIZE(au->a.leafs))
			au->a.leafs[level - 1]++;
		ask_host(au, &s);
	} else if (s.spte.present) {
		au->a.tables++;
	}
	tdps_audit_spte(&au->a, &s);
	return true;
}

static bool find_empty(struct tdps_walk *w, u64 *sptep, u64 raw, gfn_t gfn, int level)
{
	struct audit *au = w->arg;

	if (!au->planted && level == PG_LEVEL_4K && raw == SHADOW_NONPRESENT_VALUE)
		au->planted = sptep;
	return !au->planted;
}

/*
 * Planted violation of F1: freeze an empty mirror entry while mmu_lock is held
 * for write, for the time of the walk. Nobody but this thread can see it: KVM
 * reads mirror roots only with mmu_lock.
 */
static void plant_frozen(struct audit *au)
{
	struct kvm_mmu_page *root;

	list_for_each_entry(root, &au->kvm->arch.tdp_mmu_roots, link) {
		struct tdps_walk w = {
			.root = root, .last = au->bits ? au->bits - 1 : 0, .absent_too = true,
			.fn = find_empty, .arg = au,
		};

		if (is_mirror_sp(root) && !au->planted)
			tdps_walk(&w);
	}
	if (au->planted)
		WRITE_ONCE(*au->planted, FROZEN_SPTE);
}

/* vCPUs that point to a root; their references were taken before the pointers. */
static u32 users_of(struct kvm *kvm, struct kvm_mmu_page *root)
{
	hpa_t hpa = __pa(root->spt);
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u32 n = 0;

	kvm_for_each_vcpu(i, vcpu, kvm)
		n += READ_ONCE(vcpu->arch.root_mmu.root.hpa) == hpa ||
		     tdps_mirror_root(&vcpu->arch.root_mmu) == hpa;
	return n;
}

/* Everything but X1, in one go: counts compare only while nothing changes. */
static void audit_tables(struct audit *au)
{
	struct kvm *kvm = au->kvm;
	struct kvm_mmu_page *root;
	s64 pages[3];
	int i;

	/* H2 looks into memslots */
	guard(srcu)(&kvm->srcu);
	au->a.complete = true;
	if (tdps_planted(TDPS_F1))
		plant_frozen(au);
	list_for_each_entry(root, &kvm->arch.tdp_mmu_roots, link) {
		struct tdps_audit_root r = {
			.id = (u64)(unsigned long)root,
			.mirror = is_mirror_sp(root),
			.invalid = root->role.invalid,
			.count = refcount_read(&root->tdp_mmu_root_count),
			.users = users_of(kvm, root),
		};
		struct tdps_walk w = {
			.root = root, .last = TDPS_LAST_GFN, .fn = audit_entry, .arg = au,
		};

		au->root = root;
		tdps_audit_root(&au->a, &r);
		tdps_walk(&w);
	}
	if (au->planted)
		WRITE_ONCE(*au->planted, SHADOW_NONPRESENT_VALUE);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = atomic64_read(&kvm->stat.pages[i]);
	tdps_audit_counts(&au->a, pages, tdps_tables_counted(kvm));
}

/* X1 asks the S-EPT for each entry, so it lets others in from time to time. */
#define SEPT_BUDGET	4096

static bool audit_sept_entry(struct tdps_walk *w, u64 *sptep, u64 raw, gfn_t gfn, int level)
{
	struct audit *au = w->arg;
	struct tdps_audit_spte s;

	if (!au->budget) {
		/* unwind; go on at the first entry that was not looked at */
		au->resume = min(au->resume, gfn);
		return false;
	}
	/* parents are looked at again after a pause, their children only once */
	if (level == PG_LEVEL_4K)
		au->budget--;
	if (is_frozen_spte(raw))
		return false;
	if (is_given_back(au, raw, gfn, level))
		return false;
	fill(au, &s, raw, gfn, level);
	return tdps_audit_sept(&au->a, &s);
}

static struct kvm_mmu_page *mirror_root(struct kvm *kvm)
{
	struct kvm_mmu_page *root;

	list_for_each_entry(root, &kvm->arch.tdp_mmu_roots, link)
		if (is_mirror_sp(root) && !root->role.invalid)
			return root;
	return NULL;
}

static void audit_sept(struct audit *au)
{
	struct kvm *kvm = au->kvm;
	gfn_t from = 0;

	if (!tdps_wants(TDPS_X1) || !au->bits)
		return;
	while (!kvm->vm_bugged && tdps_has_hkid(kvm) && au->a.tdr) {
		struct tdps_walk w = {
			.first = from, .last = au->bits - 1, .absent_too = true,
			.fn = audit_sept_entry, .arg = au,
		};

		w.root = mirror_root(kvm);
		if (!w.root)
			return;
		au->root = w.root;
		au->budget = SEPT_BUDGET;
		au->resume = TDPS_LAST_GFN;
		tdps_walk(&w);
		if (au->budget || au->resume >= au->bits)
			return;
		from = au->resume;
		/* see lock_for_audit() */
		if (!tdps_holds_any())
			cond_resched_rwlock_write(&kvm->mmu_lock);
	}
}

#define POLITE_TRIES	20

/*
 * A writer that waits keeps further readers out. A thread that is held may be a reader,
 * whose master lets others run into it: then the audit's turn comes another time.
 */
static bool lock_for_audit(struct kvm *kvm, bool now)
{
	int tries = now ? 0 : POLITE_TRIES;

	while (tries--) {
		if (write_trylock(&kvm->mmu_lock))
			return true;
		if (tdps_holds_any())
			return false;
		usleep_range(500, 1000);
	}
	write_lock(&kvm->mmu_lock);
	return true;
}

static void audit_vm(struct kvm *kvm, bool now)
{
	struct audit au = {
		.kvm = kvm,
		.bits = kvm_gfn_direct_bits(kvm),
		.a = { .vm = tdps_vm_id(kvm), .tdr = tdps_tdr_of(kvm) },
	};
	u64 start;

	if (!lock_for_audit(kvm, now))
		return;
	start = ktime_get_mono_fast_ns();
	au.a.bugged = kvm->vm_bugged;
	audit_tables(&au);
	audit_sept(&au);
	tdps_audit_end(&au.a, ktime_get_mono_fast_ns() - start);
	write_unlock(&kvm->mmu_lock);
	if (au.a.bugged)
		tdps_bugged(au.a.vm);
}

/**
 * tdps_kvm_audit() - audit all TDs
 * @now: each of them, whoever has to wait; else not those of which mmu_lock cannot be
 *	 had while a thread is held at a point
 *
 * kvm_lock keeps a VM from going away: kvm_destroy_vm() needs it before it
 * touches anything.
 *
 * Context: may sleep.
 */
void tdps_kvm_audit(bool now)
{
	struct kvm *kvm;

	guard(mutex)(&audit_mutex);
	mutex_lock(tdps_sym.kvm_lock);
	list_for_each_entry(kvm, tdps_sym.vm_list, vm_list) {
		if (tdps_watched(kvm))
			audit_vm(kvm, now);
		cond_resched();
	}
	mutex_unlock(tdps_sym.kvm_lock);
}
