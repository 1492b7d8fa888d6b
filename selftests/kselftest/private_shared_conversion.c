// SPDX-License-Identifier: GPL-2.0
/*
 * Memory attributes change: private memory becomes shared and comes back. Only the
 * converted range may lose its mappings, and each kind is mapped in its own root.
 */
#include "ks_test.h"

KS_FIXTURE(conversion);

#define PIECE	100ULL

TEST_KS(conversion, there_and_back)
{
	struct td *vm = &self->vm;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ks_touch(vm, TD_SLOT_MAIN, false);
	ASSERT_CALL(ks_map(vm, 0, 0, KS_MAIN_PAGES));
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);

	ASSERT_CALL(td_set_private(vm, 200, PIECE, false));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES - PIECE);
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES - PIECE);
	EXPECT_SOUND(ks_audit(&self->ks));

	/* shared now: mapped, but no page of the TDX module's */
	ASSERT_CALL(ks_map(vm, 1, 200, PIECE));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES);
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES - PIECE);

	/* both kinds in one call of KVM_PRE_FAULT_MEMORY */
	ASSERT_CALL(ks_map(vm, 0, 0, KS_MAIN_PAGES));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES);

	ASSERT_CALL(td_set_private(vm, 200, PIECE, true));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES - PIECE);
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES - PIECE);
	ASSERT_CALL(ks_map(vm, 0, 200, PIECE));
	EXPECT_MAPPED(vm, KS_MAIN_PAGES);
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
}

/* To what it is already: nothing changes, nothing is zapped. */
TEST_KS(conversion, to_the_same)
{
	struct td *vm = &self->vm;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ASSERT_CALL(ks_map(vm, 0, 0, 64));
	ASSERT_CALL(td_set_private(vm, 0, 64, true));
	EXPECT_MAPPED(vm, 64);
	EXPECT_PRIVATE(&self->ks, 64);
}

/* Two thirds of a 2M range, then all of it, across two slots. */
TEST_KS(conversion, odd_ranges)
{
	struct td *vm = &self->vm;
	u64 first = KS_MAIN_PAGES - 341, nr = 2 * 341;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ASSERT_CALL(ks_map(vm, 0, 0, KS_PAGES));
	ASSERT_CALL(td_set_private(vm, first, nr, false));
	EXPECT_MAPPED(vm, KS_PAGES - nr);
	EXPECT_PRIVATE(&self->ks, KS_PAGES - nr);
	ASSERT_CALL(td_set_private(vm, 0, KS_PAGES, false));
	EXPECT_MAPPED(vm, 0);
	EXPECT_PRIVATE(&self->ks, 0);
	EXPECT_SOUND(ks_audit(&self->ks));
	ASSERT_CALL(td_set_private(vm, 0, KS_PAGES, true));
	ASSERT_CALL(ks_map(vm, 1, 0, KS_PAGES));
	EXPECT_PRIVATE(&self->ks, KS_PAGES);
}

/* A conversion that is refused does nothing. */
TEST_KS(conversion, refused)
{
	struct kvm_memory_attributes attr = { .size = TD_PAGE_SIZE };
	struct td *vm = &self->vm;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	ASSERT_CALL(ks_map(vm, 0, 0, 8));
	attr.attributes = ~KVM_MEMORY_ATTRIBUTE_PRIVATE;
	EXPECT_REFUSED(EINVAL, td_ioctl(TD_CALL_SET_ATTRS, vm->vm_fd,
					KVM_SET_MEMORY_ATTRIBUTES, &attr));
	attr.attributes = 0;
	attr.flags = 1;
	EXPECT_REFUSED(EINVAL, td_ioctl(TD_CALL_SET_ATTRS, vm->vm_fd,
					KVM_SET_MEMORY_ATTRIBUTES, &attr));
	attr.flags = 0;
	attr.address = 1;
	EXPECT_REFUSED(EINVAL, td_ioctl(TD_CALL_SET_ATTRS, vm->vm_fd,
					KVM_SET_MEMORY_ATTRIBUTES, &attr));
	EXPECT_MAPPED(vm, 8);
	EXPECT_PRIVATE(&self->ks, 8);
}

/* What the host wrote to shared memory is there when it is shared again. */
TEST_KS(conversion, shared_memory_is_kept)
{
	struct td *vm = &self->vm;
	char *byte;

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	byte = vm->slots[TD_SLOT_MAIN].hva;
	ASSERT_CALL(td_set_private(vm, 0, 1, false));
	__atomic_store_n(byte, 0x5a, __ATOMIC_RELAXED);
	ASSERT_CALL(ks_map(vm, 0, 0, 1));
	ASSERT_CALL(td_set_private(vm, 0, 1, true));
	ASSERT_CALL(ks_map(vm, 0, 0, 1));
	ASSERT_CALL(td_set_private(vm, 0, 1, false));
	ASSERT_CALL(ks_map(vm, 0, 0, 1));
	EXPECT_EQ(0x5a, __atomic_load_n(byte, __ATOMIC_RELAXED));
}

/* One converts, one maps; afterwards all is private and mapped again. */
TEST_KS(conversion, races_with_faults)
{
	struct td *vm = &self->vm;
	struct ks_racer racers[] = {
		{ .name = "convert", .step = ks_step_convert, .vm = vm },
		{ .name = "map", .step = ks_step_map, .vm = vm, .activity = TD_ACT_ATTRS },
		{
			.name = "map", .step = ks_step_map, .vm = vm, .vcpu = 1,
			.activity = TD_ACT_ATTRS,
		},
	};

	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	EXPECT_SOUND(ks_audit(&self->ks));
	ASSERT_CALL(td_set_private(vm, 0, KS_PAGES, true));
	ASSERT_CALL(ks_map(vm, 0, 0, KS_PAGES));
	EXPECT_MAPPED(vm, KS_PAGES);
	EXPECT_PRIVATE(&self->ks, KS_PAGES);
}

/* The guest is in the middle of it, and asks for conversions of its own. */
TEST_KS(conversion, races_with_guest)
{
	struct td *vm = &self->vm;
	struct ks_racer racers[] = {
		{ .name = "convert", .step = ks_step_convert, .vm = vm },
		{ .name = "run", .step = ks_step_run, .vm = vm, .activity = TD_ACT_ATTRS },
		{
			.name = "run", .step = ks_step_run, .vm = vm, .vcpu = 1,
			.activity = TD_ACT_ATTRS,
		},
	};

	if (!ks_can_run(&self->ks))
		SKIP(return, "no guest that can be entered on this backend");
	ASSERT_MADE(vm, ks_vm_start(&self->ks, vm));
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	EXPECT_SOUND(ks_audit(&self->ks));
}

KS_TEST_MAIN("private_shared_conversion: private memory becomes shared and comes back.");
