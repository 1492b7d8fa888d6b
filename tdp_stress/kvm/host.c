// SPDX-License-Identifier: GPL-2.0
/*
 * What the host has behind a GFN: its page tables, and guest_memfd's page cache.
 * Changes nothing, takes no reference. Judges nothing.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>

#include "insight.h"

#ifndef CONFIG_UML
bool tdps_host_visible(void)
{
	return true;
}

static void found(struct tdps_host_page *page, unsigned long hva, unsigned long pfn, int level,
		  bool writable)
{
	page->seen = TDPS_HOST_PRESENT;
	page->pfn = pfn + (hva >> PAGE_SHIFT) % KVM_PAGES_PER_HPAGE(level);
	page->level = level;
	page->writable = writable;
}

/* As host_pfn_mapping_level() in mmu.c: IRQs are off, so that no table is freed. */
static void look_in_mm(struct mm_struct *mm, unsigned long hva, struct tdps_host_page *page)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	if (pgd_none(pgd))
		return;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		return;
	if (pud_leaf(pud)) {
		found(page, hva, pud_pfn(pud), PG_LEVEL_1G, pud_write(pud));
		return;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd))
		return;
	if (pmd_leaf(pmd)) {
		found(page, hva, pmd_pfn(pmd), PG_LEVEL_2M, pmd_write(pmd));
		return;
	}
	pte = ptep_get_lockless(pte_offset_kernel(&pmd, hva));
	if (pte_present(pte))
		found(page, hva, pte_pfn(pte), PG_LEVEL_4K, pte_write(pte));
}

#if TDPS_MIRROR_ROOTS
static bool in_gmem(const struct kvm_memory_slot *slot, bool private)
{
	return private ? kvm_slot_has_gmem(slot) : kvm_memslot_is_gmem_only(slot);
}

/*
 * guest_memfd clears the slot's file before it has the file's pages unmapped, which takes
 * mmu_lock: a file that is seen stays.
 */
static void look_in_gmem(const struct kvm_memory_slot *slot, gfn_t gfn,
			 struct tdps_host_page *page)
{
	struct file *file = (struct file __force *)READ_ONCE(slot->gmem.file);
	pgoff_t index = gfn - slot->base_gfn + slot->gmem.pgoff;
	struct folio *folio;

	page->seen = file ? TDPS_HOST_ABSENT : TDPS_HOST_UNKNOWN;
	if (!file)
		return;
	guard(rcu)();
	folio = xa_load(&file->f_mapping->i_pages, index);
	if (!folio || xa_is_value(folio))
		return;
	page->seen = TDPS_HOST_PRESENT;
	page->pfn = folio_pfn(folio) + (index & (folio_nr_pages(folio) - 1));
	page->level = folio_order(folio) >= KVM_HPAGE_GFN_SHIFT(PG_LEVEL_2M) ? PG_LEVEL_2M :
									       PG_LEVEL_4K;
	page->writable = true;
}
#else
static bool in_gmem(const struct kvm_memory_slot *slot, bool private)
{
	return false;
}

static void look_in_gmem(const struct kvm_memory_slot *slot, gfn_t gfn,
			 struct tdps_host_page *page)
{
}
#endif

/**
 * tdps_host_look() - which page does the host have behind a GFN?
 * @kvm: VM
 * @as_id: address space
 * @gfn: GFN, without the bits that make it a shared one
 * @private: of private memory, else of shared
 * @page: filled in
 *
 * Context: kvm->srcu; mmu_lock held for write, and no invalidation of @gfn in progress:
 *	    who takes the page away begins with one.
 */
void tdps_host_look(struct kvm *kvm, int as_id, gfn_t gfn, bool private,
		    struct tdps_host_page *page)
{
	const struct kvm_memory_slot *slot = __gfn_to_memslot(__kvm_memslots(kvm, as_id), gfn);
	unsigned long flags;

	*page = (struct tdps_host_page) { .seen = TDPS_HOST_ABSENT };
	if (!slot)
		return;
	if (in_gmem(slot, private)) {
		look_in_gmem(slot, gfn, page);
	} else if (private) {
		page->seen = TDPS_HOST_UNKNOWN;
	} else {
		local_irq_save(flags);
		look_in_mm(kvm->mm, __gfn_to_hva_memslot(slot, gfn), page);
		local_irq_restore(flags);
	}
}
#else
bool tdps_host_visible(void)
{
	return false;
}

void tdps_host_look(struct kvm *kvm, int as_id, gfn_t gfn, bool private,
		    struct tdps_host_page *page)
{
	page->seen = TDPS_HOST_UNKNOWN;
}
#endif
