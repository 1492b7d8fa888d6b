/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Facts for the suite tdp_stress_oracle, as whoever watches KVM would hand them in: by
 * default those of a KVM that behaves. And what the oracle is surrounded by: a callback
 * that catches violations, a double of the emulated module, another thread. Judges
 * nothing.
 */
#ifndef TDP_STRESS_KUNIT_FACTS_H
#define TDP_STRESS_KUNIT_FACTS_H

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/timekeeping.h>

#include "../../tdp_stress/core/view.h"
#include "../../tdp_stress/oracle/oracle.h"

#define HOUR		(3600ULL * NSEC_PER_SEC)
#define GFN		0x12345600ULL		/* 2M-aligned */
#define PFN		0x800ULL		/* so is this */
#define PAGE_A		0x77000ULL
#define PAGE_B		0x78000ULL
#define RLOCK		TDPS_LOCK_READ
#define WLOCK		TDPS_LOCK_WRITE
#define DIRECT		TDPS_ROOTS_DIRECT
#define MIRROR		TDPS_ROOTS_MIRROR

/* --- violations are caught here --- */

#define CAUGHT	8

static struct {
	enum tdps_check id;
	char line[256];
} caught[CAUGHT];

static atomic_t nr_caught;

static void catch(enum tdps_check id, const char *line)
{
	int i = atomic_fetch_inc(&nr_caught);

	if (i >= CAUGHT)
		return;
	caught[i].id = id;
	strscpy(caught[i].line, line);
}

/* Those of other contexts have arrived, too. */
static int all_caught(void)
{
	char verdict[64];

	tdps_verdict(verdict, sizeof(verdict));
	return min(atomic_read(&nr_caught), CAUGHT);
}

/* --- the emulated module, as far as the oracle asks it --- */

static struct {
	int err;
	u64 pa;
	u8 state;
	u64 given_gpa;
	u64 given_size;
	const struct tdxm_listener *listener;
} module;

static int sept_read(u64 tdr, u64 gpa, int level, u64 *pa, u8 *state)
{
	*pa = module.pa;
	*state = module.state;
	return module.err;
}

static void shared_given_back(u64 tdr, u64 gpa, u64 size)
{
	module.given_gpa = gpa;
	module.given_size = size;
}

static int listen(const struct tdxm_listener *l)
{
	module.listener = l;
	return 0;
}

static bool models_shared_tlb(void)
{
	return true;
}

static const struct tdxm_view view = {
	.size = sizeof(view),
	.sept_read = sept_read,
	.shared_given_back = shared_given_back,
	.listen = listen,
	.models_shared_tlb = models_shared_tlb,
};

static void module_finds(const char *id, const char *what)
{
	const struct tdxm_finding f = {
		.id = id, .what = what, .gpa = GFN << PAGE_SHIFT, .pa = PAGE_A,
		.leaf = 29, .level = 0, .state = 4,
	};

	module.listener->finding(module.listener->ctx, &f);
}

/* --- facts --- */

static u64 vm;		/* each scenario has its own */

static struct tdps_where at(u64 gfn, int level, enum tdps_lock lock)
{
	return (struct tdps_where){ .vm = vm, .gfn = gfn, .level = level, .lock = lock };
}

static struct tdps_spte none(void)
{
	return (struct tdps_spte){ };
}

static struct tdps_spte frozen(void)
{
	return (struct tdps_spte){ .raw = 0x5a0, .frozen = true };
}

static struct tdps_spte leaf(u64 pfn)
{
	return (struct tdps_spte){ .raw = pfn << PAGE_SHIFT | 0x77, .pfn = pfn, .present = true,
				   .leaf = true };
}

static struct tdps_spte table(u64 pfn)
{
	return (struct tdps_spte){ .raw = pfn << PAGE_SHIFT | 7, .pfn = pfn, .present = true };
}

static void change(struct tdps_where w, struct tdps_spte from, struct tdps_spte to)
{
	const struct tdps_change c = { .where = w, .old_spte = from, .new_spte = to };

	tdps_spte_changed(&c);
}

static struct tdps_ctx *begin(enum tdps_op op, u8 roots, enum tdps_lock lock)
{
	struct tdps_where w = at(GFN, 0, lock);

	return tdps_op_begin(op, &w, GFN + 512, roots, 1);
}

/* @e: what is special about its end */
static void end(struct tdps_ctx *ctx, enum tdps_op op, struct tdps_op_end e)
{
	enum tdps_lock lock = ctx ? tdps_ctx_frame(ctx)->lock : TDPS_LOCK_UNKNOWN;

	e.where = at(GFN, 0, lock);
	tdps_op_end(ctx, op, &e);
}

#define END(ctx, op, ...)	end(ctx, op, (struct tdps_op_end){ __VA_ARGS__ })

/* As KVM does it: frozen under the shared lock, below a table, with a page if need be. */
static struct tdps_extop ext(enum tdps_extop_kind kind, enum tdps_lock lock)
{
	enum tdps_seen seen = lock == RLOCK ? TDPS_SEEN_FROZEN : TDPS_SEEN_LEAF;

	if (kind == TDPS_EXT_FREE)
		seen = TDPS_SEEN_NOTHING;
	return (struct tdps_extop){
		.where = at(GFN, 1, lock), .kind = kind, .seen = seen, .after = seen,
		.parent = TDPS_SEEN_TABLE, .root = 1, .table = 2, .page = PAGE_A,
		.old_spte = leaf(PFN).raw, .new_spte = 0,
	};
}

static void play_ext(struct tdps_extop x, int ret)
{
	tdps_extop_end(tdps_extop_begin(&x), &x, ret);
}

static void seamcall(enum tdps_call call, u64 status, enum tdps_lock lock)
{
	struct tdps_seamcall c = {
		.where = at(GFN, 1, lock), .call = call, .status = status,
		.runnable = true,
	};

	if ((status & TDX_SEAMCALL_STATUS_MASK) == TDX_EPT_ENTRY_STATE_INCORRECT) {
		c.ext1 = PAGE_B;
		c.ext2 = 0x400;		/* 4K, MAPPED */
	}

	tdps_seamcall(&c);
}

/* An external operation with one SEAMCALL in it. */
static void play_call(struct tdps_extop x, enum tdps_call call, u64 status, int ret)
{
	struct tdps_ctx *ctx = tdps_extop_begin(&x);

	seamcall(call, status, x.where.lock);
	tdps_extop_end(ctx, &x, ret);
}

/* Let the clock tick. */
static void spend_time(void)
{
	u64 now = ktime_get_mono_fast_ns();

	while (ktime_get_mono_fast_ns() == now)
		cpu_relax();
}

/* Another thread, which has an external operation in progress. */
static struct {
	struct tdps_extop x;
	struct completion open, close;
	struct task_struct *task;
} other;

static int be_inside(void *unused)
{
	struct tdps_ctx *ctx = tdps_extop_begin(&other.x);

	complete(&other.open);
	wait_for_completion(&other.close);
	tdps_extop_end(ctx, &other.x, 0);
	return 0;
}

static void other_enters(struct tdps_extop x)
{
	other.x = x;
	init_completion(&other.open);
	init_completion(&other.close);
	other.task = kthread_create(be_inside, NULL, "oracle_other");
	if (IS_ERR(other.task))
		return;
	get_task_struct(other.task);
	wake_up_process(other.task);
	wait_for_completion(&other.open);
}

static void other_leaves(void)
{
	if (IS_ERR(other.task))
		return;
	complete(&other.close);
	kthread_stop_put(other.task);
}

static void audit(struct tdps_audit_spte s)
{
	struct tdps_audit a = { .vm = vm, .complete = true };
	const struct tdps_audit_root r = {
		.id = 1, .mirror = s.mirror, .invalid = s.invalid, .count = 2, .users = 1,
	};

	s.gfn = GFN;
	s.level = s.level ?: 1;
	s.shared_alias = s.shared_alias != !s.mirror;	/* as it should be, or the other way */
	tdps_audit_root(&a, &r);
	tdps_audit_spte(&a, &s);
	if (s.mirror && !s.invalid && !s.spte.frozen)
		tdps_audit_sept(&a, &s);
}

#define AUDIT(...)	audit((struct tdps_audit_spte){ __VA_ARGS__ })

/* The module has what a mirror leaf says. */
static void module_agrees(void)
{
	module.pa = PFN << PAGE_SHIFT;
	module.state = SEPT_MAPPED;
}

#endif
