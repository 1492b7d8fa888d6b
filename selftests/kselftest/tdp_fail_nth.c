// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that a change of a VM needs fails, one thing after the other: the nth
 * allocation, the nth SEAMCALL with each status that KVM distinguishes, the nth external
 * operation; n = 1, 2, ... until a run in which nothing failed. Each time the invariants
 * hold, what failed can be repeated, and the VM works, or is dead and says so; in the
 * end nothing is left of it.
 */
#include <sys/mman.h>

#include "ks_test.h"
#include "ks_sweep.h"

#define OP(nr)		(1ULL << TDP_STRESS_OP_##nr)
#define MAX_TRIES	1000
/* Two hundred VMs, one after the other. */
#define SWEEP_TIMEOUT	900

/* Guest frames: what is mapped, what becomes shared, and a page to try the VM with. */
#define PRIVATE		0ULL
#define SHARED		2ULL
#define PIECE		2ULL		/* pages of each */
#define SMALL_PAGES	16ULL

static const struct td_config small = { .nr_vcpus = 4, .nr_pages = SMALL_PAGES };
static const struct td_config slotted = {
	.nr_vcpus = 4, .nr_pages = 2 * KS_HUGE_PAGES, .window_pages = KS_HUGE_PAGES,
};

/* A VM that can run, with one vCPU: the room for others is for what fails. */
static int make(struct sweep *s, const struct td_config *cfg)
{
	int ret = td_create(s->vm, &s->ks->env, cfg);

	if (!ret)
		ret = td_add_vcpu(s->vm);
	if (!ret)
		ret = td_finalize(s->vm);
	s->finalized = !ret;
	/* the host's own page faults are the same each time */
	if (!ret)
		madvise(s->vm->shared, s->vm->shared_bytes, MADV_NOHUGEPAGE);
	return ret;
}

/* --- scenarios --- */

static int setup_mapped(struct sweep *s, bool mapped)
{
	int ret = make(s, &small);

	if (!ret)
		ret = td_set_private(s->vm, SHARED, PIECE, false);
	if (!ret && mapped)
		ret = ks_map(s->vm, 0, PRIVATE, 2 * PIECE);
	return ret;
}

static int setup_unmapped(struct sweep *s)
{
	return setup_mapped(s, false);
}

static const char *check_mapped(struct sweep *s, bool failed)
{
	s64 mapped = ks_mapped(s->vm);

	return mapped == 2 * PIECE ? NULL :
	       sweep_say(s, "%lld pages are mapped, not %llu", mapped, 2 * PIECE);
}

/* Faults, by the vCPU's own handler. */
static int fault_at(struct sweep *s, u64 gfn, u32 roots)
{
	int tries, ret;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		struct tdp_stress_op op = {
			.op = TDP_STRESS_OP_MAP, .flags = TDP_STRESS_OP_FLAG_WRITE, .gfn = gfn,
			.nr = PIECE, .level = 1, .roots = roots,
		};

		ret = ks_op(s->ks, s->vm, &op);
		if (ret)
			return ret;
		if (op.result == TDP_STRESS_REFUSED)
			return -(int)op.error;
		if (op.result != TDP_STRESS_RETRY)
			return 0;
	}
	return -EAGAIN;
}

static int run_map(struct sweep *s)
{
	int ret = fault_at(s, PRIVATE, TDP_STRESS_ROOTS_MIRROR);

	return ret ?: fault_at(s, SHARED, TDP_STRESS_ROOTS_DIRECT);
}

static int run_prefault(struct sweep *s)
{
	return ks_map(s->vm, 0, PRIVATE, 2 * PIECE);
}

/* Huge leafs of shared memory, by way of a memslot's dirty log. */
static int setup_huge(struct sweep *s)
{
	int ret = make(s, &slotted);

	if (ret)
		return ret;
	ks_touch(s->vm, TD_SLOT_MOBILE, true);
	ret = ks_map(s->vm, 0, s->vm->slots[TD_SLOT_MOBILE].gfn, KS_HUGE_PAGES);
	if (ret || td_stat(s->vm->vm_fd, "pages_2m") == 1)
		return ret;
	s->skip = "the host gave no huge pages (CONFIG_TRANSPARENT_HUGEPAGE, memory)";
	return 1;
}

static int log_on(struct sweep *s)
{
	return td_slot_set_flags(s->vm, TD_SLOT_MOBILE, KVM_MEM_LOG_DIRTY_PAGES);
}

static int log_off(struct sweep *s)
{
	return td_slot_set_flags(s->vm, TD_SLOT_MOBILE, 0);
}

static const char *check_huge_pages(struct sweep *s, s64 wanted)
{
	s64 huge = td_stat(s->vm->vm_fd, "pages_2m"), mapped = ks_mapped(s->vm);

	return (huge == wanted || wanted < 0) && mapped == (s64)KS_HUGE_PAGES ? NULL :
	       sweep_say(s, "%lld pages are mapped, %lld leafs are huge, not %lld", mapped, huge,
			 wanted);
}

/* KVM splits if it can: a leaf that it could not split is write-protected as it is. */
static const char *check_split(struct sweep *s, bool failed)
{
	return check_huge_pages(s, failed ? -1 : 0);
}

static int setup_logged(struct sweep *s)
{
	int ret = setup_huge(s);

	return ret ?: log_on(s);
}

static const char *check_recover(struct sweep *s, bool failed)
{
	return check_huge_pages(s, 1);
}

/* A huge mirror leaf, which no fault of this KVM makes. */
static int op_on_mobile(struct sweep *s, u32 nr, u32 flags, u32 roots, u32 level)
{
	struct tdp_stress_op op = {
		.op = nr, .flags = flags, .gfn = s->vm->slots[TD_SLOT_MOBILE].gfn,
		.nr = KS_HUGE_PAGES, .roots = roots, .level = level,
	};
	int ret = ks_op(s->ks, s->vm, &op);

	if (ret)
		return ret;
	if (op.result == TDP_STRESS_REFUSED)
		return -(int)op.error;
	return op.result == TDP_STRESS_RETRY ? -EAGAIN : 0;
}

static int setup_crafted(struct sweep *s)
{
	int ret;

	s->skip = ks_lacks(s->ks, TDP_STRESS_FEATURE_CRAFT | TDP_STRESS_FEATURE_MIRROR_SPLIT,
			   OP(MAP_CRAFT) | OP(SPLIT), 0, 0);
	if (s->skip)
		return 1;
	ret = make(s, &slotted);
	if (ret)
		return ret;
	ks_touch(s->vm, TD_SLOT_MOBILE, true);
	ret = td_set_private(s->vm, s->vm->slots[TD_SLOT_MOBILE].gfn, KS_HUGE_PAGES, true);
	return ret ?: op_on_mobile(s, TDP_STRESS_OP_MAP_CRAFT, 0, 0, 2);
}

static int run_split_mirror(struct sweep *s)
{
	return op_on_mobile(s, TDP_STRESS_OP_SPLIT, TDP_STRESS_OP_FLAG_SHARED,
			    TDP_STRESS_ROOTS_MIRROR, 1);
}

/* Both kinds are mapped; what is all shared needs no memory to say so. */
static int setup_convert(struct sweep *s)
{
	return setup_mapped(s, true);
}

static int run_convert(struct sweep *s)
{
	int ret = td_set_private(s->vm, 0, SMALL_PAGES, false);

	return ret ?: td_set_private(s->vm, 0, SMALL_PAGES, true);
}

static const char *check_none_mapped(struct sweep *s, bool failed)
{
	s64 mapped = ks_mapped(s->vm);

	return mapped ? sweep_say(s, "%lld pages are mapped", mapped) : NULL;
}

/* The mobile slot, shared memory only, and the window with private memory. */
static int setup_slots(struct sweep *s)
{
	int ret = make(s, &slotted);

	if (!ret)
		ret = ks_map(s->vm, 0, s->vm->slots[TD_SLOT_WINDOW].gfn, PIECE);
	return ret ?: ks_map(s->vm, 0, s->vm->slots[TD_SLOT_MOBILE].gfn, PIECE);
}

static int run_slot_delete(struct sweep *s)
{
	int ret = 0;

	if (s->vm->slots[TD_SLOT_WINDOW].present)
		ret = td_slot_delete(s->vm, TD_SLOT_WINDOW);
	if (!ret && s->vm->slots[TD_SLOT_MOBILE].present)
		ret = td_slot_delete(s->vm, TD_SLOT_MOBILE);
	return ret;
}

static int run_slot_create(struct sweep *s)
{
	int ret = 0;

	if (!s->vm->slots[TD_SLOT_WINDOW].present)
		ret = td_slot_create(s->vm, TD_SLOT_WINDOW);
	if (!ret && !s->vm->slots[TD_SLOT_MOBILE].present)
		ret = td_slot_create(s->vm, TD_SLOT_MOBILE);
	return ret;
}

static int setup_no_slots(struct sweep *s)
{
	int ret = setup_slots(s);

	return ret ?: run_slot_delete(s);
}

static const char *check_slots(struct sweep *s, bool failed)
{
	int ret = ks_map(s->vm, 0, s->vm->slots[TD_SLOT_WINDOW].gfn, PIECE);

	if (!ret)
		ret = ks_map(s->vm, 0, s->vm->slots[TD_SLOT_MOBILE].gfn, PIECE);
	return ret ? sweep_say(s, "the memslots' memory: %s", td_errno_name(-ret)) :
	       check_mapped(s, failed);
}

static int run_slot_move(struct sweep *s)
{
	u64 gfn = td_mobile_gfn(s->vm, 1);

	return s->vm->slots[TD_SLOT_MOBILE].gfn == gfn ? 0 :
	       td_slot_move(s->vm, TD_SLOT_MOBILE, gfn);
}

static int undo_slot_move(struct sweep *s)
{
	u64 gfn = td_mobile_gfn(s->vm, 0);
	int ret = td_slot_move(s->vm, TD_SLOT_MOBILE, gfn);

	return ret ?: ks_map(s->vm, 0, gfn, PIECE);
}

static int setup_nothing(struct sweep *s)
{
	return 0;
}

static int run_td_create(struct sweep *s)
{
	return td_create(s->vm, &s->ks->env, &small);
}

static int setup_td(struct sweep *s)
{
	return td_create(s->vm, &s->ks->env, &small);
}

/* A vCPU that is there and could not be initialised stays: the next has another number. */
static int run_vcpu_create(struct sweep *s)
{
	struct td_vcpu *vcpu = &s->vm->vcpus[0];
	int ret = td_add_vcpu(s->vm);

	if (ret == -EEXIST && vcpu->index + 1 < s->vm->cfg.nr_vcpus) {
		vcpu->index++;
		ret = td_add_vcpu(s->vm);
	}
	return ret;
}

static int setup_unfinalized(struct sweep *s)
{
	int ret;

	if (s->ks->env.kind != TD_KIND_TDX) {
		s->skip = "adoption makes VMs that can run";
		return 1;
	}
	ret = td_create(s->vm, &s->ks->env, &small);
	return ret ?: td_add_vcpu(s->vm);
}

/* A page of initial memory, measured; then it is sealed. */
static int run_finalize(struct sweep *s)
{
	int ret = 0;

	if (!s->stage)
		ret = td_init_mem(s->vm, 0, PRIVATE, 1, s->vm->slots[TD_SLOT_MAIN].hva, true);
	if (ret)
		return ret;
	s->stage = 1;
	ret = td_finalize(s->vm);
	s->finalized = !ret;
	return ret;
}

static const char *check_initial(struct sweep *s, bool failed)
{
	s64 mapped = ks_mapped(s->vm);

	return mapped == 1 ? NULL : sweep_say(s, "%lld pages are mapped, not 1", mapped);
}

/* --- tests --- */

FIXTURE(tdp_fail_nth) {
	struct ks ks;
	struct td vm;
	struct ks_fault fault;
	const char *no_fault;	/* why allocations cannot be made to fail */
	struct sweep sweep;
};

FIXTURE_VARIANT(tdp_fail_nth) { enum ks_backend backend; };
FIXTURE_VARIANT_ADD(tdp_fail_nth, external) { .backend = KS_EXTERNAL };
FIXTURE_VARIANT_ADD(tdp_fail_nth, emulated) { .backend = KS_EMULATED };
FIXTURE_VARIANT_ADD(tdp_fail_nth, real) { .backend = KS_REAL };

FIXTURE_SETUP(tdp_fail_nth)
{
	self->fault = (struct ks_fault) { .nth_fd = -1, .kmsg_fd = -1 };
	KS_SETUP();
	self->no_fault = ks_fault_open(&self->fault);
	self->sweep = (struct sweep) {
		.ks = &self->ks, .vm = &self->vm, .fault = &self->fault,
	};
}

FIXTURE_TEARDOWN(tdp_fail_nth)
{
	EXPECT_SOUND(ks_check(&self->ks));
	td_destroy(&self->vm);
	EXPECT_SOUND(ks_fault_close(&self->fault));
	EXPECT_SOUND(ks_close(&self->ks));
}

#define SWEEP(_how) do {						\
	const char *_found = _how(&self->sweep);			\
									\
	if (self->sweep.skip)						\
		SKIP(return, "%s", self->sweep.skip);			\
	EXPECT_SOUND(_found);						\
} while (0)

/* A scenario is two tests: one needs fault injection in the kernel, the other in the module. */
#define TEST_SWEEP(_name, ...)						\
static const struct scenario scenario_##_name = { .name = #_name, __VA_ARGS__ };	\
									\
TEST_F_TIMEOUT(tdp_fail_nth, _name##_allocations, SWEEP_TIMEOUT)	\
{									\
	if (self->no_fault)						\
		SKIP(return, "%s", self->no_fault);			\
	KS_NEEDS(0, OP(MAP), 0, 0);					\
	ASSERT_EQ(NULL, ks_fault_begin(&self->ks, &self->fault));	\
	self->sweep.sc = &scenario_##_name;				\
	SWEEP(ks_sweep_allocations);					\
}									\
									\
TEST_F_TIMEOUT(tdp_fail_nth, _name##_calls, SWEEP_TIMEOUT)		\
{									\
	KS_NEEDS(0, OP(MAP), 0,						\
		 1ULL << (variant->backend == KS_EXTERNAL ? TDP_STRESS_INJECT_EXTOP :	\
			  TDP_STRESS_INJECT_SEAMCALL));			\
	self->sweep.sc = &scenario_##_name;				\
	SWEEP(ks_sweep_calls);						\
}

TEST_SWEEP(map, .setup = setup_unmapped, .run = run_map, .check = check_mapped)
TEST_SWEEP(prefault, .setup = setup_unmapped, .run = run_prefault, .check = check_mapped)
TEST_SWEEP(split, .setup = setup_huge, .run = log_on, .check = check_split, .undo = log_off)
TEST_SWEEP(split_mirror, .setup = setup_crafted, .run = run_split_mirror, .check = check_split)
TEST_SWEEP(recover, .setup = setup_logged, .run = log_off, .check = check_recover,
	   .undo = log_on)
TEST_SWEEP(convert, .setup = setup_convert, .run = run_convert, .check = check_none_mapped)
TEST_SWEEP(slot_create, .setup = setup_no_slots, .run = run_slot_create, .check = check_slots,
	   .undo = run_slot_delete)
TEST_SWEEP(slot_move, .setup = setup_slots, .run = run_slot_move, .check = check_slots,
	   .undo = undo_slot_move)
TEST_SWEEP(slot_delete, .setup = setup_slots, .run = run_slot_delete,
	   .check = check_none_mapped)
TEST_SWEEP(td_create, .setup = setup_nothing, .run = run_td_create, .check = check_none_mapped)
TEST_SWEEP(vcpu_create, .setup = setup_td, .run = run_vcpu_create, .check = check_none_mapped)
TEST_SWEEP(finalize, .setup = setup_unfinalized, .run = run_finalize, .check = check_initial)

KS_TEST_MAIN("tdp_fail_nth: every allocation, SEAMCALL and external operation fails, in turn.");
