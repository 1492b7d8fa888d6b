// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_PRE_FAULT_MEMORY against what takes memory away meanwhile: holes in
 * guest_memfd, memslots that go. Whoever wins, what is mapped at rest is what the
 * memslots and guest_memfd have, and all of it can be mapped again.
 */
#include "ks_test.h"

KS_FIXTURE(prefault_race);

/* At rest: everything can be mapped, and is counted once. */
#define EXPECT_MAPS_ALL() do {						\
	if (!self->vm.slots[TD_SLOT_WINDOW].present)			\
		ASSERT_CALL(td_slot_create(&self->vm, TD_SLOT_WINDOW));	\
	ASSERT_CALL(td_set_private(&self->vm, 0, KS_PAGES, true));	\
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_PAGES));			\
	EXPECT_MAPPED(&self->vm, KS_PAGES);				\
	EXPECT_PRIVATE(&self->ks, KS_PAGES);				\
	EXPECT_SOUND(ks_audit(&self->ks));				\
} while (0)

/* One that disturbs, two that fault. */
#define RACERS(_name, _step, _activity)						\
	struct ks_racer racers[] = {						\
		{ .name = _name, .step = _step, .vm = &self->vm },		\
		{								\
			.name = "map", .step = ks_step_map, .vm = &self->vm,	\
			.activity = _activity,					\
		},								\
		{								\
			.name = "map", .step = ks_step_map, .vm = &self->vm,	\
			.vcpu = 1, .activity = _activity,			\
		},								\
	}

/* All vCPUs at the same pages: each is mapped once. */
TEST_KS(prefault_race, by_two_vcpus)
{
	struct td *vm = &self->vm;
	struct ks_racer racers[] = {
		{ .name = "map", .step = ks_step_map, .vm = vm },
		{ .name = "map", .step = ks_step_map, .vm = vm, .vcpu = 1 },
	};

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	EXPECT_MAPS_ALL();
}

TEST_KS(prefault_race, against_holes)
{
	RACERS("punch", ks_step_punch, 0);

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	EXPECT_MAPS_ALL();
	ASSERT_CALL(td_punch(&self->vm, 0, KS_PAGES));
	EXPECT_PRIVATE(&self->ks, 0);
}

TEST_KS(prefault_race, against_slot_deletion)
{
	RACERS("window", ks_step_window, TD_ACT_SLOTS);

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	EXPECT_MAPS_ALL();
	ASSERT_CALL(td_slot_delete(&self->vm, TD_SLOT_WINDOW));
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
}

/* All at once. */
TEST_KS(prefault_race, against_everything)
{
	struct td *vm = &self->vm;
	u32 all = TD_ACT_SLOTS | TD_ACT_ATTRS;
	struct ks_gates gates;
	size_t i;
	struct ks_racer racers[] = {
		{ .name = "window", .step = ks_step_window, .vm = vm },
		{ .name = "punch", .step = ks_step_punch, .vm = vm },
		{ .name = "convert", .step = ks_step_convert, .vm = vm },
		{ .name = "map", .step = ks_step_map, .vm = vm, .activity = all },
		{ .name = "map", .step = ks_step_map, .vm = vm, .vcpu = 1, .activity = all },
	};

	ks_gates_init(&gates);
	for (i = 0; i < ARRAY_SIZE(racers); i++)
		racers[i].gates = &gates;
	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	EXPECT_MAPS_ALL();
}

KS_TEST_MAIN("prefault_race: KVM_PRE_FAULT_MEMORY against holes, slot deletion and itself.");
