// SPDX-License-Identifier: GPL-2.0
/*
 * Memslots come, go, move and change their flags while vCPUs fault in them: private
 * ones (the window, which comes back with other pages behind it) and shared ones.
 */
#include "ks_test.h"

KS_FIXTURE_VCPUS(memslot_race);

#define MAX_RACERS	(KS_MAX_VCPUS + 2)

/* The mobile slot back at a place where everything of it can be mapped. */
static int settle_mobile(struct td *vm)
{
	struct td_slot *slot = &vm->slots[TD_SLOT_MOBILE];
	int ret;

	ret = slot->present ? td_slot_delete(vm, TD_SLOT_MOBILE) : 0;
	slot->flags = 0;
	slot->gfn = td_mobile_gfn(vm, 0);
	return ret ?: td_slot_create(vm, TD_SLOT_MOBILE);
}

TEST_KS(memslot_race, moved_shared_slot)
{
	struct td *vm = &self->vm;
	u64 from, to;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ks_touch(vm, TD_SLOT_MOBILE, false);
	from = vm->slots[TD_SLOT_MOBILE].gfn;
	to = td_mobile_gfn(vm, 2);
	ASSERT_CALL(ks_map(vm, 0, 0, 16));
	ASSERT_CALL(ks_map(vm, 0, from, KS_WINDOW));
	EXPECT_MAPPED(vm, 16 + KS_WINDOW);
	ASSERT_CALL(td_slot_move(vm, TD_SLOT_MOBILE, to));
	EXPECT_MAPPED(vm, 16);
	EXPECT_PRIVATE(&self->ks, 16);
	EXPECT_REFUSED(ENOENT, ks_map(vm, 0, from, 1));
	ASSERT_CALL(ks_map(vm, self->ks.nr_vcpus - 1, to, KS_WINDOW));
	EXPECT_MAPPED(vm, 16 + KS_WINDOW);
}

/* What KVM does not allow for guest_memfd. */
TEST_KS(memslot_race, refused_for_private)
{
	struct td *vm = &self->vm;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ASSERT_CALL(ks_map(vm, 0, 0, KS_PAGES));
	EXPECT_REFUSED(EINVAL, td_slot_move(vm, TD_SLOT_WINDOW, td_mobile_gfn(vm, 3)));
	EXPECT_REFUSED(EINVAL, td_slot_set_flags(vm, TD_SLOT_WINDOW, KVM_MEM_GUEST_MEMFD |
						 KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_MAPPED(vm, KS_PAGES);
	EXPECT_PRIVATE(&self->ks, KS_PAGES);
}

/* The same place, other pages of guest_memfd: nothing of the old ones is left. */
TEST_KS(memslot_race, other_pages_behind)
{
	struct td *vm = &self->vm;
	struct td_slot *slot = &vm->slots[TD_SLOT_WINDOW];
	int home;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	for (home = 0; home < 4; home++) {
		ASSERT_CALL(td_slot_delete(vm, TD_SLOT_WINDOW));
		EXPECT_PRIVATE(&self->ks, 0);
		slot->gmem_page = td_window_home(vm, home & 1);
		ASSERT_CALL(td_slot_create(vm, TD_SLOT_WINDOW));
		ASSERT_CALL(ks_map(vm, home % self->ks.nr_vcpus, slot->gfn, KS_WINDOW));
		EXPECT_PRIVATE(&self->ks, KS_WINDOW);
		/* a hole in the pages that are not there any more takes nothing */
		ASSERT_CALL(td_punch(vm, td_window_home(vm, !(home & 1)), KS_WINDOW));
		EXPECT_PRIVATE(&self->ks, KS_WINDOW);
	}
}

TEST_KS(memslot_race, private_slot_and_faults)
{
	struct td *vm = &self->vm;
	const struct ks_racer fault = {
		.name = "map", .step = ks_step_map, .activity = TD_ACT_SLOTS,
	};
	struct ks_racer racers[MAX_RACERS] = {
		{ .name = "window", .step = ks_step_window, .vm = vm },
	};
	unsigned int nr = 1 + ks_racers(&self->ks, vm, &racers[1], &fault);

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, nr));
	EXPECT_SOUND(ks_check(&self->ks));
	if (vm->slots[TD_SLOT_WINDOW].present)
		ASSERT_CALL(td_slot_delete(vm, TD_SLOT_WINDOW));
	ASSERT_CALL(td_punch(vm, 0, KS_MAIN_PAGES));
	EXPECT_MAPPED(vm, 0);
	EXPECT_PRIVATE(&self->ks, 0);
}

TEST_KS(memslot_race, shared_slot_and_faults)
{
	struct td *vm = &self->vm;
	struct ks_gates gates;
	const struct ks_racer fault = {
		.name = "map", .step = ks_step_map_mobile, .activity = TD_ACT_SLOTS,
		.gates = &gates,
	};
	struct ks_racer racers[MAX_RACERS] = {
		{ .name = "mobile", .step = ks_step_mobile, .vm = vm, .gates = &gates },
	};
	unsigned int nr = 1 + ks_racers(&self->ks, vm, &racers[1], &fault);

	ks_gates_init(&gates);
	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ks_touch(vm, TD_SLOT_MOBILE, true);
	EXPECT_SOUND(ks_race(&self->ks, racers, nr));
	EXPECT_SOUND(ks_check(&self->ks));
	ASSERT_CALL(settle_mobile(vm));
	EXPECT_MAPPED(vm, 0);
	ASSERT_CALL(ks_map(vm, 0, vm->slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_MAPPED(vm, KS_WINDOW);
	EXPECT_SOUND(ks_audit(&self->ks));
}

TEST_KS(memslot_race, both_slots_and_guest)
{
	struct td *vm = &self->vm;
	struct ks_gates gates;
	const struct ks_racer guest = {
		.name = "run", .step = ks_step_run, .activity = TD_ACT_SLOTS, .gates = &gates,
	};
	struct ks_racer racers[MAX_RACERS] = {
		{ .name = "window", .step = ks_step_window, .vm = vm, .gates = &gates },
		{ .name = "mobile", .step = ks_step_mobile, .vm = vm, .gates = &gates },
	};
	unsigned int nr = 2 + ks_racers(&self->ks, vm, &racers[2], &guest);

	if (!ks_can_run(&self->ks))
		SKIP(return, "no guest that can be entered on this backend");
	ks_gates_init(&gates);
	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, nr));
	EXPECT_SOUND(ks_audit(&self->ks));
}

KS_TEST_MAIN("memslot_race: memslots come, go, move and change while vCPUs fault in them.");
