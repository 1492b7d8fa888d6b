// SPDX-License-Identifier: GPL-2.0
/* Numbers of the core against those of the kernel tree. */
#include TDX_ERRNO_H

#define NAME(name) { #name, name },

static const struct {
	char name[40];
	unsigned long long value;
} kernel_values[] = {
#include "abi_names.h"
};

#undef TDX_SEAMCALL_STATUS_MASK
#undef TDX_INTERRUPTED_RESUMABLE
#undef TDX_SYS_BUSY
#undef TDX_OPERAND_INVALID
#undef TDX_OPERAND_BUSY
#undef TDX_PREVIOUS_TLB_EPOCH_BUSY
#undef TDX_PAGE_METADATA_INCORRECT
#undef TDX_VCPU_NOT_ASSOCIATED
#undef TDX_KEY_CONFIGURED
#undef TDX_NO_HKID_READY_TO_WBCACHE
#undef TDX_FLUSHVP_NOT_DONE
#undef TDX_EPT_WALK_FAILED
#undef TDX_EPT_ENTRY_STATE_INCORRECT
#undef TDX_METADATA_FIELD_NOT_READABLE
#undef TDX_OPERAND_ID_RCX
#undef TDX_OPERAND_ID_TDR
#undef TDX_OPERAND_ID_SEPT
#undef TDX_OPERAND_ID_TD_EPOCH

#include "tdhost.h"
#include "kselftest_harness.h"

static const struct {
	char name[40];
	unsigned long long value;
} core_values[] = {
#include "abi_names.h"
};

TEST(status_codes_are_the_kernels)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(core_values); i++)
		EXPECT_EQ(kernel_values[i].value, core_values[i].value)
			TH_LOG("%s", core_values[i].name);
}

/* LEAF(TDH_..., number) for each leaf in the kernel's virt/vmx/tdx/tdx.h. */
static const struct {
	const char *name;
	u32 number;
} kernel_leaves[] = {
#define LEAF(name, number) { #name, number },
#include "kernel_leaves.h"
};

TEST(leaf_numbers_are_the_kernels)
{
	size_t i, known = 0;

	for (i = 0; i < ARRAY_SIZE(kernel_leaves); i++) {
		char name[64], *p;
		int number;

		snprintf(name, sizeof(name), "%s", kernel_leaves[i].name);
		for (p = name; *p; p++)
			*p = *p == '_' ? '.' : *p;
		number = tdxm_leaf_by_name(name);
		if (number < 0) {
			TH_LOG("%s is not implemented", name);
			continue;
		}
		known++;
		EXPECT_EQ(kernel_leaves[i].number, (u32)number)
			TH_LOG("%s", name);
	}
	EXPECT_GE(known, 35);
}

/* Codes that no kernel header has; values from the ABI specification. */
TEST(status_codes_of_the_abi)
{
	EXPECT_EQ(0x8000000400000000ULL, TDX_INTERRUPTED_RESTARTABLE);
	EXPECT_EQ(0xC0000B0600000000ULL, TDX_GPA_RANGE_NOT_BLOCKED);
	EXPECT_EQ(0xC0000B0800000000ULL, TDX_TLB_TRACKING_NOT_DONE);
	EXPECT_EQ(0xC0000B0900000000ULL, TDX_EPT_INVALID_PROMOTE_CONDITIONS);
	EXPECT_EQ(0xC0000B0E00000000ULL, TDX_EPT_PAGE_NOT_FREE);
}

TEST(leaf_names)
{
	EXPECT_STREQ("TDH.MEM.PAGE.AUG", tdxm_leaf_name(TDH_MEM_PAGE_AUG));
	EXPECT_EQ(NULL, tdxm_leaf_name(5));
	EXPECT_EQ(NULL, tdxm_leaf_name(12345));
	EXPECT_EQ(TDH_VP_ENTER, tdxm_leaf_by_name("TDH.VP.ENTER"));
	EXPECT_EQ(15, tdxm_leaf_by_name("TDH.MEM.PAGE.DEMOTE"));
	EXPECT_EQ(23, tdxm_leaf_by_name("TDH.MEM.PAGE.PROMOTE"));
	EXPECT_EQ(30, tdxm_leaf_by_name("TDH.MEM.SEPT.REMOVE"));
	EXPECT_EQ(39, tdxm_leaf_by_name("TDH.MEM.RANGE.UNBLOCK"));
	EXPECT_EQ(-1, tdxm_leaf_by_name("TDH.MEM.PAGE.RELOCATE"));
}

TEST(entries_and_structures_have_the_abis_size)
{
	EXPECT_EQ(16, sizeof(struct pamt_entry));
	EXPECT_EQ(1024, sizeof(struct tdxm_td_params));
	EXPECT_LE(sizeof(struct tdxm_tdr), PAGE_SIZE);
	EXPECT_LE(sizeof(struct tdxm_tdcs), PAGE_SIZE);
	EXPECT_LE(sizeof(struct tdxm_vcpu), PAGE_SIZE);
}

TEST_HARNESS_MAIN
