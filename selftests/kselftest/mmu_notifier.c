// SPDX-License-Identifier: GPL-2.0
/*
 * The host's memory management takes shared memory away: discards, protects, unmaps
 * and remaps it. KVM's direct roots follow, and private memory stays as it is.
 */
#include <sys/mman.h>

#include "ks_test.h"

KS_FIXTURE_PAGES(mmu_notifier);

#define PRIVATE_PAGES	64ULL

/* A VM with some private memory mapped, and all of the mobile slot's shared memory. */
#define START() do {							\
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));	\
	ks_touch(&self->vm, TD_SLOT_MOBILE, variant->huge);		\
	ASSERT_CALL(ks_map(&self->vm, 0, 0, PRIVATE_PAGES));		\
	ASSERT_CALL(ks_map(&self->vm, 1, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));	\
	if (variant->huge && td_stat(self->vm.vm_fd, "pages_2m") <= 0)	\
		SKIP(return, "the host gave no huge pages (CONFIG_TRANSPARENT_HUGEPAGE, memory)"); \
	EXPECT_MAPPED(&self->vm, PRIVATE_PAGES + KS_WINDOW);		\
} while (0)

#define EXPECT_SHARED(_pages) do {					\
	EXPECT_MAPPED(&self->vm, PRIVATE_PAGES + (_pages));		\
	EXPECT_PRIVATE(&self->ks, PRIVATE_PAGES);			\
	EXPECT_SOUND(ks_audit(&self->ks));				\
} while (0)

/*
 * The host may take more than it was asked for: where it splits a VMA,
 * __split_huge_pmd() invalidates the whole 2M piece, huge or not. Never another one.
 */
#define EXPECT_SHARED_WITHOUT(_pages) do {				\
	s64 _mapped = ks_mapped(&self->vm);				\
									\
	EXPECT_GE(PRIVATE_PAGES + KS_WINDOW - (_pages), _mapped);	\
	EXPECT_LE(PRIVATE_PAGES + KS_WINDOW - KS_HUGE_PAGES, _mapped);	\
	EXPECT_PRIVATE(&self->ks, PRIVATE_PAGES);			\
	EXPECT_SOUND(ks_audit(&self->ks));				\
} while (0)

static char *page_at(const struct td *vm, u64 page)
{
	return (char *)vm->slots[TD_SLOT_MOBILE].hva + (page << TD_PAGE_SHIFT);
}

TEST_KS(mmu_notifier, discarded)
{
	START();
	ASSERT_EQ(0, madvise(page_at(&self->vm, 10), 20 << TD_PAGE_SHIFT, MADV_DONTNEED));
	if (variant->huge)
		EXPECT_SHARED_WITHOUT(20);
	else
		EXPECT_SHARED(KS_WINDOW - 20);
	ASSERT_CALL(ks_map(&self->vm, 0, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_SHARED(KS_WINDOW);
}

TEST_KS(mmu_notifier, unmapped_and_mapped_again)
{
	struct td_slot *slot;
	void *again;

	START();
	slot = &self->vm.slots[TD_SLOT_MOBILE];
	ASSERT_EQ(0, munmap(page_at(&self->vm, 100), 28 << TD_PAGE_SHIFT));
	EXPECT_SHARED_WITHOUT(28);
	/* there is nothing to map */
	EXPECT_REFUSED(EFAULT, ks_map(&self->vm, 0, slot->gfn + 100, 1));
	EXPECT_SHARED_WITHOUT(28);
	again = mmap(page_at(&self->vm, 100), 28 << TD_PAGE_SHIFT, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_NE(MAP_FAILED, again);
	ASSERT_CALL(ks_map(&self->vm, 0, slot->gfn, KS_WINDOW));
	EXPECT_SHARED(KS_WINDOW);
}

/* What becomes read-only has to be faulted in again, and then is mapped as that. */
TEST_KS(mmu_notifier, protected)
{
	START();
	ASSERT_EQ(0, mprotect(page_at(&self->vm, 0), 64 << TD_PAGE_SHIFT, PROT_READ));
	EXPECT_SHARED_WITHOUT(64);
	ASSERT_EQ(0, mprotect(page_at(&self->vm, 0), 64 << TD_PAGE_SHIFT,
			      PROT_READ | PROT_WRITE));
	ASSERT_CALL(ks_map(&self->vm, 1, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_SHARED(KS_WINDOW);
}

/* A huge page loses one small one: KVM has to give up the huge leaf. */
TEST_KS(mmu_notifier, part_of_a_huge_page)
{
	s64 large;

	if (!variant->huge)
		SKIP(return, "there is none in this variant");
	START();
	large = td_stat(self->vm.vm_fd, "pages_2m");
	ASSERT_EQ(0, madvise(page_at(&self->vm, 3), TD_PAGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(large - 1, td_stat(self->vm.vm_fd, "pages_2m"));
	ASSERT_CALL(ks_map(&self->vm, 0, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_SHARED(KS_WINDOW);
}

/* Memory behind private pages is not KVM's business while they are private. */
TEST_KS(mmu_notifier, behind_private_memory)
{
	START();
	ks_touch(&self->vm, TD_SLOT_MAIN, false);
	ASSERT_EQ(0, madvise(self->vm.slots[TD_SLOT_MAIN].hva, PRIVATE_PAGES << TD_PAGE_SHIFT,
			     MADV_DONTNEED));
	EXPECT_SHARED(KS_WINDOW);
}

/* fork() makes the memory copy-on-write: notifiers for all of it. */
TEST_KS(mmu_notifier, forked)
{
	int status;
	pid_t child;

	START();
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		*page_at(&self->vm, 0) = 1;
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	*page_at(&self->vm, 1) = 2;
	ASSERT_CALL(ks_map(&self->vm, 0, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_SHARED(KS_WINDOW);
}

static int map_shared(struct ks_racer *r)
{
	return ks_fault_mobile(r, 16);
}

TEST_KS(mmu_notifier, races_with_faults)
{
	struct td *vm = &self->vm;
	struct ks_racer racers[] = {
		{ .name = "discard", .step = ks_step_discard, .vm = vm },
		{ .name = "map", .step = map_shared, .vm = vm, .activity = TD_ACT_BACKING },
		{
			.name = "map", .step = map_shared, .vm = vm, .vcpu = 1,
			.activity = TD_ACT_BACKING,
		},
	};

	START();
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	ASSERT_CALL(ks_map(vm, 0, vm->slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));
	EXPECT_SHARED(KS_WINDOW);
}

KS_TEST_MAIN("mmu_notifier: the host takes shared memory away, KVM's direct roots follow.");
