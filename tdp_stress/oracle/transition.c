// SPDX-License-Identifier: GPL-2.0
/*
 * T1, H1, H2: which values an SPTE may take after which, which GFNs may be mapped
 * where, and to which pages. See Documentation/invariants.rst.
 */
#include "internal.h"

/* T1; the rules are those of __handle_changed_spte() in tdp_mmu.c */
void transition_spte(const struct tdps_change *c)
{
	const struct tdps_spte *old_spte = &c->old_spte, *new_spte = &c->new_spte;
	const struct tdps_where *w = &c->where;
	bool was_leaf = old_spte->leaf;
	u64 was_pfn = old_spte->pfn;

	if (!tdps_checking(TDPS_T1))
		return;
	if (tdps_planted(TDPS_T1) && new_spte->leaf) {
		was_leaf = true;
		was_pfn = new_spte->pfn ^ 1;
	}
	if (was_leaf && new_spte->leaf && was_pfn != new_spte->pfn)
		tdps_violation(TDPS_T1, w,
			       "present leaf 0x%llx replaced by a leaf of another page, 0x%llx",
			       old_spte->raw, new_spte->raw);
	else if (old_spte->present && !old_spte->leaf && new_spte->present && !new_spte->leaf &&
		 old_spte->pfn != new_spte->pfn)
		tdps_violation(TDPS_T1, w, "page table 0x%llx replaced by another, 0x%llx",
			       old_spte->raw, new_spte->raw);
	/* without the VM nobody knows what an MMIO SPTE looks like */
	else if (w->vm && !old_spte->present && !new_spte->present &&
		 old_spte->raw != new_spte->raw &&
		 !old_spte->mmio && !new_spte->mmio && !new_spte->frozen)
		tdps_violation(TDPS_T1, w, "non-present 0x%llx replaced by non-present 0x%llx",
			       old_spte->raw, new_spte->raw);
}

/* H2: KVM has faulted it in from there, and was told before that was to change. */
static void check_host(struct tdps_where *w, const struct tdps_audit_spte *s)
{
	const struct tdps_host_page *host = &s->host;
	u64 pfn = s->spte.pfn;

	if (host->seen == TDPS_HOST_UNKNOWN || !tdps_checking(TDPS_H2))
		return;
	if (tdps_planted(TDPS_H2))
		pfn ^= 1;
	if (host->seen == TDPS_HOST_ABSENT)
		tdps_violation(TDPS_H2, w, "leaf of page 0x%llx where the host has none", pfn);
	else if (pfn != host->pfn)
		tdps_violation(TDPS_H2, w, "leaf of page 0x%llx where the host has 0x%llx", pfn,
			       host->pfn);
	else if (s->level > host->level)
		tdps_violation(TDPS_H2, w, "leaf of level %d where the host maps pages of level %d",
			       s->level, host->level);
	else if (s->writable && !host->writable)
		tdps_violation(TDPS_H2, w, "writable leaf of page 0x%llx, which the host only reads",
			       pfn);
}

/* H1, H2 */
void transition_audit_spte(struct tdps_audit *a, const struct tdps_audit_spte *s)
{
	struct tdps_where w = {
		.vm = a->vm, .gfn = s->gfn, .level = s->level, .lock = TDPS_LOCK_WRITE,
	};

	if (!s->spte.leaf)
		return;
	check_host(&w, s);
	if (s->invalid || !tdps_checking(TDPS_H1))
		return;
	if (s->mirror && s->shared_alias)
		tdps_violation(TDPS_H1, &w, "shared alias mapped in a mirror root");
	if (!s->mirror && !s->shared_alias)
		tdps_violation(TDPS_H1, &w, "private alias mapped in a direct root");
	if (!s->misplaced && !tdps_planted(TDPS_H1))
		return;
	if (s->misplaced)
		w.gfn = s->misplaced_gfn;
	tdps_violation(TDPS_H1, &w, "%s GFN mapped in a %s root",
		       s->mirror ? "shared" : "private", s->mirror ? "mirror" : "direct");
}
