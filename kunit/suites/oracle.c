// SPDX-License-Identifier: GPL-2.0
/*
 * Suite tdp_stress_oracle: the invariants of the stress tester, on events made by
 * hand. Each scenario is played as KVM should behave, when nobody may complain and the
 * check must have been made; and with one thing wrong, which the right check must name,
 * and nobody while it is switched off. Those that can be planted are, too. Knows
 * facts as oracle.h has them, no KVM.
 */
#include <kunit/test.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>

#include "facts.h"

/* --- F1 --- */

static void f1_at_rest(bool bad)
{
	module_agrees();
	AUDIT(.mirror = true, .spte = bad ? frozen() : leaf(PFN));
}

static void f1_in_an_invalid_root(bool bad)
{
	AUDIT(.invalid = true, .spte = bad ? frozen() : leaf(PFN));
}

static void f1_window_too_long(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_MAP, RLOCK);
	struct tdps_ctx *ctx = tdps_extop_begin(&x);

	spend_time();
	tdps_limits.frozen_max_ns = bad ? 0 : HOUR;
	tdps_extop_end(ctx, &x, 0);
}

static void f1_window_without_end(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_MAP, RLOCK);
	struct tdps_ctx *ctx = tdps_extop_begin(&x);

	spend_time();
	tdps_limits.frozen_max_ns = bad ? 0 : HOUR;
	tdps_watchdog();
	tdps_limits.frozen_max_ns = HOUR;
	tdps_extop_end(ctx, &x, 0);
}

/* --- F2 --- */

static void f2_shared_not_frozen(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_MAP, RLOCK);

	if (bad)
		x.seen = TDPS_SEEN_ABSENT;
	play_ext(x, 0);
}

static void f2_exclusive_frozen(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_REMOVE, WLOCK);

	if (bad) {
		x.seen = TDPS_SEEN_FROZEN;
		x.after = TDPS_SEEN_FROZEN;
	}
	play_ext(x, 0);
}

/* --- F3 --- */

static void f3_changed_in_the_window(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_MAP, RLOCK);

	if (bad)
		x.after = TDPS_SEEN_LEAF;
	play_ext(x, 0);
}

static void f3_frozen_replaced(bool bad)
{
	change(at(GFN, 1, RLOCK), bad ? frozen() : none(), leaf(PFN));
}

static void f3_fault_meets_frozen(bool bad)
{
	struct tdps_ctx *ctx;

	other_enters(ext(TDPS_EXT_MAP, RLOCK));
	ctx = begin(TDPS_OP_MAP, MIRROR, RLOCK);
	END(ctx, TDPS_OP_MAP, .goal_level = 1,
	    .verdict = bad ? TDPS_MAP_DONE : TDPS_MAP_RETRY);
	other_leaves();
}

static void f3_table_below_frozen(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_LINK, RLOCK);
	struct tdps_where w = at(GFN, 1, RLOCK);
	struct tdps_ctx *ctx;

	x.where.level = 2;
	other_enters(x);
	ctx = begin(TDPS_OP_MAP, MIRROR, RLOCK);
	if (bad)
		tdps_table_new(&w, 3);
	END(ctx, TDPS_OP_MAP, .goal_level = 1, .verdict = TDPS_MAP_RETRY);
	other_leaves();
}

static void f3_table_with_a_frozen_entry(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_FREE, RLOCK);

	other_enters(ext(TDPS_EXT_MAP, RLOCK));
	x.ours = true;
	x.table = bad ? 2 : 3;
	play_ext(x, 0);
	other_leaves();
}

/* --- F4 --- */

static void f4_failure_called_success(bool bad)
{
	play_call(ext(TDPS_EXT_MAP, RLOCK), TDPS_CALL_MEM_PAGE_AUG,
		  TDX_OPERAND_BUSY | TDX_OPERAND_ID_RCX, bad ? 0 : -EBUSY);
}

static void f4_success_called_failure(bool bad)
{
	play_call(ext(TDPS_EXT_MAP, RLOCK), TDPS_CALL_MEM_PAGE_AUG, 0, bad ? -EIO : 0);
}

static void f4_fault_goes_on(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_MAP, MIRROR, RLOCK);

	play_ext(ext(TDPS_EXT_MAP, RLOCK), -EBUSY);
	END(ctx, TDPS_OP_MAP, .goal_level = 1,
	    .verdict = bad ? TDPS_MAP_DONE : TDPS_MAP_RETRY);
}

static void f4_vm_lives_on(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_ZAP_LEAFS, MIRROR | DIRECT, WLOCK);

	play_ext(ext(TDPS_EXT_REMOVE, WLOCK), -EIO);
	END(ctx, TDPS_OP_ZAP_LEAFS, .bugged = !bad);
}

static void f4_left_frozen(bool bad)
{
	play_call(ext(TDPS_EXT_MAP, RLOCK), TDPS_CALL_MEM_PAGE_AUG,
		  TDX_OPERAND_BUSY | TDX_OPERAND_ID_RCX, -EBUSY);
	AUDIT(.mirror = true, .spte = bad ? frozen() : none());
}

static void f4_split_goes_on(bool bad)
{
	struct tdps_where w = at(GFN, 2, WLOCK);

	tdps_split_failed(&w, bad ? 0 : -EBUSY, false);
}

/* --- X1 --- */

static void x1_not_in_the_sept(bool bad)
{
	module_agrees();
	module.err = bad ? -ENOENT : 0;
	AUDIT(.mirror = true, .spte = leaf(PFN));
}

static void x1_only_in_the_sept(bool bad)
{
	if (bad)
		module_agrees();
	AUDIT(.mirror = true, .spte = none());
}

static void x1_blocked(bool bad)
{
	module_agrees();
	if (bad)
		module.state = SEPT_BLOCKED;
	AUDIT(.mirror = true, .spte = leaf(PFN));
}

static void x1_other_page(bool bad)
{
	module_agrees();
	AUDIT(.mirror = true, .spte = leaf(PFN + bad));
}

static void x1_other_table(bool bad)
{
	module.pa = PAGE_A;
	module.state = SEPT_NL_MAPPED;
	AUDIT(.mirror = true, .level = 2, .spte = table(5), .child_page = bad ? PAGE_B : PAGE_A);
}

static void x1_leaf_or_table(bool bad)
{
	module.pa = PAGE_A;
	module.state = bad ? SEPT_MAPPED : SEPT_NL_MAPPED;
	AUDIT(.mirror = true, .level = 2, .spte = table(5), .child_page = PAGE_A);
}

/* A leaf and a page table are added; @pa: what the TDX module is given. */
static void added(enum tdps_extop_kind kind, enum tdps_call call, u64 pa)
{
	struct tdps_seamcall c = {
		.where = at(GFN, 1, RLOCK), .call = call, .runnable = true, .pa = pa,
	};
	struct tdps_extop x = ext(kind, RLOCK);
	struct tdps_ctx *ctx;

	x.page = PAGE_A;
	ctx = tdps_extop_begin(&x);
	tdps_seamcall(&c);
	tdps_extop_end(ctx, &x, 0);
}

static void x1_other_page_added(bool bad)
{
	added(TDPS_EXT_MAP, TDPS_CALL_MEM_PAGE_AUG, bad ? PAGE_B : PAGE_A);
}

static void x1_other_table_added(bool bad)
{
	added(TDPS_EXT_LINK, TDPS_CALL_MEM_SEPT_ADD, bad ? PAGE_B : PAGE_A);
}

static void x1_damaged_page(bool bad)
{
	if (bad)
		module_finds("X1", "private page written to by the host");
}

/* --- X2 --- */

/* Block, track, kick, remove, write @back: all of it, or without one step. */
static void removal(bool block, bool track, bool kick, u64 back)
{
	struct tdps_extop x = ext(TDPS_EXT_REMOVE, WLOCK);
	struct tdps_ctx *ctx = tdps_extop_begin(&x);

	if (block)
		seamcall(TDPS_CALL_MEM_RANGE_BLOCK, 0, WLOCK);
	if (track)
		seamcall(TDPS_CALL_MEM_TRACK, 0, WLOCK);
	if (kick)
		tdps_kick(vm);
	seamcall(TDPS_CALL_MEM_PAGE_REMOVE, 0, WLOCK);
	if (back) {
		struct tdps_seamcall c = { .call = TDPS_CALL_PHYMEM_PAGE_WBINVD, .pa = back };

		tdps_seamcall(&c);
	}
	tdps_extop_end(ctx, &x, 0);
}

static void x2_not_blocked(bool bad)
{
	removal(!bad, true, true, PAGE_A);
}

static void x2_not_tracked(bool bad)
{
	removal(true, !bad, true, PAGE_A);
}

static void x2_not_kicked(bool bad)
{
	removal(true, true, !bad, PAGE_A);
}

static void x2_not_written_back(bool bad)
{
	removal(true, true, true, bad ? 0 : PAGE_A);
}

static void x2_another_written_back(bool bad)
{
	removal(true, true, true, bad ? PAGE_B : PAGE_A);
}

static void x2_leaf_before_its_parent(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_MAP, RLOCK);

	if (bad)
		x.parent = TDPS_SEEN_ABSENT;
	play_ext(x, 0);
}

static void x2_table_before_its_parent(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_LINK, RLOCK);

	if (bad)
		x.parent = TDPS_SEEN_FROZEN;
	play_ext(x, 0);
}

static void x2_table_without_a_page(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_LINK, RLOCK);

	if (bad)
		x.page = 0;
	play_ext(x, 0);
}

static void x2_page_used_twice(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_LINK, RLOCK);

	play_ext(x, 0);
	if (!bad)	/* it comes back first */
		play_ext(ext(TDPS_EXT_FREE, WLOCK), 0);
	play_ext(x, 0);
}

static void x2_page_of_a_split_in_use(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_SPLIT, WLOCK);

	play_ext(ext(TDPS_EXT_LINK, RLOCK), 0);
	if (!bad)
		x.page = PAGE_B;
	play_ext(x, 0);
}

static void x2_freed_with_children(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_FREE, WLOCK);

	x.children = bad ? 3 : 0;
	play_ext(x, 0);
}

static void x2_freed_while_linked(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_FREE, WLOCK);

	x.linked = bad;
	play_ext(x, 0);
}

static void x2_freed_without_a_page(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_FREE, WLOCK);

	if (bad)
		x.page = 0;
	play_ext(x, 0);
}

static void x2_removed_after_promotion(bool bad)
{
	struct tdps_extop merge = ext(TDPS_EXT_PROMOTE, WLOCK);
	struct tdps_extop x = ext(TDPS_EXT_REMOVE, WLOCK);
	struct tdps_ctx *ctx = begin(TDPS_OP_RECOVER, MIRROR | DIRECT, WLOCK);

	merge.where.level = 2;
	play_ext(merge, 0);
	x.where.gfn = bad ? GFN + 511 : GFN + 512;
	play_ext(x, 0);
	END(ctx, TDPS_OP_RECOVER);
}

/* --- X3 --- */

static void x3_status(bool bad)
{
	const u64 occupied = TDX_EPT_ENTRY_STATE_INCORRECT | TDX_OPERAND_ID_RCX;

	seamcall(TDPS_CALL_MEM_PAGE_AUG, bad ? occupied : TDX_SUCCESS, RLOCK);
}

static void x3_status_of_the_td(bool bad)
{
	seamcall(TDPS_CALL_MEM_TRACK, bad ? TDX_PREVIOUS_TLB_EPOCH_BUSY : TDX_SUCCESS, WLOCK);
}

/* Right for one SEAMCALL, wrong for another. */
static void x3_answer_to_another_call(bool bad)
{
	seamcall(bad ? TDPS_CALL_VP_FLUSH : TDPS_CALL_MNG_VPFLUSHDONE, TDX_FLUSHVP_NOT_DONE,
		 TDPS_LOCK_NONE);
}

/* --- X4 --- */

static void x4_leaf_mapped(bool bad)
{
	play_ext(ext(TDPS_EXT_MAP, bad ? WLOCK : RLOCK), 0);
}

static void x4_table_linked(bool bad)
{
	play_ext(ext(TDPS_EXT_LINK, bad ? WLOCK : RLOCK), 0);
}

static void x4_leaf_removed(bool bad)
{
	play_ext(ext(TDPS_EXT_REMOVE, bad ? RLOCK : WLOCK), 0);
}

static void x4_table_freed(bool bad)
{
	play_ext(ext(TDPS_EXT_FREE, bad ? TDPS_LOCK_NONE : WLOCK), 0);
}

static void x4_seamcall(bool bad)
{
	seamcall(TDPS_CALL_MEM_RANGE_BLOCK, 0, bad ? RLOCK : WLOCK);
}

static void x4_vcpu_made(bool bad)
{
	seamcall(TDPS_CALL_VP_INIT, 0, bad ? TDPS_LOCK_NONE : WLOCK);
}

/* Busy, done, and busy the next time is no bad luck twice in a row. */
static void x4_busy_twice(bool bad)
{
	const u64 busy = TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT;
	struct tdps_extop x = ext(TDPS_EXT_REMOVE, WLOCK);
	struct tdps_ctx *ctx = tdps_extop_begin(&x);

	seamcall(TDPS_CALL_MEM_RANGE_BLOCK, busy, WLOCK);
	if (!bad)
		seamcall(TDPS_CALL_MEM_RANGE_BLOCK, 0, WLOCK);
	seamcall(TDPS_CALL_MEM_RANGE_BLOCK, busy, WLOCK);
	tdps_extop_end(ctx, &x, -EBUSY);
}

static void say(const char *line)
{
	tdps_console(line, strlen(line));
}

static void x4_sleeps(bool bad)
{
	say(bad ? "BUG: sleeping function called from invalid context\n" : "nothing to say\n");
}

/* --- S1, S2 --- */

static struct tdps_split split(void)
{
	return (struct tdps_split){
		.where = at(GFN, 2, WLOCK), .mirror = true, .table_level = 1, .page = PAGE_A,
		.huge = leaf(PFN).raw, .index = 7, .child = 1, .want = 2,
	};
}

static void s1_children(bool bad)
{
	struct tdps_split s = split();

	s.wrong = bad ? 3 : 0;
	tdps_split_seen(&s);
}

static void s1_level(bool bad)
{
	struct tdps_split s = split();

	s.table_level = bad ? 2 : 1;
	tdps_split_seen(&s);
}

static void s1_external_page(bool bad)
{
	struct tdps_split s = split();

	s.page = bad ? 0 : PAGE_A;
	tdps_split_seen(&s);
}

static void s1_failed_and_linked(bool bad)
{
	struct tdps_where w = at(GFN, 2, WLOCK);

	tdps_split_failed(&w, -EBUSY, bad);
}

static void s1_allocated_under_the_lock(bool bad)
{
	struct tdps_where w = at(GFN, 2, bad ? RLOCK : TDPS_LOCK_NONE);

	tdps_split_alloc(&w, false);
}

static void s1_allocated_under_rcu(bool bad)
{
	struct tdps_where w = at(GFN, 2, TDPS_LOCK_NONE);

	tdps_split_alloc(&w, bad);
}

static void s2_merged_children(bool bad)
{
	struct tdps_split s = split();

	s.merge = true;
	s.wrong = bad ? 1 : 0;
	tdps_split_seen(&s);
}

/**
 * promote() - a table of a direct root becomes a leaf
 * @second: page of its second entry
 * @huge: the leaf's first page
 * @children: entries that are still present
 *
 * It maps PFN and what follows.
 */
static void promote(u64 second, u64 huge, u32 children)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_RECOVER, MIRROR | DIRECT, WLOCK);
	struct tdps_where w = at(GFN, 1, WLOCK);
	const struct tdps_change c = {
		.where = at(GFN, 2, WLOCK), .old_spte = table(5), .new_spte = leaf(huge),
		.children = children,
	};

	tdps_table_zap(&w, vm << PAGE_SHIFT, false);
	change(w, leaf(PFN), none());
	change(at(GFN + 1, 1, WLOCK), leaf(second), none());
	change(at(GFN + 5, 1, WLOCK), leaf(PFN + 5), none());
	tdps_spte_changed(&c);
	tdps_flush(vm, false);
	END(ctx, TDPS_OP_RECOVER);
}

static void s2_not_consecutive(bool bad)
{
	promote(bad ? PFN + 9 : PFN + 1, PFN, 0);
}

static void s2_other_pages(bool bad)
{
	promote(PFN + 1, bad ? PFN + 512 : PFN, 0);
}

static void s2_not_aligned(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_RECOVER, MIRROR | DIRECT, WLOCK);
	struct tdps_where w = at(GFN, 1, WLOCK);

	tdps_table_zap(&w, vm << PAGE_SHIFT, false);
	change(w, leaf(PFN + bad), none());
	change(at(GFN, 2, WLOCK), table(5), leaf(PFN + bad));
	tdps_flush(vm, false);
	END(ctx, TDPS_OP_RECOVER);
}

static void s2_children_left(bool bad)
{
	promote(PFN + 1, PFN, bad ? 2 : 0);
}

/* --- Z1, Z2 --- */

static void z1_left_behind(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_ZAP_LEAFS, MIRROR | DIRECT, WLOCK);

	END(ctx, TDPS_OP_ZAP_LEAFS, .leafs_left = bad, .left_gfn = GFN + 3);
}

/* A private leaf goes: the external operation, then the change. */
static void z1_private_zapped(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, bad ? DIRECT : MIRROR, WLOCK);

	play_ext(ext(TDPS_EXT_REMOVE, WLOCK), 0);
	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	END(ctx, TDPS_OP_UNMAP);
}

static void z1_shared_zapped(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, bad ? MIRROR : DIRECT, WLOCK);

	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	END(ctx, TDPS_OP_UNMAP, .flush = true);
}

/* Shared memory becomes private; what its zap says of itself is not asked. */
static void z1_converts_the_wrong_kind(bool bad)
{
	struct tdps_ctx *outer = begin(TDPS_OP_CONVERT, bad ? DIRECT : MIRROR, WLOCK);
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, MIRROR, WLOCK);

	play_ext(ext(TDPS_EXT_REMOVE, WLOCK), 0);
	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	END(ctx, TDPS_OP_UNMAP);
	END(outer, TDPS_OP_CONVERT);
}

static void z1_memslot_goes(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_MEMSLOT, MIRROR | DIRECT, TDPS_LOCK_NONE);

	END(ctx, TDPS_OP_MEMSLOT, .leafs_left = bad, .left_gfn = GFN + 3);
}

static void z1_zapped_by_aging(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_AGE, DIRECT, RLOCK);

	change(at(GFN, 1, RLOCK), leaf(PFN), bad ? none() : leaf(PFN));
	END(ctx, TDPS_OP_AGE);
}

static void z1_at_the_end(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNINIT, MIRROR | DIRECT, TDPS_LOCK_NONE);

	END(ctx, TDPS_OP_UNINIT, .pages_left = bad ? 3 : 0);
}

static void z2_at_the_end(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNINIT, MIRROR | DIRECT, TDPS_LOCK_NONE);

	END(ctx, TDPS_OP_UNINIT, .roots_left = bad);
}

static void audit_root(u32 count, u32 users, bool invalid)
{
	const struct tdps_audit_root r = {
		.id = vm, .count = count, .users = users, .invalid = invalid,
	};
	struct tdps_audit a = { .vm = vm };

	tdps_audit_root(&a, &r);
}

static void z2_too_few_references(bool bad)
{
	audit_root(bad ? 1 : 2, 1, false);
}

static void z2_no_reference(bool bad)
{
	audit_root(bad ? 0 : 1, 0, true);
}

static void z2_invalid_for_long(bool bad)
{
	tdps_limits.progress_ns = bad ? 0 : HOUR;
	audit_root(1, 0, true);
	spend_time();
	audit_root(1, 0, true);
}

/* --- T1 --- */

static void t1_other_page(bool bad)
{
	change(at(GFN, 1, RLOCK), leaf(PFN), leaf(bad ? PFN + 1 : PFN));
}

static void t1_other_table(bool bad)
{
	change(at(GFN, 2, RLOCK), table(5), bad ? table(6) : none());
}

static void t1_non_present(bool bad)
{
	struct tdps_spte mmio = { .raw = 0x123, .mmio = !bad };

	change(at(GFN, 1, RLOCK), none(), none());
	change(at(GFN, 1, RLOCK), none(), mmio);
}

/* --- R1 --- */

static void r1_freed_too_early(bool bad)
{
	struct tdps_where w = at(GFN, 1, RLOCK);
	u64 page_table = vm << PAGE_SHIFT;

	rcu_read_lock();	/* so that no grace period ends meanwhile */
	tdps_table_zap(&w, page_table, true);
	if (bad)
		tdps_table_free(page_table);
	rcu_read_unlock();
	if (bad)
		return;
	synchronize_rcu();
	tdps_table_free(page_table);
}

static void r1_splat(bool bad)
{
	say(bad ? "WARNING: suspicious RCU usage\n" : "nothing to say\n");
}

/* --- L1 --- */

static void l1_no_flush_asked_for(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);

	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	END(ctx, TDPS_OP_UNMAP, .flush = !bad);
}

static void l1_recovered_without_flush(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_RECOVER, DIRECT, WLOCK);

	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	if (!bad)
		tdps_flush(vm, false);
	END(ctx, TDPS_OP_RECOVER);
}

/* The inner operation leaves the flush to the outer one. */
static void l1_given_back_without_flush(bool bad)
{
	struct tdps_ctx *outer = begin(TDPS_OP_NOTIFIER, DIRECT, TDPS_LOCK_NONE);
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);

	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	END(ctx, TDPS_OP_UNMAP, .flush = true);
	if (!bad)
		tdps_flush(vm, false);
	END(outer, TDPS_OP_NOTIFIER, .tdr = PAGE_A);
}

/* No outer operation: a conversion's caller has to flush before faults go on. */
static void l1_flush_never_came(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);

	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	END(ctx, TDPS_OP_UNMAP, .flush = true);
	tdps_invalidate_end(vm + 1);
	if (!bad)
		tdps_flush(vm, false);
	tdps_invalidate_end(vm);
}

/* NX recovery unlinks a table and leaves the flush to its caller. */
static u64 nx_recovery_unlinks(void)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_ZAP_NX, DIRECT, RLOCK);
	struct tdps_where w = at(GFN, 1, RLOCK);
	u64 page_table = vm << PAGE_SHIFT;

	tdps_table_zap(&w, page_table, false);
	END(ctx, TDPS_OP_ZAP_NX, .flush = true);
	return page_table;
}

static void l1_nx_recovery_without_flush(bool bad)
{
	u64 page_table = nx_recovery_unlinks();

	if (!bad)
		tdps_flush(vm, false);
	synchronize_rcu();
	tdps_table_free(page_table);
}

static void l1_nx_recovery_yields(bool bad)
{
	u64 page_table = nx_recovery_unlinks();

	if (!bad)
		tdps_flush(vm, false);
	tdps_yield(vm + 1);
	tdps_yield(vm);
	tdps_flush(vm, false);
	synchronize_rcu();
	tdps_table_free(page_table);
}

static void l1_yields_before_flush(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);

	change(at(GFN, 1, WLOCK), leaf(PFN), none());
	if (!bad)
		tdps_flush(vm, false);
	tdps_yield(vm);
	END(ctx, TDPS_OP_UNMAP, .flush = true);
}

static void l1_stale_translation(bool bad)
{
	if (bad)
		module_finds("L1", "shared access through a translation that is gone");
}

/* --- A1 --- */

static void count(s64 leafs, s64 tables)
{
	struct tdps_audit a = { .vm = vm, .complete = true, .leafs = { 4, 0, 1 }, .tables = 6 };
	const s64 pages[3] = { leafs, 0, 1 };

	tdps_audit_counts(&a, pages, tables);
}

static void a1_leafs(bool bad)
{
	count(bad ? 5 : 4, 6);
}

static void a1_tables(bool bad)
{
	count(4, bad ? 5 : 6);
}

static void a1_at_the_end(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNINIT, MIRROR | DIRECT, TDPS_LOCK_NONE);

	END(ctx, TDPS_OP_UNINIT, .tables_left = bad ? 2 : 0);
}

static void a1_external_page_not_freed(bool bad)
{
	struct tdps_extop x = ext(TDPS_EXT_FREE, WLOCK);
	struct tdps_ctx *ctx = tdps_extop_begin(&x);

	x.kept = bad;
	tdps_extop_end(ctx, &x, 0);
}

/* --- D1 --- */

static void d1_dirty_bit_lost(bool bad)
{
	struct tdps_change c = {
		.where = at(GFN, 1, WLOCK), .old_spte = leaf(PFN), .alone = true,
	};
	struct tdps_ctx *ctx;

	/* the first to tell is not remembered */
	tdps_cpu_dirtied(vm, GFN + 1, tdps_token());
	tdps_cpu_dirtied(vm, GFN, tdps_token());
	ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);
	c.old_spte.dirty = !bad;
	tdps_spte_changed(&c);
	END(ctx, TDPS_OP_UNMAP, .flush = true);
}

/* A leaf goes with its dirty bit while the first guest is about to tell of that bit. */
static void d1_first_told_late(bool bad)
{
	struct tdps_change c = {
		.where = at(GFN, 1, WLOCK), .old_spte = leaf(PFN), .alone = true,
	};
	u64 token = tdps_token();
	struct tdps_ctx *ctx;

	ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);
	c.old_spte.dirty = true;
	tdps_spte_changed(&c);
	END(ctx, TDPS_OP_UNMAP, .flush = true);
	tdps_cpu_dirtied(vm, GFN, token);
	/* of the leaf that is there next */
	if (bad)
		tdps_cpu_dirtied(vm, GFN, tdps_token());
	ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);
	c.old_spte.dirty = false;
	tdps_spte_changed(&c);
	END(ctx, TDPS_OP_UNMAP, .flush = true);
}

/* Page 9 is written, the log harvested and says @log; and meanwhile @marked by KVM? */
static void write_and_harvest(const unsigned long *log, bool marked)
{
	if (tdps_log_reset(vm, GFN, 64, true))
		return;
	tdps_guest_wrote(vm, GFN + 9, tdps_token());
	tdps_log_begin(vm, GFN, 64);
	if (marked)
		tdps_page_marked(vm, GFN + 9);
	tdps_log_end(vm, GFN, 64, log);
	tdps_log_reset(vm, GFN, 64, false);
}

static void d1_log_lacks_a_page(bool bad)
{
	DECLARE_BITMAP(log, 64) = { };

	__set_bit(bad ? 8 : 9, log);
	write_and_harvest(log, false);
}

/* A fast page fault: writable, written, harvested, and only then is the page marked. */
static void d1_marked_late(bool bad)
{
	DECLARE_BITMAP(log, 64) = { };

	write_and_harvest(log, !bad);
}

/* --- H1 --- */

static void h1_shared_in_mirror(bool bad)
{
	module_agrees();
	AUDIT(.mirror = true, .shared_alias = bad, .spte = leaf(PFN));
}

static void h1_private_in_direct(bool bad)
{
	AUDIT(.shared_alias = bad, .spte = leaf(PFN));
}

static void h1_attribute(bool bad)
{
	AUDIT(.misplaced = bad, .misplaced_gfn = GFN, .spte = leaf(PFN));
}

/* --- H2 --- */

#define HOST(...)	((struct tdps_host_page) { TDPS_HOST_PRESENT, __VA_ARGS__ })

static void h2_other_page(bool bad)
{
	AUDIT(.spte = leaf(PFN), .host = HOST(.pfn = PFN + bad, .level = 1, .writable = true));
}

static void h2_no_page(bool bad)
{
	AUDIT(.spte = leaf(PFN), .host = { bad ? TDPS_HOST_ABSENT : TDPS_HOST_UNKNOWN });
	AUDIT(.spte = leaf(PFN), .host = HOST(.pfn = PFN, .level = 1));
}

static void h2_smaller_page(bool bad)
{
	AUDIT(.level = 2, .spte = leaf(PFN), .host = HOST(.pfn = PFN, .level = bad ? 1 : 2));
}

static void h2_read_only_page(bool bad)
{
	AUDIT(.writable = true, .spte = leaf(PFN),
	      .host = HOST(.pfn = PFN, .level = 2, .writable = !bad));
}

/* --- P1 --- */

static void p1_same_external_operation(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_SPLIT, MIRROR, WLOCK);
	int i;

	for (i = 0; i < 5; i++) {
		tdps_limits.progress_ns = bad ? 0 : HOUR;
		play_ext(ext(TDPS_EXT_SPLIT, WLOCK), -EBUSY);
	}
	tdps_limits.progress_ns = HOUR;
	END(ctx, TDPS_OP_SPLIT);
}

static void p1_same_fault(bool bad)
{
	struct tdps_ctx *ctx;
	int i;

	tdps_limits.progress_ns = bad ? 0 : HOUR;
	for (i = 0; i < 5; i++) {
		ctx = begin(TDPS_OP_MAP, MIRROR, RLOCK);
		END(ctx, TDPS_OP_MAP, .goal_level = 1, .verdict = TDPS_MAP_RETRY);
	}
}

static void p1_no_progress(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_AGE, DIRECT, RLOCK);

	spend_time();
	tdps_limits.progress_ns = bad ? 0 : HOUR;
	END(ctx, TDPS_OP_AGE);
}

static void p1_no_end(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_AGE, DIRECT, RLOCK);

	spend_time();
	tdps_limits.progress_ns = bad ? 0 : HOUR;
	tdps_watchdog();
	tdps_limits.progress_ns = HOUR;
	END(ctx, TDPS_OP_AGE);
}

/* It took an hour: within the inner operation, or in the outer one after that. */
static void p1_no_progress_since_the_inner_one(bool bad)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_NOTIFIER, DIRECT, TDPS_LOCK_NONE);

	begin(TDPS_OP_UNMAP, DIRECT, WLOCK);
	if (!bad)
		ctx->active_ns -= HOUR;
	tdps_limits.progress_ns = 2 * HOUR;
	END(ctx, TDPS_OP_UNMAP);
	if (bad)
		ctx->active_ns -= HOUR;
	tdps_limits.progress_ns = HOUR / 10;	/* of which a notifier may take six */
	END(ctx, TDPS_OP_NOTIFIER);
}

/* --- SPLAT --- */

static void splat_warning(bool bad)
{
	say(bad ? "WARNING: CPU: 1 PID: 7 at arch/x86/kvm/mmu/tdp_mmu.c:1\n" :
		  "somebody says WARNING: in the middle\n");
}

/* The scheduler's own, on a busy machine. */
static void splat_of_the_scheduler(bool bad)
{
	say(bad ? "WARNING: kernel/time/hrtimer.c:1049 at hrtimer_start_range_ns+0x22/0x60\n" :
		  "WARNING: kernel/time/hrtimer.c:1049 at hrtimer_forward+0x119/0x130\n");
}

static void splat_bugged(bool bad)
{
	if (bad)
		tdps_bugged(vm);
}

/* One VM is told of once; another, with the number of one that is gone, as well. */
static void splat_bugged_again(bool bad)
{
	struct tdps_ctx *ctx;

	tdps_bugged(vm);
	tdps_bugged(vm);
	if (atomic_xchg(&nr_caught, 0) != 1 || !bad)
		return;
	ctx = begin(TDPS_OP_DESTROY, DIRECT, TDPS_LOCK_NONE);
	END(ctx, TDPS_OP_DESTROY);
	tdps_bugged(vm);
}

/* --- all of them --- */

#define PLANT	BIT(0)	/* planted, the good one is reported, too */
#define SILENT	BIT(1)	/* there is nothing to count when all is well */

/**
 * struct scenario - events, in two versions
 * @id: the invariant
 * @name: for people
 * @play: play it, good or bad
 * @says: part of the message about the bad one
 * @flags: PLANT, SILENT
 * @also: another check that has to complain about the bad one
 */
struct scenario {
	enum tdps_check id;
	const char *name;
	void (*play)(bool bad);
	const char *says;
	u8 flags;
	enum tdps_check also;
};

static const struct scenario scenarios[] = {
#define SCENARIO(_id, fn, _says, _flags, ...)	\
	{ TDPS_##_id, #fn, fn, _says, _flags, __VA_ARGS__ }
#define S(_id, fn, says)		SCENARIO(_id, fn, says, 0, TDPS_NO_CHECK)
#define S_PLANT(_id, fn, says)		SCENARIO(_id, fn, says, PLANT, TDPS_NO_CHECK)
#define S_SILENT(_id, fn, says)		SCENARIO(_id, fn, says, SILENT, TDPS_NO_CHECK)
#define S_ALSO(_id, fn, says, also)	SCENARIO(_id, fn, says, 0, TDPS_##also)
	S(F1, f1_at_rest, "FROZEN_SPTE at rest in a mirror root"),
	S(F1, f1_in_an_invalid_root, "FROZEN_SPTE at rest in an invalid direct root"),
	S(F1, f1_window_too_long, "SPTE was frozen for"),
	S(F1, f1_window_without_end, "and still is"),
	S_PLANT(F2, f2_shared_not_frozen, "outside the frozen window: the SPTE reads non-present"),
	S_PLANT(F2, f2_exclusive_frozen, "used although mmu_lock is held exclusively"),
	S_PLANT(F3, f3_changed_in_the_window, "external operation it reads a present leaf"),
	S_SILENT(F3, f3_frozen_replaced, "FROZEN_SPTE replaced by 0x800077"),
	S(F3, f3_fault_meets_frozen, "fault ended with success although the SPTE of level 1"),
	S(F3, f3_table_below_frozen, "fault made a page table of level 1 below"),
	S(F3, f3_table_with_a_frozen_entry, "while oracle_other holds its entry of gfn"),
	S(F4, f4_failure_called_success, "success reported although TDH.MEM.PAGE.AUG returned"),
	S_PLANT(F4, f4_success_called_failure, "failure -5 reported although TDH.MEM.PAGE.AUG"),
	S(F4, f4_fault_goes_on, "the fault succeeded although"),
	S(F4, f4_vm_lives_on, "failed under exclusive mmu_lock and the VM lives on"),
	S(F4, f4_left_frozen, "mirror root left FROZEN after its external operation failed"),
	S_SILENT(F4, f4_split_goes_on, "the split succeeded although"),
	S(X1, x1_not_in_the_sept, "mirror maps 0x800077, the S-EPT has no entry"),
	S(X1, x1_only_in_the_sept, "S-EPT maps 0x800000 (MAPPED), the mirror has no entry"),
	S(X1, x1_blocked, "mirror has a leaf, S-EPT entry is BLOCKED"),
	S_PLANT(X1, x1_other_page, "mirror points to 0x801000, S-EPT to 0x800000"),
	S(X1, x1_other_table, "mirror points to 0x78000, S-EPT to 0x77000"),
	S(X1, x1_leaf_or_table, "mirror has a page table, S-EPT entry is MAPPED"),
	S(X1, x1_other_page_added,
	  "TDH.MEM.PAGE.AUG of page 0x78000, the mirror SPTE has 0x77000"),
	S(X1, x1_other_table_added,
	  "TDH.MEM.SEPT.ADD of page 0x78000, the mirror SPTE has 0x77000"),
	S_SILENT(X1, x1_damaged_page, "page 0x77000, TDH.MEM.PAGE.REMOVE status 0x0, entry MAPPED"),
	S(X2, x2_not_blocked, "page removed that was not blocked"),
	S_PLANT(X2, x2_not_tracked, "page removed without TLB tracking since it was blocked"),
	S(X2, x2_not_kicked, "no vCPU was kicked after TLB tracking"),
	S(X2, x2_not_written_back, "page 0x77000 removed whose cache lines were not written back"),
	S(X2, x2_another_written_back, "page 0x77000 removed, but the cache lines of 0x78000"),
	S(X2, x2_leaf_before_its_parent, "leaf mapped before its parent was"),
	S(X2, x2_table_before_its_parent, "table linked before its parent was"),
	S(X2, x2_table_without_a_page, "table linked without an external page"),
	S(X2, x2_page_used_twice, "external page 0x77000 used twice"),
	S(X2, x2_page_of_a_split_in_use, "external page 0x77000 of a split is in use"),
	S(X2, x2_freed_with_children, "table freed with 3 children"),
	S(X2, x2_freed_while_linked, "table freed while linked"),
	S(X2, x2_freed_without_a_page, "table freed without an external page"),
	S(X2, x2_removed_after_promotion, "has just merged into one of level 2"),
	S_PLANT(X3, x3_status, "S-EPT entry 0x78000 of level 1 is MAPPED"),
	S(X3, x3_status_of_the_td, "TDH.MEM.TRACK returned 0x8000020100000000"),
	S(X3, x3_answer_to_another_call, "TDH.VP.FLUSH returned 0x8000082400000000"),
	S_PLANT(X4, x4_leaf_mapped, "leaf mapped under mmu_lock held for write"),
	S_PLANT(X4, x4_table_linked, "page table linked under mmu_lock held for write"),
	S_PLANT(X4, x4_leaf_removed, "leaf removed under mmu_lock held for read"),
	S_PLANT(X4, x4_table_freed, "page table freed without mmu_lock"),
	S(X4, x4_seamcall, "TDH.MEM.RANGE.BLOCK under mmu_lock held for read"),
	S(X4, x4_vcpu_made, "TDH.VP.INIT without mmu_lock"),
	S(X4, x4_busy_twice, "TDH.MEM.RANGE.BLOCK busy twice in a row"),
	S_SILENT(X4, x4_sleeps, "BUG: sleeping function called"),
	S_PLANT(S1, s1_children, "3 children wrong, number 7 is 0x1 instead of 0x2"),
	S(S1, s1_level, "split brings a page table of level 2"),
	S(S1, s1_external_page, "split succeeded without an external page"),
	S(S1, s1_failed_and_linked, "split failed (-16), and its page table is linked"),
	S(S1, s1_allocated_under_the_lock, "allocated with mmu_lock held"),
	S(S1, s1_allocated_under_rcu, "allocated in an RCU read section"),
	S_SILENT(S2, s2_merged_children, "1 children do not fit, number 7 is 0x1 instead of 0x2"),
	S_PLANT(S2, s2_not_consecutive, "not consecutive: gfn 0x12345601 is elsewhere"),
	S_PLANT(S2, s2_other_pages, "leaf of other pages, 0xa00077; the first page was 0x800"),
	S_PLANT(S2, s2_not_aligned, "leaf that is not aligned, 0x801077"),
	S(S2, s2_children_left, "2 of its entries are still present"),
	S_PLANT(Z1, z1_left_behind, "1 leaves left behind by zap_leafs"),
	S(Z1, z1_private_zapped, "1 private leaves zapped by an operation on shared memory"),
	S(Z1, z1_shared_zapped, "1 shared leaves zapped by an operation on private memory"),
	S(Z1, z1_converts_the_wrong_kind, "1 private leaves zapped by an operation on shared"),
	S(Z1, z1_memslot_goes, "1 leaves left behind by flush_memslot"),
	S_SILENT(Z1, z1_zapped_by_aging, "1 leaves zapped by age"),
	S_ALSO(Z1, z1_at_the_end, "3 leaves left at the end of the VM", A1),
	S(Z2, z2_at_the_end, "1 roots left at the end of the VM"),
	S_PLANT(Z2, z2_too_few_references, "root has 1 references, 1 vCPUs point to it"),
	S_PLANT(Z2, z2_no_reference, "invalid direct root has 0 references"),
	S(Z2, z2_invalid_for_long, "invalid root that no vCPU uses still has 1 references"),
	S_PLANT(T1, t1_other_page, "leaf 0x800077 replaced by a leaf of another page, 0x801077"),
	S(T1, t1_other_table, "page table 0x5007 replaced by another, 0x6007"),
	S(T1, t1_non_present, "non-present 0x0 replaced by non-present 0x123"),
	S_PLANT(R1, r1_freed_too_early, "freed before a grace period has passed"),
	S_SILENT(R1, r1_splat, "WARNING: suspicious RCU usage"),
	S_PLANT(L1, l1_no_flush_asked_for, "1 shared leaves zapped, and no TLB flush asked for"),
	S(L1, l1_recovered_without_flush, "replaced, and the TLBs were not flushed"),
	S_PLANT(L1, l1_given_back_without_flush, "memory given back without a TLB flush"),
	S(L1, l1_flush_never_came, "and the TLB flush that was asked for never came"),
	S(L1, l1_nx_recovery_without_flush, "has not flushed the TLBs"),
	S(L1, l1_nx_recovery_yields, "lets go of mmu_lock without a TLB flush"),
	S(L1, l1_yields_before_flush, "zapped by unmap, and mmu_lock let go without"),
	S_SILENT(L1, l1_stale_translation, "TDX module: shared access through a translation"),
	S_PLANT(A1, a1_leafs, "KVM counts 5 4K pages, a walk finds 4"),
	S_PLANT(A1, a1_tables, "KVM counts 5 page tables, a walk finds 6"),
	S(A1, a1_external_page_not_freed, "external page 0x77000 of a table was not freed"),
	S(A1, a1_at_the_end, "2 page tables still counted at the end of the VM"),
	S(D1, d1_dirty_bit_lost, "dirty bit set by the guest's CPU was lost: 0x800077 -> 0x0"),
	S_SILENT(D1, d1_first_told_late, "dirty bit set by the guest's CPU was lost"),
	S(D1, d1_marked_late, "lacks 1 pages that the guest wrote"),
	S_PLANT(D1, d1_log_lacks_a_page, "lacks 1 pages that the guest wrote"),
	S_PLANT(H1, h1_attribute, "private GFN mapped in a direct root"),
	S(H1, h1_shared_in_mirror, "shared alias mapped in a mirror root"),
	S(H1, h1_private_in_direct, "private alias mapped in a direct root"),
	S_PLANT(H2, h2_other_page, "where the host has 0x"),
	S(H2, h2_no_page, "where the host has none"),
	S(H2, h2_smaller_page, "leaf of level 2 where the host maps pages of level 1"),
	S(H2, h2_read_only_page, "which the host only reads"),
	S(P1, p1_same_external_operation, "external operation tried 4 times without progress"),
	S(P1, p1_same_fault, "4 times"),
	S_PLANT(P1, p1_no_progress, "age made no progress for"),
	S(P1, p1_no_end, "age has made no progress for"),
	S(P1, p1_no_progress_since_the_inner_one, "mmu_notifier made no progress for 3600"),
	S(SPLAT, splat_warning, "WARNING: CPU: 1 PID: 7 at arch/x86/kvm/mmu/tdp_mmu.c:1"),
	S(SPLAT, splat_of_the_scheduler, "at hrtimer_start_range_ns+0x22"),
	S_SILENT(SPLAT, splat_bugged, "KVM has given up this VM (KVM_BUG_ON)"),
	S_SILENT(SPLAT, splat_bugged_again, "KVM has given up this VM (KVM_BUG_ON)"),
};

KUNIT_ARRAY_PARAM_DESC(scenario, scenarios, name);

/* Those whose check can also be misled on purpose. */
static const void *planted_gen_params(struct kunit *test, const void *prev, char *desc)
{
	const struct scenario *s = prev ? (const struct scenario *)prev + 1 : scenarios;

	for (; s < scenarios + ARRAY_SIZE(scenarios); s++) {
		if (!(s->flags & PLANT))
			continue;
		strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
		return s;
	}
	return NULL;
}

/* --- the suite --- */

static int oracle_init(struct kunit *test)
{
	int err;

	memset(&module, 0, sizeof(module));
	atomic_set(&nr_caught, 0);
	tdps_violation_to = catch;
	err = tdps_oracle_open(64, &view);
	if (err)
		return err;
	vm++;
	tdps_limits = (struct tdps_limits){
		.progress_ns = HOUR, .frozen_max_ns = HOUR, .retry_max = 4,
	};
	tdps_enabled = TDPS_ALL_CHECKS;
	tdps_verdict_asked(TDPS_ALL_CHECKS, true);
	tdps_kicks_visible = true;
	tdps_writebacks_visible = true;
	tdps_recover_zaps = false;
	WRITE_ONCE(tdps_plant, TDPS_NO_CHECK);
	WRITE_ONCE(tdps_live, true);
	return 0;
}

static void oracle_exit(struct kunit *test)
{
	WRITE_ONCE(tdps_live, false);
	tdps_oracle_close();
	tdps_enabled = 0;
	WRITE_ONCE(tdps_plant, TDPS_NO_CHECK);
	tdps_violation_to = NULL;
}

struct find {
	char name[32];
	u64 value;
};

static void find_stat(void *ctx, const char *name, u64 value)
{
	struct find *f = ctx;

	if (!strcmp(name, f->name))
		f->value = value;
}

/* check.<id> or violation.<id> */
static u64 stat_of(const char *kind, enum tdps_check id)
{
	struct find f = { };

	scnprintf(f.name, sizeof(f.name), "%s.%s", kind, tdps_check_name(id));
	tdps_visit_stats(find_stat, &f);
	return f.value;
}

/* Nobody complains, and somebody has looked. */
static void good_is_silent(struct kunit *test)
{
	const struct scenario *s = test->param_value;
	int n;

	s->play(false);
	n = all_caught();
	KUNIT_EXPECT_EQ_MSG(test, n, 0, "%s", caught[0].line);
	if (!(s->flags & SILENT))
		KUNIT_EXPECT_GT_MSG(test, stat_of("check", s->id), 0, "%s was not checked",
				    tdps_check_name(s->id));
}

/* "F1: what, gfn 0x..., by who/pid (mmu_lock ...)" */
static void check_line(struct kunit *test, enum tdps_check id, const char *line)
{
	const char *name = tdps_check_name(id);
	size_t len = strlen(name);

	KUNIT_EXPECT_TRUE_MSG(test, !strncmp(line, name, len) && line[len] == ':', "%s", line);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, ", by "), "%s", line);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, " (mmu_lock "), "%s", line);
	KUNIT_EXPECT_EQ_MSG(test, line[strlen(line) - 1], ')', "%s", line);
}

/* The right check complains, in words that say what is wrong; no other does. */
static void bad_is_named(struct kunit *test)
{
	const struct scenario *s = test->param_value;
	bool said = false, also = s->also == TDPS_NO_CHECK;
	int n, i;

	s->play(true);
	n = all_caught();
	for (i = 0; i < n; i++) {
		check_line(test, caught[i].id, caught[i].line);
		if (caught[i].id == s->id)
			said |= !!strstr(caught[i].line, s->says);
		else if (caught[i].id == s->also)
			also = true;
		else
			KUNIT_FAIL(test, "unexpected: %s", caught[i].line);
	}
	KUNIT_EXPECT_TRUE_MSG(test, said, "\"%s\" not among %d messages, the first: %s", s->says, n,
			      n ? caught[0].line : "");
	KUNIT_EXPECT_TRUE(test, also);
	KUNIT_EXPECT_GT(test, stat_of("violation", s->id), 0);
}

/* A check that was not asked for says nothing, however bad. */
static void off_is_silent(struct kunit *test)
{
	const struct scenario *s = test->param_value;
	int n, i;

	tdps_enabled &= ~BIT(s->id);
	s->play(true);
	n = all_caught();
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_NE_MSG(test, caught[i].id, s->id, "%s", caught[i].line);
	KUNIT_EXPECT_EQ(test, stat_of("violation", s->id), 0);
}

/* Misled, the check complains although all is well. */
static void planted_is_named(struct kunit *test)
{
	const struct scenario *s = test->param_value;

	WRITE_ONCE(tdps_plant, s->id);
	s->play(false);
	KUNIT_EXPECT_GT(test, all_caught(), 0);
	KUNIT_EXPECT_GT(test, stat_of("violation", s->id), 0);
}

/* --- verdicts --- */

static void nothing_happens(void)
{
}

static void vm_is_seen(void)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_AGE, DIRECT, RLOCK);

	END(ctx, TDPS_OP_AGE);
}

static void all_is_well(void)
{
	vm_is_seen();
	t1_other_page(false);
}

static void two_are_broken(void)
{
	vm_is_seen();
	t1_other_page(true);
	a1_leafs(true);
}

static void not_to_be_had(void)
{
	tdps_not_possible(TDPS_T1, "no tracepoint");
	vm_is_seen();
}

static void something_refused(void)
{
	all_is_well();
	tdps_unsupported(2, "no external page");
}

static const struct verdict_case {
	const char *name;
	void (*play)(void);
	unsigned long asked;
	bool all;
	const char *verdict;
} verdict_cases[] = {
	{ "success", all_is_well, BIT(TDPS_T1), false, "SUCCESS" },
	{ "two violations", two_are_broken, TDPS_ALL_CHECKS, true, "FAILURE: T1 A1" },
	{ "no TD", nothing_happens, TDPS_ALL_CHECKS, true, "UNSUPPORTED: no TD was seen" },
	{ "no oracle", all_is_well, 0, false, "UNSUPPORTED: no oracle was asked for" },
	{ "never checked", vm_is_seen, BIT(TDPS_T1), false, "UNSUPPORTED: never checked: T1" },
	{ "impossible", not_to_be_had, BIT(TDPS_T1), false,
	  "UNSUPPORTED: never checked: T1 (no tracepoint)" },
	{ "refused", something_refused, BIT(TDPS_T1), false,
	  "UNSUPPORTED: no external page (2 times)" },
};

KUNIT_ARRAY_PARAM_DESC(verdict, verdict_cases, name);

static void verdict(struct kunit *test)
{
	const struct verdict_case *v = test->param_value;
	char said[256];

	tdps_verdict_asked(v->asked, v->all);
	v->play();
	tdps_verdict(said, sizeof(said));
	KUNIT_EXPECT_STREQ(test, said, v->verdict);
}

/* Of "all", what cannot be checked here, or had no cause, is listed; it is no failure. */
static void not_checked_is_said(struct kunit *test)
{
	char said[512];

	tdps_not_possible(TDPS_X1, "no module");
	tdps_not_checked(said, sizeof(said));
	KUNIT_EXPECT_STREQ(test, said,
			   "X1 (no module), S1 (nothing was split), S2 (nothing was promoted), D1 (nobody told what a guest wrote)");
	s1_children(false);
	tdps_not_checked(said, sizeof(said));
	KUNIT_EXPECT_NULL(test, strstr(said, "S1"));
}

/* --- what is kept, and how it reads --- */

/* While hooks come and go only a part is seen: nothing is judged. */
static void not_live_is_silent(struct kunit *test)
{
	WRITE_ONCE(tdps_live, false);
	t1_other_page(true);
	f2_shared_not_frozen(true);
	x3_status(true);
	s1_children(true);
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
	KUNIT_EXPECT_EQ(test, stat_of("check", TDPS_T1), 0);
}

/* An operation that began before the hooks were in place has no context. */
static void half_seen_is_silent(struct kunit *test)
{
	struct tdps_ctx *ctx;

	WRITE_ONCE(tdps_live, false);
	ctx = begin(TDPS_OP_ZAP_LEAFS, MIRROR | DIRECT, WLOCK);
	KUNIT_EXPECT_NULL(test, ctx);
	WRITE_ONCE(tdps_live, true);
	END(ctx, TDPS_OP_ZAP_LEAFS, .leafs_left = 1);
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
}

/* More operations in each other than are kept: those inside are not judged, nor harm. */
static void nested_too_deep(struct kunit *test)
{
	struct tdps_ctx *ctx[TDPS_DEPTH + 2];
	int i;

	for (i = 0; i < ARRAY_SIZE(ctx); i++)
		ctx[i] = begin(TDPS_OP_AGE, DIRECT, RLOCK);
	KUNIT_EXPECT_NULL(test, tdps_ctx_frame(ctx[0]));
	while (i--)
		tdps_op_end(ctx[i], TDPS_OP_AGE, &(struct tdps_op_end){ });
	KUNIT_EXPECT_NULL(test, tdps_ctx_current());
	z1_left_behind(true);
	KUNIT_EXPECT_EQ(test, all_caught(), 1);
}

static bool mapped_since_it_began(struct tdps_ctx *ctx)
{
	struct tdps_where w = at(GFN, 2, WLOCK);

	return tdps_mapped_since(ctx, &w);
}

/* A huge leaf that a fault maps over the range of a zap, in place of a table. */
static void mapped_while_a_zap_yields(struct kunit *test)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);

	KUNIT_EXPECT_FALSE(test, mapped_since_it_began(ctx));
	promote(PFN + 1, PFN, 0);
	KUNIT_EXPECT_TRUE(test, mapped_since_it_began(ctx));
	END(ctx, TDPS_OP_UNMAP, .flush = true);

	ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);
	KUNIT_EXPECT_FALSE(test, mapped_since_it_began(ctx));
	END(ctx, TDPS_OP_UNMAP, .flush = true);
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
}

/* So many of them that the one in question is forgotten: nothing is claimed then. */
static void mapped_and_forgotten(struct kunit *test)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);
	u64 i;

	promote(PFN + 1, PFN, 0);
	for (i = 1; i <= 4096; i++)
		change(at(GFN + 512 * i, 2, WLOCK), none(), leaf(PFN));
	KUNIT_EXPECT_TRUE(test, mapped_since_it_began(ctx));
	END(ctx, TDPS_OP_UNMAP, .flush = true);
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
}

/* What the notifier's operation has unmapped is given back when it ends. */
static void ranges_are_given_back(struct kunit *test)
{
	struct tdps_ctx *outer = begin(TDPS_OP_NOTIFIER, DIRECT, TDPS_LOCK_NONE);
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, DIRECT, WLOCK);

	END(ctx, TDPS_OP_UNMAP, .flush = true);
	END(outer, TDPS_OP_NOTIFIER, .tdr = PAGE_A, .shared_bits = BIT_ULL(35));
	KUNIT_EXPECT_EQ(test, module.given_gpa, (GFN | BIT_ULL(35)) << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, module.given_size, 512 << PAGE_SHIFT);
}

/* What the TDX module finds in a VM into which a failure was injected is no violation. */
static void found_in_an_excused_vm(struct kunit *test)
{
	struct tdps_ctx *ctx = begin(TDPS_OP_UNMAP, MIRROR, WLOCK);

	tdps_excuse(vm);
	module_finds("X1", "private page written to by the host");
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
	END(ctx, TDPS_OP_UNMAP);

	vm++;
	ctx = begin(TDPS_OP_UNMAP, MIRROR, WLOCK);
	module_finds("X1", "private page written to by the host");
	KUNIT_EXPECT_EQ(test, all_caught(), 1);
	END(ctx, TDPS_OP_UNMAP);
}

/* KVM's answer to a call that was made to fail is not. */
static void success_in_an_excused_vm(struct kunit *test)
{
	tdps_excuse(vm);
	f4_failure_called_success(true);
	KUNIT_EXPECT_EQ(test, all_caught(), 1);
}

/* Where TDH.PHYMEM.PAGE.WBINVD cannot be probed, nobody can say that it was left out. */
static void writebacks_unseen(struct kunit *test)
{
	tdps_writebacks_visible = false;
	removal(true, true, true, 0);
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
}

/* Of a VM that KVM has given up leafs are removed without a SEAMCALL. */
static void removed_after_giving_up(struct kunit *test)
{
	struct tdps_extop x = ext(TDPS_EXT_REMOVE, WLOCK);

	removal(true, true, true, PAGE_A);
	x.page = PAGE_B;
	x.bugged = true;
	play_ext(x, 0);
	KUNIT_EXPECT_EQ(test, all_caught(), 0);
}

/* As it is in use: into the log, with what the thread and others did, and into debugfs. */
static void violation_in_the_log(struct kunit *test)
{
	char *buf = kunit_kzalloc(test, 1024, GFP_KERNEL);
	struct seq_file m = { .buf = buf, .size = 1024 };

	KUNIT_ASSERT_NOT_NULL(test, buf);
	tdps_violation_to = NULL;
	vm_is_seen();
	t1_other_page(true);
	tdps_violations_show(&m);
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "T1: present leaf 0x800077"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "gfn 0x12345600 level 1, by "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "(mmu_lock read)\n"));
	KUNIT_EXPECT_EQ(test, stat_of("violation", TDPS_T1), 1);
}

static const struct event_case {
	struct tdps_event ev;
	const char *words;
} event_cases[] = {
	{ { .type = TDPS_EV_OP_BEGIN, .kind = TDPS_OP_SPLIT, .gfn = 0x200, .a = 0x400,
	    .lock = TDPS_LOCK_WRITE },
	  "split begins gfn 0x200 (end 0x400) write" },
	{ { .type = TDPS_EV_OP_END, .kind = TDPS_OP_MAP, .gfn = 0x200, .ret = 1, .b = 7000,
	    .lock = TDPS_LOCK_READ },
	  "map ends gfn 0x200: 1 after 7 us read" },
	{ { .type = TDPS_EV_EXT_BEGIN, .kind = TDPS_EXT_LINK, .gfn = 0x200, .level = 2, .b = 7 },
	  "external link table begins gfn 0x200 level 2 0x0 -> 0x7" },
	{ { .type = TDPS_EV_EXT_END, .kind = TDPS_EXT_FREE, .gfn = 0x200, .level = 1, .ret = -16,
	    .b = 1000, .lock = TDPS_LOCK_NONE },
	  "external free table ends gfn 0x200 level 1: -16 after 1 us unlocked" },
	{ { .type = TDPS_EV_SEAMCALL, .kind = TDPS_CALL_MEM_TRACK, .gfn = TDPS_NO_GFN, .a = 5 },
	  "TDH.MEM.TRACK: 0x5" },
	{ { .type = TDPS_EV_SPTE, .gfn = 0x200, .level = 1, .a = 1, .b = 2 },
	  "SPTE gfn 0x200 level 1 0x1 -> 0x2" },
	{ { .type = TDPS_EV_TABLE_NEW, .gfn = 0x200, .level = 1, .a = 0xabc },
	  "table made gfn 0x200 level 1, abc" },
	{ { .type = TDPS_EV_TABLE_ZAP, .gfn = 0x200, .level = 1, .a = 0xabc },
	  "table zapped gfn 0x200 level 1, abc" },
	{ { .type = TDPS_EV_TABLE_FREE, .gfn = TDPS_NO_GFN, .a = 0xabc }, "table freed, abc" },
	{ { .type = TDPS_EV_FLUSH, .gfn = TDPS_NO_GFN }, "TLB flush" },
	{ { .type = TDPS_EV_KICK, .gfn = TDPS_NO_GFN }, "vCPUs kicked out" },
	{ { .type = TDPS_EV_AUDIT, .gfn = TDPS_NO_GFN, .a = 12, .b = 3000 },
	  "audit of 12 SPTEs, 3 us" },
	{ { .type = TDPS_EV_VIOLATION, .kind = TDPS_X2, .gfn = 0x200 }, "violation X2 gfn 0x200" },
};

static void event_desc(const struct event_case *e, char *desc)
{
	strscpy(desc, e->words, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(event, event_cases, event_desc);

static void event_in_words(struct kunit *test)
{
	const struct event_case *e = test->param_value;
	char words[160];

	tdps_event_str(&e->ev, words, sizeof(words));
	KUNIT_EXPECT_STREQ(test, words, e->words);
}

/* Every SEAMCALL, operation and check has a name, and no two have the same. */
static void everything_has_a_name(struct kunit *test)
{
	int i;

	for (i = 0; i < TDPS_NR_CALLS; i++)
		KUNIT_EXPECT_TRUE(test, !strncmp(tdps_call_name(i), "TDH.", 4));
	for (i = 0; i < TDPS_NR_OPS; i++)
		KUNIT_EXPECT_NOT_NULL(test, tdps_op_name(i));
	for (i = 0; i < TDPS_NR_CHECKS; i++)
		KUNIT_EXPECT_EQ(test, tdps_check_by_name(tdps_check_name(i),
							 strlen(tdps_check_name(i))), i);
	KUNIT_EXPECT_EQ(test, tdps_check_by_name("X", 1), TDPS_NO_CHECK);
}

/* The flight recorder: one's own events in order, and others' at that place. */
static void flight_of_two_threads(struct kunit *test)
{
	struct tdps_where w = at(GFN, 1, RLOCK), far = at(GFN + 4096, 1, RLOCK);
	struct tdps_event ev[4];

	other_enters(ext(TDPS_EXT_MAP, RLOCK));
	tdps_record(TDPS_EV_SPTE, 0, &w, 1, 2, 0);
	tdps_record(TDPS_EV_SPTE, 0, &w, 2, 3, 0);
	KUNIT_EXPECT_EQ(test, tdps_recorder_last(current->pid, NULL, ev, 4), 2);
	KUNIT_EXPECT_EQ(test, ev[0].a, 1);
	KUNIT_EXPECT_EQ(test, ev[1].a, 2);
	KUNIT_EXPECT_EQ(test, tdps_recorder_last(current->pid, NULL, ev, 1), 1);
	KUNIT_EXPECT_EQ(test, ev[0].a, 2);
	KUNIT_EXPECT_EQ(test, tdps_recorder_last(current->pid, &w, ev, 4), 1);
	KUNIT_EXPECT_EQ(test, ev[0].type, TDPS_EV_EXT_BEGIN);
	KUNIT_EXPECT_EQ(test, tdps_recorder_last(current->pid, &far, ev, 4), 0);
	other_leaves();
}

static struct kunit_case oracle_cases[] = {
	KUNIT_CASE_PARAM(good_is_silent, scenario_gen_params),
	KUNIT_CASE_PARAM(bad_is_named, scenario_gen_params),
	KUNIT_CASE_PARAM(off_is_silent, scenario_gen_params),
	KUNIT_CASE_PARAM(planted_is_named, planted_gen_params),
	KUNIT_CASE_PARAM(verdict, verdict_gen_params),
	KUNIT_CASE(not_checked_is_said),
	KUNIT_CASE(not_live_is_silent),
	KUNIT_CASE(half_seen_is_silent),
	KUNIT_CASE(nested_too_deep),
	KUNIT_CASE(mapped_while_a_zap_yields),
	KUNIT_CASE(mapped_and_forgotten),
	KUNIT_CASE(ranges_are_given_back),
	KUNIT_CASE(found_in_an_excused_vm),
	KUNIT_CASE(success_in_an_excused_vm),
	KUNIT_CASE(writebacks_unseen),
	KUNIT_CASE(removed_after_giving_up),
	KUNIT_CASE(violation_in_the_log),
	KUNIT_CASE_PARAM(event_in_words, event_gen_params),
	KUNIT_CASE(everything_has_a_name),
	KUNIT_CASE(flight_of_two_threads),
	{}
};

static struct kunit_suite oracle_suite = {
	.name = "tdp_stress_oracle",
	.init = oracle_init,
	.exit = oracle_exit,
	.test_cases = oracle_cases,
};

kunit_test_suite(oracle_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the invariants of tdp_stress");
