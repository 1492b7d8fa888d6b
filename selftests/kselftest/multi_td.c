// SPDX-License-Identifier: GPL-2.0
/*
 * Several TDs at once, of one process and of several: what happens to one does not
 * show in the others, and one that does not fit in any more is refused cleanly.
 */
#include <sys/wait.h>

#include "ks_test.h"

#define NR_VMS		3
#define TOO_MANY	300
#define PAGES		256ULL

FIXTURE(multi_td) { struct ks ks; struct td vms[NR_VMS]; };
FIXTURE_VARIANT(multi_td) { enum ks_backend backend; };
FIXTURE_VARIANT_ADD(multi_td, external) { .backend = KS_EXTERNAL };
FIXTURE_VARIANT_ADD(multi_td, emulated) { .backend = KS_EMULATED };
FIXTURE_VARIANT_ADD(multi_td, real) { .backend = KS_REAL };

FIXTURE_SETUP(multi_td)
{
	KS_SETUP();
}

FIXTURE_TEARDOWN(multi_td)
{
	int i;

	EXPECT_SOUND(ks_check(&self->ks));
	for (i = 0; i < NR_VMS; i++)
		td_destroy(&self->vms[i]);
	EXPECT_SOUND(ks_close(&self->ks));
}

static const struct td_config small = { .nr_vcpus = 1, .nr_pages = PAGES };

TEST_KS(multi_td, do_not_meddle)
{
	int i;

	for (i = 0; i < NR_VMS; i++) {
		ASSERT_MADE(&self->vms[i], ks_vm_make(&self->ks, &self->vms[i], &small));
		ASSERT_CALL(ks_map(&self->vms[i], 0, 0, PAGES - i));
	}
	for (i = 0; i < NR_VMS; i++)
		EXPECT_MAPPED(&self->vms[i], PAGES - i);
	EXPECT_PRIVATE(&self->ks, 3 * PAGES - 3);
	EXPECT_SOUND(ks_audit(&self->ks));
	ASSERT_CALL(td_punch(&self->vms[1], 0, PAGES));
	EXPECT_MAPPED(&self->vms[0], PAGES);
	EXPECT_MAPPED(&self->vms[1], 0);
	EXPECT_MAPPED(&self->vms[2], PAGES - 2);
	td_destroy(&self->vms[0]);
	EXPECT_MAPPED(&self->vms[2], PAGES - 2);
	ASSERT_CALL(ks_map(&self->vms[1], 0, 0, PAGES));
	EXPECT_MAPPED(&self->vms[1], PAGES);
	EXPECT_SOUND(ks_audit(&self->ks));
}

TEST_KS(multi_td, race_side_by_side)
{
	struct ks_racer racers[2 * NR_VMS];
	int i;

	for (i = 0; i < NR_VMS; i++) {
		struct td *vm = &self->vms[i];

		ASSERT_MADE(vm, ks_vm_make(&self->ks, vm, &small));
		racers[2 * i] = (struct ks_racer) {
			.name = "map", .step = ks_step_map, .vm = vm,
		};
		racers[2 * i + 1] = (struct ks_racer) {
			.name = "punch", .step = ks_step_punch, .vm = vm,
		};
	}
	EXPECT_SOUND(ks_race(&self->ks, racers, ARRAY_SIZE(racers)));
	for (i = 0; i < NR_VMS; i++) {
		ASSERT_CALL(ks_map(&self->vms[i], 0, 0, PAGES));
		EXPECT_MAPPED(&self->vms[i], PAGES);
	}
	EXPECT_PRIVATE(&self->ks, NR_VMS * PAGES);
}

/* A life in a process of its own; the exit code is the number of the step that failed. */
static int one_life(struct ks *ks)
{
	struct td vm;

	if (ks_vm_make(ks, &vm, &small))
		return 1;
	if (ks_map(&vm, 0, 0, PAGES))
		return 2;
	if (ks_mapped(&vm) != (s64)PAGES)
		return 3;
	if (td_punch(&vm, 0, PAGES / 2) || ks_mapped(&vm) != (s64)PAGES / 2)
		return 4;
	return 0;
}

TEST_KS(multi_td, of_several_processes)
{
	pid_t children[NR_VMS];
	int i, status;

	for (i = 0; i < NR_VMS; i++) {
		children[i] = fork();
		ASSERT_LE(0, children[i]);
		if (!children[i])
			_exit(one_life(&self->ks));
	}
	for (i = 0; i < NR_VMS; i++) {
		ASSERT_EQ(children[i], waitpid(children[i], &status, 0));
		EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status)) {
			TH_LOG("process %d: step %d failed", i, WEXITSTATUS(status));
		}
	}
}

/* Until the backend has no more of them (KeyIDs, places): then one goes, one fits. */
TEST_KS(multi_td, no_more)
{
	static struct td many[TOO_MANY];
	struct td_config tiny = { .nr_vcpus = 1, .nr_pages = 16 };
	int nr, ret = 0, i;

	for (nr = 0; nr < TOO_MANY; nr++) {
		ret = td_create(&many[nr], &self->ks.env, &tiny);
		if (ret)
			break;
	}
	EXPECT_LT(NR_VMS, nr);
	if (nr < TOO_MANY) {
		EXPECT_EQ(-ENOSPC, ret) TH_LOG("TD %d: %s", nr, td_errno_name(-ret));
		td_destroy(&many[0]);
		/* KeyIDs are free once KVM has flushed the caches */
		ASSERT_MADE(&many[0], td_create(&many[0], &self->ks.env, &tiny));
		ASSERT_MADE(&many[0], td_add_vcpu(&many[0]));
		ASSERT_MADE(&many[0], td_finalize(&many[0]));
		ASSERT_CALL(ks_map(&many[0], 0, 0, 16));
		EXPECT_MAPPED(&many[0], 16);
	}
	for (i = 0; i < nr; i++)
		td_destroy(&many[i]);
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
}

KS_TEST_MAIN("multi_td: several TDs at once, until there is room for no more.");
