// SPDX-License-Identifier: GPL-2.0
/*
 * Private memory is mapped and zapped: by page, by range, across page tables, by
 * hole and by memslot. KVM's count of leafs and the TDX module's count of pages
 * have to agree with what was asked for after every step.
 */
#include "ks_test.h"

KS_FIXTURE(mirror_map_zap);

/* Both sides' count. */
#define EXPECT_BOTH(_pages) do {			\
	EXPECT_MAPPED(&self->vm, _pages);		\
	EXPECT_PRIVATE(&self->ks, _pages);		\
} while (0)

TEST_KS(mirror_map_zap, one_page)
{
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	EXPECT_BOTH(0);
	ASSERT_CALL(ks_map(&self->vm, 0, 7, 1));
	EXPECT_BOTH(1);
	/* what is there already, by either vCPU */
	ASSERT_CALL(ks_map(&self->vm, 0, 7, 1));
	ASSERT_CALL(ks_map(&self->vm, 1, 7, 1));
	EXPECT_BOTH(1);
	ASSERT_CALL(td_punch(&self->vm, 7, 1));
	EXPECT_BOTH(0);
	/* a hole where there is one */
	ASSERT_CALL(td_punch(&self->vm, 7, 1));
	EXPECT_BOTH(0);
	/* a page of guest_memfd comes anew */
	ASSERT_CALL(ks_map(&self->vm, 1, 7, 1));
	EXPECT_BOTH(1);
}

/* More than one page table holds, beginning and ending in the middle of one. */
TEST_KS(mirror_map_zap, across_tables)
{
	u64 first = KS_HUGE_PAGES - 3, nr = KS_HUGE_PAGES + 6;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, first, nr));
	EXPECT_BOTH(nr);
	EXPECT_SOUND(ks_audit(&self->ks));
	ASSERT_CALL(td_punch(&self->vm, first + 1, nr - 2));
	EXPECT_BOTH(2);
	EXPECT_SOUND(ks_audit(&self->ks));
	ASSERT_CALL(ks_map(&self->vm, 1, 0, KS_PAGES));
	EXPECT_BOTH(KS_PAGES);
	ASSERT_CALL(td_punch(&self->vm, 0, KS_PAGES));
	EXPECT_BOTH(0);
}

/* Every other page: no range operation may take a neighbour along. */
TEST_KS(mirror_map_zap, every_other_page)
{
	u64 gfn, nr = 128;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	for (gfn = 0; gfn < nr; gfn += 2)
		ASSERT_CALL(ks_map(&self->vm, gfn / 2 & 1, gfn, 1));
	EXPECT_BOTH(nr / 2);
	/* those that are not there */
	for (gfn = 1; gfn < nr; gfn += 2)
		ASSERT_CALL(td_punch(&self->vm, gfn, 1));
	EXPECT_BOTH(nr / 2);
	for (gfn = 0; gfn < nr; gfn += 4)
		ASSERT_CALL(td_punch(&self->vm, gfn, 1));
	EXPECT_BOTH(nr / 4);
}

/* A memslot goes: what was in it goes, and nothing else. */
TEST_KS(mirror_map_zap, by_memslot)
{
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_PAGES));
	EXPECT_BOTH(KS_PAGES);
	ASSERT_CALL(td_slot_delete(&self->vm, TD_SLOT_WINDOW));
	EXPECT_BOTH(KS_MAIN_PAGES);
	EXPECT_SOUND(ks_audit(&self->ks));
	/* nothing there to map */
	EXPECT_REFUSED(EFAULT, ks_map(&self->vm, 0, KS_MAIN_PAGES, 1));
	EXPECT_BOTH(KS_MAIN_PAGES);
	ASSERT_CALL(td_slot_create(&self->vm, TD_SLOT_WINDOW));
	EXPECT_BOTH(KS_MAIN_PAGES);
	ASSERT_CALL(ks_map(&self->vm, 1, KS_MAIN_PAGES, KS_WINDOW));
	EXPECT_BOTH(KS_PAGES);
	ASSERT_CALL(td_slot_delete(&self->vm, TD_SLOT_MAIN));
	EXPECT_BOTH(KS_WINDOW);
	ASSERT_CALL(td_slot_delete(&self->vm, TD_SLOT_WINDOW));
	EXPECT_BOTH(0);
}

/* The last descriptor of guest_memfd goes while the VM lives on. */
TEST_KS(mirror_map_zap, by_closing_guest_memfd)
{
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_PAGES));
	ASSERT_EQ(0, close(self->vm.gmem_fd));
	self->vm.gmem_fd = -1;
	EXPECT_BOTH(0);
	EXPECT_SOUND(ks_audit(&self->ks));
	EXPECT_GT(0, ks_map(&self->vm, 0, 0, 1));
	EXPECT_BOTH(0);
}

/* Ranges that make no sense change nothing. */
TEST_KS(mirror_map_zap, bad_ranges)
{
	struct kvm_pre_fault_memory range = { .gpa = 1, .size = TD_PAGE_SIZE };
	int fd;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	fd = self->vm.vcpus[0].fd;
	EXPECT_REFUSED(EINVAL, td_ioctl(TD_CALL_PREFAULT, fd, KVM_PRE_FAULT_MEMORY, &range));
	range.gpa = 0;
	range.size = 1;
	EXPECT_REFUSED(EINVAL, td_ioctl(TD_CALL_PREFAULT, fd, KVM_PRE_FAULT_MEMORY, &range));
	range.size = TD_PAGE_SIZE;
	range.flags = 1;
	EXPECT_REFUSED(EINVAL, td_ioctl(TD_CALL_PREFAULT, fd, KVM_PRE_FAULT_MEMORY, &range));
	/* beyond all memslots, and private by attribute */
	ASSERT_CALL(td_set_private(&self->vm, 64 * KS_PAGES, 1, true));
	EXPECT_REFUSED(EFAULT, ks_map(&self->vm, 0, 64 * KS_PAGES, 1));
	EXPECT_BOTH(0);
}

KS_TEST_MAIN("mirror_map_zap: private memory is mapped and zapped, page by page and by range.");
