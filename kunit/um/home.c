// SPDX-License-Identifier: GPL-2.0
/*
 * The UML home of the test bed: a VM that consists of what the TDP MMU looks at,
 * made and destroyed in the order in which KVM does it.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/memblock.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../../tdp_stress/kvm/external.h"
#include "../bed/bed.h"
#include "../bed/sched.h"
#include "glue.h"
#include "white.h"

#define PAGES_1G	((u64)1 << 18)

/**
 * struct bed_home - what UML keeps for a bed
 * @kvm: its VM
 * @vcpu: its vCPUs
 * @slot: the memslot
 * @headers: um_headers() before it was made
 */
struct bed_home {
	struct kvm kvm;
	struct kvm_vcpu vcpu[BED_VCPUS];
	struct kvm_memory_slot slot;
	s64 headers;
};

/* Frames of nobody's: the machine's end above them, and no page is ever looked into. */
static u64 first_pfn(void)
{
	return max_t(u64, 4 * PAGES_1G, ALIGN(max_pfn, PAGES_1G));
}

kvm_pfn_t home_first_pfn(struct bed *b)
{
	return first_pfn();
}

static int set_external_spte(TDPS_SET_PARAMS)
{
	const struct tdps_set_args a = TDPS_SET_ARGS;

	return bed_set_external_spte(&a);
}

static void free_external_spt(TDPS_FREE_PARAMS)
{
	const struct tdps_free_args a = TDPS_FREE_ARGS;

	bed_free_external_spt(&a);
}

int home_open(void)
{
	const struct tdps_external_config cfg = {
		.seed = 1,
		.max_vcpus = BED_VCPUS,
		.max_leaf_level = 2,
		.split = TDPS_SPLIT_LENIENT,
		.extra_pfn = first_pfn(),
		.extra_pages = BED_PAGES,
	};
	int err = um_kvm_open();

	if (err) {
		pr_err("out of memory for KVM's caches\n");
		return err;
	}
	err = tdps_external_start(&cfg);
	if (err) {
		um_kvm_close();
		return err;
	}
	kvm_x86_ops.TDPS_SET_OP = set_external_spte;
	kvm_x86_ops.TDPS_FREE_OP = free_external_spt;
	return 0;
}

void home_close(void)
{
	tdps_external_stop();
	um_kvm_close();
}

/* --- a VM's life --- */

/* Without SRCU: nothing here takes it, and it costs a grace period. */
static int make_vm(struct kvm *kvm)
{
	um_init_vm(kvm);
	return tdps_external_adopt(kvm);
}

static int make_vcpus(struct bed *b)
{
	struct bed_home *h = b->home;
	int i, err;

	for (i = 0; i < BED_VCPUS; i++) {
		h->vcpu[i].kvm = &h->kvm;
		h->vcpu[i].vcpu_id = i;
		h->vcpu[i].vcpu_idx = i;
		um_init_mmu(&h->vcpu[i]);
		h->kvm.created_vcpus++;
		b->vcpu[i] = &h->vcpu[i];
		err = tdps_external_add_vcpu(&h->vcpu[i]);
		if (err)
			return err;
	}
	return tdps_external_finalize(&h->kvm);
}

static void make_slot(struct bed *b)
{
	struct bed_home *h = b->home;

	h->slot.base_gfn = BED_GFN;
	h->slot.npages = BED_PAGES;
	h->kvm.memslots.empty = false;
	b->slot = &h->slot;
}

int home_create(struct bed *b)
{
	struct bed_home *h = kvzalloc_obj(*h);
	int err;

	if (!h)
		return -ENOMEM;
	h->headers = um_headers();
	err = make_vm(&h->kvm);
	if (err) {
		kvfree(h);
		return err;
	}
	b->home = h;
	b->kvm = &h->kvm;
	err = make_vcpus(b);
	if (err) {
		struct home_left left;

		home_destroy(b, &left);
		return err;
	}
	make_slot(b);
	return 0;
}

int home_load(struct bed *b, int vcpu)
{
	struct kvm_vcpu *v = b->vcpu[vcpu];
	int err = um_topup(v);

	if (err)
		return err;
	/* as kvm_mmu_load(): the mirror root first */
	if (!VALID_PAGE(v->arch.mmu->mirror_root_hpa))
		kvm_tdp_mmu_alloc_root(v, true);
	if (!VALID_PAGE(v->arch.mmu->root.hpa))
		kvm_tdp_mmu_alloc_root(v, false);
	return um_topup(v);
}

static void put_root(struct kvm *kvm, hpa_t *hpa)
{
	if (!VALID_PAGE(*hpa))
		return;
	read_lock(&kvm->mmu_lock);
	kvm_tdp_mmu_put_root(kvm, root_to_sp(*hpa));
	read_unlock(&kvm->mmu_lock);
	*hpa = INVALID_PAGE;
}

void home_unload(struct bed *b, int vcpu)
{
	struct kvm_mmu *mmu = b->vcpu[vcpu]->arch.mmu;

	put_root(b->kvm, &mmu->root.hpa);
	put_root(b->kvm, &mmu->mirror_root_hpa);
}

static void count_left(struct bed_home *h, struct home_left *left)
{
	struct kvm_mmu_page *root;
	int i;

	memset(left, 0, sizeof(*left));
	for (i = 0; i < ARRAY_SIZE(left->pages); i++)
		left->pages[i] = atomic64_read(&h->kvm.stat.pages[i]);
#ifdef CONFIG_KVM_PROVE_MMU
	left->tables = atomic64_read(&h->kvm.arch.tdp_mmu_pages);
#endif
	list_for_each_entry(root, &h->kvm.arch.tdp_mmu_roots, link)
		left->roots++;
}

/* As kvm_destroy_vm(), for the parts that there are. */
void home_destroy(struct bed *b, struct home_left *left)
{
	struct bed_home *h = b->home;
	struct kvm *kvm = &h->kvm;
	int i;

	refcount_set(&kvm->users_count, 0);
	tdps_external_pre_destroy(kvm);
	write_lock(&kvm->mmu_lock);
	kvm_tdp_mmu_zap_all(kvm);
	write_unlock(&kvm->mmu_lock);
	for (i = 0; i < BED_VCPUS; i++) {
		if (!b->vcpu[i])
			continue;
		home_unload(b, i);
		um_free_caches(b->vcpu[i]);
	}
	kvm_mmu_uninit_tdp_mmu(kvm);
	count_left(h, left);
	left->headers = um_headers() - h->headers;
	tdps_external_destroy(kvm);
	vfree(h->slot.dirty_bitmap);
	kvfree(h);
	b->home = NULL;
	b->kvm = NULL;
	b->slot = NULL;
}

/* --- what else a case asks for --- */

void home_log_dirty(struct bed *b, bool on)
{
	struct kvm_memory_slot *slot = b->slot;

	if (on && !slot->dirty_bitmap)
		slot->dirty_bitmap = vzalloc(BITS_TO_LONGS(BED_PAGES) * sizeof(long));
	if (on)
		slot->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	else
		slot->flags &= ~KVM_MEM_LOG_DIRTY_PAGES;
}

u32 home_flushes(struct bed *b)
{
	return atomic_read(&b->kvm->um_flushes);
}

void home_invalidate_begin(struct bed *b, gfn_t start, gfn_t end)
{
	kvm_mmu_invalidate_start(b->kvm);
	kvm_mmu_invalidate_range_add(b->kvm, start, end);
}

void home_invalidate_end(struct bed *b, gfn_t start, gfn_t end)
{
	kvm_mmu_invalidate_end(b->kvm);
}

/* The file under test is compiled with all of them. */
void um_yields(rwlock_t *lock)
{
	/* a suite stops at BED_YIELD instead */
}

bool bed_has_point(enum bed_point p)
{
	return p < BED_NR_POINTS;
}
