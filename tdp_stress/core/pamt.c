// SPDX-License-Identifier: GPL-2.0
/*
 * Physical address metadata: who owns each 4K page and as what, and the
 * canaries by which a page tells that somebody else wrote to it. Knows no leaf.
 */
#include "internal.h"

/**
 * tdxm_pamt - PAMT entry of a page
 * @m: the module
 * @pa: any address in the page
 *
 * Return: the entry, or NULL for an address that the PAMT does not cover.
 */
struct pamt_entry *tdxm_pamt(struct tdxm *m, u64 pa)
{
	u64 pfn = pa >> PAGE_SHIFT;

	return pfn < m->cfg.nr_pages ? &m->pamt[pfn] : NULL;
}

/* Is @pa the address of a page (HKID bits 0) that the PAMT covers? */
u64 tdxm_page_check(struct tdxm *m, u64 pa, u32 operand)
{
	if (pa & (PAGE_SIZE - 1) || pa >> m->cfg.phys_bits)
		return tdxm_status(TDX_OPERAND_INVALID, operand);
	if (!tdxm_pamt(m, pa))
		return tdxm_status(TDX_OPERAND_ADDR_RANGE_ERROR, operand);
	return TDX_SUCCESS;
}

/**
 * tdxm_page_lock_free - lock a page that the host hands in
 * @c: the call
 * @pa: the page, an operand of the leaf
 * @operand: its operand id, for the status
 * @class: counter of the lock
 *
 * Return: TDX_SUCCESS with the PAMT entry locked exclusively and the page free;
 * OPERAND_INVALID, OPERAND_BUSY or PAGE_METADATA_INCORRECT.
 */
u64 tdxm_page_lock_free(struct tdxm_call *c, u64 pa, u32 operand, enum tdxm_lock_class class)
{
	struct pamt_entry *p;
	u64 status;
	u32 type;

	status = tdxm_page_check(c->m, pa, operand);
	if (status)
		return status;
	p = tdxm_pamt(c->m, pa);
	if (!tdxm_call_lock(c, class, &p->lock, LOCK_EXCLUSIVE))
		return tdxm_status(TDX_OPERAND_BUSY, operand);

	type = PAMT_TYPE(tdxm_read(&p->type));
	if (type == PT_NDA)
		return TDX_SUCCESS;

	status = tdxm_status(TDX_PAGE_METADATA_INCORRECT, operand);
	if (type != PT_RSVD) {
		const struct tdxm_finding f = {
			.id = "X2",
			.what = "page handed to a TD while still in use by one",
			.tdr = (u64)tdxm_read(&p->owner) << PAGE_SHIFT,
			.gpa = ~0ULL, .pa = pa, .status = status,
			.leaf = c->number, .level = -1, .state = -1,
		};

		tdxm_report(c->m, VIOLATION_X2, &f);
	}
	return status;
}

/* A page's canary differs from its canaries in other lives and of other pages. */
static u64 canary(struct tdxm *m, u64 pa)
{
	u64 generation = PAMT_GENERATION(tdxm_read(&tdxm_pamt(m, pa)->type));

	return tdxm_mix(m->cfg.seed ^ (pa >> PAGE_SHIFT) ^ generation << 40);
}

/* Fill a page's words from byte offset @from on; the caller owns the page. */
void tdxm_canary_fill(struct tdxm *m, u64 pa, size_t from)
{
	u64 *p = tdxm_env_va(pa), *end = p + PAGE_SIZE / sizeof(*p);
	u64 value = canary(m, pa);

	for (p += (from + sizeof(*p) - 1) / sizeof(*p); p < end; p++)
		*p = value;
}

/*
 * What the guest leaves in a word of a private page: recognisable as such, and
 * different for different @value (of which 16 bits count).
 */
u64 tdxm_guest_word(struct tdxm *m, u64 pa, u64 value)
{
	return ~canary(m, pa) ^ (value & 0xffff);
}

/**
 * tdxm_canary_intact - did nobody but the module and the guest write to a page?
 * @m: the module
 * @pa: the page; the caller owns it
 * @from: byte offset at which the canary starts
 * @guest_writes: the guest may have written to it
 *
 * Return: false if a word is neither the canary nor the guest's.
 */
bool tdxm_canary_intact(struct tdxm *m, u64 pa, size_t from, bool guest_writes)
{
	const u64 *start = tdxm_env_va(pa), *end = start + PAGE_SIZE / sizeof(*start), *p;
	u64 value = canary(m, pa), diff = 0;

	start += (from + sizeof(*start) - 1) / sizeof(*start);
	for (p = start; p < end; p++)
		diff |= *p ^ value;
	if (!diff)
		return true;
	if (!guest_writes)
		return false;
	for (p = start; p < end; p++) {
		if (*p != value && (*p ^ ~value) >> 16)
			return false;
	}
	return true;
}

/**
 * tdxm_page_assign - give a locked free page a type and an owner
 * @c: the call
 * @pa: the page
 * @type: PT_*
 * @owner: TDR page of the owner (the page itself for a TDR)
 */
void tdxm_page_assign(struct tdxm_call *c, u64 pa, u32 type, u64 owner)
{
	struct pamt_entry *p = tdxm_pamt(c->m, pa);
	u32 generation = PAMT_GENERATION(tdxm_read(&p->type)) + 1;

	tdxm_write(&p->owner, owner >> PAGE_SHIFT);
	tdxm_write(&p->bepoch, 0);
	tdxm_store_release(&p->type, generation << 8 | type);
	tdxm_count(&c->lp->pages[type]);
	if (type != PT_TDR)
		tdxm_fetch_add(&c->tdr->chldcnt, 1);
}

/* Give a locked page back to the host. */
void tdxm_page_release(struct tdxm_call *c, u64 pa)
{
	struct pamt_entry *p = tdxm_pamt(c->m, pa);
	u32 word = tdxm_read(&p->type), type = PAMT_TYPE(word);

	tdxm_store_release(&p->type, PAMT_GENERATION(word) << 8 | PT_NDA);
	tdxm_count_add(&c->lp->pages[type], -1);
	if (type != PT_TDR)
		tdxm_fetch_add(&c->tdr->chldcnt, -1);
}

/* What is no RAM is reserved: no TDMR covers it. */
void tdxm_pamt_init(struct tdxm *m)
{
	u64 pfn = 0, nr;
	u32 type;

	while (pfn < m->cfg.nr_pages) {
		type = tdxm_env_is_ram(pfn, &nr) ? PT_NDA : PT_RSVD;
		for (; nr && pfn < m->cfg.nr_pages; nr--, pfn++)
			m->pamt[pfn].type = type;
	}
}

/* TDH.PHYMEM.PAGE.RDMD: called from #MC, so no lock at all; RCX page. */
u64 tdh_phymem_page_rdmd(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, status;
	struct pamt_entry *p;

	c->regs->rcx = 0;
	c->regs->rdx = 0;
	c->regs->r8 = 0;
	c->regs->r9 = 0;
	status = tdxm_page_check(c->m, pa, TDX_OPERAND_ID_RCX);
	if (status)
		return status;

	p = tdxm_pamt(c->m, pa);
	c->regs->rcx = PAMT_TYPE(tdxm_read(&p->type));
	if (c->regs->rcx != PT_NDA && c->regs->rcx != PT_RSVD) {
		c->regs->rdx = (u64)tdxm_read(&p->owner) << PAGE_SHIFT;
		c->regs->r9 = tdxm_read(&p->bepoch);
	}
	return TDX_SUCCESS;
}
