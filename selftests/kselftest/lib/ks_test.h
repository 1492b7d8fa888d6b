/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between ks.h and kselftest_harness.h: variants, results, main().
 * Included once by each program, for the harness is made of static functions.
 */
#ifndef KSELFTEST_KS_TEST_H
#define KSELFTEST_KS_TEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "ks.h"

/* A machine that emulates a machine, with lockdep, on a busy host. */
#define KS_TIMEOUT	240
#define TEST_KS(fixture, name)	TEST_F_TIMEOUT(fixture, name, KS_TIMEOUT)

/* The fixture of most tests: one backend, and room for a VM. */
#define KS_FIXTURE(name)						\
	KS_FIXTURE_DATA(name);						\
	KS_VARIANTS(name, external, emulated, real, .nr_vcpus = KS_VCPUS);	\
	KS_FIXTURE_CODE(name)

/* One whose tests race: with one vCPU, with the usual two, with more. */
#define KS_FIXTURE_VCPUS(name)						\
	KS_FIXTURE_DATA(name);						\
	KS_VARIANTS(name, external_1vcpu, emulated_1vcpu, real_1vcpu, .nr_vcpus = 1);	\
	KS_VARIANTS(name, external, emulated, real, .nr_vcpus = KS_VCPUS);	\
	KS_VARIANTS(name, external_4vcpus, emulated_4vcpus, real_4vcpus,	\
		    .nr_vcpus = KS_MAX_VCPUS);				\
	KS_FIXTURE_CODE(name)

/* One about the host's memory: behind shared memory it has small pages, or huge ones. */
#define KS_FIXTURE_PAGES(name)						\
	KS_FIXTURE_DATA(name);						\
	KS_VARIANTS(name, external, emulated, real, .nr_vcpus = KS_VCPUS);	\
	KS_VARIANTS(name, external_2m, emulated_2m, real_2m,		\
		    .nr_vcpus = KS_VCPUS, .huge = true);		\
	KS_FIXTURE_CODE(name)

#define KS_FIXTURE_DATA(name)						\
	FIXTURE(name) { struct ks ks; struct td vm; };			\
	FIXTURE_VARIANT(name) { enum ks_backend backend; unsigned int nr_vcpus; bool huge; }

#define KS_VARIANTS(name, ext, emu, hw, ...)				\
	FIXTURE_VARIANT_ADD(name, ext) { .backend = KS_EXTERNAL, __VA_ARGS__ };	\
	FIXTURE_VARIANT_ADD(name, emu) { .backend = KS_EMULATED, __VA_ARGS__ };	\
	FIXTURE_VARIANT_ADD(name, hw) { .backend = KS_REAL, __VA_ARGS__ }

#define KS_FIXTURE_CODE(name)						\
	FIXTURE_SETUP(name)						\
	{								\
		KS_SETUP();						\
		KS_SETUP_VCPUS();					\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		EXPECT_SOUND(ks_check(&self->ks));			\
		td_destroy(&self->vm);					\
		EXPECT_SOUND(ks_close(&self->ks));			\
	}

#define KS_SETUP() do {							\
	const char *_why = ks_open(&self->ks, variant->backend);	\
									\
	if (_why)							\
		SKIP(return, "%s", _why);				\
} while (0)

/* KVM refuses a TD with more vCPUs than there are CPUs. */
#define KS_SETUP_VCPUS() do {						\
	self->ks.nr_vcpus = variant->nr_vcpus;				\
	if (variant->backend != KS_EXTERNAL)				\
		KS_NEEDS_CPUS((int)variant->nr_vcpus);			\
} while (0)

/* What a test needs of /dev/tdp_stress, see ks_lacks(). */
#define KS_NEEDS(_features, _ops, _points, _injects) do {		\
	const char *_lacks = ks_lacks(&self->ks, _features, _ops, _points, _injects);	\
									\
	if (_lacks)							\
		SKIP(return, "%s", _lacks);				\
} while (0)

/* A thread that is held spins, and so does who waits for mmu_lock: one more has to look. */
#define KS_NEEDS_CPUS(_nr) do {						\
	if (sysconf(_SC_NPROCESSORS_ONLN) < (_nr))			\
		SKIP(return, "%d CPUs are needed", _nr);		\
} while (0)

/* The usual VM, with all of the mobile slot mapped by huge leafs. */
#define KS_START_HUGE() do {						\
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));	\
	ks_touch(&self->vm, TD_SLOT_MOBILE, true);			\
	ASSERT_CALL(ks_map(&self->vm, 0, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW));	\
	if (td_stat(self->vm.vm_fd, "pages_2m") != KS_HUGE_LEAFS)	\
		SKIP(return, "the host gave no huge pages (CONFIG_TRANSPARENT_HUGEPAGE, memory)"); \
} while (0)

/* A call of selftests/lib or of ks.h that must not fail. */
#define ASSERT_CALL(_expr) do {						\
	int _ret = (_expr);						\
									\
	ASSERT_LE(0, _ret) {						\
		TH_LOG("%s: %s", #_expr, td_errno_name(-_ret));		\
	}								\
} while (0)

/* The same while a VM is made: which step it was. */
#define ASSERT_MADE(_vm, _expr) do {					\
	int _ret = (_expr);						\
									\
	ASSERT_LE(0, _ret) {						\
		TH_LOG("%s: %s, SEAMCALL status 0x%llx",		\
		       td_call_name((_vm)->failed), td_errno_name(-_ret),	\
		       (_vm)->hw_error);				\
	}								\
} while (0)

/* A call that must fail, and how. */
#define EXPECT_REFUSED(_err, _expr) do {				\
	int _ret = (_expr);						\
									\
	EXPECT_EQ(-(_err), _ret) {					\
		TH_LOG("%s: %s, wanted %s", #_expr,			\
		       _ret < 0 ? td_errno_name(-_ret) : "accepted",	\
		       td_errno_name(_err));				\
	}								\
} while (0)

/*
 * A sentence that should not be there. Said here, not in a handler: in a teardown
 * after a failed ASSERT the harness runs every handler it meets.
 */
#define EXPECT_SOUND(_expr) do {					\
	const char *_wrong = (_expr);					\
									\
	if (_wrong)							\
		TH_LOG("%s", _wrong);					\
	EXPECT_EQ(NULL, _wrong);					\
} while (0)

/* Pages that the VM has mapped, by KVM's own count (in 4K pages). */
#define EXPECT_MAPPED(_vm, _pages) do {					\
	EXPECT_EQ((s64)(_pages), ks_mapped(_vm));			\
} while (0)

/* Pages that the TDX module keeps for TDs; no claim where it is not ours. */
#define EXPECT_PRIVATE(_ks, _pages) do {				\
	if ((_ks)->backend != KS_REAL)					\
		EXPECT_EQ((s64)(_pages), ks_private_pages(_ks));	\
} while (0)

/* A program all of whose tests were skipped has not passed: the harness says it has. */
static void ks_nothing_tested(void)
{
	if (ksft_get_pass_cnt() || ksft_get_fail_cnt() || ksft_get_error_cnt() ||
	    !ksft_get_xskip_cnt())
		return;
	fflush(stdout);
	_exit(KSFT_SKIP);
}

/* main(): @what is what -h begins with. */
#define KS_TEST_MAIN(what)							\
int main(int argc, char **argv)						\
{									\
	int _i;								\
									\
	for (_i = 1; _i < argc; _i++) {					\
		if (!strcmp(argv[_i], "-h"))				\
			fprintf(stderr, "%s\n%s\n\n", what, ks_usage);	\
		if (argv[_i][0] != '-' && argv[_i - 1][0] != '-') {	\
			fprintf(stderr, "%s: '%s': only options, see -h\n", argv[0],	\
				argv[_i]);				\
			return KSFT_FAIL;				\
		}							\
	}								\
	setvbuf(stderr, NULL, _IOLBF, 0);				\
	atexit(ks_nothing_tested);					\
	return test_harness_run(argc, argv);				\
}

static const char ks_usage[] =
	"Needs root, KVM and tdp_stress.ko; variants whose backend is not there are skipped.\n"
	"  TDP_STRESS_SEED=N     seed of every random choice (default: random, printed)\n"
	"  TDP_STRESS_RACE_MS=N  how long each race lasts, in milliseconds (default 1000)";

#endif
