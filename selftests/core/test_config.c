// SPDX-License-Identifier: GPL-2.0
/* Making and freeing a module; bad configurations; memory. */
#include "tdhost.h"
#include "kselftest_harness.h"

static u64 no_guest(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	return 0;
}

static const struct tdxm_hooks hooks = { .guest = no_guest };

FIXTURE(config) {
	struct tdxm_config cfg;
};

FIXTURE_SETUP(config)
{
	ASSERT_EQ(0, tdxm_env_user_init(HOST_PAGES, HOST_HOLE, HOST_HOLE_PAGES));
	self->cfg = host_config;
	self->cfg.nr_pages = HOST_PAGES;
	self->cfg.nr_lps = HOST_LPS;
}

FIXTURE_TEARDOWN(config)
{
	tdxm_env_user_exit();
}

#define REFUSED(field, value)						\
do {									\
	struct tdxm_config bad = self->cfg;				\
									\
	bad.field = (value);						\
	ASSERT_NE(NULL, tdxm_config_error(&bad));			\
	EXPECT_NE(NULL, strstr(tdxm_config_error(&bad), #field));	\
	EXPECT_EQ(NULL, tdxm_create(&bad, &hooks, NULL));		\
} while (0)

TEST_F(config, each_field_is_checked)
{
	EXPECT_EQ(NULL, tdxm_config_error(&self->cfg));
	REFUSED(nr_pages, 0);
	REFUSED(nr_pages, 1ULL << 32);
	REFUSED(nr_lps, 0);
	REFUSED(nr_lps, 1025);
	REFUSED(tdcs_pages, 1);
	REFUSED(tdcs_pages, 17);
	REFUSED(tdvps_pages, 0);
	REFUSED(tdvps_pages, 17);
	REFUSED(max_vcpus, 0);
	REFUSED(max_vcpus, 513);
	REFUSED(keyid_start, 0);
	REFUSED(nr_keyids, 0);
	REFUSED(nr_keyids, 4097);
	REFUSED(phys_bits, 31);
	REFUSED(phys_bits, 53);
	REFUSED(hold_ns, 100001);
	REFUSED(nr_packages, 65);
	REFUSED(nr_cpuid_config, 1);
	REFUSED(nr_cpuid_config, 49);
	REFUSED(max_leaf_level, 3);
	REFUSED(extra_pages, HOST_PAGES + 1);
	REFUSED(extra_pfn, HOST_PAGES + 1);
	REFUSED(shared_format, 2);
	REFUSED(shared_bit, BIT_ULL(31));
	REFUSED(shared_bit, BIT_ULL(48));
	REFUSED(shared_bit, BIT_ULL(40) | BIT_ULL(41));
}

TEST_F(config, a_guest_is_needed)
{
	const struct tdxm_hooks none = {};

	EXPECT_EQ(NULL, tdxm_create(&self->cfg, &none, NULL));
}

TEST_F(config, every_allocation_may_fail)
{
	struct tdxm *m = NULL;
	int i;

	for (i = 0; !m && i < 20; i++) {
		tdxm_env_user_fail_alloc(i);
		m = tdxm_create(&self->cfg, &hooks, NULL);
		if (!m)
			EXPECT_EQ(0, tdxm_env_user_live_allocs());
	}
	EXPECT_EQ(5, i);	/* four allocations */
	ASSERT_NE(NULL, m);
	EXPECT_EQ(0, tdxm_destroy(m));
	EXPECT_EQ(0, tdxm_env_user_live_allocs());
}

TEST_F(config, heads_are_allocated_where_huge_pages_are_allowed)
{
	struct tdxm *m;
	u32 level;
	int i;

	for (level = 0; level <= 2; level++) {
		self->cfg.max_leaf_level = level;
		for (m = NULL, i = 0; !m && i < 20; i++) {
			tdxm_env_user_fail_alloc(i);
			m = tdxm_create(&self->cfg, &hooks, NULL);
			if (!m)
				EXPECT_EQ(0, tdxm_env_user_live_allocs());
		}
		EXPECT_EQ(5 + level, i);
		ASSERT_NE(NULL, m);
		EXPECT_EQ(0, tdxm_destroy(m));
		EXPECT_EQ(0, tdxm_env_user_live_allocs());
	}
}

TEST_F(config, priv_and_memory)
{
	struct host h;
	struct tdxm *m = tdxm_create(&self->cfg, &hooks, &h);

	ASSERT_NE(NULL, m);
	EXPECT_EQ(&h, tdxm_priv(m));
	h.m = m;
	/* 16 bytes a page, and a fixed part. */
	EXPECT_GE(host_counter(&h, "mem.bytes"), HOST_PAGES * 16ULL);
	EXPECT_LE(host_counter(&h, "mem.bytes"), HOST_PAGES * 16ULL + HOST_LPS * 8192 + 32768);
	EXPECT_EQ(0, tdxm_destroy(m));
}

/* Huge pages cost little: 20 bytes for each 2M. */
TEST_F(config, memory_of_heads)
{
	u64 without = tdxm_mem_bytes(&self->cfg);

	self->cfg.max_leaf_level = 2;
	EXPECT_EQ(without + HOST_PAGES / 512 * sizeof(struct pamt_head) + sizeof(struct pamt_head),
		  tdxm_mem_bytes(&self->cfg));
	EXPECT_EQ(20, sizeof(struct pamt_head));
}

static u64 type_of(struct tdxm *m, u64 pfn)
{
	struct tdxm_regs regs = { .rax = TDH_PHYMEM_PAGE_RDMD, .rcx = pfn << PAGE_SHIFT };

	tdxm_seamcall(m, &regs);
	return regs.rcx;
}

TEST_F(config, extra_frames_count_as_ram)
{
	struct tdxm *m;

	self->cfg.extra_pfn = HOST_HOLE + 1;
	self->cfg.extra_pages = 2;
	m = tdxm_create(&self->cfg, &hooks, NULL);
	ASSERT_NE(NULL, m);
	EXPECT_EQ(PT_RSVD, type_of(m, HOST_HOLE));
	EXPECT_EQ(PT_NDA, type_of(m, HOST_HOLE + 1));
	EXPECT_EQ(PT_NDA, type_of(m, HOST_HOLE + 2));
	EXPECT_EQ(PT_RSVD, type_of(m, HOST_HOLE + 3));
	EXPECT_EQ(0, tdxm_destroy(m));
}

TEST_F(config, destroy_tells_of_pages_that_were_not_given_back)
{
	struct tdxm_regs regs = { .rax = TDH_MNG_CREATE, .rcx = 0x10000, .rdx = HOST_KEYID };
	struct tdxm *m = tdxm_create(&self->cfg, &hooks, NULL);

	tdxm_seamcall(m, &regs);
	ASSERT_EQ(TDX_SUCCESS, regs.rax);
	EXPECT_EQ(-EBUSY, tdxm_destroy(m));
	EXPECT_EQ(0, tdxm_env_user_live_allocs());
}

TEST_HARNESS_MAIN
