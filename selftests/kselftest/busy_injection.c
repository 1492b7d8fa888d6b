// SPDX-License-Identifier: GPL-2.0
/*
 * The TDX module answers with what KVM distinguishes (BUSY: try again) and with what
 * it does not expect (then it gives the VM up). In the first case nobody notices; in
 * the second everybody does, and the VM still comes to a clean end.
 */
#include <fcntl.h>

#include "ks_test.h"

/* asm/shared/tdx_errno.h is no header for user space. */
#define STATUS_BUSY			0x8000020000000000ULL
#define STATUS_INTERRUPTED_RESUMABLE	0x8000000300000000ULL
#define STATUS_SYS_BUSY			0x8000020200000000ULL
#define STATUS_OPERAND_INVALID		0xC000010000000000ULL
#define STATUS_METADATA_INCORRECT	0xC000030000000000ULL
#define STATUS_WALK_FAILED		0xC0000B0000000000ULL
#define STATUS_ENTRY_STATE_INCORRECT	0xC0000B0D00000000ULL
#define STATUS_NOBODY_KNOWS		0xC0000FFF00000000ULL

#define SEAMCALL	TDP_STRESS_INJECT_SEAMCALL
#define EXTOP		TDP_STRESS_INJECT_EXTOP
#define INJECT(kind)	(1ULL << (kind))
#define PAGES		(2 * KS_HUGE_PAGES)
#define PAGE_AUG	6	/* TDH.MEM.PAGE.AUG */
#define MANY_BUSY	1000

KS_FIXTURE(busy_injection);

/**
 * struct leaf - a SEAMCALL leaf on the way of a change
 * @name: as in the ABI
 * @nr: its number
 * @maps: it makes a mapping, under mmu_lock held for read; else it removes one
 */
struct leaf {
	const char *name;
	u32 nr;
	bool maps;
};

static const struct leaf leafs[] = {
	{ "TDH.MEM.SEPT.ADD", 3, true },
	{ "TDH.MEM.PAGE.AUG", PAGE_AUG, true },
	{ "TDH.MEM.RANGE.BLOCK", 7, false },
	{ "TDH.MEM.TRACK", 38, false },
	{ "TDH.MEM.PAGE.REMOVE", 29, false },
};

/* Everything is mapped, by both vCPUs, and gone again. */
static int there_and_back(struct td *vm)
{
	int ret = ks_map(vm, 0, 0, PAGES / 2);

	if (!ret)
		ret = ks_map(vm, 1, PAGES / 2, PAGES / 2);
	if (!ret && ks_mapped(vm) != (s64)PAGES)
		ret = -ERANGE;
	if (!ret)
		ret = td_punch(vm, 0, PAGES);
	if (!ret && ks_mapped(vm))
		ret = -ERANGE;
	return ret;
}

/* Each leaf, once: the retry that KVM makes has to do. */
TEST_KS(busy_injection, each_leaf_once)
{
	size_t i;
	s64 fired;

	KS_NEEDS(0, 0, 0, INJECT(SEAMCALL));
	for (i = 0; i < ARRAY_SIZE(leafs); i++) {
		ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
		ASSERT_CALL(ks_inject(&self->ks, SEAMCALL, leafs[i].nr, TDP_STRESS_INJECT_ONCE, 1,
				      STATUS_BUSY));
		ASSERT_CALL(there_and_back(&self->vm));
		fired = ks_injected(&self->ks, SEAMCALL, leafs[i].nr);
		EXPECT_EQ(1, fired) TH_LOG("%s: %lld", leafs[i].name, fired);
		EXPECT_PRIVATE(&self->ks, 0);
		/* a new VM, for page tables stay */
		td_destroy(&self->vm);
	}
}

/* What maps may be BUSY as often as it likes. */
TEST_KS(busy_injection, mapping_leafs_often)
{
	size_t i;

	KS_NEEDS(0, 0, 0, INJECT(SEAMCALL));
	for (i = 0; i < ARRAY_SIZE(leafs); i++) {
		if (!leafs[i].maps)
			continue;
		ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
		ASSERT_CALL(ks_inject(&self->ks, SEAMCALL, leafs[i].nr, TDP_STRESS_INJECT_NTH, 2,
				      STATUS_BUSY));
		ASSERT_CALL(there_and_back(&self->vm));
		EXPECT_LT(0, ks_injected(&self->ks, SEAMCALL, leafs[i].nr));
		td_destroy(&self->vm);
		ASSERT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
	}
}

/* KVM's own external operations, before anybody else sees them. */
TEST_KS(busy_injection, external_operations)
{
	static const u32 ops[] = { TDP_STRESS_EXTOP_MAP, TDP_STRESS_EXTOP_LINK };
	size_t i;

	KS_NEEDS(0, 0, 0, INJECT(EXTOP));
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		ASSERT_CALL(ks_inject(&self->ks, EXTOP, ops[i], TDP_STRESS_INJECT_NTH, 3, EBUSY));
	ASSERT_CALL(there_and_back(&self->vm));
	EXPECT_LT(0, ks_injected(&self->ks, EXTOP, TDP_STRESS_EXTOP_MAP));
	ASSERT_CALL(ks_inject_nothing(&self->ks));
	ASSERT_CALL(there_and_back(&self->vm));
}

/*
 * A private fault is tried again in KVM, not by letting the guest fault once more: six
 * times at one instruction arm the zero-step filter (tdx_handle_ept_violation()).
 */
TEST_KS(busy_injection, tried_again_without_the_guest)
{
	u64 before, after;
	s64 fired = 0;
	int tries;

	if (variant->backend != KS_EMULATED)
		SKIP(return, "no guest faults: only the emulated TDX module plays one");
	KS_NEEDS(0, 0, 0, INJECT(SEAMCALL));
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_TRUE(ks_tdx_counter(&self->ks, "leaf.TDH.VP.ENTER.calls", &before));
	ASSERT_CALL(ks_inject(&self->ks, SEAMCALL, PAGE_AUG, TDP_STRESS_INJECT_BURST, MANY_BUSY,
			      STATUS_BUSY));
	for (tries = 0; tries < MANY_BUSY && fired < MANY_BUSY; tries++) {
		ASSERT_CALL(ks_enter(&self->vm, 0));
		fired = ks_injected(&self->ks, SEAMCALL, PAGE_AUG);
	}
	EXPECT_EQ(MANY_BUSY, fired);
	ASSERT_TRUE(ks_tdx_counter(&self->ks, "leaf.TDH.VP.ENTER.calls", &after));
	/* a few: what the guest does beside, and interrupts, for which KVM stops trying */
	EXPECT_GT(MANY_BUSY / 2, after - before);
	TH_LOG("%lld times BUSY, %llu times in the guest", fired, after - before);
}

/* Under pressure: faults, holes and BUSY all at once. */
TEST_KS(busy_injection, in_a_race)
{
	struct td *vm = &self->vm;
	struct ks_racer racers[] = {
		{ .name = "punch", .step = ks_step_punch, .vm = vm },
		{ .name = "map", .step = ks_step_map, .vm = vm },
		{ .name = "map", .step = ks_step_map, .vm = vm, .vcpu = 1 },
	};
	size_t i;

	KS_NEEDS(0, 0, 0, INJECT(SEAMCALL));
	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	for (i = 0; i < ARRAY_SIZE(leafs); i++)
		ASSERT_CALL(ks_inject(&self->ks, SEAMCALL, leafs[i].nr, TDP_STRESS_INJECT_NTH, 5,
				      STATUS_BUSY));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	ASSERT_CALL(ks_inject_nothing(&self->ks));
	ASSERT_CALL(ks_map(vm, 0, 0, KS_PAGES));
	EXPECT_MAPPED(vm, KS_PAGES);
	EXPECT_PRIVATE(&self->ks, KS_PAGES);
}

/* An injection ends with the file that it was configured with. */
TEST_KS(busy_injection, ends_with_its_file)
{
	struct tdp_stress_query q = { .size = sizeof(q) };

	KS_NEEDS(0, 0, 0, INJECT(SEAMCALL));
	ASSERT_CALL(ks_inject(&self->ks, SEAMCALL, leafs[1].nr, TDP_STRESS_INJECT_NTH, 2,
			      STATUS_BUSY));
	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	EXPECT_EQ(1, q.live_injects);
	close(self->ks.dev_fd);
	self->ks.dev_fd = open(TDP_STRESS_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->ks.dev_fd);
	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	EXPECT_EQ(0, q.live_injects);
}

/* --- what KVM does not expect --- */

/* Of a mapping: the fault fails, the VM is dead, all else is left as it was. */
TEST_KS(busy_injection, unexpected_when_mapping)
{
	static const u64 statuses[] = {
		STATUS_OPERAND_INVALID, STATUS_METADATA_INCORRECT, STATUS_WALK_FAILED,
		STATUS_ENTRY_STATE_INCORRECT, STATUS_SYS_BUSY, STATUS_INTERRUPTED_RESUMABLE,
		STATUS_NOBODY_KNOWS,
	};
	struct td *vm = &self->vm;
	size_t i, j;

	if (variant->backend != KS_EMULATED)
		SKIP(return, "it is tdx.c that makes KVM give the VM up");
	KS_NEEDS(0, 0, 0, INJECT(SEAMCALL));
	for (i = 0; i < ARRAY_SIZE(leafs); i++) {
		for (j = 0; leafs[i].maps && j < ARRAY_SIZE(statuses); j++) {
			ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
			ASSERT_CALL(ks_inject(&self->ks, SEAMCALL, leafs[i].nr,
					      TDP_STRESS_INJECT_BURST, 5, statuses[j]));
			ks_expect_warnings(true);
			/* by the guest: KVM_PRE_FAULT_MEMORY would WARN about -EIO */
			EXPECT_REFUSED(EIO, ks_run(vm, 0, 1000));
			ks_expect_warnings(false);
			/* one is enough: what is retried in a dead VM is retried for ever */
			EXPECT_EQ(1, ks_injected(&self->ks, SEAMCALL, leafs[i].nr)) {
				TH_LOG("%s, status 0x%llx", leafs[i].name, statuses[j]);
			}
			ASSERT_CALL(ks_inject_nothing(&self->ks));
			/* dead: nothing is served any more */
			EXPECT_REFUSED(EIO, ks_map(vm, 1, 100, 1));
			EXPECT_REFUSED(EIO, td_set_private(vm, 0, 1, false));
			td_destroy(vm);
			ASSERT_TRUE(ks_idle(&self->ks)) {
				TH_LOG("%s, status 0x%llx: %s", leafs[i].name, statuses[j],
				       self->ks.text);
			}
		}
	}
}

KS_TEST_MAIN("busy_injection: SEAMCALLs and external operations that say BUSY, or worse.");
