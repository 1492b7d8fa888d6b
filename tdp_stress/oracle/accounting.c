// SPDX-License-Identifier: GPL-2.0
/*
 * A1: what KVM counts is what is there. See Documentation/invariants.rst.
 */
#include "internal.h"

/* At the end of a VM everything is zero. */
void accounting_op_end(enum tdps_op op, const struct tdps_op_end *e)
{
	/* of a VM that was given up nothing is expected any more */
	if (op != TDPS_OP_UNINIT || e->bugged || !tdps_checking(TDPS_A1))
		return;
	if (e->pages_left)
		tdps_violation(TDPS_A1, &e->where, "%lld pages still counted at the end of the VM",
			       e->pages_left);
	if (e->tables_left)
		tdps_violation(TDPS_A1, &e->where,
			       "%lld page tables still counted at the end of the VM",
			       e->tables_left);
}

/**
 * accounting_audit() - compare KVM's counts with what a walk has found
 * @a: the audit, which saw all roots in one go
 * @pages: KVM's counts of 4K, 2M and 1G pages
 * @tables: KVM's count of page tables that are no roots; negative: not kept
 */
void accounting_audit(struct tdps_audit *a, const s64 pages[3], s64 tables)
{
	static const char * const size[] = { "4K", "2M", "1G" };
	const struct tdps_where w = {
		.vm = a->vm, .gfn = TDPS_NO_GFN, .lock = TDPS_LOCK_WRITE,
	};
	s64 counted;
	int i;

	if (!tdps_checking(TDPS_A1))
		return;
	for (i = 0; i < 3; i++) {
		counted = pages[i] + (!i && tdps_planted(TDPS_A1));
		if (counted != (s64)a->leafs[i])
			tdps_violation(TDPS_A1, &w, "KVM counts %lld %s pages, a walk finds %llu",
				       counted, size[i], a->leafs[i]);
	}
	if (tables >= 0 && tables != (s64)a->tables)
		tdps_violation(TDPS_A1, &w, "KVM counts %lld page tables, a walk finds %llu",
			       tables, a->tables);
}
