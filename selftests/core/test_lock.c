// SPDX-License-Identifier: GPL-2.0
/*
 * Try-locks: what each leaf answers when another processor holds one of its
 * objects, and that it leaves nothing locked. The other processor is played by
 * taking the lock by hand.
 */
#include "tdhost.h"
#include "kselftest_harness.h"

#define BUSY(operand)	(TDX_OPERAND_BUSY | (operand))
#define RCX		TDX_OPERAND_ID_RCX
#define RDX		TDX_OPERAND_ID_RDX
#define R8		TDX_OPERAND_ID_R8

FIXTURE(lock) {
	struct host h;
	struct test_td td;	/* runnable */
	struct test_td early;	/* initialized */
	u64 reg;
};

FIXTURE_SETUP(lock)
{
	struct host *h = &self->h;

	ASSERT_EQ(0, host_start(h, NULL));
	ASSERT_EQ(0, td_start(h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 2));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
	ASSERT_EQ(0, td_start(h, &self->early, HOST_KEYID + 1, STAGE_INITIALIZED, 1));
	ASSERT_EQ(0, td_map_tables(&self->early, TEST_GPA));
	self->reg = host_page(h);
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, self->reg));
}

FIXTURE_TEARDOWN(lock)
{
	host_stop(&self->h);
}

static u32 *page_lock(struct host *h, u64 pa)
{
	return &tdxm_pamt(h->m, pa)->lock;
}

static void take(struct host *h, u32 *lock, enum tdxm_lock_mode mode)
{
	tdxm_trylock(&h->m->lp[7], LOCK_PAGE, lock, mode);
}

/* What a leaf is called with. */
struct args {
	u64 rax, rcx, rdx, r8, r9;
};

#define ARGS(...)	(&(const struct args){ __VA_ARGS__ })

/*
 * The leaf is BUSY with @operand while @lock is held exclusively; while another
 * sharer holds it, only if it wants it @exclusive itself. It holds nothing then.
 */
static void conflict(struct __test_metadata *_metadata, struct host *h, u32 *lock, u32 operand,
		     bool exclusive, const struct args *a)
{
	take(h, lock, LOCK_EXCLUSIVE);
	EXPECT_EQ(BUSY(operand), seamcall4(h, a->rax, a->rcx, a->rdx, a->r8, a->r9))
		TH_LOG("%s, held exclusively", tdxm_leaf_name(a->rax & TDX_LEAF_MASK));
	tdxm_unlock(lock, LOCK_EXCLUSIVE);
	EXPECT_EQ(0, *lock);
	if (!exclusive)
		return;
	take(h, lock, LOCK_SHARED);
	EXPECT_EQ(BUSY(operand), seamcall4(h, a->rax, a->rcx, a->rdx, a->r8, a->r9))
		TH_LOG("%s, held shared", tdxm_leaf_name(a->rax & TDX_LEAF_MASK));
	tdxm_unlock(lock, LOCK_SHARED);
	EXPECT_EQ(0, *lock);
}

#define CONFLICT(host, lock, operand, exclusive, ...) \
	conflict(_metadata, host, lock, operand, exclusive, ARGS(__VA_ARGS__))

TEST_F(lock, shared_and_exclusive)
{
	struct tdxm_lp *lp = &self->h.m->lp[0];
	u32 lock = 0;

	EXPECT_TRUE(tdxm_trylock(lp, LOCK_PAGE, &lock, LOCK_SHARED));
	EXPECT_TRUE(tdxm_trylock(lp, LOCK_PAGE, &lock, LOCK_SHARED));
	EXPECT_FALSE(tdxm_trylock(lp, LOCK_PAGE, &lock, LOCK_EXCLUSIVE));
	tdxm_unlock(&lock, LOCK_SHARED);
	tdxm_unlock(&lock, LOCK_SHARED);
	EXPECT_TRUE(tdxm_trylock(lp, LOCK_PAGE, &lock, LOCK_EXCLUSIVE));
	EXPECT_FALSE(tdxm_trylock(lp, LOCK_PAGE, &lock, LOCK_SHARED));
	EXPECT_FALSE(tdxm_trylock(lp, LOCK_PAGE, &lock, LOCK_EXCLUSIVE));
	tdxm_unlock(&lock, LOCK_EXCLUSIVE);
	EXPECT_EQ(0, lock);
}

/* The TDR: leaves that hold it exclusively meet even a sharer. */
TEST_F(lock, tdr)
{
	struct test_td *td = &self->td, *early = &self->early;
	struct host *h = &self->h;
	u32 *lock = page_lock(h, td->tdr), *elock = page_lock(h, early->tdr);
	u64 vpr = td->vcpu[0].tdvpr, page = host_page(h), vp1;

	CONFLICT(h, lock, RDX, false, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr, page, 0);
	CONFLICT(h, lock, RDX, false, TDH_MEM_PAGE_AUG, GPA_4K(1), td->tdr, page, 0);
	CONFLICT(h, lock, RDX, false, TDH_MEM_RANGE_BLOCK, TEST_GPA, td->tdr, 0, 0);
	CONFLICT(h, lock, RCX, false, TDH_MEM_TRACK, td->tdr, 0, 0, 0);
	CONFLICT(h, lock, RDX, false, TDH_MEM_PAGE_REMOVE, TEST_GPA, td->tdr, 0, 0);
	CONFLICT(h, lock, RCX, false, TDH_MNG_RD, td->tdr, MD_TDCS_TSC_OFFSET, 0, 0);
	CONFLICT(h, lock, TDX_OPERAND_ID_TDR, false, TDH_VP_ENTER, vpr, 0, 0, 0);
	CONFLICT(h, lock, TDX_OPERAND_ID_TDR, false, TDH_VP_RD, vpr, MD_VMCS_SHARED_EPTP, 0, 0);
	CONFLICT(h, lock, TDX_OPERAND_ID_TDR, false, TDH_VP_WR, vpr, MD_VMCS_SHARED_EPTP, 0, 0);
	CONFLICT(h, lock, TDX_OPERAND_ID_TDR, false, TDH_VP_FLUSH, vpr, 0, 0, 0);
	CONFLICT(h, lock, TDX_OPERAND_ID_TDR, false, TDH_PHYMEM_PAGE_RECLAIM, self->reg, 0, 0, 0);
	CONFLICT(h, elock, RDX, true, TDH_MEM_PAGE_ADD, TEST_GPA, early->tdr, page, page);
	CONFLICT(h, elock, RDX, true, TDH_MR_EXTEND, TEST_GPA, early->tdr, 0, 0);
	CONFLICT(h, elock, RCX, true, TDH_MR_FINALIZE, early->tdr, 0, 0, 0);
	CONFLICT(h, elock, RDX, false, TDH_VP_CREATE, page, early->tdr, 0, 0);
	CONFLICT(h, elock, RCX, true, TDH_MNG_VPFLUSHDONE, early->tdr, 0, 0, 0);
	CONFLICT(h, elock, RCX, true, TDH_MNG_KEY_FREEID, early->tdr, 0, 0, 0);
	CONFLICT(h, elock, RCX, true, TDH_MNG_KEY_CONFIG, early->tdr, 0, 0, 0);
	CONFLICT(h, elock, RCX, true, TDH_MNG_INIT, early->tdr, page, 0, 0);
	CONFLICT(h, elock, RDX, true, TDH_MNG_ADDCX, page, early->tdr, 0, 0);

	/* TDH.VP.INIT: version 1 compares x2APIC IDs, so it wants the TD for itself. */
	vp1 = host_page(h);
	ASSERT_EQ(0, seamcall(h, TDH_VP_CREATE, vp1, early->tdr, 0));
	CONFLICT(h, elock, TDX_OPERAND_ID_TDR, true, TDH_VP_INIT | 1ULL << TDX_VERSION_SHIFT,
		 vp1, 0, 9, 0);
	CONFLICT(h, elock, TDX_OPERAND_ID_TDR, false, TDH_VP_ADDCX, host_page(h), vp1, 0, 0);
	EXPECT_EQ(SEPT_PENDING, td_state(td, TEST_GPA));
}

TEST_F(lock, op_state)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 *lock = &td_tdcs(td)->op_state_lock;
	u32 op = TDX_OPERAND_ID_OP_STATE;

	CONFLICT(h, lock, op, false, TDH_MEM_PAGE_AUG, GPA_4K(1), td->tdr, host_page(h), 0);
	CONFLICT(h, lock, op, false, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr, host_page(h), 0);
	CONFLICT(h, lock, op, false, TDH_MEM_RANGE_BLOCK, TEST_GPA, td->tdr, 0, 0);
	CONFLICT(h, lock, op, false, TDH_MEM_TRACK, td->tdr, 0, 0, 0);
	CONFLICT(h, lock, op, false, TDH_MEM_PAGE_REMOVE, TEST_GPA, td->tdr, 0, 0);
	CONFLICT(h, lock, op, false, TDH_MNG_RD, td->tdr, MD_TDCS_TSC_OFFSET, 0, 0);
	CONFLICT(h, lock, op, false, TDH_VP_ENTER, td->vcpu[0].tdvpr, 0, 0, 0);
}

TEST_F(lock, sept_tree)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 *lock = &td_tdcs(td)->sept_lock;
	u32 op = TDX_OPERAND_ID_SEPT;

	CONFLICT(h, lock, op, false, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr, host_page(h), 0);
	CONFLICT(h, lock, op, false, TDH_MEM_PAGE_AUG, GPA_4K(1), td->tdr, host_page(h), 0);
	CONFLICT(h, lock, op, false, TDH_MEM_PAGE_REMOVE, TEST_GPA, td->tdr, 0, 0);
	CONFLICT(h, lock, op, true, TDH_MEM_RANGE_BLOCK, TEST_GPA, td->tdr, 0, 0);
}

TEST_F(lock, td_epoch)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 *lock = &td_tdcs(td)->epoch_lock, op = TDX_OPERAND_ID_TD_EPOCH;

	CONFLICT(h, lock, op, true, TDH_MEM_TRACK, td->tdr, 0, 0, 0);
	CONFLICT(h, lock, op, false, TDH_VP_ENTER, td->vcpu[0].tdvpr, 0, 0, 0);
	EXPECT_EQ(0, td_tdcs(td)->refcount[0] + td_tdcs(td)->refcount[1]);
}

TEST_F(lock, tdvpr)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 vpr = td->vcpu[0].tdvpr, vp1 = host_page(h), page = host_page(h);
	u32 *lock = page_lock(h, vpr);

	CONFLICT(h, lock, RCX, false, TDH_VP_ENTER, vpr, 0, 0, 0);
	CONFLICT(h, lock, RCX, false, TDH_VP_RD, vpr, MD_VMCS_SHARED_EPTP, 0, 0);
	CONFLICT(h, lock, RCX, false, TDH_VP_WR, vpr, MD_VMCS_SHARED_EPTP, 0, 0);
	CONFLICT(h, lock, RCX, true, TDH_VP_FLUSH, vpr, 0, 0, 0);
	CONFLICT(h, page_lock(h, page), RCX, true, TDH_VP_CREATE, page, self->early.tdr, 0, 0);
	ASSERT_EQ(0, seamcall(h, TDH_VP_CREATE, vp1, self->early.tdr, 0));
	CONFLICT(h, page_lock(h, vp1), RDX, true, TDH_VP_ADDCX, page, vp1, 0, 0);
	CONFLICT(h, page_lock(h, vp1), RCX, true, TDH_VP_INIT | 1ULL << TDX_VERSION_SHIFT,
		 vp1, 0, 9, 0);
}

TEST_F(lock, page)
{
	struct test_td *td = &self->td, *early = &self->early;
	struct host *h = &self->h;
	u64 page = host_page(h), vp1 = host_page(h);
	u32 *lock = page_lock(h, page);

	CONFLICT(h, lock, R8, true, TDH_MEM_SEPT_ADD, (TEST_GPA + (2 << 20)) | 1, td->tdr, page, 0);
	CONFLICT(h, lock, R8, true, TDH_MEM_PAGE_AUG, GPA_4K(1), td->tdr, page, 0);
	CONFLICT(h, lock, R8, true, TDH_MEM_PAGE_ADD, TEST_GPA, early->tdr, page, page);
	CONFLICT(h, lock, RCX, false, TDH_PHYMEM_PAGE_WBINVD, page, 0, 0, 0);
	CONFLICT(h, lock, RCX, true, TDH_PHYMEM_PAGE_RECLAIM, page, 0, 0, 0);
	CONFLICT(h, lock, RCX, true, TDH_MNG_CREATE, page, HOST_KEYID + 3, 0, 0);
	ASSERT_EQ(0, seamcall(h, TDH_VP_CREATE, vp1, early->tdr, 0));
	CONFLICT(h, lock, RCX, true, TDH_VP_ADDCX, page, vp1, 0, 0);
	ASSERT_EQ(0, td_block(td, TEST_GPA));
	ASSERT_EQ(0, td_track(td));
	CONFLICT(h, page_lock(h, self->reg), RCX, true, TDH_MEM_PAGE_REMOVE, TEST_GPA, td->tdr,
		 0, 0);
	EXPECT_EQ(0, td_remove(td, TEST_GPA));
	EXPECT_EQ(0, h->findings);
}

TEST_F(lock, kot_and_wbcache)
{
	struct host *h = &self->h;
	u32 kot = TDX_OPERAND_ID_KOT, *lock = &h->m->kot_lock;
	struct test_td *early = &self->early;

	CONFLICT(h, lock, kot, true, TDH_MNG_CREATE, host_page(h), HOST_KEYID + 3, 0, 0);
	ASSERT_EQ(0, td_flush_vcpus(early));
	CONFLICT(h, lock, kot, true, TDH_MNG_VPFLUSHDONE, early->tdr, 0, 0, 0);
	ASSERT_EQ(0, seamcall(h, TDH_MNG_VPFLUSHDONE, early->tdr, 0, 0));
	CONFLICT(h, lock, kot, true, TDH_MNG_KEY_FREEID, early->tdr, 0, 0, 0);
	CONFLICT(h, lock, kot, false, TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0);
	CONFLICT(h, &h->m->wb[0].lock, TDX_OPERAND_ID_WBCACHE, true, TDH_PHYMEM_CACHE_WB,
		 0, 0, 0, 0);
}

/* Everything may be locked, by everybody: RDMD answers. */
TEST_F(lock, rdmd_takes_no_lock)
{
	struct host *h = &self->h;

	take(h, page_lock(h, self->reg), LOCK_EXCLUSIVE);
	take(h, page_lock(h, self->td.tdr), LOCK_EXCLUSIVE);
	EXPECT_EQ(0, seamcall(h, TDH_PHYMEM_PAGE_RDMD, self->reg, 0, 0));
	EXPECT_EQ(PT_REG, h->last.rcx);
	EXPECT_EQ(self->td.tdr, h->last.rdx);
}

/* The host fails on an entry that the guest holds: the guest must stand back then. */
TEST_F(lock, entry_host_priority)
{
	struct test_td *td = &self->td;
	u64 *entry = td_entry(td, TEST_GPA, 0);
	struct tdxm_lp *lp = &self->h.m->lp[1];

	ASSERT_EQ(0, tdxm_entry_lock_guest(lp, entry));
	EXPECT_EQ(TDX_OPERAND_BUSY, tdxm_entry_lock_guest(lp, entry));
	EXPECT_EQ(BUSY(RCX), td_block(td, TEST_GPA));
	EXPECT_EQ(0x200, self->h.last.rdx);	/* level 0, PENDING */
	EXPECT_EQ(TDX_OPERAND_BUSY_HOST_PRIORITY, tdxm_entry_lock_guest(lp, entry));
	tdxm_entry_unlock(entry);
	EXPECT_EQ(TDX_OPERAND_BUSY_HOST_PRIORITY, tdxm_entry_lock_guest(lp, entry));
	/* The retry gets it and ends the priority. */
	EXPECT_EQ(0, td_block(td, TEST_GPA));
	EXPECT_EQ(0, *entry & (SEPT_TDEL | SEPT_TDHP));
	EXPECT_EQ(0, tdxm_entry_lock_guest(lp, entry));

	/* So does a host operation that gets it and then fails. */
	EXPECT_EQ(BUSY(RCX), td_block(td, TEST_GPA));
	tdxm_entry_unlock(entry);
	EXPECT_EQ(TDX_EPT_ENTRY_STATE_INCORRECT | RCX,
		  td_aug(td, TEST_GPA, host_page(&self->h)));
	EXPECT_EQ(0, tdxm_entry_lock_guest(lp, entry));
}

TEST_F(lock, entry_busy_for_each_leaf)
{
	struct test_td *td = &self->td, *early = &self->early;
	struct host *h = &self->h;
	u64 *leaf = td_entry(td, TEST_GPA, 0), *free = td_entry(td, GPA_4K(1), 0);
	u64 *first = td_entry(early, TEST_GPA, 0), *table = td_entry(td, TEST_GPA, 1);

	*leaf |= SEPT_TDEL;
	*free |= SEPT_TDEL;
	*first |= SEPT_TDEL;
	*table |= SEPT_TDEL;
	EXPECT_EQ(BUSY(RCX), td_block(td, TEST_GPA));
	EXPECT_EQ(BUSY(RCX), td_remove(td, TEST_GPA));
	EXPECT_EQ(BUSY(RCX), td_aug(td, GPA_4K(1), host_page(h)));
	EXPECT_EQ(BUSY(RCX), seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr, host_page(h)));
	EXPECT_EQ(0x8401, h->last.rdx);
	EXPECT_EQ(BUSY(RCX), seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, early->tdr, host_page(h),
				       host_page(h)));
	EXPECT_EQ(BUSY(RCX), seamcall(h, TDH_MR_EXTEND, TEST_GPA, early->tdr, 0));
	EXPECT_TRUE(*leaf & SEPT_TDHP);
	EXPECT_TRUE(*free & SEPT_TDHP);
}

/* --- where huge pages are allowed: heads, and the leaves that split and merge --- */

#define GPA_2M(i)	(TEST_GPA + (u64)(i) * SIZE_2M)

FIXTURE(huge) {
	struct host h;
	struct test_td td;	/* runnable: a 2M page, a split one, an empty table */
	struct test_td early;	/* initialized: a split 2M page */
};

FIXTURE_SETUP(huge)
{
	struct tdxm_config cfg = host_config;
	struct test_td *td = &self->td, *early = &self->early;
	struct host *h = &self->h;

	cfg.max_leaf_level = 1;
	ASSERT_EQ(0, host_start(h, &cfg));
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(td, TEST_GPA, 1));
	ASSERT_EQ(0, td_aug(td, GPA_2M(0) | 1, HUGE_PA(0)));
	ASSERT_EQ(0, td_aug(td, GPA_2M(1) | 1, HUGE_PA(1)));
	ASSERT_EQ(0, td_block_and_track(td, GPA_2M(1) | 1));
	ASSERT_EQ(0, td_demote(td, GPA_2M(1) | 1, host_page(h)));
	ASSERT_EQ(0, td_map_tables(td, GPA_2M(2)));
	ASSERT_EQ(0, td_block(td, GPA_2M(0) | 1));
	ASSERT_EQ(0, td_block(td, GPA_2M(1) | 1));
	ASSERT_EQ(0, td_block(td, GPA_2M(2) | 1));
	ASSERT_EQ(0, td_track(td));
	ASSERT_EQ(0, td_start(h, early, HOST_KEYID + 1, STAGE_INITIALIZED, 1));
	ASSERT_EQ(0, td_map_tables_to(early, TEST_GPA, 1));
	ASSERT_EQ(0, td_aug(early, TEST_GPA | 1, HUGE_PA(2)));
	ASSERT_EQ(0, td_demote(early, TEST_GPA | 1, host_page(h)));
}

FIXTURE_TEARDOWN(huge)
{
	EXPECT_EQ(0, self->h.findings);
	host_stop(&self->h);
}

TEST_F(huge, td_and_tree)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 *tdr = page_lock(h, td->tdr), *op = &td_tdcs(td)->op_state_lock;
	u32 *tree = &td_tdcs(td)->sept_lock, *early = &td_tdcs(&self->early)->sept_lock;
	u64 page = host_page(h);
	/* Each would succeed. */
	const struct args demote = { TDH_MEM_PAGE_DEMOTE, GPA_2M(0) | 1, td->tdr, page };
	const struct args promote = { TDH_MEM_PAGE_PROMOTE, GPA_2M(1) | 1, td->tdr };
	const struct args remove = { TDH_MEM_SEPT_REMOVE, GPA_2M(2) | 1, td->tdr };
	const struct args unblock = { TDH_MEM_RANGE_UNBLOCK, GPA_2M(0) | 1, td->tdr };

	conflict(_metadata, h, tdr, RDX, false, &demote);
	conflict(_metadata, h, tdr, RDX, false, &promote);
	conflict(_metadata, h, tdr, RDX, false, &remove);
	conflict(_metadata, h, tdr, RDX, false, &unblock);
	conflict(_metadata, h, op, TDX_OPERAND_ID_OP_STATE, false, &demote);
	conflict(_metadata, h, op, TDX_OPERAND_ID_OP_STATE, false, &promote);
	conflict(_metadata, h, op, TDX_OPERAND_ID_OP_STATE, false, &remove);
	conflict(_metadata, h, op, TDX_OPERAND_ID_OP_STATE, false, &unblock);
	conflict(_metadata, h, tree, TDX_OPERAND_ID_SEPT, false, &demote);
	conflict(_metadata, h, tree, TDX_OPERAND_ID_SEPT, false, &promote);
	conflict(_metadata, h, tree, TDX_OPERAND_ID_SEPT, true, &remove);
	conflict(_metadata, h, tree, TDX_OPERAND_ID_SEPT, true, &unblock);
	CONFLICT(h, early, TDX_OPERAND_ID_SEPT, true, TDH_MEM_PAGE_PROMOTE, TEST_GPA | 1,
		 self->early.tdr, 0, 0);

	/* Those that want it shared do with other sharers. */
	take(h, tree, LOCK_SHARED);
	take(h, tdr, LOCK_SHARED);
	EXPECT_EQ(0, td_demote(td, GPA_2M(0) | 1, page));
	EXPECT_EQ(0, td_promote(td, GPA_2M(1) | 1));
	tdxm_unlock(tree, LOCK_SHARED);
	EXPECT_EQ(0, td_remove_table(td, GPA_2M(2) | 1));
	tdxm_unlock(tdr, LOCK_SHARED);
	EXPECT_EQ(0, td_promote(&self->early, TEST_GPA | 1));
}

TEST_F(huge, pages_and_entries)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 page = host_page(h), *entry;
	u64 split = td_pa_at(td, GPA_2M(1), 1), empty = td_pa_at(td, GPA_2M(2), 1);
	/* Each would succeed. */
	const struct args demote = { TDH_MEM_PAGE_DEMOTE, GPA_2M(0) | 1, td->tdr, page };
	const struct args promote = { TDH_MEM_PAGE_PROMOTE, GPA_2M(1) | 1, td->tdr };
	const struct args remove = { TDH_MEM_SEPT_REMOVE, GPA_2M(2) | 1, td->tdr };
	int i;

	conflict(_metadata, h, page_lock(h, page), R8, true, &demote);
	conflict(_metadata, h, &tdxm_pamt_at(h->m, HUGE_PA(0), 1)->lock, RCX, true, &demote);
	conflict(_metadata, h, page_lock(h, split), RCX, true, &promote);
	conflict(_metadata, h, &tdxm_pamt_at(h->m, HUGE_PA(1), 1)->lock, RCX, true, &promote);
	conflict(_metadata, h, page_lock(h, empty), RCX, true, &remove);
	for (i = 0; i < 3; i++) {
		entry = td_entry(td, GPA_2M(i), 1);
		*entry |= SEPT_TDEL;
	}
	EXPECT_EQ(BUSY(RCX), td_demote(td, GPA_2M(0) | 1, page));
	EXPECT_EQ(0x0301, h->last.rdx);
	EXPECT_EQ(BUSY(RCX), td_promote(td, GPA_2M(1) | 1));
	EXPECT_EQ(BUSY(RCX), td_remove_table(td, GPA_2M(2) | 1));
	EXPECT_EQ(BUSY(RCX), td_unblock(td, GPA_2M(0) | 1));
	for (i = 0; i < 3; i++)
		tdxm_entry_unlock(td_entry(td, GPA_2M(i), 1));
	EXPECT_EQ(0, td_demote(td, GPA_2M(0) | 1, page));
	EXPECT_EQ(0, td_promote(td, GPA_2M(1) | 1));
	EXPECT_EQ(0, td_remove_table(td, GPA_2M(2) | 1));
}

/* A 4K page needs the head above it shared, a huge page has it for itself. */
TEST_F(huge, heads)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 *head = &tdxm_pamt_at(h->m, HUGE_PA(3), 1)->lock;
	u32 *first = &tdxm_pamt_at(h->m, HUGE_PA(0), 1)->lock;

	ASSERT_EQ(0, td_unblock(td, GPA_2M(1) | 1));
	ASSERT_EQ(HUGE_PA(1), td_zap(td, GPA_2M(1)));
	CONFLICT(h, head, R8, false, TDH_MEM_PAGE_AUG, GPA_2M(1), td->tdr, HUGE_PA(3), 0);
	CONFLICT(h, head, R8, false, TDH_MEM_SEPT_ADD, GPA_2M(3) | 1, td->tdr, HUGE_PA(3), 0);
	CONFLICT(h, head, RCX, false, TDH_MNG_CREATE, HUGE_PA(3), HOST_KEYID + 3, 0, 0);
	CONFLICT(h, head, R8, true, TDH_MEM_PAGE_AUG, GPA_2M(3) | 1, td->tdr, HUGE_PA(3), 0);
	take(h, head, LOCK_SHARED);
	EXPECT_EQ(0, td_aug(td, GPA_2M(1), HUGE_PA(3)));
	tdxm_unlock(head, LOCK_SHARED);
	CONFLICT(h, first, RCX, true, TDH_MEM_PAGE_REMOVE, GPA_2M(0) | 1, td->tdr, 0, 0);
	CONFLICT(h, first, RCX, true, TDH_PHYMEM_PAGE_RECLAIM, HUGE_PA(0), 0, 0, 0);
	CONFLICT(h, first, RCX, false, TDH_PHYMEM_PAGE_WBINVD, HUGE_PA(0) + PAGE_SIZE, 0, 0, 0);
	EXPECT_EQ(0, *head);
	EXPECT_EQ(0, *first);
	EXPECT_EQ(0, td_remove(td, GPA_2M(0) | 1));
}

TEST_F(lock, counters)
{
	struct host *h = &self->h;
	u64 tries = host_counter(h, "lock.SEPT_TREE.tries");
	u64 busy = host_counter(h, "leaf.TDH.MEM.RANGE.BLOCK.busy");

	take(h, &td_tdcs(&self->td)->sept_lock, LOCK_SHARED);
	EXPECT_EQ(BUSY(TDX_OPERAND_ID_SEPT), td_block(&self->td, TEST_GPA));
	EXPECT_EQ(tries + 1, host_counter(h, "lock.SEPT_TREE.tries"));
	EXPECT_EQ(1, host_counter(h, "lock.SEPT_TREE.busy"));
	EXPECT_EQ(busy + 1, host_counter(h, "leaf.TDH.MEM.RANGE.BLOCK.busy"));
	EXPECT_EQ(0, host_counter(h, "leaf.TDH.MEM.RANGE.BLOCK.error"));
	EXPECT_EQ(1, host_counter(h, "status.8000020000000092"));
}

TEST_HARNESS_MAIN
