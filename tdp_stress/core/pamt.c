// SPDX-License-Identifier: GPL-2.0
/*
 * Physical address metadata: who owns each page and as what, in which size, and
 * the canaries by which a page tells that somebody else wrote to it. Knows no
 * leaf.
 *
 * As in the module there is an entry for each 4K page and, where huge pages are
 * allowed, a head for each 2M and each 1G: a page is described by the highest
 * entry above it that is not free. Whoever takes a page holds the heads above it
 * shared, whoever takes a huge page holds its head exclusively.
 */
#include "internal.h"

/* 4K pages of a huge page that have a canary; the first and the last are two of them. */
#define NR_SAMPLES	8

static u32 pamt_word(u32 generation, u32 type)
{
	return generation << 8 | type;
}

static struct pamt_head *head_of(struct tdxm *m, u64 pa, int level)
{
	return &m->heads[level - 1][pa >> (PAGE_SHIFT + 9 * level)];
}

/**
 * tdxm_pamt - PAMT entry of a 4K page
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

/**
 * tdxm_pamt_at - PAMT entry of a page of a known size
 * @m: the module
 * @pa: any address in the page, which the PAMT covers
 * @level: its size: 0 4K, 1 2M, 2 1G; up to struct tdxm_config.max_leaf_level
 *
 * Return: the entry.
 */
struct pamt_entry *tdxm_pamt_at(struct tdxm *m, u64 pa, int level)
{
	return level ? &head_of(m, pa, level)->entry : &m->pamt[pa >> PAGE_SHIFT];
}

/**
 * tdxm_pamt_leaf - the PAMT entry that describes an address
 * @m: the module
 * @pa: the address
 * @level: size of the page that it is in; 0 if it is in none
 *
 * Context: any, lock-free. A page that is split or merged meanwhile is seen in
 * one size or the other, or for a moment as free.
 * Return: the entry, or NULL for an address that the PAMT does not cover.
 */
struct pamt_entry *tdxm_pamt_leaf(struct tdxm *m, u64 pa, int *level)
{
	struct pamt_entry *p = tdxm_pamt(m, pa), *head;

	*level = 0;
	if (!p)
		return NULL;
	for (*level = m->cfg.max_leaf_level; *level; (*level)--) {
		head = tdxm_pamt_at(m, pa, *level);
		if (PAMT_TYPE(tdxm_load_acquire(&head->type)) != PT_NDA)
			return head;
	}
	return p;
}

/* Type of the page at @pa; what the PAMT does not cover is reserved. */
u32 tdxm_page_type(struct tdxm *m, u64 pa)
{
	int level;
	struct pamt_entry *p = tdxm_pamt_leaf(m, pa, &level);

	return p ? PAMT_TYPE(tdxm_load_acquire(&p->type)) : PT_RSVD;
}

static u64 range_check(struct tdxm *m, u64 pa, int level, u32 operand)
{
	if (pa & (tdxm_size(level) - 1) || pa >> m->cfg.phys_bits)
		return tdxm_status(TDX_OPERAND_INVALID, operand);
	if (!tdxm_pamt(m, pa) || !tdxm_pamt(m, pa + tdxm_size(level) - 1))
		return tdxm_status(TDX_OPERAND_ADDR_RANGE_ERROR, operand);
	return TDX_SUCCESS;
}

/* Is @pa the address of a page (HKID bits 0) that the PAMT covers? */
u64 tdxm_page_check(struct tdxm *m, u64 pa, u32 operand)
{
	return range_check(m, pa, 0, operand);
}

/*
 * The first page of a range that is not free. The heads' counts keep this short:
 * at most 512 heads and one of them from inside.
 */
static u64 first_used(struct tdxm *m, u64 pa, int level)
{
	u64 end = pa + tdxm_size(level), size = tdxm_size(level - 1);

	for (; pa < end; pa += size) {
		if (PAMT_TYPE(tdxm_read(&tdxm_pamt_at(m, pa, level - 1)->type)) != PT_NDA)
			return pa;
		if (level > 1 && tdxm_read(&head_of(m, pa, level - 1)->used))
			return first_used(m, pa, level - 1);
	}
	return end - size;
}

/* A page that the host hands in is not free: whose is it? @pa is or has that page. */
static u64 not_free(struct tdxm_call *c, u64 pa, u32 operand)
{
	u64 status = tdxm_status(TDX_PAGE_METADATA_INCORRECT, operand);
	int level;
	const struct pamt_entry *p = tdxm_pamt_leaf(c->m, pa, &level);

	u32 type = PAMT_TYPE(tdxm_read(&p->type));

	if (type != PT_RSVD && type != PT_NDA) {
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

/**
 * tdxm_page_lock_free - lock a page that the host hands in
 * @c: the call
 * @pa: the page, an operand of the leaf
 * @level: its size
 * @operand: its operand id, for the status
 * @class: counter of the lock
 *
 * Return: TDX_SUCCESS with the PAMT entry locked exclusively, the heads above it
 * shared and the page free; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR,
 * OPERAND_BUSY or PAGE_METADATA_INCORRECT.
 */
u64 tdxm_page_lock_free(struct tdxm_call *c, u64 pa, int level, u32 operand,
			enum tdxm_lock_class class)
{
	struct pamt_entry *p;
	u64 status;
	int l;

	status = range_check(c->m, pa, level, operand);
	if (status)
		return status;
	for (l = c->m->cfg.max_leaf_level; l >= level; l--) {
		p = tdxm_pamt_at(c->m, pa, l);
		if (!tdxm_call_lock(c, l > level ? LOCK_PAGE : class, &p->lock,
				    l > level ? LOCK_SHARED : LOCK_EXCLUSIVE))
			return tdxm_status(TDX_OPERAND_BUSY, operand);
		if (PAMT_TYPE(tdxm_read(&p->type)) != PT_NDA)
			return not_free(c, pa, operand);
	}
	if (level && tdxm_read(&head_of(c->m, pa, level)->used))
		return not_free(c, first_used(c->m, pa, level), operand);
	return TDX_SUCCESS;
}

/* No memory is there: nothing is written or read. */
bool tdxm_is_extra(const struct tdxm *m, u64 pfn)
{
	return pfn >= m->cfg.extra_pfn && pfn - m->cfg.extra_pfn < m->cfg.extra_pages;
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
	u64 *p, *end, value = canary(m, pa);

	if (tdxm_is_extra(m, pa >> PAGE_SHIFT))
		return;
	p = tdxm_env_va(pa);
	end = p + PAGE_SIZE / sizeof(*p);
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
	u64 value = canary(m, pa), diff = 0;
	const u64 *start, *end, *p;

	if (tdxm_is_extra(m, pa >> PAGE_SHIFT))
		return true;
	start = tdxm_env_va(pa);
	end = start + PAGE_SIZE / sizeof(*start);
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

/* The @i-th sample of a huge page: a place that depends on nothing but the page's. */
static u64 sample(struct tdxm *m, u64 pa, int level, int i)
{
	u64 last = BIT_ULL(9 * level) - 1, index;

	switch (i) {
	case 0:
		index = 0;
		break;
	case 1:
		index = last;
		break;
	default:
		index = tdxm_mix(m->cfg.seed ^ (pa >> PAGE_SHIFT) ^ (u64)i << 56) & last;
		break;
	}
	return pa + index * PAGE_SIZE;
}

/**
 * tdxm_page_damage - where has the host written to a private page?
 * @m: the module
 * @pa: the page; the caller owns it
 * @level: its size; of a huge page a few 4K pages are looked at
 *
 * Return: the damaged 4K page, or ~0: none, or nobody can know.
 */
u64 tdxm_page_damage(struct tdxm *m, u64 pa, int level)
{
	int i;

	if (!(tdxm_read(&tdxm_pamt_at(m, pa, level)->type) & PAMT_CANARY))
		return ~0ULL;
	if (!level)
		return tdxm_canary_intact(m, pa, 0, true) ? ~0ULL : pa;
	for (i = 0; i < NR_SAMPLES; i++) {
		if (!tdxm_canary_intact(m, sample(m, pa, level, i), 0, true))
			return sample(m, pa, level, i);
	}
	return ~0ULL;
}

/*
 * Keep count of what is in use below each head. A head counts the entries of the
 * next smaller size, so only the first and the last of them matter further up.
 */
static void count_used(struct tdxm *m, u64 pa, int level, int delta)
{
	u32 old;

	while (++level <= (int)m->cfg.max_leaf_level) {
		old = tdxm_fetch_add(&head_of(m, pa, level)->used, delta);
		if (old && old + delta)
			return;
	}
}

static void assign(struct tdxm_call *c, u64 pa, int level, u32 type, u64 owner)
{
	struct pamt_entry *p = tdxm_pamt_at(c->m, pa, level);
	u32 generation = PAMT_GENERATION(tdxm_read(&p->type)) + 1;

	tdxm_write(&p->owner, owner >> PAGE_SHIFT);
	tdxm_write(&p->bepoch, 0);
	tdxm_store_release(&p->type, pamt_word(generation, type));
	count_used(c->m, pa, level, 1);
	tdxm_count_add(&c->lp->pages[PAMT_TYPE(type)], BIT_ULL(9 * level));
	if (type != PT_TDR)
		tdxm_fetch_add(&c->tdr->chldcnt, BIT_ULL(9 * level));
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
	assign(c, pa, 0, type, owner);
}

/**
 * tdxm_page_assign_private - make a locked free page the TD's memory
 * @c: the call, c->tdr is locked
 * @pa: the page
 * @level: its size
 *
 * The page gets its canary; of a huge page a few 4K pages do.
 */
void tdxm_page_assign_private(struct tdxm_call *c, u64 pa, int level)
{
	struct pamt_entry *p;
	int i;

	assign(c, pa, level, PT_REG | PAMT_CANARY, c->tdr->pa);
	if (!level)
		return tdxm_canary_fill(c->m, pa, 0);
	for (i = 0; i < NR_SAMPLES; i++) {
		u64 page = sample(c->m, pa, level, i);

		/* A canary of its own for this life, though the 4K entry stays free. */
		p = tdxm_pamt(c->m, page);
		tdxm_write(&p->type, pamt_word(PAMT_GENERATION(tdxm_read(&p->type)) + 1, PT_NDA));
		tdxm_canary_fill(c->m, page, 0);
	}
}

/* Give a locked page of the size @level back to the host. */
void tdxm_page_release(struct tdxm_call *c, u64 pa, int level)
{
	struct pamt_entry *p = tdxm_pamt_at(c->m, pa, level);
	u32 word = tdxm_read(&p->type), type = PAMT_TYPE(word);

	tdxm_store_release(&p->type, pamt_word(PAMT_GENERATION(word), PT_NDA));
	count_used(c->m, pa, level, -1);
	tdxm_count_add(&c->lp->pages[type], -BIT_ULL(9 * level));
	if (type != PT_TDR)
		tdxm_fetch_add(&c->tdr->chldcnt, -BIT_ULL(9 * level));
}

/**
 * tdxm_page_split - a huge private page becomes 512 of the next smaller size
 * @c: the call; the head is locked exclusively
 * @pa: the huge page
 * @level: its size, 1 or 2
 *
 * The children are there before the head goes. 4K pages that were samples keep
 * their canary; nothing is known of the content of the others.
 */
void tdxm_page_split(struct tdxm_call *c, u64 pa, int level)
{
	struct pamt_head *head = head_of(c->m, pa, level);
	u32 word = tdxm_read(&head->entry.type), i;
	u64 size = tdxm_size(level - 1), sampled[512 / 64] = {};

	for (i = 0; level == 1 && word & PAMT_CANARY && i < NR_SAMPLES; i++) {
		u64 n = (sample(c->m, pa, level, i) - pa) / size;

		sampled[n / 64] |= BIT_ULL(n % 64);
	}
	for (i = 0; i < 512; i++) {
		struct pamt_entry *p = tdxm_pamt_at(c->m, pa + i * size, level - 1);
		u32 generation = PAMT_GENERATION(tdxm_read(&p->type));
		bool has_canary = sampled[i / 64] & BIT_ULL(i % 64);

		tdxm_write(&p->owner, tdxm_read(&head->entry.owner));
		tdxm_write(&p->bepoch, 0);
		tdxm_store_release(&p->type, has_canary ?
				   pamt_word(generation, PT_REG | PAMT_CANARY) :
				   pamt_word(generation + 1, PT_REG));
	}
	tdxm_write(&head->used, 512);
	tdxm_store_release(&head->entry.type, pamt_word(PAMT_GENERATION(word), PT_NDA));
}

/* Do all samples of a 2M page made of 4K pages have their canary? */
static bool samples_have_canary(struct tdxm *m, u64 pa)
{
	int i;

	for (i = 0; i < NR_SAMPLES; i++) {
		if (!(tdxm_read(&tdxm_pamt(m, sample(m, pa, 1, i))->type) & PAMT_CANARY))
			return false;
	}
	return true;
}

/**
 * tdxm_page_merge - 512 private pages of the TD become one huge page
 * @c: the call; the head is locked exclusively
 * @pa: the first of them, aligned to the size of the huge page
 * @level: the new size, 1 or 2
 */
void tdxm_page_merge(struct tdxm_call *c, u64 pa, int level)
{
	struct pamt_head *head = head_of(c->m, pa, level);
	u32 generation = PAMT_GENERATION(tdxm_read(&head->entry.type)) + 1, i;
	bool has_canary = level == 1 && samples_have_canary(c->m, pa);
	u64 size = tdxm_size(level - 1);

	tdxm_write(&head->entry.owner, c->tdr->pa >> PAGE_SHIFT);
	tdxm_write(&head->entry.bepoch, 0);
	tdxm_write(&head->used, 0);
	tdxm_store_release(&head->entry.type,
			   pamt_word(generation, PT_REG | (has_canary ? PAMT_CANARY : 0)));
	for (i = 0; i < 512; i++) {
		struct pamt_entry *p = tdxm_pamt_at(c->m, pa + i * size, level - 1);

		tdxm_store_release(&p->type,
				   pamt_word(PAMT_GENERATION(tdxm_read(&p->type)), PT_NDA));
	}
}

/* What is no RAM is reserved: no TDMR covers it. */
void tdxm_pamt_init(struct tdxm *m)
{
	u64 pfn = 0, nr;
	u32 type;

	while (pfn < m->cfg.nr_pages) {
		nr = 1;
		type = tdxm_is_extra(m, pfn) || tdxm_env_is_ram(pfn, &nr) ? PT_NDA : PT_RSVD;
		for (; nr && pfn < m->cfg.nr_pages; nr--, pfn++) {
			m->pamt[pfn].type = type;
			if (type == PT_RSVD)
				count_used(m, pfn << PAGE_SHIFT, 0, 1);
		}
	}
}

/* TDH.PHYMEM.PAGE.RDMD: called from #MC, so no lock at all; RCX page. */
u64 tdh_phymem_page_rdmd(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, status;
	struct pamt_entry *p;
	int level;

	c->regs->rcx = 0;
	c->regs->rdx = 0;
	c->regs->r8 = 0;
	c->regs->r9 = 0;
	status = tdxm_page_check(c->m, pa, TDX_OPERAND_ID_RCX);
	if (status)
		return status;

	p = tdxm_pamt_leaf(c->m, pa, &level);
	c->regs->rcx = PAMT_TYPE(tdxm_read(&p->type));
	if (c->regs->rcx != PT_NDA && c->regs->rcx != PT_RSVD) {
		c->regs->rdx = (u64)tdxm_read(&p->owner) << PAGE_SHIFT;
		c->regs->r8 = level;
		c->regs->r9 = tdxm_read(&p->bepoch);
	}
	return TDX_SUCCESS;
}
