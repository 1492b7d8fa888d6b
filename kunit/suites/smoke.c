// SPDX-License-Identifier: GPL-2.0
/* The bed itself: a mirror page is mapped and zapped. */
#include "../bed/bed.h"

static void smoke_map_zap(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_MIRROR, BED_GFN, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, is_shadow_present_pte(bed_spte(b, BED_MIRROR, BED_GFN, 1)));
	bed_zap_leafs(b, BED_GFN, BED_GFN + 1);
	KUNIT_EXPECT_FALSE(test, is_shadow_present_pte(bed_spte(b, BED_MIRROR, BED_GFN, 1)));
}

static struct kunit_case smoke_cases[] = {
	KUNIT_CASE(smoke_map_zap),
	{}
};

BED_SUITE(tdp_mmu_smoke, smoke_cases);
