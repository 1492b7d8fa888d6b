// SPDX-License-Identifier: GPL-2.0
/*
 * Counters and findings. Counting is one add in the processor's own slot; the
 * sums are made when somebody asks.
 */
#include "internal.h"

static const char * const lock_names[LOCK_NR] = {
	[LOCK_TDR] = "TDR",
	[LOCK_OP_STATE] = "OP_STATE",
	[LOCK_SEPT_TREE] = "SEPT_TREE",
	[LOCK_SEPT_ENTRY] = "SEPT_ENTRY",
	[LOCK_TD_EPOCH] = "TD_EPOCH",
	[LOCK_TDVPR] = "TDVPR",
	[LOCK_PAGE] = "PAGE",
	[LOCK_KOT] = "KOT",
	[LOCK_WBCACHE] = "WBCACHE",
};

static const char * const type_names[PT_NR] = {
	[PT_REG] = "REG",
	[PT_TDR] = "TDR",
	[PT_TDCX] = "TDCX",
	[PT_TDVPR] = "TDVPR",
	[PT_EPT] = "EPT",
};

static const char * const guest_names[GUEST_NR] = {
	[GUEST_ACCESS] = "access",
	[GUEST_TLB_HIT] = "tlb_hit",
	[GUEST_ACCEPT] = "accept",
	[GUEST_EPT_VIOLATION] = "ept_violation",
	[GUEST_TLB_FLUSH] = "tlb_flush",
	[GUEST_ZERO_STEP] = "zero_step",
};

static const char * const leaf_counter_names[LEAF_NR_COUNTERS] = {
	[LEAF_CALLS] = "calls",
	[LEAF_BUSY] = "busy",
	[LEAF_INJECTED] = "injected",
	[LEAF_ERROR] = "error",
};

static const char * const violation_names[VIOLATION_NR] = {
	[VIOLATION_H1] = "H1",
	[VIOLATION_L1] = "L1",
	[VIOLATION_T1] = "T1",
	[VIOLATION_X1] = "X1",
	[VIOLATION_X2] = "X2",
};

/*
 * The place of a status code: a hash table that only grows. Codes are stored
 * inverted, so that TDX_SUCCESS is no free place; no status is all ones.
 */
static u32 status_place(struct tdxm *m, u64 status)
{
	u64 key = ~status, seen;
	u32 i, place = tdxm_mix(status) % TDXM_NR_STATUSES;

	for (i = 0; i < TDXM_NR_STATUSES; i++) {
		seen = tdxm_read(&m->status_code[place]);
		if (!seen)
			seen = tdxm_cmpxchg(&m->status_code[place], 0, key) ?: key;
		if (seen == key)
			return place;
		place = (place + 1) % TDXM_NR_STATUSES;
	}
	return TDXM_NR_STATUSES;
}

void tdxm_count_status(struct tdxm *m, struct tdxm_lp *lp, u64 status)
{
	tdxm_count(&lp->status[status_place(m, status)]);
}

/* Count a finding and tell the embedder. */
void tdxm_report(struct tdxm *m, enum tdxm_violation id, const struct tdxm_finding *f)
{
	tdxm_fetch_add(&m->violations[id], 1);
	if (m->hooks.finding)
		m->hooks.finding(m, f);
}

/* Sum of one counter over all processors, given by its offset in struct tdxm_lp. */
static u64 sum(struct tdxm *m, size_t offset)
{
	u64 total = 0;
	u32 i;

	for (i = 0; i < m->cfg.nr_lps; i++)
		total += tdxm_read((u64 *)((char *)&m->lp[i] + offset));
	return total;
}

/* Pages that belong to TDs now. */
u64 tdxm_pages_in_use(struct tdxm *m)
{
	u64 total = 0;
	u32 type;

	for (type = 0; type < PT_NR; type++)
		total += sum(m, offsetof(struct tdxm_lp, pages) + type * sizeof(u64));
	return total;
}

struct walk {
	struct tdxm *m;
	void (*fn)(void *ctx, const char *name, u64 value);
	void *ctx;
	char name[64];
};

static void walk_leaf(struct walk *w, u32 number, const char *name)
{
	size_t base = offsetof(struct tdxm_lp, leaf) +
		      number * sizeof(((struct tdxm_lp *)0)->leaf[0]);
	u32 i;

	for (i = 0; i < LEAF_NR_COUNTERS; i++) {
		snprintf(w->name, sizeof(w->name), "leaf.%s.%s", name, leaf_counter_names[i]);
		w->fn(w->ctx, w->name, sum(w->m, base + i * sizeof(u64)));
	}
}

static void walk_statuses(struct walk *w)
{
	u64 key, n;
	u32 i;

	for (i = 0; i <= TDXM_NR_STATUSES; i++) {
		n = sum(w->m, offsetof(struct tdxm_lp, status) + i * sizeof(u64));
		key = i < TDXM_NR_STATUSES ? tdxm_read(&w->m->status_code[i]) : 0;
		if (key)
			snprintf(w->name, sizeof(w->name), "status.%016llx", ~key);
		else if (n)
			snprintf(w->name, sizeof(w->name), "status.other");
		else
			continue;
		w->fn(w->ctx, w->name, n);
	}
}

/* Counters that are arrays in struct tdxm_lp, in the order in which they are walked. */
static const struct {
	const char *prefix, *suffix;
	const char * const *names;
	u32 nr;
	size_t offset;
} groups[] = {
	{ "lock", ".tries", lock_names, LOCK_NR, offsetof(struct tdxm_lp, lock_tries) },
	{ "lock", ".busy", lock_names, LOCK_NR, offsetof(struct tdxm_lp, lock_busy) },
	{ "pamt", "", type_names, PT_NR, offsetof(struct tdxm_lp, pages) },
	{ "guest", "", guest_names, GUEST_NR, offsetof(struct tdxm_lp, guest) },
};

static void walk_groups(struct walk *w)
{
	u32 g, i;

	for (g = 0; g < ARRAY_SIZE(groups); g++) {
		for (i = 0; i < groups[g].nr; i++) {
			if (!groups[g].names[i])
				continue;
			snprintf(w->name, sizeof(w->name), "%s.%s%s", groups[g].prefix,
				 groups[g].names[i], groups[g].suffix);
			w->fn(w->ctx, w->name, sum(w->m, groups[g].offset + i * sizeof(u64)));
		}
	}
}

/**
 * tdxm_for_each_counter - walk all counters
 * @m: the module
 * @fn: called with each name, valid during the call, and value
 * @ctx: passed to @fn
 *
 * Counters of different processors are not read at the same instant.
 *
 * Context: any; may run beside SEAMCALLs.
 */
void tdxm_for_each_counter(struct tdxm *m, void (*fn)(void *ctx, const char *name, u64 value),
			   void *ctx)
{
	struct walk w = { .m = m, .fn = fn, .ctx = ctx };
	u32 i;

	for (i = 0; i < TDXM_LEAF_UNKNOWN; i++) {
		if (tdxm_leaf(i))
			walk_leaf(&w, i, tdxm_leaf_name(i));
	}
	walk_leaf(&w, TDXM_LEAF_UNKNOWN, "unknown");
	walk_statuses(&w);
	walk_groups(&w);
	fn(ctx, "td.live", sum(m, offsetof(struct tdxm_lp, tds)));
	fn(ctx, "vcpu.live", sum(m, offsetof(struct tdxm_lp, vcpus)));
	for (i = 0; i < VIOLATION_NR; i++) {
		snprintf(w.name, sizeof(w.name), "violation.%s", violation_names[i]);
		fn(ctx, w.name, tdxm_read(&m->violations[i]));
	}
	fn(ctx, "mem.bytes", tdxm_mem_bytes(&m->cfg));
}

/**
 * tdxm_for_each_page_type - walk the pages that TDs have now
 * @m: the module
 * @fn: called with each type of which there are pages, and how many of 4K
 * @ctx: passed to @fn
 *
 * With no TD left, what is named was never given back.
 *
 * Context: any; may run beside SEAMCALLs.
 */
void tdxm_for_each_page_type(struct tdxm *m, void (*fn)(void *ctx, const char *type, u64 pages),
			     void *ctx)
{
	u64 pages;
	u32 type;

	for (type = 0; type < PT_NR; type++) {
		pages = sum(m, offsetof(struct tdxm_lp, pages) + type * sizeof(u64));
		if (pages)
			fn(ctx, type_names[type] ?: "?", pages);
	}
}
