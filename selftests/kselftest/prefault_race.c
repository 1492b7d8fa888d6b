// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_PRE_FAULT_MEMORY against what takes memory away meanwhile: holes in
 * guest_memfd, memslots that go. Whoever wins, what is mapped at rest is what the
 * memslots and guest_memfd have, and all of it can be mapped again.
 */
#include "ks_test.h"

KS_FIXTURE_VCPUS(prefault_race);

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

#define MAX_RACERS	(KS_MAX_VCPUS + 3)

/* One that disturbs, and the faults. */
static const char *race_against(struct ks *ks, struct td *vm, const char *name,
				int (*step)(struct ks_racer *r), u32 activity)
{
	struct ks_racer racers[MAX_RACERS];
	struct ks_racer fault = { .name = "map", .step = ks_step_map, .activity = activity };
	unsigned int nr = ks_racers(ks, vm, racers, &fault);

	racers[nr++] = (struct ks_racer) { .name = name, .step = step, .vm = vm };
	return ks_race(ks, racers, nr);
}

/* All vCPUs at the same pages: each is mapped once. */
TEST_KS(prefault_race, by_all_vcpus)
{
	const struct ks_racer fault = { .name = "map", .step = ks_step_map };
	struct ks_racer racers[MAX_RACERS];
	unsigned int nr = ks_racers(&self->ks, &self->vm, racers, &fault);

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, nr));
	EXPECT_MAPS_ALL();
}

TEST_KS(prefault_race, against_holes)
{
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_SOUND(race_against(&self->ks, &self->vm, "punch", ks_step_punch, 0));
	EXPECT_MAPS_ALL();
	ASSERT_CALL(td_punch(&self->vm, 0, KS_PAGES));
	EXPECT_PRIVATE(&self->ks, 0);
}

TEST_KS(prefault_race, against_slot_deletion)
{
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_SOUND(race_against(&self->ks, &self->vm, "window", ks_step_window, TD_ACT_SLOTS));
	EXPECT_MAPS_ALL();
	ASSERT_CALL(td_slot_delete(&self->vm, TD_SLOT_WINDOW));
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
}

/* All at once. */
TEST_KS(prefault_race, against_everything)
{
	struct td *vm = &self->vm;
	struct ks_gates gates;
	unsigned int i, nr;
	const struct ks_racer fault = {
		.name = "map", .step = ks_step_map, .activity = TD_ACT_SLOTS | TD_ACT_ATTRS,
	};
	struct ks_racer racers[MAX_RACERS] = {
		{ .name = "window", .step = ks_step_window, .vm = vm },
		{ .name = "punch", .step = ks_step_punch, .vm = vm },
		{ .name = "convert", .step = ks_step_convert, .vm = vm },
	};

	nr = 3 + ks_racers(&self->ks, vm, &racers[3], &fault);
	ks_gates_init(&gates);
	for (i = 0; i < nr; i++)
		racers[i].gates = &gates;
	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, nr));
	EXPECT_MAPS_ALL();
}

KS_TEST_MAIN("prefault_race: KVM_PRE_FAULT_MEMORY against holes, slot deletion and itself.");
