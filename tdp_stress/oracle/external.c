// SPDX-License-Identifier: GPL-2.0
/*
 * X1 to X4: mirror and external tables agree, are changed in the right order,
 * with the right locks, and the TDX module has no reason to complain. See
 * Documentation/invariants.rst.
 */

#include "../core/view.h"
#include "internal.h"

/* younger than the rest of the header */
#ifndef TDX_KEY_GENERATION_FAILED
#define TDX_KEY_GENERATION_FAILED	0x8000080000000000ULL
#endif

#define STATUS(s)	((s) & TDX_SEAMCALL_STATUS_MASK)

bool tdps_status_busy(u64 status)
{
	return STATUS(status) == TDX_OPERAND_BUSY;
}

/*
 * X2: external pages in use, so that none is used twice. Buckets of a fixed
 * size; a full one means that some pages are not followed, never a false alarm.
 */
#define PAGE_BITS	10
#define PAGE_WAYS	8

static u64 (*pages)[PAGE_WAYS];

int external_init(void)
{
	pages = vzalloc(sizeof(*pages) << PAGE_BITS);
	if (!pages)
		return -ENOMEM;
	tdps_mem_account(sizeof(*pages) << PAGE_BITS);
	return 0;
}

void external_exit(void)
{
	vfree(pages);
	pages = NULL;
}

static bool page_known(u64 page)
{
	u64 *way = pages[hash_64(page, PAGE_BITS)];
	int i;

	for (i = 0; i < PAGE_WAYS; i++)
		if (READ_ONCE(way[i]) == page)
			return true;
	return false;
}

static void page_add(u64 page)
{
	u64 *way = pages[hash_64(page, PAGE_BITS)];
	int i;

	for (i = 0; i < PAGE_WAYS; i++)
		if (!READ_ONCE(way[i]) && !cmpxchg64(&way[i], 0, page))
			return;
}

static void page_del(u64 page)
{
	u64 *way = pages[hash_64(page, PAGE_BITS)];
	int i;

	for (i = 0; i < PAGE_WAYS; i++)
		if (READ_ONCE(way[i]) == page)
			WRITE_ONCE(way[i], 0);
}

static const char * const lock_names[] = {
	[TDPS_LOCK_NONE] = "without mmu_lock",
	[TDPS_LOCK_READ] = "under mmu_lock held for read",
	[TDPS_LOCK_WRITE] = "under mmu_lock held for write",
};

/**
 * external_is_lenient() - X4: may this be done under mmu_lock held for read?
 * @x: an external operation
 *
 * tdx.c could not follow, the external backend can: splits, promotions, and the
 * removal of what is no longer part of a valid root, as of a table that is
 * replaced by a leaf.
 *
 * Return: true if the backend has to cope with whatever comes at the same time.
 */
bool external_is_lenient(const struct tdps_extop *x)
{
	if (!x->ours || x->where.lock != TDPS_LOCK_READ)
		return false;
	return x->kind == TDPS_EXT_FREE || x->kind == TDPS_EXT_SPLIT ||
	       x->kind == TDPS_EXT_PROMOTE ||
	       (x->kind == TDPS_EXT_REMOVE && x->seen == TDPS_SEEN_NOTHING);
}

/*
 * X4: the lock that each kind of change needs, from tdx_sept_set_private_spte();
 * of split and promotion that knows nothing.
 */
static void check_lock(const struct tdps_extop *x)
{
	static const struct {
		enum tdps_lock lock;
		const char *what;
	} rule[] = {
		[TDPS_EXT_MAP] = { TDPS_LOCK_READ, "leaf mapped" },
		[TDPS_EXT_LINK] = { TDPS_LOCK_READ, "page table linked" },
		[TDPS_EXT_REMOVE] = { TDPS_LOCK_WRITE, "leaf removed" },
		[TDPS_EXT_SPLIT] = { TDPS_LOCK_UNKNOWN },
		[TDPS_EXT_PROMOTE] = { TDPS_LOCK_UNKNOWN },
		[TDPS_EXT_OTHER] = { TDPS_LOCK_UNKNOWN },
		[TDPS_EXT_FREE] = { TDPS_LOCK_WRITE, "page table freed" },
	};
	enum tdps_lock lock = x->where.lock;

	if (lock == TDPS_LOCK_UNKNOWN || rule[x->kind].lock == TDPS_LOCK_UNKNOWN ||
	    external_is_lenient(x))
		return;
	if (!tdps_checking(TDPS_X4))
		return;
	if (tdps_planted(TDPS_X4))
		lock = lock == TDPS_LOCK_READ ? TDPS_LOCK_WRITE : TDPS_LOCK_READ;
	if (lock != rule[x->kind].lock)
		tdps_violation(TDPS_X4, &x->where, "%s %s", rule[x->kind].what, lock_names[lock]);
}

/* X2: a child only below a linked parent, a table only once, freed only when empty. */
static void check_order(const struct tdps_extop *x)
{
	if (!tdps_checking(TDPS_X2))
		return;
	switch (x->kind) {
	case TDPS_EXT_SPLIT:
		if (x->page && page_known(x->page))
			tdps_violation(TDPS_X2, &x->where,
				       "external page 0x%llx of a split is in use", x->page);
		break;
	case TDPS_EXT_LINK:
	case TDPS_EXT_MAP:
		if (x->parent != TDPS_SEEN_TABLE)
			tdps_violation(TDPS_X2, &x->where, "%s before its parent was",
				       x->kind == TDPS_EXT_LINK ? "table linked" : "leaf mapped");
		if (x->kind == TDPS_EXT_LINK && !x->page)
			tdps_violation(TDPS_X2, &x->where, "table linked without an external page");
		if (x->kind == TDPS_EXT_LINK && x->page && page_known(x->page))
			tdps_violation(TDPS_X2, &x->where, "external page 0x%llx used twice",
				       x->page);
		break;
	case TDPS_EXT_FREE:
		if (x->children)
			tdps_violation(TDPS_X2, &x->where, "table freed with %u children",
				       x->children);
		if (x->linked)
			tdps_violation(TDPS_X2, &x->where, "table freed while linked");
		/* the backend may have split with a page of its own */
		if (!x->page && !x->ours)
			tdps_violation(TDPS_X2, &x->where, "table freed without an external page");
		break;
	default:
		break;
	}
}

/* X2: what a promotion has merged is gone as it was. */
static void check_merged(const struct tdps_ctx *ctx, const struct tdps_extop *x)
{
	u64 gfns = ctx->merged_level ? 1ULL << ((ctx->merged_level - 1) * 9) : 0;

	if (x->where.level < ctx->merged_level && x->where.gfn - ctx->merged_gfn < gfns &&
	    tdps_checking(TDPS_X2))
		tdps_violation(TDPS_X2, &x->where,
			       "leaf removed that a promotion has just merged into one of level %u",
			       ctx->merged_level);
}

void external_extop_begin(struct tdps_ctx *ctx, const struct tdps_extop *x)
{
	check_lock(x);
	check_order(x);
	if (ctx && x->kind == TDPS_EXT_REMOVE)
		check_merged(ctx, x);
	if (ctx && x->kind != TDPS_EXT_FREE) {
		ctx->blocked_gfn = TDPS_NO_GFN;
		ctx->tracked = false;
		ctx->removed = false;
	}
}

/* X2: nothing of the TD's is left in the caches when the host has the page again. */
static void check_written_back(const struct tdps_ctx *ctx, const struct tdps_extop *x)
{
	if (!tdps_writebacks_visible || !ctx->removed || !tdps_checking(TDPS_X2) ||
	    ctx->written_back == x->page)
		return;
	if (ctx->written_back)
		tdps_violation(TDPS_X2, &x->where,
			       "page 0x%llx removed, but the cache lines of 0x%llx written back",
			       x->page, ctx->written_back);
	else
		tdps_violation(TDPS_X2, &x->where,
			       "page 0x%llx removed whose cache lines were not written back",
			       x->page);
}

void external_extop_end(struct tdps_ctx *ctx, const struct tdps_extop *x, int ret)
{
	if (x->kind == TDPS_EXT_PROMOTE && !ret) {
		ctx->merged_gfn = x->where.gfn;
		ctx->merged_level = x->where.level;
	}
	if (x->kind == TDPS_EXT_REMOVE && !ret)
		check_written_back(ctx, x);
	/* the next one may be of a VM that was given up: nothing is called any more */
	ctx->removed = false;
	if (x->kind == TDPS_EXT_FREE && x->page && !x->ours && tdps_checking(TDPS_A1) && x->kept)
		tdps_violation(TDPS_A1, &x->where, "external page 0x%llx of a table was not freed",
			       x->page);
	if (!tdps_wants(TDPS_X2) || !x->page || ret)
		return;
	if (x->kind == TDPS_EXT_LINK || x->kind == TDPS_EXT_SPLIT)
		page_add(x->page);
	else if (x->kind == TDPS_EXT_FREE)
		page_del(x->page);
}

/* X2: block, track with all vCPUs out, remove, write back. */
static void check_removal(struct tdps_ctx *ctx, const struct tdps_seamcall *c)
{
	switch (c->call) {
	case TDPS_CALL_MEM_RANGE_BLOCK:
		if (c->status)
			break;
		ctx->blocked_gfn = c->where.gfn;
		/* not yet finalised: KVM may skip tracking, whatever happens next */
		ctx->track_due = c->runnable;
		ctx->tracked = false;
		break;
	case TDPS_CALL_MEM_TRACK:
		if (c->status || tdps_planted(TDPS_X2))
			break;
		ctx->tracked = true;
		ctx->kicked = false;
		break;
	case TDPS_CALL_MEM_PAGE_REMOVE:
		if (!c->status) {
			ctx->removed = true;
			ctx->written_back = 0;
		}
		if (!tdps_checking(TDPS_X2))
			break;
		if (ctx->blocked_gfn != c->where.gfn)
			tdps_violation(TDPS_X2, &c->where, "page removed that was not blocked");
		else if (ctx->track_due && !ctx->tracked)
			tdps_violation(TDPS_X2, &c->where,
				       "page removed without TLB tracking since it was blocked");
		else if (ctx->track_due && !ctx->kicked && tdps_kicks_visible)
			tdps_violation(TDPS_X2, &c->where,
				       "page removed although no vCPU was kicked after TLB tracking");
		break;
	case TDPS_CALL_PHYMEM_PAGE_WBINVD:
		if (!c->status)
			ctx->written_back = c->pa;
		break;
	default:
		break;
	}
}

/* X4: what tdh_do_no_vcpus() promises: one retry, and it succeeds. */
static void check_retry(struct tdps_ctx *ctx, const struct tdps_seamcall *c)
{
	bool once = c->call == TDPS_CALL_MEM_RANGE_BLOCK || c->call == TDPS_CALL_MEM_TRACK ||
		    c->call == TDPS_CALL_MEM_PAGE_REMOVE;

	/* under the shared lock faults are in the way, too */
	if (!once || ctx->win.lenient || !tdps_status_busy(c->status)) {
		ctx->busy_call = -1;
		return;
	}
	if (ctx->busy_call == c->call && ctx->busy_vm == c->where.vm &&
	    ctx->busy_gfn == c->where.gfn && tdps_checking(TDPS_X4))
		tdps_violation(TDPS_X4, &c->where, "%s busy twice in a row, with all vCPUs out",
			       tdps_call_name(c->call));
	ctx->busy_call = c->call;
	ctx->busy_vm = c->where.vm;
	ctx->busy_gfn = c->where.gfn;
}

/*
 * X4: the same contract, seen from the SEAMCALL. TDH.VP.INIT takes the TDR, which those
 * under the exclusive lock want shared: tdx_td_vcpu_init().
 */
static void check_call_lock(const struct tdps_ctx *ctx, const struct tdps_seamcall *c)
{
	enum tdps_lock want = TDPS_LOCK_UNKNOWN;

	if (c->call == TDPS_CALL_MEM_RANGE_BLOCK || c->call == TDPS_CALL_MEM_TRACK ||
	    c->call == TDPS_CALL_MEM_PAGE_REMOVE || c->call == TDPS_CALL_VP_INIT)
		want = TDPS_LOCK_WRITE;
	else if (c->call == TDPS_CALL_MEM_PAGE_AUG || c->call == TDPS_CALL_MEM_PAGE_ADD ||
		 c->call == TDPS_CALL_MEM_SEPT_ADD)
		want = TDPS_LOCK_READ;
	if (want == TDPS_LOCK_UNKNOWN || c->where.lock == TDPS_LOCK_UNKNOWN ||
	    (ctx && ctx->win.lenient))
		return;
	if (tdps_checking(TDPS_X4) && c->where.lock != want)
		tdps_violation(TDPS_X4, &c->where, "%s %s", tdps_call_name(c->call),
			       lock_names[c->where.lock]);
}

/*
 * X3: statuses that are nobody's fault. Busy and interrupted calls are tried
 * again; the others are answers that KVM asks for.
 */
static bool is_legitimate(const struct tdps_seamcall *c)
{
	switch (STATUS(c->status)) {
	case TDX_OPERAND_BUSY:
	case TDX_INTERRUPTED_RESUMABLE:
	case TDX_INTERRUPTED_RESTARTABLE:
	case STATUS(TDX_RND_NO_ENTROPY):
	case TDX_KEY_GENERATION_FAILED:
		return true;
	case TDX_FLUSHVP_NOT_DONE:
		return c->call == TDPS_CALL_MNG_VPFLUSHDONE;
	case TDX_NO_HKID_READY_TO_WBCACHE:
		return c->call == TDPS_CALL_PHYMEM_CACHE_WB;
	case TDX_VCPU_NOT_ASSOCIATED:
		return c->call == TDPS_CALL_VP_FLUSH;
	case TDX_EPT_INVALID_PROMOTE_CONDITIONS:
		/* the guest has accepted a part of the range; KVM cannot know */
		return c->call == TDPS_CALL_MEM_PAGE_PROMOTE;
	case TDX_OPERAND_INVALID:
		/* user space chose the TD's parameters */
		return c->call == TDPS_CALL_MNG_INIT || c->call == TDPS_CALL_MNG_RD;
	default:
		/* KVM asks for CPUID leaves the TD may not have */
		return c->call == TDPS_CALL_MNG_RD;
	}
}

/* Does KVM just call again, as often as it takes, or let its caller do that? */
static bool is_repeated(const struct tdps_seamcall *c)
{
	switch (STATUS(c->status)) {
	case TDX_OPERAND_BUSY:
		return c->call <= TDPS_LAST_CALL_MEM || c->call == TDPS_CALL_MR_FINALIZE;
	case TDX_INTERRUPTED_RESUMABLE:
		return c->call == TDPS_CALL_PHYMEM_CACHE_WB;
	case TDX_INTERRUPTED_RESTARTABLE:
		return c->call == TDPS_CALL_MEM_PAGE_DEMOTE ||
		       c->call == TDPS_CALL_MEM_PAGE_PROMOTE;
	default:
		return false;
	}
}

static void check_status(const struct tdps_seamcall *c)
{
	u64 status = c->status;

	if (status && tdps_was_injected(c, is_repeated(c)))
		return;
	if (!tdps_checking(TDPS_X3))
		return;
	if (tdps_planted(TDPS_X3) && !status && c->call == TDPS_CALL_MEM_PAGE_AUG)
		status = TDX_EPT_ENTRY_STATE_INCORRECT | TDX_OPERAND_ID_RCX;
	if (!status || (status == c->status && is_legitimate(c)))
		return;
	if (c->ext1 || c->ext2)
		tdps_violation(TDPS_X3, &c->where,
			       "%s returned 0x%016llx, S-EPT entry 0x%llx of level %llu is %s",
			       tdps_call_name(c->call), status, c->ext1, (c->ext2 & 7) + 1,
			       tdxm_sept_info_name(c->ext2));
	else
		tdps_violation(TDPS_X3, &c->where, "%s returned 0x%016llx",
			       tdps_call_name(c->call), status);
}

/* X1: what is given to the S-EPT is what the mirror SPTE points to, or is to point to. */
static void check_page(struct tdps_ctx *ctx, const struct tdps_seamcall *c)
{
	const struct tdps_window *win = &ctx->win;
	bool map = win->kind == TDPS_EXT_MAP && (c->call == TDPS_CALL_MEM_PAGE_AUG ||
						 c->call == TDPS_CALL_MEM_PAGE_ADD);
	bool link = win->kind == TDPS_EXT_LINK && c->call == TDPS_CALL_MEM_SEPT_ADD;

	/* a trace of an older tester does not say which page */
	if (!(map || link) || c->status || !c->pa || !win->page || !tdps_checking(TDPS_X1))
		return;
	if (c->pa != win->page)
		tdps_violation(TDPS_X1, &c->where, "%s of page 0x%llx, the mirror SPTE has 0x%llx",
			       tdps_call_name(c->call), c->pa, win->page);
}

void external_seamcall(struct tdps_ctx *ctx, const struct tdps_seamcall *c)
{
	if (ctx) {
		check_page(ctx, c);
		check_removal(ctx, c);
		check_retry(ctx, c);
	}
	check_call_lock(ctx, c);
	check_status(c);
}

static bool sept_is_mapped(const struct tdps_audit_spte *s, u8 state)
{
	if (s->spte.leaf)
		return state == SEPT_MAPPED || state == SEPT_PENDING;
	return state == SEPT_NL_MAPPED;
}

/**
 * external_audit() - X1: does the S-EPT have what the mirror entry says?
 * @a: the audit
 * @s: an entry of a valid mirror root that is not frozen
 *
 * Context: mmu_lock held for write, so neither side changes, but for guest
 * ACCEPT, which makes PENDING MAPPED.
 *
 * Return: false if the entries below @s cannot agree either.
 */
bool external_audit(struct tdps_audit *a, const struct tdps_audit_spte *s)
{
	const struct tdps_where w = {
		.vm = a->vm, .gfn = s->gfn, .level = s->level, .lock = TDPS_LOCK_WRITE,
	};
	u64 want, pa = 0;
	u8 state = SEPT_FREE;
	int err;

	if (!tdps_checking(TDPS_X1))
		return false;
	err = tdps_view->sept_read(a->tdr, s->gfn << PAGE_SHIFT, s->level - 1, &pa, &state);
	if (err || state == SEPT_FREE || state == SEPT_REMOVED) {
		if (s->spte.present)
			tdps_violation(TDPS_X1, &w, "mirror maps 0x%llx, the S-EPT has no entry",
				       s->spte.raw);
		return !s->spte.present;
	}
	if (!s->spte.present) {
		tdps_violation(TDPS_X1, &w, "S-EPT maps 0x%llx (%s), the mirror has no entry",
			       pa, tdxm_sept_state_name(state));
		return false;
	}
	if (!sept_is_mapped(s, state)) {
		tdps_violation(TDPS_X1, &w, "mirror has a %s, S-EPT entry is %s",
			       s->spte.leaf ? "leaf" : "page table", tdxm_sept_state_name(state));
		return false;
	}
	want = s->spte.leaf ? s->spte.pfn << PAGE_SHIFT : s->child_page;
	if (s->spte.leaf && tdps_planted(TDPS_X1))
		pa ^= PAGE_SIZE;
	if (pa != want)
		tdps_violation(TDPS_X1, &w, "mirror points to 0x%llx, S-EPT to 0x%llx", want, pa);
	return true;
}
