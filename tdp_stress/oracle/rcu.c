// SPDX-License-Identifier: GPL-2.0
/*
 * R1: a page table that was unlinked is freed only after a grace period. See
 * Documentation/invariants.rst. (Splats about RCU are named R1 by splat.c.) What is
 * owed for the table meanwhile is kept here for tlb.c.
 */

#include "internal.h"

/*
 * Unlinked tables waiting to be freed. Buckets of a fixed size: what does not
 * fit is counted as missed. A table is in it at most once, put there by the
 * thread that unlinked it and taken out by the one that frees it.
 */
#define TABLE_BITS	9
#define TABLE_WAYS	8
#define SLOT_TAKEN	1UL

struct zapped {
	u64 table;	/* 0 free, SLOT_TAKEN being written */
	struct TDPS_GP_STATE gp;
	struct tlb_debt debt;
};

static struct zapped (*zapped)[TABLE_WAYS];

int rcu_init_table(void)
{
	zapped = vzalloc(sizeof(*zapped) << TABLE_BITS);
	if (!zapped)
		return -ENOMEM;
	tdps_mem_account(sizeof(*zapped) << TABLE_BITS);
	return 0;
}

void rcu_exit_table(void)
{
	vfree(zapped);
	zapped = NULL;
}

static bool is_followed(void)
{
	return tdps_wants(TDPS_R1) || tdps_wants(TDPS_L1);
}

void rcu_table_zap(u64 table, const struct tlb_debt *debt)
{
	struct zapped *way;
	int i;

	if (!is_followed())
		return;
	way = zapped[hash_64(table, TABLE_BITS)];
	for (i = 0; i < TABLE_WAYS; i++) {
		if (READ_ONCE(way[i].table) || cmpxchg64(&way[i].table, 0, SLOT_TAKEN))
			continue;
		/*
		 * The full state: it compares with the sequence that call_rcu()
		 * goes by. The short form may lag behind when a normal and an
		 * expedited grace period overlap.
		 */
		get_state_synchronize_rcu_full(&way[i].gp);
		way[i].debt = *debt;
		/* pairs with the load in rcu_table_free(): the state is complete */
		smp_store_release(&way[i].table, table);
		return;
	}
	tdps_count(missed);
}

/* True if @table had been unlinked; then @gp_passed is said. */
bool rcu_table_free(u64 table, bool *gp_passed)
{
	const struct tdps_where w = { .gfn = TDPS_NO_GFN };
	struct TDPS_GP_STATE gp;
	struct tlb_debt debt;
	struct zapped *way;
	int i;

	if (!is_followed())
		return false;
	way = zapped[hash_64(table, TABLE_BITS)];
	for (i = 0; i < TABLE_WAYS; i++) {
		/* pairs with the store in rcu_table_zap() */
		if (smp_load_acquire(&way[i].table) != table)
			continue;
		gp = way[i].gp;
		debt = way[i].debt;
		WRITE_ONCE(way[i].table, 0);
		if (debt.pid)
			tlb_table_free(&debt);
		if (tdps_planted(TDPS_R1))
			get_state_synchronize_rcu_full(&gp);
		*gp_passed = poll_state_synchronize_rcu_full(&gp);
		if (tdps_checking(TDPS_R1) && !*gp_passed)
			tdps_violation(TDPS_R1, &w,
				       "page table freed before a grace period has passed");
		return true;
	}
	return false;
}
