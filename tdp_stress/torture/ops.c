// SPDX-License-Identifier: GPL-2.0
/*
 * The table of operations: which entry point on which kind of root, how often,
 * and on what. Why an operation is done to one kind of root only is said here.
 * Knows nothing of how KVM is called.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/kernel.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "worker.h"

#define DIRECT(r, l)	{ .region = (r), .level = (l) }
#define MIRROR(r, l)	{ .region = (r), .level = (l), .mirror = true }

struct torture_op torture_ops[] = {
	/*
	 * Faults. A mirror leaf of more than 4K is one that we craft: guest_memfd has
	 * 4K pages only.
	 */
	{ "map", "direct", "4K", tdps_entry_map, TORTURE_MMU, NEED_NOTHING, 12, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 1) },
	{ "map", "direct", "2M", tdps_entry_map, TORTURE_MMU, NEED_SHARED_HUGE, 12, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 3) },
	{ "map", "direct", "-", tdps_entry_map, TORTURE_MMU, NEED_NOTHING, 6, SPAN_PAGE,
	  DIRECT(TDPS_MOVE, 3) },
	{ "map_hugetlb", "direct", "2M", tdps_entry_map, TORTURE_MMU, NEED_HUGETLB, 6, SPAN_PAGE,
	  DIRECT(TDPS_HUGETLB, 3) },
	{ "map", "mirror", "4K", tdps_entry_map, TORTURE_MMU, NEED_PRIVATE, 24, SPAN_PAGE,
	  MIRROR(TDPS_PRIVATE, 3) },
	{ "map_craft", "mirror", "4K", tdps_entry_map, TORTURE_MMU, NEED_CRAFT, 12, SPAN_PAGE,
	  MIRROR(TDPS_CRAFT, 1) },
	{ "map_craft", "mirror", "2M", tdps_entry_map, TORTURE_MMU, NEED_CRAFT_HUGE, 24, SPAN_PAGE,
	  MIRROR(TDPS_CRAFT, 2) },
	{ "map_giant", "mirror", "2M", tdps_entry_map, TORTURE_MMU, NEED_GIANT, 4, SPAN_PAGE,
	  MIRROR(TDPS_GIANT, 2) },
	{ "map_giant", "mirror", "1G", tdps_entry_map, TORTURE_MMU, NEED_GIANT, 12, SPAN_PAGE,
	  MIRROR(TDPS_GIANT, 3) },
	{ "prefault", "direct", "-", tdps_entry_prefault, TORTURE_MMU, NEED_NOTHING, 6, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 0) },
	{ "prefault", "mirror", "4K", tdps_entry_prefault, TORTURE_MMU, NEED_PRIVATE, 12, SPAN_PAGE,
	  MIRROR(TDPS_PRIVATE, 0) },
	/* a prefault that meets an invalidation of roots never ends: only if asked for */
	{ "prefault_race", "direct", "-", tdps_entry_prefault_race, TORTURE_MMU, NEED_NOTHING, 0,
	  SPAN_PAGE, DIRECT(TDPS_SHARED, 0) },
	/* KVM has fast page faults and NX huge pages for direct roots only */
	{ "fast_pf", "direct", "-", tdps_entry_fast_pf, TORTURE_MMU, NEED_NOTHING, 12, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 0) },
	{ "map_exec", "direct", "4K", tdps_entry_map_exec, TORTURE_MMU, NEED_NX, 6, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 0) },
	{ "nx_recover", "direct", "-", tdps_entry_nx_recover, TORTURE_MMU, NEED_NX, 4, SPAN_ALL,
	  DIRECT(TDPS_SHARED, 0) },

	/* Zaps. */
	{ "zap_leafs", "direct", "-", tdps_entry_zap_leafs, TORTURE_MMU, NEED_NOTHING, 8, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },
	{ "zap_leafs", "mirror", "4K", tdps_entry_zap_leafs, TORTURE_MMU, NEED_PRIVATE, 6, SPAN_FEW,
	  MIRROR(TDPS_PRIVATE, 0) },
	{ "zap_leafs", "mirror", "2M", tdps_entry_zap_leafs, TORTURE_MMU, NEED_CRAFT, 8, SPAN_2M,
	  MIRROR(TDPS_CRAFT, 0) },
	{ "zap_leafs", "mirror", "1G", tdps_entry_zap_leafs, TORTURE_MMU, NEED_GIANT, 1, SPAN_ALL,
	  MIRROR(TDPS_GIANT, 0) },
	{ "unmap", "direct", "-", tdps_entry_unmap, TORTURE_MMU, NEED_NOTHING, 8, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },
	{ "unmap", "direct", "2M", tdps_entry_unmap, TORTURE_MMU, NEED_HUGETLB, 4, SPAN_PAGE,
	  DIRECT(TDPS_HUGETLB, 0) },
	{ "unmap", "mirror", "4K", tdps_entry_unmap, TORTURE_MMU, NEED_PRIVATE, 6, SPAN_FEW,
	  MIRROR(TDPS_PRIVATE, 0) },
	{ "unmap", "mirror", "2M", tdps_entry_unmap, TORTURE_MMU, NEED_CRAFT, 4, SPAN_2M,
	  MIRROR(TDPS_CRAFT, 0) },
	{ "unmap", "both", "4K", tdps_entry_unmap, TORTURE_MMU, NEED_PRIVATE, 2, SPAN_ALL,
	  { .region = TDPS_PRIVATE, .both = true } },

	/* The host's mm asks for shared memory's age only; KVM warns of a mirror root's. */
	{ "age", "direct", "-", tdps_entry_age, TORTURE_MMU, NEED_NOTHING, 6, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },
	{ "test_age", "direct", "-", tdps_entry_test_age, TORTURE_MMU, NEED_NOTHING, 6, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },

	/*
	 * Dirty logging refuses slots with guest_memfd, and an S-EPT leaf cannot be
	 * write-protected: direct roots only.
	 */
	{ "wrprot_slot", "direct", "4K", tdps_entry_wrprot_slot, TORTURE_MMU, NEED_NOTHING, 2,
	  SPAN_ALL, DIRECT(TDPS_SHARED, 1) },
	{ "wrprot_slot", "direct", "2M", tdps_entry_wrprot_slot, TORTURE_MMU, NEED_NOTHING, 1,
	  SPAN_ALL, DIRECT(TDPS_SHARED, 2) },
	{ "wrprot_gfn", "direct", "-", tdps_entry_wrprot_gfn, TORTURE_MMU, NEED_NOTHING, 6,
	  SPAN_PAGE, DIRECT(TDPS_SHARED, 1) },
	{ "clear_dirty_slot", "direct", "-", tdps_entry_clear_dirty_slot, TORTURE_MMU, NEED_NOTHING,
	  2, SPAN_ALL, DIRECT(TDPS_SHARED, 0) },
	{ "clear_dirty_masked", "direct", "4K", tdps_entry_clear_dirty_masked, TORTURE_MMU,
	  NEED_NOTHING, 4, SPAN_PAGE, DIRECT(TDPS_SHARED, 1) },
	{ "clear_dirty_masked", "direct", "-", tdps_entry_clear_dirty_masked, TORTURE_MMU,
	  NEED_NOTHING, 4, SPAN_PAGE, { .region = TDPS_SHARED, .level = 1, .write = true } },

	/* Huge pages. */
	{ "split_read", "direct", "2M", tdps_entry_split, TORTURE_MMU, NEED_SHARED_HUGE, 6, SPAN_2M,
	  { .region = TDPS_SHARED, .level = 1, .shared = true } },
	{ "split_write", "direct", "2M", tdps_entry_split, TORTURE_MMU, NEED_SHARED_HUGE, 4,
	  SPAN_2M, { .region = TDPS_SHARED, .level = 1 } },
	{ "split_read", "mirror", "2M", tdps_entry_split, TORTURE_MMU, NEED_CRAFT_HUGE, 12, SPAN_2M,
	  { .region = TDPS_CRAFT, .level = 1, .mirror = true, .shared = true } },
	{ "split_write", "mirror", "2M", tdps_entry_split, TORTURE_MMU, NEED_CRAFT_HUGE, 12,
	  SPAN_2M, { .region = TDPS_CRAFT, .level = 1, .mirror = true } },
	{ "split_read", "mirror", "1G", tdps_entry_split, TORTURE_MMU, NEED_GIANT, 4, SPAN_ALL,
	  { .region = TDPS_GIANT, .level = 2, .mirror = true, .shared = true } },
	{ "split_write", "mirror", "1G", tdps_entry_split, TORTURE_MMU, NEED_GIANT, 4, SPAN_ALL,
	  { .region = TDPS_GIANT, .level = 2, .mirror = true } },
	{ "recover", "direct", "2M", tdps_entry_recover, TORTURE_MMU, NEED_SHARED_HUGE, 3, SPAN_ALL,
	  DIRECT(TDPS_SHARED, 2) },
	{ "recover", "mirror", "2M", tdps_entry_recover, TORTURE_MMU, NEED_CRAFT_HUGE, 6, SPAN_ALL,
	  MIRROR(TDPS_CRAFT, 2) },
	/* a recovery that meets a zap ends in KVM's BUG(): only if asked for */
	{ "recover_race", "direct", "2M", tdps_entry_recover_race, TORTURE_MMU, NEED_SHARED_HUGE,
	  0, SPAN_ALL, DIRECT(TDPS_SHARED, 2) },

	/* KVM looks without a lock at direct roots only: where the CPU walks, too. */
	{ "get_walk", "direct", "-", tdps_entry_walk, TORTURE_MMU, NEED_NOTHING, 6, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 0) },
	{ "last_sptep", "direct", "-", tdps_entry_last_sptep, TORTURE_MMU, NEED_NOTHING, 6,
	  SPAN_PAGE, DIRECT(TDPS_SHARED, 0) },

	/* Roots. A mirror root is invalidated only with no vCPU on it, as at a VM's end. */
	{ "role", "both", "-", tdps_entry_role, TORTURE_MMU, NEED_NOTHING, 1, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 0) },
	{ "reload", "both", "-", tdps_entry_reload, TORTURE_MMU, NEED_NOTHING, 1, SPAN_PAGE,
	  DIRECT(TDPS_SHARED, 0) },
	{ "zap_all", "direct", "-", tdps_entry_zap_all, TORTURE_SLOT, NEED_NOTHING, 1, SPAN_ALL,
	  DIRECT(TDPS_SHARED, 0) },
	{ "invalidate_read", "direct", "-", tdps_entry_invalidate, TORTURE_SLOT, NEED_NOTHING, 1,
	  SPAN_ALL, { .region = TDPS_SHARED, .shared = true } },
	{ "invalidate_write", "direct", "-", tdps_entry_invalidate, TORTURE_SLOT, NEED_ZAP_WRITE, 1,
	  SPAN_ALL, DIRECT(TDPS_SHARED, 0) },
	{ "invalidate_all", "both", "-", tdps_entry_invalidate_all, TORTURE_SLOT, NEED_NOTHING, 2,
	  SPAN_ALL, { .region = TDPS_SHARED, .both = true } },

	/* the table in the place of a 1G leaf that was split goes only with its root */
	{ "invalidate_all", "both", "1G", tdps_entry_invalidate_all, TORTURE_SLOT, NEED_GIANT, 3,
	  SPAN_ALL, { .region = TDPS_GIANT, .both = true } },

	/* The VM's life. */
	{ "slot_make", "direct", "-", tdps_life_slot_make, TORTURE_SLOT, NEED_NOTHING, 4, SPAN_ALL,
	  DIRECT(TDPS_MOVE, 0) },
	{ "slot_move", "direct", "-", tdps_life_slot_move, TORTURE_SLOT, NEED_NOTHING, 4, SPAN_ALL,
	  DIRECT(TDPS_MOVE, 0) },
	{ "slot_delete", "direct", "-", tdps_life_slot_delete, TORTURE_SLOT, NEED_NOTHING, 3,
	  SPAN_ALL, DIRECT(TDPS_MOVE, 0) },
	{ "log_toggle", "direct", "-", tdps_life_log_toggle, TORTURE_SLOT, NEED_NOTHING, 2,
	  SPAN_ALL, DIRECT(TDPS_SHARED, 0) },
	{ "log_harvest", "direct", "-", tdps_life_log_harvest, TORTURE_SLOT, NEED_NOTHING, 8,
	  SPAN_ALL, DIRECT(TDPS_SHARED, 0) },
	{ "to_private", "both", "4K", tdps_life_convert, TORTURE_SLOT, NEED_PRIVATE, 12, SPAN_FEW,
	  MIRROR(TDPS_PRIVATE, 0) },
	{ "to_shared", "both", "4K", tdps_life_convert, TORTURE_SLOT, NEED_PRIVATE, 6, SPAN_FEW,
	  DIRECT(TDPS_PRIVATE, 0) },
	{ "punch", "mirror", "4K", tdps_life_punch, TORTURE_SLOT, NEED_PRIVATE, 8, SPAN_FEW,
	  MIRROR(TDPS_PRIVATE, 0) },
	{ "discard", "direct", "-", tdps_life_discard, TORTURE_SLOT, NEED_NOTHING, 8, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },
	{ "pageout", "direct", "-", tdps_life_pageout, TORTURE_SLOT, NEED_NOTHING, 3, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },
	{ "mprotect", "direct", "-", tdps_life_mprotect, TORTURE_SLOT, NEED_NOTHING, 3, SPAN_FEW,
	  DIRECT(TDPS_SHARED, 0) },
	{ "collapse", "direct", "2M", tdps_life_collapse, TORTURE_SLOT, NEED_SHARED_HUGE, 6,
	  SPAN_2M, DIRECT(TDPS_SHARED, 0) },

	/* vCPUs: what they fault in depends on what their guest does. */
	{ "guest_convert", "both", "4K", NULL, TORTURE_VCPU, NEED_PRIVATE, 1, SPAN_PAGE, { } },
	{ "guest_fault", "both", "-", NULL, TORTURE_VCPU, NEED_NOTHING, 1, SPAN_PAGE, { } },
	{ "run", "both", "-", NULL, TORTURE_VCPU, NEED_NOTHING, 1, SPAN_PAGE, { } },
};

const int torture_nr_ops = ARRAY_SIZE(torture_ops);

static struct torture_op *const run_op = &torture_ops[ARRAY_SIZE(torture_ops) - 1];
static struct torture_op *const guest_fault_op = &torture_ops[ARRAY_SIZE(torture_ops) - 2];
static struct torture_op *const guest_convert_op = &torture_ops[ARRAY_SIZE(torture_ops) - 3];

/* --- what can be done here --- */

static const char *why_not(const struct tdps_vm *vm, enum torture_need need)
{
	switch (need) {
	case NEED_PRIVATE:
		return tdps_own_missing(vm, TDPS_PRIVATE);
	case NEED_CRAFT:
		return tdps_own_missing(vm, TDPS_CRAFT);
	case NEED_CRAFT_HUGE:
		return tdps_own_missing(vm, TDPS_CRAFT) ?:
			tdps_own_huge(vm, TDPS_CRAFT) ? NULL : "the host gives no huge pages";
	case NEED_GIANT:
		return tdps_own_missing(vm, TDPS_GIANT);
	case NEED_SHARED_HUGE:
		return tdps_own_huge(vm, TDPS_SHARED) ? NULL : "the host gives no huge pages";
	case NEED_HUGETLB:
		return tdps_own_missing(vm, TDPS_HUGETLB);
	case NEED_NX:
		return tdps_entry_missing_nx();
	case NEED_ZAP_WRITE:
		return tdps_entry_missing_zap_write();
	default:
		return NULL;
	}
}

/* Decide which operations cannot be done in this run; they are shown as such. */
void torture_ops_check(const struct tdps_vm *vm)
{
	int i;

	for (i = 0; i < torture_nr_ops; i++) {
		struct torture_op *op = &torture_ops[i];

		op->not_run = op->weight ? why_not(vm, op->need) ?: tdps_own_lacks(op->fn) :
					   "weight 0";
	}
}

/* --- ops= --- */

/* In a list, for all of them. */
static bool is_all(const char *name, size_t len)
{
	return len == 3 && !strncmp(name, "all", len);
}

static bool known(const char *name, size_t len)
{
	int i;

	if (is_all(name, len))
		return true;
	for (i = 0; i < torture_nr_ops; i++)
		if (torture_ops[i].fn && strlen(torture_ops[i].name) == len &&
		    !strncmp(torture_ops[i].name, name, len))
			return true;
	return false;
}

/* A name may have several rows. */
static bool is_first(int row)
{
	int i;

	for (i = 0; i < row; i++)
		if (!strcmp(torture_ops[i].name, torture_ops[row].name))
			return false;
	return true;
}

static void say_known(const char *name, size_t len)
{
	char text[640] = "";
	size_t n = 0;
	int i;

	for (i = 0; i < torture_nr_ops; i++)
		if (torture_ops[i].fn && is_first(i))
			n += scnprintf(text + n, sizeof(text) - n, " %s", torture_ops[i].name);
	pr_err("ops: '%.*s' is no operation; known:%s\n", (int)len, name, text);
}

static void set_weight(const char *name, size_t len, u32 weight)
{
	int i;

	for (i = 0; i < torture_nr_ops; i++)
		if (is_all(name, len) || (strlen(torture_ops[i].name) == len &&
					  !strncmp(torture_ops[i].name, name, len)))
			torture_ops[i].weight = weight;
}

/* One "name=weight"; @apply false: only look whether it is right. */
static int take_one(const char *at, size_t len, bool apply)
{
	const char *eq = memchr(at, '=', len);
	size_t name_len = eq ? eq - at : len;
	char number[12];
	u32 weight;

	if (!known(at, name_len)) {
		say_known(at, name_len);
		return -EINVAL;
	}
	if (!eq || len - name_len - 1 >= sizeof(number)) {
		pr_err("ops: '%.*s': must be name=weight, weight from 0 to 1000\n", (int)len, at);
		return -EINVAL;
	}
	strscpy(number, eq + 1, len - name_len);
	if (kstrtou32(number, 0, &weight) || weight > 1000) {
		pr_err("ops: '%.*s': must be name=weight, weight from 0 to 1000\n", (int)len, at);
		return -EINVAL;
	}
	if (apply)
		set_weight(at, name_len, weight);
	return 0;
}

/**
 * torture_set_ops() - take weights of operations
 * @text: "name=weight,...", in this order; "all" names every operation, those that
 *	  are not named keep theirs
 *
 * Return: 0, or -EINVAL with nothing changed and a line that says why.
 */
int torture_set_ops(const char *text)
{
	int apply, err;

	for (apply = 0; apply <= 1; apply++) {
		const char *at = text;
		size_t len;

		for (;; at += len + 1) {
			len = strcspn(at, ",\n");
			err = len ? take_one(at, len, apply) : 0;
			if (err)
				return err;
			if (at[len] != ',')
				break;
		}
	}
	return 0;
}

/* --- doing it --- */

static u32 weight_of(const struct torture_worker *w, const struct torture_op *op)
{
	return op->kind == w->kind && !op->not_run && op->fn ? op->weight : 0;
}

/* The next operation of this worker; NULL: there is none for its kind. */
struct torture_op *torture_pick(struct torture_worker *w)
{
	u32 total = 0, at;
	int i;

	for (i = 0; i < torture_nr_ops; i++)
		total += weight_of(w, &torture_ops[i]);
	if (!total)
		return NULL;
	at = torture_random(w, total);
	for (i = 0; i < torture_nr_ops; i++) {
		u32 weight = weight_of(w, &torture_ops[i]);

		if (at < weight)
			break;
		at -= weight;
	}
	return &torture_ops[i];
}

static void name_thread(const struct torture_worker *w, const char *what)
{
	char name[TASK_COMM_LEN] = "";

	scnprintf(name, sizeof(name), "w%u:%s", w->index, what);
	strscpy_pad(current->comm, name);
}

#define HUGE_PAGES	512
#define HOT_PAGES	32	/* where three of four go, so that they meet */
#define FEW_PAGES	64

static void aim(struct torture_worker *w, const struct torture_op *op, struct tdps_vm *vm,
		struct tdps_target *t)
{
	u64 first = tdps_own_gfn(vm, t->region), pages = tdps_own_pages(vm, t->region), at;
	u64 hot = min_t(u64, pages, HOT_PAGES);
	bool anywhere = torture_one_in(w, 4) || t->region == TDPS_CRAFT || t->region == TDPS_GIANT;

	/* crafted memory is small: its 2M pieces are where threads meet */
	at = anywhere ? torture_random(w, pages) : torture_random(w, hot);
	switch (op->span) {
	case SPAN_PAGE:
		t->gfn = first + at;
		t->nr = 1;
		break;
	case SPAN_FEW:
		t->gfn = first + at;
		t->nr = min_t(u64, 1 + torture_random(w, FEW_PAGES), pages - at);
		break;
	case SPAN_2M:
		t->gfn = first + round_down(torture_random(w, pages), HUGE_PAGES);
		t->nr = min_t(u64, HUGE_PAGES, pages);
		break;
	case SPAN_ALL:
		t->gfn = first;
		t->nr = pages;
		break;
	}
}

static void begin(struct torture_worker *w, struct torture_op *op)
{
	WRITE_ONCE(w->since_ns, ktime_get_mono_fast_ns());
	/* pairs with look_after() in worker.c */
	smp_wmb();
	WRITE_ONCE(w->op, op);
	tdps_point(TDPS_POINT_OP);
}

static void end(struct torture_worker *w)
{
	WRITE_ONCE(w->op, NULL);
	/* the leader's way to end what does not end by itself */
	if (signal_pending(current))
		flush_signals(current);
}

/**
 * torture_do() - do an operation and count how it went
 * @w: the current worker
 * @op: operation
 * @vm: VM
 */
void torture_do(struct torture_worker *w, struct torture_op *op, struct tdps_vm *vm)
{
	struct tdps_target t = op->target;
	enum tdps_result res;

	t.side = w->vcpu;
	t.random = prandom_u32_state(&w->rnd);
	t.bitmap = w->bitmap;
	t.yield = torture_one_in(w, 4);
	if (op->fn == tdps_entry_map)
		t.write = t.random & 1;
	aim(w, op, vm, &t);

	name_thread(w, op->name);
	begin(w, op);
	atomic64_inc(&op->calls);
	res = op->fn(vm, &t);
	atomic64_inc(&op->result[res]);
	end(w);
}

/* What user space does when KVM tells it that guest and attributes disagree. */
static void convert(struct tdps_vm *vm, const struct tdps_run_counts *n)
{
	const struct tdps_target t = {
		.region = TDPS_PRIVATE, .gfn = n->gfn, .nr = 1, .mirror = n->private,
	};

	atomic64_inc(&guest_convert_op->calls);
	atomic64_inc(&guest_convert_op->result[tdps_life_convert(vm, &t)]);
}

/**
 * torture_enter() - enter a vCPU some times and count how it went
 * @w: the current worker
 * @vm: VM
 */
void torture_enter(struct torture_worker *w, struct tdps_vm *vm)
{
	struct tdps_run_counts n = {};
	int i;

	if (w->playing != vm) {
		w->playing = vm;
		w->vm_id = tdps_own_id(vm);
		w->shared_bit = tdps_own_shared_bit(vm);
		name_thread(w, run_op->name);
	}
	begin(w, guest_fault_op);
	if (tdps_run(vm, w->vcpu, prandom_u32_state(&w->rnd), &n) == TDPS_EXIT_MEMORY)
		convert(vm, &n);
	end(w);

	atomic64_add(n.entries + n.turned, &run_op->calls);
	atomic64_add(n.entries - n.busy - n.other, &run_op->result[TDPS_DID]);
	atomic64_add(n.turned + n.busy, &run_op->result[TDPS_RETRY]);
	atomic64_add(n.other, &run_op->result[TDPS_REFUSED]);
	atomic64_add(n.violations, &guest_fault_op->calls);
	for (i = 0; i < TDPS_NR_RESULTS; i++)
		atomic64_add(n.faults[i], &guest_fault_op->result[i]);
}
